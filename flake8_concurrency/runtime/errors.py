"""Every error the runtime raises, under one base: `except ConcurrencyError` catches them all.

Where Python already has the idea, the error is that too: what runs out of time is a TimeoutError, what the standard
library's executors answer with a RuntimeError is one here. All of them survive pickling, with their attributes.
"""
# ruff: noqa: N818
# The names say what happened, as StopIteration and KeyboardInterrupt do.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from flake8_concurrency.runtime.report import WaitReport

__all__ = [
    "BacklogFull",
    "CoalescerClosed",
    "ConcurrencyError",
    "DeadlineExceeded",
    "FlushFailed",
    "LeaseLost",
    "LockNotAvailable",
    "LockOrderError",
    "LockingUnsupported",
    "MisroutedTask",
    "MissingExtra",
    "NestedSubmit",
    "NotGuarded",
    "PoolClosed",
    "RetriesExhausted",
    "UnknownQueue",
    "UnroutedTask",
    "WorkCancelled",
]


class ConcurrencyError(Exception):
    """The base of all errors of `flake8_concurrency.runtime`."""


class MissingExtra(ConcurrencyError, ImportError):
    """A helper needs a library that is not installed; `.extra` is what to install.

    A module that needs one: `raise MissingExtra("redis") from error`.
    """

    def __init__(self, extra: str) -> None:
        super().__init__(extra)
        self.extra = extra

    def __str__(self) -> str:
        return f"this needs an extra: pip install 'flake8-concurrency[{self.extra}]'"


# Pools and waits


class BacklogFull(ConcurrencyError, TimeoutError):
    """No room in a bounded backlog within the time allowed; the work was not accepted."""


class DeadlineExceeded(ConcurrencyError, TimeoutError):
    """The time was up before all of the work was done.

    `.report` says what became of each future, where a group of futures was waited for; otherwise it is None.
    """

    def __init__(self, message: str = "", report: WaitReport[Any] | None = None) -> None:
        super().__init__(message, report)
        self.message = message
        self.report = report

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[DeadlineExceeded], tuple[str]]:
        # Futures hold locks, so the report stays in the process it was made in.
        return type(self), (self.message,)


class PoolClosed(ConcurrencyError, RuntimeError):
    """Work was submitted to a pool that is shut down (a RuntimeError, as in the standard library)."""


class NestedSubmit(ConcurrencyError, RuntimeError):
    """Work that runs in a pool submitted to that pool, or to one that waits on it: with all workers busy it hangs."""


class WorkCancelled(ConcurrencyError):
    """Raised inside the work by `check_cancelled()`, once nobody wants its result."""


# Databases


class LockingUnsupported(ConcurrencyError):
    """The database would silently drop the lock clause (SQLite, SQL Server), so the row would not be locked."""


class LockNotAvailable(ConcurrencyError, TimeoutError):
    """Somebody else holds the row, and the caller said not to wait, or not that long."""


class RetriesExhausted(ConcurrencyError):
    """Every attempt failed in a way worth repeating; `__cause__` is the last failure."""


class LeaseLost(ConcurrencyError):
    """The lease had expired or gone to somebody else, and nothing was changed; `.ids` are the rows concerned."""

    def __init__(self, ids: Collection[Any]) -> None:
        super().__init__(ids)
        self.ids = ids

    def __str__(self) -> str:
        return f"the lease is lost, nothing was changed: {list(self.ids)!r}"


# Task queues


class UnroutedTask(ConcurrencyError):
    """No route names a queue for the task `.task`."""

    def __init__(self, task: str) -> None:
        super().__init__(task)
        self.task = task

    def __str__(self) -> str:
        return f"no route names a queue for task {self.task!r}"


class MisroutedTask(ConcurrencyError):
    """The task `.task` was sent to `.destination`, but its route leads to the queue `.queue`."""

    def __init__(self, task: str, destination: str, queue: str) -> None:
        super().__init__(task, destination, queue)
        self.task = task
        self.destination = destination
        self.queue = queue

    def __str__(self) -> str:
        return f"task {self.task!r} was sent to {self.destination!r}, but its route leads to {self.queue!r}"


class UnknownQueue(ConcurrencyError):
    """A route, a caller or a beat entry names the queue `.queue`, which is none of `.known`."""

    def __init__(self, queue: str, known: Collection[str]) -> None:
        super().__init__(queue, known)
        self.queue = queue
        self.known = known

    def __str__(self) -> str:
        return f"no queue {self.queue!r}; there are {', '.join(sorted(self.known)) or 'none'}"


# Coalescers


class CoalescerClosed(ConcurrencyError, RuntimeError):
    """An update was put into a coalescer that is closed; it was not taken."""


class FlushFailed(ConcurrencyError):
    """The last flush of a coalescer that closes failed; `.pending` are the updates that were not written."""

    def __init__(self, pending: Any) -> None:
        super().__init__(pending)
        self.pending = pending

    def __str__(self) -> str:
        return f"{len(self.pending)} pending updates were not written"


# Guards


class NotGuarded(ConcurrencyError, RuntimeError):
    """A guarded attribute was used, or a guarded method called, without its lock."""


class LockOrderError(ConcurrencyError, RuntimeError):
    """A lock was taken after one of the same or a higher rank: two threads that do so can deadlock."""
