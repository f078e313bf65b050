"""A session belongs to its caller behind `protect`, whatever server is behind and whether or not that looks whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastmcp import FastMCP
from mcp import ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_auth import AuthServerType, MCPAuth, McpAuth, fetch_server_config
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, listening, served
from test_sessions import LIST, Caller

KEYS = [f"{age}-0123456789-0123456789-0123456789" for age in ("new", "old")]
#: An identifier of any server's with its tag.
SEALED = re.compile(r"[!-~]+\.[A-Za-z0-9_-]{22}")


class Plain:
    """A server that keeps sessions, and asks nobody whose they are."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.seen: list[str | None] = []
        self.app = Starlette(routes=[Route("/mcp", self.answer, methods=["GET", "POST", "DELETE"])])

    async def answer(self, request: Request) -> Response:
        named = request.headers.get("mcp-session-id")
        self.seen.append(named)
        if named is None:
            named = uuid4().hex
            self.sessions.add(named)
        if named not in self.sessions:
            return Response(status_code=404)
        if request.method == "DELETE":
            self.sessions.remove(named)
        return JSONResponse({"session": named}, headers={"mcp-session-id": named})


def plain() -> Any:
    return Plain().app


def official() -> Any:
    mcp = MCPServer("sessions")

    @mcp.tool()
    def whose(context: Context[Any, Any]) -> str:
        request = context.request_context.request
        return f"{request.user.access_token.subject} in {request.headers['mcp-session-id']}"

    return mcp.streamable_http_app()


def fastmcp() -> Any:
    return FastMCP("sessions").http_app(path="/mcp")


every_server = pytest.mark.parametrize("make", [plain, official, fastmcp], ids=lambda make: make.__name__)


@contextmanager
def serving(app: Any, dev_issuer: DevIssuer, **settings: Any) -> Generator[McpAuth]:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer], **settings)
        with served(auth.protect(app), listener):
            yield auth


def statuses(someone: Caller, session: str) -> list[int]:
    """What the three methods answer, the one that ends the session last."""
    sent = (("GET", None), ("POST", LIST), ("DELETE", None))
    return [someone.send(method, message, session).status_code for method, message in sent]


@every_server
def test_a_session_is_of_whoever_began_it(dev_issuer: DevIssuer, make: Callable[[], Any]) -> None:
    with serving(make(), dev_issuer) as auth:

        def caller(**options: Any) -> Caller:
            return Caller(auth.resource, dev_issuer.mint(auth.resource, **options))

        alice = caller(subject="alice", client_id="app")
        session = alice.open()
        assert SEALED.fullmatch(session), session
        raw, tag = session.rsplit(".", 1)
        of_bob = caller(subject="bob", client_id="app").open()
        strangers = {
            "bob": caller(subject="bob", client_id="app"),
            "alice in another client": caller(subject="alice", client_id="other"),
            "a machine": caller(client_id="app", without=["sub"]),
            "nobody": caller(without=["sub", "client_id"]),
        }
        for name, stranger in strangers.items():
            assert statuses(stranger, session) == [404, 404, 404], name
        forged = [raw, f"{raw}.", f"{raw}.{'A' * 22}", session[:-1], f"{session}A", f"{session}.{tag}", f".{tag}", "x"]
        forged += [f"{raw}.{of_bob.rsplit('.', 1)[1]}", f"{of_bob.rsplit('.', 1)[0]}.{tag}", session.swapcase()]
        for one in forged:
            assert statuses(alice, one) == [404, 404, 404], one
        renewed = caller(subject="alice", client_id="app", claims={"jti": "2"}, scope="more")
        for same in (alice, renewed):
            answer = same.send("POST", LIST, session)
            assert answer.status_code == 200
            assert answer.headers.get("mcp-session-id", session) == session
        assert statuses(renewed, session) == [200, 200, 200]
        assert alice.send("POST", LIST, session).status_code == 404


def test_the_sdk_binds_sessions_as_before_beneath_it(dev_issuer: DevIssuer) -> None:
    """With the tags switched off, its own check is all that is left."""
    for make, expected in ((official, 404), (fastmcp, 404), (plain, 200)):
        with serving(make(), dev_issuer, dangerous_unbound_sessions=True) as auth:
            alice, bob = (Caller(auth.resource, dev_issuer.mint(auth.resource, subject=one)) for one in ("alice", "bob"))
            session = alice.open()
            assert not SEALED.fullmatch(session)
            assert statuses(bob, session) == [expected] * 3, make


