"""uvicorn with each of its event loops and parsers, and what the official SDK's `mcp run` starts."""

import json
import socket
import sys
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer


async def hello(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def serve(app, listener, **options):
    config = uvicorn.Config(app, log_level="error", **options)
    threading.Thread(target=uvicorn.Server(config).run, args=([listener],), daemon=True).start()


SERVERS = {
    "uvicorn, asyncio, h11": (hello, {"loop": "asyncio", "http": "h11"}),
    "uvicorn, asyncio, httptools": (hello, {"loop": "asyncio", "http": "httptools"}),
    "uvicorn, uvloop, httptools": (hello, {"loop": "uvloop", "http": "httptools"}),
    "mcp run": (MCPServer("empty").streamable_http_app(), {}),
}

addresses = {}
for name, (app, options) in SERVERS.items():
    listener = socket.create_server(("127.0.0.1", 0))
    addresses[name] = f"127.0.0.1:{listener.getsockname()[1]}"
    serve(app, listener, **options)
print(json.dumps(addresses), flush=True)
sys.stdin.read()
