"""What is said about resources, and challenges, in both packages."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import PACKAGES, module_of
from test_server_config import COMPLETE, config

RESOURCES = [
    "https://api.example.com", "https://api.example.com/", "https://api.example.com/billing",
    "https://api.example.com/billing/", "https://api.example.com/a/b/c", "http://localhost:3001/mcp",
    "https://api.example.com:8443/mcp", "https://api.example.com/mcp?a=b", "https://api.example.com/mcp#part",
    "https://api.example.com/mcp;v=1", "https://api.example.com//", "https://[::1]/mcp",
    "api.example.com", "/mcp", "", "https://", "mailto:a@b.example", "https://[::1/mcp",
]  # fmt: skip


def outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_metadata_of_a_resource_is_at_the_same_place(resource: str) -> None:
    published, ours = (
        outcome(lambda: module_of(package, "utils").create_resource_metadata_endpoint(resource)) for package in PACKAGES
    )
    assert ours == published


#: Every member of RFC 9728 that the original knows.
MEMBERS: dict[str, Any] = {
    "jwks_uri": "https://mcp.example.com/keys",
    "scopes_supported": ["read", "write"],
    "bearer_methods_supported": ["header"],
    "resource_signing_alg_values_supported": ["ES256"],
    "resource_name": "Notes",
    "resource_documentation": "https://mcp.example.com/docs",
    "resource_policy_uri": "https://mcp.example.com/policy",
    "resource_tos_uri": "https://mcp.example.com/terms",
    "tls_client_certificate_bound_access_tokens": False,
    "authorization_details_types_supported": ["payment"],
    "dpop_signing_alg_values_supported": ["ES256"],
    "dpop_bound_access_tokens_required": False,
    "signed_metadata": "e30.e30.c2ln",
}
RESOURCE = "https://mcp.example.com/mcp"


def metadata(package: str, **members: Any) -> Any:
    servers = members.pop("authorization_servers", None)
    listed = servers and [config(package, COMPLETE | {"issuer": issuer}) for issuer in servers]
    return module_of(package, "types").ResourceServerMetadata(
        resource=RESOURCE, authorization_servers=listed, **members
    )


@pytest.mark.parametrize("members", [
    {}, {"authorization_servers": []}, {"authorization_servers": ["https://a.example"]},
    {"authorization_servers": ["https://a.example", "https://b.example/"], **MEMBERS},
    *({name: value} for name, value in MEMBERS.items()),
], ids=str)  # fmt: skip
def test_metadata_is_transpiled_to_the_same_document(members: dict[str, Any]) -> None:
    def transpiled(package: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        found = module_of(package, "utils").transpile_resource_metadata(metadata(package, **members))
        return type(found).__name__, found.model_dump(), found.model_dump(exclude_none=True)

    published, ours = (transpiled(package) for package in PACKAGES)
    assert ours == published


async def served_document(package: str, members: dict[str, Any]) -> dict[str, Any]:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    types = module_of(package, "types")
    resource = types.ResourceServerConfig(metadata=metadata(package, **members))
    auth = module_of(package, "").MCPAuth(protected_resources=resource)
    app = Starlette(routes=auth.resource_metadata_router().routes)
    return TestClient(app).get("/.well-known/oauth-protected-resource/mcp").json()


async def test_the_same_document_is_served() -> None:
    members = {"authorization_servers": ["https://a.example"], **MEMBERS}
    published, ours = [await served_document(package, members) for package in PACKAGES]
    assert ours == published


async def test_names_in_other_languages_are_served_as_well() -> None:
    said = {"resource_name#de": "Notizen", "resource_tos_uri#fr": "https://mcp.example.com/cgu"}
    document = await served_document("mcp_auth", {"authorization_servers": ["https://a.example"], "localized": said})
    assert {name: document[name] for name in said} == said


def header(package: str, *parameters: tuple[str, str | None]) -> str:
    built = module_of(package, "utils").BearerWWWAuthenticateHeader()
    assert built.header_name == "WWW-Authenticate" and built.to_string() == ""
    for name, value in parameters:
        assert built.set_parameter_if_value_exists(name, value) is built
    return built.to_string()


@pytest.mark.parametrize("parameters", [
    [], [("error", None)], [("error", "")], [("error", "invalid_token")],
    [("error", "invalid_token"), ("error_description", "It is old, sorry.")],
    [("error", "a"), ("scope", None), ("error", "b"), ("resource_metadata", "https://mcp.example.com/x?a=b")],
], ids=str)  # fmt: skip
def test_a_challenge_is_written_the_same(parameters: list[tuple[str, str | None]]) -> None:
    published, ours = (header(package, *parameters) for package in PACKAGES)
    assert ours == published


def test_no_value_adds_a_parameter_or_a_header() -> None:
    """The row of the table of differences."""
    assert header("mcpauth", ("error", 'a", scope="all')) == 'Bearer error="a", scope="all"'
    assert header("mcp_auth", ("error", 'a", scope="all')) == 'Bearer error="a\\", scope=\\"all"'
    assert header("mcp_auth", ("error", "a\\")) == 'Bearer error="a\\\\"'
    for value in ("a\r\nset-cookie: b", "a\nb", "a\0"):
        with pytest.raises(ValueError, match="cannot be in a header"):
            header("mcp_auth", ("error", value))
