"""The command that the wheel carries: `python -m mcp_auth`, and `mcp-auth` beside the interpreter."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mcp_auth
from mcp_auth.testing import DevIssuer
from support import RESOURCE

MODULE = [sys.executable, "-m", "mcp_auth"]
SCRIPT = [str(Path(sys.executable).with_name("mcp-auth"))]
WAYS = pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["module", "script"])


def run(command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MODULE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_both_licences_are_installed_as_they_are_in_the_repository() -> None:
    files = importlib.metadata.files("mcp-auth") or []
    for name in ["LICENSE-APACHE", "LICENSE-MIT"]:
        [installed] = [file for file in files if file.name == name]
        assert installed.read_text() == (Path(__file__).parents[2] / name).read_text()


@WAYS
def test_it_says_its_version(command: list[str]) -> None:
    done = run(command, "--version")
    assert (done.returncode, done.stdout) == (0, f"mcp-auth {mcp_auth.__version__}\n"), done.stderr


@WAYS
def test_without_arguments_it_says_how_it_is_used(command: list[str]) -> None:
    done = run(command)
    assert done.returncode == 2 and "Usage: mcp-auth" in done.stderr, done


def test_a_misplaced_argument_is_not_repeated() -> None:
    done = run(MODULE, "explain", "--tokem=secret-secret")
    assert done.returncode == 2 and "secret-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(("expires_in", "code"), [(60, 0), (-600, 1)])
def test_it_explains_a_token(dev_issuer: DevIssuer, expires_in: int, code: int) -> None:
    token = dev_issuer.mint(RESOURCE, expires_in=expires_in)
    done = run(MODULE, "explain", token, "--resource", RESOURCE, "--issuer", dev_issuer.issuer, "--json")
    assert done.returncode == code, done
    assert json.loads(done.stdout)["code"] == ("ok" if code == 0 else "expired")


def test_it_checks_an_issuer(dev_issuer: DevIssuer) -> None:
    done = run(MODULE, "check", "issuer", dev_issuer.issuer, "--json")
    assert done.returncode in (0, 1) and json.loads(done.stdout)["command"] == "check issuer", done


def test_a_server_that_is_not_there_cannot_be_judged() -> None:
    # A socket that does not listen keeps others off its port.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        done = run(MODULE, "check", "server", f"http://127.0.0.1:{port}/mcp")
    assert done.returncode == 2 and "connection was refused" in done.stdout, done


def test_a_server_of_its_own_stops_when_nobody_asks_any_more() -> None:
    with start("dev", "--port", "0", "--json") as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        assert ready["resource"].endswith("/mcp") and ready["issuer"].startswith("http://127.0.0.1:")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_its_server_in_order() -> None:
    with start("dev", "--port", "0", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_what_waits_for_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        with start("check", "server", url) as process:
            # It has asked, and waits.
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == -signal.SIGINT
