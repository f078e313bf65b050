"""Who is calling, for code that runs inside a request."""

from __future__ import annotations

from contextvars import ContextVar

from ._native import AuthInfo
from .errors import MissingToken

current: ContextVar[AuthInfo | None] = ContextVar("mcp_auth_auth_info", default=None)


def auth_info() -> AuthInfo | None:
    """The caller of the current request; `None` outside of one, and where a policy needs no token."""
    return current.get()


def require_scopes(*scopes: str) -> AuthInfo:
    """Asks for more scopes than the request was checked for, from inside a tool.

    The refusal becomes the 403 that makes clients ask the user for these scopes, whatever the tool
    returns, as long as nothing was sent yet. So let the exception through.

    Raises `InsufficientScope` when the token lacks one of them, `MissingToken` when nobody is there.
    """
    caller = current.get()
    if caller is None:
        raise MissingToken("missing_token", 401, "no caller: is the app wrapped by `protect`?", {})
    caller.require(*scopes)
    return caller
