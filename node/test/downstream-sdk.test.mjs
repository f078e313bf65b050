// @ts-check
// Tools of the official SDK, of both generations, that call another API for their callers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer as Server1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { UrlElicitationRequiredError as Required1 } from '@modelcontextprotocol/sdk/types.js';
import { McpServer as Server2, UrlElicitationRequiredError as Required2 } from '@modelcontextprotocol/server';
import express from 'express';
import { elicits, McpAuth, requires } from '../dist/index.js';
import { protect } from '../dist/http.js';
import { claimsOf } from './support/calling.mjs';
import { call, grantsAt, post, start } from './support/server.mjs';

/** @param {any} server @param {McpAuth} auth */
function register(server, auth) {
  const reports = auth.downstream('reports');
  const said = (/** @type {import('../dist/index.js').DownstreamToken} */ token) => ({ content: [{ type: 'text', text: claimsOf(token.expose()).sub }] });
  server.registerTool('named', {}, async (/** @type {any} */ extra) => said(await reports.tokenFor(extra)));
  server.registerTool('known', {}, async () => said(await reports.tokenFor()));
  server.registerTool('declared', {}, requires([], async () => said(await reports.tokenFor())));
  const goOn = async (/** @type {any} */ extra) => {
    try {
      return said(await reports.tokenFor(extra));
    } catch {
      return { content: [{ type: 'text', text: 'without' }] };
    }
  };
  server.registerTool('caught', {}, requires([], /** @type {any} */ (goOn)));
  return server;
}

/** @type {Record<string, (auth: McpAuth) => { server: any, transport: any }>} */
const GENERATIONS = {
  '1.x': (auth) => ({
    server: register(new Server1({ name: 'reports', version: '1' }), auth),
    transport: new StreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
  }),
  '2.x': (auth) => ({
    server: register(new Server2({ name: 'reports', version: '1' }), auth),
    transport: new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
  }),
};

/** A request of an MCP client. @param {string} token @param {object} message @param {Record<string, string>} [headers] */
function asked(token, message, headers) {
  const request = post(token, message);
  request.headers = { ...request.headers, accept: 'application/json, text/event-stream', ...headers };
  return request;
}

/** What the last event says. @param {string} text */
const resultOf = (text) => JSON.parse(text.split('\n').filter((line) => line.startsWith('data: {')).at(-1)?.slice(6) ?? '{}').result;

/** @param {import('node:test').TestContext} context @param {(auth: McpAuth) => import('express').RequestHandler} makeHandler */
function startServer(context, makeHandler) {
  return start(context, (resource, { issuer }) => {
    const reports = { issuer, clientId: 'dev', clientSecret: 'dev', audience: ['reports'], scopes: ['mcp'], dangerousAllowHttp: true };
    const auth = new McpAuth({ resource, authorizationServers: [issuer], requiredScopes: ['mcp'], downstreams: { reports } });
    const app = express();
    app.use(protect(auth));
    app.use(express.json());
    app.all('/mcp', makeHandler(auth));
    return app;
  });
}

for (const [generation, make] of Object.entries(GENERATIONS)) {
  test(`${generation}: tools get tokens of their callers, and what these have to do first is the response`, { timeout: 60_000 }, async (context) => {
    const { resource, mint, issuer } = await startServer(context, (auth) => async (request, response) => {
      const { server, transport } = make(auth);
      await server.connect(transport);
      await transport.handleRequest(request, response, request.body);
    });
    for (const tool of ['named', 'known', 'declared']) {
      const answers = ['alice', 'bob', 'carol'].map(async (subject) => resultOf(await (await fetch(resource, asked(mint({ subject }), call(tool)))).text()).content[0].text);
      assert.deepEqual(await Promise.all(answers), ['alice', 'bob', 'carol'], tool);
    }
    issuer.setMode('token:error:invalid_grant');
    for (const tool of ['named', 'known', 'declared']) {
      const refused = await fetch(resource, asked(mint({ subject: tool }), call(tool)));
      assert.equal(refused.status, 401, `${tool}: ${await refused.text()}`);
      assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    }
    const caught = await fetch(resource, asked(mint({ subject: 'dave' }), call('caught')));
    assert.equal(resultOf(await caught.text()).content[0].text, 'without', 'whoever catches it has withdrawn it');
    issuer.setMode('token:status:503');
    const outage = await fetch(resource, asked(mint({ subject: 'erin' }), call('named')));
    const result = resultOf(await outage.text());
    assert.deepEqual([result.isError, result.content[0].text], [true, 'a token for another API cannot be had right now']);
  });
}

