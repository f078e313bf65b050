// @ts-check
// The original's example, against an authorization server that others wrote, with the official client.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StoringProvider } from '../../xtask/clients/typescript/provider.mjs';
import { approve, startProvider } from './support/oidc-provider.mjs';
import { FOLDER, freePort, start } from './support/program.mjs';

test("the original's own example, with node-oidc-provider and the official client", async (context) => {
  const bind = `127.0.0.1:${await freePort()}`;
  const resource = `http://${bind}/mcp`;
  const issuer = await startProvider(context, resource);
  const env = { MCP_AUTH_RESOURCE: resource, MCP_AUTH_ISSUER: issuer, MCP_AUTH_BIND: bind };
  await start(context, [join(FOLDER, 'test/support/original-example.mjs')], env, /^listening on/);

  const authProvider = new StoringProvider();
  const connect = () => new StreamableHTTPClientTransport(new URL(resource), { authProvider: /** @type {any} */ (authProvider) });
  const refused = connect();
  const client = () => new Client({ name: 'test', version: '0.0.0' });
  await assert.rejects(client().connect(/** @type {any} */ (refused)), UnauthorizedError);
  const [url] = authProvider.authorizationUrls;
  assert.ok(url);
  assert.deepEqual([url.origin, url.searchParams.get('resource'), url.searchParams.get('scope')], [issuer, resource, 'mcp']);
  const redirect = await approve(url, 'alice');
  await refused.finishAuth(redirect.get('code') ?? '');

  const connected = client();
  await connected.connect(/** @type {any} */ (connect()));
  const { structuredContent: claims } = /** @type {any} */ (await connected.callTool({ name: 'whoami' }));
  assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.scope], ['alice', issuer, resource, 'mcp']);
  await connected.close();
});
