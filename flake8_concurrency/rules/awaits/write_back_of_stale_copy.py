"""CNC503 write-back-of-stale-copy."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import awaited_shapes
from flake8_concurrency.rule import Gate, Rule


class WriteBackOfStaleCopy(Rule):
    """Shared state is read into a local, something is awaited, and the state is written back from the local.

    What other tasks have written meanwhile is replaced by what this one saw before it waited: their update is lost, and
    nothing tells.

    Bad:

        class Counter:
            def __init__(self, store):
                self.store = store
                self.count = 0

            async def increment(self):
                count = self.count
                await self.store.save(count + 1)
                self.count = count + 1

    Bad:

        class Roster:
            def __init__(self):
                self.names = []

            async def join(self, user, directory):
                names = list(self.names)
                names.append(await directory.name_of(user))
                self.names = names

    Good:

        class Counter:
            def __init__(self, store):
                self.store = store
                self.count = 0

            async def increment(self):
                self.count += 1
                await self.store.save(self.count)

    Good:

        import asyncio

        class Roster:
            def __init__(self):
                self.names = []
                self._lock = asyncio.Lock()

            async def join(self, user, directory):
                async with self._lock:
                    names = list(self.names)
                    names.append(await directory.name_of(user))
                    self.names = names

    Known limits:
        State is what CNC502 says it is, and the same code is silent. A local that is put back as it was (`self.mode =
        old_mode`) restores something and is not reported, nor is one that was only given to an awaited call, or state
        that is compared again after the await.
    """

    code = "CNC503"
    name = "write-back-of-stale-copy"
    message = (
        "{place} is written from what was read on line {read}, before the await on line {wait}: what other tasks have"
        " written since is lost; read it again after the await, or hold an asyncio.Lock around both"
    )
    gate = Gate(
        anchors=awaited_shapes.WAITING,
        where=frozenset({"async"}),
        asks=awaited_shapes.asks_write_back,
        answers=awaited_shapes.answers_waiting,
        keeps=awaited_shapes.KEEPS,
        nearest=True,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for stale in self.file.stale.write_backs(self.file.definitions.functions[node]):
            self.report(
                stale.write.node,
                place=stale.write.place,
                read=self.file.line(stale.read),
                wait=self.file.line(stale.suspension),
            )
