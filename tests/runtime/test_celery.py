"""Every task reaches its own queue, or its sender an error: with Celery's real router, brokers and workers.

What Celery does by itself is shown first, as the control.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import celery  # type: ignore[import-untyped]
import celery.beat  # type: ignore[import-untyped]
import celery.exceptions  # type: ignore[import-untyped]
import kombu
import kombu.pools
import pytest
import redis
from kombu.transport import memory

from flake8_concurrency.runtime.celery import Problem, TaskQueues
from flake8_concurrency.runtime.errors import MisroutedTask, MissingExtra, UnknownQueue, UnroutedTask

ROOT = Path(__file__).parents[2]
REDIS = os.environ.get("FLAKE8_CONCURRENCY_REDIS", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("FLAKE8_CONCURRENCY_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")
LONG = 15
Queue: Any = kombu.Queue  # type: ignore[attr-defined]
Exchange: Any = kombu.Exchange  # type: ignore[attr-defined]


@pytest.fixture(scope="module", autouse=True)
def connections_end_here() -> Iterator[None]:
    """Celery and Kombu leave sockets to the garbage collector, whose warning would hit some later test."""
    yield
    kombu.pools.reset()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def new_app(**settings: Any) -> Any:
    """An app whose messages stay in this process; what earlier ones left there is forgotten."""
    memory.Transport.global_state.clear()  # type: ignore[no-untyped-call]
    memory.Channel.queues.clear()
    app = celery.Celery(uuid.uuid4().hex, broker="memory://", set_as_current=False)
    app.conf.update(settings)

    for name in ("schedule.plan", "execution.run", "report"):

        def nothing(*args: object) -> None:
            """It is never run."""

        app.task(nothing, name=name, shared=False)
    return app


def new_queues(**routes: str) -> TaskQueues:
    return TaskQueues("schedule", "execution", routes={"schedule.*": "schedule", "execution.*": "execution", **routes})


def waiting(app: Any, *queues: str) -> dict[str, list[str]]:
    """The tasks that wait in each queue; takes them out."""
    found: dict[str, list[str]] = {}
    with app.connection_for_read() as connection:
        channel = connection.channel()
        for queue in queues:
            found[queue] = []
            app.amqp.queues[queue](channel).declare()
            while message := channel.basic_get(queue, no_ack=True):
                found[queue].append(message.headers["task"])
    return found


@pytest.fixture
def app() -> Any:
    made = new_app()
    new_queues().install(made)
    return made


# What Celery does by itself


def test_control_an_unrouted_task_goes_to_the_default_queue_silently() -> None:
    """Although `task_create_missing_queues` is False, because the default queue is declared."""
    app = new_app(
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in ("schedule", "execution")],
        task_default_queue="schedule",
        task_create_missing_queues=False,
        task_routes={"schedule.*": "schedule", "executoin.*": "execution"},
    )
    app.send_task("execution.run")
    app.send_task("no.such.task")
    assert waiting(app, "schedule", "execution") == {"schedule": ["execution.run", "no.such.task"], "execution": []}


def test_control_a_mistyped_queue_is_created_and_nobody_reads_it() -> None:
    app = new_app(task_queues=[Queue("execution", Exchange("execution"), routing_key="execution")])
    app.send_task("execution.run", queue="executoin")
    assert waiting(app, "execution", "executoin") == {"execution": [], "executoin": ["execution.run"]}


def test_control_queues_declared_by_name_only_share_exchange_and_routing_key() -> None:
    app = new_app(task_queues=[Queue("schedule"), Queue("execution")])
    # As workers do.
    waiting(app, "schedule", "execution")
    app.send_task("execution.run", queue="execution", exchange="celery", routing_key="celery")
    assert waiting(app, "schedule", "execution") == {"schedule": ["execution.run"], "execution": ["execution.run"]}


# The router


def test_routed_tasks(app: Any) -> None:
    waiting(app, "schedule", "execution")
    app.send_task("execution.run")
    app.tasks["schedule.plan"].delay()
    app.tasks["schedule.plan"].apply_async(queue="schedule")
    app.tasks["execution.run"].map([1, 2]).apply_async()
    app.send_task("celery.backend_cleanup")
    assert waiting(app, "schedule", "execution") == {
        "schedule": ["schedule.plan", "schedule.plan", "celery.backend_cleanup"],
        "execution": ["execution.run", "celery.map"],
    }


def plan(app: Any, **options: Any) -> Callable[[], object]:
    return lambda: app.tasks["schedule.plan"].apply_async(**options)


def elsewhere(name: str) -> Any:
    return Queue(name, Exchange(name), routing_key=name)


WRONG: dict[str, tuple[Callable[[Any], Callable[[], object]], type[Exception]]] = {
    "unrouted": (lambda app: app.tasks["report"].delay, UnroutedTask),
    "unrouted, with a queue": (lambda app: lambda: app.tasks["report"].apply_async(queue="schedule"), UnroutedTask),
    "mistyped task": (lambda app: lambda: app.send_task("executoin.run"), UnroutedTask),
    "mistyped queue": (lambda app: plan(app, queue="scedule"), celery.exceptions.QueueNotFound),
    "undeclared queue": (lambda app: plan(app, queue=elsewhere("scedule")), UnknownQueue),
    "another queue": (lambda app: plan(app, queue="execution"), MisroutedTask),
    "another routing key": (lambda app: plan(app, routing_key="execution"), MisroutedTask),
    "another exchange": (lambda app: plan(app, exchange=Exchange("execution")), MisroutedTask),
    "send_task with another queue": (
        lambda app: lambda: app.send_task("execution.run", queue="schedule"),
        MisroutedTask,
    ),
    "group": (lambda app: celery.group(app.tasks["report"].si()).apply_async, UnroutedTask),
    "chain": (lambda app: (app.tasks["report"].si() | app.tasks["execution.run"].si()).apply_async, UnroutedTask),
    "map": (lambda app: app.tasks["report"].map([1]).apply_async, UnroutedTask),
    "chunks": (lambda app: app.tasks["report"].chunks([(1,)], 1).apply_async, UnroutedTask),
    "what runs other tasks": (lambda app: lambda: app.send_task("celery.map"), UnroutedTask),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_every_mistake_is_an_error_and_nothing_is_sent(app: Any, wrong: str) -> None:
    send, error = WRONG[wrong]
    with pytest.raises(error):
        send(app)()
    assert waiting(app, "schedule", "execution") == {"schedule": [], "execution": []}


def test_errors_say_what_and_where() -> None:
    queues = new_queues()
    with pytest.raises(UnroutedTask) as unrouted:
        queues("report")
    assert unrouted.value.task == "report"
    with pytest.raises(UnknownQueue) as unknown:
        queues("schedule.plan", options={"queue": "nowhere"})
    assert (unknown.value.queue, unknown.value.known) == ("nowhere", ("schedule", "execution"))
    with pytest.raises(
        MisroutedTask, match=r"'schedule.plan' was sent to 'execution', but its route leads to 'sch"
    ) as mis:
        queues("schedule.plan", options={"queue": "execution"})
    assert (mis.value.task, mis.value.destination, mis.value.queue) == ("schedule.plan", "execution", "schedule")


def test_a_name_goes_before_globs_and_globs_in_their_order() -> None:
    routes = {"a.*": "x", "a.b.*": "y", "a.b.c": "z", "celery.chord*": "y"}
    queues = TaskQueues("x", "y", "z", routes=routes)
    asked = ["a.b.c", "a.b.d", "a.c", "celery.chord_unlock", "celery.backend_cleanup"]
    assert [queues.queue_of(name) for name in asked] == ["z", "x", "x", "y", "x"]


def test_choose() -> None:
    queues = new_queues()
    kinds = {"plan": "schedule", "run": "execution", "odd": "executoin"}
    assert queues.choose("run", kinds) == "execution"
    assert queues.choose("other", kinds, default="schedule") == "schedule"
    with pytest.raises(UnroutedTask, match="'other'"):
        queues.choose("other", kinds)
    with pytest.raises(UnknownQueue, match=r"no queue 'executoin'; there are execution, schedule"):
        queues.choose("odd", kinds)
    with pytest.raises(UnknownQueue):
        queues.choose("run", kinds, default="default")


def test_wrong_declarations_are_refused() -> None:
    with pytest.raises(UnknownQueue):
        new_queues(report="reports")
    with pytest.raises(ValueError, match="at least one queue"):
        TaskQueues(routes={})
    with pytest.raises(ValueError, match="named twice: a, a"):
        TaskQueues("a", "a", routes={})


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    app = new_app()
    monkeypatch.setitem(sys.modules, "kombu", None)
    with pytest.raises(MissingExtra, match=r"flake8-concurrency\[celery\]"):
        new_queues().install(app)


def test_install_after_the_first_message() -> None:
    app = new_app()
    app.send_task("report")
    new_queues().install(app)
    with pytest.raises(UnroutedTask):
        app.send_task("report")


# The audit


def test_a_sound_app_has_no_problems() -> None:
    app = new_app(beat_schedule={"plans": {"task": "schedule.plan", "schedule": 60.0}})
    queues = new_queues(report="schedule")
    queues.install(app)
    assert queues.audit(app) == []


def test_audit_finds_each_problem() -> None:
    app = new_app(
        beat_schedule={
            "gone": {"task": "schedule.gone", "schedule": 60.0},
            "far": {"task": "far.away", "schedule": 60.0},
            "wrong": {"task": "execution.run", "schedule": 60.0, "options": {"queue": "schedule"}},
        }
    )
    app.tasks["schedule.plan"].queue = "execution"
    queues = TaskQueues(
        elsewhere("schedule"),
        "execution",
        Queue("copy", Exchange("execution"), routing_key="execution"),
        routes={"schedule.*": "schedule", "execution.run": "execution", "executoin.*": "execution", "far.*": "copy"},
    )
    queues.install(app)
    assert [str(problem) for problem in queues.audit(app, elsewhere=["far.*"])] == [
        "queue 'copy': has the exchange and routing key of queue 'execution': what is sent by these reaches both",
        "task 'report': no route names a queue for task 'report'",
        "task 'schedule.plan': task 'schedule.plan' was sent to 'execution', but its route leads to 'schedule'",
        "beat entry 'gone': no task 'schedule.gone' is registered",
        "beat entry 'wrong': task 'execution.run' was sent to 'schedule', but its route leads to 'execution'",
        "route 'executoin.*': matches no registered task",
    ]


def test_audit_finds_settings_changed_after_install() -> None:
    app = new_app()
    queues = new_queues(report="schedule")
    queues.install(app)
    app.conf.update(task_routes={"*": "schedule"}, task_create_missing_queues=True, task_queues=[Queue("other")])
    assert queues.audit(app) == [
        Problem("task_routes", "was changed after install(): this router is not the only one"),
        Problem("task_create_missing_queues", "was changed after install(): a mistyped queue is created"),
        Problem("task_queues", "was changed after install(): other"),
    ]


# Real workers

APP = """
import json, os
import celery, redis
from flake8_concurrency.runtime.celery import TaskQueues

