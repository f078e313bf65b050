"""Results that have to be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._native import Pending

if TYPE_CHECKING:
    import asyncio


async def wait(pending: Pending) -> Any:
    """The result, or the exception, without blocking the event loop."""
    import asyncio  # It is slow to import, and always there when somebody waits.

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    pending.start(loop, future)
    return await future


def settle(future: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    """Called on the event loop's thread; whoever was waiting may have gone."""
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
