"""mcp-auth beside other Python packages: `cargo xtask bench-python`.

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

CONNECTIONS = 32
ANSWER = b'{"hello":"world"}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=200, help="in each slice")
    arguments = parser.parse_args()
    with DevIssuer(algorithm="RS256") as issuer:
        asyncio.run(in_process(issuer, arguments.rounds, arguments.tokens))
        over_http(issuer, arguments.rounds, arguments.tokens)


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
    floors: list[float] = []
    try:
        for server in servers.values():
            server.connect()
            server.cost([issuer.mint(RESOURCE)] * count)
        for _ in range(rounds):
            distinct = [issuer.mint(RESOURCE) for _ in range(count)]
            for name in APPS[1:]:
                for kind, tokens in (("seen", distinct[:1] * count), ("distinct", distinct)):
                    # Right before and after it, since what other programs do changes quickly.
                    before = servers["unprotected"].cost(tokens)
                    cost = servers[name].cost(tokens)
                    unprotected = (before + servers["unprotected"].cost(tokens)) / 2
                    floors.append(unprotected)
                    ratios.setdefault(f"{name}, {kind}", []).append(unprotected / cost)
    finally:
        for server in servers.values():
            server.process.terminate()
    print("Starlette, uvicorn (uvloop, httptools), one worker: unprotected / protected")
    print(f"  unprotected: {statistics.median(floors) / 1000:.1f} us of its processor a request")
    report(ratios)


class Server:
    """One app in a process of its own, and connections to it that are kept."""

    def __init__(self, name: str, issuer: DevIssuer) -> None:
        self.name = name
        self.connections: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            arguments = (name, issuer.issuer, issuer.jwks_uri, listener)
            context = multiprocessing.get_context("spawn")
            self.process = context.Process(target=serve, args=arguments, daemon=True)
            self.process.start()

    def connect(self) -> None:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", self.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)

    def cost(self, tokens: list[str]) -> float:
        """Sends every token once. Returns its processor's time for one request, in nanoseconds."""
        requests = [
            f"GET /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n".encode()
            for token in tokens
        ]
        half = CONNECTIONS // 2
        # In two halves: there are requests of one while the answers to the other are read.
        waves = [requests[start : start + half] for start in range(0, len(requests), half)]
        sides = [self.connections[:half], self.connections[half:]]
        before = self._nanoseconds()
        for number, wave in enumerate(waves):
            self._send(sides[number % 2], wave)
            if number > 0:
                self._receive(sides[(number - 1) % 2], len(waves[number - 1]))
        self._receive(sides[(len(waves) - 1) % 2], len(waves[-1]))
        return (self._nanoseconds() - before) / len(tokens)

    def _send(self, side: list[socket.socket], wave: list[bytes]) -> None:
        for connection, request in zip(side, wave, strict=False):
            connection.sendall(request)

    def _receive(self, side: list[socket.socket], count: int) -> None:
        # The last is answered last: waiting for it, the client wakes once for all of them.
        for connection in reversed(side[:count]):
            answer = b""
            while not answer.endswith(ANSWER):
                received = connection.recv(65536)
                answer += received
                assert received and answer.startswith(b"HTTP/1.1 200 "), (self.name, answer)

    def _nanoseconds(self) -> float:
        with open(f"/proc/{self.process.pid}/schedstat") as stat:
            return int(stat.read().split()[0])


def serve(name: str, issuer: str, jwks_uri: str, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app(name, issuer, jwks_uri), log_level="error", access_log=False,
        loop="uvloop", http="httptools", timeout_keep_alive=600,
    )  # fmt: skip
    uvicorn.Server(config).run([listener])


def report(ratios: dict[str, list[float]]) -> None:
    for name, values in ratios.items():
        low, median, high = statistics.quantiles(values, n=4)
        print(f"  {name:<28} {median:6.3f}   (half of them {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    os.environ.setdefault("no_proxy", "127.0.0.1,localhost")
    main()
