"""Carries out what the native part decides about a request; decides nothing itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from ._context import current
from ._native import Forward, McpAuth, Pending, ReadBody, Reply, ResponseFilter
from ._pending import wait

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Enter: TypeAlias = Callable[[Scope, Forward], Callable[[], None]]

#: How much of the body of a refused request is read, so that the connection can be used again.
_DISCARDED_BYTES = 256 * 1024


class Protected:
    """An ASGI app behind `auth`: only requests that are allowed get through."""

    def __init__(
        self, app: ASGIApp, auth: McpAuth, enter: Enter | None = None, shows_details: bool = False
    ) -> None:
        self.app = app
        self._auth = auth
        self._enter = enter or _enter
        self._shows_details = shows_details

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"mcp_auth cannot protect a connection of type {scope['type']!r}")
        decision = self._auth.decide(scope)
        if type(decision) is Forward:
            return await self._forward(decision, scope, receive, send)
        if type(decision) is Pending:
            decision = await wait(decision)
        if isinstance(decision, ReadBody):
            body, receive = await _read(receive, decision.max_bytes)
            if body is None:
                decision = decision.too_large()
            else:
                decision = decision.decide(body, scope["headers"])
                receive = _again(body, receive)
        if isinstance(decision, Forward):
            return await self._forward(decision, scope, receive, send)
        if isinstance(decision, Reply):
            return await refuse(decision, self._shows_details, scope, receive, send)
        raise TypeError(f"an unknown decision: {decision!r}")

    async def _forward(self, forward: Forward, scope: Scope, receive: Receive, send: Send) -> None:
        inner = dict(scope, headers=forward.headers, mcp_auth=forward.auth_info)
        leave = self._enter(scope, forward)
        try:
            if scope["type"] == "http":
                await self.app(inner, receive, Response(forward, send))
            else:
                await self.app(inner, receive, send)
        finally:
            leave()


def _enter(_scope: Scope, forward: Forward) -> Callable[[], None]:
    token = current.set(forward.auth_info)
    return lambda: current.reset(token)


class Response:
    """Sends the app's response as the client may see it."""

    __slots__ = ("_filter", "_forward", "_is_over", "_send", "_start")

    def __init__(self, forward: Forward, send: Send) -> None:
        self._forward: Forward | None = forward
        self._send = send
        self._start: Message | None = None
        self._filter: ResponseFilter | None = None
        self._is_over = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._forward is not None:
            headers, self._filter = self._forward.respond(
                message["status"], message.get("headers", ())
            )
            self._forward = None
            if headers is not None:
                message = {**message, "headers": headers}
            if self._filter is not None:
                self._start = message
                return
        elif self._filter is not None and kind == "http.response.body":
            return await self._pass(self._filter, message)
        elif self._filter is not None and kind == "http.response.pathsend":
            raise RuntimeError("a response whose lists are filtered cannot be sent as a file")
        await self._send(message)

    async def _pass(self, body: ResponseFilter, message: Message) -> None:
        if self._is_over:
            return
        is_last = not message.get("more_body", False)
        passage = body.push(message.get("body", b""))
        if is_last and (passage is None or isinstance(passage, bytes)):
            end = body.end()
            passage = passage + end if isinstance(passage, bytes) and isinstance(end, bytes) else end
        if passage is None:
            return
        if isinstance(passage, Reply):
            self._is_over = True
            return await _send_reply(passage, passage.body, self._send)
        if not isinstance(passage, bytes):
            self._is_over = True
            raise RuntimeError("the response is broken off: its lists cannot be filtered")
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)
        await self._send({"type": "http.response.body", "body": passage, "more_body": not is_last})


async def refuse(
    reply: Reply, shows_details: bool, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers in the app's place."""
    if scope["type"] == "websocket":
        # Closed before it is accepted: the client gets a 403.
        return await send({"type": "websocket.close", "code": 1008})
    # A server that closes the connection makes clients lose the request that comes next, and that
    # one looks for the metadata.
    await _read(receive, _DISCARDED_BYTES)
    body = reply.body
    if shows_details and reply.code is not None and body:
        body = json.dumps({**json.loads(body), "code": reply.code, "cause": reply.reason}).encode()
    await _send_reply(reply, body, send)


async def _send_reply(reply: Reply, body: bytes, send: Send) -> None:
    length = (b"content-length", str(len(body)).encode())
    headers = [*reply.headers] if reply.status == 204 else [*reply.headers, length]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _read(receive: Receive, max_bytes: int) -> tuple[bytes | None, Receive]:
    """The whole body, `None` when it is longer or the client has gone; and what comes after it."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None, _again(b"", receive)
        chunk = message.get("body", b"")
        length += len(chunk)
        is_last = not message.get("more_body", False)
        if length > max_bytes:
            return None, _again(b"", receive) if is_last else receive
        chunks.append(chunk)
        if is_last:
            return b"".join(chunks), receive


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, and then what comes after it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
