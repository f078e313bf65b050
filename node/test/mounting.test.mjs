// @ts-check
// Where `protect` stands: Fastify's scopes and prefixes, twice around one request, a caller in every place of a handler.
import assert from 'node:assert/strict';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { AuthInfo, caller, McpAuth, McpAuthError } from '../dist/index.js';
import * as node from '../dist/http.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { call, post, start } from './support/server.mjs';

const POLICY = { tools: { write: ['notes:write'], console: { allowedClients: ['console'] } } };
const LIST = { jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'open' }, { name: 'console' }] } };

/** @param {import('node:test').TestContext} context @param {(resource: string) => string} at @param {(app: any, auth: McpAuth) => Promise<unknown>} mount */
async function startFastify(context, at, mount) {
  /** @type {any} */ let found;
  const server = await start(context, async (resource, issuer) => {
    const app = Fastify();
    found = at(resource);
    await mount(app, new McpAuth({ resource: found, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] }));
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  });
  return { ...server, resource: String(found) };
}

const PLACES = {
  'at a path': (/** @type {string} */ resource) => resource,
  'at the root': (/** @type {string} */ resource) => new URL(resource).origin,
  'at the root, with a slash': (/** @type {string} */ resource) => `${new URL(resource).origin}/`,
  'at a path with a colon': (/** @type {string} */ resource) => `${new URL(resource).origin}/a:b/mcp`,
};

for (const [place, at] of Object.entries(PLACES)) {
  test(`fastify, in a scope of its own: the metadata of a resource ${place} is answered without a route of the user's`, async (context) => {
    const { origin, resource } = await startFastify(context, at, async (app, auth) => {
      await app.register(async (/** @type {any} */ scope) => {
        await scope.register(fastify.protect, { auth });
        scope.post(new URL(at('http://127.0.0.1/mcp')).pathname.replaceAll(':', '::'), async () => 'ran');
      });
      app.get('/health', async () => 'well');
    });
    assert.equal(await (await fetch(`${origin}/health`)).text(), 'well', 'the scope protects nothing else');
    const refused = await fetch(resource, { method: 'POST' });
    assert.equal(refused.status, 401);
    const [, named] = /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
    for (const url of [String(named), `${origin}/.well-known/oauth-protected-resource`]) {
      const answer = await fetch(url);
      assert.deepEqual([answer.status, (await answer.json()).resource], [200, resource], url);
      assert.equal((await fetch(url, { method: 'HEAD' })).status, 200);
      const preflight = { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } };
      assert.equal((await fetch(url, preflight)).status, 204, url);
    }
  });
}

