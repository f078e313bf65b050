// @ts-check
// What is on the wire: HTTP/2, answers that do not wait for a body, bodies that were parsed before, lists of any label.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import test from 'node:test';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth } from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { FOLDER } from './support/program.mjs';
import { call, post, start } from './support/server.mjs';

const POLICY = { tools: { write: ['notes:write'], console: { allowedClients: ['console'] } } };
const TOOLS_LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'open' }, { name: 'console' }] } });

/** Each answers with the list, or with the message and who called. @type {Record<string, (auth: McpAuth) => any>} */
const SERVERS = {
  express(auth) {
    const app = express();
    app.use(node.protect(auth));
    app.use(express.json());
    app.post('/mcp', (/** @type {any} */ request, response) => {
      if (request.body?.method === 'tools/list') return void response.type('text/plain').send(LIST);
      response.json({ subject: request.auth.subject, message: request.body });
    });
    return app;
  },
  async fastify(auth) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.post('/mcp', async (/** @type {any} */ request) => ({ subject: request.auth.subject, message: request.body }));
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(auth) {
    /** @type {Hono<hono.AuthEnv>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.post('/mcp', async (context) => context.json({ subject: context.get('auth')?.subject, message: await context.req.json() }));
    return getRequestListener(app.fetch);
  },
  http(auth) {
    return node.protectListener(auth, async (request, response) => {
      let text = request.body ? JSON.stringify(request.body) : '';
      if (!text) for await (const chunk of request) text += chunk;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ subject: request.auth?.subject, message: JSON.parse(text) }));
    });
  },
  web(auth) {
    return getRequestListener(auth.protect(async (request, caller) => Response.json({ subject: caller?.subject, message: await request.json() })));
  },
};

for (const [name, serverFor] of Object.entries(SERVERS)) {
  test(`${name}: a refusal does not wait for a body that never comes`, { timeout: 120_000 }, async (context) => {
    const { resource } = await start(context, (resource, issuer) =>
      serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] })),
    );
    const { port } = new URL(resource);
    for (const announced of ['Content-Length: 1000', 'Content-Length: 100000000', 'Transfer-Encoding: chunked']) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n${announced}\r\n\r\n`);
      let answer = '';
      for await (const chunk of socket) {
        answer += chunk;
        if (answer.includes('\r\n\r\n')) break;
      }
      socket.destroy();
      assert.match(answer, /^HTTP\/1.1 401 /, announced);
    }
  });
}

for (const [name, serverFor] of Object.entries(SERVERS)) {
  test(`${name}: a body that must be read and never comes is given up`, { timeout: 120_000 }, async (context) => {
    const { resource } = await start(context, (resource, issuer) =>
      serverFor(
        new McpAuth({
          resource,
          authorizationServers: [issuer.issuer],
          bodyTimeout: 0.05,
          policy: { tools: { about: { access: 'public' } } },
        }),
      ),
    );
    const { port } = new URL(resource);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
    let answer = '';
    for await (const chunk of socket) {
      answer += chunk;
      if (answer.includes('\r\n\r\n')) break;
    }
    socket.destroy();
    assert.match(answer, /^HTTP\/1.1 408 /);
  });
}

test('a refused body that goes on and on loses its connection, and one of some length does not', { timeout: 120_000 }, async (context) => {
  const { resource } = await start(context, (resource, issuer) =>
    SERVERS.http(new McpAuth({ resource, authorizationServers: [issuer.issuer] })),
  );
  const { port } = new URL(resource);
  const head = (/** @type {number} */ length) => `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${length}\r\n\r\n`;
  const endless = connect(Number(port), '127.0.0.1');
  endless.on('error', () => undefined);
  endless.write(head(1e9));
  const piece = Buffer.alloc(65_536);
  const pour = () => endless.writable && endless.write(piece, () => setImmediate(pour));
  pour();
  endless.resume();
  await once(endless, 'close');

  const twice = connect(Number(port), '127.0.0.1');
  twice.write(head(100_000) + 'x'.repeat(100_000) + head(3) + 'abc');
  let answers = '';
  for await (const chunk of twice) {
    answers += chunk;
    if (answers.split('HTTP/1.1 401').length === 3) break;
  }
  twice.destroy();
});

