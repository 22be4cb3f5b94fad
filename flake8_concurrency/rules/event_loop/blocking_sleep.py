"""CNC401 blocking-sleep."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule


class BlockingSleep(Rule):
    """A `time.sleep` in async code stops the whole event loop.

    Nothing else that runs on the loop moves until it is over: requests wait, timeouts fire late, health checks fail.

    Bad:

        import time

        async def poll(client):
            while not await client.is_ready():
                time.sleep(0.5)

    Good:

        import asyncio

        async def poll(client):
            while not await client.is_ready():
                await asyncio.sleep(0.5)

    Known limits:
        A sleep that is reached through a function of the file is CNC409. One that runs once while nothing else does, in
        a `lifespan`, a start-up or shutdown function or a `main` that starts no tasks, is not reported. The same defect
        is ASYNC251 in flake8-async and ruff, which see the spellings `time.sleep` and `from time import sleep`.
    """

    code = "CNC401"
    name = "blocking-sleep"
    message = "{call} blocks the event loop, and everything that runs on it, until it is over: use {twin}"
    gate = Gate(anchors=frozenset({"sleep"}), context=(frozenset({"time"}),), only_async=True, wants="call")
    overlaps = ("ASYNC251",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "sleep" and not self.file.functions.holds_up_nobody(leaf.node):
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
