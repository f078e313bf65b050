"""Exceptions: made and read in the same way in both packages."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from conftest import PACKAGES, module_of

CLASSES = {
    "MCPAuthAuthServerException": "AuthServerExceptionCode",
    "MCPAuthBearerAuthException": "BearerAuthExceptionCode",
    "MCPAuthTokenVerificationException": "MCPAuthTokenVerificationExceptionCode",
}


class Unknown(str, Enum):
    CODE = "nobody_knows_it"


class Cause(BaseModel):
    reason: str
    detail: str | None = None


def of_both(make: Any) -> tuple[Any, Any]:
    """The same thing made of each package."""
    published, ours = (make(module_of(package, "exceptions")) for package in PACKAGES)
    return published, ours


def facts(error: Any) -> dict[str, Any]:
    """Everything that can be read of an exception."""
    cause = error.cause.model_dump() if hasattr(error.cause, "model_dump") else error.cause
    return {
        "code": error.code.value if isinstance(error.code, Enum) else error.code,
        "is an enum": isinstance(error.code, Enum),
        "message": error.message,
        "text": str(error),
        "arguments": error.args,
        "cause": repr(cause),
        "json": error.to_json(),
        "json, positional": error.to_json(False),
        "json with cause": error.to_json(show_cause=True),
        "parents": [base.__name__ for base in type(error).__mro__ if base.__name__.startswith("MCPAuth")],
        "is an exception": isinstance(error, Exception),
    }


def causes(exceptions: Any) -> list[Any]:
    details = exceptions.MCPAuthBearerAuthExceptionDetails
    return [
        None,
        details(),
        details(uri="https://example.com/error"),
        details(missing_scopes=["read", "write"]),
        details(missing_scopes=[], uri=""),
        details(expected="https://a.example", actual="https://b.example", cause="why"),
        details(uri="https://example.com/error", missing_scopes=["read"], expected=["a"], actual=None),
    ]


def free_causes(_exceptions: Any) -> list[Any]:
    return [None, ValueError("why"), {"error_description": "why"}, Cause(reason="why"), "why", 0]


@pytest.mark.parametrize("name", CLASSES)
def test_each_code_has_the_same_sentence_with_and_without_cause(name: str) -> None:
    def all_of(exceptions: Any) -> list[dict[str, Any]]:
        made = causes(exceptions) if "Bearer" in name else free_causes(exceptions)
        codes = getattr(exceptions, CLASSES[name])
        return [facts(getattr(exceptions, name)(code, cause)) for code in codes for cause in made]

    published, ours = of_both(all_of)
    assert ours == published and len(ours) >= 12


@pytest.mark.parametrize("name", CLASSES)
def test_an_unknown_code_has_the_same_sentence(name: str) -> None:
    published, ours = of_both(lambda exceptions: facts(getattr(exceptions, name)(Unknown.CODE)))
    assert ours == published and ours["json"]["error"] == "nobody_knows_it"


@pytest.mark.parametrize("name", ["MCPAuthException", "MCPAuthConfigException"])
def test_codes_and_sentences_of_ones_own(name: str) -> None:
    def all_of(exceptions: Any) -> list[dict[str, Any]]:
        of_name = getattr(exceptions, name)
        made = [of_name(code, "A sentence.", cause=cause) for code in ("mine", Unknown.CODE) for cause in free_causes(exceptions)]
        return [facts(one) for one in [*made, of_name("mine", "")]]

    published, ours = of_both(all_of)
    assert ours == published


def test_details_are_read_in_the_same_way() -> None:
    published, ours = of_both(lambda exceptions: [
        (one.model_dump(), one.model_dump(exclude_none=True), one.cause, one.uri, one.missing_scopes, one.expected, one.actual)
        for one in causes(exceptions)[1:]
    ])  # fmt: skip
    assert ours == published


def test_our_own_reasons_are_in_the_text_and_not_in_the_sentence() -> None:
    import mcp_auth

    with pytest.raises(mcp_auth.MCPAuthAuthServerException, match="Give either") as raised:
        mcp_auth.MCPAuth()
    assert raised.value.message == "The server configuration does not match the MCP specification."
    assert set(raised.value.cause) == {"error_description"}
