// @ts-check
// Streams of events end when the token of their caller is good no more, through every adapter, and handlers are told.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { request as send } from 'node:http';
import { PassThrough, pipeline } from 'node:stream';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { McpAuth } from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { run } from './support/program.mjs';
import { start } from './support/server.mjs';

const EVENT = 'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n';
const RETRY = 'retry: 1000\n\n';
const TYPE = { 'Content-Type': 'text/event-stream' };
const POLICY = { tools: { a: ['mcp'] } };
const INTROSPECTION = { clientId: 'dev', clientSecret: 'dev', alsoJwts: true, cacheMaxAge: 0 };
/** Those that begin their response before its first event is there. */
const BEGINS_AT_ONCE = ['http, writeHead', 'http, setHeader', 'express', 'fastify, hijacked', 'hono', 'web'];
const LISTEN = { jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: {} };

/**
 * One stream, as the handler sees it that makes it.
 * @typedef {{ send: (piece: string) => unknown, end: () => unknown, told: Promise<unknown> }} Sender
 * @typedef {(sender: Sender) => void} Opened
 */

/** Written to a response of `node:http`. @param {any} response @param {Opened} opened */
function written(response, opened) {
  opened({ send: (piece) => response.write(piece), end: () => response.end(), told: once(response, 'close') });
}

/** Made as a stream of Node. @param {Opened} opened */
function piped(opened) {
  const stream = new PassThrough();
  // That it was destroyed is no fault of the test's.
  stream.on('error', () => {});
  const told = new Promise((resolve) => stream.once('close', resolve));
  opened({ send: (piece) => stream.write(piece), end: () => stream.end(), told });
  return stream;
}

/** Made as a stream of the web. @param {Opened} opened */
function ofTheWeb(opened) {
  /** @type {any} */ let controller;
  /** @type {(reason: unknown) => void} */ let cancelled = () => {};
  const told = new Promise((resolve) => (cancelled = resolve));
  const stream = new ReadableStream({ start: (given) => void (controller = given), cancel: (reason) => cancelled(reason) });
  const encoder = new TextEncoder();
  opened({ send: (piece) => controller.enqueue(encoder.encode(piece)), end: () => controller.close(), told });
  return stream;
}

/** @type {Record<string, (auth: McpAuth, opened: Opened) => any>} */
const SERVERS = {
  'http, writeHead': (auth, opened) =>
    node.protectListener(auth, (_, response) => {
      response.writeHead(200, TYPE);
      written(response, opened);
    }),
  'http, setHeader': (auth, opened) =>
    node.protectListener(auth, (_, response) => {
      response.setHeader('content-type', 'text/event-stream; charset=utf-8');
      response.flushHeaders();
      written(response, opened);
    }),
  'http, with a length': (auth, opened) =>
    node.protectListener(auth, (_, response) => {
      response.setHeader('content-length', 1_000);
      response.writeHead(200, ['Content-Type', 'text/event-stream', 'Content-Length', '1000']);
      written(response, opened);
    }),
  express: (auth, opened) =>
    express()
      .use(node.protect(auth))
      .all('/mcp', (_, response) => {
        response.writeHead(200, TYPE).flushHeaders();
        written(response, opened);
      }),
  'express, pipeline': (auth, opened) =>
    express()
      .use(node.protect(auth))
      .all('/mcp', (_, response) => void pipeline(piped(opened), response.type('text/event-stream'), () => {})),
  async fastify(auth, opened) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', (_, reply) => void reply.type('text/event-stream').send(piped(opened)));
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  async 'fastify, hijacked'(auth, opened) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.all('/mcp', (_, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, TYPE);
      written(reply.raw, opened);
    });
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(auth, opened) {
    const app = new Hono().use(/** @type {any} */ (hono.protect(auth)));
    return getRequestListener(app.all('/mcp', () => new Response(ofTheWeb(opened), { headers: TYPE })).fetch);
  },
  'hono, streamSSE'(auth, opened) {
    const app = new Hono().use(/** @type {any} */ (hono.protect(auth)));
    app.all('/mcp', (context) =>
      streamSSE(context, async (stream) => {
        /** @type {() => void} */ let end = () => {};
        const ended = new Promise((resolve) => (end = () => resolve(undefined)));
        const told = new Promise((resolve) => stream.onAbort(() => resolve(undefined)));
        opened({ send: (piece) => stream.write(piece), end, told });
        await Promise.race([ended, told]);
      }),
    );
    return getRequestListener(app.fetch);
  },
  'hono, beside it'(auth, opened) {
    /** @type {Hono<any>} */
    const app = new Hono().use(/** @type {any} */ (hono.protect(auth)));
    app.all('/mcp', (context) => {
      context.env.outgoing.writeHead(200, TYPE);
      written(context.env.outgoing, opened);
      return RESPONSE_ALREADY_SENT;
    });
    return getRequestListener(app.fetch);
  },
  web: (auth, opened) => getRequestListener(auth.protect(() => new Response(ofTheWeb(opened), { headers: { ...TYPE, 'content-length': '1000' } }))),
};

