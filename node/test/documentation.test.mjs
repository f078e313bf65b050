// @ts-check
// The code of the documentation compiles as it is printed, and the test of a server runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { blocks, compile, makeFolder, PAGES } from './support/documentation.mjs';

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
