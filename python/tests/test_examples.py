"""The examples, as programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from mcp_auth.testing import DevIssuer
from test_servers import flow

EXAMPLES = Path(__file__).parents[2] / "examples/python"


@contextmanager
def running(arguments: list[str], issuer: str) -> Generator[str]:
    """The program, and its resource; it ends when this does."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    resource = f"http://127.0.0.1:{port}/mcp"
    environment = os.environ | {
        "MCP_AUTH_RESOURCE": resource,
        "MCP_AUTH_ISSUER": issuer,
        "MCP_AUTH_BIND": f"127.0.0.1:{port}",
    }
    command = [sys.executable, *(one.replace("PORT", str(port)) for one in arguments)]
    process = subprocess.Popen(command, cwd=EXAMPLES, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log: list[str] = []
    try:
        for line in process.stderr:
            log.append(line)
            if "running on" in line:
                break
        else:
            raise AssertionError("".join(log))
        yield resource
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_whoami(dev_issuer: DevIssuer) -> None:
    with running(["whoami.py"], dev_issuer.issuer) as resource:
        anyio.run(flow, resource)


def test_asgi(dev_issuer: DevIssuer) -> None:
    with running(["-m", "uvicorn", "asgi:app", "--port", "PORT", "--reset-contextvars"], dev_issuer.issuer) as resource:
        assert httpx2.get(resource, trust_env=False).status_code == 401
        headers = {"authorization": f"Bearer {dev_issuer.mint(resource)}"}
        assert httpx2.get(resource, headers=headers, trust_env=False).json() == {"hello": "alice"}


def test_todo_manager(dev_issuer: DevIssuer) -> None:
    with running(["todo_manager.py"], dev_issuer.issuer) as resource:

        def call(tool: str, subject: str, scope: str, **arguments: Any) -> httpx2.Response:
            headers = {
                "authorization": f"Bearer {dev_issuer.mint(resource, subject=subject, scope=scope)}",
                "accept": "application/json, text/event-stream",
                "mcp-protocol-version": "2025-06-18",
            }
            params = {"name": tool, "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            started = {**message, "method": "initialize", "params": {
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }}  # fmt: skip
            with httpx2.Client(headers=headers, trust_env=False) as client:
                session = client.post(resource, json=started).headers["mcp-session-id"]
                client.headers["mcp-session-id"] = session
                client.post(resource, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
                return client.post(resource, json=message)

        def needed(answer: httpx2.Response) -> str:
            assert answer.status_code == 403, answer.text
            return answer.headers["www-authenticate"]

        assert "todos:write" in needed(call("create_todo", "alice", "todos:read", text="a"))
        assert call("create_todo", "alice", "todos:write", text="milk").status_code == 200
        assert "milk" in call("list_todos", "alice", "todos:write").text
        assert "milk" not in call("list_todos", "bob", "todos:read").text
        assert "todos:admin" in needed(call("delete_todo", "bob", "todos:write", number=1))
        assert "deleted" in call("delete_todo", "bob", "todos:admin", number=1).text


@pytest.mark.parametrize("name", ["whoami", "todo_manager", "asgi"])
def test_they_are_short(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 60
