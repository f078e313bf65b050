"""Streams of events end when the token of their caller is good no more, and the apps that send them are told."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from typing import Any

import httpx2
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from mcp_auth import AuthServerType, MCPAuth, McpAuth, fetch_server_config
from mcp_auth import _streams
from mcp_auth.testing import DevIssuer
from support import RESOURCE, listening, served
from test_bound_sessions import fastmcp, official
from test_sessions import LIST, Caller

EVENT = 'id: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n'
RETRY = "retry: 1000\n\n"
POLICY = {"tools": {"a": ["mcp"]}}
LISTEN = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {}}
START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/event-stream")]}


class Sender:
    """One stream, as the app that sends it sees it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self.has_ended = threading.Event()

    def send(self, *pieces: str | None) -> None:
        """Lets the app send these; `None` is the end."""
        for piece in pieces:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)

    async def given(self) -> AsyncIterator[bytes]:
        while (piece := await self.pieces.get()) is not None:
            yield piece.encode()


async def send_all(send: Any, sender: Sender) -> None:
    await send(START)
    async for piece in sender.given():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def deaf(scope: Any, receive: Any, send: Any, sender: Sender) -> None:
    """Listens to nobody while it sends."""
    await receive()
    await send_all(send, sender)


async def attentive(scope: Any, receive: Any, send: Any, sender: Sender) -> None:
    """Waits for the client to go, and cleans up then."""
    sending = asyncio.create_task(send_all(send, sender))
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def starlette(scope: Any, receive: Any, send: Any, sender: Sender) -> None:
    await StreamingResponse(sender.given(), media_type="text/event-stream")(scope, receive, send)


async def starlette_behind_middleware(scope: Any, receive: Any, send: Any, sender: Sender) -> None:
    async def endpoint(_: Request) -> StreamingResponse:
        return StreamingResponse(sender.given(), media_type="text/event-stream")

    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    route = Route("/mcp", endpoint, methods=["GET", "POST"])
    app = Starlette(routes=[route], middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)])
    await app(scope, receive, send)


KINDS = [deaf, attentive, starlette, starlette_behind_middleware]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_method = pytest.mark.parametrize("method", ["GET", "POST"])
with_and_without_policy = pytest.mark.parametrize("settings", [{}, {"policy": POLICY}], ids=["", "policy"])


class Streams:
    """A protected app whose streams send what the test gives them."""

    def __init__(self, kind: Callable[..., Awaitable[None]]) -> None:
        self._kind = kind
        self._senders: queue.Queue[Sender] = queue.Queue()
        self.auth: McpAuth

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        sender = Sender()
        self._senders.put(sender)
        try:
            await self._kind(scope, receive, send, sender)
        finally:
            sender.has_ended.set()

    def sender(self) -> Sender:
        return self._senders.get(timeout=20)

    @contextmanager
    def open(self, token: str, method: str = "GET") -> Generator[Stream]:
        message = LISTEN if method == "POST" else None
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        with ExitStack() as stack:
            answer = httpx2.stream(method, self.auth.resource, json=message, headers=headers, trust_env=False, timeout=20)
            # Nothing of a POST comes before its first event.
            answers: queue.Queue[httpx2.Response] = queue.Queue()
            threading.Thread(target=lambda: answers.put(stack.enter_context(answer)), daemon=True).start()
            yield Stream(self.sender(), answers)


class Stream:
    """One stream, from both sides."""

    def __init__(self, sender: Sender, answers: queue.Queue[httpx2.Response]) -> None:
        self.sender = sender
        self._answers = answers
        self._pieces: Any = None
        self._read = ""

    def status(self) -> int:
        """The status of an answer that is no stream."""
        return self._answers.get(timeout=20).status_code

    def read(self, length: int | None = None) -> str:
        """So many characters; without a length, everything until the end."""
        if self._pieces is None:
            answer = self._answers.get(timeout=20)
            assert answer.status_code == 200
            self._pieces = answer.iter_text()
        while length is None or len(self._read) < length:
            piece = next(self._pieces, None)
            if piece is None:
                assert length is None, f"only {self._read!r}"
                break
            self._read += piece
        read, self._read = self._read[:length], self._read[len(self._read) if length is None else length :]
        return read