/** @param {import('node:test').TestContext} context @param {(auth: McpAuth) => any} serverFor */
async function startHttp2(context, serverFor, config = {}) {
  const issuer = new DevIssuer();
  const server = createHttp2Server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const resource = `http://127.0.0.1:${port}/mcp`;
  server.on('request', await serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], ...config })));
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  context.after(() => {
    session.destroy();
    server.close();
    issuer.stop();
  });
  /** @param {Record<string, string>} headers @param {unknown} [message] */
  const ask = async (headers, message) => {
    const stream = session.request({ ':method': message ? 'POST' : 'GET', ':path': '/mcp', ...headers });
    const answered = once(stream, 'response');
    stream.end(message ? JSON.stringify(message) : undefined);
    const [head] = await answered;
    let text = '';
    for await (const chunk of stream) text += chunk;
    return { status: head[':status'], headers: head, text };
  };
  return { issuer, resource, ask, session, mint: (options = {}) => issuer.mint({ audience: resource, scope: 'mcp', ...options }) };
}

for (const name of ['http', 'fastify', 'hono']) {
  for (const policy of [undefined, POLICY]) {
    test(`${name}, HTTP/2${policy ? ', under a policy' : ''}: decided as over HTTP/1.1`, { timeout: 60_000 }, async (context) => {
      const { ask, mint, session } = await startHttp2(context, /** @type {any} */ (SERVERS[name]), { policy });
      const metadata = await ask({ ':path': '/.well-known/oauth-protected-resource/mcp' });
      assert.equal(metadata.status, 200, metadata.text);
      const json = { 'content-type': 'application/json' };
      const anonymous = await ask(json, call('open'));
      assert.equal(anonymous.status, 401);
      assert.match(String(anonymous.headers['www-authenticate']), /resource_metadata/);
      assert.equal((await ask({ ...json, authorization: `Bearer ${mint({ broken: 'signature' })}` }, call('open'))).status, 401);
      const good = await ask({ ...json, authorization: `Bearer ${mint()}` }, call('open'));
      assert.equal(good.status, 200, good.text);
      assert.deepEqual(JSON.parse(good.text), { subject: 'alice', message: call('open') });
      const write = await ask({ ...json, authorization: `Bearer ${mint()}` }, call('write'));
      assert.equal(write.status, policy ? 403 : 200);

      const hanging = session.request({ ':method': 'POST', ':path': '/mcp', ...json, 'content-length': '1000' });
      hanging.on('error', () => undefined);
      const [head] = await once(hanging, 'response');
      assert.equal(head[':status'], 401);
      hanging.close();
    });
  }
}

test('HTTP/2: a GET with a body is refused under a policy, though no header tells of it', { timeout: 60_000 }, async (context) => {
  const { session, mint } = await startHttp2(
    context,
    (auth) => node.protectListener(auth, (_, response) => response.end()),
    { policy: POLICY },
  );
  for (const [method, body, status] of /** @type {const} */ ([['GET', '{}', 400], ['DELETE', '{}', 400], ['GET', undefined, 200]])) {
    const head = { ':method': method, ':path': '/mcp', authorization: `Bearer ${mint()}` };
    const stream = session.request(head, { endStream: body === undefined });
    const answered = once(stream, 'response');
    if (body) stream.end(body);
    const [answer] = await answered;
    assert.equal(answer[':status'], status, `${method} ${body}`);
    stream.close();
  }
});

test('a DELETE whose body no header announces goes on without it under a policy', { timeout: 60_000 }, async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const resource = 'http://127.0.0.1:3000/mcp';
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY });
  const headers = { authorization: `Bearer ${issuer.mint({ audience: resource, scope: 'mcp' })}` };
  for (let time = 0; time < 2; time += 1) {
    const body = new Blob([JSON.stringify(call('write'))]).stream();
    const answer = await auth.handle(new Request(resource, /** @type {RequestInit} */ ({ method: 'DELETE', headers, body, duplex: 'half' })));
    assert.ok(!(answer instanceof Response), 'it goes on');
    assert.equal(answer.request.method, 'DELETE');
    assert.equal(await answer.request.text(), '');
  }
});

test('HTTP/2: lists are filtered, and no handler sees the token', { timeout: 60_000 }, async (context) => {
  /** @type {any} */ let seen;
  const { ask, mint } = await startHttp2(
    context,
    (auth) =>
      node.protectListener(auth, (request, response) => {
        seen = [request.headers, request.rawHeaders, request.headersDistinct];
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.write(LIST.slice(0, 20));
        response.end(LIST.slice(20));
      }),
    { policy: POLICY },
  );
  const token = mint();
  const list = await ask({ 'content-type': 'application/json', authorization: `Bearer ${token}` }, TOOLS_LIST);
  assert.ok(!list.text.includes('console'), list.text);
  assert.ok(!JSON.stringify(seen).includes(token.slice(-40)));
});

