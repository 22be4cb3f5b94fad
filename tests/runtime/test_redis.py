"""Updates recorded in Redis: the last one is written, whatever comes between two commands and whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from flake8_concurrency.runtime.errors import LeaseLost, MissingExtra
from flake8_concurrency.runtime.redis import Batch, RedisCoalescer, RedisGate

ROOT = Path(__file__).parents[2]
URL = os.environ.get("FLAKE8_CONCURRENCY_REDIS", "redis://127.0.0.1:6379/8")
LONG = 10.0
LEASE = 30.0


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    client = redis.Redis.from_url(URL, socket_timeout=2 * LONG)
    try:
        client.ping()
    except redis.ConnectionError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Redis answers at {URL}")
    with client:
        yield client


@pytest.fixture
def name(server: Any) -> Iterator[str]:
    chosen = f"cnc-test-{uuid.uuid4().hex}"
    yield chosen
    if keys := list(server.scan_iter(f"*{chosen}*")):
        server.delete(*keys)


class Interleaved:
    """A client during whose pauses, before and after each command, others get their turn."""

    def __init__(self, client: Any, others: Callable[[], object]) -> None:
        self.client, self.others = client, others

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.others()
        answer = self.client.execute_command(*args, **options)
        self.others()
        return answer


def counting(record: Callable[[int], object]) -> tuple[Callable[[], None], list[int]]:
    recorded: list[int] = []

    def another() -> None:
        recorded.append(len(recorded) + 1)
        record(recorded[-1])

    return another, recorded


# The facts


def get_then_delete(client: Any, name: str, between: Callable[[], object]) -> int:
    """The control, as found in the wild."""
    value = int(client.get(name))
    between()
    client.delete(name)
    return value


def test_get_then_delete_loses_the_last_update_and_getdel_does_not(server: Any, name: str) -> None:
    lost = {"GET, DELETE": 0, "GETDEL": 0}
    for _ in range(300):
        server.set(name, 1)
        written = get_then_delete(server, name, lambda: server.set(name, 2))
        lost["GET, DELETE"] += int(server.get(name) or written) != 2
        server.set(name, 1)
        written = int(server.getdel(name))
        server.set(name, 2)
        lost["GETDEL"] += int(server.getdel(name) or written) != 2
    assert lost == {"GET, DELETE": 300, "GETDEL": 0}


def test_hgetall_then_delete_loses_the_last_update_and_drain_does_not(server: Any, name: str) -> None:
    key = f"{name}:naive"
    another, recorded = counting(lambda number: server.hset(key, "k", number))
    another()
    store = server.hgetall(key)
    another()
    server.delete(key)
    assert store | server.hgetall(key) != {b"k": str(recorded[-1]).encode()}, "the control no longer shows the bug"

    plain = RedisCoalescer[int](server, name, lease=LEASE)
    another, recorded = counting(lambda number: plain.record("k", number))
    coalescer = RedisCoalescer[int](Interleaved(server, another), name, lease=LEASE)
    values: dict[str, int] = {}
    another()
    assert coalescer.drain(values.update) == 1
    plain.drain(values.update)
    assert values == {"k": recorded[-1]}
    assert len(plain) == 0


def test_producers_and_drainers(server: Any, name: str) -> None:
    """Forced at once by a barrier; a write may be late, but never goes over a newer one."""
    everybody = threading.Barrier(5)
    values: dict[str, int] = {}

    def produce(key: str) -> None:
        coalescer = RedisCoalescer[int](server, name, lease=LEASE)
        everybody.wait(LONG)
        for number in range(300):
            coalescer.record(key, number)

    def drain() -> None:
        coalescer = RedisCoalescer[int](server, name, lease=LEASE)
        everybody.wait(LONG)
        for _ in range(100):
            coalescer.drain(write, limit=2)

    def write(batch: Batch[int]) -> None:
        for key, value in batch.items():
            assert values.get(key, -1) < value, "an older value over a newer one"
            values[key] = value

    threads = [threading.Thread(target=produce, args=(key,), daemon=True) for key in "abc"]
    threads += [threading.Thread(target=drain, daemon=True) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(LONG)
    last = RedisCoalescer[int](server, name, lease=LEASE)
    last.drain(write)
    assert values == dict.fromkeys("abc", 299)
    assert (len(last), last.drain(write)) == (0, 0)


# Killed drainers

CHILD = """
import sys, redis
from flake8_concurrency.runtime.redis import RedisCoalescer
url, name, kind = sys.argv[1:]
client = redis.Redis.from_url(url, socket_timeout=60)
def hang(batch):
    client.rpush(name + ":hangs", 1)
    client.blpop(name + ":never", 30)
if kind == "naive":
    client.rename(name + ":naive", name + ":naive:of-this-process")
    hang(client.hgetall(name + ":naive:of-this-process"))
    client.delete(name + ":naive:of-this-process")
else:
    RedisCoalescer(client, name, lease=0.15).drain(hang)
"""


def killed_drainer(server: Any, name: str, kind: str) -> None:
    """Run a drainer until it is between RENAME and HDEL, and kill it there."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, URL, name, kind], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        assert server.blpop(f"{name}:hangs", LONG), "the drainer did not get there"
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait(LONG) == -signal.SIGKILL


