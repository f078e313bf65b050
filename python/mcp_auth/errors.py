"""Refusals. Codes are stable: the same in Rust, Python and Node."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, Literal, cast


class AuthError(Exception):
    """Why a request is refused. Its text is for operators: clients get fixed texts."""

    def __init__(
        self, code: str, status: int, message: str, fields: Mapping[str, Any] | None = None
    ) -> None:
        # Whatever else an SDK makes of it is there already, and is no text.
        Exception.__init__(self, message)
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

    @property
    def elicitations(self) -> list[dict[str, Any]]:
        """What the user has to open in a browser first, each with its `url` and a `message` for them."""
        return self.fields.get("json_rpc_error", {}).get("data", {}).get("elicitations", [])


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
    status, message, compared = refusal["status"], refusal["message"], refusal["compared"]
    # What the program or its configuration does wrong is no answer of a tool: it is logged with its traceback.
    if error is InsufficientScope or (error is DownstreamError and status != 500):
        error = _expected_by_sdks(error, "json_rpc_error" in compared)
    return error(code, status, message, compared)


#: What the SDKs call an error of a tool that was meant to be: it is logged without a traceback.
_TOOL_ERRORS = ("mcp.server.mcpserver.exceptions", "fastmcp.exceptions")
#: Where the official SDK has what becomes the error of the whole answer.
_PROTOCOL_ERRORS = "mcp.shared.exceptions"
_expected: dict[tuple[type, ...], type[AuthError]] = {}


def _expected_by_sdks(error: type[AuthError], is_whole_answer: bool) -> type[AuthError]:
    """The class, as a `ToolError` of each SDK that is loaded.

    :param is_whole_answer: it is the official SDK's `MCPError` too; FastMCP makes the error of a tool of any.
    """
    found = [getattr(sys.modules.get(name), "ToolError", None) for name in _TOOL_ERRORS]
    if is_whole_answer:
        found.append(getattr(sys.modules.get(_PROTOCOL_ERRORS), "MCPError", None))
    bases = (error, *(one for one in found if isinstance(one, type)))
    if len(bases) == 1:
        return error
    if bases not in _expected:
        # What FastMCP sets when it makes its own.
        namespace: dict[str, Any] = {"log_level": logging.ERROR, "__module__": __name__, "__doc__": error.__doc__, "__reduce__": _reduced, "__str__": _text}
        if is_whole_answer:
            # In place of the SDK's `code` and `message`, which are read from its `error` alone, ours are set.
            namespace.update(error=property(_json_rpc_error), code="", message="")
        _expected[bases] = cast("Any", type)(error.__name__, bases, namespace)
    return _expected[bases]


def _json_rpc_error(error: AuthError) -> Any:
    """As the official SDK has it."""
    types = sys.modules.get("mcp_types") or sys.modules.get("mcp.types")
    return cast("Any", types).ErrorData.model_validate(error.fields["json_rpc_error"])


def _text(error: AuthError) -> str:
    """What a tool answers: with what the user has to open, where nothing else says it."""
    asked = error.elicitations if isinstance(error, DownstreamError) else []
    return " ".join([error.message, *(f"{one['message']} {one['url']}" for one in asked)])


def _reduced(error: AuthError) -> tuple[Any, ...]:
    return type(error).__bases__[0], (error.code, error.status, error.message, error.fields)


def _scopes(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else list(value or ())
