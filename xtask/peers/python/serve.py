"""Serves an ASGI application on a free port of loopback until standard input closes."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn


def serve(build: Callable[[str, str], Any]) -> None:
    """`build(issuer, resource)` makes the application; the issuer is the program's argument."""
    listener = socket.create_server(("127.0.0.1", 0))
    resource = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server = _Server(uvicorn.Config(build(sys.argv[1], resource), log_level="warning"), resource)
    threading.Thread(target=server.stop_with_standard_input, daemon=True).start()
    asyncio.run(server.serve(sockets=[listener]))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, resource: str) -> None:
        super().__init__(config)
        self._resource = resource

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(json.dumps({"resource": self._resource}), flush=True)

    def stop_with_standard_input(self) -> None:
        sys.stdin.buffer.read()
        self.force_exit = self.should_exit = True
