"""What is a task, which one an expression means, and what a call hands to a broker."""

from __future__ import annotations

import textwrap

import libcst as cst
import pytest

from flake8_concurrency.model.dispatches import Dispatch
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.tasks import Task
from tests.model_probe import model, probes


def tasks(source: str) -> dict[str, tuple[str, str]]:
    """The tasks of a source by name, each with its library and its queue."""
    return {task.name: (task.library, task.queue) for task in model(source).tasks.all}


def dispatch(source: str) -> Dispatch | None:
    """What the only probe of a source hands to a broker."""
    file = model(source)
    (node,) = probes(file)
    return file.tasks.dispatch(node) if isinstance(node, cst.Call) else None


def meant(source: str) -> Task | None:
    """The task that the only probe of a source means."""
    file = model(source)
    (node,) = probes(file)
    return file.tasks.meant(node)


DECORATED = {
    "from celery import shared_task\n@shared_task": ("celery", ""),
    "from celery import shared_task as task\n@task(queue='a')": ("celery", "a"),
    "from celery import Celery\nmine = Celery('x')\n@mine.task(bind=True, queue='a')": ("celery", "a"),
    "import celery\nmine = celery.Celery('x')\n@mine.task": ("celery", ""),
    "from project.celery import app\n@app.task": ("celery", ""),
    "from project import app\n@app.task": ("celery", ""),
    "from project import celery_app\n@celery_app.task(queue=QUEUE)": ("celery", ""),
    "from .celery import task\n@task": ("celery", ""),
    "import celery\n@instrumented_task(name='x')": ("celery", ""),
    "from celery.task import periodic_task\n@periodic_task(run_every=1)": ("celery", ""),
    "from rq.decorators import job\n@job('low', connection=redis)": ("rq", "low"),
    "from django_rq import job\n@job": ("rq", ""),
    "from django_rq import job\n@job(queue='low')": ("rq", "low"),
    "import dramatiq\n@dramatiq.actor(queue_name='a')": ("dramatiq", "a"),
    "from project import actor\n@actor": ("dramatiq", ""),
    "from huey import RedisHuey\nmine = RedisHuey()\n@mine.periodic_task(crontab())": ("huey", ""),
    "from huey.contrib.djhuey import db_task\n@db_task()": ("huey", ""),
    "from project import huey\n@huey.task()": ("huey", ""),
    "from procrastinate.contrib.django import app\n@app.task(queue='a')": ("procrastinate", "a"),
    "import procrastinate\nblueprint = procrastinate.Blueprint()\n@blueprint.task": ("procrastinate", ""),
    "import taskiq\nbroker = taskiq.InMemoryBroker()\n@broker.task": ("taskiq", ""),
    "from project import broker\n@broker.task": ("taskiq", ""),
    "import taskiq_redis\nfrom project import mine\n@mine.task": ("taskiq", ""),
    "from django.tasks import task\n@task(queue_name='a')": ("django", "a"),
}


@pytest.mark.parametrize("decorator", DECORATED)
def test_decorated(decorator: str) -> None:
    assert tasks(f"{decorator}\ndef work(): ...") == {"work": DECORATED[decorator]}


@pytest.mark.parametrize(
    "decorator",
    [
        "@other",
        "@app.route",
        "from prefect import task\n@task",
        "from flask import app\n@app.task",
        "from project import thing\n@thing.task",
        "@instrumented_task",
        "import celery, rq\nfrom project import thing\n@thing.task",
        "@task",
    ],
)
def test_not_decorated(decorator: str) -> None:
    assert not tasks(f"{decorator}\ndef work(): ...")


def test_functions_that_a_worker_of_arq_names() -> None:
    source = """
    from arq import cron

    async def work(ctx): ...
    async def nightly(ctx): ...
    async def other(ctx): ...
    class WorkerSettings:
        functions = [work]
        cron_jobs = [cron(nightly, hour=3)]
    class Plain:
        functions: list
    """
    assert tasks(source) == {"work": ("arq", ""), "nightly": ("arq", "")}
    assert tasks("class Plain:\n    functions = [work]\ndef work(): ...") == {}


