"""What revision 2026-07-28 adds: headers that repeat arguments, tasks, and who may keep a result."""

from __future__ import annotations

import json
from typing import Any

from mcp_auth import McpAuth
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call

TOOL = {
    "name": "sql",
    "inputSchema": {"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
}
RESULTS: dict[str, Any] = {
    "tools/list": {"tools": [TOOL]},
    "tools/call": {"resultType": "task", "taskId": "t", "status": "working"},
    "resources/read": {"contents": [], "ttlMs": 5, "cacheScope": "public"},
}


async def server(scope: Any, receive: Any, send: Any) -> None:
    method = json.loads((await receive())["body"])["method"]
    answer = {"jsonrpc": "2.0", "id": 1, "result": RESULTS.get(method, {})}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def request(method: str, name: str | None = None, /, **params: Any) -> dict[str, Any]:
    headers = {"content-type": "application/json", "mcp-protocol-version": "2026-07-28", "mcp-method": method}
    if name is not None:
        headers["mcp-name"] = name
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return {"headers": headers, "body": body}


def sql(**more: str) -> dict[str, Any]:
    called = request("tools/call", "sql", name="sql", arguments={"region": "eu"})
    called["headers"].update(more)
    return called


async def test_arguments_are_compared_with_their_headers_after_the_first_list(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"sql": ["sql"]}}).protect(server)
    token = dev_issuer.mint(RESOURCE, scope="sql")
    assert (await call(app, token=token, **sql())).status == 200
    assert (await call(app, token=token, **request("tools/list"))).status == 200
    for header, status in [("eu", 200), ("=?base64?ZXU=?=", 200), ("us", 400), ("=?base64?!?=", 400)]:
        called = sql(**{"mcp-param-region": header})
        assert (await call(app, token=token, **called)).status == status, header
    refused = await call(app, token=token, **sql())
    assert (refused.status, refused.json["error"]["code"]) == (400, -32020)


async def test_a_task_needs_what_its_call_needed_and_is_its_makers_alone(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"sql": ["sql"]}}).protect(server)
    token = dev_issuer.mint(RESOURCE, scope="sql")
    asked = request("tasks/get", "t", taskId="t")
    assert (await call(app, token=dev_issuer.mint(RESOURCE), **asked)).status == 200
    assert (await call(app, token=token, **sql())).status == 200
    assert (await call(app, token=token, **asked)).status == 200
    weak = await call(app, token=dev_issuer.mint(RESOURCE), **asked)
    assert weak.status == 403 and 'scope="sql"' in weak.headers["www-authenticate"]
    other = dev_issuer.mint(RESOURCE, scope="sql", subject="bob")
    assert (await call(app, token=other, **asked)).status == 403


async def test_what_is_read_is_its_readers_alone(dev_issuer: DevIssuer) -> None:
    policy = {"resources": {"free://*": {"access": "public"}}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    for uri, scope in [("notes://1", "private"), ("free://1", "public")]:
        read = request("resources/read", uri, uri=uri)
        answer = await call(app, token=dev_issuer.mint(RESOURCE), **read)
        assert answer.json["result"]["cacheScope"] == scope


async def test_arguments_are_compared_from_the_start_where_they_are_configured(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer], policy={}, mirrored_arguments={"sql": {"Region": "region"}})
    app = auth.protect(server)
    token = dev_issuer.mint(RESOURCE)
    assert (await call(app, token=token, **sql())).status == 400
    assert (await call(app, token=token, **sql(**{"mcp-param-region": "eu"}))).status == 200
