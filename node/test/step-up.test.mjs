// @ts-check
// Tools of the official SDK, of both generations, that need more than the request did.
import assert from 'node:assert/strict';
import test from 'node:test';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer as Server1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { McpServer as Server2 } from '@modelcontextprotocol/server';
import express from 'express';
import { caller, McpAuth, requires } from '../dist/index.js';
import { protect, protectListener } from '../dist/http.js';
import * as fastify from '../dist/adapters/fastify.js';
import * as hono from '../dist/adapters/hono.js';
import { call, post, start } from './support/server.mjs';

/** Kept once the client has read the first of the response. */
let isRead = Promise.resolve();

const WORDS = /** @type {any} */ ({ content: [{ type: 'text', text: 'done' }] });

/** @param {any} server @param {(extra: any) => Promise<unknown>} tell */
function register(server, tell) {
  server.registerTool('write', {}, requires('notes:write', () => WORDS));
  server.registerTool('ask', {}, requires([], (/** @type {any} */ extra) => (caller(extra).require('notes:write'), WORDS)));
  server.registerTool('plain', {}, (/** @type {any} */ extra) => (caller(extra).require('notes:write'), WORDS));
  const askLate = async (/** @type {any} */ extra) => {
    await tell(extra);
    await isRead;
    caller(extra).require('notes:write');
    return WORDS;
  };
  server.registerTool('late', {}, requires([], askLate));
  const goOn = async (/** @type {any} */ extra) => {
    try {
      caller(extra).require('notes:write');
    } catch {
      // It does without.
    }
    return WORDS;
  };
  server.registerTool('caught', {}, requires([], goOn));
  server.registerTool('whoami', {}, async (/** @type {any} */ extra) => ({
    content: [{ type: 'text', text: JSON.stringify([caller(extra).subject, (extra.authInfo ?? extra.http?.authInfo).clientId]) }],
  }));
  return server;
}
const LOG = { method: 'notifications/message', params: { level: 'info', data: 'begun' } };

/** @type {Record<string, () => { server: any, transport: any }>} */
const GENERATIONS = {
  '1.x': () => ({
    server: register(new Server1({ name: 'notes', version: '1' }, { capabilities: { logging: {} } }), (extra) => extra.sendNotification(LOG)),
    transport: new StreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
  }),
  '2.x': () => ({
    server: register(new Server2({ name: 'notes', version: '1' }, { capabilities: { logging: {} } }), (context) => context.mcpReq.notify(LOG)),
    transport: new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined }),
  }),
};

for (const [generation, make] of Object.entries(GENERATIONS)) {
  for (const policy of [undefined, { tools: { write: 'notes:write' } }]) {
    test(`${generation}${policy ? ', under a policy' : ''}: a refusal before output is a 403, after it a result with the challenge, and caught it is none`, { timeout: 60_000 }, async (context) => {
      const { resource, mint } = await start(context, (resource, issuer) => {
        const app = express();
        app.use(protect(new McpAuth({ resource, authorizationServers: [issuer.issuer], requiredScopes: ['mcp'], policy })));
        app.use(express.json());
        app.post('/mcp', async (request, response) => {
          const { server, transport } = make();
          await server.connect(transport);
          await transport.handleRequest(request, response, request.body);
        });
        return app;
      });
      const ask = async (/** @type {string} */ tool, scope = 'mcp') => {
        const request = post(mint({ scope }), call(tool));
        request.headers = { ...request.headers, accept: 'application/json, text/event-stream' };
        let read = () => undefined;
        isRead = new Promise((resolve) => (read = /** @type {any} */ (resolve)));
        const answer = await fetch(resource, request);
        let text = '';
        for await (const chunk of /** @type {any} */ (answer.body)) {
          text += Buffer.from(chunk);
          if (text.includes('begun')) read();
        }
        const events = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
        return { status: answer.status, challenge: answer.headers.get('www-authenticate') ?? '', result: events.at(-1)?.result, text };
      };
      for (const tool of ['write', 'ask', 'plain']) {
        const refused = await ask(tool);
        assert.equal(refused.status, 403, `${tool}: ${refused.text}`);
        assert.match(refused.challenge, /error="insufficient_scope".*scope="mcp notes:write"/, tool);
        assert.deepEqual((await ask(tool, 'mcp notes:write')).result?.content, WORDS.content, tool);
      }
      const late = await ask('late');
      assert.equal(late.status, 200, late.text);
      assert.equal(late.result.isError, true);
      assert.match(late.result._meta['mcp/www_authenticate'][0], /error="insufficient_scope".*scope="mcp notes:write"/);
      const caught = await ask('caught');
      assert.deepEqual([caught.status, caught.result?.content], [200, WORDS.content], caught.text);
      const { result } = await ask('whoami');
      assert.deepEqual(JSON.parse(result.content[0].text), ['alice', 'dev'], 'the SDK and we know the same caller');
    });
  }
}

test('what is declared wrong is told at once, and nobody is let in without a caller', async () => {
  for (const wrong of [[undefined, () => WORDS], ['a b', () => WORDS], ['a'], [[''], () => WORDS]]) {
    assert.throws(() => /** @type {any} */ (requires)(...wrong), /`requires` takes scopes and the handler/);
  }
  await assert.rejects(async () => requires('a', () => WORDS)(), { code: 'no_caller' });
  await assert.rejects(async () => requires('a', (/** @type {any} */ _) => WORDS)({ authInfo: { scopes: ['a'] } }), { code: 'no_caller' });
});

test('what is no McpAuth, or no app that can be protected, is told by name', async () => {
  const config = { resource: 'https://mcp.example.com/mcp', authorizationServers: ['https://as.example.com'] };
  const auth = new McpAuth(config);
  /** @type {[run: () => unknown, said: RegExp][]} */
  const cases = [
    [() => /** @type {any} */ (protect)(), /takes the `McpAuth`, not undefined: `app.use\(protect\(auth\)\)`/],
    [() => /** @type {any} */ (protect)(config), /not a plain object, perhaps its configuration/],
    [() => /** @type {any} */ (protect)(express()), /not an app of Express/],
    [() => /** @type {any} */ (protect)({ rawHeaders: [] }, {}, () => undefined), /used as middleware itself: call it/],
    [() => /** @type {any} */ (hono.protect)({ req: {} }, () => undefined), /used as middleware itself: call it/],
    [() => /** @type {any} */ (protectListener)(auth, { fetch() {} }), /must be a function that takes a request and a response/],
  ];
  for (const [run, said] of cases) assert.throws(run, said);
  await assert.rejects(async () => /** @type {any} */ (fastify.protect)({}, {}), /await app.register\(protect, \{ auth \}\)/);
});
