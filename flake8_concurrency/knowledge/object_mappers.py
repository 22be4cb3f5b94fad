"""The smaller object-relational mappers: peewee, Pony and Tortoise (which is async throughout).

Checked against peewee 4.5, pony 0.7.20 and tortoise-orm 1.1.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_PEEWEE_CLAUSES = (
    "where orwhere join join_from left_outer_join order_by group_by having limit offset distinct paginate for_update"
    " switch with_cte filter select_from columns"
)
_TORTOISE_CLAUSES = (
    "filter exclude all order_by limit offset distinct select_for_update select_related prefetch_related annotate only"
    " using_db group_by"
)

CLASSES: dict[str, ClassFact] = {
    "peewee.Model": ClassFact(
        members={
            **members("select filter", "() -> peewee.ModelSelect[Self]"),
            **members("get get_by_id create", "() -> Self"),
            "get_or_none": "() -> Self | None",
            "get_or_create": "() -> builtins.tuple[Self, builtins.bool]",
            **members("update insert insert_many replace replace_many delete", "() -> peewee.Query"),
            **members("save delete_instance delete_by_id set_by_id bulk_update", "() -> builtins.int"),
            "bulk_create": "() -> None",
        },
    ),
    "peewee.Query": ClassFact(members={**members("where", "() -> Self"), "execute": "() -> ?"}),
    "peewee.ModelSelect": ClassFact(
        ("peewee.Query",),
        ("T",),
        {
            **members(_PEEWEE_CLAUSES, "() -> Self"),
            "__iter__": "() -> collections.abc.Iterator[T]",
            "__getitem__": "() -> T",
            "__len__": "() -> builtins.int",
            "get": "() -> T",
            **members("first get_or_none", "() -> T | None"),
            "count": "() -> builtins.int",
            "exists": "() -> builtins.bool",
            **members("scalar peek", "() -> ?"),
            "iterator": "() -> collections.abc.Iterator[T]",
        },
    ),
    "peewee.Database": ClassFact(
        members={
            **members("atomic transaction savepoint", "() -> contextlib.AbstractContextManager[?]"),
            **members("execute execute_sql", "() -> ?"),
            "connect": "() -> builtins.bool",
        },
    ),
    **{
        f"peewee.{name}": ClassFact(("peewee.Database",))
        for name in ("SqliteDatabase", "PostgresqlDatabase", "MySQLDatabase")
    },
    "pony.orm.core.DBSessionContextManager": ClassFact(members={"__enter__": "() -> None"}),
    "pony.orm.core.Query": ClassFact(
        members=members("filter where order_by sort_by for_update prefetch without_distinct", "() -> Self"),
    ),
    "tortoise.models.Model": ClassFact(
        members={
            **members("filter exclude all annotate select_for_update", "() -> tortoise.queryset.QuerySet[Self]"),
            "get": "() -> tortoise.queryset.QuerySetSingle[Self]",
            **members("get_or_none first last latest earliest", "() -> tortoise.queryset.QuerySetSingle[Self | None]"),
            "create": "async () -> Self",
            **members("get_or_create update_or_create", "async () -> builtins.tuple[Self, builtins.bool]"),
            **members("save delete refresh_from_db fetch_related", "async () -> None"),
        },
    ),
    "tortoise.queryset.QuerySet": ClassFact(
        ("collections.abc.Awaitable[builtins.list[T]]",),
        ("T",),
        {
            **members(_TORTOISE_CLAUSES, "() -> Self"),
            "__aiter__": "() -> collections.abc.AsyncIterator[T]",
            "get": "() -> tortoise.queryset.QuerySetSingle[T]",
            **members("get_or_none first last latest earliest", "() -> tortoise.queryset.QuerySetSingle[T | None]"),
        },
    ),
    "tortoise.queryset.QuerySetSingle": ClassFact(
        ("collections.abc.Awaitable[T]",),
        ("T",),
        members("select_related prefetch_related annotate only", "() -> Self"),
    ),
}

FUNCTIONS: dict[str, str] = {"pony.orm.select": "() -> pony.orm.core.Query"}

CONSTANTS: dict[str, str] = {"pony.orm.db_session": "pony.orm.core.DBSessionContextManager"}

ALIASES: dict[str, str] = {
    "pony.orm.core.db_session": "pony.orm.db_session",
    "pony.orm.core.select": "pony.orm.select",
    "tortoise.Model": "tortoise.models.Model",
}

_PEEWEE = "await asyncio.to_thread(...) around the work with the database"
_PONY = "asyncio.to_thread around the whole session"

BLOCKING: dict[str, Blocking] = {
    **calls(
        "peewee.Model",
        "get get_or_none get_by_id create get_or_create save delete_instance delete_by_id set_by_id bulk_create"
        " bulk_update create_table drop_table truncate_table table_exists",
        "database",
        _PEEWEE,
    ),
    **calls("peewee.Query", "execute", "database", _PEEWEE),
    **calls(
        "peewee.ModelSelect",
        "get get_or_none first count exists scalar peek iterator __iter__ __len__",
        "database",
        _PEEWEE,
    ),
    **calls(
        "peewee.Database",
        "connect execute execute_sql atomic transaction savepoint commit rollback begin create_tables drop_tables"
        " get_tables table_exists",
        "database",
        _PEEWEE,
    ),
    # Entering opens nothing; leaving commits.
    **calls("pony.orm.core.DBSessionContextManager", "__exit__", "database", _PONY),
    **calls("pony.orm", "commit flush rollback get exists", "database", _PONY),
    **calls(
        "pony.orm.core.Query",
        "first get exists count sum min max avg delete fetch page random __iter__ __len__",
        "database",
        _PONY,
    ),
}

LAZY: frozenset[str] = frozenset({"peewee.ModelSelect.iterator"})