@contextmanager
def serving(
    dev_issuer: DevIssuer, kind: Callable[..., Awaitable[None]], introspection: Any = None, **settings: Any
) -> Generator[Streams]:
    streams = Streams(kind)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "it needs no lifespan"
        await streams.app(scope, receive, send)

    with listening() as (listener, origin):
        server = {"issuer": dev_issuer.issuer, **({"introspection": introspection} if introspection else {})}
        streams.auth = McpAuth(f"{origin}/mcp", [server], clock_tolerance=0, **settings)
        with served(streams.auth.protect(app), listener):
            yield streams


def test_a_stream_ends_with_the_token_of_its_caller(dev_issuer: DevIssuer) -> None:
    with ExitStack() as stack:
        servers = []
        for kind in KINDS:
            for settings in ({}, {"policy": POLICY}, {"dangerous_unbound_sessions": True}):
                servers.append(stack.enter_context(serving(dev_issuer, kind, **settings)))
        opened: list[Stream] = []
        for server in servers:
            for method in ("GET", "POST"):
                # Long enough to connect, and no longer than the test has to be.
                token = dev_issuer.mint(server.auth.resource, expires_in=3)
                opened.append(stack.enter_context(server.open(token, method)))
                opened[-1].sender.send(EVENT)
        for stream in opened:
            assert stream.read() == EVENT + RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
def test_an_open_stream_asks_the_revocation_check_though_its_caller_sends_nothing(
    dev_issuer: DevIssuer, kind: Callable[..., Awaitable[None]]
) -> None:
    dismissed: set[str] = set()

    async def check(caller: Any) -> bool:
        return caller.subject in dismissed

    settings = {"revocation_check": check, "revocation_check_interval": 1}
    with serving(dev_issuer, kind, **settings) as server:
        token = dev_issuer.mint(server.auth.resource, subject="mallory")
        with server.open(token) as stream:
            stream.sender.send(EVENT)
            assert stream.read(len(EVENT)) == EVENT
            dismissed.add("mallory")
            assert stream.read() == RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
@every_method
@with_and_without_policy
def test_a_stream_ends_when_its_caller_is_revoked_and_no_other_does(
    dev_issuer: DevIssuer, kind: Any, method: str, settings: dict[str, Any]
) -> None:
    with serving(dev_issuer, kind, **settings) as server:
        resource = server.auth.resource
        with (
            server.open(dev_issuer.mint(resource, subject="alice"), method) as of_alice,
            server.open(dev_issuer.mint(resource, subject="bob"), method) as of_bob,
        ):
            for stream in (of_alice, of_bob):
                stream.sender.send(EVENT)
                assert stream.read(len(EVENT)) == EVENT
            server.auth.revoke(dev_issuer.issuer, subject="alice")
            assert of_alice.read() == RETRY
            assert of_alice.sender.has_ended.wait(20), "nobody told the app"
            of_bob.sender.send(EVENT)
            assert of_bob.read(len(EVENT)) == EVENT
            server.auth.revoke(dev_issuer.issuer, subject="bob")
            assert of_bob.read() == RETRY
            assert of_bob.sender.has_ended.wait(20)


@every_kind
def test_an_event_that_was_begun_is_sent_whole_before_its_stream_ends(dev_issuer: DevIssuer, kind: Any) -> None:
    half, rest = EVENT[:20], EVENT[20:]
    with serving(dev_issuer, kind) as server:
        with server.open(dev_issuer.mint(server.auth.resource)) as stream:
            stream.sender.send(EVENT, half)
            assert stream.read(len(EVENT) + len(half)) == EVENT + half
            server.auth.revoke(dev_issuer.issuer, subject="alice")
            stream.sender.send(rest, EVENT)
            assert stream.read() == rest + RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
def test_a_stream_whose_pieces_all_end_within_an_event_ends_behind_the_first_whole_one(
    dev_issuer: DevIssuer, kind: Any
) -> None:
    half, rest = EVENT[:20], EVENT[20:]
    with serving(dev_issuer, kind) as server:
        with server.open(dev_issuer.mint(server.auth.resource)) as stream:
            stream.sender.send(half)
            assert stream.read(len(half)) == half
            server.auth.revoke(dev_issuer.issuer, subject="alice")
            stream.sender.send(rest + EVENT + half)
            assert stream.read() == rest + RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
