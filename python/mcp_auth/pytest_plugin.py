"""Fixtures of pytest, there in every project that has `mcp-auth` installed: `dev_issuer` and `mcp_client`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ._asgi import ASGIApp
    from ._test_client import Client
    from .testing import DevIssuer


@pytest.fixture
def dev_issuer() -> Generator[DevIssuer, None, None]:
    """An authorization server on loopback, in this process, that mints any token."""
    from .testing import DevIssuer

    with DevIssuer() as issuer:
        yield issuer


@pytest.fixture
def mcp_client(dev_issuer: DevIssuer) -> Generator[Callable[..., Client], None, None]:
    """Makes MCP clients of a protected app: `mcp_client(app, subject="alice", scope="notes:read")`.

    Each has a token of `dev_issuer`, and has done the handshake; the other keywords are those of `DevIssuer.mint`.
    The app runs in this process, once for all of its clients, without a socket.
    """
    from ._test_client import Client, Host

    hosts: dict[int, Host] = {}

    def make(app: ASGIApp, *, scope: str | None = None, path: str = "/mcp", **options: Any) -> Client:
        if id(app) not in hosts:
            hosts[id(app)] = Host(app)
        return Client(hosts[id(app)], dev_issuer, path, scope, options)

    yield make
    for host in hosts.values():
        host.close()
