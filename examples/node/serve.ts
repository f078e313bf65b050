/** An MCP endpoint in Express, protected: what both examples have in common. */
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express, { type Request } from 'express';
import type { AuthInfo, McpAuth } from 'mcp-auth-node';
import { protect } from 'mcp-auth-node/express';

/** Serves with one server per request, made for its caller. */
export function serve(auth: McpAuth, serverFor: (caller: AuthInfo) => McpServer): void {
  const app = express();
  app.use(protect(auth));
  app.post('/mcp', async (request: Request & { auth?: AuthInfo }, response) => {
    const server = serverFor(request.auth!);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(request as never, response, request.body);
  });
  // Without sessions there are no streams to open and none to end.
  app.all('/mcp', (_request, response) => void response.status(405).set('allow', 'POST').end());

  const bind = process.env.MCP_AUTH_BIND ?? '127.0.0.1:3000';
  const [host = '', port] = bind.split(/:(?=\d+$)/);
  app.listen(Number(port), host, (error) => {
    if (error) throw error;
    console.log(`listening on ${bind}`);
  });
}
