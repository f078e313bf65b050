"""Two advisories about the official SDK, which are there in the version that is installed here, and are gone behind `protect`.

CVE-2026-52869: whoever names a session uses it. CVE-2026-52870: whoever names a task gets it, its result included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.experimental.task_context import ServerTaskContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import CallToolResult, CreateTaskResult, TextContent, Tool
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route
from starlette.testclient import TestClient

from mcp_auth import McpAuth, settings
from mcp_auth.testing import DevIssuer

RESOURCE = "http://localhost/mcp"
SECRET = "what only Alice may read"
WORK = Tool(name="work", description="works for a while", inputSchema={"type": "object"})


class Tokens:
    """Verifies tokens for the SDK's own middleware: each is the name of its user."""

    async def verify_token(self, token: str) -> AccessToken | None:
        if token not in ("alice", "bob"):
            return None
        return AccessToken(token=token, client_id=token, scopes=[])


def make_server(middleware: list[Middleware], around: Callable[[Any], Any]) -> Starlette:
    """A server of the SDK, with sessions and tasks as it has them by default."""
    server: Server[Any, Any] = Server("advisories")
    server.experimental.enable_tasks()
    manager = StreamableHTTPSessionManager(server, json_response=True)

    @server.list_tools()
    async def list_tools() -> list[Tool]:
        return [WORK]

    @server.call_tool()
    async def call_tool(name: str, arguments: dict[str, Any]) -> CreateTaskResult:
        async def work(task: ServerTaskContext) -> CallToolResult:
            return CallToolResult(content=[TextContent(type="text", text=SECRET)])

        return await server.request_context.experimental.run_task(work)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with manager.run():
            yield

    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await manager.handle_request(scope, receive, send)

    return Starlette(routes=[Route("/mcp", around(Endpoint()))], middleware=middleware, lifespan=lifespan)


class User:
    """One who speaks MCP."""

    def __init__(self, http: TestClient, token: str) -> None:
        self._http, self._token = http, token
        self.session: str | None = None

    def send(self, method: str, params: dict[str, Any], session: str | None = None) -> Any:
        headers = {"authorization": f"Bearer {self._token}", "accept": "application/json, text/event-stream"}
        headers["mcp-protocol-version"] = "2025-11-25"
        if session or self.session:
            headers["mcp-session-id"] = session or self.session or ""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self._http.post("/mcp", json=message, headers=headers)

    def begin(self) -> User:
        capabilities = {"tasks": {"list": {}, "cancel": {}}}
        client = {"name": "a", "version": "1"}
        answer = self.send(
            "initialize", {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client}
        )
        assert answer.status_code == 200, answer.text
        self.session = answer.headers["mcp-session-id"]
        headers = {"authorization": f"Bearer {self._token}", "accept": "application/json, text/event-stream"}
        self._http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "method": "notifications/initialized"},
            headers={**headers, "mcp-session-id": self.session},
        )
        return self

    def begin_task(self) -> str:
        answer = self.send("tools/call", {"name": "work", "arguments": {}, "task": {"ttl": 60_000}})
        assert answer.status_code == 200, answer.text
        task: str = answer.json()["result"]["task"]["taskId"]
        return task

    def reads(self, task: str) -> bool:
        """Whether the task and its result are shown."""
        shown = self.send("tasks/get", {"taskId": task})
        result = self.send("tasks/result", {"taskId": task})
        answers = ["result" in _message(answer) for answer in (shown, result)]
        assert answers[0] == answers[1]
        assert (SECRET in result.text) == answers[0]
        return answers[0]


def _message(answer: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(answer.text)
    return message


@contextmanager
def bare() -> Generator[tuple[User, User]]:
    """The server with the SDK's own middleware, as its documentation has it."""
    own = [
        Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(Tokens())),
        Middleware(AuthContextMiddleware),
    ]
    app = make_server(own, lambda endpoint: RequireAuthMiddleware(endpoint, required_scopes=[]))
    with TestClient(app, base_url="http://localhost") as http:
        assert User(http, "mallory").send("ping", {}).status_code == 401
        yield User(http, "alice").begin(), User(http, "bob").begin()


@contextmanager
def behind(dev_issuer: DevIssuer, **options: Any) -> Generator[tuple[User, User]]:
    """The same server behind `protect`."""
    auth = McpAuth(RESOURCE, [dev_issuer.issuer], **options)
    with TestClient(auth.protect(make_server([], lambda endpoint: endpoint)), base_url="http://localhost") as http:
        alice, bob = (User(http, dev_issuer.mint(RESOURCE, subject=name)) for name in ("alice", "bob"))
        yield alice.begin(), bob.begin()


def test_bare_the_session_of_somebody_else_is_anybodys() -> None:
    with bare() as (alice, bob):
        assert bob.send("tools/list", {}, alice.session).status_code == 200


def test_behind_protect_the_session_of_somebody_else_is_unknown(dev_issuer: DevIssuer) -> None:
    with behind(dev_issuer) as (alice, bob):
        assert bob.send("tools/list", {}, alice.session).status_code == 404
        assert bob.send("tools/list", {}, "made-up").status_code == 404
        assert alice.send("tools/list", {}).status_code == 200


def test_bare_the_task_of_somebody_else_is_anybodys() -> None:
    with bare() as (alice, bob):
        assert bob.reads(alice.begin_task())


def test_behind_a_policy_the_task_of_somebody_else_is_not_shown(dev_issuer: DevIssuer) -> None:
    """Whoever began a task is remembered then, in this process."""
    with behind(dev_issuer, policy={"tools": {"work": []}}) as (alice, bob):
        task = alice.begin_task()
        assert not bob.reads(task)
        assert alice.reads(task)


HAS_SEALED_TASKS = any("seal_task_ids" in vars(one).get("__annotations__", {}) for one in vars(settings).values() if isinstance(one, type))


@pytest.mark.skipif(not HAS_SEALED_TASKS, reason="there is no such setting")
def test_a_task_whose_identifier_is_sealed_is_not_shown_to_somebody_else(dev_issuer: DevIssuer) -> None:
    """Without a memory, so that it holds for many instances."""
    with behind(dev_issuer, seal_task_ids=True) as (alice, bob):
        task = alice.begin_task()
        assert not bob.reads(task)
        assert alice.reads(task)