def test_classes() -> None:
    source = """
    import celery
    import dramatiq
    from project import app, BaseTask, Plain

    class One(celery.Task):
        queue = "a"
        limit: int
        def run(self): ...
    class Two(One):
        def run(self): ...
    class Three(app.Task):
        def run(self): ...
    class Four(dramatiq.GenericActor):
        def perform(self): ...
    class Five(celery.Task): ...
    class Six(Plain):
        def run(self): ...
    """
    assert tasks(source) == {
        "One": ("celery", "a"),
        "Two": ("celery", ""),
        "Three": ("celery", ""),
        "Four": ("dramatiq", ""),
    }
    assert tasks("import celery\nclass A(BaseTask):\n    def run(self): ...") == {"A": ("celery", "")}


MEANT = """
from celery import Task, shared_task
@shared_task(name="app.named")
def one(): ...
@shared_task
def two(): ...
class Three(Task):
    def run(self): ...
def plain(): ...
probe({})
"""


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("one", "one"),
        ("one.s(1).set(queue='a')", "one"),
        ("'app.named'", "one"),
        ("'app.tasks.two'", "two"),
        ("'app.tasks.gone'", None),
        ("''", None),
        ("Three", "Three"),
        ("Three()", "Three"),
        ("Three().s()", "Three"),
        ("plain", None),
        ("plain()", None),
        ("unknown", None),
        ("unknown.two", None),
    ],
)
def test_meant(expression: str, name: str | None) -> None:
    found = meant(MEANT.format(expression))
    assert (found.name if found is not None else None) == name


def test_a_class_that_is_its_own_base() -> None:
    source = """
    import celery
    class A(B):
        def run(self): ...
    class B(A): ...
    class C(C):
        def run(self): ...
    """
    assert tasks(source) == {}


SENT = {
    "task.delay(1, a=2)": ("task", "1 2", ""),
    "task.delay(*args)": ("task", "args", ""),
    "task.apply_async()": ("task", "", ""),
    "task.apply_async((1, 2), queue='a', countdown=3)": ("task", "1 2", "queue countdown"),
    "task.apply_async(args=[1], kwargs={'a': 2})": ("task", "1 2", ""),
    "task.apply_async(kwargs=dict(a=2))": ("task", "2", ""),
    "task.apply_async(args)": ("task", "args", ""),
    "task.s(1).set(queue='a').apply_async((2,))": ("task", "1 2", "queue"),
    "task.signature(args=(1,), kwargs={'a': 2}).delay()": ("task", "1 2", "args kwargs"),
    "chain(task.s(1), other.si(2))()": ("task other", "1 2", ""),
    "chain(task.s(1), other.si(2)).apply_async(queue='a')": ("task other", "1 2", "queue"),
    "(task.s(1) | other.s()).delay()": ("task other", "1", ""),
    "app.send_task('app.task', (1,), queue='a')": ("'app.task'", "1", "args kwargs queue"),
    "queue.enqueue(task, 1, job_timeout=5)": ("task", "1 5", "job_timeout"),
    "queue.enqueue_in(delta, task, 1)": ("task", "1", ""),
    "rq_queue.enqueue_call(func=task, args=(1,))": ("task", "1", "func args"),
    "get_queue('a').enqueue(anything, 1)": ("anything", "1", ""),
    "redis.enqueue_job('work', 1)": ("'work'", "1", ""),
    "async_task('app.work', 1)": ("'app.work'", "1", ""),
    "anything.kiq(1)": ("anything", "1", ""),
    "anything.send_with_options(args=(1,))": ("anything", "1", ""),
    "actors.mail.send(1)": ("actors.mail", "1", ""),
    "self.mail_task.delay(1)": ("self.mail_task", "1", ""),
}
IMPORTS = """
from celery import chain
from app.tasks import other, task
from app import actors, app, signal
from app.models import Row
pools = chunks = 1
probe({})
"""


