"""What users grant at other providers: what they have to open first, and how it is taken back."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mcp_auth import DownstreamError, McpAuth, MissingToken
from mcp_auth.testing import DevIssuer
from support import RESOURCE

LINK = "http://127.0.0.1:1/connect/github?"


@pytest.fixture
def issuer() -> Generator[DevIssuer]:
    with DevIssuer() as started:
        yield started


@pytest.fixture
def auth(issuer: DevIssuer, tmp_path: Path) -> McpAuth:
    """Its users connect their accounts at a provider that does not answer."""
    sign_in = {"issuer": issuer.issuer, "client_id": "dev", "client_secret": "dev"}
    github = {
        "grant": "authorization_code",
        "authorization_endpoint": "http://127.0.0.1:1/authorize",
        "token_endpoint": "http://127.0.0.1:1/token",
        "client_id": "us",
        "client_secret": "a secret",
        "api": ["http://127.0.0.1:1/"],
    }
    reports = {"issuer": issuer.issuer, "client_id": "dev", "client_secret": "dev", "audience": ["reports"]}
    settings: dict[str, Any] = {
        "resource": RESOURCE,
        "authorization_servers": [issuer.issuer],
        "handle_keys": ["a-key-of-32-characters-or-more-for-tests"],
        "connect": {"url": "http://127.0.0.1:1/connect", "folder": str(tmp_path / "grants"), "sign_in": [sign_in]},
        "downstreams": {"github": github, "reports": reports},
    }
    return McpAuth.from_config(settings)


async def test_a_user_without_a_grant_is_told_what_to_open_and_has_nothing_to_take_back(issuer: DevIssuer, auth: McpAuth) -> None:
    github = auth.downstream("github")
    links = set()
    for subject in ("alice", "bob"):
        known = await auth.authenticate(issuer.mint(RESOURCE, subject=subject))
        with pytest.raises(DownstreamError) as refused:
            await github.token_for(known)
        [elicitation] = refused.value.elicitations
        assert (refused.value.code, elicitation["mode"]) == ("downstream_authorization_required", "url")
        assert elicitation["url"].startswith(LINK)
        links.add(elicitation["url"])
        await github.disconnect(known)
    assert len(links) == 2


async def test_what_users_do_not_grant_cannot_be_taken_back(issuer: DevIssuer, auth: McpAuth) -> None:
    known = await auth.authenticate(issuer.mint(RESOURCE, subject="alice"))
    rows = [("reports", "downstream_not_connected"), ("nothing", "unknown_downstream")]
    for name, code in rows:
        with pytest.raises(DownstreamError) as refused:
            await auth.downstream(name).disconnect(known)
        assert (refused.value.code, refused.value.status) == (code, 500)
    with pytest.raises(MissingToken):
        await auth.downstream("github").disconnect()
    with pytest.raises(TypeError):
        await auth.downstream("github").disconnect("alice")  # type: ignore[arg-type]
