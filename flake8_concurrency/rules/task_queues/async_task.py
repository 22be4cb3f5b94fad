"""CNC709 async-task."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.task_shapes import ASYNC_CLASS, DECORATING, answers_task, asks_coroutine, speaks_of_celery
from flake8_concurrency.rule import Gate, Rule


class AsyncTask(Rule):
    """A coroutine function is a task of Celery, which calls it and never awaits what comes out.

    Nothing of its body runs. The task fails when its result, a coroutine, can't be stored, or counts as done where
    results are ignored.

    Bad:

        from celery import shared_task

        from app.mail import deliver

        @shared_task(ignore_result=True)
        async def send(address):
            await deliver(address)

    Good:

        import asyncio

        from celery import shared_task

        from app.mail import deliver

        @shared_task(ignore_result=True)
        def send(address):
            asyncio.run(deliver(address))

    Good:

        from asgiref.sync import async_to_sync
        from celery import shared_task

        from app.mail import deliver

        @shared_task
        @async_to_sync
        async def send(address):
            await deliver(address)

    Known limits:
        Only Celery is meant: RQ, dramatiq, arq, taskiq and procrastinate run coroutines. Silent are tasks with another
        decorator below the task's, with a base or a class in the file that speaks of async, and files that import one
        of the packages that let Celery run coroutines. A Celery of the project's own that does so in another file is
        not seen.
    """

    code = "CNC709"
    name = "async-task"
    message = (
        "Celery calls {task} and never awaits it, so nothing of it runs: make it a def that calls asyncio.run(...), or "
        "put asgiref's async_to_sync below the task's decorator"
    )
    gate = Gate(
        anchors=DECORATING,
        asks=asks_coroutine,
        answers=answers_task,
        keeps=ASYNC_CLASS,
        speaks=speaks_of_celery,
        nearest=True,
    )
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for task in self.file.tasks.all:
            if self.file.task_options.is_never_awaited(task) and task.function is not None:
                self.report(task.function.node, task=task.name)
