"""CNC703: what a worker that is faster than the commit sees of the row, and what it runs after a rollback."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import celery  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from flake8_concurrency.runtime.testing import PostgresServer
from tests.rows import schema  # noqa: F401 - it configures Django
from tests.runtime.database_fixtures import unavailable
from tests.task_queues.conftest import RABBITMQ, REDIS, Workers, answers, example, run_page

from django.db import connections, models, transaction  # type: ignore[import-untyped]  # isort: skip  # see schema
from django.db.models.signals import post_save  # type: ignore[import-untyped]  # isort: skip

APP = """
import json, os
import celery, psycopg, redis

RUN, BROKER = os.environ["RUN"], os.environ["BROKER"]
app = celery.Celery("work", broker=BROKER)
app.conf.update(
    task_ignore_result=True,
    worker_enable_remote_control=False,
    # With a limit, a worker on RabbitMQ now and then leaves a message it has read until its loop wakes, 10 s later.
    worker_prefetch_multiplier=0,
    broker_connection_retry_on_startup=True,
    task_default_queue=RUN,
)
if BROKER.startswith("redis"):
    app.conf.broker_transport_options = {"global_keyprefix": RUN + ":", "polling_interval": 0.05}
out = redis.Redis.from_url(os.environ["REDIS"])

@app.task(name="look", shared=False)
def look(table, pk):
    with psycopg.connect(os.environ["DATABASE"]) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table} WHERE id = %s", (pk,)).fetchone()[0]
    out.rpush(RUN + ":said", json.dumps(found))
