"""Faults of a configuration, told in the words of Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import AnyHttpUrl

from mcp_auth import ConfigError, McpAuth, _native, _reading
from mcp_auth.testing import DevIssuer

URL = "https://mcp.example.com/mcp"
ISSUER = "https://auth.example.com"


def faults(*servers: Any, **options: Any) -> list[str]:
    try:
        McpAuth(URL, list(servers) or [ISSUER], **options)
    except ConfigError as error:
        assert all(fault in str(error) for fault in error.fields["faults"])
        return error.fields["faults"]
    return []


VALUES: list[tuple[str, Any, str]] = [
    ("clock_tolerance", "60", "must be seconds, or a timedelta, not '60'"),
    ("fetch_timeout", True, "must be seconds, or a timedelta, not True"),
    ("body_timeout", -1, "must be seconds, 0 or more, not -1"),
    ("max_body_bytes", 1.5, "must be a whole number, 0 or more, not 1.5"),
    ("ca_files", "ca.pem", "must be a list, as ['ca.pem']"),
    ("verify_timeout", "10", "must be seconds, above 0 and 3600 at most, not '10'"),
    ("verify_timeout", True, "must be seconds, above 0 and 3600 at most, not True"),
    ("verify_timeout", [1], "must be seconds, above 0 and 3600 at most, not [1]"),
    ("serve_authorization_server_metadata", "no", "must be True or False, not 'no'"),
    ("serve_authorization_server_metadata", None, "must be True or False, not None"),
    ("token_verifiers", {1: dict}, "a prefix must be a text, not 1"),
    ("allowed_origins", "https://app.example", "must be a list, as ['https://app.example']"),
    ("audiences", "api://x", "must be a list, as ['api://x']"),
    ("required_scopes", "a b", "must be a list, as ['a b']"),
    ("scopes_supported", None, "must be a list, not None"),
    ("resource_name", 7, "must be a text, not 7"),
    ("challenge_style", "json", "must be one of 'http', 'tool_result', not 'json'"),
    ("handle_keys", None, "must be a list, not None"),
    ("handle_keys", "a secret", "must be a list of texts"),
    ("handle_keys", b"a secret", "must be a list of texts"),
    ("handle_keys", ["a secret", b"a secret"], "must be a list of texts"),
    ("handle_keys", {"a secret": 1}, "must be a list of texts"),
    ("handle_keys_file", 7, "must be a path, not 7"),
    ("dangerous_unbound_sessions", 1, "must be True or False, not 1"),
    ("dangerous_accept_any_audience", "yes", "must be True or False, not 'yes'"),
    ("policy", ["a"], "must be a dictionary, not ['a']"),
    ("policy", {"tools": {"a": object}}, "everything must be data, not <class 'object'>"),
    ("policy", {1: {}}, "must have texts as names, not 1"),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALUES, ids=[f"{name}={value}" for name, value, _ in VALUES])
def test_a_value_that_cannot_be(name: str, value: Any, expected: str) -> None:
    assert faults(**{name: value}) == [f"{name}: {expected}"]


def test_an_item_that_cannot_be_is_named() -> None:
    assert faults(ca_files=[3]) == ["ca_files[0]: must be a path, not 3"]
    assert faults(audiences=["a", 5]) == ["audiences[1]: must be a text, not 5"]
    assert faults({"issuer": ISSUER, "algorithms": ["ES256", None]}) == [
        "authorization_servers[0].algorithms[1]: must be a text, not None"
    ]
    assert faults(ISSUER, None) == [
        "authorization_servers[1]: must be an issuer, or a dictionary of its settings, not NoneType"
    ]


NAMES: list[tuple[str, str]] = [
    ("issuer", 'belongs to an authorization server: `authorization_servers=[{"issuer": …}]`'),
    ("required_scope", "is no setting; did you mean `required_scopes`?"),
    ("allowedOrigins", "is no setting; did you mean `allowed_origins`?"),
    ("fetch_timout", "is no setting; did you mean `fetch_timeout`?"),
    ("nonsense", "is no setting"),
    ("dangerously_accept_any_audience", "is called `dangerous_accept_any_audience` here"),
    ("dangerous_accept_clients", "belongs to an authorization server: `authorization_servers=[{"),
    ("dangerously_accept_clients", "belongs to an authorization server: `authorization_servers=[{"),
    ("jwks_file", "belongs to an authorization server: `authorization_servers=[{"),
    ("client_secret", "belongs to `introspection` of an authorization server"),
    ("tools", "belongs to the policy: `policy={"),
    ("scopes", "is called `required_scopes` here"),
    ("scope", "is called `required_scopes` here"),
    ("authoriser", "is called `authorizer` here, and belongs to the keywords of `McpAuth`"),
    ("authorise", "is called `authorizer` here, and belongs to the keywords of `McpAuth`"),
    ("verify_token", "is called `token_verifiers` here, and belongs to the keywords"),
    ("leeway", "is called `clock_tolerance` here"),
    ("clock_skew", "is called `clock_tolerance` here"),
    ("timeout", "is called `fetch_timeout` here"),
    ("roles", "belongs to a rule of the policy: `policy={"),
    ("jwks_url", 'is no setting: The keys of an issuer are found by its metadata; where it has none, give `authorization_servers=[{'),
    ("algorithm", "is no setting; did you mean `algorithms`? It belongs to an authorization server"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_that_is_misspelt_or_misplaced(name: str, expected: str) -> None:
    [fault] = faults(**{name: "secret-value"})
    assert fault.startswith(f"{name}: {expected}") and "secret-value" not in fault


def test_the_same_in_data() -> None:
    place = "resources[0].authorization_servers[0]"
    rows: list[tuple[dict[str, Any], str]] = [
        ({"resources": [{"resource": URL, "authorization_servers": [{"isuer": ISSUER}]}]}, f"{place}.isuer: is no setting; did you mean `issuer`?"),
        ({"resources": [{"resource": URL, "fetch_timeout": 3}]}, "resources[0].fetch_timeout: belongs beside the resource"),
        ({"resources": [], "required_scopes": ["a"]}, "required_scopes: belongs to the resource, beside"),
        ({"resource": URL, "authorizer": lambda: True}, "authorizer: belongs to the keywords of `McpAuth`"),
        ({"resource": URL, "authorization_servers": [{"issuer": ISSUER, "allowed_origins": ["*"]}]}, "authorization_servers[0].allowed_origins: belongs to the resource"),
    ]  # fmt: skip
    for config, expected in rows:
        with pytest.raises(ConfigError) as refused:
            McpAuth.from_config(config)
        assert any(fault.startswith(expected) for fault in refused.value.fields["faults"]), refused.value


def test_what_stands_in_a_policy_and_belongs_elsewhere_is_told_where() -> None:
    rows = [
        ("dangerous_accept_clients", 'policy.dangerous_accept_clients: belongs to an authorization server: `authorization_servers=[{'),
        ("required_scopes", "policy.required_scopes: belongs to the resource, beside"),
        ("client_id", "policy.client_id: belongs to `introspection`"),
        ("clock_tolerance", "policy.clock_tolerance: belongs beside the resource"),
        ("authorizer", "policy.authorizer: belongs to the keywords of `McpAuth`"),
        ("roles", "policy.roles: belongs to a rule of the policy"),
    ]
    for name, expected in rows:
        [fault] = faults(policy={name: ["secret-value"]})
        assert fault.startswith(expected) and "secret-value" not in fault
        resource = {"resource": URL, "authorization_servers": [ISSUER], "policy": {name: ["a"]}}
        with pytest.raises(ConfigError) as refused:
            McpAuth.from_config({"resources": [resource]})
        assert refused.value.fields["faults"] == [f"resources[0].{fault}"]


def test_the_fields_of_a_policy_are_those_of_the_native_part() -> None:
    [fault] = faults(policy={"nonsense": 1})
    assert set(re.findall("`([^`]+)`", fault)[1:]) == _reading.POLICY


def test_keys_of_the_issuer_that_are_given_to_the_resource_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    keys = f"{ISSUER}/jwks"
    McpAuth(URL, [ISSUER], jwks_uri=keys)
    McpAuth.from_config({"resources": [{"resource": URL, "authorization_servers": [ISSUER], "jwks_uri": keys}]})
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == 2
    assert all("no token is verified by them" in text and '"metadata": {"issuer": …, "jwks_uri": …}' in text for text in found)
    caplog.clear()
    McpAuth(URL, [ISSUER], jwks_uri=f"{URL}/jwks", resource_signing_alg_values_supported=["ES256"])
    McpAuth(URL, [{"issuer": ISSUER, "metadata": {"issuer": ISSUER, "jwks_uri": keys}}])
    assert not caplog.records
    for name in ("jwks_uri", "jwks_url"):
        [fault] = faults({"issuer": ISSUER, name: keys})
        assert fault.startswith(f"authorization_servers[0].{name}: is no setting here: The keys of an issuer are found")


def test_every_fault_is_told_at_once() -> None:
    async def later(*_: Any) -> bool:
        return True

    found = faults(
        "http://auth.example.com", 7, clock_tolerance="1", key_max_age="x", authorizer=later, nonsense=1,
        resource_policy_uri="javascript:alert(1)", patch_metadata=3, verify_timeout=0, token_verifiers={"s_": 1},
    )  # fmt: skip
    starts = [
        "authorization_servers[1]: must be an issuer, or a dictionary of its settings, not int",
        "clock_tolerance: must be seconds",
        "key_max_age: must be seconds",
        "nonsense: is no setting",
        "authorizer: is a coroutine function, but must not wait",
        "patch_metadata: is no function",
        "token_verifiers['s_']: is no function",
        "verify_timeout: must be seconds, above 0",
    ]
    assert [start for start in starts if not any(fault.startswith(start) for fault in found)] == []
    found = faults("http://auth.example.com", clock_tolerance="1", resource_policy_uri="javascript:alert(1)")
    assert [fault.partition(":")[0] for fault in found] == [
        "clock_tolerance", "resources[0].authorization_servers[0].issuer", "resources[0].resource_policy_uri",
    ]  # fmt: skip


def test_a_secret_is_never_shown() -> None:
    introspection = {"client_id": "a", "client_secret": b"very-secret"}
    [fault] = faults({"issuer": ISSUER, "introspection": introspection})
    assert fault == "authorization_servers[0].introspection.client_secret: must be a text"


def test_what_python_has_for_paths_urls_and_durations(tmp_path: Path, dev_issuer: DevIssuer) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(httpx2.get(dev_issuer.jwks_uri, trust_env=False).text)
    server = {"issuer": AnyHttpUrl("https://auth.example.com/tenant"), "jwks_file": keys, "algorithms": ("ES256",)}
    auth = McpAuth(
        AnyHttpUrl(URL),  # type: ignore[arg-type]
        (one for one in [server, urlsplit("https://other.example.com/realm")]),  # type: ignore[misc]
        clock_tolerance=timedelta(seconds=30),
        verify_timeout=timedelta(seconds=2),
        required_scopes={"mcp"},
        resource_documentation=AnyHttpUrl("https://docs.example.com/mcp"),  # type: ignore[arg-type]
        policy={"tools": {"a": {"all_of": ("x",)}}},
    )
    assert (auth.resource, auth.required_scopes) == (URL, ["mcp"])
    assert auth.metadata["authorization_servers"] == ["https://auth.example.com/tenant", "https://other.example.com/realm"]
    assert faults(clock_tolerance=timedelta(minutes=6)) == ["clock_tolerance: at most 300 seconds are allowed"]


def test_a_url_object_does_not_tell_whether_the_issuer_has_a_slash() -> None:
    for issuer in (AnyHttpUrl(ISSUER), {"issuer": AnyHttpUrl(ISSUER)}):
        [fault] = faults(issuer)
        assert f"give it as a text: '{ISSUER}/' or '{ISSUER}'?" in fault
    assert faults(urlsplit(ISSUER)) == []


def fields_in_rust(config: str) -> set[str]:
    with pytest.raises(ConfigError) as refused:
        _native.McpAuth(config)
    names = re.findall("`([^`]+)`", str(refused.value))
    assert names[0] == "no such field"
    return set(names[1:])


def test_the_names_are_those_of_the_native_part() -> None:
    wrong = '{"no such field": 1}'
    resource: set[str] = fields_in_rust(f'{{"resources": [{wrong}]}}')
    rows: list[tuple[Mapping[str, Any], set[str]]] = [
        (_reading.CONFIG, fields_in_rust('{"resources": [], "no such field": 1}') | resource),
        (_reading.RESOURCE, resource),
        (_reading.SERVER, fields_in_rust(f'{{"resources": [{{"authorization_servers": [{wrong}]}}]}}')),
        (_reading.INTROSPECTION, fields_in_rust(f'{{"resources": [{{"authorization_servers": [{{"introspection": {wrong}}}]}}]}}')),
    ]
    rows.append((_reading.LIMITS, fields_in_rust(f'{{"limits": {wrong}}}')))
    for ours, theirs in rows:
        assert set(ours) == theirs
