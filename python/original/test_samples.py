"""The original's documented samples, whoami and todo manager: they run here with only the import changed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from mcp_auth import MCPAuth, MCPAuthConfigException
from mcp_auth.testing import DevIssuer
from mcp_auth.utils import fetch_server_config

SAMPLES = Path(__file__).parent / "samples"
RESOURCE = "http://localhost:3001/mcp"


def loaded(name: str, package: str) -> ModuleType:
    """The sample as a module; `mcpauth` in it is the package to import."""
    source = (SAMPLES / f"{name}.py").read_text().replace("from mcpauth", f"from {package}")
    module = ModuleType(f"{name}_{package}")
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


@pytest.fixture
def sample(request: pytest.FixtureRequest, dev_issuer: DevIssuer, monkeypatch: pytest.MonkeyPatch, package: str) -> Any:
    """A client of the sample that the test names."""
    monkeypatch.setenv("MCP_AUTH_ISSUER", dev_issuer.issuer)
    module = loaded(request.param, package)
    with TestClient(module.app, base_url="http://localhost:3001") as client:
        yield client


def called(client: TestClient, token: str, tool: str, **arguments: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-06-18",
    }
    return client.post("/mcp", json=message, headers=headers)


@pytest.mark.parametrize("sample", ["whoami"], indirect=True)
def test_whoami(sample: TestClient, dev_issuer: DevIssuer) -> None:
    answer = called(sample, dev_issuer.mint(RESOURCE, subject="alice", scope="openid profile"), "whoami")
    assert answer.status_code == 200 and "alice" in answer.text, answer.text
    forged = dev_issuer.mint(RESOURCE, subject="alice", scope="openid", broken="signature")
    assert called(sample, forged, "whoami").status_code == 401
    refused = sample.post("/mcp", json={})
    assert refused.status_code == 401 and "resource_metadata=" in refused.headers["www-authenticate"]
    document = sample.get("/.well-known/oauth-protected-resource/mcp").json()
    assert (document["resource"], document["authorization_servers"]) == (RESOURCE, [dev_issuer.issuer])


@pytest.mark.parametrize("sample", ["todo_manager"], indirect=True)
def test_todo_manager(sample: TestClient, dev_issuer: DevIssuer) -> None:
    def of(subject: str, scope: str = "profile") -> str:
        return dev_issuer.mint(RESOURCE, subject=subject, scope=scope)

    assert "necessary scopes" in called(sample, of("alice"), "create_todo", content="milk").text
    assert "milk" in called(sample, of("alice", "create:todos"), "create_todo", content="milk").text
    assert "milk" in called(sample, of("alice"), "get_todos").text
    assert "milk" not in called(sample, of("bob"), "get_todos").text
    assert "milk" in called(sample, of("bob", "read:todos"), "get_todos").text
    assert "Failed" in called(sample, of("bob"), "delete_todo", id=1).text
    assert "deleted" in called(sample, of("bob", "delete:todos"), "delete_todo", id=1).text
    assert called(sample, of("alice") + "a", "get_todos").status_code == 401
    assert sample.post("/mcp", json={}).status_code == 401
    document = sample.get("/.well-known/oauth-protected-resource/mcp").json()
    assert document["scopes_supported"] == ["create:todos", "read:todos", "delete:todos"]


def test_the_samples_of_0_1_need_a_line_that_says_who_they_are(dev_issuer: DevIssuer) -> None:
    """They accept tokens for any other service: the row about the audience in docs/python.md."""
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    for mode in ("jwt", lambda token: None):
        with pytest.raises(MCPAuthConfigException, match='resource="https://mcp.example.com/mcp",'):
            auth.bearer_auth_middleware(mode)  # type: ignore[arg-type]
        auth.bearer_auth_middleware(mode, resource=RESOURCE)  # type: ignore[arg-type]
