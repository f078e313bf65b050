"""mcp-auth beside other Python packages: `python main.py`, with the release wheel installed.

Times are of the measuring process's processor, so that other programs matter less; rounds are
interleaved, and each number is the median of the ratios within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from contenders import APPS, RESOURCE, VERIFIERS, app, bare
from mcp_auth.testing import DevIssuer

CONNECTIONS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    with DevIssuer(algorithm="RS256") as issuer:
        asyncio.run(in_process(issuer, arguments.rounds, arguments.tokens))
        over_http(issuer, arguments.rounds, arguments.requests)


async def in_process(issuer: DevIssuer, rounds: int, count: int) -> None:
    """Distinct tokens, each once; and the same tokens again where that is something else."""
    prepare = bare(issuer.jwks_uri)
    verifiers = {name: make(issuer.issuer, issuer.jwks_uri) for name, make in VERIFIERS.items()}
    for verify in verifiers.values():
        assert await verify(issuer.mint(RESOURCE)) is not None
    ratios: dict[str, list[float]] = {}
    floors: list[float] = []
    for _ in range(rounds):
        tokens = [issuer.mint(RESOURCE, scope="mcp") for _ in range(count)]
        checks = [prepare(token) for token in tokens]
        floor = timed(lambda checks=checks: [check() for check in checks]) / count
        floors.append(floor)
        for name, verify in verifiers.items():
            cost = await timed_each(verify, tokens) / count
            ratios.setdefault(f"{name}, distinct", []).append(cost / floor)
            if name == "mcp_auth":
                cost = await timed_each(verify, tokens * 10) / count / 10
                ratios.setdefault(f"{name}, seen", []).append(cost / floor)
    print(f"in process: bare RS256 check {statistics.median(floors) * 1e6:.1f} us = 1")
    report(ratios)


def timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def timed_each(verify: Callable[[str], Any], tokens: list[str]) -> float:
    begun = time.process_time()
    for token in tokens:
        await verify(token)
    return time.process_time() - begun


def over_http(issuer: DevIssuer, rounds: int, count: int) -> None:
    """The server's processor time for a request: unprotected / protected."""
    servers = {name: Server(name, issuer) for name in APPS}
    ratios: dict[str, list[float]] = {}
    try:
        for server in servers.values():
            server.cost([issuer.mint(RESOURCE)] * 200)
        for _ in range(rounds):
            distinct = [issuer.mint(RESOURCE) for _ in range(count)]
            seen = distinct[:1] * count
            for name in APPS[1:]:
                for kind, tokens in (("seen", seen), ("distinct", distinct)):
                    # Right before and after it, since what other programs do changes quickly.
                    before = servers["unprotected"].cost(tokens)
                    cost = servers[name].cost(tokens)
                    unprotected = (before + servers["unprotected"].cost(tokens)) / 2
                    ratios.setdefault(f"{name}, {kind}", []).append(unprotected / cost)
    finally:
        for server in servers.values():
            server.process.terminate()
    print("Starlette, uvicorn (uvloop, httptools), one worker: unprotected / protected")
    report(ratios)


class Server:
    """One app in a process of its own."""

    def __init__(self, name: str, issuer: DevIssuer) -> None:
        self.name = name
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            arguments = (name, issuer.issuer, issuer.jwks_uri, listener)
            context = multiprocessing.get_context("spawn")
            self.process = context.Process(target=serve, args=arguments, daemon=True)
            self.process.start()

    def cost(self, tokens: list[str]) -> float:
        """Its processor time for one request, in nanoseconds."""
        before = self._nanoseconds()
        asyncio.run(load(self.port, tokens, self.name))
        return (self._nanoseconds() - before) / len(tokens)

    def _nanoseconds(self) -> float:
        with open(f"/proc/{self.process.pid}/schedstat") as stat:
            return int(stat.read().split()[0])


def serve(name: str, issuer: str, jwks_uri: str, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app(name, issuer, jwks_uri), log_level="error", access_log=False, loop="uvloop", http="httptools"
    )
    uvicorn.Server(config).run([listener])


async def load(port: int, tokens: list[str], name: str) -> None:
    """Sends every token once, over connections that are kept."""
    queue = list(tokens)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while queue:
            head = f"GET /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {queue.pop()}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in answer.split(b"\r\n", 1)[0], (name, answer)
            await reader.readexactly(len(b'{"hello":"world"}'))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))


def report(ratios: dict[str, list[float]]) -> None:
    for name, values in ratios.items():
        low, high = min(values), max(values)
        print(f"  {name:<28} {statistics.median(values):6.3f}   ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    os.environ.setdefault("no_proxy", "127.0.0.1,localhost")
    main()
