"""Clients that put the tokens for other APIs on their requests."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import httpx2
import pytest

from mcp_auth import DownstreamError
from mcp_auth.testing import DevIssuer
from downstream_support import PING, api_server, calling, exchanging, known
from support import RESOURCE, call


@pytest.fixture
def issuer() -> Generator[DevIssuer]:
    with exchanging() as started:
        yield started


#: What a client does in each of its two ways.
async def asked_later(way: Any, url: str, **options: Any) -> Any:
    async with httpx2.AsyncClient(auth=way, trust_env=False, follow_redirects=options.pop("follows", False)) as client:
        return await client.post(url, **options)


async def asked_in_thread(way: Any, url: str, **options: Any) -> Any:
    def ask() -> Any:
        with httpx2.Client(auth=way, trust_env=False, follow_redirects=options.pop("follows", False)) as client:
            return client.post(url, **options)

    return await asyncio.to_thread(ask)


both_clients = pytest.mark.parametrize("ask", [asked_later, asked_in_thread], ids=["async", "sync"])


@both_clients
async def test_the_token_is_put_on_requests_to_the_api_alone(issuer: DevIssuer, ask: Any) -> None:
    with calling(issuer, "/v1") as (auth, api, origin), api_server() as (other, elsewhere):
        way = auth.downstream("reports").httpx_auth(await known(auth, issuer, "alice"))
        sent = {"authorization": "Bearer of-the-program", "cookie": "session=of-another"}
        answer = await ask(way, f"{origin}/v1/all?of=them", headers=sent)
        assert (answer.status_code, answer.text, api.seen[0].get("cookie")) == (200, "alice", None)
        port = origin.rpartition(":")[2]
        outside = [f"{origin}/v10", f"{origin}/", f"{origin}/v1/%2e%2e/admin", f"{origin}/v1//x", f"http://localhost:{port}/v1", f"{elsewhere}/v1"]
        for url in outside:
            assert (await ask(way, url, headers=sent)).text == "nobody", url
        assert api.tokens[1:] == [None] * 5 and other.tokens == [None]


@both_clients
async def test_no_redirect_takes_the_token_to_another_origin(issuer: DevIssuer, ask: Any) -> None:
    with calling(issuer) as (auth, api, origin), api_server() as (other, elsewhere):
        way = auth.downstream("reports").httpx_auth(await known(auth, issuer, "alice"))
        api.redirects_to = f"{elsewhere}/taken"
        assert (await ask(way, origin)).status_code == 307
        # A client that is told to follow leaves the token behind, and another host's 401 costs nobody the token.
        other.statuses = [401]
        assert (await ask(way, origin, follows=True)).status_code == 401
        assert other.tokens == [None] and len(set(api.tokens)) == 1
        assert issuer.token_requests["token"] == 1


@both_clients
async def test_after_a_401_it_is_asked_once_more_with_a_new_token(issuer: DevIssuer, ask: Any) -> None:
    with calling(issuer) as (auth, api, origin):
        way = auth.downstream("reports").httpx_auth(await known(auth, issuer, "alice"))
        api.statuses = [401]
        answer = await ask(way, origin, content=b"once more")
        assert (answer.status_code, answer.text) == (200, "alice")
        assert [one["body"] for one in api.seen] == ["once more"] * 2
        assert len(set(api.tokens)) == 2
        # One that refuses everything does not cause a question for each request, and sees no token twice in one.
        api.statuses = [401]
        assert (await ask(way, origin)).status_code == 401
        assert (len(api.seen), issuer.token_requests["token"]) == (3, 2)
        # Any other answer is one.
        api.statuses = [403]
        assert (await ask(way, origin)).status_code == 403
        assert len(api.seen) == 4


async def test_what_was_streamed_is_not_sent_twice_and_the_next_request_has_a_new_token(issuer: DevIssuer) -> None:
    async def pieces() -> Any:
        yield b"piece"

    with calling(issuer) as (auth, api, origin):
        way = auth.downstream("reports").httpx_auth(await known(auth, issuer, "alice"))
        api.statuses = [401]
        assert (await asked_later(way, origin, content=pieces())).status_code == 401
        assert (await asked_later(way, origin)).status_code == 200
        assert len(set(api.tokens)) == 2 and [one["body"] for one in api.seen] == ["piece", ""]


@both_clients
async def test_without_a_token_nothing_is_sent(issuer: DevIssuer, ask: Any) -> None:
    with calling(issuer) as (auth, api, origin):
        alice = await known(auth, issuer, "alice")
        issuer.set_mode("token:status:503")
        with pytest.raises(DownstreamError) as refused:
            await ask(auth.downstream("reports").httpx_auth(alice), origin)
        assert (refused.value.code, refused.value.status) == ("downstream_unavailable", 503)
        # Outside of a request there is nobody whose token it could be.
        with pytest.raises(DownstreamError) as refused:
            await ask(auth.downstream("reports").httpx_auth(), origin)
        assert refused.value.code == "downstream_needs_caller" and not api.seen


async def test_one_client_sends_for_each_caller_their_own_token_and_no_cookie_of_another(issuer: DevIssuer) -> None:
    with calling(issuer) as (auth, api, origin):
        client = httpx2.AsyncClient(auth=auth.downstream("reports").httpx_auth(), trust_env=False)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            answer = await client.get(origin)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": answer.content})

        protected_app = auth.protect(app)

        async def ask(name: str) -> str:
            return (await call(protected_app, body=PING, token=issuer.mint(RESOURCE, subject=name))).body.decode()

        names = [f"user {number % 50}" for number in range(100)]
        assert await asyncio.gather(*(ask(name) for name in names)) == names
        assert len(set(api.tokens)) == 50 and client.cookies and not any("cookie" in one for one in api.seen)
        await client.aclose()


async def test_a_client_that_blocks_is_refused_on_the_thread_of_a_loop(issuer: DevIssuer) -> None:
    with calling(issuer) as (auth, api, origin):
        alice = await known(auth, issuer, "alice")
        await auth.downstream("reports").token_for(alice)
        with httpx2.Client(auth=auth.downstream("reports").httpx_auth(alice), trust_env=False) as client:
            with pytest.raises(RuntimeError, match="AsyncClient"):
                client.get(origin)
        assert not api.seen
