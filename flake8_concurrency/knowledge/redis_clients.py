"""redis and valkey: clients, pipelines, subscriptions and locks.

Checked against redis 8.1 and valkey 6.2; both have the same interface. Every command is a method that waits for the
server, so a client's entry is `*`, and what waits for nothing is named in NOT_BLOCKING.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_LOCK_CALLS = "acquire release extend reacquire locked owned"
_SUBSCRIBE = "subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe"

_CLASSES: dict[str, ClassFact] = {
    "redis.Redis": ClassFact(
        members={
            "__enter__": "() -> Self",
            "from_url": "() -> Self",
            "from_pool": "() -> Self",
            "client": "() -> Self",
            "pipeline": "() -> redis.client.Pipeline",
            "pubsub": "() -> redis.client.PubSub",
            "lock": "() -> redis.lock.Lock",
            "register_script": "() -> redis.commands.core.Script",
            "monitor": "() -> redis.client.Monitor",
            "close": "() -> None",
            "connection_pool": "redis.ConnectionPool",
            "scan_iter": "() -> collections.abc.Iterator[?]",
            "*": "() -> ?",
        },
    ),
    "redis.RedisCluster": ClassFact(
        members={
            "__enter__": "() -> Self",
            "from_url": "() -> Self",
            "pipeline": "() -> redis.cluster.ClusterPipeline",
            "pubsub": "() -> redis.client.PubSub",
            "lock": "() -> redis.lock.Lock",
            "close": "() -> None",
            "*": "() -> ?",
        },
    ),
    "redis.client.Pipeline": ClassFact(
        ("redis.Redis",),
        members={
            "__enter__": "() -> Self",
            "execute": "() -> builtins.list[?]",
            "watch": "() -> builtins.bool",
            **members("multi reset", "() -> None"),
            "*": "() -> ?",
        },
    ),
    "redis.cluster.ClusterPipeline": ClassFact(
        ("redis.RedisCluster",),
        members={"__enter__": "() -> Self", "execute": "() -> builtins.list[?]", "*": "() -> ?"},
    ),
    "redis.client.PubSub": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members(_SUBSCRIBE, "() -> None"),
            **members("get_message get_sharded_message ping", "() -> ?"),
            "listen": "() -> collections.abc.Iterator[?]",
            "run_in_thread": "() -> redis.client.PubSubWorkerThread",
            **members("close reset", "() -> None"),
        },
    ),
    "redis.client.PubSubWorkerThread": ClassFact(("threading.Thread",), members={"stop": "() -> None"}),
    "redis.client.Monitor": ClassFact(
        members={
            "__enter__": "() -> Self",
            "next_command": "() -> ?",
            "listen": "() -> collections.abc.Iterator[?]",
        },
    ),
    "redis.lock.Lock": ClassFact(
        members={
            "__enter__": "() -> Self",
            **members("acquire extend reacquire locked owned", "() -> builtins.bool"),
            "release": "() -> None",
        },
    ),
    "redis.commands.core.Script": ClassFact(members={"__call__": "() -> ?"}),
    "redis.ConnectionPool": ClassFact(members={"from_url": "() -> Self", "disconnect": "() -> None"}),
    "redis.BlockingConnectionPool": ClassFact(("redis.ConnectionPool",)),
    "redis.sentinel.Sentinel": ClassFact(
        members={
            **members("master_for slave_for", "() -> redis.Redis"),
            **members("discover_master discover_slaves", "() -> ?"),
        },
    ),
    "redis.asyncio.Redis": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "from_url": "() -> Self",
            "from_pool": "() -> Self",
            "client": "() -> Self",
            "pipeline": "() -> redis.asyncio.client.Pipeline",
            "pubsub": "() -> redis.asyncio.client.PubSub",
            "lock": "() -> redis.asyncio.lock.Lock",
            "register_script": "() -> redis.commands.core.AsyncScript",
            **members("close aclose", "async () -> None"),
            "scan_iter": "() -> collections.abc.AsyncIterator[?]",
            "*": "async () -> ?",
        },
    ),
    "redis.asyncio.RedisCluster": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            "from_url": "() -> Self",
            "lock": "() -> redis.asyncio.lock.Lock",
            "*": "async () -> ?",
        },
    ),
    "redis.asyncio.client.Pipeline": ClassFact(
        ("redis.asyncio.Redis",),
        members={"__aenter__": "async () -> Self", "execute": "async () -> builtins.list[?]", "*": "() -> ?"},
    ),
    "redis.asyncio.client.PubSub": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            **members("subscribe psubscribe unsubscribe punsubscribe", "async () -> None"),
            "get_message": "async () -> ?",
            "listen": "() -> collections.abc.AsyncIterator[?]",
            **members("close aclose reset", "async () -> None"),
        },
    ),
    "redis.asyncio.lock.Lock": ClassFact(
        members={
            "__aenter__": "async () -> Self",
            **members("acquire extend reacquire locked owned", "async () -> builtins.bool"),
            # A plain function that returns an awaitable.
            "release": "async () -> None",
        },
    ),
    "redis.commands.core.AsyncScript": ClassFact(members={"__call__": "async () -> ?"}),
}

_FUNCTIONS: dict[str, str] = {
    "redis.from_url": "() -> redis.Redis",
    "redis.asyncio.from_url": "() -> redis.asyncio.Redis",
}

_ALIASES: dict[str, str] = {
    "redis.StrictRedis": "redis.Redis",
    **moved("redis.client", "redis", "Redis"),
    "redis.client.StrictRedis": "redis.Redis",
    "redis.cluster.RedisCluster": "redis.RedisCluster",
    "redis.Sentinel": "redis.sentinel.Sentinel",
    **moved("redis.connection", "redis", "ConnectionPool BlockingConnectionPool"),
    "redis.utils.from_url": "redis.from_url",
    "redis.asyncio.StrictRedis": "redis.asyncio.Redis",
    **moved("redis.asyncio.client", "redis.asyncio", "Redis"),
    "redis.asyncio.client.StrictRedis": "redis.asyncio.Redis",
    "redis.asyncio.cluster.RedisCluster": "redis.asyncio.RedisCluster",
    "redis.asyncio.utils.from_url": "redis.asyncio.from_url",
}

_ON_ASYNC = "await client.{name}(...) on a redis.asyncio.Redis"
_ON_ASYNC_LOCK = "await lock.{name}(...) on a lock of redis.asyncio"

_BLOCKING: dict[str, Blocking] = {
    **calls("redis.Redis", "*", "client", "redis.asyncio.Redis"),
    **calls("redis.RedisCluster", "*", "client", "redis.asyncio.RedisCluster"),
    "redis.RedisCluster": Blocking("client", "redis.asyncio.RedisCluster"),
    **calls(
        "redis.client.Pipeline",
        "execute watch unwatch load_scripts",
        "client",
        "await pipeline.{name}(...) of redis.asyncio",
    ),
    **calls("redis.cluster.ClusterPipeline", "execute", "client", "await pipeline.execute() of redis.asyncio"),
    **calls(
        "redis.client.PubSub",
        f"{_SUBSCRIBE} get_message get_sharded_message ping",
        "client",
        "await pubsub.{name}(...) of redis.asyncio",
    ),
    **calls("redis.client.PubSub", "listen", "client", "async for over the listen() of redis.asyncio"),
    **calls("redis.client.Monitor", "next_command listen __enter__", "client", "monitor() of redis.asyncio"),
    **calls("redis.lock.Lock", _LOCK_CALLS, "client", _ON_ASYNC_LOCK),
    **calls("redis.lock.Lock", "__enter__", "client", "async with on a lock of redis.asyncio"),
    **calls("redis.commands.core.Script", "__call__", "client", "await script(...) registered with redis.asyncio"),
    **calls("redis.sentinel.Sentinel", "discover_master discover_slaves", "client", "redis.asyncio.sentinel.Sentinel"),
}

_LOCAL = (
    "from_url from_pool client pipeline pubsub lock register_script monitor close get_encoder get_connection_kwargs"
    " get_retry set_retry get_cache set_response_callback load_external_module bf bitfield cf cms ft json tdigest topk"
    " ts vset digest_local keyspace_notifications"
)
_REDIS_ONLY = {f"redis.Redis.{name}" for name in ("digest_local", "keyspace_notifications", "get_cache", "vset")}
_NOT_BLOCKING = (
    {f"redis.Redis.{name}" for name in _LOCAL.split()}
    | {
        f"redis.RedisCluster.{name}"
        for name in "from_url pipeline pubsub lock close get_encoder register_script".split()
    }
    # A pipeline sends its commands with execute().
    | {"redis.client.Pipeline.*", "redis.cluster.ClusterPipeline.*"}
)
_LAZY = {"redis.Redis.scan_iter", "redis.client.PubSub.listen", "redis.client.Monitor.listen"}
_BLOCKING |= calls("redis.Redis", "scan_iter", "client", "async for over the scan_iter() of redis.asyncio")


def _valkey(name: str) -> str:
    """Valkey is redis under another name."""
    return name.replace("redis", "valkey").replace("Redis", "Valkey")


def _with_valkey(table: dict[str, str]) -> dict[str, str]:
    return table | {_valkey(name): _valkey(kind) for name, kind in table.items()}


CLASSES: dict[str, ClassFact] = _CLASSES | {
    _valkey(name): ClassFact(
        tuple(map(_valkey, fact.bases)), (), {member: _valkey(kind) for member, kind in fact.members.items()}
    )
    for name, fact in _CLASSES.items()
}
FUNCTIONS: dict[str, str] = _with_valkey(_FUNCTIONS)
ALIASES: dict[str, str] = _with_valkey(_ALIASES)
BLOCKING: dict[str, Blocking] = _BLOCKING | {
    _valkey(key): Blocking(fact.category, _valkey(fact.twin)) for key, fact in _BLOCKING.items()
}
NOT_BLOCKING: frozenset[str] = frozenset(
    _NOT_BLOCKING | {_valkey(key) for key in _NOT_BLOCKING if key not in _REDIS_ONLY}
)
LAZY: frozenset[str] = frozenset(_LAZY | set(map(_valkey, _LAZY)))

NON_BLOCKING_ARGUMENTS: dict[str, tuple[tuple[int | None, str, object], ...]] = {
    f"{package}.lock.Lock.acquire": ((1, "blocking", False), (2, "blocking_timeout", 0))
    for package in ("redis", "valkey")
}
