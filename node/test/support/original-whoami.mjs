// @ts-check
// The original's tutorial "Who am I?", step by step: the provider says at its UserInfo endpoint whose token it is. The
// package is the one that is named.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

const { MCP_AUTH_ISSUER: issuerUrl = '', MCP_AUTH_PACKAGE: name = '', MCP_AUTH_PORT: port = '' } = process.env;
const { fetchServerConfig, MCPAuth, MCPAuthTokenVerificationError } = /** @type {typeof import('../../dist/original.mjs')} */ (await import(name));

const provider = await fetchServerConfig(issuerUrl, { type: 'oidc' });
const mcpAuth = new MCPAuth({ server: provider });

const askUserInfo = async (/** @type {string} */ token) => {
  const { issuer, userinfoEndpoint = '' } = provider.metadata;
  const response = await fetch(userinfoEndpoint, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new MCPAuthTokenVerificationError('token_verification_failed', response);
  const user = /** @type {any} */ (await response.json());
  if (!('sub' in user)) throw new MCPAuthTokenVerificationError('invalid_token', response);
  return { token, issuer, subject: String(user.sub), clientId: '', scopes: [], claims: user };
};

function createServer() {
  const server = new McpServer({ name: 'WhoAmI', version: '0.0.0' });
  server.registerTool('whoami', { description: 'Says who is calling', inputSchema: {} }, (_, { authInfo }) => {
    const claims = authInfo?.claims ?? { error: 'Not authenticated' };
    return { content: [{ type: 'text', text: JSON.stringify(claims) }] };
  });
  return server;
}

const app = express();
app.use(mcpAuth.delegatedRouter());
app.use(mcpAuth.bearerAuth(askUserInfo));
app.post('/', async (request, response) => {
  const server = createServer();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(/** @type {any} */ (transport));
  await transport.handleRequest(/** @type {any} */ (request), response, request.body);
  response.on('close', () => void server.close());
});
app.listen(Number(port), '127.0.0.1', () => console.log('listening'));
