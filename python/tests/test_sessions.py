"""A session belongs to its caller: the check of the official SDK, for servers behind `protect`, below ours and alone."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import Context, MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_auth import McpAuth, _sdk
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, listening, served


def official() -> Any:
    return MCPServer("sessions").streamable_http_app()


def fastmcp() -> Any:
    return FastMCP("sessions").http_app(path="/mcp")


class Caller:
    """One who speaks MCP over HTTP."""

    def __init__(self, resource: str, token: str) -> None:
        self._resource, self._token = resource, token
        self.session: str | None = None

    def send(self, method: str, message: dict[str, Any] | None = None, session: str | None = None) -> httpx2.Response:
        headers = {
            "authorization": f"Bearer {self._token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-06-18",
        }
        if session is not None:
            headers["mcp-session-id"] = session
        with httpx2.stream(
            method, self._resource, json=message, headers=headers, trust_env=False, timeout=20
        ) as answer:
            # A stream that was opened goes on for ever: its status says enough.
            if method != "GET":
                answer.read()
            return answer

    def open(self) -> str:
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
        answer = self.send("POST", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        assert answer.status_code == 200, answer.text
        return answer.headers["mcp-session-id"]


LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


#: Without tags, what the SDK compares is all that is left.
both_ways = pytest.mark.parametrize("is_unbound", [False, True])


@both_ways
@pytest.mark.parametrize("make", [official, fastmcp], ids=lambda make: make.__name__)
def test_nobody_uses_the_session_of_somebody_else(
    dev_issuer: DevIssuer, make: Callable[[], Any], is_unbound: bool
) -> None:
    with listening() as (listener, origin), served_by(dev_issuer, make, origin, listener, is_unbound) as auth:

        def caller(**options: Any) -> Caller:
            return Caller(auth.resource, dev_issuer.mint(auth.resource, **options))

        alice = caller(subject="alice", client_id="app")
        session = alice.open()
        others = {
            "bob": caller(subject="bob", client_id="app"),
            "alice in another client": caller(subject="alice", client_id="other"),
            "a machine": caller(client_id="app", without=["sub"]),
            "nobody": caller(without=["sub", "client_id"]),
        }
        for name, other in others.items():
            assert other.send("GET", session=session).status_code == 404, name
            assert other.send("POST", LIST, session).status_code == 404, name
            assert other.send("DELETE", session=session).status_code == 404, name
        # Another token of hers, as after a refresh.
        again = caller(subject="alice", client_id="app", claims={"jti": "2"}, scope="more")
        for same in (alice, again):
            assert same.send("POST", LIST, session).status_code == 200
            assert same.send("GET", session=session).status_code == 200
        assert again.send("DELETE", session=session).status_code == 200
        assert alice.send("POST", LIST, session).status_code == 404


def served_by(
    dev_issuer: DevIssuer, make: Callable[[], Any], origin: str, listener: Any, is_unbound: bool
) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def serving() -> Any:
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer], dangerous_unbound_sessions=is_unbound)
        with served(auth.protect(make()), listener):
            yield auth

    return serving()


@both_ways
def test_callers_of_two_verify_functions_are_not_mixed_up(is_unbound: bool) -> None:
    """The same names from two issuers."""
    verifiers = {f"{one}_": (lambda token, one=one: {"iss": one, "sub": "alice", "client_id": "app"}) for one in "ab"}
    with listening() as (listener, origin):
        auth = McpAuth(
            f"{origin}/mcp",
            ["https://auth.example.com"],
            token_verifiers=verifiers,
            dangerous_unbound_sessions=is_unbound,
        )
        with served(auth.protect(official()), listener):
            session = Caller(auth.resource, "a_1").open()
            for method, message in (("GET", None), ("POST", LIST), ("DELETE", None)):
                assert Caller(auth.resource, "b_1").send(method, message, session).status_code == 404
            assert Caller(auth.resource, "a_2").send("POST", LIST, session).status_code == 200


def walk(value: Any, token: bytes, path: str, seen: set[int], depth: int = 0) -> list[str]:
    """Where the token is, among what can be reached without a name that begins with `_`."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return [path] if token in bytes(value) else []
    if value is None or isinstance(value, (int, float, type)) or id(value) in seen or depth > 12:
        return []
    seen.add(id(value))
    keep.append(value)
    below: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        for key, one in list(value.items()):
            below += [(f"{path}.{key!r}.key", key), (f"{path}[{key!r}]", one)]
    elif isinstance(value, (list, tuple, set, frozenset)):
        below += [(f"{path}[{number}]", one) for number, one in enumerate(value)]
    elif hasattr(value, "__func__") or callable(value):
        # Private to server and framework: `receive` is a method of the connection.
        return []
    for name in dir(value):
        # Its name says what it is.
        if name.startswith("_") or name == "dangerous_raw_token":
            continue
        try:
            below.append((f"{path}.{name}", getattr(value, name)))
        except Exception:
            continue
    return [found for name, one in below for found in walk(one, token, name, seen, depth + 1)]


