"""What users grant at other providers: the link, the pages and the end of it."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette

from mcp_auth import DownstreamError, McpAuth
from mcp_auth.testing import DevIssuer
from support import listening, served
from test_callers import ANY_HOST, result, signed_in

KEY = "a-key-of-32-characters-or-more-for-tests"


@pytest.fixture
def issuer() -> Generator[DevIssuer]:
    """That of our callers, where we are a client."""
    with DevIssuer(clients=[{"id": "us", "secret": "our-secret"}], auto_approve=True, default_audience="us") as started:
        yield started


@pytest.fixture
def provider() -> Generator[DevIssuer]:
    """Another one, which knows nothing of them."""
    with DevIssuer(clients=[{"id": "app", "secret": "a secret"}], auto_approve=True, default_audience="notes") as started:
        yield started


def settings(issuer: DevIssuer, provider: DevIssuer, origin: str, folder: Path) -> dict[str, Any]:
    sign_in = [{"issuer": issuer.issuer, "client_id": "us", "client_secret": "our-secret"}]
    notes = {
        "grant": "authorization_code",
        "authorization_endpoint": f"{provider.issuer}/authorize",
        "token_endpoint": f"{provider.issuer}/token",
        "client_id": "app",
        "client_secret": "a secret",
        "scopes": ["notes:read"],
    }
    return {
        "resource": f"{origin}/mcp",
        "authorization_servers": [issuer.issuer],
        "handle_keys": [KEY],
        "connect": {"url": f"{origin}/connect", "folder": folder, "sign_in": sign_in},
        "downstreams": {"notes": notes},
    }


@contextmanager
def server(issuer: DevIssuer, provider: DevIssuer, folder: Path) -> Generator[McpAuth]:
    with listening() as (listener, origin):
        auth = McpAuth.from_config(settings(issuer, provider, origin, folder))
        mcp = MCPServer("notes")
        api = auth.downstream("notes")

        @mcp.tool()
        async def read() -> str:
            return f"until {(await api.token_for()).expires_at}"

        @mcp.tool()
        async def disconnect() -> str:
            await api.disconnect()
            return "disconnected"

        inner = mcp.streamable_http_app(transport_security=ANY_HOST)
        app = Starlette(lifespan=inner.router.lifespan_context, routes=auth.routes(inner))
        with served(app, listener):
            yield auth


def used(someone: Any, name: str, session: str) -> Any:
    params = {"name": name, "arguments": {}}
    return someone.send("POST", {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}, session)


def message(answer: Any) -> Any:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1] if lines else answer.text)


def opened(url: str, ours: str, theirs: str, user: str) -> httpx2.Response:
    """What a browser ends at in which this user is signed in at the issuer."""
    cookie = ""
    with httpx2.Client(trust_env=False) as browser:
        for _ in range(10):
            headers = {"cookie": cookie} if url.startswith(ours) else {}
            asked = f"{url}&login_hint={user}" if url.startswith(theirs) else url
            answer = browser.get(asked, headers=headers)
            if url.startswith(ours) and "set-cookie" in answer.headers:
                cookie = answer.headers["set-cookie"].split(";")[0]
            browser.cookies.clear()
            if "location" not in answer.headers:
                return answer
            url = answer.headers["location"]
    raise AssertionError(f"it goes round in circles: {url}")


def test_a_user_connects_an_account_by_the_link_that_their_client_is_told(
    issuer: DevIssuer, provider: DevIssuer, tmp_path: Path
) -> None:
    with server(issuer, provider, tmp_path) as auth:
        ours = auth.resource.removesuffix("/mcp")
        alice, bob = (signed_in(issuer, auth, name) for name in ("alice", "bob"))
        sessions = alice.open(), bob.open()

        def link(someone: Any, session: str) -> str:
            error = message(used(someone, "read", session))["error"]
            assert error["code"] == -32042
            [elicitation] = error["data"]["elicitations"]
            assert elicitation["mode"] == "url" and elicitation["url"].startswith(f"{ours}/connect/notes")
            return elicitation["url"]

        # Another one who opens it connects nothing.
        assert opened(link(alice, sessions[0]), ours, issuer.issuer, "bob").status_code >= 400
        page = opened(link(alice, sessions[0]), ours, issuer.issuer, "alice")
        assert page.status_code == 200, page.text
        assert "until" in json.dumps(result(used(alice, "read", sessions[0])))
        assert link(bob, sessions[1])
        # Whoever takes it back has none any more.
        assert "disconnected" in json.dumps(result(used(alice, "disconnect", sessions[0])))
        assert link(alice, sessions[0])


async def test_only_what_users_grant_can_be_ended(issuer: DevIssuer, provider: DevIssuer, tmp_path: Path) -> None:
    config = settings(issuer, provider, "http://localhost", tmp_path)
    config["downstreams"]["own"] = {"token_endpoint": f"{provider.issuer}/token", "grant": "client_credentials", "client_id": "app", "client_secret": "a secret"}
    auth = McpAuth.from_config(config)
    alice = await auth.authenticate(issuer.mint(auth.resource))
    with pytest.raises(DownstreamError) as refused:
        await auth.downstream("own").disconnect(alice)
    assert refused.value.code == "downstream_not_connected"
    with pytest.raises(DownstreamError) as refused:
        await auth.downstream("notes").token_for(alice)
    assert [one["mode"] for one in refused.value.elicitations] == ["url"]
