"""One call out of an installed wheel."""

import asyncio

from mcp_auth import McpAuth
from mcp_auth.errors import TokenError
from mcp_auth.testing import DevIssuer

RESOURCE = "https://mcp.example.com/mcp"


async def main() -> None:
    with DevIssuer() as issuer:
        auth = McpAuth(RESOURCE, [issuer.issuer])
        caller = await auth.authenticate(issuer.mint(RESOURCE))
        assert caller.subject == "alice", caller
        try:
            await auth.authenticate(issuer.mint(RESOURCE, broken="signature"))
        except TokenError:
            return
        raise AssertionError("a forged token is accepted")


asyncio.run(main())
