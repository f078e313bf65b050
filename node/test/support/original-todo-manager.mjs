// @ts-check
// The original's tutorial "Todo manager", step by step: what a caller may do depends on its scopes. The package is the
// one that is named.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { z } from 'zod';

const { MCP_AUTH_ISSUER: issuer = '', MCP_AUTH_PACKAGE: name = '', MCP_AUTH_PORT: port = '', MCP_AUTH_RESOURCE: resource = '' } = process.env;
const { MCPAuth, MCPAuthBearerAuthError } = /** @type {typeof import('../../dist/original.mjs')} */ (await import(name));

/** @type {{ id: string, content: string, ownerId: string }[]} */
const todos = [];

const text = (/** @type {unknown} */ value) => ({ content: [{ type: /** @type {const} */ ('text'), text: JSON.stringify(value) }] });

/** @param {any} authInfo @returns {string} */
function userOf(authInfo) {
  if (!authInfo?.subject) throw new Error('Invalid auth info');
  return authInfo.subject;
}

const has = (/** @type {any} */ authInfo, /** @type {string} */ scope) => authInfo?.scopes.includes(scope) === true;

function createServer() {
  const server = new McpServer({ name: 'Todo Manager', version: '0.0.0' });
  server.registerTool('create-todo', { description: 'Creates a todo', inputSchema: { content: z.string() } }, ({ content }, { authInfo }) => {
    const ownerId = userOf(authInfo);
    if (!has(authInfo, 'create:todos')) throw new MCPAuthBearerAuthError('missing_required_scopes');
    const todo = { id: String(todos.length), content, ownerId };
    todos.push(todo);
    return text(todo);
  });
  server.registerTool('get-todos', { description: 'Lists todos', inputSchema: {} }, (_, { authInfo }) => {
    const user = userOf(authInfo);
    return text(has(authInfo, 'read:todos') ? todos : todos.filter(({ ownerId }) => ownerId === user));
  });
  server.registerTool('delete-todo', { description: 'Deletes a todo', inputSchema: { id: z.string() } }, ({ id }, { authInfo }) => {
    const user = userOf(authInfo);
    const at = todos.findIndex((todo) => todo.id === id && (todo.ownerId === user || has(authInfo, 'delete:todos')));
    if (at < 0) return text({ error: 'Failed to delete todo' });
    return text({ message: `Todo ${id} deleted`, details: todos.splice(at, 1)[0] });
  });
  return server;
}

const mcpAuth = new MCPAuth({
  protectedResources: {
    metadata: {
      resource,
      authorizationServers: [{ issuer, type: 'oidc' }],
      scopesSupported: ['create:todos', 'read:todos', 'delete:todos'],
    },
  },
});

const app = express();
app.use(mcpAuth.protectedResourceMetadataRouter());
app.use(mcpAuth.bearerAuth('jwt', { resource, audience: resource }));
app.post('/', async (request, response) => {
  const server = createServer();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(/** @type {any} */ (transport));
  await transport.handleRequest(/** @type {any} */ (request), response, request.body);
  response.on('close', () => {
    void transport.close();
    void server.close();
  });
});
app.listen(Number(port), '127.0.0.1', () => console.log('listening'));
