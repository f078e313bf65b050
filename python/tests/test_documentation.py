"""The Python code of the documentation runs as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastapi
import pytest
import starlette.applications
import starlette.middleware
import starlette.middleware.base
import uvicorn
from fastmcp import FastMCP
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

import mcp_auth
from mcp_auth import MCPAuth, McpAuth, _requires
from mcp_auth._context import current
from mcp_auth.testing import DevIssuer, Refused
from support import echo

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "python/README.md"]
RESOURCE = "https://mcp.example.com/mcp"


def blocks(page: Path) -> list[str]:
    """The code, without the indentation of a list that it stands in."""
    found = re.findall(r"^( *)```python\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indentation}", "", text, flags=re.MULTILINE) for indentation, text in found]


CODE = {str(page.relative_to(ROOT)): blocks(page) for page in PAGES}


def world(issuer: str) -> dict[str, Any]:
    """What a page takes for granted: it was made on a page before, or is the reader's."""
    auth = McpAuth(RESOURCE, [issuer])
    mine = MCPAuth(server=mcp_auth.fetch_server_config(issuer, type=mcp_auth.AuthServerType.OIDC))
    return {
        **{name: getattr(mcp_auth, name) for name in mcp_auth.__all__},
        "AuthSettings": AuthSettings,
        "BaseHTTPMiddleware": starlette.middleware.base.BaseHTTPMiddleware,
        "FastAPI": fastapi.FastAPI,
        "MCPServer": MCPServer,
        "Middleware": starlette.middleware.Middleware,
        "Starlette": starlette.applications.Starlette,
        "any_host": TransportSecuritySettings(enable_dns_rebinding_protection=False),
        "app": echo,
        "auth": auth,
        "issuer": issuer,
        "mcp": MCPServer("reader"),
        "mcp_auth": mine,
        "owner": "alice",
        "resource": RESOURCE,
        "store": None,
    }


async def run(code: str, names: dict[str, Any], place: str) -> None:
    # What is left out of a list.
    exec(compile(code.replace("[…]", "[]"), place, "exec"), names)


@pytest.mark.parametrize("page", [page for page, found in CODE.items() if found])
async def test_a_page(page: str, dev_issuer: DevIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **_options: ran.append(app))
    claims = {"email": "alice@example.com"}
    caller = await McpAuth(RESOURCE, [dev_issuer.issuer]).authenticate(dev_issuer.mint(RESOURCE, claims=claims))
    token = current.set(caller)
    try:
        for number, code in enumerate(CODE[page]):
            # Each by itself: it may be the first that is copied.
            names = world(dev_issuer.issuer)
            if "mcp.http_app(" in code:
                names["mcp"] = FastMCP("reader")
            if "app.add_middleware(bearer)" in code:
                names["app"] = starlette.applications.Starlette()
            await run(code, names, f"{page}, block {number + 1}")
    finally:
        current.reset(token)
    assert all(callable(app) for app in ran)


@pytest.mark.parametrize("start", ["mcp = FastMCP(", "mcp = MCPServer("])
def test_the_whole_servers_of_the_page_serve(
    start: str, dev_issuer: DevIssuer, mcp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_requires, "_declared", {})
    [code] = [code for code in CODE["docs/python.md"] if start in code and "uvicorn.run" in code]
    ran: list[Any] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **_options: ran.append(app))
    # The issuer of the page is somebody else's.
    exec(compile(code.replace("https://tenant.eu.auth0.com/", dev_issuer.issuer), "docs/python.md", "exec"), {"__name__": "server"})
    [app] = ran
    writer, reader = mcp_client(app, scope="notes:write", subject="alice"), mcp_client(app, scope="notes:read")
    assert writer.tools() == ["add_note", "read_note"]
    writer.call_tool("add_note", text="milk")
    assert reader.call_tool("read_note", number=0)["content"][0]["text"] == "alice: milk"
    for someone, name in ((reader, "add_note"), (writer, "read_note")):
        with pytest.raises(Refused, match="insufficient_scope"):
            someone.call_tool(name)
    with pytest.raises(Refused, match="403"):
        reader.call_tool("another")


def test_the_test_of_a_server_runs_as_printed(tmp_path: Path) -> None:
    [code] = [code for code in CODE["docs/python.md"] if "def test_whoami" in code]
    (tmp_path / "test_printed.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mcp_auth.pytest_plugin", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_there_is_something_to_run() -> None:
    assert len(CODE["docs/python.md"]) > 6 and len(CODE["docs/protect.md"]) > 3
