"""Claims, leases, locks and time windows on real servers; each naive way is kept beside as the control."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import types
import uuid
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool

from flake8_concurrency.runtime.errors import LeaseLost, LockingUnsupported, LockNotAvailable
from flake8_concurrency.runtime.lease_statements import KEPT, Statements, claiming
from flake8_concurrency.runtime.retry import is_transient, run_transaction, run_transaction_async
from flake8_concurrency.runtime.sqlalchemy import (
    Claim,
    LeaseColumns,
    claim_batch,
    claim_batch_async,
    claim_each,
    claim_each_async,
    complete,
    complete_async,
    extend,
    extend_async,
    lock_batch,
    lock_batch_async,
    locked,
    locked_async,
    release,
    release_async,
    update_if_stale,
    update_if_stale_async,
)
from flake8_concurrency.runtime.testing import PostgresServer
from tests.runtime.lease_worker import Account, Base, Effect, Factory, Job, Pair, Parent

ROOT = Path(__file__).parents[2]
SYNC = ["postgresql+psycopg", "postgresql+psycopg2", "mysql+pymysql"]
ASYNC = ["postgresql+psycopg", "postgresql+asyncpg", "mysql+asyncmy"]
PAIRS = LeaseColumns(attempts=None, done_at=None)


@pytest.fixture(scope="module")
def url_of(request: pytest.FixtureRequest, postgres: PostgresServer, database: str) -> Callable[[str], str]:
    """The URL for a driver, of a database with the tables in it."""
    made: set[str] = set()

    def url(driver: str) -> str:
        server, _, name = driver.partition("+")
        if server == "mysql":
            address = f"{driver}://{request.getfixturevalue('mariadb_database')}"
            plain = address.replace(name, "pymysql", 1)
        else:
            address = postgres.url(database, driver=name)
            plain = postgres.url(database, driver="psycopg")
        if server not in made:
            made.add(server)
            engine = sa.create_engine(plain, poolclass=NullPool)
            Base.metadata.create_all(engine)
            engine.dispose()
        return address

    return url


def empty(factory: Factory) -> None:
    with factory.begin() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        session.add(Parent(id=1))


@pytest.fixture
def factory(url_of: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Factory]:
    """Sessions on empty tables."""
    driver = getattr(request, "param", "postgresql+psycopg")
    level = "READ COMMITTED"
    engine = sa.create_engine(url_of(driver), isolation_level=level, pool_size=20)
    factory = orm.sessionmaker(engine)
    empty(factory)
    yield factory
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    engine.dispose()


on_each = pytest.mark.parametrize("factory", SYNC, indirect=True)


def jobs(factory: Factory, count: int) -> None:
    with factory.begin() as session:
        session.execute(sa.insert(Job), [{"id": n, "parent_id": 1, "rank": -n} for n in range(1, count + 1)])


def claim_of(
    factory: Factory, *, limit: int = 10, lease: float = 60.0, max_attempts: int | None = None, **kwargs: Any
) -> Claim[Job]:
    with factory.begin() as session:
        return claim_batch(
            session, Job, limit=limit, lease=lease, max_attempts=max_attempts, **{"order_by": Job.id, **kwargs}
        )


def expire(factory: Factory) -> None:
    """The time passes: every lease is over."""
    with factory.begin() as session:
        past = sa.text("UPDATE job SET lease_expires_at = '2000-01-01' WHERE lease_expires_at IS NOT NULL")
        session.execute(past)


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout=30) for future in [pool.submit(call, n) for n in range(count)]]


def worker(url: str, mode: str, lease: float, limit: int = 100) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "tests.runtime.lease_worker", url, mode, str(lease), str(limit)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def finished(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out.strip()


def effects(factory: Factory) -> dict[int, int]:
    """How many effects each job had."""
    with factory() as session:
        rows = session.execute(sa.select(Effect.job_id, sa.func.count()).group_by(Effect.job_id))
        return {job: int(count) for job, count in rows}


# Claims


def test_four_processes_claim_10_000_rows_once_each(factory: Factory, url_of: Callable[[str], str]) -> None:
    jobs(factory, 10_000)
    for process in [worker(url_of("postgresql+psycopg"), "drain", 60.0, 50) for _ in range(4)]:
        finished(process)
    assert effects(factory) == dict.fromkeys(range(1, 10_001), 1)
    with factory() as session:
        assert session.execute(sa.select(Job.attempts, Job.result).distinct()).all() == [(1, "drain")]


def test_control_without_a_lock_two_claim_the_same(factory: Factory) -> None:
    jobs(factory, 4)
    both_have_read = threading.Barrier(2)

    def naive(_: int) -> list[int]:
        with factory.begin() as session:
            found = session.scalars(sa.select(Job).where(Job.lease_token.is_(None)).order_by(Job.id).limit(2)).all()
            both_have_read.wait(10)
            for job in found:
                job.lease_token = uuid.uuid4()
            return [job.id for job in found]

    assert in_threads(2, naive) == [[1, 2], [1, 2]]


@on_each
def test_claims_are_disjoint_and_in_order(factory: Factory) -> None:
    jobs(factory, 6)
    with factory.begin() as one, factory.begin() as two:
        first = claim_batch(one, Job, limit=3, lease=60.0, max_attempts=None, order_by=Job.id)
        second = claim_batch(two, Job, limit=3, lease=60.0, max_attempts=None, order_by=(Job.id,))
    assert (first.ids, second.ids) == ((1, 2, 3), (4, 5, 6))
    assert [job.id for job in first] == [1, 2, 3]
    assert len(claim_of(factory)) == 0
    assert all(sa.inspect(job).detached for job in first)
    with factory() as session:
        stored = session.execute(sa.select(Job.lease_token, Job.lease_expires_at, Job.attempts).where(Job.id == 1))
        assert stored.one() == (first.token, first.expires_at, 1)
    assert (first.rows[0].lease_token, first.rows[0].lease_expires_at, first.rows[0].attempts) == (
        first.token,
        first.expires_at,
        1,
    )


def test_order_is_the_one_asked_for(factory: Factory) -> None:
    jobs(factory, 5)
    assert claim_of(factory, order_by=(Job.rank, Job.id), limit=3, where=[Job.id < 5]).ids == (4, 3, 2)


def test_a_row_that_is_in_the_session_is_claimed_with_fresh_values(factory: Factory) -> None:
    jobs(factory, 1)
    with factory() as session:
        job = session.get_one(Job, 1)
        session.commit()
        assert job.result is None
        with factory.begin() as other:
            other.get_one(Job, 1).result = "new"
        claim = claim_batch(session, Job, limit=1, lease=60.0, max_attempts=None, order_by=Job.id)
        assert claim.rows == [job]
        assert (claim.rows[0].result, claim.rows[0].attempts) == ("new", 1)


def test_a_limit_is_kept_where_in_would_run_its_subquery_again(factory: Factory) -> None:
    jobs(factory, 20)
    plan = "SET LOCAL enable_hashjoin=off; SET LOCAL enable_mergejoin=off; SET LOCAL enable_hashagg=off"
    plan += "; SET LOCAL enable_sort=off; SET LOCAL enable_material=off"
    with factory() as session:
        session.execute(sa.text(plan))
        picked = sa.select(Job.id).limit(1).with_for_update(skip_locked=True)
        naive = sa.update(Job).where(Job.id.in_(picked)).values(rank=1).returning(Job.id)
        assert len(session.execute(naive).all()) > 1
    with factory.begin() as session:
        session.execute(sa.text(plan))
        assert len(claim_batch(session, Job, limit=1, lease=60.0, max_attempts=None, order_by=Job.id)) == 1


@on_each
def test_poison_rows_stop_at_max_attempts(factory: Factory) -> None:
    jobs(factory, 1)
    claims = []
    for _ in range(5):
        claims.append(len(claim_of(factory, max_attempts=3)))
        expire(factory)
    assert claims == [1, 1, 1, 0, 0]
    assert len(claim_of(factory, max_attempts=None)) == 1


def test_two_columns_as_key_and_no_counts(factory: Factory) -> None:
    with factory.begin() as session:
        session.add_all([Pair(left=1, right=n) for n in range(3)])
    with factory.begin() as session:
        claim = claim_batch(
            session,
            Pair,
            limit=2,
            lease=60.0,
            max_attempts=None,
            order_by=Pair.right.desc(),
            where=[Pair.open],
            columns=PAIRS,
        )
    assert claim.ids == ((1, 2), (1, 1))
    with factory.begin() as session:
        assert extend(session, claim, lease=90.0, ids=[(1, 2)]).ids == ((1, 2),)
        complete(session, claim, values={"open": False})
        with pytest.raises(LeaseLost) as lost:
            release(session, claim)
        assert list(lost.value.ids) == [(1, 2), (1, 1)]
        with pytest.raises(ValueError, match="takes the rows out of the next claim"):
            complete(session, claim)
        with pytest.raises(ValueError, match="max_attempts needs a column"):
            claim_batch(session, Pair, limit=2, lease=60.0, max_attempts=3, order_by=Pair.right, columns=PAIRS)


# Leases


def test_effects_happen_once_although_workers_are_killed(factory: Factory, url_of: Callable[[str], str]) -> None:
    url = url_of("postgresql+psycopg")
    jobs(factory, 60)
    for round_ in range(4):
        victims = [worker(url, "step", 0.2, 2) for _ in range(2)]
        for number, victim in enumerate(victims):
            for _ in range(1 + round_):
                assert line_of(victim) == "claimed"
                go_on(victim)
            # One is killed with a claim in its hands, the other somewhere in the transaction that completes it.
            if number == 0:
                assert line_of(victim) == "claimed"
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.communicate()
    assert 0 < len(effects(factory)) < 60
    finished(worker(url, "drain", 0.2, 20))
    assert effects(factory) == dict.fromkeys(range(1, 61), 1)


def test_control_a_killed_naive_worker_does_it_twice(factory: Factory, url_of: Callable[[str], str]) -> None:
    url = url_of("postgresql+psycopg")
    jobs(factory, 2)
    with factory() as holder:
        # The mark waits for this lock, so the kill falls between the effect and it.
        holder.execute(sa.select(Job).where(Job.id == 1).with_for_update())
        victim = worker(url, "naive-drain", 0.0)
        assert line_of(victim) == "claimed"
        victim.kill()
        victim.communicate()
    finished(worker(url, "naive-drain", 0.0))
    assert effects(factory)[1] == 2


@pytest.mark.parametrize(
    ("mode", "said", "result"), [("stop", "lost [1, 2]", "new owner"), ("naive-stop", "written", "resumed")]
)
def test_a_worker_that_is_resumed_after_its_lease(
    factory: Factory, url_of: Callable[[str], str], mode: str, said: str, result: str
) -> None:
    jobs(factory, 2)
    stopped = worker(url_of("postgresql+psycopg"), mode, 0.2)
    os.waitpid(stopped.pid, os.WUNTRACED)
    with factory() as session:  # the lease ends by itself: the server waits for that, by its own clock
        session.execute(sa.text("SELECT pg_sleep_until(max(lease_expires_at) + interval '1 ms') FROM job"))
    claim = claim_of(factory)  # and the hung worker holds no lock
    assert claim.ids == (1, 2)
    with factory.begin() as session:
        complete(session, claim, values={"result": "new owner"})
    stopped.send_signal(signal.SIGCONT)
    assert finished(stopped) == said
    with factory() as session:
        assert session.scalars(sa.select(Job.result)).all() == [result] * 2
        assert session.scalar(sa.select(sa.func.count()).select_from(Effect)) == 0


def test_control_a_held_row_lock_is_never_given_up(factory: Factory) -> None:
    jobs(factory, 1)
    with factory() as hung, factory() as other:
        assert len(lock_batch(hung, sa.select(Job), limit=1)) == 1
        assert lock_batch(other, sa.select(Job), limit=1) == []


@on_each
def test_a_lease_that_is_over_is_lost_as_a_whole(factory: Factory) -> None:
    jobs(factory, 3)
    claim = claim_of(factory)
    with factory.begin() as session:
        session.execute(sa.text("UPDATE job SET lease_expires_at = '2000-01-01' WHERE id = 2"))
    for change in (
        lambda session: complete(session, claim),
        lambda session: extend(session, claim, lease=60.0),
        lambda session: release(session, claim),
    ):
        with factory.begin() as session:  # commits: what was changed before the error would be stored
            with pytest.raises(LeaseLost) as lost:
                change(session)
            assert list(lost.value.ids) == [2]
    with factory() as session:
        rows = session.execute(sa.select(Job.id, Job.lease_token, Job.done_at).order_by(Job.id)).all()
    assert rows == [(n, claim.token, None) for n in (1, 2, 3)]


@on_each
def test_the_token_tells_the_owners_apart(factory: Factory) -> None:
    """The lease of the new owner runs, so the time alone would let the old one through."""
    jobs(factory, 2)
    old = claim_of(factory)
    expire(factory)
    new = claim_of(factory, lease=60.0)
    assert new.ids == old.ids
    for change in (
        lambda session: complete(session, old, values={"result": "old"}),
        lambda session: extend(session, old, lease=60.0),
        lambda session: release(session, old),
    ):
        with factory.begin() as session, pytest.raises(LeaseLost):
            change(session)
    with factory() as session:
        rows = session.execute(sa.select(Job.lease_token, Job.lease_expires_at, Job.result)).all()
    assert rows == [(new.token, new.expires_at, None)] * 2


@on_each
def test_complete_extend_and_release(factory: Factory) -> None:
    jobs(factory, 4)
    claim = claim_of(factory, lease=5.0)
    assert claim.expires_at is not None
    with factory.begin() as session:
        longer = extend(session, claim, lease=500.0, ids=[1, 2, 3])
    assert longer.expires_at is not None
    assert 490 < (longer.expires_at - claim.expires_at).total_seconds() < 520
    assert [job.id for job in longer] == [1, 2, 3]
    with factory.begin() as session:
        complete(session, longer, ids=[1], values={"result": "good"})
        release(session, longer, ids=[2])
        release(session, longer, ids=[3], delay=60.0)
        complete(session, longer, ids=[])
        with pytest.raises(ValueError, match=r"not in this claim: \[4\]"):
            complete(session, longer, ids=[4])
    assert claim_of(factory).ids == (2,)
    with factory() as session:
        done = session.get_one(Job, 1)
        assert (done.result, done.lease_token, done.lease_expires_at, done.done_at is None) == (
            "good",
            None,
            None,
            False,
        )
        assert session.get_one(Job, 2).attempts == 2
        assert session.get_one(Job, 3).lease_token is None


def test_an_empty_claim(factory: Factory) -> None:
    claim = claim_of(factory)
    assert (claim.rows, claim.ids, claim.expires_at) == ([], (), None)
    with factory.begin() as session:
        complete(session, claim)
        assert extend(session, claim, lease=1.0).expires_at is None


def test_a_lease_needs_a_time_zone(factory: Factory) -> None:
    class Wrong(orm.DeclarativeBase):
        pass

    class Naive(Wrong):
        __tablename__ = "naive"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        lease_token: orm.Mapped[str] = orm.mapped_column(sa.String(32))
        lease_expires_at = orm.mapped_column(sa.DateTime())

    with factory() as session, pytest.raises(TypeError, match=r"needs DateTime\(timezone=True\)"):
        claim_batch(session, Naive, limit=1, lease=1.0, max_attempts=None, order_by=Naive.id, columns=PAIRS)


# How the statements are kept


@pytest.fixture
def executed(factory: Factory) -> Iterator[list[str]]:
    """What is sent to the server."""
    sent: list[str] = []
    engine = factory.kw["bind"]

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


def test_each_is_one_statement_of_the_same_text(factory: Factory, executed: list[str]) -> None:
    jobs(factory, 6)
    executed.clear()
    texts = set()
    for lease, limit in ((60.0, 1), (90.0, 1), (60.0, 2)):
        claim = claim_of(factory, limit=limit, lease=lease, max_attempts=limit + 3)
        assert len(claim) == limit
        with factory.begin() as session:
            complete(session, claim)
        texts.add(executed[0])
        assert len(executed) == 2
        executed.clear()
    assert len(texts) == 1


def test_values_of_conditions_are_those_of_the_call(factory: Factory) -> None:
    """`Job.id < 5` is a new object at each call; the statement of another one is used, with its own value."""
    jobs(factory, 9)
    kept = Statements.of(sa.inspect(Job))
    for ids in ([7], [2, 3], [9]):
        assert claim_of(factory, where=[Job.id.in_(ids)]).ids == tuple(ids)
    kept._kept.clear()
    claims = [claim_of(factory, where=[Job.id == ident], order_by=Job.rank.desc()).ids for ident in (1, 4, 5)]
    assert claims == [(1,), (4,), (5,)]
    of_select = [claim_of_select(factory, sa.select(Job).where(Job.id > ident)).ids for ident in (7, 5)]
    assert of_select == [(8,), (6,)]
    same = [key for key in kept._kept if isinstance(key, tuple) and key[0] == "like"]
    assert len(same) == 2


def claim_of_select(factory: Factory, select: sa.Select[Job]) -> Claim[Job]:
    with factory.begin() as session:
        return claim_batch(session, select, limit=1, lease=60.0, max_attempts=None, order_by=Job.id)


def test_aliases_are_not_mixed_up(factory: Factory) -> None:
    """Two selects of the same shape; in the second the condition speaks of the claimed row."""
    jobs(factory, 3)
    other = orm.aliased(Job)
    with_other = sa.select(Job).join(other, other.id == Job.id + 1)
    assert claim_of_select(factory, with_other.where(other.id == 3)).ids == (2,)
    assert claim_of_select(factory, with_other.where(Job.id == 1)).ids == (1,)


def test_statements_are_bounded_and_die_with_the_class() -> None:
    class Brief(orm.DeclarativeBase):
        pass

    class Once(Brief):
        __tablename__ = "once"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        lease_token: orm.Mapped[uuid.UUID | None]
        lease_expires_at: orm.Mapped[datetime | None] = orm.mapped_column(sa.DateTime(timezone=True))

    mapper, engine = sa.inspect(Once), sa.create_mock_engine("postgresql+psycopg://", lambda *_: None)
    for number in range(2 * KEPT):
        where = sa.text(f"id > {number}")
        assert str(where) in str(claiming(mapper, engine.dialect, None, PAIRS, None, (Once.id,), (where,))[0].update)
    assert len(Statements.of(mapper)) == KEPT
    gone = weakref.ref(Once)
    del Once, Brief, mapper
    for _ in range(3):  # what the first finalises lets go of more
        gc.collect()
    assert gone() is None, gc.get_referrers(gone())


def test_a_condition_that_cannot_be_told_apart_is_built_each_time(factory: Factory) -> None:
    class Unknown(sa.sql.expression.ColumnElement[bool]):
        inherit_cache = False
        type = sa.Boolean()

        def __init__(self, ident: int) -> None:
            self.ident = ident

    @compiles(Unknown)
    def _(element: Unknown, compiler: Any, **_: Any) -> str:
        return f"job.id = {element.ident}"

    jobs(factory, 3)
    assert [claim_of(factory, where=[Unknown(ident)]).ids for ident in (3, 1)] == [(3,), (1,)]


def test_threads_share_the_statements(factory: Factory) -> None:
    jobs(factory, 200)
    Statements.of(sa.inspect(Job))._kept.clear()

    def drain(_: int) -> list[int]:
        ids: list[int] = []
        while claim := claim_of(factory, limit=7, where=[Job.id > 0]):
            ids += claim.ids
        return ids

    assert sorted(itertools.chain.from_iterable(in_threads(8, drain))) == list(range(1, 201))


def test_autocommit_needs_no_transaction(factory: Factory, executed: list[str]) -> None:
    jobs(factory, 3)
    executed.clear()
    with orm.Session(factory.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")) as session:
        claim = claim_batch(session, Job, limit=2, lease=60.0, max_attempts=None, order_by=Job.id)
        longer = extend(session, claim, lease=90.0)
        assert claim_of(factory).ids == (3,)  # what it claimed is committed
        complete(session, longer, ids=[1], values={"result": "good"})
        release(session, longer, ids=[2])
        with pytest.raises(LeaseLost) as lost:
            complete(session, longer)
        assert list(lost.value.ids) == [1, 2]
    # One each for two claims and four changes, and one that asks which are lost.
    assert [text.split()[0] for text in executed] == ["WITH", "WITH", "WITH", "UPDATE", "UPDATE", "WITH", "SELECT"]
    assert claim_of(factory).ids == (2,)


def test_autocommit_is_refused_where_two_statements_are_needed(factory: Factory) -> None:
    with factory.begin() as session:
        session.add(Pair(left=1, right=1))
    engine = factory.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    pairs: dict[str, Any] = {"max_attempts": None, "order_by": Pair.right, "columns": PAIRS}
    with orm.Session(engine) as session, pytest.raises(LockingUnsupported, match="AUTOCOMMIT"):
        claim_batch(session, Pair, limit=1, lease=9.0, **pairs)


def test_a_lease_that_is_extended_meanwhile_is_not_lost(factory: Factory) -> None:
    """The UPDATE finds it over, the check afterwards does not: another thread of the owner was between them."""
    jobs(factory, 2)
    claim = claim_of(factory)
    expire(factory)
    engine = factory.kw["bind"]
    updates: list[str] = []

    def extended(*arguments: Any) -> None:
        if arguments[2].startswith("WITH held") and not updates:
            updates.append(arguments[2])
            with factory.begin() as session:
                session.execute(sa.update(Job).values(lease_expires_at=sa.func.now() + timedelta(seconds=60)))

    sa.event.listen(engine, "after_cursor_execute", extended)
    with factory.begin() as session:
        complete(session, claim, values={"result": "kept"})
    sa.event.remove(engine, "after_cursor_execute", extended)
    with factory() as session:
        assert session.scalars(sa.select(Job.result)).all() == ["kept", "kept"]


def test_a_session_that_chooses_by_statement_sees_updates(factory: Factory) -> None:
    jobs(factory, 2)
    leader: sa.Engine = factory.kw["bind"]
    chosen: list[bool] = []

    class Routing(orm.Session):
        def get_bind(self, mapper: Any = None, *, clause: Any = None, **_: Any) -> sa.Engine:
            chosen.append(isinstance(clause, sa.Update))
            return leader

    with Routing() as session, session.begin():
        claim = claim_batch(session, Job, limit=2, lease=60.0, max_attempts=None, order_by=Job.id)
        assert (claim.ids, chosen[-1]) == ((1, 2), True)
        complete(session, claim)
        assert chosen[-1] is True


def test_what_else_is_in_the_session_stays_there(factory: Factory) -> None:
    jobs(factory, 2)
    with factory.begin() as session:
        parent = session.get_one(Parent, 1)
        added = Account(id=1)
        session.add(added)
        claim = claim_batch(session, Job, limit=2, lease=60.0, max_attempts=None, order_by=Job.id)
        assert parent in session
        assert added in session
        assert not any(job in session for job in claim)
        session.add(Account(id=2))
        complete(session, claim, values={"result": sa.func.concat("job ", Job.id)})
    with factory() as session:
        assert session.scalars(sa.select(Account.id).order_by(Account.id)).all() == [1, 2]
        assert session.scalars(sa.select(Job.result).order_by(Job.id)).all() == ["job 1", "job 2"]


# Facts


@pytest.mark.parametrize("ours", [False, True])
def test_a_lock_over_a_join_without_of_locks_the_parent(factory: Factory, ours: bool) -> None:
    jobs(factory, 2)
    joined = sa.select(Job).join(Parent, Parent.id == Job.parent_id).order_by(Job.id)

    def take(session: orm.Session) -> list[int]:
        if ours:
            return [job.id for job in lock_batch(session, joined, limit=1)]
        return [job.id for job in session.scalars(joined.limit(1).with_for_update(skip_locked=True))]

    with factory() as one, factory() as two:
        assert take(one) == [1]
        assert take(two) == ([2] if ours else [])


def test_a_claim_over_a_join_leaves_the_parent_free(factory: Factory) -> None:
    jobs(factory, 2)
    joined = sa.select(Job).join(Parent, Parent.id == Job.parent_id)
    with factory() as one, factory() as two:
        for session, expected in ((one, (1,)), (two, (2,))):
            claim = claim_batch(session, joined, limit=1, lease=9.0, max_attempts=None, order_by=Job.id)
            assert claim.ids == expected


@on_each
def test_a_row_in_the_session_stays_stale_under_a_lock(factory: Factory) -> None:
    with factory.begin() as session:
        session.add(Account(id=1, balance=1))
    with factory() as session, factory() as other:
        kept = session.get_one(Account, 1)  # the session's own reference is weak
        assert kept.balance == 1
        other.get_one(Account, 1).balance = 100
        other.commit()
        naive = session.scalars(sa.select(Account).with_for_update()).one()
        assert (naive is kept, naive.balance) == (True, 1)
        with locked(session, Account, 1) as account:
            assert account.balance == 100
        assert kept.balance == 100
        other.get_one(Account, 1).balance = 200
        session.commit()
        assert kept.balance == 100
        other.commit()
        assert [row.balance for row in lock_batch(session, sa.select(Account), limit=1)] == [200]


@pytest.mark.parametrize("name", ["sqlite", "mssql+pyodbc"])
def test_a_database_that_drops_the_lock_is_refused(name: str) -> None:
    engine = sa.create_mock_engine(f"{name}://", lambda *_: None)
    naive = sa.select(Job).with_for_update(skip_locked=True)
    assert "FOR UPDATE" not in str(naive.compile(dialect=engine.dialect))
    session = orm.Session(engine)  # type: ignore[arg-type]
    with pytest.raises(LockingUnsupported), locked(session, Account, 1):
        pytest.fail("it was not locked")
    with pytest.raises(LockingUnsupported):
        lock_batch(session, sa.select(Job), limit=1)
    with pytest.raises(LockingUnsupported):
        claim_batch(session, Job, limit=1, lease=1.0, max_attempts=None, order_by=Job.id)


def test_repeatable_read_does_not_skip_a_changed_row(factory: Factory) -> None:
    jobs(factory, 2)
    engine = factory.kw["bind"].execution_options(isolation_level="REPEATABLE READ")
    strict = orm.sessionmaker(engine)
    tries = []

    def take(session: orm.Session) -> list[int]:
        tries.append(session.scalar(sa.select(sa.func.count()).select_from(Job)))  # the snapshot
        if len(tries) == 1:
            with factory.begin() as other:
                other.get_one(Job, 1).rank += 1
        return [job.id for job in lock_batch(session, sa.select(Job).order_by(Job.id), limit=1)]

    with pytest.raises(DBAPIError) as error, strict() as session:
        take(session)
    assert is_transient(error.value)
    tries.clear()
    assert run_transaction(strict, take, attempts=3, timeout=None) == [1]
    assert len(tries) == 2


# Read-modify-write


def add_naively(session: orm.Session, everyone_has_read: threading.Barrier) -> None:
    with session.begin():
        balance = session.get_one(Account, 1).balance
        everyone_has_read.wait(10)
        session.execute(sa.update(Account).values(balance=balance + 1))


@on_each
@pytest.mark.parametrize("ours", [False, True])
def test_five_threads_add_ten_times(factory: Factory, ours: bool) -> None:
    with factory.begin() as session:
        session.add(Account(id=1))
    barrier = threading.Barrier(5)

    def add(_: int) -> None:
        for _ in range(10):
            with factory() as session:
                if not ours:
                    add_naively(session, barrier)
                    continue
                with locked(session, Account, 1) as account:
                    account.balance += 1

    in_threads(5, add)
    with factory() as session:
        assert (session.get_one(Account, 1).balance == 50) is ours


@on_each
def test_locked_by_somebody_else(factory: Factory) -> None:
    mysql = factory.kw["bind"].dialect.name in {"mysql", "mariadb"}
    with factory.begin() as session:
        session.add_all([Account(id=1), Account(id=2)])
    with factory() as holder, factory() as session:
        holder.get(Account, 1, with_for_update=True)
        session.get_one(Account, 2).balance = 7
        bounds: list[dict[str, Any]] = [{"nowait": True}, {"timeout": 0}]
        for bound in [*bounds, {"timeout": 0.05}]:
            with pytest.raises(LockNotAvailable), locked(session, Account, 1, **bound):
                pytest.fail("it was not locked")
        setting = "@@innodb_lock_wait_timeout" if mysql else "current_setting('lock_timeout')"
        with locked(session, Account, 2, timeout=5) as other:
            assert str(session.scalar(sa.text(f"SELECT {setting}"))) == ("50" if mysql else "0")
            other.balance += 1
        session.commit()  # the caller's transaction survived
        holder.rollback()
        with pytest.raises(ValueError, match="0 or more"), locked(session, Account, 1, timeout=-1):
            pytest.fail("it was not locked")
        session.rollback()
        with pytest.raises(NoResultFound), locked(session, Account, 99):
            pytest.fail("it does not exist")
        session.rollback()
        assert session.get_one(Account, 2).balance == 8


def test_locked_rolls_back_its_own_transaction(factory: Factory) -> None:
    with factory.begin() as session:
        session.add(Account(id=1))
    with factory() as session:
        with pytest.raises(ZeroDivisionError), locked(session, Account, 1) as account:
            account.balance = 1 // 0
        assert not session.in_transaction()
        with locked(session, Account, 1) as account:
            account.balance = 3
        assert not session.in_transaction()
        assert session.get_one(Account, 1).balance == 3


@on_each
def test_claim_each_yields_after_the_commit(factory: Factory) -> None:
    jobs(factory, 3)
    taken = []
    start = lambda job: setattr(job, "result", "begun")  # noqa: E731
    statement = sa.select(Job).where(Job.result.is_(None)).order_by(Job.id)
    for job in claim_each(factory, statement, limit=None, advance=start):
        with factory() as other:
            assert other.get_one(Job, job.id, with_for_update={"nowait": True}).result == "begun"
        taken.append(job.id)
    assert taken == [1, 2, 3]
    with factory.begin() as session:
        session.execute(sa.update(Job).values(result=None))
    assert len(list(claim_each(factory, statement, limit=2, advance=start))) == 2


# Time windows


@on_each
@pytest.mark.parametrize("ours", [False, True])
def test_one_of_many_wins_the_window(factory: Factory, ours: bool) -> None:
    with factory.begin() as session:
        session.add(Account(id=1))
    together = threading.Barrier(6)

    def touch(_: int) -> bool:
        with factory.begin() as session:
            if ours:
                together.wait(10)
                return update_if_stale(session, Account, 1, Account.seen_at, window=60.0)
            stale = session.get_one(Account, 1).seen_at is None
            together.wait(10)
            session.execute(sa.update(Account).values(seen_at=sa.func.now()))
            return stale

    assert sum(in_threads(6, touch)) == (1 if ours else 6)


def seen(session: orm.Session) -> Any:
    return session.get_one(Account, 1).seen_at


@pytest.mark.parametrize("name", [*SYNC, "sqlite"])
def test_the_window_passes(name: str, request: pytest.FixtureRequest) -> None:
    if name == "sqlite":
        engine = sa.create_engine("sqlite://")
        Base.metadata.create_all(engine)
    else:
        engine = sa.create_engine(request.getfixturevalue("url_of")(name))
        empty(orm.sessionmaker(engine))
    with orm.Session(engine) as session:
        session.add(Account(id=1))
        session.flush()
        assert seen(session) is None
        assert update_if_stale(session, Account, 1, "seen_at", window=60.0)
        assert seen(session) is not None  # the row in the session is not left stale
        assert not update_if_stale(session, Account, 1, "seen_at", window=60.0)
        assert not update_if_stale(session, Account, 99, "seen_at", window=60.0)
        session.execute(sa.text("UPDATE account SET seen_at = '2000-01-01 00:00:00.000000'"))
        assert update_if_stale(session, Account, 1, "seen_at", window=60.0, value=None)
        age = sa.text("UPDATE account SET seen_at = NULL")
        session.execute(age)
        assert update_if_stale(session, Account, 1, Account.seen_at, window=60.0, value=sa.func.now())
    engine.dispose()


def test_an_unknown_clock() -> None:
    session = orm.Session(sa.create_mock_engine("mssql+pyodbc://", lambda *_: None))  # type: ignore[arg-type]
    with pytest.raises(LockingUnsupported, match="the time"):
        update_if_stale(session, Account, 1, "seen_at", window=60.0)


def test_mariadb_would_lock_what_is_joined(url_of: Callable[[str], str]) -> None:
    engine = sa.create_engine(url_of("mysql+pymysql"))
    joined = sa.select(Job).join(Parent, Parent.id == Job.parent_id)
    with orm.Session(engine) as session, pytest.raises(LockingUnsupported, match="FOR UPDATE OF"):
        lock_batch(session, joined, limit=1)
    engine.dispose()


def test_the_extra_is_named() -> None:
    code = """if True:
        import sys
        sys.modules["sqlalchemy"] = None
        import flake8_concurrency.runtime.sqlalchemy
    """
    run = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MissingExtra: this needs an extra: pip install 'flake8-concurrency[sqlalchemy]'" in run.stderr


# Async twins

AsyncFactory = async_sessionmaker[AsyncSession]


def with_async(url: str, use: Callable[[AsyncFactory], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        engine = create_async_engine(url, isolation_level="READ COMMITTED", pool_size=10)
        try:
            await use(async_sessionmaker(engine, expire_on_commit=False))
            assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        finally:
            await engine.dispose()

    asyncio.run(run())


@pytest.fixture(params=ASYNC)
def async_url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    url = url_of(request.param)
    plain = url.replace("asyncmy", "pymysql").replace("asyncpg", "psycopg")
    engine = sa.create_engine(plain)
    factory = orm.sessionmaker(engine)
    empty(factory)
    jobs(factory, 200)
    with factory.begin() as session:
        session.add(Account(id=1))
    engine.dispose()
    return url


def test_async_claims(async_url: str) -> None:
    async def drain(factory: AsyncFactory, ids: list[int]) -> None:
        while True:
            claim = await run_transaction_async(
                factory,
                lambda session: claim_batch_async(
                    session, Job, limit=7, lease=60.0, max_attempts=None, order_by=Job.id
                ),
                attempts=10,
                timeout=None,
            )
            if not claim.rows:
                return
            ids += claim.ids
            async with factory.begin() as session:
                await complete_async(session, claim, values={"result": "async"})

    async def use(factory: AsyncFactory) -> None:
        ids: list[int] = []
        await asyncio.gather(*(drain(factory, ids) for _ in range(4)))
        assert sorted(ids) == list(range(1, 201))
        async with factory() as session:
            assert (await session.scalars(sa.select(Job.result).distinct())).all() == ["async"]

    with_async(async_url, use)


def test_async_leases(async_url: str) -> None:
    async def use(factory: AsyncFactory) -> None:
        async with factory.begin() as session:
            claim = await claim_batch_async(session, Job, limit=2, lease=60.0, max_attempts=None, order_by=Job.id)
            longer = await extend_async(session, claim, lease=600.0)
            await release_async(session, longer)
            with pytest.raises(LeaseLost) as lost:
                await complete_async(session, claim)
            assert list(lost.value.ids) == [1, 2]
            assert len(await lock_batch_async(session, sa.select(Job), limit=3)) == 3

    with_async(async_url, use)


def test_async_locked_and_window(async_url: str) -> None:
    async def add(factory: AsyncFactory) -> bool:
        for _ in range(10):
            async with factory() as session, locked_async(session, Account, 1) as account:
                account.balance += 1
        async with factory.begin() as session:
            return await update_if_stale_async(session, Account, 1, Account.seen_at, window=60.0)

    async def use(factory: AsyncFactory) -> None:
        assert sum(await asyncio.gather(*(add(factory) for _ in range(5)))) == 1
        async with factory() as session, factory() as other:
            assert (await session.get_one(Account, 1)).balance == 50
            await session.rollback()
            async with locked_async(session, Account, 1):
                with pytest.raises(LockNotAvailable):
                    async with locked_async(other, Account, 1, nowait=True):
                        pytest.fail("it was not locked")

    with_async(async_url, use)


def test_async_claim_each(async_url: str) -> None:
    async def use(factory: AsyncFactory) -> None:
        statement = sa.select(Job).where(Job.result.is_(None), Job.id <= 3).order_by(Job.id)
        for limit, expected in ((2, [1, 2]), (None, [3]), (None, [])):
            each = claim_each_async(
                factory, statement, limit=limit, advance=lambda job: setattr(job, "result", "begun")
            )
            assert [job.id async for job in each] == expected

    with_async(async_url, use)


@types.coroutine
def cancelled_at(work: Coroutine[Any, Any, Any], number: int) -> Generator[Any, Any, bool]:
    """Run work and cancel it at its nth wait; False when there is no such wait. (A send of None, as asyncio does.)"""
    task = asyncio.current_task()
    assert task is not None
    for wait in itertools.count():
        try:
            future = work.send(None)
        except StopIteration:
            return False
        except asyncio.CancelledError:
            task.uncancel()
            return True
        if wait == number:
            task.cancel()  # takes effect at the yield below
        try:
            yield future
        except asyncio.CancelledError as error:
            try:
                future = work.throw(error)
            except asyncio.CancelledError:
                task.uncancel()
                return True
            yield future
    raise AssertionError


@pytest.mark.parametrize("kind", ["locked", "claim"])
def test_cancellation_at_each_wait_leaves_the_row_free(async_url: str, kind: str) -> None:
    async def work(factory: AsyncFactory) -> None:
        async with factory() as session:
            if kind == "locked":
                async with locked_async(session, Account, 1) as account:
                    account.balance += 1
                return
            async with session.begin():
                await claim_batch_async(session, Job, limit=1, lease=60.0, max_attempts=None, order_by=Job.id)

    bound = "SET innodb_lock_wait_timeout = 5" if "mysql" in async_url else "SET LOCAL lock_timeout = '5s'"

    async def free(factory: AsyncFactory) -> None:
        """Nobody has either row, by the server's word."""
        async with factory.begin() as session:
            await session.execute(sa.text(bound))
            await session.execute(sa.update(Account).values(balance=0))
            await session.execute(sa.update(Job).values(lease_token=None, lease_expires_at=None))

    async def use(factory: AsyncFactory) -> None:
        waits = 0
        while await cancelled_at(work(factory), waits):
            async with asyncio.timeout(10):
                while factory.kw["bind"].pool.checkedout():  # noqa: ASYNC110 - the pool has no event for it
                    await asyncio.sleep(0.001)
                await free(factory)
            waits += 1
        assert waits >= 4

    with_async(async_url, use)
