"""Authentication and authorization for MCP servers, with any identity provider.

Two strings protect an ASGI app::

    auth = McpAuth("https://mcp.example.com/mcp", ["https://auth.example.com"])
    app = auth.protect(app)

Inside, `caller()` is who is calling; `auth_info()` where nobody may be. `MCPAuth` and what belongs to it is the surface of `mcpauth`.
"""

from typing import TYPE_CHECKING, Any

from ._compat import (
    AuthServerModeConfig,
    BearerAuthConfig,
    BearerAuthMiddleware,
    MCPAuth,
    ResourceServerModeConfig,
)
from ._context import auth_info, caller, require_scopes
from ._core import Authorizer, McpAuth
from ._downstream import Downstream
from ._native import AuthInfo, DownstreamToken, Operation, __version__
from ._outage import UnavailableMiddleware
from ._requires import declared, requires
from ._state import StateSealer
from .config import (
    AuthorizationServerMetadata,
    AuthServerConfig,
    AuthServerType,
    ResourceServerConfig,
    ResourceServerMetadata,
)
from .errors import (
    AuthError,
    ConfigError,
    DownstreamError,
    Forbidden,
    InsufficientScope,
    InvalidRequest,
    MissingToken,
    StateError,
    TokenError,
    TooManyFailures,
    Unavailable,
)
from .exceptions import (
    AuthServerExceptionCode,
    BearerAuthExceptionCode,
    MCPAuthAuthServerException,
    MCPAuthBearerAuthException,
    MCPAuthConfigException,
    MCPAuthException,
    MCPAuthTokenVerificationException,
    MCPAuthTokenVerificationExceptionCode,
)
from .types import VerifyAccessTokenFunction
from .utils import fetch_server_config, fetch_server_config_by_well_known_url

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The modules that need what not everybody has installed, as soon as somebody asks for them."""
        if name not in ("fastmcp", "pytest_plugin", "testing"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return importlib.import_module(f"{__name__}.{name}")


__all__ = [
    "AuthError",
    "AuthInfo",
    "AuthServerConfig",
    "AuthServerExceptionCode",
    "AuthServerModeConfig",
    "AuthServerType",
    "AuthorizationServerMetadata",
    "Authorizer",
    "BearerAuthConfig",
    "BearerAuthExceptionCode",
    "BearerAuthMiddleware",
    "ConfigError",
    "Downstream",
    "DownstreamError",
    "DownstreamToken",
    "Forbidden",
    "InsufficientScope",
    "InvalidRequest",
    "MCPAuth",
    "MCPAuthAuthServerException",
    "MCPAuthBearerAuthException",
    "MCPAuthConfigException",
    "MCPAuthException",
    "MCPAuthTokenVerificationException",
    "MCPAuthTokenVerificationExceptionCode",
    "McpAuth",
    "MissingToken",
    "Operation",
    "ResourceServerConfig",
    "ResourceServerMetadata",
    "ResourceServerModeConfig",
    "StateError",
    "StateSealer",
    "TokenError",
    "TooManyFailures",
    "Unavailable",
    "UnavailableMiddleware",
    "VerifyAccessTokenFunction",
    "__version__",
    "auth_info",
    "caller",
    "declared",
    "fetch_server_config",
    "fetch_server_config_by_well_known_url",
    "require_scopes",
    "requires",
]
