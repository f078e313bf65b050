"""One caller, in our terms and in the SDKs', whichever of the two found out who it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.auth import require_scopes as fastmcp_require_scopes
from fastmcp.server.sessions import UserSession
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from mcp_auth import McpAuth, MissingToken, UnavailableMiddleware, auth_info, caller
from mcp_auth.fastmcp import provider
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, listening, served
from test_sessions import LIST, Caller

ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def whoami() -> dict[str, Any]:
    """Both notions of the caller."""
    from fastmcp.server.dependencies import get_access_token as fastmcp_token

    ours, sdks, fastmcps = caller(), get_access_token(), fastmcp_token()
    assert auth_info() is not None and sdks is not None and fastmcps is not None
    return {
        "ours": ours.subject,
        "sdks": [sdks.subject, sdks.client_id, sdks.scopes],
        "fastmcps": fastmcps.subject,
        "tokens": [sdks.token, fastmcps.token],
    }


def official(auth: McpAuth) -> Any:
    mcp = MCPServer("whoami")
    mcp.tool()(whoami)
    return auth.protect(mcp.streamable_http_app(transport_security=ANY_HOST))


def official_verifier(auth: McpAuth) -> Any:
    settings = AuthSettings(issuer_url=auth.metadata["authorization_servers"][0], resource_server_url=auth.resource, validate_token_resource=True)  # type: ignore[arg-type]
    mcp = MCPServer("whoami", token_verifier=auth.token_verifier(), auth=settings)
    mcp.tool()(whoami)
    app = mcp.streamable_http_app(transport_security=ANY_HOST)
    app.add_middleware(UnavailableMiddleware)
    return app


def fastmcp(auth: McpAuth) -> Any:
    mcp = FastMCP("whoami")
    mcp.tool()(whoami)
    return auth.protect(mcp.http_app())


def fastmcp_provider(auth: McpAuth) -> Any:
    mcp = FastMCP("whoami", auth=provider(auth))
    mcp.tool()(whoami)
    return mcp.http_app()


WAYS = [official, official_verifier, fastmcp, fastmcp_provider]
every_way = pytest.mark.parametrize("make", WAYS, ids=lambda make: make.__name__)


@contextmanager
def server(dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> Generator[McpAuth]:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(make(auth), listener):
            yield auth


def result(answer: Any) -> Any:
    """The result of the call, from JSON or the events."""
    assert answer.status_code == 200, answer.text
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1] if lines else answer.text)["result"]


def tool(someone: Caller, name: str, session: str | None = None, **arguments: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    return result(someone.send("POST", message, session))


def signed_in(dev_issuer: DevIssuer, auth: McpAuth, subject: str, scope: str = "mcp") -> Caller:
    token = dev_issuer.mint(auth.resource, subject=subject, client_id="app", scope=scope)
    return Caller(auth.resource, token)


@every_way
def test_both_see_the_caller_and_none_sees_the_token(dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with server(dev_issuer, make) as auth:
        alice, bob = (signed_in(dev_issuer, auth, name) for name in ("alice", "bob"))
        sessions = alice.open(), bob.open()
        for someone, name, session in ((alice, "alice", sessions[0]), (bob, "bob", sessions[1])):
            seen = tool(someone, "whoami", session)["structuredContent"]
            assert (seen["ours"], seen["fastmcps"]) == (name, name)
            assert seen["sdks"] == [name, "app", ["mcp"]]
            # In its place is a text that stands for the caller, and opens nothing.
            assert all(json.loads(text)[2] == name for text in seen["tokens"])
            assert Caller(auth.resource, seen["tokens"][0]).send("POST", LIST, session).status_code in (400, 401)
    assert auth_info() is None and get_access_token() is None


@every_way
def test_a_session_is_its_callers_own(dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with server(dev_issuer, make) as auth:
        alice, bob = (signed_in(dev_issuer, auth, name) for name in ("alice", "bob"))
        session = alice.open()
        for method, message in (("POST", LIST), ("GET", None), ("DELETE", None)):
            assert bob.send(method, message, session).status_code == 404, method
        assert alice.send("POST", LIST, session).status_code == 200
        assert alice.send("DELETE", session=session).status_code == 200


@every_way
def test_an_issuer_that_is_down_is_a_503(dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with server(dev_issuer, make) as auth:
        alice = signed_in(dev_issuer, auth, "alice")
        dev_issuer.set_mode("offline")
        answer = alice.send("POST", LIST)
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"] == "temporarily_unavailable" and int(answer.headers["retry-after"]) > 0
        assert "www-authenticate" not in answer.headers
        forged = Caller(auth.resource, "x.y.z").send("POST", LIST)
        assert forged.status_code in (400, 401)


async def test_an_outage_after_the_response_began_is_the_servers(dev_issuer: DevIssuer) -> None:
    from mcp_auth import Unavailable

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Unavailable("unavailable", 503, "down", {"retry_after": 7})

    answer = await call(UnavailableMiddleware(app), "GET", "/early")
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    with pytest.raises(Unavailable):
        await call(UnavailableMiddleware(app), "GET", "/late")


@pytest.mark.parametrize("way", ["protect", "provider"])
def test_fastmcp_shows_and_runs_what_the_scopes_allow(dev_issuer: DevIssuer, way: str) -> None:
    def make(auth: McpAuth) -> Any:
        mcp = FastMCP("rules", auth=provider(auth) if way == "provider" else None)

        @mcp.tool(auth=fastmcp_require_scopes("adm"))
        def wipe() -> str:
            return "wiped"

        app = mcp.http_app(stateless_http=True)
        return app if way == "provider" else auth.protect(app)

    with server(dev_issuer, make) as auth:
        admin, user = (signed_in(dev_issuer, auth, name, scope) for name, scope in (("a", "mcp adm"), ("u", "mcp")))
        names = [[one["name"] for one in result(who.send("POST", LIST))["tools"]] for who in (admin, user)]
        assert names == [["wipe"], []]
        assert "wiped" in json.dumps(tool(admin, "wipe"))
        message = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "wipe", "arguments": {}}}
        assert "wiped" not in user.send("POST", message).text


@pytest.mark.parametrize("way", ["protect", "provider"])
def test_fastmcp_keeps_the_state_of_two_callers_apart(dev_issuer: DevIssuer, way: str) -> None:
    def make(auth: McpAuth) -> Any:
        mcp = FastMCP("state", auth=provider(auth) if way == "provider" else None)

        @mcp.tool()
        async def keep(text: str, session: UserSession) -> str:
            await session.set("text", text)
            return "kept"

        @mcp.tool()
        async def kept(session: UserSession) -> str:
            return str(await session.get("text"))

        app = mcp.http_app(stateless_http=True)
        return app if way == "provider" else auth.protect(app)

    with server(dev_issuer, make) as auth:
        alice, bob = (signed_in(dev_issuer, auth, name) for name in ("alice", "bob"))
        assert "kept" in json.dumps(tool(alice, "keep", text="her secret"))
        assert "her secret" in json.dumps(tool(alice, "kept"))
        assert "her secret" not in json.dumps(tool(bob, "kept"))


async def test_nobody_is_left_behind_for_the_next_request(dev_issuer: DevIssuer) -> None:
    """On one context, as uvicorn has it for requests that are pipelined."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((auth_info() and auth_info().subject, get_access_token() and get_access_token().subject))  # type: ignore[union-attr]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    policy = {"tools": {"open": {"access": "public"}}}
    protected = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(app)
    public = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "open"}}).encode()
    assert (await call(protected, "GET", token=dev_issuer.mint(RESOURCE))).status == 200
    assert auth_info() is None and get_access_token() is None
    assert (await call(protected, body=public)).status == 200
    assert seen == [("alice", "alice"), (None, None)]
    with pytest.raises(MissingToken):
        caller()


