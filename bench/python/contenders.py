"""How each package verifies a token and protects a Starlette app, as its documents show it.

All do the same: whoever verifies returns the subject of the token, and each app answers with it, in the same bytes.
"""

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

#: Whom every token is about. Who reads no claims answers with it too.
SUBJECT = "auth0|65f3a1c29b7e4d0012ab34cd"

#: Returns the subject of a good token.
Verify = Callable[[str], Awaitable[str | None]]
#: Says whose request a handler has in hand.
ReadSubject = Callable[[Any], str | None]


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


class EmptyLayer:
    """What any layer costs."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


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
            scope["subject"] = await self.verify(dict(scope["headers"])[b"authorization"][7:].decode())
        await self.app(scope, receive, send)


def mcp_auth(issuer: str, _jwks_uri: str) -> Verify:
    from mcp_auth import McpAuth

    auth = McpAuth(RESOURCE, [issuer])

    async def verify(token: str) -> str | None:
        return (await auth.authenticate(token)).subject

    return verify


def pyjwt(issuer: str, jwks_uri: str) -> Verify:
    import jwt

    client = jwt.PyJWKClient(jwks_uri)

    async def verify(token: str) -> str | None:
        key = client.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key.key, algorithms=["RS256"], audience=RESOURCE, issuer=issuer)
        return claims["sub"]

    return verify


def fastmcp_verifier(issuer: str, jwks_uri: str) -> Any:
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    return JWTVerifier(jwks_uri=jwks_uri, issuer=issuer, audience=RESOURCE, algorithm="RS256")


def fastmcp(issuer: str, jwks_uri: str) -> Verify:
    verifier = fastmcp_verifier(issuer, jwks_uri)

    async def verify(token: str) -> str | None:
        return (await verifier.verify_token(token)).claims["sub"]

    return verify


def mcpauth(_issuer: str, jwks_uri: str) -> Verify:
    from mcpauth.utils import create_verify_jwt

    check = create_verify_jwt(jwks_uri)

    async def verify(token: str) -> str | None:
        return check(token).subject

    return verify


VERIFIERS: dict[str, Callable[[str, str], Verify]] = {
    "mcp_auth": mcp_auth, "PyJWT": pyjwt, "FastMCP": fastmcp, "mcpauth 0.1.1": mcpauth,
}  # fmt: skip


def whoami(read_subject: ReadSubject) -> Route:
    """A tiny JSON endpoint, which answers with the caller."""

    async def answer(request: Any) -> JSONResponse:
        return JSONResponse({"sub": read_subject(request)})

    return Route("/mcp", answer)


def app(name: str, issuer: str, jwks_uri: str) -> Any:
    """That endpoint, protected by one of them."""
    open_app = Starlette(routes=[whoami(lambda _: SUBJECT)])
    if name == "unprotected":
        return open_app
    if name == "empty layer":
        return EmptyLayer(open_app)
    if name == "bare check":
        return BareCheck(open_app, jwks_uri)
    if name == "mcp_auth":
        from mcp_auth import McpAuth, auth_info

        return McpAuth(RESOURCE, [issuer]).protect(Starlette(routes=[whoami(lambda _: auth_info().subject)]))
    if name == "PyJWT":
        return PyJwt(Starlette(routes=[whoami(lambda request: request.scope["subject"])]), issuer, jwks_uri)
    if name == "FastMCP":
        return fastmcp_app(issuer, jwks_uri)
    if name == "mcpauth 0.2.0b1":
        sys.path.insert(0, BETA)
    from mcpauth import MCPAuth
    from mcpauth.config import AuthServerType
    from mcpauth.utils import fetch_server_config

    auth = MCPAuth(server=fetch_server_config(issuer, AuthServerType.OIDC))
    bearer = auth.bearer_auth_middleware("jwt", audience=RESOURCE)
    route = whoami(lambda _: auth.auth_info.subject)
    return Starlette(routes=[route], middleware=[Middleware(bearer)])


def fastmcp_app(issuer: str, jwks_uri: str) -> Any:
    from fastmcp.server.auth.middleware import RequireAuthMiddleware
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
    from starlette.middleware.authentication import AuthenticationMiddleware

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({"sub": scope["user"].access_token.claims["sub"]})(scope, receive, send)

    backend = BearerAuthBackend(fastmcp_verifier(issuer, jwks_uri))
    return Starlette(
        routes=[Route("/mcp", RequireAuthMiddleware(answer, []))],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend)],
    )


APPS = [
    "unprotected", "empty layer", "bare check", "mcp_auth", "PyJWT", "FastMCP", "mcpauth 0.1.1",
    "mcpauth 0.2.0b1",
]  # fmt: skip
