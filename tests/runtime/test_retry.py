"""What is run again and what is not, with the errors of each driver and real servers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from flake8_concurrency.runtime.errors import RetriesExhausted
from flake8_concurrency.runtime.retry import (
    error_codes,
    is_lock_not_available,
    is_transient,
    pause,
    run_transaction,
    run_transaction_async,
)
from flake8_concurrency.runtime.testing import PostgresServer

SYNC = ["postgresql+psycopg", "postgresql+psycopg2", "mysql+pymysql"]
ASYNC = ["postgresql+psycopg", "postgresql+asyncpg", "mysql+asyncmy"]

Factory = orm.sessionmaker[orm.Session]
AsyncFactory = async_sessionmaker[AsyncSession]


# Codes


class ServerError(Exception):
    def __init__(self, **attributes: Any) -> None:
        super().__init__("a message")
        vars(self).update(attributes)


class ConnectorError(Exception):
    __module__ = "pymysql.err"


@pytest.mark.parametrize(
    ("error", "transient", "unavailable"),
    [
        (ServerError(sqlstate="40001"), True, False),
        (ServerError(pgcode="40P01"), True, False),
        (ServerError(orig=ServerError(pgcode="40P01")), True, False),
        (ConnectorError(1213, "Deadlock found"), True, False),
        (ConnectorError(1205, "Lock wait timeout exceeded"), True, True),
        (ConnectorError(3572, "Statement aborted because lock(s) could not be acquired"), False, True),
        (ServerError(sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT), True, False),
        (ServerError(sqlstate="55P03"), False, True),
        (ServerError(sqlstate="23505"), False, False),
        (ServerError(sqlstate="40003"), False, False),  # statement_completion_unknown
        (ServerError(sqlstate="57P01"), False, False),
        (ServerError(sqlstate=None, pgcode=None), False, False),
        (ConnectorError(1062, "Duplicate entry"), False, False),
        (ConnectorError(2013, "Lost connection"), False, False),
        (KeyError(1213), False, False),
        (OSError(1205, "what"), False, False),
        (TimeoutError(), False, False),
    ],
)
def test_codes_decide(error: Exception, transient: bool, unavailable: bool) -> None:
    assert is_transient(error) is transient
    assert is_lock_not_available(error) is unavailable


def test_a_class_name_decides_nothing() -> None:
    class DeadlockDetected(Exception):  # noqa: N818 - psycopg's name
        pass

    assert not is_transient(DeadlockDetected("40001 deadlock detected"))


def test_the_cause_is_looked_at_and_the_context_is_not() -> None:
    def raised(*, cause: bool) -> Exception:
        error = RuntimeError()
        error.__context__ = deadlock = ServerError(sqlstate="40001")
        error.__cause__ = deadlock if cause else None
        return error

    assert error_codes(raised(cause=True)) == {"40001"}
    assert error_codes(raised(cause=False)) == frozenset()


def test_a_chain_that_bites_its_tail() -> None:
    error = ServerError(sqlstate="40001")
    error.__cause__ = ServerError(orig=error)
    assert error_codes(error) == {"40001"}


def test_what_was_retried_to_the_end_is_not_retried_outside() -> None:
    error = RetriesExhausted("three times")
    error.__cause__ = ServerError(sqlstate="40001")
    assert not is_transient(error)


# Attempts


class FakeSession:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def begin(self) -> AbstractContextManager[None]:
        return nullcontext()


class FakeTime:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("attempts", "timeout", "made", "slept"),
    [
        (1, None, 1, []),
        (3, None, 3, [1.0, 2.0]),
        (9, 5.9, 3, [1.0, 2.0]),
        (9, 6.1, 4, [1.0, 2.0, 3.0]),
        (9, 0.0, 1, []),
    ],
)
def test_attempts_and_time_are_bounded(attempts: int, timeout: float | None, made: int, slept: list[float]) -> None:
    sessions: list[FakeSession] = []
    time = FakeTime()

    def fail(session: FakeSession) -> None:
        sessions.append(session)
        raise ServerError(sqlstate="40001")

    with pytest.raises(RetriesExhausted, match=f"^{made} attempts failed in") as error:
        run_transaction(
            FakeSession, fail, attempts=attempts, timeout=timeout, pause=float, clock=time.clock, sleep=time.sleep
        )
    assert error_codes(error.value.__cause__ or error.value) == {"40001"}
    assert len(set(map(id, sessions))) == made
    assert time.slept == slept


def test_what_is_not_transient_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        run_transaction(
            FakeSession, lambda _: 1 // 0, attempts=5, timeout=None, sleep=lambda _: pytest.fail("it slept")
        )


def test_no_attempt_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        run_transaction(FakeSession, lambda _: None, attempts=0, timeout=None)


def test_pauses_double_up_to_a_second() -> None:
    for attempt, most in ((1, 0.01), (2, 0.02), (5, 0.16), (8, 1.0), (10_000, 1.0)):
        pauses = [pause(attempt) for _ in range(200)]
        assert 0.0 <= min(pauses) < max(pauses) <= most


# Servers


@pytest.fixture(scope="module")
def url_of(request: pytest.FixtureRequest, postgres: PostgresServer, database: str) -> Callable[[str], str]:
    def url(driver: str) -> str:
        server, _, name = driver.partition("+")
        if server == "mysql":
            return f"{driver}://{request.getfixturevalue('mariadb_database')}"
        return postgres.url(database, driver=name)

    return url


def fresh(url: str) -> None:
    """Two rows of 0."""
    engine = sa.create_engine(url.replace("asyncmy", "pymysql").replace("asyncpg", "psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS counter"))
        connection.execute(sa.text("CREATE TABLE counter (id integer PRIMARY KEY, n integer NOT NULL)"))
        connection.execute(sa.text("INSERT INTO counter VALUES (1, 0), (2, 0)"))
    engine.dispose()


@pytest.fixture
def factory(url_of: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Factory]:
    url = url_of(request.param)
    fresh(url)
    engine = sa.create_engine(url)
    yield orm.sessionmaker(engine)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    engine.dispose()


@pytest.fixture(params=ASYNC)
def async_url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    url = url_of(request.param)
    fresh(url)
    return url


on_each = pytest.mark.parametrize("factory", SYNC, indirect=True)
on_postgresql = pytest.mark.parametrize("factory", SYNC[:2], indirect=True)

ADD = sa.text("UPDATE counter SET n = n + 1 WHERE id = :id")
READ = sa.text("SELECT n FROM counter ORDER BY id")


def numbers(factory: Factory) -> list[int]:
    with factory() as session:
        return list(session.scalars(READ))


def with_async(url: str, use: Callable[[AsyncFactory], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def run() -> None:
        engine = create_async_engine(url, **options)
        try:
            await use(async_sessionmaker(engine))
            assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        finally:
            await engine.dispose()

    asyncio.run(run())


def crosswise(factory: Factory, attempts: int) -> tuple[int, list[BaseException]]:
    """Two transactions that lock two rows in opposite order: the attempts made, and the errors that came out."""
    both_have_one = threading.Barrier(2)
    made: list[int] = []

    def run(first: int) -> None:
        mine: list[int] = []

        def work(session: orm.Session) -> None:
            mine.append(first)
            made.append(first)
            session.execute(ADD, {"id": first})
            if len(mine) == 1:
                both_have_one.wait(10)
            session.execute(ADD, {"id": 3 - first})

        run_transaction(factory, work, attempts=attempts, timeout=None)

    with ThreadPoolExecutor(2) as pool:
        errors = [future.exception(timeout=30) for future in [pool.submit(run, first) for first in (1, 2)]]
    return len(made), [error for error in errors if error]


@on_each
def test_a_deadlock_is_run_again(factory: Factory) -> None:
    # The control: without another attempt one of them is lost.
    made, errors = crosswise(factory, attempts=1)
    assert (made, [type(error) for error in errors]) == (2, [RetriesExhausted])
    assert isinstance(errors[0].__cause__, DBAPIError)
    assert is_transient(errors[0].__cause__)
    assert numbers(factory) == [1, 1]

    assert crosswise(factory, attempts=5) == (3, [])
    assert numbers(factory) == [3, 3]


def test_a_deadlock_is_run_again_async(async_url: str) -> None:
    async def use(factory: AsyncFactory) -> None:
        both_have_one = asyncio.Barrier(2)
        made: list[int] = []

        async def run(first: int) -> None:
            async def work(session: AsyncSession) -> None:
                again = first in made
                made.append(first)
                await session.execute(ADD, {"id": first})
                if not again:
                    await both_have_one.wait()
                await session.execute(ADD, {"id": 3 - first})

            await run_transaction_async(factory, work, attempts=5, timeout=None)

        async with asyncio.timeout(30):
            await asyncio.gather(run(1), run(2))
        assert len(made) == 3
        async with factory() as session:
            assert list(await session.scalars(READ)) == [2, 2]

    with_async(async_url, use)


@on_postgresql
def test_a_serialization_failure_is_run_again(factory: Factory) -> None:
    engine = factory.kw["bind"].execution_options(isolation_level="REPEATABLE READ")
    seen: list[int] = []

    def work(session: orm.Session) -> None:
        seen.append(session.scalars(READ).all()[0])
        if len(seen) == 1:
            with factory.begin() as other:
                other.execute(ADD, {"id": 1})
        session.execute(sa.text("UPDATE counter SET n = :n WHERE id = 1"), {"n": seen[-1] + 1})

    run_transaction(orm.sessionmaker(engine), work, attempts=3, timeout=None)
    assert seen == [0, 1]
    assert numbers(factory) == [2, 0]


def test_a_serialization_failure_is_run_again_async(async_url: str) -> None:
    if "mysql" in async_url:
        return  # InnoDB has no such failure by default: there it is the deadlock above

    async def use(factory: AsyncFactory) -> None:
        seen: list[int] = []

        async def work(session: AsyncSession) -> None:
            seen.append((await session.scalars(READ)).all()[0])
            if len(seen) == 1:
                async with factory.begin() as other:
                    await other.execute(ADD, {"id": 1})
            await session.execute(sa.text("UPDATE counter SET n = :n WHERE id = 1"), {"n": seen[-1] + 1})

        await run_transaction_async(factory, work, attempts=3, timeout=None)
        assert seen == [0, 1]

    with_async(async_url, use, isolation_level="REPEATABLE READ")


@pytest.mark.parametrize("factory", SYNC[2:], indirect=True)
def test_a_lock_wait_timeout_rolls_back_the_statement_only(factory: Factory) -> None:
    def work(session: orm.Session) -> None:
        session.execute(sa.text("SET SESSION innodb_lock_wait_timeout = 1"))
        session.execute(ADD, {"id": 1})
        session.execute(ADD, {"id": 2})

    with factory() as holder:
        holder.execute(ADD, {"id": 2})
        with factory() as session:  # the control: who catches the error and commits stores half of the work
            with pytest.raises(DBAPIError) as error:
                work(session)
            assert 1205 in error_codes(error.value)
            session.commit()
        assert numbers(factory) == [1, 0]
        run_transaction(factory, work, attempts=2, timeout=None, sleep=lambda _: holder.rollback())
    assert numbers(factory) == [2, 1]


@on_each
def test_a_duplicate_is_not_run_again(factory: Factory) -> None:
    made: list[int] = []

    def work(session: orm.Session) -> None:
        made.append(1)
        session.execute(ADD, {"id": 2})
        session.execute(sa.text("INSERT INTO counter VALUES (1, 0)"))

    with pytest.raises(IntegrityError) as error:
        run_transaction(factory, work, attempts=5, timeout=None)
    assert error_codes(error.value) & {"23505", 1062}
    assert (len(made), numbers(factory)) == (1, [0, 0])


def test_a_duplicate_is_not_run_again_async(async_url: str) -> None:
    async def use(factory: AsyncFactory) -> None:
        made: list[int] = []

        async def work(session: AsyncSession) -> None:
            made.append(1)
            await session.execute(sa.text("INSERT INTO counter VALUES (1, 0)"))

        with pytest.raises(IntegrityError) as error:
            await run_transaction_async(factory, work, attempts=5, timeout=None)
        assert error_codes(error.value) & {"23505", 1062}
        assert len(made) == 1

    with_async(async_url, use)


@on_postgresql
def test_a_commit_whose_outcome_is_unknown_is_not_run_again(factory: Factory) -> None:
    made: list[int] = []

    def cut(session: orm.Session) -> None:
        """The connection is lost while the commit is under way."""
        process = session.scalar(sa.text("SELECT pg_backend_pid()"))
        with factory() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})

    class Cut(orm.Session):
        """Loses its connection when it commits."""

    def work(session: orm.Session) -> None:
        made.append(1)
        session.execute(ADD, {"id": 1})

    sa.event.listen(Cut, "before_commit", cut)
    with pytest.raises(DBAPIError) as error:
        run_transaction(orm.sessionmaker(factory.kw["bind"], class_=Cut), work, attempts=5, timeout=None)
    assert error.value.connection_invalidated
    assert len(made) == 1


def test_sqlite_busy(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'db'}", connect_args={"timeout": 0})
    factory = orm.sessionmaker(engine)
    with factory.begin() as session:
        session.execute(sa.text("CREATE TABLE counter (id integer PRIMARY KEY, n integer NOT NULL)"))
        session.execute(sa.text("INSERT INTO counter VALUES (1, 0)"))
    with factory() as holder:
        holder.execute(ADD, {"id": 1})
        run_transaction(
            factory,
            lambda session: session.execute(ADD, {"id": 1}).close(),
            attempts=2,
            timeout=None,
            sleep=lambda _: holder.rollback(),
        )
    assert numbers(factory) == [1]
    engine.dispose()


def test_a_cancellation_goes_on_and_frees_the_row(async_url: str) -> None:
    async def use(factory: AsyncFactory) -> None:
        holds = asyncio.Event()

        async def work(session: AsyncSession) -> None:
            await session.execute(ADD, {"id": 1})
            holds.set()
            await asyncio.Event().wait()

        async with asyncio.timeout(30):
            task = asyncio.create_task(run_transaction_async(factory, work, attempts=5, timeout=None))
            await holds.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with factory.begin() as session:
                await session.execute(sa.text("SELECT n FROM counter WHERE id = 1 FOR UPDATE NOWAIT"))
                assert list(await session.scalars(READ)) == [0, 0]

    with_async(async_url, use)
