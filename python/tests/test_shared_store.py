"""Two instances with one Redis: what is revoked on one is refused on both."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mcp_auth import ConfigError, McpAuth
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo


@pytest.fixture
def redis(tmp_path: Path) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A Redis and where it is; where everything must be there, it is a failure if there is none."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("MCP_AUTH_REQUIRE_PROVIDERS"), "no redis-server; MCP_AUTH_REQUIRE_PROVIDERS is set"
        pytest.skip("no redis-server")
    socket = tmp_path / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as process:
        yield process, f"unix://{socket}"
        process.kill()


async def test_what_is_revoked_on_one_instance_is_refused_on_the_other(
    dev_issuer: DevIssuer, redis: tuple[subprocess.Popen[bytes], str]
) -> None:
    process, url = redis

    def instance() -> McpAuth:
        return McpAuth(RESOURCE, [dev_issuer.issuer], shared_store={"redis": {"url": url}, "timeout": 1})

    a, b = instance(), instance()
    alice, bob = (dev_issuer.mint(RESOURCE, subject=subject) for subject in ("alice", "bob"))

    async def status(auth: McpAuth, token: str) -> int:
        return (await call(auth.protect(echo), token=token)).status

    async def wait_for(auth: McpAuth, token: str, expected: int) -> None:
        async with asyncio.timeout(60):
            while await status(auth, token) != expected:
                await asyncio.sleep(0)

    await wait_for(a, alice, 200)
    await wait_for(b, alice, 200)
    a.revoke(dev_issuer.issuer, subject="alice", issued_until=int(time.time()) + 60)
    assert await status(a, alice) == 401
    await wait_for(b, alice, 401)
    assert await status(b, bob) == 200
    process.send_signal(signal.SIGTERM)
    process.wait()
    # What is known counts for a time; where nothing is known, nobody is let in.
    assert await status(b, bob) == 200
    assert await status(instance(), bob) == 503


@pytest.mark.parametrize("url", ["http://:hush-1@h", 5, ["hush-1"], "redis://:hush-1@h:x", ""])
def test_the_address_of_redis_is_never_shown(url: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        McpAuth(RESOURCE, ["https://as.example.com"], shared_store={"redis": {"url": url}})
    assert "redis.url" in str(raised.value)
    assert "hush" not in str(raised.value)
