"""Whether an authorization server does what MCP clients need, by its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .._model import Model
from ..config import AuthorizationServerMetadataDefaults, AuthServerConfig


class AuthServerConfigErrorCode(str, Enum):
    """Why MCP clients cannot use an authorization server."""

    INVALID_SERVER_METADATA = "invalid_server_metadata"
    CODE_RESPONSE_TYPE_NOT_SUPPORTED = "code_response_type_not_supported"
    AUTHORIZATION_CODE_GRANT_NOT_SUPPORTED = "authorization_code_grant_not_supported"
    PKCE_NOT_SUPPORTED = "pkce_not_supported"
    S256_CODE_CHALLENGE_METHOD_NOT_SUPPORTED = "s256_code_challenge_method_not_supported"


auth_server_config_error_description: dict[AuthServerConfigErrorCode, str] = {
    AuthServerConfigErrorCode.INVALID_SERVER_METADATA: (
        "The server metadata is not a valid object or does not conform to the expected schema."
    ),
    AuthServerConfigErrorCode.CODE_RESPONSE_TYPE_NOT_SUPPORTED: (
        'The server does not support the "code" response type or the "code" response type is not included'
        " in one of the supported response types."
    ),
    AuthServerConfigErrorCode.AUTHORIZATION_CODE_GRANT_NOT_SUPPORTED: (
        'The server does not support the "authorization_code" grant type.'
    ),
    AuthServerConfigErrorCode.PKCE_NOT_SUPPORTED: (
        "The server does not support Proof Key for Code Exchange (PKCE)."
    ),
    AuthServerConfigErrorCode.S256_CODE_CHALLENGE_METHOD_NOT_SUPPORTED: (
        'The server does not support the "S256" code challenge method for Proof Key for Code Exchange (PKCE).'
    ),
}


class AuthServerConfigWarningCode(str, Enum):
    """What some MCP clients miss in an authorization server."""

    DYNAMIC_REGISTRATION_NOT_SUPPORTED = "dynamic_registration_not_supported"


auth_server_config_warning_description: dict[AuthServerConfigWarningCode, str] = {
    AuthServerConfigWarningCode.DYNAMIC_REGISTRATION_NOT_SUPPORTED: (
        "Dynamic Client Registration (RFC 7591) is not supported by the server."
    ),
}


@dataclass(kw_only=True)
class AuthServerConfigError(Model):
    """One reason why MCP clients cannot use an authorization server."""

    code: AuthServerConfigErrorCode
    description: str
    cause: Any = None


@dataclass(kw_only=True)
class AuthServerConfigWarning(Model):
    """One thing that some MCP clients miss."""

    code: AuthServerConfigWarningCode
    description: str


@dataclass(kw_only=True)
class AuthServerConfigValidationResult(Model):
    """What `validate_server_config` found."""

    is_valid: bool
    errors: list[AuthServerConfigError] = field(default_factory=list[AuthServerConfigError])
    warnings: list[AuthServerConfigWarning] = field(default_factory=list[AuthServerConfigWarning])


def validate_server_config(config: AuthServerConfig) -> AuthServerConfigValidationResult:
    """Whether MCP clients can use this authorization server; its metadata is fetched if it was not given."""
    metadata = config.metadata
    codes = AuthServerConfigErrorCode
    found: list[AuthServerConfigErrorCode] = []
    if not any("code" in one.split(" ") for one in metadata.response_types_supported):
        found.append(codes.CODE_RESPONSE_TYPE_NOT_SUPPORTED)
    grants = metadata.grant_types_supported
    if grants is None:
        grants = AuthorizationServerMetadataDefaults.grant_types_supported.value
    if "authorization_code" not in grants:
        found.append(codes.AUTHORIZATION_CODE_GRANT_NOT_SUPPORTED)
    if not metadata.code_challenge_methods_supported:
        found.append(codes.PKCE_NOT_SUPPORTED)
    elif "S256" not in metadata.code_challenge_methods_supported:
        found.append(codes.S256_CODE_CHALLENGE_METHOD_NOT_SUPPORTED)
    warnings: list[AuthServerConfigWarning] = []
    if not metadata.registration_endpoint:
        code = AuthServerConfigWarningCode.DYNAMIC_REGISTRATION_NOT_SUPPORTED
        description = auth_server_config_warning_description[code]
        warnings.append(AuthServerConfigWarning(code=code, description=description))
    errors = [
        AuthServerConfigError(code=code, description=auth_server_config_error_description[code])
        for code in found
    ]
    return AuthServerConfigValidationResult(is_valid=not errors, errors=errors, warnings=warnings)
