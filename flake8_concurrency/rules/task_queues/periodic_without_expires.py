"""CNC715 periodic-without-expires."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.beat_shapes import NAMING, answers_names, asks_names, speaks_of_names
from flake8_concurrency.model.task_shapes import ROUTES
from flake8_concurrency.rule import Gate, Rule


class PeriodicWithoutExpires(Rule):
    """A task is sent every few minutes and never expires.

    While no worker takes it, a new one is put beside the old ones each time; when the workers are back they run the
    same thing a hundred times, before anything else.

    Bad:

        from celery import Celery

        app = Celery("app")
        app.conf.beat_schedule = {"poll": {"task": "app.tasks.poll", "schedule": 60.0}}

    Good:

        from celery import Celery

        app = Celery("app")
        app.conf.beat_schedule = {
            "poll": {"task": "app.tasks.poll", "schedule": 60.0, "options": {"expires": 60}},
        }

    Known limits:
        Opt-in: many a task may well be late, and a queue that is watched never fills. Meant is what comes more often
        than once an hour, where the file shows that; a task with `expires` of its own must be in the file.
    """

    code = "CNC715"
    name = "periodic-without-expires"
    message = (
        "this is sent again and again while no worker takes it, and then all of it is run: pass expires, as long as "
        "the time to the next"
    )
    gate = Gate(anchors=NAMING, asks=asks_names, answers=answers_names, keeps=ROUTES, speaks=speaks_of_names)
    enabled = False
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for entry in self.file.beat.endless:
            self.report(entry.node)