#: So that no two objects have one identity.
keep: list[Any] = []


def found_in(value: Any, token: str) -> list[str]:
    keep.clear()
    signature = token.rsplit(".", 1)[1]
    found = [walk(value, part.encode(), "it", set()) for part in (token, signature)]
    keep.clear()
    return [path for paths in found for path in paths]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["starlette", "official", "fastmcp"])
def test_no_handler_finds_the_token(dev_issuer: DevIssuer, kind: str) -> None:
    tokens: list[str] = []
    found: list[list[str]] = []

    def look(*values: Any) -> str:
        found.append([path for value in values for path in found_in(value, tokens[0])])
        # The walk finds what is there.
        assert found_in({"a": [Request({"type": "http", "headers": [(b"a", tokens[0].encode())]})]}, tokens[0])
        return "looked"

    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        tokens.append(dev_issuer.mint(auth.resource))
        if kind == "starlette":

            async def endpoint(request: Request) -> JSONResponse:
                await request.body()
                return JSONResponse(look(request, request.scope, request.user, request.auth, request.headers))

            app: Any = Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])])
        elif kind == "official":
            mcp = MCPServer("walk")

            @mcp.tool(name="look")
            def official_tool(context: Context[Any, Any]) -> str:
                request = context.request_context.request
                assert request.user.access_token.subject == "alice"
                return look(context, context.request_context, request, request.scope, request.user)

            app = mcp.streamable_http_app(stateless_http=True)
        else:
            from fastmcp.server.dependencies import get_access_token, get_context, get_http_headers, get_http_request

            fast = FastMCP("walk")

            @fast.tool(name="look")
            def fast_tool() -> str:
                token, request = get_access_token(), get_http_request()
                assert token is not None and token.subject == "alice"
                headers = get_http_headers(include_all=True)
                return look(token, request, request.scope, headers, get_context())

            app = fast.http_app(path="/mcp", stateless_http=True)
        with served(auth.protect(app), listener):
            params = {"name": "look", "arguments": {}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = Caller(auth.resource, tokens[0]).send("POST", message)
            assert answer.status_code == 200 and "looked" in answer.text, answer.text
    assert found == [[]]


async def test_the_caller_is_named_in_the_terms_of_the_sdk(dev_issuer: DevIssuer) -> None:
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context

    seen: list[Any] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope.get("user"), scope.get("auth")))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(server)
    tokens = [dev_issuer.mint(RESOURCE, subject=one, client_id="app", scope="a b") for one in ("alice", "bob", "alice")]
    for token in tokens:
        assert (await call(app, token=token)).status == 200
    users = [user for user, _ in seen]
    assert all(isinstance(user, AuthenticatedUser) for user in users)
    alice, bob, again = map(authorization_context, users)
    assert alice == again != bob
    assert alice == {"client_id": "app", "issuer": dev_issuer.issuer, "subject": "alice"}
    texts = [user.access_token.token for user in users]
    assert texts[0] == texts[2] != texts[1] and json.loads(texts[0])[2] == "alice"
    assert (await call(app, token=texts[0])).status in (400, 401)
    assert seen[0][1].scopes == ["a", "b"]


def test_without_the_sdk_nothing_of_it_is_imported() -> None:
    code = (
        "import sys; import mcp_auth;"
        "print([name for name in sys.modules if name.split('.')[0] in ('mcp', 'starlette', 'pydantic', 'fastmcp')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_a_caller_in_the_terms_of_the_sdk_is_made_when_somebody_asks(
    dev_issuer: DevIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

    made: list[str | None] = []
    users: list[Any] = []
    make = _sdk.access_token

    def make_and_count(base: Any, caller: Any) -> Any:
        made.append(caller.subject)
        return make(base, caller)

    async def server(scope: Any, receive: Any, send: Any) -> None:
        users.append(scope["user"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    monkeypatch.setattr(_sdk, "access_token", make_and_count)
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(server)
    token = dev_issuer.mint(RESOURCE, subject="alice", client_id="app", scope="mcp")
    assert (await call(app, token=token)).status == 200
    [user] = users
    assert isinstance(user, AuthenticatedUser) and not made
    assert (user.display_name, user.scopes, user.access_token.subject) == ("app", ["mcp"], "alice")
    assert user.is_authenticated and made == ["alice"]
    assert copy.copy(user).access_token is user.access_token
    with pytest.raises(AttributeError, match="nothing"):
        _ = user.nothing
