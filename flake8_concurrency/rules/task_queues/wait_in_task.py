"""CNC705 wait-in-task."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CELERY
from flake8_concurrency.model.task_shapes import WAITING, answers_wait, asks_wait, speaks_of_waits
from flake8_concurrency.rule import Gate, Rule


class WaitInTask(Rule):
    """A task waits for the result of another task.

    It holds its worker while it waits. When all workers run such tasks, the ones that they wait for are never begun,
    and nothing moves any more. Celery raises RuntimeError instead.

    Bad:

        from celery import shared_task

        @shared_task
        def load(url):
            return url

        @shared_task
        def report(url):
            return load.delay(url).get(timeout=60)

    Bad:

        from celery import group, shared_task

        from app.tasks import load

        @shared_task
        def report(urls):
            result = group(load.s(url) for url in urls)()
            return sum(result.join())

    Good:

        from celery import chord, shared_task

        from app.tasks import load

        @shared_task
        def add(found):
            return sum(found)

        @shared_task
        def report(urls):
            chord(load.s(url) for url in urls)(add.s())

    Known limits:
        A wait is seen in a task and in the functions of the file that it calls (of a task that is a class, in `run`
        alone). `disable_sync_subtasks=False` and `allow_join_result()` say that it is meant, which takes workers enough
        on another queue, and are silent. For dramatiq `get_result(block=True)` is meant, for Huey `get(blocking=True)`.
    """

    code = "CNC705"
    name = "wait-in-task"
    message = (
        "{task} waits for another task and holds its worker meanwhile{raises}: let the other go on with a chain, a "
        "chord or a callback, or call it as a function"
    )
    gate = Gate(anchors=WAITING, asks=asks_wait, answers=answers_wait, speaks=speaks_of_waits, nearest=True)
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for wait in self.file.task_waits.all:
            raises = ", where Celery raises RuntimeError" if wait.task.library == CELERY else ""
            self.report(wait.node, task=wait.task.name, raises=raises)
