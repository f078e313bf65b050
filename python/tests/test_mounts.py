"""Where a protected app stands in another one, and what is told when that cannot work."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from mcp_auth import ConfigError, McpAuth, caller
from mcp_auth.fastmcp import provider
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo, listening, served
from test_callers import result, signed_in, tool
from test_sessions import LIST, Caller

ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def who() -> str:
    return str(caller().subject)


async def health(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("well")


def fastmcp_at(path: str) -> Any:
    mcp = FastMCP("mounted")
    mcp.tool(name="who")(who)
    return mcp.http_app(path=path)


def official_at(path: str) -> Any:
    mcp = MCPServer("mounted")
    mcp.tool(name="who")(who)
    return mcp.streamable_http_app(streamable_http_path=path, transport_security=ANY_HOST)


def in_fastapi(auth: McpAuth, inner: Any) -> Any:
    app = FastAPI(lifespan=inner.router.lifespan_context, routes=auth.routes(inner))
    app.add_api_route("/health", health)
    return app


def in_fastapi_later(auth: McpAuth, inner: Any) -> Any:
    app = FastAPI(lifespan=inner.router.lifespan_context)
    app.add_api_route("/health", health)
    app.router.routes.extend(auth.routes(inner))
    return app


def in_starlette(auth: McpAuth, inner: Any) -> Any:
    routes = [Route("/health", health), *auth.routes(inner)]
    return Starlette(routes=routes, lifespan=inner.router.lifespan_context)


@pytest.mark.parametrize("put", [in_fastapi, in_fastapi_later, in_starlette], ids=lambda put: put.__name__)
@pytest.mark.parametrize("path", ["/", "/mcp"])
@pytest.mark.parametrize("make", [fastmcp_at, official_at], ids=lambda make: make.__name__)
def test_a_part_of_an_app_is_protected(
    dev_issuer: DevIssuer, make: Callable[[str], Any], path: str, put: Callable[[McpAuth, Any], Any]
) -> None:
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(put(auth, make(path)), listener):
            alice = signed_in(dev_issuer, auth, "alice")
            assert tool(alice, "who", alice.open())["content"][0]["text"] == "alice"
            for target in ("/mcp", "/mcp/"):
                url = f"{origin}{target}"
                # `send` follows no redirect.
                someone = Caller(url, dev_issuer.mint(auth.resource, subject="alice"))
                assert result(someone.send("POST", LIST, someone.open()))["tools"], target
                refused = httpx2.post(url, json=LIST, trust_env=False)
                assert refused.status_code == 401, target
                place = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
                assert httpx2.get(place, trust_env=False).json()["resource"] == auth.resource
            root = httpx2.get(f"{origin}/.well-known/oauth-protected-resource", trust_env=False)
            assert root.json()["resource"] == auth.resource
            assert httpx2.get(f"{origin}/health", trust_env=False).status_code == 200


def test_around_a_whole_app_nothing_redirects_either(dev_issuer: DevIssuer) -> None:
    inner = fastmcp_at("/")
    outer = FastAPI(lifespan=inner.lifespan)
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        app = auth.protect(outer)
        # After `protect`, as it may be.
        outer.mount("/mcp", inner)
        with served(app, listener):
            for target in ("/mcp", "/mcp/"):
                someone = Caller(f"{origin}{target}", dev_issuer.mint(auth.resource))
                assert result(someone.send("POST", LIST, someone.open()))["tools"], target


async def test_metadata_routes_answer_for_metadata_alone() -> None:
    auth = McpAuth(RESOURCE, ["https://auth.example.com"], serve_authorization_server_metadata=True)
    paths = [route.path for route in auth.metadata_routes()]
    assert paths == [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ]
    app = Starlette(routes=auth.metadata_routes())
    assert (await call(app, "GET", paths[0])).json == auth.metadata
    assert (await call(app, "GET", "/mcp")).status == 404


def wrong_apps() -> list[tuple[str, Any, str]]:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    class Flask:
        def wsgi_app(self) -> None: ...

    async def make_app() -> Any: ...

    async def of_one(scope: Any) -> None: ...

    async def by_name(*, scope: Any, receive: Any, send: Any) -> None: ...

    class OfTwo:
        async def __call__(self, scope: Any, receive: Any) -> None: ...

    auth = McpAuth("https://mcp.example.com/mcp", ["https://auth.example.com"])
    coroutine = app(1, 2, 3)
    coroutine.close()
    official = MCPServer("a", token_verifier=auth.token_verifier(), auth={
        "issuer_url": "https://auth.example.com", "resource_server_url": auth.resource, "validate_token_resource": True,
    })  # type: ignore[arg-type]  # fmt: skip
    return [
        ("none", None, "it is None"),
        ("a server", FastMCP("a"), r"`auth.protect\(mcp.http_app\(\)\)`"),
        ("another server", MCPServer("a"), r"`auth.protect\(mcp.streamable_http_app\(transport_security="),
        ("what was not called", FastMCP("a").http_app, r"makes an app: call it, `auth.protect\(mcp.http_app\(\)\)`"),
        ("the official one", MCPServer("a").streamable_http_app, r"call it, `auth.protect\(mcp.streamable_http_app\(transport_"),
        ("for SSE", MCPServer("a").sse_app, r"call it, `auth.protect\(mcp.sse_app\(\)\)`"),
        ("a lambda", lambda: 1, "is a function that makes an app: call it"),
        ("what makes an app later", make_app, r"auth.protect\(await make_app\(\)\)"),
        ("a function of one", of_one, r"`of_one` is no ASGI app: it takes `\(scope"),
        ("a function of names", by_name, "`by_name` is no ASGI app"),
        ("an object of two", OfTwo(), "`OfTwo` is no ASGI app"),
        ("a class", Starlette, "the class `Starlette`"),
        ("a coroutine", coroutine, "has to be awaited"),
        ("wsgi", Flask(), "WSGI"),
        ("a text", "app", "no ASGI app: str"),
        ("what asks itself", FastMCP("a", auth=provider(auth)).http_app(), "asks for tokens itself"),
        ("what asks itself too", official.streamable_http_app(), "asks for tokens itself"),
        ("what is protected", auth.protect(echo), "protected already"),
        ("an inner app", fastmcp_at("/"), r"no route at /mcp, only at /.*auth.routes\(inner\)"),
        ("an inner app of Starlette", Starlette(routes=[Route("/", echo)]), r"auth.routes\(inner\)"),
    ]


@pytest.mark.parametrize(("name", "app", "expected"), wrong_apps(), ids=[name for name, _, _ in wrong_apps()])
def test_what_cannot_be_protected_says_what_can(name: str, app: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"protect: .*{expected}"):
        McpAuth(RESOURCE, ["https://auth.example.com"]).protect(app)


def test_routes_refuse_the_same_by_their_own_name() -> None:
    auth = McpAuth(RESOURCE, ["https://auth.example.com"])
    rows: list[tuple[Any, str]] = [
        (FastMCP("a"), r"`auth.routes\(mcp.http_app\(\)\)`"),
        (FastMCP("a").http_app, r"call it, `auth.routes\(mcp.http_app\(\)\)`"),
        (Starlette, "the class `Starlette`"),
        (auth.protect(echo), "protected already"),
    ]
    for app, expected in rows:
        with pytest.raises(ConfigError, match=f"routes: .*{expected}"):
            auth.routes(app)


def test_apps_of_every_form_are_protected() -> None:
    class App:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def plain(scope: Any, receive: Any, send: Any) -> Any:
        return echo(scope, receive, send)

    auth = McpAuth(RESOURCE, ["https://auth.example.com"])
    for app in (App(), App().__call__, plain, lambda *values: echo(*values), partial(plain)):
        auth.protect(app)


async def started(app: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return incoming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    return sent


async def test_an_app_that_is_elsewhere_does_not_start() -> None:
    def at(resource: str, app: Any) -> Any:
        return McpAuth(resource, ["https://auth.example.com"]).protect(app)

    app = Starlette(routes=[Route("/other", echo)])
    [failed] = await started(at(RESOURCE, app))
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"].startswith("mcp_auth: no route of the app is at /mcp (its routes: /other). Make it with `path=\"/mcp\"`")
    for resource, fine in (
        (RESOURCE, Starlette(routes=[Mount("/", echo)])),
        (RESOURCE, Starlette(routes=[Route("/mcp/{name}", echo)])),
        ("http://localhost", app),
    ):
        assert [one["type"] for one in await started(at(resource, fine))] == [
            "lifespan.startup.complete", "lifespan.shutdown.complete",
        ]  # fmt: skip


async def test_only_the_slash_at_the_end_of_the_resource_is_left_out(dev_issuer: DevIssuer) -> None:
    """Not that of anything below it: what is decided is what is called."""
    app = Starlette(routes=[Route("/mcp", health), Route("/mcp/a", health)])
    protected = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(app)
    token = dev_issuer.mint(RESOURCE)
    assert (await call(protected, "GET", "/mcp", token=token)).status == 200
    assert (await call(protected, "GET", "/mcp/", token=token)).status == 200
    assert (await call(protected, "GET", "/mcp/a", token=token)).status == 200
    assert (await call(protected, "GET", "/mcp/a/", token=token)).status == 307
    assert (await call(protected, "GET", "/mcp//", token=token)).status in (307, 404)


def mounted(resource: str, at: str, inner: Any, **more: Any) -> Any:
    auth = McpAuth(resource, ["https://auth.example.com"])
    app = FastAPI(**more)
    app.mount(at, auth.protect(inner))
    return app


def with_metadata(resource: str, at: str, inner: Any) -> Any:
    auth = McpAuth(resource, ["https://auth.example.com"])
    return FastAPI(routes=[*auth.metadata_routes(), Mount(at, auth.protect(inner))])


API = "http://localhost/api/mcp"
PLACES: list[tuple[str, Any, str, str | None]] = [
    ("its own route below the mount", lambda: mounted(RESOURCE, "/mcp", fastmcp_at("/mcp")), "/mcp/", r"\(its routes: /mcp/mcp\).*routes=auth.routes\(inner\)"),
    ("the same, found at that route", lambda: mounted(RESOURCE, "/mcp", official_at("/mcp")), "/mcp/mcp", "is mounted at /mcp, and has no route at /mcp "),
    ("mounted at another place", lambda: mounted(RESOURCE, "/api", fastmcp_at("/mcp")), "/api/mcp", "is mounted at /api, and has no route at /mcp "),
    ("metadata with nobody to answer", lambda: mounted(API, "/api", fastmcp_at("/mcp")), "/api/mcp", r"no route at /.well-known/oauth-protected-resource/api/mcp.*auth.metadata_routes\(\)"),
    ("any ASGI app, without metadata", lambda: mounted(RESOURCE, "/mcp", echo), "/mcp/", r"auth.metadata_routes\(\)"),
    ("metadata beside the mount", lambda: with_metadata(API, "/api", fastmcp_at("/mcp")), "/api/mcp", None),
    ("mounted at the root", lambda: mounted(RESOURCE, "/", fastmcp_at("/mcp")), "/mcp", None),
    ("not mounted", lambda: McpAuth(RESOURCE, ["https://auth.example.com"]).protect(fastmcp_at("/mcp")), "/mcp", None),
]  # fmt: skip


@pytest.mark.parametrize(("make", "target", "expected"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
async def test_a_mount_where_clients_do_not_find_it_is_warned_of_once(
    make: Any, target: str, expected: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    app = make()
    for _ in range(2):
        assert (await call(app, target=target)).status == 401
    found = [record.getMessage() for record in caplog.records if record.name == "mcp_auth"]
    assert len(found) == (0 if expected is None else 1), found
    assert expected is None or re.search(expected, found[0]), found
