"""Database drivers: psycopg, psycopg2, the MySQL ones, asyncpg and aiosqlite (sqlite3 is in the standard library).

Checked against psycopg 3.3.9, psycopg-pool 3.3.3, psycopg2 2.9.13, PyMySQL 1.2.4, mysql-connector-python 26.10,
asyncpg 0.32, aiosqlite 0.22, and the source of mysqlclient.

A client-side cursor holds the whole answer after `execute`, so its `fetch…` waits for nothing and has no entry;
server-side cursors and mysql.connector's read from the network as they go.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_FETCH = "fetchone fetchmany fetchall"
_ENDS = "commit rollback close"


def _connection(cursor: str, *, also: str = "") -> ClassFact:
    """A connection as the DB-API has it."""
    return ClassFact(
        members={"__enter__": "() -> Self", "cursor": f"() -> {cursor}", **members(f"{_ENDS} {also}", "() -> None")},
    )


def _cursor(*bases: str, enters: str = "() -> Self") -> ClassFact:
    """A cursor as the DB-API has it."""
    return ClassFact(
        bases,
        members={
            "__enter__": enters,
            "__iter__": "() -> collections.abc.Iterator[?]",
            **members(f"execute executemany callproc {_FETCH}", "() -> ?"),
            "close": "() -> None",
            "rowcount": "builtins.int",
        },
    )


_ASYNC_CONNECTION_OR_NOT = "contextlib.AbstractAsyncContextManager[psycopg.AsyncConnection]"
_ASYNCPG_QUERIES = {
    "fetch": "async () -> builtins.list[asyncpg.Record]",
    "fetchrow": "async () -> asyncpg.Record | None",
    "fetchval": "async () -> ?",
    "execute": "async () -> builtins.str",
    "executemany": "async () -> None",
}

CLASSES: dict[str, ClassFact] = {
    "psycopg.Connection": ClassFact(
        members={
            "__enter__": "() -> Self",
            "connect": "() -> Self",
            "cursor": "() -> psycopg.Cursor",
            "execute": "() -> psycopg.Cursor",
            **members(_ENDS, "() -> None"),
            "transaction": "() -> contextlib.AbstractContextManager[psycopg.Transaction]",
            "notifies": "() -> collections.abc.Iterator[psycopg.Notify]",
        },
    ),
    "psycopg.Cursor": ClassFact(
        members={
            "__enter__": "() -> Self",
            "__iter__": "() -> collections.abc.Iterator[?]",
            "execute": "() -> Self",
            "executemany": "() -> None",
            "fetchone": "() -> ?",
            **members("fetchmany fetchall", "() -> builtins.list[?]"),
            "stream": "() -> collections.abc.Iterator[?]",
            "copy": "() -> contextlib.AbstractContextManager[psycopg.Copy]",
            "close": "() -> None",
        },
    ),
    "psycopg.ServerCursor": ClassFact(("psycopg.Cursor",)),
    "psycopg.ClientCursor": ClassFact(("psycopg.Cursor",)),
    "psycopg.Transaction": ClassFact(),
    "psycopg.Notify": ClassFact(),
    "psycopg.Copy": ClassFact(members={"read": "() -> ?", **members("write write_row", "() -> None")}),
    "psycopg.AsyncConnection": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "connect": "async () -> Self",
            "cursor": "() -> psycopg.AsyncCursor",
            "execute": "async () -> psycopg.AsyncCursor",
            **members(_ENDS, "async () -> None"),
            "transaction": "() -> contextlib.AbstractAsyncContextManager[psycopg.AsyncTransaction]",
            "notifies": "() -> collections.abc.AsyncIterator[psycopg.Notify]",
        },
    ),
    "psycopg.AsyncCursor": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "__aiter__": "() -> collections.abc.AsyncIterator[?]",
            "execute": "async () -> Self",
            "executemany": "async () -> None",
            "fetchone": "async () -> ?",
            **members("fetchmany fetchall", "async () -> builtins.list[?]"),
            "stream": "() -> collections.abc.AsyncIterator[?]",
            "close": "async () -> None",
        },
    ),
    "psycopg.AsyncTransaction": ClassFact(),
    "psycopg_pool.ConnectionPool": ClassFact(
        members={
            "__enter__": "() -> Self",
            "connection": "() -> contextlib.AbstractContextManager[psycopg.Connection]",
            "getconn": "() -> psycopg.Connection",
            **members("putconn open close wait check", "() -> None"),
        },
    ),
    "psycopg_pool.NullConnectionPool": ClassFact(("psycopg_pool.ConnectionPool",)),
    "psycopg_pool.AsyncConnectionPool": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "connection": f"() -> {_ASYNC_CONNECTION_OR_NOT}",
            "getconn": "async () -> psycopg.AsyncConnection",
            **members("putconn open close wait check", "async () -> None"),
        },
    ),
    "psycopg_pool.AsyncNullConnectionPool": ClassFact(("psycopg_pool.AsyncConnectionPool",)),
    "psycopg2.extensions.connection": _connection("psycopg2.extensions.cursor", also="set_session reset"),
    "psycopg2.extensions.cursor": _cursor(),
    "psycopg2.extras.DictCursor": ClassFact(("psycopg2.extensions.cursor",)),
    "psycopg2.extras.RealDictCursor": ClassFact(("psycopg2.extensions.cursor",)),
    "psycopg2.extras.NamedTupleCursor": ClassFact(("psycopg2.extensions.cursor",)),
    "psycopg2.pool.SimpleConnectionPool": ClassFact(
        members={"getconn": "() -> psycopg2.extensions.connection", **members("putconn closeall", "() -> None")},
    ),
    "psycopg2.pool.ThreadedConnectionPool": ClassFact(
        members={"getconn": "() -> psycopg2.extensions.connection", **members("putconn closeall", "() -> None")},
    ),
    "pymysql.connections.Connection": _connection("pymysql.cursors.Cursor", also="begin ping select_db connect"),
    "pymysql.cursors.Cursor": _cursor(),
    "pymysql.cursors.DictCursor": ClassFact(("pymysql.cursors.Cursor",)),
    "pymysql.cursors.SSCursor": ClassFact(("pymysql.cursors.Cursor",)),
    "pymysql.cursors.SSDictCursor": ClassFact(("pymysql.cursors.SSCursor",)),
    "mysql.connector.abstracts.MySQLConnectionAbstract": _connection(
        "mysql.connector.abstracts.MySQLCursorAbstract", also="ping reconnect start_transaction"
    ),
    "mysql.connector.MySQLConnection": ClassFact(("mysql.connector.abstracts.MySQLConnectionAbstract",)),
    "mysql.connector.abstracts.MySQLCursorAbstract": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members("execute executemany", "() -> None"),
            **members(f"callproc {_FETCH}", "() -> ?"),
            "close": "() -> ?",
        },
    ),
    "mysql.connector.pooling.MySQLConnectionPool": ClassFact(
        members={"get_connection": "() -> mysql.connector.pooling.PooledMySQLConnection"},
    ),
    # It forwards everything to a connection.
    "mysql.connector.pooling.PooledMySQLConnection": ClassFact(
        members={
            "__enter__": "() -> Self",
            "cursor": "() -> mysql.connector.abstracts.MySQLCursorAbstract",
            **members(_ENDS, "() -> None"),
        },
    ),
    "MySQLdb.connections.Connection": _connection("MySQLdb.cursors.Cursor", also="begin query ping select_db"),
    "MySQLdb.cursors.BaseCursor": _cursor(),
    "MySQLdb.cursors.Cursor": ClassFact(("MySQLdb.cursors.BaseCursor",)),
    "MySQLdb.cursors.DictCursor": ClassFact(("MySQLdb.cursors.BaseCursor",)),
    "MySQLdb.cursors.SSCursor": ClassFact(("MySQLdb.cursors.BaseCursor",)),
    "MySQLdb.cursors.SSDictCursor": ClassFact(("MySQLdb.cursors.BaseCursor",)),
    "asyncpg.Connection": ClassFact(
        members={
            **_ASYNCPG_QUERIES,
            "transaction": "() -> asyncpg.transaction.Transaction",
            "prepare": "async () -> asyncpg.prepared_stmt.PreparedStatement",
            "close": "async () -> None",
        },
    ),
    "asyncpg.transaction.Transaction": ClassFact(
        members={"__aenter__": "async () -> None", **members("start commit rollback", "async () -> None")},
    ),
    "asyncpg.prepared_stmt.PreparedStatement": ClassFact(
        members={name: _ASYNCPG_QUERIES[name] for name in ("fetch", "fetchrow", "fetchval", "executemany")},
    ),
    "asyncpg.Record": ClassFact(("collections.abc.Mapping[builtins.str, ?]",)),
    "asyncpg.Pool": ClassFact(
        ("collections.abc.Awaitable[asyncpg.Pool]",),
        members={
            "__aenter__": "async () -> Self",
            "acquire": "() -> asyncpg.pool.PoolAcquireContext",
            **members("release close expire_connections", "async () -> None"),
            **_ASYNCPG_QUERIES,
        },
    ),
    "asyncpg.pool.PoolAcquireContext": ClassFact(
        (
            "collections.abc.Awaitable[asyncpg.Connection]",
            "contextlib.AbstractAsyncContextManager[asyncpg.Connection]",
        ),
    ),
    "aiosqlite.Connection": ClassFact(
        ("collections.abc.Awaitable[aiosqlite.Connection]",),
        members={
            "__aenter__": "async () -> Self",
            **members("execute executemany executescript cursor", "() -> aiosqlite.context.Result[aiosqlite.Cursor]"),
            **members(_ENDS, "async () -> None"),
        },
    ),
    # What can be awaited and can be entered.
    "aiosqlite.context.Result": ClassFact(
        ("collections.abc.Coroutine[?, ?, T]", "contextlib.AbstractAsyncContextManager[T]"), ("T",)
    ),
    "aiosqlite.Cursor": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "__aiter__": "() -> collections.abc.AsyncIterator[?]",
            **members("execute executemany executescript", "async () -> Self"),
            **members(_FETCH, "async () -> ?"),
            "close": "async () -> None",
        },
    ),
}

FUNCTIONS: dict[str, str] = {
    "psycopg.connect": "() -> psycopg.Connection",
    "psycopg2.connect": "() -> psycopg2.extensions.connection",
    "pymysql.connect": "() -> pymysql.connections.Connection",
    "mysql.connector.connect": "() -> mysql.connector.abstracts.MySQLConnectionAbstract",
    "MySQLdb.connect": "() -> MySQLdb.connections.Connection",
    "asyncpg.connect": "async () -> asyncpg.Connection",
    "asyncpg.create_pool": "() -> asyncpg.Pool",
    "aiosqlite.connect": "() -> aiosqlite.Connection",
}

ALIASES: dict[str, str] = {
    **moved("psycopg.connection", "psycopg", "Connection"),
    **moved("psycopg.connection_async", "psycopg", "AsyncConnection"),
    **moved("psycopg.cursor", "psycopg", "Cursor"),
    **moved("psycopg.cursor_async", "psycopg", "AsyncCursor"),
    **moved("psycopg.transaction", "psycopg", "Transaction AsyncTransaction"),
    "psycopg_pool.pool.ConnectionPool": "psycopg_pool.ConnectionPool",
    "psycopg_pool.pool_async.AsyncConnectionPool": "psycopg_pool.AsyncConnectionPool",
    "psycopg2._psycopg.connection": "psycopg2.extensions.connection",
    "psycopg2._psycopg.cursor": "psycopg2.extensions.cursor",
    "pymysql.Connection": "pymysql.connections.Connection",
    "pymysql.Connect": "pymysql.connect",
    "mysql.connector.connection.MySQLConnection": "mysql.connector.MySQLConnection",
    "mysql.connector.Connect": "mysql.connector.connect",
    "MySQLdb.Connection": "MySQLdb.connections.Connection",
    "MySQLdb.Connect": "MySQLdb.connect",
    "asyncpg.connection.Connection": "asyncpg.Connection",
    "asyncpg.connection.connect": "asyncpg.connect",
    "asyncpg.pool.Pool": "asyncpg.Pool",
    "asyncpg.pool.create_pool": "asyncpg.create_pool",
    "aiosqlite.core.Connection": "aiosqlite.Connection",
    "aiosqlite.core.connect": "aiosqlite.connect",
    "aiosqlite.cursor.Cursor": "aiosqlite.Cursor",
}

_PSYCOPG_CONNECT = "await psycopg.AsyncConnection.connect(...)"
_PSYCOPG_CONNECTION = "await connection.{name}(...) on a psycopg.AsyncConnection"
_PSYCOPG_CURSOR = "await cursor.{name}(...) on a psycopg.AsyncCursor"
_PSYCOPG2 = "psycopg.AsyncConnection or asyncpg"
_MYSQL = "aiomysql or asyncmy"

BLOCKING: dict[str, Blocking] = {
    "psycopg.connect": Blocking("database", _PSYCOPG_CONNECT),
    "psycopg.Connection.connect": Blocking("database", _PSYCOPG_CONNECT),
    **calls("psycopg.Connection", "execute commit rollback cancel_safe", "database", _PSYCOPG_CONNECTION),
    **calls("psycopg.Connection", "transaction __exit__", "database", "async with on a psycopg.AsyncConnection"),
    **calls("psycopg.Connection", "notifies", "database", "async for over the notifies() of a psycopg.AsyncConnection"),
    **calls("psycopg.Cursor", "execute executemany", "database", _PSYCOPG_CURSOR),
    **calls("psycopg.Cursor", "copy", "database", "async with on the copy(...) of a psycopg.AsyncCursor"),
    **calls("psycopg.Cursor", "stream", "database", "async for over the stream(...) of a psycopg.AsyncCursor"),
    **calls("psycopg.ServerCursor", f"{_FETCH} scroll", "database", _PSYCOPG_CURSOR),
    **calls("psycopg.ServerCursor", "__iter__", "database", "async for over a psycopg.AsyncServerCursor"),
    **calls(
        "psycopg_pool.ConnectionPool",
        "connection getconn wait close check",
        "database",
        "a psycopg_pool.AsyncConnectionPool",
    ),
    "psycopg2.connect": Blocking("database", _PSYCOPG2),
    **calls("psycopg2.extensions.connection", "commit rollback set_session reset __exit__", "database", _PSYCOPG2),
    **calls(
        "psycopg2.extensions.cursor",
        "execute executemany callproc copy_from copy_to copy_expert",
        "database",
        _PSYCOPG2,
    ),
    **calls("psycopg2.extras", "execute_values execute_batch", "database", _PSYCOPG2),
    **calls("psycopg2.pool.SimpleConnectionPool", "getconn", "database", "a psycopg_pool.AsyncConnectionPool"),
    **calls("psycopg2.pool.ThreadedConnectionPool", "getconn", "database", "a psycopg_pool.AsyncConnectionPool"),
    **calls("psycopg2.pool", "SimpleConnectionPool ThreadedConnectionPool", "database", _PSYCOPG2),
    "pymysql.connect": Blocking("database", _MYSQL),
    "pymysql.connections.Connection": Blocking("database", _MYSQL),
    **calls(
        "pymysql.connections.Connection",
        "commit rollback begin ping query select_db connect autocommit kill show_warnings",
        "database",
        _MYSQL,
    ),
    **calls("pymysql.cursors.Cursor", "execute executemany callproc nextset", "database", _MYSQL),
    **calls("pymysql.cursors.SSCursor", f"{_FETCH} __iter__", "database", _MYSQL),
    "mysql.connector.connect": Blocking("database", "await mysql.connector.aio.connect(...)"),
    "mysql.connector.MySQLConnection": Blocking("database", "await mysql.connector.aio.connect(...)"),
    "mysql.connector.pooling.MySQLConnectionPool": Blocking("database", "await mysql.connector.aio.connect(...)"),
    **{
        key: fact
        for owner in (
            "mysql.connector.abstracts.MySQLConnectionAbstract",
            "mysql.connector.pooling.PooledMySQLConnection",
        )
        for key, fact in calls(
            owner, "commit rollback close", "database", "await connection.{name}() from mysql.connector.aio"
        ).items()
    },
    **calls(
        "mysql.connector.abstracts.MySQLConnectionAbstract",
        "ping reconnect start_transaction connect cmd_query cmd_query_iter reset_session",
        "database",
        "await connection.{name}(...) from mysql.connector.aio",
    ),
    **calls(
        "mysql.connector.abstracts.MySQLCursorAbstract",
        f"execute executemany callproc nextset {_FETCH} __iter__",
        "database",
        "await cursor.{name}(...) from mysql.connector.aio",
    ),
    **calls(
        "mysql.connector.pooling.MySQLConnectionPool",
        "get_connection",
        "database",
        "await mysql.connector.aio.connect(...)",
    ),
    **calls("MySQLdb", "connect", "database", _MYSQL),
    "MySQLdb.connections.Connection": Blocking("database", _MYSQL),
    **calls(
        "MySQLdb.connections.Connection",
        "commit rollback begin ping query select_db autocommit",
        "database",
        _MYSQL,
    ),
    **calls("MySQLdb.cursors.BaseCursor", "execute executemany callproc nextset", "database", _MYSQL),
    **calls("MySQLdb.cursors.SSCursor", f"{_FETCH} __iter__", "database", _MYSQL),
    **calls("MySQLdb.cursors.SSDictCursor", f"{_FETCH} __iter__", "database", _MYSQL),
}

LAZY: frozenset[str] = frozenset({"psycopg.Connection.notifies", "psycopg.Cursor.stream"})
