"""A request that begins in the context of the one before, on real connections of uvicorn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_auth import McpAuth, auth_info
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo, listening, served
from test_sockets import Wire, head

ROOT = Path(__file__).parents[2]
WARNING = "reset_contextvars=True"


async def whoami(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body, and says who is calling."""
    while (await receive()).get("more_body"):
        pass
    caller = auth_info()
    body = json.dumps(caller.subject if caller else None).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def callers(wire: Wire, number: int) -> list[str | None]:
    """Who was calling, by as many answers."""
    found: list[str | None] = []
    for _ in range(number):
        status, headers, body = wire.whole_answer()
        assert status == 200, headers
        found.append(json.loads(body))
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(WARNING in record.message for record in caplog.records)


@pytest.mark.parametrize("body", [b"", b"x" * 300_000], ids=["short", "long"])
@pytest.mark.parametrize("resets", [False, True])
def test_a_context_of_the_request_before_is_told_once(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture, resets: bool, body: bytes
) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        names = ["alice", "bob", "carol"]
        tokens = [dev_issuer.mint(auth.resource, subject=name) for name in names]
        requests = [head(f"Authorization: Bearer {token}", f"Content-Length: {len(body)}") + body for token in tokens]
        with served(auth.protect(whoami), listener, reset_contextvars=resets):
            with Wire(listener.getsockname()) as wire:
                # All of them at once: each begins where the one before ends.
                wire.send(b"".join(requests))
                assert callers(wire, 3) == names
    assert warnings(caplog) == (0 if resets else 1)


def test_a_context_that_a_long_body_left_on_the_connection_is_told(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Without pipelining: asyncio reads on in the context of whoever waited for the body."""
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        token = f"Authorization: Bearer {dev_issuer.mint(auth.resource)}"
        with served(auth.protect(whoami), listener, loop="asyncio"):
            with Wire(listener.getsockname()) as wire:
                body = b"x" * 300_000
                wire.send(head(token, f"Content-Length: {len(body)}") + body)
                assert callers(wire, 1) == ["alice"]
                wire.send(head(token, "Content-Length: 0"))
                assert callers(wire, 1) == ["alice"]
    assert warnings(caplog) == 1


def test_one_request_after_the_other_is_no_reason(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        request = head(f"Authorization: Bearer {dev_issuer.mint(auth.resource)}", "Content-Length: 0")
        with served(auth.protect(whoami), listener):
            with Wire(listener.getsockname()) as wire:
                for _ in range(3):
                    wire.send(request)
                    assert callers(wire, 1) == ["alice"]
    assert warnings(caplog) == 0


async def test_an_app_inside_of_another_one_is_the_same_request(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    inner = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    # The token is gone inside, so that the inner one refuses, and says nothing of a context.
    outer = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(Starlette(routes=[Mount("/", inner)]))
    answer = await call(outer, token=dev_issuer.mint(RESOURCE))
    assert answer.status == 401
    assert warnings(caplog) == 0


def test_every_example_starts_uvicorn_with_contexts_of_their_own() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *(ROOT / "examples/python").glob("*.py")]
    starts = [
        (page.name, line)
        for page in pages
        for line in page.read_text().splitlines()
        if "uvicorn.run(" in line or "uvicorn asgi:app" in line
    ]
    assert {"protect.md", "whoami.py", "todo_manager.py", "asgi.py"} <= {name for name, _ in starts}
    for name, line in starts:
        assert "reset_contextvars=True" in line or "--reset-contextvars" in line, (name, line)
