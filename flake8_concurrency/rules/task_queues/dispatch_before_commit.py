"""CNC703 dispatch-before-commit."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CANVAS
from flake8_concurrency.model.before_commit import DJANGO
from flake8_concurrency.model.dispatch_shapes import DISPATCHING, ENDING, answers_end, asks_end, speaks_of_tasks
from flake8_concurrency.model.early_dispatches import EarlyDispatch
from flake8_concurrency.rule import Gate, Rule


class DispatchBeforeCommit(Rule):
    """A task is handed to the broker while the transaction that writes its rows is still open.

    A worker may start it before the commit: the row is not there yet, or is still the old one, and the task fails or
    does its work on what was. After a rollback it runs although nothing happened. It shows under load, and never in
    tests, which have one connection and often no worker.

    Bad:

        from django.db import transaction

        from app.models import Order
        from app.tasks import send_receipt

        def place(customer, items):
            with transaction.atomic():
                order = Order.objects.create(customer=customer)
                order.items.set(items)
                send_receipt.delay(order.pk)
            return order

    Bad:

        from django.db.models.signals import post_save
        from django.dispatch import receiver

        from app.models import Order
        from app.tasks import index_order

        @receiver(post_save, sender=Order)
        def order_saved(sender, instance, **kwargs):
            index_order.apply_async(args=(instance.pk,))

    Bad:

        from app.models import Job
        from app.tasks import run_job

        def create_job(session, name):
            job = Job(name=name)
            session.add(job)
            session.flush()
            run_job.delay(job.id)
            session.commit()

    Good:

        from django.db import transaction
        from django.db.models.signals import post_save
        from django.dispatch import receiver

        from app.models import Order
        from app.tasks import index_order, send_receipt

        def place(customer, items):
            with transaction.atomic():
                order = Order.objects.create(customer=customer)
                order.items.set(items)
                transaction.on_commit(lambda: send_receipt.delay(order.pk))
            return order

        @receiver(post_save, sender=Order)
        def order_saved(sender, instance, **kwargs):
            index_order.delay_on_commit(instance.pk)

    Good:

        from app.models import Job
        from app.tasks import run_job

        def create_job(session, name):
            job = Job(name=name)
            session.add(job)
            session.commit()
            run_job.delay(job.id)

    Known limits:
        Receivers of Django's signals about rows and `save` or `delete` of a model are meant wherever they send a task:
        the admin saves everything in a transaction, and so may any other caller. Outside of one `on_commit` runs what
        it is given at once. Views count only where the file shows a transaction, for ATOMIC_REQUESTS is a setting, and
        helpers only where a caller in the same file has one. A task of another file may have a base class that sends it
        after the commit, which only that file shows: write that on the line. Silent are tasks of such a class in this
        file, `delay_on_commit`, procrastinate, whose jobs are rows of the same transaction, what is sent in an
        `except` that raises, and what is sent for later (`eta`, a countdown of a minute or more).
    """

    code = "CNC703"
    name = "dispatch-before-commit"
    message = "{call} is sent {where}: a worker may run it before the commit, or after a rollback; {remedy}"
    gate = Gate(anchors=ENDING, asks=asks_end, answers=answers_end, where=DISPATCHING | CANVAS, speaks=speaks_of_tasks)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for early in self.file.early_dispatches.of(self.file.definitions.functions[node]):
            self.report(early.dispatch.call, call=early.dispatch.name, where=early.place.says, remedy=_remedy(early))


def _remedy(early: EarlyDispatch) -> str:
    if early.place.orm == DJANGO:
        return "use transaction.on_commit(...)"
    return "send it after the commit"
