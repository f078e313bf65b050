"""What the SDK does to its process: nothing blocks, nothing leaks, `fork()` works."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import textwrap
import threading

import pytest

from mcp_auth import McpAuth, Unavailable
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo


async def test_known_keys_do_not_wait_for_a_hanging_issuer(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], fetch_timeout=30).protect(echo)
    known = [dev_issuer.mint(RESOURCE, claims={"n": number}) for number in range(100)]
    assert (await call(app, token=dev_issuer.mint(RESOURCE))).status == 200
    dev_issuer.set_mode("hang")
    dev_issuer.rotate_keys()
    unknown = dev_issuer.mint(RESOURCE)
    waiting = [asyncio.create_task(call(app, token=unknown)) for _ in range(20)]
    await asyncio.sleep(0)
    answers = await asyncio.wait_for(asyncio.gather(*(call(app, token=one) for one in known)), 10)
    assert {answer.status for answer in answers} == {200}
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()


async def test_the_event_loop_goes_on_while_keys_are_fetched(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer], fetch_timeout=1)
    dev_issuer.set_mode("hang")
    task = asyncio.create_task(auth.authenticate(dev_issuer.mint(RESOURCE)))
    turns = 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable) as raised:
        await task
    assert raised.value.status == 503 and turns > 10


def test_no_thread_before_the_first_fetch() -> None:
    threads = "import os; print(len(os.listdir('/proc/self/task')))"
    code = f"""
    from mcp_auth import McpAuth
    auth = McpAuth({RESOURCE!r}, ["https://auth.example.com"])
    {threads}
    """
    if sys.platform != "linux":
        pytest.skip("counts threads in /proc")
    assert python(code).strip() == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_forked_workers_fetch_for_themselves(dev_issuer: DevIssuer) -> None:
    code = f"""
    import asyncio, os
    from mcp_auth import McpAuth
    auth = McpAuth({RESOURCE!r}, [{dev_issuer.issuer!r}])
    token = {dev_issuer.mint(RESOURCE)!r}

    async def check():
        return (await asyncio.wait_for(auth.authenticate(token), 20)).subject

    assert asyncio.run(check()) == "alice"
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            # Before any exec: the parent's threads and connections are not here.
            os._exit(0 if asyncio.run(check()) == "alice" else 1)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0, 0], codes
    assert asyncio.run(check()) == "alice"
    print("ok")
    """
    assert python(code).strip() == "ok"


def test_memory_does_not_grow_over_a_million_calls(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    seen = dev_issuer.mint(RESOURCE)
    refused = dev_issuer.mint("http://other")

    async def calls(count: int) -> None:
        for number in range(count):
            assert (await auth.authenticate(seen)).subject == "alice"
            if number % 20 == 0:
                assert await auth.verify_token(refused) is None

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    asyncio.run(calls(20_000))
    before = peak()
    asyncio.run(calls(1_000_000))
    assert peak() - before < 4 * 1024, f"grew by {peak() - before} KiB"


def test_closing_the_loop_while_a_fetch_hangs_is_quiet(dev_issuer: DevIssuer) -> None:
    dev_issuer.set_mode("hang")
    code = f"""
    import asyncio
    from mcp_auth import McpAuth
    auth = McpAuth({RESOURCE!r}, [{dev_issuer.issuer!r}], fetch_timeout=1)

    async def begin():
        asyncio.create_task(auth.authenticate({dev_issuer.mint(RESOURCE)!r}))
        await asyncio.sleep(0.05)

    asyncio.run(begin())
    print("ok")
    """
    assert python(code).strip() == "ok"


async def test_threads_share_one_object(dev_issuer: DevIssuer) -> None:
    auth = McpAuth(RESOURCE, [dev_issuer.issuer])
    tokens = [dev_issuer.mint(RESOURCE, subject=f"user{number}") for number in range(8)]
    subjects: list[str | None] = []

    def work(token: str) -> None:
        async def verify() -> None:
            for _ in range(200):
                subjects.append((await auth.authenticate(token)).subject)

        asyncio.run(verify())

    threads = [threading.Thread(target=work, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(set(subjects)) == [f"user{number}" for number in range(8)]
    assert len(subjects) == 1600


def python(code: str) -> str:
    """Runs it in an interpreter of its own; returns what it printed, and nothing may go wrong."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout
