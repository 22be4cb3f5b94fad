"""MongoDB: pymongo's sync and async clients, and motor.

Checked against pymongo 4.20 and motor 3.7. `*` among the members of a client or database is what an unknown attribute
gives: `client.shop.orders` is a Collection.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_CURSOR_CLAUSES = (
    "sort limit skip hint batch_size max_time_ms max_await_time_ms allow_disk_use collation comment max min where clone"
)
_CLIENT_COMMANDS = "bulk_write drop_database list_database_names list_databases server_info watch"
_DATABASE_COMMANDS = (
    "aggregate command cursor_command create_collection drop_collection list_collection_names list_collections"
    " validate_collection dereference watch"
)
_COLLECTION_COMMANDS = (
    "insert_one insert_many update_one update_many replace_one delete_one delete_many find_one find_one_and_delete"
    " find_one_and_replace find_one_and_update count_documents estimated_document_count distinct bulk_write"
    " create_index create_indexes drop_index drop_indexes list_indexes index_information"
    " create_search_index create_search_indexes drop_search_index list_search_indexes update_search_index drop rename"
    " options watch"
)


def _commands(names: str, call: str) -> dict[str, str]:
    return members(names, f"{call} -> ?")


def _clients(names: str, call: str) -> dict[str, ClassFact]:
    """The five classes of one flavour; `call` is how a command is called."""
    client, database, collection, cursor, command_cursor = names.split()
    enter = "__aenter__" if call.startswith("async") else "__enter__"
    turn = "__aiter__" if call.startswith("async") else "__iter__"
    iterator = "AsyncIterator" if call.startswith("async") else "Iterator"
    return {
        client: ClassFact(
            members={
                enter: f"{call} -> Self",
                **members("get_database get_default_database", f"() -> {database}"),
                "__getitem__": f"() -> {database}",
                **_commands(_CLIENT_COMMANDS, call),
                "close": f"{call} -> None",
                "*": database,
            },
        ),
        database: ClassFact(
            members={
                "get_collection": f"() -> {collection}",
                "__getitem__": f"() -> {collection}",
                "with_options": "() -> Self",
                **_commands(_DATABASE_COMMANDS, call),
                "aggregate": f"{call} -> {command_cursor}",
                "create_collection": f"{call} -> {collection}",
                "*": collection,
            },
        ),
        collection: ClassFact(
            members={
                "__getitem__": "() -> Self",
                "with_options": "() -> Self",
                "find": f"() -> {cursor}",
                **_commands(_COLLECTION_COMMANDS, call),
                "aggregate": f"{call} -> {command_cursor}",
                **members("count_documents estimated_document_count", f"{call} -> builtins.int"),
            },
        ),
        cursor: ClassFact(
            members={
                enter: f"{call} -> Self",
                turn: f"() -> collections.abc.{iterator}[?]",
                **members(_CURSOR_CLAUSES, "() -> Self"),
                "to_list": f"{call} -> builtins.list[?]",
                **_commands("next distinct explain", call),
            },
        ),
        command_cursor: ClassFact(
            members={
                enter: f"{call} -> Self",
                turn: f"() -> collections.abc.{iterator}[?]",
                "to_list": f"{call} -> builtins.list[?]",
                "next": f"{call} -> ?",
            },
        ),
    }


_SYNC = _clients(
    "pymongo.MongoClient pymongo.database.Database pymongo.collection.Collection pymongo.cursor.Cursor"
    " pymongo.command_cursor.CommandCursor",
    "()",
)
_ASYNC = _clients(
    "pymongo.AsyncMongoClient pymongo.asynchronous.database.AsyncDatabase"
    " pymongo.asynchronous.collection.AsyncCollection pymongo.asynchronous.cursor.AsyncCursor"
    " pymongo.asynchronous.command_cursor.AsyncCommandCursor",
    "async ()",
)
_MOTOR = "motor.motor_asyncio.AsyncIOMotor"
_ON_MOTOR = _clients(
    f"{_MOTOR}Client {_MOTOR}Database {_MOTOR}Collection {_MOTOR}Cursor {_MOTOR}CommandCursor", "async ()"
)
# Motor's cursors send their command when they are read.
for _owner in ("Database", "Collection"):
    _ON_MOTOR[f"{_MOTOR}{_owner}"] = ClassFact(
        members={
            **_ON_MOTOR[f"{_MOTOR}{_owner}"].members,
            "aggregate": f"() -> {_MOTOR}CommandCursor",
            "watch": "() -> ?",
        }
    )

CLASSES: dict[str, ClassFact] = _SYNC | _ASYNC | _ON_MOTOR

ALIASES: dict[str, str] = {
    **moved("pymongo.mongo_client", "pymongo", "MongoClient"),
    **moved("pymongo.synchronous.mongo_client", "pymongo", "MongoClient"),
    **moved("pymongo.asynchronous.mongo_client", "pymongo", "AsyncMongoClient"),
    **moved("pymongo.synchronous.database", "pymongo.database", "Database"),
    **moved("pymongo.synchronous.collection", "pymongo.collection", "Collection"),
    **moved("pymongo.synchronous.cursor", "pymongo.cursor", "Cursor"),
    **moved("pymongo.synchronous.command_cursor", "pymongo.command_cursor", "CommandCursor"),
}

_ON_ASYNC = "await collection.{name}(...) on an AsyncCollection of pymongo"

BLOCKING: dict[str, Blocking] = {
    **calls(
        "pymongo.MongoClient", _CLIENT_COMMANDS, "client", "await client.{name}(...) on a pymongo.AsyncMongoClient"
    ),
    **calls(
        "pymongo.database.Database",
        _DATABASE_COMMANDS,
        "client",
        "await database.{name}(...) on an AsyncDatabase of pymongo",
    ),
    **calls("pymongo.collection.Collection", f"{_COLLECTION_COMMANDS} aggregate", "client", _ON_ASYNC),
    **calls(
        "pymongo.cursor.Cursor", "__iter__ __next__", "client", "async for over the find(...) of an AsyncCollection"
    ),
    **calls(
        "pymongo.cursor.Cursor",
        "next to_list distinct explain",
        "client",
        "await cursor.{name}(...) of pymongo's async client",
    ),
    **calls(
        "pymongo.command_cursor.CommandCursor",
        "__iter__ __next__ next to_list",
        "client",
        "async for over the cursor of an AsyncCollection",
    ),
}
