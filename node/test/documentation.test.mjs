// @ts-check
// The code of the documentation compiles as it is printed, and the test of a server runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { DevIssuer } from '../dist/testing.js';
import { blocks, compile, makeFolder, PAGES } from './support/documentation.mjs';
import { freePort, start } from './support/program.mjs';

/** As a module. What returns is the inside of a function that is given a web-standard request. @param {string} code */
function moduleOf(code) {
  const isInside = /^return |^if \(.*\) return /m.test(code);
  if (!isInside) return `${code}\nexport {};\n`;
  return `export async function handler(request: Request): Promise<Response> {\n${code}}\n`;
}

test('every block of TypeScript compiles, each by itself', async (context) => {
  const folder = makeFolder(context);
  /** @type {Record<string, number>} */
  const counts = {};
  for (const page of PAGES) {
    const found = blocks(page);
    counts[page] = found.length;
    for (const [number, code] of found.entries()) {
      writeFileSync(join(folder, `${page.replaceAll(/[/\\.]/g, '-')}-${number + 1}.mts`), moduleOf(code));
    }
  }
  await compile(folder);
  assert.ok((counts['docs/node.md'] ?? 0) > 10 && (counts['docs/protect.md'] ?? 0) > 3 && counts['README.md'] === 1, JSON.stringify(counts));
});

test('what is printed wrong does not compile', async (context) => {
  for (const wrong of ['caller(request).subjekt;', "import { protekt } from 'mcp-auth-node/express';", "new McpAuth({ resource, authorizationServer: ['x'] });"]) {
    const folder = makeFolder(context);
    writeFileSync(join(folder, 'wrong.mts'), moduleOf(wrong));
    await assert.rejects(compile(folder), /error TS/, wrong);
  }
});

test('the test of a server runs as printed', async (context) => {
  const folder = makeFolder(context);
  const printed = PAGES.flatMap(blocks).filter((code) => code.includes('issuer.client(app'));
  assert.equal(printed.length, 1);
  writeFileSync(join(folder, 'printed.mts'), printed[0] ?? '');
  await compile(folder);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', join(folder, 'out/printed.mjs')], { env });
  assert.match(stdout, /^. pass 1$/m);
});

const PROGRAMS = { Hono: '@hono/node-server', Fastify: 'reply.hijack()' };

for (const [framework, mark] of Object.entries(PROGRAMS)) {
  test(`the server of ${framework} with the official SDK runs as printed, and its tools know who is calling`, async (context) => {
    const folder = makeFolder(context);
    const printed = PAGES.flatMap(blocks).filter((code) => code.includes(mark) && code.includes('McpAuth.fromEnv()'));
    assert.equal(printed.length, 1);
    writeFileSync(join(folder, 'printed.mts'), printed[0] ?? '');
    await compile(folder);
    const issuer = new DevIssuer();
    context.after(() => issuer.stop());
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}/mcp`;
    const env = { PORT: String(port), MCP_AUTH_RESOURCE: resource, MCP_AUTH_ISSUER: issuer.issuer };
    await start(context, [join(folder, 'out/printed.mjs')], env, /serving/);
    const ask = async (/** @type {string} */ name, /** @type {string} */ scope) => {
      const token = issuer.mint({ audience: resource, subject: 'alice', scope });
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } });
      const response = await fetch(resource, { method: 'POST', headers, body });
      return { status: response.status, text: await response.text() };
    };
    const known = await ask('whoami', 'mcp');
    assert.equal(known.status, 200, known.text);
    assert.match(known.text, /"text":"alice"/);
    assert.match((await ask('wipe', 'mcp adm')).text, /wiped by dev/);
    assert.equal((await ask('wipe', 'mcp')).status, 403);
    assert.equal((await fetch(resource, { method: 'POST' })).status, 401);
  });
}
