"""Who is calling? As the original's tutorial has it: a verify function that asks the provider's userinfo endpoint."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import requests
from mcp.server.fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from mcpauth import MCPAuth
from mcpauth.config import AuthServerType
from mcpauth.exceptions import MCPAuthTokenVerificationException, MCPAuthTokenVerificationExceptionCode
from mcpauth.types import AuthInfo, ResourceServerConfig, ResourceServerMetadata
from mcpauth.utils import fetch_server_config

RESOURCE = "http://localhost:3001/mcp"
mcp = FastMCP("WhoAmI", stateless_http=True)
server = fetch_server_config(os.environ["MCP_AUTH_ISSUER"], AuthServerType.OIDC)
metadata = ResourceServerMetadata(resource=RESOURCE, authorization_servers=[server])
mcp_auth_object = MCPAuth(protected_resources=ResourceServerConfig(metadata=metadata))


@mcp.tool()
def whoami() -> dict[str, Any]:
    """The caller's claims."""
    caller = mcp_auth_object.auth_info
    return caller.claims if caller else {"error": "Not authenticated"}


def verify_access_token(token: str) -> AuthInfo:
    """Asks the provider who the token is for."""
    codes = MCPAuthTokenVerificationExceptionCode
    endpoint = server.metadata.userinfo_endpoint
    if not endpoint:
        raise ValueError("the provider has no userinfo endpoint")
    try:
        answer = requests.get(endpoint, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        if answer.status_code == 401:
            raise MCPAuthTokenVerificationException(codes.INVALID_TOKEN)
        answer.raise_for_status()
        said = answer.json()
        return AuthInfo(token=token, subject=said.get("sub"), issuer=server.metadata.issuer, claims=said)
    except requests.RequestException as error:
        raise MCPAuthTokenVerificationException(codes.TOKEN_VERIFICATION_FAILED, cause=error) from error


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with mcp.session_manager.run():
        yield


bearer_auth = Middleware(mcp_auth_object.bearer_auth_middleware(verify_access_token, resource=RESOURCE))
app = Starlette(
    routes=[
        *mcp_auth_object.resource_metadata_router().routes,
        Mount("/", app=mcp.streamable_http_app(), middleware=[bearer_auth]),
    ],
    lifespan=lifespan,
)
