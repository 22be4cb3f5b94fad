"""CNC708 unknown-queue."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.beat_shapes import answers_names, asks_queues, speaks_of_queues
from flake8_concurrency.model.declared_queues import DEFAULTS, MAKER, SETTINGS
from flake8_concurrency.model.task_shapes import QUEUES
from flake8_concurrency.rule import Gate, Rule


class UnknownQueue(Rule):
    """Something is sent to a queue that is not among those the file configures.

    The broker makes a queue by that name, no worker listens to it, and what is sent there waits for ever: a mistyped
    name is an error that nobody sees.

    Bad:

        from celery import Celery
        from kombu import Queue

        app = Celery("app")
        app.conf.task_queues = [Queue("schedule"), Queue("execution")]

        @app.task(queue="exection")
        def run(pk):
            return pk

    Good:

        from celery import Celery
        from kombu import Queue

        app = Celery("app")
        app.conf.task_queues = [Queue("schedule"), Queue("execution")]

        @app.task(queue="execution")
        def run(pk):
            return pk

    Good:

        from celery import Celery

        from flake8_concurrency.runtime import TaskQueues

        app = Celery("reports")
        queues = TaskQueues("schedule", "execution", routes={"plan.*": "schedule", "run.*": "execution"})
        queues.install(app)

    Known limits:
        Silent unless the file itself lists the queues, all as literals: in `task_queues` or a TaskQueues. The default
        queue is one of them. Names that are computed are not looked at.
    """

    code = "CNC708"
    name = "unknown-queue"
    message = (
        '"{queue}" is none of the queues that are configured here ({known}), so no worker listens to it: write one of '
        "those, or add it; flake8_concurrency.runtime.TaskQueues refuses unknown ones"
    )
    gate = Gate(
        anchors=SETTINGS | DEFAULTS | {MAKER},
        asks=asks_queues,
        answers=answers_names,
        keeps=QUEUES,
        speaks=speaks_of_queues,
    )
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for sent in self.file.declared_queues.unknown:
            self.report(sent.node, queue=sent.queue, known=", ".join(sorted(self.file.declared_queues.known)))
