"""How authorization servers are named."""

from __future__ import annotations

from ..config import AuthServerConfig, AuthServerType, TranspileData


def fetch_server_config(
    issuer: str,
    type: AuthServerType = AuthServerType.OIDC,
    transpile_data: TranspileData | None = None,
) -> AuthServerConfig:
    """An authorization server by its exact issuer identifier.

    Nothing is fetched yet, so a server starts while its provider is down. `transpile_data` changes
    the metadata whenever it is fetched.
    """
    return AuthServerConfig.lazy(issuer, AuthServerType(type), transpile_data)


def fetch_server_config_by_well_known_url(
    well_known_url: str,
    type: AuthServerType = AuthServerType.OIDC,
    transpile_data: TranspileData | None = None,
) -> AuthServerConfig:
    """An authorization server by the URL of its metadata, which is fetched now: it names the issuer.

    Raises `MCPAuthConfigException` when it cannot be had, `MCPAuthAuthServerException` when it cannot be used.
    """
    from .._fetch import document_at
    from ..exceptions import AuthServerExceptionCode, server_exception

    document = document_at(well_known_url)
    if transpile_data is not None:
        document = transpile_data(document)
    try:
        return AuthServerConfig(document, AuthServerType(type))
    except (KeyError, ValueError) as error:
        code = AuthServerExceptionCode.INVALID_SERVER_METADATA
        raise server_exception(code, f"{well_known_url}: {error}") from error