def test_a_stream_without_an_event_ends_too(dev_issuer: DevIssuer, kind: Any) -> None:
    with serving(dev_issuer, kind) as server:
        with server.open(dev_issuer.mint(server.auth.resource)) as stream:
            # Its head is there.
            assert stream.read(0) == ""
            server.auth.revoke(dev_issuer.issuer, subject="alice")
            assert stream.read() == RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
def test_an_answer_to_a_post_of_which_nothing_was_sent_is_refused_when_its_caller_is_revoked(
    dev_issuer: DevIssuer, kind: Any
) -> None:
    with serving(dev_issuer, kind) as server:
        with server.open(dev_issuer.mint(server.auth.resource), "POST") as stream:
            server.auth.revoke(dev_issuer.issuer, subject="alice")
            assert stream.status() == 401
            assert stream.sender.has_ended.wait(20)


def test_an_answer_to_a_post_of_which_nothing_was_sent_is_refused_when_its_token_has_expired(
    dev_issuer: DevIssuer,
) -> None:
    with ExitStack() as stack:
        opened: list[Stream] = []
        for kind in KINDS:
            server = stack.enter_context(serving(dev_issuer, kind))
            token = dev_issuer.mint(server.auth.resource, expires_in=3)
            opened.append(stack.enter_context(server.open(token, "POST")))
        for stream in opened:
            assert stream.status() == 401
            assert stream.sender.has_ended.wait(20)


def test_the_issuer_is_asked_again_about_a_token_that_it_told_of_while_a_stream_is_open(dev_issuer: DevIssuer) -> None:
    introspection = {"client_id": "dev", "client_secret": "dev", "also_jwts": True, "cache_max_age": 0}
    with ExitStack() as stack:
        opened: list[Stream] = []
        for kind in KINDS:
            server = stack.enter_context(serving(dev_issuer, kind, introspection))
            for method, opaque in (("GET", True), ("GET", False), ("POST", True), ("POST", False)):
                token = dev_issuer.mint(server.auth.resource, opaque=opaque)
                opened.append(stack.enter_context(server.open(token, method)))
                opened[-1].sender.send(EVENT)
                assert opened[-1].read(len(EVENT)) == EVENT
                dev_issuer.revoke(token)
        for stream in opened:
            assert stream.read() == RETRY
            assert stream.sender.has_ended.wait(20)


@every_kind
@every_method
def test_a_stream_that_ends_by_itself_ends_as_it_would_alone_and_leaves_nothing(
    dev_issuer: DevIssuer, kind: Any, method: str
) -> None:
    with serving(dev_issuer, kind) as server:
        for _ in range(3):
            with server.open(dev_issuer.mint(server.auth.resource), method) as stream:
                stream.sender.send(EVENT, EVENT, None)
                assert stream.read() == EVENT + EVENT
                assert stream.sender.has_ended.wait(20)
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, (_streams.Stream, _streams.Exchange))]


@every_kind
def test_a_client_that_goes_ends_the_app_as_it_would_alone(dev_issuer: DevIssuer, kind: Any) -> None:
    with serving(dev_issuer, kind) as server:
        with server.open(dev_issuer.mint(server.auth.resource)) as stream:
            stream.sender.send(EVENT)
            assert stream.read(len(EVENT)) == EVENT
        if kind is deaf:
            # Nobody tells it: it ends when its stream does.
            server.auth.revoke(dev_issuer.issuer, subject="alice")
        assert stream.sender.has_ended.wait(20)


@every_method
def test_streams_end_behind_the_middleware_of_the_original(dev_issuer: DevIssuer, method: str) -> None:
    """Of which tokens expire; it has no way to revoke them."""
    for kind in ("add_middleware", "dispatch"):
        senders: queue.Queue[Sender] = queue.Queue()

        async def endpoint(_: Request) -> StreamingResponse:
            sender = Sender()
            senders.put(sender)
            sender.send(EVENT)

            async def pieces() -> AsyncIterator[bytes]:
                try:
                    async for piece in sender.given():
                        yield piece
                finally:
                    sender.has_ended.set()

            return StreamingResponse(pieces(), media_type="text/event-stream")

        app = Starlette(routes=[Route("/mcp", endpoint, methods=["GET", "POST"])])
        with listening() as (listener, origin):
            resource = f"{origin}/mcp"
            auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer, AuthServerType.OAUTH))
            bearer: Any = auth.bearer_auth_middleware("jwt", resource=resource, leeway=0)
            if kind == "dispatch":
                app.add_middleware(BaseHTTPMiddleware, dispatch=bearer)
            else:
                app.add_middleware(bearer)
            with served(app, listener):
                token = dev_issuer.mint(resource, expires_in=3)
                headers = {"authorization": f"Bearer {token}"}
                message = LISTEN if method == "POST" else None
                answer = httpx2.request(method, resource, json=message, headers=headers, trust_env=False, timeout=20)
                assert (answer.status_code, answer.text) == (200, EVENT + RETRY), kind
                assert senders.get(timeout=20).has_ended.wait(20)


