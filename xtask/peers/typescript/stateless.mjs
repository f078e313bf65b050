// @ts-check
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

/**
 * A server of the official SDK 1.x for each request, as its stateless example has it.
 *
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 */
export async function answer(request, response) {
  const server = new McpServer({ name: 'peer', version: '0.0.0' });
  server.registerTool('whoami', {}, async () => ({ content: [{ type: 'text', text: 'somebody' }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
  response.on('close', () => {
    void transport.close();
    void server.close();
  });
}
