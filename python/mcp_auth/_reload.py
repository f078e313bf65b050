"""What a new configuration may not change, because frameworks were told it once."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

RESTART = "this takes a restart"
#: What `reload` has where it is called without a configuration.
NOTHING: Mapping[str, Any] = MappingProxyType({})
NOT_WHOLE = (
    "reload takes the whole configuration as one dictionary, as from_config does:"
    ' reload({"resource": ..., "authorization_servers": [...], "policy": ...}).'
    " For a server from the environment: reload_from_env(policy=...)"
)


class Told:
    """What frameworks were told when they were made."""

    def __init__(self) -> None:
        self.paths: set[str] | None = None
        """The paths that routes were made for; `None`: no routes were made."""
        self.metadata: set[str] | None = None
        """The resources whose metadata routes were made for; `None`: no routes were made."""
        self.takes_every_path = False
        """Whether an app is protected that gets requests to every path."""
        self.verifies_alone = False
        """Whether a framework asks about tokens alone."""
        self.honours_scopes = False
        """Whether that framework looks at the required scopes itself."""
        self.of_provider: tuple[Any, ...] | None = None
        """What FastMCP tells clients itself; `None`: it tells nothing."""
        self._lock = threading.RLock()
        self._is_reloading = False
        self._process = os.getpid()

    @contextmanager
    def one_at_a_time(self) -> Generator[None]:
        """Waits for a reload of another thread. One within another, as of a signal's handler, would never end."""
        if self._process != os.getpid():
            # What another thread held during a `fork()` is never given back.
            self._lock, self._is_reloading, self._process = threading.RLock(), False, os.getpid()
        with self._lock:
            if self._is_reloading:
                raise RuntimeError("reload: one is under way in this thread")
            self._is_reloading = True
            try:
                yield
            finally:
                self._is_reloading = False

    def faults(self, data: Mapping[str, Any], paths: list[str], of_requests: list[str]) -> list[str]:
        """What of this configuration the frameworks would not follow.

        :param paths: where its resources are.
        :param of_requests: its settings that whoever asks about tokens alone does not look at.
        """
        faults: list[str] = []
        if self.paths is not None and not self.takes_every_path:
            missing = [path for path in paths if path.rstrip("/") not in self.paths]
            faults += [f"resource: the routes were made without {path!r}: {RESTART}" for path in missing]
        if self.metadata is not None:
            missing = [path for path in paths if path.rstrip("/") not in self.metadata]
            faults += [f"resource: the routes of the metadata were made without {path!r}: {RESTART}" for path in missing]
        if self.verifies_alone:
            ignored = [name for name in of_requests if not (self.honours_scopes and name == "required_scopes")]
            faults += [f"{name}: a framework that asks about tokens alone does not look at it: {RESTART}" for name in ignored]
        if self.of_provider is not None and told_by_provider(data) != self.of_provider:
            faults.append(
                "resource, authorization_servers, required_scopes: those of the first resource were told to FastMCP, which"
                f" tells them to clients: {RESTART}"
            )
        return faults


def told_by_provider(data: Mapping[str, Any]) -> tuple[Any, ...]:
    """What FastMCP tells clients of the first resource."""
    first: Mapping[str, Any] = (data.get("resources") or [data])[0]
    scopes = first.get("required_scopes", [])
    listed = scopes.split() if isinstance(scopes, str) else list(scopes)
    servers = [one if isinstance(one, str) else one.get("issuer") for one in first.get("authorization_servers", [])]
    return (first.get("resource"), servers, listed)