"""
#: What a worker may see of a row: not there yet, or there.
NOTHING, THE_ROW = 0, 1


class Items:
    """The related manager that the page uses: a relation needs an app that is installed."""

    def set(self, items: list[int]) -> None:
        """What a worker sees of the order is the question."""


class Order(models.Model):  # type: ignore[misc]  # Django is untyped
    items = Items()
    customer = models.CharField(max_length=10)

    class Meta:
        app_label = "queues"


class Base(orm.DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "queues_job"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]


class Sent(NamedTuple):
    """A task whose worker is always faster than whoever sends it: `delay` returns when the task is done."""

    app: Any
    workers: Workers
    table: str
    #: What the workers saw of each row.
    saw: list[int]

    def delay(self, pk: int) -> None:
        self.app.send_task("look", (self.table, pk))
        self.saw.append(self.workers.said())

    def apply_async(self, args: tuple[int]) -> None:
        self.delay(*args)

    def delay_on_commit(self, pk: int) -> None:
        """As `celery.contrib.django.task.DjangoTask` has it."""
        transaction.on_commit(functools.partial(self.delay, pk))


@pytest.fixture(scope="module")
def engine(postgres: PostgresServer, database: str) -> Iterator[sa.Engine]:
    values = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": postgres.host,
        "PORT": str(postgres.port),
        "USER": postgres.user,
        "PASSWORD": postgres.password,
        "NAME": database,
    }
    before = connections.settings
    connections.settings = connections.configure_settings({"default": values})
    connections["default"].close()
    del connections["default"]
    with connections["default"].schema_editor() as editor:
        editor.create_model(Order)
    made = sa.create_engine(postgres.url(database, driver="psycopg"))
    Base.metadata.create_all(made)
    yield made
    made.dispose()
    connections.close_all()
    del connections["default"]
    connections.settings = before


@pytest.fixture(scope="module", params=[REDIS, RABBITMQ], ids=["redis", "rabbitmq"])
def workers(
    request: pytest.FixtureRequest,
    new_workers: Callable[..., Workers],
    postgres: PostgresServer,
    database: str,
    engine: sa.Engine,
) -> Iterator[tuple[Workers, Any]]:
    """A worker that looks for rows, and the app to send to it with."""
    if not answers(request.param):
        unavailable(f"no server answers at {request.param}")
    made = new_workers(APP, BROKER=request.param, DATABASE=postgres.url(database))
    app = celery.Celery("sender", broker=request.param, set_as_current=False)
    app.conf.task_default_queue = made.run
    if request.param == REDIS:
        app.conf.broker_transport_options = {"global_keyprefix": f"{made.run}:"}
    made.start(made.run)
    yield made, app
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[made.run](connection.channel())
        queue.delete()
        if request.param == RABBITMQ:
            queue.exchange.delete()
    app.close()


@pytest.fixture
def sent(workers: tuple[Workers, Any], request: pytest.FixtureRequest) -> Sent:
    made, app = workers
    return Sent(app, made, getattr(request, "param", Order._meta.db_table), [])


@pytest.fixture
def page(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], dict[str, Any]]]:
    """Run the code of a block; each of its tasks is the one that is sent."""
    ran: list[dict[str, Any]] = []

    def run(heading: str, number: int) -> dict[str, Any]:
        tasks = dict.fromkeys(("send_receipt", "index_order", "run_job"), sent)
        block = example("CNC703", heading, number)
        ran.append(run_page(block, monkeypatch, models={"Order": Order, "Job": Job}, tasks=tasks))
        return ran[-1]

    yield run
    for defined in ran:
        post_save.disconnect(defined.get("order_saved"), sender=Order)


Page = Callable[[str, int], dict[str, Any]]


@pytest.mark.parametrize(("heading", "seen"), [("bad", NOTHING), ("good", THE_ROW)])
def test_a_task_sent_inside_of_a_block(heading: str, seen: int, sent: Sent, page: Page) -> None:
    order = page(heading, 0)["place"]("Ada", [1])
    # The good block has a receiver as well.
    assert set(sent.saw) == {seen}
    assert Order.objects.filter(pk=order.pk).exists()


@pytest.fixture
def receiver(request: pytest.FixtureRequest, page: Page) -> None:
    """The receiver of a block is connected."""
    heading, number = request.param
    assert "order_saved" in page(heading, number)


RECEIVERS = [pytest.param(("bad", 1), NOTHING, id="bad"), pytest.param(("good", 0), THE_ROW, id="good")]


@pytest.mark.parametrize(("receiver", "seen"), RECEIVERS, indirect=["receiver"])
@pytest.mark.usefixtures("receiver")
def test_a_task_sent_by_a_receiver_while_who_saves_has_a_transaction(seen: int, sent: Sent) -> None:
    with transaction.atomic():
        Order.objects.create(customer="Ada")
    assert sent.saw == [seen]


@pytest.mark.parametrize(("receiver", "seen"), RECEIVERS, indirect=["receiver"])
@pytest.mark.usefixtures("receiver")
def test_a_task_about_a_row_that_is_rolled_back(seen: int, sent: Sent) -> None:
    with pytest.raises(ZeroDivisionError):
        place_and_fail()
    # The bad one ran, for nothing; the good one was never sent.
    assert sent.saw == ([] if seen == THE_ROW else [NOTHING])
    assert not Order.objects.filter(customer="Bob").exists()


@transaction.atomic  # type: ignore[untyped-decorator]
def place_and_fail() -> None:
    Order.objects.create(customer="Bob")
    raise ZeroDivisionError("the rest of the request fails")


@pytest.mark.parametrize(("receiver", "seen"), RECEIVERS, indirect=["receiver"])
@pytest.mark.usefixtures("receiver")
def test_outside_of_a_transaction_both_see_the_row(seen: int, sent: Sent) -> None:
    """Without one, post_save is sent after the commit: this is why the bad one is seldom noticed."""
    del seen
    Order.objects.create(customer="Ada")
    assert sent.saw == [THE_ROW]


@pytest.mark.parametrize("sent", [Job.__tablename__], indirect=True)
@pytest.mark.parametrize(("heading", "number", "seen"), [("bad", 2, NOTHING), ("good", 1, THE_ROW)])
def test_a_task_sent_before_a_session_commits(
    heading: str, number: int, seen: int, sent: Sent, engine: sa.Engine, page: Page
) -> None:
    create_job = page(heading, number)["create_job"]
    with orm.Session(engine) as session:
        create_job(session, "report")
        assert sent.saw == [seen]
        assert session.scalars(sa.select(Job)).all()
