"""Objects of a database that serve one thread, or one task, at a time.

Checked against SQLAlchemy 2.1 ("Is the Session thread-safe? Is AsyncSession safe to share in concurrent tasks?": one
Session per thread, one AsyncSession per task; a Connection is not thread-safe either), psycopg 3.3 (cursors are not to
be shared; connections are, they take turns), psycopg2 2.9 (`threadsafety` 2: connections may be shared, cursors not),
PyMySQL, mysqlclient and mysql.connector (`threadsafety` 1: connections may not be shared) and asyncpg 0.32 (a second
operation raises InterfaceError). aiosqlite takes turns. scoped_session gives each thread, or task, its own session.
"""

from __future__ import annotations

from typing import NamedTuple


class Unshared(NamedTuple):
    """What one calls the object, and whether it is made for tasks (else for threads)."""

    noun: str
    is_async: bool = False


#: By class; what derives from it is the same.
UNSHARED: dict[str, Unshared] = {
    "sqlalchemy.orm.Session": Unshared("session"),
    "sqlalchemy.ext.asyncio.AsyncSession": Unshared("session", is_async=True),
    "sqlalchemy.Connection": Unshared("connection"),
    "sqlalchemy.ext.asyncio.AsyncConnection": Unshared("connection", is_async=True),
    "psycopg.Cursor": Unshared("cursor"),
    "psycopg.AsyncCursor": Unshared("cursor", is_async=True),
    "psycopg2.extensions.cursor": Unshared("cursor"),
    "pymysql.connections.Connection": Unshared("connection"),
    "pymysql.cursors.Cursor": Unshared("cursor"),
    "mysql.connector.abstracts.MySQLConnectionAbstract": Unshared("connection"),
    "mysql.connector.abstracts.MySQLCursorAbstract": Unshared("cursor"),
    "MySQLdb.connections.Connection": Unshared("connection"),
    "MySQLdb.cursors.BaseCursor": Unshared("cursor"),
    "asyncpg.Connection": Unshared("connection", is_async=True),
}

#: Methods that of all that is called a session only one of a database has.
ONLY_SESSIONS = frozenset(
    "commit flush rollback scalars add_all expunge expunge_all begin_nested refresh merge".split()
)
#: What starts work that runs beside the code that started it, by its last name.
TASKS = frozenset("create_task ensure_future start_soon gather".split())
THREADS = frozenset("Thread Timer submit map apply_async map_async imap imap_unordered starmap run_in_executor".split())
