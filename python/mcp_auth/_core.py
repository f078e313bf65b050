"""The object that protects a server."""

from __future__ import annotations

import atexit
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from . import _native
from ._apps import OFFICIAL_APP, WELL_KNOWN, Mounted, Routed, fault_of, fault_of_place, is_inner, not_found, path_of
from ._asgi import ASGIApp, Protected
from ._downstream import Downstream
from ._pending import wait
from ._reading import Reading, warnings_of
from ._reload import NOT_WHOLE, NOTHING, Told, told_by_provider
from ._requires import check_order
from ._sdk import access_token
from ._state import StateSealer
from ._times import seconds_of, unix_seconds
from ._verifiers import VERIFY_TIMEOUT, RevocationCheck, VerifyFunction, check_starter, starter
from .errors import AuthError, ConfigError, InvalidRequest, MissingToken, TokenError

if TYPE_CHECKING:
    from datetime import datetime
    from starlette.routing import Route
    from typing_extensions import Never, Unpack

    from .settings import ConfigSettings, Seconds, ServerSettings, Settings, Table, Text, Url
    from mcp.server.auth.provider import AccessToken

    class _Code(TypedDict, total=False):
        """What is code and not data."""

        authorizer: Authorizer | None
        token_verifiers: Mapping[str, VerifyFunction] | None
        verify_timeout: Seconds
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None
        serve_authorization_server_metadata: bool
        revocation_check: RevocationCheck | None
        revocation_check_interval: Seconds

    class _Data(Settings, total=False):
        """What is data among the keywords of `McpAuth`, besides the two that the environment has."""

        required_scopes: Iterable[str]
        scopes_supported: Iterable[str]
        audiences: Iterable[str]
        allowed_origins: Iterable[str]
        policy: Table | None

    class _Options(_Data, _Code, total=False):
        """The keywords of `McpAuth` besides the two that the environment has."""

    class _Testing(TypedDict, total=False):
        """For tests of this package."""

        clock: Callable[[], int] | None
        documents: Callable[[str], str | None] | None
        starters: list[tuple[str, Callable[[str, _native.Answer], None]]]


