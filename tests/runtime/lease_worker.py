"""The tests' tables, and a worker that is killed or stopped: `python -m tests.runtime.lease_worker url mode lease`.

Modes: `drain` (claim; then effect and completion in one transaction; until all is done), `step` (the same, waiting for
a line after each claim), `stop` (stop after the claim, and complete when resumed), and the naive controls `naive-drain`
and `naive-stop`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql

from flake8_concurrency.runtime.errors import LeaseLost
from flake8_concurrency.runtime.retry import run_transaction
from flake8_concurrency.runtime.sqlalchemy import Claim, claim_batch, complete

TIME = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


class Base(orm.DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


class Job(Base):
    __tablename__ = "job"
    __table_args__ = (sa.Index("job_due", "done_at", "id"),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    parent_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("parent.id"))
    rank: orm.Mapped[int] = orm.mapped_column(default=0)
    result: orm.Mapped[str | None] = orm.mapped_column(sa.String(40))
    attempts: orm.Mapped[int] = orm.mapped_column(default=0)
    lease_token: orm.Mapped[uuid.UUID | None] = orm.mapped_column(sa.Uuid())
    lease_expires_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)
    done_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


class Pair(Base):
    """A key of two columns, a token as text, no count of attempts and no time of completion."""

    __tablename__ = "pair"
    left: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    right: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    open: orm.Mapped[bool] = orm.mapped_column(default=True)
    lease_token: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    lease_expires_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


class Effect(Base):
    """What work leaves behind: nothing in the table forbids a second one."""

    __tablename__ = "effect"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    job_id: orm.Mapped[int]


class Account(Base):
    __tablename__ = "account"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    balance: orm.Mapped[int] = orm.mapped_column(default=0)
    seen_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


Factory = orm.sessionmaker[orm.Session]


def finish(session: orm.Session, claim: Claim[Job], result: str) -> None:
    """The effect and the completion, together."""
    complete(session, claim, values={"result": result})
    session.execute(sa.insert(Effect), [{"job_id": ident} for ident in claim.ids])


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def drain(factory: Factory, lease: float, limit: int, *, step: bool) -> None:
    while True:
        claim = run_transaction(
            factory,
            lambda session: claim_batch(session, Job, limit=limit, lease=lease, max_attempts=None, order_by=Job.id),
            attempts=10,
            timeout=None,
        )
        if not claim.rows:
            with factory() as session:
                # Others may hold what is left, and die.
                if session.scalar(sa.select(sa.func.count()).where(Job.done_at.is_(None))) == 0:
                    return
            continue
        if step:
            tell("claimed")
            sys.stdin.readline()
        with contextlib.suppress(LeaseLost):  # then somebody else has the rows
            run_transaction(factory, functools.partial(finish, claim=claim, result="drain"), attempts=10, timeout=None)


def naive_drain(factory: Factory) -> None:
    """The effect in one transaction, the mark in another, and no lease."""
    while True:
        with factory.begin() as session:
            job = session.scalar(sa.select(Job).where(Job.done_at.is_(None)).order_by(Job.id).limit(1))
            if job is None:
                return
            session.add(Effect(job_id=job.id))
        tell("claimed")
        with factory.begin() as session:
            session.execute(sa.update(Job).where(Job.id == job.id).values(done_at=sa.func.now()))


def stop(factory: Factory, lease: float, *, naive: bool) -> None:
    with factory.begin() as session:
        claim = claim_batch(session, Job, limit=2, lease=lease, max_attempts=None, order_by=Job.id)
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        with factory.begin() as session:
            if naive:
                session.execute(sa.update(Job).where(Job.id.in_(claim.ids)).values(result="resumed"))
            else:
                finish(session, claim, "resumed")
    except LeaseLost as error:
        tell(f"lost {sorted(error.ids)}")
    else:
        tell("written")


def main(url: str, mode: str, lease: str, limit: str = "100") -> None:
    factory = orm.sessionmaker(sa.create_engine(url), expire_on_commit=False)
    match mode:
        case "drain" | "step":
            drain(factory, float(lease), int(limit), step=mode == "step")
        case "naive-drain":
            naive_drain(factory)
        case _:
            stop(factory, float(lease), naive=mode == "naive-stop")


if __name__ == "__main__":
    main(*sys.argv[1:])
