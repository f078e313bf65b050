"""Tasks and states are of the caller who got them, whatever server is behind and whether or not that looks whose they are."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx2
from mcp import ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    TextContent,
    Tool,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from mcp_auth import McpAuth
from mcp_auth.testing import DevIssuer
from support import listening, served


@contextmanager
def serving(app: Any, dev_issuer: DevIssuer, **settings: Any) -> Generator[McpAuth]:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer], **settings)
        with served(auth.protect(app), listener):
            yield auth


class Tasks:
    """A server that keeps one task, and asks nobody whose it is."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.app = Starlette(routes=[Route("/mcp", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Any:
        body = await request.body()
        message = json.loads(body)
        self.seen.append(message["params"])
        assert request.headers["content-length"] == str(len(body))
        assert request.headers.get("mcp-name", "t1") == "t1"
        made = message["method"] == "tools/call"
        result = {"task": {"taskId": "t1"}} if made else {"taskId": "t1"}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if "text/event-stream" not in request.headers.get("accept", ""):
            return JSONResponse(answer)
        events = f"id: e1\ndata: {json.dumps(answer)}\n\n".encode()
        return StreamingResponse(iter([events[:9], events[9:]]), media_type="text/event-stream")


def ask(auth: McpAuth, token: str, method: str, params: Any, **headers: str) -> httpx2.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx2.post(auth.resource, json=message, headers={"authorization": f"Bearer {token}", **headers})


def test_a_task_is_of_whoever_made_it(dev_issuer: DevIssuer) -> None:
    server = Tasks()
    with serving(server.app, dev_issuer, seal_task_ids=True, seal_event_ids=True) as auth:
        alice, bob = (dev_issuer.mint(auth.resource, subject=one) for one in ("alice", "bob"))
        made = ask(auth, alice, "tools/call", {"name": "slow"}).json()["result"]["task"]["taskId"]
        assert made.startswith("t1.")
        params = {"taskId": made, "text": "é"}
        answer = ask(auth, alice, "tasks/get", params, **{"mcp-name": made})
        assert answer.json()["result"] == {"taskId": made}
        assert server.seen.pop() == {**params, "taskId": "t1"}
        events = ask(auth, alice, "tasks/get", params, accept="text/event-stream").text
        assert f'"taskId": "{made}"' in events and "id: e1." in events
        server.seen.clear()
        for token, task in ((bob, made), (bob, "t1"), (alice, "t1"), (alice, made[:-1])):
            answer = ask(auth, token, "tasks/get", {"taskId": task})
            assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32602)
        assert server.seen == []


def asking(states: list[str | None]) -> Any:
    """The official server, with a tool that asks for input twice, and keeps its step in the state."""

    async def list_tools(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="order", input_schema={"type": "object"})])

    async def call_tool(_: Any, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        states.append(params.request_state)
        if params.request_state != "step 2":
            return InputRequiredResult(request_state="step 2" if params.request_state == "step 1" else "step 1")
        return CallToolResult(content=[TextContent(text="done")])

    server: Server[Any] = Server("states", on_list_tools=list_tools, on_call_tool=call_tool)
    return server.streamable_http_app()


async def test_a_state_comes_back_from_the_official_client(dev_issuer: DevIssuer) -> None:
    states: list[str | None] = []
    with serving(asking(states), dev_issuer, seal_request_state=True) as auth:

        async def call(subject: str, state: str | None) -> Any:
            headers = {"authorization": f"Bearer {dev_issuer.mint(auth.resource, subject=subject)}"}
            async with (
                httpx2.AsyncClient(headers=headers) as http,
                streamable_http_client(auth.resource, http_client=http) as (read, write, *_),
                ClientSession(read, write) as session,
            ):
                await session.discover()
                try:
                    return await session.call_tool("order", {}, request_state=state, allow_input_required=True)
                except MCPError as refused:
                    return refused.error.code

        first = await call("alice", None)
        assert first.request_state.startswith("step 1.")
        second = await call("alice", first.request_state)
        assert second.request_state.startswith("step 2.")
        done = await call("alice", second.request_state)
        assert done.content[0].text == "done"
        assert states == [None, "step 1", "step 2"]
        for subject, state in (("bob", second.request_state), ("alice", "step 2"), ("alice", second.request_state[:-1])):
            assert await call(subject, state) == -32602
        assert states == [None, "step 1", "step 2"]
