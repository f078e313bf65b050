"""Refusals. Codes are stable: the same in Rust, Python and Node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


class Unavailable(AuthError):
    """Whether the token is good cannot be told right now: 503."""


class ConfigError(AuthError, ValueError):
    """The configuration cannot work; the text lists every fault."""


_BY_KIND: dict[str, type[AuthError]] = {
    "config": ConfigError,
    "forbidden": Forbidden,
    "request": InvalidRequest,
    "scope": InsufficientScope,
    "token": TokenError,
    "unavailable": Unavailable,
}


def error_of(refusal: Mapping[str, Any]) -> AuthError:
    """The exception for a refusal of the native part."""
    code = refusal["code"]
    error = MissingToken if code == "missing_token" else _BY_KIND[refusal["kind"]]
    return error(code, refusal["status"], refusal["message"], refusal["compared"])


def _scopes(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else list(value or ())
