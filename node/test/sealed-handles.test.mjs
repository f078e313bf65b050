// @ts-check
// Tasks and states are of the caller who got them, through every adapter and whatever has parsed the body before.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client2, StreamableHTTPClientTransport as ClientTransport2 } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, inputRequired, McpServer as Server2 } from '@modelcontextprotocol/server';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { McpAuth } from '../dist/index.js';
import * as node from '../dist/adapters/node.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { post, start } from './support/server.mjs';

const SEALED = { sealTaskIds: true, sealRequestState: true };

/** What a server answers to what it sees: the task that is named, and what else came. @param {any} body @param {unknown} length @param {unknown} name */
function answerTo(body, length, name) {
  const { id, method, params } = body;
  if (method === 'tools/call') return { jsonrpc: '2.0', id, result: { resultType: 'task', taskId: 't1', requestState: 'step' } };
  const seen = [params, Number(length), name ?? null, Buffer.byteLength(JSON.stringify(body))];
  return { jsonrpc: '2.0', id, result: { taskId: 't1', seen } };
}

/** @param {any} request @param {any} body */
const ofNode = (request, body) => answerTo(body, request.headers['content-length'], request.headers['mcp-name']);

/** Express with this parser before us. @param {any} parser @param {(body: any) => any} value */
const parsing = (parser, value) => (/** @type {McpAuth} */ auth) =>
  express()
    .use(parser)
    .use(node.protect(auth))
    .post('/mcp', (request, response) => void response.json(ofNode(request, value(request.body))));

/** @type {Record<string, (auth: McpAuth) => any>} */
const SERVERS = {
  http: (auth) =>
    node.protectListener(auth, (request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(ofNode(request, request.body)));
    }),
  express: (auth) => express().use(node.protect(auth)).post('/mcp', (request, response) => void response.json(ofNode(request, request.body))),
  'express, a parser behind': (auth) =>
    express().use(node.protect(auth)).use(express.json()).post('/mcp', (request, response) => void response.json(ofNode(request, request.body))),
  'express, parsed before': parsing(express.json(), (body) => body),
  'express, bytes before': parsing(express.raw({ type: () => true }), (body) => JSON.parse(body.toString())),
  'express, text before': parsing(express.text({ type: () => true }), (body) => JSON.parse(body)),
  async fastify(auth) {
    const app = Fastify();
    await app.register(fastify.protect, { auth });
    app.post('/mcp', async (request) => ofNode(request.raw, request.body));
    await app.ready();
    return (/** @type {any} */ request, /** @type {any} */ response) => app.routing(request, response);
  },
  hono(auth) {
    /** @type {Hono<any>} */
    const app = new Hono();
    app.use(hono.protect(auth));
    app.post('/mcp', async (context) => {
      const body = await context.req.json();
      const { headers } = context.env.incoming;
      assert.equal(context.req.header('content-length'), headers['content-length']);
      return context.json(answerTo(body, context.req.header('content-length'), headers['mcp-name']));
    });
    return getRequestListener(app.fetch);
  },
  web(auth) {
    return getRequestListener(
      auth.protect(async (request) => Response.json(answerTo(await request.json(), request.headers.get('content-length'), request.headers.get('mcp-name')))),
    );
  },
};

/** @param {string} method @param {object} params */
const message = (method, params) => ({ jsonrpc: '2.0', id: 1, method, params });

for (const [name, serverFor] of Object.entries(SERVERS)) {
  test(`${name}: a handler sees its own handles, and a client sealed ones`, async (context) => {
    let reached = 0;
    const { resource, mint } = await start(context, async (resource, issuer) => {
      const listener = await serverFor(new McpAuth({ resource, authorizationServers: [issuer.issuer], ...SEALED }));
      return (request, response) => {
        reached += 1;
        return listener(request, response);
      };
    });
    const [alice, bob] = ['alice', 'bob'].map((subject) => mint({ subject, clientId: 'app' }));
    /** @param {string} token @param {object} body @param {Record<string, string>} [headers] */
    const ask = async (token, body, headers = {}) => {
      const sent = post(token, body);
      const answer = await fetch(resource, { ...sent, headers: { .../** @type {any} */ (sent.headers), ...headers } });
      return { status: answer.status, .../** @type {any} */ (await answer.json()) };
    };
    const { taskId, requestState } = (await ask(alice, message('tools/call', { name: 'pay' }))).result;
    assert.match(taskId, /^t1\.[\w-]{22}$/);
    assert.match(requestState, /^step\.[\w-]{30}$/);
    const params = { taskId, text: 'é', number: 1.5 };
    const got = await ask(alice, message('tasks/get', params), { 'mcp-name': taskId });
    const length = Buffer.byteLength(JSON.stringify(message('tasks/get', { ...params, taskId: 't1' })));
    assert.deepEqual(got.result.seen, [{ ...params, taskId: 't1' }, length, 't1', length]);
    assert.equal(got.result.taskId, taskId);
    const again = await ask(alice, message('tools/call', { name: 'pay', requestState }));
    assert.equal(again.status, 200);
    assert.ok(reached > 0);
    for (const [token, refused] of /** @type {[string, object][]} */ ([
      [bob, message('tasks/get', { taskId })],
      [bob, message('tools/call', { name: 'pay', requestState })],
      [alice, message('tools/call', { name: 'other', requestState })],
      [alice, message('tasks/get', { taskId: 't1' })],
    ])) {
      const answer = await ask(token, refused);
      assert.deepEqual([answer.status, answer.error?.code], [200, -32602], JSON.stringify(answer));
    }
  });
}

