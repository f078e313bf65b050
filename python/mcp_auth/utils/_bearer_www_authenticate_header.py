"""How a challenge is written."""

from __future__ import annotations


class BearerWWWAuthenticateHeader:
    """A challenge of the scheme Bearer (RFC 6750 §3)."""

    header_name = "WWW-Authenticate"

    def __init__(self) -> None:
        self._parameters: dict[str, str] = {}

    def set_parameter_if_value_exists(self, param: str, value: str | None) -> BearerWWWAuthenticateHeader:
        """Adds a parameter, unless it is empty.

        Raises `ValueError` for characters that cannot be in a header: they could end it.
        """
        if value:
            for text in (param, value):
                if not text.isprintable():
                    raise ValueError(f"{text!r} cannot be in a header")
            self._parameters[param] = value
        return self

    def to_string(self) -> str:
        """The value of the header; empty without parameters."""
        parameters = [f'{name}="{_quotable(value)}"' for name, value in self._parameters.items()]
        return f"Bearer {', '.join(parameters)}" if parameters else ""


def _quotable(value: str) -> str:
    """RFC 9110 §5.6.4: a quote or a backslash in a quoted string has a backslash in front of it."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
