// @ts-check
// Functions of the user's, and every way in which they can fail: a stated status, one event, and the process goes on.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { InsufficientScopeError, McpAuth } from '../dist/index.js';
import { protectListener } from '../dist/http.js';
import { FOLDER } from './support/program.mjs';
import { post, start } from './support/server.mjs';

// Each is a program of its own, because what is shown is that it does not end.
const WAYS = {
  'throws an error': 'throw new Error("broken")',
  'throws nothing': 'throw undefined',
  'throws a symbol': 'throw Symbol("broken")',
  'throws an object without a prototype': 'throw Object.create(null)',
  'throws an error with getters that throw':
    'throw Object.defineProperties(new Error(), { message: { get() { throw 1 } }, status: { get() { throw 2 } }, code: { get() { throw 3 } } })',
  'throws an error whose message is an object': 'throw Object.assign(new Error(), { message: Object.create(null) })',
  'throws a proxy that throws': 'throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })',
  'throws a revoked proxy': 'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy',
  'throws null': 'throw null',
  'throws a function': 'throw () => {}',
  'rejects': 'return Promise.reject(new Error("broken"))',
  'rejects with an object without a prototype': 'return Promise.reject(Object.create(null))',
  'rejects with a symbol': 'return Promise.reject(Symbol("broken"))',
  'rejects later': 'return new Promise((_, reject) => setImmediate(reject, new Error("broken")))',
  'returns a thenable that throws': 'return { then() { throw new Error("broken") } }',
  'returns a thenable that rejects': 'return { then(_, reject) { reject(Symbol("broken")) } }',
  'returns an object whose then throws': 'return { get then() { throw new Error("broken") } }',
  'returns what never settles': 'return new Promise(() => {})',
  'returns a thenable that never settles': 'return { then() {} }',
  'returns a symbol': 'return Symbol("odd")',
  'returns a bigint': 'return 1n',
  'returns a number': 'return 1',
  'returns a text': 'return "yes"',
  'returns a list': 'return [true]',
  'returns a function': 'return () => true',
  'returns an object in a circle': 'const odd = { sub: "eve" }; odd.odd = odd; odd.forbidden = odd; return odd',
  'returns an object that holds a bigint': 'return { sub: "eve", odd: 1n, missingScopes: [1n] }',
  'returns an object whose toJSON throws': 'return { sub: "eve", toJSON() { throw new Error("broken") } }',
  'returns an object whose toJSON says true': 'return { sub: "eve", toJSON() { return true } }',
  'returns an object with a getter that throws': 'return { get sub() { throw 1 }, get missingScopes() { throw 2 }, get forbidden() { throw 3 } }',
  'returns a revoked proxy': 'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy',
};

/** Hooks, and the status of each way in which they fail. */
const HOOKS = {
  authorize: { status: 403, tokens: 'issuer.mint({ audience: resource, scope: "mcp" })', options: (/** @type {string} */ body) => `{ authorize() { ${body} } }` },
  'authorize, async': { status: 403, tokens: 'issuer.mint({ audience: resource, scope: "mcp" })', options: (/** @type {string} */ body) => `{ authorize() { return (async () => { ${body} })(); } }` },
  verifyToken: { status: 503, tokens: '"key_1"', options: (/** @type {string} */ body) => `{ tokenPrefixes: ["key_"], verifyTimeout: 0.2, verifyToken() { ${body} } }` },
  'verifyToken, async': { status: 503, tokens: '"key_1"', options: (/** @type {string} */ body) => `{ tokenPrefixes: ["key_"], verifyTimeout: 0.2, async verifyToken() { ${body} } }` },
};

/** Serves, fails in each way once, and prints the statuses; then asks what is answered by a good hook.
 * @param {string[]} options */
function program(options, /** @type {string} */ token) {
  return `
    const { createServer } = require('node:http');
    const { once } = require('node:events');
    const { McpAuth } = require('./dist/index.js');
    const { protectListener } = require('./dist/adapters/node.js');
    const { DevIssuer } = require('./dist/testing.js');
    (async () => {
      const issuer = new DevIssuer();
      const statuses = [];
      for (const make of [${options.map((one) => `() => (${one})`).join(', ')}]) {
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const resource = 'http://127.0.0.1:' + server.address().port + '/mcp';
        const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer] }, make());
        server.on('request', protectListener(auth, (request, response) => response.end('ran')));
        const headers = { authorization: 'Bearer ' + ${token}, 'content-type': 'application/json' };
        const answer = await fetch(resource, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' });
        await answer.arrayBuffer();
        statuses.push(answer.status);
        server.closeAllConnections();
        server.close();
      }
      issuer.stop();
      // What nobody takes ends the process by then.
      await new Promise((resolve) => setImmediate(resolve));
      console.log(JSON.stringify(statuses));
    })();
  `;
}

