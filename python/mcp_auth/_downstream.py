"""Tokens for other APIs, which tools call for their callers; the native part decides about them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any

from . import _native
from ._context import auth_info as caller_or_nobody
from ._context import caller
from ._native import AuthInfo, DownstreamToken
from ._pending import wait

#: The packages that have a class `Auth` for us, whichever are installed.
_CLIENTS = ("httpx", "httpx2")


class Downstream:
    """An API that tools call for their callers, made by `McpAuth.downstream`. It follows the configuration: after a reload
    it is the new one.
    """

    def __init__(self, native: _native.Downstream) -> None:
        self._native = native

    def with_scopes(self, scopes: Iterable[str]) -> Downstream:
        """The same with some of the configured scopes alone. More of them is an error, before anything is asked."""
        if isinstance(scopes, str):
            raise TypeError(f"with_scopes: must be a list, as [{scopes!r}]")
        return Downstream(self._native.with_scopes(list(scopes)))

    async def token_for(self, auth_info: AuthInfo | None = None) -> DownstreamToken:
        """A token for the caller of the current request, or for this one: the one that is kept, or a new one.

        Where the caller has to do something first, the response to their request becomes the challenge that asks for it,
        as with `require_scopes`. So let the exception through.

        Raises `DownstreamError` when there is none, `MissingToken` when nobody is there. Then call the API without the
        caller, or not at all: never with the token of the request.
        """
        found = caller() if auth_info is None else _checked(auth_info)
        return await self._have(found)

    async def token(self) -> DownstreamToken:
        """A token for the tool itself, whoever is calling: with `client_credentials` alone.

        Raises `DownstreamError` when there is none.
        """
        return await self._have(None)

    async def disconnect(self, auth_info: AuthInfo | None = None) -> None:
        """Removes what the caller of the current request, or this one, has granted at the provider of the API, and ends it
        there: with `authorization_code` alone.

        Raises `DownstreamError` when it cannot be removed, `MissingToken` when nobody is there.
        """
        found = caller() if auth_info is None else _checked(auth_info)
        ended = self._native.disconnect(found)
        if ended is not None:
            await wait(ended)

    def httpx_auth(self, auth_info: AuthInfo | None = None) -> Any:
        """What `httpx` and `httpx2` take as `auth=`, for one client that all callers share::

            reports = httpx.AsyncClient(auth=auth.downstream("reports").httpx_auth())

        It puts the token of the current request's caller, or of this one, on requests to the URLs of `api`, and takes any
        other `Authorization` off. After a 401 it asks once more with a new token, if there is one, and the body of the request is still there.
        Where nobody is calling, it is the token of the tool itself, which `client_credentials` alone gives.

        A client that is not asynchronous waits for a token on its own thread: on the thread of an event loop, which must not
        wait, it raises `RuntimeError`.

        Raises `ImportError` when neither is installed.
        """
        return _auth_class()(self, None if auth_info is None else _checked(auth_info))

    async def _have(self, found: AuthInfo | None) -> DownstreamToken:
        token = self._native.token(found)
        if type(token) is DownstreamToken:
            # Nearly always it is kept.
            return token
        return await wait(token)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return repr(self._native)


def _checked(auth_info: object) -> AuthInfo:
    if not isinstance(auth_info, AuthInfo):
        raise TypeError(f"the caller must be an AuthInfo, not {type(auth_info).__name__}")
    return auth_info


class _Flow:
    """What is done with a request, below the class `Auth` of a client."""

    def __init__(self, downstream: Downstream, auth_info: AuthInfo | None) -> None:
        self._downstream = downstream
        self._native = downstream._native
        self._caller = auth_info

    def _who(self) -> AuthInfo | None:
        return caller_or_nobody() if self._caller is None else self._caller

    def _is_ours(self, request: Any) -> bool:
        """Whether the token goes on it. Any other is taken off."""
        request.headers.pop("authorization", None)
        is_ours = self._native.is_at(str(request.url))
        if is_ours:
            # A client that callers share keeps what the API has set for another one.
            request.headers.pop("cookie", None)
        return is_ours

    def _must_ask_again(self, request: Any, response: Any, found: AuthInfo | None, token: DownstreamToken) -> bool:
        """Forgets the token if the API did not accept it. Whether the same request can be sent once more."""
        # Where the client was redirected to, the token did not go.
        if response.status_code != 401 or not self._native.is_at(str(response.request.url)):
            return False
        self._native.forget(found, token)
        return _has_body(request)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        if not self._is_ours(request):
            yield request
            return
        found = self._who()
        token = await self._downstream._have(found)
        request.headers["authorization"] = token.header_value()
        response = yield request
        if self._must_ask_again(request, response, found, token):
            newer = await self._downstream._have(found)
            if _is_another(newer, token):
                request.headers["authorization"] = newer.header_value()
                yield request

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        if not self._is_ours(request):
            yield request
            return
        _check_thread()
        found = self._who()
        token = self._native.wait_for_token(found)
        request.headers["authorization"] = token.header_value()
        response = yield request
        if self._must_ask_again(request, response, found, token):
            newer = self._native.wait_for_token(found)
            if _is_another(newer, token):
                request.headers["authorization"] = newer.header_value()
                yield request

    def __repr__(self) -> str:
        return f"{self._downstream!r}.httpx_auth()"


def _is_another(newer: DownstreamToken, token: DownstreamToken) -> bool:
    """Whether it is worth another request: the same one is kept where the last was forgotten just now."""
    return newer.expose() != token.expose()


def _has_body(request: Any) -> bool:
    """Whether what was sent is still there: what was streamed is gone."""
    try:
        return request.content is not None
    except Exception as error:
        if type(error).__name__ != "RequestNotRead":
            raise
        return False


def _check_thread() -> None:
    """Raises where an event loop runs: what it has to do meanwhile could be what is waited for."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a client that is not asynchronous would block the event loop: use AsyncClient, or a thread (asyncio.to_thread)")


@functools.cache
def _auth_class() -> Any:
    """The flow as an `Auth` of every client that is installed, so that each takes it."""
    bases: list[type] = []
    for name in _CLIENTS:
        try:
            found = importlib.import_module(name).Auth
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        if found not in bases:
            bases.append(found)
    if not bases:
        raise ImportError("httpx_auth() is for the packages `httpx` and `httpx2`: neither is installed")
    return type("DownstreamAuth", (_Flow, *bases), {"__module__": __name__, "__doc__": "Puts the token of a caller on requests."})


__all__ = ["Downstream"]