T = TypeVar("T")
_logger = logging.getLogger("mcp_auth")
_decisions = logging.getLogger("mcp_auth.decision")
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
        resource: Text,
        authorization_servers: Iterable[str | Url | ServerSettings],
        *,
        required_scopes: Iterable[str] = (),
        scopes_supported: Iterable[str] = (),
        audiences: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        policy: Table | None = None,
        authorizer: Authorizer | None = None,
        token_verifiers: Mapping[str, VerifyFunction] | None = None,
        verify_timeout: Seconds = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        serve_authorization_server_metadata: bool = False,
        revocation_check: RevocationCheck | None = None,
        revocation_check_interval: Seconds = 60,
        **settings: Unpack[Settings],
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
        :param revocation_check: asked about every accepted token: (caller) -> whether it was taken back. It may be a
            coroutine function. When it raises, or takes more than 5 seconds, nobody can tell, which is a 503.
        :param revocation_check_interval: for so long its answer holds for a token that is kept, in seconds; while there
            is no new one, for twice as long.
        :param settings: every other field of `Config` and `ProtectedResource`.
        """
        config: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": authorization_servers,
            "required_scopes": required_scopes,
            "scopes_supported": scopes_supported,
            "audiences": audiences,
            "allowed_origins": allowed_origins,
            **settings,
        }
        if policy is not None:
            config["policy"] = policy
        self._build(
            config,
            has_scopes_as_text=False,
            authorizer=authorizer,
            token_verifiers=token_verifiers,
            verify_timeout=verify_timeout,
            patch_metadata=patch_metadata,
            serve_authorization_server_metadata=serve_authorization_server_metadata,
            revocation_check=revocation_check,
            revocation_check_interval=revocation_check_interval,
        )

    @classmethod
    def from_config(
        cls,
        config: ConfigSettings | Mapping[str, Any],
        *,
        authorizer: Authorizer | None = None,
        token_verifiers: Mapping[str, VerifyFunction] | None = None,
        verify_timeout: Seconds = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        serve_authorization_server_metadata: bool = False,
        revocation_check: RevocationCheck | None = None,
        revocation_check_interval: Seconds = 60,
        **hooks: Unpack[_Testing],
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
            revocation_check=revocation_check,
            revocation_check_interval=revocation_check_interval,
            **hooks,
        )
        return auth

    @classmethod
    def from_env(cls, **options: Unpack[_Options]) -> McpAuth:
        """From `MCP_AUTH_RESOURCE`, `MCP_AUTH_ISSUER` (several: comma-separated), `MCP_AUTH_SCOPES`.

        :param options: every keyword of `McpAuth` besides.
        """
        resource = _resource_from_env()
        options.setdefault("required_scopes", resource["required_scopes"])
        return cls(resource["resource"], resource["authorization_servers"], **options)

    def reload(self, config: ConfigSettings | Mapping[str, Any] = NOTHING, **part: Never) -> None:
        """Puts this configuration, as `from_config` takes it, in the place of the one that is in force::

            auth.reload(tomllib.loads(Path("mcp-auth.toml").read_text()))

        It is checked as a whole, and the files that it names are read again; after a fault everything is as it was. The
        functions that were given when this was made stay. Requests that come later are decided by it. An issuer whose
        settings did not change keeps its keys and the tokens that it accepted; open streams go on under the new rules, and
        end where they would not be admitted any more.

        It is about this process, and those that it forks later: tell every worker. What the configuration leaves out is as by
        default, and not as before: a single setting, as in `reload(policy=...)`, is a `TypeError`.

        Raises `ConfigError` with every fault, also of what cannot change while the server runs.
        """
        if part or config is NOTHING:
            raise TypeError(NOT_WHOLE)
        self._reload(config, has_scopes_as_text=True)

    def reload_from_env(self, **settings: Unpack[_Data]) -> None:
        """`reload` with what `from_env` reads.

        :param settings: every keyword of `McpAuth` besides that is data.
        """
        self._reload({**_resource_from_env(), **settings}, has_scopes_as_text=False)

    def _reload(self, config: Mapping[str, Any], *, has_scopes_as_text: bool) -> None:
        reading = Reading(has_scopes_as_text)
        data = reading.config(config)
        text = json.dumps(data)
        with self._told.one_at_a_time():
            faults = list(reading.faults)
            try:
                self._native.reload(text, only_check=True)
            except ConfigError as error:
                faults += reading.others(error.fields["faults"])
            if not faults:
                of_requests = _for_requests(data, self._authorizer)
                faults += self._told.faults(data, _paths(data), of_requests)
            if faults:
                _logger.error("the configuration is not replaced: %s", "; ".join(faults))
                raise _invalid(faults)
            self._native.reload(text, only_check=False)
            # In place: apps look into it.
            self._paths[:] = _paths(data)
            self._for_requests = _for_requests(data, self._authorizer)
            self._of_provider = told_by_provider(data)
        for warning in warnings_of(data):
            _logger.warning("%s", warning)

    def _build(
        self,
        config: Mapping[str, Any],
        *,
        has_scopes_as_text: bool = True,
        authorizer: Authorizer | None,
        token_verifiers: Mapping[str, VerifyFunction] | None,
        verify_timeout: Seconds = VERIFY_TIMEOUT,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None,
        revocation_check: RevocationCheck | None = None,
        revocation_check_interval: Seconds = 60,
        **hooks: Any,
    ) -> None:
        reading = Reading(has_scopes_as_text)
        data = reading.config(config)
        faults = reading.faults + _faults_of_code(authorizer, token_verifiers, patch_metadata)
        seconds = seconds_of("verify_timeout", verify_timeout, 0, faults)
        interval = seconds_of("revocation_check_interval", revocation_check_interval, 1, faults)
        if revocation_check is not None and not callable(cast("object", revocation_check)):
            faults.append("revocation_check: is no function")
        checked = None if faults or revocation_check is None else (check_starter(revocation_check), interval)
        serves = hooks.get("serve_authorization_server_metadata", False)
        if not isinstance(serves, bool):
            faults.append(f"serve_authorization_server_metadata: must be True or False, not {serves!r}")
            del hooks["serve_authorization_server_metadata"]
        verifiers = [] if faults else [(prefix, starter(one, seconds)) for prefix, one in (token_verifiers or {}).items()]
        try:
            self._native = _native.McpAuth(
                json.dumps(data),
                verifiers=[*verifiers, *hooks.pop("starters", [])],
                authorizer=None if faults else authorizer,
                patch_metadata=None if faults else patch_metadata,
                revocation_check=checked,
                **hooks,
            )
        except ConfigError as error:
            faults += reading.others(error.fields["faults"])
        except ValueError as error:
            faults.append(str(error))
        if faults:
            raise _invalid(faults)
        for warning in warnings_of(data):
            _logger.warning("%s", warning)
        self._authorizer = authorizer
        self._for_requests = _for_requests(data, authorizer)
        self._paths = _paths(data)
        self._told = Told()
        self._of_provider = told_by_provider(data)

    @property
    def resource(self) -> str:
        """The identifier of the first resource."""
        return self._native.resource

    @property
    def required_scopes(self) -> list[str]:
        """What every request to the first resource needs."""
        return self._native.required_scopes

    def protect(self, app: ASGIApp) -> ASGIApp:
        """The app behind this: metadata, CORS, challenges, policies; only allowed requests get through.

        Inside, `caller()` is who is calling, and the token is gone from the headers.

        Raises `ConfigError` when this is no app that could be protected.
        """
        self._check_app(app, "protect")
        self._told.takes_every_path = True
        return self._protected(app)

    def routes(self, app: ASGIApp) -> list[Route]:
        """Routes of Starlette and FastAPI that protect this app at the path of the first resource, and its metadata::

            inner = mcp.http_app(path="/")
            app = FastAPI(lifespan=inner.lifespan, routes=auth.routes(inner))

        The rest of the outer app needs no token. The inner one may have its route at the root or at the path itself.
        """
        from starlette.routing import Route

        path = self._paths[0]
        if is_inner(app, self._paths):
            app = Mounted(app, path)
        self._check_app(app, "routes")
        self._told.paths = (self._told.paths or set()) | {path.rstrip("/")}
        protected = self._protected(app)
        below = f"{path.rstrip('/')}/{{below:path}}"
        paths = [path, below] if path != "/" else [below]
        return [*self.metadata_routes(), *(Route(one, protected, include_in_schema=False) for one in paths)]

    def _check_app(self, app: ASGIApp, method: str) -> None:
        """Raises `ConfigError` when this, which was given to this method, is no app that could be protected."""
        check_order()
        fault = "it is protected already" if isinstance(app, Protected) else fault_of(app, self._paths, method)
        if fault is not None:
            raise _invalid(f"{method}: {fault}")

    def _protected(self, app: ASGIApp) -> Protected:
        routed = Routed(app, self._paths).handle if hasattr(app, "routes") else app
        return Protected(routed, self._native, fault_of_place=lambda scope: fault_of_place(app, self._paths, scope))

    def metadata_routes(self) -> list[Route]:
        """Routes of Starlette and FastAPI for the metadata alone, where `protect` is around a part of an app, for what
        issuers tell (logout tokens and security events), and for the pages where users connect their accounts.
        """
        from starlette.routing import Route

        self._told.metadata = (self._told.metadata or set()) | {path.rstrip("/") for path in self._paths}
        paths = self._native.metadata_routes("protected_resource")
        if len(paths) == 1 and WELL_KNOWN not in paths:
            # A single resource is described at the root as well.
            paths.append(WELL_KNOWN)
        paths += self._native.metadata_routes("authorization_server")
        # What issuers tell and users open needs no token either, and is answered in the same way.
        paths += self._native.notice_paths() + self._native.connect_paths()
        answer = Protected(not_found, self._native)
        return [Route(path, answer, include_in_schema=False) for path in paths]

    async def authenticate(self, token: str, path: str | None = None) -> _native.AuthInfo:
        """The caller behind a token; scopes and policies are not looked at.

        Raises `TokenError` (401), `InvalidRequest` (400) for what is no token at all, or `Unavailable` (503).
        """
        caller = self._native.verify(token, path)
        if type(caller) is _native.AuthInfo:
            return caller
        return await wait(caller)  # type: ignore[arg-type]

    def downstream(self, name: str) -> Downstream:
        """The API of this name, one of `downstreams`, to call it for callers::

            token = await auth.downstream("reports").token_for()

        A name that is not configured is a `DownstreamError` of whatever it is asked for.
        """
        return Downstream(self._native.downstream(name))

    def token_verifier(self) -> TokenVerifier:
        """What the official SDK's own middleware may ask: `MCPServer(token_verifier=auth.token_verifier(), …)`.

        Raises `ConfigError` when something is configured that this middleware does not look at, such as a policy:
        `protect` looks at everything.
        """
        self._check_verifier(f"auth.protect({OFFICIAL_APP})")
        self._told.verifies_alone = True
        return TokenVerifier(self)

    async def verify_token(self, token: str) -> AccessToken | None:
        """What `token_verifier` is asked: `None` for a bad token, and an `AccessToken` of the official SDK for a good
        one. Its `token` is a text that stands for the caller, and not the token.

        Raises `Unavailable` when it cannot be told right now, `ConfigError` where `token_verifier` would.
        """
        self._check_verifier(f"auth.protect({OFFICIAL_APP})")
        caller = await self._accepted(token)
        if caller is None:
            return None
        from mcp.server.auth.provider import AccessToken

        # Its audience was checked against this resource.
        return access_token(AccessToken, caller, self.resource)

    async def _accepted(self, token: str) -> _native.AuthInfo | None:
        try:
            return await self.authenticate(token)
        except (InvalidRequest, MissingToken, TokenError) as error:
            # What is no token at all is as bad as a bad one.
            self._log_refusal(error)
            return None

    def _log_refusal(self, error: AuthError) -> None:
        """As a decision about a request is logged, with the same fields."""
        _, _, compared = error.message.partition(": expected ")
        expected, _, actual = compared.partition(", got ")
        if not compared:
            # What is no token at all is not compared with anything.
            expected, actual = "a bearer token", error.message
        fields = {"code": error.code, "status": error.status, "resource": self.resource, "expected": expected, "actual": actual}
        _decisions.warning(
            "token refused code=%(code)s status=%(status)d resource=%(resource)s expected=%(expected)s actual=%(actual)s",
            fields,
            extra={name: _native.log_value(name, value) if isinstance(value, str) else value for name, value in fields.items()},
        )

    def _check_verifier(self, instead: str, *, honours_scopes: bool = False) -> None:
        """Raises when something is configured that nobody looks at who asks about tokens alone."""
        check_order()
        ignored = [name for name in self._for_requests if not (honours_scopes and name == "required_scopes")]
        if not ignored:
            return
        where = f"a framework that asks about tokens alone does not look at it. Use `{instead}`"
        scopes = ", or tell its own settings: `AuthSettings(required_scopes=[…])`"
        raise _invalid([f"{name}: {where}{scopes if name == 'required_scopes' else ''}" for name in ignored])

    async def explain_token(self, token: str, path: str = "/") -> dict[str, Any] | None:
        """Why a token is accepted or refused, check by check."""
        explanation = self._native.explain(token, path)
        return await wait(explanation) if isinstance(explanation, _native.Pending) else explanation

    def revoke(
        self,
        issuer: str,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        sid: str | None = None,
        jti: str | None = None,
        issued_until: int | datetime | None = None,
    ) -> None:
        """Refuses tokens of this issuer from now on, also those that were accepted before: 401, `revoked` in the log.

        Exactly one says which: those of a subject, of a client, of a session at the issuer (`sid`), or one token (`jti`).
        It is known to this process alone, and to those that it forks later: tell every instance.

        :param issued_until: those that were issued until this time, in seconds since 1970 or as a `datetime` with a
            timezone, instead of until now. Whoever signs in later comes in again.
        """
        names: dict[Any, object] = {"subject": subject, "client_id": client_id, "sid": sid, "jti": jti}
        given = [(kind, name) for kind, name in names.items() if name is not None]
        if len(given) != 1:
            raise TypeError("revoke: exactly one of subject, client_id, sid and jti says what is revoked")
        [(kind, name)] = given
        for what, text in (("issuer", cast("object", issuer)), (kind, name)):
            # Nobody would be refused, and nobody would notice.
            if not isinstance(text, str) or not text:
                raise TypeError(f"revoke: {what} must be a text that is not empty, not {text!r}")
        self._native.revoke(issuer, kind, cast("str", name), unix_seconds(issued_until))

    def state_sealer(self) -> StateSealer:
        """Seals state that a server gives to a client and takes back, for servers that keep nothing themselves; with the
        configured `handle_keys`, so that every instance opens what another has sealed.
        """
        return StateSealer(self._native)

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

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Asked for what is not there alone."""
            raise _no_such_name(self, name)

    def allowed_hosts(self) -> list[str]:
        """The host names that requests may be addressed to, for the `Host` check of a framework."""
        return self._native.allowed_hosts()


