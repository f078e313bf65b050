// @ts-check
// What the package has for tests of one's own server.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { createMcpHandler, McpServer as Server2 } from '@modelcontextprotocol/server';
import { McpServer as Server1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { toNodeHandler } from '@modelcontextprotocol/node';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import { McpAuth, requires } from '../dist/index.js';
import { caller, protect, protectListener } from '../dist/http.js';
import { protect as protectFastify } from '../dist/adapters/fastify.js';
import { protect as protectHono } from '../dist/adapters/hono.js';
import { BROKEN, DevIssuer, Refused } from '../dist/testing.js';

/** @param {string} text */
const said = (text) => ({ content: [{ type: /** @type {const} */ ('text'), text }] });

/** A request to a server of the official SDK 1.x. @param {any} request @param {any} response @param {unknown} [body] */
async function serve1(request, response, body) {
  const server = new Server1({ name: 'tested', version: '1' });
  server.registerTool('whoami', {}, (extra) => said(String(caller(extra).subject)));
  server.registerTool('wipe', {}, requires('adm', () => said('wiped')));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(/** @type {any} */ (transport));
  await transport.handleRequest(request, response, body);
}

/** The same of 2.x. */
const handler2 = createMcpHandler(() => {
  const server = new Server2({ name: 'tested', version: '1' });
  server.registerTool('whoami', {}, (context) => said(String(caller(context).subject)));
  server.registerTool('wipe', {}, requires('adm', () => said('wiped')));
  return server;
});

/** @type {Record<string, (auth: McpAuth) => import('../dist/testing.js').App | Promise<import('../dist/testing.js').App>>} */
const APPS = {
  'Express, SDK 1': (auth) => express().use(protect(auth)).use((request, response) => serve1(request, response)),
  'Express, SDK 2': (auth) => express().use(protect(auth)).use((request, response) => toNodeHandler(handler2)(request, response)),
  'a listener of node:http': (auth) => protectListener(auth, serve1),
  'a server of node:http': (auth) => createServer(protectListener(auth, serve1)),
  async Fastify(auth) {
    const app = fastify();
    await app.register(protectFastify, { auth });
    app.post('/mcp', (request, reply) => {
      reply.hijack();
      return serve1(Object.assign(request.raw, { auth: request.auth }), reply.raw, request.body);
    });
    return app;
  },
  Hono: (auth) => new Hono().use(protectHono(auth)).post('/mcp', (context) => handler2.fetch(context.req.raw, { authInfo: caller(context) })),
  'a web-standard handler': (auth) => ({ fetch: auth.protect((request, authInfo) => handler2.fetch(request, { authInfo })) }),
};

for (const [name, makeApp] of Object.entries(APPS)) {
  test(`clients of ${name} have signed in and done the handshake`, async (context) => {
    const issuer = new DevIssuer();
    context.after(() => issuer.stop());
    for (const resource of ['http://localhost/mcp', 'http://localhost:8000/mcp', 'https://localhost/mcp']) {
      const app = await makeApp(new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'] }));
      const alice = await issuer.client(app, { subject: 'alice', scope: 'mcp' });
      const bob = await issuer.client(app, { subject: 'bob', scope: 'mcp adm' });
      for (const [someone, subject] of /** @type {const} */ ([[alice, 'alice'], [bob, 'bob'], [alice, 'alice']])) {
        assert.deepEqual(await someone.tools(), ['whoami', 'wipe']);
        assert.equal((await someone.callTool('whoami')).content[0].text, subject);
        assert.equal(someone.resource, resource);
      }
      assert.equal((await bob.callTool('wipe')).content[0].text, 'wiped');
      await assert.rejects(alice.callTool('wipe'), (error) => error instanceof Refused && error.answer.status === 403 && /adm/.test(error.message));
      await assert.rejects(issuer.client(app, { scope: 'mcp', broken: 'signature' }), { name: 'Refused', message: /^401: / });
      await assert.rejects(issuer.client(app, { scope: 'other' }), { name: 'Refused', message: /^403: / });
    }
  });
}

test('an app that is not protected, another path, and what is no app at all are told', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  await assert.rejects(issuer.client(express().use((_, response) => void response.json({}))), /no challenge at \/mcp, but 200: is `protect\(auth\)` before/);
  const auth = new McpAuth({ resource: 'http://localhost/notes', authorizationServers: [issuer.issuer] });
  const app = express().use('/notes', protect(auth));
  await assert.rejects(issuer.client(app), /no challenge at \/mcp, but 404: .* is `path` right\?/);
  for (const wrong of [auth, undefined, 'http://localhost/mcp']) {
    await assert.rejects(issuer.client(/** @type {any} */ (wrong)), /no app that can be tested: give an app of Express/);
  }
});

test('every name of what can be broken is known, and another one is told which there are', (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  for (const broken of BROKEN) assert.ok(issuer.mint({ broken }), broken);
  const listed = new RegExp(`known broken: ${BROKEN.join(', ')}$`);
  for (const wrong of ['signatur', 'SIGNATURE', '']) {
    assert.throws(() => issuer.mint({ broken: /** @type {any} */ (wrong) }), listed, wrong);
  }
});

test('every mode is known, and another one is told which there are', (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  for (const mode of /** @type {const} */ (['offline', 'hang', 'garbage', 'status:503', 'online'])) issuer.setMode(mode);
  assert.throws(() => issuer.setMode(/** @type {any} */ (500)), /online, offline, hang, garbage, status:NNN or token:NAME, not 500/);
  for (const wrong of ['down', 'status:', 'status:99', '']) {
    assert.throws(() => issuer.setMode(/** @type {any} */ (wrong)), /known mode: online, offline, hang, garbage, status:NNN/, wrong);
  }
});

test('an option of a token that does not exist is told with those that do', (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  assert.throws(() => issuer.mint(/** @type {any} */ ({ scopes: 'mcp' })), /^Error: unknown field `scopes`, expected one of .*`scope`(?!.* at line)/);
  assert.throws(() => new DevIssuer(/** @type {any} */ ({ scope: ['mcp'] })), /unknown field `scope`, expected one of .*`scopes`/);
});

test('an app that is no MCP server is told so, with what it answered', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const auth = new McpAuth({ resource: 'http://localhost/mcp', authorizationServers: [issuer.issuer] });
  for (const body of ['{}', '{"jsonrpc":"2.0","id":0,"result":null}', '{"ok":true}']) {
    const app = { fetch: auth.protect(() => new Response(body, { headers: { 'content-type': 'application/json' } })) };
    await assert.rejects(issuer.client(app), (error) => {
      assert.match(String(error), /initialize: the app answered 200 with neither a result nor an error/);
      assert.ok(String(error).includes(body), String(error));
      return true;
    });
  }
});

