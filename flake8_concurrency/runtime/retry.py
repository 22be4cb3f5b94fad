"""Run a transaction again when the database asks for it: after a deadlock or a serialization failure.

Nothing here imports a driver: what failed is read from the code the server sent, wherever the driver put it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from flake8_concurrency.runtime.errors import ConcurrencyError, RetriesExhausted

__all__ = ["error_codes", "is_lock_not_available", "is_transient", "pause", "run_transaction", "run_transaction_async"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: The server rolled the transaction back, and asks for it again.
#: SQLSTATE: serialization_failure and deadlock_detected
#: (https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html).
#: MySQL and MariaDB: 1213 ER_LOCK_DEADLOCK; 1205 ER_LOCK_WAIT_TIMEOUT, which rolls back the statement only, so the
#: rest has to be rolled back by us; 1020 ER_CHECKREAD, MariaDB's serialization failure (innodb_snapshot_isolation).
#: SQLite: 5 SQLITE_BUSY.
TRANSIENT = frozenset({"40001", "40P01", 1213, 1205, 1020, "SQLITE_BUSY"})

#: Somebody else holds the lock: lock_not_available; MySQL's 3572 ER_LOCK_NOWAIT, where MariaDB says 1205.
LOCK_NOT_AVAILABLE = frozenset({"55P03", 3572, 1205})

#: Drivers whose errors carry the server's number as their first argument.
_NUMBERING_DRIVERS = frozenset({"pymysql", "MySQLdb", "asyncmy", "aiomysql", "mysql", "mariadb"})


class SyncSession(Protocol):
    """What `run_transaction` needs of a session: SQLAlchemy's `Session` has it."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> Any: ...
    def begin(self) -> AbstractContextManager[Any]: ...


class AsyncSession(Protocol):
    """What `run_transaction_async` needs of a session: SQLAlchemy's `AsyncSession` has it."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> Any: ...
    def begin(self) -> AbstractAsyncContextManager[Any]: ...


SyncSessionT = TypeVar("SyncSessionT", bound=SyncSession)
AsyncSessionT = TypeVar("AsyncSessionT", bound=AsyncSession)


def error_codes(error: BaseException) -> frozenset[str | int]:
    """The codes of the database in an error: SQLSTATE as text, MySQL's and MariaDB's numbers, `SQLITE_BUSY`.

    Looks where the drivers put them: `.sqlstate` (psycopg 3, asyncpg), `.pgcode` (psycopg2), the first argument
    (MySQL's drivers), `.sqlite_errorcode`; in the error itself, in SQLAlchemy's `.orig` and in `__cause__`, where
    Django hides the driver's error.
    """
    return frozenset(code for each in _chain(error) for code in _own_codes(each))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those it was made of. Not `__context__`: that is only what happened to be handled meanwhile."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        # An error of ours has been dealt with: RetriesExhausted is not to be retried by an outer transaction.
        if id(each) in seen or isinstance(each, ConcurrencyError):
            continue
        seen.add(id(each))
        yield each
        waiting += [
            inner for inner in (each.__cause__, getattr(each, "orig", None)) if isinstance(inner, BaseException)
        ]


def _own_codes(error: BaseException) -> Iterator[str | int]:
    for name in ("sqlstate", "pgcode"):
        code = getattr(error, name, None)
        if isinstance(code, str):
            yield code
    if error.args and isinstance(error.args[0], int) and not isinstance(error, OSError):
        modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        if modules & _NUMBERING_DRIVERS:
            yield error.args[0]
    # The low byte is the primary code (https://www.sqlite.org/rescode.html#pve); SQLITE_BUSY_SNAPSHOT is a BUSY too.
    sqlite = getattr(error, "sqlite_errorcode", None)
    if isinstance(sqlite, int) and sqlite & 0xFF == 5:
        yield "SQLITE_BUSY"


def is_transient(error: BaseException) -> bool:
    """May the same transaction succeed when it is run again from its beginning?

    True for deadlocks, serialization failures and MySQL's lock wait timeouts, by the server's code and never by the
    name of a class. False for everything else; for a lost connection too, because it may be lost after the commit.
    """
    return not error_codes(error).isdisjoint(TRANSIENT)


def is_lock_not_available(error: BaseException) -> bool:
    """Did a NOWAIT or a lock timeout end the wait for a lock?"""
    return not error_codes(error).isdisjoint(LOCK_NOT_AVAILABLE)


def pause(attempt: int) -> float:
    """Seconds to wait after a failed attempt, counted from 1: anything from 0 up to 10 ms, doubling to at most 1 s.

    Random over the whole range, so that those who collided do not meet again
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, "full jitter").
    """
    return random.uniform(0.0, min(1.0, 0.01 * 2.0 ** min(attempt - 1, 10)))  # noqa: S311 - not a secret


def run_transaction(
    session_factory: Callable[[], SyncSessionT],
    fn: Callable[[SyncSessionT], T],
    *,
    attempts: int,
    timeout: float | None,
    pause: Callable[[int], float] = pause,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Run `fn(session)` in a transaction and commit it; again, from the beginning, when the database asks for that.

    Each attempt has a new session of `session_factory`, because the objects of a failed one hold values that were
    rolled back. `fn` neither commits nor does what a rollback cannot undo: it may run `attempts` times. Its result
    is returned after the commit, when the session is closed; pass `expire_on_commit=False` to the factory to read
    rows then.

    `attempts`: at most so many, 1 or more. `timeout`: seconds after which no new attempt is begun, or None; it does
    not interrupt an attempt, which is for the database's `statement_timeout` to do.

    Raises RetriesExhausted from the last failure once attempts or time are used up; at once, whatever is not
    transient. A commit whose outcome is unknown, because the connection was lost, is never repeated.
    """
    retries = _Retries(attempts, timeout, pause, clock)
    while True:
        try:
            with session_factory() as session, session.begin():
                return fn(session)  # only once the commit, which leaving the block makes, has succeeded
        except Exception as error:
            if not is_transient(error):
                raise
            seconds = retries.after(error)
        sleep(seconds)


