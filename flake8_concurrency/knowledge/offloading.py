"""What runs a callable somewhere else, so that what blocks inside it does not block the event loop.

Checked against CPython 3.11, anyio 4.16, trio 0.35, asgiref 3.13, channels 4.3, starlette 1.10, fastapi 0.165,
SQLAlchemy 2.1, asyncer 0.0.18, quart, tornado, twisted, aiofiles 25, aiomisc, pebble, unsync and langchain-core 1.
"""

from __future__ import annotations

from typing import NamedTuple


class Offload(NamedTuple):
    """Which argument is the callable that runs elsewhere; positions leave out `self`."""

    position: int | None
    keyword: str | None
    #: `greenlet` runs it in this very thread: only what the library itself waits for stays off the loop.
    where: str = "thread"
    #: The call gives a function, and it is this function's call that runs elsewhere: `sync_to_async(f)(x)`.
    wraps: bool = False


def _each(names: str, offload: Offload) -> dict[str, Offload]:
    return dict.fromkeys(names.split(), offload)


#: By qualified function, or by method of the public class that defines it.
OFFLOADING: dict[str, Offload] = {
    "asyncio.to_thread": Offload(0, None),
    "asyncio.AbstractEventLoop.run_in_executor": Offload(1, "func"),
    "anyio.to_thread.run_sync": Offload(0, "func"),
    "anyio.to_process.run_sync": Offload(0, "func", "process"),
    "anyio.to_interpreter.run_sync": Offload(0, "func"),
    "trio.to_thread.run_sync": Offload(0, "sync_fn"),
    "asgiref.sync.sync_to_async": Offload(0, "func", wraps=True),
    "asgiref.sync.SyncToAsync": Offload(0, "func", wraps=True),
    "channels.db.database_sync_to_async": Offload(0, "func", wraps=True),
    "starlette.concurrency.run_in_threadpool": Offload(0, "func"),
    # Sync background tasks run in Starlette's thread pool.
    "starlette.background.BackgroundTask": Offload(0, "func"),
    "starlette.background.BackgroundTasks.add_task": Offload(0, "func"),
    "quart.utils.run_sync": Offload(0, "func", wraps=True),
    "asyncer.asyncify": Offload(0, "function", wraps=True),
    "aiofiles.ospath.wrap": Offload(0, "func", wraps=True),
    "tornado.ioloop.IOLoop.run_in_executor": Offload(1, "func"),
    "twisted.internet.threads.deferToThread": Offload(0, "f"),
    "langchain_core.runnables.config.run_in_executor": Offload(1, "func"),
    "concurrent.futures.Executor.submit": Offload(0, None),
    "concurrent.futures.Executor.map": Offload(0, None),
    "threading.Thread": Offload(1, "target"),
    "threading.Timer": Offload(1, "function"),
    "multiprocessing.process.BaseProcess": Offload(1, "target", "process"),
    # What Pool does itself is another matter: `apply` and `map` wait for it.
    **_each(
        "multiprocessing.pool.Pool.apply multiprocessing.pool.Pool.apply_async multiprocessing.pool.Pool.map"
        " multiprocessing.pool.Pool.map_async multiprocessing.pool.Pool.starmap multiprocessing.pool.Pool.starmap_async"
        " multiprocessing.pool.Pool.imap multiprocessing.pool.Pool.imap_unordered",
        Offload(0, "func", "process"),
    ),
    "pebble.ThreadPool.schedule": Offload(0, "function"),
    "pebble.ProcessPool.schedule": Offload(0, "function", "process"),
    # The sync session inside waits without blocking; anything else that blocks there blocks the loop.
    "sqlalchemy.ext.asyncio.AsyncSession.run_sync": Offload(0, "fn", "greenlet"),
    "sqlalchemy.ext.asyncio.AsyncConnection.run_sync": Offload(0, "fn", "greenlet"),
}

#: Decorators that make each call of the function run elsewhere, bare (`@sync_to_async`) or called
#: (`@sync_to_async(thread_sensitive=False)`).
OFFLOADING_DECORATORS: frozenset[str] = frozenset(
    {
        "asgiref.sync.sync_to_async",
        "channels.db.database_sync_to_async",
        "quart.utils.run_sync",
        "asyncer.asyncify",
        "aiofiles.ospath.wrap",
        "tornado.concurrent.run_on_executor",
        "aiomisc.threaded",
        "aiomisc.threaded_separate",
        "aiomisc.threaded_iterable",
        "aiomisc.threaded_iterable_separate",
        "pebble.asynchronous.thread",
        "pebble.asynchronous.process",
        "pebble.concurrent.thread",
        "pebble.concurrent.process",
        "unsync.unsync",
    }
)
