"""The original's example against node-oidc-provider, which `cargo xtask test` starts."""

from __future__ import annotations

import os

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_auth import McpAuth
from support import listening, served
from test_servers import official, originals_example

ISSUER = os.environ.get("MCP_AUTH_TEST_PROVIDER", "")
pytestmark = pytest.mark.skipif(not ISSUER, reason="MCP_AUTH_TEST_PROVIDER names no provider")


def token_for(resource: str, client: str) -> str:
    form = {
        "grant_type": "client_credentials", "client_id": client,
        "client_secret": f"{client}-secret", "resource": resource, "scope": "mcp",
    }  # fmt: skip
    answer = httpx2.post(f"{ISSUER}/token", data=form, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def whoami(resource: str, token: str) -> dict[str, object] | None:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        async with Client(streamable_http_client(resource, http_client=http)) as client:
            return (await client.call_tool("whoami")).structured_content


@pytest.mark.parametrize("make", [official, originals_example], ids=lambda make: make.__name__)
@pytest.mark.parametrize("client", ["machine-rs256", "machine-es256", "machine-eddsa"])
def test_the_official_client_calls_with_a_token_of_it(make: object, client: str) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [ISSUER], scopes_supported=["mcp"])
        with served(make(auth), listener):  # type: ignore[operator]
            claims = anyio.run(whoami, auth.resource, token_for(auth.resource, client))
            assert claims is not None
            assert (claims["iss"], claims["client_id"]) == (ISSUER, client)
            other = token_for("http://127.0.0.1/other", client)
            refused = httpx2.post(
                auth.resource, headers={"authorization": f"Bearer {other}"}, trust_env=False
            )
            assert refused.status_code == 401
