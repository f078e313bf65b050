"""Callers and verify functions in the terms of `mcpauth`, the original package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from ._model import Model, check_texts
from .config import ResourceServerConfig, ResourceServerMetadata
from .exceptions import Record

NonEmptyString: TypeAlias = str


@dataclass(kw_only=True)
class AuthInfo(Model):
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


VerifyAccessTokenFunction: TypeAlias = Callable[[str], "AuthInfo | Awaitable[AuthInfo]"]


@dataclass(kw_only=True)
class JwtPayload(Model):
    """The claims of a JWT that a caller is made of. Raises `ValueError` when one is not what it must be."""

    iss: NonEmptyString
    sub: NonEmptyString
    aud: str | list[str] | None = None
    client_id: str | None = None
    azp: str | None = None
    scope: str | list[str] | None = None
    scopes: str | list[str] | None = None
    exp: int | None = None

    def __post_init__(self) -> None:
        members = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "exp"}
        either = ("aud", "scope", "scopes")
        lists = [name for name in either if isinstance(members[name], list)]
        check_texts("the claims", members, lists=lists)
        if not (self.iss and self.sub):
            raise ValueError("the claims: `iss` and `sub` must be texts that are not empty")
        audiences = self.aud if isinstance(self.aud, list) else [self.aud]
        if "" in audiences:
            raise ValueError("the claims: `aud` must not be empty")

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> JwtPayload:
        """From the claims of a token, which may be more."""
        required = ("iss", "sub")
        missing = [name for name in required if claims.get(name) is None]
        if missing:
            raise ValueError(f"the claims lack {', '.join(missing)}")
        known = [one.name for one in fields(cls)]
        return cls(**{name: claims[name] for name in known if name in claims})


__all__ = [
    "AuthInfo",
    "JwtPayload",
    "NonEmptyString",
    "Record",
    "ResourceServerConfig",
    "ResourceServerMetadata",
    "VerifyAccessTokenFunction",
]
