"""The whole flow, and what must hold at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client

from document import ClientDocument
from exchanges import Trace
from person import Person


@dataclass
class Flow:
    """Start with no token, be refused, register, sign in, call `whoami`, refresh, call it again."""

    resource: str
    user: str
    document: ClientDocument | None
    trace: Trace
    provider: OAuthClientProvider
    person: Person

    async def run(self, http: httpx2.AsyncClient) -> None:
        self.trace.step = "connect with no token, sign in"
        async with Client(streamable_http_client(self.resource, http_client=http)) as client:
            self._check_sign_in()
            self._check_registration()

            self.trace.step = "call whoami"
            first = await self._whoami(client)

            self.trace.step = "refresh"
            before = self.provider.context.current_tokens
            mark = len(self.trace.exchanges)
            self.provider.context.update_token_expiry(
                before.model_copy(update={"expires_in": -120})
            )
            second = await self._whoami(client)
            self._check_token_request(mark, grant_type="refresh_token", resource=self.resource)
            check(second["jti"] != first["jti"], "the access token is the same after the refresh")
            after = self.provider.context.current_tokens
            check(after.refresh_token != before.refresh_token, "the refresh token was not rotated")
            check(len(self.person.sign_ins) == 1, "the person had to sign in again")

            self.trace.step = "close"

    def _check_sign_in(self) -> None:
        first = self.trace.exchanges[0]
        check(
            (first.endpoint, first.scheme) == (self.resource, None), "the first request has a token"
        )
        check(first.status == 401, f"the first request was answered with {first.status}")
        metadata = self.provider.context.protected_resource_metadata
        check(str(metadata.resource) == self.resource, f"RFC 9728 resource: {metadata.resource}")

        check(len(self.person.sign_ins) == 1, f"signed in {len(self.person.sign_ins)} times")
        asked = self.person.sign_ins[0].params
        check(asked["response_type"] == "code", "response_type")
        check(asked["code_challenge_method"] == "S256" and asked["code_challenge"], "PKCE")
        check(asked["resource"] == self.resource, f"resource: {asked['resource']}")
        self._check_token_request(
            0, grant_type="authorization_code", code_verifier="...", resource=self.resource
        )

    def _check_registration(self) -> None:
        metadata = self.provider.context.oauth_metadata
        registrations = [e.status for e in self.trace.to(str(metadata.registration_endpoint))]
        client_id = self.person.sign_ins[0].params["client_id"]
        if self.document is None:
            check(registrations == [201], f"dynamic registrations: {registrations}")
            check(
                client_id == self.provider.context.client_info.client_id, f"client_id: {client_id}"
            )
        else:
            check(metadata.client_id_metadata_document_supported, "CIMD is not advertised")
            check(registrations == [], f"dynamic registrations: {registrations}")
            check(client_id == self.document.client_id, f"client_id: {client_id}")
            check(self.document.reads > 0, "the issuer did not read the client metadata document")

    def _check_token_request(self, mark: int, **form: str) -> None:
        """One token request since `mark`, granted, that sent these parameters."""
        requests = self.trace.to(str(self.provider.context.oauth_metadata.token_endpoint), mark)
        check(
            [e.status for e in requests] == [200], f"token requests: {[e.status for e in requests]}"
        )
        for name, value in form.items():
            sent = requests[0].form.get(name)
            check(sent == value, f"{name} of the token request: {sent}")

    async def _whoami(self, client: Client) -> dict[str, Any]:
        """Calls `whoami` and returns the claims, which must be those of the user who signed in."""
        result = await client.call_tool("whoami")
        check(not result.is_error, "whoami answered with an error")
        claims = result.structured_content
        issuer = str(self.provider.context.oauth_metadata.issuer)
        check(claims.get("sub") == self.user, f"sub: {claims.get('sub')}")
        check(claims.get("aud") in (self.resource, [self.resource]), f"aud: {claims.get('aud')}")
        check(claims.get("iss") == issuer, f"iss: {claims.get('iss')}")
        check(claims.get("jti"), "jti is missing")
        return claims


def check(condition: object, message: str) -> None:
    """Fails with `message`, whatever the interpreter's flags."""
    if not condition:
        raise AssertionError(message)
