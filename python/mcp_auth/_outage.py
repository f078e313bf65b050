"""The answer to an outage, where `protect` is not around the app."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .errors import Unavailable

if TYPE_CHECKING:
    from ._asgi import ASGIApp, Message, Receive, Scope, Send


class UnavailableMiddleware:
    """Answers 503 where a token cannot be judged right now, instead of the server's 500.

    For apps that ask `authenticate` themselves, or whose framework asks `verify_token`::

        app = mcp.streamable_http_app()  # MCPServer("name", token_verifier=auth.token_verifier(), auth=…)
        app.add_middleware(UnavailableMiddleware)

    `protect` and `mcp_auth.fastmcp.provider` answer so by themselves.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Unavailable as error:
            if has_begun or scope["type"] != "http":
                raise
            await _answer(error, send)


async def _answer(error: Unavailable, send: Send) -> None:
    # Fixed text: what is compared is for the log.
    text = {"error": "temporarily_unavailable", "error_description": "the access token cannot be verified right now"}
    body = json.dumps(text).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(error.fields.get("retry_after", 5)).encode()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
