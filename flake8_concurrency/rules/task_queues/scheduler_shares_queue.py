"""CNC702 scheduler-shares-queue."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CANVAS, QUEUE_OPTIONS
from flake8_concurrency.model.dispatch_shapes import DISPATCHING, answers_queue, asks_queue, speaks_of_tasks
from flake8_concurrency.rule import Gate, Rule


class SchedulerSharesQueue(Rule):
    """A task that schedules others runs on the very queue it puts them on.

    Work that takes long fills the queue, and the next round of scheduling waits behind it: nothing new is started, not
    even on idle workers of other queues, and the rounds of the beat pile up until they all run at once.

    Bad:

        from celery import shared_task

        from app.models import Report

        @shared_task(queue="reports")
        def poll_reports():
            for report in Report.objects.filter(due=True):
                build_report.delay(report.pk)

        @shared_task(queue="reports")
        def build_report(pk):
            Report.objects.get(pk=pk).build()

    Good:

        from celery import shared_task

        from app.models import Report

        @shared_task(queue="schedule")
        def poll_reports():
            for report in Report.objects.filter(due=True):
                build_report.delay(report.pk)

        @shared_task(queue="execution")
        def build_report(pk):
            Report.objects.get(pk=pk).build()

    Good:

        from celery import Celery

        from flake8_concurrency.runtime import TaskQueues

        app = Celery("reports")
        queues = TaskQueues("schedule", "execution", routes={"plan.*": "schedule", "run.*": "execution"})
        queues.install(app)

    Known limits:
        Both queues must be named in the file, at the task or where it is sent, and not be the default queue. A task
        schedules others when the file gives it to the beat (`periodic_task`, `add_periodic_task`, a beat schedule) or
        its name says so (poll, schedule, due, nightly). A task that sends itself again, and workflows (`chain`,
        `group`, `chord`), are silence; so is what `task_routes` decides.
    """

    code = "CNC702"
    name = "scheduler-shares-queue"
    message = (
        '{scheduler} runs on the queue "{queue}" and puts {sent} on it, so scheduling waits behind the work it starts: '
        'give it a queue and a worker of its own (queue="schedule"), or route both with '
        "flake8_concurrency.runtime.TaskQueues"
    )
    gate = Gate(
        anchors=frozenset(QUEUE_OPTIONS) | {"job"},
        asks=asks_queue,
        answers=answers_queue,
        where=DISPATCHING | CANVAS,
        speaks=speaks_of_tasks,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for shared in self.file.shared_queues.of(self.file.definitions.functions[node]):
            self.report(shared.dispatch.call, scheduler=shared.scheduler.name, queue=shared.queue, sent=shared.sent)
