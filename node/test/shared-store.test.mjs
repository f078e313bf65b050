// @ts-check
// Two instances with one Redis: what is revoked on one is refused on both.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ConfigError, McpAuth } from '../dist/index.js';
import { DevIssuer } from '../dist/testing.js';

const RESOURCE = 'https://mcp.example.com/mcp';

/** Whether there is a Redis; where everything must be there, it is a failure if not. */
function hasRedis() {
  const isThere = spawnSync('redis-server', ['--version']).error === undefined;
  assert(isThere || !process.env.MCP_AUTH_REQUIRE_PROVIDERS, 'no redis-server; MCP_AUTH_REQUIRE_PROVIDERS is set');
  return isThere;
}

/** The code of what comes of a token. @param {McpAuth} auth @param {string} token */
const code = (auth, token) =>
  auth.verifyAccessToken(token).then(
    () => 'ok',
    (error) => error.code,
  );

test('what is revoked on one instance is refused on the other, and nothing is known without Redis', { skip: !hasRedis(), timeout: 60_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-redis-'));
  const socket = join(folder, 'redis.sock');
  const issuer = new DevIssuer();
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder], { stdio: 'ignore' });
  context.after(() => {
    redis.kill('SIGKILL');
    issuer.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const make = () =>
    new McpAuth({ resource: RESOURCE, authorizationServers: [issuer.issuer], sharedStore: { redis: { url: `unix://${socket}` }, timeout: 1 } });
  const [a, b] = [make(), make()];
  const [alice, bob] = ['alice', 'bob'].map((subject) => issuer.mint({ audience: RESOURCE, subject }));
  for (const auth of [a, b]) while ((await code(auth, alice)) !== 'ok') await setImmediate();
  const now = Math.floor(Date.now() / 1000);
  a.revoke({ issuer: issuer.issuer, subject: 'alice', issuedUntil: now + 60 });
  assert.equal(await code(a, alice), 'revoked');
  while ((await code(b, alice)) === 'ok') await setImmediate();
  assert.deepEqual([await code(b, alice), await code(b, bob)], ['revoked', 'ok']);
  redis.kill('SIGTERM');
  await once(redis, 'exit');
  assert.equal(await code(b, bob), 'ok', 'what is known counts for a time');
  assert.equal(await code(make(), bob), 'unavailable', 'where nothing is known, nobody is let in');
});

test('the address of Redis is never shown', () => {
  for (const url of ['http://:hush-1@h', 5, ['hush-1'], 'redis://:hush-1@h:x', '']) {
    const config = /** @type {any} */ ({ resource: RESOURCE, authorizationServers: ['https://as.example.com'], sharedStore: { redis: { url } } });
    assert.throws(
      () => new McpAuth(config),
      (error) => error instanceof ConfigError && /redis\.url/.test(error.message) && !/hush/.test(error.message),
      String(url),
    );
  }
});
