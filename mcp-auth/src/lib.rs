//! mcp-auth
