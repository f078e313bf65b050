"""FastMCP (PyPI `fastmcp`): `FastMCP("name", auth=provider(auth))`.

`auth.protect(mcp.http_app())` does more: policies, CORS, challenges for more scopes.
"""

from __future__ import annotations

from fastmcp.server.auth.auth import AccessToken, RemoteAuthProvider, TokenVerifier
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter

from . import McpAuth


# Without a slash at the end of an issuer that has none: clients compare exactly.
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))


class _Verifier(TokenVerifier):
    def __init__(self, auth: McpAuth) -> None:
        super().__init__(required_scopes=auth.required_scopes)
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        caller = await self._auth.verify_token(token)
        if caller is None:
            return None
        return AccessToken(**caller.model_dump(exclude={"claims"}), claims=caller.claims or {})


def provider(auth: McpAuth, path: str = "/mcp") -> RemoteAuthProvider:
    """The first resource of `auth` for FastMCP, which serves it at this path of its own."""
    if not auth.resource.endswith(path):
        raise ValueError(f"the resource {auth.resource!r} does not end in the path {path!r}")
    return RemoteAuthProvider(
        token_verifier=_Verifier(auth),
        authorization_servers=[_URL.validate_python(issuer) for issuer in auth.metadata["authorization_servers"]],
        base_url=auth.resource.removesuffix(path),
    )


__all__ = ["provider"]
