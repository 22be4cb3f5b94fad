"""CNC310 lock-outside-transaction."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import KEEPS, LOCKING, answers_lock, asks_lock
from flake8_concurrency.rule import Gate, Rule


class LockOutsideTransaction(Rule):
    """Rows are locked where no transaction is open that could hold the lock.

    Django raises TransactionManagementError on every database that can lock rows, and says nothing on SQLite, where the
    tests run. Under AUTOCOMMIT the lock is gone before the call returns.

    Bad:

        from app.models import Account

        def withdraw(pk, amount):
            account = Account.objects.select_for_update().get(pk=pk)
            account.balance -= amount
            account.save()

    Bad:

        from sqlalchemy import create_engine, select

        from app.models import Job

        engine = create_engine("postgresql://", isolation_level="AUTOCOMMIT")

        def claim(n):
            with engine.connect() as connection:
                return connection.execute(select(Job.id).limit(n).with_for_update(skip_locked=True)).all()

    Good:

        from django.db import transaction

        from app.models import Account

        @transaction.atomic
        def withdraw(pk, amount):
            account = Account.objects.select_for_update().get(pk=pk)
            account.balance -= amount
            account.save()

    Known limits:
        A queryset that is only built and handed on is not evaluated there. Views are silent, for ATOMIC_REQUESTS may
        hold a transaction, and so are private functions unless all their callers in the file hold none, functions that
        give back what they have locked, and those that don't write it themselves: their callers hold the transaction.
        Whatever is called like a transaction, or asks about one, counts as one.
    """

    code = "CNC310"
    name = "lock-outside-transaction"
    message = (
        "the rows are locked outside of a transaction, {outcome}: put the lock and the writes into {remedy}, or use "
        "flake8_concurrency.runtime{runtime}.locked"
    )
    gate = Gate(anchors=LOCKING, asks=asks_lock, answers=answers_lock, keeps=KEEPS)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lock in self.file.idle_locks.unheld(self.file.definitions.functions[node]):
            if lock.autocommit:
                outcome, remedy = "where AUTOCOMMIT lets go of them at once", "one with session.begin()"
            else:
                outcome, remedy = "which raises TransactionManagementError", "one with transaction.atomic()"
            self.report(lock.query.call, outcome=outcome, remedy=remedy, runtime="" if lock.autocommit else ".django")
