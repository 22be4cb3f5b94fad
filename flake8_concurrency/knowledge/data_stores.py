"""Clients of graph, vector, column and time series databases, and drivers that keep to the DB-API.

Checked against neo4j 6.4, weaviate-client 4.24, pinecone 10.2, pymilvus 3.0, lancedb 0.40, clickhouse-connect 1.12,
influxdb-client 1.50, duckdb 2.0, pyodbc 5.5, oracledb 26.1, snowflake-connector-python 5.2, ldap3 2.9.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_WEAVIATE = "weaviate.collections.collection.sync.Collection"
#: What a collection of weaviate is asked through: its attribute, the class behind it, and the methods that ask.
_ASKED = {
    "data": (
        "weaviate.collections.data.sync._DataCollection",
        "insert insert_many exists replace update reference_add delete_by_id delete_many",
    ),
    "query": (
        "weaviate.collections.query._QueryCollection",
        "bm25 fetch_object_by_id fetch_objects fetch_objects_by_ids hybrid near_text near_vector near_object",
    ),
    "generate": (
        "weaviate.collections.generate._GenerateCollection",
        "bm25 fetch_objects hybrid near_text near_vector near_object near_image",
    ),
    "aggregate": (
        "weaviate.collections.aggregate._AggregateCollection",
        "over_all hybrid near_text near_vector near_object",
    ),
    "config": ("weaviate.collections.config.sync._ConfigCollection", "get update add_property add_reference"),
    "tenants": ("weaviate.collections.tenants.sync._Tenants", "create remove get get_by_name update exists"),
}
#: Drivers that keep to the DB-API: the module that connects, its connection, its cursor, and what async code uses.
_DRIVERS = {
    "pyodbc": ("pyodbc.Connection", "pyodbc.Cursor", "aioodbc"),
    "oracledb": ("oracledb.Connection", "oracledb.Cursor", "await oracledb.connect_async(...)"),
    "snowflake.connector": (
        "snowflake.connector.SnowflakeConnection",
        "snowflake.connector.cursor.SnowflakeCursor",
        "asyncio.to_thread around the work with the database",
    ),
}
_CONNECTING = [f"connect_to_{where}" for where in ("local", "custom", "embedded", "weaviate_cloud", "wcs")]
_FETCH = "fetchone fetchmany fetchall"
_DUCK = "duckdb.DuckDBPyConnection"
_TO_THREAD = "asyncio.to_thread around the work with the database"

CLASSES: dict[str, ClassFact] = {
    "weaviate.WeaviateClient": ClassFact(
        members={"__enter__": "() -> Self", "collections": "weaviate.collections.collections.sync._Collections"}
    ),
    "weaviate.collections.collections.sync._Collections": ClassFact(
        members=members("get use create", f"() -> {_WEAVIATE}")
    ),
    _WEAVIATE: ClassFact(
        members={
            **members("with_tenant with_consistency_level", "() -> Self"),
            **{name: owner for name, (owner, _) in _ASKED.items()},
        }
    ),
    **{owner: ClassFact() for owner, _ in _ASKED.values()},
    "neo4j.Driver": ClassFact(members={"__enter__": "() -> Self", "session": "() -> neo4j.Session"}),
    "neo4j.Session": ClassFact(
        members={
            "__enter__": "() -> Self",
            "run": "() -> neo4j.Result",
            "begin_transaction": "() -> neo4j.Transaction",
        }
    ),
    "neo4j.Transaction": ClassFact(members={"__enter__": "() -> Self", "run": "() -> neo4j.Result"}),
    "neo4j.Result": ClassFact(),
    "pinecone.Pinecone": ClassFact(members={"__enter__": "() -> Self", "Index": "() -> pinecone.Index"}),
    "pinecone.Index": ClassFact(members={"__enter__": "() -> Self"}),
    "pymilvus.Collection": ClassFact(),
    "lancedb.db.DBConnection": ClassFact(members=members("open_table create_table", "() -> lancedb.table.Table")),
    "lancedb.table.Table": ClassFact(members={"search": "() -> lancedb.query.LanceQueryBuilder"}),
    "lancedb.query.LanceQueryBuilder": ClassFact(
        members={
            **members("limit where select metric nprobes refine_factor distance_type rerank", "() -> Self"),
            "to_list": "() -> builtins.list[?]",
        }
    ),
    "clickhouse_connect.driver.client.Client": ClassFact(members={"__enter__": "() -> Self"}),
    "influxdb_client.InfluxDBClient": ClassFact(
        members={"__enter__": "() -> Self", "query_api": "() -> influxdb_client.QueryApi"}
    ),
    "influxdb_client.QueryApi": ClassFact(),
    _DUCK: ClassFact(members={"__enter__": "() -> Self", **members("execute cursor", "() -> Self")}),
    "ldap3.Connection": ClassFact(members={"__enter__": "() -> Self"}),
    **{
        connection: ClassFact(
            members={
                "__enter__": "() -> Self",
                "cursor": f"() -> {cursor}",
                **({"execute": f"() -> {cursor}"} if connection == "pyodbc.Connection" else {}),
            }
        )
        for connection, cursor, _ in _DRIVERS.values()
    },
    **{
        cursor: ClassFact(members={"__enter__": "() -> Self", "execute": "() -> Self"})
        for _, cursor, _ in _DRIVERS.values()
    },
}

FUNCTIONS: dict[str, str] = {
    **{f"weaviate.{name}": "() -> weaviate.WeaviateClient" for name in _CONNECTING},
    "neo4j.GraphDatabase.driver": "() -> neo4j.Driver",
    "lancedb.connect": "() -> lancedb.db.DBConnection",
    "clickhouse_connect.get_client": "() -> clickhouse_connect.driver.client.Client",
    "clickhouse_connect.create_client": "() -> clickhouse_connect.driver.client.Client",
    "duckdb.connect": f"() -> {_DUCK}",
    **{f"{module}.connect": f"() -> {connection}" for module, (connection, _, _) in _DRIVERS.items()},
}

ALIASES: dict[str, str] = {
    "weaviate.client.WeaviateClient": "weaviate.WeaviateClient",
    "weaviate.collections.Collection": _WEAVIATE,
    "weaviate.collections.collection.Collection": _WEAVIATE,
    "neo4j._sync.driver.Driver": "neo4j.Driver",
    "neo4j._sync.work.session.Session": "neo4j.Session",
    "pymilvus.orm.collection.Collection": "pymilvus.Collection",
    "lancedb.DBConnection": "lancedb.db.DBConnection",
    "clickhouse_connect.driver.Client": "clickhouse_connect.driver.client.Client",
    "snowflake.connector.connection.SnowflakeConnection": "snowflake.connector.SnowflakeConnection",
}

BLOCKING: dict[str, Blocking] = {
    **{
        key: fact
        for name in _CONNECTING
        for key, fact in calls(
            "weaviate", name, "client", f"weaviate.{name.replace('connect_to', 'use_async_with')}(...)"
        ).items()
    },
    **{
        key: fact
        for owner, methods in _ASKED.values()
        for key, fact in calls(
            owner, methods, "client", "await the same call of a weaviate.WeaviateAsyncClient"
        ).items()
    },
    **calls(
        "weaviate.collections.collections.sync._Collections",
        "create delete exists list_all",
        "client",
        "await client.collections.{name}(...) on a weaviate.WeaviateAsyncClient",
    ),
    **calls(
        "neo4j.Driver",
        "execute_query verify_connectivity verify_authentication get_server_info",
        "client",
        "await driver.{name}(...) of neo4j.AsyncGraphDatabase",
    ),
    **calls(
        "neo4j.Session",
        "run execute_read execute_write read_transaction write_transaction",
        "client",
        "await session.{name}(...) of neo4j.AsyncGraphDatabase",
    ),
    **calls("neo4j.Transaction", "run commit rollback", "client", "await transaction.{name}(...) of an AsyncSession"),
    **calls(
        "pinecone.Pinecone",
        "create_index describe_index list_indexes has_index delete_index configure_index",
        "client",
        "await client.{name}(...) on a pinecone.PineconeAsyncio",
    ),
    **calls(
        "pinecone.Index",
        "upsert query fetch delete update describe_index_stats search search_records upsert_records",
        "client",
        "await index.{name}(...) on the index of a pinecone.PineconeAsyncio",
    ),
    **calls(
        "pymilvus.Collection",
        "search query insert upsert delete flush load release create_index hybrid_search",
        "client",
        "await the same call on pymilvus.AsyncMilvusClient",
    ),
    **calls("pymilvus.connections", "connect", "client", "pymilvus.AsyncMilvusClient"),
    "lancedb.connect": Blocking("client", "await lancedb.connect_async(...)"),
    **calls(
        "lancedb.db.DBConnection",
        "open_table create_table drop_table table_names",
        "client",
        "await connection.{name}(...) of lancedb.connect_async",
    ),
    **calls(
        "lancedb.table.Table",
        "add delete update count_rows create_index to_pandas to_arrow optimize",
        "client",
        "await table.{name}(...) of lancedb.connect_async",
    ),
    **calls(
        "lancedb.query.LanceQueryBuilder",
        "to_list to_pandas to_arrow to_pydantic to_polars",
        "client",
        "await query.{name}(...) of lancedb.connect_async",
    ),
    **calls(
        "clickhouse_connect", "get_client create_client", "client", "await clickhouse_connect.get_async_client(...)"
    ),
    **calls(
        "clickhouse_connect.driver.client.Client",
        "query command insert query_df insert_df query_np query_arrow raw_query raw_insert ping",
        "client",
        "await client.{name}(...) on a clickhouse_connect AsyncClient",
    ),
    **calls(
        "influxdb_client.QueryApi",
        "query query_csv query_raw query_data_frame",
        "client",
        "await api.{name}(...) of an InfluxDBClientAsync",
    ),
    "duckdb.connect": Blocking("database", _TO_THREAD),
    **calls(_DUCK, "execute executemany commit rollback", "database", _TO_THREAD),
    **{f"{module}.connect": Blocking("database", twin) for module, (_, _, twin) in _DRIVERS.items()},
    **{
        key: fact
        for connection, _, twin in _DRIVERS.values()
        for key, fact in calls(connection, "commit rollback execute", "database", twin).items()
    },
    **{
        key: fact
        for _, cursor, twin in _DRIVERS.values()
        for key, fact in calls(cursor, f"execute executemany {_FETCH}", "database", twin).items()
    },
    **calls(
        "ldap3.Connection",
        "bind search add modify delete modify_dn compare",
        "client",
        "await asyncio.to_thread(connection.{name}, ...)",
    ),
}
