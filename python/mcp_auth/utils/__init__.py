"""Functions in the terms of `mcpauth`, the original package: authorization servers, keys, metadata, challenges."""

from ._bearer_www_authenticate_header import BearerWWWAuthenticateHeader
from ._create_resource_metadata_endpoint import create_resource_metadata_endpoint
from ._create_verify_jwt import create_verify_jwt
from ._fetch_server_config import fetch_server_config, fetch_server_config_by_well_known_url
from ._transpile_resource_metadata import transpile_resource_metadata
from ._validate_server_config import (
    AuthServerConfigError,
    AuthServerConfigErrorCode,
    AuthServerConfigValidationResult,
    AuthServerConfigWarning,
    AuthServerConfigWarningCode,
    validate_server_config,
)

__all__ = [
    "AuthServerConfigError",
    "AuthServerConfigErrorCode",
    "AuthServerConfigValidationResult",
    "AuthServerConfigWarning",
    "AuthServerConfigWarningCode",
    "BearerWWWAuthenticateHeader",
    "create_resource_metadata_endpoint",
    "create_verify_jwt",
    "fetch_server_config",
    "fetch_server_config_by_well_known_url",
    "transpile_resource_metadata",
    "validate_server_config",
]
