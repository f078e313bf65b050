"""Authorization servers and resources in the terms of `mcpauth`, the original package."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any, TypeAlias, cast

from ._model import Model, check_texts
from .exceptions import AuthServerExceptionCode, server_exception

Document: TypeAlias = dict[str, Any]
TranspileData: TypeAlias = Callable[[Document], Document]


class AuthServerType(str, Enum):
    """Where an authorization server has its metadata."""

    OAUTH = "oauth"
    OIDC = "oidc"


class ServerMetadataPaths(str, Enum):
    """Where well-known documents are."""

    OAUTH = "/.well-known/oauth-authorization-server"
    OIDC = "/.well-known/openid-configuration"


class AuthorizationServerMetadataDefaults(Enum):
    """What a member means that is left out (RFC 8414 §2)."""

    grant_types_supported = ["authorization_code", "implicit"]
    response_modes_supported = ["query", "fragment"]


@dataclass(init=False)
class AuthorizationServerMetadata(Model):
    """RFC 8414. Members that have no field here are in `more`."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    response_types_supported: list[str]
    jwks_uri: str | None = None
    registration_endpoint: str | None = None
    scopes_supported: list[str] | None = None
    response_modes_supported: list[str] | None = None
    grant_types_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    token_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    service_documentation: str | None = None
    ui_locales_supported: list[str] | None = None
    op_policy_uri: str | None = None
    op_tos_uri: str | None = None
    revocation_endpoint: str | None = None
    revocation_endpoint_auth_methods_supported: list[str] | None = None
    revocation_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    introspection_endpoint: str | None = None
    introspection_endpoint_auth_methods_supported: list[str] | None = None
    introspection_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    userinfo_endpoint: str | None = None
    more: Document = field(default_factory=dict[str, Any])

    def __init__(
        self,
        *,
        issuer: str,
        authorization_endpoint: str,
        token_endpoint: str,
        response_types_supported: list[str],
        more: Document | None = None,
        **members: Any,
    ) -> None:
        """Any other member of the document may be given, too."""
        self.issuer = issuer
        self.authorization_endpoint = authorization_endpoint
        self.token_endpoint = token_endpoint
        self.response_types_supported = response_types_supported
        known = self.__dataclass_fields__.keys()
        self.more = {**(more or {})}
        for name, value in members.items():
            if name in known:
                setattr(self, name, value)
            else:
                self.more[name] = value
        texts = {name: getattr(self, name) for name in known if name != "more"}
        lists = [name for name in known if name.endswith("_supported")]
        check_texts("the metadata", texts, lists=lists)
        missing = [name for name in _REQUIRED if texts[name] is None]
        if missing:
            raise ValueError(f"the metadata lacks {', '.join(missing)}")

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> AuthorizationServerMetadata:
        """From a document. Raises `ValueError` when it lacks what RFC 8414 requires."""
        missing = [name for name in _REQUIRED if name not in document]
        if missing:
            raise ValueError(f"the metadata lacks {', '.join(missing)}")
        return cls(**document)

    def document(self) -> Document:
        """As JSON members, without what is not there."""
        members = asdict(self)
        more: Document = members.pop("more")
        return {name: value for name, value in members.items() if value is not None} | more

    def model_dump(
        self, *, mode: str = "python", exclude: Collection[str] = (), exclude_none: bool = False
    ) -> Document:
        """All members, those without a field among them."""
        members = super().model_dump(mode=mode, exclude={"more", *exclude}, exclude_none=exclude_none)
        return members | {name: value for name, value in self.more.items() if name not in exclude}


_REQUIRED = ("issuer", "authorization_endpoint", "token_endpoint", "response_types_supported")


