// @ts-check
// Another configuration, while requests are served.
import assert from 'node:assert/strict';
import test from 'node:test';
import express from 'express';
import Fastify from 'fastify';
import { caller, ConfigError, McpAuth, setLogger } from '../dist/index.js';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { protect } from '../dist/http.js';
import { DevIssuer } from '../dist/testing.js';
import { call, post, start } from './support/server.mjs';

const RESOURCE = 'https://mcp.example.com/mcp';
const OTHER = 'https://mcp.example.com/other';
const ISSUER = 'https://auth.example.com';

/** A server of which the configuration is replaced, with one change or another.
 * @param {import('node:test').TestContext} context @param {object} [first] @param {import('../dist/index.js').Options} [options] */
async function startServer(context, first = {}, options = {}) {
  /** @type {McpAuth | undefined} */
  let made;
  /** @type {object} */
  let config = {};
  const server = await start(context, (resource, issuer) => {
    config = { resource, authorizationServers: [issuer.issuer] };
    made = new McpAuth(/** @type {any} */ ({ ...config, ...first }), options);
    const app = express();
    app.use(protect(made));
    app.all('/{*rest}', (request, response) => {
      response.json({ subject: caller(request)?.subject, result: { tools: [{ name: 'read' }, { name: 'write' }] }, jsonrpc: '2.0', id: 1 });
    });
    return app;
  });
  const auth = /** @type {McpAuth} */ (made);
  const status = async (/** @type {string} */ token, path = '/mcp') => (await fetch(`${server.origin}${path}`, post(token))).status;
  return { ...server, auth, config, status, reload: (/** @type {object} */ change) => auth.reload(/** @type {any} */ ({ ...config, ...change })) };
}

test('an unchanged issuer keeps its keys, and the rules are the new ones', async (context) => {
  const server = await startServer(context, { audiences: ['urn:shared'] });
  const shared = server.mint({ audience: 'urn:shared' });
  const ours = server.mint();
  const statuses = async () => [await server.status(shared), await server.status(ours)];
  assert.deepEqual(await statuses(), [200, 200]);
  server.issuer.setMode('offline');
  const fetched = server.issuer.requests;
  /** @type {[object, number[]][]} */
  const rows = [
    [{ audiences: ['urn:shared'], resourceName: 'Notes' }, [200, 200]],
    [{}, [401, 200]],
    [{ audiences: ['urn:shared'], requiredScopes: ['admin'] }, [403, 403]],
    [{ audiences: ['urn:shared'], requiredScopes: 'mcp' }, [200, 200]],
    [{ authorizationServers: [ISSUER] }, [401, 401]],
    [{ authorizationServers: [ISSUER, server.issuer.issuer] }, [401, 200]],
  ];
  for (const [change, expected] of rows.slice(0, 4)) {
    server.reload(change);
    assert.deepEqual(await statuses(), expected, JSON.stringify(change));
  }
  assert.deepEqual(server.issuer.requests, fetched);
  server.issuer.setMode('online');
  for (const [change, expected] of rows.slice(4)) {
    server.reload(change);
    assert.deepEqual(await statuses(), expected, JSON.stringify(change));
  }
});

test('resources come and go with their metadata', async (context) => {
  const server = await startServer(context);
  const token = server.mint({ audience: [server.resource, `${server.origin}/other`] });
  const both = [server.resource, `${server.origin}/other`].map((resource) => ({ resource, authorizationServers: [server.issuer.issuer] }));
  const statuses = () => Promise.all(['/mcp', '/other', '/neither'].map((path) => server.status(token, path)));
  const described = async (/** @type {string} */ path) => (await fetch(`${server.origin}/.well-known/oauth-protected-resource${path}`)).status;
  // A single resource takes every path.
  assert.deepEqual(await statuses(), [200, 200, 200]);
  server.auth.reload({ resources: both });
  assert.deepEqual(await statuses(), [200, 200, 404]);
  assert.deepEqual([await described('/mcp'), await described('/other')], [200, 200]);
  server.auth.reloadFromConfig({ resources: [{ resource: `${server.origin}/other`, authorization_servers: [server.issuer.issuer] }] });
  assert.deepEqual([await described('/mcp'), await described('/other')], [404, 200]);
  assert.equal(await server.status(server.mint()), 401);
});

