// @ts-check
// Tokens on the published package and on ours: `createVerifyJwt`, `bearerAuth` and `handleBearerAuth`, side by side.
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import express from 'express';
import * as ours from '../dist/original.mjs';
import * as published from './published/node_modules/mcp-auth/lib/index.js';

/** Its own copy, by whose classes it tells errors. */
const jose = './published/node_modules/jose/dist/webapi/index.js';
const { createLocalJWKSet, createRemoteJWKSet, EmbeddedJWK } = await import(jose);

/** The package as it is used here: both take more than the types of the other say. @typedef {any} Package */
const both = /** @type {Package[]} */ ([published, ours]);
const ISSUER = 'https://auth.example.com';
const AUDIENCE = 'https://mcp.example.com/mcp';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' };
const now = Math.floor(Date.now() / 1000);
const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', client_id: 'app', scope: 'a b', exp: now + 3600, iat: now - 5 };

/** @param {object} claims @param {object} [header] @param {import('node:crypto').KeyObject} [key] */
function mint(claims, header = {}, key = privateKey) {
  const head = { alg: 'ES256', kid: 'one', typ: 'at+jwt', ...header };
  const input = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** What a verification says: the caller, or its refusal without what only one of the packages can know.
 * @param {() => unknown} verify */
async function said(verify) {
  try {
    return await verify();
  } catch (thrown) {
    const error = /** @type {any} */ (thrown);
    return [error.name, error.code, error.message, error.cause?.code ?? error.cause?.cause];
  }
}

const OPTIONS = { issuer: ISSUER, audience: AUDIENCE };

test('createVerifyJwt: claims are read alike, and refused alike', async () => {
  /** @type {[name: string, claims: object, header?: object][]} */
  const rows = [
    ['all', {}],
    ['scope as an array', { scope: ['a', 'b'] }],
    ['scopes', { scope: undefined, scopes: 'c d' }],
    ['scopes as an array', { scope: undefined, scopes: ['c', 'd'] }],
    ['scope before scopes', { scopes: 'c d' }],
    ['no scope', { scope: undefined }],
    ['spaces between scopes', { scope: ' a  b ' }],
    ['azp for client_id', { client_id: undefined, azp: 'azp-app' }],
    ['client_id before azp', { azp: 'azp-app' }],
    ['no client', { client_id: undefined }],
    ['a list of audiences', { aud: ['https://other.example', AUDIENCE] }],
    ['further claims', { roles: ['r'], nested: { a: [1, null] } }],
    ['an exp with a fraction', { exp: now + 3600.5 }],
    ['typ JWT', {}, { typ: 'JWT' }],
    ['no typ', {}, { typ: undefined }],
    ['no kid', {}, { kid: undefined }],
    ['no iss', { iss: undefined }],
    ['another iss', { iss: 'https://other.example' }],
    ['no sub', { sub: undefined }],
    ['an empty sub', { sub: '' }],
    ['no aud', { aud: undefined }],
    ['another aud', { aud: 'https://other.example' }],
    ['expired', { exp: now - 3600 }],
    ['not yet valid', { nbf: now + 3600 }],
    ['another kid', {}, { kid: 'two' }],
  ];
  for (const [name, claims, header] of rows) {
    const token = mint({ ...CLAIMS, ...claims }, header);
    const [theirs, mine] = await Promise.all(both.map((one) => said(() => one.createVerifyJwt(createLocalJWKSet({ keys: [jwk] }), OPTIONS)(token))));
    assert.deepEqual(mine, theirs, name);
  }
  for (const token of [mint(CLAIMS, {}, other.privateKey), mint(CLAIMS, { alg: 'none' }), mint(CLAIMS, { alg: 'HS256' }), '', 'no-token', 'a.b.c', 'a.b.c.d.e']) {
    const [theirs, mine] = await Promise.all(both.map((one) => said(() => one.createVerifyJwt(createLocalJWKSet({ keys: [jwk] }), OPTIONS)(token))));
    // That there is none, is said by other codes of `jose`: the header is read before a key is looked for.
    assert.deepEqual([/** @type {any} */ (mine).slice(0, 3)], [/** @type {any} */ (theirs).slice(0, 3)], token);
  }
});

test('createVerifyJwt: whatever a key is given as', async (context) => {
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] })));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const url = new URL(`http://127.0.0.1:${port}/jwks`);
  const cryptoKey = await crypto.subtle.importKey('jwk', /** @type {any} */ (jwk), { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
  /** @type {Record<string, unknown>} */
  const keys = {
    'a remote set': createRemoteJWKSet(url),
    'a local set': createLocalJWKSet({ keys: [jwk] }),
    'a function': () => publicKey,
    'an async function': async () => jwk,
    'a function that gives a CryptoKey': () => cryptoKey,
    'a KeyObject': publicKey,
    'a KeyObject of PEM': createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
    'a CryptoKey': cryptoKey,
    'a JWK': jwk,
    'a URL': url,
    'a text': url.href,
    'another key': other.publicKey,
    'no key at all': undefined,
    'a function without a key': () => undefined,
  };
  const token = mint(CLAIMS);
  for (const [name, key] of Object.entries(keys)) {
    const [theirs, mine] = await Promise.all(both.map((one) => said(() => one.createVerifyJwt(key, OPTIONS)(token))));
    assert.deepEqual(mine, theirs, name);
  }
});

