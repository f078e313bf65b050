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
    import { DevIssuer } from 'mcp-auth-node/testing';
    ${SMOKE}`,
  'smoke.cjs': `
    const { MCPAuth, McpAuth } = require('mcp-auth-node');
    const { protect } = require('mcp-auth-node/express');
    const { DevIssuer } = require('mcp-auth-node/testing');
    ${SMOKE}`,
};

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