@pytest.mark.parametrize("make", [official, fastmcp], ids=lambda make: make.__name__)
def test_a_session_whose_stream_has_ended_goes_on_with_a_renewed_token(dev_issuer: DevIssuer, make: Any) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(auth.protect(make()), listener):
            token = dev_issuer.mint(auth.resource)
            session = Caller(auth.resource, token).open()

            def opened(token: str) -> Any:
                headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream", "mcp-session-id": session}
                return httpx2.stream("GET", auth.resource, headers=headers, trust_env=False, timeout=20)

            with opened(token) as stream:
                assert stream.status_code == 200
                auth.revoke(dev_issuer.issuer, subject="alice")
                assert stream.read().decode().endswith(RETRY)
            later = int(datetime.now(timezone.utc).timestamp()) + 5
            renewed = dev_issuer.mint(auth.resource, claims={"iat": later})
            assert Caller(auth.resource, renewed).send("POST", LIST, session).status_code == 200
            with opened(renewed) as again:
                # The server has let go of the first.
                assert again.status_code == 200


async def test_a_client_of_the_sdk_connects_again_and_its_session_goes_on(dev_issuer: DevIssuer) -> None:
    token = ""
    streams: asyncio.Queue[str] = asyncio.Queue()

    class Renewed(httpx2.Auth):
        def auth_flow(self, request: Any) -> Any:
            request.headers["authorization"] = f"Bearer {token}"
            answer = yield request
            if request.method == "GET" and answer.status_code == 200:
                streams.put_nowait(token)

    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(auth.protect(official()), listener):
            token = first = dev_issuer.mint(auth.resource)
            async with (
                httpx2.AsyncClient(auth=Renewed(), trust_env=False) as http,
                streamable_http_client(auth.resource, http_client=http) as (read, write),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                assert await asyncio.wait_for(streams.get(), 20) == first
                before = await session.call_tool("whose", {})
                later = int(datetime.now(timezone.utc).timestamp()) + 5
                token = renewed = dev_issuer.mint(auth.resource, claims={"iat": later})
                auth.revoke(dev_issuer.issuer, subject="alice")
                assert await asyncio.wait_for(streams.get(), 20) == renewed
                # The same session, as the server names it.
                assert await session.call_tool("whose", {}) == before


async def test_an_app_is_told_by_any_server_and_a_response_that_is_no_stream_has_nothing_of_it(
    dev_issuer: DevIssuer,
) -> None:
    """Of servers, only what ASGI promises is used."""
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    own = [(b"host", b"localhost"), (b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": own, "query_string": b""}
    never = asyncio.Event()
    requests = [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Any] = []
    told: list[Any] = []

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await never.wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({**START, "headers": [*START["headers"], (b"content-length", b"1000")]})
        asyncio.get_running_loop().call_soon(lambda: auth.revoke(dev_issuer.issuer, subject="alice"))
        told.append(await receive())
        told.append(await receive())
        await send({"type": "http.response.body", "body": b"data: too late\n\n"})

    await asyncio.wait_for(auth.protect(app)(scope, receive, send), 20)
    assert told == [{"type": "http.disconnect"}] * 2
    assert sent == [START, {"type": "http.response.body", "body": RETRY.encode(), "more_body": False}]


async def test_a_server_that_ends_cancels_the_app_of_a_stream_as_it_would_alone(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    own = [(b"host", b"localhost"), (b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": own, "query_string": b""}
    for is_waiting_for_client in (True, False):
        begun, never = asyncio.Event(), asyncio.Event()
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if requests:
                return requests.pop()
            await never.wait()

        async def send(message: Any) -> None:
            pass

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send(START)
            begun.set()
            await (receive() if is_waiting_for_client else never.wait())

        task = asyncio.create_task(auth.protect(app)(scope, receive, send))
        await asyncio.wait_for(begun.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
