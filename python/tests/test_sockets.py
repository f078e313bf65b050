"""What goes over the wire, byte by byte, with uvicorn in between."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from mcp_auth import McpAuth
from mcp_auth.testing import DevIssuer
from support import echo, listening, served


@contextmanager
def server(dev_issuer: DevIssuer, **settings: Any) -> Generator[tuple[tuple[str, int], str]]:
    """The address of a protected server, and a good token for it."""
    with listening() as (listener, origin):
        auth = McpAuth(f"{origin}/mcp", [dev_issuer.issuer], **settings)
        token = dev_issuer.mint(auth.resource)
        with served(auth.protect(echo), listener):
            yield listener.getsockname(), token


def head(*headers: str, method: str = "POST", target: str = "/mcp") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


class Wire:
    """One connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str]]:
        status, headers, _ = self.whole_answer()
        return status, headers

    def whole_answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self._file.read(int(headers.get("content-length", "0")))

    def is_closed(self) -> bool:
        return self._file.read(1) == b""


BODIES = ["Content-Length: 1000", "Content-Length: 1", "Transfer-Encoding: chunked", "Content-Length: 200000"]
REFUSALS = {
    401: [[], ["Authorization: Bearer x"], ["Authorization: Basic x"]],
    400: [["Authorization: Bearer a b"], ["Authorization: Bearer x", "Authorization: Bearer y"]],
    403: [["Origin: https://evil.example"]],
}


@pytest.mark.parametrize("policy", [None, {"tools": {"a": ["b"]}}])
@pytest.mark.parametrize("body", BODIES)
def test_a_refusal_that_the_headers_decide_does_not_wait_for_the_body(
    dev_issuer: DevIssuer, body: str, policy: Any
) -> None:
    settings = {} if policy is None else {"policy": policy}
    with server(dev_issuer, **settings) as (address, _):
        for status, rows in REFUSALS.items():
            for headers in rows:
                with Wire(address) as wire:
                    # Nothing of the body is sent, ever.
                    wire.send(head(body, "Content-Type: application/json", *headers))
                    assert wire.answer()[0] == status, (headers, body)
        with Wire(address) as wire:
            wire.send(head(body, target="/elsewhere"))
            assert wire.answer()[0] in (401, 404)


def test_after_a_refusal_the_connection_can_be_used_again(dev_issuer: DevIssuer) -> None:
    """The next request of a client is the one that looks for the metadata."""
    metadata = head(method="GET", target="/.well-known/oauth-protected-resource/mcp")
    body = b"x" * 100_000
    with server(dev_issuer) as (address, token):
        # In one piece, late, and in the middle.
        for parts in ([body], [b"", body], [body[:10], body[10:]]):
            with Wire(address) as wire:
                wire.send(head(f"Content-Length: {len(body)}") + parts[0])
                assert wire.answer()[0] == 401
                for part in parts[1:]:
                    wire.send(part)
                wire.send(metadata)
                assert wire.answer()[0] == 200
                wire.send(head(f"Authorization: Bearer {token}", "Content-Length: 2") + b"{}")
                assert wire.answer()[0] == 200


@pytest.mark.parametrize("length", ["262145", "1000000", "99999999999"])
def test_a_body_that_is_not_worth_reading_ends_the_connection(dev_issuer: DevIssuer, length: str) -> None:
    with server(dev_issuer) as (address, _), Wire(address) as wire:
        wire.send(head(f"Content-Length: {length}"))
        status, headers = wire.answer()
        assert status == 401 and headers["connection"] == "close"
        assert wire.is_closed()


def test_who_waits_for_permission_to_send_the_body_gets_none(dev_issuer: DevIssuer) -> None:
    with server(dev_issuer) as (address, _), Wire(address) as wire:
        wire.send(head("Content-Length: 10", "Expect: 100-continue"))
        assert wire.answer()[0] == 401


def test_a_body_of_twenty_thousand_levels_is_a_400(dev_issuer: DevIssuer) -> None:
    with server(dev_issuer, policy={"tools": {"a": ["b"]}}) as (address, token), Wire(address) as wire:
        for nested in (b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 20_000 + b"1" + b"}" * 20_000):
            authorized = (f"Authorization: Bearer {token}", "Content-Type: application/json")
            wire.send(head(*authorized, f"Content-Length: {len(nested)}") + nested)
            assert wire.answer()[0] == 400
        called = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
        wire.send(head(*authorized, f"Content-Length: {len(called)}") + called)
        assert wire.answer()[0] == 200


BEGINNINGS = [
    head("Content-Type: application/json", "Content-Length: 1000"),
    head("Content-Type: application/json", "Content-Length: 1000") + b'{"jsonrpc":',
    head("Content-Type: application/json", "Transfer-Encoding: chunked"),
    head("Content-Type: application/json", "Transfer-Encoding: chunked") + b"5\r\n{    \r\n",
]


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_body_that_has_to_be_read_has_to_come_in_time(dev_issuer: DevIssuer, beginning: bytes) -> None:
    policy = {"tools": {"a": {"access": "public"}}}
    with server(dev_issuer, policy=policy, body_timeout=0.2) as (address, token):
        for known in (b"", b"Authorization: Bearer " + token.encode() + b"\r\n"):
            with Wire(address) as wire:
                wire.send(beginning.replace(b"Host: localhost\r\n", b"Host: localhost\r\n" + known))
                status, headers = wire.answer()
                assert status == 408 and headers["connection"] == "close"
                assert wire.is_closed()


def test_a_body_of_nobody_is_short(dev_issuer: DevIssuer) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {}}}
    short = json.dumps(call).encode()
    policy = {"tools": {"a": {"access": "public"}}}
    with server(dev_issuer, policy=policy, max_anonymous_body_bytes=len(short)) as (address, token):
        known = f"Authorization: Bearer {token}"
        for body, headers, status in (
            (short, [], 200), (short + b" ", [], 401), (short + b" ", [known], 200),
            (short + b" " * 70_000, [], 401), (short + b" " * 70_000, [known], 200),
            (short + b" ", ["Authorization: Bearer x"], 401),
        ):  # fmt: skip
            for framing, sent in (
                (f"Content-Length: {len(body)}", body),
                ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
            ):
                with Wire(address) as wire:
                    wire.send(head("Content-Type: application/json", framing, *headers) + sent)
                    assert wire.answer()[0] == status, (len(body), headers, framing)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_methods_without_a_body_have_none_under_a_policy(dev_issuer: DevIssuer, method: str) -> None:
    with server(dev_issuer, policy={"tools": {"a": ["b"]}}) as (address, token):
        good = f"Authorization: Bearer {token}"
        for announced in ("Content-Length: 10", "Transfer-Encoding: chunked"):
            with Wire(address) as wire:
                wire.send(head(good, announced, method=method))
                assert wire.answer()[0] == 400, announced
        for announced in ((), ("Content-Length: 0",)):
            with Wire(address) as wire:
                wire.send(head(good, *announced, method=method))
                assert wire.answer()[0] == 200
