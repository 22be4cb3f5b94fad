"""Task queues: what makes a function a task, what hands one to a broker, and what waits for the commit with that.

Checked against the sources of celery 5.7, rq 3.0, django-rq 4.2, dramatiq 2.2, huey 3.5, procrastinate 3.10, arq 0.28,
taskiq 0.13 and django-tasks 0.12.
"""

from __future__ import annotations

CELERY, RQ, DRAMATIQ, HUEY = "celery", "rq", "dramatiq", "huey"
PROCRASTINATE, ARQ, TASKIQ, DJANGO, DJANGO_Q = "procrastinate", "arq", "taskiq", "django", "django_q"

#: Decorators by their dotted name.
DECORATORS: dict[str, str] = {
    **dict.fromkeys(
        """celery.shared_task celery.app.shared_task celery.task celery.task.task celery.task.periodic_task
        celery.decorators.task celery.decorators.periodic_task""".split(),
        CELERY,
    ),
    **dict.fromkeys("rq.job rq.decorators.job django_rq.job django_rq.decorators.job".split(), RQ),
    **dict.fromkeys("dramatiq.actor dramatiq.actor.actor".split(), DRAMATIQ),
    **{
        f"huey.contrib.djhuey.{name}": HUEY
        for name in "task periodic_task db_task db_periodic_task on_commit_task context_task".split()
    },
    **dict.fromkeys("django.tasks.task django_tasks.task".split(), DJANGO),
    "taskiq.async_shared_broker.task": TASKIQ,
    "procrastinate.contrib.django.app.task": PROCRASTINATE,
    "procrastinate.contrib.django.app.periodic": PROCRASTINATE,
}
#: Decorators that are methods of an application, a broker or a blueprint: `@app.task`.
METHODS = frozenset("task periodic_task actor job db_task db_periodic_task periodic on_commit_task".split())
#: Decorators by their last name, whoever gives them.
NAMED: dict[str, str] = {"shared_task": CELERY, "actor": DRAMATIQ, "db_task": HUEY, "db_periodic_task": HUEY}
#: What makes the object that such a decorator is a method of.
MAKERS: dict[str, str] = {
    "celery.Celery": CELERY, "celery.app.base.Celery": CELERY, "celery.current_app": CELERY,
    **{f"huey.{name}": HUEY for name in """Huey RedisHuey PriorityRedisHuey RedisExpireHuey PriorityRedisExpireHuey
       SqliteHuey FileHuey MemoryHuey BlackHoleHuey""".split()},
    "huey.contrib.djhuey.HUEY": HUEY,
    "procrastinate.App": PROCRASTINATE, "procrastinate.Blueprint": PROCRASTINATE,
    "procrastinate.contrib.django.app": PROCRASTINATE,
    "taskiq.InMemoryBroker": TASKIQ, "taskiq.ZeroMQBroker": TASKIQ, "taskiq.async_shared_broker": TASKIQ,
}  # fmt: skip
#: The same where only a word in the name of that object, or in the module it is imported from, tells.
WORDS: dict[str, str] = {
    "celery": CELERY, "huey": HUEY, "procrastinate": PROCRASTINATE, "taskiq": TASKIQ, "dramatiq": DRAMATIQ, "rq": RQ,
}  # fmt: skip
#: Packages whose import tells the library of everything in the file that has none of its own.
PACKAGES: dict[str, str] = {
    **{library: library for library in (CELERY, RQ, DRAMATIQ, HUEY, PROCRASTINATE, ARQ, TASKIQ)},
    "django_rq": RQ, "django_tasks": DJANGO, "django_q": DJANGO_Q, "django_dramatiq": DRAMATIQ, "djhuey": HUEY,
    "taskiq_redis": TASKIQ, "taskiq_aio_pika": TASKIQ, "django_celery_beat": CELERY, "kombu": CELERY,
}  # fmt: skip

#: Base classes of tasks that are classes.
TASK_CLASSES = frozenset(
    """celery.Task celery.app.task.Task celery.task.Task celery.task.base.Task celery.contrib.django.task.DjangoTask
    dramatiq.GenericActor""".split()
)

#: Methods of a task that hand it to the broker, with how they take what the task is given: `plain` as their own
#: arguments, `packed` in `args` and `kwargs`.
SENDING: dict[str, str] = {
    "delay": "plain", "delay_on_commit": "plain", "kiq": "plain", "defer": "plain", "defer_async": "plain",
    "send": "plain", "aenqueue": "plain",
    "apply_async": "packed", "apply_async_on_commit": "packed", "send_with_options": "packed", "schedule": "packed",
}  # fmt: skip
#: Methods that take the task as their first argument, or as the argument after so many others.
ENQUEUING: dict[str, int] = {
    "enqueue": 0, "enqueue_call": 0, "enqueue_job": 0, "send_task": 0, "enqueue_at": 1, "enqueue_in": 1,
    "async_task": 0,
}  # fmt: skip
#: Those among them that take what the task is given in `args` and `kwargs` only.
PACKED = frozenset({"enqueue_call", "send_task"})
#: Methods of no other class: whatever they are called on, a task is sent.
UNMISTAKABLE = frozenset("kiq send_with_options apply_async_on_commit delay_on_commit".split())
#: Those that wait for the commit by themselves.
AFTER_COMMIT = frozenset({"delay_on_commit", "apply_async_on_commit"})
#: Functions that enqueue, by their dotted name.
FUNCTIONS = frozenset(
    """django_rq.enqueue django_rq.queues.enqueue django_q.tasks.async_task django_q.brokers.enqueue
    ckan.plugins.toolkit.enqueue_job ckan.lib.jobs.enqueue""".split()
)

