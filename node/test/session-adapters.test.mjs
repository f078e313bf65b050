// @ts-check
// A session is of the user and the client that began it, through every adapter, and whatever way its identifier is sent.
import assert from 'node:assert/strict';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { once } from 'node:events';
import { request as send } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth } from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { start } from './support/server.mjs';

const HEADER = 'Mcp-Session-Id';
/** With a dot, as that before a tag. */
const GIVEN = '8f3c.1';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Where a handler of `node:http` may look for its session. @param {any} request */
function seen(request) {
  const { rawHeaders } = request;
  const raw = rawHeaders.filter((/** @type {string} */ _, /** @type {number} */ at) => at % 2 === 1 && /^mcp-session-id$/i.test(rawHeaders[at - 1]));
  return [request.headers['mcp-session-id'] ?? null, raw, request.headersDistinct['mcp-session-id'] ?? null];
}

/** What {@link seen} is where the request names this session. @param {string | undefined} session */
const expected = (session) => (session === undefined ? [null, [], null] : [session, [session], [session]]);

/** Ways to send an identifier with `node:http`. @type {Record<string, (response: any, body: string) => void>} */
const WAYS = {
  'setHeader, end': (response, body) => {
    response.setHeader(HEADER, GIVEN);
    response.end(body);
  },
  'setHeader, write': (response, body) => {
    response.setHeader('mcp-session-id', GIVEN);
    response.write(body.slice(0, 1));
    response.end(body.slice(1));
  },
  'setHeader, flushHeaders': (response, body) => {
    response.setHeader(HEADER, [GIVEN]);
    response.flushHeaders();
    response.end(body);
  },
  'appendHeader, writeHead': (response, body) => {
    response.appendHeader(HEADER, GIVEN);
    response.writeHead(200, JSON_TYPE).end(body);
  },
  'writeHead with an object': (response, body) => response.writeHead(200, { ...JSON_TYPE, [HEADER]: GIVEN }).end(body),
  'writeHead with a text and an object': (response, body) => response.writeHead(200, 'Fine', { 'mcp-session-id': [GIVEN] }).end(body),
  'writeHead with a list': (response, body) => response.writeHead(200, ['Content-Type', 'application/json', HEADER, GIVEN]).end(body),
  'writeHead with pairs': (response, body) => response.writeHead(200, [['Content-Type', 'application/json'], [HEADER, GIVEN]]).end(body),
  'writeHead instead of setHeader': (response, body) => {
    response.setHeader(HEADER, 'another');
    response.writeHead(200, { [HEADER]: GIVEN }).end(body);
  },
  'a stream': (response, body) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', [HEADER]: GIVEN });
    response.write(`data: ${body}\n\n`);
    response.end();
  },
};

/** @type {Record<string, (auth: McpAuth) => any>} */
const SERVERS = {
  express(auth) {
    const app = express().use(node.protect(auth));
    return app.all('/mcp', (request, response) => {
      assert.equal(request.get(HEADER), request.headers['mcp-session-id']);
      response.set(HEADER, GIVEN).json(seen(request));
    });
  },
  async fastify(auth) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', async (request, reply) => {
      assert.equal(request.headers['mcp-session-id'], request.raw.headers['mcp-session-id']);
      return reply.header(HEADER, GIVEN).send(seen(request.raw));
    });
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  async 'fastify, hijacked'(auth) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { [HEADER]: GIVEN }).end(JSON.stringify(seen(request.raw)));
    });
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(auth) {
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.all('/mcp', (context) => {
      const answer = seen(context.env.incoming);
      assert.equal(context.req.header(HEADER) ?? null, answer[0]);
      context.header(HEADER, GIVEN);
      return context.json(answer);
    });
    return getRequestListener(app.fetch);
  },
  'hono, beside it'(auth) {
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.all('/mcp', (context) => {
      context.env.outgoing.writeHead(200, { [HEADER]: GIVEN }).end(JSON.stringify(seen(context.env.incoming)));
      return RESPONSE_ALREADY_SENT;
    });
    return getRequestListener(app.fetch);
  },
  web(auth) {
    return getRequestListener(
      auth.protect(async (request) => {
        await request.text();
        return Response.json(expected(request.headers.get(HEADER) ?? undefined), { headers: { [HEADER]: GIVEN } });
      }),
    );
  },
  'web, a stream'(auth) {
    return getRequestListener(
      auth.protect(async (request) => {
        await request.text();
        const body = JSON.stringify(expected(request.headers.get(HEADER) ?? undefined));
        return new Response(`data: ${body}\n\n`, { headers: { [HEADER]: GIVEN, 'content-type': 'text/event-stream' } });
      }),
    );
  },
};
for (const [name, way] of Object.entries(WAYS)) {
  SERVERS[`http, ${name}`] = (auth) => node.protectListener(auth, (request, response) => way(response, JSON.stringify(seen(request))));
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
};
const PING = { jsonrpc: '2.0', id: 2, method: 'ping' };

/** @param {string} resource @param {string | undefined} token @param {string} method @param {string | string[]} [session] @param {object} [message]
 * @returns {Promise<{ status: number, sessions: string[], saw: unknown }>} */
