// @ts-check
// The original's surface: its names, its codes, and what is different on purpose.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import express from 'express';
import { createRemoteJWKSet, decodeJwt } from 'jose';
import {
  createVerifyJwt,
  fetchServerConfig,
  fetchServerConfigByWellKnownUrl,
  handleBearerAuth,
  MCPAuth,
  MCPAuthAuthServerError,
  MCPAuthBearerAuthError,
  MCPAuthConfigError,
  MCPAuthTokenVerificationError,
  validateServerConfig,
} from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';
import { post, start } from './support/server.mjs';

/** @type {import('../dist/index.js').CamelCaseAuthorizationServerMetadata} */
const METADATA = {
  issuer: 'https://auth.example.com',
  authorizationEndpoint: 'https://auth.example.com/authorize',
  tokenEndpoint: 'https://auth.example.com/token',
  jwksUri: 'https://auth.example.com/jwks',
  responseTypesSupported: ['code'],
  codeChallengeMethodsSupported: ['S256'],
  registrationEndpoint: 'https://auth.example.com/register',
};

test('metadata is fetched by type or by URL, and changed before it is read', async (context) => {
  const issuer = new DevIssuer({ path: '/tenant' });
  context.after(() => issuer.stop());
  for (const type of /** @type {const} */ (['oidc', 'oauth'])) {
    const { metadata, type: kept } = await fetchServerConfig(issuer.issuer, { type });
    assert.deepEqual([metadata.issuer, metadata.jwksUri, kept], [issuer.issuer, issuer.jwksUri, type]);
  }
  const url = `${issuer.issuer}/.well-known/openid-configuration`;
  for (const transpileData of [
    (/** @type {object} */ data) => ({ ...data, response_types_supported: ['code', 'changed'] }),
    async (/** @type {object} */ data) => ({ ...data, response_types_supported: ['code', 'changed'] }),
  ]) {
    const { metadata } = await fetchServerConfigByWellKnownUrl(url, { type: 'oidc', transpileData });
    assert.deepEqual(metadata.responseTypesSupported, ['code', 'changed']);
  }
  await assert.rejects(fetchServerConfigByWellKnownUrl(url, { type: 'oidc', transpileData: () => ({}) }), { code: 'invalid_server_metadata' });
  await assert.rejects(fetchServerConfigByWellKnownUrl(`${issuer.issuer}/no`, { type: 'oidc' }), (error) => {
    assert.ok(error instanceof MCPAuthConfigError);
    assert.equal(error.code, 'fetch_server_config_error');
    return true;
  });
});

