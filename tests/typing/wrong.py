# mypy: ignore-errors
"""What a type checker must reject. tests/typing/test_typing.py takes the first line away and runs mypy on the rest:
each line with a marker has errors of that code only, each line without one has none."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from flake8_concurrency.runtime.aio import Offloader, gather_bounded
from flake8_concurrency.runtime.coalesce import Coalescer
from flake8_concurrency.runtime.guard import requires_lock
from flake8_concurrency.runtime.pool import BoundedExecutor
from flake8_concurrency.runtime.retry import run_transaction
from flake8_concurrency.runtime.sqlalchemy import claim_batch, locked
from flake8_concurrency.runtime.wait import map_bounded, wait_all


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def length(text: str) -> int:
    return len(text)


def store(values: Mapping[str, int]) -> None: ...


def forgotten(pool: BoundedExecutor, futures: list[Future[int]]) -> None:
    BoundedExecutor(max_workers=1)  # error: call-arg
    BoundedExecutor(1, 2, 3.0)  # error: call-arg
    wait_all(futures)  # error: call-arg
    map_bounded(length, ["a"], max_workers=1)  # error: call-arg
    Coalescer(store, window=1.0, max_keys=1)  # error: call-arg
    Offloader(max_threads=1)  # error: call-arg


def mistaken(pool: BoundedExecutor, futures: list[Future[int]]) -> None:
    pool.submit(length, 1)  # error: arg-type
    pool.submit(length)  # error: call-arg
    wait_all(futures, timeout="1")  # error: arg-type
    wait_all(futures, timeout=1.0, on_error="ignore")  # error: arg-type
    text: str = pool.submit(length, "a").result()  # error: assignment
    texts: list[str] = wait_all(futures, timeout=1.0).results()  # error: assignment
    assert text or texts


async def awaited(offload: Offloader) -> None:
    await offload(length, "a")  # error: call-arg
    await offload(length, 1, timeout=1.0)  # error: arg-type
    await gather_bounded(length, ["a"], limit=1, timeout=None)  # error: arg-type
    offload(length, "a", timeout=1.0)  # error: unused-coroutine


def coalesced(values: Coalescer[str, int]) -> None:
    values.put(1, 1)  # error: arg-type
    values.put("a", "1")  # error: arg-type
    known: int = values.peek("a")  # error: assignment
    assert known


def rows(session: Session, factory: sessionmaker[Session]) -> None:
    claim_batch(session, Job, limit=1)  # error: call-arg
    claim_batch(session, Job, limit=1, lease=1.0, order_by=Job.id)  # error: call-arg
    run_transaction(factory, lambda session: session.get(Job, 1))  # error: call-arg
    with locked(session, Job, 1) as job:
        job.name = 1  # error: assignment
        job.nmae = "a"  # error: attr-defined


class Stock:
    @requires_lock("_lock")
    def take(self, number: int) -> int:
        return number


Stock().take("1")  # error: arg-type
