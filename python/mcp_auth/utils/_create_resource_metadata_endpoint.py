"""Where the metadata of a resource is."""

from __future__ import annotations

from urllib.parse import urlparse

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
