"""Limits for those who are refused: 429 in the place of a refusal, and nothing in the place of what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from mcp_auth import McpAuth
from mcp_auth.errors import TooManyFailures, error_of
from mcp_auth.testing import DevIssuer
from support import call, echo, listening, served

#: So many, and one more after eight hours.
COUNT = 3
LIMIT = {"count": COUNT, "period": 24 * 3600}


def statuses(origin: str, token: str | None, times: int = 1, forwarded: str | None = None) -> list[int]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    if forwarded is not None:
        headers["x-forwarded-for"] = forwarded
    return [httpx2.post(f"{origin}/mcp", headers=headers).status_code for _ in range(times)]


def test_forged_tokens_are_429_beyond_the_limit_and_all_else_is_as_before() -> None:
    with DevIssuer() as issuer, listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [issuer.issuer], required_scopes=["mcp"], limits={"failures_per_address": LIMIT})
        # It would take what a client writes for the address of the connection.
        with served(auth.protect(echo), listener, proxy_headers=False):
            assert statuses(origin, "forged", COUNT) == [401] * COUNT
            for forwarded in (None, "203.0.113.1"):
                assert statuses(origin, "forged", 2, forwarded) == [429, 429], "no proxy is trusted"
            answer = httpx2.post(f"{origin}/mcp", headers={"authorization": "Bearer x"})
            assert 1 <= int(answer.headers["retry-after"]) <= 8 * 3600
            assert answer.json()["error"] == "too_many_requests"
            assert "www-authenticate" not in answer.headers
            good = issuer.mint(audience=f"{origin}/mcp", scope="mcp")
            assert statuses(origin, good, 2) == [200, 200], "new, and then known"
            assert statuses(origin, None) == [401], "where to sign in"
            expired = issuer.mint(audience=f"{origin}/mcp", scope="mcp", expires_in=-100)
            assert statuses(origin, expired, COUNT + 1) == [401] * (COUNT + 1), "it must be renewed"


def test_clients_behind_a_trusted_proxy_have_a_budget_each() -> None:
    with DevIssuer() as issuer, listening() as (listener, origin):
        limits = {"failures_per_address": LIMIT, "trusted_proxies": ["127.0.0.0/8"]}
        auth = McpAuth.from_config({
            "resource": f"{origin}/mcp",
            "authorization_servers": [issuer.issuer],
            "limits": limits,  # type: ignore[typeddict-item]
        })
        with served(auth.protect(echo), listener, proxy_headers=False):
            assert statuses(origin, "x", COUNT + 1, "203.0.113.1") == [401] * COUNT + [429]
            assert statuses(origin, "x", 1, "192.0.2.1, 203.0.113.1") == [429], "what a client writes is no other address"
            assert statuses(origin, "x", 1, "203.0.113.2") == [401]


def test_a_caller_is_429_for_what_it_may_not_do_and_for_nothing_else() -> None:
    with DevIssuer() as issuer, listening() as (listener, origin):
        resource = f"{origin}/mcp"
        auth = McpAuth(resource, [issuer.issuer], required_scopes=["mcp"], limits={"failures_per_principal": LIMIT})
        with served(auth.protect(echo), listener):
            tokens = [issuer.mint(audience=resource, subject="alice", scope="other") for _ in range(COUNT + 1)]
            assert [statuses(origin, token)[0] for token in tokens] == [403] * COUNT + [429]
            assert statuses(origin, issuer.mint(audience=resource, subject="alice", scope="mcp")) == [200]
            assert statuses(origin, issuer.mint(audience=resource, subject="bob", scope="other")) == [403]


@pytest.mark.parametrize("client", [None, ("testclient", 1), ("/run/app.sock", None)])
async def test_a_server_that_tells_no_address_counts_for_none(client: tuple[str, Any] | None) -> None:
    auth = McpAuth("http://localhost/mcp", ["https://auth.example.com"], limits={"failures_per_address": LIMIT})
    inner = auth.protect(echo)

    async def app(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        await inner({**scope, "client": client}, receive, send)

    for _ in range(COUNT + 2):
        assert (await call(app, token="x")).status == 401


def test_the_refusal_is_an_error_of_its_own() -> None:
    compared = {"refused_for": "malformed", "retry_after": 20}
    refusal = {"kind": "limit", "code": "too_many_failures", "status": 429, "message": "…", "compared": compared}
    error = error_of(refusal)
    assert isinstance(error, TooManyFailures)
    assert (error.status, error.fields["retry_after"]) == (429, 20)
