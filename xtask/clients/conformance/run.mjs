// Runs the `authorization` scenarios of the MCP conformance suite against an authorization server.
//
//   npm ci
//   node run.mjs <issuer> [--client-id <id>] [--resource <uri>] [--user <name>]
//
// <issuer>      the issuer identifier, exactly as in the metadata: http://127.0.0.1:8080
// --client-id   a public client that may be sent back to http://127.0.0.1:<any port>/callback
//               (default: dev-public)
// --resource    the resource indicator to ask for (default: http://127.0.0.1:3000/mcp)
// --user        who signs in at the consent page (default: alice)
//
// Exit status 0 when every check says SUCCESS; 1 when one failed, warned or was skipped; 2 for wrong
// arguments. Starts with any Node from 20.11 on: the suite needs 22, so an older one hands over to the
// Node that package.json pins.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const USAGE = 'usage: node run.mjs <issuer> [--client-id <id>] [--resource <uri>] [--user <name>]';
const MODULES = join(import.meta.dirname, 'node_modules');
const SCENARIOS = ['authorization-code-grant', 'authorization-server-metadata-endpoint'];

const { issuer, options } = readArguments();
const results = await mkdtemp(join(tmpdir(), 'conformance-'));
try {
  await runSuite();
  process.exitCode = report(await readChecks()) ? 0 : 1;
} finally {
  await rm(results, { recursive: true, force: true });
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        'client-id': { type: 'string', default: 'dev-public' },
        resource: { type: 'string', default: 'http://127.0.0.1:3000/mcp' },
        user: { type: 'string', default: 'alice' },
      },
    });
    if (positionals.length !== 1) throw new Error('one issuer is needed');
    return { issuer: positionals[0], options: values };
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    process.exit(2);
  }
}

/** Runs every scenario, and plays the browser when the suite shows an authorization URL. */
async function runSuite() {
  const suite = join(MODULES, '@modelcontextprotocol', 'conformance', 'dist', 'index.js');
  const port = await freePort();
  const child = spawn(
    node(),
    [
      suite, 'authorization', '--url', issuer, '--client-id', options['client-id'],
      '--resource', options.resource, '--port', String(port), '--output-dir', results,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  let visit = Promise.resolve();
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (!isAuthorizationUrl(line.trim())) continue;
    visit = signIn(new URL(line.trim())).catch((error) => {
      console.error(`the browser gave up: ${error.message}`);
      child.kill();
    });
  }
  await Promise.all([ended, visit]);
}

/** What a person does: opens the URL, signs in, approves, and lets the browser go back. */
async function signIn(url) {
  let response = await fetch(url, { redirect: 'manual' });
  if (response.status === 200) {
    const { action, form } = consentForm(await response.text(), url);
    response = await fetch(action, { method: 'POST', body: form, redirect: 'manual' });
  }
  const location = response.headers.get('location');
  if (!location) throw new Error(`status ${response.status} without a redirect`);
  await fetch(new URL(location, url));
}

function consentForm(html, base) {
  const [, action] = /<form method="post"(?: action="([^"]*)")?/.exec(html) ?? [];
  const [, request] = /name="request" value="([^"]*)"/.exec(html) ?? [];
  if (!request) throw new Error('the page has no consent form');
  const form = new URLSearchParams({ request, user: options.user, decision: 'approve' });
  for (const [, scope] of html.matchAll(/name="scope" value="([^"]*)"/g)) {
    form.append('scope', scope);
  }
  return { action: new URL(action ?? '', base), form };
}

function isAuthorizationUrl(line) {
  return URL.canParse(line) && new URL(line).searchParams.get('response_type') === 'code';
}

async function readChecks() {
  const files = await readdir(results, { recursive: true });
  const checks = files.filter((file) => file.endsWith('checks.json'));
  return Promise.all(
    checks.map(async (file) => ({
      scenario: SCENARIOS.find((scenario) => file.includes(scenario)) ?? file,
      checks: JSON.parse(await readFile(join(results, file), 'utf8')),
    })),
  );
}

/** Prints one line per check; true when all scenarios ran and every check succeeded. */
function report(scenarios) {
  console.log(`\nconformance of ${issuer}`);
  let isConformant = true;
  for (const { scenario, checks } of scenarios) {
    for (const { id, status, errorMessage } of checks) {
      isConformant &&= status === 'SUCCESS';
      console.log(`  ${status.padEnd(8)} ${scenario}: ${id}${errorMessage ? ` (${errorMessage})` : ''}`);
    }
  }
  const missing = SCENARIOS.filter((name) => !scenarios.some(({ scenario }) => scenario === name));
  for (const name of missing) console.log(`  NOT RUN  ${name}`);
  return isConformant && missing.length === 0;
}

/** This Node when it is new enough, else the one that package.json pins for this platform. */
function node() {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const pinned = join(MODULES, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(pinned)) return pinned;
  console.error('the conformance suite needs Node 22, and none is pinned for this platform');
  process.exit(2);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
