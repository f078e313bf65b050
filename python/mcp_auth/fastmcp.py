"""FastMCP (PyPI `fastmcp`): `FastMCP("name", auth=provider(auth))`.

`auth.protect(mcp.http_app())` does more: policies, CORS, challenges for more scopes.
"""

from __future__ import annotations

from typing import Any, cast

from fastmcp.server.auth.auth import AccessToken, RemoteAuthProvider, TokenVerifier
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter
from starlette.middleware import Middleware

from . import McpAuth
from ._outage import UnavailableMiddleware
from ._sdk import access_token

# Without a slash at the end of an issuer that has none: clients compare exactly.
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))


class _Verifier(TokenVerifier):
    def __init__(self, auth: McpAuth) -> None:
        super().__init__(required_scopes=auth.required_scopes)
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        caller = await self._auth._accepted(token)
        return None if caller is None else access_token(AccessToken, caller, self._auth.resource)


class _Provider(RemoteAuthProvider):
    def get_middleware(self) -> list[Any]:
        """FastMCP's own, and around them what answers when an issuer is down."""
        theirs = cast("list[Any]", super().get_middleware())  # pyright: ignore[reportUnknownMemberType]
        return [Middleware(UnavailableMiddleware), *theirs]


def provider(auth: McpAuth, path: str = "/mcp") -> RemoteAuthProvider:
    """The first resource of `auth` for FastMCP, which serves it at this path of its own.

    Raises `ConfigError` when `auth` has what FastMCP's own middleware does not look at, such as a policy.
    """
    auth._check_verifier("auth.protect(mcp.http_app())", honours_scopes=True)
    if not auth.resource.endswith(path):
        raise ValueError(f"the resource {auth.resource!r} does not end in the path {path!r}")
    auth._told.verifies_alone = auth._told.honours_scopes = True
    auth._told.of_provider = auth._of_provider
    return _Provider(
        token_verifier=_Verifier(auth),
        authorization_servers=[_URL.validate_python(issuer) for issuer in auth.metadata["authorization_servers"]],
        base_url=auth.resource.removesuffix(path),
    )


__all__ = ["provider"]
