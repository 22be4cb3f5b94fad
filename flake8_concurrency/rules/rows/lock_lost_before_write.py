"""CNC309 lock-lost-before-write."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import KEEPS, LOCKING, answers_lock, asks_written
from flake8_concurrency.model.lost_locks import LostLock
from flake8_concurrency.rule import Gate, Rule


class LockLostBeforeWrite(Rule):
    """A row is locked, the transaction that holds the lock ends, and only then is the row written.

    From the commit on, or the end of the block, anybody may lock and change the row. What is written afterwards was
    decided on values that may no longer be there: the lock looks right and keeps nobody out.

    Bad:

        from django.db import transaction

        from app.models import Account

        def withdraw(pk, amount):
            with transaction.atomic():
                account = Account.objects.select_for_update().get(pk=pk)
            account.balance -= amount
            account.save()

    Bad:

        from sqlalchemy import select

        from app.models import Job

        def finish(session):
            jobs = session.scalars(select(Job).where(Job.done).with_for_update()).all()
            for job in jobs:
                job.archived = True
                session.commit()

    Good:

        from django.db import transaction

        from app.models import Account

        def withdraw(pk, amount):
            with transaction.atomic():
                account = Account.objects.select_for_update().get(pk=pk)
                account.balance -= amount
                account.save()

    Good:

        from sqlalchemy import select

        from app.models import Job

        def finish(session):
            jobs = session.scalars(select(Job).where(Job.done).with_for_update()).all()
            for job in jobs:
                job.archived = True
            session.commit()

    Known limits:
        Silent where anything is written while the row is locked, or the row is handed to a function there: it was
        claimed, and what is written later is its owner's. Silent as well after an error, under another lock, and where
        the block is a savepoint in a caller's transaction, as far as the file shows. Only a commit that surely runs in
        between counts, and of a row that another function gives only the end of that function's own transaction.
    """

    code = "CNC309"
    name = "lock-lost-before-write"
    message = (
        "{row} was locked on line {line}, but {end} lets go of it before this is written, so the lock keeps nobody "
        "out: write it in the same transaction"
    )
    gate = Gate(anchors=LOCKING, called=False, asks=asks_written, answers=answers_lock, keeps=KEEPS)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lost in self.file.lost_locks.of(self.file.definitions.functions[node]):
            self.report(lost.node, row=lost.row, line=self.file.line(lost.read.sent), end=self._end(lost))

    def _end(self, lost: LostLock) -> str:
        line = self.file.line(lost.end)
        if lost.loop:
            return f"the commit on line {line}, made for the first of the rows,"
        if isinstance(lost.end, cst.With):
            return f"the end of the transaction of line {line}"
        if isinstance(lost.end, cst.FunctionDef):
            return f"the return from {lost.end.name.value}"
        return f"the call on line {line}"
