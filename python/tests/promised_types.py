"""Checked by pyright and never run: what the types promise. An ignored line that is no error is one."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from datetime import timedelta
from pathlib import Path

from mcp_auth import AuthInfo, DownstreamError, DownstreamToken, McpAuth, auth_info, caller
from mcp_auth.testing import DevIssuer

inside: AuthInfo = caller()
perhaps: AuthInfo | None = auth_info()
outside: AuthInfo = auth_info()  # pyright: ignore[reportAssignmentType]

McpAuth.from_env(required_scopes=["mcp"], clock_tolerance=timedelta(seconds=30), ca_files=[Path("ca.pem")])
McpAuth.from_env(authorizer=lambda who, _: who.has("a"), policy={"tools": {"wipe": "adm"}})
McpAuth.from_env(required_scope=["mcp"])  # pyright: ignore[reportCallIssue]
McpAuth.from_env(clock_tolerance="30")  # pyright: ignore[reportArgumentType]
McpAuth.from_env(authoriser=lambda: True)  # pyright: ignore[reportCallIssue]
McpAuth.from_config({}, authoriser=None)  # pyright: ignore[reportCallIssue]
McpAuth("https://a.example/mcp", [{"isuer": "https://as.example"}])  # pyright: ignore[reportArgumentType]
McpAuth("https://a.example/mcp", [], clock_tolerence=30)  # pyright: ignore[reportCallIssue]


def broken(issuer: DevIssuer) -> None:
    issuer.mint("https://a.example/mcp", broken="signatur")  # pyright: ignore[reportArgumentType]
    issuer.mint("https://a.example/mcp", scopes="mcp")  # pyright: ignore[reportCallIssue]
    issuer.set_mode("down")  # pyright: ignore[reportArgumentType]


async def called(auth: McpAuth, who: AuthInfo) -> None:
    api = auth.downstream("reports").with_scopes(["reports:read"])
    token: DownstreamToken = await api.token_for()
    header: str = (await api.token_for(who)).header_value()
    ends: int | None = token.expires_at
    text: str = token  # pyright: ignore[reportAssignmentType]
    await api.token_for("alice")  # pyright: ignore[reportArgumentType]
    DownstreamToken("a token")  # pyright: ignore[reportCallIssue]
    after: int | None = DownstreamError("a", 503, "b").retry_after
    print(header, ends, text, after)
