"""Carries out what the native part decides about a request; decides nothing itself."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar

from ._context import current
from ._native import Forward, McpAuth, Pending, ReadBody, Reply, ResponseFilter
from ._pending import wait
from ._sdk import SDK, forget_caller, name_caller
from ._streams import Exchange, Stream
from .errors import AuthError, DownstreamError, InsufficientScope

T = TypeVar("T")
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Decision: TypeAlias = Forward | ReadBody | Reply | Pending
Enter: TypeAlias = Callable[[Scope, Forward], Callable[[], None]]

_logger = logging.getLogger("mcp_auth")
#: A longer body of a refused request is not worth reading: the connection is closed instead.
_DISCARDED_BYTES = 256 * 1024


class Protected:
    """An ASGI app behind `auth`: only requests that are allowed get through."""

    def __init__(
        self,
        app: ASGIApp,
        auth: McpAuth,
        enter: Enter | None = None,
        shows_details: bool = False,
        fault_of_place: Callable[[Scope], str | None] | None = None,
    ) -> None:
        """
        :param fault_of_place: why clients do not find it where it stands, by the scope of the first request.
        """
        self.app = app
        self._decide = auth.decide
        self._enter = enter
        self._shows_details = shows_details
        self._fault_of_place = fault_of_place
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if self._fault_of_place is not None:
                self._warn_of_place(self._fault_of_place(scope))
            if current.get() is not None:
                self._warn_of_context(scope)
        elif kind == "lifespan":
            return await self.app(scope, receive, send)
        elif kind != "websocket":
            raise ValueError(f"mcp_auth cannot protect a connection of type {kind!r}")
        decision = self._decide(scope)
        if type(decision) is Forward:
            # Nearly every request is decided at once, and pays for no coroutine but this one.
            forward = decision
        else:
            settled = await self._settle(decision, scope, receive, send)
            if settled is None:
                return
            forward, receive = settled
        exchange = None
        if kind == "http":
            if not forward.takes_body:
                receive = _without_body(receive)
            exchange = Exchange(receive)
            receive = exchange.receive
            send = responding(forward, send, exchange)
        caller = forward.auth_info
        app_scope = forward.scope
        token = current.set(caller)
        leave = self._enter(scope, forward) if self._enter is not None else None
        named = None
        try:
            if SDK in sys.modules:
                named = name_caller(app_scope, caller)
            await self.app(app_scope, receive, send)
        except InsufficientScope as error:
            if kind != "http":
                raise
            challenge = [] if error.challenge is None else [(b"www-authenticate", error.challenge.encode())]
            await _answer(error, "more scopes are required", challenge, send)
        except DownstreamError as error:
            # What the program does wrong is the server's to answer.
            if kind != "http" or error.status == 500:
                raise
            after = error.retry_after
            headers = [] if after is None else [(b"retry-after", b"%d" % after)]
            await _answer(error, error.message, headers, send)
        except BaseException as error:
            if exchange is None or not exchange.has_caused(error):
                raise
        finally:
            if named is not None:
                forget_caller(named)
            current.reset(token)
            if leave is not None:
                leave()
            if exchange is not None and exchange.stream is not None:
                await exchange.leave()

    def _warn_of_place(self, fault: str | None) -> None:
        """Says at the first request why clients do not find the app; later ones are like the first."""
        self._fault_of_place = None
        if fault is not None:
            _logger.warning("%s", fault)

    def _warn_of_context(self, scope: Scope) -> None:
        """Says once that a request begins where another one's caller is. What is mounted inside of `protect` has that
        caller in its scope too, and is the same request.
        """
        if self._has_warned or "mcp_auth" in scope:
            return
        self._has_warned = True
        _logger.warning(
            "a request began in the context of another one, as those do that are pipelined on one connection: where "
            "nothing is protected, auth_info() may be the caller of the request before. Start uvicorn with "
            "reset_contextvars=True (--reset-contextvars)"
        )

    async def _settle(
        self, decision: Decision, scope: Scope, receive: Receive, send: Send
    ) -> tuple[Forward, Receive] | None:
        """What has to wait, for keys or for the body: the request that goes on, and its body; `None` when it is answered."""
        if isinstance(decision, Pending):
            decision = await wait(decision)
        if isinstance(decision, ReadBody):
            read = await _in_time(_read(receive, decision.max_bytes), decision.timeout)
            if read is None:
                decision = decision.timed_out()
            else:
                body, receive = read
                if body is None:
                    decision = decision.too_large()
                else:
                    decision = decision.decide(body)
                    if isinstance(decision, Pending):
                        decision = await wait(decision)
                    if isinstance(decision, Forward) and decision.body is not None:
                        # What was decided about is what the app sees.
                        body = decision.body
                    receive = _again(body, receive)
        if isinstance(decision, Forward):
            return decision, receive
        if not isinstance(decision, Reply):
            raise TypeError(f"an unknown decision: {decision!r}")
        await refuse(decision, self._shows_details, scope, receive, send)
        return None


async def _answer(error: AuthError, text: str, more: list[tuple[bytes, bytes]], send: Send) -> None:
    """The answer of an app that let the exception through, unless it has begun another one."""
    body = json.dumps({"error": error.code, "error_description": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *more]
    try:
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
    except Exception:
        raise error from None
    await send({"type": "http.response.body", "body": body})


def responding(forward: Forward, send: Send, exchange: Exchange) -> Send:
    """Sends the app's response as the client may see it."""
    sent: Send | None = None

    def begin(message: Message) -> Awaitable[None]:
        nonlocal sent
        # No coroutine: what goes on as it is costs a call.
        if sent is not None:
            return sent(message)
        if message["type"] != "http.response.start":
            return send(message)
        headers, body, end = forward.respond(message["status"], message.get("headers", ()))
        if headers is not None:
            message = {**message, "headers": headers}
        stream = None if end is None else exchange.begin_stream(end, send)
        if body is None:
            sent = send if stream is None else stream.send
            return sent(message)
        filtered = _Filtered(body, message, send, stream)
        sent = filtered.pass_on
        return filtered.begin() if body.has_begun else _nothing()

    return begin