test('a fault changes nothing and is logged', async (context) => {
  /** @type {string[]} */
  const told = [];
  const keep = (/** @type {object} */ fields, /** @type {string} */ message) => told.push(`${message} ${JSON.stringify(fields)}`);
  setLogger({ error: keep, warn: () => {}, info: () => {}, debug: () => {} });
  context.after(() => setLogger(undefined));
  const server = await startServer(context);
  const token = server.mint();
  assert.equal(await server.status(token), 200);
  /** @type {[object, string[]][]} */
  const rows = [
    [{ clockTolerance: 1000, audienecs: [] }, ['clockTolerance', 'audienecs']],
    [{ handleKeysFile: '/nowhere' }, ['handleKeysFile']],
    [{ resource: undefined }, ['resource']],
    [{ resource: 'no URL' }, ['resource']],
    [{ authorizationServers: [] }, ['authorizationServers']],
  ];
  for (const [change, places] of rows) {
    told.length = 0;
    assert.throws(
      () => server.reload({ requiredScopes: ['admin'], ...change }),
      (error) => error instanceof ConfigError && places.every((place) => error.faults.some((fault) => fault.includes(place))),
    );
    const [line = '', ...more] = told.filter((one) => one.includes('not replaced'));
    assert.deepEqual(more, []);
    for (const place of places) assert.ok(line.includes(place), line);
    assert.equal(await server.status(token), 200);
  }
  for (const none of /** @type {any[]} */ ([undefined, null, 'a', 1])) assert.throws(() => server.auth.reload(none), ConfigError);
});

test('functions stay, and what was revoked stays revoked', async (context) => {
  const verifyToken = async (/** @type {string} */ token) => ({ iss: 'own', sub: token });
  const options = { authorize: (/** @type {any} */ _caller, /** @type {any} */ operation) => operation.name !== 'write', verifyToken, tokenPrefixes: ['own_'] };
  const server = await startServer(context, {}, options);
  const [alice, bob] = [server.mint({ subject: 'alice' }), server.mint({ subject: 'bob' })];
  server.auth.revoke({ issuer: server.issuer.issuer, subject: 'bob' });
  for (let round = 0; round < 2; round++) {
    for (const [tool, token, status] of /** @type {const} */ ([['read', alice, 200], ['write', alice, 403], ['read', bob, 401], ['read', 'own_1', 200]])) {
      assert.equal((await fetch(server.resource, post(token, call(tool)))).status, status, `${tool} ${token}`);
    }
    server.reload({ resourceName: 'Notes' });
  }
});

test('it reads what fromEnv reads', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const before = { ...process.env };
  context.after(() => Object.assign(process.env, { MCP_AUTH_RESOURCE: '', MCP_AUTH_ISSUER: '', MCP_AUTH_SCOPES: '' }, before));
  Object.assign(process.env, { MCP_AUTH_RESOURCE: RESOURCE, MCP_AUTH_ISSUER: issuer.issuer, MCP_AUTH_SCOPES: '' });
  const auth = McpAuth.fromEnv();
  const status = async () => {
    const answer = await auth.handle(new Request(RESOURCE, { headers: { authorization: `Bearer ${issuer.mint({ audience: RESOURCE, scope: 'mcp' })}` } }));
    return answer instanceof Response ? answer.status : 200;
  };
  assert.equal(await status(), 200);
  process.env['MCP_AUTH_SCOPES'] = 'admin';
  assert.equal(await status(), 200);
  auth.reloadFromEnv();
  assert.equal(await status(), 403);
  process.env['MCP_AUTH_ISSUER'] = '';
  assert.throws(() => auth.reloadFromEnv(), ConfigError);
  assert.equal(await status(), 403);
});

test('a header where tokens were before stays hidden, and one where they are now is hidden', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const at = (/** @type {string} */ tokenHeader) => ({ resource: RESOURCE, authorizationServers: [{ issuer: issuer.issuer, tokenHeader }] });
  const auth = new McpAuth(at('x-old'));
  const token = issuer.mint({ audience: RESOURCE });
  auth.reload(at('x-new'));
  const answer = await auth.handle(new Request(RESOURCE, { headers: { 'x-new': token, 'x-old': token, 'x-other': 'a' } }));
  assert.ok(!(answer instanceof Response));
  assert.deepEqual([...answer.request.headers.keys()], ['x-other']);
  const refused = await auth.handle(new Request(RESOURCE, { headers: { 'x-old': token } }));
  assert.ok(refused instanceof Response && refused.status === 401);
});

test('what frameworks were told once is a fault', async () => {
  const config = { resource: RESOURCE, authorizationServers: [ISSUER] };
  const isRestart = (/** @type {string} */ name) => (/** @type {any} */ error) => error instanceof ConfigError && error.faults.some((fault) => fault.startsWith(name) && fault.includes('restart'));
  const verifying = new McpAuth(config);
  verifying.tokenVerifier((message) => new Error(message));
  assert.throws(() => verifying.reload({ ...config, policy: { tools: { write: 'write' } } }), isRestart('policy'));
  assert.throws(() => verifying.reload({ ...config, requiredScopes: ['mcp'] }), isRestart('requiredScopes'));
  verifying.reload({ ...config, audiences: ['urn:shared'] });

  const routed = new McpAuth(config);
  await Fastify().register(protectFastify, { auth: routed });
  assert.throws(() => routed.reload({ ...config, resource: OTHER }), isRestart('resource'));
  routed.reload({ ...config, resource: 'https://other.example.com/mcp/' });
});

