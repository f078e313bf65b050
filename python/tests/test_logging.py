"""What is logged, at which level, with which fields."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from mcp_auth import McpAuth
from mcp_auth.fastmcp import provider
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo


def message(tool: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}).encode()


def decisions(caplog: pytest.LogCaptureFixture) -> list[Any]:
    found = [record for record in caplog.records if record.name == "mcp_auth.decision"]
    caplog.clear()
    return found


async def test_levels_and_fields(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"wipe": ["adm"]}}).protect(echo)
    caplog.set_level(logging.DEBUG, "mcp_auth")
    good = dev_issuer.mint(RESOURCE, scope="mcp")
    json_headers = {"content-type": "application/json"}

    await call(app, body=message("read"), token=good, headers=json_headers)
    [allowed] = decisions(caplog)
    assert (allowed.levelno, allowed.code, allowed.issuer) == (logging.INFO, "allowed", dev_issuer.issuer)
    assert allowed.resource == RESOURCE and allowed.operation == "tools/call read"

    await call(app, body=message("wipe"), token=good, headers=json_headers)
    [refused] = decisions(caplog)
    assert (refused.levelno, refused.code, refused.status) == (logging.WARNING, "insufficient_scope", 403)
    assert (refused.expected, refused.actual) == ("adm", "mcp") and refused.operation == "tools/call wipe"
    assert (refused.methods, refused.rules) == (["tools/call wipe"], ["tools.wipe"])

    await call(app, body=b"{}", token=dev_issuer.mint("http://other/mcp"))
    [refused] = decisions(caplog)
    assert (refused.levelno, refused.code, refused.status) == (logging.WARNING, "wrong_audience", 401)
    assert (refused.expected, refused.actual) == ([RESOURCE], ["http://other/mcp"])
    # Once, and not as a text within a text.
    assert f'expected=["{RESOURCE}"]' in refused.getMessage() and "\\" not in refused.getMessage()

    headers = {"origin": "http://localhost", "access-control-request-method": "POST"}
    await call(app, "OPTIONS", headers=headers)
    [preflight] = decisions(caplog)
    assert (preflight.levelno, preflight.code) == (logging.DEBUG, "preflight")


async def test_what_a_framework_asks_about_is_logged_as_a_request_is(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    app, official, fastmcp = auth.protect(echo), auth.token_verifier(), provider(auth)
    tokens = [
        dev_issuer.mint("http://other/mcp"),
        dev_issuer.mint(["http://other/mcp", 'x", got "y\n']),
        dev_issuer.mint(RESOURCE, broken="id-token"),
        dev_issuer.mint(RESOURCE, issuer="https://other.example.com/\u2028"),
        dev_issuer.mint(RESOURCE, header={"kid": 'x\ninjected="line"'}),
        dev_issuer.mint(RESOURCE, broken="signature"),
        dev_issuer.mint(RESOURCE, without=["exp"]),
        "not-a-jwt",
    ]
    for token in tokens:
        await call(app, token=token)
        [expected] = decisions(caplog)
        for verifier in (official, fastmcp):
            assert await verifier.verify_token(token) is None
            [found] = decisions(caplog)
            for name in ("levelno", "code", "status", "resource", "expected", "actual"):
                assert getattr(found, name) == getattr(expected, name), name
            text = found.getMessage()
            assert f"code={expected.code} " in text and not any(one in text for one in "\n\r\u2028") and token not in text


async def test_what_is_no_token_at_all_is_logged_too(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    assert await McpAuth(RESOURCE, [dev_issuer.issuer]).token_verifier().verify_token("a\nb c") is None
    [found] = decisions(caplog)
    assert (found.code, found.status, found.expected) == ("invalid_request", 400, "a bearer token")
    assert found.actual and "\n" not in found.getMessage()


async def test_what_a_stranger_writes_stays_in_its_line(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
    for kid in ('x\ninjected="line"', "x\r\ny", 'a" code="allowed', "\u2028z"):
        await call(app, token=dev_issuer.mint(RESOURCE, header={"kid": kid}))
    found = decisions(caplog)
    assert [record.code for record in found] == ["unknown_key"] * 4
    for record in found:
        text = record.getMessage()
        assert not any(character in text for character in "\n\r\u2028") and " code=unknown_key " in text


async def test_the_level_is_asked_when_something_is_logged(dev_issuer: DevIssuer) -> None:
    seen: list[tuple[str, int]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.name, record.levelno))

    ours, below, handler = logging.getLogger("mcp_auth"), logging.getLogger("mcp_auth.decision"), Handler()
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    await auth.ready()
    app, token = auth.protect(echo), dev_issuer.mint(RESOURCE)
    ours.addHandler(handler)
    try:
        steps = ((ours, logging.ERROR, 0), (ours, logging.INFO, 1), (below, logging.WARNING, 0), (below, logging.DEBUG, 1))
        for logger, level, count in steps:
            logger.setLevel(level)
            seen.clear()
            assert (await call(app, token=token)).status == 200
            assert seen == [("mcp_auth.decision", logging.INFO)] * count, (logger, level)
        logging.disable(logging.CRITICAL)
        seen.clear()
        assert (await call(app)).status == 401
        assert seen == []
    finally:
        logging.disable(logging.NOTSET)
        ours.removeHandler(handler)
        ours.setLevel(logging.NOTSET)
        below.setLevel(logging.NOTSET)


def test_weak_settings_are_warned_of_whenever_logging_was_set_up(caplog: pytest.LogCaptureFixture) -> None:
    McpAuth(RESOURCE, ["https://auth.example.com"], allowed_origins=["*"])
    [warning] = [record for record in caplog.records if "every web page may call" in record.getMessage()]
    assert warning.levelno == logging.WARNING and warning.resource == RESOURCE  # type: ignore[attr-defined]
