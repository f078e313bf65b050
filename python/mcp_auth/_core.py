"""The object that protects a server."""

from __future__ import annotations

import atexit
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import _native
from ._asgi import ASGIApp, Protected
from ._pending import wait
from ._verifiers import VERIFY_TIMEOUT, VerifyFunction, starter
from .errors import ConfigError, TokenError

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

T = TypeVar("T")
#: `inspect.CO_COROUTINE`, without importing what is slow to import.
_COROUTINE = 0x80

Authorizer = Callable[[_native.AuthInfo, _native.Operation], "bool | list[str]"]

# No thread of ours may be in Python meanwhile. `logging` was imported before, so that its locks are
# taken after this has waited, and not before.
atexit.register(_native.before_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_native.before_fork,
        after_in_parent=_native.after_fork_in_parent,
        after_in_child=_native.after_fork,
    )


class McpAuth:
    """Protects an MCP server as an OAuth 2.1 resource server, with any identity provider.

    Two strings are enough::

        auth = McpAuth("https://mcp.example.com/mcp", ["https://auth.example.com"])
        app = auth.protect(app)

    Nothing is fetched here. Every fault of the configuration is listed in one `ConfigError`.
    """

    def __init__(
        self,
        resource: str,
        authorization_servers: Iterable[str | Mapping[str, Any]],
        *,
        required_scopes: Iterable[str] = (),
        scopes_supported: Iterable[str] = (),
        audiences: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        policy: Mapping[str, Any] | None = None,
        authorizer: Authorizer | None = None,
        token_verifiers: Mapping[str, VerifyFunction] | None = None,
        verify_timeout: float = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        serve_authorization_server_metadata: bool = False,
        **settings: Any,
    ) -> None:
        """Protects one resource.

        :param resource: the URL that clients connect to.
        :param authorization_servers: issuers, or their settings as in `AuthorizationServer`.
        :param required_scopes: needed for every request.
        :param policy: rules as data, the fields of `ScopePolicy`.
        :param authorizer: rules as code: `True` allows, `False` forbids, a list of scopes asks for
            them. It must be quick. What it forbids stays forbidden; it opens nothing.
        :param token_verifiers: functions for tokens that begin with these prefixes; they return
            claims, or `None` to refuse, and may be coroutine functions.
        :param verify_timeout: how long these may take, in seconds; then it is a 503.
        :param patch_metadata: changes what an issuer says of itself: (issuer, document) -> document.
        :param settings: every other field of `Config` and `ProtectedResource`.
        """
        config: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": listed("authorization_servers", authorization_servers),
            "required_scopes": listed("required_scopes", required_scopes),
            "scopes_supported": listed("scopes_supported", scopes_supported),
            "audiences": listed("audiences", audiences),
            "allowed_origins": listed("allowed_origins", allowed_origins),
            **settings,
        }
        if policy is not None:
            config["policy"] = dict(policy)
        self._build(
            config,
            authorizer=authorizer,
            token_verifiers=token_verifiers,
            verify_timeout=verify_timeout,
            patch_metadata=patch_metadata,
            serve_authorization_server_metadata=serve_authorization_server_metadata,
        )

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        authorizer: Authorizer | None = None,
        token_verifiers: Mapping[str, VerifyFunction] | None = None,
        verify_timeout: float = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        serve_authorization_server_metadata: bool = False,
        **hooks: Any,
    ) -> McpAuth:
        """From the fields of `Config` as data, such as a TOML file; several resources are possible."""
        auth = cls.__new__(cls)
        auth._build(
            config,
            authorizer=authorizer,
            token_verifiers=token_verifiers,
            verify_timeout=verify_timeout,
            patch_metadata=patch_metadata,
            serve_authorization_server_metadata=serve_authorization_server_metadata,
            **hooks,
        )
        return auth

    @classmethod
    def from_env(cls, **options: Any) -> McpAuth:
        """From `MCP_AUTH_RESOURCE`, `MCP_AUTH_ISSUER` (several: comma-separated), `MCP_AUTH_SCOPES`."""
        config = json.loads(_native.config_from_env(os.environ.get))
        [resource] = config["resources"]
        options.setdefault("required_scopes", resource["required_scopes"])
        return cls(resource["resource"], resource["authorization_servers"], **options)

    def _build(
        self,
        config: Mapping[str, Any],
        *,
        authorizer: Authorizer | None,
        token_verifiers: Mapping[str, VerifyFunction] | None,
        verify_timeout: float = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None,
        **hooks: Any,
    ) -> None:
        functions = {"authorizer": authorizer, "patch_metadata": patch_metadata, **(token_verifiers or {})}
        for name, function in functions.items():
            if function is not None and not callable(function):
                raise _invalid(f"{name}: is no function")
        if getattr(getattr(authorizer, "__code__", None), "co_flags", 0) & _COROUTINE:
            raise _invalid("authorizer: is a coroutine function, but must not wait")
        if not 0 < verify_timeout <= 3600:
            raise _invalid("verify_timeout: must be seconds, above 0 and 3600 at most")
        level = logging.getLogger("mcp_auth").getEffectiveLevel()
        _native.set_level(min(max(level, 0), 255))
        verifiers = [(prefix, starter(one, verify_timeout)) for prefix, one in (token_verifiers or {}).items()]
        try:
            text = json.dumps(config, default=list)
        except TypeError as error:
            raise _invalid(f"durations are in seconds, and everything must be data: {error}") from None
        try:
            self._native = _native.McpAuth(
                text,
                verifiers=[*verifiers, *hooks.pop("starters", [])],
                authorizer=authorizer,
                patch_metadata=patch_metadata,
                **hooks,
            )
        except ConfigError:
            raise
        except ValueError as error:
            raise _invalid(str(error)) from None
        self.resource: str = self._native.resource
        """The identifier of the first resource."""
        self.required_scopes: list[str] = self._native.required_scopes
        """What every request to the first resource needs."""

    def protect(self, app: ASGIApp) -> ASGIApp:
        """The app behind this: metadata, CORS, challenges, policies; only allowed requests get through.

        Inside, `auth_info()` is the caller, and the token is gone from the headers.
        """
        return Protected(app, self._native)

    async def authenticate(self, token: str, path: str | None = None) -> _native.AuthInfo:
        """The caller behind a token; scopes and policies are not looked at.

        Raises `TokenError` (401) or `Unavailable` (503).
        """
        caller = self._native.verify(token, path)
        if type(caller) is _native.AuthInfo:
            return caller
        return await wait(caller)  # type: ignore[arg-type]

    async def verify_token(self, token: str) -> AccessToken | None:
        """The same in the terms of the official SDK's `TokenVerifier`: `None` for a bad token.

        Raises `Unavailable` when it cannot be told right now.
        """
        try:
            caller = await self.authenticate(token)
        except TokenError as error:
            logging.getLogger("mcp_auth").info("token refused: %s", error.code)
            return None
        from mcp.server.auth.provider import AccessToken

        return AccessToken(
            token=token,
            client_id=caller.client_id or "",
            scopes=caller.scopes,
            expires_at=caller.expires_at,
            # Its audience was checked against this resource.
            resource=self.resource,
            subject=caller.subject,
            claims=caller.claims,
        )

    async def explain_token(self, token: str, path: str = "/") -> dict[str, Any] | None:
        """Why a token is accepted or refused, check by check."""
        explanation = self._native.explain(token, path)
        return await wait(explanation) if isinstance(explanation, _native.Pending) else explanation

    async def ready(self) -> None:
        """Fetches every issuer's metadata and keys, for servers that rather fail at start-up."""
        ready = self._native.ready()
        if isinstance(ready, _native.Pending):
            await wait(ready)

    @property
    def metadata(self) -> dict[str, Any]:
        """What clients are told of the first resource (RFC 9728)."""
        path = self._native.metadata_routes("protected_resource")[0]
        reply = self._native.decide({"method": "GET", "path": path, "headers": []})
        assert isinstance(reply, _native.Reply)
        return json.loads(reply.body)

    def allowed_hosts(self) -> list[str]:
        """The host names that requests may be addressed to, for the `Host` check of a framework."""
        return self._native.allowed_hosts()


def listed(name: str, values: Iterable[T]) -> list[T]:
    """The values; a single text, which would be taken apart, is a fault."""
    if isinstance(values, str):
        raise _invalid(f"{name}: must be a list, as [{values!r}]")
    return list(values)


def _invalid(faults: str) -> ConfigError:
    return ConfigError("invalid_configuration", 500, faults)


__all__ = ["Authorizer", "McpAuth", "listed"]
