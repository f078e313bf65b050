"""State that a server gives to a client and takes back."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from mcp_auth import AuthInfo, ConfigError, McpAuth, StateError
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call

KEYS = [f"{age}-0123456789-0123456789-0123456789" for age in ("new", "old")]


def code(auth: McpAuth, caller: AuthInfo, purpose: str, sealed: str) -> str:
    try:
        auth.state_sealer().open(caller, purpose, sealed)
    except StateError as error:
        return error.code
    return "ok"


async def test_a_state_comes_back_from_its_caller_for_its_purpose_until_it_ends(dev_issuer: DevIssuer) -> None:
    now = [1_000]
    config = {"resource": RESOURCE, "authorization_servers": [dev_issuer.issuer], "clock_tolerance": 0}
    auth = McpAuth.from_config(config, clock=lambda: now[0])

    async def caller(**options: Any) -> AuthInfo:
        claims = {"iat": 1_000, "exp": 9_000, **options.pop("claims", {})}
        return await auth.authenticate(dev_issuer.mint(RESOURCE, claims=claims, **options))

    alice = await caller(subject="alice", client_id="app")
    renewed = await caller(subject="alice", client_id="app", claims={"jti": "2"})
    strangers = [
        await caller(subject="bob", client_id="app"),
        await caller(subject="alice", client_id="other"),
        await caller(client_id="app", without=["sub"]),
    ]
    sealer = auth.state_sealer()
    for state in (b"", b"step 1", bytes(100_000)):
        sealed = sealer.seal(alice, "order", 60, state)
        assert sealer.open(renewed, "order", sealed) == state
        assert code(auth, alice, "refund", sealed) == "invalid"
        assert [code(auth, one, "order", sealed) for one in strangers] == ["invalid"] * 3
    sealed = sealer.seal(alice, "order", timedelta(minutes=1), b"step 1")
    for changed in ("", "x", "é", sealed[:-1], f"{sealed}A", f"{sealed}=", sealed.swapcase()):
        assert code(auth, alice, "order", changed) == "invalid", changed
    now[0] += 59
    assert code(auth, alice, "order", sealed) == "ok"
    now[0] += 1
    assert code(auth, alice, "order", sealed) == "expired"


async def test_every_instance_with_the_key_opens_it(dev_issuer: DevIssuer) -> None:
    def auth(**keys: Any) -> McpAuth:
        return McpAuth(RESOURCE, [dev_issuer.issuer], **keys)

    both, new, old, own = auth(handle_keys=KEYS), auth(handle_keys=KEYS[:1]), auth(handle_keys=KEYS[1:]), auth()
    alice = await both.authenticate(dev_issuer.mint(RESOURCE))
    instances = (both, new, old, own)
    opened = {
        one: [code(other, alice, "a", one.state_sealer().seal(alice, "a", 60, b"1")) for other in instances]
        for one in instances
    }
    assert opened == {
        both: ["ok", "ok", "invalid", "invalid"],
        new: ["ok", "ok", "invalid", "invalid"],
        old: ["ok", "invalid", "ok", "invalid"],
        own: ["invalid", "invalid", "invalid", "ok"],
    }


async def test_a_handler_seals_for_its_caller(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])

    async def server(scope: Any, receive: Any, send: Any) -> None:
        state = (await receive()).get("body", b"").decode()
        sealer, caller = auth.state_sealer(), scope["mcp_auth"]
        answer = sealer.open(caller, "step", state) if state else sealer.seal(caller, "step", 60, b"1").encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    app = auth.protect(server)
    sealed = (await call(app, token=dev_issuer.mint(RESOURCE))).body
    assert (await call(app, token=dev_issuer.mint(RESOURCE), body=sealed)).body == b"1"
    with pytest.raises(StateError, match="not sealed here"):
        await call(app, token=dev_issuer.mint(RESOURCE, subject="bob"), body=sealed)


async def test_what_cannot_be_sealed_raises(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    alice = await auth.authenticate(dev_issuer.mint(RESOURCE))
    sealer: Any = auth.state_sealer()
    for lifetime in (-1, float("nan"), float("inf"), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="lifetime"):
            sealer.seal(alice, "a", lifetime, b"")
    for caller, state in ((None, b""), ("alice", b""), (alice, "text"), (alice, None)):
        with pytest.raises(TypeError):
            sealer.seal(caller, "a", 60, state)
    with pytest.raises(TypeError):
        sealer.open(None, "a", sealer.seal(alice, "a", 60, b""))
    with pytest.raises(ConfigError) as refused:
        McpAuth(RESOURCE, [dev_issuer.issuer], handle_keys=["a short key"])
    assert "a short key" not in str(refused.value)


def test_the_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(StateError("expired", "the state has ended")))
    assert (error.code, str(error)) == ("expired", "the state has ended")
