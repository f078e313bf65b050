"""How each package verifies a token and protects a Starlette app, as its documents show it."""

from __future__ import annotations

import base64
import json
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

RESOURCE = "http://localhost/mcp"
#: The other version of `mcpauth`, which has the same name and so a folder of its own.
BETA = str(Path(__file__).parent / ".venv" / "beta")

Verify = Callable[[str], Awaitable[object]]


def keys(jwks_uri: str) -> dict[str, Any]:
    with urllib.request.urlopen(jwks_uri) as answer:
        return json.load(answer)


def bare(jwks_uri: str) -> Callable[[str], Callable[[], None]]:
    """`cryptography` alone, over parts that were decoded before: what nobody can go below."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from jwt import PyJWK

    key = PyJWK(keys(jwks_uri)["keys"][0]).key

    def prepare(token: str) -> Callable[[], None]:
        signed, _, signature = token.rpartition(".")
        decoded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        signed_bytes, padding, digest = signed.encode(), PKCS1v15(), SHA256()
        return lambda: key.verify(decoded, signed_bytes, padding, digest)

    return prepare


class BareCheck:
    """The signature and nothing else, in a layer that could not be thinner."""

    def __init__(self, app: Any, jwks_uri: str) -> None:
        self.app = app
        self.prepare = bare(jwks_uri)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.prepare(dict(scope["headers"])[b"authorization"][7:].decode())()
        await self.app(scope, receive, send)


class PyJwt:
    """What its documents show, in the same thin layer."""

    def __init__(self, app: Any, issuer: str, jwks_uri: str) -> None:
        self.app = app
        self.verify = pyjwt(issuer, jwks_uri)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.verify(dict(scope["headers"])[b"authorization"][7:].decode())
        await self.app(scope, receive, send)


def mcp_auth(issuer: str, _jwks_uri: str) -> Verify:
    from mcp_auth import McpAuth

    return McpAuth(RESOURCE, [issuer]).authenticate


def pyjwt(issuer: str, jwks_uri: str) -> Verify:
    import jwt

    client = jwt.PyJWKClient(jwks_uri)

    async def verify(token: str) -> object:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key.key, algorithms=["RS256"], audience=RESOURCE, issuer=issuer)

    return verify


def fastmcp_verifier(issuer: str, jwks_uri: str) -> Any:
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    return JWTVerifier(jwks_uri=jwks_uri, issuer=issuer, audience=RESOURCE, algorithm="RS256")


def fastmcp(issuer: str, jwks_uri: str) -> Verify:
    return fastmcp_verifier(issuer, jwks_uri).verify_token


def mcpauth(_issuer: str, jwks_uri: str) -> Verify:
    from mcpauth.utils import create_verify_jwt

    check = create_verify_jwt(jwks_uri)

    async def verify(token: str) -> object:
        return check(token)

    return verify


VERIFIERS: dict[str, Callable[[str, str], Verify]] = {
    "mcp_auth": mcp_auth, "PyJWT": pyjwt, "FastMCP": fastmcp, "mcpauth 0.1.1": mcpauth,
}  # fmt: skip


async def _hello(_request: Any) -> JSONResponse:
    return JSONResponse({"hello": "world"})


def app(name: str, issuer: str, jwks_uri: str) -> Any:
    """A tiny JSON endpoint, protected by one of them."""
    route = Route("/mcp", _hello)
    if name == "unprotected":
        return Starlette(routes=[route])
    if name == "mcp_auth":
        from mcp_auth import McpAuth

        return McpAuth(RESOURCE, [issuer]).protect(Starlette(routes=[route]))
    if name == "bare check":
        return BareCheck(Starlette(routes=[route]), jwks_uri)
    if name == "PyJWT":
        return PyJwt(Starlette(routes=[route]), issuer, jwks_uri)
    if name == "FastMCP":
        from fastmcp.server.auth.middleware import RequireAuthMiddleware
        from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
        from starlette.middleware.authentication import AuthenticationMiddleware

        backend = BearerAuthBackend(fastmcp_verifier(issuer, jwks_uri))
        return Starlette(
            routes=[Route("/mcp", RequireAuthMiddleware(_asgi, []))],
            middleware=[Middleware(AuthenticationMiddleware, backend=backend)],
        )
    if name == "mcpauth 0.2.0b1":
        sys.path.insert(0, BETA)
    from mcpauth import MCPAuth
    from mcpauth.config import AuthServerType
    from mcpauth.utils import fetch_server_config

    auth = MCPAuth(server=fetch_server_config(issuer, AuthServerType.OIDC))
    bearer = auth.bearer_auth_middleware("jwt", audience=RESOURCE)
    return Starlette(routes=[route], middleware=[Middleware(bearer)])


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    await JSONResponse({"hello": "world"})(scope, receive, send)


APPS = [
    "unprotected", "mcp_auth", "bare check", "PyJWT", "FastMCP", "mcpauth 0.1.1", "mcpauth 0.2.0b1",
]  # fmt: skip
