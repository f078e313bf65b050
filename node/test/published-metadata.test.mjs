// @ts-check
// Metadata on the published package and on ours: what is fetched, and what is served.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import express from 'express';
import * as ours from '../dist/original.mjs';
import * as published from './published/node_modules/mcp-auth/lib/index.js';

/** @typedef {any} Package */
const both = /** @type {Package[]} */ ([published, ours]);

/** The origin of a server that ends with the test.
 * @param {import('node:test').TestContext} context @param {import('node:http').RequestListener} listener */
async function listening(context, listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return `http://127.0.0.1:${port}`;
}

/** @param {string} issuer */
const document = (issuer) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
  registration_endpoint: `${issuer}/register`,
  op_tos_uri: `${issuer}/terms`,
  token_endpoint_auth_signing_alg_values_supported: ['ES256'],
  a_member_that_is_not_registered: 1,
});

test('metadata is fetched from the same places, and read alike', async (context) => {
  /** @type {(string | undefined)[]} */ let asked = [];
  let issuerPath = '';
  const origin = await listening(context, (request, response) => {
    asked.push(request.url);
    const [, kind = ''] = /^\/(\w+)/.exec(request.url ?? '') ?? [];
    response.setHeader('content-type', 'application/json');
    const bodies = /** @type {Record<string, unknown>} */ ({ null: null, text: 'text', list: [], number: 7, partial: { issuer: origin } });
    if (kind === 'missing') response.statusCode = 404;
    if (kind === 'broken') response.statusCode = 500;
    response.end(JSON.stringify(kind in bodies ? bodies[kind] : document(`${origin}${issuerPath}`)));
  });
  /** @type {[name: string, fetch: (one: Package) => Promise<unknown>][]} */
  const rows = [
    ...['', '/', '/tenant', '/tenant/', '/a/b'].flatMap((path) =>
      ['oidc', 'oauth'].map(
        (type) =>
          /** @type {[string, (one: Package) => Promise<unknown>]} */ ([
            `${type} ${path}`,
            (one) => {
              issuerPath = path;
              return one.fetchServerConfig(`${origin}${path}`, { type });
            },
          ]),
      ),
    ),
    ...['good', 'missing', 'broken', 'null', 'text', 'list', 'number', 'partial'].flatMap((kind) =>
      [`${origin}/${kind}`, new URL(`${origin}/${kind}`)].map(
        (url) =>
          /** @type {[string, (one: Package) => Promise<unknown>]} */ ([kind, (one) => one.fetchServerConfigByWellKnownUrl(url, { type: 'oidc' })]),
      ),
    ),
    ['changed', (one) => one.fetchServerConfig(origin, { type: 'oidc', transpileData: (/** @type {object} */ data) => ({ ...data, issuer: 'https://other.example' }) })],
    ['emptied', (one) => one.fetchServerConfig(origin, { type: 'oidc', transpileData: () => ({}) })],
    ['not changed', (one) => one.fetchServerConfig(origin, { type: 'oidc', transpileData: () => undefined })],
    ['completed', (one) => one.fetchServerConfigByWellKnownUrl(`${origin}/partial`, { type: 'oauth', transpileData: () => document(origin) })],
  ];
  for (const [name, fetchWith] of rows) {
    const seen = [];
    for (const one of both) {
      asked = [];
      try {
        seen.push([asked, await fetchWith(one)]);
      } catch (thrown) {
        const { name: kind, code, message, cause = {} } = /** @type {any} */ (thrown);
        seen.push([asked, kind, code, message, cause.metadata, cause.message, cause.parseError?.issues]);
      }
    }
    assert.deepEqual(seen[1], seen[0], name);
  }
  // RFC 8414 §3.3, which theirs does not heed.
  for (const [served, requested] of [['/', ''], ['', '/'], ['/tenant', '/other'], ['/Tenant', '/tenant']]) {
    issuerPath = served;
    await published.fetchServerConfig(`${origin}${requested}`, { type: 'oidc' });
    await assert.rejects(ours.fetchServerConfig(`${origin}${requested}`, { type: 'oidc' }), { name: 'MCPAuthAuthServerError', code: 'invalid_server_metadata' });
  }
  // What the documentation of both says, and theirs does not do.
  await assert.rejects(ours.fetchServerConfigByWellKnownUrl('http://127.0.0.1:9/', { type: 'oidc' }), { name: 'MCPAuthConfigError', code: 'fetch_server_config_error' });
  const changed = ours.fetchServerConfig(origin, { type: 'oidc', transpileData: async () => document('https://other.example') });
  assert.equal((await changed).metadata.issuer, 'https://other.example');
});

test('metadata is served alike, with every member', async (context) => {
  const server = { issuer: 'https://auth.example.com', type: 'oidc' };
  const least = { resource: 'https://mcp.example.com/mcp', authorizationServers: [server], bearerMethodsSupported: ['header'] };
  const whole = {
    ...least,
    scopesSupported: ['read', 'write'],
    resourceName: 'Notes',
    resourceDocumentation: 'https://mcp.example.com/docs',
    resourcePolicyUri: 'https://mcp.example.com/policy',
    resourceTosUri: 'https://mcp.example.com/terms',
    jwksUri: 'https://mcp.example.com/jwks',
    resourceSigningAlgValuesSupported: ['ES256'],
    authorizationDetailsTypesSupported: ['notes'],
    tlsClientCertificateBoundAccessTokens: false,
    dpopBoundAccessTokensRequired: false,
  };
  /** @type {[configs: object[], paths: string[]][]} */
  const rows = [
    [[least], ['/.well-known/oauth-protected-resource/mcp']],
    [[whole], ['/.well-known/oauth-protected-resource/mcp']],
    [[{ ...whole, resource: 'https://mcp.example.com' }], ['/.well-known/oauth-protected-resource']],
    [[least, { ...whole, resource: 'https://mcp.example.com/other' }], ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource/other', '/elsewhere']],
  ];
  for (const [metadata, paths] of rows) {
    const seen = await Promise.all(
      both.map(async (one) => {
        const mcpAuth = new one.MCPAuth({ protectedResources: metadata.map((part) => ({ metadata: part })) });
        const origin = await listening(context, express().use(mcpAuth.protectedResourceMetadataRouter()));
        return Promise.all(
          paths.map(async (path) => {
            const page = 'https://page.example';
            const response = await fetch(`${origin}${path}`, { headers: { origin: page } });
            const canBeRead = ['*', page].includes(response.headers.get('access-control-allow-origin') ?? '');
            return [response.status, response.ok ? [canBeRead, await response.json()] : undefined];
          }),
        );
      }),
    );
    assert.deepEqual(seen[1], seen[0]);
  }
});

test('the metadata of the authorization server is served alike', async (context) => {
  const issuer = await listening(context, (_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(document(issuer))));
  for (const isResolved of [true, false]) {
    const seen = await Promise.all(
      both.map(async (one) => {
        const server = isResolved ? await one.fetchServerConfig(issuer, { type: 'oidc' }) : { issuer, type: 'oidc' };
        const origin = await listening(context, express().use(new one.MCPAuth({ server }).delegatedRouter()));
        const response = await fetch(`${origin}/.well-known/oauth-authorization-server`);
        return [response.status, response.headers.get('access-control-allow-origin'), await response.json()];
      }),
    );
    assert.deepEqual(seen[1], seen[0]);
  }
});
