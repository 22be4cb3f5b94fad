"""CNC306 skip-locked-locks-the-join."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import LOCKING, answers_lock, asks_skipping
from flake8_concurrency.model.locked_queries import DJANGO_LOCK
from flake8_concurrency.rule import Gate, Rule


class SkipLockedLocksTheJoin(Rule):
    """A query that skips locked rows joins another table and doesn't say which of the two it means to lock.

    The database locks the joined rows as well. The first worker holds the queue, customer or account that its jobs
    belong to, so the next one skips every job of the same queue and finds nothing, though they all wait.

    Bad:

        from sqlalchemy import select

        from app.models import Job, Queue

        def claim(session, name, n):
            query = select(Job).join(Queue).where(Queue.name == name, Job.status == "queued").limit(n)
            return session.scalars(query.with_for_update(skip_locked=True)).all()

    Bad:

        from django.db import transaction

        from app.models import Job

        @transaction.atomic
        def claim(n):
            jobs = Job.objects.select_for_update(skip_locked=True).filter(status="queued", queue__paused=False)[:n]
            for job in jobs:
                job.status = "running"
                job.save()

    Good:

        from sqlalchemy import select

        from app.models import Job, Queue

        def claim(session, name, n):
            query = select(Job).join(Queue).where(Queue.name == name, Job.status == "queued").limit(n)
            return session.scalars(query.with_for_update(skip_locked=True, of=Job)).all()

    Good:

        from django.db import transaction

        from app.models import Job

        @transaction.atomic
        def claim(n):
            query = Job.objects.select_for_update(skip_locked=True, of=("self",))
            for job in query.filter(status="queued", queue__paused=False)[:n]:
                job.status = "running"
                job.save()

    Known limits:
        A join is one of `join`, `outerjoin`, `joinedload`, Django's `select_related`, and a lookup or order of Django
        that spans a relation (`queue__paused=False`); those into a document (`data__key=`) are known by the column's
        name. What the mapping itself loads eagerly isn't seen, and neither is a lock taken by a helper.
    """

    code = "CNC306"
    name = "skip-locked-locks-the-join"
    message = (
        "the rows that {join} joins are locked too, so the next worker skips every row that shares one with a row in "
        "work: say which to lock, {remedy}"
    )
    gate = Gate(anchors=LOCKING, asks=asks_skipping, answers=answers_lock)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lock in self.file.joined_locks.of(self.file.definitions.functions[node]):
            model = lock.model if lock.model != "Model" else "the model"
            remedy = 'of=("self",)' if lock.query.name == DJANGO_LOCK else f"of={model}"
            self.report(lock.query.call, join=lock.joined, remedy=remedy)
