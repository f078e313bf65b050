"""Clients for tests of one's own server: in this process, without a socket, and with the handshake done."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from ._asgi import ASGIApp
    from .testing import DevIssuer

T = TypeVar("T")

_REVISION = "2025-06-18"
#: How long an answer may take, in seconds: a test that hangs should say so.
_LONGEST = 30


@dataclass
class Answer:
    """What the app answered."""

    status: int
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def challenge(self) -> str | None:
        """`WWW-Authenticate`: what a client would act on."""
        return self.headers.get("www-authenticate")

    @property
    def message(self) -> dict[str, Any]:
        """The JSON-RPC message, which is the last of a stream."""
        text = self.body.decode()
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            events = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
            text = next(event for event in reversed(events) if event.strip())
        return json.loads(text)


class Refused(AssertionError):
    """The app did not answer 200; `answer` is what it did."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.challenge or answer.body.decode(errors='replace')[:500]}")
        self.answer = answer


async def exchange(app: ASGIApp, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
    """One request to an ASGI app, and all of its answer."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    start: dict[str, Any] = {}
    chunks: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        # Whoever asks whether the client has gone: it never has.
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(bytes(message.get("body", b"")))

    await app(scope, receive, send)
    sent = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], sent, b"".join(chunks))


class Host:
    """Runs an app, with its lifespan, on an event loop of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mcp-auth-test", daemon=True)
        self._thread.start()
        self._ends = asyncio.Event()
        self._lifespan: asyncio.Task[None] | None = None
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What this gives, on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_LONGEST)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request."""
        return self.run(self._send(method, target, headers, body))

    def close(self) -> None:
        """Ends the app as a server does."""
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LONGEST)
        self._loop.close()

    async def _start(self) -> None:
        started: asyncio.Future[None] = self._loop.create_future()
        waiting = [{"type": "lifespan.startup"}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await self._ends.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed" and not started.done():
                started.set_exception(RuntimeError(message.get("message", "the app does not start")))
            elif not started.done():
                started.set_result(None)

        async def live() -> None:
            try:
                await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
            except Exception:
                # An app without a lifespan.
                pass
            if not started.done():
                started.set_result(None)

        self._lifespan = self._loop.create_task(live())
        await started

    async def _stop(self) -> None:
        self._ends.set()
        if self._lifespan is not None:
            await asyncio.wait([self._lifespan], timeout=5)
        # What servers leave to the end of the loop.
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        pairs = {"content-length": str(len(body)), **headers} if body else headers
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs.items()]
        return await exchange(self._app, method, target, encoded, body)


class Client:
    """An MCP client that has signed in and done the handshake."""

    def __init__(self, host: Host, issuer: DevIssuer, path: str, scope: str | None, options: Mapping[str, Any]) -> None:
        self._host, self._path = host, path
        self._headers = {
            "host": "localhost",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        }
        self._number = 0
        self.resource = self._discover()
        """The identifier of the resource, as its metadata says."""
        url = urlsplit(self.resource)
        # With a port: the official SDK takes loopback hosts for such only with one.
        self._headers["host"] = url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"
        self.token = issuer.mint(self.resource, scope=scope, **options)
        """What it sends."""
        self._headers["authorization"] = f"Bearer {self.token}"
        self._shake_hands()

    def _discover(self) -> str:
        """As clients do: what the challenge names."""
        challenge = self.send({"jsonrpc": "2.0", "id": 0, "method": "ping"}).challenge or ""
        _, _, rest = challenge.partition('resource_metadata="')
        if not rest:
            raise AssertionError(f"no challenge at {self._path}: is the app wrapped by `protect`, and is `path=` right?")
        metadata = self._host.send("GET", urlsplit(rest.partition('"')[0]).path, {"host": "localhost"})
        if metadata.status != 200:
            raise Refused(metadata)
        return json.loads(metadata.body)["resource"]

    def _shake_hands(self) -> None:
        who = {"name": "mcp-auth-test", "version": "1"}
        params = {"protocolVersion": _REVISION, "capabilities": {}, "clientInfo": who}
        answer = self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        if answer.status != 200:
            raise Refused(answer)
        if "error" in answer.message:
            raise RuntimeError(f"initialize: {answer.message['error']}")
        if "result" not in answer.message:
            text = f"the app answered 200 with neither a result nor an error: {answer.message!r:.200}"
            raise RuntimeError(f"initialize: {text}. Is an MCP server behind it?")
        self._headers["mcp-protocol-version"] = answer.message["result"]["protocolVersion"]
        session = answer.headers.get("mcp-session-id")
        if session is not None:
            self._headers["mcp-session-id"] = session
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: Mapping[str, Any]) -> Answer:
        """Posts a message, whatever comes back."""
        return self._host.send("POST", self._path, self._headers, json.dumps(message).encode())

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result. Raises `Refused` when the status is not 200."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": dict(params or {})}
        answer = self.send(message)
        if answer.status != 200:
            raise Refused(answer)
        said = answer.message
        if "result" not in said:
            raise AssertionError(said.get("error"))
        return said["result"]

    def call_tool(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of the tool, which may be an error: see `isError`. Raises `Refused` as `request` does.

        :param arguments: those of the tool, each by its name: `call_tool("add", title="Milk")`.
        """
        return self.request("tools/call", {"name": name, "arguments": arguments})

    def tools(self) -> list[str]:
        """The names of the tools that this caller is shown."""
        return [tool["name"] for tool in self.request("tools/list")["tools"]]
