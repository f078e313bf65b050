"""What the package has for tests of one's own server."""

from __future__ import annotations

from typing import Any, get_args

import httpx2
import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from mcp_auth import McpAuth, caller, require_scopes
from mcp_auth.testing import Broken, DevIssuer, Mode, Refused
from support import RESOURCE, call, echo


def official() -> Any:
    mcp = MCPServer("tested")
    mcp.tool()(whoami)
    mcp.tool()(wipe)
    return mcp.streamable_http_app()


def fastmcp() -> Any:
    mcp = FastMCP("tested")
    mcp.tool()(whoami)
    mcp.tool()(wipe)
    return mcp.http_app()


def whoami() -> str:
    return str(caller().subject)


def wipe() -> str:
    require_scopes("adm")
    return "wiped"


@pytest.mark.parametrize("make", [official, fastmcp], ids=lambda make: make.__name__)
@pytest.mark.parametrize("resource", ["http://localhost/mcp", "http://localhost:8000/mcp", "https://localhost/mcp"])
def test_clients_have_signed_in_and_done_the_handshake(
    dev_issuer: DevIssuer, mcp_client: Any, make: Any, resource: str
) -> None:
    app = McpAuth(resource, [dev_issuer.issuer], required_scopes=["mcp"]).protect(make())
    alice, bob = mcp_client(app, subject="alice", scope="mcp"), mcp_client(app, subject="bob", scope="mcp adm")
    for someone, name in ((alice, "alice"), (bob, "bob"), (alice, "alice")):
        assert someone.tools() == ["whoami", "wipe"]
        assert someone.call_tool("whoami")["content"][0]["text"] == name
    assert bob.call_tool("wipe")["content"][0]["text"] == "wiped"
    with pytest.raises(Refused, match="adm") as refused:
        alice.call_tool("wipe")
    assert refused.value.answer.status == 403
    for broken in ({"broken": "signature"}, {"scope": "other"}):
        with pytest.raises(Refused):
            mcp_client(app, **broken)


def test_an_app_that_is_not_protected_is_told(mcp_client: Any) -> None:
    with pytest.raises(AssertionError, match="wrapped by `protect`"):
        mcp_client(FastMCP("open").http_app())


async def test_every_name_of_what_can_be_broken_is_known(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    for name in get_args(Broken):
        assert (await call(app, token=dev_issuer.mint(RESOURCE, broken=name))).status == 401, name
    with pytest.raises(ValueError, match="known broken") as unknown:
        dev_issuer.mint(RESOURCE, broken="signatur")  # type: ignore[arg-type]
    assert str(unknown.value).partition(": ")[2].split(", ") == list(get_args(Broken))


def test_every_name_of_a_mode_is_known(dev_issuer: DevIssuer) -> None:
    for name in get_args(Mode):
        dev_issuer.set_mode(name)
    with pytest.raises(ValueError, match="known mode: online, offline, hang, garbage, status:NNN"):
        dev_issuer.set_mode("down")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "meant"), [("resource", "audience"), ("user", "subject"), ("scopes", "scope"), ("nonsense", None)])
def test_a_keyword_that_mint_does_not_have_names_those_that_it_has(
    dev_issuer: DevIssuer, mcp_client: Any, name: str, meant: str | None
) -> None:
    expected = f"no keyword '{name}': " + (f"did you mean `{meant}`" if meant else "It takes audience, scope, subject, client_id, ")
    with pytest.raises(TypeError, match=expected):
        dev_issuer.mint(**{name: "x"})  # type: ignore[arg-type]
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(official())
    with pytest.raises(TypeError, match=expected):
        mcp_client(app, **{name: "x"})


def test_a_tool_may_have_an_argument_called_name(dev_issuer: DevIssuer, mcp_client: Any) -> None:
    mcp = MCPServer("greets")
    mcp.tool(name="greet")(lambda name: f"Hello {name}")
    client = mcp_client(McpAuth(RESOURCE, [dev_issuer.issuer]).protect(mcp.streamable_http_app()))
    assert client.call_tool("greet", name="Alice")["content"][0]["text"] == "Hello Alice"

def test_the_issuer_exchanges_tokens_and_counts_them() -> None:
    clients = [{"id": "tools", "secret": "a secret", "may_get": ["reports:read"], "targets": ["reports"]}]
    with DevIssuer(clients=clients, access_token_lifetime=600) as issuer:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": issuer.mint("http://localhost/mcp", scope="mcp"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": "reports",
            "scope": "reports:read",
        }

        def ask() -> httpx2.Response:
            return httpx2.post(f"{issuer.issuer}/token", data=form, auth=("tools", "a secret"), trust_env=False)

        answer = ask()
        assert answer.status_code == 200, answer.text
        assert answer.json()["scope"] == "reports:read"
        issuer.set_mode("token:html")
        assert ask().headers["content-type"].startswith("text/html")
        issuer.set_mode("online")
        form["audience"] = "payroll"
        assert ask().json()["error"] == "invalid_target"
        assert issuer.token_requests["token_exchange"] == issuer.token_requests["token"] == 3
        assert issuer.token_requests["client_credentials"] == 0


@pytest.mark.parametrize("wrong", [{"id": "a", "scopes": []}, {"secret": "x"}, {"id": 1}])
def test_a_client_that_cannot_be_read_does_not_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="clients: "):
        DevIssuer(clients=[wrong])
