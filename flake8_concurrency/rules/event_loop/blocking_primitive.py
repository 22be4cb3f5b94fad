"""CNC407 blocking-primitive."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("primitive")


class BlockingPrimitive(Rule):
    """Async code waits for a lock, queue, event, future, thread or pool that was made for threads.

    The event loop stands still until another thread has done its part. If that part needs the loop, it never moves
    again.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        async def thumbnail(path, make):
            return POOL.submit(make, path).result(timeout=30)

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        async def thumbnails(paths, make):
            with ThreadPoolExecutor(max_workers=4) as pool:
                futures = [pool.submit(make, path) for path in paths]
            return futures

    Bad:

        import queue

        JOBS = queue.Queue()

        async def worker(handle):
            while True:
                await handle(JOBS.get(timeout=60))

    Good:

        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        async def thumbnail(path, make):
            return await asyncio.get_running_loop().run_in_executor(POOL, make, path)

    Good:

        import asyncio

        JOBS = asyncio.Queue(maxsize=100)

        async def worker(handle):
            while True:
                await handle(await JOBS.get())

    Good:

        from flake8_concurrency.runtime import Offloader

        OFFLOAD = Offloader(max_threads=4, queue_timeout=5)

        async def thumbnail(path, make):
            return await OFFLOAD(make, path, timeout=30)

    Known limits:
        `with lock:` around a few statements is the idiom, also in async code, and is not reported. What the file does
        not show to be a primitive for threads is not reported, nor is a wait that the code has just seen to be over
        (`if future.done():`, `queue.empty()`), nor `put()` into a queue made with room for `len(...)` items. A wait
        inside a function of the file is CNC409. In async code this rule speaks instead of those about waits without a
        timeout, because no timeout makes such a wait right. Waiting for the loop itself
        (`asyncio.run_coroutine_threadsafe(...).result()`) is CNC508.
    """

    code = "CNC407"
    name = "blocking-primitive"
    message = "{call} stops the event loop until another thread has done its part: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "primitive" and not self.file.event_loops.waits_on_itself(leaf.node):
                call = f"{leaf}, which joins its workers," if leaf.name.endswith("Executor.__exit__") else leaf
                self.report(leaf.node, call=call, twin=leaf.fact.twin)
