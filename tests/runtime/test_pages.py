"""The code of the rules' pages that uses the runtime is run, on real servers, and does what the page says it is for.

A page whose `Good:` block imports something of `flake8_concurrency.runtime` needs a function here, marked
`@shows("CNC999 helper")`: the rule's code, and the first name that the block imports (`django.locked` for one of a
module of the runtime). It gets a Scene, runs the block with `scene.run(...)`, and says what must then be so.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy import orm

from flake8_concurrency import catalogue, runtime
from flake8_concurrency.rule import Rule
from flake8_concurrency.runtime import guard
from flake8_concurrency.runtime.testing import PostgresServer
from tests.runtime import page_models
from tests.runtime.test_redis import URL

RUNTIME = "flake8_concurrency.runtime"


def helpers(block: str) -> Iterator[str]:
    """The names that a block imports from the runtime."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(RUNTIME):
            module = (node.module or "").removeprefix(RUNTIME).removeprefix(".")
            yield from (f"{module}.{alias.name}".removeprefix(".") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(f"{RUNTIME}.") for alias in node.names if RUNTIME in alias.name)


def blocks() -> list[tuple[str, str]]:
    """Each block with the runtime in it, with its key."""
    pages = [(rule.code, block) for rule in catalogue.rules() for block in catalogue.page(rule).good]
    return [(f"{code} {first}", block) for code, block in pages if (first := next(helpers(block), None))]


class Scene:
    """Where a block is run: with modules and names that its author would have."""

    def __init__(self, block: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        self.block = block
        self._monkeypatch = monkeypatch
        self._request = request

    def module(self, name: str, module: ModuleType) -> None:
        """Let the block import a module."""
        package = name.partition(".")[0]
        if package != name:
            self._monkeypatch.setitem(sys.modules, package, ModuleType(package))
        self._monkeypatch.setitem(sys.modules, name, module)

    def run(self, **names: object) -> Any:
        """Run the block where these names are known; what it has defined, as attributes."""
        namespace: dict[str, Any] = {"__name__": "page", **names}
        exec(compile(self.block, "page", "exec"), namespace)  # it is our own page
        return SimpleNamespace(**namespace)

    def sqlalchemy(self) -> orm.sessionmaker[orm.Session]:
        """Sessions on PostgreSQL with `app.models` of SQLAlchemy: an account 1 of 100, and 25 queued jobs."""
        self.module("app.models", page_models.SQLALCHEMY)
        factory: orm.sessionmaker[orm.Session] = self._request.getfixturevalue("sessions")
        return factory

    def django(self) -> Any:
        """The same for Django; the models."""
        self._request.getfixturevalue("django_tables")
        self.module("app.models", page_models.DJANGO)
        return page_models.DJANGO

    def redis(self) -> Any:
        """A client of a real Redis."""
        return self._request.getfixturevalue("redis_client")


@pytest.fixture
def redis_client() -> Iterator[Any]:
    with redis.Redis.from_url(URL, socket_timeout=20) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Redis answers at {URL}")
        yield client
        client.delete(*client.keys("{cnc-page}*"), "cnc-page")


@pytest.fixture
def sessions(postgres: PostgresServer) -> Iterator[orm.sessionmaker[orm.Session]]:
    with postgres.database() as name:
        engine = sa.create_engine(postgres.url(name, driver="psycopg"))
        page_models.Base.metadata.create_all(engine)
        factory = orm.sessionmaker(engine, expire_on_commit=False)
        with factory.begin() as session:
            session.add(page_models.Account(id=1, balance=100))
            session.add_all([page_models.Job(id=number) for number in range(1, 26)])
        yield factory
        engine.dispose()


@pytest.fixture
def django_tables(postgres: PostgresServer) -> Iterator[None]:
    connections = page_models.CONNECTIONS
    before = {name: dict(each) for name, each in connections.settings.items()}
    with postgres.database() as name:
        where = {
            "HOST": postgres.host,
            "PORT": str(postgres.port),
            "USER": postgres.user,
            "PASSWORD": postgres.password,
        }
        reconnect({"default": {"ENGINE": "django.db.backends.postgresql", "NAME": name, **where}})
        with connections["default"].schema_editor() as editor:
            editor.create_model(page_models.DjangoAccount)
            editor.create_model(page_models.DjangoJob)
        page_models.DjangoAccount.objects.create(id=1, balance=100)
        page_models.DjangoJob.objects.bulk_create([page_models.DjangoJob(id=number) for number in range(1, 26)])
        yield
        connections["default"].close()
    reconnect({name: each for name, each in before.items() if each.get("NAME")})


def reconnect(databases: dict[str, Any]) -> None:
    connections = page_models.CONNECTIONS
    connections.settings = connections.configure_settings(databases)
    with contextlib.suppress(AttributeError):
        del connections["default"]


def in_threads(count: int, call: Callable[[], object]) -> None:
    """Call it in that many threads at once; Django's connections belong to their threads."""
    together = threading.Barrier(count)

    def run() -> None:
        together.wait(20)
        try:
            call()
        finally:
            page_models.CONNECTIONS.close_all()

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(run) for _ in range(count)]:
            future.result(timeout=20)


