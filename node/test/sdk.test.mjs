// @ts-check
// Beside the official SDK: its verifier interface in both generations, its clients, the examples.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { requireBearerAuth as requireBearerAuth2 } from '@modelcontextprotocol/express';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth as requireBearerAuth1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getRequestListener } from '@hono/node-server';
import { OAuthError, OAuthErrorCode, requireBearerAuth as gateOf } from '@modelcontextprotocol/server';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { Hono } from 'hono';
import express from 'express';
import { caller, McpAuth, requires } from '../dist/index.js';
import { protect as protectHono } from '../dist/adapters/hono.js';
import { DevIssuer } from '../dist/testing.js';
import { FOLDER, freePort, start as startProgram } from './support/program.mjs';
import { post, start } from './support/server.mjs';

const GENERATIONS = {
  '1.x': (/** @type {McpAuth} */ auth, /** @type {string} */ resource) =>
    requireBearerAuth1({
      verifier: auth.tokenVerifier((message) => new InvalidTokenError(message)),
      requiredScopes: ['mcp'],
      expectedResource: new URL(resource),
    }),
  '2.x': (/** @type {McpAuth} */ auth, /** @type {string} */ resource) =>
    requireBearerAuth2({
      verifier: auth.tokenVerifier((message) => new OAuthError(OAuthErrorCode.InvalidToken, message)),
      requiredScopes: ['mcp'],
      expectedResource: new URL(resource),
      resourceMetadataUrl: 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
    }),
};

for (const [generation, middleware] of Object.entries(GENERATIONS)) {
  test(`requireBearerAuth of ${generation} takes our verifier`, async (context) => {
    const { resource, mint, issuer } = await start(context, (resource, issuer) => {
      const app = express();
      app.use(middleware(new McpAuth({ resource, authorizationServers: [issuer.issuer] }), resource));
      app.use((/** @type {any} */ request, response) => {
        response.json({ clientId: request.auth.clientId, subject: request.auth.extra.subject, scopes: request.auth.scopes });
      });
      return app;
    });
    const good = await fetch(resource, post(mint()));
    assert.deepEqual(await good.json(), { clientId: 'dev', subject: 'alice', scopes: ['mcp'] });
    assert.equal((await fetch(resource, post(mint({ audience: 'https://other.example' })))).status, 401);
    assert.equal((await fetch(resource, post(mint({ scope: 'other' })))).status, 403);
    issuer.setMode('offline');
    const unknown = await fetch(resource, post(mint({ broken: 'unknown-key-id' })));
    assert.equal(unknown.status, 503, 'it is not the fault of the token');
    assert.match(unknown.headers.get('retry-after') ?? '', /^\d+$/);
    assert.equal((await fetch(resource, post(mint()))).status, 200, 'the keys that are there are used');
  });
}

test('an issuer that is down is a 503 through the gate of 2.x for web-standard requests, and other failures stay a 500', async (context) => {
  const { resource, mint, issuer } = await start(context, (resource, issuer) => {
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] });
    const verifier = auth.tokenVerifier((message) => new OAuthError(OAuthErrorCode.InvalidToken, message));
    const gate = gateOf({ verifier });
    return getRequestListener(async (request) => {
      const found = await gate(request);
      if (found instanceof Response) return found;
      return new Response(null, { status: request.headers.has('x-fail') ? 500 : 200 });
    });
  });
  assert.equal((await fetch(resource, post(mint()))).status, 200);
  issuer.setMode('offline');
  assert.equal((await fetch(resource, post(mint({ broken: 'unknown-key-id' })))).status, 503);
  const failing = post(mint());
  failing.headers = { ...failing.headers, 'x-fail': '1' };
  assert.equal((await fetch(resource, failing)).status, 500);
});

const CLIENTS = join(FOLDER, '../xtask/clients/typescript');
const EXAMPLES = join(FOLDER, '../examples/node');

test('the official clients, whole flow', async (context) => {
  assert.ok(existsSync(join(CLIENTS, 'node_modules')), 'run `cargo xtask test --only node`, which installs them');
  execFileSync(process.execPath, [join(EXAMPLES, 'node_modules/typescript/bin/tsc')], { cwd: EXAMPLES });
  /** @type {[string, string[]][]} */
  const rows = [
    ['whoami.js', ['--registration', 'dcr']],
    ['whoami.js', ['--registration', 'cimd']],
    ['todo-manager.js', ['--flow', 'step-up']],
  ];
  for (const client of ['client-v1.mjs', 'client-v2.mjs']) {
    for (const [example, options] of rows) {
      await context.test(`${client} ${options.join(' ')} with ${example}`, async (context) => {
        const issuer = new DevIssuer();
        context.after(() => issuer.stop());
        const resource = await startExample(context, join(EXAMPLES, 'dist', example), issuer.issuer);
        const { stdout } = await promisify(execFile)(process.execPath, [join(CLIENTS, client), '--resource', resource, ...options]);
        assert.match(stdout, /^ok: /m);
      });
    }
  }
});

test("the original's own example runs, with the official client", async (context) => {
  for (const client of ['client-v1.mjs', 'client-v2.mjs']) {
    const issuer = new DevIssuer();
    context.after(() => issuer.stop());
    const example = join(FOLDER, 'test/support/original-example.mjs');
    const resource = await startExample(context, example, issuer.issuer);
    const { stdout } = await promisify(execFile)(process.execPath, [join(CLIENTS, client), '--resource', resource]);
    assert.match(stdout, /^ok: /m);
  }
});

/** @param {import('node:test').TestContext} context @param {string} file @param {string} issuer */
async function startExample(context, file, issuer) {
  const bind = `127.0.0.1:${await freePort()}`;
  const resource = `http://${bind}/mcp`;
  const env = { MCP_AUTH_RESOURCE: resource, MCP_AUTH_ISSUER: issuer, MCP_AUTH_SCOPES: 'mcp', MCP_AUTH_BIND: bind };
  await startProgram(context, [file], env, /^listening on/);
  return resource;
}

test('a tool whose web-standard transport was handed no caller refuses, and says what to hand over', async (context) => {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  const app = new Hono();
  app.use(protectHono(new McpAuth({ resource: 'http://localhost/mcp', authorizationServers: [issuer.issuer] })));
  app.all('/mcp', async ({ req }) => {
    const server = new McpServer1({ name: 'notes', version: '1.0.0' });
    server.registerTool('whoami', {}, (extra) => ({ content: [{ type: 'text', text: String(caller(extra).subject) }] }));
    server.registerTool('wipe', {}, requires('mcp', () => ({ content: [{ type: 'text', text: 'wiped' }] })));
    const transport = new WebStandardStreamableHTTPServerTransport();
    await server.connect(transport);
    return transport.handleRequest(req.raw);
  });
  const client = await issuer.client(app, { scope: 'mcp' });
  for (const tool of ['whoami', 'wipe']) {
    const { isError, content } = await client.callTool(tool);
    assert.equal(isError, true);
    assert.match(content[0].text, /handleRequest\(context\.req\.raw, \{ authInfo: context\.get\('auth'\) \}\)/);
  }
  assert.throws(() => caller({ mcpReq: {} }), /Hand them to a web-standard transport/);
  assert.throws(() => caller({ headers: {} }), /`protect\(auth\)` must come before this handler/);
});
