/** Names the session, in requests and responses (MCP, Streamable HTTP). */
export const SESSION_HEADER = 'mcp-session-id';
