// @ts-check
// Threads, processes, waiting and memory.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { McpAuth, UnavailableError } from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';
import { run } from './support/program.mjs';

const RESOURCE = 'https://mcp.example.com/mcp';

/** @param {import('node:test').TestContext} context */
function protectedBy(context, limits = {}) {
  const issuer = new DevIssuer();
  context.after(() => issuer.stop());
  return { issuer, auth: new McpAuth({ ...limits, resource: RESOURCE, authorizationServers: [issuer.issuer] }) };
}

test('constructing starts no thread, the first fetch one, and the process ends when idle', async () => {
  const printed = await run(`
    const { readdirSync } = require('node:fs');
    const threads = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0);
    const { McpAuth } = require('./dist/index.js');
    const before = threads();
    const auth = new McpAuth({ resource: '${RESOURCE}', authorizationServers: ['http://127.0.0.1:1'] });
    auth.verifyAccessToken('a.b.c').catch((error) => {
      const after = threads();
      auth.ready().catch(({ code }) => console.log(after - before, process.platform !== 'linux' || threads() > after, error.code, code));
    });
  `);
  assert.equal(printed, '0 true malformed unavailable');
});

test('the event loop goes on while keys are fetched, and an issuer that hangs is a 503', async (context) => {
  const { issuer, auth } = protectedBy(context, { fetchTimeout: 0.3 });
  issuer.setMode('hang');
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 1);
  const error = await auth.verifyAccessToken(issuer.mint({ audience: RESOURCE })).catch((error) => error);
  clearInterval(counting);
  assert.ok(error instanceof UnavailableError);
  assert.equal(error.status, 503);
  assert.ok(error.retryAfter > 0);
  assert.ok(turns > 10, `${turns} turns`);
});

test('quick signatures are checked at once, and slow ones with the same result', async (context) => {
  const { issuer, auth } = protectedBy(context);
  /** @param {import('../dist/testing.js').MintOptions['algorithm']} algorithm */
  const mint = (algorithm) => issuer.mint({ audience: RESOURCE, algorithm });
  const algorithms = /** @type {const} */ (['RS256', 'ES256', 'ES384', 'ES512']);
  await Promise.all(algorithms.map((algorithm) => auth.verifyAccessToken(mint(algorithm))));
  for (const algorithm of algorithms) {
    const token = mint(algorithm);
    let isDone = false;
    const verified = auth.verifyAccessToken(token).finally(() => (isDone = true));
    // What needs no other thread is done before the event loop turns.
    for (let turn = 0; turn < 100; turn += 1) await undefined;
    // The others may be, too: which are handed over is tested in the library.
    if (['RS256', 'ES256'].includes(algorithm)) assert.ok(isDone, algorithm);
    assert.equal((await verified).subject, 'alice');
    const other = mint(algorithm);
    const forged = token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'));
    await assert.rejects(auth.verifyAccessToken(forged), { code: 'bad_signature' });
  }
});

test('a hundred requests at once fetch once', async (context) => {
  const { issuer, auth } = protectedBy(context);
  const tokens = Array.from({ length: 100 }, () => issuer.mint({ audience: RESOURCE }));
  await Promise.all(tokens.map((token) => auth.verifyAccessToken(token)));
  assert.deepEqual(issuer.requests, { metadata: 1, jwks: 1 });
});

test('a rotation of keys heals on the first request', async (context) => {
  const { issuer, auth } = protectedBy(context);
  await auth.verifyAccessToken(issuer.mint({ audience: RESOURCE }));
  issuer.rotateKeys({ dropOld: true });
  assert.equal((await auth.verifyAccessToken(issuer.mint({ audience: RESOURCE }))).subject, 'alice');
});

test('worker threads each have their own, and may end at any time', async () => {
  const printed = await run(`
    const { Worker } = require('node:worker_threads');
    const { DevIssuer } = require('./dist/testing.js');
    const issuer = new DevIssuer();
    const token = issuer.mint({ audience: '${RESOURCE}' });
    const code = \`
      const { workerData, parentPort } = require('node:worker_threads');
      const { McpAuth } = require(workerData.main);
      const auth = new McpAuth({ resource: '${RESOURCE}', authorizationServers: [workerData.issuer] });
      auth.verifyAccessToken(workerData.token).then((caller) => parentPort.postMessage(caller.subject));
    \`;
    const workerData = { main: require.resolve('./dist/index.js'), issuer: issuer.issuer, token };
    const work = () => new Promise((resolve, reject) => {
      const worker = new Worker(code, { eval: true, workerData });
      let said;
      worker.on('message', (subject) => (said = subject)).on('error', reject).on('exit', () => resolve(said));
    });
    (async () => {
      const said = await Promise.all([work(), work(), work(), work()]);
      issuer.setMode('hang');
      const waiting = new Worker(code, { eval: true, workerData });
      await new Promise((resolve) => waiting.on('online', resolve));
      while (issuer.requests.metadata < 5) await new Promise(setImmediate);
      await waiting.terminate();
      issuer.setMode('online');
      console.log(said.join(), await work());
      issuer.stop();
    })();
  `);
  assert.equal(printed, 'alice,alice,alice,alice alice');
});

