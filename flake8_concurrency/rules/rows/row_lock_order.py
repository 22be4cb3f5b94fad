"""CNC313 row-lock-order."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import ORDERING, answers_rows, asks_rows
from flake8_concurrency.rule import Gate, Rule


class RowLockOrder(Rule):
    """Several rows are locked in one transaction, in whatever order they come.

    Two workers that lock the same rows in different orders wait for each other: the database ends one of the two with a
    deadlock error, after a second or so, and whatever it had done is lost.

    Bad:

        from django.db import transaction

        from app.models import Seat

        @transaction.atomic
        def reserve(pks, user):
            for pk in pks:
                seat = Seat.objects.select_for_update().get(pk=pk)
                seat.owner = user
                seat.save()

    Bad:

        from app.models import Seat

        def release(pks):
            Seat.objects.filter(pk__in=pks).update(taken=False)

    Good:

        from django.db import transaction

        from app.models import Seat

        @transaction.atomic
        def reserve(pks, user):
            for pk in sorted(pks):
                seat = Seat.objects.select_for_update().get(pk=pk)
                seat.owner = user
                seat.save()

        @transaction.atomic
        def release(pks):
            locked = list(Seat.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
            Seat.objects.filter(pk__in=[seat.pk for seat in locked]).update(taken=False)

    Known limits:
        Opt-in, with six of ten findings right: one UPDATE of rows that nobody else updates can't deadlock, and nothing
        in the code tells which rows others update. Rows chosen by anything else than their ids are silent, and so is a
        loop with a transaction for each round. An order that the model's Meta gives isn't seen. Any lock taken before
        in the function is silence.
    """

    code = "CNC313"
    name = "row-lock-order"
    message = "rows are locked {how}, in the order of {over}, so two workers can deadlock: {remedy}"
    gate = Gate(anchors=ORDERING, asks=asks_rows, answers=answers_rows)
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lock in self.file.lock_order.unordered(self.file.definitions.functions[node]):
            if lock.how == "one by one":
                remedy = "go through them in order, sorted(…) or order_by(…)"
            else:
                remedy = "lock them in order first, .select_for_update().order_by(…) or .with_for_update()"
            self.report(lock.node, how=lock.how, over=lock.over, remedy=remedy)
