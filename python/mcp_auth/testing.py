"""An authorization server for tests, in this process and on loopback.

    def test_whoami(dev_issuer, mcp_client):  # fixtures of pytest, there without an import
        auth = McpAuth("http://localhost/mcp", [dev_issuer.issuer])
        alice = mcp_client(auth.protect(app), subject="alice", scope="mcp")
        assert alice.tools() == ["whoami"]
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

from . import _native
from ._test_client import Answer, Client, Refused

P = ParamSpec("P")
T = TypeVar("T")

Broken: TypeAlias = Literal[
    "signature", "payload", "algorithm-none", "unknown-key-id", "foreign-key", "embedded-key", "hmac-with-public-key",
    "critical-header", "id-token", "sender-constrained", "duplicate-claim", "padding", "truncated", "not-json",
]  # fmt: skip
"""The ways in which a minted token can be wrong."""

Mode: TypeAlias = Literal[
    "online", "offline", "hang", "garbage",
    "status:404", "status:429", "status:500", "status:502", "status:503", "status:504",
    "token:hold", "token:html", "token:redirect", "token:other-token-type", "token:other-issued-token-type",
    "token:without-issued-token-type", "token:more-scopes", "token:without-expires-in", "token:same-token",
    "token:repeated-member", "token:interaction-required", "token:consent-required",
    "token:status:500", "token:status:503", "token:error:invalid_grant", "token:error:invalid_client",
    "token:error:invalid_scope", "token:error:invalid_target",
]  # fmt: skip
"""How the issuer answers, and with `token:` how its token endpoint alone does; any other status works too."""


#: The keyword that `mint` has for what others call so.
_MEANT = {
    "aud": "audience", "audiences": "audience", "resource": "audience", "scopes": "scope", "sub": "subject",
    "user": "subject", "azp": "client_id", "client": "client_id", "exp": "expires_in", "iss": "issuer",
}  # fmt: skip


def _with_known_names(function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose error for a keyword that it does not have lists those that it has."""
    _, *names = inspect.signature(function).parameters

    @functools.wraps(function)
    def called(*values: P.args, **named: P.kwargs) -> T:
        for name in named:
            if name not in names:
                meant = f"did you mean `{_MEANT[name]}`? " if name in _MEANT else ""
                raise TypeError(f"mint() has no keyword {name!r}: {meant}It takes {', '.join(names)}")
        return function(*values, **named)

    return called


class DevIssuer:
    """Lets anyone be anyone: never for anything but tests. It listens from construction to `close`."""

    def __init__(
        self,
        *,
        scopes: Iterable[str] | None = None,
        algorithm: str | None = None,
        auto_approve: bool = False,
        default_audience: str | None = None,
        access_token_lifetime: int | None = None,
        clients: Iterable[Mapping[str, Any]] = (),
        exchanges_own_tokens_only: bool = False,
        id_jag_issuers: Iterable[str] = (),
    ) -> None:
        """Starts on a free port.

        :param scopes: `scopes_supported`.
        :param algorithm: what it signs with, such as `RS256`; `ES256` unless given.
        :param auto_approve: skips the page where a person signs in.
        :param default_audience: `aud` of tokens that are asked for without one.
        :param access_token_lifetime: seconds; one hour unless given.
        :param clients: beside `dev`, whose secret is `dev`: each has an `id`, and may have a `secret`, scopes that it `may_get` in
            an exchange, its only `targets`, the resource servers that it `acts_for`, and its `ids_elsewhere`, by issuer.
        :param exchanges_own_tokens_only: refuses to exchange tokens that are neither of the client nor for it.
        :param id_jag_issuers: whose ID-JAGs it takes.
        """
        self._native = _native.DevIssuer(
            scopes=None if scopes is None else list(scopes),
            algorithm=algorithm,
            auto_approve=auto_approve,
            default_audience=default_audience,
            access_token_lifetime=access_token_lifetime,
            clients=json.dumps([dict(client) for client in clients]),
            exchanges_own_tokens_only=exchanges_own_tokens_only,
            id_jag_issuers=list(id_jag_issuers),
        )

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self._native.issuer

    @property
    def jwks_uri(self) -> str:
        """The URL of its keys."""
        return self._native.jwks_uri

    @property
    def jwks_requests(self) -> int:
        """How often its keys were asked for."""
        return self._native.jwks_requests

    @property
    def token_requests(self) -> dict[str, int]:
        """How often its token endpoint was asked: `token` in all, and by grant, such as `token_exchange`."""
        return self._native.token_requests

    @_with_known_names
    def mint(
        self,
        audience: str | Iterable[str],
        *,
        scope: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        issuer: str | None = None,
        expires_in: int | None = None,
        claims: Mapping[str, Any] | None = None,
        without: Iterable[str] = (),
        header: Mapping[str, Any] | None = None,
        algorithm: str | None = None,
        broken: Broken | None = None,
        opaque: bool = False,
    ) -> str:
        """A token of any content, without a request.

        :param audience: for whom it is: `auth.resource`.
        :param scope: one text, with spaces between scopes.
        :param expires_in: seconds from now; what is over already is below 0.
        :param claims: others, and other values of those that it has.
        :param without: claims that are left out.
        :param broken: one way to be wrong; another name raises `ValueError`, which lists them.
        :param opaque: no JWT, but one to be introspected.
        """
        return self._native.mint(
            [audience] if isinstance(audience, str) else list(audience),
            scope,
            subject,
            client_id,
            issuer,
            expires_in,
            json.dumps(dict(claims or {})),
            list(without),
            json.dumps(dict(header or {})),
            algorithm,
            broken,
            opaque,
        )

    def rotate_keys(self, *, drop_old: bool = False) -> None:
        """Signs with a new key from now on."""
        self._native.rotate_keys(drop_old)

    def set_mode(self, mode: Mode) -> None:
        """`online`, `offline`, `hang`, `garbage`, `status:503`, or `token:html` and its like for the token endpoint."""
        self._native.set_mode(mode)

    def revoke(self, token: str) -> None:
        """Introspection says from now on that this token is not active."""
        self._native.revoke(token)

    def close(self) -> None:
        """Stops, and frees the port."""
        self._native.close()

    def __enter__(self) -> DevIssuer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _dev_issuer() -> Generator[DevIssuer, None, None]:
    with DevIssuer() as issuer:
        yield issuer


if TYPE_CHECKING:
    dev_issuer = _dev_issuer
else:

    def __getattr__(name: str) -> Any:
        """The fixture, which needs pytest, for those who ask for it."""
        if name != "dev_issuer":
            raise AttributeError(name)
        import pytest

        return pytest.fixture(name="dev_issuer")(_dev_issuer)


__all__ = ["Answer", "Broken", "Client", "DevIssuer", "Mode", "Refused", "dev_issuer"]
