"""FastMCP with its own RemoteAuthProvider and JWTVerifier."""

from typing import Any

from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from pydantic import AnyHttpUrl

from serve import serve


def build(issuer: str, resource: str) -> Any:
    verifier = JWTVerifier(
        jwks_uri=f"{issuer}/jwks",
        issuer=issuer,
        audience=resource,
        algorithm="ES256",
        required_scopes=["mcp"],
    )
    auth = RemoteAuthProvider(
        token_verifier=verifier,
        authorization_servers=[AnyHttpUrl(issuer)],
        base_url=resource.removesuffix("/mcp"),
    )
    mcp: FastMCP[Any] = FastMCP("peer", auth=auth)

    @mcp.tool
    def whoami() -> str:
        return "somebody"

    return mcp.http_app(path="/mcp")


serve(build)
