// @ts-check
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { DevIssuer } from '../../dist/testing.js';

/**
 * A listener on a free port, the resource at it, and an issuer that knows it. All ends with the test.
 *
 * @param {import('node:test').TestContext} context
 * @param {(resource: string, issuer: DevIssuer) => import('node:http').RequestListener | Promise<import('node:http').RequestListener>} makeListener
 */
export async function start(context, makeListener) {
  const issuer = new DevIssuer();
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const resource = `http://127.0.0.1:${port}/mcp`;
  server.on('request', await makeListener(resource, issuer));
  context.after(() => {
    issuer.stop();
    server.closeAllConnections();
    server.close();
  });
  return { issuer, resource, origin: `http://127.0.0.1:${port}`, mint: (options = {}) => issuer.mint({ audience: resource, scope: 'mcp', ...options }) };
}

/** @param {string} token @param {object} [message] @returns {RequestInit} */
export function post(token, message = { jsonrpc: '2.0', id: 1, method: 'ping' }) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(message) };
}

/**
 * Settings with which users grant an API at this issuer, and sign in there, too.
 *
 * @param {string} resource @param {string} issuer @param {string} folder
 */
export function grantsAt(resource, issuer, folder) {
  const client = { clientId: 'dev', clientSecret: 'dev' };
  const github = {
    grant: /** @type {const} */ ('authorization_code'),
    authorizationEndpoint: `${issuer}/authorize`,
    tokenEndpoint: `${issuer}/token`,
    ...client,
    scopes: ['repo'],
    dangerousAllowHttp: true,
  };
  return {
    resource,
    authorizationServers: [issuer],
    handleKeys: [randomBytes(32).toString('base64url')],
    connect: { url: `${new URL(resource).origin}/connect`, folder, signIn: [{ issuer, ...client }] },
    downstreams: { github },
  };
}

/** @param {string} name @param {object} [given] */
export const call = (name, given = {}) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } });
