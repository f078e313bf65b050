"""Verify functions of the user's: their answers go to the native part."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from ._native import Answer, AuthInfo, Told
from .errors import InsufficientScope, TokenError, Unavailable

if TYPE_CHECKING:
    import asyncio

Claims: TypeAlias = Mapping[str, Any]
VerifyFunction: TypeAlias = Callable[[str], "Claims | None | Awaitable[Claims | None]"]
StartFunction: TypeAlias = Callable[[str, Answer], None]

T = TypeVar("T")
G = TypeVar("G")
_tasks: set[asyncio.Task[None]] = set()

#: How long a verify function may take where nothing else is said, in seconds.
VERIFY_TIMEOUT = 10


def starter(verify: VerifyFunction, seconds: float = VERIFY_TIMEOUT) -> StartFunction:
    """A function that begins to verify and does not wait.

    A coroutine function runs on the event loop, any other in a thread: it may block.
    """

    async def run(token: str, answer: Answer) -> None:
        try:
            _give(await call(verify, token), answer)
        except BaseException as error:
            # Also what would end the loop, such as `SystemExit`: a token must not.
            _fail(error, answer)
            if _is_cancelled(error):
                raise

    def start(token: str, answer: Answer) -> None:
        import asyncio

        task = asyncio.get_running_loop().create_task(run(token, answer))
        _tasks.add(task)
        late = task.get_loop().call_later(seconds, _give_up, task, answer, seconds)

        def end(task: asyncio.Task[None]) -> None:
            late.cancel()
            _tasks.discard(task)

        task.add_done_callback(end)

    return start


RevocationCheck: TypeAlias = Callable[[AuthInfo], "bool | Awaitable[bool]"]

#: How long a revocation check may take, in seconds.
REVOCATION_CHECK_TIMEOUT = 5


def check_starter(check: RevocationCheck) -> Callable[[AuthInfo, Told, asyncio.AbstractEventLoop | None], None]:
    """A function that begins to ask whether a token was taken back, and does not wait."""

    import asyncio

    async def run(caller: AuthInfo, told: Told) -> None:
        try:
            is_revoked = await asyncio.wait_for(call(check, caller), REVOCATION_CHECK_TIMEOUT)
            if not isinstance(cast("object", is_revoked), bool):
                return told.fail(f"it returned {type(is_revoked).__name__}, and must return True or False")
            told.tell(is_revoked)
        except BaseException as error:
            # Also what would end the loop, such as `SystemExit`: a token must not.
            told.fail(f"it raised {type(error).__name__}")
            if _is_cancelled(error):
                raise

    def begin(caller: AuthInfo, told: Told) -> None:
        task = asyncio.get_running_loop().create_task(run(caller, told))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    def start(caller: AuthInfo, told: Told, event_loop: asyncio.AbstractEventLoop | None) -> None:
        if event_loop is None:
            return begin(caller, told)
        event_loop.call_soon_threadsafe(begin, caller, told)

    return start


def _give_up(task: asyncio.Task[None], answer: Answer, seconds: float) -> None:
    answer.fail(f"it gave no answer within {seconds:g} s")
    task.cancel()


def _give(claims: object, answer: Answer) -> None:
    """Hands on what the function returned."""
    if claims is None:
        return answer.refuse()
    if not isinstance(claims, Mapping):
        return answer.fail(f"it returned {type(claims).__name__}: claims, or None to refuse, say something")
    text = json.dumps(dict(cast("Claims", claims)), allow_nan=False)
    # As they are read: an odd mapping could say something else the second time.
    read = json.loads(text)
    for name in ("exp", "nbf"):
        if name in read and (isinstance(read[name], bool) or not isinstance(read[name], (int, float))):
            return answer.fail(f"it returned an `{name}` that is no number")
    now = time.time()
    if "exp" in read and read["exp"] <= now:
        return answer.refuse()
    if "nbf" in read and read["nbf"] > now:
        return answer.refuse()
    answer.accept(text)


def _fail(error: BaseException, answer: Answer) -> None:
    """Hands on why there are no claims; reading an exception of the user's may fail as well."""
    try:
        if isinstance(error, TokenError):
            if error.code == "wrong_audience" and "actual" in error.fields and "expected" in error.fields:
                return answer.refuse_audience(error.fields["actual"], error.fields["expected"])
            return answer.refuse()
        if isinstance(error, InsufficientScope):
            return answer.refuse_scopes(error.required, error.granted)
        if isinstance(error, Unavailable):
            return answer.fail(error.message)
        # Nothing of its text: it may hold the token.
        return answer.fail(f"it raised {type(error).__name__}")
    except BaseException:
        return answer.fail("it raised what cannot be read")


def _is_cancelled(error: BaseException) -> bool:
    import asyncio

    return isinstance(error, asyncio.CancelledError)


async def call(verify: Callable[[G], T | Awaitable[T]], token: G) -> T:
    """What the function says, without blocking the event loop."""
    import asyncio
    import inspect

    if inspect.iscoroutinefunction(verify):
        return cast("T", await verify(token))
    # What a thread raises does not always arrive (`StopIteration`), so it is returned.
    result, error = await asyncio.to_thread(_outcome, verify, token)
    if error is not None:
        raise error
    return await result if inspect.isawaitable(result) else cast("T", result)


def _outcome(verify: Callable[[G], T], token: G) -> tuple[T, None] | tuple[None, BaseException]:
    try:
        return verify(token), None
    except BaseException as error:
        return None, error