async def _nothing() -> None:
    """Nothing is sent yet."""


class _Filtered:
    """A response that passes through a filter, and whose start waits for what that says."""

    def __init__(self, body: ResponseFilter, start: Message, send: Send, stream: Stream | None) -> None:
        """
        :param stream: what ends it in time, behind the filter.
        """
        self._filter = body
        self._start: Message | None = start
        self._reply_with = send
        self._send = send if stream is None else stream.send
        self._stream = stream
        self._is_over = False
        if stream is not None and not body.has_begun:
            stream.hold(self._replace)

    async def _replace(self, reply: Reply) -> None:
        """Sends another response in place of this one."""
        self._start = None
        await _send_reply(reply, reply.body, self._reply_with)

    async def begin(self) -> None:
        """Sends the start, unless that was done."""
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)

    async def pass_on(self, message: Message) -> None:
        """Takes a message of the app's."""
        if self._is_over or (self._stream is not None and self._stream.is_over):
            return
        if message["type"] == "http.response.trailers":
            return await self._send(message)
        if message["type"] != "http.response.body":
            raise RuntimeError(f"a response that is filtered cannot be sent by {message['type']}")
        is_last = not message.get("more_body", False)
        passage = self._filter.push(_as_bytes(message.get("body", b"")))
        if is_last and (passage is None or isinstance(passage, bytes)):
            end = self._filter.end()
            is_both = isinstance(passage, bytes) and isinstance(end, bytes)
            passage = passage + end if is_both else end  # type: ignore[operator]
        if passage is None:
            return
        if isinstance(passage, Reply):
            self._is_over = True
            if self._stream is not None:
                self._stream.stop()
            return await _send_reply(passage, passage.body, self._reply_with)
        if not isinstance(passage, bytes):
            self._is_over = True
            raise RuntimeError("the response is broken off: its lists cannot be filtered")
        await self.begin()
        await self._send({"type": "http.response.body", "body": passage, "more_body": not is_last})


async def refuse(
    reply: Reply, shows_details: bool, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers in the app's place."""
    if scope["type"] == "websocket":
        # Closed before it is accepted: the client gets a 403.
        return await send({"type": "websocket.close", "code": 1008})
    body = reply.body
    if shows_details and reply.code is not None and body:
        body = json.dumps({**json.loads(body), "code": reply.code, "cause": reply.reason}).encode()
    # At once: the body may never come. The server reads it past, so that the connection can be used
    # again; clients that lose it lose the request that looks for the metadata.
    is_http1 = str(scope.get("http_version", "1")).startswith("1")
    await _send_reply(reply, body, send, closes=_is_long(scope), is_http1=is_http1)


def _is_long(scope: Scope) -> bool:
    """Whether the body, by what is said of it, is not worth reading for the sake of the connection."""
    lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
    # A length of many digits is long, and what is no number ends the connection too.
    return any(len(one) > 9 or not one.isdigit() or int(one) > _DISCARDED_BYTES for one in lengths)


async def _send_reply(
    reply: Reply, body: bytes, send: Send, *, closes: bool = False, is_http1: bool = True
) -> None:
    headers = [*reply.headers]
    if not is_http1:
        # RFC 9113 §8.2.2: there is no such header in HTTP/2.
        headers = [(name, value) for name, value in headers if name != b"connection"]
    if reply.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    if closes and is_http1:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _in_time(work: Awaitable[T], seconds: float) -> T | None:
    """What it gives; `None` when it takes longer. In this task, as another one for each body would cost."""
    import asyncio

    task = asyncio.current_task()
    is_late = False

    def end() -> None:
        nonlocal is_late
        is_late = True
        if task is not None:
            task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        return await work
    except asyncio.CancelledError:
        # Not ours, or not ours alone (which Python tells from 3.11 on).
        if not is_late or (hasattr(task, "uncancel") and task.uncancel() > 0):  # type: ignore[union-attr]
            raise
        return None
    finally:
        timer.cancel()


async def _read(receive: Receive, max_bytes: int) -> tuple[bytes | None, Receive]:
    """The whole body, `None` when it is longer or the client has gone; and what comes after it."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None, _again(b"", receive)
        chunk = _as_bytes(message.get("body", b""))
        length += len(chunk)
        is_last = not message.get("more_body", False)
        if length > max_bytes:
            return None, _again(b"", receive) if is_last else receive
        chunks.append(chunk)
        if is_last:
            return b"".join(chunks), receive


def _as_bytes(body: bytes | bytearray | memoryview) -> bytes:
    """A piece of a body: ASGI says bytes, and servers take whatever is read as such."""
    return bytes(body) if isinstance(body, (bytearray, memoryview)) else body


def _without_body(receive: Receive) -> Receive:
    """Gives an empty body, and then what comes after the body that was sent."""

    async def skip() -> Message:
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    return _again(b"", skip)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, and then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
