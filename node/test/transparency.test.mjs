// @ts-check
// The server scenarios of the official conformance suite, of servers of the official SDKs, bare and behind us: the same verdicts.
// What the suite finds wrong with the servers themselves does not matter here, as long as enough of it holds.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { localhostHostValidation, localhostOriginValidation } from '@modelcontextprotocol/express';
import express from 'express';
import { McpAuth } from '../dist/index.js';
import { protect } from '../dist/http.js';
import { stateful1, stateless2 } from './support/conformance-server.mjs';
import { start } from './support/server.mjs';

const MODULES = fileURLToPath(new URL('../../xtask/clients/conformance/node_modules', import.meta.url));
/** The suite needs Node 22; an older one takes the Node that is pinned beside it. */
const NODE = Number.parseInt(process.versions.node, 10) >= 22 ? process.execPath : join(MODULES, `node-${process.platform}-${process.arch}/bin/node`);

/** What the suite says of a server: of each scenario, its checks and how they ended.
 * @param {import('node:test').TestContext} context @param {string} url @param {string} revision @returns {Promise<Record<string, string[]>>} */
async function verdicts(context, url, revision) {
  const folder = mkdtempSync(join(tmpdir(), 'transparency-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const suite = join(MODULES, '@modelcontextprotocol/conformance/dist/index.js');
  // Its exit code says that a check failed, which some do of any server: not all of them serve everything.
  await new Promise((resolve) => execFile(NODE, [suite, 'server', '--url', url, '--suite', 'all', '--spec-version', revision, '--output-dir', folder], resolve));
  /** @type {Record<string, string[]>} */
  const found = {};
  for (const scenario of readdirSync(folder)) {
    const checks = JSON.parse(readFileSync(join(folder, scenario, 'checks.json'), 'utf8'));
    const name = scenario.replace(/-\d{4}-\d\d-\d\dT.*$/, '');
    found[name] = checks.map((/** @type {any} */ { id, name, status }) => `${id} ${name} ${status}`);
  }
  return found;
}

/** Adds a token to what the suite sends, which knows none, and changes nothing else.
 * @param {string} resource @param {string} token @returns {import('node:http').RequestListener} */
function addToken(resource, token) {
  const { hostname, port, pathname } = new URL(resource);
  return (incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${token}` };
    const forwarded = ask({ hostname, port, path: pathname, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    outgoing.on('close', () => forwarded.destroy());
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  };
}

/** Lets it listen until the test ends, and returns its origin. @param {import('node:test').TestContext} context @param {import('node:http').Server} server */
async function listen(context, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
}

/** Under a policy a message that has no `uri` where its method has one is refused before the server sees it: 400. The suite sends two of
 * these to see that the methods are unknown in 2026-07-28, for which it expects 404. */
const REFUSED_BY_POLICY = ['resources-subscribe HttpServerMethodNotFound404resourcessubscribe', 'resources-unsubscribe HttpServerMethodNotFound404resourcesunsubscribe'];

/** What is said under a policy of a server of which this is said without one. @param {Record<string, string[]>} bare */
function underPolicy(bare) {
  const refused = REFUSED_BY_POLICY.map((check) => `sep-2575-http-server-method-not-found-404-${check} SUCCESS`);
  const changed = (/** @type {string} */ check) => (refused.includes(check) ? check.replace(/SUCCESS$/, 'FAILURE') : check);
  return Object.fromEntries(Object.entries(bare).map(([scenario, checks]) => [scenario, checks.map(changed)]));
}

/** @type {Record<string, { revision: string, serve: () => (request: any, response: any) => Promise<void>, least: number }>} */
const SERVERS = {
  'SDK 1, with sessions': { revision: '2025-11-25', serve: stateful1, least: 45 },
  'SDK 2, without': { revision: '2026-07-28', serve: stateless2, least: 60 },
};

for (const [name, { revision, serve, least }] of Object.entries(SERVERS)) {
  test(`the suite says the same of ${name}, bare, behind us, and under a policy`, { skip: existsSync(NODE) ? false : 'the suite needs Node 22, and none is pinned for this platform' }, async (context) => {
    const makeApp = () => express().use(localhostHostValidation(), localhostOriginValidation());
    const bare = await start(context, () => makeApp().all('/mcp', serve()));
    const expected = await verdicts(context, bare.resource, revision);
    const successes = Object.values(expected).flat().filter((check) => check.endsWith(' SUCCESS'));
    assert.ok(successes.length >= least, `${successes.length} checks hold, and the others say nothing`);
    for (const policy of [undefined, { tools: { test_simple_text: 'mcp', nobody_has_it: 'adm' } }]) {
      const proxy = createServer();
      const origin = await listen(context, proxy);
      const guarded = await start(context, (resource, issuer) => {
        const auth = new McpAuth({ resource, authorizationServers: [issuer.issuer], allowedOrigins: [origin], ...(policy && { policy }) });
        return makeApp().use(protect(auth)).all('/mcp', serve());
      });
      proxy.on('request', addToken(guarded.resource, guarded.mint()));
      assert.deepEqual(await verdicts(context, `${origin}/mcp`, revision), policy ? underPolicy(expected) : expected);
    }
  });
}
