"""What the tests of other APIs share: the API, and servers whose tools call it."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from mcp_auth import AuthInfo, DownstreamToken, McpAuth
from mcp_auth.testing import DevIssuer
from support import RESOURCE, listening, served

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()


@contextmanager
def exchanging() -> Generator[DevIssuer]:
    """An issuer with a client that may have tokens for `reports`."""
    tools = {"id": "tools", "secret": "a secret", "may_get": ["reports:read", "reports:write"]}
    with DevIssuer(clients=[tools], exchanges_own_tokens_only=False, default_audience="tools") as started:
        yield started


def reports(issuer: DevIssuer, **others: Any) -> dict[str, Any]:
    secret = {"client_id": "tools", "client_secret": "a secret"}
    scopes = {"audience": ["reports"], "scopes": ["reports:read", "reports:write"]}
    return {"issuer": issuer.issuer, **secret, **scopes, **others}


def config(issuer: DevIssuer, resource: str = RESOURCE, **others: Any) -> dict[str, Any]:
    downstreams = {"reports": reports(issuer, **others)}
    return {"resource": resource, "authorization_servers": [issuer.issuer], "downstreams": downstreams}


def auth_for(issuer: DevIssuer, resource: str = RESOURCE, **others: Any) -> McpAuth:
    return McpAuth.from_config(config(issuer, resource, **others))


async def known(auth: McpAuth, issuer: DevIssuer, subject: str, **minted: Any) -> AuthInfo:
    return await auth.authenticate(issuer.mint(RESOURCE, subject=subject, **minted))


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def subject_of(token: DownstreamToken) -> str:
    return claims(token.expose())["sub"]


class Api:
    """The API, which answers with whose token came, and remembers what it was sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.redirects_to: str | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.seen.append({**headers, "body": body.decode()})
        status = self.statuses.pop(0) if self.statuses else 200
        answer = [(b"set-cookie", b"session=of-the-first")]
        if self.redirects_to is not None:
            status = 307
            answer.append((b"location", self.redirects_to.encode()))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": claims(token)["sub"].encode() if token else b"nobody"})

    @property
    def tokens(self) -> list[str | None]:
        return [one.get("authorization") for one in self.seen]


@contextmanager
def api_server() -> Generator[tuple[Api, str]]:
    api = Api()
    with listening() as (listener, origin), served(api, listener, lifespan="off"):
        yield api, origin


@contextmanager
def calling(issuer: DevIssuer, path: str = "") -> Generator[tuple[McpAuth, Api, str]]:
    with api_server() as (api, origin):
        yield auth_for(issuer, api=[f"{origin}{path}"]), api, origin
