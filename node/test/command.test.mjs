// @ts-check
// The command that the package carries: `npx mcp-auth-node`.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { FOLDER } from './support/program.mjs';

const manifest = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8'));
const COMMAND = join(FOLDER, manifest.bin['mcp-auth-node']);
const posix = { skip: process.platform === 'win32' && 'signals of POSIX' };

/** @param {string[]} given */
function run(...given) {
  return spawnSync(process.execPath, [COMMAND, ...given], { encoding: 'utf8', timeout: 60_000 });
}

/** @param {string[]} given */
function start(...given) {
  return spawn(process.execPath, [COMMAND, ...given], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Its first line, which is JSON, once it listens. @param {ReturnType<typeof start>} dev */
async function ready(dev) {
  const [line] = await once(createInterface(dev.stdout), 'line');
  return JSON.parse(line);
}

/** A server of its own, for as long as the test runs. @param {import('node:test').TestContext} context */
async function startDev(context) {
  const dev = start('dev', '--port', '0', '--json');
  context.after(() => dev.kill('SIGKILL'));
  return { dev, said: await ready(dev) };
}

test('it says its version, under both of its names', () => {
  assert.equal(manifest.bin['mcp-auth'], manifest.bin['mcp-auth-node']);
  const done = run('--version');
  assert.deepEqual([done.status, done.stdout], [0, `mcp-auth ${manifest.version}\n`], done.stderr);
});

test('without arguments it says how it is used', () => {
  const done = run();
  assert.equal(done.status, 2);
  assert.match(done.stderr, /Usage: mcp-auth/);
});

test('a misplaced argument is not repeated', () => {
  const done = run('explain', '--tokem=secret-secret');
  assert.equal(done.status, 2);
  assert.doesNotMatch(done.stdout + done.stderr, /secret-secret/);
});

test('it explains tokens of its own issuer, which stops when nobody asks any more', async (context) => {
  const { dev, said } = await startDev(context);
  for (const [expiresIn, status, code] of [['60', 0, 'ok'], ['-600', 1, 'expired']]) {
    const body = new URLSearchParams({ resource: said.resource, scope: 'mcp', expires_in: String(expiresIn) });
    const token = (await (await fetch(`${said.issuer}/dev/mint`, { method: 'POST', body })).text()).trim();
    const done = run('explain', token, '--resource', said.resource, '--issuer', said.issuer, '--json');
    assert.equal(done.status, status, done.stdout + done.stderr);
    assert.equal(JSON.parse(done.stdout).code, code);
  }
  dev.stdin.end();
  assert.deepEqual(await once(dev, 'exit'), [0, null]);
});

test('it checks servers and issuers', async (context) => {
  const { said } = await startDev(context);
  for (const [what, url] of [['issuer', said.issuer], ['server', said.resource]]) {
    const done = run('check', what, url, '--json');
    assert.ok(done.status === 0 || done.status === 1, done.stderr);
    assert.equal(JSON.parse(done.stdout).command, `check ${what}`);
  }
});

test('a server that is not there cannot be judged', async () => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (closed.address());
  closed.close();
  await once(closed, 'close');
  const done = run('check', 'server', `http://127.0.0.1:${port}/mcp`);
  assert.equal(done.status, 2);
  assert.match(done.stdout, /connection was refused/);
});

test('an interrupt ends its server in order', posix, async (context) => {
  const { dev } = await startDev(context);
  dev.kill('SIGINT');
  assert.deepEqual(await once(dev, 'exit'), [0, null]);
});

test('an interrupt ends what waits for others', posix, async (context) => {
  const silent = createServer().listen(0, '127.0.0.1');
  context.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (silent.address());
  const check = start('check', 'server', `http://127.0.0.1:${port}/mcp`);
  // It has asked, and waits.
  const [connection] = await once(silent, 'connection');
  check.kill('SIGINT');
  assert.deepEqual(await once(check, 'exit'), [null, 'SIGINT']);
  connection.destroy();
});