test('what is no request by its headers is refused with a line in the log', async () => {
  const code = `
    const { McpAuth } = require('./dist/index.js');
    const auth = new McpAuth({ resource: 'https://a.example/mcp', authorizationServers: ['https://b.example'] });
    for (const [method, target, headers] of [['GET', '/mcp', ':path\\n/mcp'], ['G T', '/mcp', ''], ['GET', '/mcp', '\\nvalue\\nauthorization\\nBearer a'], ['', '/mcp', ''], ['GET', 'a b', '']]) {
      console.log(auth.native.decide(method, target, headers).status);
    }
  `;
  const env = { ...process.env, MCP_AUTH_LOG: 'mcp_auth::decision=info' };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=commonjs', '--eval', code], { cwd: FOLDER, env });
  assert.equal(stdout.trim(), '400\n400\n400\n400\n400');
  assert.equal(stderr.split('request refused').length, 6, stderr);
});

/** A body of so many levels. @param {number} levels */
function deep(levels) {
  /** @type {any} */ let body = {};
  for (let level = 0; level < levels; level += 1) body = { body };
  return body;
}
const circle = { ...call('open'), circle: /** @type {any} */ (undefined) };
circle.circle = circle;
class Message { jsonrpc = '2.0'; id = 1; method = 'tools/call'; params = { name: 'write', arguments: {} }; toJSON() { return call('open'); } }
const shared = { x: 1 };

/** What a parser of the application made of the body, and the status. @type {Record<string, [body: () => unknown, status: number]>} */
const PARSED = {
  'a message': [() => call('open'), 200],
  'a message without a prototype': [() => Object.assign(Object.create(null), call('open')), 200],
  'a text': [() => JSON.stringify(call('open')), 200],
  'a buffer': [() => Buffer.from(JSON.stringify(call('open'))), 200],
  '20,000 levels': [() => call('open', deep(20_000)), 400],
  '20,000 levels of lists': [() => { let body = [/** @type {any} */ (1)]; for (let level = 0; level < 20_000; level += 1) body = [body]; return body; }, 400],
  'a thousand levels': [() => deep(1000), 400],
  'a circle': [() => circle, 400],
  'one object twice': [() => call('open', { a: shared, b: shared }), 400],
  'a bigint': [() => call('open', { n: 1n }), 400],
  'toJSON that throws': [() => ({ ...call('open'), toJSON() { throw new Error('broken'); } }), 400],
  'toJSON that says something else': [() => ({ ...call('write'), toJSON: () => call('open') }), 400],
  'an instance with toJSON': [() => new Message(), 400],
  'a getter that throws': [() => ({ ...call('open'), get more() { throw new Error('broken'); } }), 400],
  'a getter that says something else each time': [() => { let asked = 0; return { ...call('open'), get params() { return { name: asked++ ? 'write' : 'open' }; } }; }, 400],
  'a proxy that throws': [() => new Proxy(call('open'), { ownKeys() { throw new Error('broken'); } }), 400],
  'a date': [() => call('open', { at: new Date(0) }), 400],
  'a map': [() => new Map(Object.entries(call('open'))), 400],
  'a function': [() => () => call('open'), 400],
  'a symbol': [() => Symbol('odd'), 400],
  'not a number': [() => call('open', { n: NaN }), 400],
  'null': [() => null, 400],
  'a list with a hole': [() => call('open', { list: [1, , 2] }), 400],
};

for (const [name, [body, status]] of Object.entries(PARSED)) {
  test(`parsed before by the application: ${name} is a ${status}`, async (context) => {
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express();
      app.use((/** @type {any} */ request, _, next) => {
        request.resume().on('end', () => ((request.body = body()), next()));
      });
      app.use(node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY })));
      app.post('/mcp', (_, response) => void response.send('ran'));
      return app;
    });
    const answer = await fetch(resource, post(mint()));
    const text = await answer.text();
    assert.equal(answer.status, status, text);
    assert.ok(!text.includes('node_modules'), text);
  });
}

