"""Metadata for those who read it at start-up. Requests never come here: the native part fetches."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .config import AuthServerType
from .exceptions import AuthServerExceptionCode, MCPAuthAuthServerException

_MAX_BYTES = 1024 * 1024
_TIMEOUT_SECONDS = 5


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def metadata_of(issuer: str, type: AuthServerType) -> dict[str, Any]:
    """What the issuer says of itself, which must be about itself."""
    document = document_at(_well_known(issuer, type))
    if document.get("issuer") != issuer:
        # RFC 8414 §3.3: a document about another issuer must not be used.
        raise _invalid(f"{issuer}: the metadata is of {document.get('issuer')!r}")
    return document


def document_at(url: str) -> dict[str, Any]:
    """The JSON object at this URL. No redirect is followed."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise _invalid(f"{url}: not an HTTP URL")
    request = Request(url, headers={"accept": "application/json"})
    try:
        with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS) as response:
            text = response.read(_MAX_BYTES + 1)
    except (URLError, OSError) as error:
        raise _invalid(f"{url}: {error}") from error
    if len(text) > _MAX_BYTES:
        raise _invalid(f"{url}: longer than {_MAX_BYTES} bytes")
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        raise _invalid(f"{url}: not JSON") from error
    if not isinstance(document, dict):
        raise _invalid(f"{url}: not a JSON object")
    return document  # type: ignore[return-value]


def _well_known(issuer: str, type: AuthServerType) -> str:
    if type is AuthServerType.OIDC:
        return f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    # RFC 8414 §3.1: the well-known path comes before the issuer's own.
    url = urlsplit(issuer)
    path = "/.well-known/oauth-authorization-server" + url.path.rstrip("/")
    return url._replace(path=path).geturl()


def _invalid(reason: str) -> MCPAuthAuthServerException:
    return MCPAuthAuthServerException(AuthServerExceptionCode.INVALID_SERVER_METADATA, reason)
