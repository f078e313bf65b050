// @ts-check
// The original's npm package, as its documentation sets up a resource server.
import express from 'express';
import { fetchServerConfig, MCPAuth } from 'mcp-auth';

import { serve } from './serve.mjs';
import { answer } from './stateless.mjs';

await serve(async (issuer, resource) => {
  const server = await fetchServerConfig(issuer, { type: 'oidc' });
  const metadata = { resource, authorizationServers: [server], scopesSupported: ['mcp'] };
  const mcpAuth = new MCPAuth({ protectedResources: [{ metadata }] });
  const app = express();
  app.use(mcpAuth.protectedResourceMetadataRouter());
  app.post('/mcp', mcpAuth.bearerAuth('jwt', { resource, audience: resource, requiredScopes: ['mcp'] }), express.json(), answer);
  return app;
});
