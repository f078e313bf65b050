"""Verify functions for JWTs of given keys. The native part verifies; here is only what crosses over to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from .._core import McpAuth
from .._native import Pending
from .._pending import wait
from ..errors import AuthError, ConfigError, Unavailable
from ..exceptions import (
    MCPAuthConfigException,
    MCPAuthTokenVerificationException,
    MCPAuthTokenVerificationExceptionCode,
)
from ..types import AuthInfo, JwtPayload

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512")
#: Who verifies by keys alone knows no issuer and no resource; the configuration has to name something.
_NO_ISSUER = "https://issuer.invalid"
_NO_RESOURCE = "http://localhost/"


def create_verify_jwt(
    input: Any, algorithms: Sequence[str] = _ALGORITHMS, leeway: float = 60
) -> VerifyJwt:
    """A verify function for JWTs that were signed with given keys.

    It checks signature, kind and time. Issuer and audience are for whoever calls it:
    `MCPAuth.bearer_auth_middleware` checks both.

    :param input: the URL of a JWK Set, a `PyJWKClient` or a `PyJWK`.
    :param algorithms: accepted signature algorithms, asymmetric ones only.
    :param leeway: how far clocks may be apart, in seconds, 300 at most.

    Raises `MCPAuthConfigException` when no token could ever be verified.
    """
    return VerifyJwt(input, list(algorithms), leeway)


class VerifyJwt:
    """Verifies JWTs by given keys; made by `create_verify_jwt`."""

    def __init__(self, input: Any, algorithms: list[str], leeway: float) -> None:
        keys, documents = _keys(input)
        server = {"dangerous_accept_any_issuer": True, "algorithms": algorithms, **keys}
        config = {
            "resource": _NO_RESOURCE,
            "authorization_servers": [server],
            "dangerous_accept_any_audience": True,
            "clock_tolerance": int(leeway),
        }
        try:
            self._auth = McpAuth.from_config(config, documents=documents)
        except ConfigError as error:
            raise MCPAuthConfigException("invalid_verification", error.message, error) from None

    def __call__(self, token: str) -> AuthInfo:
        """The caller behind a token. It may wait for keys, so it is not for the thread of an event loop.

        Raises `MCPAuthTokenVerificationException`.
        """
        with _told_as_the_original():
            caller = self._auth._native.verify(token, None)
            if isinstance(caller, Pending):
                caller = _waited_for(caller)
            return _of_payload(token, caller.claims)

    async def verify(self, token: str) -> AuthInfo:
        """The same for coroutines."""
        with _told_as_the_original():
            caller = await self._auth.authenticate(token)
            return _of_payload(token, caller.claims)


@contextmanager
def _told_as_the_original() -> Generator[None, None, None]:
    codes = MCPAuthTokenVerificationExceptionCode
    try:
        yield
    except Unavailable as error:
        raise MCPAuthTokenVerificationException(codes.TOKEN_VERIFICATION_FAILED, error) from None
    except (AuthError, TypeError, ValueError) as error:
        raise MCPAuthTokenVerificationException(codes.INVALID_TOKEN, error) from None


def _of_payload(token: str, claims: dict[str, Any]) -> AuthInfo:
    payload = JwtPayload.of(claims)
    scopes = payload.scope or payload.scopes or []
    return AuthInfo(
        token=token,
        issuer=payload.iss,
        subject=payload.sub,
        client_id=payload.azp if payload.client_id is None else payload.client_id,
        audience=payload.aud,
        scopes=scopes.split(" ") if isinstance(scopes, str) else scopes,
        claims=claims,
        expires_at=payload.exp,
    )


def _keys(input: Any) -> tuple[dict[str, Any], Callable[[str], str] | None]:
    """Where the keys are, in settings of the library; and what gives documents, if they are not fetched by it."""
    if isinstance(input, str):
        return _at(input), None
    if hasattr(input, "fetch_data") and isinstance(getattr(input, "uri", None), str):
        # Its headers, certificates and timeout are its own, so it fetches.
        return _at(input.uri), lambda _url: json.dumps(input.fetch_data())
    if hasattr(input, "Algorithm") and hasattr(input, "key"):
        return {"issuer": _NO_ISSUER, "jwks": {"keys": [_public_jwk(input)]}}, None
    raise MCPAuthConfigException(
        "invalid_verification",
        f"create_verify_jwt needs the URL of a JWK Set, a PyJWKClient or a PyJWK, not {type(input).__name__}.",
    )


def _at(url: str) -> dict[str, Any]:
    return {"issuer": _NO_ISSUER, "metadata": {"issuer": _NO_ISSUER, "jwks_uri": url}}


def _public_jwk(jwk: Any) -> dict[str, Any]:
    """The public half of a `PyJWK`. Without a `kid`: it is tried with every token."""
    key = jwk.key.public_key() if hasattr(jwk.key, "public_key") else jwk.key
    written = jwk.Algorithm.to_jwk(key)
    members: dict[str, Any] = json.loads(written) if isinstance(written, str) else written
    return {name: value for name, value in members.items() if name not in ("kid", "key_ops")}


def _waited_for(pending: Pending) -> Any:
    """The result, while this thread waits, whether or not it has an event loop."""
    with ThreadPoolExecutor(max_workers=1) as another:
        return another.submit(lambda: asyncio.run(wait(pending))).result()
