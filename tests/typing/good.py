"""What a type checker must accept and infer: each `assert_type` is what a user's editor shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from typing import assert_type

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from flake8_concurrency.runtime.aio import Offloader, amap, background, gather_bounded, wait_all_async
from flake8_concurrency.runtime.coalesce import AsyncCoalescer, Coalescer
from flake8_concurrency.runtime.guard import guarded_by, requires_lock
from flake8_concurrency.runtime.pool import BoundedExecutor
from flake8_concurrency.runtime.report import WaitReport
from flake8_concurrency.runtime.retry import run_transaction
from flake8_concurrency.runtime.sqlalchemy import (
    Claim,
    claim_batch,
    claim_batch_async,
    claim_each,
    complete,
    complete_async,
    extend,
    lock_batch,
    locked,
    locked_async,
    update_if_stale,
)
from flake8_concurrency.runtime.wait import map_bounded, run_all, wait_all


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "job"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def length(text: str, minimum: int = 0) -> int:
    return max(len(text), minimum)


async def length_async(text: str) -> int:
    return len(text)


def pools() -> None:
    with BoundedExecutor(max_workers=2, max_pending=4, submit_timeout=None) as pool:
        future = pool.submit(length, "a", minimum=1)
        assert_type(future, Future[int])
        assert_type(pool.try_submit(length, "a"), Future[int] | None)
        report = wait_all([future], timeout=1.0, on_error="collect")
        assert_type(report, WaitReport[int])
        assert_type(report.results(), list[int])
    assert_type(map_bounded(length, ["a"], max_workers=2, timeout=None), list[int])
    assert_type(run_all([lambda: length("a")], max_workers=2, timeout=1.0), list[int])


async def loops(texts: AsyncIterator[str]) -> None:
    with Offloader(max_threads=2, queue_timeout=None) as offload:
        assert_type(await offload(length, "a", 1, timeout=1.0), int)
    assert_type(await gather_bounded(length_async, texts, limit=2, timeout=None), list[int])
    async with amap(length_async, ["a"], limit=2, timeout=1.0) as lengths:
        async for each in lengths:
            assert_type(each, int)
    assert_type(await background(length_async("a")), int)
    assert_type(await wait_all_async([Future[int]()], timeout=1.0), WaitReport[int])


def store(values: Mapping[str, int]) -> None: ...
async def store_async(values: Mapping[str, int]) -> None: ...


async def coalescers() -> None:
    with Coalescer(store, window=1.0, max_keys=10, close_timeout=None, merge=max) as values:
        values.put("a", 1)
        assert_type(values.peek("a"), int | None)
        assert_type(values.peek("a", 0), int)
        assert_type(values.flush(), int)
    async with AsyncCoalescer(store_async, window=1.0, max_keys=10, close_timeout=1.0) as others:
        await others.put("a", 1)


def rows(factory: sessionmaker[Session]) -> None:
    def claim(session: Session) -> Claim[Job]:
        return claim_batch(session, Job, limit=10, lease=60.0, max_attempts=None, order_by=Job.id)

    claimed = run_transaction(factory, claim, attempts=3, timeout=10.0)
    assert_type(claimed, Claim[Job])
    for job in claimed:
        assert_type(job, Job)
    with factory() as session:
        assert_type(extend(session, claimed, lease=60.0), Claim[Job])
        complete(session, claimed, values={"name": "done"})
        assert_type(lock_batch(session, select(Job), limit=1), list[Job])
        assert_type(update_if_stale(session, Job, 1, Job.name, window=1.0), bool)
        with locked(session, Job, 1, timeout=1.0) as row:
            assert_type(row, Job)
    for each in claim_each(factory, Job, limit=None, advance=lambda job: setattr(job, "name", "sent")):
        assert_type(each, Job)


async def rows_async(session: AsyncSession) -> None:
    claimed = await claim_batch_async(session, Job, limit=1, lease=1.0, max_attempts=3, order_by=[Job.id])
    await complete_async(session, claimed)
    async with locked_async(session, Job, 1, nowait=True) as row:
        assert_type(row, Job)


class Stock:
    count: int = guarded_by("_lock")

    @requires_lock("_lock")
    def take(self, number: int) -> int:
        self.count -= number
        return self.count


assert_type(Stock().take(1), int)
