"""The native part; private to the package."""

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Literal, final

__all__ = [
    "McpAuth",
    "AuthInfo",
    "Forward",
    "ReadBody",
    "Reply",
    "ResponseFilter",
    "StreamEnd",
    "Downstream",
    "DownstreamToken",
    "Answer",
    "Told",
    "Operation",
    "Pending",
    "DevIssuer",
    "after_fork",
    "after_fork_in_parent",
    "before_end",
    "before_fork",
    "config_from_env",
    "is_url",
    "issuer_metadata_url",
    "log_value",
    "run_command",
    "__version__",
]

__version__: str

@final
class McpAuth:
    def __new__(
        cls,
        config: str,
        *,
        verifiers: list[tuple[str, Callable[[str, Answer], None]]] = ...,
        authorizer: Callable[[AuthInfo, Operation], bool | list[str]] | None = None,
        patch_metadata: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None,
        clock: Callable[[], int] | None = None,
        documents: Callable[[str], str | None] | None = None,
        serve_authorization_server_metadata: bool = False,
        revocation_check: tuple[Callable[[AuthInfo, Told, asyncio.AbstractEventLoop | None], None], float] | None = None,
    ) -> McpAuth: ...
    def decide(self, scope: MutableMapping[str, Any]) -> Forward | ReadBody | Reply | Pending: ...
    def verify(self, token: str, path: str | None = None) -> AuthInfo | Pending: ...
    def explain(self, token: str, path: str) -> dict[str, Any] | Pending | None: ...
    def downstream(self, name: str) -> Downstream: ...
    def ready(self) -> Pending | None: ...
    @property
    def resource(self) -> str: ...
    @property
    def required_scopes(self) -> list[str]: ...
    def metadata_routes(self, document: Literal["protected_resource", "authorization_server"]) -> list[str]: ...
    def notice_paths(self) -> list[str]: ...
    def connect_paths(self) -> list[str]: ...
    def allowed_hosts(self) -> list[str]: ...
    def reload(self, config: str, only_check: bool) -> None: ...
    def revoke(
        self, issuer: str, kind: Literal["subject", "client_id", "sid", "jti"], name: str, issued_until: int | None
    ) -> None: ...
    def seal_state(self, caller: AuthInfo, purpose: str, lifetime: float, state: bytes) -> str: ...
    def open_state(self, caller: AuthInfo, purpose: str, sealed: str) -> bytes: ...

@final
class AuthInfo:
    """The authenticated caller of a request: who they are and what their token grants."""

    @property
    def claims(self) -> dict[str, Any]:
        """All claims of the token."""
    @property
    def subject(self) -> str | None:
        """`sub`: the caller, unique within the issuer; machine clients may have none."""
    @property
    def issuer(self) -> str:
        """`iss`: the authorization server that issued the token."""
    @property
    def client_id(self) -> str | None:
        """The OAuth client: the first of `client_id`, `azp`, `cid` and `appid`."""
    @property
    def scopes(self) -> list[str]:
        """The granted scopes."""
    @property
    def audience(self) -> list[str]:
        """`aud`: for whom the token was issued."""
    @property
    def expires_at(self) -> int | None:
        """`exp`, in seconds since 1970."""
    @property
    def principal(self) -> Literal["user", "client", "unknown"]:
        """`user`, `client` for a machine on its own behalf, or `unknown` when the token does not tell."""
    @property
    def key(self) -> tuple[str, str | None]:
        """(`iss`, `sub`): the key under which to store what belongs to this caller. A machine without `sub` is known by its
        client; `None` is nobody to store anything for."""
    @property
    def dangerous_raw_token(self) -> str:
        """The token itself, for exchanging it at its issuer. Never send it to another service."""
    def has(self, *scopes: str) -> bool:
        """Whether the token grants all of these scopes."""
    def require(self, *scopes: str) -> None:
        """Raises `InsufficientScope`, which becomes a challenge, unless the token grants all of these."""
    def withdraw_refusal(self) -> None:
        """Withdraws what `require` has asked for in this request: the handler answers itself."""

@final
class Downstream:
    def with_scopes(self, scopes: list[str]) -> Downstream: ...
    def token(self, caller: AuthInfo | None) -> DownstreamToken | Pending: ...
    def wait_for_token(self, caller: AuthInfo | None) -> DownstreamToken: ...
    def is_at(self, url: str) -> bool: ...
    def forget(self, caller: AuthInfo | None, token: DownstreamToken) -> None: ...
    def disconnect(self, caller: AuthInfo) -> Pending | None: ...