#: Parts of a workflow: `task.s(1)`; and what makes one of them, which is sent when it is called or `apply_async`ed.
SIGNATURES = frozenset("s si signature subtask".split())
CANVAS = frozenset("chain group chord chunks xmap starmap".split())
#: What gives back a signature with other options.
SETTING = frozenset(
    "set clone link link_error on_error options with_options kicker with_labels configure using".split()
)

#: Keywords and parameters that name a task's queue.
QUEUE_OPTIONS = ("queue", "queue_name", "_queue_name")
#: Where everything goes that names no queue: to name it again separates nothing.
DEFAULT_QUEUES = frozenset({"celery", "default", "arq:queue"})
#: Words in the names of tasks that are there to start others.
SCHEDULING_WORDS = frozenset(
    """poll poller polling schedule scheduler schedules scheduling beat dispatch dispatcher tick sweep sweeper due
    periodic cron hourly daily nightly weekly enqueue plan planner orchestrate orchestrator""".split()
)
#: Words in the name of what `enqueue` is called on.
QUEUE_WORDS = frozenset("queue queues rq scheduler arq broker q jobs job tasks task worker".split())
#: Words in the names of modules that hold tasks.
TASK_MODULES = frozenset(
    "task tasks celery celery_tasks job jobs worker workers actor actors background async_tasks crons cron rq".split()
)
#: Methods that signals, sockets and querysets have too.
COMMON = frozenset({"send", "schedule", "defer", "defer_async"})
#: There a task is known by the library, or by the module it is imported from.
SENDERS = (DRAMATIQ, PROCRASTINATE, HUEY)
SENDER_MODULES = ("tasks", "actors")
#: Words in the name of what is a task.
TASK_WORDS = frozenset("task tasks job jobs actor worker".split())
#: Words in the name of what has an `apply_async` or `delay` of its own that is no task's.
OTHERS = frozenset("pool pools executor mp multiprocessing pygame time timer robot arduino animation tween".split())
#: Words in the name of a class of tasks that are sent only when the transaction is over.
COMMIT_WORDS = frozenset({"transaction", "transactional", "commit", "committed", "atomic"})
#: In the name of what runs a callable after the commit: `transaction.on_commit`, the project's own wrapper of it.
ON_COMMIT = ("on_commit", "oncommit", "after_commit", "post_commit", "run_on_commit")

#: Context managers and decorators of projects that begin a transaction, by their whole name, wherever they are from.
ATOMIC_NAMES = frozenset(
    """atomic_transaction transaction_atomic traced_atomic_transaction transactional atomic_block atomic_commit
    db_atomic atomic_if_not_in_transaction write_transaction session_scope transaction_scope xact
    create_revision""".split()
)
#: What a transaction is committed on, besides sessions and connections.
UNITS_OF_WORK = frozenset("uow unit_of_work unitofwork tx txn trans".split())
#: Django's signals about rows, sent while whoever saves or deletes may still be in a transaction.
ROW_SIGNALS = frozenset("pre_save post_save pre_delete post_delete m2m_changed".split())
#: Parameters that only a receiver of one of these has: that tells where it is connected in another file.
SIGNAL_PARAMS = frozenset("created update_fields raw using origin pk_set reverse".split())
#: SQLAlchemy's events about rows and sessions that come before the commit.
ROW_EVENTS = frozenset(
    """before_insert after_insert before_update after_update before_delete after_delete before_flush after_flush
    after_flush_postexec before_commit""".split()
)
#: Methods of a Django model that write a row.
MODEL_METHODS = frozenset("save delete asave adelete save_base".split())
#: Methods of a `ModelAdmin` that Django runs in a transaction (its `changeform_view` and `delete_view` are atomic).
ADMIN_METHODS = frozenset(
    """save_model delete_model save_formset save_related save_form response_add response_change response_delete
    log_change log_addition log_deletion construct_change_message""".split()
)
#: Methods of a session that prepare a write, or send one.
SESSION_WRITES = frozenset("add add_all merge delete flush bulk_save_objects bulk_insert_mappings".split())
#: Somebody who delays a task this many seconds or more means it to come later, not to give the commit time.
LATER = 60
#: What tells that a function asks whether it is in a transaction.
ASKING = frozenset("in_atomic_block get_autocommit in_transaction".split())
