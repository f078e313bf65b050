"""The notes of notes_db.py. Each method takes the owner, so that there is no query without one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")
Owner = tuple[str, str]
"""Issuer and subject: neither alone is anybody."""

SQLITE_TABLE = Path(__file__).parents[1] / "notes-db/sqlite.sql"


class Note(TypedDict):
    id: str
    content: str


class PostgresNotes:
    """Whose rows a query meets is decided in PostgreSQL, by the policy in `postgres.sql`: no query says it."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        import psycopg
        import psycopg_pool

        self._pool = pool
        self.Error = (psycopg.Error, psycopg_pool.PoolTimeout)

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, connections: int) -> AsyncGenerator[PostgresNotes]:
        """Fails where the database is not there, or the role could see everybody's notes."""
        from psycopg_pool import AsyncConnectionPool

        async with AsyncConnectionPool(url, min_size=1, max_size=connections, timeout=10) as pool:
            async with pool.connection() as connection:
                # Do the policies hold for this role, and can it neither take them away nor become who can?
                asked = await connection.execute(
                    "SELECT row_security_active(oid) AND NOT pg_has_role(relowner, 'MEMBER')"
                    " FROM pg_class WHERE oid = 'notes'::regclass"
                )
                if await asked.fetchone() != (True,):
                    raise RuntimeError("the role in DATABASE_URL is not held by the policy of notes")
            yield cls(pool)

    @asynccontextmanager
    async def _begun_as(self, owner: Owner) -> AsyncGenerator[AsyncConnection[Any]]:
        """A transaction in which the database knows who is calling. `true` is for: only until it ends, however it ends."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "SELECT set_config('app.issuer', %s, true), set_config('app.subject', %s, true)", owner
            )
            yield connection

    async def add(self, owner: Owner, content: str) -> Note:
        async with self._begun_as(owner) as connection:
            insert = "INSERT INTO notes (content) VALUES (%s) RETURNING id"
            (added,) = await (await connection.execute(insert, [content])).fetchall()
        return {"id": added[0], "content": content}

    async def list(self, owner: Owner) -> list[Note]:
        async with self._begun_as(owner) as connection:
            found = await connection.execute("SELECT id, content FROM notes ORDER BY created, id")
            return [{"id": id, "content": content} for id, content in await found.fetchall()]

    async def delete(self, owner: Owner, id: str) -> bool:
        async with self._begun_as(owner) as connection:
            deleted = await connection.execute("DELETE FROM notes WHERE id = %s", [id])
            return deleted.rowcount > 0


class SqliteNotes:
    """SQLite knows no users: each query names the owner."""

    Error = sqlite3.Error

    def __init__(self, file: str) -> None:
        self._file = file
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(SQLITE_TABLE.read_text())

    async def add(self, owner: Owner, content: str) -> Note:
        insert = "INSERT INTO notes (issuer, subject, content) VALUES (?, ?, ?) RETURNING id"
        ((id,),) = await self._run(lambda connection: connection.execute(insert, (*owner, content)).fetchall())
        return {"id": id, "content": content}

    async def list(self, owner: Owner) -> list[Note]:
        select = "SELECT id, content FROM notes WHERE issuer = ? AND subject = ? ORDER BY rowid"
        rows = await self._run(lambda connection: connection.execute(select, owner).fetchall())
        return [{"id": id, "content": content} for id, content in rows]

    async def delete(self, owner: Owner, id: str) -> bool:
        delete = "DELETE FROM notes WHERE id = ? AND issuer = ? AND subject = ?"
        return await self._run(lambda connection: connection.execute(delete, (id, *owner)).rowcount) > 0

    async def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Runs it where it may wait for the disk, in a transaction and a connection of its own."""

        def in_a_thread() -> T:
            with closing(sqlite3.connect(self._file)) as connection, connection:
                return query(connection)

        return await asyncio.to_thread(in_a_thread)