Way = Callable[[Scene], None]
WAYS: dict[str, Way] = {}


def shows(key: str) -> Callable[[Way], Way]:
    """Say which block a function runs."""

    def note(way: Way) -> Way:
        assert key not in WAYS, f"two ways for {key}"
        WAYS[key] = way
        return way

    return note


# Executors


@shows("CNC101 BoundedExecutor")
def _(scene: Scene) -> None:
    assert scene.run(thumbnail=str.upper).thumbnails(["a", "b"]) == ["A", "B"]


@shows("CNC102 map_bounded")
def _(scene: Scene) -> None:
    threads = set()

    def fetch(url: int) -> int:
        threads.add(threading.get_ident())
        return -url

    assert scene.run(fetch=fetch).fetch_all(range(300)) == [-url for url in range(300)]
    assert 1 <= len(threads) <= 8


@shows("CNC103 BoundedExecutor")
def _(scene: Scene) -> None:
    mailer = scene.run(send=str.title).Mailer()
    assert mailer.send("hello").result(timeout=20) == "Hello"
    mailer.close()
    with pytest.raises(runtime.PoolClosed):
        mailer.send("late")


@shows("CNC105 run_all")
def _(scene: Scene) -> None:
    seen: list[int] = []
    scene.run(index=seen.append).index_all([1, 2, 3])
    assert sorted(seen) == [1, 2, 3]
    with pytest.raises(ZeroDivisionError):  # what a dropped future would have kept
        scene.run(index=lambda document: 1 // document).index_all([1, 0])


@shows("CNC104 BoundedExecutor")
def _(scene: Scene) -> None:
    pages = [SimpleNamespace(urls=[1, 2]), SimpleNamespace(urls=[3])]
    threads = set()

    def fetch(url: int) -> int:
        threads.add(threading.get_ident())
        return -url

    assert scene.run().load_all(pages, fetch) == [-1, -2, -3]
    assert 1 <= len(threads) <= 8


@shows("CNC106 map_bounded")
def _(scene: Scene) -> None:
    seen: list[int] = []
    scene.run(index=seen.append).index_all([1, 2, 3])
    assert sorted(seen) == [1, 2, 3]
    with pytest.raises(ZeroDivisionError):  # what a dropped map would have kept
        scene.run(index=lambda document: 1 // document).index_all([1, 0])


@shows("CNC109 BoundedExecutor")
def _(scene: Scene) -> None:
    threads = set()
    sent: list[int] = []

    def send(user: int) -> None:
        threads.add(threading.get_ident())
        sent.append(user)

    scene.run().notify(range(300), send)
    assert sorted(sent) == list(range(300))
    assert 1 <= len(threads) <= 8


@shows("CNC110 BoundedExecutor")
def _(scene: Scene) -> None:
    messages = iter(range(1000))
    taken: list[int] = []
    together = threading.Event()

    def handle(message: int) -> int:
        together.wait(20)
        return message

    def next_message() -> int:
        # Nothing is done before nearly all places are taken: 8 run, 100 wait.
        if len(taken) == 107:
            together.set()
        taken.append(next(messages))
        return taken[-1]

    reported: list[int] = []

    def report(done: Future[int]) -> None:
        if not done.cancelled():
            reported.append(done.result())

    with pytest.raises(StopIteration):
        scene.run().serve(SimpleNamespace(next_message=next_message), handle, report)
    assert taken == list(range(1000))
    # The error that ends the loop cancels at most what waited then.
    assert len(set(reported)) == len(reported) >= 892


@shows("CNC112 BoundedExecutor")
def _(scene: Scene) -> None:
    scene.block = scene.block.replace("timeout=10", "timeout=0.01")
    service = scene.run().Service()
    begun, release = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(20)

    service._executor.submit(hang)
    assert begun.wait(20)
    queued = [service._executor.submit(hang) for _ in range(20)]
    report = service.stop()
    release.set()
    assert report.running
    assert any(future.cancelled() for future in queued)


@shows("CNC113 BoundedExecutor")
def _(scene: Scene) -> None:
    sender = scene.run(deliver=str.upper).Sender()
    assert sender.send("a").result(timeout=20) == "A"
    sender.close()
    with pytest.raises(runtime.PoolClosed):
        sender.send("late")


# Waits


@shows("CNC213 map_bounded")
def _(scene: Scene) -> None:
    assert scene.run().load(["a", "b"], str.upper) == ["A", "B"]
    release = threading.Event()
    scene.block = scene.block.replace("timeout=5", "timeout=0.01")
    try:
        with pytest.raises(runtime.DeadlineExceeded):
            scene.run().load([1], lambda _: release.wait(20))
    finally:
        release.set()


@shows("CNC214 wait_all")
def _(scene: Scene) -> None:
    done, hung = Future[int](), Future[int]()
    done.set_result(7)
    hung.set_running_or_notify_cancel()
    assert scene.run().collect([done]) == [7]
    scene.block = scene.block.replace("timeout=30", "timeout=0.01")
    with pytest.raises(runtime.DeadlineExceeded):
        scene.run().collect([done, hung])


@shows("CNC201 wait_all")
def _(scene: Scene) -> None:
    done, hung = Future[int](), Future[int]()
    done.set_result(7)
    hung.set_running_or_notify_cancel()
    results, running = scene.run().finish([done])
    assert (results, running) == ([7], ())
    scene.block = scene.block.replace("timeout=30", "timeout=0.01")
    assert scene.run().finish([done, hung]) == ([7], (hung,))


@shows("CNC201 as_completed")
def _(scene: Scene) -> None:
    futures = [Future[int]() for _ in range(3)]
    for number, future in enumerate(futures):
        future.set_result(number)
    stored: list[int] = []
    scene.run().finish(futures, stored.append)
    assert sorted(stored) == [0, 1, 2]


@shows("CNC201 map_bounded")
def _(scene: Scene) -> None:
    assert scene.run(load=str.upper).load_all(["a", "b"]) == ["A", "B"]


@shows("CNC202 wait_all")
def _(scene: Scene) -> None:
    with ThreadPoolExecutor(max_workers=2) as executor:
        assert scene.run(read=str.upper).load_all(executor, ["a", "b"]) == ["A", "B"]


@shows("CNC203 BoundedExecutor")
def _(scene: Scene) -> None:
    futures = scene.run(handle=str.upper).serve(["a", "b"])
    assert [future.result(timeout=0) for future in futures] == ["A", "B"]  # all is over when it returns


# Rows


@shows("CNC301 django.locked")
def _(scene: Scene) -> None:
    models = scene.django()
    page = scene.run()
    in_threads(5, lambda: [page.withdraw(1, 2) for _ in range(10)])
    assert models.Account.objects.get(pk=1).balance == 0


@shows("CNC301 locked")
def _(scene: Scene) -> None:
    factory = scene.sqlalchemy()
    page = scene.run()

    def withdraw() -> None:
        for _ in range(10):
            with factory() as session:
                page.withdraw(session, 1, 2)

    in_threads(5, withdraw)
    with factory() as session:
        assert session.get_one(page_models.Account, 1).balance == 0


@shows("CNC302 locked")
def _(scene: Scene) -> None:
    factory = scene.sqlalchemy()
    page = scene.run()

    def pay() -> None:
        for _ in range(10):
            with factory() as session:
                page.pay(session, 1, 3)

    in_threads(5, pay)
    with factory() as session:
        assert session.get_one(page_models.Account, 1).balance == 1  # 33 of 50 were paid


@shows("CNC304 django.claim_batch")
def _(scene: Scene) -> None:
    models = scene.django()
    page, performed = scene.run(), []
    in_threads(3, lambda: page.work(lambda job: performed.append(job.pk)))
    assert sorted(performed) == list(range(1, 26))
    assert set(models.Job.objects.values_list("status", "attempts")) == {("done", 1)}


@shows("CNC304 claim_batch")
@shows("CNC305 claim_batch")
def _(scene: Scene) -> None:
    factory = scene.sqlalchemy()
    page, performed = scene.run(), []

    def work() -> None:
        with factory() as session:
            page.work(session, lambda job: performed.append(job.id))

    in_threads(3, work)
    assert sorted(performed) == list(range(1, 26))
    with factory() as session:
        states = session.execute(sa.select(page_models.Job.status, page_models.Job.attempts).distinct()).all()
    assert states == [("done", 1)]


# The event loop


@shows("CNC504 background")
def _(scene: Scene) -> None:
    sent: list[str] = []

    async def use() -> None:
        done = asyncio.Event()

        async def send_mail(user: str) -> None:
            sent.append(user)
            done.set()

        assert await scene.run().register("Ada", send_mail) == "Ada"
        await asyncio.wait_for(done.wait(), 20)

    asyncio.run(use())
    assert sent == ["Ada"]


@shows("CNC505 gather_bounded")
def _(scene: Scene) -> None:
    inside = most = 0

    async def get(url: int) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return -url

    assert asyncio.run(scene.run().load_all(range(100), SimpleNamespace(get=get))) == [-url for url in range(100)]
    assert 1 < most <= 10


def requests(threads: list[str]) -> ModuleType:
    """`requests`, whose server answers with the name of a user."""

    def get(url: str, timeout: float | None = None) -> Any:
        threads.append(threading.current_thread().name)
        return SimpleNamespace(json=lambda: {"name": url.rpartition("/")[2]})

    module = ModuleType("requests")
    vars(module).update(get=get)
    return module


def offloaded(scene: Scene, use: Callable[[Any], Any], **names: object) -> Any:
    """What a coroutine of the block returns, and no thread of it is left."""
    page = scene.run(**names)
    try:
        return asyncio.run(use(page))
    finally:
        page.OFFLOAD.close()


@shows("CNC402 Offloader")
def _(scene: Scene) -> None:
    threads: list[str] = []
    scene.module("requests", requests(threads))
    assert offloaded(scene, lambda page: page.load_user("Ada")) == {"name": "Ada"}
    assert threads != [threading.current_thread().name]


@shows("CNC407 Offloader")
def _(scene: Scene) -> None:
    made = offloaded(scene, lambda page: page.thumbnail("a", lambda path: (path, threading.current_thread())))
    assert made[0] == "a"
    assert made[1] is not threading.current_thread()


@shows("CNC409 Offloader")
def _(scene: Scene) -> None:
    scene.module("requests", requests([]))
    assert offloaded(scene, lambda page: page.greet("Ada")) == "Hello Ada"


# Shared state


@shows("CNC801 thread_safe")
def _(scene: Scene) -> None:
    counter_class = scene.run().Counter
    counter = counter_class()
    in_threads(8, lambda: [counter.increment() for _ in range(50)])
    assert counter._value == 400
    said = guard.thread_safety(counter_class)
    assert said is not None
    assert (said.safe, said.doc) == (True, "all methods may be called from any thread")


@shows("CNC615 guard.GuardedBy")
def _(scene: Scene) -> None:
    guard.checks(True)
    try:
        account = scene.run().Account()
        in_threads(8, lambda: [account.deposit(1) for _ in range(50)])
        with account._lock:
            assert account.balance == 400
        with pytest.raises(runtime.NotGuarded):
            account._add(1)
        with pytest.raises(runtime.NotGuarded):
            assert account.balance
    finally:
        guard._switched.clear()


# Task queues


@shows("CNC710 django.update_if_stale")
def _(scene: Scene) -> None:
    account = scene.django().Account
    page = scene.run()
    page.touch(1)
    seen = account.objects.get(pk=1).seen_at
    page.touch(1)
    assert account.objects.get(pk=1).seen_at == seen is not None


@shows("CNC710 update_if_stale")
def _(scene: Scene) -> None:
    factory = scene.sqlalchemy()
    page = scene.run()
    seen = []
    for _ in range(2):
        with factory() as session:
            page.touch(session, 1)
        with factory() as session:
            seen.append(session.get_one(page_models.Account, 1).seen_at)
    assert seen[0] == seen[1] is not None


@shows("CNC712 RedisCoalescer")
def _(scene: Scene) -> None:
    client = scene.redis()
    visits: runtime.RedisCoalescer[int] = runtime.RedisCoalescer(client, "cnc-page", lease=20)
    visits.record("a", 1)
    visits.record("a", 2)
    written: dict[str, int] = {}
    assert scene.run().write_visits(visits, written.update) == 1
    assert written == {"a": 2}
    assert len(visits) == 0


@shows("CNC701 TaskQueues")
@shows("CNC702 TaskQueues")
@shows("CNC708 TaskQueues")
def _(scene: Scene) -> None:
    page = scene.run()
    routes = [page.app.amqp.router.route({}, name)["queue"].name for name in ("plan.reports", "run.report")]
    assert routes == ["schedule", "execution"]


# All of them

BLOCKS = blocks()


@pytest.mark.parametrize(("key", "block"), BLOCKS, ids=[key for key, _ in BLOCKS])
def test_the_code_of_a_page_works(
    key: str, block: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    assert key in WAYS, f"run this block: write a function here that is marked @shows({key!r})"
    WAYS[key](Scene(block, monkeypatch, request))


def test_each_block_has_its_own_key_and_each_way_its_block() -> None:
    keys = [key for key, _ in BLOCKS]
    assert sorted(keys) == sorted(set(keys)), "let the second block begin with another import of the runtime"
    assert set(WAYS) <= set(keys)


@pytest.mark.parametrize("rule", catalogue.rules(), ids=lambda rule: str(rule.code))
def test_a_helper_that_a_message_names_is_shown(rule: type[Rule]) -> None:
    """The message may put the name together; then the module has it somewhere."""
    module = ast.parse(inspect.getsource(sys.modules[rule.__module__]))
    (body,) = (node.body for node in module.body if isinstance(node, ast.ClassDef))
    del body[0]  # the page, of which Python 3.13 keeps another text than stands there
    named = set(re.findall(r"flake8_concurrency\.runtime\.(?:\w+\.)?(\w+)", ast.unparse(module)))
    shown = {name.rpartition(".")[2] for block in catalogue.page(rule).good for name in helpers(block)}
    assert named <= shown


def test_a_block_is_found_by_its_import() -> None:
    block = (
        "import json\nfrom flake8_concurrency.runtime.django import locked\nimport flake8_concurrency.runtime.pool\n"
    )
    assert list(helpers(block)) == ["django.locked", "pool"]
    assert list(helpers("from flake8_concurrency.runtime import wait_all, run_all")) == ["wait_all", "run_all"]
    assert list(helpers("from concurrent.futures import wait")) == []
