"""CNC411 offload-called."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import offloading_words
from flake8_concurrency.model.offloads import answers_called, asks_called
from flake8_concurrency.rule import Gate, Rule

#: Threads have a rule of their own.
_WORDS = {name: words for name, words in offloading_words().items() if name not in ("Thread", "Timer", "BaseProcess")}


class OffloadCalled(Rule):
    """A function is called here, and its result is handed to the thread that should have called it.

    The work runs where the call stands, on the event loop or in the thread that submits; then the other thread is told
    to call its result, which raises TypeError.

    Bad:

        import asyncio
        import shutil

        async def forget(directory):
            await asyncio.to_thread(print("removing", directory))

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        def render(page):
            print(page)

        def render_all(pages):
            return [POOL.submit(render(page)) for page in pages]

    Good:

        import asyncio
        import shutil

        async def forget(directory):
            await asyncio.to_thread(shutil.rmtree, directory)

    Good:

        from concurrent.futures import ThreadPoolExecutor
        from functools import partial

        POOL = ThreadPoolExecutor(max_workers=4)

        def render(page):
            print(page)

        def render_all(pages):
            return [POOL.submit(partial(render, page)) for page in pages]

    Known limits:
        Reported when the file or the tables show what the call gives, and that it cannot be called: functions that
        return a function are right. A coroutine function that is called is CNC416.
    """

    code = "CNC411"
    name = "offload-called"
    message = (
        "{call} is called here, and {offload} is handed what it gives, which cannot be called:"
        " hand over the function itself, and its arguments after it"
    )
    gate = Gate(
        anchors=frozenset(_WORDS), needs=_WORDS, asks=asks_called, where=frozenset(_WORDS), answers=answers_called
    )

    def visit_Call(self, node: cst.Call) -> None:
        handed = self.file.offloads.of(node)
        if handed is None or handed.name.startswith(("threading.", "multiprocessing.process.")):
            return
        if self.file.offloads.called_too_early(handed):
            assert isinstance(handed.value, cst.Call)
            called = self.file.offloads.shown(handed.value.func)
            self.report(node, call=called, offload=handed.name.rpartition(".")[2])
