"""The surface of `mcpauth`, the original package, on the same decisions as everything else."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from . import _native
from ._apps import not_found
from ._asgi import ASGIApp, Protected, Receive, Scope, Send, refuse, responding
from ._context import current
from ._core import McpAuth, listed
from ._pending import wait
from ._model import Model
from ._sdk import forget_caller, name_caller
from ._streams import Exchange
from ._verifiers import call, starter
from .config import AuthServerConfig, ResourceServerConfig, ResourceServerMetadata
from .errors import InsufficientScope, TokenError, Unavailable
from .exceptions import (
    AuthServerExceptionCode,
    BearerAuthExceptionCode,
    MCPAuthAuthServerException,
    MCPAuthBearerAuthException,
    MCPAuthConfigException,
    MCPAuthTokenVerificationException,
    MCPAuthTokenVerificationExceptionCode,
    because,
    server_exception,
)
from .types import AuthInfo, VerifyAccessTokenFunction
from .utils import validate_server_config
from .utils._create_verify_jwt import VerifyJwt

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route, Router

_logger = logging.getLogger("mcp_auth")


@dataclass(kw_only=True)
class BearerAuthConfig(Model):
    """What `MCPAuth.bearer_auth_middleware` is told, as data."""

    issuer: str | Callable[[str], None]
    audience: str | None = None
    required_scopes: list[str] | None = None
    resource: str | None = None
    show_error_details: bool = False


@dataclass
class AuthServerModeConfig:
    """What `MCPAuth` is told with `server`, as data."""

    server: AuthServerConfig


@dataclass
class ResourceServerModeConfig:
    """What `MCPAuth` is told with `protected_resources`, as data."""

    protected_resources: ResourceServerConfig | list[ResourceServerConfig]


class MCPAuth:
    """Protects MCP servers; new code may rather use `McpAuth`, which does all of it in one line."""

    def __init__(
        self,
        server: AuthServerConfig | None = None,
        protected_resources: ResourceServerConfig | Sequence[ResourceServerConfig] | None = None,
        context_var: ContextVar[AuthInfo | None] | None = None,
        *,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        """With either an authorization server, or resources that name theirs.

        :param context_var: where the caller of the current request is kept.
        :param allowed_origins: web origins whose pages may call, or `*`; the resource's own always may.
        """
        if (server is None) == (not protected_resources):
            raise _invalid("Give either `server` or `protected_resources`.")
        one = isinstance(protected_resources, ResourceServerConfig)
        given = [protected_resources] if one else list(protected_resources or ())
        if server is not None:
            _check_given(server)
        self._server = server
        self._allowed_origins = list(allowed_origins)
        self._resources: list[ResourceServerMetadata] = [config.metadata for config in given]  # type: ignore[union-attr]
        _check_distinct(self._resources)
        self._context_var = context_var or ContextVar[AuthInfo | None](
            "mcp_auth_context", default=None
        )
        # Tells what is wrong now, and not when the first request comes.
        # Every page may read metadata.
        self._edge = self._build(self._resources, {"allowed_origins": ["*"]}) if self._resources else None

    @property
    def auth_info(self) -> AuthInfo | None:
        """The caller of the current request; `None` outside of one."""
        return self._context_var.get()

    def metadata_route(self) -> Route:
        """The authorization server's metadata on our origin, for clients of revision 2025-03-26."""
        from starlette.routing import Route

        text = "Use resource_metadata_router() instead for resource server mode"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        if self._server is None:
            raise _invalid("`metadata_route` needs `server`; use `resource_metadata_router`.")
        # The resource is not named there; the path is all that is answered.
        resource = ResourceServerMetadata(
            resource="http://localhost/", authorization_servers=[self._server]
        )
        auth = self._build(
            [resource], {"allowed_origins": ["*"]}, serve_authorization_server_metadata=True
        )
        [path] = auth._native.metadata_routes("authorization_server")
        return Route(path, endpoint=_Metadata(auth))

    def resource_metadata_router(self) -> Router:
        """The metadata of every resource (RFC 9728)."""
        from starlette.routing import Route, Router

        if self._edge is None:
            raise _invalid("`resource_metadata_router` needs `protected_resources`.")
        endpoint = _Metadata(self._edge)
        paths = self._edge._native.metadata_routes("protected_resource")
        with_slash = [f"{path.rstrip('/')}/" for path in paths]
        forms = dict.fromkeys([*paths, *with_slash])
        return Router(routes=[Route(path, endpoint=endpoint) for path in forms])

    def bearer_auth_middleware(
        self,
        mode_or_verify: Literal["jwt"] | VerifyAccessTokenFunction,
        audience: str | None = None,
        required_scopes: Sequence[str] | None = None,
        show_error_details: bool = False,
        leeway: float = 60,
        resource: str | None = None,
        *,
        dangerous_accept_any_audience: bool = False,
        dangerously_accept_any_audience: bool = False,
    ) -> type[BearerAuthMiddleware]:
        """A middleware class that lets only requests with a good token through.

        For `Middleware(…)`, `app.add_middleware(…)` and `BaseHTTPMiddleware(dispatch=…)`.

        :param mode_or_verify: `"jwt"`, or a function that verifies tokens, which may be a coroutine
            function. It is responsible for the issuer, and for the audience where it names none.
        :param audience: what `aud` must name; the resource unless given.
        :param show_error_details: puts compared values into responses; for development.
        :param leeway: how far clocks may be apart, in seconds, 300 at most.
        :param resource: the URL that clients connect to.
        :param dangerous_accept_any_audience: accepts tokens that were issued for other services,
            and warns. With `dangerously_`, it is the same.
        """
        accepts_any_audience = dangerous_accept_any_audience or dangerously_accept_any_audience
        if mode_or_verify != "jwt" and not callable(mode_or_verify):
            raise ValueError("mode_or_verify must be 'jwt' or a callable function that verifies tokens.")
        metadata = self._resource(resource, audience)
        settings: dict[str, Any] = {
            "required_scopes": listed("required_scopes", required_scopes or ()),
            "allowed_origins": self._allowed_origins,
        }
        if audience is not None and audience != metadata.resource:
            settings["audiences"] = [audience]
        if accepts_any_audience:
            settings["dangerous_accept_any_audience"] = True
        if show_error_details:
            _logger.warning("`show_error_details` is set: clients see what was compared")
        # Around a whole app, it answers for `metadata_route` too.
        hooks: dict[str, Any] = {"serve_authorization_server_metadata": self._server is not None}
        if callable(mode_or_verify):
            expected = None if accepts_any_audience else audience or metadata.resource
            issuers = [server.issuer for server in metadata.servers]
            verify = _verifier(mode_or_verify, expected, issuers, is_named=audience is not None)
            hooks["starters"] = [("", starter(verify))]
        auth = self._build([metadata], settings, clock_tolerance=int(leeway), **hooks)
        namespace = {
            "auth": auth._native,
            "context_var": self._context_var,
            "show_error_details": show_error_details,
        }
        return type("BearerAuthMiddleware", (BearerAuthMiddleware,), namespace)

    def _resource(self, resource: str | None, audience: str | None) -> ResourceServerMetadata:
        if self._server is None:
            known = {metadata.resource: metadata for metadata in self._resources}
            if resource not in known:
                raise _invalid(f"Add `resource=` with one of {', '.join(known)}.")
            return known[resource]
        resource = resource or audience
        if resource is None:
            # A token for another service must not open this one.
            raise MCPAuthConfigException(
                "missing_audience",
                "Tokens must be for this server, and nothing says how it is called. Add a line to"
                " `bearer_auth_middleware`:\n"
                '    resource="https://mcp.example.com/mcp",  # the URL that clients connect to',
            )
        if not _native.is_url(resource):
            raise MCPAuthConfigException(
                "missing_resource",
                f"The audience {resource!r} is no URL. Add a line to `bearer_auth_middleware`:\n"
                '    resource="https://mcp.example.com/mcp",  # the URL that clients connect to',
            )
        return ResourceServerMetadata(resource=resource, authorization_servers=[self._server])

    def _build(
        self,
        resources: list[ResourceServerMetadata],
        settings: dict[str, Any],
        *,
        clock_tolerance: int = 60,
        **hooks: Any,
    ) -> McpAuth:
        servers = [server for metadata in resources for server in metadata.servers]
        for server in servers:
            server.check()
        patches = {server.issuer: server.transpile_data for server in servers}
        patches = {issuer: patch for issuer, patch in patches.items() if patch is not None}

        def patch_metadata(issuer: str, document: dict[str, Any]) -> dict[str, Any]:
            patch = patches.get(issuer)
            return document if patch is None else patch(document)

        config = {
            "resources": [{**metadata.settings(), **settings} for metadata in resources],
            "clock_tolerance": clock_tolerance,
        }
        return McpAuth.from_config(
            config, patch_metadata=patch_metadata if patches else None, **hooks
        )