test('a body that somebody began to read is refused', async (context) => {
  const { resource, mint } = await start(context, (resource, issuer) => {
    const guard = node.protectListener(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY }), (_, response) => response.end('ran'));
    return (request, response) => void request.once('readable', () => (request.read(10), guard(request, response)));
  });
  assert.equal((await fetch(resource, post(mint(), call('open', { x: 'x'.repeat(200_000) })))).status, 400);
});

const LABELS = [undefined, 'text/plain', 'application/octet-stream', 'text/html', 'application/json'];

/** Ways in which frameworks send a list. @type {Record<string, (auth: McpAuth, label: string | undefined, status: number) => any>} */
const LISTS = {
  'express, a text': (auth, label, status) => {
    const app = express();
    app.use(node.protect(auth));
    app.post('/mcp', (_, response) => void (label ? response.status(status).type(label).send(LIST) : response.status(status).send(LIST)));
    return app;
  },
  'express, a buffer': (auth, label, status) => {
    const app = express();
    app.use(node.protect(auth));
    app.post('/mcp', (_, response) => void (label ? response.status(status).type(label).send(Buffer.from(LIST)) : response.status(status).send(Buffer.from(LIST))));
    return app;
  },
  http: (auth, label, status) =>
    node.protectListener(auth, (_, response) => response.writeHead(status, label ? { 'content-type': label } : {}).end(LIST)),
  ...Object.fromEntries(
    ['a text', 'a buffer'].map((way) => [
      `fastify, ${way}`,
      async (/** @type {McpAuth} */ auth, /** @type {string | undefined} */ label, /** @type {number} */ status) => {
        const app = Fastify();
        await app.register(fastify.protect, { auth });
        app.post('/mcp', async (_, reply) => {
          reply.code(status);
          if (label) reply.type(label);
          return reply.send(way === 'a text' ? LIST : Buffer.from(LIST));
        });
        await app.ready();
        return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
      },
    ]),
  ),
  'hono, text': (auth, label, status) => {
    const app = new Hono();
    app.use(hono.protect(auth));
    app.post('/mcp', (context) => context.text(LIST, /** @type {any} */ (status), label ? { 'content-type': label } : {}));
    return getRequestListener(app.fetch);
  },
  'hono, body': (auth, label, status) => {
    const app = new Hono();
    app.use(hono.protect(auth));
    app.post('/mcp', (context) => context.body(LIST, /** @type {any} */ (status), label ? { 'content-type': label } : {}));
    return getRequestListener(app.fetch);
  },
  'new Response': (auth, label, status) =>
    getRequestListener(auth.protect(() => new Response(LIST, { status, headers: label ? { 'content-type': label } : {} }))),
};

for (const [way, serverFor] of Object.entries(LISTS)) {
  test(`${way}: a list is filtered whatever its label and status`, async (context) => {
    for (const label of LABELS) {
      for (const status of [200, 201, 400, 404, 500]) {
        const { resource, mint } = await start(context, (resource, issuer) =>
          serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY }), label, status),
        );
        const text = await (await fetch(resource, post(mint(), TOOLS_LIST))).text();
        assert.ok(!text.includes('console'), `${label} ${status}: ${text}`);
      }
    }
  });
}

for (const method of ['GET', 'DELETE', 'PUT', 'PATCH', 'OPTIONS']) {
  test(`a method override behind makes no POST of ${method} with a body`, { timeout: 60_000 }, async (context) => {
    /** @type {string[]} */ const ran = [];
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express();
      app.use(node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy: POLICY })));
      app.use((request, _, next) => ((request.method = String(request.headers['x-http-method-override'])), next()));
      app.use(express.json({ type: '*/*' }));
      app.post('/mcp', (request, response) => (ran.push(request.body?.params?.name), void response.send('ran')));
      return app;
    });
    const { port } = new URL(resource);
    for (const override of ['POST', 'post', 'Post']) {
      for (const framing of ['length', 'chunked']) {
        const body = JSON.stringify(call('write'));
        const framed = framing === 'length' ? `Content-Length: ${body.length}\r\n\r\n${body}` : `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
        const socket = connect(Number(port), '127.0.0.1');
        const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${mint()}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
        socket.write(`${method} /mcp HTTP/1.1\r\n${head}X-HTTP-Method-Override: ${override}\r\n${framed}`);
        let answer = '';
        for await (const chunk of socket) answer += chunk;
        assert.match(answer, /^HTTP\/1.1 [24]/, answer);
      }
    }
    assert.deepEqual(ran, []);
  });
}