test('fastify: two of them in scopes beside each other, and a route of the user’s, go together', async (context) => {
  const { origin } = await startFastify(context, PLACES['at a path'], async (app, auth) => {
    app.get('/.well-known/oauth-protected-resource', async () => ({ resource: 'mine' }));
    const other = new McpAuth({ resource: 'https://b.example/other', authorizationServers: ['https://as.example'] });
    for (const one of [auth, other]) await app.register(async (/** @type {any} */ scope) => scope.register(fastify.protect, { auth: one }));
  });
  for (const [path, expected] of [['/mcp', `${origin}/mcp`], ['/other', 'https://b.example/other'], ['', 'mine']]) {
    const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${path}`);
    assert.equal((await answer.json()).resource, expected);
  }
});

test('fastify under a prefix: what would be at the wrong place is told at start, with the lines that work', async (context) => {
  const wrong = Fastify();
  const auth = new McpAuth({ resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example'] });
  await assert.rejects(
    async () => {
      await wrong.register(async (scope) => { await scope.register(/** @type {any} */ (fastify.protect), { auth }); }, { prefix: '/api' });
      await wrong.ready();
    },
    /under the prefix \/api, .*`metadata: false`|under the prefix \/api.*metadata: false/,
  );
  const { origin, resource } = await startFastify(context, PLACES['at a path'], async (app, one) => {
    await app.register(fastify.metadata, { auth: one });
    await app.register(
      async (/** @type {any} */ scope) => {
        await scope.register(fastify.protect, { auth: one, metadata: false });
        scope.post('/', async () => 'ran');
      },
      { prefix: '/mcp' },
    );
  });
  assert.equal((await fetch(resource, { method: 'POST' })).status, 401);
  assert.equal((await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)).status, 200);
});

/** `protect` twice around one request. @type {Record<string, (first: McpAuth, second: McpAuth) => any>} */
const TWICE = {
  express(first, second) {
    const app = express();
    app.use(node.protect(first));
    app.use('/mcp', node.protect(second));
    app.post('/mcp', (request, response) => void response.json({ subject: caller(request).subject }));
    app.use((/** @type {any} */ _error, /** @type {any} */ _request, /** @type {any} */ response, /** @type {any} */ _next) => void response.status(500).json({}));
    return app;
  },
  async fastify(first, second) {
    const app = Fastify();
    await app.register(fastify.protect, { auth: first });
    await app.register(async (scope) => {
      await scope.register(/** @type {any} */ (fastify.protect), { auth: second });
      scope.post('/mcp', async (/** @type {any} */ request) => ({ subject: caller(request).subject }));
    });
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(first, second) {
    const app = new Hono();
    app.use(hono.protect(first));
    app.use('/mcp', hono.protect(second));
    app.post('/mcp', (context) => context.json({ subject: caller(context).subject }));
    app.onError((_, context) => context.json({}, 500));
    return getRequestListener(app.fetch);
  },
  http(first, second) {
    const inner = node.protectListener(second, (request, response) => response.end(JSON.stringify({ subject: caller(request).subject })));
    return node.protectListener(first, (request, response) => inner(request, /** @type {any} */ (response)));
  },
  web(first, second) {
    const inner = second.protect((_, authInfo) => Response.json({ subject: authInfo?.subject }));
    const outer = first.protect((request) => inner(request));
    return getRequestListener(async (request) => outer(request).catch(() => Response.json({}, { status: 500 })));
  },
};

for (const [name, serverFor] of Object.entries(TWICE)) {
  for (const policy of [undefined, POLICY]) {
    test(`${name}: twice around one request is as once${policy ? ', under a policy' : ''}`, async (context) => {
      const { resource, mint } = await start(context, (resource, issuer) => {
        const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'], policy });
        return serverFor(auth, auth);
      });
      const good = await fetch(resource, post(mint(), call('open')));
      assert.deepEqual([good.status, await good.json()], [200, { subject: 'alice' }]);
      assert.equal((await fetch(resource, post(mint({ broken: 'signature' })))).status, 401);
      assert.equal((await fetch(resource, { method: 'POST' })).status, 401);
      if (policy) assert.equal((await fetch(resource, post(mint(), call('write')))).status, 403);
    });
  }
  test(`${name}: two of different settings let nobody in, and nobody signs in again for nothing`, async (context) => {
    context.mock.method(console, 'error', () => undefined);
    const { resource, mint } = await start(context, (resource, issuer) => {
      const make = () => new McpAuth({ resource, authorizationServers: [issuer.issuer] });
      return serverFor(make(), make());
    });
    const answer = await fetch(resource, post(mint()));
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /node_modules|\bat .*:\d+|decided-before/);
  });
}

for (const policy of [undefined, POLICY]) {
  test(`express without a handler of errors sends no stack${policy ? ', under a policy' : ''}, and the operator is told`, async (context) => {
    const { mock } = context.mock.method(console, 'error', () => undefined);
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express();
      for (const _ of ['first', 'second']) app.use(node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy })));
      app.post('/mcp', (_, response) => void response.json({}));
      return app;
    });
    const answer = await fetch(resource, post(mint(), call('open')));
    assert.deepEqual([answer.status, await answer.text()], [500, '{"error":"server_error"}']);
    assert.match(String(mock.calls[0]?.arguments[0]), /make one with both in `resources`/);
  });
}

test('the caller is found in every place where handlers look, and nowhere else', () => {
  const one = new (/** @type {any} */ (AuthInfo))('{"issuer":"i","scopes":[],"audience":[],"claims":{}}');
  for (const given of [one, { auth: one }, { authInfo: one }, { http: { authInfo: one } }, { get: (/** @type {string} */ name) => name === 'auth' && one }]) {
    assert.equal(caller(given), one);
  }
  for (const given of [{}, { auth: undefined }, { auth: { claims: {}, scopes: [] } }, { http: {} }, { get: () => 'Bearer' }]) {
    assert.throws(() => caller(given), (error) => error instanceof McpAuthError && error.code === 'no_caller');
  }
});

/** Each sends the list with a tag of it. @type {Record<string, (auth: McpAuth) => any>} */
const TAGGED = {
  express(auth) {
    const app = express();
    app.use(node.protect(auth));
    app.post('/mcp', (_, response) => void response.json(LIST));
    return app;
  },
  http: (auth) => node.protectListener(auth, (_, response) => response.writeHead(200, { etag: '"whole"', 'content-type': 'application/json' }).end(JSON.stringify(LIST))),
  web: (auth) => getRequestListener(auth.protect(() => Response.json(LIST, { headers: { etag: '"whole"' } }))),
};

for (const [name, serverFor] of Object.entries(TAGGED)) {
  test(`${name}: the tag of an unfiltered list does not stay`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) => serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY })));
    const answer = await fetch(resource, post(mint(), { jsonrpc: '2.0', id: 1, method: 'tools/list' }));
    assert.deepEqual((await answer.json()).result.tools, [{ name: 'open' }]);
    assert.equal(answer.headers.get('etag'), null);
  });
}

test('what was decided about one request counts for no other, though both share a response', async (context) => {
  const { mint, resource, issuer } = await start(context, () => () => {});
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] });
  await auth.ready();
  const guard = node.protect(auth);
  /** @type {unknown[]} */ const happened = [];
  const response = { headersSent: false, writeHead: (/** @type {number} */ status) => (happened.push(status), response), end() {} };
  const ask = (/** @type {string[]} */ ...lines) => {
    const headers = Object.fromEntries(lines.length ? [[lines[0], lines[1]]] : []);
    const request = { method: 'POST', url: '/mcp', httpVersionMajor: 1, headers, rawHeaders: lines };
    return new Promise((resolve) => {
      const next = () => resolve(happened.push('went on'));
      response.end = () => resolve(undefined);
      guard(/** @type {any} */ (request), /** @type {any} */ (response), next);
    });
  };
  await ask('authorization', `Bearer ${mint()}`);
  await ask();
  await ask('authorization', `Bearer ${mint({ audience: 'https://other.example' })}`);
  await ask('authorization', `Bearer ${mint()}`);
  assert.deepEqual(happened, ['went on', 401, 401, 'went on']);
});

/** Express, in all the ways in which a handler may look for `request.auth`. @type {Record<string, (request: any) => unknown>} */
const WAYS_TO_LOOK = {
  'at the request': (request) => request.auth,
  'at what inherits from it': (request) => Object.create(request).auth,
  'through a proxy': (request) => new Proxy(request, {}).auth,
  'with `in`': (request) => 'auth' in request && request.auth,
  'by `caller`': (request) => caller(request),
};

for (const [way, look] of Object.entries(WAYS_TO_LOOK)) {
  test(`express: the caller is found ${way}, whatever was there before`, async (context) => {
    const { resource, origin, mint } = await start(context, (resource, issuer) => {
      const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] });
      const app = express();
      app.get('/open', (request, response) => void response.json({ auth: /** @type {any} */ (request).auth ?? null }));
      app.use('/mcp/before', (request, _, next) => next(void (/** @type {any} */ (request).auth = { subject: 'mallory' })));
      app.use(node.protect(auth));
      app.post(['/mcp', '/mcp/before'], (request, response) => void response.json({ subject: /** @type {any} */ (look(request)).subject }));
      app.post('/mcp/after', (request, response) => {
        /** @type {any} */ (request).auth = { subject: 'bob' };
        response.json({ subject: /** @type {any} */ (request).auth.subject });
      });
      return app;
    });
    const asked = async (/** @type {string} */ path) => (await (await fetch(resource + path, post(mint()))).json()).subject;
    assert.equal(await asked(''), 'alice');
    assert.equal(await asked('/before'), 'alice', 'what another middleware put there is replaced');
    assert.equal(await asked('/after'), 'bob', 'a handler may put something else there');
    assert.equal(await asked(''), 'alice');
    assert.deepEqual(await (await fetch(`${origin}/open`)).json(), { auth: null });
  });
}

test('express: an app that computes `auth` itself finds the caller in its place', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const app = express();
    Object.defineProperty(app.request, 'auth', { configurable: true, writable: true, value: { subject: 'mallory' } });
    app.use(node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
    app.post('/mcp', (request, response) => void response.json({ subject: caller(request).subject }));
    return app;
  });
  for (const _ of ['first', 'second']) {
    assert.equal((await (await fetch(resource, post(mint()))).json()).subject, 'alice');
  }
});
