"""Refusals. Codes are stable: the same in Rust, Python and Node."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, cast


class AuthError(Exception):
    """Why a request is refused. Its text is for operators: clients get fixed texts."""

    def __init__(
        self, code: str, status: int, message: str, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        """Stable, such as `expired`."""
        self.status = status
        """Of HTTP."""
        self.message = message
        """With the compared values."""
        self.fields: dict[str, Any] = dict(fields or {})
        """What was compared, by name: `exp` and `now` of an expired token."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.status, self.message, self.fields)


class TokenError(AuthError):
    """The token is not acceptable: 401."""


class MissingToken(AuthError):
    """The request carries no token: 401."""


class InvalidRequest(AuthError):
    """The request carries its token, or its message, in a way that is not allowed: 400."""


class Forbidden(AuthError):
    """A policy other than scopes refuses: 403. Signing in again would not help."""


class InsufficientScope(AuthError):
    """The token is good, but lacks a scope: 403."""

    @property
    def required(self) -> list[str]:
        """Everything that is needed."""
        return _scopes(self.fields.get("required"))

    @property
    def granted(self) -> list[str]:
        """What the token grants."""
        return _scopes(self.fields.get("granted"))

    @property
    def challenge(self) -> str | None:
        """The challenge that asks for it, inside a request."""
        return self.fields.get("challenge")


class TooManyFailures(AuthError):
    """Too many requests of this address or this caller were refused, and this one is as well: 429."""


class Unavailable(AuthError):
    """Whether the token is good cannot be told right now: 503."""


class DownstreamError(AuthError):
    """There is no token for another API, and nothing was sent to it. The text is fixed, and may be shown to anybody."""

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to try again, where that may help."""
        return self.fields.get("retry_after")


class ConfigError(AuthError, ValueError):
    """The configuration cannot work; the text lists every fault."""


class StateError(Exception):
    """A state is not accepted, or cannot be sealed. Say the same of all to whoever sent it."""

    def __init__(self, code: Literal["invalid", "expired", "no_randomness"], message: str) -> None:
        super().__init__(message)
        self.code = code
        """`invalid`: it was not sealed here for this caller and purpose, or was changed, or its key is gone. `expired`: it
        has ended. `no_randomness`: the system has none to seal it with."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, str(self))


_BY_KIND: dict[str, type[AuthError]] = {
    "config": ConfigError,
    "downstream": DownstreamError,
    "forbidden": Forbidden,
    "limit": TooManyFailures,
    "request": InvalidRequest,
    "scope": InsufficientScope,
    "token": TokenError,
    "unavailable": Unavailable,
}


def error_of(refusal: Mapping[str, Any]) -> AuthError:
    """The exception for a refusal of the native part."""
    code = refusal["code"]
    error = MissingToken if code == "missing_token" else _BY_KIND[refusal["kind"]]
    status = refusal["status"]
    # What the program or its configuration does wrong is no answer of a tool: it is logged with its traceback.
    if error is InsufficientScope or (error is DownstreamError and status != 500):
        error = _expected_by_sdks(error)
    return error(code, status, refusal["message"], refusal["compared"])


#: What the SDKs call an error of a tool that was meant to be: it is logged without a traceback.
_TOOL_ERRORS = ("mcp.server.mcpserver.exceptions", "fastmcp.exceptions")
_expected: dict[tuple[type, ...], type[AuthError]] = {}


def _expected_by_sdks(error: type[AuthError]) -> type[AuthError]:
    """The class, as a `ToolError` of each SDK that is loaded."""
    found = [getattr(sys.modules.get(name), "ToolError", None) for name in _TOOL_ERRORS]
    bases = (error, *(one for one in found if isinstance(one, type)))
    if len(bases) == 1:
        return error
    if bases not in _expected:
        namespace = {"__module__": __name__, "__doc__": error.__doc__, "__reduce__": _reduced}
        _expected[bases] = cast("Any", type)(error.__name__, bases, namespace)
    return _expected[bases]


def _reduced(error: AuthError) -> tuple[Any, ...]:
    return type(error).__bases__[0], (error.code, error.status, error.message, error.fields)


def _scopes(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else list(value or ())
