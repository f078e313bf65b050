"""The surface of `mcpauth`, as its documents show it."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route

from mcp_auth import (
    AuthorizationServerMetadata,
    AuthServerConfig,
    AuthServerType,
    MCPAuth,
    MCPAuthAuthServerException,
    MCPAuthConfigException,
    MCPAuthTokenVerificationException,
    MCPAuthTokenVerificationExceptionCode,
    McpAuth,
    auth_info,
    fetch_server_config,
    fetch_server_config_by_well_known_url,
)
from mcp_auth.exceptions import (
    AuthServerExceptionCode,
    BearerAuthExceptionCode,
    MCPAuthBearerAuthException,
    MCPAuthBearerAuthExceptionDetails,
)
from mcp_auth.testing import DevIssuer
from mcp_auth.types import AuthInfo, ResourceServerConfig, ResourceServerMetadata
from mcp_auth.utils import create_verify_jwt
from support import RESOURCE, call


def whoami(auth: MCPAuth) -> Any:
    async def endpoint(request: Request) -> JSONResponse:
        info = auth.auth_info
        assert info is not None and "authorization" not in request.headers
        names = ("subject", "issuer", "client_id", "scopes", "audience", "claims", "token")
        return JSONResponse({name: getattr(info, name) for name in names})

    return endpoint


def with_middleware(auth: MCPAuth, kind: str, **options: Any) -> Any:
    """An app with the middleware in one of the ways that people use."""
    bearer = auth.bearer_auth_middleware("jwt", **options)
    route = Route("/mcp", whoami(auth), methods=["POST"])
    if kind == "Middleware":
        return Starlette(routes=[route], middleware=[Middleware(bearer)])
    if kind == "mounted":
        return Starlette(routes=[Mount("/", Starlette(routes=[route]), middleware=[Middleware(bearer)])])
    app = FastAPI()
    app.add_route("/mcp", whoami(auth), methods=["POST"])
    if kind == "add_middleware":
        app.add_middleware(bearer)
    else:
        app.add_middleware(BaseHTTPMiddleware, dispatch=bearer)
    return app


WAYS = ["Middleware", "mounted", "add_middleware", "dispatch"]


@pytest.mark.parametrize("kind", WAYS)
async def test_every_way_to_use_the_middleware(dev_issuer: DevIssuer, kind: str) -> None:
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer, type=AuthServerType.OIDC))
    app = with_middleware(auth, kind, required_scopes=["read", "write"], audience=RESOURCE)
    token = dev_issuer.mint(RESOURCE, scope="read write")
    answer = await call(app, token=token)
    assert answer.status == 200
    seen = answer.json
    assert (seen["subject"], seen["issuer"]) == ("alice", dev_issuer.issuer)
    assert (seen["scopes"], seen["audience"]) == (["read", "write"], RESOURCE)
    assert (seen["token"], seen["claims"]["sub"]) == (token, "alice")
    refused = await call(app)
    assert refused.status == 401 and "resource_metadata=" in refused.headers["www-authenticate"]
    refused = await call(app, token=dev_issuer.mint(RESOURCE, scope="read"))
    assert refused.status == 403 and refused.json["error"] == "insufficient_scope"
    refused = await call(app, token=dev_issuer.mint("http://other", scope="read write"))
    assert refused.status == 401 and refused.json["error"] == "invalid_token"
    assert "cause" not in refused.json
    assert auth.auth_info is None and auth_info() is None


async def test_a_stream_goes_through_a_dispatch(dev_issuer: DevIssuer) -> None:
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))

    async def events(_request: Request) -> StreamingResponse:
        pieces = (f"data: {number}\n\n".encode() for number in range(3))
        return StreamingResponse(pieces, media_type="text/event-stream")

    app = Starlette(routes=[Route("/mcp", events, methods=["POST"])])
    app.add_middleware(BaseHTTPMiddleware, dispatch=auth.bearer_auth_middleware("jwt", audience=RESOURCE))
    answer = await call(app, token=dev_issuer.mint(RESOURCE))
    assert answer.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_resources_that_name_their_servers(dev_issuer: DevIssuer) -> None:
    def config(resource: str) -> ResourceServerConfig:
        servers = [fetch_server_config(dev_issuer.issuer, AuthServerType.OAUTH)]
        metadata = ResourceServerMetadata(
            resource=resource, authorization_servers=servers, scopes_supported=["read"]
        )
        return ResourceServerConfig(metadata=metadata)

    other = "http://localhost/other"
    auth = MCPAuth(protected_resources=[config(RESOURCE), config(other)])
    bearer = Middleware(auth.bearer_auth_middleware("jwt", resource=RESOURCE))
    inner = Starlette(routes=[Route("/mcp", whoami(auth), methods=["POST"])])
    app = Starlette(routes=[*auth.resource_metadata_router().routes, Mount("/", inner, middleware=[bearer])])
    document = await call(app, "GET", "/.well-known/oauth-protected-resource/other")
    assert document.json["resource"] == other and document.json["scopes_supported"] == ["read"]
    assert (await call(app, token=dev_issuer.mint(RESOURCE))).status == 200
    assert (await call(app, token=dev_issuer.mint(other))).status == 401
    with pytest.raises(MCPAuthAuthServerException, match="Add `resource=`"):
        auth.bearer_auth_middleware("jwt")
    with pytest.raises(MCPAuthAuthServerException) as raised:
        auth.metadata_route()
    assert raised.value.code is AuthServerExceptionCode.INVALID_SERVER_CONFIG


async def test_the_authorization_servers_metadata(dev_issuer: DevIssuer) -> None:
    def transpile(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "response_types_supported": ["code", "patched"]}

    server = fetch_server_config(dev_issuer.issuer, AuthServerType.OIDC, transpile_data=transpile)
    app = Starlette(routes=[MCPAuth(server=server).metadata_route()])
    document = await call(app, "GET", "/.well-known/oauth-authorization-server")
    assert document.json["issuer"] == dev_issuer.issuer
    assert document.json["response_types_supported"] == ["code", "patched"]
    assert server.metadata.response_types_supported == ["code", "patched"]


async def test_metadata_by_hand_and_by_url(dev_issuer: DevIssuer) -> None:
    by_url = fetch_server_config_by_well_known_url(f"{dev_issuer.issuer}/.well-known/openid-configuration")
    by_hand = AuthServerConfig(
        metadata=AuthorizationServerMetadata(
            issuer=dev_issuer.issuer,
            authorization_endpoint=f"{dev_issuer.issuer}/authorize",
            token_endpoint=f"{dev_issuer.issuer}/token",
            response_types_supported=["code"],
            code_challenge_methods_supported=["S256"],
            jwks_uri=dev_issuer.jwks_uri,
        ),
        type=AuthServerType.OAUTH,
    )
    for server in (by_url, by_hand):
        app = with_middleware(MCPAuth(server=server), "Middleware", resource=RESOURCE)
        assert (await call(app, token=dev_issuer.mint(RESOURCE))).status == 200
    with pytest.raises(MCPAuthConfigException) as raised:
        fetch_server_config_by_well_known_url(f"{dev_issuer.issuer}/nothing")
    assert raised.value.code == "fetch_server_config_error"


def test_without_an_audience_construction_fails_and_shows_the_line() -> None:
    auth = MCPAuth(server=fetch_server_config("https://auth.example.com"))
    with pytest.raises(MCPAuthConfigException) as raised:
        auth.bearer_auth_middleware("jwt", required_scopes=["read"])
    assert raised.value.code == "missing_audience"
    assert '    resource="https://mcp.example.com/mcp",' in str(raised.value)
    with pytest.raises(MCPAuthConfigException, match="is no URL"):
        auth.bearer_auth_middleware("jwt", audience="api://notes")
    auth.bearer_auth_middleware("jwt", audience="api://notes", resource="https://mcp.example.com/mcp")
    with pytest.raises(MCPAuthAuthServerException):
        MCPAuth()


BROKEN = ["signature", "foreign-key", "sender-constrained", "id-token", "algorithm-none", "payload"]


async def test_any_audience_is_dangerous_and_nothing_else_is_weaker(
    dev_issuer: DevIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    with caplog.at_level(logging.WARNING, "mcp_auth"):
        app = with_middleware(
            auth, "Middleware", resource=RESOURCE, dangerously_accept_any_audience=True,
            required_scopes=["read"],
        )  # fmt: skip
    assert "`dangerous_accept_any_audience` is set" in caplog.text

    async def status(audience: Any, **options: Any) -> int:
        token = dev_issuer.mint(audience, scope="read", **options)
        return (await call(app, token=token)).status

    assert await status("http://other") == 200
    assert await status(RESOURCE) == 200
    assert await status([], without=["aud"]) == 200
    assert await status("http://other", expires_in=-120) == 401
    assert await status("http://other", issuer="https://other.example") == 401
    assert (await call(app, token=dev_issuer.mint("http://other"))).status == 403
    for audience in ("http://other", RESOURCE):
        for broken in BROKEN:
            assert await status(audience, broken=broken) == 401, (audience, broken)


@pytest.mark.parametrize("is_async", [False, True])
async def test_verify_functions(dev_issuer: DevIssuer, is_async: bool) -> None:
    def verify(token: str) -> AuthInfo:
        codes = MCPAuthTokenVerificationExceptionCode
        if token == "bad":
            raise MCPAuthTokenVerificationException(codes.INVALID_TOKEN)
        if token == "down":
            raise MCPAuthTokenVerificationException(codes.TOKEN_VERIFICATION_FAILED)
        return AuthInfo(
            token=token, issuer="https://mine.example", subject="dora", scopes=["read"],
            audience=token, claims={"name": "Dora"},
        )  # fmt: skip

    async def verify_later(token: str) -> AuthInfo:
        return verify(token)

    mine = ContextVar[AuthInfo | None]("mine", default=None)
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer), context_var=mine)
    bearer = auth.bearer_auth_middleware(
        verify_later if is_async else verify,
        audience="good", resource=RESOURCE, required_scopes=["read"], show_error_details=True,
    )  # fmt: skip
    route = Route("/mcp", whoami(auth), methods=["POST"])
    app = Starlette(routes=[route], middleware=[Middleware(bearer)])
    answer = await call(app, token="good")
    assert (answer.json["subject"], answer.json["token"]) == ("dora", "good")
    assert answer.json["claims"]["name"] == "Dora"
    refused = await call(app, token="bad")
    assert refused.status == 401 and refused.json["code"] == "inactive"
    refused = await call(app, token="other")
    assert refused.status == 401 and refused.json["code"] == "wrong_audience"
    assert "got" in refused.json["cause"]
    assert (await call(app, token="down")).status == 503


def test_exceptions_have_codes_and_json() -> None:
    codes = MCPAuthTokenVerificationExceptionCode
    error = MCPAuthTokenVerificationException(codes.INVALID_TOKEN, cause=ValueError("why"))
    assert error.code == "invalid_token" and error.code is codes.INVALID_TOKEN
    assert json.dumps(error.to_json()) and "cause" not in error.to_json()
    assert error.to_json(show_cause=True)["cause"] == "why"


async def test_a_function_answers_for_audience_and_expiry(dev_issuer: DevIssuer) -> None:
    stated = {"ours": (RESOURCE, 4_000_000_000), "none": (None, None), "theirs": ("http://other", None), "old": (None, 1)}

    def verify(token: str) -> AuthInfo:
        if token == "refused":
            raise MCPAuthBearerAuthException(BearerAuthExceptionCode.INVALID_TOKEN)
        audience, expires_at = stated[token]
        return AuthInfo(token=token, issuer="mine", claims={}, audience=audience, expires_at=expires_at)

    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    route = Route("/mcp", whoami(auth), methods=["POST"])
    bearer = auth.bearer_auth_middleware(verify, resource=RESOURCE)
    app = Starlette(routes=[route], middleware=[Middleware(bearer)])
    statuses = [(await call(app, token=token)).status for token in [*stated, "refused"]]
    assert statuses == [200, 200, 401, 401, 401]


@pytest.mark.parametrize("missing", [["c"], ["c", "d"], [], None])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_says_which_scopes_are_missing(
    dev_issuer: DevIssuer, missing: list[str] | None, is_async: bool
) -> None:
    def verify(_: str) -> AuthInfo:
        details = MCPAuthBearerAuthExceptionDetails(missing_scopes=missing) if missing is not None else None
        raise MCPAuthBearerAuthException(BearerAuthExceptionCode.MISSING_REQUIRED_SCOPES, cause=details)

    async def verify_later(token: str) -> AuthInfo:
        return verify(token)

    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    bearer = auth.bearer_auth_middleware(verify_later if is_async else verify, resource=RESOURCE)
    route = Route("/mcp", whoami(auth), methods=["POST"])
    answer = await call(Starlette(routes=[route], middleware=[Middleware(bearer)]), token="t")
    assert answer.status == 403
    asked = f'scope="{" ".join(missing)}"' if missing else "insufficient_scope"
    assert asked in answer.headers["www-authenticate"], answer.headers


async def test_pages_read_metadata_and_call_where_that_is_allowed(dev_issuer: DevIssuer) -> None:
    page = "https://app.example.com"
    server = fetch_server_config(dev_issuer.issuer)
    auth = MCPAuth(server=server, allowed_origins=[page])
    app = Starlette(routes=[auth.metadata_route()])
    document = await call(app, "GET", "/.well-known/oauth-authorization-server", headers={"origin": page})
    assert (document.status, document.headers["access-control-allow-origin"]) == (200, "*")
    app = with_middleware(auth, "Middleware", resource=RESOURCE)
    document = await call(app, "GET", "/.well-known/oauth-authorization-server")
    assert document.json["issuer"] == dev_issuer.issuer
    token = dev_issuer.mint(RESOURCE)
    assert (await call(app, token=token, headers={"origin": page})).status == 200
    assert (await call(app, token=token, headers={"origin": "https://other.example"})).status == 403


def test_metadata_by_hand_may_have_any_member_but_needs_keys() -> None:
    document = {
        "issuer": "https://auth.example.com", "authorization_endpoint": "https://auth.example.com/authorize",
        "token_endpoint": "https://auth.example.com/token", "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "claims_supported": ["sub"],
    }  # fmt: skip
    metadata = AuthorizationServerMetadata(**document)
    assert metadata.document() == document and metadata.more == {"claims_supported": ["sub"]}
    auth = MCPAuth(server=AuthServerConfig(metadata=metadata))
    with pytest.raises(MCPAuthAuthServerException) as raised:
        auth.bearer_auth_middleware("jwt", resource=RESOURCE)
    assert raised.value.code is AuthServerExceptionCode.MISSING_JWKS_URI


def test_promises_of_bound_tokens_and_any_issuer_warn(caplog: pytest.LogCaptureFixture) -> None:
    members: dict[str, Any] = {
        "tls_client_certificate_bound_access_tokens": True,
        "dpop_signing_alg_values_supported": ["ES256"],
        "dpop_bound_access_tokens_required": True,
    }
    with caplog.at_level(logging.WARNING, "mcp_auth"):
        auth = McpAuth(RESOURCE, ["https://auth.example.com"], **members)
    assert {name: auth.metadata[name] for name in members} == members
    for name in members:
        assert f"`{name}` is set: clients may come with tokens that are bound to a key" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "mcp_auth"):
        create_verify_jwt("https://auth.example.com/keys")
        members = {name: False for name in members if "supported" not in name}
        McpAuth(RESOURCE, ["https://auth.example.com"], **members)
    assert "`dangerous_accept_any_issuer` is set" in caplog.text
    assert "bound to a key" not in caplog.text


async def test_verify_functions_by_keys_read_tokens_and_leave_issuer_and_audience_to_others(dev_issuer: DevIssuer) -> None:
    verify = create_verify_jwt(dev_issuer.jwks_uri)
    caller = verify(dev_issuer.mint("http://other", scope="read write", issuer="mine"))
    assert (caller.issuer, caller.subject, caller.scopes) == ("mine", "alice", ["read", "write"])
    assert (await verify.verify(dev_issuer.mint("http://other"))).audience == "http://other"
    for broken in BROKEN:
        with pytest.raises(MCPAuthTokenVerificationException) as raised:
            verify(dev_issuer.mint(RESOURCE, broken=broken))
        assert raised.value.code == "invalid_token", broken
    # What it leaves to others is checked in the middleware.
    auth = MCPAuth(server=fetch_server_config(dev_issuer.issuer))
    bearer = Middleware(auth.bearer_auth_middleware(verify, resource=RESOURCE))
    app = Starlette(routes=[Route("/mcp", whoami(auth), methods=["POST"])], middleware=[bearer])
    tokens = {
        dev_issuer.mint(RESOURCE): 200,
        dev_issuer.mint(RESOURCE, issuer="https://other.example"): 401,
        dev_issuer.mint("http://other"): 401,
        dev_issuer.mint([], without=["aud"]): 401,
        dev_issuer.mint(RESOURCE, broken="signature"): 401,
    }
    assert [(await call(app, token=token)).status for token in tokens] == list(tokens.values())


async def test_an_outage_of_the_keys_is_no_fault_of_the_token(dev_issuer: DevIssuer) -> None:
    verify = create_verify_jwt(dev_issuer.jwks_uri)
    dev_issuer.set_mode("offline")
    with pytest.raises(MCPAuthTokenVerificationException) as raised:
        verify(dev_issuer.mint(RESOURCE))
    assert raised.value.code == "token_verification_failed"
