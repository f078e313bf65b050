"""What the SDK does to its process: nothing blocks, nothing leaks, `fork()` works."""

from __future__ import annotations

import asyncio
import logging
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


def test_memory_does_not_grow_over_a_million_calls(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    # Its records are kept, and are none of ours.
    caplog.set_level(logging.ERROR, "mcp_auth")
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


#: What is under way when a process ends or forks. Each begins something that goes on in our thread.
UNDER_WAY = {
    "one good token": """
        assert (await auth.authenticate(token)).subject == "alice"
    """,
    "a refresh": """
        waiting.append(asyncio.create_task(auth.authenticate(token)))
        await inside()
    """,
    "an introspection": """
        waiting.extend(asyncio.create_task(opaque.authenticate(f"at_{n}")) for n in range(5))
        await inside()
    """,
    "a stream": """
        await open_stream().get()
        waiting.append(asyncio.create_task(opaque.authenticate("at_1")))
        await inside()
    """,
}

LIFE = """
    import asyncio, logging, os, sys, threading
    from mcp_auth import McpAuth

    begun = threading.Event()

    def linger():
        # Keeps a thread of ours in Python, where it waits for the interpreter's lock again and again.
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            for _ in range(1_000_000):
                pass

    class Slow(logging.Handler):
        def emit(self, record):
            linger()
            self.format(record)

    async def inside():
        while not begun.is_set():
            await asyncio.sleep(0)

    logging.getLogger("mcp_auth").addHandler(Slow())
    logging.getLogger("mcp_auth").setLevel(logging.DEBUG)
    logging.getLogger("mcp_auth").propagate = False
    heap = [[number] for number in range(50_000)]

    def patch(issuer, document):
        linger()
        return document

    issuer, token = sys.argv[1:3]
    auth = McpAuth("http://localhost/mcp", [issuer], patch_metadata=patch)
    opaque = McpAuth("http://localhost/mcp", [{
        "issuer": issuer, "introspection": {"client_id": "server", "client_secret": "secret", "token_prefixes": ["at_"]},
    }], patch_metadata=patch)
    waiting = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b": begun", "more_body": True})
        await asyncio.Event().wait()

    def open_stream():
        sent = asyncio.Queue()
        scope = {"type": "http", "method": "GET", "path": "/mcp", "query_string": b"", "headers": [
            (b"authorization", b"Bearer " + token.encode()),
        ]}
        waiting.append(asyncio.create_task(auth.protect(app)(scope, None, sent.put)))
        return sent

    async def begin():
        UNDER_WAY

    def life():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(begin())

    def children(count):
        for _ in range(count):
            if (child := os.fork()) == 0:
                try:
                    begun.clear()
                    life()
                    logging.getLogger("mcp_auth").info("in the child")
                finally:
                    sys.stderr.flush()
                # As a process ends that is not the child of a fork: through finalization.
                return True
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return False

    # Nobody cares for what is cancelled by the end.
    logging.getLogger("asyncio").disabled = True
    life()
    children(int(sys.argv[3]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
@pytest.mark.parametrize("kind", UNDER_WAY)
def test_ends_and_forks_meet_no_thread_of_ours_in_python(dev_issuer: DevIssuer, kind: str) -> None:
    """`MCP_AUTH_TEST_LIVES=1000` is the long form."""
    lives = int(os.environ.get("MCP_AUTH_TEST_LIVES", "60")) // len(UNDER_WAY)
    forks_each = 2
    begun = textwrap.indent(textwrap.dedent(UNDER_WAY[kind]).strip(), " " * 8).strip()
    code = textwrap.dedent(LIFE).replace("UNDER_WAY", textwrap.dedent(begun).replace("\n        ", "\n    "))
    token = dev_issuer.mint(RESOURCE)
    for number in range(-(-lives // (1 + forks_each))):
        command = [sys.executable, "-W", "ignore", "-c", code, dev_issuer.issuer, token, str(forks_each)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (number, done.returncode, done.stderr)
        assert "panicked" not in done.stderr and "Fatal" not in done.stderr, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_hook_may_fork_and_end_a_process_itself(dev_issuer: DevIssuer) -> None:
    """On our own thread: it must not wait for itself."""
    code = f"""
    import asyncio, os
    from mcp_auth import McpAuth

    def patch(_issuer, document):
        if (child := os.fork()) == 0:
            os._exit(7)
        seen.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return document

    seen = []
    auth = McpAuth({RESOURCE!r}, [{dev_issuer.issuer!r}], patch_metadata=patch)
    assert asyncio.run(auth.authenticate({dev_issuer.mint(RESOURCE)!r})).subject == "alice"
    print(seen)
    """
    assert python(code).strip() == "[7]"


DAEMONS = {
    "a log handler": "plain._native.decide({**scope, 'headers': []})",
    "an authorizer": "loop.run_until_complete(ruled.protect(app)(scope, receive, send))",
    "an exception of ours": "refused()",
}


@pytest.mark.parametrize("kind", DAEMONS)
def test_daemon_threads_of_python_are_in_no_hook_when_the_interpreter_ends(kind: str) -> None:
    """Several times, since it is told by what the system runs first."""
    code = f"""
    import asyncio, json, logging, threading
    from mcp_auth import AuthError, McpAuth

    begun = threading.Event()

    def linger(*_):
        begun.set()
        for _ in range(1_000_000):
            pass
        return True

    class Slow(logging.Handler):
        def emit(self, record):
            if {kind == "a log handler"}:
                linger()

    logging.getLogger("mcp_auth").addHandler(Slow())
    logging.getLogger("mcp_auth").setLevel(logging.DEBUG)
    logging.getLogger("mcp_auth").propagate = False
    heap = [[number] for number in range(200_000)]

    async def verify(token):
        return {{"iss": "mine", "sub": "alice"}}

    plain = McpAuth({RESOURCE!r}, ["https://auth.example.com"])
    ruled = McpAuth({RESOURCE!r}, ["https://auth.example.com"], authorizer=linger, token_verifiers={{"k_": verify}})
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer k_1")]
    scope = {{"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": headers}}
    called = json.dumps({{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {{"name": "a"}}}}).encode()
    loop = asyncio.new_event_loop()

    async def receive():
        return {{"type": "http.request", "body": called, "more_body": False}}

    async def send(_message):
        pass

    async def app(scope, receive, send):
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b""}})

    def refused():
        try:
            plain._native.verify("no.token.here")
        except AuthError:
            begun.set()

    def work():
        while True:
            {DAEMONS[kind]}

    threading.Thread(target=work, daemon=True).start()
    assert begun.wait(30)
    """
    for _ in range(5):
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        # What the thread is refused at the end may be told of, and nothing else.
        assert done.returncode == 0, (done.returncode, done.stderr)
        assert "FATAL" not in done.stderr and "panicked" not in done.stderr, done.stderr


def test_what_begins_after_the_end_is_refused_and_does_not_wait(dev_issuer: DevIssuer) -> None:
    code = f"""
    import asyncio, atexit

    def last():
        try:
            asyncio.run(auth.authenticate({dev_issuer.mint(RESOURCE)!r}))
        except RuntimeError as error:
            print(error)

    atexit.register(last)  # Before ours, so that it is called after it.
    from mcp_auth import McpAuth
    auth = McpAuth({RESOURCE!r}, [{dev_issuer.issuer!r}])
    """
    assert python(code).strip() == "the interpreter ends"


def python(code: str) -> str:
    """Runs it in an interpreter of its own; returns what it printed, and nothing may go wrong."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout
