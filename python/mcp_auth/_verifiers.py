"""Verify functions of the user's: their answers go to the native part."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from ._native import Answer
from .errors import TokenError, Unavailable

if TYPE_CHECKING:
    import asyncio

Claims: TypeAlias = Mapping[str, Any]
VerifyFunction: TypeAlias = Callable[[str], "Claims | None | Awaitable[Claims | None]"]
StartFunction: TypeAlias = Callable[[str, Answer], None]

T = TypeVar("T")
_tasks: set[asyncio.Task[None]] = set()


def starter(verify: VerifyFunction) -> StartFunction:
    """A function that begins to verify and does not wait.

    A coroutine function runs on the event loop, any other in a thread: it may block.
    """

    async def run(token: str, answer: Answer) -> None:
        try:
            claims = await call(verify, token)
            if claims is not None and not isinstance(cast("object", claims), Mapping):
                raise TypeError
            text = None if claims is None else json.dumps(dict(claims), allow_nan=False)
        except TokenError as error:
            if error.code == "wrong_audience":
                answer.refuse_audience(error.fields["actual"], error.fields["expected"])
            else:
                answer.refuse()
        except Unavailable as error:
            answer.fail(error.message)
        except Exception as error:
            # Nothing of its text: it may hold the token.
            answer.fail(f"it raised {type(error).__name__}")
        else:
            if text is None or _has_expired(claims):
                answer.refuse()
            else:
                answer.accept(text)

    def start(token: str, answer: Answer) -> None:
        import asyncio

        task = asyncio.get_running_loop().create_task(run(token, answer))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    return start


def _has_expired(claims: Claims | None) -> bool:
    exp = (claims or {}).get("exp")
    return isinstance(exp, (int, float)) and exp <= time.time()


async def call(verify: Callable[[str], T | Awaitable[T]], token: str) -> T:
    """What the function says, without blocking the event loop."""
    import asyncio
    import inspect

    if inspect.iscoroutinefunction(verify):
        result = verify(token)
    else:
        result = await asyncio.to_thread(verify, token)
    return await result if inspect.isawaitable(result) else cast("T", result)
