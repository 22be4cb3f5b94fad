"""Coalescing and rate-limiting across processes, in Redis 6.2 or newer.

`RedisCoalescer` keeps the newest value per key in a hash; whoever drains it takes the whole hash by RENAME, in one
step: a GET (or HGETALL) followed by DELETE lost the last update in every forced race, GETDEL and RENAME lost none
(tests/runtime/test_redis.py). `RedisGate` lets one of many callers through per window.

A client of redis-py is passed in, or made by `from_url`, which needs the extra `redis`. Each step that reads and writes
is one Lua script, so nothing comes in between. All times are seconds; leases and windows run by the server's clock.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from flake8_concurrency.runtime.errors import LeaseLost, MissingExtra

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Batch", "RedisClient", "RedisCoalescer", "RedisGate"]

V = TypeVar("V")

logger = logging.getLogger(__name__)

# One drainer at a time: KEYS lease, fence; ARGV token, lease in ms. The fence grows with every lease.
_ACQUIRE = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return redis.call('INCR', KEYS[2])
"""

# The next updates: KEYS lease, pending, draining; ARGV token, lease in ms, limit, whether to take a new generation.
# What an earlier drainer took and did not finish comes first, because it is older. Nobody adds to `draining`, so what
# is read here is unchanged when _DONE deletes it. Answers {} when there is nothing, and false when the lease is lost.
_TAKE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local renamed = 0
if redis.call('EXISTS', KEYS[3]) == 0 then
    if ARGV[4] == '0' or redis.call('EXISTS', KEYS[2]) == 0 then return {} end
    redis.call('RENAME', KEYS[2], KEYS[3])
    renamed = 1
end
return {renamed, redis.call('HRANDFIELD', KEYS[3], ARGV[3], 'WITHVALUES')}
"""

# These are written: KEYS lease, draining; ARGV token, lease in ms, fields…
_DONE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 3, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
return 1
"""

# Give back one's own lease, not a successor's: KEYS lease; ARGV token.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisClient(Protocol):
    """What is needed of a client: redis-py's `Redis` and `RedisCluster`, whether they decode responses or not."""

    def execute_command(self, *args: Any, **options: Any) -> Any: ...


def _connect(url: str) -> RedisClient:
    try:
        import redis  # noqa: PLC0415  late: an extra
    except ImportError as error:
        raise MissingExtra("redis") from error
    return redis.Redis.from_url(url)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _milliseconds(name: str, seconds: float) -> int:
    if not seconds >= 0.001:
        raise ValueError(f"{name} must be at least 0.001 seconds, not {seconds!r}")
    return round(seconds * 1000)


class Batch(dict[str, V], Generic[V]):
    """Updates to write, the newest value per key.

    `fence` is higher in every later drain. A drainer that was stopped past its lease and resumes would write old values
    over new ones; a store that keeps the fence beside the value refuses them: `UPDATE … WHERE fence <= :fence`.
    """

    def __init__(self, updates: dict[str, V], fence: int) -> None:
        super().__init__(updates)
        self.fence = fence


class RedisCoalescer(Generic[V]):
    """The newest value per key, recorded by any process and drained by one at a time.

    `name` is common to all that work together; four keys with that hash tag are used. `lease` is how long a drainer may
    take to write one batch; when it is over, another may take the batch up. Values are stored as JSON, unless `dumps`
    and `loads` say otherwise.

    The final value written equals the last recorded, also when drainers are killed: what one took is kept in Redis
    until it was written, and the next drain begins with it. So `write` must be idempotent.
    """

    def __init__(
        self,
        client: RedisClient,
        name: str,
        *,
        lease: float,
        dumps: Callable[[V], str | bytes] = json.dumps,
        loads: Callable[[str | bytes], V] = json.loads,
    ) -> None:
        self._client = client
        self._lease = _milliseconds("lease", lease)
        self._dumps, self._loads = dumps, loads
        # The braces keep all four in one slot of a cluster.
        self._pending, self._draining, self._lease_key, self._fence = (
            f"{{{name}}}:{part}" for part in ("pending", "draining", "lease", "fence")
        )

    @classmethod
    def from_url(cls, url: str, name: str, *, lease: float) -> Self:
        """With a client of its own. Raises MissingExtra without redis-py."""
        return cls(_connect(url), name, lease=lease)

    def record(self, key: str, value: V) -> None:
        """Make this the key's newest value. The order between processes is that of arrival in Redis."""
        self._client.execute_command("HSET", self._pending, key, self._dumps(value))

    def __len__(self) -> int:
        """How many values wait to be written, in two batches: a key may be in both."""
        return sum(int(self._client.execute_command("HLEN", key)) for key in (self._pending, self._draining))

    def drain(self, write: Callable[[Batch[V]], object], *, limit: int = 1000) -> int | None:
        """Write what was recorded, at most `limit` keys a call; how many, or None when another process drains.

        First what a killed drainer left, then one generation: it ends, however fast others record. What `write` raises
        is raised, and its batch is kept for the next drain. LeaseLost when a batch took longer than the lease: another
        drainer may have written it too, see `Batch.fence`.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit!r}")
        with self._leased() as (token, fence):
            if not fence:
                return None
            written = 0
            for batch in self._batches(token, fence, limit):
                write(batch)
                self._done(token, batch)
                written += len(batch)
            return written

    def _eval(self, script: str, keys: list[str], *args: str | int) -> Any:
        return self._client.execute_command("EVAL", script, len(keys), *keys, *args)

    @contextmanager
    def _leased(self) -> Iterator[tuple[str, int]]:
        token = uuid.uuid4().hex
        fence = int(self._eval(_ACQUIRE, [self._lease_key, self._fence], token, self._lease))
        try:
            yield token, fence
        finally:
            if fence:
                self._eval(_RELEASE, [self._lease_key], token)

    def _batches(self, token: str, fence: int, limit: int) -> Iterator[Batch[V]]:
        may_rename = True
        while True:
            keys = [self._lease_key, self._pending, self._draining]
            answer = self._eval(_TAKE, keys, token, self._lease, limit, int(may_rename))
            if answer is None:
                raise LeaseLost([])
            if not answer:
                return
            renamed, flat = answer
            may_rename = may_rename and not renamed
            fields = zip(flat[::2], flat[1::2], strict=True)
            yield Batch({_text(field): self._loads(value) for field, value in fields}, fence)

    def _done(self, token: str, batch: Batch[V]) -> None:
        if not self._eval(_DONE, [self._lease_key, self._draining], token, self._lease, *batch):
            logger.warning("%d updates took longer to write than the lease of %d ms", len(batch), self._lease)
            raise LeaseLost(list(batch))


class RedisGate:
    """At most one pass per key and window, among all processes: `if gate.allow(user_id): refresh(user_id)`.

    The first caller of a window is let through, and the window starts then. One SET NX PX: a GET followed by SET lets
    all through that ask at once.
    """

    def __init__(self, client: RedisClient, name: str, *, window: float) -> None:
        self._client = client
        self._name = name
        self._window = _milliseconds("window", window)

    @classmethod
    def from_url(cls, url: str, name: str, *, window: float) -> Self:
        """With a client of its own. Raises MissingExtra without redis-py."""
        return cls(_connect(url), name, window=window)

    def allow(self, key: str) -> bool:
        """May this caller go on? True once per key and window."""
        return bool(self._client.execute_command("SET", f"{self._name}:{key}", 1, "NX", "PX", self._window))

    def reset(self, key: str) -> None:
        """Let the next caller through: the work that was allowed did not happen."""
        self._client.execute_command("DEL", f"{self._name}:{key}")