test('metadata without an end is given up', async (context) => {
  const server = createServer((_request, response) => {
    const more = () => {
      while (response.write(' '.repeat(64 * 1024)));
    };
    response.on('drain', more);
    more();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.closeAllConnections());
  const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  for (const type of /** @type {const} */ (['oauth', 'oidc'])) {
    await assert.rejects(fetchServerConfig(origin, { type }), { code: 'fetch_server_config_error', message: /longer than 1048576 bytes/ });
  }
  // Nobody reads on.
  await new Promise((resolve) => server.close(resolve));
});

test('metadata is validated with codes', () => {
  /** @type {[object, string[], string[]][]} */
  const rows = [
    [{}, [], []],
    [{ registrationEndpoint: undefined }, [], ['dynamic_registration_not_supported']],
    [{ responseTypesSupported: ['token'] }, ['code_response_type_not_supported'], []],
    [{ grantTypesSupported: ['implicit'] }, ['authorization_code_grant_not_supported'], []],
    [{ codeChallengeMethodsSupported: undefined }, ['pkce_not_supported'], []],
    [{ codeChallengeMethodsSupported: ['plain'] }, ['s256_code_challenge_method_not_supported'], []],
    [{ tokenEndpoint: 7 }, ['invalid_server_metadata'], []],
  ];
  for (const [change, errors, warnings] of rows) {
    const metadata = /** @type {any} */ ({ ...METADATA, ...change });
    const result = validateServerConfig({ metadata, type: 'oauth' });
    const codes = (/** @type {{ code: string }[]} */ list) => list.map(({ code }) => code);
    assert.equal(result.isValid, errors.length === 0);
    assert.deepEqual([codes(result.isValid ? [] : result.errors), codes(result.warnings)], [errors, warnings]);
  }
  const { successes } = validateServerConfig({ metadata: METADATA, type: 'oidc' }, true);
  assert.deepEqual(successes.map(({ code }) => code).sort(), [
    'authorization_code_grant_supported',
    'code_response_type_supported',
    'dynamic_registration_supported',
    'pkce_supported',
    's256_code_challenge_method_supported',
    'server_metadata_valid',
  ]);
});

const hex = (/** @type {string[]} */ ...parts) => parts.map((part) => Buffer.from(part).toString('hex')).join('~');

/** @param {MCPAuth} mcpAuth @param {any} handler */
function app(mcpAuth, handler) {
  const app = express();
  app.use('server' in mcpAuth.config ? mcpAuth.delegatedRouter() : mcpAuth.protectedResourceMetadataRouter());
  app.use(handler);
  app.use((/** @type {any} */ request, response) => void response.json(request.auth));
  return app;
}

for (const kind of ['discovery', 'resolved']) {
  test(`protected resources, ${kind}: request.auth, scopes, audience, details`, async (context) => {
    const { issuer, resource, origin, mint } = await start(context, async (resource, issuer) => {
      const server = kind === 'resolved' ? await fetchServerConfig(issuer.issuer, { type: 'oidc' }) : { issuer: issuer.issuer, type: /** @type {const} */ ('oidc') };
      const mcpAuth = new MCPAuth({
        protectedResources: [{ metadata: { resource, authorizationServers: [server], scopesSupported: ['read', 'write'] } }],
      });
      return app(mcpAuth, mcpAuth.bearerAuth('jwt', { resource, audience: resource, requiredScopes: ['read'], showErrorDetails: true }));
    });
    const document = await (await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).json();
    assert.deepEqual([document.resource, document.scopes_supported], [resource, ['read', 'write']]);

    const token = mint({ scope: 'read write' });
    const auth = await (await fetch(resource, post(token))).json();
    assert.deepEqual([auth.subject, auth.clientId, auth.scopes, auth.audience, auth.token], ['alice', 'dev', ['read', 'write'], resource, token]);
    assert.equal(auth.claims.iss, issuer.issuer);

    const foreign = await fetch(resource, post(mint({ scope: 'read', audience: 'https://other.example' })));
    assert.equal(foreign.status, 401);
    const body = await foreign.json();
    assert.deepEqual([body.error, body.cause.code, body.cause.actual], ['invalid_token', 'wrong_audience', ['https://other.example']]);
    const weak = await fetch(resource, post(mint({ scope: 'write' })));
    assert.equal(weak.status, 403);
    assert.match(weak.headers.get('www-authenticate') ?? '', /insufficient_scope.*resource_metadata/);
    assert.equal((await fetch(resource)).status, 401);
  });
}

test('server: the metadata is served to older clients, and a function verifies', async (context) => {
  const { origin, resource, issuer } = await start(context, (_resource, issuer) => {
    const mcpAuth = new MCPAuth({ server: { issuer: issuer.issuer, type: 'oidc' } });
    /** @type {import('../dist/index.js').VerifyAccessTokenFunction} */
    const verify = async (token) => {
      if (token === 'bad') throw new MCPAuthTokenVerificationError('invalid_token');
      if (token === 'down') throw new Error('no connection');
      const [subject = '', by = issuer.issuer, audience = 'api'] = token.split('~').map((part) => Buffer.from(part, 'hex').toString());
      return { token, issuer: by, clientId: '', subject, scopes: [], audience, claims: { sub: subject, plan: 'pro' } };
    };
    return app(mcpAuth, mcpAuth.bearerAuth(verify, { audience: 'api' }));
  });
  const metadata = await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json();
  assert.equal(metadata.token_endpoint, (await fetchServerConfig(issuer.issuer, { type: 'oidc' })).metadata.tokenEndpoint);

  const auth = await (await fetch(resource, post(hex('carol')))).json();
  assert.deepEqual([auth.subject, auth.issuer, auth.claims.plan], ['carol', issuer.issuer, 'pro']);
  const status = async (/** @type {string} */ token) => (await fetch(resource, post(token))).status;
  assert.deepEqual(
    [await status('bad'), await status('down'), await status(hex('x', 'https://other.example')), await status(hex('x', issuer.issuer, 'other'))],
    [401, 503, 401, 401],
  );
  const anonymous = await fetch(resource);
  assert.equal(anonymous.headers.get('www-authenticate'), 'Bearer');
});

test('an audience is required, and the error shows the line', async (context) => {
  const mcpAuth = new MCPAuth({ server: { metadata: METADATA, type: 'oidc' } });
  assert.throws(() => mcpAuth.bearerAuth('jwt'), (error) => {
    assert.ok(error instanceof MCPAuthAuthServerError);
    assert.equal(error.code, 'invalid_server_config');
    assert.match(/** @type {any} */ (error.cause).cause, /add `audience: 'https:\/\/mcp\.example\.com\/mcp',`/);
    return true;
  });
  const { resource, mint } = await start(context, (_resource, issuer) => {
    const any = new MCPAuth({ server: { issuer: issuer.issuer, type: 'oidc' } });
    return app(any, any.bearerAuth('jwt', { dangerouslyAcceptAnyAudience: true }));
  });
  assert.equal((await fetch(resource, post(mint({ audience: 'https://other.example' })))).status, 200);
  assert.equal((await fetch(resource, post(mint({ broken: 'id-token' })))).status, 401);
});

test('what cannot be is said when it is constructed', () => {
  const wrong = (/** @type {() => unknown} */ make, /** @type {RegExp} */ message) =>
    assert.throws(make, (/** @type {any} */ error) => error.code === 'invalid_server_config' && message.test(error.cause.cause));
  const server = /** @type {const} */ ({ issuer: 'https://auth.example.com', type: 'oidc' });
  const resource = 'https://mcp.example.com/mcp';
  const one = { metadata: { resource, authorizationServers: [server] } };
  wrong(() => new MCPAuth(/** @type {any} */ ({})), /protected resource metadata/);
  wrong(() => new MCPAuth({ protectedResources: [one, one] }), /duplicated/);
  wrong(() => new MCPAuth({ protectedResources: { metadata: { resource, authorizationServers: [server, server] } } }), /duplicated/);
  const bad = { metadata: { ...METADATA, responseTypesSupported: ['token'] }, type: /** @type {const} */ ('oidc') };
  assert.throws(() => new MCPAuth({ server: bad }), (/** @type {any} */ error) => error.cause.errors[0].code === 'code_response_type_not_supported');
  const mcpAuth = new MCPAuth({ protectedResources: one });
  wrong(() => mcpAuth.bearerAuth('jwt'), /`resource` must be specified/);
  wrong(() => mcpAuth.bearerAuth('jwt', { resource: 'https://other.example' }), /No token verifier found/);
  wrong(() => mcpAuth.delegatedRouter(), /not available/);
  wrong(() => mcpAuth.bearerAuth('jwt', { resource, jwtVerify: /** @type {any} */ ({ maxTokenAge: 60 }) }), /maxTokenAge/);
});

test('createVerifyJwt takes keys as jose finds them', async (context) => {
  const issuer = new DevIssuer({ algorithm: 'RS256' });
  context.after(() => issuer.stop());
  const options = { issuer: issuer.issuer, audience: 'api' };
  const getKey = /** @type {any} */ (createRemoteJWKSet(new URL(issuer.jwksUri)));
  const verify = createVerifyJwt(getKey, options);
  const auth = await verify(issuer.mint({ audience: 'api', scope: 'a b' }));
  assert.deepEqual([auth.subject, auth.scopes, auth.audience], ['alice', ['a', 'b'], 'api']);
  const rows = [
    [issuer.mint({ audience: 'api', expiresIn: -300 }), 'expired', 'ERR_JWT_EXPIRED'],
    [issuer.mint({ audience: 'other' }), 'wrong_audience', 'ERR_JWT_CLAIM_VALIDATION_FAILED'],
    [issuer.mint({ audience: 'api', broken: 'signature' }), 'bad_signature', 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'],
    ['no token', 'malformed', 'ERR_JWS_INVALID'],
  ];
  for (const [token = '', ours, code] of rows) {
    await assert.rejects(async () => verify(token), (/** @type {any} */ error) => {
      assert.ok(error instanceof MCPAuthTokenVerificationError);
      const { code: theirs, cause } = /** @type {any} */ (error.cause);
      assert.deepEqual([error.code, theirs, cause.code], ['invalid_token', code, ours]);
      return true;
    });
  }
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await assert.rejects(async () => createVerifyJwt(() => publicKey, options)(issuer.mint({ audience: 'api' })));
  const lacks = (/** @type {RegExp} */ line) => (/** @type {any} */ error) => line.test(error.cause.cause);
  assert.throws(() => createVerifyJwt(getKey), lacks(/issuer: 'https/));
  assert.throws(() => createVerifyJwt(getKey, { issuer: 'https://a.example' }), lacks(/audience: 'https/));
});

test('a placeholder is no audience, and is told to nobody', async (context) => {
  const { resource, issuer, origin, mint } = await start(context, async (_, { issuer }) => {
    const auth = new MCPAuth({ server: await fetchServerConfig(issuer, { type: 'oidc' }) });
    return express().use(auth.bearerAuth('jwt', { audience: 'https://a.example/mcp' }));
  });
  const verify = createVerifyJwt(createRemoteJWKSet(new URL(issuer.jwksUri)), { issuer: issuer.issuer, audience: 'https://a.example/mcp' });
  assert.equal((await verify(mint({ audience: 'https://a.example/mcp' }))).subject, 'alice');
  for (const audience of ['http://localhost', 'http://localhost/']) {
    assert.equal((await fetch(resource, post(mint({ audience })))).status, 401);
    await assert.rejects(Promise.resolve(verify(mint({ audience }))), { code: 'invalid_token' });
  }
  assert.equal((await fetch(`${origin}/.well-known/oauth-protected-resource`)).status, 401);
  const gone = createRemoteJWKSet(new URL('http://127.0.0.1:9/jwks'));
  const blind = createVerifyJwt(gone, { issuer: issuer.issuer, audience: 'https://a.example/mcp' });
  await assert.rejects(Promise.resolve(blind(mint())), { code: 'token_verification_failed', status: 503 });
});

test('a function answers for a token, whose caller has it; a second middleware asks for more', async (context) => {
  const { resource, mint } = await start(context, async (resource, { issuer }) => {
    const server = await fetchServerConfig(issuer, { type: 'oidc' });
    const auth = new MCPAuth({ protectedResources: { metadata: { resource, authorizationServers: [server] } } });
    const verify = async (/** @type {string} */ token) => {
      if (token === 'refused') throw new MCPAuthBearerAuthError('invalid_audience');
      return { token, issuer, clientId: 'c', scopes: ['mcp'], audience: resource, expiresAt: token === 'old' ? 1 : undefined };
    };
    const answer = /** @type {express.RequestHandler} */ ((request, response) => void response.json(request.auth));
    const app = express();
    app.post('/mcp/fn', auth.bearerAuth(verify, { resource }), answer);
    app.use(auth.bearerAuth('jwt', { resource }));
    app.post('/mcp', auth.bearerAuth('jwt', { resource, requiredScopes: ['mcp'] }), answer);
    app.post('/mcp/more', auth.bearerAuth('jwt', { resource, requiredScopes: ['more'] }), answer);
    return app;
  });
  const own = await fetch(`${resource}/fn`, post('good'));
  assert.equal((/** @type {any} */ (await own.json())).token, 'good');
  for (const token of ['refused', 'old']) assert.equal((await fetch(`${resource}/fn`, post(token))).status, 401);
  const token = mint();
  const twice = await fetch(resource, post(token));
  assert.equal((/** @type {any} */ (await twice.json())).token, token);
  assert.equal((await fetch(`${resource}/more`, post(token))).status, 403);
});

test('a session is of whoever began it, behind one middleware, two, and two of different resources', async (context) => {
  /** @type {Record<string, (auth: MCPAuth, resource: string) => express.RequestHandler[]>} */
  const chains = {
    one: (auth, resource) => [auth.bearerAuth('jwt', { resource })],
    two: (auth, resource) => [auth.bearerAuth('jwt', { resource }), auth.bearerAuth('jwt', { resource, requiredScopes: ['mcp'] })],
    'two of different resources': (auth, resource) => [
      handleBearerAuth({ issuer: 'https://as.example', audience: resource, verifyAccessToken: async (token) => ({ token, issuer: 'https://as.example', clientId: 'c', subject: decodeJwt(token).sub, scopes: [], audience: resource }) }),
      auth.bearerAuth('jwt', { resource }),
    ],
  };
  for (const [name, chain] of Object.entries(chains)) {
    for (const type of ['application/json', 'text/event-stream']) {
      const { resource, mint } = await start(context, async (resource, { issuer }) => {
        const server = await fetchServerConfig(issuer, { type: 'oidc' });
        const auth = new MCPAuth({ protectedResources: { metadata: { resource, authorizationServers: [server] } } });
        return express().all('/mcp', ...chain(auth, resource), (request, response) => {
          response.writeHead(200, { 'content-type': type, 'mcp-session-id': '8f3c' }).end(`data: ${request.get('mcp-session-id')}\n\n`);
        });
      });
      const ask = async (/** @type {string} */ subject, /** @type {string} */ session = '') => {
        const { headers, ...rest } = post(mint({ subject }));
        const answer = await fetch(resource, { ...rest, headers: { ...headers, accept: '*/*', ...(session && { 'mcp-session-id': session }) } });
        return { status: answer.status, session: answer.headers.get('mcp-session-id') ?? '', text: await answer.text() };
      };
      const { session } = await ask('alice');
      assert.notEqual(session, '8f3c', name);
      for (let turn = 0; turn < 2; turn += 1) assert.deepEqual(await ask('alice', session), { status: 200, session, text: 'data: 8f3c\n\n' }, name);
      for (const [subject, named] of [['bob', session], ['alice', '8f3c'], ['alice', `${session}A`]]) assert.equal((await ask(subject, named)).status, 404, name);
    }
  }
});

test('JWTs need keys, a function needs none', () => {
  const { jwksUri: _, ...metadata } = METADATA;
  const auth = new MCPAuth({ server: { metadata, type: 'oidc' } });
  assert.throws(() => auth.bearerAuth('jwt', { audience: 'https://a.example' }), { code: 'missing_jwks_uri' });
});

test('a duration that is no number is refused, as another option that nobody heeds', () => {
  const config = { protectedResources: { metadata: { resource: 'https://mcp.example.com/mcp', authorizationServers: [{ issuer: 'https://as.example.com', type: 'oidc' }] } } };
  const wrong = [{ remoteJwkSet: { timeoutDuration: '1000' } }, { remoteJwkSet: { cacheMaxAge: true } }, { jwtVerify: { clockTolerance: [5] } }];
  for (const options of wrong) {
    const make = () => new MCPAuth(/** @type {any} */ (config)).bearerAuth('jwt', /** @type {any} */ ({ resource: 'https://mcp.example.com/mcp', ...options }));
    assert.throws(make, (error) => /that is no number cannot be used here/.test(JSON.stringify(error)));
  }
});
