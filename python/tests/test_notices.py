"""What issuers tell: logout tokens and security events; and code of one's own that says what was revoked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_auth import ConfigError, McpAuth
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo

LOGOUT, EVENTS = "/backchannel-logout", "/shared-signals"
FORM, SECEVENT = "application/x-www-form-urlencoded", "application/secevent+jwt"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


def listening(issuer: DevIssuer, **more: Any) -> McpAuth:
    server = {
        "issuer": issuer.issuer,
        "back_channel_logout": {"audience": ["our-client"]},
        "shared_signals": {"audience": ["our-stream"]},
        **more,
    }
    return McpAuth(RESOURCE, [server])  # type: ignore[list-item]


def logout_token(issuer: DevIssuer, jti: str, **claims: Any) -> str:
    all_claims = {"jti": jti, "sid": "s-1", "events": {LOGOUT_EVENT: {}}, **claims}
    without = ["client_id", "sub", "scope"]
    return issuer.mint("our-client", header={"typ": "logout+jwt"}, claims=all_claims, without=without, expires_in=120)


def security_event(issuer: DevIssuer, jti: str, **claims: Any) -> str:
    subject = {"format": "iss_sub", "iss": issuer.issuer, "sub": "alice"}
    all_claims = {"jti": jti, "sub_id": subject, "events": {REVOKED: {"event_timestamp": int(time.time())}}, **claims}
    without = ["client_id", "sub", "scope", "exp"]
    return issuer.mint("our-stream", header={"typ": "secevent+jwt"}, claims=all_claims, without=without)


async def post(app: Any, path: str, kind: str, body: str, *more: tuple[str, str]) -> Any:
    return await call(app, "POST", path, [("content-type", kind), *more], body.encode())


async def test_a_session_that_ends_at_the_issuer_ends_here(dev_issuer: DevIssuer) -> None:
    auth = listening(dev_issuer)
    protected = auth.protect(echo)
    # Also where the routes alone are mounted, and `protect` is around a part.
    routed = Starlette(routes=[*auth.metadata_routes(), Mount("/", protected)])
    for number, app in enumerate([protected, routed]):
        sid = f"s-{number}"
        tokens = [dev_issuer.mint(RESOURCE, claims={"sid": one}) for one in (sid, "another")]
        assert [(await call(protected, token=one)).status for one in tokens] == [200, 200]
        notice = logout_token(dev_issuer, f"l-{number}", sid=sid)
        answer = await post(app, LOGOUT, FORM, f"logout_token={notice}")
        assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"", "no-store")
        assert [(await call(protected, token=one)).status for one in tokens] == [401, 200]
        assert (await post(app, LOGOUT, FORM, f"logout_token={notice}")).status == 400


async def test_a_security_event_ends_the_tokens_of_before(dev_issuer: DevIssuer) -> None:
    app = listening(dev_issuer).protect(echo)
    token = dev_issuer.mint(RESOURCE, subject="alice")
    assert (await call(app, token=token)).status == 200
    answer = await post(app, EVENTS, SECEVENT, security_event(dev_issuer, "e-1"))
    assert (answer.status, answer.body) == (202, b"")
    assert (await call(app, token=token)).status == 401


async def test_what_is_no_notice_is_refused(dev_issuer: DevIssuer) -> None:
    app = listening(dev_issuer).protect(echo)
    good = logout_token(dev_issuer, "l-1")
    token = dev_issuer.mint(RESOURCE, claims={"sid": "s-1"})
    for body in (
        f"logout_token={good}&logout_token={good}",
        f"logout_token={token}",
        f"logout_token={logout_token(dev_issuer, 'l-2', nonce='n')}",
        f"logout_token={logout_token(dev_issuer, 'l-3', events={})}",
        f"logout_token={security_event(dev_issuer, 'e-1')}",
    ):
        assert (await post(app, LOGOUT, FORM, body)).status == 400
    assert (await post(app, LOGOUT, FORM, "x" * 20_000)).status == 413
    assert (await call(app, "GET", LOGOUT)).status == 405
    refused = await post(app, EVENTS, SECEVENT, good)
    assert (refused.status, refused.json["err"]) == (400, "invalid_request")
    assert (await call(app, token=token)).status == 200


async def test_a_transmitter_says_what_was_agreed(dev_issuer: DevIssuer) -> None:
    signals = {"audience": ["our-stream"], "authorization": "Bearer 4f1c9a"}
    app = listening(dev_issuer, shared_signals=signals).protect(echo)
    event = security_event(dev_issuer, "e-1")
    for value, status in (("Bearer 4f", 400), ("Bearer 4f1c9a", 202)):
        answer = await post(app, EVENTS, SECEVENT, event, ("authorization", value))
        assert answer.status == status
        if status == 400:
            assert answer.json["err"] == "authentication_failed"
    with pytest.raises(ConfigError) as fault:
        listening(dev_issuer, shared_signals={"audience": [], "authorization": 4711})
    assert "4711" not in str(fault.value)


def _raise(_: object) -> bool:
    raise LookupError("the database is away")


async def _later(caller: Any) -> bool:
    await asyncio.sleep(0)
    return caller.subject == "mallory"


CHECKS: list[tuple[Callable[[Any], Any], int, int]] = [
    (lambda caller: caller.subject == "mallory", 200, 401),
    (_later, 200, 401),
    (_raise, 503, 503),
    (lambda _: None, 503, 503),
    (lambda _: "no", 503, 503),
]


@pytest.mark.parametrize(("check", "of_alice", "of_mallory"), CHECKS)
async def test_a_revocation_check_is_asked(
    dev_issuer: DevIssuer, check: Callable[[Any], Any], of_alice: int, of_mallory: int
) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer], revocation_check=check)
    app = auth.protect(echo)
    for subject, expected in (("alice", of_alice), ("mallory", of_mallory)):
        token = dev_issuer.mint(RESOURCE, subject=subject)
        assert [(await call(app, token=token)).status for _ in range(2)] == [expected, expected]


async def test_a_revocation_check_is_asked_again_in_the_background(dev_issuer: DevIssuer) -> None:
    now = int(time.time())
    asked: list[str] = []

    async def check(caller: Any) -> bool:
        asked.append(caller.subject)
        return len(asked) > 1

    auth = McpAuth.from_config(
        {"resource": RESOURCE, "authorization_servers": [dev_issuer.issuer]},
        revocation_check=check,
        revocation_check_interval=30,
        clock=lambda: now,
    )
    app = auth.protect(echo)
    token = dev_issuer.mint(RESOURCE, subject="alice")
    assert [(await call(app, token=token)).status for _ in range(3)] == [200, 200, 200]
    assert len(asked) == 1
    now += 30
    # It goes on by the last answer, and asks.
    assert (await call(app, token=token)).status == 200
    while len(asked) < 2 or (await call(app, token=token)).status == 200:
        await asyncio.sleep(0)
    assert (await call(app, token=token)).status == 401


@pytest.mark.parametrize("wrong", [{"revocation_check": 7}, {"revocation_check_interval": 0}, {"logout_path": "x"}])
def test_what_cannot_work_is_a_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as fault:
        McpAuth(RESOURCE, ["https://as.example.com"], **wrong)
    assert next(iter(wrong)) in str(fault.value)
