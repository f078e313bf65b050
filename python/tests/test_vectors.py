"""The language-neutral cases, decided alike to the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_auth import McpAuth, _native
from support import call, echo

VECTORS = Path(__file__).parents[2] / "vectors"
NAMES = ("decisions.json", "introspection.json", "operations.json", "rules.json")
FILES = {name: json.loads((VECTORS / name).read_text()) for name in NAMES}
CASES = [(file, case) for file, content in FILES.items() for case in content["cases"]]


def protected(content: dict[str, Any]) -> McpAuth:
    documents = {url: json.dumps(document) for url, document in content["documents"].items()}
    return McpAuth.from_config(
        content["config"], clock=lambda: content["now"], documents=documents.get
    )


AUTHS = {file: protected(content) for file, content in FILES.items()}


@pytest.mark.parametrize(("file", "case"), CASES, ids=[case["name"] for _, case in CASES])
async def test_case(file: str, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []

    class Recording:
        """The native object, which tells the code of each refusal."""

        def decide(self, scope: Any) -> Any:
            return native.decide(scope)

    native = AUTHS[file]._native
    from mcp_auth import _asgi

    refuse = _asgi.refuse

    async def recorded(reply: _native.Reply, *rest: Any) -> None:
        codes.append(reply.code or "ok")
        await refuse(reply, *rest)

    monkeypatch.setattr(_asgi, "refuse", recorded)
    sent = case["request"]
    headers = [("authorization", value) for value in sent["authorization"]]
    headers += list(sent.get("headers", {}).items())
    app = _asgi.Protected(echo, Recording())  # type: ignore[arg-type]
    answer = await call(app, sent["method"], sent["target"], headers, sent.get("body", "").encode())
    expect = case["expect"]
    assert (answer.status, codes[0] if codes else "ok") == (expect["status"], expect["code"])
    challenge = answer.headers.get("www-authenticate", "")
    assert challenge or answer.status != 401
    if "scope" in expect:
        assert f'scope="{expect["scope"]}"' in challenge


HANDLES = json.loads((VECTORS / "handles.json").read_text())
HANDLES_AUTH = protected(HANDLES)


@pytest.mark.parametrize("case", HANDLES["cases"], ids=[case["name"] for case in HANDLES["cases"]])
async def test_handle(case: dict[str, Any]) -> None:
    seen: list[str] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        seen.append(body.decode())
        given = {name.decode(): value.decode() for name, value in scope["headers"]}
        assert given["content-length"] == str(len(body))
        assert case["expect"].get("seen_headers", {}).items() <= given.items()
        answer_headers = case.get("answer_headers", {"content-type": "application/json"})
        headers = [(name.encode(), value.encode()) for name, value in answer_headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": case["answer"].encode()})

    sent, expect = case["request"], case["expect"]
    headers = [("authorization", value) for value in sent["authorization"]]
    headers += list(sent["headers"].items())
    headers.append(("content-length", str(len(sent["body"].encode()))))
    app = HANDLES_AUTH.protect(server)
    answer = await call(app, sent["method"], sent["target"], headers, sent["body"].encode())
    assert answer.status == expect["status"]
    assert seen == ([expect["seen"]] if "seen" in expect else [])
    if "told" in expect:
        assert answer.body.decode() == expect["told"]


NOTICES = json.loads((VECTORS / "notices.json").read_text())


@pytest.mark.parametrize("case", NOTICES["cases"], ids=[case["name"] for case in NOTICES["cases"]])
async def test_notice(case: dict[str, Any]) -> None:
    config = NOTICES["configurations"][case["configuration"]]
    auth = protected({"config": config, "now": case["now"], "documents": NOTICES["documents"]})
    app = auth.protect(echo)
    for notice in case["notices"]:
        sent = notice["request"]
        headers = [("authorization", value) for value in sent["authorization"]]
        headers += list(sent["headers"].items())
        answer = await call(app, sent["method"], sent["target"], headers, sent["body"].encode())
        if notice["expect"] is None:
            assert answer.status == 401
            continue
        body = json.loads(answer.body) if answer.body else {}
        told = {
            "status": answer.status,
            "code": body.get("err", body.get("error", "")),
            "reason": body.get("description", body.get("error_description", "")),
        }
        assert told == notice["expect"]
    refused = []
    for name, token in NOTICES["access_tokens"].items():
        answer = await call(app, token=token)
        assert answer.status in (200, 401)
        if answer.status == 401:
            refused.append(name)
    assert sorted(refused) == sorted(case["revoked"])


def test_there_are_as_many_cases_as_for_rust() -> None:
    assert all(len(content["cases"]) > 40 for content in [*FILES.values(), HANDLES])
    assert len(NOTICES["cases"]) > 100
