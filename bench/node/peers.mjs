// @ts-check
// Who is measured, each as its own documentation has it. All do the same: each app answers with the subject of the token, in the same bytes.
import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import express from 'express';
import fastify from 'fastify';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { fetchServerConfig, MCPAuth } from 'mcp-auth';
import { McpAuth } from 'mcp-auth-node';
import { protect } from 'mcp-auth-node/express';
import { protect as fastifyProtect } from 'mcp-auth-node/fastify';

export const RESOURCE = 'https://mcp.example.com/mcp';
/** Whom every token is about. Who reads no claims answers with it too. */
export const SUBJECT = 'auth0|65f3a1c29b7e4d0012ab34cd';
const REQUIRED_SCOPES = ['mcp'];

export const UNPROTECTED = 'unprotected';
export const EMPTY = 'empty layer';
export const BARE = 'node:crypto, bare';
export const OURS = 'mcp-auth-node';
/** Who takes part, by framework. */
export const CONTENDERS = {
  Express: [UNPROTECTED, EMPTY, BARE, OURS, 'SDK + jose', 'mcp-auth (npm)'],
  Fastify: [UNPROTECTED, EMPTY, BARE, OURS, 'jose'],
};

/** @typedef {(request: any, response: any, next: (error?: unknown) => void) => unknown} Middleware */
/** @typedef {(request: any) => string | undefined} ReadSubject */

/** The signature alone, by Node itself, its key parsed before. @param {string} jwksUri */
export async function bareCheck(jwksUri) {
  const { keys } = await (await fetch(jwksUri)).json();
  const jwk = keys.find((/** @type {{ alg: string }} */ { alg }) => alg === 'RS256');
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return (/** @type {string} */ token) => {
    const end = token.lastIndexOf('.');
    return verify('sha256', Buffer.from(token.slice(0, end)), key, Buffer.from(token.slice(end + 1), 'base64url'));
  };
}

/** @param {string} issuer @param {string} jwksUri */
export function verifiers(issuer, jwksUri) {
  const keys = createRemoteJWKSet(new URL(jwksUri));
  const auth = new McpAuth({ resource: RESOURCE, authorizationServers: [issuer], requiredScopes: REQUIRED_SCOPES });
  const jose = (/** @type {string} */ token) => jwtVerify(token, keys, { issuer, audience: RESOURCE });
  const verifier = {
    async verifyAccessToken(/** @type {string} */ token) {
      const { payload } = await jose(token).catch((error) => {
        throw new InvalidTokenError(error.message);
      });
      const scopes = String(payload.scope ?? '').split(' ');
      return { token, clientId: String(payload.client_id), scopes, expiresAt: payload.exp, extra: { ...payload } };
    },
  };
  return { auth, jose, verifier };
}

/** Of each contender its middleware for Express, and how a handler behind it learns who is calling.
 * @param {string} issuer @param {string} jwksUri @returns {Promise<Record<string, [Middleware, ReadSubject]>>} */
export async function middlewares(issuer, jwksUri) {
  const { auth, verifier } = verifiers(issuer, jwksUri);
  const check = await bareCheck(jwksUri);
  const server = await fetchServerConfig(issuer, { type: 'oidc' });
  const mcpAuth = new MCPAuth({ protectedResources: { metadata: { resource: RESOURCE, authorizationServers: [server] } } });
  const original = mcpAuth.bearerAuth('jwt', { resource: RESOURCE, audience: RESOURCE, requiredScopes: REQUIRED_SCOPES });
  const known = () => SUBJECT;
  return {
    [EMPTY]: [(_request, _response, next) => next(), known],
    [BARE]: [({ headers }, _response, next) => next(check(headers.authorization.slice(7)) ? undefined : new Error('refused')), known],
    [OURS]: [protect(auth), (request) => request.auth.subject],
    'SDK + jose': [requireBearerAuth({ verifier, requiredScopes: REQUIRED_SCOPES }), (request) => request.auth.extra.sub],
    'mcp-auth (npm)': [original, (request) => request.auth.subject],
  };
}

/** Starts an app and says at which port.
 * @param {string} framework @param {string} name @param {string} issuer @param {string} jwksUri @returns {Promise<number>} */
export async function start(framework, name, issuer, jwksUri) {
  const server = framework === 'Fastify' ? await startFastify(name, issuer, jwksUri) : await startExpress(name, issuer, jwksUri);
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
}

/** @param {string} name @param {string} issuer @param {string} jwksUri */
async function startExpress(name, issuer, jwksUri) {
  const app = express();
  app.disable('x-powered-by');
  if (name === UNPROTECTED) {
    app.post('/mcp', (_request, response) => void response.json({ sub: SUBJECT }));
  } else {
    const [middleware, readSubject] = (await middlewares(issuer, jwksUri))[name] ?? missing(name);
    app.post('/mcp', middleware, (request, response) => void response.json({ sub: readSubject(request) }));
  }
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** @param {string} name @param {string} issuer @param {string} jwksUri */
async function startFastify(name, issuer, jwksUri) {
  const app = fastify();
  const { auth, jose } = verifiers(issuer, jwksUri);
  const check = await bareCheck(jwksUri);
  /** @type {ReadSubject} */
  let readSubject = () => SUBJECT;
  if (name === EMPTY) app.addHook('preParsing', async () => {});
  if (name === BARE) {
    app.addHook('preParsing', async ({ headers }) => {
      if (!check(String(headers.authorization).slice(7))) throw new Error('refused');
    });
  }
  if (name === 'jose') {
    app.addHook('preParsing', async (/** @type {any} */ request) => {
      request.claims = (await jose(request.headers.authorization.slice(7))).payload;
    });
    readSubject = (request) => request.claims.sub;
  }
  if (name === OURS) {
    await app.register(fastifyProtect, { auth });
    readSubject = (request) => request.auth.subject;
  }
  app.post('/mcp', async (request) => ({ sub: readSubject(request) }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server;
}

/** @param {string} name @returns {never} */
export function missing(name) {
  throw new Error(`nobody is named ${name}`);
}
