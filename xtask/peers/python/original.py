"""The original's Python package, as its documentation sets up a resource server."""

import contextlib
from collections.abc import AsyncIterator

from mcp.server import MCPServer
from mcpauth import MCPAuth
from mcpauth.config import AuthServerType
from mcpauth.types import ResourceServerConfig, ResourceServerMetadata
from mcpauth.utils import fetch_server_config
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from serve import serve


def build(issuer: str, resource: str) -> Starlette:
    metadata = ResourceServerMetadata(
        resource=resource,
        authorization_servers=[fetch_server_config(issuer, AuthServerType.OIDC)],
        scopes_supported=["mcp"],
    )
    mcp_auth = MCPAuth(protected_resources=ResourceServerConfig(metadata=metadata))
    mcp = MCPServer("peer")

    @mcp.tool()
    def whoami() -> str:
        return "somebody"

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with mcp.session_manager.run():
            yield

    bearer_auth = mcp_auth.bearer_auth_middleware(
        "jwt", resource=resource, audience=resource, required_scopes=["mcp"]
    )
    protected = Mount("/", app=mcp.streamable_http_app(), middleware=[Middleware(bearer_auth)])
    return Starlette(routes=[*mcp_auth.resource_metadata_router().routes, protected], lifespan=lifespan)


serve(build)