class BearerAuthMiddleware:
    """Lets only requests with a good token through; made by `MCPAuth.bearer_auth_middleware`."""

    auth: _native.McpAuth
    context_var: ContextVar[AuthInfo | None]
    show_error_details: bool

    def __init__(
        self,
        app: ASGIApp | Request,
        call_next: Callable[[Request], Awaitable[ASGIApp]] | None = None,
    ) -> None:
        """Around an app; or, as `dispatch` of a `BaseHTTPMiddleware`, for one request."""
        self._app: Any = app
        self._call_next = call_next
        self._protected = Protected(self._app, self.auth, self._enter, self.show_error_details)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._protected(scope, receive, send)

    def __await__(self) -> Generator[Any, None, ASGIApp]:
        return self._dispatch().__await__()

    async def _dispatch(self) -> ASGIApp:
        """What `BaseHTTPMiddleware` sends: a response is an ASGI app."""
        request, call_next = self._app, self._call_next
        decision = self.auth.decide(request.scope)
        if isinstance(decision, _native.Pending):
            decision = await wait(decision)
        if isinstance(decision, _native.Reply):
            return partial(refuse, decision, self.show_error_details)
        if not isinstance(decision, _native.Forward) or call_next is None:
            raise TypeError(f"an unknown decision: {decision!r}")
        leave = self._enter(request.scope, decision)
        token = current.set(decision.auth_info)
        request.scope.update(decision.scope)
        named = name_caller(request.scope, decision.auth_info)
        try:
            response = await call_next(request)
        finally:
            forget_caller(named)
            current.reset(token)
            leave()

        async def passed(scope: Scope, receive: Receive, send: Send) -> None:
            await Exchange(receive).run(response, scope, partial(responding, decision, send))

        return passed

    def _enter(self, scope: Scope, forward: _native.Forward) -> Callable[[], None]:
        info = forward.auth_info
        caller = None if info is None else _caller(info, scope)
        token = self.context_var.set(caller)
        return lambda: self.context_var.reset(token)