def test_a_drainer_killed_between_rename_and_hdel(server: Any, name: str) -> None:
    naive = f"{name}:naive"
    server.hset(naive, mapping={"a": 1, "b": 1})
    killed_drainer(server, name, "naive")
    server.hset(naive, "b", 2)
    assert server.hgetall(naive) == {b"b": b"2"}, "the control no longer loses a"

    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    coalescer.record("a", 1)
    coalescer.record("b", 1)
    killed_drainer(server, name, "ours")
    coalescer.record("b", 2)
    batches: list[tuple[dict[str, int], int]] = []
    # The killed one's lease runs out in 0.15 s; the server blocks for us meanwhile.
    while (drained := coalescer.drain(lambda batch: batches.append((dict(batch), batch.fence)))) is None:
        server.blpop(f"{name}:never", 0.02)
    assert drained == 3
    assert batches == [({"a": 1, "b": 1}, 2), ({"b": 2}, 2)], "the older first, with a higher fence than the killed one"


# What else can happen to a drainer


def test_a_write_that_fails_is_repeated(server: Any, name: str) -> None:
    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    coalescer.record("k", 1)
    values: dict[str, int] = {}
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            coalescer.drain(lambda batch: 1 // 0)
    coalescer.record("k", 2)
    assert coalescer.drain(values.update) == 2
    assert values == {"k": 2}


def test_one_drainer_at_a_time(server: Any, name: str) -> None:
    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    coalescer.record("k", 1)
    others: list[int | None] = []
    assert coalescer.drain(lambda batch: others.append(coalescer.drain(print))) == 1
    assert others == [None]


def test_a_drainer_stopped_past_its_lease(server: Any, name: str) -> None:
    """Its late write carries a lower fence, and it neither deletes nor releases what is its successor's."""
    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    coalescer.record("k", 1)
    stored: dict[str, tuple[int, int]] = {}

    def fenced(batch: Batch[int]) -> None:
        for key, value in batch.items():
            if stored.get(key, (0, 0))[1] <= batch.fence:
                stored[key] = (value, batch.fence)

    def slow(batch: Batch[int]) -> None:
        # The lease runs out while this one is stopped.
        server.delete(f"{{{name}}}:lease")
        coalescer.record("k", 2)
        assert coalescer.drain(fenced) == 2
        coalescer.record("k", 3)
        fenced(batch)

    with pytest.raises(LeaseLost) as lost:
        coalescer.drain(slow)
    assert lost.value.ids == ["k"]
    assert stored == {"k": (2, 2)}
    assert coalescer.drain(fenced) == 1
    assert stored == {"k": (3, 3)}


def test_a_lease_lost_between_two_batches(server: Any, name: str) -> None:
    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    with pytest.raises(LeaseLost), coalescer._leased() as (_, fence):
        next(coalescer._batches("somebody else's", fence, 1))


def test_a_drain_ends_though_others_record(server: Any, name: str) -> None:
    coalescer = RedisCoalescer[int](server, name, lease=LEASE)
    sizes: list[int] = []

    def write(batch: Batch[int]) -> None:
        sizes.append(len(batch))
        for key in range(5):
            coalescer.record(str(key), 1)

    for key in range(5):
        coalescer.record(str(key), 0)
    assert coalescer.drain(write, limit=2) == 5
    assert sizes == [2, 2, 1]
    assert len(coalescer) == 5


def test_clients_that_decode_and_values_of_ones_own(server: Any, name: str) -> None:
    with redis.Redis.from_url(URL, decode_responses=True) as client:
        coalescer = RedisCoalescer[bytes](
            client, name, lease=LEASE, dumps=bytes.hex, loads=lambda stored: bytes.fromhex(str(stored))
        )
        coalescer.record("clé", b"\xff")
        seen: dict[str, bytes] = {}
        assert coalescer.drain(seen.update) == 1
        assert seen == {"clé": b"\xff"}


# The gate


def get_then_set(client: Any, key: str, between: Callable[[], object]) -> bool:
    """The control."""
    if client.get(key):
        return False
    between()
    client.set(key, 1, px=60_000)
    return True


def test_the_gate_lets_one_of_many_through(server: Any, name: str) -> None:
    at_once = threading.Barrier(8)
    allowed: dict[str, list[bool]] = {"naive": [], "ours": []}

    def ask() -> None:
        # All have read before one writes.
        allowed["naive"].append(get_then_set(server, f"{name}:naive", lambda: at_once.wait(LONG)))
        at_once.wait(LONG)
        allowed["ours"].append(RedisGate(server, name, window=60.0).allow("k"))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(LONG)
    assert {kind: sum(answers) for kind, answers in allowed.items()} == {"naive": 8, "ours": 1}


def test_the_gate_opens_again(server: Any, name: str) -> None:
    gate = RedisGate.from_url(URL, name, window=60.0)
    assert [gate.allow("a"), gate.allow("a"), gate.allow("b")] == [True, False, True]
    assert 59_000 < server.pttl(f"{name}:a") <= 60_000
    gate.reset("a")
    assert gate.allow("a")
    short = RedisGate(server, name, window=0.01)
    assert short.allow("c")
    while server.exists(f"{name}:c"):
        pass
    assert short.allow("c")


# Arguments and extras


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="lease"):
        RedisCoalescer[int](Interleaved(None, print), "n", lease=0)
    with pytest.raises(ValueError, match="window"):
        RedisGate(Interleaved(None, print), "n", window=float("nan"))
    with pytest.raises(ValueError, match="limit"):
        RedisCoalescer[int](Interleaved(None, print), "n", lease=1.0).drain(print, limit=0)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"flake8-concurrency\[redis\]"):
        RedisCoalescer.from_url(URL, "n", lease=1.0)
