// @ts-check
// What revision 2026-07-28 adds: headers that repeat arguments, tasks, and who may keep a result.
import assert from 'node:assert/strict';
import test from 'node:test';
import { McpAuth } from '../dist/index.js';
import { protectListener } from '../dist/adapters/node.js';
import { post, start } from './support/server.mjs';

const TOOL = { name: 'sql', inputSchema: { properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } } };
/** @type {Record<string, object>} */
const RESULTS = {
  'tools/list': { tools: [TOOL] },
  'tools/call': { resultType: 'task', taskId: 't', status: 'working' },
  'resources/read': { contents: [], ttlMs: 5, cacheScope: 'public' },
};

/** A server under this policy, and a function that asks it.
 * @param {import('node:test').TestContext} context @param {object} policy @param {object} [settings] */
async function server(context, policy, settings = {}) {
  const { resource, mint } = await start(context, (resource, issuer) =>
    protectListener(new McpAuth({ resource, authorizationServers: [issuer.issuer], policy, ...settings }), async (request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: RESULTS[/** @type {any} */ (request.body).method] ?? {} }));
    }),
  );
  /** @param {object} options @param {string} method @param {string | null} name @param {object} params @param {object} [headers] */
  const ask = (options, method, name, params, headers = {}) => {
    const sent = post(mint(options), { jsonrpc: '2.0', id: 1, method, params });
    const named = name === null ? {} : { 'mcp-name': name };
    const repeated = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...named };
    return fetch(resource, { ...sent, headers: /** @type {Record<string, string>} */ ({ ...sent.headers, ...repeated, ...headers }) });
  };
  const sql = (/** @type {object} */ headers = {}, options = { scope: 'sql' }) =>
    ask(options, 'tools/call', 'sql', { name: 'sql', arguments: { region: 'eu' } }, headers);
  return { ask, sql };
}

test('arguments are compared with their headers after the first list', async (context) => {
  const { ask, sql } = await server(context, { tools: { sql: ['sql'] } });
  assert.equal((await sql()).status, 200);
  assert.equal((await ask({}, 'tools/list', null, {})).status, 200);
  /** @type {[string, number][]} */
  const rows = [['eu', 200], ['=?base64?ZXU=?=', 200], ['us', 400], ['=?base64?!?=', 400]];
  for (const [header, status] of rows) assert.equal((await sql({ 'mcp-param-region': header })).status, status, header);
  const refused = await sql();
  assert.deepEqual([refused.status, (await refused.json()).error.code], [400, -32020]);
});

test('arguments are compared from the start where they are configured', async (context) => {
  const { sql } = await server(context, { tools: { sql: ['sql'] } }, { mirroredArguments: { sql: { Region: 'region' } } });
  assert.equal((await sql()).status, 400);
  assert.equal((await sql({ 'mcp-param-region': 'eu' })).status, 200);
});

test('a task needs what its call needed and is its maker’s alone', async (context) => {
  const { ask, sql } = await server(context, { tools: { sql: ['sql'] } });
  const get = (/** @type {object} */ options) => ask(options, 'tasks/get', 't', { taskId: 't' });
  assert.equal((await get({})).status, 200);
  assert.equal((await sql()).status, 200);
  assert.equal((await get({ scope: 'sql' })).status, 200);
  const weak = await get({});
  assert.equal(weak.status, 403);
  assert.match(weak.headers.get('www-authenticate') ?? '', /scope="sql"/);
  assert.equal((await get({ scope: 'sql', subject: 'bob' })).status, 403);
});

test('what is read is its reader’s alone', async (context) => {
  const { ask } = await server(context, { resources: { 'free://*': { access: 'public' } } });
  for (const [uri, scope] of [['notes://1', 'private'], ['free://1', 'public']]) {
    const answer = await ask({}, 'resources/read', uri ?? '', { uri });
    assert.equal((await answer.json()).result.cacheScope, scope);
  }
});
