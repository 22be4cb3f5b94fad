"""The measures of benchmarks/runtime.py that need no server. Peers are imported when they are measured."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flake8_concurrency.runtime.aio import Offloader, gather_bounded
from flake8_concurrency.runtime.coalesce import Coalescer
from flake8_concurrency.runtime.pool import BoundedExecutor

#: Runs once over so many operations; the seconds it took.
Contender = Callable[[int], float]

WORKERS = 4
BACKLOG = 1000
LIMIT = 100
KEYS = 1000


def nothing() -> None:
    """The work."""


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def timed_async(function: Callable[[], Awaitable[object]]) -> float:
    """Within one loop: its start and end do not count."""

    async def main() -> float:
        start = time.perf_counter()
        await function()
        return time.perf_counter() - start

    return asyncio.run(main())


# A task: submitted, run, and the pool left when all are done.


def submitting(make: Callable[[], Any], submit: str = "submit") -> Contender:
    def run(count: int) -> float:
        def work() -> None:
            with make() as pool:
                put = getattr(pool, submit)
                for _ in range(count):
                    put(nothing)

        return timed(work)

    return run


def pebble_pool(count: int) -> float:
    pebble: Any = importlib.import_module("pebble")

    def work() -> None:
        pool = pebble.ThreadPool(max_workers=WORKERS)
        for _ in range(count):
            pool.schedule(nothing)
        pool.close()
        pool.join()

    return timed(work)


def bounded_pool_executor() -> Any:
    module: Any = importlib.import_module("bounded_pool_executor")
    return module.BoundedThreadPoolExecutor(max_workers=WORKERS)


def ours(**settings: Any) -> BoundedExecutor:
    return BoundedExecutor(max_workers=WORKERS, max_pending=BACKLOG, submit_timeout=None, **settings)


EXECUTOR: Mapping[str, Contender] = {
    "BoundedExecutor": submitting(ours),
    "BoundedExecutor(propagate_context=False)": submitting(lambda: ours(propagate_context=False)),
    "ThreadPoolExecutor (no bound)": submitting(lambda: ThreadPoolExecutor(WORKERS)),
    "pebble (no bound)": pebble_pool,
    "bounded-pool-executor": submitting(bounded_pool_executor),
}


# A put of the newest value of one of a thousand keys; all are handed to a flush at the end.


def coalescer(count: int) -> float:
    def work() -> None:
        with Coalescer[int, int](len, window=60.0, max_keys=10 * KEYS, close_timeout=None) as values:
            for number in range(count):
                values.put(number % KEYS, number)

    return timed(work)


def locked_mapping(make: Callable[[], Any]) -> Contender:
    def run(count: int) -> float:
        values, lock = make(), threading.Lock()

        def work() -> None:
            for number in range(count):
                with lock:
                    values[number % KEYS] = number
            with lock:
                len(dict(values))

        return timed(work)

    return run


def ttl_cache() -> Any:
    module: Any = importlib.import_module("cachetools")
    return module.TTLCache(10 * KEYS, 60.0)


COALESCER: Mapping[str, Contender] = {
    "Coalescer": coalescer,
    "cachetools.TTLCache + lock": locked_mapping(ttl_cache),
    "dict + lock (never flushes by itself)": locked_mapping(dict),
}


# A blocking call from the loop, one after the other.


def calling(call: Callable[[], Awaitable[object]]) -> Contender:
    def run(count: int) -> float:
        async def work() -> None:
            for _ in range(count):
                await call()

        return timed_async(work)

    return run


def offloader(count: int) -> float:
    async def work() -> None:
        for _ in range(count):
            await offload(nothing, timeout=5.0)

    with Offloader(max_threads=WORKERS, queue_timeout=1.0) as offload:
        return timed_async(work)


async def to_thread_in_time() -> None:
    async with asyncio.timeout(5.0):
        await asyncio.to_thread(nothing)


def anyio_call(*, deadline: bool) -> Contender:
    def run(count: int) -> float:
        anyio: Any = importlib.import_module("anyio")
        to_thread: Any = importlib.import_module("anyio.to_thread")

        async def in_time() -> None:
            with anyio.fail_after(5.0):
                await to_thread.run_sync(nothing)

        return calling(in_time if deadline else lambda: to_thread.run_sync(nothing))(count)

    return run


def asgiref_call(count: int) -> float:
    module: Any = importlib.import_module("asgiref.sync")
    return calling(module.sync_to_async(nothing, thread_sensitive=False))(count)


OFFLOAD: Mapping[str, Contender] = {
    "Offloader, timeout=5.0": offloader,
    "asyncio.to_thread": calling(lambda: asyncio.to_thread(nothing)),
    "asyncio.timeout(5.0) + to_thread": calling(to_thread_in_time),
    "anyio.to_thread": anyio_call(deadline=False),
    "anyio.fail_after(5.0) + to_thread": anyio_call(deadline=True),
    "asgiref.sync_to_async(thread_sensitive=False)": asgiref_call,
}


# An item: a coroutine that gives way once.


async def item(number: int) -> int:
    await asyncio.sleep(0)
    return number


def gather_ours(count: int) -> float:
    return timed_async(lambda: gather_bounded(item, range(count), limit=LIMIT, timeout=60.0))


def gather_plain(count: int) -> float:
    return timed_async(lambda: gathered(item, count))


async def gathered(function: Callable[[int], Coroutine[Any, Any, int]], count: int) -> list[int]:
    return await asyncio.gather(*map(function, range(count)))


def gather_semaphore(count: int) -> float:
    semaphore = asyncio.Semaphore(LIMIT)

    async def limited(number: int) -> int:
        async with semaphore:
            return await item(number)

    return timed_async(lambda: gathered(limited, count))


def aiometer(count: int) -> float:
    module: Any = importlib.import_module("aiometer")
    return timed_async(lambda: module.run_on_each(item, range(count), max_at_once=LIMIT))


def anyio_group(count: int) -> float:
    anyio: Any = importlib.import_module("anyio")

    async def work() -> list[int]:
        limiter = anyio.CapacityLimiter(LIMIT)
        results = [0] * count

        async def limited(number: int) -> None:
            async with limiter:
                results[number] = await item(number)

        async with anyio.create_task_group() as group:
            for number in range(count):
                group.start_soon(limited, number)
        return results

    return timed_async(work)


GATHER: Mapping[str, Contender] = {
    f"gather_bounded, limit={LIMIT}": gather_ours,
    "asyncio.gather (no limit)": gather_plain,
    f"asyncio.gather + Semaphore({LIMIT})": gather_semaphore,
    f"aiometer.run_on_each, max_at_once={LIMIT} (no results)": aiometer,
    f"anyio task group + CapacityLimiter({LIMIT})": anyio_group,
}
