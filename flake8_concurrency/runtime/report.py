"""What became of a group of futures."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from flake8_concurrency.runtime.errors import DeadlineExceeded, WorkCancelled

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WaitReport", "partition", "settled"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitReport(Generic[T]):
    """What became of a group of futures: each of them is in exactly one of four buckets, in the order it was given."""

    done: tuple[Future[T], ...]
    """Finished with a result."""
    failed: tuple[Future[T], ...]
    """Finished with an exception, which counts as read from here on."""
    cancelled: tuple[Future[T], ...]
    """Never started, or stopped by `check_cancelled()`."""
    running: tuple[Future[T], ...]
    """Not finished when the report was made: at work, or (where nobody cancelled it) still to start."""
    elapsed: float
    """How long the wait took, in seconds."""
    timed_out: bool
    """Whether the wait ended because its time was up."""

    def results(self) -> list[T]:
        """All results, in the order the futures were given, or an error: never only some of them.

        Raises the first failure (the others are logged); DeadlineExceeded (with this report) if work is unfinished or
        was given up when time was up; CancelledError if work was cancelled otherwise.
        """
        if self.failed:
            first, *others = (future.exception(timeout=0) for future in self.failed)
            for other in others:
                _log.error("one more failure beside %r", first, exc_info=other)
            assert first is not None
            raise first
        if self.running or self.timed_out:
            raise DeadlineExceeded(self._what_is_missing(), self)
        if self.cancelled:
            raise CancelledError(self._what_is_missing())
        return [future.result(timeout=0) for future in self.done]

    def _what_is_missing(self) -> str:
        total = len(self.done) + len(self.failed) + len(self.cancelled) + len(self.running)
        return (
            f"after {self.elapsed:.3g} s {len(self.done)} of {total} are done, {len(self.failed)} failed, "
            f"{len(self.cancelled)} are cancelled, {len(self.running)} still run"
        )


def partition(futures: Iterable[Future[T]], *, elapsed: float, timed_out: bool) -> WaitReport[T]:
    """Each future in its bucket, judged once; reading an exception here is what makes it reported."""
    done: list[Future[T]] = []
    failed: list[Future[T]] = []
    cancelled: list[Future[T]] = []
    running: list[Future[T]] = []
    for future in dict.fromkeys(futures):
        if not future.done():
            running.append(future)
        elif future.cancelled():
            cancelled.append(future)
        elif (error := future.exception(timeout=0)) is None:
            done.append(future)
        elif isinstance(error, WorkCancelled):
            cancelled.append(future)
        else:
            failed.append(future)
    return WaitReport(tuple(done), tuple(failed), tuple(cancelled), tuple(running), elapsed, timed_out)


def settled(result: T) -> Future[T]:
    """A future that has this result."""
    future: Future[T] = Future()
    future.set_result(result)
    return future
