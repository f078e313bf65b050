"""Todos with scopes of their own. As the original's tutorial has it: JWTs, and scopes that the tools look at."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

from mcp.server.fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from mcpauth import MCPAuth
from mcpauth.config import AuthServerType
from mcpauth.exceptions import BearerAuthExceptionCode, MCPAuthBearerAuthException
from mcpauth.types import AuthInfo, ResourceServerConfig, ResourceServerMetadata
from mcpauth.utils import fetch_server_config

RESOURCE = "http://localhost:3001/mcp"
mcp = FastMCP(name="Todo Manager", stateless_http=True)
mcp_auth_object = MCPAuth(
    protected_resources=[
        ResourceServerConfig(
            metadata=ResourceServerMetadata(
                resource=RESOURCE,
                authorization_servers=[
                    fetch_server_config(os.environ["MCP_AUTH_ISSUER"], AuthServerType.OIDC)
                ],
                scopes_supported=["create:todos", "read:todos", "delete:todos"],
            )
        )
    ]
)
#: Of each todo: whose it is, and what it says.
todos: dict[int, tuple[str, str]] = {}


def caller() -> AuthInfo:
    found = mcp_auth_object.auth_info
    if found is None or not found.subject:
        raise ValueError("Invalid auth info")
    return found


@mcp.tool()
def create_todo(content: str) -> dict[str, Any]:
    """Adds a todo; needs create:todos."""
    if "create:todos" not in caller().scopes:
        raise MCPAuthBearerAuthException(BearerAuthExceptionCode.MISSING_REQUIRED_SCOPES)
    number = max(todos, default=0) + 1
    todos[number] = (caller().subject, content)
    return {"id": number, "content": content}


@mcp.tool()
def get_todos() -> dict[str, Any]:
    """All todos with read:todos, else one's own."""
    sees_all = "read:todos" in caller().scopes
    return {"todos": [text for owner, text in todos.values() if sees_all or owner == caller().subject]}


@mcp.tool()
def delete_todo(id: int) -> dict[str, Any]:
    """Deletes a todo; those of others with delete:todos."""
    is_own = id in todos and todos[id][0] == caller().subject
    if id not in todos or not (is_own or "delete:todos" in caller().scopes):
        return {"error": "Failed to delete todo"}
    return {"message": f"Todo {id} deleted", "details": todos.pop(id)[1]}


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mcp.session_manager.run())
        yield


bearer_auth = Middleware(mcp_auth_object.bearer_auth_middleware("jwt", resource=RESOURCE))
app = Starlette(
    routes=[
        *mcp_auth_object.resource_metadata_router().routes,
        Mount("/", app=mcp.streamable_http_app(), middleware=[bearer_auth]),
    ],
    lifespan=lifespan,
)
