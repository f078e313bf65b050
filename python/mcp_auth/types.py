"""Callers and verify functions in the terms of `mcpauth`, the original package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from .config import ResourceServerConfig, ResourceServerMetadata


@dataclass(kw_only=True)
class AuthInfo:
    """Who is calling. A verify function returns one; `MCPAuth.auth_info` is one."""

    token: str = field(repr=False)
    """The token as it was sent. Never send it to another service."""
    issuer: str
    claims: dict[str, Any] = field(repr=False)
    subject: str | None = None
    client_id: str | None = None
    scopes: list[str] = field(default_factory=list[str])
    audience: str | list[str] | None = None
    expires_at: int | None = None

    def model_dump(self) -> dict[str, Any]:
        """Everything as a dictionary, the token included."""
        return asdict(self)


VerifyAccessTokenFunction: TypeAlias = Callable[[str], "AuthInfo | Awaitable[AuthInfo]"]

__all__ = [
    "AuthInfo",
    "ResourceServerConfig",
    "ResourceServerMetadata",
    "VerifyAccessTokenFunction",
]
