"""Streams of events that end with the token of their caller, and the apps that are told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from ._native import Reply, StreamEnd

if TYPE_CHECKING:
    import asyncio

    from ._asgi import ASGIApp, Message, Receive, Scope, Send


class Exchange:
    """A request that went on: what its app receives, and how it is told that its stream is over.

    Whoever waits in `receive` gets `http.disconnect`, as if the client had gone. Where nobody does, the task that sends the
    stream is cancelled. Nearly every request has no stream and one message, and pays for no more than this object.
    """

    __slots__ = ("_cancelled", "_has_received", "_listeners", "_receive", "stream")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_received = False
        #: Those who wait for a message.
        self._listeners: set[asyncio.Task[Any]] | None = None
        #: The task that was cancelled here.
        self._cancelled: asyncio.Task[Any] | None = None
        #: The response, where it is a stream that ends in time.
        self.stream: Stream | None = None

    async def run(self, app: ASGIApp, scope: Scope, sending: Callable[[Exchange], Send]) -> None:
        """Runs an app."""
        try:
            await app(scope, self.receive, sending(self))
        except BaseException as error:
            if not self.has_caused(error):
                raise
        finally:
            await self.leave()

    def receive(self) -> Awaitable[Message]:
        """What the app receives."""
        if self._has_received or self.stream is not None:
            return self._next()
        # The first message is of the request: nobody waits in it for the client to go. It costs no coroutine.
        self._has_received = True
        return self._receive()

    async def _next(self) -> Message:
        import asyncio  # It is slow to import, and always there when somebody waits.

        task = asyncio.current_task()
        if self.stream is not None and self.stream.is_over:
            return {"type": "http.disconnect"}
        if task is None:
            return await self._receive()
        if self._listeners is None:
            self._listeners = set()
        self._listeners.add(task)
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if task in self._listeners or _is_cancelled_by_others(task):
                raise
            return {"type": "http.disconnect"}
        finally:
            self._listeners.discard(task)

    def begin_stream(self, end: StreamEnd, send: Send) -> Stream:
        """The response is a stream of events, which this ends."""
        self.stream = Stream(end, send, self._tell)
        return self.stream

    def has_caused(self, error: BaseException) -> bool:
        """Whether the app ended so because it was cancelled here."""
        import asyncio

        if not isinstance(error, asyncio.CancelledError):
            return False
        if self._take_back():
            return True
        if self.stream is not None:
            # The server itself ends.
            self.stream.give_up()
        return False

    async def leave(self) -> None:
        """The app has returned: waits until the last piece of the stream is sent."""
        stream, self.stream = self.stream, None
        # Not, if it took no notice of it.
        self._take_back()
        if stream is not None:
            stream.stop()
            await stream.settle()

    def _tell(self, sender: asyncio.Task[Any] | None) -> None:
        """The stream is over, which this task has sent."""
        listeners, self._listeners = self._listeners, set()
        for listener in listeners or ():
            listener.cancel()
        # Without a stream, the app has returned.
        if not listeners and sender is not None and self.stream is not None:
            self._cancelled = sender
            sender.cancel()

    def _take_back(self) -> bool:
        """Takes back a cancellation of ours; whether there was one, and none of others."""
        cancelled, self._cancelled = self._cancelled, None
        return cancelled is not None and not _is_cancelled_by_others(cancelled)


def _is_cancelled_by_others(task: asyncio.Task[Any]) -> bool:
    """Takes back one cancellation of ours; whether there are others, which Python tells from 3.11 on."""
    return hasattr(task, "uncancel") and task.uncancel() > 0


class Stream:
    """A stream of events on its way to the client, until it ends by itself or with the token of its caller.

    Then the client gets the last piece, and what the app sends after it goes nowhere.
    """

    def __init__(self, end: StreamEnd, send: Send, tell: Callable[[asyncio.Task[Any] | None], None]) -> None:
        """
        :param tell: called with the task that began it, when it has ended with the token.
        """
        import asyncio

        self._end = end
        self._send = send
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._sender = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._is_watched = False
        #: Sends another response in place of this one, as long as its start is held.
        self._replace: Callable[[Reply], Coroutine[Any, Any, None]] | None = None
        #: Whether a message of the app's is on its way.
        self._is_sending = False
        self.is_over = False
        #: Sends the last piece.
        self._ending: asyncio.Task[None] | None = None

    def hold(self, replace: Callable[[Reply], Coroutine[Any, Any, None]]) -> None:
        """Its start is held. If its end comes before that is sent, this sends another response in its place."""
        self._replace = replace
        self._is_watched = True
        self._look()

    async def send(self, message: Message) -> None:
        """Takes a message of the app's."""
        is_body = message["type"] == "http.response.body"
        if self.is_over or (is_body and self._ends(self._end.step())):
            return
        self._replace = None
        if is_body:
            message = self._cut(message)
        self._is_sending = True
        try:
            await self._send(message)
        finally:
            self._is_sending = False
        if is_body and not message.get("more_body", False):
            self.stop()
        elif not self._ends(self._end.see(bytes(message.get("body", b"")))) and not self._is_watched:
            self._is_watched = self._end.is_watched
            if self._is_watched:
                self._look()

    def _cut(self, message: Message) -> Message:
        """The message without what comes after the end of the stream, which may be in the middle of it."""
        body = bytes(message.get("body", b""))
        length = self._end.cut(body)
        return message if length is None else {**message, "body": body[:length], "more_body": True}

    def stop(self) -> None:
        """Nothing more comes, and nothing is waited for."""
        self.is_over = True
        self._end.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def settle(self) -> None:
        """Waits until the last piece is sent."""
        if self._ending is not None:
            await self._ending

    def give_up(self) -> None:
        """Sends no last piece."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _look(self) -> None:
        """Called when its time has come, and when something was revoked; until the next time."""
        if self.is_over:
            return
        wake = partial(self._loop.call_soon_threadsafe, self._look)
        # What was revoked until now is seen by the step.
        while self._end.listen(wake):
            pass
        # What is on its way takes a step when it is sent.
        if not self._is_sending and self._ends(self._end.step()):
            return
        if self._timer is not None:
            self._timer.cancel()
        left = self._end.seconds_left
        self._timer = None if left is None else self._loop.call_later(left, self._look)

    def _ends(self, last: bytes | None) -> bool:
        """Whether the stream is over, with this as its last piece."""
        if last is None or self.is_over:
            return self.is_over
        self.stop()
        if self._replace is None:
            message = {"type": "http.response.body", "body": last, "more_body": False}
            ending = _in_full(self._send, message)
        else:
            ending = self._replace(self._end.refusal())
        # Whoever sent the last message may be cancelled meanwhile.
        self._ending = self._loop.create_task(ending)
        self._loop.call_soon(self._tell, self._sender)
        return True


async def _in_full(send: Send, message: Message) -> None:
    await send(message)