/** What comes out of a queue in the order in which it was put there. @template T */
class Queue {
  /** @type {T[]} */ #items = [];
  /** @type {((item: T) => void)[]} */ #waiting = [];

  /** @param {T} item */
  put(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  /** @returns {Promise<T>} */
  take() {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** A protected server whose streams send what the test gives them.
 * @param {import('node:test').TestContext} context @param {(auth: McpAuth, opened: Opened) => any} serverFor @param {object} [settings] @param {object} [introspection] */
async function serving(context, serverFor, settings, introspection) {
  /** @type {Queue<Sender>} */
  const senders = new Queue();
  /** @type {any} */ let auth;
  const { issuer, resource, mint } = await start(context, (resource, issuer) => {
    const server = { issuer: issuer.issuer, ...introspection };
    auth = new McpAuth({ resource, authorizationServers: [server], clockTolerance: 0, ...settings });
    return serverFor(auth, (sender) => senders.put(sender));
  });
  /** @param {string | undefined} token @param {string} method */
  const open = async (token, method) => {
    const message = method === 'POST' ? JSON.stringify(LISTEN) : undefined;
    const headers = { ...(token && { authorization: `Bearer ${token}` }), accept: 'application/json, text/event-stream', ...(message && { 'content-type': 'application/json' }) };
    const request = send(resource, { method, headers, agent: false });
    request.end(message);
    const answered = once(request, 'response');
    const sender = await Promise.race([senders.take(), answered.then(([{ statusCode }]) => assert.fail(`answered with ${statusCode}`))]);
    return { sender, client: new Client(answered), leave: () => request.destroy() };
  };
  return { auth: /** @type {McpAuth} */ (auth), issuer, mint, open, revoke: (/** @type {string} */ subject) => auth.revoke({ issuer: issuer.issuer, subject }) };
}

/** Reads one response. */
class Client {
  #answered;
  #read = '';
  /** @type {AsyncIterator<string> | undefined} */ #pieces;

  /** @param {Promise<any[]>} answered */
  constructor(answered) {
    this.#answered = answered;
    // Whoever reads is told.
    answered.catch(() => {});
  }

  /** The status of an answer that is no stream. */
  async status() {
    const [response] = await this.#answered;
    response.resume();
    return response.statusCode;
  }

  /** So many characters, or everything until the end. @param {number} [length] */
  async read(length) {
    if (!this.#pieces) {
      const [response] = await this.#answered;
      assert.equal(response.statusCode ?? 200, 200);
      this.#pieces = response.setEncoding('utf8')[Symbol.asyncIterator]();
    }
    while (length === undefined || this.#read.length < length) {
      const piece = await /** @type {any} */ (this.#pieces).next();
      if (piece.done) break;
      this.#read += piece.value;
    }
    const read = this.#read.slice(0, length);
    this.#read = this.#read.slice(read.length);
    return read;
  }
}

test('a stream ends with the token of its caller, through every adapter', async (context) => {
  const opened = [];
  for (const serverFor of Object.values(SERVERS)) {
    for (const settings of [{}, { policy: POLICY }, { dangerousUnboundSessions: true }]) {
      const { mint, open } = await serving(context, serverFor, settings);
      // Long enough to connect, and no longer than the test has to be.
      for (const method of ['GET', 'POST']) {
        const stream = await open(mint({ expiresIn: 3 }), method);
        stream.sender.send(EVENT);
        opened.push(stream);
      }
    }
  }
  for (const { sender, client } of opened) {
    assert.equal(await client.read(), EVENT + RETRY);
    await sender.told;
  }
});

for (const [name, serverFor] of Object.entries(SERVERS)) {
  for (const method of ['GET', 'POST']) {
    for (const policy of [undefined, POLICY]) {
      test(`${name}: ${method}${policy ? ', under a policy' : ''}: a stream ends when its caller is revoked, and no other does`, async (context) => {
        const { mint, open, revoke } = await serving(context, serverFor, { policy });
        const [ofAlice, ofBob] = [await open(mint({ subject: 'alice' }), method), await open(mint({ subject: 'bob' }), method)];
        for (const { sender, client } of [ofAlice, ofBob]) {
          sender.send(EVENT);
          assert.equal(await client.read(EVENT.length), EVENT);
        }
        revoke('alice');
        assert.equal(await ofAlice.client.read(), RETRY);
        await ofAlice.sender.told;
        ofBob.sender.send(EVENT);
        assert.equal(await ofBob.client.read(EVENT.length), EVENT);
        revoke('bob');
        assert.equal(await ofBob.client.read(), RETRY);
        await ofBob.sender.told;
      });
    }
  }

  test(`${name}: an event that was begun is sent whole before its stream ends`, async (context) => {
    const { mint, open, revoke } = await serving(context, serverFor);
    const { sender, client } = await open(mint(), 'GET');
    const [half, rest] = [EVENT.slice(0, 20), EVENT.slice(20)];
    sender.send(EVENT);
    sender.send(half);
    assert.equal(await client.read(EVENT.length + half.length), EVENT + half);
    revoke('alice');
    sender.send(rest);
    assert.equal(await client.read(), rest + RETRY);
    await sender.told;
  });

  test(`${name}: a stream whose pieces all end within an event ends behind the first whole one`, async (context) => {
    const { mint, open, revoke } = await serving(context, serverFor);
    const { sender, client } = await open(mint(), 'GET');
    const [half, rest] = [EVENT.slice(0, 20), EVENT.slice(20)];
    sender.send(half);
    assert.equal(await client.read(half.length), half);
    revoke('alice');
    sender.send(rest + EVENT + half);
    assert.equal(await client.read(), rest + RETRY);
    await sender.told;
  });

  test(`${name}: a stream ends by itself as it would alone, and with a client that goes`, async (context) => {
    const { mint, open } = await serving(context, serverFor);
    for (const method of ['GET', 'POST']) {
      const { sender, client } = await open(mint(), method);
      sender.send(EVENT);
      sender.send(EVENT);
      sender.end();
      assert.equal(await client.read(), EVENT + EVENT);
      const gone = await open(mint(), method);
      gone.sender.send(EVENT);
      assert.equal(await gone.client.read(EVENT.length), EVENT);
      gone.leave();
      await gone.sender.told;
    }
  });
}

test('a stream without an event ends too', async (context) => {
  for (const name of BEGINS_AT_ONCE) {
    const { mint, open, revoke } = await serving(context, /** @type {any} */ (SERVERS[name]));
    const { sender, client } = await open(mint(), 'GET');
    if (name === 'http, writeHead' || name === 'fastify, hijacked') {
      // Nothing is sent of its head before something is written; it is all the same.
      await new Promise((resolve) => setImmediate(resolve));
    }
    revoke('alice');
    assert.equal(await client.read(), RETRY, name);
    await sender.told;
  }
});

test('an answer to a POST of which nothing was sent is refused when its caller is revoked', async (context) => {
  for (const name of BEGINS_AT_ONCE) {
    const { mint, open, revoke } = await serving(context, /** @type {any} */ (SERVERS[name]));
    const { sender, client } = await open(mint(), 'POST');
    revoke('alice');
    assert.equal(await client.status(), 401, name);
    await sender.told;
  }
});

test('an answer to a POST of which nothing was sent is refused when its token has expired', async (context) => {
  const opened = [];
  for (const name of BEGINS_AT_ONCE) {
    const { mint, open } = await serving(context, /** @type {any} */ (SERVERS[name]));
    opened.push(await open(mint({ expiresIn: 3 }), 'POST'));
  }
  for (const { sender, client } of opened) {
    assert.equal(await client.status(), 401);
    await sender.told;
  }
});

test('the issuer is asked again about a token that it told of, while a stream is open', async (context) => {
  const opened = [];
  for (const serverFor of Object.values(SERVERS)) {
    const { mint, open, issuer } = await serving(context, serverFor, {}, { introspection: INTROSPECTION });
    for (const method of ['GET', 'POST']) {
      for (const opaque of [true, false]) {
        const token = mint({ opaque });
        const stream = await open(token, method);
        stream.sender.send(EVENT);
        assert.equal(await stream.client.read(EVENT.length), EVENT);
        issuer.revoke(token);
        opened.push(stream);
      }
    }
  }
  for (const { sender, client } of opened) {
    assert.equal(await client.read(), RETRY);
    await sender.told;
  }
});

test('what a handler writes after the end of its stream goes nowhere', async (context) => {
  /** @type {Queue<any>} */
  const responses = new Queue();
  const { mint, open, revoke } = await serving(context, (auth, opened) =>
    node.protectListener(auth, (_, response) => {
      response.writeHead(200, TYPE);
      responses.put(response);
      written(response, opened);
    }),
  );
  const { sender, client } = await open(mint(), 'GET');
  sender.send(EVENT);
  assert.equal(await client.read(EVENT.length), EVENT);
  revoke('alice');
  assert.equal(await client.read(), RETRY);
  await sender.told;
  const response = await responses.take();
  const failed = await new Promise((resolve) => assert.equal(response.write(EVENT, resolve), false));
  assert.match(failed.message, /the token of its caller is good no more/);
  response.end(EVENT);
});

test('HTTP/2: a stream ends when its caller is revoked, between two events, and no other does', async (context) => {
  const issuer = new DevIssuer();
  const server = createHttp2Server();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const resource = `http://127.0.0.1:${port}/mcp`;
  const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], clockTolerance: 0 });
  /** @type {Queue<Sender>} */
  const senders = new Queue();
  server.on('request', /** @type {any} */ (node.protectListener(auth, (_, response) => {
    response.writeHead(200, TYPE);
    written(response, (sender) => senders.put(sender));
  })));
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  context.after(() => {
    session.destroy();
    server.close();
    issuer.stop();
  });
  /** @param {object} token */
  const open = async (token) => {
    const stream = session.request({ ':method': 'GET', ':path': '/mcp', authorization: `Bearer ${issuer.mint({ audience: resource, ...token })}` });
    stream.end();
    return { sender: await senders.take(), client: new Client(Promise.resolve([stream])) };
  };
  const [ofAlice, ofBob, ofCarol] = [await open({ subject: 'alice' }), await open({ subject: 'bob' }), await open({ subject: 'carol', expiresIn: 3 })];
  for (const { sender, client } of [ofAlice, ofBob, ofCarol]) {
    sender.send(EVENT + EVENT.slice(0, 20));
    assert.equal(await client.read(EVENT.length + 20), EVENT + EVENT.slice(0, 20));
  }
  auth.revoke({ issuer: issuer.issuer, subject: 'alice' });
  for (const { sender } of [ofAlice, ofBob, ofCarol]) sender.send(EVENT.slice(20));
  assert.equal(await ofAlice.client.read(), EVENT.slice(20) + RETRY);
  await ofAlice.sender.told;
  assert.equal(await ofCarol.client.read(), EVENT.slice(20) + RETRY);
  await ofCarol.sender.told;
  ofBob.sender.send(EVENT);
  assert.equal(await ofBob.client.read(EVENT.length * 2 - 20), EVENT.slice(20) + EVENT);
});

test('a stream that needed no token goes on', async (context) => {
  const policy = /** @type {const} */ ({ methods: { 'subscriptions/listen': { access: 'public' } } });
  for (const name of ['http, writeHead', 'hono', 'web']) {
    const { open, revoke } = await serving(context, /** @type {any} */ (SERVERS[name]), { policy });
    const { sender, client } = await open(undefined, 'POST');
    for (const end of [() => {}, () => revoke('alice'), sender.end]) {
      sender.send(EVENT);
      assert.equal(await client.read(EVENT.length), EVENT, name);
      end();
    }
    assert.equal(await client.read(), '', name);
  }
});

test('neither a timer nor a stream that nobody reads keeps the process alive', async () => {
  const printed = await run(`(async () => {
    const { once } = require('node:events');
    const { createServer, request: send } = require('node:http');
    const { McpAuth } = require('./dist/index.js');
    const { protectListener } = require('./dist/http.js');
    const { DevIssuer } = require('./dist/testing.js');
    const issuer = new DevIssuer();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const resource = 'http://127.0.0.1:' + server.address().port + '/mcp';
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    const headers = { authorization: 'Bearer ' + issuer.mint({ audience: resource }) };
    const type = { 'content-type': 'text/event-stream' };
    server.on('request', protectListener(auth, (_, response) => void response.writeHead(200, type).write('data: 1\\n\\n')));
    const request = send(resource, { headers });
    request.end();
    const [response] = await once(request, 'response');
    response.on('error', () => {});
    await once(response, 'data');
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([10])) });
    const answer = await auth.protect(() => new Response(body, { headers: type }))(new Request(resource, { headers }));
    await answer.body.getReader().read();
    server.closeAllConnections();
    server.close();
    issuer.stop();
    console.log('ends');
  })()`);
  assert.equal(printed, 'ends');
});

test('an open stream asks the revocation check, though its caller sends nothing', async (context) => {
  const dismissed = new Set();
  const options = { revocationCheck: (/** @type {any} */ caller) => dismissed.has(caller.subject), revocationCheckInterval: 1 };
  const server = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] }, options);
    return node.protectListener(auth, (_, response) => {
      response.writeHead(200, TYPE);
      response.write(EVENT);
    });
  });
  const headers = { authorization: `Bearer ${server.mint({ subject: 'mallory' })}`, accept: 'text/event-stream' };
  const stream = await fetch(server.resource, { headers });
  dismissed.add('mallory');
  assert.equal(await stream.text(), EVENT + RETRY);
});