test('tasks of the official SDK are of whoever made them', async (context) => {
  const store = new InMemoryTaskStore();
  context.after(() => store.cleanup());
  const makeServer = () => {
    const server = new McpServer({ name: 'tasks', version: '1' }, { capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } }, taskStore: store });
    server.experimental.tasks.registerToolTask('slow', { execution: { taskSupport: 'required' } }, {
      async createTask(/** @type {any} */ extra) {
        const task = await extra.taskStore.createTask({ ttl: 60_000, pollInterval: 10 });
        await extra.taskStore.storeTaskResult(task.taskId, 'completed', { content: [{ type: 'text', text: extra.authInfo.extra.subject }] });
        return { task };
      },
      getTask: (/** @type {any} */ extra) => extra.taskStore.getTask(extra.taskId),
      getTaskResult: (/** @type {any} */ extra) => extra.taskStore.getTaskResult(extra.taskId),
    });
    return server;
  };
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const transports = new Map();
  const { resource, mint } = await start(context, (resource, issuer) => {
    const app = express().use(node.protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], ...SEALED, sealEventIds: true })));
    return app.all('/mcp', async (request, response) => {
      const known = transports.get(request.get('mcp-session-id') ?? '');
      if (known) return known.handleRequest(request, response, request.body);
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void transports.set(id, transport) });
      await makeServer().connect(/** @type {any} */ (transport));
      await transport.handleRequest(request, response, request.body);
    });
  });
  /** @param {string} subject */
  const connect = async (subject) => {
    const client = new Client({ name: 'tasks', version: '1' }, { capabilities: {} });
    const headers = { authorization: `Bearer ${mint({ subject, clientId: 'app' })}` };
    const transport = new StreamableHTTPClientTransport(new URL(resource), { requestInit: { headers } });
    await client.connect(/** @type {any} */ (transport));
    context.after(() => client.close());
    return client;
  };
  const [alice, bob] = [await connect('alice'), await connect('bob')];
  let taskId = '';
  let result;
  for await (const event of alice.experimental.tasks.callToolStream({ name: 'slow', arguments: {} }, CallToolResultSchema, { task: { ttl: 60_000 } })) {
    if (event.type === 'taskCreated') taskId = event.task.taskId;
    if (event.type === 'result') result = event.result;
    assert.notEqual(event.type, 'error', JSON.stringify(event));
  }
  assert.match(taskId, /\.[\w-]{22}$/);
  assert.deepEqual(/** @type {any} */ (result).content, [{ type: 'text', text: 'alice' }]);
  assert.equal((await alice.experimental.tasks.getTask(taskId)).status, 'completed');
  assert.deepEqual((await alice.experimental.tasks.listTasks()).tasks.map((task) => task.taskId), [taskId]);
  const [raw = ''] = taskId.split('.');
  for (const [client, task] of /** @type {[Client, string][]} */ ([[bob, taskId], [bob, raw], [alice, raw], [alice, `${taskId}x`]])) {
    const { tasks } = client.experimental;
    for (const refused of [tasks.getTask(task), tasks.getTaskResult(task, CallToolResultSchema), tasks.cancelTask(task)]) {
      await assert.rejects(refused, { code: -32602 });
    }
  }
  assert.deepEqual((await bob.experimental.tasks.listTasks()).tasks, []);
});

test('a state of the official SDK, version 2, comes back from the caller to whom it was given alone', async (context) => {
  /** @type {(string | undefined)[]} */
  const states = [];
  const handler = createMcpHandler(() => {
    const server = new Server2({ name: 'states', version: '1' });
    for (const tool of ['order', 'refund']) {
      server.registerTool(tool, {}, (/** @type {any} */ context) => {
        const state = context.mcpReq.requestState?.();
        states.push(state);
        if (state === 'step 2') return { content: [{ type: 'text', text: 'done' }] };
        return /** @type {any} */ (inputRequired({ requestState: state === 'step 1' ? 'step 2' : 'step 1' }));
      });
    }
    return server;
  });
  const handle = toNodeHandler(handler);
  const { resource, mint } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], ...SEALED });
    return node.protectListener(auth, (request, response) => void handle(request, response, /** @type {any} */ (request).body));
  });
  /** @param {string} subject @param {string} [clientId] */
  const connect = async (subject, clientId = 'app') => {
    const client = new Client2({ name: 'states', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const headers = { authorization: `Bearer ${mint({ subject, clientId })}` };
    await client.connect(new ClientTransport2(new URL(resource), { requestInit: { headers } }));
    context.after(() => client.close());
    return client;
  };
  /** @param {Client2} client @param {string} [requestState] @param {string} [name] @returns {Promise<any>} */
  const call = (client, requestState, name = 'order') => {
    const params = { name, arguments: {}, ...(requestState && { requestState }) };
    return client.request({ method: 'tools/call', params }, { allowInputRequired: true });
  };
  const [alice, renewed, bob] = [await connect('alice'), await connect('alice'), await connect('bob')];
  const first = (await call(alice)).requestState;
  assert.match(first, /^step 1\.[\w-]{30}$/);
  const second = (await call(alice, first)).requestState;
  assert.match(second, /^step 2\.[\w-]{30}$/);
  for (const [client, state, tool] of /** @type {[Client2, string, string][]} */ ([
    [bob, second, 'order'],
    [await connect('alice', 'other'), second, 'order'],
    [alice, second, 'refund'],
    [alice, 'step 2', 'order'],
    [alice, second.slice(0, -1), 'order'],
  ])) {
    await assert.rejects(call(client, state, tool), { code: -32602 });
  }
  assert.deepEqual((await call(renewed, second)).content, [{ type: 'text', text: 'done' }]);
  assert.deepEqual(states, [undefined, 'step 1', 'step 2'], 'what was refused was not handed on');
});
