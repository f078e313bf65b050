// @ts-check
// The tarball, in an empty project without Rust.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FOLDER } from './support/program.mjs';

const SMOKE = `
  const issuer = new DevIssuer();
  const auth = new McpAuth({ resource: 'https://mcp.example.com/mcp', authorizationServers: [issuer.issuer] });
  auth.verifyAccessToken(issuer.mint({ audience: 'https://mcp.example.com/mcp' })).then((caller) => {
    console.log(caller.subject, typeof protect, typeof MCPAuth);
    issuer.stop();
  });
`;
const MODULES = {
  'smoke.mjs': `
    import { MCPAuth, McpAuth } from 'mcp-auth-node';
    import { protect } from 'mcp-auth-node/express';
    import 'mcp-auth-node/fastify';
    import 'mcp-auth-node/hono';
    import 'mcp-auth-node/http';
    import { MCPAuth as Original } from 'mcp-auth-node/original';
    import { DevIssuer } from 'mcp-auth-node/testing';
    if (Original !== MCPAuth) throw new Error('two classes of one name');
    ${SMOKE}`,
  'smoke.cjs': `
    const { MCPAuth, McpAuth } = require('mcp-auth-node');
    const { protect } = require('mcp-auth-node/express');
    const { DevIssuer } = require('mcp-auth-node/testing');
    if (require('mcp-auth-node/original').MCPAuth !== MCPAuth) throw new Error('two classes of one name');
    ${SMOKE}`,
};

const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const ALWAYS = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json'];

/** What would be in the tarball of a package. @param {string} folder @returns {string[]} */
function packed(folder) {
  const said = execFileSync(NPM, ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder, encoding: 'utf8' });
  return JSON.parse(said)[0].files.map((/** @type {{ path: string }} */ { path }) => path);
}

test('what is published for each platform has its binary, a README and both licences', (context) => {
  const build = mkdtempSync(join(tmpdir(), 'mcp-auth-node-build-'));
  context.after(() => rmSync(build, { recursive: true }));
  const script = join(FOLDER, 'scripts/platform-packages.mjs');
  execFileSync(process.execPath, [script, FOLDER, join(build, 'packages')], { stdio: 'ignore' });
  const names = readdirSync(join(build, 'packages'));
  assert.equal(names.length, 2, 'one for this platform, and the main one');
  for (const name of names) {
    const files = packed(join(build, 'packages', name));
    for (const file of ALWAYS) assert.ok(files.includes(file), `${name}: ${files}`);
    assert.ok(files.some((file) => (name === 'mcp-auth-node' ? file === 'dist/index.js' : file.endsWith('.node'))), name);
  }
});

test('what `npm pack` makes in a clone has its binary, a README, the command and both licences', () => {
  const files = packed(FOLDER);
  for (const file of [...ALWAYS, 'dist/index.js', 'dist/command.js']) assert.ok(files.includes(file), file);
  assert.equal(files.filter((file) => file.endsWith('.node')).length, 1);
});

test('the tarball installs and works, as ESM and CJS; without a binary it says so', (context) => {
  const project = mkdtempSync(join(tmpdir(), 'mcp-auth-node-'));
  context.after(() => rmSync(project, { recursive: true }));
  // What `npm pack` builds first is here already: these are its tests.
  execFileSync(NPM, ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: FOLDER, stdio: 'ignore' });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  execFileSync(NPM, ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${tarball}`], { cwd: project, stdio: 'ignore' });

  /** @param {string} file */
  const run = (file) => execFileSync(process.execPath, [file], { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  for (const name of ['mcp-auth', 'mcp-auth-node']) {
    const script = join(project, 'node_modules/.bin', process.platform === 'win32' ? `${name}.cmd` : name);
    const said = execFileSync(script, ['--version'], { encoding: 'utf8', shell: process.platform === 'win32' });
    assert.match(said, /^mcp-auth [0-9.]+\n$/);
  }
  for (const [file, code] of Object.entries(MODULES)) {
    writeFileSync(join(project, file), code);
    assert.equal(run(file).trim(), 'alice function function', file);
  }

  const installed = join(project, 'node_modules/mcp-auth-node');
  const binaries = readdirSync(installed).filter((name) => name.endsWith('.node'));
  assert.equal(binaries.length, 1);
  renameSync(join(installed, binaries[0] ?? ''), join(project, 'elsewhere'));
  assert.throws(() => run('smoke.cjs'), /mcp-auth-node has no binary that works here \(.*--omit=optional/s);
});
