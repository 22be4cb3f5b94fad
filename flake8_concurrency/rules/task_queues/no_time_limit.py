"""CNC707 no-time-limit."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.task_shapes import DECORATING, LIMITS, answers_task, asks_timeless, speaks_of_limits
from flake8_concurrency.rule import Gate, Rule


class NoTimeLimit(Rule):
    """A task of Celery may run for ever.

    One that hangs, in a call without a timeout or an endless loop, keeps its worker from everything else until somebody
    restarts it; a few of them, and the queue stands still.

    Bad:

        from celery import shared_task

        from app.reports import build, mail

        @shared_task
        def report(pk):
            build(pk)

        @shared_task(soft_time_limit=30, time_limit=60)
        def send(pk):
            mail(pk)

    Good:

        from celery import shared_task

        from app.reports import build

        @shared_task(soft_time_limit=540, time_limit=600)
        def report(pk):
            build(pk)

    Known limits:
        Opt-in: most projects limit all tasks in their settings (`task_time_limit`), which another file has. Reported
        only where another task of the file has a limit of its own. Silent are tasks with a base class, files that speak
        of such a setting, and tasks whose every call in the file passes a limit. Dramatiq's and RQ's tasks have a limit
        by default.
    """

    code = "CNC707"
    name = "no-time-limit"
    message = "{task} may run for ever and keep its worker: pass soft_time_limit and time_limit, or set task_time_limit"
    gate = Gate(
        anchors=DECORATING,
        asks=asks_timeless,
        answers=answers_task,
        keeps=LIMITS,
        speaks=speaks_of_limits,
        nearest=True,
    )
    enabled = False
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for task in self.file.tasks.all:
            if self.file.task_options.is_timeless(task):
                self.report(task.node, task=task.name)
