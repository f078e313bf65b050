"""Metadata for those who read it at start-up. Requests never come here: the native part fetches."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ._native import issuer_metadata_url
from .config import AuthServerType
from .exceptions import (
    AuthServerExceptionCode,
    MCPAuthAuthServerException,
    MCPAuthConfigException,
    server_exception,
)

# All that metadata may have, and for servers that write another one, everything.
_MEDIA_TYPES = "application/json, application/*+json;q=0.9, */*;q=0.1"
_MAX_BYTES = 1024 * 1024
_TIMEOUT_SECONDS = 5


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def metadata_of(issuer: str, type: AuthServerType) -> dict[str, Any]:
    """What the issuer says of itself, which must be about itself."""
    try:
        url = issuer_metadata_url(issuer, type.value)
    except ValueError as error:
        raise _invalid(str(error)) from None
    document = document_at(url)
    if document.get("issuer") != issuer:
        # RFC 8414 §3.3: a document about another issuer must not be used.
        raise _invalid(f"{issuer}: the metadata is of {document.get('issuer')!r}")
    return document


def document_at(url: str) -> dict[str, Any]:
    """The JSON object at this URL. No redirect is followed."""
    try:
        request = Request(url, headers={"accept": _MEDIA_TYPES})
    except ValueError as error:
        raise _not_fetched(url, str(error), error) from None
    if request.type not in ("http", "https"):
        raise _not_fetched(url, "not an HTTP URL")
    try:
        with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS) as response:
            text = response.read(_MAX_BYTES + 1)
    except (URLError, OSError) as error:
        raise _not_fetched(url, str(error), error) from error
    if len(text) > _MAX_BYTES:
        raise _not_fetched(url, f"longer than {_MAX_BYTES} bytes")
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        raise _not_fetched(url, "not JSON", error) from error
    if not isinstance(document, dict):
        raise _not_fetched(url, "not a JSON object")
    return document  # type: ignore[return-value]


def _invalid(reason: str) -> MCPAuthAuthServerException:
    return server_exception(AuthServerExceptionCode.INVALID_SERVER_METADATA, reason)


def _not_fetched(url: str, reason: str, cause: object = None) -> MCPAuthConfigException:
    text = f"Failed to fetch server config from {url}: {reason}"
    return MCPAuthConfigException("fetch_server_config_error", text, cause)
