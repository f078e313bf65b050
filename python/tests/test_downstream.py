"""Tokens for other APIs: whose they are, where they go, and what their callers see."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from mcp_auth import DownstreamError, DownstreamToken, McpAuth, MissingToken, requires
from mcp_auth import _requires
from mcp_auth.errors import error_of
from mcp_auth.testing import DevIssuer
from downstream_support import PING, api_server, auth_for, calling, claims, config, exchanging, known, subject_of
from support import RESOURCE, call, listening, served
from test_callers import ANY_HOST, result, signed_in, tool
from test_sessions import Caller


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_requires, "_declared", {})
    monkeypatch.setattr(_requires, "_unchecked", [])


@pytest.fixture
def issuer() -> Generator[DevIssuer]:
    with exchanging() as started:
        yield started


# Whose token it is


def official(auth: McpAuth) -> Any:
    mcp = MCPServer("reports")
    tools_of(mcp, auth)
    return auth.protect(mcp.streamable_http_app(transport_security=ANY_HOST))


def official_verifier(auth: McpAuth) -> Any:
    from mcp.server.auth.settings import AuthSettings

    settings = AuthSettings(issuer_url=auth.metadata["authorization_servers"][0], resource_server_url=auth.resource, validate_token_resource=True)  # type: ignore[arg-type]
    mcp = MCPServer("reports", token_verifier=auth.token_verifier(), auth=settings)
    tools_of(mcp, auth)
    return mcp.streamable_http_app(transport_security=ANY_HOST)


def fastmcp(auth: McpAuth) -> Any:
    mcp = FastMCP("reports")
    tools_of(mcp, auth)
    return auth.protect(mcp.http_app())


def fastmcp_provider(auth: McpAuth) -> Any:
    from mcp_auth.fastmcp import provider

    mcp = FastMCP("reports", auth=provider(auth))
    tools_of(mcp, auth)
    return mcp.http_app()


protected = pytest.mark.parametrize("make", [official, fastmcp], ids=lambda make: make.__name__)
every_way = pytest.mark.parametrize(
    "make", [official, official_verifier, fastmcp, fastmcp_provider], ids=lambda make: make.__name__
)


def tools_of(mcp: Any, auth: McpAuth) -> None:
    api = auth.downstream("reports")

    @mcp.tool()
    async def whose() -> str:
        return subject_of(await api.token_for())

    @mcp.tool()
    def all_reports() -> str:
        """On a thread of the framework's, by a client that blocks it."""
        with httpx2.Client(auth=api.httpx_auth(), trust_env=False) as client:
            return client.get(str(ORIGIN["api"])).text

    @mcp.tool()
    @requires()
    async def declared() -> str:
        return subject_of(await api.token_for())

    @mcp.tool()
    @requires()
    async def without() -> str:
        try:
            return subject_of(await api.token_for())
        except DownstreamError as error:
            return f"nothing: {error.code}"

    @mcp.tool()
    async def connected() -> str:
        raise error_of(AUTHORIZATION_REQUIRED)

    @mcp.tool()
    async def shown() -> Any:
        return {"token": repr(await api.token_for())}


#: Where the API is that `all_reports` calls.
ORIGIN: dict[str, str] = {}


@contextmanager
def server(issuer: DevIssuer, make: Callable[[McpAuth], Any], **others: Any) -> Generator[McpAuth]:
    with listening() as (listener, origin):
        auth = auth_for(issuer, f"{origin}/mcp", **others)
        with served(make(auth), listener):
            yield auth