test('createVerifyJwt: what is stricter here', async () => {
  /** @type {[name: string, claims: object, header?: object][]} */
  const rows = [
    ['no exp', { exp: undefined }],
    ['iat in the future', { iat: now + 3600 }],
    ['bound to a key', { cnf: { jkt: 'x' } }],
    ['a logout token', { events: {} }],
    ['another typ', {}, { typ: 'logout+jwt' }],
    ['a scope that is no text', { scope: ['a', 5] }],
  ];
  for (const [name, claims, header] of rows) {
    const token = mint({ ...CLAIMS, ...claims }, header);
    const [theirs, mine] = /** @type {any[]} */ (await Promise.all(both.map((one) => said(() => one.createVerifyJwt(publicKey, OPTIONS)(token)))));
    assert.equal(theirs.subject, 'alice', name);
    assert.deepEqual(mine.slice(0, 2), ['MCPAuthTokenVerificationError', 'invalid_token'], name);
  }
  // A token does not choose its own key, whatever the function would take.
  const own = mint(CLAIMS, { jwk: other.publicKey.export({ format: 'jwk' }) }, other.privateKey);
  assert.equal(/** @type {any} */ (await said(() => both[0].createVerifyJwt(EmbeddedJWK, OPTIONS)(own))).subject, 'alice');
  assert.equal(/** @type {any} */ (await said(() => both[1].createVerifyJwt(EmbeddedJWK, OPTIONS)(own)))[0], 'MCPAuthTokenVerificationError');
  for (const options of [undefined, {}, { issuer: ISSUER }, { audience: AUDIENCE }]) assert.throws(() => both[1].createVerifyJwt(publicKey, options));
  for (const option of [{ subject: 'bob' }, { maxTokenAge: 1 }, { requiredClaims: ['x'] }, { typ: 'JWT' }, { currentDate: new Date(0) }]) {
    assert.throws(() => both[1].createVerifyJwt(publicKey, { ...OPTIONS, ...option }), { code: 'invalid_server_config' });
  }
});

/** Serves what a middleware lets through, and gives what one request gets.
 * @param {import('node:test').TestContext} context @param {() => any} make */
async function serving(context, make) {
  const app = express();
  app.use(make());
  app.use((/** @type {any} */ request, response) => void response.json(request.auth));
  app.use((/** @type {any} */ _error, /** @type {any} */ _request, /** @type {any} */ response, /** @type {any} */ _next) => void response.status(500).end());
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return async (/** @type {string | undefined} */ token) => {
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
    const body = await response.text();
    return { status: response.status, body: response.ok ? JSON.parse(body) : undefined, challenge: response.headers.get('www-authenticate') ?? '' };
  };
}

const SHORT = ['short', 'short-of-nothing', 'short-of-what-is-no-list'];

/** Answers of a verify function, by token. @param {Package} one @returns {(token: string) => unknown} */
function answers(one) {
  const good = { issuer: ISSUER, clientId: 'app', subject: 'alice', scopes: ['a', 'b'], audience: AUDIENCE, expiresAt: now + 3600, claims: { plan: 'pro', iss: 'x', sub: 'mallory' } };
  return (token) => {
    switch (token) {
      case 'good':
        return { ...good, token };
      case 'whole':
        return Promise.resolve({ ...good, token: 'exchanged', extra: { tenant: 7 }, resource: new URL('https://mcp.example.com/mcp') });
      case 'least':
        return { token, issuer: ISSUER, clientId: '', scopes: ['a'], audience: [AUDIENCE, 'x'] };
      case 'issuer':
        return { ...good, token, issuer: 'https://other.example' };
      case 'audience':
        return { ...good, token, audience: ['https://other.example'] };
      case 'scope':
        return { ...good, token, scopes: ['b', 'a b'] };
      case 'refused':
        throw new one.MCPAuthTokenVerificationError('invalid_token');
      case 'failed':
        return Promise.reject(new one.MCPAuthTokenVerificationError('token_verification_failed', { status: 401 }));
      case 'short':
        throw new one.MCPAuthBearerAuthError('missing_required_scopes', { missingScopes: ['c'] });
      case 'short-of-nothing':
        return Promise.reject(new one.MCPAuthBearerAuthError('missing_required_scopes'));
      case 'short-of-what-is-no-list':
        throw new one.MCPAuthBearerAuthError('missing_required_scopes', /** @type {any} */ ({ missingScopes: 'c' }));
      default:
        throw new one.MCPAuthBearerAuthError('invalid_token');
    }
  };
}

