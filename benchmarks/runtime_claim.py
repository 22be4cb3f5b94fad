"""Claims on PostgreSQL, for benchmarks/runtime.py: two processes empty a table, or a queue, of its jobs.

A job is claimed, committed, completed and committed again: all that a queue does around work that takes no time.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import multiprocessing
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from flake8_concurrency.runtime.sqlalchemy import (
    claim_batch,
    claim_batch_async,
    complete,
    complete_async,
)
from flake8_concurrency.runtime.testing import PostgresServer

PROCESSES = 2
#: Seconds that a process may take.
PATIENCE = 300.0
TIME = sa.DateTime(timezone=True)


class ClaimError(Exception):
    """A contender did not do its work."""


class Base(orm.DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (sa.Index("job_due", "id", postgresql_where=sa.text("done_at IS NULL")),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    attempts: orm.Mapped[int] = orm.mapped_column(default=0)
    lease_token: orm.Mapped[uuid.UUID | None]
    lease_expires_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)
    done_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


#: The URL of the server's database, the size of a batch, and what to call when all is ready; the jobs that were done.
Claimer = Callable[[str, int, Callable[[], object]], int]


def driver(url: str, name: str) -> str:
    return url.replace("postgresql://", f"postgresql+{name}://", 1)


def fill(url: str, count: int) -> None:
    """A table of jobs, with statistics, as a table in use has them."""
    engine = sa.create_engine(driver(url, "psycopg"))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(Job).from_select(["id", "attempts"], numbers(count)))
        connection.execute(sa.text("ANALYZE job"))
    engine.dispose()


def numbers(count: int) -> sa.Select[Any]:
    number = sa.func.generate_series(1, count).column_valued("number")
    return sa.select(number, sa.literal(0))


def left(url: str) -> int:
    engine = sa.create_engine(driver(url, "psycopg"))
    with engine.connect() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(Job).where(Job.done_at.is_(None)))
    engine.dispose()
    return count or 0


def ours(url: str, batch: int, ready: Callable[[], object]) -> int:
    engine = sa.create_engine(driver(url, "psycopg"))
    done = 0
    with orm.Session(engine) as session:
        session.execute(sa.text("SELECT 1"))
        session.rollback()
        ready()
        while True:
            with session.begin():
                claim = claim_batch(session, Job, limit=batch, lease=60.0, max_attempts=5, order_by=Job.id)
            if not claim:
                break
            with session.begin():
                complete(session, claim)
            done += len(claim)
    engine.dispose()
    return done


def ours_autocommit(url: str, batch: int, ready: Callable[[], object]) -> int:
    """Each claim and each completion is one statement, which needs no BEGIN and no COMMIT."""
    engine = sa.create_engine(driver(url, "psycopg"), isolation_level="AUTOCOMMIT")
    done = 0
    with orm.Session(engine) as session:
        session.execute(sa.text("SELECT 1"))
        ready()
        while claim := claim_batch(session, Job, limit=batch, lease=60.0, max_attempts=5, order_by=Job.id):
            complete(session, claim)
            done += len(claim)
    engine.dispose()
    return done


def ours_async(url: str, batch: int, ready: Callable[[], object]) -> int:
    async def main() -> int:
        engine = create_async_engine(driver(url, "asyncpg"))
        done = 0
        async with AsyncSession(engine) as session:
            await session.execute(sa.text("SELECT 1"))
            await session.rollback()
            ready()
            while True:
                async with session.begin():
                    claim = await claim_batch_async(
                        session, Job, limit=batch, lease=60.0, max_attempts=5, order_by=Job.id
                    )
                if not claim:
                    break
                async with session.begin():
                    await complete_async(session, claim)
                done += len(claim)
        await engine.dispose()
        return done

    return asyncio.run(main())


def ours_async_autocommit(url: str, batch: int, ready: Callable[[], object]) -> int:
    async def main() -> int:
        engine = create_async_engine(driver(url, "asyncpg"), isolation_level="AUTOCOMMIT")
        done = 0
        async with AsyncSession(engine) as session:
            await session.execute(sa.text("SELECT 1"))
            ready()
            while claim := await claim_batch_async(
                session, Job, limit=batch, lease=60.0, max_attempts=5, order_by=Job.id
            ):
                await complete_async(session, claim)
                done += len(claim)
        await engine.dispose()
        return done

    return asyncio.run(main())


def two_step(url: str, batch: int, ready: Callable[[], object]) -> int:
    """What one writes by hand with the ORM: lock and read, mark, commit; mark as done, commit. There is no fence."""
    engine = sa.create_engine(driver(url, "psycopg"))
    due = sa.select(Job).where(Job.done_at.is_(None), Job.lease_token.is_(None)).order_by(Job.id).limit(batch)
    done = 0
    with orm.Session(engine, expire_on_commit=False) as session:
        session.execute(sa.text("SELECT 1"))
        session.rollback()
        ready()
        while jobs := session.scalars(due.with_for_update(skip_locked=True)).all():
            token, expires_at = uuid.uuid4(), datetime.now(UTC) + timedelta(seconds=60)
            for job in jobs:
                job.lease_token, job.lease_expires_at, job.attempts = token, expires_at, job.attempts + 1
            session.commit()
            for job in jobs:
                job.done_at = datetime.now(UTC)  # noqa: CNC309 - the lease keeps others out; that it can end is the point
            session.commit()
            done += len(jobs)
            session.expunge_all()
    engine.dispose()
    return done


async def pgqueuer_queries(url: str) -> tuple[Any, Any]:
    asyncpg: Any = importlib.import_module("asyncpg")
    queries: Any = importlib.import_module("pgqueuer.queries")
    connection = await asyncpg.connect(url)
    return connection, queries.Queries.from_asyncpg_connection(connection)


def fill_pgqueuer(url: str, count: int) -> None:
    async def main() -> None:
        connection, queries = await pgqueuer_queries(url)
        await queries.install()
        await queries.enqueue(["work"] * count, [b""] * count, [0] * count)
        await connection.execute("ANALYZE")
        await connection.close()

    asyncio.run(main())


def left_pgqueuer(url: str) -> int:
    return counted(url, "SELECT count(*) FROM pgqueuer")


def pgqueuer(url: str, batch: int, ready: Callable[[], object]) -> int:
    async def main() -> int:
        repository: Any = importlib.import_module("pgqueuer.ports.repository")
        connection, queries = await pgqueuer_queries(url)
        entrypoints = {"work": repository.EntrypointExecutionParameter(concurrency_limit=0)}
        manager, heartbeat = uuid.uuid4(), timedelta(seconds=60)
        ready()
        done = 0
        while jobs := await queries.dequeue(batch, entrypoints, manager, None, heartbeat):
            await queries.log_jobs([(job, "successful", None) for job in jobs])
            done += len(jobs)
        await connection.close()
        return done

    return asyncio.run(main())


def procrastinate_app(url: str) -> Any:
    module: Any = importlib.import_module("procrastinate")
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    app = module.App(connector=module.PsycopgConnector(conninfo=url, min_size=1, max_size=1))

    def work() -> None:
        """Never called: the claim is what is measured."""

    app.task(name="work")(work)
    return app


def fill_procrastinate(url: str, count: int) -> None:
    async def main() -> None:
        app = procrastinate_app(url)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            await app.tasks["work"].batch_defer_async(*[{} for _ in range(count)])
            await app.connector.execute_query_async("ANALYZE")

    asyncio.run(main())


def left_procrastinate(url: str) -> int:
    return counted(url, "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'")


def procrastinate(url: str, batch: int, ready: Callable[[], object]) -> int:  # noqa: ARG001 - it claims one at a time
    async def main() -> int:
        status: Any = importlib.import_module("procrastinate.jobs").Status
        app = procrastinate_app(url)
        async with app.open_async():
            manager = app.job_manager
            worker = await manager.register_worker()
            ready()
            done = 0
            while job := await manager.fetch_job(None, worker):
                await manager.finish_job(job, status.SUCCEEDED, delete_job=False)
                done += 1
        return done

    return asyncio.run(main())


def counted(url: str, query: str) -> int:
    engine = sa.create_engine(driver(url, "psycopg"))
    with engine.connect() as connection:
        count = connection.scalar(sa.text(query))
    engine.dispose()
    return int(count)


#: How to fill, how to claim, and how many are left.
CLAIMERS: dict[str, tuple[Callable[[str, int], None], Claimer, Callable[[str], int]]] = {
    "claim_batch + complete, psycopg": (fill, ours, left),
    "claim_batch + complete, AUTOCOMMIT, psycopg": (fill, ours_autocommit, left),
    "claim_batch_async + complete_async, asyncpg": (fill, ours_async, left),
    "claim_batch_async + complete_async, AUTOCOMMIT, asyncpg": (fill, ours_async_autocommit, left),
    "ORM two-step, psycopg": (fill, two_step, left),
    "pgqueuer, asyncpg": (fill_pgqueuer, pgqueuer, left_pgqueuer),
    "procrastinate, psycopg": (fill_procrastinate, procrastinate, left_procrastinate),
}
#: These take one job at a time.
SINGLE = frozenset({"procrastinate, psycopg"})


def in_process(name: str, url: str, batch: int, barrier: Any, answers: Any) -> None:
    """One of the claimers; it answers with when it began and ended, and how many it did."""
    began: list[float] = []

    def ready() -> None:
        barrier.wait(PATIENCE)
        began.append(time.monotonic())

    done = CLAIMERS[name][1](url, batch, ready)
    answers.put((began[0], time.monotonic(), done))


def claim(server: PostgresServer, name: str, batch: int, count: int) -> float:
    """Seconds from the first claim to the last completion, in a database of its own."""
    filling, _, remaining = CLAIMERS[name]
    context = multiprocessing.get_context("spawn")
    with server.database() as database:
        url = server.url(database)
        filling(url, count)
        barrier, answers = context.Barrier(PROCESSES), context.Queue()
        processes = [
            context.Process(target=in_process, args=(name, url, batch, barrier, answers), daemon=True)
            for _ in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        try:
            took = [answers.get(timeout=PATIENCE) for _ in processes]
        finally:
            for process in processes:
                process.join(10.0)
                process.kill()
        done = sum(each for _, _, each in took)
        if done != count or remaining(url):
            raise ClaimError(f"{name}: {done} of {count} jobs were done, {remaining(url)} are left")
    return float(max(end for _, end, _ in took) - min(begin for begin, _, _ in took))
