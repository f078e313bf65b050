"""uvicorn with each of its event loops and parsers, and what the official SDK's `mcp run` starts."""

import json
import queue
import sys
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer


async def hello(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


class Announced(uvicorn.Server):
    """Says at which port it listens. It opens its socket itself, as `uvicorn.run(app, host=…, port=…)` does."""

    def __init__(self, app, **options):
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", **options))
        self.port = queue.Queue()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.port.put(self.servers[0].sockets[0].getsockname()[1])


SERVERS = {
    "uvicorn, asyncio, h11": (hello, {"loop": "asyncio", "http": "h11"}),
    "uvicorn, asyncio, httptools": (hello, {"loop": "asyncio", "http": "httptools"}),
    "uvicorn, uvloop, httptools": (hello, {"loop": "uvloop", "http": "httptools"}),
    "mcp run": (MCPServer("empty").streamable_http_app(), {}),
}

addresses = {}
for name, (app, options) in SERVERS.items():
    server = Announced(app, **options)
    threading.Thread(target=server.run, daemon=True).start()
    addresses[name] = f"127.0.0.1:{server.port.get()}"
print(json.dumps(addresses), flush=True)
sys.stdin.read()
