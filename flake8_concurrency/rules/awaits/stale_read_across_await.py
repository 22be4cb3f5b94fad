"""CNC501 stale-read-across-await."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import awaited_shapes
from flake8_concurrency.rule import Gate, Rule


class StaleReadAcrossAwait(Rule):
    """A statement reads shared state, awaits something, and writes the state from what it has read.

    Python reads `self.total` first and awaits then: what other tasks add to it while this one waits is overwritten.
    No exception tells, the number is just too small.

    Bad:

        class Basket:
            def __init__(self):
                self.total = 0

            async def add(self, article, shop):
                self.total += await shop.price(article)

    Bad:

        HITS = {"all": 0}

        async def count(page, store):
            HITS["all"] = HITS["all"] + await store.hits(page)

    Good:

        class Basket:
            def __init__(self):
                self.total = 0

            async def add(self, article, shop):
                price = await shop.price(article)
                self.total += price

    Good:

        class Basket:
            def __init__(self, lock):
                self.total = 0
                self._lock = lock

            async def add(self, article, shop):
                async with self._lock:
                    self.total += await shop.price(article)

    Known limits:
        State is an attribute of the object or the class, a variable of the module, one of a function around that other
        tasks see, and what is in one of these. What an awaited call is given (`self.page = await load(self.page)`) only
        says what to look up, and is not reported, nor are lists and sets, which `+=` and `|=` change in place, and
        objects that belong to one request, stream or dialogue, going by their class's name.
    """

    code = "CNC501"
    name = "stale-read-across-await"
    message = (
        "{place} is read before the await and written after it, so what other tasks write to it meanwhile is lost:"
        " await into a local first, or hold an asyncio.Lock around both"
    )
    gate = Gate(
        anchors=awaited_shapes.WAITING,
        where=frozenset({"async"}),
        asks=awaited_shapes.asks_update,
        answers=awaited_shapes.answers_waiting,
        keeps=awaited_shapes.KEEPS,
        nearest=True,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for stale in self.file.stale.updates(self.file.definitions.functions[node]):
            self.report(stale.write.node, place=stale.write.place)