for (const [hook, { status, tokens, options }] of Object.entries(HOOKS)) {
  test(`${hook}: every way to fail is a ${status}, one event, and the process goes on`, async () => {
    const env = { ...process.env, MCP_AUTH_LOG: 'mcp_auth::decision=info' };
    const code = program(Object.values(WAYS).map(options), tokens);
    const args = ['--input-type=commonjs', '--eval', code];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: FOLDER, env, timeout: 120_000 });
    const statuses = JSON.parse(stdout);
    const found = Object.keys(WAYS).map((way, at) => [way, statuses[at]]);
    assert.deepEqual(found, Object.keys(WAYS).map((way) => [way, status]));
    const events = stderr.split('\n').filter((line) => line.includes('request refused'));
    assert.equal(events.length, found.length, stderr);
  });
}

test('claims of verifyToken: times that are over, not yet, or none refuse', async () => {
  const now = Math.floor(Date.now() / 1000);
  /** @type {[claims: string, status: number][]} */
  const cases = [
    [`{ sub: "a", nbf: ${now + 3600} }`, 401],
    [`{ sub: "a", nbf: ${now + 3600}, exp: ${now + 7200} }`, 401],
    [`{ sub: "a", nbf: ${now + 3600.5} }`, 401],
    [`{ sub: "a", nbf: Infinity }`, 503],
    [`{ sub: "a", nbf: "${now + 3600}" }`, 503],
    [`{ sub: "a", exp: "${now + 3600}" }`, 503],
    [`{ sub: "a", exp: NaN }`, 503],
    [`{ sub: "a", exp: ${now - 1} }`, 401],
    ['null', 401],
    ['undefined', 401],
    [`{ sub: "a", nbf: ${now - 5}, exp: ${now + 3600} }`, 200],
    ['{ sub: "a" }', 200],
  ];
  const options = cases.map(([claims]) => `{ tokenPrefixes: ["key_"], verifyToken: async () => (${claims}) }`);
  const args = ['--input-type=commonjs', '--eval', program(options, '"key_1"')];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: FOLDER, timeout: 60_000 });
  assert.deepEqual(JSON.parse(stdout), cases.map(([, status]) => status));
});

test('what verifyToken throws leaves nothing of the token in the log, and what authorize throws is one short line', async () => {
  const secret = 'secretsecretsecret';
  const bodies = [
    'JSON.parse(token)',
    'throw new Error("cannot look up " + token)',
    'throw Object.assign(new Error("bad\\n token " + token), { status: 401 })',
    'throw token',
    'throw { status: 401, message: token, toString() { return token } }',
    'throw Object.assign(new Error(), { constructor: { name: token } })',
    'throw Object.assign(new Error(), { name: token })',
    'throw new TokenError("wrong_audience", 401, token, { actual: 7, expected: token })',
    'throw new TokenError("wrong_audience", 401, token, { actual: token, expected: token })',
    'return { sub: "a", exp: token }',
    'return { sub: token, scope: 5 }',
    'return token',
  ];
  const verify = bodies.map((body) => `{ tokenPrefixes: ["key_"], verifyToken(token) { const { TokenError } = require("./dist/index.js"); ${body} } }`);
  const env = { ...process.env, MCP_AUTH_LOG: 'trace' };
  const run = async (/** @type {string} */ code) =>
    promisify(execFile)(process.execPath, ['--input-type=commonjs', '--eval', code], { cwd: FOLDER, env, timeout: 60_000 });
  const verified = await run(program(verify, `"key_${secret}"`));
  assert.ok(JSON.parse(verified.stdout).every((/** @type {number} */ status) => status === 503 || status === 401), verified.stdout);
  assert.equal(verified.stderr.match(/request refused/g)?.length, bodies.length, verified.stderr);
  assert.ok(!verified.stderr.includes(secret.slice(0, 6)), verified.stderr);

  const long = '"x\\nforged \\u001b[31m\\u202e" + "A".repeat(100000)';
  const authorize = [`throw new Error(${long})`, `throw ${long}`, `return { forbidden: ${long} }`, `return { missingScopes: ["B".repeat(100000)] }`,
    'return { missingScopes: Array.from({ length: 100 }, (_, at) => "s" + at) }'].map((body) => `{ authorize() { ${body} } }`);
  const denied = await run(program(authorize, 'issuer.mint({ audience: resource, scope: "mcp" })'));
  assert.deepEqual(JSON.parse(denied.stdout), authorize.map(() => 403));
  for (const line of denied.stderr.split('\n').filter((line) => line.includes('mcp_auth'))) {
    assert.ok(line.length < 1500, `${line.length} characters`);
    assert.ok(!/[\u001b\u202e]/.test(line), line);
  }
  assert.ok(!denied.stderr.includes('\nforged'), denied.stderr);
});