function ask(resource, token, method, session, message = method === 'POST' ? PING : undefined) {
  /** @type {Record<string, string | string[]>} */
  const headers = { accept: 'application/json, text/event-stream' };
  if (message) headers['content-type'] = 'application/json';
  if (token) headers.authorization = `Bearer ${token}`;
  if (session !== undefined) headers[HEADER] = session;
  return new Promise((resolve, reject) => {
    const sent = send(resource, { method, headers, agent: false }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      const status = response.statusCode ?? 0;
      const saw = status === 200 ? JSON.parse(text.replace(/^data: /, '')) : undefined;
      resolve({ status, sessions: response.headersDistinct['mcp-session-id'] ?? [], saw });
    });
    sent.on('error', reject);
    sent.end(message && JSON.stringify(message));
  });
}

for (const [name, serverFor] of Object.entries(SERVERS)) {
  for (const policy of [undefined, { tools: { write: ['notes:write'] } }]) {
    test(`${name}${policy ? ', under a policy' : ''}: a session is of whoever began it`, async (context) => {
      const { resource, mint } = await start(context, (resource, issuer) => serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy })));
      const alice = mint({ subject: 'alice', clientId: 'app' });
      const began = await ask(resource, alice, 'POST', undefined, INITIALIZE);
      assert.deepEqual([began.status, began.saw], [200, expected(undefined)]);
      const [session = '', ...more] = began.sessions;
      assert.deepEqual(more, []);
      assert.match(session, /^8f3c\.1\.[\w-]{22}$/);
      const renewed = mint({ subject: 'alice', clientId: 'app', claims: { jti: '2' } });
      // The first of each is of a token that was not seen before.
      for (const token of [alice, alice, renewed, renewed]) {
        for (const method of ['POST', 'GET', 'DELETE']) {
          const { status, saw, sessions } = await ask(resource, token, method, session);
          assert.deepEqual([status, saw, sessions], [200, expected(GIVEN), [session]], method);
        }
      }
      const [bob, other, machine] = [mint({ subject: 'bob', clientId: 'app' }), mint({ subject: 'alice', clientId: 'other' }), mint({ clientId: 'app', without: ['sub'] })];
      /** @type {[token: string, session: string | string[]][]} */
      const rows = [[bob, session], [other, session], [machine, session], [alice, GIVEN], [alice, `${session}A`], [alice, session.slice(0, -1)], [alice, `x${session}`], [alice, ''], [alice, [session, session]]];
      for (const [token, named] of rows) {
        for (const method of ['POST', 'GET', 'DELETE']) assert.equal((await ask(resource, token, method, named)).status, 404, `${method} ${named}`);
      }
      // A session of his own, of the same identifier.
      const [own] = (await ask(resource, bob, 'POST', undefined, INITIALIZE)).sessions;
      assert.notEqual(own, session);
      assert.deepEqual((await ask(resource, bob, 'POST', own)).saw, expected(GIVEN));
      assert.equal((await ask(resource, undefined, 'POST', session)).status, 401);
    });
  }
}

test('HTTP/2: a session is of whoever began it', async (context) => {
  const issuer = new DevIssuer();
  const server = createHttp2Server();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const resource = `http://127.0.0.1:${port}/mcp`;
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
  const ways = Object.entries(WAYS).filter(([name]) => name !== 'writeHead with a text and an object');
  let turn = 0;
  server.on('request', /** @type {any} */ (node.protectListener(auth, (request, response) => ways[turn]?.[1](response, JSON.stringify(request.headers['mcp-session-id'] ?? null)))));
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  context.after(() => {
    session.destroy();
    server.close();
    issuer.stop();
  });
  /** @param {string} subject @param {string} [named] */
  const ask = async (subject, named) => {
    const token = issuer.mint({ audience: resource, subject });
    const stream = session.request({ ':method': 'GET', ':path': '/mcp', authorization: `Bearer ${token}`, ...(named && { 'mcp-session-id': named }) });
    stream.end();
    const [head] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream) text += chunk;
    return { status: head[':status'], session: head['mcp-session-id'], text };
  };
  for (turn = 0; turn < ways.length; turn += 1) {
    const name = ways[turn]?.[0];
    const { session: sealed } = await ask('alice');
    assert.match(sealed, /^8f3c\.1\.[\w-]{22}$/, name);
    assert.match((await ask('alice', sealed)).text, /"8f3c\.1"/, name);
    assert.equal((await ask('bob', sealed)).status, 404, name);
  }
});

