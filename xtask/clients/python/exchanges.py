"""What went over the wire, so that a failure can show the exchange that went wrong.

Tokens, codes and secrets are never kept.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import httpx2

SECRETS = {
    "access_token", "refresh_token", "id_token", "client_secret", "registration_access_token",
    "code", "code_verifier", "code_challenge", "state", "request",
}  # fmt: skip


@dataclass
class Exchange:
    """One request and what came back. Status 0: no answer."""

    method: str
    url: httpx2.URL
    scheme: str | None
    form: dict[str, str]
    status: int = 0
    challenge: str = ""
    body: str = ""

    @property
    def endpoint(self) -> str:
        """The URL without its query."""
        return str(self.url.copy_with(query=None))

    def line(self) -> str:
        query = _without_secrets(self.url.query.decode())
        shown = f"{self.endpoint}?{urlencode(query)}" if query else self.endpoint
        return f"  {self.method} {shown} -> {self.status or 'no answer'}"

    def in_full(self) -> str:
        parts = [self.line(), f"Authorization: {f'{self.scheme} ...' if self.scheme else '(none)'}"]
        parts += [f"form: {urlencode(self.form)}"] if self.form else []
        parts += [f"WWW-Authenticate: {self.challenge}"] if self.challenge else []
        parts += [f"body: {self.body[:2000]}"] if self.body else []
        return "\n      ".join(parts)


@dataclass
class Trace:
    """Every exchange of the HTTP clients it made, in order."""

    step: str = "start"
    exchanges: list[Exchange] = field(default_factory=list)

    def client(self, auth: httpx2.Auth | None = None) -> httpx2.AsyncClient:
        """An HTTP client that is traced. It follows no redirect."""
        hooks = {"request": [self._begin], "response": [self._end]}
        return httpx2.AsyncClient(auth=auth, event_hooks=hooks, timeout=30, trust_env=False)

    def to(self, url: str, mark: int = 0) -> list[Exchange]:
        """The exchanges since `mark` that went to `url`, whatever their query."""
        return [exchange for exchange in self.exchanges[mark:] if exchange.endpoint == url]

    def report(self, error: BaseException) -> None:
        """Prints the step, the error, and the exchanges: the refused ones in full."""
        print(f"FAILED at: {self.step}", file=sys.stderr)
        for cause in _leaves(error):
            traceback.print_exception(cause)
        for exchange in self.exchanges:
            fine = 200 <= exchange.status < 400
            print(exchange.line() if fine else exchange.in_full(), file=sys.stderr)

    async def _begin(self, request: httpx2.Request) -> None:
        scheme = request.headers.get("authorization", "").split(" ")[0] or None
        is_form = request.headers.get("content-type") == "application/x-www-form-urlencoded"
        form = _without_secrets(request.content.decode()) if is_form else {}
        exchange = Exchange(request.method, request.url, scheme, form)
        request.extensions["exchange"] = exchange
        self.exchanges.append(exchange)

    async def _end(self, response: httpx2.Response) -> None:
        exchange: Exchange = response.request.extensions["exchange"]
        exchange.status = response.status_code
        exchange.challenge = response.headers.get("www-authenticate", "")
        if response.status_code >= 400:
            exchange.body = (await response.aread()).decode(errors="replace")


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors themselves, without the groups that task groups wrap around them."""
    nested = getattr(error, "exceptions", None)
    return [leaf for member in nested for leaf in _leaves(member)] if nested else [error]


def _without_secrets(encoded: str) -> dict[str, str]:
    return {name: "..." if name in SECRETS else value for name, value in parse_qsl(encoded)}
