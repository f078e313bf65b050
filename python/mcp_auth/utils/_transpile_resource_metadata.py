"""What clients are told of a resource."""

from __future__ import annotations

from ..config import ProtectedResourceMetadata
from ..types import ResourceServerMetadata


def transpile_resource_metadata(metadata: ResourceServerMetadata) -> ProtectedResourceMetadata:
    """What clients are told of a resource: authorization servers by their issuers.

    Names with language tags are told by what is served, and not by this.
    """
    said = metadata.model_dump(exclude={"authorization_servers", "localized"}, exclude_none=True)
    issuers = [server.issuer for server in metadata.servers]
    return ProtectedResourceMetadata(**said, authorization_servers=issuers or None)
