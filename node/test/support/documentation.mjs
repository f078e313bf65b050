// @ts-check
// The code of the documentation, as it is printed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FOLDER } from './program.mjs';

const ROOT = join(FOLDER, '..');
const OPTIONS = {
  compilerOptions: { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'], outDir: 'out' },
  files: ['../test/documentation/world.d.mts'],
  include: ['*.mts'],
};

export const PAGES = [
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
  'README.md',
  'node/README.md',
]
  .filter((name) => name.endsWith('.md'))
  .sort();

/** The code of a page, without the indentation of a list that it stands in. @param {string} page */
export function blocks(page) {
  const found = readFileSync(join(ROOT, page), 'utf8').matchAll(/^( *)```(?:ts|js|typescript|javascript|tsx|jsx)\n(.*?)^ *```$/gms);
  return [...found].map(([, indentation = '', text = '']) => text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''));
}

/** A folder in this package, in which the names of the package mean it. @param {import('node:test').TestContext} context */
export function makeFolder(context) {
  const folder = mkdtempSync(join(FOLDER, 'documentation-'));
  context.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(OPTIONS));
  return folder;
}

/** Into `out`, if it has no fault. @param {string} folder */
export async function compile(folder) {
  const compiler = join(FOLDER, 'node_modules/typescript/bin/tsc');
  const done = promisify(execFile)(process.execPath, [compiler, '--project', join(folder, 'tsconfig.json')]);
  await done.catch(({ stdout }) => assert.fail(stdout));
}
