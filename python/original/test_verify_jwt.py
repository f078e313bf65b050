"""`create_verify_jwt`, by a URL, a client and a key, in both packages."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from conftest import PACKAGES, module_of
from mcp_auth import MCPAuthConfigException

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
ISSUER = "https://auth.example.com"


def jwk(key: Any = KEY, algorithm: str = "ES256", **members: Any) -> dict[str, Any]:
    written = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key())
    return {**json.loads(written), "alg": algorithm, **members}


class Keys(BaseHTTPRequestHandler):
    """A JWK Set with one key."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [jwk(kid="one")]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def jwks_url() -> Generator[str, None, None]:
    server = HTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    server.server_close()
    thread.join()


def token(
    claims: dict[str, Any] | None = None, key: Any = KEY, algorithm: str = "ES256",
    without: tuple[str, ...] = (), header: dict[str, Any] | None = None,
) -> str:  # fmt: skip
    now = int(time.time())
    all_claims = {
        "iss": ISSUER, "sub": "alice", "aud": "https://mcp.example.com/mcp", "client_id": "app",
        "iat": now, "exp": now + 3600, **(claims or {}),
    }  # fmt: skip
    said = {name: value for name, value in all_claims.items() if name not in without}
    return jwt.encode(said, key, algorithm, {"kid": "one", **(header or {})})


def verified(package: str, given: Any, text: Any, **options: Any) -> dict[str, Any]:
    """What comes of it: a caller's facts, or the exception's."""
    verify = module_of(package, "utils").create_verify_jwt(given, **options)
    try:
        caller = verify(text)
    except Exception as error:
        return {"raised": type(error).__name__, "code": getattr(error, "code", None), "json": error.to_json()}  # type: ignore[attr-defined]
    names = ("token", "issuer", "subject", "client_id", "audience", "scopes", "claims")
    return {name: getattr(caller, name) for name in names}


def of_both(given: Any, text: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    published, ours = (verified(package, given, text, **options) for package in PACKAGES)
    return published, ours


#: Claims that are added to those of a good token, or taken from it.
SAME: dict[str, dict[str, Any]] = {
    "as it is": {},
    "scope as a text": {"claims": {"scope": "read write"}},
    "scope as a list": {"claims": {"scope": ["read", "write"]}},
    "scopes as a list": {"claims": {"scopes": ["read", "write"]}},
    "scopes as a text": {"claims": {"scopes": "read write"}},
    "scope before scopes": {"claims": {"scope": "read", "scopes": "write"}},
    "an empty scope before scopes": {"claims": {"scope": "", "scopes": "write"}},
    "an empty list before scopes": {"claims": {"scope": [], "scopes": ["write"]}},
    "no scope": {"claims": {"scope": ""}},
    "one scope": {"claims": {"scope": "read"}},
    "scp is no scope": {"claims": {"scp": "read"}},
    "scope as a number": {"claims": {"scope": 5}},
    "scope with a number": {"claims": {"scope": ["read", 5]}},
    "azp for client_id": {"claims": {"azp": "other", "scope": "read"}, "without": ("client_id",)},
    "client_id before azp": {"claims": {"azp": "other"}},
    "an empty client_id before azp": {"claims": {"client_id": "", "azp": "other"}},
    "cid is no client": {"claims": {"cid": "other", "scope": "read"}, "without": ("client_id",)},
    "no client": {"claims": {"scope": "read"}, "without": ("client_id",)},
    "client_id as a number": {"claims": {"client_id": 5}},
    "azp as a number": {"claims": {"azp": 5}},
    "no issuer": {"without": ("iss",)},
    "an empty issuer": {"claims": {"iss": ""}},
    "an issuer that is no URL": {"claims": {"iss": "mine"}},
    "an issuer with a slash": {"claims": {"iss": f"{ISSUER}/"}},
    "no subject": {"without": ("sub",)},
    "an empty subject": {"claims": {"sub": ""}},
    "no audience": {"without": ("aud",)},
    "an audience as a list": {"claims": {"aud": ["a", "b"]}},
    "an audience that is no URL": {"claims": {"aud": "api://notes"}},
    "an empty audience": {"claims": {"aud": ""}},
    "an audience as a number": {"claims": {"aud": 5}},
    "claims of its own": {"claims": {"roles": ["admin"], "nested": {"a": [1, None, True]}}},
    "long expired": {"claims": {"exp": 1}},
    "expired a moment ago": {"claims": {"exp": int(time.time()) - 30}},
    "exp as a text": {"claims": {"exp": "soon"}},
    "from the future": {"claims": {"nbf": int(time.time()) + 3600}},
    "issued in the future": {"claims": {"iat": int(time.time()) + 3600}},
    "from a near future": {"claims": {"nbf": int(time.time()) + 30}},
    "signed with another key": {"key": OTHER_KEY},
    "typ of an access token": {"header": {"typ": "at+jwt"}},
}


@pytest.mark.parametrize("name", SAME)
def test_a_token_is_read_the_same_by_a_key(name: str) -> None:
    published, ours = of_both(jwt.PyJWK(jwk()), token(**SAME[name]))
    assert ours == published


@pytest.mark.parametrize("name", SAME)
def test_a_token_is_read_the_same_by_a_url_and_by_a_client(name: str, jwks_url: str) -> None:
    text = token(**SAME[name])
    published, ours = of_both(jwks_url, text)
    assert ours == published
    published, ours = of_both(jwt.PyJWKClient(jwks_url), text)
    assert ours == published


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "a b", "é", "x" * 20000], ids=len)
def test_what_is_no_token_is_refused_with_the_same_code(text: str) -> None:
    published, ours = of_both(jwt.PyJWK(jwk()), text)
    assert ours == published and ours["raised"] == "MCPAuthTokenVerificationException"


