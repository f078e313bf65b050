// @ts-check
// What users grant at other providers: what they have to open first, and how it is taken back.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { DownstreamError, McpAuth } from '../dist/index.js';
import { calling, SERVERS } from './support/calling.mjs';
import { post, start } from './support/server.mjs';

/**
 * A server whose users connect their accounts at a provider that does not answer.
 *
 * @param {import('node:test').TestContext} context @param {string} framework @param {import('./support/calling.mjs').Tool} tool
 */
async function connecting(context, framework, tool) {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-auth-grants-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  /** @type {{ auth?: McpAuth }} */
  const made = {};
  const server = await start(context, (resource, { issuer }) => {
    made.auth = new McpAuth({
      resource,
      authorizationServers: [issuer],
      handleKeys: ['a-key-of-32-characters-or-more-for-tests'],
      connect: { url: 'http://127.0.0.1:1/connect', folder, signIn: [{ issuer, clientId: 'dev', clientSecret: 'dev' }] },
      downstreams: {
        github: {
          grant: 'authorization_code',
          authorizationEndpoint: 'http://127.0.0.1:1/authorize',
          tokenEndpoint: 'http://127.0.0.1:1/token',
          clientId: 'us',
          clientSecret: 'a secret',
          api: ['http://127.0.0.1:1/'],
        },
      },
    });
    return /** @type {any} */ (SERVERS[framework])(made.auth, tool);
  });
  return { ...server, auth: /** @type {McpAuth} */ (made.auth) };
}

for (const framework of Object.keys(SERVERS)) {
  test(`${framework}: a user without a grant is told what to open, and has nothing to take back`, async (context) => {
    const { resource, mint } = await connecting(context, framework, async (given, auth) => {
      const github = auth.downstream('github');
      const ways = [github.tokenFor(), github.tokenFor(given), github.fetch('http://127.0.0.1:1/issues')];
      const told = await Promise.all(ways.map((way) => way.then(String, (error) => [error.code, error.jsonRpcError])));
      await github.disconnect();
      await github.disconnect(given);
      return told;
    });
    /** Whose each link is. @type {Map<string, string>} */
    const links = new Map();
    for (const subject of ['alice', 'bob']) {
      const answer = await fetch(resource, post(mint({ subject })));
      assert.equal(answer.status, 200);
      for (const [code, error] of await answer.json()) {
        assert.deepEqual([code, error.code], ['downstream_authorization_required', -32042]);
        const [{ mode, url, elicitationId, message }, ...others] = error.data.elicitations;
        assert.deepEqual([mode, typeof elicitationId, typeof message, others], ['url', 'string', 'string', []]);
        assert.match(url, /^http:\/\/127\.0\.0\.1:1\/connect\/github\?/);
        assert.equal(links.get(url) ?? subject, subject);
        links.set(url, subject);
      }
    }
    assert.deepEqual(new Set(links.values()), new Set(['alice', 'bob']));
  });
}

test('what users do not grant cannot be taken back, nor for nobody', async (context) => {
  const { auth, mint, resource } = await calling(context, (given, auth) => auth.downstream('reports').disconnect(given).catch((error) => [error.code, error.jsonRpcError]));
  assert.deepEqual(await (await fetch(resource, post(mint()))).json(), ['downstream_not_connected', null]);
  await assert.rejects(auth.downstream('reports').disconnect(), { code: 'no_caller' });
  const named = auth.downstream('nothing').disconnect({ authInfo: await auth.verifyAccessToken(mint()) });
  await assert.rejects(named, (error) => error instanceof DownstreamError && error.code === 'unknown_downstream');
});
