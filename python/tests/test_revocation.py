"""Tokens that were good, and are revoked."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mcp_auth import McpAuth, TokenError
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo, listening, served
from test_sessions import LIST, Caller

ISSUER = "https://auth.example.com"


async def test_what_is_revoked_is_refused_also_where_it_was_accepted_before(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    app = auth.protect(echo)
    revocations: dict[str, dict[str, Any]] = {
        "alice": {"subject": "alice"},
        "robot": {"client_id": "robot"},
        "session": {"sid": "s-1"},
        "token": {"jti": "t-1"},
    }
    tokens = {
        "alice": dev_issuer.mint(RESOURCE, subject="alice"),
        "robot": dev_issuer.mint(RESOURCE, client_id="robot", without=["sub"]),
        "session": dev_issuer.mint(RESOURCE, subject="carol", claims={"sid": "s-1"}),
        "token": dev_issuer.mint(RESOURCE, subject="dave", claims={"jti": "t-1"}),
        "bob": dev_issuer.mint(RESOURCE, subject="bob"),
    }

    async def accepted() -> set[str]:
        return {name for name, token in tokens.items() if (await call(app, token=token)).status == 200}

    left = set(tokens)
    assert await accepted() == left
    # Of another issuer.
    auth.revoke(ISSUER, subject="alice")
    assert await accepted() == left
    for name, revocation in revocations.items():
        auth.revoke(dev_issuer.issuer, **revocation)
        left.remove(name)
        assert await accepted() == left
    with pytest.raises(TokenError) as refused:
        await auth.authenticate(tokens["alice"])
    assert (refused.value.code, refused.value.status) == ("revoked", 401)


async def test_tokens_that_were_issued_later_are_accepted(dev_issuer: DevIssuer) -> None:
    until = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=1)
    seconds = int(until.timestamp())

    async def accepted(issued_at: int, issued_until: Any) -> bool:
        auth = McpAuth(RESOURCE, [dev_issuer.issuer])
        auth.revoke(dev_issuer.issuer, subject="alice", issued_until=issued_until)
        token = dev_issuer.mint(RESOURCE, claims={"iat": issued_at})
        return (await call(auth.protect(echo), token=token)).status == 200

    for time in (seconds, until, until.astimezone(timezone(timedelta(hours=5))), until - timedelta(milliseconds=1)):
        assert [await accepted(one, time) for one in (seconds - 1, seconds, seconds + 1)] == [False, False, True], time


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((ISSUER,), {}),
    ((ISSUER,), {"subject": "alice", "sid": "s"}),
    ((ISSUER,), {"subject": None}),
    ((ISSUER,), {"subject": ""}),
    ((ISSUER,), {"jti": 1}),
    (("",), {"subject": "alice"}),
    ((None,), {"subject": "alice"}),
    ((ISSUER,), {"subject": "alice", "issued_until": "now"}),
    ((ISSUER,), {"subject": "alice", "issued_until": True}),
    ((ISSUER,), {"subject": "alice", "issued_until": -1}),
    ((ISSUER,), {"subject": "alice", "issued_until": 1.5}),
]


@pytest.mark.parametrize(("arguments", "keywords"), REFUSED)
def test_what_would_revoke_nothing_raises(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="revoke: "):
        McpAuth(RESOURCE, [ISSUER]).revoke(*arguments, **keywords)


def test_a_time_without_a_timezone_raises() -> None:
    with pytest.raises(ValueError, match="must have a timezone"):
        McpAuth(RESOURCE, [ISSUER]).revoke(ISSUER, subject="alice", issued_until=datetime(2030, 1, 1))


def test_a_session_of_a_revoked_caller_goes_on_with_a_new_token_alone(dev_issuer: DevIssuer) -> None:
    from test_bound_sessions import plain

    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer])
        with served(auth.protect(plain()), listener):
            alice = Caller(auth.resource, dev_issuer.mint(auth.resource))
            session = alice.open()
            auth.revoke(dev_issuer.issuer, subject="alice")
            for method, message in (("GET", None), ("POST", LIST), ("DELETE", None)):
                assert alice.send(method, message, session).status_code == 401
            later = int(datetime.now(timezone.utc).timestamp()) + 5
            signed_in_again = Caller(auth.resource, dev_issuer.mint(auth.resource, claims={"iat": later}))
            assert signed_in_again.send("POST", LIST, session).status_code == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_forked_worker_refuses_what_was_revoked_before(dev_issuer: DevIssuer) -> None:
    code = f"""
    import asyncio, os
    from mcp_auth import McpAuth, TokenError
    auth = McpAuth({RESOURCE!r}, [{dev_issuer.issuer!r}])
    alice, bob = {dev_issuer.mint(RESOURCE)!r}, {dev_issuer.mint(RESOURCE, subject="bob")!r}

    async def accepted(token):
        try:
            await asyncio.wait_for(auth.authenticate(token), 20)
        except TokenError as error:
            assert error.code == "revoked", error
            return False
        return True

    def check(expected):
        return [asyncio.run(accepted(one)) for one in (alice, bob)] == expected

    assert check([True, True])
    auth.revoke({dev_issuer.issuer!r}, subject="alice")
    assert check([False, True])
    if (child := os.fork()) == 0:
        is_right = check([False, True])
        auth.revoke({dev_issuer.issuer!r}, subject="bob")
        os._exit(0 if is_right and check([False, False]) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # What the child revokes is its own.
    assert check([False, True])
    print("ok")
    """
    run = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "ok", done.stderr
