"""CNC706 unlimited-retry."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.task_shapes import DECORATING, answers_task, asks_retries, speaks_of_retries
from flake8_concurrency.rule import Gate, Rule


class UnlimitedRetry(Rule):
    """A task is retried without end.

    What can never succeed, because its row is gone or its input is wrong, is tried again for ever; with every such
    task the queue has more of them, until the workers do nothing else.

    Bad:

        from celery import shared_task

        from app.mail import MailError, deliver

        @shared_task(bind=True, max_retries=None)
        def send(self, address):
            try:
                deliver(address)
            except MailError as error:
                raise self.retry(exc=error)

    Bad:

        import dramatiq

        from app.mail import deliver

        @dramatiq.actor(max_retries=None)
        def send(address):
            deliver(address)

    Good:

        from celery import shared_task

        from app.mail import MailError, deliver

        @shared_task(bind=True, max_retries=10, retry_backoff=True)
        def send(self, address):
            try:
                deliver(address)
            except MailError as error:
                raise self.retry(exc=error)

    Known limits:
        Celery's default is three retries and dramatiq's twenty; only an explicit None is reported, and for
        procrastinate `retry=True` or a RetryStrategy without `max_attempts`, which mean the same. A task of Celery must
        retry when something was raised (one that retries otherwise waits for something, or comes again at its own
        pace); one that asks how often it was tried (`self.request.retries`, a parameter `attempt`), that passes
        `max_retries` with the retry or that has `expires` is silent, as is one of dramatiq with `max_age` or
        `retry_when`.
    """

    code = "CNC706"
    name = "unlimited-retry"
    message = (
        "{task} is retried for ever: what can never succeed comes back until the workers do nothing else; pass "
        "{limit}, with a growing delay"
    )
    gate = Gate(anchors=DECORATING, asks=asks_retries, answers=answers_task, speaks=speaks_of_retries, nearest=True)
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for task in self.file.tasks.all:
            said = self.file.task_options.unlimited(task)
            if said is not None:
                limit = "max_attempts=10" if task.library == "procrastinate" else "max_retries=10"
                self.report(said, task=task.name, limit=limit)
