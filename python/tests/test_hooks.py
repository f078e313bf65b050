"""Whatever a hook does, the request is answered with a stated status, and the process goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mcp_auth import ConfigError, InsufficientScope, MCPAuth, McpAuth, TokenError, Unavailable, fetch_server_config
from mcp_auth.testing import DevIssuer
from mcp_auth.types import AuthInfo
from support import RESOURCE, call, echo

JSON = {"content-type": "application/json"}
FAR = 4_000_000_000


class Unreadable(Exception):
    """An exception of which nothing can be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        raise RuntimeError("no form")


class Hostile(BaseException):
    def __str__(self) -> str:
        raise SystemExit(3)


def raising(error: BaseException) -> Callable[..., Any]:
    def hook(*_: Any) -> Any:
        raise error

    return hook


def returning(value: Any) -> Callable[..., Any]:
    return lambda *_: value


ERRORS = [
    RuntimeError("x"), RuntimeError("long\n" * 10_000), Unreadable(), Hostile(), SystemExit(1), KeyboardInterrupt(),
    GeneratorExit(), StopIteration(), StopAsyncIteration(), asyncio.CancelledError(), BaseException(), MemoryError(),
    RecursionError(), UnicodeEncodeError("ascii", "\ud800", 0, 1, "x"), json.JSONDecodeError("x", "y", 0),
]  # fmt: skip


