"""Exceptions in the terms of `mcpauth`, the original package. Refusals are in `mcp_auth.errors`."""

from __future__ import annotations

from enum import Enum
from typing import Any


class MCPAuthException(Exception):
    """Any of these. `.code` is stable."""

    def __init__(self, code: str | Enum, message: str, cause: object = None) -> None:
        super().__init__(message if cause is None else f"{message} {cause}")
        self.code = code
        self.message = message
        self.cause = cause

    def to_json(self, show_cause: bool = False) -> dict[str, Any]:
        """As an OAuth error; the cause is for development."""
        code = self.code.value if isinstance(self.code, Enum) else self.code
        data: dict[str, Any] = {"error": code, "error_description": self.message}
        if show_cause and self.cause is not None:
            data["cause"] = str(self.cause)
        return data


class MCPAuthConfigException(MCPAuthException, ValueError):
    """The configuration cannot work."""


class AuthServerExceptionCode(str, Enum):
    """What is wrong with an authorization server."""

    INVALID_SERVER_METADATA = "invalid_server_metadata"
    INVALID_SERVER_CONFIG = "invalid_server_config"
    MISSING_JWKS_URI = "missing_jwks_uri"


class MCPAuthAuthServerException(MCPAuthException):
    """An authorization server, or what is said about it, cannot be used."""

    def __init__(self, code: AuthServerExceptionCode, cause: object = None) -> None:
        super().__init__(code, _AUTH_SERVER[code], cause)


class BearerAuthExceptionCode(str, Enum):
    """Why a caller is refused."""

    MISSING_AUTH_HEADER = "missing_auth_header"
    INVALID_AUTH_HEADER_FORMAT = "invalid_auth_header_format"
    MISSING_BEARER_TOKEN = "missing_bearer_token"
    INVALID_ISSUER = "invalid_issuer"
    INVALID_AUDIENCE = "invalid_audience"
    MISSING_REQUIRED_SCOPES = "missing_required_scopes"
    INVALID_TOKEN = "invalid_token"


class MCPAuthBearerAuthException(MCPAuthException):
    """A caller is refused, by code of yours."""

    def __init__(self, code: BearerAuthExceptionCode, cause: object = None) -> None:
        super().__init__(code, _BEARER[code], cause)


class MCPAuthTokenVerificationExceptionCode(str, Enum):
    """Why a verify function gives no caller: a bad token, or no way to tell."""

    INVALID_TOKEN = "invalid_token"
    TOKEN_VERIFICATION_FAILED = "token_verification_failed"


class MCPAuthTokenVerificationException(MCPAuthException):
    """To be raised by verify functions: `INVALID_TOKEN` is a 401, the other one a 503."""

    def __init__(self, code: MCPAuthTokenVerificationExceptionCode, cause: object = None) -> None:
        super().__init__(code, _VERIFICATION[code], cause)


_AUTH_SERVER = {
    AuthServerExceptionCode.INVALID_SERVER_METADATA: "The server metadata cannot be used.",
    AuthServerExceptionCode.INVALID_SERVER_CONFIG: "The server configuration cannot work.",
    AuthServerExceptionCode.MISSING_JWKS_URI: "The server metadata names no JWK Set.",
}
_BEARER = {
    BearerAuthExceptionCode.MISSING_AUTH_HEADER: "There is no Authorization header.",
    BearerAuthExceptionCode.INVALID_AUTH_HEADER_FORMAT: "The Authorization header is not a bearer token.",
    BearerAuthExceptionCode.MISSING_BEARER_TOKEN: "There is no bearer token.",
    BearerAuthExceptionCode.INVALID_ISSUER: "The token is of another issuer.",
    BearerAuthExceptionCode.INVALID_AUDIENCE: "The token is for another resource.",
    BearerAuthExceptionCode.MISSING_REQUIRED_SCOPES: "The token lacks a required scope.",
    BearerAuthExceptionCode.INVALID_TOKEN: "The token is not valid.",
}
_VERIFICATION = {
    MCPAuthTokenVerificationExceptionCode.INVALID_TOKEN: "The token is not valid.",
    MCPAuthTokenVerificationExceptionCode.TOKEN_VERIFICATION_FAILED: "The token cannot be verified.",
}