test('worker threads each get tokens for other APIs, and may end while they wait for one', async () => {
  const printed = await run(`
    const { Worker } = require('node:worker_threads');
    const { DevIssuer } = require('./dist/testing.js');
    const issuer = new DevIssuer();
    const code = \`
      const { workerData, parentPort } = require('node:worker_threads');
      const { McpAuth } = require(workerData.main);
      const reports = { issuer: workerData.issuer, clientId: 'dev', clientSecret: 'dev', audience: ['reports'], dangerousAllowHttp: true };
      const auth = new McpAuth({ resource: '${RESOURCE}', authorizationServers: [workerData.issuer], downstreams: { reports } });
      auth.verifyAccessToken(workerData.token).then(async (caller) => {
        const tokens = await Promise.all([1, 2].map(() => auth.downstream('reports').tokenFor(caller)));
        parentPort.postMessage(tokens.map((token) => JSON.parse(Buffer.from(token.expose().split('.')[1], 'base64url')).sub).join('+'));
      });
    \`;
    const start = (subject) => {
      const token = issuer.mint({ audience: '${RESOURCE}', subject });
      return new Worker(code, { eval: true, workerData: { main: require.resolve('./dist/index.js'), issuer: issuer.issuer, token } });
    };
    const work = (subject) => new Promise((resolve, reject) => {
      let said;
      start(subject).on('message', (text) => (said = text)).on('error', reject).on('exit', () => resolve(said));
    });
    (async () => {
      const said = await Promise.all(['alice', 'bob', 'carol'].map(work));
      issuer.setMode('token:hold');
      const waiting = start('dave');
      while (issuer.tokenRequests.token < 4) await new Promise(setImmediate);
      await waiting.terminate();
      issuer.setMode('online');
      console.log(said.join(), await work('erin'));
      issuer.stop();
    })();
  `);
  assert.equal(printed, 'alice+alice,bob+bob,carol+carol erin+erin');
});

test('cluster: every worker process serves', async (context) => {
  const { issuer } = protectedBy(context);
  const program = fileURLToPath(new URL('support/cluster.mjs', import.meta.url));
  const tokens = [1, 2].map(() => issuer.mint({ audience: RESOURCE }));
  const { stdout } = await promisify(execFile)(process.execPath, [program, RESOURCE, issuer.issuer, ...tokens]);
  assert.equal(stdout.trim(), 'alice alice');
});

test('a million calls leave nothing behind', { timeout: 310_000 }, async () => {
  const printed = await run(
    `
    const { McpAuth } = require('./dist/index.js');
    const { DevIssuer } = require('./dist/testing.js');
    const issuer = new DevIssuer();
    const auth = new McpAuth({ resource: '${RESOURCE}', authorizationServers: [issuer.issuer] });
    const token = issuer.mint({ audience: '${RESOURCE}' });
    const refused = issuer.mint({ audience: 'https://other.example' });
    const calls = async (count) => {
      for (let call = 0; call < count; call += 1) {
        await auth.verifyAccessToken(token);
        if (call % 100 === 0) await auth.verifyAccessToken(refused).catch(() => {});
        if (call % 1000 === 0) {
          const headers = 'authorization\\nBearer ' + token;
          for (let times = 0; times < 100; times += 1) auth.native.decide('POST', '/mcp', headers);
          await new Promise(setImmediate);
        }
      }
      for (let times = 0; times < 5; times += 1) { gc(); await new Promise(setImmediate); }
      return process.memoryUsage().rss / 2 ** 20;
    };
    (async () => {
      await calls(200_000);
      const before = await calls(100_000);
      const after = await calls(1_000_000);
      console.log(after - before < 20 ? 'steady' : before + ' MiB became ' + after);
      issuer.stop();
    })();
  `,
    ['--expose-gc'],
    300_000,
  );
  assert.equal(printed, 'steady');
});

for (const framework of ['express', 'node']) {
  test(`${framework}: a request that is over goes with the young generation, and nothing of ours keeps it longer`, { timeout: 60_000 }, async () => {
    const printed = await run(
      `
      const { IncomingMessage, ServerResponse } = require('node:http');
      const app = require('express')();
      const { McpAuth } = require('./dist/index.js');
      const { protect } = require('./dist/http.js');
      const { DevIssuer } = require('./dist/testing.js');
      const issuer = new DevIssuer();
      const auth = new McpAuth({ resource: '${RESOURCE}', authorizationServers: [issuer.issuer] });
      const guard = protect(auth);
      const lines = ['authorization', 'Bearer ' + issuer.mint({ audience: '${RESOURCE}' }), 'accept', 'text/event-stream'];
      let wentOn = 0;
      const ask = () => {
        const request = new IncomingMessage(null);
        Object.assign(request, { method: 'POST', url: '/mcp', httpVersionMajor: 1, httpVersionMinor: 1, ballast: new Array(1000).fill(wentOn) });
        request._addHeaderLines([...lines], lines.length);
        void request.headers;
        const response = new ServerResponse(request);
        if ('${framework}' === 'express') {
          Object.setPrototypeOf(request, app.request);
          Object.setPrototypeOf(response, app.response);
        }
        guard(request, response, () => (wentOn += 1));
      };
      const asked = (count) => {
        for (let call = 0; call < count; call += 1) ask();
        for (let times = 0; times < 4; times += 1) gc({ type: 'minor' });
        return process.memoryUsage().heapUsed / 2 ** 20;
      };
      (async () => {
        await auth.ready();
        ask();
        while (wentOn === 0) await new Promise(setImmediate);
        const before = asked(200);
        const after = asked(2_000);
        // Their ballast alone is 16 MiB.
        console.log(wentOn === 2_201 && after - before < 8 ? 'gone' : wentOn + ' went on, ' + before + ' MiB became ' + after);
        issuer.stop();
      })();
    `,
      ['--expose-gc', '--max-semi-space-size=64'],
      30_000,
    );
    assert.equal(printed, 'gone');
  });
}
