// @ts-check
// Servers whose tools call the API `reports` for their callers, in every framework; and that API, over sockets.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth } from '../../dist/index.js';
import * as node from '../../dist/adapters/node.js';
import * as fastify from '../../dist/adapters/fastify.js';
import * as hono from '../../dist/adapters/hono.js';
import { start } from './server.mjs';

/** @typedef {(given: object | undefined, auth: McpAuth) => Promise<unknown>} Tool What a handler does with what it was given. */

/** @type {Record<string, (auth: McpAuth, tool: Tool) => Promise<import('node:http').RequestListener> | import('node:http').RequestListener>} */
export const SERVERS = {
  express(auth, tool) {
    const app = express();
    app.use(node.protect(auth));
    app.use(express.json());
    app.post('/mcp', async (request, response) => void response.json((await tool(request, auth)) ?? null));
    return app;
  },
  async fastify(auth, tool) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.post('/mcp', async (request) => (await tool(request, auth)) ?? null);
    await app.ready();
    return app.routing;
  },
  hono(auth, tool) {
    const app = new Hono();
    app.use(hono.protect(auth));
    app.onError((error, context) => context.json({}, /** @type {any} */ (error).status ?? 500));
    app.post('/mcp', async (context) => context.json((await tool(context, auth)) ?? null));
    return getRequestListener(app.fetch);
  },
  'node:http'(auth, tool) {
    return node.protectListener(auth, async (request, response) => void response.end(JSON.stringify((await tool(request, auth)) ?? null)));
  },
  'web-standard'(auth, tool) {
    const handler = auth.protect(async (_, authInfo) => {
      try {
        return Response.json((await tool(authInfo, auth)) ?? null);
      } catch (error) {
        return new Response(null, { status: /** @type {any} */ (error).status ?? 500 });
      }
    });
    return getRequestListener(handler);
  },
};

/** An API that notes what it is sent, and answers as it is told to. @param {import('node:test').TestContext} context */
export async function startApi(context) {
  /** @type {{ path: string, method: string, token: string | undefined, body: string, headers: import('node:http').IncomingHttpHeaders }[]} */
  const seen = [];
  /** What it answers in turn, before it answers as usual. @type {{ status: number, location?: string }[]} */
  const answers = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const token = request.headers.authorization?.replace('Bearer ', '');
    seen.push({ path: request.url ?? '', method: request.method ?? '', token, body, headers: request.headers });
    const { status, location } = answers.shift() ?? { status: 200 };
    response.writeHead(status, { 'content-type': 'application/json', ...(location && { location }) });
    response.end(JSON.stringify({ subject: token && claimsOf(token).sub }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, seen, answers };
}

/** What a token says. @param {string} token */
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

/**
 * A server with the API `reports` in its configuration.
 *
 * @param {import('node:test').TestContext} context @param {Tool} tool
 * @param {{ framework?: string, api?: string[], change?: object, config?: object }} [options]
 */
export async function calling(context, tool, { framework = 'express', api = [], change = {}, config = {} } = {}) {
  /** @type {{ auth?: McpAuth, settings?: any }} */
  const made = {};
  const server = await start(context, (resource, { issuer }) => {
    const reports = { issuer, clientId: 'dev', clientSecret: 'dev', audience: ['reports'], scopes: ['reports:read', 'reports:write'], api, dangerousAllowHttp: true };
    made.settings = { resource, authorizationServers: [issuer], downstreams: { reports: { ...reports, ...change } }, ...config };
    made.auth = new McpAuth(made.settings);
    return /** @type {any} */ (SERVERS[framework])(made.auth, tool);
  });
  const mint = (options = {}) => server.mint({ scope: 'mcp reports:read reports:write', ...options });
  return { ...server, mint, auth: /** @type {McpAuth} */ (made.auth), settings: made.settings, asked: () => server.issuer.tokenRequests.token };
}
