"""Waiting for futures, of whatever executor, without waiting for ever and without losing any of them.

`with ThreadPoolExecutor` and `wait(timeout=0.2)` over tasks of 3 s: `wait` returns after 0.2 s, the block is left after
3.0 s (CPython 3.11). With `BoundedExecutor` and these, the block is left after 0.2 s. Times are seconds, and have no
default: None, for ever, must be written.
"""

from __future__ import annotations

import concurrent.futures
import functools
import logging
import threading
import time
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Future
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, WorkCancelled
from flake8_concurrency.runtime.pool import BoundedExecutor
from flake8_concurrency.runtime.report import WaitReport, partition, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

__all__ = ["OnError", "WaitReport", "as_completed", "map_bounded", "run_all", "wait_all"]

T = TypeVar("T")
R = TypeVar("R")
OnError = Literal["cancel", "collect"]

_log = logging.getLogger(__name__)


def wait_all(
    fs: Iterable[Future[T]],
    *,
    timeout: float | None,
    on_error: OnError = "cancel",
    cancel_stragglers: bool = True,
) -> WaitReport[T]:
    """Wait up to `timeout` seconds for all futures; every one of them is in exactly one bucket of the report.

    `on_error="cancel"` ends the wait at the first failure and cancels the rest; "collect" waits for the rest.
    `cancel_stragglers` cancels what is not done when the time is up. Work of a BoundedExecutor that runs already is
    told so (`cancelled()`), and its pool does not wait for it; that of another executor cannot be.
    Never raises a failure itself: read `.failed`, or call `.results()`, which raises it. A future given twice counts
    once.
    """
    start = time.monotonic()
    futures = list(dict.fromkeys(fs))
    stop_early = _checked(on_error) == "cancel"
    deadline = None if timeout is None else start + timeout
    unfinished, failed = set(futures), False
    while unfinished and not failed:
        left = _remaining(deadline)
        unfinished = concurrent.futures.wait(
            unfinished, left, FIRST_EXCEPTION if stop_early else ALL_COMPLETED
        ).not_done
        # One that gave up by `check_cancelled()` ends the wait for the first exception, but has not failed.
        failed = stop_early and any(map(_has_failed, futures))
        if left == 0:
            break
    if unfinished and (failed or cancel_stragglers):
        for future in futures:
            future.cancel()
    return partition(futures, elapsed=time.monotonic() - start, timed_out=bool(unfinished) and not failed)


def as_completed(
    fs: Iterable[Future[T]], *, timeout: float | None, cancel_stragglers: bool = True
) -> Generator[Future[T], None, None]:
    """The futures as they finish, until `timeout` seconds after this call.

    Raises DeadlineExceeded (with a report of all of them) when the time is up; then, and when the loop over it is left
    early, `cancel_stragglers` cancels what is not done.
    """
    start = time.monotonic()
    deadline = None if timeout is None else start + timeout
    futures = list(dict.fromkeys(fs))

    def finished() -> Generator[Future[T], None, None]:
        in_time = True
        try:
            yield from concurrent.futures.as_completed(futures, _remaining(deadline))
        except TimeoutError:
            in_time = False
        finally:
            if cancel_stragglers:
                for future in futures:
                    future.cancel()
        if not in_time:
            report = partition(futures, elapsed=time.monotonic() - start, timed_out=True)
            raise DeadlineExceeded(f"not all futures were done after {report.elapsed:.3g} s", report)

    return finished()


def map_bounded(
    fn: Callable[[T], R],
    items: Iterable[T],
    *,
    max_workers: int,
    timeout: float | None,
    on_error: OnError = "cancel",
) -> list[R]:
    """`fn` of every item, in `max_workers` threads; the results in the order of the items, within `timeout` seconds.

    The items are read as there is room for them: at most `2 * max_workers` are under way. Raises what `fn` raised
    first: at once, the rest being cancelled, or with `on_error="collect"` after all items. Raises DeadlineExceeded with
    a report of the items read so far when the time is up. Running work is then told to stop (`cancelled()`), and left
    behind: this returns all the same. Only reading the items themselves is outside of the time.
    """
    start = time.monotonic()
    deadline = None if timeout is None else start + timeout
    batch: _Batch[R] = _Batch(stop_early=_checked(on_error) == "cancel", start=start, deadline=deadline)
    with BoundedExecutor(
        max_workers=max_workers, max_pending=max_workers, submit_timeout=None, name="map_bounded", on_unread="log"
    ) as pool:
        for item in items:
            batch.add(pool, functools.partial(fn, item))
        return batch.results()


