// @ts-check
// What is logged, at which level, with which fields: with the real pino.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import test from 'node:test';
import { pino } from 'pino';
import { McpAuth, setLogger } from '../dist/index.js';
import { protectListener } from '../dist/http.js';
import { run } from './support/program.mjs';
import { call, post, start } from './support/server.mjs';

/** A pino, and the records that it wrote. @param {import('pino').Level} level */
function makePino(level) {
  /** @type {any[]} */
  const records = [];
  const stream = new Writable({
    write(chunk, _, done) {
      records.push(JSON.parse(chunk));
      done();
    },
  });
  return { logger: pino({ level }, stream), take: () => records.splice(0).filter(({ target }) => target === 'mcp_auth::decision') };
}

/** @param {import('node:test').TestContext} context */
const startServer = (context) =>
  start(context, (resource, issuer) => {
    const policy = { tools: { wipe: 'adm' } };
    const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], policy, allowedOrigins: ['https://app.example'] });
    return protectListener(auth, (_, response) => void response.end('{}'));
  });

test('refusals warn, allowed calls inform, preflights are for debugging; each with fields', async (context) => {
  const { resource, issuer, mint } = await startServer(context);
  const { logger, take } = makePino('debug');
  context.after(() => setLogger(undefined));
  // The server is there already.
  setLogger(logger);
  await fetch(resource, post(mint(), call('read')));
  const [allowed, ...others] = take();
  assert.deepEqual([allowed.level, allowed.code, allowed.resource, allowed.issuer, allowed.msg], [30, 'allowed', resource, issuer.issuer, 'request allowed']);
  assert.deepEqual([allowed.operation, allowed.methods], ['tools/call read', ['tools/call read']]);
  assert.equal(others.length, 0);

  await fetch(resource, post(mint(), call('wipe')));
  const [short] = take();
  assert.deepEqual([short.level, short.code, short.status, short.expected, short.actual], [40, 'insufficient_scope', 403, 'adm', 'mcp']);
  assert.deepEqual([short.operation, short.methods, short.rules], ['tools/call wipe', ['tools/call wipe'], ['tools.wipe']]);

  await fetch(resource, post(mint({ audience: 'http://other/mcp' })));
  const [foreign] = take();
  assert.deepEqual([foreign.level, foreign.code, foreign.status], [40, 'wrong_audience', 401]);
  // Values, and not texts within texts.
  assert.deepEqual([foreign.expected, foreign.actual, foreign.methods], [[resource], ['http://other/mcp'], []]);

  await fetch(resource, post(mint({ issuer: 'http://evil' })));
  assert.equal(take()[0].actual, 'http://evil');

  await fetch(resource, post(mint({ audience: `${resource}/` })));
  assert.match(take()[0].hint, /differs only by a slash at the end/);

  await fetch(resource, { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' } });
  const [preflight] = take();
  assert.deepEqual([preflight.level, preflight.code], [20, 'preflight']);
});

test('the level is asked when something is logged', async (context) => {
  const { resource, mint } = await startServer(context);
  const { logger, take } = makePino('error');
  context.after(() => setLogger(undefined));
  setLogger(logger);
  const rows = /** @type {const} */ ([['error', 0], ['warn', 1], ['info', 2], ['silent', 0], ['debug', 2]]);
  for (const [level, count] of rows) {
    logger.level = level;
    await fetch(resource, post(mint(), call('read')));
    await fetch(resource, post('not.a.token'));
    assert.equal(take().length, count, level);
  }
});

test('a logger without levels gets all of them; what it throws is no fault of the request', async (context) => {
  const { resource, mint } = await startServer(context);
  context.after(() => setLogger(undefined));
  /** @type {unknown[]} */
  const seen = [];
  const note = (/** @type {any} */ { code }) => {
    seen.push(code);
    throw new Error('the disk is full');
  };
  setLogger({ error: note, warn: note, info: note, debug: note });
  assert.equal((await fetch(resource, post(mint(), call('read')))).status, 200);
  assert.equal((await fetch(resource, post('x'))).status, 401);
  assert.deepEqual(seen.filter(Boolean), ['allowed', 'malformed']);
  for (const wrong of [null, {}, 'pino', { warn: note, info: note, error: note }]) {
    assert.throws(() => setLogger(/** @type {any} */ (wrong)), /a logger has `error`, `warn`, `info` and `debug`/);
  }
});

test('what a stranger writes stays in its field', async (context) => {
  const { resource, mint } = await startServer(context);
  const { logger, take } = makePino('info');
  context.after(() => setLogger(undefined));
  setLogger(logger);
  for (const audience of ['x\n{"code":"allowed"}', '"],"code":"allowed"', '\u202ex\u2028']) {
    await fetch(resource, post(mint({ audience })));
    const [record, ...others] = take();
    assert.deepEqual([record.code, others.length], ['wrong_audience', 0]);
    assert.equal(record.actual.length, 1, 'it is one value');
    assert.doesNotMatch(record.actual[0], /[\n\u202e\u2028]/);
  }
});

test('what happens on a thread without JavaScript is told too, and no logger keeps the process alive', async () => {
  const said = await run(`
    const { McpAuth, setLogger } = require('./dist/index.js');
    const { DevIssuer } = require('./dist/testing.js');
    const note = ({ target, issuer, reason }, message) => console.log(JSON.stringify({ target, issuer, reason, message }));
    setLogger({ error: note, warn: note, info: note, debug: () => {} });
    const issuer = new DevIssuer();
    issuer.setMode('status:500');
    const auth = new McpAuth({ resource: 'https://mcp.example.com/mcp', authorizationServers: [issuer.issuer], allowedOrigins: ['*'] });
    auth.ready().catch(() => setImmediate(() => issuer.stop()));
  `);
  const records = said.split('\n').map((line) => JSON.parse(line));
  assert.ok(records.some(({ message }) => /every web page may call/.test(message)), said);
  const [failure] = records.filter(({ message }) => message === 'keys could not be refreshed');
  assert.match(failure.reason, /500/);
});

test('a worker thread with a logger ends, and that of the main thread goes on', async () => {
  const said = await run(`
    const { Worker } = require('node:worker_threads');
    const { McpAuth, setLogger } = require('./dist/index.js');
    const code = \`
      const { McpAuth, setLogger } = require('./dist/index.js');
      const note = ({ resource }) => require('node:fs').writeSync(1, 'worker ' + resource + '\\\\n');
      setLogger({ error: note, warn: note, info: note, debug: note });
      new McpAuth({ resource: 'https://b.example/mcp', authorizationServers: ['https://as.example'], allowedOrigins: ['*'] });
    \`;
    const worker = new Worker(code, { eval: true });
    worker.on('exit', () => {
      const note = ({ resource }) => console.log('main ' + resource);
      setLogger({ error: note, warn: note, info: note, debug: note });
      new McpAuth({ resource: 'https://a.example/mcp', authorizationServers: ['https://as.example'], allowedOrigins: ['*'] });
    });
  `);
  assert.deepEqual(said.split('\n'), ['worker https://b.example/mcp', 'main https://a.example/mcp']);
});
