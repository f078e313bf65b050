"""The official SDK: its resource server half, and a verifier with PyJWT, as both document them."""

import jwt
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from serve import serve


class JwtVerifier(TokenVerifier):
    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer, self._resource = issuer, resource
        self._keys = jwt.PyJWKClient(f"{issuer}/jwks")

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["ES256"], audience=self._resource, issuer=self._issuer)
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims.get("client_id", ""),
            scopes=claims.get("scope", "").split(),
            expires_at=claims.get("exp"),
            subject=claims.get("sub"),
            claims=claims,
        )


def build(issuer: str, resource: str) -> Starlette:
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(issuer),
        resource_server_url=AnyHttpUrl(resource),
        required_scopes=["mcp"],
        validate_token_resource=False,  # The verifier checks the audience.
    )
    mcp = MCPServer("peer", token_verifier=JwtVerifier(issuer, resource), auth=auth)

    @mcp.tool()
    def whoami() -> str:
        return "somebody"

    return mcp.streamable_http_app()


serve(build)
