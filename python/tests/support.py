"""What the tests share: an ASGI client without sockets, and servers on real ones."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from mcp_auth import _test_client
from mcp_auth._test_client import exchange

RESOURCE = "http://localhost/mcp"


class Answer(_test_client.Answer):
    """What an app answered."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Any,
    method: str = "POST",
    target: str = "/mcp",
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    body: bytes = b"",
    token: str | None = None,
) -> Answer:
    """Sends one request to an ASGI app."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    if token is not None:
        pairs.append(("authorization", f"Bearer {token}"))
    encoded = [(name.lower().encode(), value.encode()) for name, value in pairs]
    answer = await exchange(app, method, target, encoded, body)
    return Answer(answer.status, answer.headers, answer.body)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers with the headers it sees, and the body."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    seen = {name.decode(): value.decode() for name, value in scope["headers"]}
    caller = scope["mcp_auth"]
    content = {"headers": seen, "body": body.decode(), "sub": caller and caller.subject}
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


@contextmanager
def listening() -> Generator[tuple[socket.socket, str]]:
    """A socket on a free port, and its origin: known before the app is made."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def served(app: Any, listener: socket.socket, **options: Any) -> Generator[None]:
    """The app behind uvicorn, in a thread, for as long as it is needed."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, **options))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert started.wait(30), "uvicorn does not start"
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(30)
