"""CNC311 io-under-row-lock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.lock_shapes import LOCKING, answers_lock, asks_lock
from flake8_concurrency.model.locked_io import LockedWait
from flake8_concurrency.rule import Gate, Rule


class IoUnderRowLock(Rule):
    """A request, a sleep, a program or a task is waited for or sent while rows are locked.

    Everybody who wants one of the rows waits as long as the other side takes: one slow server makes all of them slow,
    and the connections run out.

    Bad:

        import requests

        from django.db import transaction

        from app.models import Order

        @transaction.atomic
        def pay(pk):
            order = Order.objects.select_for_update().get(pk=pk)
            answer = requests.post("https://pay.example.org", json={"order": order.pk}, timeout=10)
            order.paid = answer.ok
            order.save()

    Bad:

        import time

        def settle(session, order_id):
            order = session.get(Order, order_id, with_for_update=True)
            while not is_settled(order):
                time.sleep(1)
            order.settled = True
            session.commit()

    Good:

        from django.db import transaction

        from app.models import Order
        from app.tasks import send_receipt

        @transaction.atomic
        def pay(pk, payment):
            order = Order.objects.select_for_update().get(pk=pk)
            order.paid = payment.ok
            order.save()
            transaction.on_commit(lambda: send_receipt.delay(order.pk))

    Good:

        import requests

        def settle(session, order_id):
            answer = requests.get(f"https://pay.example.org/{order_id}", timeout=10)
            order = session.get(Order, order_id, with_for_update=True)
            order.settled = answer.ok
            session.commit()

    Known limits:
        Opt-in: a task of another file may have a base class that sends it after the commit, which only that file shows;
        three of nine findings in applications were such.
        A lock is one that the function takes, or a function of the file that it calls and that leaves it open. It is
        held until the block that it was taken in is left, or until a commit or rollback that may come first; without
        either until the function ends, for only its caller can end the transaction. What a function of another file
        waits for is not seen, nor are clients of Redis and other near services reported.
    """

    code = "CNC311"
    name = "io-under-row-lock"
    message = "{call} {runs} while the rows locked on line {line} stay locked, so whoever wants one waits too: {remedy}"
    gate = Gate(anchors=LOCKING, asks=asks_lock, answers=answers_lock)
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        reported: set[cst.CSTNode] = set()
        for wait in self.file.locked_io.of(function):
            if wait.node not in reported and not self._is_said(wait, function):
                reported.add(wait.node)
                self.report(
                    wait.node,
                    call=self._call(wait),
                    runs="is sent" if wait.is_dispatch else "runs",
                    line=self.file.line(wait.lock),
                    remedy=_remedy(wait),
                )

    def _is_said(self, wait: LockedWait, function: FunctionInfo) -> bool:
        """Whether CNC703, which is on, says of a task that it is sent before the commit."""
        if not wait.is_dispatch or "CNC703" not in self.file.codes:
            return False
        sent = [early.dispatch.call for early in self.file.early_dispatches.of(function)]
        return bool(wait.chain) or wait.node in sent

    def _call(self, wait: LockedWait) -> str:
        if not wait.chain:
            return wait.name
        return " → ".join([*(function.qualified_name for function in wait.chain), wait.name])


def _remedy(wait: LockedWait) -> str:
    if wait.is_dispatch:
        return "use transaction.on_commit(...)" if wait.is_django else "send it after the commit"
    return "do it before the rows are locked or after the commit"
