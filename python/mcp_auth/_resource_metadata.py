"""What is said about resources, and how a challenge says it."""

from __future__ import annotations

from urllib.parse import urlparse

from .config import ProtectedResourceMetadata
from .types import ResourceServerMetadata

RESOURCE_METADATA_BASE_PATH = "/.well-known/oauth-protected-resource"


def create_resource_metadata_endpoint(resource: str) -> str:
    """Where the metadata of a resource is (RFC 9728 §3.1). Raises `TypeError` when the resource is no URL."""
    try:
        parsed = urlparse(resource)
    except ValueError as error:
        raise TypeError(f"Invalid resource identifier URI: {resource}") from error
    if not (parsed.scheme and parsed.netloc):
        raise TypeError(f"Invalid resource identifier URI: {resource}")
    path = RESOURCE_METADATA_BASE_PATH + ("" if parsed.path == "/" else parsed.path)
    return parsed._replace(path=path, params="", query="", fragment="").geturl()


def transpile_resource_metadata(metadata: ResourceServerMetadata) -> ProtectedResourceMetadata:
    """What clients are told of a resource: authorization servers by their issuers.

    Names with language tags are told by what is served, and not by this.
    """
    said = metadata.model_dump(exclude={"authorization_servers", "localized"}, exclude_none=True)
    issuers = [server.issuer for server in metadata.servers]
    return ProtectedResourceMetadata(**said, authorization_servers=issuers or None)


class BearerWWWAuthenticateHeader:
    """A challenge of the scheme Bearer (RFC 6750 §3)."""

    header_name = "WWW-Authenticate"

    def __init__(self) -> None:
        self._parameters: dict[str, str] = {}

    def set_parameter_if_value_exists(self, param: str, value: str | None) -> BearerWWWAuthenticateHeader:
        """Adds a parameter, unless it is empty.

        Raises `ValueError` for characters that cannot be in a header: they could end it.
        """
        if value:
            for text in (param, value):
                if not text.isprintable():
                    raise ValueError(f"{text!r} cannot be in a header")
            self._parameters[param] = value
        return self

    def to_string(self) -> str:
        """The value of the header; empty without parameters."""
        parameters = [f'{name}="{_quotable(value)}"' for name, value in self._parameters.items()]
        return f"Bearer {', '.join(parameters)}" if parameters else ""


def _quotable(value: str) -> str:
    """RFC 9110 §5.6.4: a quote or a backslash in a quoted string has a backslash in front of it."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
