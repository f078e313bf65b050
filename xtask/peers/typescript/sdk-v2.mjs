// @ts-check
// The official SDK 2.x: requireBearerAuth and mcpAuthMetadataRouter of its Express package.
import {
  createMcpExpressApp,
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
  requireBearerAuth,
} from '@modelcontextprotocol/express';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer, OAuthError, OAuthErrorCode } from '@modelcontextprotocol/server';

import { metadataOf, serve } from './serve.mjs';
import { verifier } from './verifier.mjs';

function buildServer() {
  const server = new McpServer({ name: 'peer', version: '0.0.0' });
  server.registerTool('whoami', {}, async () => ({ content: [{ type: 'text', text: 'somebody' }] }));
  return server;
}

await serve(async (issuer, resource) => {
  const resourceServerUrl = new URL(resource);
  const auth = requireBearerAuth({
    verifier: verifier(issuer, resource, (message) => new OAuthError(OAuthErrorCode.InvalidToken, message)),
    requiredScopes: ['mcp'],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resourceServerUrl),
  });
  const app = createMcpExpressApp();
  app.use(mcpAuthMetadataRouter({ oauthMetadata: await metadataOf(issuer), resourceServerUrl, scopesSupported: ['mcp'] }));
  const node = toNodeHandler(createMcpHandler(buildServer));
  app.all('/mcp', auth, (request, response) => void node(request, response, request.body));
  return app;
});
