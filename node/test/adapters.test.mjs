// @ts-check
// The same behaviour through Express, Fastify, Hono, bare node:http and the web-standard handler.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth } from '../dist/index.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { call, grantsAt, post, start } from './support/server.mjs';

const LIST = { jsonrpc: '2.0', id: 1, result: { tools: ['open', 'write', 'console'].map((name) => ({ name })) } };

/** What the service behind answers: who called with what; a list; or it asks for more.
 * @param {any} caller @param {any} message @param {string | null | undefined} authorization */
function serve(caller, message, authorization) {
  if (message?.method === 'tools/list') return LIST;
  if (message?.params?.name === 'open') caller?.require(...(message.params.arguments.needs ?? []));
  return { subject: caller?.subject, message, authorization: authorization ?? null };
}

/** @type {Record<string, (auth: McpAuth) => Promise<import('node:http').RequestListener> | import('node:http').RequestListener>} */
const SERVERS = {
  express(auth) {
    const app = express();
    app.use(node.protect(auth));
    app.use(express.json());
    app.all('/mcp', (/** @type {any} */ request, response) => {
      try {
        response.json(serve(request.auth, request.body, request.headers.authorization));
      } catch {
        response.json({ isError: true });
      }
    });
    return app;
  },
  'express, parsed before'(auth) {
    const app = express();
    app.use(express.json());
    app.use(node.protect(auth));
    app.all('/mcp', (/** @type {any} */ request, response) => {
      try {
        response.json(serve(request.auth, request.body, request.get('authorization')));
      } catch {
        response.json({ isError: true });
      }
    });
    return app;
  },
  async fastify(auth) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', async (/** @type {any} */ request) => {
      try {
        return serve(request.auth, request.body, request.headers.authorization);
      } catch {
        return { isError: true };
      }
    });
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  hono(auth) {
    /** @type {Hono<hono.AuthEnv>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.all('/mcp', async (context) => {
      const text = await context.req.text();
      try {
        return context.json(serve(context.get('auth'), text && JSON.parse(text), context.req.header('authorization')));
      } catch {
        return context.json({ isError: true });
      }
    });
    return getRequestListener(app.fetch);
  },
  http(auth) {
    return node.protectListener(auth, async (request, response) => {
      let text = request.body ? JSON.stringify(request.body) : '';
      if (!text) for await (const chunk of request) text += chunk;
      /** @type {object} */ let answer = { isError: true };
      try {
        answer = serve(request.auth, text && JSON.parse(text), request.headers.authorization);
      } catch {}
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    });
  },
  web(auth) {
    return getRequestListener(
      auth.protect(async (request, caller) => {
        const text = await request.text();
        try {
          return Response.json(serve(caller, text && JSON.parse(text), request.headers.get('authorization')));
        } catch {
          return Response.json({ isError: true });
        }
      }),
    );
  },
};

for (const [name, serverFor] of Object.entries(SERVERS)) {
  test(`${name}: without a policy`, async (context) => {
    const { issuer, resource, origin, mint } = await start(context, (resource, issuer) =>
      serverFor(
        new McpAuth({
          resource,
          authorizationServers: [issuer.issuer],
          requiredScopes: ['mcp'],
          allowedOrigins: ['https://app.example.com'],
        }),
      ),
    );
    const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;

    const document = await fetch(metadata);
    assert.equal(document.status, 200);
    assert.deepEqual((await document.json()).authorization_servers, [issuer.issuer]);
    for (const form of [metadata, `${metadata}/`, metadata.replace(/\/mcp$/, ''), metadata.replace(/mcp$/, '')]) {
      const foreign = { headers: { origin: 'https://stranger.example' } };
      const answer = await fetch(form, foreign);
      assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, '*'], form);
      const preflight = await fetch(form, { ...foreign, method: 'OPTIONS' });
      assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*'], form);
    }

    const anonymous = await fetch(resource, { method: 'POST', body: 'x'.repeat(100_000) });
    assert.equal(anonymous.status, 401);
    assert.equal(anonymous.headers.get('www-authenticate'), `Bearer scope="mcp", resource_metadata="${metadata}"`);

    const message = { jsonrpc: '2.0', id: 1, method: 'ping' };
    const good = await fetch(resource, post(mint(), message));
    assert.equal(good.status, 200);
    assert.deepEqual(await good.json(), { subject: 'alice', message, authorization: null });

    const page = post(mint());
    page.headers = { ...page.headers, origin: 'https://app.example.com' };
    const answer = await fetch(resource, page);
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example.com');
    page.headers = { ...page.headers, origin: 'https://evil.example.com' };
    assert.equal((await fetch(resource, page)).status, 403);

    assert.equal((await fetch(resource, post(mint({ audience: 'https://other.example' })))).status, 401);
    assert.equal((await fetch(resource, post(mint({ broken: 'signature' })))).status, 401);
    const weak = await fetch(resource, post(mint({ scope: 'other' })));
    assert.equal(weak.status, 403);
    assert.match(weak.headers.get('www-authenticate') ?? '', /error="insufficient_scope".*scope="mcp"/);

    const more = await fetch(resource, post(mint(), call('open', { needs: ['more'] })));
    assert.equal(more.status, 403, 'the handler asked for more, and what it answered is not sent');
    assert.match(more.headers.get('www-authenticate') ?? '', /scope="mcp more"/);
  });

  test(`${name}: under a policy`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) =>
      serverFor(
        new McpAuth({
          resource,
          authorizationServers: [issuer.issuer],
          maxBodyBytes: 2000,
          policy: { tools: { write: ['notes:write'], console: { allowedClients: ['console'] } } },
        }),
      ),
    );
    const allowed = await fetch(resource, post(mint({ scope: 'notes:write' }), call('write')));
    assert.deepEqual([allowed.status, (await allowed.json()).message], [200, call('write')]);
    const refused = await fetch(resource, post(mint(), call('write')));
    assert.equal(refused.status, 403);
    assert.match(refused.headers.get('www-authenticate') ?? '', /scope="notes:write"/);
    assert.equal((await fetch(resource, post(mint(), call('console')))).status, 403);
    assert.equal((await fetch(resource, post(mint(), call('open', { text: 'x'.repeat(3000) })))).status, 413);

    const list = await fetch(resource, post(mint(), { jsonrpc: '2.0', id: 1, method: 'tools/list' }));
    const { result } = await list.json();
    assert.deepEqual(result.tools, [{ name: 'open' }, { name: 'write' }], 'what no scope unlocks is hidden');
    assert.equal((await fetch(resource, post(mint(), call('open', { needs: ['more'] })))).status, 403);
  });
}

/** @type {typeof SERVERS} */
const WITH_PAGES = {
  ...SERVERS,
  async 'fastify, under a prefix'(auth) {
    const app = Fastify();
    await app.register(fastify.metadata, { auth });
    await app.register(async (below) => void (await below.register(fastify.protect, { auth, metadata: false })), { prefix: '/below' });
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
};

for (const [name, serverFor] of Object.entries(WITH_PAGES)) {
  test(`${name}: pages where users connect their accounts`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-pages-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const { origin } = await start(context, (resource, { issuer }) => serverFor(new McpAuth(grantsAt(resource, issuer, folder))));
    for (const page of ['', '/signed-in', '/callback']) {
      const answer = await fetch(`${origin}/connect/github${page}?state=none`, { redirect: 'manual' });
      assert.equal(answer.status, 400, page);
      assert.match(await answer.text(), /This link is not for this browser/);
    }
  });
}