def run_all(
    calls: Iterable[Callable[[], R]],
    *,
    max_workers: int,
    timeout: float | None,
    on_error: OnError = "cancel",
) -> list[R]:
    """The results of all calls, in their order, as `map_bounded`: none of their failures is lost."""
    return map_bounded(_call, calls, max_workers=max_workers, timeout=timeout, on_error=on_error)


class _Batch(Generic[R]):
    """The results so far. Futures are dropped as they finish: they take a kilobyte each."""

    def __init__(self, *, stop_early: bool, start: float, deadline: float | None) -> None:
        self._stop_early = stop_early
        self._start = start
        self._deadline = deadline
        self._changed = threading.Condition()
        self._size = 0
        self._over = False
        self._results: dict[int, R] = {}
        self._unfinished: dict[int, Future[R]] = {}
        self._failed: dict[int, Future[R]] = {}

    def add(self, pool: BoundedExecutor, call: Callable[[], R]) -> None:
        """Submit the call once there is room for it."""
        try:
            future = pool.submit(call) if self._deadline is None else pool.submit_before(self._deadline, call)
        except BacklogFull:
            if _remaining(self._deadline) != 0:
                raise  # On a thread that runs an event loop.
            raise self._too_late() from None
        with self._changed:
            index, self._size = self._size, self._size + 1
            self._unfinished[index] = future
        future.add_done_callback(functools.partial(self._settle, index))
        if self._failed and self._stop_early:
            self._raise_first()

    def results(self) -> list[R]:
        """All results, once they are there."""
        with self._changed:
            in_time = self._changed.wait_for(self._is_over, _remaining(self._deadline))
        if self._failed and (self._stop_early or in_time):
            self._raise_first()
        if not in_time:
            raise self._too_late()
        return [self._results[index] for index in range(self._size)]

    def _is_over(self) -> bool:
        return not self._unfinished or (self._stop_early and bool(self._failed))

    def _settle(self, index: int, future: Future[R]) -> None:
        """Called in the worker's thread."""
        with self._changed:
            del self._unfinished[index]
            if _has_result(future):
                self._results[index] = future.result()
            else:
                if (self._failed or self._over) and _has_failed(future):
                    _log.error("one more failure in map_bounded", exc_info=future.exception())
                self._failed[index] = future
            if self._is_over():
                self._changed.notify_all()

    def _raise_first(self) -> None:
        """Raise the failure that came first; those after it are logged."""
        with self._changed:
            self._over = True
            first = next(iter(self._failed.values()))
        first.result(timeout=0)

    def _too_late(self) -> DeadlineExceeded:
        with self._changed:
            self._over = True
            futures = [self._future(index) for index in range(self._size)]
        for future in futures:
            future.cancel()
        report = partition(futures, elapsed=time.monotonic() - self._start, timed_out=True)
        return DeadlineExceeded(
            f"after {report.elapsed:.3g} s {len(report.done)} of the {self._size} items read are done", report
        )

    def _future(self, index: int) -> Future[R]:
        future = self._unfinished.get(index) or self._failed.get(index)
        return settled(self._results[index]) if future is None else future


def _call(call: Callable[[], R]) -> R:
    return call()


def _has_failed(future: Future[T]) -> bool:
    """Whether it ended with a failure, which counts as read by this; a cancelled one did not fail."""
    if not future.done() or future.cancelled():
        return False
    error = future.exception(timeout=0)
    return error is not None and not isinstance(error, WorkCancelled)


def _has_result(future: Future[T]) -> bool:
    return not future.cancelled() and future.exception(timeout=0) is None


def _remaining(deadline: float | None) -> float | None:
    """Seconds until the deadline, at least 0."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _checked(on_error: OnError) -> OnError:
    if on_error not in {"cancel", "collect"}:
        raise ValueError(f"on_error must be 'cancel' or 'collect', not {on_error!r}")
    return on_error
