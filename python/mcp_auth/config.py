"""Authorization servers and resources in the terms of `mcpauth`, the original package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from .exceptions import AuthServerExceptionCode, MCPAuthAuthServerException

Document: TypeAlias = dict[str, Any]
TranspileData: TypeAlias = Callable[[Document], Document]


class AuthServerType(str, Enum):
    """Where an authorization server has its metadata."""

    OAUTH = "oauth"
    OIDC = "oidc"


@dataclass(init=False)
class AuthorizationServerMetadata:
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

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> AuthorizationServerMetadata:
        """From a document. Raises `ValueError` when it lacks what RFC 8414 requires."""
        required = ("issuer", "authorization_endpoint", "token_endpoint", "response_types_supported")
        missing = [name for name in required if name not in document]
        if missing:
            raise ValueError(f"the metadata lacks {', '.join(missing)}")
        return cls(**document)

    def document(self) -> Document:
        """As JSON members, without what is not there."""
        members = asdict(self)
        more: Document = members.pop("more")
        return {name: value for name, value in members.items() if value is not None} | more


class AuthServerConfig:
    """An authorization server that tokens are trusted from."""

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
            raise MCPAuthAuthServerException(AuthServerExceptionCode.MISSING_JWKS_URI, self.issuer)

    def settings(self) -> Document:
        """The fields of the library's `AuthorizationServer`."""
        settings: Document = {"issuer": self.issuer, "server_type": self.type.value}
        if self._metadata is not None and self._transpile is None:
            # Through JSON, so that what cannot be said in it is told here.
            settings["metadata"] = json.loads(json.dumps(self._metadata.document()))
        return settings


@dataclass(kw_only=True)
class ResourceServerMetadata:
    """RFC 9728, as far as this server says it of itself."""

    resource: str
    authorization_servers: list[AuthServerConfig] = field(default_factory=list[AuthServerConfig])
    scopes_supported: list[str] | None = None
    resource_name: str | None = None
    resource_documentation: str | None = None
    bearer_methods_supported: list[str] | None = None
    """Not served: `["header"]` is the only method there is."""

    def settings(self) -> Document:
        """The fields of the library's `ProtectedResource`."""
        settings: Document = {
            "resource": self.resource,
            "authorization_servers": [one.settings() for one in self.authorization_servers],
            "scopes_supported": self.scopes_supported or [],
        }
        for name in ("resource_name", "resource_documentation"):
            if (value := getattr(self, name)) is not None:
                settings[name] = value
        return settings


@dataclass
class ResourceServerConfig:
    """A resource that is protected."""

    metadata: ResourceServerMetadata
