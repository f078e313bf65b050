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

test('what is published for each platform has its binary, a README and both licences', (context) => {
  const build = mkdtempSync(join(tmpdir(), 'mcp-auth-node-build-'));
  context.after(() => rmSync(build, { recursive: true }));
  const script = join(FOLDER, 'scripts/platform-packages.mjs');
  execFileSync(process.execPath, [script, FOLDER, join(build, 'packages')], { stdio: 'ignore' });
  const names = readdirSync(join(build, 'packages'));
  assert.equal(names.length, 2, 'one for this platform, and the main one');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  for (const name of names) {
    const packed = execFileSync(npm, ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: join(build, 'packages', name), encoding: 'utf8' });
    const files = JSON.parse(packed)[0].files.map((/** @type {{ path: string }} */ { path }) => path);
    for (const file of ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json']) assert.ok(files.includes(file), `${name}: ${files}`);
    assert.ok(files.some((/** @type {string} */ file) => (name === 'mcp-auth-node' ? file === 'dist/index.js' : file.endsWith('.node'))), name);
  }
});

test('the tarball installs and works, as ESM and CJS; without a binary it says so', (context) => {
  const project = mkdtempSync(join(tmpdir(), 'mcp-auth-node-'));
  context.after(() => rmSync(project, { recursive: true }));
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // What `npm pack` builds first is here already: these are its tests.
  execFileSync(npm, ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: FOLDER, stdio: 'ignore' });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) ?? '';
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  execFileSync(npm, ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${tarball}`], { cwd: project, stdio: 'ignore' });

  /** @param {string} file */
  const run = (file) => execFileSync(process.execPath, [file], { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
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