IGNORED: list[tuple[str, dict[str, Any]]] = [
    ("policy", {"policy": {"tools": {"a": ["b"]}}}),
    ("required_scopes", {"required_scopes": ["mcp"]}),
    ("allowed_origins", {"allowed_origins": ["https://app.example.com"]}),
    ("allowed_hosts", {"allowed_hosts": ["internal.example.com"]}),
    ("challenge_style", {"challenge_style": "tool_result"}),
    ("authorizer", {"authorizer": lambda caller, operation: False}),
]


@pytest.mark.parametrize(("name", "options"), IGNORED, ids=[name for name, _ in IGNORED])
async def test_what_a_verifier_would_ignore_is_a_fault(name: str, options: dict[str, Any]) -> None:
    from mcp_auth import ConfigError

    auth = McpAuth("https://mcp.example.com/mcp", ["https://auth.example.com"], **options)
    with pytest.raises(ConfigError, match=rf"{name}: .*`auth.protect\(mcp.streamable_http_app\(transport_security="):
        auth.token_verifier()
    # The object itself, where a framework takes whatever has the method.
    with pytest.raises(ConfigError, match=name):
        await auth.verify_token("x")
    if name == "required_scopes":
        assert provider(auth).required_scopes == ["mcp"]
    else:
        with pytest.raises(ConfigError, match=f"{name}: .*http_app"):
            provider(auth)


def test_what_fastmcp_cannot_use_says_what_it_can() -> None:
    auth = McpAuth("https://mcp.example.com/mcp", ["https://auth.example.com"])
    for given in (auth, auth.token_verifier()):
        mcp = FastMCP("m", auth=given)  # type: ignore[arg-type]
        for make in (mcp.http_app, lambda server=mcp: server.http_app(transport="sse")):
            with pytest.raises(AttributeError, match=r"`mcp_auth.fastmcp.provider\(auth\)`.*auth.protect\(mcp.http_app"):
                make()
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'$"):
            given.nonsense  # type: ignore[union-attr]
        assert not hasattr(given, "__wrapped__")


async def test_mcp_auth_itself_verifies_for_the_official_sdk(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    settings = AuthSettings(issuer_url=dev_issuer.issuer, resource_server_url=RESOURCE, validate_token_resource=True)  # type: ignore[arg-type]
    app = MCPServer("m", token_verifier=auth, auth=settings).streamable_http_app(transport_security=ANY_HOST)
    assert (await call(app, token=dev_issuer.mint("http://other/mcp"))).status == 401
    with pytest.raises(RuntimeError, match="Task group"):
        # It is let through, to sessions that were not started.
        await call(app, token=dev_issuer.mint(RESOURCE))


def test_modules_are_there_without_an_import_of_their_own() -> None:
    code = "import mcp_auth; print(mcp_auth.fastmcp.provider, mcp_auth.testing.DevIssuer, mcp_auth.pytest_plugin, mcp_auth.settings)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import mcp_auth

    assert not hasattr(mcp_auth, "nonsense")
    # Not loaded before somebody asks.
    code = "import sys, mcp_auth; print('fastmcp' in sys.modules or 'mcp_auth.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_a_second_resource_is_a_fault_for_a_verifier() -> None:
    from mcp_auth import ConfigError

    resources = [
        {"resource": f"https://mcp.example.com/{one}", "authorization_servers": ["https://auth.example.com"]}
        for one in "ab"
    ]
    with pytest.raises(ConfigError, match="resources"):
        McpAuth.from_config({"resources": resources}).token_verifier()
