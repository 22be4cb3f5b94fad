"""CNC405 blocking-database."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("database")


class BlockingDatabase(Rule):
    """Async code sends a query through a synchronous driver or mapper, and stops the event loop until the answer.

    Everything else on the loop waits for the database, and for the locks it waits for: if another coroutine of the same
    process holds one, nobody ever moves again.

    Bad:

        import sqlite3

        async def count(path):
            connection = sqlite3.connect(path)
            return connection.execute("SELECT count(*) FROM orders").fetchone()[0]

    Bad:

        from sqlalchemy import select
        from sqlalchemy.orm import Session

        async def orders(session: Session, model):
            return session.scalars(select(model)).all()

    Bad:

        from django.db import models

        class Order(models.Model):
            number = models.IntegerField()

        async def order(number):
            return Order.objects.get(number=number)

    Good:

        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        async def orders(session: AsyncSession, model):
            return (await session.scalars(select(model))).all()

    Good:

        from django.db import models

        class Order(models.Model):
            number = models.IntegerField()

        async def order(number):
            return await Order.objects.aget(number=number)

    Known limits:
        A session, connection or queryset is known when the file shows what it is. Building a queryset or a statement
        asks nothing and is not reported, nor is what `run_sync` and `sync_to_async` run. Silent where nothing else
        runs yet, or any more: once in a `lifespan`, a start-up or shutdown function, a `main` that starts no tasks.
        A query in a function of the file is CNC409.
    """

    code = "CNC405"
    name = "blocking-database"
    message = "{call} stops the event loop until the database has answered: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.exchanges.holding_up(node, "database"):
            self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
