"""The caller in the terms of the official SDK, which binds sessions to their callers by them, and back.

Nothing is imported: where the SDK serves sessions, it has loaded its types itself.
"""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ._native import AuthInfo

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: The SDK's types. Who has the context below has imported them.
SDK = "mcp.server.auth.middleware.bearer_auth"
_CONTEXT = "mcp.server.auth.middleware.auth_context"

Named: TypeAlias = "tuple[ContextVar[Any], Token[Any]] | None"

#: The SDK's classes of tokens, each with one that holds the caller as well.
_holding: dict[type, Any] = {}
#: Those of users.
_late: dict[type, Any] = {}


def name_caller(scope: MutableMapping[str, Any], caller: AuthInfo | None) -> Named:
    """Sets `scope["user"]`, `scope["auth"]` and the SDK's context, as the SDK's own middleware does.

    Give what it returns to `forget_caller` when the request is over.
    """
    types = sys.modules.get(SDK)
    user = None
    # A module that is still being imported has not everything.
    if caller is not None and types is not None and hasattr(types, "AuthenticatedUser"):
        user = _late_class(types.AuthenticatedUser, types.AccessToken)(caller)
        scope["user"] = user
        scope["auth"] = types.AuthCredentials(caller.scopes)
    context = _context()
    # Also when nobody is there: on a connection that is used again, it may hold the caller before.
    return None if context is None else (context, context.set(user))


def forget_caller(named: Named) -> None:
    """The SDK's context as it was before `name_caller`."""
    if named is not None:
        context, before = named
        context.reset(before)


def caller_in_context() -> AuthInfo | None:
    """The caller whom the SDK's own middleware found by asking us; `None` for one whom somebody else verified."""
    context = _context()
    user = None if context is None else context.get()
    if isinstance(found := getattr(user, "_mcp_auth", None), AuthInfo):
        return found
    token = getattr(user, "access_token", None)
    caller = getattr(token, "_mcp_auth", None)
    return caller if isinstance(caller, AuthInfo) else None


def access_token(base: Any, caller: AuthInfo, resource: str | None = None) -> Any:
    """The caller as one of the SDK's `AccessToken`s, of this class of theirs.

    The SDK compares client, issuer and subject. Handlers reach it, so that it holds no token: in its
    place is a text of the same three, for versions that compare it.
    """
    issuer, subject = caller.issuer, caller.subject
    client = caller.client_id
    token = _holding_class(base)(
        token=json.dumps(["mcp-auth", issuer, subject, client]),
        # Who has no client is told apart by the other two.
        client_id=client or "",
        scopes=caller.scopes,
        expires_at=caller.expires_at,
        resource=resource,
        subject=subject,
        # A verify function need not say who issued.
        claims={**caller.claims, "iss": issuer},
    )
    token._mcp_auth = caller
    return token


def _late_class(base: type, token: type) -> Any:
    """A class below the SDK's `AuthenticatedUser`, which becomes one when somebody first asks it for something: making a
    token of theirs takes more time than all else that a request needs here, and most servers never ask."""
    if base not in _late:

        def begin(self: Any, caller: AuthInfo) -> None:
            self._mcp_auth = caller

        def become(self: Any, name: str) -> Any:
            # Python asks here for what is not there: everything, at first.
            if "access_token" in self.__dict__ or name == "_mcp_auth":
                raise AttributeError(f"{base.__name__!r} object has no attribute {name!r}")
            cast("Any", base).__init__(self, access_token(token, self._mcp_auth))
            return getattr(self, name)

        namespace = {"__module__": __name__, "__doc__": base.__doc__, "__init__": begin, "__getattr__": become}
        _late[base] = type(base)(base.__name__, (base,), namespace)
    return _late[base]


def _holding_class(base: type) -> Any:
    """A class below the SDK's; what begins with `_` is none of a model's fields, and in no dump of it."""
    if base not in _holding:
        namespace = {"__module__": __name__, "__doc__": base.__doc__, "_mcp_auth": None}
        _holding[base] = type(base)(base.__name__, (base,), namespace)
    return _holding[base]


def _context() -> ContextVar[Any] | None:
    module = sys.modules.get(_CONTEXT)
    return cast("ContextVar[Any] | None", getattr(module, "auth_context_var", None))
