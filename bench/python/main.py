"""mcp-auth beside other Python packages: `cargo xtask bench-python`.

Times are of the measuring process's processor, so that other programs matter less; rounds are
interleaved; what is shown is the median, and the middle half of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from contenders import APPS, RESOURCE, SUBJECT, VERIFIERS, app, bare
from mcp_auth import McpAuth
from mcp_auth.testing import DevIssuer

CONNECTIONS = 32
ANSWER = json.dumps({"sub": SUBJECT}, separators=(",", ":")).encode()
#: What must be reached: the work, the figure, and its bound.
TARGETS = [
    ("uvicorn, seen", "ratio", "at_least", 0.93),
    ("uvicorn, distinct", "bare check / own", "at_least", 1),
    ("token_for, kept", "µs", "at_most", 5),
]
#: By work and contender, then by figure: a value for each round.
Figures = dict[tuple[str, str], dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=200, help="in each slice")
    parser.add_argument("--json", help="also write the run to this file")
    arguments = parser.parse_args()
    tools = {"id": "tools", "secret": "a secret", "may_get": ["reports:read"]}
    with DevIssuer(algorithm="RS256", clients=[tools], default_audience="tools") as issuer:
        sections = [
            section(
                "verify",
                "One token in a loop, until its subject is known; processor time; ratio = time / bare check of `cryptography`",
                asyncio.run(in_process(issuer, arguments.rounds, arguments.tokens)),
            ),
            section(
                "downstream",
                "The token of a caller for another API, which is kept; processor time",
                asyncio.run(kept_tokens(issuer, arguments.rounds, arguments.tokens)),
            ),
            section(
                "http",
                "Starlette under uvicorn (uvloop, httptools), one worker, an endpoint that answers with the subject of the token, "
                "RS256; processor time of the server's process for a request; ratio = unprotected / protected",
                over_http(issuer, arguments.rounds, arguments.tokens),
            ),
        ]
    cores = len(os.sched_getaffinity(0))
    setting = f"Python {platform.python_version()}, {'one core' if cores == 1 else f'{cores} cores'}"
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"setting": setting, "others": None, "sections": sections}, file)


def minted(issuer: DevIssuer, count: int) -> list[str]:
    return [issuer.mint(RESOURCE, subject=SUBJECT, scope="mcp") for _ in range(count)]


async def in_process(issuer: DevIssuer, rounds: int, count: int) -> Figures:
    """Distinct tokens, each once; and the same tokens again where that is something else."""
    prepare = bare(issuer.jwks_uri)
    verifiers = {name: make(issuer.issuer, issuer.jwks_uri) for name, make in VERIFIERS.items()}
    for verify in verifiers.values():
        assert await verify(minted(issuer, 1)[0]) == SUBJECT
    figures: Figures = {}
    for _ in range(rounds):
        tokens = minted(issuer, count)
        checks = [prepare(token) for token in tokens]
        floor = timed(lambda checks=checks: [check() for check in checks]) / count
        add(figures, "distinct", "bare check", {"µs": floor * 1e6, "ratio": 1})
        for name, verify in verifiers.items():
            cost = await timed_each(verify, tokens) / count
            add(figures, "distinct", name, {"µs": cost * 1e6, "ratio": cost / floor})
            if name == "mcp_auth":
                cost = await timed_each(verify, tokens * 10) / count / 10
                add(figures, "seen", name, {"µs": cost * 1e6, "ratio": cost / floor})
    return figures


async def kept_tokens(issuer: DevIssuer, rounds: int, count: int) -> Figures:
    """`token_for` of as many callers as there are in a slice, each of whom has a token already."""
    reports = {"issuer": issuer.issuer, "client_id": "tools", "client_secret": "a secret", "audience": ["reports"], "scopes": ["reports:read"]}
    auth = McpAuth(RESOURCE, [issuer.issuer], downstreams={"reports": reports})
    api = auth.downstream("reports")
    callers = [await auth.authenticate(issuer.mint(RESOURCE, subject=f"user {number}")) for number in range(count)]
    for caller in callers:
        await api.token_for(caller)
    figures: Figures = {}
    for _ in range(rounds):
        cost = await timed_each(api.token_for, callers * 10) / count / 10
        add(figures, "token_for, kept", "mcp_auth", {"µs": cost * 1e6})
    return figures


def timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


async def timed_each(ask: Callable[[Any], Any], asked: list[Any]) -> float:
    begun = time.process_time()
    for one in asked:
        await ask(one)
    return time.process_time() - begun


def over_http(issuer: DevIssuer, rounds: int, count: int) -> Figures:
    """What a request costs the server, with and without protection."""
    servers = {name: Server(name, issuer) for name in APPS}
    figures: Figures = {}
    try:
        for server in servers.values():
            server.connect()
            server.cost(minted(issuer, 1) * count)
        for _ in range(rounds):
            distinct = minted(issuer, count)
            for kind, tokens in (("seen", distinct[:1] * count), ("distinct", distinct)):
                # Everybody in turn, and the unprotected one right before: what other programs do changes quickly.
                costs = {}
                for name in APPS[1:]:
                    unprotected = servers["unprotected"].cost(tokens)
                    costs[name] = (servers[name].cost(tokens), unprotected)
                add_costs(figures, f"uvicorn, {kind}", costs)
    finally:
        for server in servers.values():
            server.process.terminate()
    return figures


def add_costs(figures: Figures, work: str, costs: dict[str, tuple[float, float]]) -> None:
    """One round: of each the microseconds, and those of the unprotected app right before."""
    for name, (cost, unprotected) in costs.items():
        add(figures, work, name, {
            "µs": cost,
            "ratio": unprotected / cost,
            "µs over an empty layer": cost - costs["empty layer"][0],
            "bare check / own": costs["bare check"][0] / cost,
        })  # fmt: skip
    unprotected = statistics.median(before for _, before in costs.values())
    add(figures, work, "unprotected", {"µs": unprotected, "ratio": 1})


def add(figures: Figures, work: str, contender: str, values: dict[str, float]) -> None:
    row = figures.setdefault((work, contender), {})
    for name, value in values.items():
        row.setdefault(name, []).append(value)


def section(name: str, about: str, figures: Figures) -> dict[str, Any]:
    """Prints the rows, and returns them as they are kept."""
    print(f"\n{about}\n")
    rows = []
    for (work, contender), row in figures.items():
        spreads = {figure: statistics.quantiles(values, n=4) for figure, values in row.items()}
        targets = [
            {"figure": figure, bound: limit}
            for target, figure, bound, limit in TARGETS
            if target == work and contender == "mcp_auth"
        ]
        shown = "  ".join(f"{figure} {m:.3f} ({l:.3f} to {h:.3f})" for figure, (l, m, h) in spreads.items())
        verdicts = [verdict(target, spreads) for target in targets]
        print(f"  {work:<18} {contender:<16} {shown}  {' '.join(verdicts)}")
        values = [{"name": figure, "values": [round(v, 4) for v in spread]} for figure, spread in spreads.items()]
        rows.append({"work": work, "contender": contender, "figures": values, "targets": targets})
    return {"name": name, "about": about, "rows": rows}


def verdict(target: dict[str, Any], spreads: dict[str, list[float]]) -> str:
    figure, value = target["figure"], spreads[target["figure"]][1]
    if "at_most" in target:
        return f"{figure} ≤ {target['at_most']} {'met' if value <= target['at_most'] else 'MISSED'}"
    return f"{figure} ≥ {target['at_least']} {'met' if value >= target['at_least'] else 'MISSED'}"


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
        """Sends every token once. Returns its processor's time for one request, in microseconds."""
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
        return (self._nanoseconds() - before) / len(tokens) / 1000

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


if __name__ == "__main__":
    os.environ.setdefault("no_proxy", "127.0.0.1,localhost")
    main()
