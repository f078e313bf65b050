"""Who is calling, for code that runs inside a request."""

from __future__ import annotations

from contextvars import ContextVar

from ._native import AuthInfo
from ._sdk import caller_in_context
from .errors import MissingToken

current: ContextVar[AuthInfo | None] = ContextVar("mcp_auth_auth_info", default=None)


def auth_info() -> AuthInfo | None:
    """The caller of the current request; `None` outside of one, and where a policy needs no token."""
    found = current.get()
    # Without `protect`, the SDK's own middleware has asked us, and tells nobody but its own context.
    return caller_in_context() if found is None else found


def caller() -> AuthInfo:
    """The caller of the current request, where there must be one: behind `protect`, and no policy lets anybody in
    without a token.

    Raises `MissingToken` when nobody is there.
    """
    found = auth_info()
    if found is None:
        raise MissingToken("missing_token", 401, "no caller: is the app wrapped by `protect`?", {})
    return found


def require_scopes(*scopes: str) -> AuthInfo:
    """Asks for more scopes than the request was checked for, from inside a tool.

    The refusal becomes the 403 that makes clients ask the user for these scopes, whatever the tool
    returns, as long as nothing was sent yet. So let the exception through.

    Raises `InsufficientScope` when the token lacks one of them, `MissingToken` when nobody is there.
    """
    found = caller()
    found.require(*scopes)
    return found
