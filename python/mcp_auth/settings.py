"""The settings by name and kind, for type checkers and for `McpAuth`, which tells what is wrong with them.

The documentation of each is in docs/configuration.md, and in Rust beside the field of the same name.
"""

# No `from __future__ import annotations`: what is annotated here is looked at while the program runs.

from collections.abc import Iterable, Mapping
from datetime import timedelta
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, TypedDict


class Url(Protocol):
    """A URL object, as pydantic, yarl and httpx have them."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> "str | None": ...


Text: TypeAlias = str | Url
Texts: TypeAlias = Iterable[str | Url]
Secrets: TypeAlias = Iterable[str]
File: TypeAlias = str | PathLike[str]
Files: TypeAlias = Iterable[str | PathLike[str]]
Seconds: TypeAlias = float | timedelta
Table: TypeAlias = Mapping[str, Any]


class IntrospectionSettings(TypedDict, total=False):
    """How opaque tokens of an authorization server are looked at: `introspection`."""

    method: Literal["rfc7662", "google_tokeninfo", "github_check_token", "dangerous_userinfo"]
    endpoint: Text
    token_prefixes: Texts
    client_id: str
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"]
    client_secret: str
    client_secret_file: File
    private_key_file: File
    private_key_id: str
    certificate_file: File
    signed_response: bool
    also_jwts: bool
    cache_max_age: Seconds


class BackChannelLogoutSettings(TypedDict, total=False):
    """Which logout tokens of an authorization server are accepted: `back_channel_logout`."""

    audience: Texts


class SharedSignalsSettings(TypedDict, total=False):
    """Which security events of an authorization server are accepted: `shared_signals`."""

    audience: Texts
    authorization: str


class FailureLimitSettings(TypedDict, total=False):
    """So many refusals in a period: one of `limits`."""

    count: int
    period: Seconds


class LimitsSettings(TypedDict, total=False):
    """After how many refusals a sender is answered 429: `limits`."""

    failures_per_address: FailureLimitSettings
    failures_per_principal: FailureLimitSettings
    trusted_proxies: Texts


class ServerSettings(TypedDict, total=False):
    """An authorization server: one of `authorization_servers`."""

    issuer: Text
    server_type: Literal["any", "oauth", "oidc"]
    metadata_url: Text
    metadata: Table
    jwks: Table
    jwks_file: File
    allowed_key_hosts: Texts
    token_issuers: Texts
    audiences: Texts
    scope_claims: Texts
    scope_prefix: str
    required_claims: Table
    principal_claim: Table
    default_principal: Literal["user", "client", "unknown"]
    dangerous_accept_clients: Texts
    dangerous_accept_any_issuer: bool
    dangerous_shared_audiences: Texts
    introspection: IntrospectionSettings
    back_channel_logout: BackChannelLogoutSettings
    shared_signals: SharedSignalsSettings
    token_header: str
    algorithms: Texts
    require_at_jwt: bool
    require_subject: bool
    dangerous_allow_http: bool


class _ResourceKeywords(TypedDict, total=False):
    challenge_style: Literal["http", "tool_result"]
    dangerous_advertise_offline_access: bool
    dangerous_accept_any_audience: bool
    dangerous_unbound_sessions: bool
    seal_task_ids: bool
    seal_request_state: bool
    seal_event_ids: bool
    resource_name: str
    resource_documentation: Text
    resource_policy_uri: Text
    resource_tos_uri: Text
    localized: Table
    jwks_uri: Text
    resource_signing_alg_values_supported: Texts
    authorization_details_types_supported: Texts
    tls_client_certificate_bound_access_tokens: bool
    dpop_signing_alg_values_supported: Texts
    dpop_bound_access_tokens_required: bool
    signed_metadata: str
    allowed_hosts: Texts
    mirrored_arguments: Table
    known_tasks_only: bool


class RedisSettings(TypedDict, total=False):
    """The Redis of all instances: `redis` of `shared_store`."""

    url: str
    url_file: File
    prefix: str


class SharedStoreSettings(TypedDict, total=False):
    """What all instances of a server share: `shared_store`."""

    redis: RedisSettings
    max_stale: Seconds
    timeout: Seconds
    longest_token_lifetime: Seconds


class DownstreamTargetSettings(TypedDict, total=False):
    """The authorization server of an API, for `id_jag`: `target` of one of `downstreams`."""

    token_endpoint: Text
    client_id: str
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"]
    client_secret: str
    client_secret_file: File
    private_key_file: File
    private_key_id: str
    certificate_file: File


class DownstreamSettings(TypedDict, total=False):
    """An API that tools call for their callers: one of `downstreams`."""

    grant: Literal["token_exchange", "on_behalf_of", "id_jag", "client_credentials", "authorization_code"]
    issuer: Text
    token_endpoint: Text
    authorization_endpoint: Text
    revocation_endpoint: Text
    client_id: str
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"]
    client_secret: str
    client_secret_file: File
    private_key_file: File
    private_key_id: str
    certificate_file: File
    audience: Texts
    resource: Texts
    scopes: str | Texts
    requested_token_type: str
    subject_issuers: Texts
    allow_machines: bool
    actor_token: str | Table
    consent_scopes: str | Texts
    api: Texts
    target: DownstreamTargetSettings
    dangerous_allow_http: bool


class SignInSettings(TypedDict, total=False):
    """An OpenID Connect client of an issuer of our callers: one of `sign_in` of `connect`."""

    issuer: Text
    client_id: str
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"]
    client_secret: str
    client_secret_file: File
    private_key_file: File
    private_key_id: str
    certificate_file: File


class ConnectSettings(TypedDict, total=False):
    """Where users connect their accounts at other providers: `connect`."""

    url: Text
    folder: File
    redis: RedisSettings
    sign_in: Iterable[SignInSettings]


class _ServerKeywords(TypedDict, total=False):
    ca_files: Files
    clock_tolerance: Seconds
    fetch_timeout: Seconds
    handle_keys: Secrets
    handle_keys_file: File
    shared_store: SharedStoreSettings
    logout_path: str
    shared_signals_path: str
    key_max_age: Seconds
    key_max_stale: Seconds
    limits: LimitsSettings
    max_body_bytes: int
    max_anonymous_body_bytes: int
    body_timeout: Seconds
    max_token_bytes: int
    max_token_claims: int
    max_token_depth: int
    max_token_header_bytes: int
    token_cache_bytes: int
    token_cache_max_age: Seconds
    request_state_max_age: Seconds
    downstreams: Mapping[str, DownstreamSettings]
    downstream_cache_entries: int
    connect: ConnectSettings


class Settings(_ResourceKeywords, _ServerKeywords, total=False):
    """The keywords of `McpAuth` that it does not name itself."""


class ResourceSettings(_ResourceKeywords, total=False):
    """A resource: one of `resources` of `McpAuth.from_config`."""

    resource: Text
    authorization_servers: Iterable[str | Url | ServerSettings]
    audiences: Texts
    required_scopes: str | Texts
    scopes_supported: str | Texts
    allowed_origins: Texts
    policy: Table


class ConfigSettings(ResourceSettings, _ServerKeywords, total=False):
    """What `McpAuth.from_config` takes: the fields of the one resource may stand beside the others."""

    resources: Iterable[ResourceSettings]


__all__ = [
    "BackChannelLogoutSettings",
    "ConfigSettings",
    "ConnectSettings",
    "DownstreamSettings",
    "DownstreamTargetSettings",
    "FailureLimitSettings",
    "File",
    "Files",
    "IntrospectionSettings",
    "LimitsSettings",
    "ResourceSettings",
    "Seconds",
    "Secrets",
    "ServerSettings",
    "Settings",
    "SharedSignalsSettings",
    "Table",
    "Text",
    "Texts",
    "Url",
]
