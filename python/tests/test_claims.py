"""No name in a token or in claims of one's own has a meaning of its own, and nobody is guessed to be a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_auth import ConfigError, McpAuth
from mcp_auth.testing import DevIssuer
from support import RESOURCE, call, echo

RAW = "$serde_json::private::RawValue"
RESERVED: list[Any] = [
    {RAW: '"admin"'},
    {RAW: 5},
    [{"a": {RAW: "true"}}],
    {"$serde_json::private::Number": "1"},
]
PLAIN: list[Any] = [
    {"__proto__": {"admin": True}, "__class__": "x"},
    {"$ref": "#", "": ""},
    [1, -0.5, 1e300, 9007199254740993, 18446744073709551615],
]
POLICY = {"tools": {"wipe": {"roles": ["admin"]}, "human": {"caller": "user"}}}
JSON = {"content-type": "application/json"}

# Tokens that a key of this test alone signed, good until the year 9999.
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "iV4c8Dk2iUVjGclFHKrLHBWYI4POSln4M93RTmHK3eg",
    "y": "IAHzyvw8wYLKvC5QlOSJmkGpeVR2tEJ65QYFGI9vU3k",
}
HEAD = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9tY3AuZX"
    "hhbXBsZS5jb20vbWNwIiwic3ViIjoiYXBwIiwiY2xpZW50X2lkIjoiYXBwIiwiZXhwIjoyNTM0MDIzMDA3OTksInJvbGVzIjpbey"
)
# `roles` is `[{"$serde_json::private::RawValue": "\"admin\""}]`, and `[{"admin": false}]`.
RESERVED_TOKEN = HEAD + (
    "Ikc2VyZGVfanNvbjo6cHJpdmF0ZTo6UmF3VmFsdWUiOiJcImFkbWluXCIifV19."
    "Ycd7oUJgKTgnQcOSLLxvxrD7kRfXtIMlGUmyOarRUeABxEcx69dVw8_-9g8P929Jy-DtcOCCG90geZirMHg3tQ"
)
PLAIN_TOKEN = HEAD + (
    "JhZG1pbiI6ZmFsc2V9XX0."
    "B6i-So4qMteWFQ_VBUdNGKBb-kYnDfIW-O-iCbaV47y2gRER_LybVf17cFxEMlRomB2csnj3KIoX7HcKSKSKhA"
)


def message(name: str) -> bytes:
    params: dict[str, Any] = {"name": name, "arguments": {}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


async def test_a_token_with_a_reserved_name_is_refused() -> None:
    server = {"issuer": "https://as.example.com", "jwks": {"keys": [KEY]}}
    resource = "https://mcp.example.com/mcp"
    app = McpAuth(resource, [server], policy=POLICY).protect(echo)
    for token, expected in ((RESERVED_TOKEN, 401), (PLAIN_TOKEN, 403)):
        for tool in ("wipe", "human"):
            answer = await call(app, headers=JSON, body=message(tool), token=token)
            assert answer.status == expected, tool


async def test_claims_of_a_verify_function_are_read_alike_or_refused(dev_issuer: DevIssuer) -> None:
    seen: list[Any] = []

    def key(token: str) -> dict[str, Any]:
        return {"iss": "keys", "sub": "bot", "idtyp": "app", "more": [*RESERVED, *PLAIN][int(token[4:])]}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        caller = scope["mcp_auth"]
        seen.append((caller.principal, caller.claims["more"]))
        await echo(scope, receive, send)

    protected = McpAuth(RESOURCE, [dev_issuer.issuer], token_verifiers={"key_": key}).protect(app)
    for index in range(len(RESERVED)):
        assert (await call(protected, token=f"key_{index}")).status == 401
    for index, more in enumerate(PLAIN):
        assert (await call(protected, token=f"key_{len(RESERVED) + index}")).status == 200
        assert seen.pop() == ("client", more)
    assert not seen


async def test_only_who_is_told_to_be_a_person_passes_a_rule_for_users(dev_issuer: DevIssuer) -> None:
    async def runs(server: dict[str, Any], subject: str, claims: dict[str, Any]) -> bool:
        settings = {"issuer": dev_issuer.issuer, **server}
        app = McpAuth(RESOURCE, [settings], policy=POLICY).protect(echo)
        token = dev_issuer.mint(RESOURCE, subject=subject, claims={"client_id": "app", **claims})
        answer = await call(app, headers=JSON, body=message("human"), token=token)
        assert answer.status in (200, 403)
        return answer.status == 200

    rows: list[tuple[str, dict[str, Any], bool]] = [
        ("4f", {"oid": "4f", "tid": "t", "ver": "2.0", "roles": ["r"]}, False),
        ("293847561029384756", {}, False),
        ("4f", {"preferred_username": "service-account-app"}, False),
        ("", {}, False),
        ("app", {}, False),
        ("bob", {"email": "bob@example.com"}, True),
    ]
    for subject, claims, expected in rows:
        assert await runs({}, subject, claims) is expected, claims
    by_claim = {"principal_claim": {"claim": "kind", "user": ["person"], "client": ["bot-*"]}}
    kinds = [await runs(by_claim, "293", {"kind": kind}) for kind in ("person", "bot-1", "other")]
    assert kinds == [True, False, False]
    by_default = {"default_principal": "user"}
    assert [await runs(by_default, subject, {}) for subject in ("293", "app", "")] == [True, False, False]
    with pytest.raises(ConfigError, match="principal_claim"):
        McpAuth(RESOURCE, [{"issuer": dev_issuer.issuer, "principal_claim": {"claim": "kind"}}])
