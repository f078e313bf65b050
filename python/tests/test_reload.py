"""Another configuration, while requests are served."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mcp_auth import ConfigError, McpAuth, TokenError
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo, listening, served

ISSUER = "https://auth.example.com"
OTHER = "http://localhost/other"


def config(issuer: DevIssuer, **settings: Any) -> dict[str, Any]:
    return {"resource": RESOURCE, "authorization_servers": [issuer.issuer], **settings}


async def test_an_unchanged_issuer_keeps_its_keys_and_the_rules_are_the_new_ones(dev_issuer: DevIssuer) -> None:
    auth = McpAuth.from_config(config(dev_issuer, audiences=["urn:shared"]))
    app = auth.protect(echo)
    shared = dev_issuer.mint("urn:shared", scope="mcp")
    ours = dev_issuer.mint(RESOURCE, scope="mcp")

    async def statuses() -> list[int]:
        return [(await call(app, token=token)).status for token in (shared, ours)]

    assert await statuses() == [200, 200]
    dev_issuer.set_mode("offline")
    fetched = dev_issuer.jwks_requests
    rows: list[tuple[dict[str, Any], list[int]]] = [
        ({"audiences": ["urn:shared"], "resource_name": "Notes"}, [200, 200]),
        ({}, [401, 200]),
        ({"audiences": ["urn:shared"], "required_scopes": ["admin"]}, [403, 403]),
        ({"audiences": ["urn:shared"], "required_scopes": "mcp"}, [200, 200]),
        ({"authorization_servers": [ISSUER]}, [401, 401]),
    ]
    for settings, expected in rows:
        auth.reload(config(dev_issuer, **settings))
        assert await statuses() == expected, settings
        required = settings.get("required_scopes", [])
        assert auth.required_scopes == ([required] if isinstance(required, str) else required)
        assert auth.metadata.get("resource_name") == settings.get("resource_name")
    assert dev_issuer.jwks_requests == fetched


async def test_resources_come_and_go(dev_issuer: DevIssuer) -> None:
    auth = McpAuth.from_config(config(dev_issuer))
    app = auth.protect(echo)
    token = dev_issuer.mint([RESOURCE, OTHER])
    both = [config(dev_issuer), {"resource": OTHER, "authorization_servers": [dev_issuer.issuer]}]

    async def statuses() -> list[int]:
        return [(await call(app, target=path, token=token)).status for path in ("/mcp", "/other", "/neither")]

    # A single resource takes every path.
    assert await statuses() == [200, 200, 200]
    auth.reload({"resources": both})
    assert await statuses() == [200, 200, 404]
    document = await call(app, "GET", "/.well-known/oauth-protected-resource/other")
    assert document.json["resource"] == OTHER
    auth.reload({"resources": both[1:]})
    assert auth.resource == OTHER
    assert (await call(app, "GET", "/.well-known/oauth-protected-resource/mcp")).status == 404


async def test_a_fault_changes_nothing(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    auth = McpAuth.from_config(config(dev_issuer))
    app = auth.protect(echo)
    token = dev_issuer.mint(RESOURCE)
    assert (await call(app, token=token)).status == 200
    faulty: list[tuple[dict[str, Any], list[str]]] = [
        (config(dev_issuer, required_scopes=["admin"], clock_tolerance=1000, audienecs=[]), ["clock_tolerance", "audienecs"]),
        (config(dev_issuer, required_scopes=["admin"], handle_keys_file="/nowhere"), ["handle_keys_file"]),
        ({"required_scopes": ["admin"]}, ["resource"]),
        ({"resources": []}, ["resources"]),
    ]
    for given, places in faulty:
        caplog.clear()
        with caplog.at_level(logging.ERROR), pytest.raises(ConfigError) as refused:
            auth.reload(given)
        for place in places:
            assert any(place in fault for fault in refused.value.fields["faults"]), place
            assert "not replaced" in caplog.text and place in caplog.text
        assert (await call(app, token=token)).status == 200
        assert auth.required_scopes == []


async def test_a_part_of_a_configuration_is_none(dev_issuer: DevIssuer) -> None:
    auth: Any = McpAuth.from_config(config(dev_issuer, required_scopes=["mcp"]))
    for part in [{}, {"policy": {"methods": {}}}, {"config": config(dev_issuer), "policy": None}]:
        with pytest.raises(TypeError, match=r"the whole configuration .* from_config .* reload_from_env\(policy=\.\.\.\)"):
            auth.reload(**part)
        assert auth.required_scopes == ["mcp"]


async def test_functions_stay_and_what_was_revoked_stays_revoked(dev_issuer: DevIssuer) -> None:
    asked: list[str | None] = []

    def authorizer(caller: Any, operation: Any) -> bool:
        asked.append(operation.name)
        return operation.name != "write"

    async def verify(token: str) -> dict[str, Any]:
        return {"iss": "own", "sub": token}

    auth = McpAuth.from_config(config(dev_issuer), authorizer=authorizer, token_verifiers={"own_": verify})
    app = auth.protect(echo)
    alice, bob = dev_issuer.mint(RESOURCE), dev_issuer.mint(RESOURCE, subject="bob")
    auth.revoke(dev_issuer.issuer, subject="bob")
    for _ in range(2):
        for tool, token, status in [("read", alice, 200), ("write", alice, 403), ("read", bob, 401), ("read", "own_1", 200)]:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
            headers = {"content-type": "application/json"}
            answer = await call(app, headers=headers, body=json.dumps(message).encode(), token=token)
            assert answer.status == status, (tool, token)
        auth.reload(config(dev_issuer, resource_name="Notes"))
    assert "write" in asked


async def test_it_reads_what_the_constructors_read(dev_issuer: DevIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_AUTH_RESOURCE", RESOURCE)
    monkeypatch.setenv("MCP_AUTH_ISSUER", dev_issuer.issuer)
    auth = McpAuth.from_env(audiences=["urn:shared"])
    app = auth.protect(echo)
    token = dev_issuer.mint("urn:shared", scope="mcp")
    assert (await call(app, token=token)).status == 200
    monkeypatch.setenv("MCP_AUTH_SCOPES", "mcp admin")
    auth.reload_from_env(audiences=["urn:shared"])
    assert auth.required_scopes == ["mcp", "admin"]
    assert (await call(app, token=token)).status == 403
    auth.reload_from_env(audiences=["urn:shared"], required_scopes=["mcp"])
    assert (await call(app, token=token)).status == 200
    auth.reload_from_env(required_scopes=["mcp"])
    assert (await call(app, token=token)).status == 401
    monkeypatch.delenv("MCP_AUTH_ISSUER")
    with pytest.raises(ConfigError, match="MCP_AUTH_ISSUER"):
        auth.reload_from_env()


def test_what_frameworks_were_told_once_is_a_fault(dev_issuer: DevIssuer) -> None:
    from mcp_auth.fastmcp import provider

    policy = {"tools": {"write": ["write"]}}
    routed = McpAuth.from_config(config(dev_issuer))
    routed.routes(echo)
    with pytest.raises(ConfigError, match="routes were made without '/other'"):
        routed.reload({"resource": OTHER, "authorization_servers": [dev_issuer.issuer]})
    routed.reload(config(dev_issuer, policy=policy))

    partly = McpAuth.from_config(config(dev_issuer))
    partly.protect(echo)
    partly.metadata_routes()
    with pytest.raises(ConfigError, match="metadata were made without '/other'"):
        partly.reload({"resource": OTHER, "authorization_servers": [dev_issuer.issuer]})

    verifying = McpAuth.from_config(config(dev_issuer))
    verifying.token_verifier()
    for settings in ({"policy": policy}, {"required_scopes": ["mcp"]}):
        with pytest.raises(ConfigError, match=f"{next(iter(settings))}: .* restart"):
            verifying.reload(config(dev_issuer, **settings))
    verifying.reload(config(dev_issuer, audiences=["urn:shared"]))

    fastmcp = McpAuth.from_config(config(dev_issuer, required_scopes=["mcp"]))
    provider(fastmcp)
    changes: list[dict[str, Any]] = [{"required_scopes": []}, {"authorization_servers": [ISSUER]}, {"resource": OTHER}, {"policy": policy}]
    for change in changes:
        with pytest.raises(ConfigError, match="restart"):
            fastmcp.reload(config(dev_issuer, **{"required_scopes": ["mcp"], **change}))
    fastmcp.reload(config(dev_issuer, required_scopes="mcp", audiences=["urn:shared"]))


class Streams:
    """A server whose stream sends what it is given."""

    def __init__(self) -> None:
        self.app = Starlette(routes=[Route("/mcp", self.answer, methods=["GET"])])
        self._next: asyncio.Queue[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def answer(self, _request: Request) -> Response:
        self._next, self._loop = asyncio.Queue(), asyncio.get_running_loop()
        return StreamingResponse(self._events(self._next), media_type="text/event-stream")

    async def _events(self, events: asyncio.Queue[str]) -> Any:
        yield ": hello\n\n"
        while True:
            yield await events.get()

    def send(self, message: object) -> None:
        assert self._loop is not None and self._next is not None
        self._loop.call_soon_threadsafe(self._next.put_nowait, f"data: {json.dumps(message)}\n\n")


def test_the_next_list_of_an_open_stream_is_that_of_the_new_policy(dev_issuer: DevIssuer) -> None:
    streams = Streams()
    with listening() as (listener, origin):
        resource = f"{origin}/mcp"

        def rules(*scopes: str) -> dict[str, Any]:
            policy = {"strict_lists": True, "tools": {"write": list(scopes)}}
            return {"resource": resource, "authorization_servers": [dev_issuer.issuer], "policy": policy}

        auth = McpAuth.from_config(rules("mcp"))
        headers = {"authorization": f"Bearer {dev_issuer.mint(resource, scope='mcp')}", "accept": "text/event-stream"}
        with (
            served(auth.protect(streams.app), listener),
            httpx2.Client(timeout=20) as client,
            client.stream("GET", resource, headers=headers) as response,
        ):
            lines = response.iter_lines()
            assert next(lines) == ": hello"
            for scopes, shown in [(["mcp"], ["read", "write"]), (["admin"], ["read"]), (["mcp"], ["read", "write"])]:
                auth.reload(rules(*scopes))
                tools = [{"name": "read"}, {"name": "write"}]
                streams.send({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
                data = next(line for line in lines if line.startswith("data: "))
                assert [tool["name"] for tool in json.loads(data[6:])["result"]["tools"]] == shown


async def test_under_load_each_answer_is_right_by_the_old_or_the_new_configuration(dev_issuer: DevIssuer) -> None:
    both = [config(dev_issuer, audiences=["urn:even"]), config(dev_issuer, audiences=["urn:odd"])]
    auth = McpAuth.from_config(both[0])
    tokens = [dev_issuer.mint("urn:even"), dev_issuer.mint("urn:odd")]
    await auth.authenticate(tokens[0])
    begun = returned = 0
    wrong: list[tuple[int, int, int, bool]] = []
    is_over = threading.Event()

    async def accepts(token: str) -> bool:
        try:
            await auth.authenticate(token)
        except TokenError:
            return False
        return True

    async def hammer() -> None:
        while not is_over.is_set():
            for index, token in enumerate(tokens):
                oldest = returned
                told = await accepts(token)
                newest = begun
                if not any((reload % 2 == index) == told for reload in range(oldest, newest + 1)):
                    wrong.append((index, oldest, newest, told))

    threads = [threading.Thread(target=lambda: asyncio.run(hammer())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 101):
        begun = number
        await asyncio.to_thread(auth.reload, both[number % 2])
        returned = number
    is_over.set()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert [await accepts(token) for token in tokens] == [True, False]


async def test_one_within_another_is_refused_and_ends_nothing(dev_issuer: DevIssuer) -> None:
    auth = McpAuth.from_config(config(dev_issuer))
    found: list[str] = []

    class Within(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                auth.reload(config(dev_issuer))
            except RuntimeError as error:
                found.append(str(error))

    handler = Within()
    logger = logging.getLogger("mcp_auth")
    logger.addHandler(handler)
    try:
        # It warns, so that the handler is asked within the reload.
        auth.reload(config(dev_issuer, required_scopes=["admin"], dangerous_unbound_sessions=True))
    finally:
        logger.removeHandler(handler)
    assert found and all("under way" in text for text in found)
    assert auth.required_scopes == ["admin"]
    auth.reload(config(dev_issuer))
    assert auth.required_scopes == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_forked_worker_has_the_configuration_that_is_in_force(dev_issuer: DevIssuer) -> None:
    code = f"""
    import asyncio, os
    from mcp_auth import McpAuth, TokenError
    config = {config(dev_issuer)!r}
    auth = McpAuth.from_config(config)
    token = {dev_issuer.mint("urn:shared")!r}

    async def accepted():
        try:
            await asyncio.wait_for(auth.authenticate(token), 20)
        except TokenError:
            return False
        return True

    assert not asyncio.run(accepted())
    auth.reload({{**config, "audiences": ["urn:shared"]}})
    assert asyncio.run(accepted())
    if (child := os.fork()) == 0:
        is_right = asyncio.run(accepted())
        auth.reload(config)
        os._exit(0 if is_right and not asyncio.run(accepted()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # What the child reloads is its own.
    assert asyncio.run(accepted())
    print("ok")
    """
    run = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "ok", done.stderr
