"""Settings as data for the native part, and what is wrong with them in the words of Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, cast, get_args, get_origin

from .settings import (
    BackChannelLogoutSettings,
    ConfigSettings,
    ConnectSettings,
    DownstreamSettings,
    DownstreamTargetSettings,
    FailureLimitSettings,
    File,
    Files,
    IntrospectionSettings,
    LimitsSettings,
    RedisSettings,
    ResourceSettings,
    Seconds,
    Secrets,
    ServerSettings,
    SharedSignalsSettings,
    SharedStoreSettings,
    SignInSettings,
    Table,
    Text,
    Texts,
)

Fields = Mapping[str, Any]

CONFIG: Fields = ConfigSettings.__annotations__
RESOURCE: Fields = ResourceSettings.__annotations__
SERVER: Fields = ServerSettings.__annotations__
INTROSPECTION: Fields = IntrospectionSettings.__annotations__
LOGOUT: Fields = BackChannelLogoutSettings.__annotations__
SIGNALS: Fields = SharedSignalsSettings.__annotations__
LIMITS: Fields = LimitsSettings.__annotations__
FAILURE_LIMIT: Fields = FailureLimitSettings.__annotations__
SHARED_STORE: Fields = SharedStoreSettings.__annotations__
REDIS: Fields = RedisSettings.__annotations__
DOWNSTREAM: Fields = DownstreamSettings.__annotations__
SIGN_IN: Fields = SignInSettings.__annotations__

#: Kinds of settings that are tables with settings of their own.
_TABLES: dict[Any, Fields] = {
    IntrospectionSettings: INTROSPECTION,
    BackChannelLogoutSettings: LOGOUT,
    SharedSignalsSettings: SIGNALS,
    LimitsSettings: LIMITS,
    FailureLimitSettings: FAILURE_LIMIT,
    SharedStoreSettings: SHARED_STORE,
    RedisSettings: REDIS,
    DownstreamTargetSettings: DownstreamTargetSettings.__annotations__,
    ConnectSettings: ConnectSettings.__annotations__,
}

#: Beside `resources`, nothing of a single resource may stand.
_ABOVE_RESOURCES: Fields = {name: kind for name, kind in CONFIG.items() if name not in RESOURCE}

#: The fields of a policy, which the native part reads.
POLICY = frozenset((
    "require", "methods", "tools", "prompts", "resources", "implies", "deny_undeclared", "strict_lists", "caller",
    "allowed_clients", "roles_claim", "groups_claim", "permissions_claim",
))  # fmt: skip

#: What a setting is called here that has another name elsewhere, too far from it to be guessed.
_OTHER_NAMES: dict[str, str] = {
    **dict.fromkeys(("scope", "scopes"), "required_scopes"),
    **dict.fromkeys(("authoriser", "authorize", "authorise"), "authorizer"),
    **dict.fromkeys(("leeway", "clock_skew", "skew"), "clock_tolerance"),
    **dict.fromkeys(("verifier", "verify", "verify_token"), "token_verifiers"),
    **dict.fromkeys(("issuers", "auth_servers"), "authorization_servers"),
    **dict.fromkeys(("cors", "cors_origins"), "allowed_origins"),
    "timeout": "fetch_timeout",
}

#: Where keys for tokens come from, for those who look for `jwks_uri`.
_KEYS_OF_ISSUER = (
    "The keys of an issuer are found by its metadata; where it has none, give"
    ' `authorization_servers=[{"issuer": …, "metadata": {"issuer": …, "jwks_uri": …}}]`, or `jwks`, or `jwks_file`'
)

#: Where a setting belongs that stands elsewhere.
_PLACES: list[tuple[Iterable[str], str]] = [
    (INTROSPECTION, 'to `introspection` of an authorization server: `{{"issuer": …, "introspection": {{"{0}": …}}}}`'),
    (LIMITS, 'to `limits`: `limits={{"{0}": …}}`'),
    (SERVER, 'to an authorization server: `authorization_servers=[{{"issuer": …, "{0}": …}}]`'),
    (RESOURCE, "to the resource, beside `authorization_servers`"),
    (CONFIG, "beside the resource, and to none of its parts"),
    (POLICY - {"resources"}, 'to the policy: `policy={{"{0}": …}}`'),
    (
        ("all_of", "any_of", "roles", "groups", "permissions", "when", "access"),
        'to a rule of the policy: `policy={{"tools": {{"delete_note": {{"{0}": …}}}}}}`',
    ),
    (
        (
            "authorizer", "token_verifiers", "verify_timeout", "patch_metadata", "serve_authorization_server_metadata",
            "revocation_check", "revocation_check_interval",
        ),  # fmt: skip
        "to the keywords of `McpAuth`, `from_config` and `from_env`: `{0}=…`",
    ),
]


def warnings_of(data: Mapping[str, Any]) -> list[str]:
    """What is right, and most likely meant otherwise, of settings that were read."""
    resources: list[Mapping[str, Any]] = data.get("resources") or [data]
    # Who signs something says with which algorithms, or has signed it.
    signing = ("resource_signing_alg_values_supported", "signed_metadata")
    found = [one for one in resources if "jwks_uri" in one and not any(one.get(name) for name in signing)]
    return [
        f"`jwks_uri` of {one['resource']} are keys of this resource itself, told to clients in its metadata: no token is"
        f" verified by them. {_KEYS_OF_ISSUER}"
        for one in found
    ]


class _Wrong(Exception):
    """A value that a setting cannot have; its text says what it must be."""

    def __init__(self, reason: str, place: str = "") -> None:
        """:param place: which of its items it is, as `[1]`; empty for the whole."""
        super().__init__(reason)
        self.place = place


class Reading:
    """Reads settings, and collects every fault."""

    def __init__(self, has_scopes_as_text: bool) -> None:
        """:param has_scopes_as_text: whether scopes may be one text, as in a file: in code, a list was meant."""
        self._has_scopes_as_text = has_scopes_as_text
        self.faults: list[str] = []
        self.left_out: list[str] = []
        """The names of the settings with faults, which are not in the data."""

    def config(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All of it."""
        has_list = given.get("resources") is not None
        return self._members("", given, _ABOVE_RESOURCES if has_list else CONFIG)

    def others(self, faults: list[str]) -> list[str]:
        """Those that the native part found in the data, and not for what was left out of it."""
        if not self.faults:
            return faults
        places = [(fault, fault.partition(": ")[0]) for fault in faults]
        told = {fault.partition(": ")[0] for fault in self.faults}
        # The native part has the settings of a single resource in a list.
        told |= {f"resources[0].{place}" for place in told}
        # What is not about a setting is about a place that was left empty.
        return [
            fault
            for fault, place in places
            if " " not in place and place not in told and not any(name in place for name in self.left_out)
        ]

    def _members(self, where: str, given: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, value in given.items():
            try:
                if name not in fields:
                    raise _Wrong(_why_unknown(str(name), fields))
                # What is `None` is not given.
                if value is not None:
                    data[name] = self._value(f"{where}{name}", fields[name], value)
                elif fields[name] in (Texts, str | Texts, Secrets):
                    raise _Wrong("must be a list, not None")
            except _Wrong as wrong:
                self.faults.append(f"{where}{name}{wrong.place}: {wrong}")
                self.left_out.append(str(name))
        return data

    def _value(self, where: str, kind: Any, value: Any) -> Any:
        if kind in _TABLES:
            return self._members(f"{where}.", _table(value), _TABLES[kind])
        if kind == CONFIG["resources"]:
            resources = enumerate(_each(value, _table))
            return [self._members(f"{where}[{number}].", one, RESOURCE) for number, one in resources]
        if kind == CONFIG["downstreams"]:
            return {name: self._members(f"{where}.{name}.", _table(one), DOWNSTREAM) for name, one in _table(value).items()}
        if kind == ConnectSettings.__annotations__["sign_in"]:
            clients = enumerate(_each(value, _table))
            return [self._members(f"{where}[{number}].", one, SIGN_IN) for number, one in clients]
        if kind == RESOURCE["authorization_servers"]:
            return [self._server(f"{where}[{number}]", one) for number, one in enumerate(_listed(value))]
        if where.endswith(("client_secret", "shared_signals.authorization", "redis.url")) and not isinstance(value, str):
            # Never shown, whatever it is.
            raise _Wrong("must be a text")
        if kind == str | Texts and isinstance(value, str) and self._has_scopes_as_text:
            return value
        if get_origin(kind) is Literal:
            return _one_of(get_args(kind), value)
        if kind is Table and where.endswith("policy") and isinstance(value, Mapping):
            self._find_strangers(where, cast("Mapping[object, Any]", value))
        return _READ[kind](value)

    def _find_strangers(self, where: str, policy: Mapping[object, Any]) -> None:
        """Settings of other parts that stand in a policy; what else is wrong there, the native part finds."""
        for name in policy:
            why = _why_unknown(str(name), dict.fromkeys(POLICY)) if name not in POLICY else ""
            if why.startswith("belongs "):
                self.faults.append(f"{where}.{name}: {why}")

    def _server(self, where: str, server: Any) -> Any:
        if isinstance(server, Mapping):
            members = cast("Mapping[str, Any]", server)
            data = self._members(f"{where}.", members, SERVER)
            place, issuer = f"{where}.issuer", members.get("issuer")
        else:
            place, issuer = where, server
            try:
                data = _text(server)
            except _Wrong:
                kind = type(server).__name__
                self.faults.append(f"{where}: must be an issuer, or a dictionary of its settings, not {kind}")
                self.left_out.append("authorization_servers")
                return None
        if not isinstance(issuer, str) and str(issuer).count("/") == 3 and str(issuer).endswith("/"):
            # Tokens name the issuer to the letter, and the object does not tell how it was written.
            text = str(issuer)
            self.faults.append(f"{place}: give it as a text: {text!r} or {text[:-1]!r}? A URL object always has the slash")
        return data


def _why_unknown(name: str, fields: Fields) -> str:
    if name in ("jwks_uri", "jwks_url") and fields is SERVER:
        return f"is no setting here: {_KEYS_OF_ISSUER}"
    if name == "jwks_url":
        return f"is no setting: {_KEYS_OF_ISSUER}"
    meant = _OTHER_NAMES.get(name.lower())
    if meant is not None and meant in fields:
        return f"is called `{meant}` here"
    if meant is not None and "authorization_servers" in fields:
        return f"is called `{meant}` here, and {_why_unknown(meant, fields)}"
    short = name.replace("dangerously_", "dangerous_", 1)
    if short != name and short in fields:
        return f"is called `{short}` here"
    for known, place in _PLACES:
        if short in known:
            # An issuer is what the example has already.
            return f"belongs {place.format(short)}".replace('"issuer": …, "issuer": …', '"issuer": …')
    import difflib  # It is slow to import, and needed for faults alone.

    everywhere = {one for known, _ in _PLACES for one in known}
    for names in (fields, everywhere):
        close = difflib.get_close_matches(name.lower(), names, n=1)
        if close and close[0] in fields:
            return f"is no setting; did you mean `{close[0]}`?"
        if close:
            return f"is no setting; did you mean `{close[0]}`? It {_why_unknown(close[0], fields)}"
    return "is no setting"


def _shown(value: object) -> str:
    """The value, as much of it as helps."""
    text = repr(value)
    return text if len(text) <= 80 else f"{type(value).__name__} {text[:60]}…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    geturl = getattr(value, "geturl", None)
    if geturl is not None:
        return str(geturl())
    if hasattr(value, "scheme") and hasattr(value, "host"):
        return str(value)
    raise _Wrong(f"must be a text, not {_shown(value)}")


def _file(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise _Wrong(f"must be a path, not {_shown(value)}")
    path: object = os.fspath(cast("os.PathLike[Any]", value))
    if not isinstance(path, str):
        raise _Wrong("must be a path of text, not of bytes")
    return path


def _secrets(value: Any) -> list[str]:
    """Never shown, whatever they are."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise _Wrong("must be a list of texts")
    secrets = list(cast("Iterable[Any]", value))
    if not all(isinstance(one, str) for one in secrets):
        raise _Wrong("must be a list of texts")
    return secrets


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        raise _Wrong(f"must be a list, as [{value!r}]")
    is_one = isinstance(value, (bytes, Mapping)) or hasattr(cast("object", value), "geturl")
    if is_one or not isinstance(value, Iterable):
        raise _Wrong(f"must be a list, not {_shown(cast('object', value))}")
    return list(cast("Iterable[Any]", value))


def _each(value: Any, read_one: Callable[[Any], Any]) -> list[Any]:
    """Every item, read; what is wrong with one says which it is."""
    data: list[Any] = []
    for number, one in enumerate(_listed(value)):
        try:
            data.append(read_one(one))
        except _Wrong as wrong:
            raise _Wrong(str(wrong), f"[{number}]{wrong.place}") from None
    return data


def _seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Wrong(f"must be seconds, or a timedelta, not {_shown(value)}")
    if not 0 <= value < 1e15:
        raise _Wrong(f"must be seconds, 0 or more, not {_shown(value)}")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise _Wrong(f"must be a whole number, 0 or more, not {_shown(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"must be True or False, not {_shown(value)}")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong(f"must be a dictionary, not {_shown(value)}")
    return dict(cast("Mapping[str, Any]", value))


def _one_of(names: tuple[str, ...], value: Any) -> str:
    text = value.value if isinstance(value, Enum) else value
    if text not in names:
        raise _Wrong(f"must be one of {', '.join(map(repr, names))}, not {_shown(value)}")
    return cast("str", text)


def _data(value: Any) -> Any:
    """What is of the user's own form, with lists for everything that can be listed."""
    if isinstance(value, Enum):
        return _data(value.value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        for name in members:
            if not isinstance(name, str):
                raise _Wrong(f"must have texts as names, not {_shown(name)}")
        return {name: _data(one) for name, one in members.items()}
    if isinstance(value, os.PathLike):
        return _file(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "scheme") or hasattr(value, "geturl"):
        return _text(value)
    is_bytes = isinstance(value, (bytes, bytearray, memoryview))
    if isinstance(value, Iterable) and not is_bytes:
        return [_data(one) for one in cast("Iterable[Any]", value)]
    raise _Wrong(f"everything must be data, not {_shown(cast('object', value))}")


_READ: dict[Any, Callable[[Any], Any]] = {
    Text: _text,
    str: _text,
    Texts: lambda value: _each(value, _text),
    str | Texts: lambda value: _each(value, _text),
    Secrets: _secrets,
    File: _file,
    Files: lambda value: _each(value, _file),
    Seconds: _seconds,
    int: _count,
    bool: _flag,
    str | Table: lambda value: value if isinstance(value, str) else _data(_table(value)),
    Table: lambda value: _data(_table(value)),
}


__all__ = ["Reading", "warnings_of"]