test('instances with the same keys open the sessions of each other, and one with others none', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const [first, second] = ['a'.repeat(32), 'b'.repeat(40)];
  writeFileSync(join(folder, 'keys'), `${first}\n${second}\n`);
  const rings = [{ handleKeys: [first] }, { handleKeys: [second, first] }, { handleKeysFile: join(folder, 'keys') }, { handleKeys: [second] }, {}];
  /** @type {McpAuth[]} */
  let instances = [];
  const { resource, mint } = await start(context, (resource, issuer) => {
    instances = rings.map((ring) => new McpAuth({ resource, authorizationServers: [issuer.issuer], ...ring }));
    return () => undefined;
  });
  /** @param {McpAuth | undefined} auth @param {string} [session] */
  const ask = async (auth, session) => {
    const headers = { authorization: `Bearer ${mint()}`, ...(session && { [HEADER]: session }) };
    const serve = auth?.protect((request) => new Response(request.headers.get(HEADER), { headers: { [HEADER]: GIVEN } }));
    return /** @type {Response} */ (await serve?.(new Request(resource, { method: 'DELETE', headers })));
  };
  const session = (await ask(instances[0])).headers.get(HEADER) ?? '';
  const statuses = [];
  for (const instance of instances) statuses.push((await ask(instance, session)).status);
  assert.deepEqual(statuses, [200, 200, 200, 404, 404]);
  const later = (await ask(instances[1])).headers.get(HEADER) ?? '';
  assert.deepEqual([(await ask(instances[2], later)).status, (await ask(instances[3], later)).status, (await ask(instances[0], later)).status], [200, 200, 404]);
});

for (const name of ['http, setHeader, end', 'http, writeHead with a list', 'web', 'hono', 'fastify']) {
  test(`${name}: a session that began without a token is of nobody, and one that began with a token is its caller's, where anybody may call`, async (context) => {
    const policy = /** @type {const} */ ({ methods: { initialize: { access: 'public' }, ping: { access: 'public' } } });
    const { resource, mint } = await start(context, (resource, issuer) => SERVERS[name]?.(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy })));
    const [anonymous] = (await ask(resource, undefined, 'POST', undefined, INITIALIZE)).sessions;
    const token = mint();
    const [owned] = (await ask(resource, token, 'POST', undefined, INITIALIZE)).sessions;
    const statuses = [];
    for (const session of [anonymous, owned]) {
      for (const sender of [undefined, token, mint({ subject: 'bob' })]) statuses.push((await ask(resource, sender, 'POST', session)).status);
    }
    assert.deepEqual(statuses, [200, 404, 404, 404, 200, 404]);
  });
}

test('express: `protect` twice opens and seals a session once', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const guard = node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] }));
    return express().use(guard, guard).all('/mcp', (request, response) => void response.set(HEADER, GIVEN).json(seen(request)));
  });
  const token = mint();
  const [session] = (await ask(resource, token, 'POST')).sessions;
  assert.deepEqual(await ask(resource, token, 'POST', session), { status: 200, sessions: [session], saw: expected(GIVEN) });
});

test('hono: what servers hand over beside the request names the session as handlers know it', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const resource = 'https://mcp.example.com/mcp';
  /** @type {Hono<any>} */
  const app = new Hono();
  app.use(hono.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
  app.get('/mcp', (context) => {
    context.header(HEADER, GIVEN);
    return context.json(context.env);
  });
  const headers = { authorization: `Bearer ${issuer.mint({ audience: resource })}` };
  const session = (await app.request(resource, { headers }, {})).headers.get(HEADER) ?? '';
  const envOf = (/** @type {string} */ id) => ({
    event: { headers: { [HEADER]: id, other: session }, multiValueHeaders: { 'mcp-session-id': [id] }, Records: [{ cf: { request: { headers: {} } } }] },
    request: { headers: { 'mcp-session-id': [{ key: HEADER, value: id }] } },
  });
  const answer = await app.request(resource, { headers: { ...headers, [HEADER]: session } }, envOf(session));
  assert.deepEqual(await answer.json(), envOf(GIVEN));
});

test('sessions that are not bound go on as they are', async (context) => {
  for (const name of ['http, setHeader, end', 'web', 'fastify']) {
    const { resource, mint } = await start(context, (resource, issuer) =>
      SERVERS[name]?.(new McpAuth({ resource, authorizationServers: [issuer.issuer], dangerousUnboundSessions: true })),
    );
    const { sessions, saw } = await ask(resource, mint(), 'POST', 'any', PING);
    assert.deepEqual([sessions, saw], [[GIVEN], expected('any')], name);
  }
});

test('an identifier that cannot be sealed is not sent', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    return node.protectListener(auth, (_, response) => {
      response.setHeader(HEADER, 'é');
      response.writeHead(200, [HEADER, 'ü', 'x-more', '1']).end('{}');
    });
  });
  for (const accept of [undefined, INITIALIZE]) {
    const { status, sessions } = await ask(resource, mint(), 'POST', undefined, accept);
    assert.deepEqual([status, sessions], [200, []]);
  }
});

test('a handler that is refused scopes after it named a session, names none to the client', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    return node.protectListener(auth, (request, response) => {
      response.setHeader(HEADER, GIVEN);
      if (request.headers['mcp-session-id']) request.auth?.require('more');
      response.end(JSON.stringify(seen(request)));
    });
  });
  const token = mint();
  const [session] = (await ask(resource, token, 'POST')).sessions;
  const { status, sessions } = await ask(resource, token, 'POST', session);
  assert.deepEqual([status, sessions], [403, []]);
});
