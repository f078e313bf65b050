"""The language-neutral cases of `vectors/settings.json`: configuration, paths and refusals as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_auth import AuthError, ConfigError, McpAuth
from support import call, echo
from test_vectors import AUTHS, FILES

SETTINGS = json.loads((Path(__file__).parents[2] / "vectors/settings.json").read_text())
VARIABLES = ("MCP_AUTH_RESOURCE", "MCP_AUTH_ISSUER", "MCP_AUTH_SCOPES")


def cases(name: str) -> Any:
    rows = SETTINGS[name]
    return pytest.mark.parametrize("case", rows, ids=[row.get("name", row.get("case")) for row in rows])


def faults(make: Any) -> list[str]:
    try:
        make()
    except ConfigError as error:
        return error.fields["faults"]
    return []


@cases("configurations")
def test_configuration(case: dict[str, Any]) -> None:
    assert faults(lambda: McpAuth.from_config(case["config"])) == case["faults"]


@pytest.mark.parametrize("text", ["", "\n", " \t\r\n"])
def test_a_secret_file_without_a_secret_is_a_fault(text: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    introspection = {"client_id": "us", "client_secret_file": str(file)}
    server = {"issuer": "https://as.example.com", "introspection": introspection}
    config = {"resources": [{"resource": "https://mcp.example.com/mcp", "authorization_servers": [server]}]}
    file.write_text("secret\n")
    assert faults(lambda: McpAuth.from_config(config)) == []
    file.write_text(text)
    [fault] = faults(lambda: McpAuth.from_config(config))
    assert "introspection.client_secret_file: " in fault and fault.endswith("is empty")


@cases("environments")
def test_environment(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in case["variables"].items():
        monkeypatch.setenv(name, value)
    assert faults(McpAuth.from_env) == case["faults"]
    if not case["faults"]:
        auth = McpAuth.from_env()
        assert auth.required_scopes == case["variables"].get("MCP_AUTH_SCOPES", "").split()


@cases("paths")
async def test_path(case: dict[str, Any]) -> None:
    urls: dict[str, str] = case["resources"]
    resources = [{"resource": one, "authorization_servers": ["https://as.example.com"]} for one in urls]
    app = McpAuth.from_config({"resources": resources}).protect(echo)
    for target, resource in case["rows"]:
        answer = await call(app, "GET", target)
        if resource is None:
            assert answer.status == 404, target
        else:
            assert f'resource_metadata="{urls[resource]}"' in answer.headers["www-authenticate"], target


@cases("refusals")
async def test_refusal(case: dict[str, Any]) -> None:
    found = next(one for one in FILES["decisions.json"]["cases"] if one["name"] == case["case"])
    token = found["request"]["authorization"][0].removeprefix("Bearer ")
    with pytest.raises(AuthError) as refused:
        await AUTHS["decisions.json"].authenticate(token)
    error = refused.value
    assert (error.code, error.status, error.fields) == (case["code"], case["status"], case["compared"])


@cases("callers")
async def test_caller(case: dict[str, Any]) -> None:
    found = next(one for one in FILES["decisions.json"]["cases"] if one["name"] == case["case"])
    token = found["request"]["authorization"][0].removeprefix("Bearer ")
    caller = await AUTHS["decisions.json"].authenticate(token)
    assert list(caller.key) == case["key"]
