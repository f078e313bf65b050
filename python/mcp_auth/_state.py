"""State that a server gives to a client and takes back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import AuthInfo, McpAuth
    from .settings import Seconds


class StateSealer:
    """Made by `McpAuth.state_sealer`: seals state that a server gives to a client and takes back, such as the step of a
    dialogue.

    What is sealed can be read and changed by nobody else, is accepted from the caller it was made for alone, for the
    purpose it was made for, and until it ends. Every instance with the same `handle_keys` opens what another has sealed.
    That a state is used once, it cannot tell.
    """

    def __init__(self, native: McpAuth) -> None:
        self._native = native

    def seal(self, caller: AuthInfo, purpose: str, lifetime: Seconds, state: bytes) -> str:
        """The state as a text for the client, which this caller may bring back for this purpose within this time.

        :param lifetime: whole seconds, or a `timedelta`; a part of a second is left out.
        """
        seconds = lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime
        return self._native.seal_state(caller, purpose, seconds, state)

    def open(self, caller: AuthInfo, purpose: str, sealed: str) -> bytes:
        """The state in a text that came back.

        Raises `StateError`, whose `code` is `invalid` or `expired`.
        """
        return self._native.open_state(caller, purpose, sealed)


__all__ = ["StateSealer"]
