// @ts-check
// The official SDK 1.x: requireBearerAuth and mcpAuthMetadataRouter.
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';

import { metadataOf, serve } from './serve.mjs';
import { answer } from './stateless.mjs';
import { verifier } from './verifier.mjs';

await serve(async (issuer, resource) => {
  const resourceServerUrl = new URL(resource);
  const auth = requireBearerAuth({
    verifier: verifier(issuer, resource, (message) => new InvalidTokenError(message)),
    requiredScopes: ['mcp'],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resourceServerUrl),
  });
  const app = createMcpExpressApp();
  app.use(mcpAuthMetadataRouter({ oauthMetadata: await metadataOf(issuer), resourceServerUrl, scopesSupported: ['mcp'] }));
  app.post('/mcp', auth, answer);
  return app;
});
