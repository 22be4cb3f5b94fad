"""CNC315 update-loses-its-order."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import answers_order, asks_ordered_update
from flake8_concurrency.rule import Gate, Rule


class UpdateLosesItsOrder(Rule):
    """A queryset is put in an order and updated: the order is dropped, so it orders no locks.

    Only MySQL and MariaDB have an UPDATE with an order. Everywhere else Django leaves it out, the database locks the
    rows in whatever order it finds them, and two updates of overlapping rows can still deadlock.

    Bad:

        from app.models import Seat

        def release(pks):
            Seat.objects.filter(pk__in=pks).order_by("pk").update(taken=False)

    Good:

        from django.db import transaction

        from app.models import Seat

        @transaction.atomic
        def release(pks):
            locked = Seat.objects.select_for_update().filter(pk__in=pks).order_by("pk")
            Seat.objects.filter(pk__in=[seat.pk for seat in locked]).update(taken=False)

    Known limits:
        Silent where the ordered queryset is used for anything else than the update, for `order_by()` without columns,
        which takes an order away, and for orders that the model's Meta gives. Which database is used isn't known.
    """

    code = "CNC315"
    name = "update-loses-its-order"
    message = (
        "the order of this update is dropped, except on MySQL, so it orders no locks and the update can deadlock: lock "
        "the rows first, list(queryset.select_for_update().order_by({order})), or drop order_by()"
    )
    gate = Gate(anchors=frozenset({"update", "aupdate"}), asks=asks_ordered_update, answers=answers_order)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for update in self.file.lock_order.orderless_updates(self.file.definitions.functions[node]):
            self.report(update.node, order=update.order)