class _Metadata:
    """Answers for metadata documents, and for nothing else."""

    def __init__(self, auth: McpAuth) -> None:
        self._protected = auth.protect(not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._protected(scope, receive, send)


def _caller(info: _native.AuthInfo, scope: Scope) -> AuthInfo:
    sent = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
    claims = info.claims
    return AuthInfo(
        token=sent.decode("latin-1").partition(" ")[2].strip(),
        issuer=info.issuer,
        claims=claims,
        subject=info.subject,
        client_id=info.client_id,
        scopes=info.scopes,
        audience=claims.get("aud"),
        expires_at=info.expires_at,
    )


def _verifier(
    verify: VerifyAccessTokenFunction, expected: str | None, issuers: list[str], is_named: bool
) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """The function, in the terms of the library: claims, or an exception of its own."""

    async def claims_of(token: str) -> dict[str, Any]:
        try:
            if isinstance(verify, VerifyJwt):
                caller = await verify.verify(token)
            else:
                caller = await call(verify, token)
        except MCPAuthBearerAuthException as error:
            if error.code == BearerAuthExceptionCode.MISSING_REQUIRED_SCOPES:
                fields: dict[str, Any] = {"required": getattr(error.cause, "missing_scopes", None) or []}
                raise InsufficientScope("insufficient_scope", 403, "the verify function misses scopes", fields) from error
            raise TokenError("inactive", 401, "the verify function refuses it") from error
        except MCPAuthTokenVerificationException as error:
            if error.code is MCPAuthTokenVerificationExceptionCode.INVALID_TOKEN:
                raise TokenError("inactive", 401, "the verify function refuses it") from None
            raise Unavailable("unavailable", 503, "the verify function cannot tell") from None
        # It knows keys alone, so what it does not check is checked here.
        knows_keys_alone = isinstance(verify, VerifyJwt)
        if knows_keys_alone and caller.issuer not in issuers:
            raise TokenError("inactive", 401, "it is of another issuer")
        # What is no text, no list and not left out is no audience: an error, and so a 503.
        audience = [] if caller.audience is None else caller.audience
        named = [audience] if isinstance(audience, str) else list(audience)
        if expected is not None and expected not in named and (named or is_named or knows_keys_alone):
            compared = {"actual": named, "expected": [expected]}
            raise TokenError("wrong_audience", 401, "it is for another resource", compared)
        if caller.expires_at is not None and caller.expires_at <= time.time():
            raise TokenError("inactive", 401, "it has expired")
        said = {
            "iss": caller.issuer,
            "sub": caller.subject,
            "client_id": caller.client_id,
            # A text with a space in it is no scope, and not two of them.
            "scope": " ".join(scope for scope in caller.scopes if " " not in scope),
            "aud": caller.audience,
            "exp": caller.expires_at,
        }
        # What the function says of the caller comes before what is in the claims. Where it says that nothing is granted,
        # no other claim grants anything.
        others = () if said["scope"] else ("scp", "scopes")
        claims = {name: one for name, one in caller.claims.items() if name not in others}
        return {**claims, **{name: one for name, one in said.items() if one is not None}}

    return claims_of


def _invalid(reason: str) -> MCPAuthAuthServerException:
    return server_exception(AuthServerExceptionCode.INVALID_SERVER_CONFIG, reason)


def _check_given(server: AuthServerConfig) -> None:
    """Raises when metadata that was given says that MCP clients cannot use the server."""
    if server.given_metadata is None:
        return
    result = validate_server_config(server)
    for warning in result.warnings:
        _logger.warning("%s: %s", server.issuer, warning.description)
    if not result.is_valid:
        error = MCPAuthAuthServerException(AuthServerExceptionCode.INVALID_SERVER_CONFIG, result)
        raise because(error, " ".join(one.description for one in result.errors))


def _check_distinct(resources: list[ResourceServerMetadata]) -> None:
    """Raises when a resource, or a server of one resource, is there twice."""
    identifiers = [metadata.resource for metadata in resources]
    for metadata in resources:
        if identifiers.count(metadata.resource) > 1:
            raise _invalid(f"The resource {metadata.resource!r} is there twice.")
        issuers = [server.issuer for server in metadata.servers]
        for issuer in issuers:
            if issuers.count(issuer) > 1:
                raise _invalid(f"The server {issuer!r} of {metadata.resource!r} is there twice.")
