"""The caller in the terms of the official SDK, which binds sessions to their callers by them.

Nothing is imported: where the SDK serves sessions, it has loaded its types itself.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ._native import AuthInfo

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_TYPES = "mcp.server.auth.middleware.bearer_auth"


def name_caller(scope: MutableMapping[str, Any], caller: AuthInfo | None) -> None:
    """Sets `scope["user"]` and `scope["auth"]`, as the SDK's own middleware does.

    The SDK compares client, issuer and subject. Handlers reach its `AccessToken`, so that holds no
    token: in its place is a text of the same three, for versions that compare it.
    """
    types = sys.modules.get(_TYPES)
    # A module that is still being imported has not everything.
    if caller is None or types is None or not hasattr(types, "AuthenticatedUser"):
        return
    issuer, subject = caller.key
    client = caller.client_id
    principal = json.dumps(["mcp-auth", issuer, subject, client])
    token = types.AccessToken(
        token=principal,
        # Who has no client is told apart by the other two.
        client_id=client or "",
        scopes=caller.scopes,
        expires_at=caller.expires_at,
        subject=subject,
        # A verify function need not say who issued.
        claims={**caller.claims, "iss": issuer},
    )
    scope["user"] = types.AuthenticatedUser(token)
    scope["auth"] = types.AuthCredentials(caller.scopes)
