"""CNC302 check-then-write."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.moves import Move
from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.state_shapes import MOVING, answers_move, asks_move, asks_own_move
from flake8_concurrency.model.vocabulary import FILTERS, HOOKS, READERS, speaks_of_rows
from flake8_concurrency.rule import Gate, Rule


class CheckThenWrite(Rule):
    """The state of a row is tested and then moved, and nothing keeps another worker from doing the same in between.

    Two requests that run at once read the same state, both pass the test, and both do what may be done only once: the
    order is paid and refunded, the job runs twice, the balance goes below zero.

    Bad:

        from app.models import Order
        from app.payments import refund

        def cancel(pk):
            order = Order.objects.get(pk=pk)
            if order.status != "paid":
                raise ValueError("only paid orders are refunded")
            refund(order)
            order.status = "refunded"
            order.save()

    Bad:

        def approve(session, request_id):
            asked = session.get(AccessRequest, request_id)
            if asked.state == "pending":
                asked.state = "approved"
                session.commit()

    Good:

        from django.db import transaction

        from app.models import Order
        from app.payments import refund

        @transaction.atomic
        def cancel(pk):
            order = Order.objects.select_for_update().get(pk=pk)
            if order.status != "paid":
                raise ValueError("only paid orders are refunded")
            refund(order)
            order.status = "refunded"
            order.save()

    Good:

        from app.models import Order

        def cancel(pk):
            return Order.objects.filter(pk=pk, status="paid").update(status="cancelled") == 1

    Good:

        from app.models import Account
        from flake8_concurrency.runtime import locked

        def pay(session, account_id, amount):
            with locked(session, Account, account_id, timeout=5) as account:
                if account.balance >= amount:
                    account.balance -= amount

    Known limits:
        A test is a comparison with constants, in Python or in the query that fetched the row, and it has to stand in
        the function that moves the state, or in the method of the model that does. `if row.x != v: row.x = v` only
        saves a write; it counts, like every flag or date that is set once, when something else hangs on the test (a
        mail, a payment, another row). By default it speaks of columns whose name or values are those of a state, of
        those that say who alone has taken the row (`assignee`, `claimed_by`), and of numbers that are compared and then
        changed by the database; named in `--concurrency-enable` of all others.
        Any lock held around the write or taken before it in the function counts. The user of the request, management
        commands, migrations and tests are silent. Where CNC301, CNC304 or CNC318 speak of a row, this rule does not.
    """

    code = "CNC302"
    name = "check-then-write"
    message = (
        "{row}.{attribute} is tested on line {line} and then {how}{where} without a lock on the row, so two at once "
        "pass the test: use {remedy}, or flake8_concurrency.runtime.locked"
    )
    gate = Gate(
        anchors=READERS | FILTERS,
        asks=asks_move,
        inner=asks_own_move,
        answers=answers_move,
        hooks=HOOKS,
        where=MOVING,
        keeps=KEEPS,
        speaks=speaks_of_rows,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for move in self.file.moves.of(self.file.definitions.functions[node]):
            if (
                not move.is_idle
                and not self.file.consumption.is_use(move)
                and (move.is_state or self.file.is_named(self.code))
            ):
                self.report(
                    move.node,
                    row=move.row or "the row",
                    attribute=move.attribute,
                    line=self.file.line(move.tested),
                    how="changed" if move.is_balance else "moved",
                    where="" if move.method is None else f" (in {move.method.qualified_name})",
                    remedy=_remedy(move),
                )


def _remedy(move: Move) -> str:
    if move.read.orm == DJANGO:
        return f".{move.read.locking}() in a transaction, or an UPDATE whose WHERE asks for the state again"
    return f".{move.read.locking}() on the query, or an UPDATE whose WHERE asks for the state again"
