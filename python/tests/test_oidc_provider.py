"""The original's example against node-oidc-provider, which `cargo xtask test` starts."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult

from mcp_auth import McpAuth
from support import listening, served
from test_servers import METADATA, official, originals_example, signing_in

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


class Person:
    """Signs in and consents on the provider's own pages."""

    def __init__(self, browser: httpx2.AsyncClient) -> None:
        self._browser = browser
        self._answer: dict[str, str] = {}

    async def sign_in(self, authorization_url: str) -> None:
        page = await self._follow(await self._browser.get(authorization_url))
        while page is not None:
            form = Form(page.text)
            fields = {**form.fields, "login": "alice", "password": "any"}
            sent = await self._browser.post(urljoin(str(page.url), form.action), data=fields)
            page = await self._follow(sent)

    async def _follow(self, answer: httpx2.Response) -> httpx2.Response | None:
        """The next page; `None` when it sends back to the client."""
        while answer.is_redirect:
            url = urljoin(str(answer.url), answer.headers["location"])
            if url.startswith(METADATA["redirect_uris"][0]):
                self._answer = dict(parse_qsl(urlsplit(url).query))
                return None
            answer = await self._browser.get(url)
        assert answer.status_code == 200, answer.text
        return answer

    async def redirect(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(self._answer)


class Form(HTMLParser):
    """A page has one form: to sign in, or to consent."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes["value"]


async def flow(resource: str) -> dict[str, object] | None:
    """The official client: refused, registers, has somebody sign in, calls."""
    with anyio.fail_after(60):
        async with httpx2.AsyncClient(trust_env=False) as browser:
            provider = signing_in(resource, Person(browser))
            async with httpx2.AsyncClient(auth=provider, trust_env=False) as http:
                transport = streamable_http_client(resource, http_client=http)
                async with Client(transport) as client:
                    return (await client.call_tool("whoami")).structured_content


@pytest.mark.parametrize("make", [official, originals_example], ids=lambda make: make.__name__)
def test_the_official_client_signs_in_there(make: object) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [ISSUER], scopes_supported=["mcp"])
        with served(make(auth), listener):  # type: ignore[operator]
            claims = anyio.run(flow, auth.resource)
            assert claims is not None
            assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, "alice", auth.resource)
