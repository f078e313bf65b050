"""`validate_server_config`, and what `MCPAuth` makes of a configuration, in both packages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from conftest import PACKAGES, module_of

ISSUER = "https://auth.example.com"
COMPLETE: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
    "registration_endpoint": f"{ISSUER}/register",
}
#: Each member with what it may be; all of them are combined.
CHANGES: dict[str, list[Any]] = {
    "response_types_supported": [["code"], ["token"], [], ["code id_token"], ["id_token", "token code"], ["CODE"], ["codes"]],
    "grant_types_supported": [None, ["authorization_code"], ["implicit"], [], ["implicit", "authorization_code"]],
    "code_challenge_methods_supported": [["S256"], None, [], ["plain"], ["plain", "S256"], ["s256"]],
    "registration_endpoint": [f"{ISSUER}/register", None, ""],
}


def config(package: str, metadata: dict[str, Any], kind: str = "OIDC") -> Any:
    module = module_of(package, "config")
    of = module.AuthorizationServerMetadata(**metadata)
    return module.AuthServerConfig(metadata=of, type=getattr(module.AuthServerType, kind))


def validated(package: str, metadata: dict[str, Any]) -> dict[str, Any]:
    result = module_of(package, "utils").validate_server_config(config(package, metadata))
    return {
        "is_valid": result.is_valid,
        "errors": [(one.code.name, one.code.value, one.description, one.cause) for one in result.errors],
        "warnings": [(one.code.name, one.code.value, one.description) for one in result.warnings],
        "json": result.model_dump(mode="json"),
    }


def test_every_combination_of_metadata_is_judged_the_same() -> None:
    seen: set[str] = set()
    for values in itertools.product(*CHANGES.values()):
        metadata = COMPLETE | dict(zip(CHANGES, values))
        published, ours = (validated(package, metadata) for package in PACKAGES)
        assert ours == published, metadata
        seen.update(code for _, code, *_ in [*ours["errors"], *ours["warnings"]])
    assert len(seen) == 5, seen


def raised(make: Any) -> tuple[str, str]:
    """Class and code of the exception that this raises, or `none`."""
    try:
        make()
    except Exception as error:
        return type(error).__name__, str(getattr(getattr(error, "code", ""), "value", getattr(error, "code", "")))
    return "none", ""


def resources(package: str, *identifiers: str, servers: int = 1) -> list[Any]:
    types = module_of(package, "types")
    listed = [config(package, COMPLETE) for _ in range(servers)]
    metadata = [types.ResourceServerMetadata(resource=one, authorization_servers=listed) for one in identifiers]
    return [types.ResourceServerConfig(metadata=one) for one in metadata]


MCP = "https://mcp.example.com/mcp"
CONSTRUCTIONS: dict[str, Any] = {
    "nothing": lambda package: {},
    "both": lambda package: {"server": config(package, COMPLETE), "protected_resources": resources(package, MCP)},
    "an empty list": lambda package: {"protected_resources": []},
    "a server": lambda package: {"server": config(package, COMPLETE)},
    "a server without PKCE": lambda package: {"server": config(package, COMPLETE | {"code_challenge_methods_supported": None})},
    "a server with another response type": lambda package: {"server": config(package, COMPLETE | {"response_types_supported": ["token"]})},
    "a server without registration": lambda package: {"server": config(package, COMPLETE | {"registration_endpoint": None})},
    "one resource": lambda package: {"protected_resources": resources(package, MCP)[0]},
    "a list of resources": lambda package: {"protected_resources": resources(package, MCP, f"{MCP}/other")},
    "a resource twice": lambda package: {"protected_resources": resources(package, MCP, MCP)},
    "a server of a resource twice": lambda package: {"protected_resources": resources(package, MCP, servers=2)},
}


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_what_cannot_be_constructed_is_refused_with_the_same_code(name: str) -> None:
    published, ours = (
        raised(lambda: module_of(package, "").MCPAuth(**CONSTRUCTIONS[name](package))) for package in PACKAGES
    )
    assert ours == published


USES: dict[str, Any] = {
    "jwt without a resource": lambda auth: auth.bearer_auth_middleware("jwt"),
    "jwt with the resource": lambda auth: auth.bearer_auth_middleware("jwt", resource=MCP),
    "jwt for another resource": lambda auth: auth.bearer_auth_middleware("jwt", resource="https://other.example"),
    "a mode that is none": lambda auth: auth.bearer_auth_middleware("opaque", resource=MCP),
    "no mode": lambda auth: auth.bearer_auth_middleware(None, resource=MCP),
    "a function": lambda auth: auth.bearer_auth_middleware(lambda token: None, resource=MCP),
    "metadata_route": lambda auth: auth.metadata_route(),
    "resource_metadata_router": lambda auth: auth.resource_metadata_router(),
}


@pytest.mark.parametrize("name", USES)
def test_what_a_configuration_with_resources_offers_is_the_same(name: str) -> None:
    published, ours = (
        raised(lambda: USES[name](module_of(package, "").MCPAuth(protected_resources=resources(package, MCP))))
        for package in PACKAGES
    )
    assert ours == published


def test_a_mode_that_is_none_has_the_same_sentence(package: str) -> None:
    auth = module_of(package, "").MCPAuth(server=config(package, COMPLETE))
    sentence = "mode_or_verify must be 'jwt' or a callable function that verifies tokens."
    for options in ({}, {"resource": MCP}):
        with pytest.raises(ValueError, match=sentence):
            auth.bearer_auth_middleware("opaque", **options)
    with pytest.raises(Exception) as refused:
        auth.resource_metadata_router()
    assert refused.value.code.value == "invalid_server_config"


def test_metadata_without_keys_is_refused_at_construction_here() -> None:
    """The row of the table of differences: there, each token would be a 500."""
    metadata = COMPLETE | {"jwks_uri": None}
    for package, expected in (("mcpauth", ("none", "")), ("mcp_auth", ("MCPAuthAuthServerException", "missing_jwks_uri"))):
        types = module_of(package, "types")
        of = types.ResourceServerMetadata(resource=MCP, authorization_servers=[config(package, metadata)])
        resource = types.ResourceServerConfig(metadata=of)
        assert raised(lambda: module_of(package, "").MCPAuth(protected_resources=resource)) == expected


def test_metadata_route_is_deprecated(package: str) -> None:
    auth = module_of(package, "").MCPAuth(server=config(package, COMPLETE))
    with pytest.warns(DeprecationWarning, match="Use resource_metadata_router"):
        assert auth.metadata_route().path == "/.well-known/oauth-authorization-server"


WRONG = [
    {"issuer": None}, {"issuer": 5}, {"token_endpoint": ["a"]}, {"response_types_supported": "code"},
    {"response_types_supported": [1]}, {"grant_types_supported": "implicit"}, {"jwks_uri": 1},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_metadata_with_members_of_a_wrong_type_is_refused(package: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        module_of(package, "config").AuthorizationServerMetadata(**COMPLETE | change)


async def test_metadata_that_cannot_be_fetched_or_used_has_the_same_code(dev_issuer: Any) -> None:
    def by(package: str, url: str, change: Any = None) -> Any:
        kinds = module_of(package, "config").AuthServerType
        return module_of(package, "utils").fetch_server_config_by_well_known_url(url, kinds.OIDC, change)

    well_known = f"{dev_issuer.issuer}/.well-known/openid-configuration"
    rows: list[tuple[Any, ...]] = [
        (f"{dev_issuer.issuer}/nothing",),
        ("http://127.0.0.1:1/metadata",),
        (well_known,),
        (well_known, lambda document: {**document, "issuer": 5}),
        (well_known, lambda document: {name: one for name, one in document.items() if name != "token_endpoint"}),
        (well_known, lambda document: {**document, "response_types_supported": "code"}),
    ]
    for row in rows:
        published, ours = (raised(lambda: by(package, *row)) for package in PACKAGES)
        assert ours == published, row
    same = [by(package, well_known) for package in PACKAGES]
    published, ours = (one.metadata.model_dump(exclude_none=True) for one in same)
    # Members without a field are kept here.
    assert {name: ours[name] for name in published} == published
    assert same[1].type.value == same[0].type.value


async def test_both_find_metadata_of_an_issuer_in_the_same_place(dev_issuer: Any) -> None:
    for kind in ("OIDC", "OAUTH"):
        issuers = []
        for package in PACKAGES:
            kinds = module_of(package, "config").AuthServerType
            found = module_of(package, "utils").fetch_server_config(dev_issuer.issuer, getattr(kinds, kind))
            issuers.append((found.metadata.issuer, found.metadata.jwks_uri, found.type.value))
        assert issuers[0] == issuers[1]
