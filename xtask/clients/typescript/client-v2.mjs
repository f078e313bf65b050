// @ts-check
// The current TypeScript client, `@modelcontextprotocol/client`: the newest revision the server knows.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { main } from './main.mjs';

await main({
  isUnauthorized: (error) => error instanceof UnauthorizedError,
  stepUp: {
    asksFor: [
      'mcp offline_access',
      'mcp offline_access create:todos',
      'mcp offline_access create:todos delete:todos',
    ],
    triesRefreshTokenFirst: false,
  },
  connection(url, options) {
    const transport = new StreamableHTTPClientTransport(url, options);
    const client = new Client({ name: 'real-client-v2', version: '0.0.0' }, { versionNegotiation: { mode: 'auto' } });
    return {
      open: () => client.connect(transport),
      finishAuth: (redirect) => transport.finishAuth(redirect),
      callTool: (name, toolArguments) => client.callTool({ name, arguments: toolArguments }),
      close: () => client.close(),
    };
  },
});
