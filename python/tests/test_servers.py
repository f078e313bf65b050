"""Real servers behind uvicorn, and the official client's whole OAuth flow."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from fastmcp import FastMCP
from mcp.client.auth import OAuthClientProvider
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.auth import OAuthClientMetadata
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from mcp_auth import AuthServerType, MCPAuth, McpAuth, auth_info, fetch_server_config, require_scopes
from mcp_auth.testing import DevIssuer
from support import listening, served

# The driver of the official client, which `cargo xtask test` uses too.
sys.path.insert(0, str(Path(__file__).parents[2] / "xtask/clients/python"))

from client import METADATA, Storage  # noqa: E402
from exchanges import Trace  # noqa: E402
from flow import Flow  # noqa: E402
from person import Person  # noqa: E402

USER = "bob"


def claims() -> dict[str, Any]:
    caller = auth_info()
    assert caller is not None
    return caller.claims


def official(auth: McpAuth) -> Any:
    """The official SDK behind `protect`."""
    mcp = MCPServer("whoami")
    mcp.tool(name="whoami")(claims)
    return auth.protect(mcp.streamable_http_app())


def official_verifier(auth: McpAuth) -> Any:
    """The official SDK's own middleware, with ours as its token verifier."""
    from mcp.server.auth.middleware.auth_context import get_access_token

    settings = AuthSettings(
        # As strings: a URL object would add a slash, and clients compare exactly.
        issuer_url=auth.metadata["authorization_servers"][0],
        resource_server_url=auth.resource,  # type: ignore[arg-type]
        validate_token_resource=True,
    )
    mcp = MCPServer("whoami", token_verifier=auth.token_verifier(), auth=settings)

    @mcp.tool()
    def whoami() -> dict[str, Any]:
        token = get_access_token()
        assert token is not None
        return token.claims or {}

    return mcp.streamable_http_app()


def fastmcp(auth: McpAuth) -> Any:
    """FastMCP behind `protect`."""
    mcp = FastMCP("whoami")
    mcp.tool(name="whoami")(claims)
    return auth.protect(mcp.http_app(path="/mcp"))


def fastmcp_provider(auth: McpAuth) -> Any:
    """FastMCP with ours as its auth provider."""
    from fastmcp.server.dependencies import get_access_token

    from mcp_auth.fastmcp import provider

    mcp = FastMCP("whoami", auth=provider(auth))

    @mcp.tool()
    def whoami() -> dict[str, Any]:
        token = get_access_token()
        assert token is not None
        return token.claims

    return mcp.http_app(path="/mcp")


def fastapi(auth: McpAuth) -> Any:
    """A FastAPI app with an MCP server in it."""
    mcp = MCPServer("whoami")
    mcp.tool(name="whoami")(claims)
    inner = mcp.streamable_http_app()
    app = FastAPI(lifespan=inner.router.lifespan_context)
    app.mount("/", inner)
    return auth.protect(app)


def originals_example(auth: McpAuth) -> Any:
    """The original's example, its imports made real, and the line that says who we are."""
    mcp = MCPServer("MyMCPServer")
    server = fetch_server_config(auth.metadata["authorization_servers"][0], type=AuthServerType.OIDC)
    mcp_auth = MCPAuth(server=server)
    inner = mcp.streamable_http_app()
    app = FastAPI(lifespan=inner.router.lifespan_context)
    bearer = mcp_auth.bearer_auth_middleware("jwt", required_scopes=["mcp"], resource=auth.resource)
    app.add_middleware(BaseHTTPMiddleware, dispatch=bearer)
    app.mount("/", inner)

    @mcp.tool()
    def whoami() -> dict[str, Any]:
        assert mcp_auth.auth_info is not None
        return mcp_auth.auth_info.claims

    return app


