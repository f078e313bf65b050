// @ts-check
// The language-neutral cases of vectors/settings.json: configuration, paths and refusals as data.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ConfigError, McpAuth, TokenError } from '../dist/index.js';
import { native } from '../dist/native.js';

const read = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'));
const { configurations, environments, paths, refusals, callers } = read('settings');

/** @param {() => unknown} make */
function faults(make) {
  try {
    make();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.faults;
  }
  return [];
}

for (const { name, config, faults: expected } of configurations) {
  test(`a configuration: ${name}`, () => assert.deepEqual(faults(() => McpAuth.fromConfig(config)), expected));
}

test('a secret file without a secret is a fault', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  const introspection = { client_id: 'us', client_secret_file: file };
  const server = { issuer: 'https://as.example.com', introspection };
  const config = { resources: [{ resource: 'https://mcp.example.com/mcp', authorization_servers: [server] }] };
  writeFileSync(file, 'secret\n');
  assert.deepEqual(faults(() => McpAuth.fromConfig(config)), []);
  for (const text of ['', '\n', ' \t\r\n']) {
    writeFileSync(file, text);
    const [fault] = faults(() => McpAuth.fromConfig(config));
    assert.match(fault, /introspection\.client_secret_file: .* is empty$/);
  }
});

for (const { name, variables, faults: expected } of environments) {
  test(`an environment: ${name}`, (context) => {
    const before = { ...process.env };
    context.after(() => Object.assign(process.env, before));
    for (const variable of ['MCP_AUTH_RESOURCE', 'MCP_AUTH_ISSUER', 'MCP_AUTH_SCOPES']) delete process.env[variable];
    Object.assign(process.env, variables);
    assert.deepEqual(faults(() => McpAuth.fromEnv()), expected);
  });
}

for (const { name, resources, rows } of paths) {
  test(`paths: ${name}`, () => {
    const list = Object.keys(resources).map((resource) => ({ resource, authorizationServers: ['https://as.example.com'] }));
    const auth = /** @type {any} */ (new McpAuth({ resources: list }));
    for (const [target, expected] of rows) {
      const found = auth.resourceAt(target);
      assert.equal(found?.identifier, expected ?? undefined, target);
      if (expected) assert.equal(found?.metadataUrl, resources[expected]);
      assert.deepEqual(auth.resourceAt(`https://mcp.example.com${target}`), found, target);
    }
  });
}

test('the document that a path or a URL is for', () => {
  const rows = [
    ['/.well-known/oauth-protected-resource/mcp?a', 'protected_resource'],
    ['https://mcp.example.com/.well-known/oauth-authorization-server', 'authorization_server'],
    ['/mcp', null],
    ['', null],
  ];
  for (const [target, expected] of rows) assert.equal(native.metadataDocumentAt(String(target)), expected);
});

const { now, config, documents, cases } = read('decisions');
const auth = McpAuth.fromConfig(config, /** @type {any} */ ({ testing: { now, documents } }));
for (const { case: name, code, status, compared } of refusals) {
  test(`a refusal: ${name}`, async () => {
    const { request } = cases.find((/** @type {any} */ one) => one.name === name);
    const refused = await auth.verifyAccessToken(request.authorization[0].slice('Bearer '.length)).catch((error) => error);
    assert.ok(refused instanceof TokenError);
    assert.deepEqual([refused.code, refused.status], [code, status]);
    for (const [field, value] of Object.entries(compared)) {
      const camelCase = field.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
      assert.deepEqual(/** @type {any} */ (refused)[camelCase], value);
    }
  });
}

for (const { case: name, key } of callers) {
  test(`a caller: ${name}`, async () => {
    const { request } = cases.find((/** @type {any} */ one) => one.name === name);
    const caller = await auth.verifyAccessToken(request.authorization[0].slice('Bearer '.length));
    assert.deepEqual(caller.key, [key[0], key[1] ?? undefined]);
  });
}
