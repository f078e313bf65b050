// @ts-check
// Limits for those who are refused, through every adapter: 429 in the place of a refusal, and nothing in the place of what is allowed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth, TooManyFailuresError } from '../dist/index.js';
import { refusalOf } from '../dist/errors.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { start } from './support/server.mjs';

/** So many, and one more after eight hours. */
const LIMIT = { count: 3, period: 24 * 3600 };

/** @type {Record<string, (auth: McpAuth) => import('node:http').RequestListener | Promise<import('node:http').RequestListener>>} */
const ADAPTERS = {
  'node:http': (auth) => node.protectListener(auth, (_, response) => response.end('ok')),
  express: (auth) => {
    const app = express();
    // What Express says of the client is not asked.
    app.set('trust proxy', true);
    app.use(node.protect(auth));
    app.use((_, response) => void response.send('ok'));
    return app;
  },
  fastify: async (auth) => {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.post('/mcp', async () => 'ok');
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  hono: (auth) => {
    const app = new Hono();
    app.use(hono.protect(auth));
    app.post('/mcp', (context) => context.text('ok'));
    return getRequestListener(app.fetch);
  },
  'a web-standard request': (auth) =>
    getRequestListener(async (request, { incoming }) => {
      const connection = { remoteAddress: /** @type {import('node:http').IncomingMessage} */ (incoming).socket.remoteAddress };
      const answer = await auth.handle(request, connection);
      return answer instanceof Response ? answer : answer.respond(new Response('ok'));
    }),
};

/** @param {string} resource @param {string | undefined} token @param {number} [times] @param {string} [forwarded] */
async function statuses(resource, token, times = 1, forwarded) {
  const found = [];
  for (let at = 0; at < times; at++) {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(forwarded && { 'x-forwarded-for': forwarded }) };
    const response = await fetch(resource, { method: 'POST', headers });
    await response.text();
    found.push(response.status);
  }
  return found;
}

for (const [name, adapt] of Object.entries(ADAPTERS)) {
  test(`${name}: forged tokens are 429 beyond the limit, and all else is as before`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) =>
      adapt(new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'], limits: { failuresPerAddress: LIMIT } })),
    );
    assert.deepEqual(await statuses(resource, 'forged', 3), [401, 401, 401]);
    assert.deepEqual(await statuses(resource, 'forged', 1, '203.0.113.1'), [429], 'no proxy is trusted');
    const answer = await fetch(resource, { method: 'POST', headers: { authorization: 'Bearer x' } });
    assert.equal(answer.status, 429);
    const seconds = Number(answer.headers.get('retry-after'));
    assert.ok(seconds >= 1 && seconds <= 8 * 3600, `${seconds}`);
    assert.equal((await answer.json()).error, 'too_many_requests');
    assert.deepEqual(await statuses(resource, mint(), 2), [200, 200], 'good tokens');
    assert.deepEqual(await statuses(resource, undefined), [401], 'where to sign in');
  });

  test(`${name}: clients behind a trusted proxy have a budget each`, async (context) => {
    const limits = { failuresPerAddress: LIMIT, trustedProxies: ['127.0.0.0/8'] };
    const { resource } = await start(context, (resource, issuer) =>
      adapt(new McpAuth({ resource, authorizationServers: [issuer.issuer], limits })),
    );
    assert.deepEqual(await statuses(resource, 'x', 4, '203.0.113.1'), [401, 401, 401, 429]);
    assert.deepEqual(await statuses(resource, 'x', 1, '192.0.2.1, 203.0.113.1'), [429], 'what a client writes is no other address');
    assert.deepEqual(await statuses(resource, 'x', 1, '203.0.113.2'), [401]);
  });

  test(`${name}: a caller is 429 for what it may not do, and for nothing else`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) =>
      adapt(new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'], limits: { failuresPerPrincipal: LIMIT } })),
    );
    const found = [];
    for (let at = 0; at < 4; at++) found.push(...(await statuses(resource, mint({ subject: 'alice', scope: 'other' }))));
    assert.deepEqual(found, [403, 403, 403, 429]);
    assert.deepEqual(await statuses(resource, mint({ subject: 'alice' })), [200]);
    assert.deepEqual(await statuses(resource, mint({ subject: 'bob', scope: 'other' })), [403]);
  });
}

test('a request without an address counts for none', async () => {
  const auth = new McpAuth({ resource: 'http://localhost/mcp', authorizationServers: ['https://auth.example.com'], limits: { failuresPerAddress: LIMIT } });
  for (let at = 0; at < 5; at++) {
    const answer = await auth.handle(new Request('http://localhost/mcp', { method: 'POST', headers: { authorization: 'Bearer x' } }));
    assert.equal(/** @type {Response} */ (answer).status, 401);
  }
});

test('faults of limits are in the words of JavaScript', () => {
  const limits = { failuresPerAddress: { count: 0, period: 60 }, trustedProxies: ['10.0.0.1/8'], trustedProxy: [] };
  const config = { resource: 'http://localhost/mcp', authorizationServers: ['https://auth.example.com'], limits };
  assert.throws(() => new McpAuth(/** @type {any} */ (config)), (/** @type {any} */ error) => {
    assert.match(error.message, /limits\.failuresPerAddress\.count: must be 1 to 100000/);
    assert.match(error.message, /limits\.trustedProxies\[0\]: .*did you mean "10\.0\.0\.0\/8"/);
    assert.match(error.message, /limits\.trustedProxy: is not known: did you mean `trustedProxies`/);
    return true;
  });
});

test('the refusal is an error of its own', () => {
  const compared = { refused_for: 'malformed', retry_after: 20 };
  const error = refusalOf(JSON.stringify({ kind: 'limit', code: 'too_many_failures', status: 429, message: '…', compared }));
  assert.ok(error instanceof TooManyFailuresError);
  assert.deepEqual([error.status, error.refusedFor, error.retryAfter], [429, 'malformed', 20]);
});
