"""Everybody works with their own issues at GitHub, where they have let this server do so. Variables as in whoami.py, and besides:

    pip install httpx2

`CONNECT_URL`: where the pages are on which users connect their accounts, such as http://127.0.0.1:3000/connect.
`CONNECT_FOLDER`: where the grants of users are kept, grants unless set.
`CONNECT_CLIENT_ID`, `CONNECT_CLIENT_SECRET_FILE`: this server as a client of the issuer, where users sign in.
`HANDLE_KEYS_FILE`: the key that seals the grants.
`GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET_FILE`: this server as an OAuth app of GitHub.
`GITHUB_URL`, `GITHUB_API`: another GitHub than https://github.com, and its API.
"""

import logging
import os
import re
from typing import Any

import httpx2
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from typing_extensions import TypedDict

from mcp_auth import McpAuth

GITHUB = os.environ.get("GITHUB_URL", "https://github.com")
API = os.environ.get("GITHUB_API", "https://api.github.com")
POLICY = {
    "tools": {
        "list_issues": ["issues:read"],
        "create_issue": ["issues:write"],
        "disconnect": ["issues:read"],
    },
    "deny_undeclared": True,
}

auth = McpAuth.from_env(
    policy=POLICY,
    handle_keys_file=os.environ["HANDLE_KEYS_FILE"],
    connect={
        "url": os.environ["CONNECT_URL"],
        "folder": os.environ.get("CONNECT_FOLDER", "grants"),
        "sign_in": [
            {
                "issuer": os.environ["MCP_AUTH_ISSUER"],
                "client_id": os.environ["CONNECT_CLIENT_ID"],
                "client_secret_file": os.environ["CONNECT_CLIENT_SECRET_FILE"],
            }
        ],
    },
    downstreams={
        "github": {
            "grant": "authorization_code",
            "authorization_endpoint": f"{GITHUB}/login/oauth/authorize",
            "token_endpoint": f"{GITHUB}/login/oauth/access_token",
            "client_id": os.environ["GITHUB_CLIENT_ID"],
            "client_secret_file": os.environ["GITHUB_CLIENT_SECRET_FILE"],
            "scopes": ["repo"],
            "api": [f"{API}/"],
        }
    },
)
ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # see whoami.py
mcp = MCPServer("github-issues")

# The token of whoever is calling goes on each request. No redirect is followed: it would take the token along.
github = httpx2.AsyncClient(
    auth=auth.downstream("github").httpx_auth(),
    headers={"Accept": "application/vnd.github+json", "User-Agent": "github-issues"},
    follow_redirects=False,
)


class Issue(TypedDict):
    number: int
    title: str
    author: str


@mcp.tool()
async def list_issues(repository: str) -> dict[str, list[Issue]]:
    """List the open issues of a repository at GitHub (owner/name), as me."""
    found = read(await ask("GET", repository))
    # To GitHub, a pull request is an issue.
    return {"issues": [issue_of(issue) for issue in found if "pull_request" not in issue]}


@mcp.tool()
async def create_issue(repository: str, title: str) -> Issue:
    """Open an issue in a repository at GitHub (owner/name), as me."""
    return issue_of(read(await ask("POST", repository, {"title": title})))


@mcp.tool()
async def disconnect() -> dict[str, bool]:
    """Disconnect my account at GitHub."""
    await auth.downstream("github").disconnect()
    return {"connected": False}


async def ask(method: str, repository: str, body: Any = None) -> httpx2.Response:
    """Whoever has not connected their account is asked to: mcp-auth raises what the SDK answers with."""
    # A model writes it, and it becomes part of a URL.
    names = repository.split("/")
    if len(names) != 2 or not all(is_name(name) for name in names):
        raise ToolError("a repository is written owner/name")
    try:
        return await github.request(method, f"{API}/repos/{repository}/issues", json=body)
    except httpx2.HTTPError:
        raise ToolError("GitHub does not answer") from None


def is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]+", text) is not None and text not in (".", "..")


def read(response: httpx2.Response) -> Any:
    if not response.is_success:
        raise ToolError(f"GitHub answers with {response.status_code}")
    return response.json()


def issue_of(issue: dict[str, Any]) -> Issue:
    return {"number": issue["number"], "title": issue["title"], "author": issue["user"]["login"]}


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    host, _, port = os.environ.get("MCP_AUTH_BIND", "127.0.0.1:3000").rpartition(":")
    app = auth.protect(mcp.streamable_http_app(transport_security=ANY_HOST))
    # The queries of our pages hold codes, which an access log would keep.
    uvicorn.run(app, host=host, port=int(port), reset_contextvars=True, access_log=False)


if __name__ == "__main__":
    main()