async def run_transaction_async(
    session_factory: Callable[[], AsyncSessionT],
    fn: Callable[[AsyncSessionT], Awaitable[T]],
    *,
    attempts: int,
    timeout: float | None,  # noqa: ASYNC109 - it bounds the attempts begun, not the call
    pause: Callable[[int], float] = pause,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """`run_transaction` for an `AsyncSession`. A cancellation is never retried: it rolls back and goes on."""
    retries = _Retries(attempts, timeout, pause, clock)
    while True:
        try:
            async with session_factory() as session, session.begin():
                return await fn(session)  # only once the commit, which leaving the block makes, has succeeded
        except Exception as error:
            if not is_transient(error):
                raise
            seconds = retries.after(error)
        await sleep(seconds)


class _Retries:
    """How many attempts were made, and whether there is another."""

    def __init__(
        self, attempts: int, timeout: float | None, pause: Callable[[int], float], clock: Callable[[], float]
    ) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is 1 or more, not {attempts}")
        self.attempts = attempts
        self.made = 0
        self.pause = pause
        self.clock = clock
        self.started = clock()
        self.deadline = None if timeout is None else self.started + timeout

    def after(self, error: Exception) -> float:
        """Seconds to wait before the next attempt; raises RetriesExhausted where there is none."""
        self.made += 1
        seconds = self.pause(self.made)
        now = self.clock()
        late = self.deadline is not None and now + seconds >= self.deadline
        if late or self.made >= self.attempts:
            elapsed = now - self.started
            raise RetriesExhausted(f"{self.made} attempts failed in {elapsed:.3f} s, the last: {error}") from error
        codes = ", ".join(sorted(str(code) for code in error_codes(error)))
        logger.info("attempt %d of %d failed with %s: again in %.3f s", self.made, self.attempts, codes, seconds)
        return seconds