@every_way
def test_a_tool_has_the_token_of_its_caller(issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with api_server() as (api, origin), server(issuer, make, api=[origin]) as auth:
        ORIGIN["api"] = origin
        alice, bob = (signed_in(issuer, auth, name) for name in ("alice", "bob"))
        sessions = alice.open(), bob.open()
        for _ in range(2):
            for someone, name, session in ((alice, "alice", sessions[0]), (bob, "bob", sessions[1])):
                for used in ("whose", "all_reports"):
                    assert name in json.dumps(tool(someone, used, session)["content"]), used
        # Each was asked for once, and none of them was that of the request.
        assert issuer.token_requests["token"] == 2
        sent = [token.removeprefix("Bearer ") for token in api.tokens if token]
        assert len(sent) == 4 and not {alice._token, bob._token} & set(sent)


async def test_no_caller_of_a_thousand_has_the_token_of_another_one(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    api = auth.downstream("reports")
    few_at_once = asyncio.Semaphore(100)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # Twice: had, and kept.
        found = {subject_of(await api.token_for()), subject_of(await api.token_for())}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": " ".join(found).encode()})

    protected_app = auth.protect(app)

    async def ask(name: str) -> str:
        async with few_at_once:
            answer = await call(protected_app, body=PING, token=issuer.mint(RESOURCE, subject=name))
            return answer.body.decode()

    names = [f"user {number % 500}" for number in range(1000)]
    assert await asyncio.gather(*(ask(name) for name in names)) == names
    assert issuer.token_requests["token"] == 500


async def test_a_hundred_who_ask_at_once_ask_once(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    alice = await known(auth, issuer, "alice")
    issuer.set_mode("token:hold")
    asked = [asyncio.create_task(auth.downstream("reports").token_for(alice)) for _ in range(100)]
    while issuer.token_requests["token"] == 0:
        await asyncio.sleep(0)
    issuer.set_mode("online")
    texts = {token.expose() for token in await asyncio.gather(*asked)}
    assert len(texts) == 1 and issuer.token_requests["token"] == 1
    # Threads with loops of their own, too.
    found: list[str] = []

    def ask_in_thread() -> None:
        found.append(asyncio.run(auth.downstream("reports").token_for(alice)).expose())

    threads = [threading.Thread(target=ask_in_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert set(found) == texts and len(found) == 4


async def test_fewer_scopes_are_asked_for_and_never_more(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    alice = await known(auth, issuer, "alice")
    api = auth.downstream("reports")
    token = await api.with_scopes(["reports:read"]).token_for(alice)
    assert (token.scopes, claims(token.expose())["scope"]) == (["reports:read"], "reports:read")
    assert set((await api.token_for(alice)).scopes) == {"reports:read", "reports:write"}
    asked = issuer.token_requests["token"]
    for wider in (["reports:admin"], ["reports:read", "reports:admin"], []):
        with pytest.raises(DownstreamError) as refused:
            await api.with_scopes(wider).token_for(alice)
        assert refused.value.code == "downstream_wider_scopes"
    with pytest.raises(TypeError, match=r"with_scopes: must be a list, as \['reports:read'\]"):
        api.with_scopes("reports:read")
    assert issuer.token_requests["token"] == asked


async def test_whoever_is_nobody_s_caller_has_no_token(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    api = auth.downstream("reports")
    with pytest.raises(MissingToken):
        await api.token_for()
    with pytest.raises(TypeError, match="the caller must be an AuthInfo, not str"):
        await api.token_for("alice")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        api.httpx_auth("alice")  # type: ignore[arg-type]
    machine = await known(auth, issuer, "a-machine", client_id="a-machine", claims={"sub_type": "client"}, without=["sub"])
    rows = [
        (api.token_for(machine), "downstream_no_user"),
        (api.token(), "downstream_needs_caller"),
        (auth.downstream("misspelt").token_for(machine), "unknown_downstream"),
        (auth.downstream("misspelt").token(), "unknown_downstream"),
    ]
    for asking, code in rows:
        with pytest.raises(DownstreamError) as refused:
            await asking
        assert refused.value.code == code
    assert issuer.token_requests["token"] == 0


async def test_a_tool_that_acts_as_itself_needs_no_caller(issuer: DevIssuer) -> None:
    with api_server() as (api, origin):
        auth = auth_for(issuer, grant="client_credentials", audience=[], scopes=[], api=[origin])
        named = auth.downstream("reports")
        token = await named.token()
        alice = await known(auth, issuer, "alice")
        assert (await named.token()).expose() == (await named.token_for(alice)).expose() == token.expose()
        assert (subject_of(token), issuer.token_requests["token"]) == ("tools", 1)
        api.statuses = [401]
        async with httpx2.AsyncClient(auth=named.httpx_auth(), trust_env=False) as client:
            assert (await client.get(origin)).text == "tools"
        assert len(set(api.tokens)) == 2 and issuer.token_requests["token"] == 2


# How long it is kept


async def test_nothing_is_had_after_a_revocation(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    api = auth.downstream("reports")
    alice, bob = [await known(auth, issuer, name) for name in ("alice", "bob")]
    for someone in (alice, bob):
        await api.token_for(someone)
    auth.revoke(issuer.issuer, subject="alice")
    with pytest.raises(DownstreamError) as refused:
        await api.token_for(alice)
    assert (refused.value.code, refused.value.status) == ("downstream_sign_in_again", 401)
    assert subject_of(await api.token_for(bob)) == "bob" and issuer.token_requests["token"] == 2


async def test_a_handle_follows_the_configuration(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)
    api = auth.downstream("reports")
    alice = await known(auth, issuer, "alice")
    first = await api.token_for(alice)
    auth.reload({**config(issuer), "resource_name": "Reports"})
    assert (await api.token_for(alice)).expose() == first.expose()
    auth.reload(config(issuer, scopes=["reports:read"]))
    assert (await api.token_for(alice)).scopes == ["reports:read"]
    auth.reload({**config(issuer), "downstreams": {}})
    with pytest.raises(DownstreamError) as refused:
        await api.token_for(alice)
    assert refused.value.code == "unknown_downstream"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
async def test_forked_workers_have_tokens_of_their_own(issuer: DevIssuer) -> None:
    code = f"""
    import asyncio, os
    from mcp_auth import McpAuth
    auth = McpAuth.from_config({config(issuer)!r})
    api = auth.downstream("reports")

    async def check():
        alice = await auth.authenticate({issuer.mint(RESOURCE)!r})
        return await asyncio.wait_for(api.token_for(alice), 20)

    assert asyncio.run(check()).scopes
    if (child := os.fork()) == 0:
        os._exit(0 if asyncio.run(check()).scopes else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert issuer.token_requests["token"] == 2


# What is seen of it

ASKED_OF_THE_USER = [
    ("token:error:invalid_grant", 401, 'error="invalid_token"'),
    ("token:interaction-required", 401, 'error="insufficient_claims"'),
    ("token:consent-required", 403, 'scope="mcp.consent"'),
]


@protected
@pytest.mark.parametrize(("mode", "status", "said"), ASKED_OF_THE_USER, ids=[mode for mode, _, _ in ASKED_OF_THE_USER])
def test_what_the_user_has_to_do_becomes_the_challenge(
    issuer: DevIssuer, make: Callable[[McpAuth], Any], mode: Any, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server(issuer, make, consent_scopes=["mcp.consent"]) as auth, caplog.at_level(logging.INFO):
        alice = signed_in(issuer, auth, "alice")
        session = alice.open()
        issuer.set_mode(mode)
        for name in ("whose", "declared"):
            answer = used(alice, name, session)
            assert answer.status_code == status, answer.text
            challenge = answer.headers["www-authenticate"]
            assert said in challenge and "resource_metadata=" in challenge
            assert (' claims="ey' in challenge) == (mode == "token:interaction-required")
        # Who catches it and answers has answered.
        assert "nothing: downstream_" in json.dumps(result(used(alice, "without", session)))
    assert not [record for record in caplog.records if record.exc_info], "a traceback for what was meant"


@protected
def test_an_outage_is_the_error_of_a_tool_that_tells_nothing_else(
    issuer: DevIssuer, make: Callable[[McpAuth], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with server(issuer, make) as auth, caplog.at_level(logging.INFO):
        alice = signed_in(issuer, auth, "alice")
        session = alice.open()
        for mode in ("token:status:503", "token:html"):
            issuer.set_mode(mode)  # type: ignore[arg-type]
            answer = result(used(alice, "whose", session))
            assert answer["isError"] is True and "another API" in json.dumps(answer)
            assert "html" not in json.dumps(answer)
    assert not [record for record in caplog.records if record.exc_info]


ELICITATION = {"mode": "url", "elicitationId": "e1", "url": "https://mcp.example.com/connect/github?state=x", "message": "Connect it."}
AUTHORIZATION_REQUIRED = {
    "kind": "downstream",
    "code": "downstream_authorization_required",
    "status": 403,
    "message": "another API needs to be connected first",
    "compared": {"json_rpc_error": {"code": -32042, "message": "connect it first", "data": {"elicitations": [ELICITATION]}}},
}


@protected
def test_what_the_user_has_to_open_is_told_in_the_terms_of_the_sdk(
    issuer: DevIssuer, make: Callable[[McpAuth], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with server(issuer, make) as auth, caplog.at_level(logging.INFO):
        alice = signed_in(issuer, auth, "alice")
        answer = used(alice, "connected", alice.open())
        assert answer.status_code == 200
        if make is official:
            # The error of the whole answer, from which clients open the URL.
            [data] = [line for line in answer.text.splitlines() if "-32042" in line] or [answer.text]
            error = json.loads(data.removeprefix("data: "))["error"]
            assert (error["code"], error["data"]) == (-32042, {"elicitations": [ELICITATION]})
        else:
            # FastMCP makes the error of a tool of every exception: the text has the URL.
            told = result(answer)
            assert told["isError"] is True and ELICITATION["url"] in json.dumps(told)
    assert not [record for record in caplog.records if record.exc_info]
    refused = error_of(AUTHORIZATION_REQUIRED)
    again = pickle.loads(pickle.dumps(refused))
    assert type(again) is DownstreamError and again.elicitations == [ELICITATION]


async def test_an_app_that_lets_it_through_answers_with_its_status(issuer: DevIssuer) -> None:
    auth = auth_for(issuer)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await auth.downstream(scope["path"].removeprefix("/mcp/")).token_for()

    app_behind = auth.protect(app)
    rows: list[tuple[Any, int, str, bool]] = [
        ("token:status:503", 503, "downstream_unavailable", True),
        ("token:html", 502, "downstream_unusable_answer", False),
        ("token:error:invalid_grant", 401, "invalid_token", False),
    ]
    for mode, status, code, has_time in rows:
        issuer.set_mode(mode)
        # Each caller is another one: refusals are kept for a second.
        answer = await call(app_behind, target="/mcp/reports", body=PING, token=issuer.mint(RESOURCE, subject=mode))
        assert (answer.status, answer.json["error"], "retry-after" in answer.headers) == (status, code, has_time)
        assert ("www-authenticate" in answer.headers) == (status == 401)
    for path, mode in (("misspelt", "online"), ("reports", "token:error:invalid_client")):
        issuer.set_mode(mode)  # type: ignore[arg-type]
        with pytest.raises(DownstreamError) as refused:
            await call(app_behind, target=f"/mcp/{path}", body=PING, token=issuer.mint(RESOURCE, subject=path))
        assert refused.value.status == 500


async def test_the_token_is_shown_nowhere(issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    with calling(issuer) as (auth, _, origin), caplog.at_level(logging.DEBUG):
        alice = await known(auth, issuer, "alice")
        api = auth.downstream("reports")
        token = await api.token_for(alice)
        way = api.httpx_auth(alice)
        async with httpx2.AsyncClient(auth=way, trust_env=False) as client:
            assert (await client.get(origin)).text == "alice"
        assert token.header_value() == f"Bearer {token.expose()}" and token.expires_at
        secrets = (token.expose(), alice.dangerous_raw_token)
        for shown in (repr(token), str(token), f"{token}", repr(api), repr(way), repr(vars(way)), caplog.text):
            assert not any(secret in shown for secret in secrets)
        for write in (pickle.dumps, json.dumps, vars):
            with pytest.raises(TypeError):
                write(token)  # type: ignore[operator]
        # Nobody makes one of the token of a request.
        with pytest.raises(TypeError):
            DownstreamToken(alice.dangerous_raw_token)  # type: ignore[call-arg]
        issuer.set_mode("token:error:invalid_grant")
        with pytest.raises(DownstreamError) as refused:
            await api.token_for(await known(auth, issuer, "bob"))
        error = refused.value
        assert not any(secret in repr((error, error.args, vars(error))) for secret in secrets)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.code, again.status) == (DownstreamError, error.code, 401)


@protected
def test_a_tool_that_returns_it_shows_nothing(issuer: DevIssuer, make: Callable[[McpAuth], Any]) -> None:
    with server(issuer, make) as auth:
        alice = signed_in(issuer, auth, "alice")
        answer = json.dumps(tool(alice, "shown", alice.open()))
        assert "DownstreamToken(" in answer and "eyJ" not in answer


def used(someone: Caller, name: str, session: str) -> Any:
    params = {"name": name, "arguments": {}}
    return someone.send("POST", {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}, session)
