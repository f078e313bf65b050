// @ts-check
// Whose a session of the official SDKs is: they bind it to nobody, so that we do.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { Client as Client2, StreamableHTTPClientTransport as ClientTransport2 } from '@modelcontextprotocol/client';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as ClientTransport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer as Server1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { McpServer as Server2 } from '@modelcontextprotocol/server';
import express from 'express';
import { caller, McpAuth } from '../dist/index.js';
import { protect } from '../dist/http.js';
import { blocks, compile, makeFolder } from './support/documentation.mjs';
import { start } from './support/server.mjs';

/** Who is calling, as we and as the SDK say it. @param {any} extra */
const whoami = (extra) => ({
  content: [{ type: /** @type {const} */ ('text'), text: JSON.stringify([caller(extra).subject, (extra.authInfo ?? extra.http.authInfo).extra.subject]) }],
});

const IMPORT_1 = "import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';";
/** @type {Record<string, { makeServer: () => any, Transport: any, imported: string, Client: any, ClientTransport: any }>} */
const GENERATIONS = {
  '1.x': {
    makeServer: () => withTool(new Server1({ name: 'sessions', version: '1' })),
    Transport: StreamableHTTPServerTransport,
    imported: IMPORT_1,
    Client: Client1,
    ClientTransport: ClientTransport1,
  },
  '2.x': {
    makeServer: () => withTool(new Server2({ name: 'sessions', version: '1' })),
    Transport: NodeStreamableHTTPServerTransport,
    imported: "import { NodeStreamableHTTPServerTransport as StreamableHTTPServerTransport } from '@modelcontextprotocol/node';",
    Client: Client2,
    ClientTransport: ClientTransport2,
  },
};

/** @param {any} server */
function withTool(server) {
  server.registerTool('whoami', {}, whoami);
  return server;
}

const CALL = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
};

/** @param {string} resource @param {string} token @param {string} method @param {object} [message] @param {string} [session] */
async function send(resource, token, method, message, session) {
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  if (session) headers['mcp-session-id'] = session;
  const ended = new AbortController();
  const answer = await fetch(resource, { method, headers, body: message && JSON.stringify(message), signal: ended.signal });
  // A stream that was opened goes on for ever: its status says enough.
  const text = method === 'GET' ? '' : await answer.text();
  ended.abort();
  return { status: answer.status, text, session: answer.headers.get('mcp-session-id') ?? undefined };
}

/** The routes of the documentation, for one generation of the SDK.
 * @param {import('node:test').TestContext} context @param {string} imported @returns {Promise<(app: any, makeServer: () => any) => void>} */
async function printedRoute(context, imported) {
  const [code = ''] = blocks('docs/node.md').filter((block) => block.includes('mcp-session-id'));
  const lines = code.replace(IMPORT_1, imported).split('\n');
  const isImport = (/** @type {string} */ line) => line.startsWith('import ');
  const inside = lines.filter((line) => !isImport(line)).join('\n');
  const imports = [...lines.filter(isImport), "import type { Express } from 'express';"].join('\n');
  const folder = makeFolder(context);
  writeFileSync(join(folder, 'route.mts'), `${imports}\nexport function route(app: Express, makeServer: () => any) {\n${inside}}\n`);
  await compile(folder);
  return (await import(pathToFileURL(join(folder, 'out/route.mjs')).href)).route;
}

