"""CNC318 read-then-consume."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.state_shapes import USING, answers_use, asks_any_use, asks_own_move, asks_use
from flake8_concurrency.model.vocabulary import FILTERS, HOOKS, READERS, speaks_of_rows
from flake8_concurrency.rule import Gate, Rule

_GATE = Gate(
    anchors=READERS | FILTERS,
    asks=asks_use,
    inner=asks_own_move,
    answers=answers_use,
    hooks=HOOKS,
    where=USING,
    keeps=KEEPS,
    speaks=speaks_of_rows,
)


class ReadThenConsume(Rule):
    """A code that may be used once is read, looked at, and only then deleted or marked as used.

    Two requests with the same code that run at once both find it, and both get what it is good for: the invitation lets
    two people in, the voucher is redeemed twice, the password is reset by who came second.

    Bad:

        from django.contrib.auth import login

        from app.models import LoginToken

        def enter(request, value):
            token = LoginToken.objects.get(token=value)
            login(request, token.user)
            token.delete()

    Bad:

        from sqlalchemy import select

        from app.models import Voucher

        def redeem(session, value, order):
            voucher = session.scalars(select(Voucher).where(Voucher.code == value)).one()
            if voucher.used:
                raise ValueError("used already")
            voucher.used = True
            order.discount = voucher.discount
            session.commit()

    Good:

        from django.contrib.auth import login

        from app.models import LoginToken

        def enter(request, value):
            token = LoginToken.objects.get(token=value)
            deleted, _ = LoginToken.objects.filter(pk=token.pk).delete()
            if not deleted:
                raise LoginToken.DoesNotExist
            login(request, token.user)

    Good:

        from sqlalchemy import select

        from app.models import Voucher

        def redeem(session, value, order):
            voucher = session.scalars(select(Voucher).where(Voucher.code == value).with_for_update()).one()
            if voucher.used:
                raise ValueError("used already")
            voucher.used = True
            order.discount = voucher.discount
            session.commit()

    Known limits:
        By default it speaks where the model, the variable or the column of the query is called a code, token, nonce,
        invitation, coupon, voucher or the like; named in `--concurrency-enable` of every row that is found by a value,
        read and deleted. What is deleted because it has expired or is refused is not used up, and functions and
        views that are there to delete (`revoke`, `logout`, `TokenDeleteView`) are silent, as are tests, migrations and
        management commands.
        Any lock held around the deletion or taken before it in the function counts.
    """

    code = "CNC318"
    name = "read-then-consume"
    message = (
        "{row} is read on line {line} and then {how} without a lock and without counting the rows, so two requests at "
        "once both use it: use {remedy}"
    )
    gate = _GATE
    named_gate = _GATE._replace(asks=asks_any_use)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for use in self.file.consumption.of(self.file.definitions.functions[node]):
            if use.is_code or self.file.is_named(self.code):
                what = "delete() on a query" if use.how == "deleted" else "a conditional update()"
                self.report(
                    use.node,
                    row=use.row,
                    how=use.how,
                    line=self.file.line(use.read.sent),
                    remedy=f".{use.read.locking}(), or {what} and its row count",
                )
