"""Any ASGI app: no framework, no MCP SDK. Variables as in whoami.py.

    uvicorn asgi:app --port 3000 --reset-contextvars
"""

import json
from typing import Any

from mcp_auth import McpAuth, auth_info


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers every request with the name of its caller."""
    if scope["type"] != "http":
        return
    caller = auth_info()
    content = json.dumps({"hello": caller.subject if caller else None}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


app = McpAuth.from_env().protect(hello)