class AuthServerConfig(Model):
    """An authorization server that tokens are trusted from."""

    type: AuthServerType
    """Where its metadata is."""

    def __init__(
        self,
        metadata: AuthorizationServerMetadata | Mapping[str, Any],
        type: AuthServerType = AuthServerType.OIDC,
    ) -> None:
        given = metadata if isinstance(metadata, AuthorizationServerMetadata) else None
        self.type = type
        self.issuer: str = given.issuer if given else metadata["issuer"]  # type: ignore[index]
        of = AuthorizationServerMetadata.of
        self._metadata: AuthorizationServerMetadata | None = given or of(metadata)  # type: ignore[arg-type]
        self._transpile: TranspileData | None = None

    @classmethod
    def lazy(
        cls, issuer: str, type: AuthServerType, transpile_data: TranspileData | None
    ) -> AuthServerConfig:
        """One whose metadata is fetched when it is needed, by the event loop where that is possible."""
        config = cls.__new__(cls)
        config.type, config.issuer = type, issuer
        config._metadata, config._transpile = None, transpile_data
        return config

    @property
    def metadata(self) -> AuthorizationServerMetadata:
        """Fetched now, blocking, when it was not given. Nothing in a request needs this."""
        if self._metadata is None:
            from ._fetch import metadata_of

            document = metadata_of(self.issuer, self.type)
            if self._transpile is not None:
                document = self._transpile(document)
            self._metadata = AuthorizationServerMetadata.of(document)
        return self._metadata

    @property
    def transpile_data(self) -> TranspileData | None:
        """What changes the metadata whenever it is fetched."""
        return self._transpile

    def check(self) -> None:
        """Raises when metadata that was given has no JWK Set; a function may still add it."""
        if self._metadata is not None and self._transpile is None and self._metadata.jwks_uri is None:
            raise server_exception(AuthServerExceptionCode.MISSING_JWKS_URI, self.issuer)

    @property
    def given_metadata(self) -> AuthorizationServerMetadata | None:
        """The metadata, if it needs not be fetched."""
        return self._metadata

    def _field_names(self) -> list[str]:
        return ["metadata", "type"]

    def settings(self) -> Document:
        """The fields of the library's `AuthorizationServer`."""
        settings: Document = {"issuer": self.issuer, "server_type": self.type.value}
        if self._metadata is not None and self._transpile is None:
            # Through JSON, so that what cannot be said in it is told here.
            settings["metadata"] = json.loads(json.dumps(self._metadata.document()))
        return settings


@dataclass(kw_only=True)
class ProtectedResourceMetadataBase(Model):
    """RFC 9728, as far as a server says it of itself."""

    resource: str
    jwks_uri: str | None = None
    """The keys of the resource itself, with which it signs."""
    scopes_supported: list[str] | None = None
    bearer_methods_supported: list[str] | None = None
    """Not served: `["header"]` is the only method there is."""
    resource_signing_alg_values_supported: list[str] | None = None
    resource_name: str | None = None
    resource_documentation: str | None = None
    resource_policy_uri: str | None = None
    resource_tos_uri: str | None = None
    tls_client_certificate_bound_access_tokens: bool | None = None
    authorization_details_types_supported: list[str] | None = None
    dpop_signing_alg_values_supported: list[str] | None = None
    dpop_bound_access_tokens_required: bool | None = None
    signed_metadata: str | None = None


@dataclass(kw_only=True)
class ProtectedResourceMetadata(ProtectedResourceMetadataBase):
    """What clients are told: authorization servers by their issuers."""

    authorization_servers: list[str] | None = None


@dataclass(kw_only=True)
class ResourceServerMetadata(ProtectedResourceMetadataBase):
    """What a server is configured with: authorization servers as they are trusted."""

    authorization_servers: list[AuthServerConfig] | None = None
    localized: dict[str, str] | None = None
    """Members for people in other languages, under their whole names: `resource_name#de`."""

    @property
    def servers(self) -> list[AuthServerConfig]:
        """The authorization servers; none where nothing is said of them."""
        return list(self.authorization_servers or ())

    def settings(self) -> Document:
        """The fields of the library's `ProtectedResource`."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        del said["bearer_methods_supported"]
        said["authorization_servers"] = [server.settings() for server in self.servers]
        return {name: value for name, value in said.items() if value is not None}


@dataclass
class ResourceServerConfig(Model):
    """A resource that is protected."""

    metadata: ResourceServerMetadata

    def __post_init__(self) -> None:
        given: object = self.metadata
        if isinstance(given, Mapping):
            self.metadata = ResourceServerMetadata(**cast("Mapping[str, Any]", given))