def originals_tutorial(auth: McpAuth) -> Any:
    """The original's server of the tutorials: metadata beside a protected mount."""
    from mcp_auth.types import ResourceServerConfig, ResourceServerMetadata

    mcp = MCPServer("whoami")
    server = fetch_server_config(auth.metadata["authorization_servers"][0], AuthServerType.OIDC)
    metadata = ResourceServerMetadata(resource=auth.resource, authorization_servers=[server])
    mcp_auth = MCPAuth(protected_resources=ResourceServerConfig(metadata=metadata))
    bearer = Middleware(mcp_auth.bearer_auth_middleware("jwt", resource=auth.resource))
    inner = mcp.streamable_http_app()

    @mcp.tool()
    def whoami() -> dict[str, Any]:
        assert mcp_auth.auth_info is not None
        return mcp_auth.auth_info.claims

    mount = Mount("/", app=inner, middleware=[bearer])
    routes = [*mcp_auth.resource_metadata_router().routes, mount]
    return Starlette(routes=routes, lifespan=inner.router.lifespan_context)


SERVERS = [
    official, official_verifier, fastmcp, fastmcp_provider, fastapi,
    originals_example, originals_tutorial,
]  # fmt: skip


def signing_in(resource: str, person: Any) -> OAuthClientProvider:
    """The official client's part in the flow; the person does theirs on the pages of the issuer."""
    return OAuthClientProvider(
        resource,
        OAuthClientMetadata.model_validate(METADATA),
        Storage(None),
        redirect_handler=person.sign_in,
        callback_handler=person.redirect,
    )


async def flow(resource: str) -> None:
    """The official client: refused, signs in, calls, refreshes, calls again."""
    trace = Trace()
    try:
        with anyio.fail_after(60):
            async with trace.client() as browser:
                person = Person(browser, USER)
                provider = signing_in(resource, person)
                async with trace.client(provider) as http:
                    await Flow(resource, USER, None, trace, provider, person).run(http)
    except BaseException as error:
        trace.report(error)
        raise


@pytest.mark.parametrize("make", SERVERS, ids=lambda make: make.__name__)
def test_the_official_client_signs_in_and_calls(
    dev_issuer: DevIssuer, make: Callable[[McpAuth], Any]
) -> None:
    with listening() as (listener, origin), warnings.catch_warnings():
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer], scopes_supported=["mcp"])
        with served(make(auth), listener):
            anyio.run(flow, auth.resource)


def test_a_tool_asks_for_more_scopes_over_http(dev_issuer: DevIssuer) -> None:
    mcp = MCPServer("notes")

    @mcp.tool()
    def delete() -> str:
        require_scopes("notes:delete")
        return "deleted"

    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(auth.protect(mcp.streamable_http_app(stateless_http=True)), listener):
            params = {"name": "delete", "arguments": {}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

            def send(scope: str) -> httpx2.Response:
                headers = {
                    "authorization": f"Bearer {dev_issuer.mint(auth.resource, scope=scope)}",
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2025-06-18",
                }
                return httpx2.post(auth.resource, json=message, headers=headers, trust_env=False)

            refused = send("mcp")
            assert refused.status_code == 403
            assert "notes:delete" in refused.headers["www-authenticate"]
            assert "deleted" in send("mcp notes:delete").text


@pytest.mark.parametrize("kind", ["official", "fastmcp"])
def test_servers_answer_for_a_public_host(dev_issuer: DevIssuer, kind: str) -> None:
    auth = McpAuth("https://mcp.example.com/mcp", [dev_issuer.issuer])
    any_host = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    inner = (
        MCPServer("m").streamable_http_app(stateless_http=True, transport_security=any_host)
        if kind == "official"
        else FastMCP("m").http_app(path="/mcp", stateless_http=True)
    )
    with listening() as (listener, origin), served(auth.protect(inner), listener):
        headers = {
            "host": "mcp.example.com",
            "authorization": f"Bearer {dev_issuer.mint(auth.resource)}",
            "accept": "application/json, text/event-stream",
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = httpx2.post(f"{origin}/mcp", json=message, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text