for (const [generation, { makeServer, Transport, imported, Client, ClientTransport }] of Object.entries(GENERATIONS)) {
  test(`${generation} binds a session to nobody: in one that somebody else opened, and that we do not bind, the caller is who calls`, async (context) => {
    /** @type {Map<string, any>} */
    const transports = new Map();
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express().use(protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], dangerousUnboundSessions: true })));
      return app.all('/mcp', async (request, response) => {
        const known = transports.get(request.get('mcp-session-id') ?? '');
        if (known) return known.handleRequest(request, response);
        const transport = new Transport({ sessionIdGenerator: randomUUID, onsessioninitialized: (/** @type {string} */ id) => transports.set(id, transport) });
        await makeServer().connect(transport);
        await transport.handleRequest(request, response);
      });
    });
    const { session } = await send(resource, mint({ subject: 'alice' }), 'POST', INITIALIZE);
    assert.ok(session);
    for (const subject of ['alice', 'bob', 'alice']) {
      const { status, text } = await send(resource, mint({ subject }), 'POST', CALL, session);
      assert.equal(status, 200);
      assert.ok(text.includes(JSON.stringify(JSON.stringify([subject, subject])).slice(1, -1)), text);
    }
    assert.equal((await send(resource, mint({ subject: 'bob' }), 'GET', undefined, session)).status, 200);
    assert.equal((await send(resource, mint({ subject: 'bob' }), 'DELETE', undefined, session)).status, 200);
  });

  test(`nobody uses the session of somebody else of ${generation}, with the code of the documentation`, async (context) => {
    const route = await printedRoute(context, imported);
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express().use(protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
      route(app, makeServer);
      return app;
    });

    const alice = mint({ subject: 'alice', clientId: 'app' });
    const { session } = await send(resource, alice, 'POST', INITIALIZE);
    const others = {
      bob: mint({ subject: 'bob', clientId: 'app' }),
      'alice in another client': mint({ subject: 'alice', clientId: 'other' }),
      'a machine': mint({ clientId: 'app', without: ['sub'] }),
      nobody: mint({ without: ['sub', 'client_id'] }),
    };
    for (const [name, token] of Object.entries(others)) {
      for (const [method, message] of /** @type {const} */ ([['GET', undefined], ['POST', CALL], ['DELETE', undefined]])) {
        assert.equal((await send(resource, token, method, message, session)).status, 404, `${name}: ${method}`);
      }
    }
    // Another token of hers, as after a refresh.
    const again = mint({ subject: 'alice', clientId: 'app', scope: 'more', claims: { jti: '2' } });
    for (const same of [alice, again]) {
      assert.equal((await send(resource, same, 'POST', CALL, session)).status, 200);
      assert.equal((await send(resource, same, 'GET', undefined, session)).status, 200);
    }
    assert.equal((await send(resource, again, 'DELETE', undefined, session)).status, 200);
    assert.equal((await send(resource, alice, 'POST', CALL, session)).status, 404);
  });

  test(`a client of ${generation} works through a whole session, with a renewed token, and one of somebody else does not`, async (context) => {
    const route = await printedRoute(context, imported);
    const { resource, mint } = await start(context, (resource, issuer) => {
      const app = express().use(protect(new McpAuth({ resource, authorizationServers: [issuer.issuer] })));
      route(app, makeServer);
      return app;
    });
    let token = mint({ subject: 'alice' });
    const transport = new ClientTransport(new URL(resource), {
      fetch: (/** @type {any} */ url, /** @type {any} */ given = {}) => {
        const headers = new Headers(given.headers);
        headers.set('authorization', `Bearer ${token}`);
        return fetch(url, { ...given, headers });
      },
    });
    const client = new Client({ name: 'client', version: '1' });
    await client.connect(transport);
    context.after(() => client.close());
    const { sessionId } = transport;
    assert.match(sessionId, /^[\w-]{36}\.[\w-]{22}$/);
    const called = async () => JSON.parse((await client.callTool({ name: 'whoami', arguments: {} })).content[0].text);
    assert.deepEqual(await called(), ['alice', 'alice']);
    token = mint({ subject: 'alice', claims: { jti: 'renewed' } });
    assert.deepEqual(await called(), ['alice', 'alice']);
    token = mint({ subject: 'bob' });
    await assert.rejects(called());
    token = mint({ subject: 'alice' });
    await transport.terminateSession();
    assert.equal((await send(resource, token, 'POST', CALL, sessionId)).status, 404);
  });

  test(`a client of ${generation} connects again when its stream has ended, and its session goes on`, async (context) => {
    const route = await printedRoute(context, imported);
    /** @type {any} */ let auth;
    const { issuer, resource, mint } = await start(context, (resource, issuer) => {
      auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
      const app = express().use(protect(auth));
      route(app, makeServer);
      return app;
    });
    let token = mint({ subject: 'alice' });
    /** @type {(token: string) => void} */ let onStream = () => {};
    const transport = new ClientTransport(new URL(resource), {
      fetch: async (/** @type {any} */ url, /** @type {any} */ given = {}) => {
        const headers = new Headers(given.headers);
        const used = token;
        headers.set('authorization', `Bearer ${used}`);
        const answer = await fetch(url, { ...given, headers });
        if ((given.method ?? 'GET') === 'GET' && answer.ok) onStream(used);
        return answer;
      },
    });
    const opened = () => new Promise((resolve) => (onStream = resolve));
    const first = opened();
    const client = new Client({ name: 'client', version: '1' });
    await client.connect(transport);
    context.after(() => client.close());
    assert.equal(await first, token);
    const { sessionId } = transport;
    const again = opened();
    token = mint({ subject: 'alice', issuedAt: Math.floor(Date.now() / 1000) + 5 });
    auth.revoke({ issuer: issuer.issuer, subject: 'alice' });
    assert.equal(await again, token);
    const called = await client.callTool({ name: 'whoami', arguments: {} });
    assert.deepEqual(JSON.parse(called.content[0].text), ['alice', 'alice']);
    assert.equal(transport.sessionId, sessionId);
  });
}
