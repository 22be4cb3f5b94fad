"""CNC304 claim-without-skip-locked."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.shapes import CLAIMING, KEEPS, answers_claim, asks_claim, asks_own_claim
from flake8_concurrency.model.vocabulary import FILTERS, HOOKS, speaks_of_rows
from flake8_concurrency.rule import Gate, Rule


class ClaimWithoutSkipLocked(Rule):
    """Rows are chosen by their state and then taken, and no lock keeps a second worker from the same rows.

    Two workers that run the query at once get the same rows, and each of them works on all of them: every mail goes out
    twice, every payment is made twice.

    Bad:

        from app.models import Job

        def claim(n):
            jobs = list(Job.objects.filter(status="queued").order_by("created")[:n])
            for job in jobs:
                job.status = "running"
                job.save()
            return jobs

    Bad:

        from sqlalchemy import select, update

        from app.models import Job

        def claim(session, n):
            ids = session.scalars(select(Job.id).where(Job.status == "queued").limit(n)).all()
            session.execute(update(Job).where(Job.id.in_(ids)).values(status="running"))
            session.commit()
            return ids

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

        from sqlalchemy import select

        from app.models import Job

        def claim(session, n):
            query = select(Job).where(Job.status == "queued").order_by(Job.id).limit(n)
            jobs = session.scalars(query.with_for_update(skip_locked=True)).all()
            for job in jobs:
                job.status = "running"
            session.commit()
            return jobs

    Good:

        from app.models import Job
        from flake8_concurrency.runtime.django import claim_batch, complete

        def work(perform):
            queued = Job.objects.filter(status="queued")
            claim = claim_batch(queued, limit=10, lease=60, max_attempts=5, order_by="id")
            for job in claim:
                perform(job)
            complete(claim, values={"status": "done"})

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
        A state is a test against a constant (`status="new"`, `sent_at__isnull=True`), and the batch is one with a limit
        or slice, or with an order and no owner (`order=order`). Rows that are only handed to a task or deleted count
        when the column is called after a state and there is a limit. Any lock taken before the rows are moved is
        silence, and so is an UPDATE that asks for the state again.
    """

    code = "CNC304"
    name = "claim-without-skip-locked"
    message = (
        "rows chosen by {state} are {how} on line {line} without a lock, so two workers take the same ones: use "
        "{remedy}, or flake8_concurrency.runtime.claim_batch"
    )
    gate = Gate(
        anchors=FILTERS,
        asks=asks_claim,
        inner=asks_own_claim,
        answers=answers_claim,
        hooks=HOOKS,
        where=CLAIMING,
        keeps=KEEPS,
        speaks=speaks_of_rows,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        reported = {finding.node for finding in self.findings}
        for claim in self.file.claims.of(self.file.definitions.functions[node]):
            if claim.node not in reported:
                lock = ".select_for_update" if claim.read.orm == DJANGO else ".with_for_update"
                self.report(
                    claim.node,
                    state=claim.state,
                    how=claim.how,
                    line=self.file.line(claim.taken),
                    remedy=f"{lock}(skip_locked=True)",
                )