def test_every_instance_with_the_same_keys_knows_the_sessions_of_the_others(
    dev_issuer: DevIssuer, tmp_path: Path
) -> None:
    server = Plain()
    file = tmp_path / "keys"
    file.write_text("\n".join(KEYS))
    rings: dict[str, dict[str, Any]] = {
        "both": {"handle_keys": KEYS},
        "file": {"handle_keys_file": file},
        "old": {"handle_keys": KEYS[1:]},
        "own": {},
    }
    opens = {
        "both": {"both", "file"},
        "file": {"both", "file"},
        "old": {"both", "file", "old"},
        "own": {"own"},
    }
    with listening() as (first, one), listening() as (second, two):
        for sealing, ring in rings.items():
            for opening, other in rings.items():
                if sealing == opening:
                    continue
                # One server behind two instances, with one name.
                instances = [McpAuth(f"{one}/mcp", [dev_issuer.issuer], **keys) for keys in (ring, other)]
                token = dev_issuer.mint(f"{one}/mcp")
                begin, go_on = (instance.protect(server.app) for instance in instances)
                with served(begin, first.dup()), served(go_on, second.dup()):
                    session = Caller(f"{one}/mcp", token).open()
                    answer = Caller(f"{two}/mcp", token).send("POST", LIST, session)
                assert (answer.status_code == 200) == (opening in opens[sealing]), (sealing, opening)


class Swapped:
    """An app that may be replaced by another, as by a restart."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def test_a_client_of_the_sdk_works_through_a_session_and_begins_another_after_a_404(dev_issuer: DevIssuer) -> None:
    server = official()
    sent: list[tuple[str, str | None]] = []
    with listening() as (listener, origin):
        instances = [McpAuth(f"{origin}/mcp", [dev_issuer.issuer]) for _ in range(2)]
        swapped = Swapped(instances[0].protect(server))
        resource = instances[0].resource

        async def note(request: Any) -> None:
            sent.append((request.method, request.headers.get("mcp-session-id")))

        headers = {"authorization": f"Bearer {dev_issuer.mint(resource, subject='alice')}"}
        hooks = {"request": [note]}

        async def use(and_then: Callable[[ClientSession], Any] | None = None) -> None:
            async with (
                httpx2.AsyncClient(headers=headers, trust_env=False, event_hooks=hooks) as http,
                streamable_http_client(resource, http_client=http) as (read, write),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                for _ in range(2):
                    result: Any = await session.call_tool("whose", {})
                    [content] = result.content
                    named = next(one for _, one in sent if one is not None)
                    # The server sees the identifier that it gave.
                    assert content.text == f"alice in {named.rsplit('.', 1)[0]}"
                if and_then is not None:
                    await and_then(session)

        async def restart(session: ClientSession) -> None:
            swapped.app = instances[1].protect(server)
            with pytest.raises(MCPError):
                await session.call_tool("whose", {})

        with served(swapped, listener):
            await use()
            methods = {method for method, _ in sent}
            assert methods == {"GET", "POST", "DELETE"}, sent
            sessions = {one for _, one in sent if one is not None}
            assert len(sessions) == 1 and all(SEALED.fullmatch(one) for one in sessions)
            sent.clear()
            await use(restart)
            sent.clear()
            await use()
            assert {one for _, one in sent if one is not None}.isdisjoint(sessions)


async def exchange(
    app: Any, scope_headers: list[tuple[bytes, bytes]], method: str = "POST", body: bytes = b""
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One request as ASGI has it, and all headers of the answer."""
    scope = {"type": "http", "method": method, "path": "/mcp", "headers": scope_headers, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], list(sent[0].get("headers", ())), b"".join(one.get("body", b"") for one in sent[1:])


class Scripted:
    """An app that answers with these headers, and remembers those of the request."""

    def __init__(self, headers: Any, body: bytes = b"{}") -> None:
        self.headers, self.body = headers, body
        self.seen: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(list(scope["headers"]))
        headers = self.headers() if callable(self.headers) else self.headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