class Answers:
    """A mapping that says something else whenever it is asked, or raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def keys(self) -> Iterator[str]:
        if self._error is not None:
            raise self._error
        return iter(["iss"])

    def __getitem__(self, _name: str) -> str:
        return "x"


async def later() -> bool:
    return True


def message(name: str) -> bytes:
    params = {"name": name, "arguments": {}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


ODD_VERDICTS = [
    None, 1, 0, "allow", "", b"scope", {}, {"scope": 1}, {"a"}, object(), 1.5, [], (), [1], [None], ["a", 2], [["a"]],
    ['a"b'], ["a b"], ["a\nb"], [""], ["ü"], ["\ud800"], Exception("x"), Exception, iter(["a"]),
]  # fmt: skip


@pytest.mark.parametrize("hook", [
    *map(raising, ERRORS), *map(returning, ODD_VERDICTS), lambda *_: later(), lambda: True,
])  # fmt: skip
async def test_an_authorizer_that_fails_denies(
    dev_issuer: DevIssuer, hook: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "mcp_auth"):
        app = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=hook).protect(echo)
        token = dev_issuer.mint(RESOURCE)
        answer = await call(app, headers=JSON, body=message("x"), token=token)
    assert answer.status == 403 and "scope=" not in answer.headers.get("www-authenticate", "")
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and "an authorizer failed" in errors[0].getMessage()
    assert all(len(record.getMessage()) < 600 and "\n" not in record.getMessage() for record in caplog.records)


async def test_what_a_hook_returned_that_says_nothing_is_named(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[tuple[str, Any, str]] = [
        ("verify", "alice", "it returned str"), ("verify", ["alice"], "it returned list"), ("verify", 1, "it returned int"),
        ("authorize", 1, "needs True, False or a list of scopes, not int"), ("authorize", "allow", "needs True, False or a list of scopes, not str"),
        ("authorize", None, "needs True, False or a list of scopes, not NoneType"), ("authorize", {}, "needs True, False or a list of scopes, not dict"),
    ]  # fmt: skip
    for hook, returned, named in rows:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mcp_auth"):
            if hook == "verify":
                auth = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"k_": returning(returned)})
                answer = await call(auth.protect(echo), token="k_1")
            else:
                auth = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=returning(returned))
                token = dev_issuer.mint(RESOURCE)
                answer = await call(auth.protect(echo), headers=JSON, body=message("x"), token=token)
        assert answer.status == (503 if hook == "verify" else 403)
        assert any(named in record.getMessage() for record in caplog.records), (hook, returned, caplog.messages)


async def test_whoever_has_no_token_sees_what_the_policy_opens_and_nothing_that_code_decides(
    dev_issuer: DevIssuer,
) -> None:
    tools = [{"name": name} for name in ("internal", "open", "scoped", "other")]

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
        await send({"type": "http.response.body", "body": body})

    def rules(_caller: Any, operation: Any) -> bool:
        return operation.name != "internal"

    policy = {"tools": {"open": {"access": "public"}, "scoped": ["notes"]}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy, authorizer=rules).protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    for token, expected in ((None, ["open"]), (dev_issuer.mint(RESOURCE), ["open", "scoped", "other"])):
        answer = await call(app, headers=JSON, body=asked, token=token)
        assert [tool["name"] for tool in answer.json["result"]["tools"]] == expected


async def test_a_rule_that_no_list_shows_is_warned_of_once(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    async def server(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        result = {"tools": [{"name": "add_note"}, {"name": "list_notes"}]}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
        await send({"type": "http.response.body", "body": body})

    policy = {"tools": {"add_notes": ["notes"], "list_notes": ["notes"]}}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(server)
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()
    with caplog.at_level(logging.WARNING, "mcp_auth"):
        for _ in range(2):
            await call(app, headers=JSON, body=asked, token=dev_issuer.mint(RESOURCE))
    warnings = [record for record in caplog.records if "no list has shown" in record.getMessage()]
    assert len(warnings) == 1 and warnings[0].levelno == logging.WARNING
    fields = vars(warnings[0])
    assert (fields["rule"], fields["did_you_mean"]) == ("tools.add_notes", "add_note")


@pytest.mark.parametrize("scopes", [["x" * 5000], [f"s{number}" for number in range(100)]])
async def test_scopes_that_fit_into_no_header_deny(dev_issuer: DevIssuer, scopes: list[str]) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=lambda *_: scopes).protect(echo)
    answer = await call(app, headers=JSON, body=message("x"), token=dev_issuer.mint(RESOURCE))
    assert answer.status == 403 and "www-authenticate" not in answer.headers


ODD_CLAIMS = [
    1, True, "machine", b"x", [], ["iss"], [("iss", "x")], object(), {"iss": object()}, {"iss": float("nan")},
    {"exp": float("inf")}, {"exp": "tomorrow"}, {"exp": None}, {"exp": True}, {"nbf": "1"}, {"nbf": [1]}, {"nbf": None},
    Answers(), Answers(SystemExit()), {"a": {(1, 2): 3}}, Exception(),
]  # fmt: skip


def looped() -> dict[str, Any]:
    claims: dict[str, Any] = {}
    claims["self"] = claims
    return claims


def deep() -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for _ in range(100_000):
        claims = {"a": claims}
    return claims


def functions() -> Iterator[tuple[Callable[..., Any], int]]:
    """Verify functions, and what the request is answered with."""
    for error in ERRORS:
        yield raising(error), 503
    for claims in (*ODD_CLAIMS, looped(), deep()):
        yield returning(claims), 503
    refusals = [TokenError("a", 401, "b"), TokenError("wrong_audience", 401, "c", {"actual": ["x"], "expected": ["y"]})]
    for refusal in (*refusals, TokenError("wrong_audience", 401, "no fields")):
        yield raising(refusal), 401
    yield raising(TokenError("wrong_audience", 401, "d", {"actual": 3, "expected": object()})), 503
    yield raising(Unavailable("unavailable", 503, "down")), 503
    for refused in (None, {"iss": "x", "nbf": FAR}, {"iss": "x", "nbf": FAR + 0.5}, {"iss": "x", "exp": 1}, {"exp": -1}):
        yield returning(refused), 401
    for malformed in ({"iss": 1}, {"scope": 5}, {"$serde_json::private::RawValue": "1"}, {"a": 1, 1: 2, "1": 3}):
        yield returning(malformed), 401
    for good in ({"iss": "x"}, {"iss": "x", "nbf": 1, "exp": FAR}, {"iss": "x", "nbf": 1.5, "exp": FAR + 0.5}):
        yield returning(good), 200


@pytest.mark.parametrize("form", ["function", "coroutine", "object", "awaitable"])
async def test_a_verify_function_that_fails_is_answered(
    dev_issuer: DevIssuer, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    current: Callable[..., Any] = returning(None)

    async def coroutine(token: str) -> Any:
        return current(token)

    class Object:
        async def __call__(self, token: str) -> Any:
            return current(token)

    forms: dict[str, Any] = {
        "function": lambda token: current(token), "coroutine": coroutine, "object": Object(),
        "awaitable": lambda token: coroutine(token),
    }  # fmt: skip
    caplog.set_level(logging.WARNING, "mcp_auth")
    auth = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"k_": forms[form]})
    app = auth.protect(echo)
    for number, (function, status) in enumerate(functions()):
        current = function
        caplog.clear()
        answer = await asyncio.wait_for(call(app, token="k_1"), 20)
        assert answer.status == status, (number, answer)
        if status == 503:
            assert "retry-after" in answer.headers
        said = [record.getMessage() for record in caplog.records if record.name.startswith("mcp_auth")]
        # One event, of which no text of the exception is a part.
        assert len(said) == (0 if status == 200 else 1), (number, said)
        assert all("long" not in one and "\n" not in one for one in said)


async def test_a_verify_function_that_never_answers_is_a_503(dev_issuer: DevIssuer) -> None:
    release = threading.Event()

    async def never(_token: str) -> None:
        await asyncio.Event().wait()

    async def stubborn(_token: str) -> None:
        while not release.is_set():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    def blocked(_token: str) -> None:
        release.wait()

    def future(_token: str) -> Any:
        return asyncio.run_coroutine_threadsafe(never(""), loop) and asyncio.Future(loop=loop)

    loop = asyncio.get_running_loop()
    try:
        for hook in (never, stubborn, blocked, future):
            auth = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"k_": hook}, verify_timeout=0.05)
            answer = await asyncio.wait_for(call(auth.protect(echo), token="k_1"), 20)
            assert answer.status == 503 and "retry-after" in answer.headers, hook
    finally:
        release.set()


@pytest.mark.parametrize("required", [["notes:write"], "a b", [], None])
async def test_a_function_that_misses_scopes_is_a_403_which_asks_for_them(dev_issuer: DevIssuer, required: Any) -> None:
    def verify(_: str) -> None:
        raise InsufficientScope("insufficient_scope", 403, "more is needed", {"required": required, "granted": ["mcp"]})

    auth = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"k_": verify})
    answer = await call(auth.protect(echo), token="k_1")
    assert answer.status == 403
    listed = " ".join(required) if isinstance(required, list) else required
    assert (f'scope="{listed}"' in answer.headers["www-authenticate"]) is bool(required)


def test_the_time_for_verify_functions_is_checked() -> None:
    for wrong in (0, -1, 3601, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="verify_timeout"):
            McpAuth(RESOURCE, ["https://auth.example.com"], verify_timeout=wrong)
    with pytest.raises(ConfigError, match="verify_timeout"):
        McpAuth.from_config({"resources": [{"resource": RESOURCE}]}, verify_timeout=0)


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("hook", [
    *map(raising, ERRORS), *map(returning, [None, 1, "x", [], object(), {"a": float("nan")}, {1: object()}]),
    lambda *_: later(), lambda: {},
])  # fmt: skip
async def test_a_patch_of_metadata_that_fails_is_an_outage(
    dev_issuer: DevIssuer, hook: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "mcp_auth"):
        app = McpAuth(RESOURCE, [dev_issuer.issuer], patch_metadata=hook).protect(echo)
        answer = await asyncio.wait_for(call(app, token=dev_issuer.mint(RESOURCE)), 20)
    assert answer.status == 503 and "retry-after" in answer.headers
    assert len([one for one in caplog.records if "patch_metadata failed" in one.getMessage()]) >= 1
    assert all("\n" not in one.getMessage() for one in caplog.records)


async def test_a_patch_of_metadata_that_never_returns_is_an_outage(dev_issuer: DevIssuer) -> None:
    release = threading.Event()

    def blocked(_issuer: str, document: Any) -> Any:
        release.wait()
        return document

    def busy(_issuer: str, document: Any) -> Any:
        while not release.is_set():
            pass
        return document

    def late(_issuer: str, _document: Any) -> Any:
        # When nobody waits for it any more.
        release.wait()
        raise SystemExit(1)

    try:
        for hook in (blocked, busy, late):
            auth = McpAuth(RESOURCE, [dev_issuer.issuer], patch_metadata=hook, fetch_timeout=0.2)
            answer = await asyncio.wait_for(call(auth.protect(echo), token=dev_issuer.mint(RESOURCE)), 20)
            assert answer.status == 503 and "retry-after" in answer.headers, hook
    finally:
        release.set()


@pytest.mark.parametrize("error", ERRORS)
async def test_a_log_handler_that_fails_changes_nothing(dev_issuer: DevIssuer, error: BaseException) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise error

        def filter(self, record: logging.LogRecord) -> bool:
            raise error

    logger, handler = logging.getLogger("mcp_auth"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        app = McpAuth(RESOURCE, [dev_issuer.issuer]).protect(echo)
        assert (await call(app)).status == 401
        assert (await call(app, token=dev_issuer.mint(RESOURCE))).status == 200
        assert (await call(app, token=dev_issuer.mint("http://other"))).status == 401
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("error", ERRORS)
async def test_a_clock_that_fails_accepts_nothing(dev_issuer: DevIssuer, error: BaseException) -> None:
    config = {"resources": [{"resource": RESOURCE, "authorization_servers": [dev_issuer.issuer]}]}
    for hook in (raising(error), returning(None), returning(-1), returning("now")):
        app = McpAuth.from_config(config, clock=hook).protect(echo)
        assert (await call(app, token=dev_issuer.mint(RESOURCE))).status == 401


async def test_an_own_authorizer_takes_no_open_rule_away(dev_issuer: DevIssuer) -> None:
    def rules(_caller: Any, operation: Any) -> bool:
        return operation.name != "vetoed"

    public, optional = {"access": "public"}, {"access": "optional"}
    policy = {"require": ["mcp"], "tools": {"open": public, "asked": optional, "vetoed": optional}}
    settings: dict[str, Any] = {"policy": policy, "authorizer": rules}
    app = McpAuth(RESOURCE, [dev_issuer.issuer], **settings).protect(echo)
    bare = McpAuth(RESOURCE, [dev_issuer.issuer], policy=policy).protect(echo)
    beginning = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).encode()
    for body in (beginning, message("open"), message("asked"), message("closed")):
        answer = await call(app, headers=JSON, body=body)
        assert answer.status == (await call(bare, headers=JSON, body=body)).status
        assert answer.status == (401 if b"closed" in body else 200), body
    for method in ("GET", "DELETE"):
        assert (await call(app, method)).status == (await call(bare, method)).status == 405
    token = dev_issuer.mint(RESOURCE, scope="mcp")
    assert (await call(app, headers=JSON, body=message("closed"), token=token)).status == 200
    assert (await call(app, headers=JSON, body=message("vetoed"), token=token)).status == 403
    # Alone it opens nothing.
    alone = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=rules).protect(echo)
    assert (await call(alone, headers=JSON, body=beginning)).status == 401
    assert (await call(alone, "GET")).status == 401


async def test_bodies_that_are_deep_are_refused_and_not_parsed_by_python(dev_issuer: DevIssuer) -> None:
    app = McpAuth(RESOURCE, [dev_issuer.issuer], policy={"tools": {"a": ["b"]}}).protect(echo)
    token = dev_issuer.mint(RESOURCE)
    for one, other in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
        nested = one * 20_000 + b"1" + other * 20_000
        for body in (nested, b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":' + nested + b"}}}"):
            assert (await call(app, headers=JSON, body=body, token=token)).status == 400


async def test_verify_functions_of_the_originals_form_fail_alike(dev_issuer: DevIssuer) -> None:
    def caller(**members: Any) -> AuthInfo:
        return AuthInfo(**{"token": "x", "issuer": "mine", "claims": {}, **members})

    rows: list[tuple[Callable[..., Any], int]] = [
        *[(raising(error), 503) for error in ERRORS],
        *[(returning(value), 503) for value in (None, True, {"iss": "mine"}, "mine", object())],
        (returning(caller(claims={"nbf": FAR})), 401),
        (returning(caller(claims={"nbf": "x"})), 503),
        (returning(caller(claims={"exp": 1})), 401),
        (returning(caller(expires_at="tomorrow")), 503),
        (returning(caller(audience=3)), 503),
        (returning(caller(audience=False)), 503),
        (returning(caller(audience="http://other")), 401),
        (returning(caller(claims={"nbf": 1, "exp": FAR})), 200),
    ]
    current: Callable[..., Any] = returning(None)
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    bearer = auth.bearer_auth_middleware(lambda token: current(token), resource=RESOURCE)
    app = bearer(echo)
    for number, (function, status) in enumerate(rows):
        current = function
        answer = await asyncio.wait_for(call(app, token="any"), 20)
        assert answer.status == status, (number, answer)


@pytest.mark.parametrize("hook", [raising(RuntimeError("long" * 1000)), returning(None), returning({"iss": "x", "nbf": FAR})])
async def test_a_refusal_by_a_verify_function_is_one_event(
    dev_issuer: DevIssuer, hook: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "mcp_auth"):
        app = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"k_": hook}).protect(echo)
        caplog.clear()
        await call(app, token="k_" + "secret" * 100)
    assert len(caplog.records) == 1
    text = caplog.records[0].getMessage()
    assert "secret" not in text and "long" not in text and len(text) < 600


async def test_what_strangers_write_is_cut_in_logs(dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture) -> None:
    def rules(_caller: Any, operation: Any) -> bool:
        raise KeyError(operation.name)

    long = "y" * 5_000
    with caplog.at_level(logging.DEBUG, "mcp_auth"):
        app = McpAuth(RESOURCE, [dev_issuer.issuer], authorizer=rules).protect(echo)
        token = dev_issuer.mint(RESOURCE)
        caplog.clear()
        await call(app, headers=JSON, body=message(long), token=token)
        await call(app, target=f"/{long}")
        await call(app, target="/mcp", headers={"origin": f"https://{long}"}, token=token)
        await call(app, token=f"{long}.{long}.{long}")
        await call(app, token=dev_issuer.mint(RESOURCE, issuer=f"https://{long}.example"))
        await call(app, token=dev_issuer.mint(RESOURCE, header={"kid": long}))
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": long}).encode()
        await call(app, headers=JSON, body=body, token=token)
    assert len(caplog.records) >= 5
    longest = [max(map(len, re.findall("y+", record.getMessage())), default=0) for record in caplog.records]
    assert max(longest) <= 256, longest
    # What a hook raised is cut here, everything else by the library.
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors and all(len(run) <= 64 for text in errors for run in re.findall("y+", text))
