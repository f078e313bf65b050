"""Everybody has todos, and who may do what with them is a policy. Variables as in whoami.py."""

import os
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from mcp_auth import McpAuth, auth_info, require_scopes

POLICY = {
    "tools": {
        "create_todo": ["todos:write"],
        "list_todos": ["todos:read"],
        "delete_todo": ["todos:write"],
    },
    "implies": {"todos:write": ["todos:read"], "todos:admin": ["todos:write"]},
    "deny_undeclared": True,  # a misspelt name closes a tool, and opens none
}

ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # see whoami.py
mcp = MCPServer("todo-manager")
# Of each todo: whose it is, (issuer, subject), and what it says.
todos: dict[int, tuple[Any, str]] = {}


def me() -> Any:
    caller = auth_info()
    assert caller is not None
    return caller.key


@mcp.tool()
def create_todo(text: str) -> int:
    """Adds a todo of mine."""
    number = max(todos, default=0) + 1
    todos[number] = (me(), text)
    return number


@mcp.tool()
def list_todos() -> dict[int, str]:
    """My todos."""
    return {number: text for number, (owner, text) in todos.items() if owner == me()}


@mcp.tool()
def delete_todo(number: int) -> str:
    """Deletes a todo; those of others need the scope todos:admin, which clients then ask for."""
    if number in todos and todos[number][0] != me():
        require_scopes("todos:admin")
    return "deleted" if todos.pop(number, None) else "there is no such todo"


if __name__ == "__main__":
    app = McpAuth.from_env(policy=POLICY).protect(mcp.streamable_http_app(transport_security=ANY_HOST))
    host, _, port = os.environ.get("MCP_AUTH_BIND", "127.0.0.1:3000").rpartition(":")
    uvicorn.run(app, host=host, port=int(port), reset_contextvars=True)