@pytest.mark.parametrize("options", [
    {"algorithms": ["ES256"]}, {"algorithms": ["RS256"]}, {"algorithms": ["RS256", "ES256"]},
    {"leeway": 0}, {"leeway": 30.0}, {"leeway": 300},
], ids=str)  # fmt: skip
def test_options_mean_the_same(options: dict[str, Any]) -> None:
    keys = ((jwk(), KEY, "ES256"), (jwk(RSA_KEY, "RS256"), RSA_KEY, "RS256"))
    for one, key, algorithm in keys:
        for claims in ({}, {"exp": int(time.time()) - 200}):
            published, ours = of_both(jwt.PyJWK(one), token(claims, key, algorithm), **options)
            assert ours == published


def test_a_private_key_verifies_as_its_public_half() -> None:
    private = jwt.PyJWK({**json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(KEY)), "alg": "ES256"})
    caller = module_of("mcp_auth", "utils").create_verify_jwt(private)(token())
    assert caller.subject == "alice"


async def test_a_verify_function_may_be_called_inside_an_event_loop(package: str, jwks_url: str) -> None:
    verify = module_of(package, "utils").create_verify_jwt(jwks_url)
    assert [verify(token()).subject for _ in range(2)] == ["alice", "alice"]


# The rows of the table of differences in docs/python.md: what is accepted there, and why not here.


def refusal(text: str) -> dict[str, Any]:
    published, ours = of_both(jwt.PyJWK(jwk()), text)
    assert "raised" not in published and ours["raised"] == "MCPAuthTokenVerificationException"
    return ours


@pytest.mark.parametrize("difference", [
    {"without": ("exp",)},
    {"without": ("client_id",)},
    {"claims": {"nonce": "a"}, "without": ("client_id",)},
    {"claims": {"at_hash": "a"}},
    {"claims": {"token_use": "id"}},
    {"claims": {"cnf": {"jkt": "a"}}},
    {"header": {"typ": "dpop+jwt"}},
], ids=str)  # fmt: skip
def test_what_is_no_bearer_access_token_is_refused_here(difference: dict[str, Any]) -> None:
    assert refusal(token(**difference))["code"] == "invalid_token"


def test_a_token_of_another_kind_of_key_is_the_token_s_fault() -> None:
    published, ours = of_both(jwt.PyJWK(jwk()), token(key=RSA_KEY, algorithm="RS256"))
    assert published["code"] == "token_verification_failed" and ours["code"] == "invalid_token"


def test_keys_that_cannot_be_had_are_no_fault_of_the_token() -> None:
    for given in ("http://127.0.0.1:1/keys", jwt.PyJWKClient("http://127.0.0.1:1/keys")):
        published, ours = of_both(given, token())
        assert published["code"] == "invalid_token" and ours["code"] == "token_verification_failed"


@pytest.mark.parametrize(("given", "options"), [
    (jwt.PyJWK({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "alg": "HS256"}), {"algorithms": ["HS256"]}),
    (jwt.PyJWK({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "alg": "HS256"}), {}),
    (jwt.PyJWK(jwk()), {"algorithms": ["HS256"]}),
    (jwt.PyJWK(jwk()), {"algorithms": ["none"]}),
    (jwt.PyJWK(jwk()), {"leeway": 301}),
    ("http://keys.example.com/keys", {}),
    ("keys", {}),
    (None, {}),
    (KEY, {}),
], ids=str)  # fmt: skip
def test_what_could_verify_nothing_or_too_much_fails_at_construction(given: Any, options: dict[str, Any]) -> None:
    with pytest.raises(MCPAuthConfigException) as raised:
        module_of("mcp_auth", "utils").create_verify_jwt(given, **options)
    assert raised.value.code == "invalid_verification"


RESOURCE = "http://localhost/mcp"


@pytest.mark.parametrize(("claims", "status"), [
    ({"aud": RESOURCE}, 200), ({"aud": ["https://other.example", RESOURCE]}, 200),
    ({"aud": RESOURCE, "iss": "https://other.example"}, 401), ({"aud": "https://other.example"}, 401), ({"aud": None}, 401),
], ids=str)  # fmt: skip
def test_in_a_middleware_issuer_and_audience_are_those_of_the_resource(claims: dict[str, Any], status: int) -> None:
    from mcp_auth import MCPAuth, ResourceServerConfig, ResourceServerMetadata
    from mcp_auth.utils import create_verify_jwt, fetch_server_config

    metadata = ResourceServerMetadata(resource=RESOURCE, authorization_servers=[fetch_server_config(ISSUER)])
    auth = MCPAuth(protected_resources=ResourceServerConfig(metadata))
    bearer = auth.bearer_auth_middleware(create_verify_jwt(jwt.PyJWK(jwk())), resource=RESOURCE)

    async def whoami(_request: object) -> JSONResponse:
        return JSONResponse(auth.auth_info and auth.auth_info.subject)

    app = Starlette(routes=[Route("/mcp", whoami, methods=["POST"])], middleware=[Middleware(bearer)])
    text = token(claims, without=("aud",) if claims["aud"] is None else ())
    answer = TestClient(app, base_url="http://localhost").post("/mcp", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == status
