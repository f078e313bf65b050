// node-oidc-provider on loopback, in memory, with new keys at every start. For tests only.
//
// Prints {"issuer": …} when it listens, and ends when its standard input is closed. The clients are
// in CLIENTS; the secret of each is its id and `-secret`. Anyone may sign in as anyone.
//
// POST /test/issuer starts another one, with keys of its own, and answers {"issuer": …}.
// POST /test/rotate makes new keys; with ?forget the old ones are published no longer.

import { randomUUID, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { EXCHANGE, registerExchange } from './exchange.mjs';

/** How the access tokens of each client with client credentials are made. */
const CLIENTS = {
  'machine-rs256': { alg: 'RS256' },
  'machine-ps256': { alg: 'PS256' },
  'machine-es256': { alg: 'ES256' },
  'machine-es384': { alg: 'ES384' },
  'machine-eddsa': { alg: 'EdDSA' },
  'machine-ed25519': { alg: 'Ed25519' },
  'machine-opaque': { opaque: true },
  'machine-short': { alg: 'ES256', seconds: 1 },
};
const RSA = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
const KEYS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', ...RSA },
  PS256: { name: 'RSA-PSS', ...RSA },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
};

console.log(JSON.stringify({ issuer: await start() }));
process.stdin.on('close', () => process.exit(0)).resume();

/** Starts an issuer; returns its identifier. */
async function start() {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const control = { '/test/issuer': another, '/test/rotate': rotate }[pathname];
    return control ? control(response, searchParams) : handle(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let keys = await newKeys();
  let handle = provider(issuer, keys).callback();

  async function another(response) {
    response.writeHead(201).end(JSON.stringify({ issuer: await start() }));
  }
  async function rotate(response, parameters) {
    const fresh = await newKeys();
    keys = parameters.has('forget') ? fresh : [...fresh, ...keys];
    handle = provider(issuer, keys).callback();
    response.writeHead(204).end();
  }
  return issuer;
}

function newKeys() {
  return Promise.all(
    Object.entries(KEYS).map(async ([alg, parameters]) => {
      const pair = await webcrypto.subtle.generateKey(parameters, true, ['sign', 'verify']);
      const { key_ops, ext, ...jwk } = await webcrypto.subtle.exportKey('jwk', pair.privateKey);
      return { ...jwk, alg, use: 'sig', kid: randomUUID() };
    }),
  );
}

function provider(issuer, keys) {
  const machines = Object.keys(CLIENTS).map((id) => ({
    ...client(id), grant_types: ['client_credentials'], response_types: [], redirect_uris: [],
  }));
  const resourceServer = {
    ...client('resource-server'), grant_types: [], response_types: [], redirect_uris: [],
    introspection_signed_response_alg: 'ES256',
  };
  const tools = {
    ...client('tools'), token_endpoint_auth_method: 'client_secret_basic', grant_types: [EXCHANGE], response_types: [],
    redirect_uris: [],
  };
  const people = {
    application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
  };
  const made = new Provider(issuer, {
    clients: [
      ...machines,
      resourceServer,
      tools,
      { ...people, client_id: 'app' },
      { ...people, client_id: 'app-opaque' },
    ],
    jwks: { keys },
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    responseTypes: ['code'],
    // Clients register for the scopes that they saw in the resource's metadata.
    scopes: ['openid', 'offline_access', 'mcp'],
    enabledJWA: { introspectionSigningAlgValues: ['ES256', 'RS256'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, { clientId }) => clientId === 'resource-server' },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource, { clientId }) => ({
          scope: 'mcp', audience: resource, ...form(clientId),
        }),
      },
    },
  });
  registerExchange(made);
  return made;
}

function client(id) {
  return { client_id: id, client_secret: `${id}-secret`, token_endpoint_auth_method: 'client_secret_post' };
}

/** How the access tokens of a client are made. */
function form(id) {
  const { alg = 'ES256', opaque = id === 'app-opaque', seconds = 600 } = CLIENTS[id] ?? {};
  const format = opaque ? { accessTokenFormat: 'opaque' } : { accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
  return { accessTokenTTL: seconds, ...format };
}
