// @ts-check
// How servers are written with the original: `MCPAuth`, `bearerAuth('jwt')`, `authInfo` in tools.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { fetchServerConfig, MCPAuth } from '../../dist/index.js';

const { MCP_AUTH_RESOURCE: resource = '', MCP_AUTH_ISSUER: issuer = '', MCP_AUTH_BIND: bind = '' } = process.env;

const mcpAuth = new MCPAuth({
  protectedResources: {
    metadata: {
      resource,
      authorizationServers: [await fetchServerConfig(issuer, { type: 'oidc' })],
      scopesSupported: ['mcp'],
    },
  },
});

function createServer() {
  const server = new McpServer({ name: 'WhoAmI', version: '0.0.0' });
  server.registerTool('whoami', { description: 'Who is calling?', inputSchema: {} }, (_, { authInfo }) => {
    const { claims } = /** @type {import('../../dist/index.js').OriginalAuthInfo} */ (authInfo);
    return { content: [{ type: 'text', text: JSON.stringify(claims) }], structuredContent: claims };
  });
  return server;
}

const app = express();
app.use(mcpAuth.protectedResourceMetadataRouter());
app.use(mcpAuth.bearerAuth('jwt', { resource, audience: resource, requiredScopes: ['mcp'] }));
app.post('/mcp', async (request, response) => {
  const server = createServer();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(/** @type {any} */ (transport));
  await transport.handleRequest(/** @type {any} */ (request), response, request.body);
  response.on('close', () => void server.close());
});
app.all('/mcp', (_, response) => void response.status(405).end());

const [host = '', port] = bind.split(':');
app.listen(Number(port), host, () => console.log(`listening on ${bind}`));
