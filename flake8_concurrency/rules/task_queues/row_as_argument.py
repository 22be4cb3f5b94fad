"""CNC704 row-as-argument."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CANVAS
from flake8_concurrency.model.dispatch_shapes import (
    DISPATCHING,
    ROW_WORDS,
    answers_rows,
    asks_argument,
    speaks_of_tasks,
)
from flake8_concurrency.rule import Gate, Rule


class RowAsArgument(Rule):
    """A row of the database is handed to a task in place of its key.

    What reaches the worker is a copy of the row as it was when it was sent. What others changed meanwhile is not in it,
    and saving the copy writes the old values back over theirs. Serializers that know no rows, JSON above all, refuse it
    where it is sent.

    Bad:

        from app.models import Order
        from app.tasks import send_receipt

        def pay(pk):
            order = Order.objects.get(pk=pk)
            send_receipt.delay(order)

    Good:

        from app.models import Order
        from app.tasks import send_receipt

        def pay(pk):
            order = Order.objects.get(pk=pk)
            send_receipt.delay(order.pk)

    Known limits:
        Values count as rows when a query, `create()`, a form or serializer gives them, when they are saved or given to
        a session in the same function, as `self` in a method of a Django model and as `instance` of a signal. A project
        whose own serializer turns rows into their keys must say so on the line.
    """

    code = "CNC704"
    name = "row-as-argument"
    message = "{call} is given {what} as of now, and the worker works on an old copy: pass {remedy} and read it there"
    gate = Gate(
        anchors=ROW_WORDS,
        asks=asks_argument,
        answers=answers_rows,
        where=DISPATCHING | CANVAS | {"partial"},
        speaks=speaks_of_tasks,
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        found = self.file.row_arguments.of(node)
        if found is not None:
            key = "pk" if found.is_django else "id"
            self.report(
                node,
                call=found.sends,
                what=f"the rows {found.row}" if found.is_many else f"the row {found.row}",
                remedy=f"the {key} of each" if found.is_many else f"{found.row}.{key}",
            )
