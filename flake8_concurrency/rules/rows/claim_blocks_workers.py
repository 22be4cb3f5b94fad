"""CNC305 claim-blocks-workers."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.lock_shapes import LOCKING
from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.shapes import CLAIMING, KEEPS, answers_claim, asks_claim, asks_own_claim
from flake8_concurrency.model.vocabulary import FILTERS, HOOKS
from flake8_concurrency.rule import Gate, Rule


class ClaimBlocksWorkers(Rule):
    """Some of the waiting rows are claimed under a lock that waits for the rows that another worker has just locked.

    All workers ask for the same first rows, so each waits for the one before it, however many there are. When the lock
    is free at last the rows are no longer waiting, and the query that waited comes back with fewer, or with none.

    Bad:

        from django.db import transaction

        from app.models import Job

        @transaction.atomic
        def claim(n):
            jobs = list(Job.objects.select_for_update().filter(status="queued").order_by("created")[:n])
            for job in jobs:
                job.status = "running"
                job.save()
            return jobs

    Bad:

        from sqlalchemy import select

        from app.models import Job

        def claim(session, n):
            query = select(Job).where(Job.status == "queued").order_by(Job.id).limit(n)
            jobs = session.scalars(query.with_for_update()).all()
            for job in jobs:
                job.status = "running"
            session.commit()
            return jobs

    Good:

        from django.db import transaction

        from app.models import Job

        @transaction.atomic
        def claim(n):
            jobs = list(Job.objects.select_for_update(skip_locked=True).filter(status="queued").order_by("created")[:n])
            for job in jobs:
                job.status = "running"
                job.save()
            return jobs

    Good:

        from app.models import Job
        from flake8_concurrency.runtime import claim_batch, complete

        def work(session, perform):
            queued = [Job.status == "queued"]
            with session.begin():
                claim = claim_batch(session, Job, limit=10, lease=60, max_attempts=5, order_by=Job.id, where=queued)
            for job in claim:
                perform(job)
            with session.begin():
                complete(session, claim, values={"status": "done"})

    Known limits:
        A claim is what CNC304 takes for one, with a limit, a slice or `first()`, and a lock that stands in the query's
        own chain. Rows that are named by a key or belong to one owner (`order=order`) must wait for each other, and so
        must a set that is moved as a whole. Silent where the function has the lock in its other form too (`skip_locked`
        where the database can), where it passes options that aren't written there, and under any other lock.
    """

    code = "CNC305"
    name = "claim-blocks-workers"
    message = (
        "rows chosen by {state} are {how} on line {line} under a lock that waits, so all workers queue for the same "
        "rows and find them gone: use {remedy}, or flake8_concurrency.runtime.claim_batch"
    )
    gate = Gate(
        anchors=FILTERS,
        context=(LOCKING,),
        asks=asks_claim,
        inner=asks_own_claim,
        answers=answers_claim,
        hooks=HOOKS,
        where=CLAIMING,
        keeps=KEEPS,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        reported = {finding.node for finding in self.findings}
        for claim in self.file.locked_claims.of(self.file.definitions.functions[node]):
            if claim.node not in reported:
                lock = ".select_for_update" if claim.read.orm == DJANGO else ".with_for_update"
                self.report(
                    claim.node,
                    state=claim.state,
                    how=claim.how,
                    line=self.file.line(claim.taken),
                    remedy=f"{lock}(skip_locked=True)",
                )