@pytest.mark.parametrize("call", SENT)
def test_sent(call: str) -> None:
    found = dispatch(IMPORTS.format(call))
    assert found is not None
    shown = [" ".join(map(text, part)) for part in (found.tasks, found.given)]
    names = set(found.options) - {"args", "kwargs", "func"}
    assert [*shown, names] == [*SENT[call][:2], set(SENT[call][2].split()) - {"args", "kwargs", "func"}]


@pytest.mark.parametrize(
    "call",
    [
        "pools.apply_async(work, (1,))",
        "pools.apply_async(work.one, callback=f)",
        "anything.apply_async(work, (1,))",
        "anything.apply_async(func=work)",
        "anything.apply_async(lambda: 1)",
        "clock.delay(100)",
        "clock[0].delay(100)",
        "(1 + 2).delay()",
        "(a or b).delay()",
        "'text'.delay()",
        "signal.send(sender=1)",
        "task.send(sender=1)",
        "anything.send(1)",
        "Row.objects.defer('a')",
        "task.defer('a')",
        "items.enqueue(task)",
        "queue.enqueue(1)",
        "queue.enqueue('plain')",
        "queue.enqueue(unknown)",
        "Job.enqueue(task)",
        "redis.enqueue_job(job)",
        "self.async_task('app.work')",
        "send_task('a')",
        "app.send_task()",
        "task()",
        "task.apply()",
        "chain(1)(2)",
        "group(1, 2)()",
        "delay(1)",
    ],
)
def test_not_sent(call: str) -> None:
    assert dispatch(IMPORTS.format(call)) is None or call == "chain(1)(2)"


def test_tasks_of_huey_are_called() -> None:
    source = "from huey.contrib.djhuey import task\n@task()\ndef work(a): ...\nprobe(work(1))"
    found = dispatch(source)
    assert found is not None
    assert [task.name for task in found.definitions] == ["work"]
    assert dispatch(source.replace("probe(work(1))", "probe(other(1))")) is None
    assert dispatch(source.replace("@task()", "@plain")) is None


def test_tasks_of_django_are_enqueued() -> None:
    source = "from django.tasks import task\n@task\ndef work(a): ...\nprobe(work.enqueue(1))"
    found = dispatch(source)
    assert found is not None
    assert [text(node) for node in (*found.tasks, *found.given)] == ["work", "1"]


@pytest.mark.parametrize(
    ("definition", "waits"),
    [
        ("@shared_task", False),
        ("@shared_task(base=TransactionAwareTask)", True),
        ("@shared_task(base=Waiting)", True),
        ("@shared_task(base=Derived)", True),
        ("@shared_task(base=Plain)", False),
        ("@shared_task(base=Endless)", False),
        ("@on_commit_task()", True),
    ],
)
def test_tasks_that_wait_for_the_commit(definition: str, waits: bool) -> None:
    source = textwrap.dedent(
        """
        from celery import Task, shared_task
        from huey.contrib.djhuey import on_commit_task
        class Waiting(Task):
            def apply_async(self, *args): transaction.on_commit(args)
        class Derived(Waiting): ...
        class Plain(Task):
            def delay(self, *args): print(args)
        class Endless(Endless): ...
        """
    )
    found = dispatch(f"{source}\n{definition}\ndef work(): ...\nprobe(work.delay(1))")
    assert found is not None
    assert found.after_commit is waits


def test_a_dispatch_is_shown_as_it_is_written() -> None:
    for call, name in {"task.delay(1)": "task.delay", "chain(task.s())()": "", "x().s().delay()": "delay"}.items():
        found = dispatch(IMPORTS.format(call))
        assert found is not None
        assert found.name == name


def test_workflows_that_are_made_of_themselves() -> None:
    source = IMPORTS.format("flow.delay()").replace("probe", "flow = task.s()\nfor x in y:\n    flow = flow | x\nprobe")
    assert dispatch(source) is None
    assert dispatch(IMPORTS.format("(" + " | ".join(["x"] * 100) + ").delay()")) is None