test('the issuer exchanges tokens and counts them', async (context) => {
  const clients = [{ id: 'tools', secret: 'a secret', mayGet: ['reports:read'], targets: ['reports'] }];
  const issuer = new DevIssuer({ clients, accessTokenLifetime: 600 });
  context.after(() => issuer.stop());
  /** @param {string} audience */
  const ask = (audience) =>
    fetch(`${issuer.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('tools:a secret')}` },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: issuer.mint({ audience: 'http://localhost/mcp', scope: 'mcp' }),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience,
        scope: 'reports:read',
      }),
    });
  const answer = await ask('reports');
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).scope, 'reports:read');
  issuer.setMode('token:html');
  assert.match((await ask('reports')).headers.get('content-type') ?? '', /^text\/html/);
  issuer.setMode('online');
  assert.equal((await (await ask('payroll')).json()).error, 'invalid_target');
  const { token, token_exchange, client_credentials } = issuer.tokenRequests;
  assert.deepEqual({ token, token_exchange, client_credentials }, { token: 3, token_exchange: 3, client_credentials: 0 });
  for (const wrong of [{ id: 'a', scopes: [] }, { secret: 'x' }, { id: 1 }]) {
    assert.throws(() => new DevIssuer({ clients: [/** @type {any} */ (wrong)] }));
  }
});

test('a token has the header that it was given', () => {
  const issuer = new DevIssuer();
  const [header = ''] = issuer.mint({ header: { typ: 'JWT', x: [1] } }).split('.');
  issuer.stop();
  const { typ, x, alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
  assert.deepEqual([typ, x, alg], ['JWT', [1], 'ES256']);
});