test('handleBearerAuth: the same answers let the same callers in, with the same `request.auth`', async (context) => {
  const issuers = {
    text: () => ISSUER,
    function: (/** @type {Package} */ one) => (/** @type {string} */ issuer) => {
      if (issuer !== ISSUER) throw new one.MCPAuthBearerAuthError('invalid_issuer', { expected: ISSUER, actual: issuer });
    },
  };
  for (const issuerOf of Object.values(issuers)) {
    for (const resource of [undefined, AUDIENCE]) {
      const [theirs, mine] = await Promise.all(
        both.map(async (one) => {
          const ask = await serving(context, () =>
            one.handleBearerAuth({ verifyAccessToken: answers(one), issuer: issuerOf(one), audience: AUDIENCE, requiredScopes: ['a'], resource }),
          );
          const seen = [];
          for (const token of [undefined, 'good', 'whole', 'least', 'issuer', 'audience', 'scope', 'refused', 'failed', 'unknown', ...SHORT]) {
            const { status, body, challenge } = await ask(token);
            // RFC 6750 has other error codes, and a 403 of ours says where the metadata is.
            seen.push([token, status, body, challenge.startsWith('Bearer'), status === 401 && /resource_metadata="[^"]*"/.exec(challenge)?.[0]]);
          }
          return seen;
        }),
      );
      assert.deepEqual(mine, theirs);
      assert.deepEqual(mine?.map(([, status]) => status), [401, 200, 200, 200, 401, 401, 403, 401, 401, 401, 403, 403, 403]);
    }
  }
});

test('a second middleware behind the first one asks about the same token', async (context) => {
  const [theirs, mine] = await Promise.all(
    both.map(async (one) => {
      const verifyAccessToken = answers(one);
      const mcpAuth = new one.MCPAuth({ protectedResources: { metadata: { resource: AUDIENCE, authorizationServers: [{ issuer: ISSUER, type: 'oidc' }] } } });
      const seen = [];
      for (const scope of ['a', 'c']) {
        const second = { issuer: ISSUER, audience: AUDIENCE, requiredScopes: [scope], verifyAccessToken };
        const ask = await serving(context, () => [
          one.handleBearerAuth({ ...second, requiredScopes: [] }),
          mcpAuth.bearerAuth(verifyAccessToken, { resource: AUDIENCE, audience: AUDIENCE }),
          one.handleBearerAuth(second),
        ]);
        for (const token of ['good', 'least', 'refused']) seen.push([(await ask(token)).status, (await ask(token)).body]);
      }
      return seen;
    }),
  );
  assert.deepEqual(mine, theirs);
  assert.deepEqual(mine?.map(([status]) => status), [200, 200, 401, 403, 403, 401]);
});

test('what a verify function says is missing, is what clients are asked to get', async (context) => {
  const ask = await serving(context, () => ours.handleBearerAuth({ verifyAccessToken: /** @type {any} */ (answers(ours)), issuer: ISSUER, audience: AUDIENCE }));
  assert.match((await ask('short')).challenge, /error="insufficient_scope", .*scope="c"/);
  for (const token of SHORT.slice(1)) assert.doesNotMatch((await ask(token)).challenge, / scope=/);
});

test('handleBearerAuth: what is stricter here', async (context) => {
  const found = (/** @type {object} */ more) => ({ token: 't', issuer: ISSUER, clientId: '', scopes: [], ...more });
  /** @type {[name: string, answer: object, config: object, status: number][]} */
  const rows = [
    ['it has expired', found({ audience: AUDIENCE, expiresAt: now - 60 }), { audience: AUDIENCE }, 401],
    ['no audience, and a resource', found({}), { resource: AUDIENCE }, 401],
    ['another audience, and a resource', found({ audience: 'https://other.example' }), { resource: AUDIENCE }, 401],
    ['an audience, and nothing says which is ours', found({ audience: 'https://other.example' }), {}, 401],
    ['no audience, and nothing says which is ours', found({}), {}, 200],
    ['an issuer function that refuses later', found({}), { issuer: async () => Promise.reject(new ours.MCPAuthBearerAuthError('invalid_issuer')) }, 401],
  ];
  for (const [name, answer, config, status] of rows) {
    const ask = await serving(context, () => ours.handleBearerAuth(/** @type {any} */ ({ verifyAccessToken: () => answer, issuer: ISSUER, ...config })));
    assert.equal((await ask('t')).status, status, name);
  }
  assert.throws(() => ours.handleBearerAuth(/** @type {any} */ ({ verifyAccessToken() {}, issuer: ISSUER, requiredScope: ['a'] })), { code: 'invalid_server_config' });
});

test('bearerAuth of a JWT: options that narrow do narrow', async (context) => {
  const jwksServer = createServer((_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] })));
  jwksServer.listen(0, '127.0.0.1');
  await once(jwksServer, 'listening');
  context.after(() => {
    jwksServer.closeAllConnections();
    jwksServer.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (jwksServer.address());
  const issuer = `http://127.0.0.1:${port}`;
  const metadata = {
    issuer,
    authorizationEndpoint: `${issuer}/authorize`,
    tokenEndpoint: `${issuer}/token`,
    jwksUri: `${issuer}/jwks`,
    responseTypesSupported: ['code'],
    codeChallengeMethodsSupported: ['S256'],
    registrationEndpoint: `${issuer}/register`,
  };
  const resource = AUDIENCE;
  /** @type {[options: object, claims: object, status: number][]} */
  const rows = [
    [{}, {}, 200],
    [{}, { sub: undefined }, 401],
    [{ requiredScopes: ['a', 'b'] }, {}, 200],
    [{ requiredScopes: ['c'] }, {}, 403],
    [{ jwtVerify: { issuer } }, {}, 200],
    [{ jwtVerify: { audience: [resource, 'https://other.example'] } }, {}, 200],
    [{ jwtVerify: { audience: [resource, 'https://other.example'] } }, { aud: 'https://other.example' }, 401],
    [{ jwtVerify: { typ: 'at+jwt' } }, {}, 200],
    [{ jwtVerify: { algorithms: ['RS256'] } }, {}, 401],
  ];
  for (const [options, claims, status] of rows) {
    const token = mint({ ...CLAIMS, iss: issuer, ...claims });
    const [theirs, mine] = await Promise.all(
      both.map(async (one) => {
        const mcpAuth = new one.MCPAuth({ protectedResources: { metadata: { resource, authorizationServers: [{ metadata, type: 'oidc' }] } } });
        const ask = await serving(context, () => mcpAuth.bearerAuth('jwt', { resource, audience: resource, ...options }));
        const answer = await ask(token);
        return [answer.status, answer.body];
      }),
    );
    assert.deepEqual(mine, theirs, JSON.stringify(options));
    assert.equal(mine?.[0], status, JSON.stringify(options));
  }
  const mcpAuth = new ours.MCPAuth({ protectedResources: { metadata: { resource, authorizationServers: [{ metadata, type: 'oidc' }] } } });
  for (const jwtVerify of [{ issuer: 'https://other.example' }, { audience: 'https://other.example' }]) {
    assert.throws(() => mcpAuth.bearerAuth('jwt', { resource, audience: resource, jwtVerify }), { code: 'invalid_server_config' });
  }
});

test('showErrorDetails warns', (context) => {
  const warn = context.mock.method(console, 'warn', () => undefined);
  const warned = () => warn.mock.calls.filter(({ arguments: [text] }) => String(text).includes('showErrorDetails')).length;
  const verifyAccessToken = () => ({ token: '', issuer: ISSUER, clientId: '', scopes: [] });
  const mcpAuth = new ours.MCPAuth({ protectedResources: { metadata: { resource: AUDIENCE, authorizationServers: [{ issuer: ISSUER, type: 'oidc' }] } } });
  const makers = [
    (/** @type {boolean} */ showErrorDetails) => mcpAuth.bearerAuth('jwt', { resource: AUDIENCE, showErrorDetails }),
    (/** @type {boolean} */ showErrorDetails) => mcpAuth.bearerAuth(verifyAccessToken, { resource: AUDIENCE, showErrorDetails }),
    (/** @type {boolean} */ showErrorDetails) => ours.handleBearerAuth({ verifyAccessToken, issuer: ISSUER, audience: AUDIENCE, showErrorDetails }),
  ];
  for (const [index, make] of makers.entries()) {
    make(false);
    assert.equal(warned(), index);
    make(true);
    assert.equal(warned(), index + 1);
  }
});
