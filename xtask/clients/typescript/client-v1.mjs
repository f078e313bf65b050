// @ts-check
// The first generation of the TypeScript client, `@modelcontextprotocol/sdk`: sessions, GET stream.
import assert from 'node:assert/strict';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { main } from './main.mjs';

await main({
  isUnauthorized: (error) => error instanceof UnauthorizedError,
  stepUp: {
    asksFor: ['mcp', 'mcp create:todos', 'mcp delete:todos'],
    triesRefreshTokenFirst: true,
  },
  connection(url, options) {
    const transport = new StreamableHTTPClientTransport(url, options);
    const client = new Client({ name: 'real-client-v1', version: '0.0.0' });
    return {
      open: () => client.connect(/** @type {any} */ (transport)),
      async finishAuth(redirect) {
        // RFC 9207 is the application's task here: this generation takes the code alone.
        assert.equal(redirect.get('iss'), options.authProvider.discoveryState().authorizationServerMetadata.issuer);
        await transport.finishAuth(redirect.get('code') ?? '');
      },
      callTool: async (name, toolArguments) =>
        /** @type {any} */ (await client.callTool({ name, arguments: toolArguments })),
      close: () => client.close(),
    };
  },
});
