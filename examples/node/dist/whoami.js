/**
 * A protected MCP server with one tool, for any identity provider.
 *
 * | variable | meaning |
 * |---|---|
 * | `MCP_AUTH_RESOURCE` | the URL clients connect to, such as `http://127.0.0.1:3000/mcp` |
 * | `MCP_AUTH_ISSUER` | the provider's issuer; several: comma-separated |
 * | `MCP_AUTH_SCOPES` | required scopes, space-separated; may be empty or unset |
 * | `MCP_AUTH_BIND` | where to listen, `127.0.0.1:3000` unless set |
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpAuth } from 'mcp-auth-node';
import { serve } from './serve.js';
const auth = McpAuth.fromEnv();
serve(auth, (caller) => {
    const server = new McpServer({ name: 'whoami', version: '1.0.0' });
    server.registerTool('whoami', { description: 'Who is calling?' }, () => {
        const { claims } = caller;
        return { content: [{ type: 'text', text: JSON.stringify(claims) }], structuredContent: claims };
    });
    return server;
});