@final
class DownstreamToken:
    """A token for another API. It is shown by `expose` and `header_value` alone."""

    def expose(self) -> str:
        """The token, for a client that takes no header. Do not log it."""
    def header_value(self) -> str:
        """The value of the `Authorization` header. Do not log it."""
    @property
    def scopes(self) -> list[str]:
        """What it grants, as its server says; where it says nothing, what was asked for."""
    @property
    def expires_at(self) -> int | None:
        """When it ends, in seconds since 1970, if its server says so."""

@final
class Operation:
    """What a caller wants to do."""

    @property
    def kind(self) -> Literal["tool", "prompt", "resource", "other"]: ...
    @property
    def method(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def arguments(self) -> dict[str, Any] | None: ...

@final
class Forward:
    @property
    def auth_info(self) -> AuthInfo | None: ...
    @property
    def scope(self) -> dict[str, Any]: ...
    @property
    def takes_body(self) -> bool: ...
    @property
    def body(self) -> bytes | None: ...
    def respond(
        self, status: int, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[Iterable[tuple[bytes, bytes]] | None, ResponseFilter | None, StreamEnd | None]: ...

@final
class ReadBody:
    @property
    def max_bytes(self) -> int: ...
    @property
    def timeout(self) -> float: ...
    def decide(self, body: bytes) -> Forward | Reply | Pending: ...
    def timed_out(self) -> Reply: ...
    def too_large(self) -> Reply: ...

@final
class Reply:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def code(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...

@final
class ResponseFilter:
    @property
    def has_begun(self) -> bool: ...
    def push(self, chunk: bytes) -> bytes | Reply | Literal[False] | None: ...
    def end(self) -> bytes | Reply | Literal[False] | None: ...

@final
class StreamEnd:
    @property
    def is_watched(self) -> bool: ...
    @property
    def seconds_left(self) -> float | None: ...
    def step(self) -> bytes | None: ...
    def cut(self, piece: bytes) -> int | None: ...
    def see(self, sent: bytes) -> bytes | None: ...
    def refusal(self) -> Reply: ...
    def listen(self, wake: Callable[[], object]) -> bool: ...
    def close(self) -> None: ...

@final
class Pending:
    def start(self, event_loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None: ...

@final
class Answer:
    def accept(self, claims: str) -> None: ...
    def refuse(self) -> None: ...
    def refuse_audience(self, actual: list[str], expected: list[str]) -> None: ...
    def refuse_scopes(self, required: list[str], granted: list[str]) -> None: ...
    def fail(self, reason: str) -> None: ...

@final
class Told:
    def tell(self, is_revoked: bool) -> None: ...
    def fail(self, reason: str) -> None: ...

@final
class DevIssuer:
    def __new__(
        cls,
        *,
        scopes: list[str] | None = None,
        algorithm: str | None = None,
        auto_approve: bool = False,
        default_audience: str | None = None,
        access_token_lifetime: int | None = None,
        clients: str = ...,
        exchanges_own_tokens_only: bool = False,
        id_jag_issuers: list[str] = ...,
    ) -> DevIssuer: ...
    @property
    def issuer(self) -> str: ...
    @property
    def jwks_uri(self) -> str: ...
    @property
    def jwks_requests(self) -> int: ...
    @property
    def token_requests(self) -> dict[str, int]: ...
    def mint(
        self,
        audience: list[str],
        scope: str | None,
        subject: str | None,
        client_id: str | None,
        issuer: str | None,
        expires_in: int | None,
        claims: str,
        without: list[str],
        header: str,
        algorithm: str | None,
        broken: str | None,
        opaque: bool,
    ) -> str: ...
    def rotate_keys(self, drop_old: bool) -> None: ...
    def set_mode(self, mode: str) -> None: ...
    def revoke(self, token: str) -> None: ...
    def close(self) -> None: ...

def config_from_env(read: Callable[[str], str | None]) -> str:
    """The configuration that is in the environment, as JSON; `read` gives a variable's value."""

def is_url(text: str) -> bool:
    """Whether a text is a URL, right or wrong, and no other name of a resource."""

def log_value(name: str, text: str) -> str | list[str]:
    """What a field of a decision says, as the log has it."""

def issuer_metadata_url(issuer: str, server_type: str) -> str:
    """Where an issuer has its metadata, by the standard of its type, `oauth` or `oidc`."""

def after_fork_in_parent() -> None:
    """A fork is over, here in the parent."""

def before_end() -> None:
    """The interpreter ends: no thread of ours goes into Python any more."""

def before_fork() -> None:
    """Waits until no thread of ours is in Python, and lets none in until the fork is over."""

def after_fork() -> None: ...
def run_command(arguments: list[str]) -> int:
    """Runs the `mcp-auth` command in place of the process, and returns its exit code."""