JSON = (b"content-type", b"application/json")
POLICY = {"tools": {"a": ["mcp"]}}
ORIGIN = "https://app.example"
#: What else a request is asked for, by what is done with its response.
KINDS: dict[str, tuple[str, dict[str, Any], list[tuple[bytes, bytes]]]] = {
    "get": ("GET", {}, []),
    "post": ("POST", {}, []),
    "delete": ("DELETE", {}, []),
    "of a page": ("POST", {"allowed_origins": [ORIGIN]}, [(b"origin", ORIGIN.encode())]),
    "get of a page": ("GET", {"allowed_origins": [ORIGIN]}, [(b"origin", ORIGIN.encode())]),
    "with a policy": ("POST", {"policy": POLICY}, []),
    "stream with a policy": ("GET", {"policy": POLICY}, []),
}
PING = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_is_done_with_a_response_its_session_is_sealed(dev_issuer: DevIssuer, kind: str) -> None:
    method, settings, more = KINDS[kind]
    length = (b"content-length", b"2")
    server = Scripted(lambda: iter([JSON, (b"MCP-Session-ID", b"8f3c"), (b"x-a", b"1"), length, (b"x-a", b"2")]))
    app = McpAuth(RESOURCE, [dev_issuer.issuer], **settings).protect(server)
    own = [(b"host", b"localhost"), (b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode()), *more]
    own += [(b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream")]
    first, last = (b"x-first", b"1"), (b"x-last", b"1")
    body = PING if method == "POST" else b""

    status, headers, content = await exchange(app, [first, *own, last], method, body)
    assert (status, content) == (200, b"{}")
    sealed = [value for name, value in headers if name.lower() == b"mcp-session-id"]
    assert len(sealed) == 1 and SEALED.fullmatch(sealed[0].decode()) and sealed[0].startswith(b"8f3c.")
    assert [value for name, value in headers if name == b"x-a"] == [b"1", b"2"]
    assert b"mcp-session-id" not in dict(server.seen[0])

    status, _, _ = await exchange(app, [first, (b"Mcp-Session-Id", sealed[0]), *own, last], method, body)
    assert status == 200
    seen = server.seen[1]
    # At the same place, and nothing else is added.
    assert seen[:2] == [first, (b"Mcp-Session-Id", b"8f3c")] and seen[-1] == last
    assert not any(sealed[0] in value for _, value in seen)
    for refused in ([b"8f3c"], [sealed[0], sealed[0]], [sealed[0], b"8f3c"], [b"8f3c", sealed[0]], [b""], [b"\xff"]):
        named = [(b"mcp-session-id", one) for one in refused]
        status, _, _ = await exchange(app, [first, *named, *own], method, body)
        assert status == 404, refused
    assert len(server.seen) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_identifiers_that_cannot_be_sealed_are_withheld_and_several_are_sealed_each(
    dev_issuer: DevIssuer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    app_headers = [(b"mcp-session-id", one) for one in (b"a", b"\xff", b"b")]
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(Scripted(app_headers))
    own = [(b"host", b"localhost"), (b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    _, headers, _ = await exchange(app, own, method, PING)
    assert [(name, value[:2]) for name, value in headers] == [(b"mcp-session-id", b"a."), (b"mcp-session-id", b"b.")]
    assert "the identifier of a session is withheld" in caplog.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_response_without_a_session_goes_on_as_it_is(dev_issuer: DevIssuer, method: str) -> None:
    answered = [JSON, (b"X-Mcp-Session-Id", b"no")]
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": PING, "more_body": False}

    own = [(b"host", b"localhost"), (b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    scope = {"type": "http", "method": method, "path": "/mcp", "headers": own, "query_string": b""}
    await McpAuth(RESOURCE, [dev_issuer.issuer]).protect(Scripted(answered))(scope, receive, send)
    # The very list: nothing is copied.
    assert messages[0]["headers"] is answered


async def test_a_session_that_began_without_a_token_ends_when_one_is_used(dev_issuer: DevIssuer) -> None:
    server = Scripted([JSON, (b"mcp-session-id", b"8f3c")])
    public = {"access": "public"}
    policy = {"methods": {"initialize": public, "tools/list": public}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    message = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
    tokens = {None: None, "alice": dev_issuer.mint(RESOURCE), "bob": dev_issuer.mint(RESOURCE, subject="bob")}
    base = {"content-type": "application/json"}
    for name, token in tokens.items():
        session = (await call(app, headers=base, body=message, token=token)).headers["mcp-session-id"]
        for other, another in tokens.items():
            answer = await call(app, headers={**base, "mcp-session-id": session}, body=PING, token=another)
            assert answer.status == (200 if name == other else 404), (name, other)


@pytest.mark.parametrize("kind", ["add_middleware", "dispatch"])
def test_the_middleware_of_the_original_binds_sessions_too(dev_issuer: DevIssuer, kind: str) -> None:
    app = Plain().app
    with listening() as (listener, origin):
        resource = f"{origin}/mcp"
        auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer, AuthServerType.OAUTH))
        bearer: Any = auth.bearer_auth_middleware("jwt", resource=resource)
        if kind == "dispatch":
            app.add_middleware(BaseHTTPMiddleware, dispatch=bearer)
        else:
            app.add_middleware(bearer)
        with served(app, listener):
            alice, bob = (Caller(resource, dev_issuer.mint(resource, subject=one)) for one in ("alice", "bob"))
            session = alice.open()
            assert SEALED.fullmatch(session)
            assert statuses(bob, session) == [404, 404, 404]
            assert statuses(alice, session.rsplit(".", 1)[0]) == [404, 404, 404]
            assert statuses(alice, session) == [200, 200, 200]
