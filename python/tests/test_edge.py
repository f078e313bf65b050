"""The whole edge around an ASGI app."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from mcp_auth import ConfigError, InsufficientScope, McpAuth, auth_info, require_scopes
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo


def message(name: str) -> bytes:
    params = {"name": name, "arguments": {}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


JSON = {"content-type": "application/json"}


async def test_a_good_token_goes_through_and_stays_outside(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    answer = await call(app, token=dev_issuer.mint(RESOURCE), headers={"x-a": "1"}, body=b"hello")
    assert answer.status == 200
    assert answer.json == {"headers": {"x-a": "1"}, "body": "hello", "sub": "alice"}


async def test_without_a_token_the_challenge_says_where_to_look(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], required_scopes=["mcp"]).protect(echo)
    answer = await call(app)
    assert answer.status == 401
    challenge = answer.headers["www-authenticate"]
    assert 'resource_metadata="http://localhost/.well-known/oauth-protected-resource/mcp"' in challenge
    assert 'scope="mcp"' in challenge and "error=" not in challenge


async def test_metadata_is_served_without_a_token(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    answer = await call(app, "GET", "/.well-known/oauth-protected-resource/mcp")
    assert answer.status == 200
    assert answer.json["resource"] == RESOURCE
    assert answer.json["authorization_servers"] == [dev_issuer.issuer]
    assert (await call(app, "GET", "/.well-known/oauth-protected-resource/other")).status == 404


async def test_a_preflight_needs_no_token(dev_issuer: DevIssuer) -> None:
    origin = "https://app.example.com"
    app = McpAuth(RESOURCE, [dev_issuer.issuer], allowed_origins=[origin]).protect(echo)
    headers = {"origin": origin, "access-control-request-method": "POST"}
    answer = await call(app, "OPTIONS", headers=headers)
    assert answer.status == 204 and answer.headers["access-control-allow-origin"] == origin
    answer = await call(app, headers={"origin": origin}, token=dev_issuer.mint(RESOURCE))
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == origin
    answer = await call(app, headers={"origin": "https://evil.example"}, token=dev_issuer.mint(RESOURCE))
    assert answer.status == 403


async def test_a_policy_reads_the_message_and_hands_it_on(dev_issuer: DevIssuer) -> None:
    policy = {"tools": {"delete": ["notes:delete"]}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(echo)
    token = dev_issuer.mint(RESOURCE, scope="notes:read")
    answer = await call(app, headers=JSON, body=message("read"), token=token)
    assert answer.status == 200 and answer.json["body"] == message("read").decode()
    answer = await call(app, headers=JSON, body=message("delete"), token=token)
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert "notes:delete" in answer.headers["www-authenticate"]
    assert (await call(app, headers=JSON, body=b"{", token=token)).status == 400
    too_long = b" " * (5 * 1024 * 1024)
    assert (await call(app, headers=JSON, body=too_long, token=token)).status == 413


async def test_lists_show_what_the_policy_allows(dev_issuer: DevIssuer) -> None:
    tools = [{"name": name, "inputSchema": {}} for name in ("read", "delete")]
    result = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
    kinds = {"json": b"application/json", "events": b"text/event-stream"}
    kind = "json"

    async def server(scope: Any, receive: Any, send: Any) -> None:
        body = result if kind == "json" else b"event: message\ndata: " + result + b"\n\n"
        headers = [(b"content-type", kinds[kind]), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (body[:30], body[30:]):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    auth = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"delete": ["admin"]}, "strict_lists": True})
    app = auth.protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    for kind in kinds:
        token = dev_issuer.mint(RESOURCE)
        answer = await call(app, headers=JSON, body=asked, token=token)
        assert b'"read"' in answer.body and b'"delete"' not in answer.body, kind
        assert "content-length" not in answer.headers
        answer = await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE, scope="admin"))
        assert b'"read"' in answer.body and b'"delete"' in answer.body, kind


@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
async def test_a_tool_that_asks_for_more_scopes_becomes_a_challenge(
    dev_issuer: DevIssuer, kind: bytes
) -> None:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}
        if kind == b"text/event-stream":
            await send(start)
        try:
            require_scopes("notes:delete")
        except InsufficientScope as error:
            assert error.required == ["notes:delete"] and error.code == "insufficient_scope"
            if kind != b"text/event-stream":
                await send(start)
            body = b'data: {"result": "an error that the client should not see"}\n\n'
            await send({"type": "http.response.body", "body": body})

    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(server)
    answer = await call(app, token=dev_issuer.mint(RESOURCE, scope="mcp"), body=message("delete"))
    assert answer.status == 403 and b"should not see" not in answer.body
    assert "notes:delete" in answer.headers["www-authenticate"]


async def test_rules_in_python(dev_issuer: DevIssuer) -> None:
    def rules(caller: Any, operation: Any) -> bool | list[str]:
        if operation.kind != "tool":
            return True
        if operation.name == "ask":
            return ["more"] if "more" not in caller.scopes else True
        if operation.name == "fail":
            raise RuntimeError
        return caller.subject == "alice" and operation.arguments == {}

    app = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=rules).protect(echo)
    alice, bob = (dev_issuer.mint(RESOURCE, subject=name) for name in ("alice", "bob"))

    async def status(token: str, name: str) -> tuple[int, bool]:
        answer = await call(app, headers=JSON, body=message(name), token=token)
        return answer.status, "scope=" in answer.headers.get("www-authenticate", "")

    assert await status(alice, "any") == (200, False)
    assert await status(bob, "any") == (403, False)
    assert await status(alice, "ask") == (403, True)
    assert await status(alice, "fail") == (403, False)


async def test_verify_functions_by_prefix(dev_issuer: DevIssuer) -> None:
    async def session(token: str) -> dict[str, Any] | None:
        await asyncio.sleep(0)
        if token == "s_old":
            return {"iss": "sessions", "sub": "carol", "exp": 1}
        return {"iss": "sessions", "sub": "carol"} if token == "s_good" else None

    def key(token: str) -> dict[str, Any]:
        time.sleep(0.01)
        if token == "k_down":
            raise ConnectionError(token)
        if token == "k_odd":
            return {"iss": "keys", "at": time.localtime}
        if token == "k_text":
            return "machine"  # type: ignore[return-value]
        return {"iss": "keys", "sub": "machine", "scope": "mcp"}

    verifiers = {"s_": session, "k_": key}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers=verifiers).protect(echo)

    async def outcome(token: str) -> tuple[int, Any]:
        answer = await call(app, token=token)
        return answer.status, answer.json.get("sub")

    assert await outcome("s_good") == (200, "carol")
    assert await outcome("s_bad") == await outcome("s_old") == (401, None)
    assert await outcome("k_good") == (200, "machine")
    for token in ("k_down", "k_odd", "k_text"):
        assert await outcome(token) == (503, None)
    assert await outcome(dev_issuer.mint(RESOURCE)) == (200, "alice")


async def test_the_context_ends_with_the_request(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    await call(app, token=dev_issuer.mint(RESOURCE))
    assert auth_info() is None


async def test_lifespan_goes_through_and_websockets_need_a_token(dev_issuer: DevIssuer) -> None:
    seen: list[str] = []
    sent: list[Any] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(server)
    await app({"type": "lifespan"}, None, send)  # type: ignore[arg-type]
    scope = {"type": "websocket", "path": "/mcp", "query_string": b"", "headers": []}

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await app(scope, receive, send)
    assert (seen, sent) == (["lifespan"], [{"type": "websocket.close", "code": 1008}])
    token = dev_issuer.mint(RESOURCE).encode()
    await app({**scope, "headers": [(b"authorization", b"Bearer " + token)]}, receive, send)
    assert seen == ["lifespan", "websocket"]


async def test_what_is_no_http_is_refused(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    assert (await call(app, headers={"origin": "a\x00b"}, token=dev_issuer.mint(RESOURCE))).status == 400


async def test_paths_that_routers_would_take_for_another_resource_are_refused(
    dev_issuer: DevIssuer,
) -> None:
    inner = {"resource": f"{RESOURCE}/admin", "authorization_servers": [dev_issuer.issuer]}
    outer = {**inner, "resource": RESOURCE}
    app = McpAuth.from_config({"resources": [outer, inner]}).protect(echo)
    token = dev_issuer.mint(RESOURCE)
    assert (await call(app, target="/mcp/other", token=token)).status == 200
    assert (await call(app, target="/mcp/a%20b", token=token)).status == 200
    assert (await call(app, target="/mcp/admin", token=token)).status == 401
    encoded = ("/mcp/%61dmin", "/mcp%2Fadmin", "/mcp/%61dmin/x", "/mcp/admin%2Fx/%FF")
    for disguised in (*encoded, "/mcp/ADMIN", "/mcp//admin", "/mcp/./admin;x", "/mcp/x/../admin"):
        assert (await call(app, target=disguised, token=token)).status == 404, disguised
    assert (await call(app, target="/mcp/%61dmin", token=dev_issuer.mint(inner["resource"]))).status == 404


def test_a_resource_may_have_an_encoded_path() -> None:
    auth = McpAuth("http://localhost/a%20b", ["https://auth.example.com"])
    assert auth.metadata["resource"] == "http://localhost/a%20b"


async def test_what_cannot_be_read_is_not_sent_unfiltered(dev_issuer: DevIssuer) -> None:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"x a", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    policy = {"tools": {"delete": ["admin"]}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    with pytest.raises(ValueError, match="a header of the response"):
        await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE))


LABELS = ["", "application/json", "text/plain", "application/octet-stream", "text/html", "text/event-stream"]


@pytest.mark.parametrize("status", [200, 202, 400, 500])
@pytest.mark.parametrize("label", LABELS)
async def test_a_list_is_filtered_whatever_its_label_and_status(
    dev_issuer: DevIssuer, label: str, status: int
) -> None:
    result = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read"},{"name":"delete"}]}}'
    seen: list[Any] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"])
        headers = [(b"content-type", label.encode())] if label else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in (result[:1], result[1:]):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    policy = {"tools": {"delete": ["admin"]}, "strict_lists": True}
    protected = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    extensions = {"http.response.pathsend": {}, "http.response.early_hint": {}}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await protected({**scope, "extensions": extensions}, receive, send)

    for method in ("tools/list", "ping"):
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode()
        answer = await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE))
        assert answer.status == status
        assert b'"read"' in answer.body and b'"delete"' not in answer.body
    # The bytes of a file are looked at too.
    assert seen == [{"http.response.early_hint": {}}] * 2
    assert len(extensions) == 2


LISTS = {
    "tools/list": ("tools", "name", "read", "delete"),
    "prompts/list": ("prompts", "name", "read", "delete"),
    "resources/list": ("resources", "uri", "note://a", "note://secret"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", "note://{id}", "note://secret/{id}"),
}


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("kind", ["text", "html", "bytes", "json", "stream", "file", "error"])
async def test_lists_are_filtered_in_every_response_of_a_framework(
    dev_issuer: DevIssuer, tmp_path: Path, method: str, kind: str
) -> None:
    member, name, open_one, closed_one = LISTS[method]
    content = {"jsonrpc": "2.0", "id": 1, "result": {member: [{name: open_one}, {name: closed_one}]}}
    text = json.dumps(content)
    file = tmp_path / "list"
    file.write_text(text)

    async def pieces() -> AsyncIterator[str]:
        for one in text:
            yield one

    async def endpoint(_request: Request) -> Response:
        responses: dict[str, Callable[[], Response]] = {
            "text": lambda: PlainTextResponse(text),
            "html": lambda: HTMLResponse(text, 404),
            "bytes": lambda: Response(text.encode()),
            "json": lambda: JSONResponse(content, 500),
            "stream": lambda: StreamingResponse(pieces()),
            "file": lambda: FileResponse(file),
        }
        if kind == "error":
            raise HTTPException(400, text)
        return responses[kind]()

    rule = ["admin"]
    policy = {
        "tools": {"delete": rule},
        "prompts": {"delete": rule},
        "resources": {"note://secret": rule, "note://secret/{id}": rule},
        "strict_lists": True,
    }
    server = Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])])
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode()
    answer = await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE, scope="mcp"))
    assert closed_one.encode() not in answer.body and open_one.encode() in answer.body, answer
    assert answer.headers.get("content-length", str(len(answer.body))) == str(len(answer.body))
    known = dev_issuer.mint(RESOURCE, scope="mcp admin")
    answer = await call(app, headers=JSON, body=asked, token=known)
    assert closed_one.encode() in answer.body and open_one.encode() in answer.body, answer


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-encoding", b"gzip")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"content-type", b"application/json; charset=utf-16")],
    ],
)
async def test_a_list_in_another_encoding_is_withheld(dev_issuer: DevIssuer, headers: Any) -> None:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"result":{"tools":[{"name":"delete"}]}}'})

    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"delete": ["admin"]}}).protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    answer = await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE))
    assert answer.status == 500 and b"delete" not in answer.body


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
async def test_a_late_body_is_given_up_in_every_version_of_http(dev_issuer: DevIssuer, version: str) -> None:
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(message)

    auth = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"a": ["b"]}}, body_timeout=0.05)
    token = dev_issuer.mint(RESOURCE).encode()
    headers = [(b"authorization", b"Bearer " + token), (b"content-type", b"application/json")]
    scope = {"type": "http", "http_version": version, "method": "POST", "path": "/mcp", "headers": headers}
    await asyncio.wait_for(auth.protect(echo)(scope, receive, send), 20)
    assert sent[0]["status"] == 408
    assert ((b"connection", b"close") in sent[0]["headers"]) == version.startswith("1")


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
async def test_a_body_that_no_header_announces_does_not_go_on(dev_issuer: DevIssuer, method: str) -> None:
    """HTTP/2 has no header that tells of it."""
    received: list[Any] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        received.extend([await receive(), await receive()])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def send(message: Any) -> None:
        pass

    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"a": ["b"]}}).protect(server)
    headers = [(b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    # The second time, the token was seen before.
    for _ in range(2):
        received.clear()
        messages = [
            {"type": "http.request", "body": b'{"a":', "more_body": True},
            {"type": "http.request", "body": b"1}", "more_body": False},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Any:
            return messages.pop(0)

        scope = {"type": "http", "http_version": "2", "method": method, "path": "/mcp", "headers": headers}
        await app(scope, receive, send)
        assert received == [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]


async def test_websockets_are_refused_under_a_policy(dev_issuer: DevIssuer) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"a": ["b"]}}).protect(echo)
    headers = [(b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    scope = {"type": "websocket", "path": "/mcp", "query_string": b"", "headers": headers}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_filtered_stream_begins_before_its_first_event(dev_issuer: DevIssuer) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def server(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        assert [message["type"] for message in sent] == ["http.response.start"]
        await send({"type": "http.response.body", "body": b"data: {}\n\n"})

    policy = {"tools": {"a": ["b"]}, "strict_lists": True}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    headers = [(b"authorization", b"Bearer " + dev_issuer.mint(RESOURCE).encode())]
    scope = {"type": "http", "method": "GET", "path": "/mcp", "headers": iter(headers)}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert len(sent) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_exception_that_asks_for_scopes_is_a_challenge(dev_issuer: DevIssuer, method: str) -> None:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        require_scopes("admin")

    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(server)
    answer = await call(app, method, token=dev_issuer.mint(RESOURCE))
    assert answer.status == 403 and 'scope="admin"' in answer.headers["www-authenticate"]


async def test_odd_headers_are_read_as_they_are(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    many = [(f"x-{number}", "1") for number in range(40_000)]
    assert (await call(app, headers=many, token=dev_issuer.mint(RESOURCE))).status == 400


def test_texts_are_no_lists_and_authorizers_do_not_wait() -> None:
    async def later(_caller: Any, _operation: Any) -> bool:
        return True

    for wrong in (
        {"required_scopes": "mcp"}, {"audiences": "api://x"}, {"authorizer": later}, {"authorizer": 3},
        {"clock_tolerance": later}, {"nonsense": 1},
    ):  # fmt: skip
        name = next(iter(wrong))
        with pytest.raises(ConfigError, match=name):
            McpAuth(RESOURCE, ["https://auth.example.com"], **wrong)


@pytest.mark.parametrize("policy", [None, {"tools": {"a": ["b"]}}])
async def test_a_framework_that_answers_exceptions_does_not_hide_a_challenge(
    dev_issuer: DevIssuer, policy: Any
) -> None:
    async def endpoint(_request: Any) -> JSONResponse:
        require_scopes("admin")
        return JSONResponse({})

    inner = Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])])
    settings = {} if policy is None else {"policy": policy}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], **settings).protect(inner)
    answer = await call(app, headers=JSON, body=message("x"), token=dev_issuer.mint(RESOURCE))
    assert answer.status == 403 and 'scope="admin"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_under_a_policy_whatever_is_read_as_bytes_is_a_piece_of_a_body(dev_issuer: DevIssuer, kind: Any) -> None:
    tools = [{"name": "delete"}, {"name": "read"}]
    listed = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
    policy = {"tools": {"delete": {"roles": ["admin"]}}}

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": kind(listed)})

    async def pieces(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for at in range(0, len(listed), 7):
            await send({"type": "http.response.body", "body": kind(listed[at : at + 7]), "more_body": True})
        await send({"type": "http.response.body", "body": kind(b"")})

    async def stream(_request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[Any]:
            # Starlette takes no bytearray.
            yield listed if kind is bytearray else kind(listed)

        return StreamingResponse(parts(), media_type="application/json")

    starlette = Starlette(routes=[Route("/mcp", stream, methods=["POST"])])
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    for server in (whole, pieces, starlette):
        app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
        # Servers may hand over the body of the request in that way, too.
        answer = await call(app, headers=JSON, body=kind(asked), token=dev_issuer.mint(RESOURCE))
        assert answer.status == 200 and answer.json["result"]["tools"] == [{"name": "read"}]


async def test_under_a_policy_a_body_that_is_a_text_or_a_number_is_an_error(dev_issuer: DevIssuer) -> None:
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    for body in ("{}", 5, None):

        async def server(scope: Any, receive: Any, send: Any, body: Any = body) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"a": ["b"]}}).protect(server)
        with pytest.raises(TypeError):
            await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE))
