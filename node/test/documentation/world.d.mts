// What a page takes for granted: it was made on a page before, or is the reader's. A block that makes it itself hides it.
export {};
declare global {
  const app: import('express').Express;
  const auth: import('mcp-auth-node').McpAuth;
  const authInfo: import('mcp-auth-node').OriginalAuthInfo;
  const authorizationServers: string[];
  const caller: typeof import('mcp-auth-node').caller;
  const config: import('mcp-auth-node').Config;
  const DevIssuer: typeof import('mcp-auth-node/testing').DevIssuer;
  const inputSchema: { id: import('zod').ZodString };
  const InvalidTokenError: typeof import('@modelcontextprotocol/sdk/server/auth/errors.js').InvalidTokenError;
  const keys: { find(token: string): Promise<{ id: string } | undefined> };
  const McpAuth: typeof import('mcp-auth-node').McpAuth;
  function makeServer(): import('@modelcontextprotocol/sdk/server/mcp.js').McpServer;
  const mcpAuth: import('mcp-auth-node/original').MCPAuth;
  const OAuthError: typeof import('@modelcontextprotocol/server').OAuthError;
  const OAuthErrorCode: typeof import('@modelcontextprotocol/server').OAuthErrorCode;
  const owner: string;
  const request: import('express').Request;
  const requireBearerAuth: typeof import('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js').requireBearerAuth &
    typeof import('@modelcontextprotocol/express').requireBearerAuth;
  const requires: typeof import('mcp-auth-node').requires;
  const resource: string;
  const server: import('@modelcontextprotocol/sdk/server/mcp.js').McpServer;
  function remove(id: string): Promise<{ content: [] }>;
  function serve(request: Request, authInfo: import('mcp-auth-node').AuthInfo | undefined): Promise<Response>;
}