RUN, BROKER, REDIS = os.environ["RUN"], os.environ["BROKER"], os.environ["REDIS"]
SCHEDULE, EXECUTION = RUN + "-schedule", RUN + "-execution"
# Results, for chords, are the workers' business: a sender's are subscribed to, and unsubscribed when collected.
app = celery.Celery("real", broker=BROKER, backend=REDIS if "WORKER" in os.environ else "disabled://")
app.conf.update(
    worker_enable_remote_control=False,
    # With a limit, a worker on RabbitMQ now and then leaves a message it has read until its loop wakes, 10 s later.
    worker_prefetch_multiplier=0,
    result_backend_transport_options={"global_keyprefix": RUN + ":"},
    broker_connection_retry_on_startup=True,
)
if BROKER.startswith("redis"):
    app.conf.broker_transport_options = {"global_keyprefix": RUN + ":", "polling_interval": 0.05}
queues = TaskQueues(SCHEDULE, EXECUTION, routes={"schedule.*": SCHEDULE, "execution.*": EXECUTION})
queues.install(app)
out = redis.Redis.from_url(REDIS)

def ran(name, what):
    out.rpush(RUN + ":ran", json.dumps([os.environ.get("WORKER"), name, what]))

@app.task(name="schedule.plan", shared=False)
def plan(what="plan"):
    ran("schedule.plan", what)