test('what a hook returned that says nothing is named in the log', async () => {
  const env = { ...process.env, MCP_AUTH_LOG: 'mcp_auth=info' };
  const run = async (/** @type {string} */ code) =>
    promisify(execFile)(process.execPath, ['--input-type=commonjs', '--eval', code], { cwd: FOLDER, env, timeout: 60_000 });
  /** @type {[returned: string, named: string][]} */
  const values = [['"alice"', 'a value of type string'], ['1', 'a value of type number'], ['["alice"]', 'a list']];
  const verify = values.map(([returned]) => `{ tokenPrefixes: ["key_"], verifyToken: () => (${returned}) }`);
  const verified = await run(program(verify, '"key_1"'));
  assert.deepEqual(JSON.parse(verified.stdout), values.map(() => 503));
  for (const [, named] of values) assert.ok(verified.stderr.includes(`it returned ${named}`), verified.stderr);

  /** @type {[returned: string, named: string][]} */
  const verdicts = [['1', 'number'], ['null', 'null'], ['undefined', 'undefined'], ['() => true', 'function'], ['[]', 'a list'], ['Promise.resolve(true)', 'a promise'], ['{ allow: true }', '{ … }']];
  const authorize = verdicts.map(([returned]) => `{ authorize: () => (${returned}) }`);
  const denied = await run(program(authorize, 'issuer.mint({ audience: resource, scope: "mcp" })'));
  assert.deepEqual(JSON.parse(denied.stdout), verdicts.map(() => 403));
  // Whole, though the log cuts reasons.
  for (const [, named] of verdicts) assert.ok(denied.stderr.includes(`"needs true, false, {missingScopes} or {forbidden}, not ${named}" `), denied.stderr);
});

test('a rule that no list shows is warned of once, with the nearest name', async () => {
  const code = `
    const { createServer } = require('node:http');
    const { once } = require('node:events');
    const { McpAuth } = require('./dist/index.js');
    const { protectListener } = require('./dist/adapters/node.js');
    const { DevIssuer } = require('./dist/testing.js');
    (async () => {
      const issuer = new DevIssuer();
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const resource = 'http://127.0.0.1:' + server.address().port + '/mcp';
      const policy = { tools: { add_notes: ['notes'], list_notes: ['notes'] } };
      const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy });
      const tools = [{ name: 'add_note' }, { name: 'list_notes' }];
      const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } });
      server.on('request', protectListener(auth, (request, response) => response.setHeader('content-type', 'application/json').end(answer)));
      const headers = { authorization: 'Bearer ' + issuer.mint({ audience: resource, scope: 'mcp' }), 'content-type': 'application/json' };
      for (const _ of [1, 2]) {
        const response = await fetch(resource, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
        await response.arrayBuffer();
      }
      server.closeAllConnections();
      server.close();
      issuer.stop();
    })();
  `;
  const env = { ...process.env, MCP_AUTH_LOG: 'mcp_auth=warn' };
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=commonjs', '--eval', code], { cwd: FOLDER, env, timeout: 60_000 });
  const warnings = stderr.split('\n').filter((line) => line.includes('no list has shown'));
  assert.equal(warnings.length, 1, stderr);
  assert.match(warnings[0] ?? '', /tools\.add_notes.*did_you_mean="?add_note"?/);
});

test('a verify function that misses scopes is a 403 which asks for them', async (context) => {
  /** @type {[required: any, challenge: RegExp][]} */
  const rows = [
    [['notes:write'], /error="insufficient_scope".* scope="notes:write"/],
    [['a', 'b'], / scope="a b"/],
    [[], /^(?!.* scope=)/],
    ['notes:write', /^(?!.* scope=)/],
    [[7, 'a"b'], /^(?!.* scope=)/],
  ];
  for (const [required, challenge] of rows) {
    const verifyToken = () => {
      throw new InsufficientScopeError('insufficient_scope', 403, 'more is needed', { required, granted: ['mcp'] });
    };
    const { resource } = await start(context, (resource, issuer) =>
      protectListener(new McpAuth({ resource, authorizationServers: [issuer.issuer] }, { tokenPrefixes: ['key_'], verifyToken }), (_, response) => void response.end('ran')),
    );
    const answer = await fetch(resource, post('key_1'));
    assert.equal(answer.status, 403);
    assert.match(answer.headers.get('www-authenticate') ?? '', challenge);
  }
});
