"""CNC701 task-without-queue."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.task_queues import QUEUE_OPTIONS
from flake8_concurrency.model.task_shapes import ROUTES, answers_queue_of_task, asks_task
from flake8_concurrency.rule import Gate, Rule


class TaskWithoutQueue(Rule):
    """A task names no queue, while the other tasks of the file name theirs.

    It lands on the default queue: where no worker listens to that it never runs, and where one does it waits behind, or
    holds up, everything that was left there.

    Bad:

        from celery import shared_task

        @shared_task(queue="reports")
        def build(pk):
            return pk

        @shared_task(queue="reports")
        def publish(pk):
            return pk

        @shared_task
        def archive(pk):
            return pk

    Good:

        from celery import shared_task

        @shared_task(queue="reports")
        def build(pk):
            return pk

        @shared_task(queue="reports")
        def publish(pk):
            return pk

        @shared_task(queue="reports")
        def archive(pk):
            return pk

    Good:

        from celery import Celery

        from flake8_concurrency.runtime import TaskQueues

        app = Celery("reports")
        queues = TaskQueues("schedule", "execution", routes={"plan.*": "schedule", "run.*": "execution"})
        queues.install(app)

    Known limits:
        Reported where at least twice as many tasks of the file name a queue as name none, and none of them names the
        default one. Routes in the settings of another file are not seen: where tasks are routed by their names, none
        should name a queue. Silent are files that speak of `task_routes`, tasks of another decorator or base class than
        the others', one whose every call in the file passes `queue=`, and error callbacks by their names, which Celery
        runs where the other task failed.
    """

    code = "CNC701"
    name = "task-without-queue"
    message = (
        "{task} names no queue, while {count} other tasks here name theirs ({queues}), and lands on the default queue: "
        "pass queue=, or route all by name with task_routes or flake8_concurrency.runtime.TaskQueues"
    )
    gate = Gate(
        anchors=frozenset(QUEUE_OPTIONS),
        context=(frozenset(QUEUE_OPTIONS),),
        asks=asks_task,
        answers=answers_queue_of_task,
        keeps=ROUTES,
    )
    quiet = True

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for found in self.file.unrouted_tasks.all():
            queues = ", ".join(found.queues)
            self.report(found.task.node, task=found.task.name, count=found.others, queues=queues)