test('a stream goes on where its caller is still admitted, and ends where not', async (context) => {
  /** @type {McpAuth | undefined} */ let auth;
  /** @type {object} */ let config = {};
  /** @type {((piece: string) => void) | undefined} */ let write;
  const opened = (/** @type {any} */ response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    write = (piece) => response.write(piece);
  };
  const server = await start(context, (resource, issuer) => {
    config = { resource, authorizationServers: [issuer.issuer] };
    auth = new McpAuth(/** @type {any} */ (config));
    const app = express();
    app.use(protect(auth));
    app.all('/mcp', (_request, response) => opened(response));
    return app;
  });
  const token = server.mint({ scope: 'mcp' });
  for (const [change, goesOn] of /** @type {[object, boolean][]} */ ([
    [{ requiredScopes: ['mcp'] }, true],
    [{ requiredScopes: ['admin'] }, false],
    [{ authorizationServers: [ISSUER] }, false],
  ])) {
    auth?.reload(/** @type {any} */ (config));
    for (const method of ['GET', 'POST']) {
      const body = method === 'POST' ? '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}' : null;
      const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream', 'content-type': 'application/json' };
      auth?.reload(/** @type {any} */ (config));
      const stream = await fetch(server.resource, { method, headers, body });
      const chunks = /** @type {ReadableStream<Uint8Array>} */ (stream.body).getReader();
      assert.match(new TextDecoder().decode((await chunks.read()).value), /hello/);
      auth?.reload(/** @type {any} */ ({ ...config, ...change }));
      if (goesOn) write?.(': more\n\n');
      const next = new TextDecoder().decode((await chunks.read()).value);
      assert.equal(next, goesOn ? ': more\n\n' : 'retry: 1000\n\n', `${method}: ${JSON.stringify(change)}`);
      await chunks.cancel();
    }
  }
});

test('lists of a stream that is open are those of the new policy', async (context) => {
  /** @type {((message: object) => void) | undefined} */
  let write;
  /** @type {McpAuth | undefined} */
  let auth;
  /** @type {(scope: string) => object} */
  let rules = () => ({});
  const server = await start(context, (resource, issuer) => {
    rules = (scope) => ({ resource, authorizationServers: [issuer.issuer], policy: { strictLists: true, tools: { write: scope } } });
    auth = new McpAuth(/** @type {any} */ (rules('mcp')));
    const app = express();
    app.use(protect(auth));
    app.get('/mcp', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n');
      write = (message) => response.write(`data: ${JSON.stringify(message)}\n\n`);
    });
    return app;
  });
  const headers = { authorization: `Bearer ${server.mint({ scope: 'mcp' })}`, accept: 'text/event-stream' };
  const stream = await fetch(server.resource, { headers });
  const chunks = /** @type {ReadableStream<Uint8Array>} */ (stream.body).getReader();
  let seen = '';
  const readUntil = async (/** @type {string} */ end) => {
    while (!seen.endsWith(end)) {
      const { value, done } = await chunks.read();
      assert.ok(!done, seen);
      seen += new TextDecoder().decode(value);
    }
    const all = seen;
    seen = '';
    return all;
  };
  await readUntil(': hello\n\n');
  for (const [scope, shown] of /** @type {const} */ ([['mcp', ['read', 'write']], ['admin', ['read']], ['mcp', ['read', 'write']]])) {
    auth?.reload(/** @type {any} */ (rules(scope)));
    write?.({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'read' }, { name: 'write' }] } });
    const event = await readUntil('\n\n');
    const { result } = JSON.parse(event.slice('data: '.length));
    assert.deepEqual(result.tools.map((/** @type {any} */ tool) => tool.name), shown);
  }
  await chunks.cancel();
});

test('under load each answer is right by the old or the new configuration', async (context) => {
  const server = await startServer(context, { audiences: ['urn:even'] });
  const both = [{ audiences: ['urn:even'] }, { audiences: ['urn:odd'] }];
  const tokens = ['urn:even', 'urn:odd'].map((audience) => server.mint({ audience }));
  assert.equal(await server.status(tokens[0] ?? ''), 200);
  let reloads = 0;
  let isOver = false;
  const hammer = async () => {
    while (!isOver) {
      for (const [index, token] of tokens.entries()) {
        const oldest = reloads;
        const told = (await server.status(token)) === 200;
        const possible = Array.from({ length: reloads - oldest + 1 }, (_, more) => (oldest + more) % 2 === index);
        assert.ok(possible.includes(told), `${index} ${oldest} ${reloads} ${told}`);
      }
    }
  };
  const hammering = [hammer(), hammer()];
  while (reloads < 60) {
    const next = both[(reloads + 1) % 2];
    // Within one turn of the loop: no request is answered between the two.
    server.reload(next ?? {});
    reloads += 1;
    await server.status(tokens[1] ?? '');
  }
  isOver = true;
  await Promise.all(hammering);
  assert.deepEqual([await server.status(tokens[0] ?? ''), await server.status(tokens[1] ?? '')], [200, 401]);
});
