"""More scopes, asked for from inside a tool or declared beside it."""

import asyncio
import json
import logging
import pickle
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastmcp import Context as FastContext
from fastmcp import FastMCP
from fastmcp.tools import Tool as FastTool
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.tools import Tool

from mcp_auth import ConfigError, InsufficientScope, McpAuth, caller, declared, require_scopes, requires
from mcp_auth import _requires
from mcp_auth.testing import DevIssuer
from support import RESOURCE
from test_callers import result, server, signed_in
from test_sessions import LIST


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_requires, "_declared", {})
    monkeypatch.setattr(_requires, "_unchecked", [])


#: That the client has seen the beginning of the response.
HAS_BEGUN = threading.Event()


def tools_of(mcp: Any, context: Any) -> None:
    @mcp.tool()
    @requires("notes:write")
    def write(text: str) -> str:
        return f"wrote {text}"

    @mcp.tool(name="erase")
    @requires("notes:erase", tool="erase")
    async def erase_all() -> str:
        return "erased"

    @mcp.tool()
    @requires()
    async def late(ctx: context) -> str:  # type: ignore[valid-type]
        await ctx.report_progress(1, 2)
        assert await asyncio.to_thread(HAS_BEGUN.wait, 20)
        require_scopes("notes:late")
        return "late"

    @mcp.tool()
    @requires()
    def either() -> str:
        try:
            require_scopes("notes:all")
        except InsufficientScope:
            return "some"
        return "all"

    @mcp.tool()
    @requires()
    def neither() -> str:
        try:
            require_scopes("notes:all")
        except InsufficientScope:
            require_scopes("notes:some")
        return "some"

    @mcp.tool()
    @requires()
    def through() -> str:
        return f"it {write('a')}"

    @mcp.tool()
    def plain() -> str:
        require_scopes("notes:plain")
        return "plain"


def official(auth: McpAuth) -> Any:
    mcp = MCPServer("notes")
    tools_of(mcp, Context)
    return auth.protect(mcp.streamable_http_app())


def fastmcp(auth: McpAuth) -> Any:
    mcp = FastMCP("notes")
    tools_of(mcp, FastContext)
    return auth.protect(mcp.http_app())


every_server = pytest.mark.parametrize("make", [official, fastmcp], ids=lambda make: make.__name__)


def used(someone: Any, name: str, session: str, **arguments: Any) -> Any:
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": "p"}}
    return someone.send("POST", {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}, session)


@every_server
def test_one_declaration_asks_and_lets_through(
    dev_issuer: DevIssuer, make: Callable[[McpAuth], Any], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [("write", "notes:write", {"text": "a"}), ("erase", "notes:erase", {}), ("plain", "notes:plain", {})]
    with server(dev_issuer, make) as auth, caplog.at_level(logging.INFO):
        for name, scope, arguments in rows:
            poor, rich = (signed_in(dev_issuer, auth, "alice", scopes) for scopes in ("mcp", f"mcp {scope}"))
            refused = used(poor, name, poor.open(), **arguments)
            assert refused.status_code == 403, name
            assert f'scope="{scope}"' in refused.headers["www-authenticate"]
            answer = result(used(rich, name, rich.open(), **arguments))
            assert not answer.get("isError"), answer
    assert not [record for record in caplog.records if record.exc_info], "a traceback for what was meant"


@every_server
def test_a_tool_that_catches_the_exception_answers_itself(dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with server(dev_issuer, make) as auth:
        alice = signed_in(dev_issuer, auth, "alice")
        session = alice.open()
        answer = used(alice, "either", session)
        assert "some" in json.dumps(result(answer)) and "www-authenticate" not in answer.headers
        assert used(alice, "neither", session).status_code == 403
        assert "notes:write" in used(alice, "through", session).headers["www-authenticate"]


@every_server
def test_after_output_has_begun_the_error_carries_the_challenge(
    dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]
) -> None:
    with server(dev_issuer, make) as auth:
        alice = signed_in(dev_issuer, auth, "alice")
        HAS_BEGUN.clear()
        headers = {
            "authorization": f"Bearer {alice._token}",
            "accept": "application/json, text/event-stream",
            "mcp-session-id": alice.open(),
        }
        params = {"name": "late", "arguments": {}, "_meta": {"progressToken": "p"}}
        call = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}
        messages = []
        with httpx2.stream("POST", auth.resource, json=call, headers=headers, trust_env=False, timeout=30) as response:
            assert response.status_code == 200
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    messages.append(json.loads(line.removeprefix("data: ")))
                    HAS_BEGUN.set()
        answer = messages[-1]["result"]
        assert answer["isError"] is True
        [challenge] = answer["_meta"]["mcp/www_authenticate"]
        assert challenge.startswith('Bearer error="insufficient_scope"') and 'scope="notes:late"' in challenge
        assert alice._token not in json.dumps(answer)


