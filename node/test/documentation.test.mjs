// @ts-check
// The code of the documentation compiles as it is printed, and the test of a server runs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { FOLDER } from './support/program.mjs';

const ROOT = join(FOLDER, '..');
const PAGES = [...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)), 'README.md', 'node/README.md']
  .filter((name) => name.endsWith('.md'))
  .sort();
const OPTIONS = {
  compilerOptions: { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'], outDir: 'out' },
  files: ['../test/documentation/world.d.mts'],
  include: ['*.mts'],
};

/** The code of a page, without the indentation of a list that it stands in. @param {string} page */
function blocks(page) {
  const found = readFileSync(join(ROOT, page), 'utf8').matchAll(/^( *)```(?:ts|js|typescript|javascript|tsx|jsx)\n(.*?)^ *```$/gms);
  return [...found].map(([, indentation = '', text = '']) => text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''));
}

/** As a module. What returns is the inside of a function that is given a web-standard request. @param {string} code */
function moduleOf(code) {
  const isInside = /^return |^if \(.*\) return /m.test(code);
  if (!isInside) return `${code}\nexport {};\n`;
  return `export async function handler(request: Request): Promise<Response> {\n${code}}\n`;
}

/** A folder in this package, in which the names of the package mean it. @param {import('node:test').TestContext} context */
function makeFolder(context) {
  const folder = mkdtempSync(join(FOLDER, 'documentation-'));
  context.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(OPTIONS));
  return folder;
}

/** @param {string} folder */
async function compile(folder) {
  const compiler = join(FOLDER, 'node_modules/typescript/bin/tsc');
  const done = promisify(execFile)(process.execPath, [compiler, '--project', join(folder, 'tsconfig.json')]);
  await done.catch(({ stdout }) => assert.fail(stdout));
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
