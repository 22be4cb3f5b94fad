"""CNC714 unknown-task-name."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.beat_shapes import NAMING, answers_names, asks_names, speaks_of_names
from flake8_concurrency.model.task_shapes import ROUTES
from flake8_concurrency.rule import Gate, Rule


class UnknownTaskName(Rule):
    """A string names a task that the module has not got: in a beat entry, a route or `send_task`.

    What is sent by that name is thrown away by the worker with a line in its log, and a route by that name never
    applies. A task that was renamed is the usual reason.

    Bad:

        from celery import Celery

        app = Celery("app")
        app.conf.beat_schedule = {
            "report": {"task": "app.tasks.report", "schedule": 7200.0},
            "clean": {"task": "app.tasks.cleanup", "schedule": 7200.0},
        }

        @app.task
        def report():
            return 1

        @app.task
        def clean():
            return 2

    Good:

        from celery import Celery

        app = Celery("app")
        app.conf.beat_schedule = {
            "report": {"task": "app.tasks.report", "schedule": 7200.0},
            "clean": {"task": "app.tasks.clean", "schedule": 7200.0},
        }

        @app.task
        def report():
            return 1

        @app.task
        def clean():
            return 2

    Known limits:
        Only names of tasks of the same file are checked: at least as many others with the same module must name tasks
        of the file, which tells that it is this module. Silent are names that the file binds otherwise, files with
        `import *`, and files with a task whose `name=` is no literal.
    """

    code = "CNC714"
    name = "unknown-task-name"
    message = (
        '"{task}" names no task of this module, so a worker throws away what is sent by that name: write the name of '
        "one that is there, or pass name= to the task"
    )
    gate = Gate(anchors=NAMING, asks=asks_names, answers=answers_names, keeps=ROUTES, speaks=speaks_of_names)
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for named in self.file.beat.unknown:
            self.report(named.node, task=named.name)
