"""CNC416 coroutine-to-thread."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import offloading_words
from flake8_concurrency.model.offloads import answers_coroutine, asks_coroutine
from flake8_concurrency.rule import Gate, Rule

_NAMES = frozenset(offloading_words())


class CoroutineToThread(Rule):
    """A coroutine function is given to a thread, or the call that hands work to a thread is not awaited: nothing runs.

    Calling a coroutine function only makes a coroutine, which somebody has to await, and a thread does not; and
    `asyncio.to_thread(...)` without `await` is a coroutine, too: always true, never run.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        async def deliver(message):
            print(message)

        def send(message):
            return POOL.submit(deliver, message)

    Bad:

        import asyncio
        import os

        async def load(path):
            if asyncio.to_thread(os.path.exists, path):
                return await asyncio.to_thread(path.read_bytes)

    Good:

        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        async def deliver(message):
            print(message)

        def send(message):
            return POOL.submit(asyncio.run, deliver(message))

    Good:

        import asyncio
        import os

        async def load(path):
            if await asyncio.to_thread(os.path.exists, path):
                return await asyncio.to_thread(path.read_bytes)

    Known limits:
        Coroutine functions of the file are known, unless a decorator may have made something else of them. What is
        stored, returned or passed on without `await` may be awaited later and is not reported. `run_in_executor` starts
        its work at once and need not be awaited.
    """

    code = "CNC416"
    name = "coroutine-to-thread"
    message = "{what} never runs: {remedy}"
    gate = Gate(
        anchors=_NAMES | {"async"},
        context=(_NAMES,),
        asks=asks_coroutine,
        where=_NAMES,
        answers=answers_coroutine,
    )

    def visit_Call(self, node: cst.Call) -> None:
        offloads = self.file.offloads
        handed = offloads.of(node)
        if handed is None:
            return
        function = offloads.coroutine_in_a_thread(handed, node)
        if function is not None:
            self.report(
                node,
                what=f"{function} is a coroutine function, which {handed.name} does not await: its body",
                remedy="await it on the loop, hand over a plain function, or `asyncio.run` and the coroutine",
            )
        elif offloads.is_never_awaited(node, handed):
            self.report(node, what=f"{handed.name}(...) is used here without `await`: the function", remedy="await it")
