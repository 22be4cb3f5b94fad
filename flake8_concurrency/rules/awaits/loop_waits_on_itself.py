"""CNC508 loop-waits-on-itself."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule


class LoopWaitsOnItself(Rule):
    """Async code hands a coroutine to its own loop and blocks until the loop has run it.

    `run_coroutine_threadsafe` is for other threads. Here the thread that waits is the one that would have to run the
    coroutine: it never starts, and the process stands still for good, or until the timeout.

    Bad:

        import asyncio

        async def refresh(cache):
            loop = asyncio.get_running_loop()
            asyncio.run_coroutine_threadsafe(cache.load(), loop).result()

    Bad:

        import asyncio

        async def refresh(cache, loop):
            future = asyncio.run_coroutine_threadsafe(cache.load(), loop)
            return future.result(timeout=10)

    Good:

        async def refresh(cache):
            await cache.load()

    Good:

        import asyncio

        async def refresh(cache, other_loop):
            future = asyncio.run_coroutine_threadsafe(cache.load(), other_loop)
            return await asyncio.wrap_future(future)

    Known limits:
        A loop that the file makes with `new_event_loop` runs in a thread of its own: waiting for it blocks this one all
        the same, which is CNC407. Any other loop is taken for the one that runs.
    """

    code = "CNC508"
    name = "loop-waits-on-itself"
    message = (
        "{call} blocks the event loop until the same loop has run the coroutine, which it never will:"
        " await the coroutine, or `await asyncio.wrap_future(...)` if it runs on another loop"
    )
    gate = Gate(
        anchors=frozenset({"result", "exception"}),
        context=(frozenset({"run_coroutine_threadsafe"}),),
        only_async=True,
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if self.file.event_loops.waits_on_itself(leaf.node):
                self.report(leaf.node, call=leaf)