test('1.x, with sessions: each call is for whom it came from', { timeout: 60_000 }, async (context) => {
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const sessions = new Map();
  const { resource, mint } = await startServer(context, (auth) => async (request, response) => {
    const known = sessions.get(String(request.headers['mcp-session-id']));
    if (known) return known.handleRequest(request, response, request.body);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, transport) });
    await register(new Server1({ name: 'reports', version: '1' }), auth).connect(/** @type {any} */ (transport));
    await transport.handleRequest(request, response, request.body);
  });
  const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } } };
  const users = await Promise.all(
    ['alice', 'bob', 'carol', 'dave'].map(async (subject) => {
      const token = mint({ subject });
      const begun = await fetch(resource, asked(token, initialize));
      await begun.text();
      return { subject, token, headers: { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '' } };
    }),
  );
  const calls = Array.from({ length: 5 }, () => users).flat();
  for (const tool of ['named', 'known', 'declared']) {
    const answers = calls.map(async ({ token, headers }) => resultOf(await (await fetch(resource, asked(token, call(tool), headers))).text()).content[0].text);
    assert.deepEqual(await Promise.all(answers), calls.map(({ subject }) => subject), tool);
  }
});

/** @type {Record<string, { server: () => any, transport: () => any, required: any }>} */
const ELICITING = {
  '1.x': {
    server: () => new Server1({ name: 'issues', version: '1' }),
    transport: () => new StreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
    required: Required1,
  },
  '2.x': {
    server: () => new Server2({ name: 'issues', version: '1' }),
    transport: () => new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
    required: Required2,
  },
};

for (const [generation, { server: makeServer, transport: makeTransport, required }] of Object.entries(ELICITING)) {
  test(`${generation}: what a user has to open first is the error with which clients open it`, { timeout: 60_000 }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-grants-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const { resource, origin, mint } = await start(context, (resource, { issuer }) => {
      const auth = new McpAuth(grantsAt(resource, issuer, folder));
      const app = express();
      app.use(protect(auth));
      app.use(express.json());
      app.post('/mcp', async (request, response) => {
        const [server, transport] = [makeServer(), makeTransport()];
        const tool = async (/** @type {any} */ extra) => {
          await auth.downstream('github').tokenFor(extra);
          return { content: [] };
        };
        server.registerTool('issues', {}, elicits(required, tool));
        server.registerTool('declared', {}, requires([], elicits(required, tool)));
        server.registerTool('plain', {}, tool);
        server.registerTool('leave', {}, async (/** @type {any} */ extra) => {
          await auth.downstream('github').disconnect(extra);
          return { content: [{ type: 'text', text: 'left' }] };
        });
        await server.connect(transport);
        await transport.handleRequest(request, response, request.body);
      });
      return app;
    });
    const ask = async (/** @type {string} */ tool) => {
      const text = await (await fetch(resource, asked(mint(), call(tool)))).text();
      return JSON.parse(text.split('\n').filter((line) => line.startsWith('data: {')).at(-1)?.slice(6) ?? '{}');
    };
    for (const tool of ['issues', 'declared']) {
      const { error } = await ask(tool);
      assert.equal(error?.code, -32042, tool);
      const [elicitation, ...more] = error.data.elicitations;
      assert.equal(more.length, 0);
      assert.equal(elicitation.mode, 'url');
      assert.ok(elicitation.url.startsWith(`${origin}/connect/github?`), elicitation.url);
      assert.ok(elicitation.elicitationId && elicitation.message);
      const page = await fetch(elicitation.url, { redirect: 'manual' });
      assert.ok([302, 303].includes(page.status), 'it leads somewhere');
    }
    assert.equal((await ask('plain')).result.isError, true, 'the SDK hands on errors of its own class alone');
    assert.deepEqual((await ask('leave')).result, (await ask('leave')).result);
  });
}

test('`elicits` is told what it was given wrongly, and hands on every other error', async () => {
  for (const wrong of [[undefined, () => 1], [Required1, undefined]]) assert.throws(() => /** @type {any} */ (elicits)(...wrong), /`elicits` takes the class and the handler/);
  const other = new Error('other');
  await assert.rejects(elicits(Required1, () => Promise.reject(other))(), (error) => error === other);
});
