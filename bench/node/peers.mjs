// @ts-check
// Who is measured, each as its own documentation has it: middleware for Express.
import { createPublicKey, verify } from 'node:crypto';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { fetchServerConfig, MCPAuth } from 'mcp-auth';
import { McpAuth } from 'mcp-auth-node';
import { protect } from 'mcp-auth-node/express';

export const RESOURCE = 'https://mcp.example.com/mcp';
const REQUIRED_SCOPES = ['mcp'];

/** @typedef {(request: any, response: any, next: (error?: unknown) => void) => unknown} Middleware */

/** What is checked at least: the signature alone, by Node itself, its key parsed before. @param {string} jwksUri */
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

/** @param {string} issuer @param {string} jwksUri @returns {Promise<Record<string, Middleware>>} */
export async function middlewares(issuer, jwksUri) {
  const { auth, verifier } = verifiers(issuer, jwksUri);
  const check = await bareCheck(jwksUri);
  const server = await fetchServerConfig(issuer, { type: 'oidc' });
  const mcpAuth = new MCPAuth({ protectedResources: { metadata: { resource: RESOURCE, authorizationServers: [server] } } });
  return {
    unprotected: (_request, _response, next) => next(),
    'mcp-auth-node': protect(auth),
    'node:crypto, bare': ({ headers }, _response, next) => next(check(headers.authorization.slice(7)) ? undefined : new Error('refused')),
    'SDK + jose': requireBearerAuth({ verifier, requiredScopes: REQUIRED_SCOPES }),
    'mcp-auth (npm)': mcpAuth.bearerAuth('jwt', { resource: RESOURCE, audience: RESOURCE, requiredScopes: REQUIRED_SCOPES }),
  };
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