def _resource_from_env() -> dict[str, Any]:
    """The settings of a resource that the environment has."""
    [resource] = json.loads(_native.config_from_env(os.environ.get))["resources"]
    return {name: resource[name] for name in ("resource", "authorization_servers", "required_scopes")}


def _paths(data: Mapping[str, Any]) -> list[str]:
    """Where the resources are, as ASGI has it."""
    return [path_of(one["resource"]) for one in data.get("resources") or [data]]


def listed(name: str, values: Iterable[T]) -> list[T]:
    """The values; a single text, which would be taken apart, is a fault."""
    if isinstance(values, str):
        raise _invalid(f"{name}: must be a list, as [{values!r}]")
    return list(values)


def _faults_of_code(
    authorizer: object, token_verifiers: Mapping[str, object] | None, patch_metadata: object
) -> list[str]:
    """What cannot work among the functions."""
    if token_verifiers is not None and not isinstance(cast("object", token_verifiers), Mapping):
        return ["token_verifiers: must be a dictionary of functions by prefix"]
    verifiers = {f"token_verifiers[{prefix!r}]": one for prefix, one in (token_verifiers or {}).items()}
    prefixes = cast("Iterable[object]", token_verifiers or ())
    wrong = [f"token_verifiers: a prefix must be a text, not {one!r}" for one in prefixes if not isinstance(one, str)]
    functions = {"authorizer": authorizer, "patch_metadata": patch_metadata, **verifiers}
    faults = wrong + [f"{name}: is no function" for name, one in functions.items() if one is not None and not callable(one)]
    for name in ("authorizer", "patch_metadata"):
        if getattr(getattr(functions[name], "__code__", None), "co_flags", 0) & _COROUTINE:
            faults.append(f"{name}: is a coroutine function, but must not wait")
    return faults


