"""The person: goes where the client sends them, signs in and approves."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp.shared.auth import AuthorizationCodeResult


class Person:
    """Signs in as `user` whenever the SDK asks for it, over `http`, without a browser."""

    def __init__(self, http: httpx2.AsyncClient, user: str) -> None:
        self.sign_ins: list[httpx2.URL] = []
        self._http = http
        self._user = user
        self._answer: dict[str, str] = {}

    async def sign_in(self, authorization_url: str) -> None:
        """The SDK's redirect handler."""
        self.sign_ins.append(httpx2.URL(authorization_url))
        self._answer = await _approve(self._http, authorization_url, self._user)

    async def redirect(self) -> AuthorizationCodeResult:
        """The SDK's callback handler."""
        return AuthorizationCodeResult.model_validate(self._answer)


async def _approve(http: httpx2.AsyncClient, authorization_url: str, user: str) -> dict[str, str]:
    """Ticks every scope, approves, and returns the parameters sent to the redirect URI."""
    page = await http.get(authorization_url)
    page.raise_for_status()
    form = _ConsentForm(page.text)
    action = urljoin(authorization_url, form.action)
    answer = await http.post(
        action,
        data={"request": form.request, "user": user, "scope": form.scopes, "decision": "approve"},
    )
    assert answer.status_code == 303, f"the approval was answered with {answer.status_code}"

    redirect = urlsplit(urljoin(action, answer.headers["location"]))
    asked = parse_qs(urlsplit(authorization_url).query)["redirect_uri"][0]
    assert redirect._replace(query="").geturl() == asked, "not sent back to the redirect URI"
    return {name: values[0] for name, values in parse_qs(redirect.query).items()}


class _ConsentForm(HTMLParser):
    """The consent page has exactly one POST form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scopes: list[str] = []
        self._actions: list[str] = []
        self._requests: list[str] = []
        self.feed(html)
        [self.action] = self._actions
        [self.request] = self._requests

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name"), attributes.get("value", "")
        if tag == "form" and attributes.get("method", "").lower() == "post":
            self._actions.append(attributes.get("action", ""))
        elif tag == "input" and name == "request":
            self._requests.append(value)
        elif tag == "input" and name == "scope":
            self.scopes.append(value)
