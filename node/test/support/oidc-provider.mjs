// @ts-check
// An authorization server that others wrote, npm `oidc-provider`, on loopback; and a person at its pages.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** @param {import('node:test').TestContext} context @param {string} resource */
export async function startProvider(context, resource) {
  // @ts-expect-error: it comes without types
  const { default: Provider } = await import('oidc-provider');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'test' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    pkce: { required: () => true },
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access', 'mcp'],
    findAccount: (/** @type {unknown} */ _context, /** @type {string} */ id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        getResourceServerInfo: () => ({ scope: 'mcp', audience: resource, accessTokenFormat: 'jwt' }),
        useGrantedResource: () => true,
      },
    },
  });
  server.on('request', provider.callback());
  return issuer;
}

/** Signs in and consents, as a browser would: one cookie jar, redirects followed until the client's.
 * @param {URL} authorizationUrl @param {string} user */
export async function approve(authorizationUrl, user) {
  const redirectUri = authorizationUrl.searchParams.get('redirect_uri') ?? '';
  /** @type {Map<string, string>} */ const cookies = new Map();
  let url = authorizationUrl;
  /** @type {URLSearchParams | undefined} */ let form;
  for (let step = 0; step < 12; step += 1) {
    if (url.href.startsWith(redirectUri)) return url.searchParams;
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(url, { method: form ? 'POST' : 'GET', body: form, headers: { cookie }, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    form = undefined;
    if (location) {
      url = new URL(location, url);
      continue;
    }
    const page = await response.text();
    assert.equal(response.status, 200, page);
    const action = /<form[^>]* action="([^"]*)"/.exec(page)?.[1];
    assert.ok(action, page);
    form = new URLSearchParams({ login: user, password: 'x' });
    for (const [input] of page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
      form.set(/name="([^"]*)"/.exec(input)?.[1] ?? '', /value="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    url = new URL(action, url);
  }
  throw new Error('the client was never called back');
}
