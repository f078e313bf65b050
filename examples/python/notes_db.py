"""Everybody has notes of their own, in PostgreSQL or in a file of SQLite. Variables as in whoami.py, and besides:

    pip install 'psycopg[binary,pool]'  # for PostgreSQL alone

`DATABASE_URL`: `postgres://…`, a database that `../notes-db/postgres.sql` has prepared; SQLite unless set.
`NOTES_FILE`: the file of SQLite, notes.db unless set. `NOTES_CONNECTIONS`: how many there may be, 10 unless set.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings

from mcp_auth import McpAuth, caller
from notes_store import Note, Owner, PostgresNotes, SqliteNotes

POLICY = {
    "tools": {
        "list_notes": ["notes:read"],
        "add_note": ["notes:write"],
        "delete_note": ["notes:write"],
    },
    "deny_undeclared": True,
}

ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # see whoami.py
mcp = MCPServer("notes-db")
store: PostgresNotes | SqliteNotes


def me() -> Owner:
    """The issuer and the subject of the verified token; a token that names nobody has no notes."""
    issuer, subject = caller().key
    if subject is None:
        raise ToolError("the token does not say whose notes")
    return issuer, subject


@mcp.tool()
async def add_note(content: str) -> Note:
    """Add a note of my own."""
    async with told():
        return await store.add(me(), content)


@mcp.tool()
async def list_notes() -> dict[str, list[Note]]:
    """List my notes."""
    async with told():
        return {"notes": await store.list(me())}


@mcp.tool()
async def delete_note(id: str) -> dict[str, bool]:
    """Delete a note of mine."""
    async with told():
        return {"deleted": await store.delete(me(), id)}


@asynccontextmanager
async def told() -> AsyncGenerator[None]:
    """What a database says is for the log: it may quote what others wrote."""
    try:
        yield
    except store.Error as error:
        logging.warning("the database refused: %s", error)
        raise ToolError("the notes could not be read or changed") from None


async def main() -> None:
    global store
    logging.basicConfig(level=logging.INFO)
    auth = McpAuth.from_env(policy=POLICY)
    host, _, port = os.environ.get("MCP_AUTH_BIND", "127.0.0.1:3000").rpartition(":")
    app = auth.protect(mcp.streamable_http_app(transport_security=ANY_HOST))
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=int(port), reset_contextvars=True))
    url = os.environ.get("DATABASE_URL")
    if url is None:
        store = SqliteNotes(os.environ.get("NOTES_FILE", "notes.db"))
        return await server.serve()
    async with PostgresNotes.connected(url, int(os.environ.get("NOTES_CONNECTIONS", "10"))) as store:
        await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
