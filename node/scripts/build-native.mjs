// @ts-check
// Builds the native half and puts it beside package.json, where lib/native.ts looks first, and the licences, which npm
// takes from nowhere else.
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import { platform } from './platform.mjs';

const folder = new URL('..', import.meta.url);
const profile = process.argv.includes('--debug') ? [] : ['--release'];
const options = ['build', '--package', 'mcp-auth-node', '--message-format', 'json-render-diagnostics'];
const messages = execFileSync('cargo', [...options, ...profile], {
  cwd: folder,
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
  maxBuffer: 1 << 28,
});
const built = messages
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((message) => message.target?.name === 'mcp_auth_node')
  .flatMap((message) => message.filenames ?? [])
  .find((name) => /\.(so|dylib|dll)$/.test(name));
if (!built) throw new Error('cargo built no library');
const target = new URL(`mcp-auth-node.${platform()}.node`, folder);
// A process that has the old file open keeps it.
copyFileSync(built, new URL(`${target}.new`));
renameSync(new URL(`${target}.new`), target);
for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) copyFileSync(new URL(`../${licence}`, folder), new URL(licence, folder));
console.log(`built ${target.pathname}`);
