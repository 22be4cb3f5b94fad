"""SQLAlchemy, SQLModel and Flask-SQLAlchemy: sessions, statements, results, and which calls wait for the database.

Checked against SQLAlchemy 1.4.54, 2.0.58 and 2.1.9, sqlmodel 0.0.50, Flask-SQLAlchemy 3.1.1.

A statement's or result's `T` is what its first column holds: `select(User)` is `Select[User]`, each `Row` of its
`Result` is a tuple of one `User`, and `.scalars()` gives the users.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import FromArgument, calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_STATEMENT = "sqlalchemy.sql.selectable.TypedReturnsRows[T]"
# What can be awaited and can be entered.
_STARTED = "sqlalchemy.ext.asyncio.base.GeneratorStartableContext"

# What a Session offers; scoped_session forwards all of it to the session of the thread.
_SESSION_READS = {
    "execute": "() -> sqlalchemy.Result[T]",
    "scalars": "() -> sqlalchemy.ScalarResult[T]",
    "scalar": "() -> T | None",
    "get": "() -> T | None",
    "get_one": "() -> T",
    "merge": "() -> T",
    "query": "() -> sqlalchemy.orm.Query[T]",
    "connection": "() -> sqlalchemy.Connection",
    **members("begin begin_nested", "() -> sqlalchemy.orm.SessionTransaction"),
    "get_bind": "() -> sqlalchemy.Engine | sqlalchemy.Connection",
}
_SESSION_WRITES = {
    **members("commit rollback flush close refresh", "() -> None"),
    **members("add add_all delete expire expire_all expunge expunge_all", "() -> None"),
    **members("bulk_save_objects bulk_insert_mappings bulk_update_mappings", "() -> None"),
}
_ASYNC_SESSION = {
    "execute": "async () -> sqlalchemy.Result[T]",
    "scalars": "async () -> sqlalchemy.ScalarResult[T]",
    "scalar": "async () -> T | None",
    "get": "async () -> T | None",
    "get_one": "async () -> T",
    "merge": "async () -> T",
    "stream": "async () -> sqlalchemy.ext.asyncio.AsyncResult[T]",
    "stream_scalars": "async () -> sqlalchemy.ext.asyncio.AsyncScalarResult[T]",
    "connection": "async () -> sqlalchemy.ext.asyncio.AsyncConnection",
    **members("begin begin_nested", "() -> sqlalchemy.ext.asyncio.AsyncSessionTransaction"),
    **members("commit rollback flush close refresh delete reset", "async () -> None"),
    **members("add add_all expire expire_all expunge expunge_all", "() -> None"),
    "get_bind": "() -> sqlalchemy.Engine | sqlalchemy.Connection",
}

_STATEMENT_CLAUSES = (
    "where filter filter_by order_by group_by having join outerjoin select_from limit offset fetch distinct options"
    " with_for_update execution_options correlate prefix_with suffix_with with_hint join_from outerjoin_from slice"
    " params"
)
_QUERY_CLAUSES = (
    "filter filter_by where order_by group_by having join outerjoin select_from limit offset slice distinct options"
    " with_for_update populate_existing execution_options params yield_per enable_eagerloads autoflush union union_all"
    " intersect except_ with_session with_parent prefix_with suffix_with from_statement correlate reset_joinpoint"
)

_RESULT_OF_ROWS = {
    "__enter__": "() -> Self",
    "__iter__": "() -> collections.abc.Iterator[sqlalchemy.Row[T]]",
    **members("all fetchall fetchmany", "() -> builtins.list[sqlalchemy.Row[T]]"),
    **members("first one_or_none fetchone", "() -> sqlalchemy.Row[T] | None"),
    "one": "() -> sqlalchemy.Row[T]",
    **members("scalar scalar_one_or_none", "() -> T | None"),
    "scalar_one": "() -> T",
    "scalars": "() -> sqlalchemy.ScalarResult[T]",
    "mappings": "() -> sqlalchemy.MappingResult",
    "partitions": "() -> collections.abc.Iterator[builtins.list[sqlalchemy.Row[T]]]",
    **members("unique yield_per", "() -> Self"),
    "close": "() -> None",
}


def _results(item: str) -> dict[str, str]:
    """A result that gives `item`s, with no scalars of its own."""
    return {
        "__enter__": "() -> Self",
        "__iter__": f"() -> collections.abc.Iterator[{item}]",
        **members("all fetchall fetchmany", f"() -> builtins.list[{item}]"),
        **members("first one_or_none", f"() -> {item} | None"),
        "one": f"() -> {item}",
        "partitions": f"() -> collections.abc.Iterator[builtins.list[{item}]]",
        **members("unique yield_per", "() -> Self"),
        "close": "() -> None",
    }


def _async_results(item: str) -> dict[str, str]:
    """The same, read from the server as it goes."""
    return {
        "__aiter__": f"() -> collections.abc.AsyncIterator[{item}]",
        **members("all fetchall fetchmany", f"async () -> builtins.list[{item}]"),
        **members("first one_or_none", f"async () -> {item} | None"),
        "one": f"async () -> {item}",
        "partitions": f"() -> collections.abc.AsyncIterator[builtins.list[{item}]]",
        **members("unique yield_per", "() -> Self"),
        "close": "async () -> None",
    }


CLASSES: dict[str, ClassFact] = {
    "sqlalchemy.Engine": ClassFact(
        members={
            "connect": "() -> sqlalchemy.Connection",
            "begin": "() -> contextlib.AbstractContextManager[sqlalchemy.Connection]",
            "raw_connection": "() -> sqlalchemy.pool.PoolProxiedConnection",
            "execution_options": "() -> sqlalchemy.Engine",
            "dispose": "() -> None",
            # 1.4 only.
            "execute": "() -> sqlalchemy.CursorResult[?]",
            "scalar": "() -> ?",
        },
    ),
    "sqlalchemy.Connection": ClassFact(
        members={
            "__enter__": "() -> Self",
            "execute": "() -> sqlalchemy.CursorResult[T]",
            "exec_driver_sql": "() -> sqlalchemy.CursorResult[?]",
            "scalars": "() -> sqlalchemy.ScalarResult[T]",
            "scalar": "() -> T | None",
            "begin": "() -> sqlalchemy.RootTransaction",
            "begin_nested": "() -> sqlalchemy.NestedTransaction",
            "execution_options": "() -> Self",
            **members("commit rollback close", "() -> None"),
        },
    ),
    "sqlalchemy.pool.PoolProxiedConnection": ClassFact(
        members={"cursor": "() -> ?", **members("commit rollback close", "() -> None")},
    ),
    "sqlalchemy.Transaction": ClassFact(
        members={"__enter__": "() -> Self", **members("commit rollback close", "() -> None")},
    ),
    "sqlalchemy.RootTransaction": ClassFact(("sqlalchemy.Transaction",)),
    "sqlalchemy.NestedTransaction": ClassFact(("sqlalchemy.Transaction",)),
    "sqlalchemy.orm.SessionTransaction": ClassFact(
        members={
            "__enter__": "() -> Self",
            "session": "sqlalchemy.orm.Session",
            **members("commit rollback close", "() -> None"),
        },
    ),
    "sqlalchemy.orm.Session": ClassFact(members={"__enter__": "() -> Self", **_SESSION_READS, **_SESSION_WRITES}),
    "sqlalchemy.orm.scoped_session": ClassFact(
        params=("S",),
        members={
            "__call__": "() -> S",
            "remove": "() -> None",
            "registry": "?",
            **_SESSION_READS,
            **_SESSION_WRITES,
        },
    ),
    "sqlalchemy.orm.sessionmaker": ClassFact(
        params=("S",),
        members={
            "__call__": "() -> S",
            "begin": "() -> contextlib.AbstractContextManager[S]",
            "configure": "() -> None",
        },
    ),
    "sqlalchemy.orm.Query": ClassFact(
        params=("T",),
        members={
            **members(_QUERY_CLAUSES, "() -> Self"),
            **members("with_entities add_columns", "() -> sqlalchemy.orm.Query[?]"),
            "all": "() -> builtins.list[T]",
            **members("first one_or_none get", "() -> T | None"),
            "one": "() -> T",
            "scalar": "() -> ?",
            **members("count update delete", "() -> builtins.int"),
            "__iter__": "() -> collections.abc.Iterator[T]",
            "__getitem__": "() -> T",
            "exists": "() -> ?",
            "subquery": "() -> ?",
        },
    ),
    "sqlalchemy.sql.selectable.TypedReturnsRows": ClassFact(params=("T",)),
    "sqlalchemy.Select": ClassFact(
        (_STATEMENT,),
        ("T",),
        {**members(_STATEMENT_CLAUSES, "() -> Self"), "with_only_columns": "() -> sqlalchemy.Select[?]"},
    ),
    "sqlalchemy.Insert": ClassFact(
        members={
            **members("values from_select execution_options prefix_with", "() -> Self"),
            "returning": "() -> sqlalchemy.sql.dml.ReturningInsert[T]",
        },
    ),
    "sqlalchemy.Update": ClassFact(
        members={
            **members("where filter_by values ordered_values execution_options prefix_with", "() -> Self"),
            "returning": "() -> sqlalchemy.sql.dml.ReturningUpdate[T]",
        },
    ),
    "sqlalchemy.Delete": ClassFact(
        members={
            **members("where filter_by execution_options prefix_with", "() -> Self"),
            "returning": "() -> sqlalchemy.sql.dml.ReturningDelete[T]",
        },
    ),
    **{
        f"sqlalchemy.sql.dml.Returning{kind}": ClassFact((f"sqlalchemy.{kind}", _STATEMENT), ("T",))
        for kind in ("Insert", "Update", "Delete")
    },
    "sqlalchemy.dialects.postgresql.Insert": ClassFact(
        ("sqlalchemy.Insert",),
        members=members("on_conflict_do_nothing on_conflict_do_update", "() -> Self"),
    ),
    "sqlalchemy.dialects.sqlite.Insert": ClassFact(
        ("sqlalchemy.Insert",),
        members=members("on_conflict_do_nothing on_conflict_do_update", "() -> Self"),
    ),
    "sqlalchemy.dialects.mysql.Insert": ClassFact(
        ("sqlalchemy.Insert",),
        members=members("on_duplicate_key_update", "() -> Self"),
    ),
    "sqlalchemy.TextClause": ClassFact(members=members("bindparams", "() -> Self")),
    "sqlalchemy.Result": ClassFact(params=("T",), members=_RESULT_OF_ROWS),
    "sqlalchemy.CursorResult": ClassFact(("sqlalchemy.Result[T]",), ("T",), {"rowcount": "builtins.int"}),
    "sqlalchemy.ScalarResult": ClassFact(params=("T",), members=_results("T")),
    "sqlalchemy.MappingResult": ClassFact(members=_results("sqlalchemy.RowMapping")),
    "sqlalchemy.Row": ClassFact(("builtins.tuple[T]",), ("T",)),
    "sqlalchemy.RowMapping": ClassFact(("collections.abc.Mapping[builtins.str, ?]",)),
    "sqlalchemy.ext.asyncio.AsyncEngine": ClassFact(
        members={
            "connect": "() -> sqlalchemy.ext.asyncio.AsyncConnection",
            "begin": "() -> contextlib.AbstractAsyncContextManager[sqlalchemy.ext.asyncio.AsyncConnection]",
            "dispose": "async () -> None",
            "sync_engine": "sqlalchemy.Engine",
            "execution_options": "() -> Self",
        },
    ),
    "sqlalchemy.ext.asyncio.AsyncConnection": ClassFact(
        ("collections.abc.Awaitable[sqlalchemy.ext.asyncio.AsyncConnection]",),
        members={
            "__aenter__": "async () -> Self",
            "sync_connection": "sqlalchemy.Connection | None",
            "execute": "async () -> sqlalchemy.CursorResult[T]",
            "exec_driver_sql": "async () -> sqlalchemy.CursorResult[?]",
            "scalars": "async () -> sqlalchemy.ScalarResult[T]",
            "scalar": "async () -> T | None",
            "execution_options": "async () -> Self",
            "stream": f"() -> {_STARTED}[sqlalchemy.ext.asyncio.AsyncResult[T]]",
            "stream_scalars": f"() -> {_STARTED}[sqlalchemy.ext.asyncio.AsyncScalarResult[T]]",
            **members("begin begin_nested", "() -> sqlalchemy.ext.asyncio.AsyncTransaction"),
            **members("commit rollback close", "async () -> None"),
            "run_sync": "async () -> ?",
        },
    ),
    _STARTED: ClassFact(("collections.abc.Awaitable[T]", "contextlib.AbstractAsyncContextManager[T]"), ("T",)),
    "sqlalchemy.ext.asyncio.AsyncTransaction": ClassFact(
        ("collections.abc.Awaitable[sqlalchemy.ext.asyncio.AsyncTransaction]",),
        members={"__aenter__": "async () -> Self", **members("commit rollback close", "async () -> None")},
    ),
    "sqlalchemy.ext.asyncio.AsyncSession": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "sync_session": "sqlalchemy.orm.Session",
            "run_sync": "async () -> ?",
            **_ASYNC_SESSION,
        },
    ),
    "sqlalchemy.ext.asyncio.async_scoped_session": ClassFact(
        params=("S",),
        members={"__call__": "() -> S", "remove": "async () -> None", **_ASYNC_SESSION},
    ),
    "sqlalchemy.ext.asyncio.async_sessionmaker": ClassFact(
        params=("S",),
        members={
            "__call__": "() -> S",
            "begin": "() -> contextlib.AbstractAsyncContextManager[S]",
            "configure": "() -> None",
        },
    ),
    "sqlalchemy.ext.asyncio.AsyncSessionTransaction": ClassFact(
        ("collections.abc.Awaitable[sqlalchemy.ext.asyncio.AsyncSessionTransaction]",),
        members={"__aenter__": "async () -> Self", **members("commit rollback", "async () -> None")},
    ),
    "sqlalchemy.ext.asyncio.AsyncResult": ClassFact(
        params=("T",),
        members={
            **_async_results("sqlalchemy.Row[T]"),
            **members("scalar scalar_one_or_none", "async () -> T | None"),
            "scalar_one": "async () -> T",
            "scalars": "() -> sqlalchemy.ext.asyncio.AsyncScalarResult[T]",
        },
    ),
    "sqlalchemy.ext.asyncio.AsyncScalarResult": ClassFact(params=("T",), members=_async_results("T")),
    # SQLModel: exec() gives scalars for one entity.
    "sqlmodel.Session": ClassFact(("sqlalchemy.orm.Session",), members={"exec": "() -> sqlalchemy.ScalarResult[T]"}),
    "sqlmodel.ext.asyncio.session.AsyncSession": ClassFact(
        ("sqlalchemy.ext.asyncio.AsyncSession",),
        members={"exec": "async () -> sqlalchemy.ScalarResult[T]"},
    ),
    "sqlmodel.sql.expression.SelectOfScalar": ClassFact(("sqlalchemy.Select[T]",), ("T",)),
    "sqlmodel.SQLModel": ClassFact(members={"metadata": "sqlalchemy.MetaData"}),
    # Declarative bases: a subclass is a mapped class.
    "sqlalchemy.orm.DeclarativeBase": ClassFact(members={"metadata": "sqlalchemy.MetaData"}),
    "sqlalchemy.MetaData": ClassFact(members=members("create_all drop_all reflect", "() -> None")),
    "sqlalchemy.orm.DeclarativeBaseNoMeta": ClassFact(members={"metadata": "sqlalchemy.MetaData"}),
    "sqlalchemy.orm.MappedAsDataclass": ClassFact(),
    # Flask-SQLAlchemy.
    "flask_sqlalchemy.SQLAlchemy": ClassFact(
        members={
            "session": "sqlalchemy.orm.scoped_session[sqlalchemy.orm.Session]",
            "Model": "builtins.type[flask_sqlalchemy.model.Model]",
            "engine": "sqlalchemy.Engine",
            "select": "() -> sqlalchemy.Select[T]",
            "get_or_404": "() -> T",
            **members("first_or_404 one_or_404", "() -> ?"),
            **members("create_all drop_all", "() -> None"),
            "paginate": "() -> flask_sqlalchemy.pagination.Pagination",
        },
    ),
    "flask_sqlalchemy.session.Session": ClassFact(("sqlalchemy.orm.Session",)),
    "flask_sqlalchemy.model.Model": ClassFact(members={"query": "flask_sqlalchemy.query.Query[Self]"}),
    "flask_sqlalchemy.query.Query": ClassFact(
        ("sqlalchemy.orm.Query[T]",),
        ("T",),
        {
            **members("first_or_404 one_or_404 get_or_404", "() -> T"),
            "paginate": "() -> flask_sqlalchemy.pagination.Pagination",
        },
    ),
    "flask_sqlalchemy.pagination.Pagination": ClassFact(members={"items": "builtins.list[?]"}),
}

FUNCTIONS: dict[str, str] = {
    "sqlalchemy.create_engine": "() -> sqlalchemy.Engine",
    "sqlalchemy.engine_from_config": "() -> sqlalchemy.Engine",
    "sqlalchemy.create_mock_engine": "() -> ?",
    "sqlalchemy.ext.asyncio.create_async_engine": "() -> sqlalchemy.ext.asyncio.AsyncEngine",
    "sqlalchemy.ext.asyncio.async_engine_from_config": "() -> sqlalchemy.ext.asyncio.AsyncEngine",
    "sqlalchemy.ext.asyncio.async_object_session": "() -> sqlalchemy.ext.asyncio.AsyncSession | None",
    "sqlalchemy.orm.object_session": "() -> sqlalchemy.orm.Session | None",
    "sqlalchemy.orm.declarative_base": "() -> builtins.type[sqlalchemy.orm.DeclarativeBase]",
    "sqlalchemy.select": "() -> sqlalchemy.Select[T]",
    "sqlalchemy.insert": "() -> sqlalchemy.Insert",
    "sqlalchemy.update": "() -> sqlalchemy.Update",
    "sqlalchemy.delete": "() -> sqlalchemy.Delete",
    "sqlalchemy.text": "() -> sqlalchemy.TextClause",
    "sqlalchemy.dialects.postgresql.insert": "() -> sqlalchemy.dialects.postgresql.Insert",
    "sqlalchemy.dialects.sqlite.insert": "() -> sqlalchemy.dialects.sqlite.Insert",
    "sqlalchemy.dialects.mysql.insert": "() -> sqlalchemy.dialects.mysql.Insert",
    "sqlmodel.select": "() -> sqlmodel.sql.expression.SelectOfScalar[T]",
    # The factories are classes; a call of one is typed here, because its parameter comes from an argument.
    "sqlalchemy.orm.sessionmaker": "() -> sqlalchemy.orm.sessionmaker[T]",
    "sqlalchemy.ext.asyncio.async_sessionmaker": "() -> sqlalchemy.ext.asyncio.async_sessionmaker[T]",
    "sqlalchemy.orm.scoped_session": "() -> sqlalchemy.orm.scoped_session[T]",
    "sqlalchemy.ext.asyncio.async_scoped_session": "() -> sqlalchemy.ext.asyncio.async_scoped_session[T]",
}

CONSTANTS: dict[str, str] = {}

_ENTITY = FromArgument(0, "entity")
_SYNC_SESSIONS = ("sqlalchemy.orm.Session", "sqlalchemy.orm.scoped_session")
_ASYNC_SESSIONS = ("sqlalchemy.ext.asyncio.AsyncSession", "sqlalchemy.ext.asyncio.async_scoped_session")
_ASYNC_CONNECTION = "sqlalchemy.ext.asyncio.AsyncConnection"
_OF_STATEMENT = FromArgument(0, "statement", _STATEMENT)

FROM_ARGUMENT: dict[str, FromArgument] = {
    "sqlalchemy.select": FromArgument(0, None, alone=True),
    "sqlmodel.select": FromArgument(0, None, alone=True),
    "flask_sqlalchemy.SQLAlchemy.select": FromArgument(0, None, alone=True),
    "flask_sqlalchemy.SQLAlchemy.get_or_404": _ENTITY,
    "sqlalchemy.orm.sessionmaker": FromArgument(1, "class_", default="sqlalchemy.orm.Session"),
    "sqlalchemy.ext.asyncio.async_sessionmaker": FromArgument(
        None, "class_", default="sqlalchemy.ext.asyncio.AsyncSession"
    ),
    "sqlalchemy.orm.scoped_session": FromArgument(0, "session_factory", "sqlalchemy.orm.sessionmaker[T]"),
    "sqlalchemy.ext.asyncio.async_scoped_session": FromArgument(
        0, "session_factory", "sqlalchemy.ext.asyncio.async_sessionmaker[T]"
    ),
    **{
        f"{session}.{method}": _OF_STATEMENT
        for session in (*_SYNC_SESSIONS, *_ASYNC_SESSIONS, "sqlalchemy.Connection", _ASYNC_CONNECTION)
        for method in ("execute", "scalars", "scalar")
    },
    **{
        f"{session}.{method}": _OF_STATEMENT
        for session in (*_ASYNC_SESSIONS, _ASYNC_CONNECTION)
        for method in ("stream", "stream_scalars")
    },
    "sqlmodel.Session.exec": _OF_STATEMENT,
    "sqlmodel.ext.asyncio.session.AsyncSession.exec": _OF_STATEMENT,
    **{
        f"{session}.{method}": _ENTITY
        for session in (*_SYNC_SESSIONS, *_ASYNC_SESSIONS)
        for method in ("get", "get_one")
    },
    **{f"{session}.merge": FromArgument(0, "instance", "T") for session in (*_SYNC_SESSIONS, *_ASYNC_SESSIONS)},
    **{f"sqlalchemy.{kind}.returning": FromArgument(0, None, alone=True) for kind in ("Insert", "Update", "Delete")},
    "sqlalchemy.orm.Session.query": FromArgument(0, None, alone=True),
    "sqlalchemy.orm.scoped_session.query": FromArgument(0, None, alone=True),
}

ALIASES: dict[str, str] = {
    **moved("sqlalchemy.engine", "sqlalchemy", "Engine Connection Transaction RootTransaction NestedTransaction"),
    **moved("sqlalchemy.engine", "sqlalchemy", "Result CursorResult ScalarResult MappingResult Row RowMapping"),
    **moved("sqlalchemy.engine", "sqlalchemy", "create_engine engine_from_config create_mock_engine"),
    **moved("sqlalchemy.engine.base", "sqlalchemy", "Engine Connection Transaction RootTransaction NestedTransaction"),
    **moved("sqlalchemy.engine.result", "sqlalchemy", "Result ScalarResult MappingResult"),
    **moved("sqlalchemy.engine.cursor", "sqlalchemy", "CursorResult"),
    **moved("sqlalchemy.engine.row", "sqlalchemy", "Row RowMapping"),
    **moved("sqlalchemy.engine.create", "sqlalchemy", "create_engine engine_from_config"),
    **moved("sqlalchemy.future", "sqlalchemy", "Engine Connection create_engine select"),
    **moved("sqlalchemy.sql", "sqlalchemy", "select Select insert Insert update Update delete Delete text"),
    **moved("sqlalchemy.sql.expression", "sqlalchemy", "select Select insert Insert update Update delete Delete text"),
    **moved("sqlalchemy.sql.expression", "sqlalchemy", "TextClause"),
    **moved("sqlalchemy.sql.selectable", "sqlalchemy", "Select"),
    **moved("sqlalchemy.sql.dml", "sqlalchemy", "Insert Update Delete"),
    **moved("sqlalchemy.sql.elements", "sqlalchemy", "TextClause"),
    **moved("sqlalchemy.schema", "sqlalchemy", "MetaData"),
    **moved("sqlalchemy.sql.schema", "sqlalchemy", "MetaData"),
    **moved("sqlalchemy.orm.session", "sqlalchemy.orm", "Session sessionmaker SessionTransaction object_session"),
    **moved("sqlalchemy.orm.scoping", "sqlalchemy.orm", "scoped_session"),
    **moved("sqlalchemy.orm.query", "sqlalchemy.orm", "Query"),
    **moved(
        "sqlalchemy.orm.decl_api",
        "sqlalchemy.orm",
        "DeclarativeBase DeclarativeBaseNoMeta MappedAsDataclass declarative_base",
    ),
    "sqlalchemy.ext.declarative.declarative_base": "sqlalchemy.orm.declarative_base",
    **moved(
        "sqlalchemy.ext.asyncio.session",
        "sqlalchemy.ext.asyncio",
        "AsyncSession AsyncSessionTransaction async_sessionmaker async_object_session",
    ),
    "sqlalchemy.ext.asyncio.scoping.async_scoped_session": "sqlalchemy.ext.asyncio.async_scoped_session",
    **moved(
        "sqlalchemy.ext.asyncio.engine",
        "sqlalchemy.ext.asyncio",
        "AsyncEngine AsyncConnection AsyncTransaction create_async_engine async_engine_from_config",
    ),
    **moved("sqlalchemy.ext.asyncio.result", "sqlalchemy.ext.asyncio", "AsyncResult AsyncScalarResult"),
    "sqlalchemy.dialects.postgresql.dml.insert": "sqlalchemy.dialects.postgresql.insert",
    "sqlalchemy.dialects.postgresql.dml.Insert": "sqlalchemy.dialects.postgresql.Insert",
    "sqlalchemy.dialects.sqlite.dml.insert": "sqlalchemy.dialects.sqlite.insert",
    "sqlalchemy.dialects.sqlite.dml.Insert": "sqlalchemy.dialects.sqlite.Insert",
    "sqlalchemy.dialects.mysql.dml.insert": "sqlalchemy.dialects.mysql.insert",
    "sqlalchemy.dialects.mysql.dml.Insert": "sqlalchemy.dialects.mysql.Insert",
    **moved("sqlmodel", "sqlalchemy", "create_engine text insert update delete"),
    "sqlmodel.orm.session.Session": "sqlmodel.Session",
    "sqlmodel.main.SQLModel": "sqlmodel.SQLModel",
    "sqlmodel.sql.expression.select": "sqlmodel.select",
    "flask_sqlalchemy.extension.SQLAlchemy": "flask_sqlalchemy.SQLAlchemy",
    "flask_sqlalchemy.Model": "flask_sqlalchemy.model.Model",
    "flask_sqlalchemy.BaseQuery": "flask_sqlalchemy.query.Query",
}

_ON_ASYNC_SESSION = "await session.{name}(...) on an AsyncSession"
_ON_ASYNC_CONNECTION = "await connection.{name}(...) on an AsyncConnection"
_QUERY_AS_SELECT = "await session.scalars(select(...)) on an AsyncSession"
# add, delete and expire only mark objects; begin opens no connection before the first statement; close and reset roll
# back an open transaction, which is one more exchange with the server.
_SESSION_BLOCKS = "execute scalars scalar get get_one merge commit rollback flush refresh connection close begin_nested"
_BULK_BLOCKS = "bulk_save_objects bulk_insert_mappings bulk_update_mappings"
_QUERY_BLOCKS = "all first one one_or_none get scalar count update delete __iter__"

BLOCKING: dict[str, Blocking] = {
    **calls("sqlalchemy.orm.Session", _SESSION_BLOCKS, "database", _ON_ASYNC_SESSION),
    **calls("sqlalchemy.orm.Session", "__exit__", "database", "async with on an AsyncSession"),
    **calls(
        "sqlalchemy.orm.Session",
        _BULK_BLOCKS,
        "database",
        "await session.execute(insert(...), rows) on an AsyncSession",
    ),
    **calls("sqlalchemy.orm.scoped_session", _SESSION_BLOCKS, "database", _ON_ASYNC_SESSION),
    **calls(
        "sqlalchemy.orm.scoped_session",
        _BULK_BLOCKS,
        "database",
        "await session.execute(insert(...), rows) on an AsyncSession",
    ),
    **calls("sqlalchemy.orm.scoped_session", "remove", "database", "await session.remove() on an async_scoped_session"),
    **calls("sqlalchemy.orm.SessionTransaction", "commit rollback __exit__", "database", "async with session.begin()"),
    **calls("sqlalchemy.orm.Query", _QUERY_BLOCKS, "database", _QUERY_AS_SELECT),
    **calls("sqlmodel.Session", "exec", "database", _ON_ASYNC_SESSION),
    **calls("sqlalchemy.Engine", "connect", "database", "async with engine.connect() on an AsyncEngine"),
    **calls("sqlalchemy.Engine", "begin", "database", "async with engine.begin() on an AsyncEngine"),
    **calls("sqlalchemy.Engine", "raw_connection", "database", "await engine.raw_connection() on an AsyncEngine"),
    **calls("sqlalchemy.Engine", "execute scalar", "database", _ON_ASYNC_CONNECTION),
    **calls(
        "sqlalchemy.Connection",
        "execute exec_driver_sql scalars scalar commit rollback begin_nested",
        "database",
        _ON_ASYNC_CONNECTION,
    ),
    **calls("sqlalchemy.Connection", "__exit__", "database", "async with on an AsyncConnection"),
    **calls("sqlalchemy.Transaction", "commit rollback __exit__", "database", "async with connection.begin()"),
    **calls("flask_sqlalchemy.SQLAlchemy", "get_or_404 first_or_404 one_or_404 paginate", "database", _QUERY_AS_SELECT),
    **calls("flask_sqlalchemy.SQLAlchemy", "create_all drop_all", "database", "await connection.run_sync(...)"),
    **calls(
        "flask_sqlalchemy.query.Query", "first_or_404 one_or_404 get_or_404 paginate", "database", _QUERY_AS_SELECT
    ),
    "sqlalchemy.MetaData.create_all": Blocking("database", "await connection.run_sync(metadata.create_all)"),
    "sqlalchemy.MetaData.drop_all": Blocking("database", "await connection.run_sync(metadata.drop_all)"),
    "sqlalchemy.MetaData.reflect": Blocking("database", "await connection.run_sync(metadata.reflect)"),
}
