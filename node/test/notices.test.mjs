// @ts-check
// What issuers tell: logout tokens and security events; and code of one's own that says what was revoked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { ConfigError, McpAuth } from '../dist/index.js';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { protect as protectHono } from '../dist/adapters/hono.js';
import { protect } from '../dist/http.js';

const RESOURCE = 'https://mcp.example.com/mcp';
const FORM = 'application/x-www-form-urlencoded';
const SECEVENT = 'application/secevent+jwt';
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';

const ISSUER = 'https://as.example.com';
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
const issuer = { issuer: ISSUER, jwks };

/** @param {string} typ @param {object} claims */
function sign(typ, claims) {
  const all = { iss: ISSUER, iat: Math.floor(Date.now() / 1000), ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: 'k', typ }).sign(privateKey);
}

const inTwoMinutes = () => Math.floor(Date.now() / 1000) + 120;

/** @param {object} [claims] */
const accessToken = (claims) => sign('at+jwt', { aud: RESOURCE, sub: 'alice', exp: inTwoMinutes(), ...claims });

/** @param {object} [more] */
const listening = (more) =>
  new McpAuth({
    resource: RESOURCE,
    authorizationServers: [{ ...issuer, backChannelLogout: { audience: ['our-client'] }, sharedSignals: { audience: ['our-stream'] }, ...more }],
  });

/** @param {string} jti @param {object} [claims] */
const logoutToken = (jti, claims) =>
  sign('logout+jwt', { aud: 'our-client', exp: inTwoMinutes(), jti, sid: 's-1', events: { [LOGOUT_EVENT]: {} }, ...claims });

/** @param {string} jti */
const securityEvent = (jti) =>
  sign('secevent+jwt', { aud: 'our-stream', jti, sub_id: { format: 'iss_sub', iss: ISSUER, sub: 'alice' }, events: { [REVOKED]: {} } });

/** @param {McpAuth} auth @param {string} path @param {string} type @param {string} body @param {object} [headers] */
async function post(auth, path, type, body, headers) {
  const request = new Request(`https://mcp.example.com${path}`, { method: 'POST', headers: { 'content-type': type, ...headers }, body });
  return /** @type {Response} */ (await auth.handle(request));
}

/** @param {McpAuth} auth @param {string} token */
async function statusOf(auth, token) {
  const answer = await auth.handle(new Request(RESOURCE, { method: 'POST', headers: { authorization: `Bearer ${token}` } }));
  return answer instanceof Response ? answer.status : 200;
}

test('a session that ends at the issuer ends here', async () => {
  const auth = listening();
  const [ended, other] = [await accessToken({ sid: 's-1' }), await accessToken({ sid: 's-2' })];
  assert.deepEqual([await statusOf(auth, ended), await statusOf(auth, other)], [200, 200]);
  const body = `logout_token=${await logoutToken('l-1')}`;
  const answer = await post(auth, '/backchannel-logout', FORM, body);
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get('cache-control')], [200, '', 'no-store']);
  assert.deepEqual([await statusOf(auth, ended), await statusOf(auth, other)], [401, 200]);
  assert.equal((await post(auth, '/backchannel-logout', FORM, body)).status, 400);
});

test('a security event ends the tokens of before', async () => {
  const auth = listening({ sharedSignals: { audience: ['our-stream'], authorization: 'Bearer 4f1c9a' } });
  const token = await accessToken();
  assert.equal(await statusOf(auth, token), 200);
  const refused = await post(auth, '/shared-signals', SECEVENT, await securityEvent('e-1'));
  assert.deepEqual([refused.status, (await refused.json()).err], [400, 'authentication_failed']);
  const answer = await post(auth, '/shared-signals', SECEVENT, await securityEvent('e-1'), { authorization: 'Bearer 4f1c9a' });
  assert.equal(answer.status, 202);
  assert.equal(await statusOf(auth, token), 401);
});

test('what is no notice is refused', async () => {
  const auth = listening();
  const good = await logoutToken('l-1');
  const bodies = [
    `logout_token=${good}&logout_token=${good}`,
    `logout_token=${await accessToken()}`,
    `logout_token=${await logoutToken('l-2', { nonce: 'n' })}`,
    `logout_token=${await logoutToken('l-3', { events: {} })}`,
    `logout_token=${await securityEvent('e-1')}`,
  ];
  for (const body of bodies) assert.equal((await post(auth, '/backchannel-logout', FORM, body)).status, 400, body);
  assert.equal((await post(auth, '/backchannel-logout', FORM, 'x'.repeat(20_000))).status, 413);
});