@app.task(name="execution.run", shared=False)
def run(what="run"):
    ran("execution.run", what)

@app.task(name="execution.collect", shared=False)
def collect(results, what="collect"):
    ran("execution.collect", what)

@app.task(name="schedule.then_execute", shared=False)
def then_execute():
    ran("schedule.then_execute", "sends")
    run.delay("from a task")
    try:
        run.apply_async(("never",), queue=SCHEDULE)
    except Exception as error:
        ran("schedule.then_execute", type(error).__name__)

@app.task(name="schedule.chord", shared=False)
def chord():
    celery.chord([plan.si("chord 1"), run.si("chord 2")], collect.s("chord 3")).apply_async()

@app.task(name="execution.retried", shared=False, bind=True, max_retries=1)
def retried(self):
    ran("execution.retried", self.request.retries)
    if not self.request.retries:
        raise self.retry(countdown=0)

@app.task(name="report", shared=False)
def report():
    ran("report", "never")
"""


def answers(url: str) -> bool:
    connection: Any = kombu.Connection(url, connect_timeout=2)  # type: ignore[attr-defined, no-untyped-call]
    try:
        with connection:
            connection.connect()
    except connection.connection_errors:
        return False
    return True


@pytest.fixture(scope="module", params=[REDIS, RABBITMQ], ids=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    for url in (REDIS, request.param):
        if not answers(url):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no server answers at {url}")
    return str(request.param)


class Workers:
    """A worker per queue, the app they run as imported here, and what they say they ran."""

    def __init__(self, directory: Path, run: str, environment: dict[str, str], client: Any) -> None:
        self.directory, self.run, self.environment, self.client = directory, run, environment, client
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        namespace: dict[str, Any] = {}
        exec(compile(APP, "real.py", "exec"), namespace)
        self.tasks = namespace
        self.app = namespace["app"]

    def start(self, name: str) -> None:
        options = ["--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO"]
        with (self.directory / f"{name}.log").open("wb") as log:
            self.started[name] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    "real",
                    "worker",
                    "-Q",
                    f"{self.run}-{name}",
                    "-n",
                    name,
                    *options,
                ],
                cwd=self.directory,
                env={**self.environment, "WORKER": name},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        for worker in self.started.values():
            worker.kill()
        for worker in self.started.values():
            worker.wait(LONG)
        with self.app.connection_for_write() as connection:
            for queue in self.app.amqp.queues.values():
                bound = queue(connection.channel())
                bound.delete()
                bound.exchange.delete()
        self.tasks["out"].close()
        self.app.close()
        if keys := list(self.client.scan_iter(f"*{self.run}*")):
            self.client.delete(*keys)

    def ran(self, count: int) -> set[tuple[str, str, Any]]:
        """The next that ran, each as worker, task and what it said."""
        found = set()
        for _ in range(count):
            answer = self.client.blpop(f"{self.run}:ran", LONG)
            assert answer, "".join(log.read_text() for log in self.directory.glob("*.log"))
            found.add(tuple(json.loads(answer[1])))
        return found

    def nothing_else(self) -> None:
        """Queues are first in, first out, and the workers do one thing at a time."""
        for task in ("plan", "run"):
            self.tasks[task].delay("last")
        assert self.ran(2) == {("schedule", "schedule.plan", "last"), ("execution", "execution.run", "last")}


@pytest.fixture(scope="module")
def workers(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    run = f"cnc-test-{uuid.uuid4().hex}"
    directory = tmp_path_factory.mktemp("celery")
    (directory / "real.py").write_text(textwrap.dedent(APP))
    names = {"RUN": run, "BROKER": broker, "REDIS": REDIS}
    environment = {**os.environ, **names, "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in names.items():
            patch.setenv(name, value)
        made = Workers(
            directory, run, environment, stack.enter_context(redis.Redis.from_url(REDIS, socket_timeout=2 * LONG))
        )
        stack.callback(made.stop)
        for name in ("schedule", "execution"):
            made.start(name)
        yield made


def test_each_worker_runs_its_own_tasks_only(workers: Workers) -> None:
    tasks = workers.tasks
    tasks["plan"].delay("delay")
    workers.app.send_task("execution.run", ("send_task",))
    (tasks["plan"].si("chain 1") | tasks["run"].si("chain 2") | tasks["plan"].si("chain 3")).apply_async()
    tasks["chord"].delay()
    celery.group(tasks["plan"].si("group 1"), tasks["run"].si("group 2")).apply_async()
    tasks["run"].map(["map 1", "map 2"]).apply_async()
    tasks["plan"].apply_async(("linked",), link=tasks["run"].si("link"))
    tasks["then_execute"].delay()
    tasks["retried"].delay()
    assert workers.ran(19) == {
        ("schedule", "schedule.plan", "delay"),
        ("execution", "execution.run", "send_task"),
        ("schedule", "schedule.plan", "chain 1"),
        ("execution", "execution.run", "chain 2"),
        ("schedule", "schedule.plan", "chain 3"),
        ("schedule", "schedule.plan", "chord 1"),
        ("execution", "execution.run", "chord 2"),
        ("execution", "execution.collect", "chord 3"),
        ("schedule", "schedule.plan", "group 1"),
        ("execution", "execution.run", "group 2"),
        ("execution", "execution.run", "map 1"),
        ("execution", "execution.run", "map 2"),
        ("schedule", "schedule.plan", "linked"),
        ("execution", "execution.run", "link"),
        ("schedule", "schedule.then_execute", "sends"),
        ("schedule", "schedule.then_execute", "MisroutedTask"),
        ("execution", "execution.run", "from a task"),
        ("execution", "execution.retried", 0),
        ("execution", "execution.retried", 1),
    }
    workers.nothing_else()


def test_an_unrouted_task_later_in_a_chain_runs_nowhere(workers: Workers) -> None:
    """Links are sent by the worker, so the error is in its log; `audit` finds the task beforehand."""
    (workers.tasks["plan"].si("first") | workers.tasks["report"].si()).apply_async()
    assert workers.ran(1) == {("schedule", "schedule.plan", "first")}
    workers.nothing_else()
    assert "no route names a queue for task 'report'" in (workers.directory / "schedule.log").read_text()
    assert [problem.subject for problem in workers.tasks["queues"].audit(workers.app)] == ["task 'report'"]


def test_beat(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    workers.app.conf.beat_schedule = {
        "plans": {"task": "schedule.plan", "schedule": 3600.0, "args": ("beat",)},
        "runs": {"task": "execution.run", "schedule": 3600.0, "args": ("beat",)},
        "reports": {"task": "report", "schedule": 3600.0},
        "misled": {"task": "execution.run", "schedule": 3600.0, "options": {"queue": f"{workers.run}-schedule"}},
    }
    scheduler = celery.beat.Scheduler(app=workers.app)
    for title in ("plans", "reports", "misled", "runs"):
        scheduler.apply_entry(scheduler.schedule[title])
    assert workers.ran(2) == {("schedule", "schedule.plan", "beat"), ("execution", "execution.run", "beat")}
    workers.nothing_else()
    assert [record.levelname for record in caplog.records if "Message Error" in record.getMessage()] == ["ERROR"] * 2
