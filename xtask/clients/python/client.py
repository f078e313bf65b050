"""The Python client, PyPI `mcp`, through the whole flow.

Every step of the protocol is `OAuthClientProvider`'s; this file stores what it hands over.
Two things the SDK does its own way (2.3.0):

* It refreshes a token that it knows to be past its lifetime, and answers a 401 with a new sign-in
  (never with a refresh). So the refresh is provoked by telling it that the lifetime is over.
* Its `client_metadata_url` takes https URLs only. A metadata document on loopback comes in as
  client information that is already known.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

import anyio
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from document import ClientDocument, serve_client_document
from exchanges import Trace
from flow import Flow
from person import Person

DEADLINE_SECONDS = 120
USER = "bob"
# Nothing listens there: the redirect is read off the consent page's answer.
METADATA = {
    "client_name": "mcp-auth real-client test",
    "redirect_uris": ["http://127.0.0.1:33418/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resource", required=True)
    parser.add_argument("--registration", choices=["dcr", "cimd"], default="dcr")
    arguments = parser.parse_args()

    trace = Trace()
    with ExitStack() as stack:
        cimd = arguments.registration == "cimd"
        document = stack.enter_context(serve_client_document(METADATA)) if cimd else None
        try:
            anyio.run(run, arguments.resource, document, trace)
        except Exception as error:
            trace.report(error)
            return 1
    print(
        f"ok: {arguments.registration}, signed in as {USER}, called whoami, refreshed, called it again"
    )
    return 0


async def run(resource: str, document: ClientDocument | None, trace: Trace) -> None:
    with anyio.fail_after(DEADLINE_SECONDS):
        async with trace.client() as browser:
            person = Person(browser, USER)
            provider = OAuthClientProvider(
                resource,
                OAuthClientMetadata.model_validate(METADATA),
                Storage(document.client_id if document else None),
                redirect_handler=person.sign_in,
                callback_handler=person.redirect,
            )
            async with trace.client(provider) as http:
                await Flow(resource, USER, document, trace, provider, person).run(http)


class Storage:
    """Keeps what the SDK hands over."""

    def __init__(self, client_id: str | None) -> None:
        self._tokens: OAuthToken | None = None
        self._client = (
            OAuthClientInformationFull(client_id=client_id, **METADATA) if client_id else None
        )

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


if __name__ == "__main__":
    sys.exit(main())
