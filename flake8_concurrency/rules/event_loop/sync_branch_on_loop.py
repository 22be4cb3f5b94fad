"""CNC418 sync-branch-on-loop."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.twins import TELLING
from flake8_concurrency.rule import Gate, Rule


class SyncBranchOnLoop(Rule):
    """Async code awaits what is a coroutine function, and calls what is none right there, on the event loop.

    Whatever the sync one does, the loop waits for it: the branch was made because such functions and clients block.

    Bad:

        import inspect

        async def notify(callback, event):
            if inspect.iscoroutinefunction(callback):
                await callback(event)
            else:
                callback(event)

    Bad:

        async def fetch(client, async_class, url):
            if isinstance(client, async_class):
                return await client.get(url)
            return client.get(url)

    Good:

        import asyncio
        import inspect

        async def notify(callback, event):
            if inspect.iscoroutinefunction(callback):
                await callback(event)
            else:
                await asyncio.to_thread(callback, event)

    Known limits:
        Opt-in: many sync callbacks only set a flag, and some must run on the loop, because they use what belongs to it.
        Both branches must call the same thing by the same name.
    """

    code = "CNC418"
    name = "sync-branch-on-loop"
    message = (
        "{call} runs on the event loop when it is no coroutine function, and nothing else moves until it is over:"
        " use await asyncio.to_thread({call}, ...)"
    )
    gate = Gate(anchors=TELLING, only_async=True)
    enabled = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        if not function.is_async:
            return
        told: set[cst.CSTNode] = set()
        for found in self.file.twins.on_the_loop(function):
            if found.call not in told:
                told.add(found.call)
                self.report(found.call, call=dotted(found.call.func))
