"""CNC314 lock-without-effect."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import LOCKING
from flake8_concurrency.model.locked_queries import DJANGO_LOCK
from flake8_concurrency.rule import Gate, Rule


class LockWithoutEffect(Rule):
    """A query asks for row locks and never gets any: it is only counted or aggregated, or it is never sent.

    Django leaves FOR UPDATE out of `count()` and `aggregate()`, and a queryset that nobody evaluates sends nothing. The
    code reads as if it kept others out, and two requests that run at once see the same number.

    Bad:

        from django.db import transaction

        from app.models import Booking

        @transaction.atomic
        def book(event, user):
            if Booking.objects.select_for_update().filter(event=event).count() < event.seats:
                event.add(user)

    Bad:

        from django.db import transaction

        from app.models import Account

        @transaction.atomic
        def move(source, target, amount):
            Account.objects.select_for_update().filter(pk__in=[source, target]).order_by("pk")
            Account.transfer(source, target, amount)

    Good:

        from django.db import transaction

        from app.models import Booking, Event

        @transaction.atomic
        def book(pk, user):
            event = Event.objects.select_for_update().get(pk=pk)
            if Booking.objects.filter(event=event).count() < event.seats:
                event.add(user)

    Good:

        from django.db import transaction

        from app.models import Account

        @transaction.atomic
        def move(source, target, amount):
            list(Account.objects.select_for_update().filter(pk__in=[source, target]).order_by("pk"))
            Account.transfer(source, target, amount)

    Known limits:
        A queryset in a local counts only where everything that is done with the local is counting. `exists()`,
        `values_list()` and `in_bulk()` do lock; `update()` and `delete()` lock what they change by themselves.
    """

    code = "CNC314"
    name = "lock-without-effect"
    message = "{name}() has no effect here: {reason}, so no row is locked: {remedy}"
    gate = Gate(anchors=LOCKING)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        for query, method in self.file.idle_locks.counted(function):
            self.report(
                query.call,
                name=query.name,
                reason=f"Django sends {method}() without it",
                remedy="lock the row that all of them belong to, or evaluate the rows with list() and count those",
            )
        for query in self.file.idle_locks.unsent(function):
            remedy = "list(queryset)" if query.name == DJANGO_LOCK else "session.execute(query)"
            self.report(query.call, name=query.name, reason="the query is never sent", remedy=f"send it, {remedy}")