def test_lists_and_calls_follow_what_is_declared(dev_issuer: DevIssuer) -> None:
    mcp = FastMCP("notes")
    tools_of(mcp, FastContext)
    policy = declared(strict_lists=True, tools={"plain": ["notes:plain"]})
    assert policy == {
        "strict_lists": True,
        "tools": {"plain": ["notes:plain"], "write": ["notes:write"], "erase": ["notes:erase"]},
    }

    def make(bare: McpAuth) -> Any:
        return McpAuth(bare.resource, [dev_issuer.issuer], policy=policy).protect(mcp.http_app(stateless_http=True))

    with server(dev_issuer, make) as auth:
        poor, rich = (signed_in(dev_issuer, auth, "alice", scopes) for scopes in ("mcp", "mcp notes:write"))
        names = [{one["name"] for one in result(who.send("POST", LIST))["tools"]} for who in (poor, rich)]
        always = ("late", "either", "neither", "through")
        assert names == [{*always}, {*always, "write"}]
        message = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "write", "arguments": {"text": "a"}}}
        assert poor.send("POST", message).status_code == 403
        assert "wrote a" in rich.send("POST", message).text


def test_what_is_declared_twice_is_a_fault() -> None:
    @requires("a")
    def one() -> None: ...

    with pytest.raises(ConfigError, match="policy.tools.one: is declared beside the tool too"):
        declared(tools={"one": ["b"]})
    with pytest.raises(ConfigError, match="the tool 'one' needs .*`tool=`"):

        @requires("b", tool="one")
        def other() -> None: ...

    with pytest.raises(TypeError, match="takes scopes"):
        requires(one)  # type: ignore[arg-type]


async def test_the_exception_is_ours_and_goes_through_pickle(dev_issuer: DevIssuer) -> None:
    alice = await McpAuth(RESOURCE, [dev_issuer.issuer]).authenticate(dev_issuer.mint(RESOURCE, scope="mcp"))
    with pytest.raises(InsufficientScope) as refused:
        alice.require("notes:write")
    again = pickle.loads(pickle.dumps(refused.value))
    assert (type(again), again.required, again.granted) == (InsufficientScope, ["notes:write"], ["mcp"])


def test_nobody_passes_without_a_caller() -> None:
    from mcp_auth import MissingToken

    @requires("notes:write")
    def write() -> str:
        return "wrote"

    with pytest.raises(MissingToken):
        write()
    with pytest.raises(MissingToken):
        caller()


def test_a_tool_of_the_official_sdk_that_is_declared_above_its_decorator_is_a_fault() -> None:
    def make_wrong() -> MCPServer:
        mcp = MCPServer("notes")

        @requires("notes:write")
        @mcp.tool()
        def write() -> str:
            return "written"

        @requires("notes:erase", tool="erase")
        @mcp.tool(name="erase")
        async def erase_all() -> str:
            return "erased"

        @mcp.tool()
        @requires("notes:read")
        def read() -> str:
            return "read"

        return mcp

    auth = McpAuth(RESOURCE, ["https://auth.example.com"])
    askers: list[Callable[[MCPServer], Any]] = [
        lambda mcp: auth.protect(mcp.streamable_http_app()),
        lambda mcp: auth.routes(mcp.streamable_http_app()),
        lambda _mcp: auth.token_verifier(),
        lambda _mcp: declared(),
    ]
    for ask in askers:
        with pytest.raises(ConfigError) as refused:
            ask(make_wrong())
        faults = refused.value.fields["faults"]
        assert [fault.split()[1].rpartition(".")[2] for fault in faults] == ["write", "erase_all"]
        assert all("`@requires(…)` stands below `@mcp.tool()`" in fault for fault in faults)


def test_a_tool_of_fastmcp_or_any_object_that_is_declared_too_late_is_refused_at_once() -> None:
    mcp = FastMCP("notes")

    @mcp.tool()
    def write() -> str:
        return "written"

    @mcp.tool(name="erase")
    async def erase_all() -> str:
        return "erased"

    for given in (write, erase_all, FastTool.from_function(lambda: 1, name="a"), Tool.from_function(lambda: 1, name="a"), 7):
        with pytest.raises(TypeError, match="`@requires.*stands below `@mcp.tool"):
            requires("notes:write")(given)  # type: ignore[type-var]
    assert not _requires._declared


def test_a_policy_of_no_declared_tool_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert declared() == {"tools": {}}
    assert declared(tools={"other": ["a"]}, deny_undeclared=True)["deny_undeclared"]
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == 2 and all("no `@requires` has run yet" in text for text in found)

    @requires()
    def asks_by_itself() -> None: ...

    caplog.clear()
    assert declared() == {"tools": {}} and asks_by_itself and not caplog.records


def test_what_is_declared_to_ask_by_itself_is_there_where_everything_else_is_forbidden() -> None:
    @requires()
    def asks_by_itself() -> None: ...

    @requires("notes:write")
    def write() -> None: ...

    assert asks_by_itself and write
    assert declared()["tools"] == declared(deny_undeclared=False)["tools"] == {"write": ["notes:write"]}
    assert declared(deny_undeclared=True)["tools"] == {"asks_by_itself": [], "write": ["notes:write"]}
    McpAuth(RESOURCE, ["https://auth.example.com"], policy=declared(deny_undeclared=True))
