// @ts-check
// The original's documented samples, on its package and on ours: the import alone is different, and all else the same.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { DevIssuer } from '../dist/testing.js';
import { FOLDER, freePort, start } from './support/program.mjs';
import { call, post } from './support/server.mjs';

const PACKAGES = {
  published: new URL('./published/node_modules/mcp-auth/lib/index.js', import.meta.url).href,
  ours: new URL('../dist/original.mjs', import.meta.url).href,
};

/** Starts a sample on each package, and gives what the same calls get from both.
 * @param {import('node:test').TestContext} context @param {string} sample
 * @param {(origin: string, issuer: DevIssuer) => Promise<unknown>} use */
async function onBoth(context, sample, use) {
  const seen = [];
  for (const name of Object.values(PACKAGES)) {
    const issuer = new DevIssuer({ scopes: ['openid', 'profile', 'create:todos', 'read:todos', 'delete:todos'] });
    context.after(() => issuer.stop());
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const env = { MCP_AUTH_ISSUER: issuer.issuer, MCP_AUTH_PACKAGE: name, MCP_AUTH_PORT: String(port), MCP_AUTH_RESOURCE: `${origin}/` };
    const server = await start(context, [join(FOLDER, 'test/support', sample)], env, /^listening/);
    seen.push(await use(origin, issuer));
    server.kill();
  }
  return seen;
}

/** Calls a tool, and says status and text, without what is different each time.
 * @param {string} origin @param {string} token @param {string} name @param {object} [given] */
async function tool(origin, token, name, given = {}) {
  const { headers, ...rest } = post(token, call(name, given));
  const accept = 'application/json, text/event-stream';
  const response = await fetch(origin, { ...rest, headers: { ...headers, accept } });
  const body = await response.text();
  const [, data = '{}'] = /^data: (.*)$/m.exec(body) ?? [];
  const { result } = JSON.parse(data);
  return { status: response.status, isError: result?.isError, text: result?.content[0].text };
}

test('whoami', async (context) => {
  const [theirs, ours] = /** @type {any[]} */ (
    await onBoth(context, 'original-whoami.mjs', async (origin, issuer) => {
      const token = issuer.mint({ scope: 'openid profile', audience: origin });
      const metadata = /** @type {any} */ (await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json());
      assert.equal(metadata.issuer, issuer.issuer);
      return {
        metadata: Object.keys(metadata).sort(),
        signedIn: await tool(origin, token, 'whoami'),
        unknown: await tool(origin, 'no-such-token', 'whoami'),
        withoutOpenid: await tool(origin, issuer.mint({ scope: 'profile' }), 'whoami'),
        anonymous: (await fetch(origin, { method: 'POST' })).status,
      };
    })
  );
  assert.deepEqual(ours, theirs);
  assert.deepEqual([ours.signedIn.status, JSON.parse(ours.signedIn.text).sub], [200, 'alice']);
  assert.deepEqual([ours.unknown.status, ours.withoutOpenid.status, ours.anonymous], [401, 401, 401]);
});

test('todo manager', async (context) => {
  const [theirs, ours] = /** @type {any[]} */ (
    await onBoth(context, 'original-todo-manager.mjs', async (origin, issuer) => {
      const mint = (/** @type {string} */ subject, /** @type {string} */ scope) => issuer.mint({ subject, scope, audience: `${origin}/` });
      const [alice, bob, admin] = [mint('alice', 'create:todos'), mint('bob', ''), mint('carol', 'read:todos delete:todos')];
      const metadata = /** @type {any} */ (await (await fetch(`${origin}/.well-known/oauth-protected-resource`)).json());
      return [
        metadata.scopes_supported,
        await tool(origin, alice, 'create-todo', { content: 'milk' }),
        await tool(origin, bob, 'create-todo', { content: 'bread' }),
        await tool(origin, alice, 'get-todos'),
        await tool(origin, bob, 'get-todos'),
        await tool(origin, admin, 'get-todos'),
        await tool(origin, bob, 'delete-todo', { id: '0' }),
        await tool(origin, admin, 'delete-todo', { id: '0' }),
        await tool(origin, alice, 'get-todos'),
        await tool(origin, issuer.mint({ audience: 'https://other.example' }), 'get-todos'),
        await tool(origin, issuer.mint({ audience: `${origin}/`, expiresIn: -300 }), 'get-todos'),
      ];
    })
  );
  assert.deepEqual(ours, theirs);
  assert.deepEqual(JSON.parse(ours[1].text), { id: '0', content: 'milk', ownerId: 'alice' });
  assert.match(ours[2].text, /necessary scopes/);
  assert.deepEqual([ours.at(-2).status, ours.at(-1).status], [401, 401]);
});
