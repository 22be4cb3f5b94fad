"""CNC408 loop-reentry."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("loop")


class LoopReentry(Rule):
    """Async code starts an event loop, or waits for a coroutine through one, inside the loop that runs it.

    `asyncio.run()`, `run_until_complete()` and `async_to_sync(...)()` raise RuntimeError there: a thread can run only
    one loop at a time.

    Bad:

        import asyncio

        async def fetch(key):
            return key

        async def report(keys):
            return [asyncio.run(fetch(key)) for key in keys]

    Bad:

        import asyncio

        async def fetch(key):
            return key

        async def report(key):
            return asyncio.get_event_loop().run_until_complete(fetch(key))

    Bad:

        from asgiref.sync import async_to_sync

        async def fetch(key):
            return key

        async def report(key):
            return async_to_sync(fetch)(key)

    Good:

        import asyncio

        async def fetch(key):
            return key

        async def report(keys):
            return await asyncio.gather(*(fetch(key) for key in keys))

    Good:

        import asyncio

        async def fetch(key):
            return key

        async def in_a_thread_of_its_own(key):
            return await asyncio.to_thread(lambda: asyncio.run(fetch(key)))

    Known limits:
        A loop that is started by a function of the file is not reported, for such functions often ask first whether one
        is running. Silent in a file that uses `nest_asyncio`, and where the code has asked the loop whether it runs.
    """

    code = "CNC408"
    name = "loop-reentry"
    message = "{call} raises RuntimeError here, for this thread already runs an event loop: {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "loop" and not self.file.reentry.may_be_entered(leaf.node):
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