#: What FastMCP asks its `auth=` for, when it makes its app or asks about a token.
_ASKED_BY_FASTMCP = ("challenge_scopes", "get_middleware", "get_routes", "get_well_known_routes", "set_mcp_path")

#: What is looked at where requests are decided, and not where tokens are verified.
_OF_REQUESTS = ("allowed_hosts", "allowed_origins", "challenge_style", "policy", "required_scopes")


def _for_requests(config: Mapping[str, Any], authorizer: Authorizer | None) -> list[str]:
    """The settings of this configuration that only `protect` looks at."""
    resources: list[Mapping[str, Any]] = config.get("resources") or [config]
    found = [name for name in _OF_REQUESTS if any(resource.get(name) for resource in resources)]
    if authorizer is not None:
        found.append("authorizer")
    if len(resources) > 1:
        found.append("resources")
    return found


def _no_such_name(given: object, name: str) -> AttributeError:
    """Says what FastMCP wants of its `auth=`, where it asks for that, and otherwise what Python says."""
    kind = type(given).__name__
    text = f"{kind!r} object has no attribute {name!r}"
    if name in _ASKED_BY_FASTMCP:
        text += (
            f": for FastMCP, `auth=` is `mcp_auth.fastmcp.provider(auth)` and no {kind};"
            " or leave `auth=` out, and serve `auth.protect(mcp.http_app())`, which honours everything"
        )
    return AttributeError(text, name=name, obj=given)


class TokenVerifier:
    """Made by `McpAuth.token_verifier`: what the official SDK's `TokenVerifier` is."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise _no_such_name(self, name)

    def __init__(self, auth: McpAuth) -> None:
        self._auth = auth

    async def verify_token(self, token: str) -> AccessToken | None:
        """The caller behind a good token, `None` for a bad one.

        Raises `Unavailable` when it cannot be told right now: see `UnavailableMiddleware`.
        """
        return await self._auth.verify_token(token)


def _invalid(faults: str | list[str]) -> ConfigError:
    """With the faults as the native part has them."""
    every = [faults] if isinstance(faults, str) else faults
    lines = "".join(f"\n- {fault}" for fault in every)
    return ConfigError("invalid_configuration", 500, f"the configuration cannot be used:{lines}", {"faults": every})


__all__ = ["Authorizer", "McpAuth", "TokenVerifier", "listed"]
