"""A protected MCP server with one tool, for any identity provider.

    pip install mcp-auth mcp uvicorn  # mcp-auth from a clone: `pip install ./python`
    MCP_AUTH_RESOURCE=http://127.0.0.1:3000/mcp MCP_AUTH_ISSUER=https://tenant.eu.auth0.com/ python whoami.py

`MCP_AUTH_SCOPES`: required scopes, space-separated. `MCP_AUTH_BIND`: where to listen, 127.0.0.1:3000
unless set.
"""

import logging
import os
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from mcp_auth import McpAuth, auth_info

# Otherwise the SDK answers for localhost alone. Rebinding needs a browser: `protect` checks origins and tokens.
ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)

mcp = MCPServer("whoami")


@mcp.tool()
def whoami() -> dict[str, Any]:
    """Who is calling?"""
    caller = auth_info()
    return caller.claims if caller else {}


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    auth = McpAuth.from_env()
    print("protecting", auth.resource, flush=True)
    host, _, port = os.environ.get("MCP_AUTH_BIND", "127.0.0.1:3000").rpartition(":")
    app = auth.protect(mcp.streamable_http_app(transport_security=ANY_HOST))
    uvicorn.run(app, host=host, port=int(port), reset_contextvars=True)


if __name__ == "__main__":
    main()
