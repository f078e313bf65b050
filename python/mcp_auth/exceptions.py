"""Exceptions in the terms of `mcpauth`, the original package. Refusals are in `mcp_auth.errors`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from ._model import Model

Record: TypeAlias = dict[str, Any]
ExceptionCause: TypeAlias = object
E = TypeVar("E", bound="MCPAuthException")


class MCPAuthException(Exception):
    """Any of these. `.code` is stable."""

    def __init__(self, code: str | Enum, message: str, cause: ExceptionCause = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cause = cause

    def to_json(self, show_cause: bool = False) -> Record:
        """As an OAuth error; the cause is for development."""
        data: Record = {"error": _value(self.code), "error_description": self.message}
        if show_cause:
            dump = getattr(self.cause, "model_dump", None)
            data["cause"] = str(self.cause) if dump is None else dump(exclude_none=True)
        return data


class MCPAuthConfigException(MCPAuthException, ValueError):
    """The configuration cannot work."""


class AuthServerExceptionCode(str, Enum):
    """What is wrong with an authorization server."""

    INVALID_SERVER_METADATA = "invalid_server_metadata"
    INVALID_SERVER_CONFIG = "invalid_server_config"
    MISSING_JWKS_URI = "missing_jwks_uri"


auth_server_exception_description: dict[AuthServerExceptionCode, str] = {
    AuthServerExceptionCode.INVALID_SERVER_METADATA: "The server metadata is invalid or malformed.",
    AuthServerExceptionCode.INVALID_SERVER_CONFIG: (
        "The server configuration does not match the MCP specification."
    ),
    AuthServerExceptionCode.MISSING_JWKS_URI: (
        "The server metadata does not contain a JWKS URI, which is required for JWT verification."
    ),
}


class MCPAuthAuthServerException(MCPAuthException):
    """An authorization server, or what is said about it, cannot be used."""

    def __init__(self, code: AuthServerExceptionCode, cause: ExceptionCause = None) -> None:
        unknown = "An exception occurred with the authorization server."
        super().__init__(code, auth_server_exception_description.get(code, unknown), cause)


class BearerAuthExceptionCode(str, Enum):
    """Why a caller is refused."""

    MISSING_AUTH_HEADER = "missing_auth_header"
    INVALID_AUTH_HEADER_FORMAT = "invalid_auth_header_format"
    MISSING_BEARER_TOKEN = "missing_bearer_token"
    INVALID_ISSUER = "invalid_issuer"
    INVALID_AUDIENCE = "invalid_audience"
    MISSING_REQUIRED_SCOPES = "missing_required_scopes"
    INVALID_TOKEN = "invalid_token"


bearer_auth_exception_description: dict[BearerAuthExceptionCode, str] = {
    BearerAuthExceptionCode.MISSING_AUTH_HEADER: (
        "Missing `Authorization` header. Please provide a valid bearer token."
    ),
    BearerAuthExceptionCode.INVALID_AUTH_HEADER_FORMAT: (
        'Invalid `Authorization` header format. Expected "Bearer <token>".'
    ),
    BearerAuthExceptionCode.MISSING_BEARER_TOKEN: (
        "Missing bearer token in `Authorization` header. Please provide a valid token."
    ),
    BearerAuthExceptionCode.INVALID_ISSUER: "The token issuer does not match the expected issuer.",
    BearerAuthExceptionCode.INVALID_AUDIENCE: "The token audience does not match the expected audience.",
    BearerAuthExceptionCode.MISSING_REQUIRED_SCOPES: (
        "The token does not contain the necessary scopes for this request."
    ),
    BearerAuthExceptionCode.INVALID_TOKEN: "The provided token is not valid or has expired.",
}


@dataclass(kw_only=True)
class MCPAuthBearerAuthExceptionDetails(Model):
    """What was compared when a caller was refused."""

    cause: Any = None
    uri: str | None = None
    missing_scopes: list[str] | None = None
    expected: Any = None
    actual: Any = None


class MCPAuthBearerAuthException(MCPAuthException):
    """A caller is refused, by code of yours."""

    def __init__(
        self,
        code: BearerAuthExceptionCode,
        cause: MCPAuthBearerAuthExceptionDetails | ExceptionCause = None,
    ) -> None:
        unknown = "An exception occurred with the Bearer auth."
        super().__init__(code, bearer_auth_exception_description.get(code, unknown), cause)

    def to_json(self, show_cause: bool = False) -> Record:
        """As an OAuth error, with the scopes that are missing and where to read about it."""
        data = super().to_json(show_cause)
        members = (("error_uri", "uri"), ("missing_scopes", "missing_scopes"))
        for member, name in members:
            value = getattr(self.cause, name, None)
            if value is not None:
                data[member] = value
        return data


class MCPAuthTokenVerificationExceptionCode(str, Enum):
    """Why a verify function gives no caller: a bad token, or no way to tell."""

    INVALID_TOKEN = "invalid_token"
    TOKEN_VERIFICATION_FAILED = "token_verification_failed"


token_verification_exception_description: dict[MCPAuthTokenVerificationExceptionCode, str] = {
    MCPAuthTokenVerificationExceptionCode.INVALID_TOKEN: "The provided token is invalid or malformed.",
    MCPAuthTokenVerificationExceptionCode.TOKEN_VERIFICATION_FAILED: (
        "The token verification failed due to an error in the verification process."
    ),
}


class MCPAuthTokenVerificationException(MCPAuthException):
    """To be raised by verify functions: `INVALID_TOKEN` is a 401, the other one a 503."""

    def __init__(
        self, code: MCPAuthTokenVerificationExceptionCode, cause: ExceptionCause = None
    ) -> None:
        unknown = "An exception occurred while verifying the token."
        super().__init__(code, token_verification_exception_description.get(code, unknown), cause)


def because(error: E, reason: str) -> E:
    """The same exception with the reason in its text, for those that are raised here: a traceback shows it."""
    error.args = (f"{error.message} {reason}",)
    return error


def server_exception(code: AuthServerExceptionCode, reason: str) -> MCPAuthAuthServerException:
    """An authorization server, or what is said about it, cannot be used for this reason."""
    return because(MCPAuthAuthServerException(code, {"error_description": reason}), reason)


def _value(code: str | Enum) -> Any:
    return code.value if isinstance(code, Enum) else code