/** @type {Record<string, (auth: McpAuth) => Promise<{ port: number, stop: () => unknown }>>} */
const FRAMEWORKS = {
  express: async (auth) => listen(express().use(protect(auth))),
  hono: async (auth) => {
    const { serve } = await import('@hono/node-server');
    const app = new Hono().use(protectHono(auth));
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve({ port, stop: () => server.close() }));
    });
  },
  fastify: async (auth) => {
    const app = fastify();
    await app.register(/** @type {any} */ (protectFastify), { auth });
    app.post('/mcp', async () => 'ok');
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: /** @type {any} */ (app.server.address()).port, stop: () => app.close() };
  },
};

/** @param {any} listener @returns {Promise<{ port: number, stop: () => unknown }>} */
function listen(listener) {
  return new Promise((resolve) => {
    const server = createServer(listener).listen(0, '127.0.0.1', () => {
      resolve({ port: /** @type {any} */ (server.address()).port, stop: () => server.close() });
    });
  });
}

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  test(`${name} receives notices`, async () => {
    const auth = listening();
    const { port, stop } = await start(auth);
    try {
      const token = await accessToken({ sid: 's-1' });
      assert.equal(await statusOf(auth, token), 200);
      const headers = { 'content-type': FORM, connection: 'close' };
      const answer = await fetch(`http://127.0.0.1:${port}/backchannel-logout`, { method: 'POST', headers, body: `logout_token=${await logoutToken('l-1')}` });
      assert.equal(answer.status, 200);
      const event = { method: 'POST', headers: { 'content-type': SECEVENT, connection: 'close' }, body: await securityEvent('e-1') };
      assert.equal((await fetch(`http://127.0.0.1:${port}/shared-signals`, event)).status, 202);
      assert.equal(await statusOf(auth, token), 401);
    } finally {
      await stop();
    }
  });
}

test('a revocation check is asked about every accepted token', async () => {
  /** @type {[check: any, alice: number, mallory: number][]} */
  const rows = [
    [(/** @type {any} */ caller) => caller.subject === 'mallory', 200, 401],
    [async (/** @type {any} */ caller) => caller.subject === 'mallory', 200, 401],
    [() => { throw new Error('the database is away'); }, 503, 503],
    [() => Promise.reject(undefined), 503, 503],
    [() => undefined, 503, 503],
    [() => 'no', 503, 503],
  ];
  for (const [revocationCheck, ofAlice, ofMallory] of rows) {
    const auth = new McpAuth({ resource: RESOURCE, authorizationServers: [issuer] }, { revocationCheck });
    for (const [subject, expected] of /** @type {[string, number][]} */ ([['alice', ofAlice], ['mallory', ofMallory]])) {
      const token = await accessToken({ sub: subject });
      for (let again = 0; again < 2; again++) assert.equal(await statusOf(auth, token), expected, `${revocationCheck}: ${subject}`);
    }
  }
});

test('what cannot work is a fault', () => {
  const config = { resource: RESOURCE, authorizationServers: ['https://as.example.com'] };
  assert.throws(() => new McpAuth(config, { revocationCheckInterval: 0 }), ConfigError);
  assert.throws(() => new McpAuth(config, { revocationCheck: /** @type {any} */ (7) }), ConfigError);
  assert.throws(() => new McpAuth({ ...config, logoutPath: 'x' }), /logoutPath/);
});

test('the logout tokens of node-oidc-provider end sessions', async (context) => {
  // @ts-expect-error: it comes without types
  const { default: Provider } = await import('oidc-provider');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  /** @type {McpAuth | undefined} */ let auth;
  const receiving = await listen((/** @type {any} */ request, /** @type {any} */ response) => {
    if (auth) protect(auth)(request, response, () => response.end());
  });
  context.after(receiving.stop);
  const provider = new Provider(`http://127.0.0.1:${/** @type {any} */ (server.address()).port}`, {
    clients: [
      {
        client_id: 'our-client',
        client_secret: 'secret',
        redirect_uris: ['https://app.example.com/callback'],
        id_token_signed_response_alg: 'ES256',
        backchannel_logout_uri: `http://127.0.0.1:${receiving.port}/backchannel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'k', alg: 'ES256', use: 'sig' }] },
    features: { backchannelLogout: { enabled: true } },
    // Its own does not go to loopback.
    fetch: (/** @type {URL} */ url, /** @type {object} */ options) => fetch(url, /** @type {RequestInit} */ ({ ...options, dispatcher: undefined })),
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  });
  server.on('request', provider.callback());
  auth = listening({ issuer: provider.issuer });
  const tokens = [await accessToken({ iss: provider.issuer, sid: 's-1' }), await accessToken({ iss: provider.issuer, sid: 's-2' })];
  const statuses = () => Promise.all(tokens.map((token) => statusOf(/** @type {McpAuth} */ (auth), token)));
  assert.deepEqual(await statuses(), [200, 200]);
  const client = await provider.Client.find('our-client');
  await client.backchannelLogout('alice', 's-1');
  assert.deepEqual(await statuses(), [401, 200]);
});
