"""A thread pool with a bounded backlog, which a hanging task can neither fill the memory nor hold the interpreter.

`BoundedExecutor` is a `concurrent.futures.Executor`, so it works wherever one does, `loop.run_in_executor` included.
What the standard library's does otherwise, each measured on CPython 3.11 (2 cores):

* its queue has no bound: 200,000 submits took 361 MB; `map` drains its whole input before the first result;
* its threads are joined at exit, so a straggler holds the interpreter, even after `shutdown(wait=False)`;
* `submit(...).result()` from inside a full pool hangs for good;
* an exception nobody reads is lost.
"""

from __future__ import annotations

import atexit
import contextvars
import logging
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from concurrent.futures import Executor, Future, wait
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, TypeVar

from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, NestedSubmit, PoolClosed, WorkCancelled
from flake8_concurrency.runtime.report import WaitReport, partition

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType
    from typing import Self

__all__ = ["BoundedExecutor", "OnUnread", "PoolStats", "cancelled", "check_cancelled"]

P = ParamSpec("P")
T = TypeVar("T")
OnUnread = Literal["raise", "log", "report"]

_log = logging.getLogger(__name__)

#: How many dropped failures a pool keeps for the end; more are logged at once, so that memory stays flat.
_KEPT = 100


class PoolStats(NamedTuple):
    """A moment of a pool. What was accepted is pending, running, succeeded, failed or cancelled: the sums agree."""

    max_workers: int
    max_pending: int
    threads: int
    pending: int
    running: int
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    rejected: int
    blocked: int
    """Threads that wait in `submit` for room."""


#: This process, as an object: another one after a fork. Cheaper than asking for the process's number at each submit.
_process = object()


def _forked() -> None:
    global _process  # noqa: PLW0603
    _process = object()


if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_forked)


# Inside the work


class _Here(threading.local):
    """The work that this thread is doing."""

    work: _Work[Any] | None = None


_here = _Here()


def cancelled() -> bool:
    """Whether the work this is called from is no longer wanted; False outside of a pool's work."""
    work = _here.work
    return work is not None and work.unwanted


def check_cancelled() -> None:
    """Raise WorkCancelled if the work this is called from is no longer wanted: call it between two steps."""
    if cancelled():
        raise WorkCancelled("nobody wants the result of this work any more")


# One piece of work

_Job = tuple[contextvars.Context, "Callable[..., T]", tuple[Any, ...], dict[str, Any]]


class _Link:
    """One running ancestor of a piece of work: who submitted it, or submitted who did."""

    __slots__ = ("alive", "pool")

    def __init__(self, pool: _Pool) -> None:
        self.pool = pool
        self.alive = True


class _Alarm:
    """Lives as long as a failed future does; goes off when it is dropped and nobody has read the exception."""

    __slots__ = ("__weakref__", "error", "pool")

    def __init__(self, pool: _Pool, error: BaseException) -> None:
        self.pool = pool
        self.error: BaseException | None = error

    def take(self) -> BaseException | None:
        """The exception, the first time."""
        error, self.error = self.error, None
        return error

    def __del__(self) -> None:
        if (error := self.take()) is not None:
            self.pool.dropped(error)


class _Work(Future[T]):
    """A future that knows its call, gives its room back when cancelled, and notices when its exception is read."""

    _alarm: _Alarm | None = None
    _link: _Link | None = None
    ancestors: tuple[_Link, ...] = ()
    unwanted = False

    def __init__(self, pool: _Pool, job: _Job[T]) -> None:
        Future.__init__(self)  # `super()` costs more in 3.11, and every task passes here.
        self._pool = pool
        self._job: _Job[T] | None = job

    # What its owner calls

    def result(self, timeout: float | None = None) -> T:
        try:
            return Future.result(self, timeout)  # Not `super()`: see __init__.
        finally:
            if self._alarm is not None:
                self._mark_read()
            del self  # As in `run`.

    def exception(self, timeout: float | None = None) -> BaseException | None:
        error = super().exception(timeout)
        self._mark_read()
        return error

    def cancel(self) -> bool:
        """As Future.cancel; a work that runs already is told (`cancelled()`) and no longer waited for by its pool."""
        if self.cancel_pending() or super().cancel():
            return True
        if not self.done():
            self._pool.give_up(self)
        return False

    def _mark_read(self) -> None:
        if (alarm := self._alarm) is not None and self.done():
            alarm.take()
            self._alarm = None

    # What its pool calls

    def cancel_pending(self) -> bool:
        """Cancel this if no thread has it yet."""
        if not self._pool.withdraw(self):
            return False
        self._job = None
        super().cancel()
        self.set_running_or_notify_cancel()  # This is what wakes `concurrent.futures.wait`.
        return True

    def link(self) -> _Link:
        if self._link is None:
            self._link = _Link(self._pool)
        return self._link

    def run(self) -> None:
        if not self.set_running_or_notify_cancel():
            self._job = None
            self._pool.settle("cancelled")
            return
        job, self._job = self._job, None
        assert job is not None
        context, function, args, kwargs = job
        del job
        _here.work = self
        try:
            result = context.run(function, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001  # it is the future's
            self._fail(error)
            del self  # The exception's traceback has this frame, which would tie both into a cycle.
        else:
            _here.work = None
            if self._link is not None:
                self._link.alive = False
            self._pool.settle("succeeded")
            self.set_result(result)

    def _fail(self, error: BaseException) -> None:
        _here.work = None
        if self._link is not None:
            self._link.alive = False
        if isinstance(error, WorkCancelled) and self.unwanted:
            self._pool.settle("cancelled")
        else:
            self._alarm = _Alarm(self._pool, error)
            self._pool.settle("failed", self._alarm)
        self.set_exception(error)


# The pool behind the executor


class _Pool:
    """The state shared by an executor and its threads, which hold this and not the executor.

    Room is counted in work accepted and not finished: at most `max_workers + max_pending`. It is given back before the
    result is published, so whoever has a result can submit again.
    """

    def __init__(self, *, max_workers: int, max_pending: int, name: str, on_unread: OnUnread) -> None:
        self.name = name
        self.on_unread = on_unread
        self.max_workers = max_workers
        self.max_pending = max_pending
        self.process = _process
        self.closed = False
        self._limit = max_workers + max_pending  # 0 once closed, so that `accept` has one question.
        # Reentrant: the garbage collector may cancel or close in the middle of what the same thread does here.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._quiet = threading.Condition(self._lock)
        self._backlog: OrderedDict[_Work[Any], None] = OrderedDict()
        self._at_work: dict[threading.Thread, _Work[Any]] = {}
        self._idle: list[threading.Lock] = []
        self._threads: set[threading.Thread] = set()
        self._started = 0
        self._unfinished = 0
        self._blocked = 0
        self._counts = dict.fromkeys(("submitted", "succeeded", "failed", "cancelled", "rejected"), 0)
        self._alarms: weakref.WeakSet[_Alarm] = weakref.WeakSet()
        self._dropped: deque[BaseException] = deque()

    # Submitting

    def accept(self, work: _Work[Any], timeout: float | None) -> None:
        """Take the work into the backlog, waiting up to `timeout` seconds for room."""
        with self._lock:
            if self._unfinished >= self._limit:
                self._wait_for_room(timeout)
            self._unfinished += 1
            self._counts["submitted"] += 1
            self._backlog[work] = None
            if self._idle:
                self._idle.pop().release()
                return
            if len(self._threads) == self.max_workers:
                return
            thread = self._new_thread()
        self._start(thread, work)

    def _is_full(self) -> bool:
        return self._unfinished >= self._limit

    def _wait_for_room(self, timeout: float | None) -> None:
        if not self.closed and timeout != 0 and _on_an_event_loop():
            self._counts["rejected"] += 1
            raise BacklogFull(f"{self._says_full()}, and waiting for room would block the event loop")
        self._blocked += 1
        try:
            in_time = self._room.wait_for(lambda: self.closed or not self._is_full(), timeout)
        except BaseException:
            self._room.notify()  # The room this thread was woken for is somebody else's now.
            raise
        finally:
            self._blocked -= 1
        if self.closed:
            raise PoolClosed(f"pool {self.name!r} is shut down")
        if not in_time:
            self._counts["rejected"] += 1
            raise BacklogFull(f"{self._says_full()} for {timeout} s")

    def _says_full(self) -> str:
        return f"pool {self.name!r} is full ({self.max_workers} at work, {self.max_pending} pending)"

    def _new_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self._serve, name=f"{self.name}-{self._started}", daemon=True)
        self._started += 1
        self._threads.add(thread)
        return thread

    def _start(self, thread: threading.Thread, work: _Work[Any]) -> None:
        try:
            thread.start()
        except BaseException:
            with self._lock:
                self._threads.discard(thread)
            if work.cancel():  # Otherwise another thread has it already, and all is well.
                raise

    # Serving

    def _serve(self) -> None:
        parking = threading.Lock()
        parking.acquire()
        me = threading.current_thread()
        while (work := self._next(me, parking)) is not None:
            try:
                work.run()
            except BaseException:  # noqa: BLE001  # the thread must outlive it
                _log.exception("a callback of work in pool %r failed", self.name)
            del work  # Or its result would live until the next work comes.

    def _next(self, me: threading.Thread, parking: threading.Lock) -> _Work[Any] | None:
        """The next work, once there is some; None when the pool is closed and nothing is left."""
        while True:
            with self._lock:
                if self._backlog:
                    work, _ = self._backlog.popitem(last=False)
                    self._at_work[me] = work
                else:
                    work = None
                    self._at_work.pop(me, None)
                if self.closed:
                    self._quiet.notify_all()
                if work is not None:
                    return work
                if self.closed:
                    self._threads.discard(me)
                    return None
                self._idle.append(parking)
            parking.acquire()

    def settle(self, outcome: str, alarm: _Alarm | None = None) -> None:
        """Give the room back; called just before the result is published."""
        with self._lock:
            self._unfinished -= 1
            self._counts[outcome] += 1
            if alarm is not None:
                self._alarms.add(alarm)
            if self._blocked:
                self._room.notify()

    # Cancelling and closing

    def withdraw(self, work: _Work[Any]) -> bool:
        """Take the work out of the backlog, with its room; whether it was still there."""
        with self._lock:
            if work not in self._backlog:
                return False
            del self._backlog[work]
            self._unfinished -= 1
            self._counts["cancelled"] += 1
            self._room.notify()
            self._quiet.notify_all()
        return True

    def give_up(self, work: _Work[Any]) -> None:
        """Tell work that runs; nobody waits for it any more."""
        with self._lock:
            work.unwanted = True
            self._quiet.notify_all()

    def close(self) -> list[_Work[Any]]:
        """Accept nothing more and wake everybody who waits; the work that is not finished."""
        with self._lock:
            self.closed = True
            self._limit = 0
            self._room.notify_all()
            while self._idle:
                self._idle.pop().release()
            at_work = [work for work in self._at_work.values() if not work.done()]
            return [*at_work, *self._backlog]

    def drain(self, deadline: float | None) -> bool:
        """Wait until nothing is left to do, but for unwanted work and what calls this; whether it came to that."""

        def drained() -> bool:
            return not self._backlog and all(work.unwanted or work is _here.work for work in self._at_work.values())

        with self._lock:
            return self._quiet.wait_for(drained, _remaining(deadline))

    def drain_unwanted(self, grace: float) -> None:
        """Wait up to `grace` seconds for the rest of it."""
        with self._lock:
            self._quiet.wait_for(lambda: all(work is _here.work for work in self._at_work.values()), grace)

    def join(self, deadline: float | None) -> None:
        """Wait for the threads that are on their way out: not for those with work in hand."""
        with self._lock:
            leaving = self._threads - self._at_work.keys()
        for thread in leaving - {threading.current_thread()}:
            if thread.ident is not None:
                thread.join(_remaining(deadline))

    def leave(self, grace: float) -> None:
        """At exit of the interpreter: stop what was never shut down, and say so."""
        if self.process is not _process:
            return
        unfinished = self.close()
        for work in unfinished:
            work.cancel()
        wait(unfinished, timeout=grace)
        if lost := sum(not work.done() or work.cancelled() for work in unfinished):
            _log.warning("the interpreter exits with %d unfinished in pool %r", lost, self.name)
        self.log_all(self.unread())

    def expire(self) -> None:
        """The executor is gone: finish what was accepted, then end."""
        atexit.unregister(self.leave)
        self.close()

    # Failures nobody read

    def dropped(self, error: BaseException) -> None:
        """Keep or log a failure that nobody can read any more. Called by the garbage collector: takes no lock."""
        if self.on_unread == "log" or self.closed or len(self._dropped) >= _KEPT:
            self.log_all([error])
        else:
            self._dropped.append(error)
            _log.warning("work in pool %r failed and nobody read it: %r", self.name, error)

    def unread(self) -> list[BaseException]:
        """The failures nobody has read; each is given out once."""
        with self._lock:
            alarms = list(self._alarms)
        errors = [self._dropped.popleft() for _ in range(len(self._dropped))]
        errors += [error for alarm in alarms if (error := alarm.take()) is not None]
        return errors

    def log_all(self, errors: Iterable[BaseException]) -> None:
        for error in errors:
            _log.error("work in pool %r failed and nobody read it", self.name, exc_info=error)

    def stats(self) -> PoolStats:
        with self._lock:
            pending = len(self._backlog)
            return PoolStats(
                max_workers=self.max_workers,
                max_pending=self.max_pending,
                threads=len(self._threads),
                pending=pending,
                running=self._unfinished - pending,
                blocked=self._blocked,
                **self._counts,
            )


class BoundedExecutor(Executor):
    """A thread pool with a bounded backlog; its daemon threads start on demand and hold no interpreter at exit.

    `max_workers`: threads. `max_pending`: how much more may be accepted than can run at once.
    `submit_timeout`: how long `submit` waits for room, in seconds; None is for ever, 0 not at all.
    `propagate_context`: run each piece of work in a copy of its submitter's `contextvars`; else in an empty context.
    `on_unread`: an exception that nobody has read when the pool is left is raised by the `with` statement in an
    ExceptionGroup ("raise"; logged where that is not possible), logged ("log", as soon as its future is dropped), or
    found in the report of `shutdown` and `.report` only ("report").
    `exit_grace`: how long leaving the pool, or the interpreter, waits for work that was told to stop, in seconds.

    Leaving the `with` block waits for all accepted work, except for running work that was cancelled (by its future, by
    `wait_all`): a thread cannot be killed, so that is told (`cancelled()`), gets `exit_grace` and is left behind. When
    the block raises, everything is cancelled so. For a deadline call `shutdown(timeout=)` or use `wait_all`.

    Work must not submit to the pool it runs in, not even by way of another pool: NestedSubmit.
    """

    def __init__(
        self,
        *,
        max_workers: int,
        max_pending: int,
        submit_timeout: float | None,
        name: str = "bounded",
        propagate_context: bool = True,
        on_unread: OnUnread = "raise",
        exit_grace: float = 0.0,
    ) -> None:
        if max_workers < 1 or max_pending < 0:
            raise ValueError("max_workers must be at least 1 and max_pending at least 0")
        if (submit_timeout is not None and not submit_timeout >= 0) or not exit_grace >= 0:
            raise ValueError("submit_timeout and exit_grace are seconds, at least 0")
        if on_unread not in {"raise", "log", "report"}:
            raise ValueError(f"on_unread must be 'raise', 'log' or 'report', not {on_unread!r}")
        self.report: WaitReport[Any] | None = None
        self._submit_timeout = submit_timeout
        self._exit_grace = exit_grace
        self._context = contextvars.copy_context if propagate_context else contextvars.Context
        self._pool = _Pool(max_workers=max_workers, max_pending=max_pending, name=name, on_unread=on_unread)
        atexit.register(self._pool.leave, exit_grace)
        weakref.finalize(self, self._pool.expire).atexit = False

    # Submitting

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a thread of the pool; waits for room first: that is the backpressure.

        Raises BacklogFull after `submit_timeout` seconds without room, or at once on a thread that runs an event loop;
        PoolClosed after `shutdown`, also to those who wait for room; NestedSubmit from inside the pool's own work.
        """
        work = self._work(fn, args, kwargs)
        self._pool.accept(work, self._submit_timeout)
        return work

    def submit_before(self, deadline: float, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As `submit`, but waits for room until `time.monotonic()` is `deadline`."""
        work = self._work(fn, args, kwargs)
        self._pool.accept(work, _remaining(deadline))
        return work

    def try_submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T] | None:
        """As `submit`, but never waits: None if there is no room."""
        work = self._work(fn, args, kwargs)
        try:
            self._pool.accept(work, 0)
        except BacklogFull:
            return None
        return work

    def _work(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Work[T]:
        pool = self._pool
        if pool.process is not _process:
            raise PoolClosed(f"pool {pool.name!r} was made before the fork and has no threads in this process")
        work = _Work(pool, (self._context(), fn, args, kwargs))
        if (parent := _here.work) is not None:
            work.ancestors = (*(link for link in parent.ancestors if link.alive), parent.link())
            if any(link.pool is pool for link in work.ancestors):
                raise NestedSubmit(
                    f"work in pool {pool.name!r} submits to that pool: once all workers wait for such work, none is "
                    "left to do it; submit from outside, or use a second pool that submits to no other"
                )
        return work

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,  # noqa: ARG002  # Executor.map has it; threads gain nothing from chunks
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """The results of `fn` over the items, in their order; the input is read as results are taken.

        At most `buffersize` items (by default as many as the pool accepts) are read ahead of the result taken last;
        those of the beginning are submitted by the call itself. Raises what `fn` raises; DeadlineExceeded, with a
        report of the items ahead, `timeout` seconds after the call. In both cases, and when the iterator is closed
        early, what was read ahead is cancelled.
        """
        start = time.monotonic()
        deadline = None if timeout is None else start + timeout
        calls = zip(*iterables, strict=False)
        if buffersize is None:
            buffersize = self._pool.max_workers + self._pool.max_pending
        ahead: deque[Future[T]] = deque()
        self._read_ahead(ahead, fn, calls, buffersize)

        def results() -> Generator[T, None, None]:
            try:
                while ahead:
                    yield _result_of_first(ahead, start, deadline)
                    self._read_ahead(ahead, fn, calls, buffersize)
            finally:
                for future in ahead:
                    future.cancel()

        return results()

    def _read_ahead(
        self, ahead: deque[Future[T]], fn: Callable[..., T], calls: Iterator[tuple[Any, ...]], limit: int
    ) -> None:
        while len(ahead) < limit and (call := next(calls, None)) is not None:
            ahead.append(self.submit(fn, *call))

    # Leaving

    def shutdown(  # type: ignore[override]  # Executor's returns None; a report is more
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> WaitReport[Any]:
        """Accept nothing more, and wait up to `timeout` seconds for what was accepted; never raises.

        `cancel_futures` cancels what has not started. When the time is up so is everything else: work that runs is told
        to stop and left behind. The report (also kept as `.report`) has every future unfinished when this was called,
        and every failure nobody had read.
        """
        report, unread = self._shut_down(wait=wait, cancel_futures=cancel_futures, timeout=timeout)
        if self._pool.on_unread != "report":
            self._pool.log_all(unread)
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            for work in self._pool.close():
                work.cancel()
        _, unread = self._shut_down(wait=True, cancel_futures=error is not None, timeout=None)
        if unread and self._pool.on_unread == "raise" and error is None:
            raise BaseExceptionGroup(f"nobody read the failures of work in pool {self._pool.name!r}", unread)
        if self._pool.on_unread != "report":
            self._pool.log_all(unread)

    def _shut_down(
        self, *, wait: bool, cancel_futures: bool, timeout: float | None
    ) -> tuple[WaitReport[Any], list[BaseException]]:
        """Close and wait; the report, and the failures nobody had read."""
        start = time.monotonic()
        unfinished = self._pool.close()
        if cancel_futures:
            for work in unfinished:
                work.cancel_pending()
        in_time = not wait or self._wait_for(unfinished, None if timeout is None else start + timeout)
        unread = self._pool.unread()
        elapsed = time.monotonic() - start
        reported = {id(work.exception()) for work in unfinished if work.done() and not work.cancelled()}
        futures = [*unfinished, *(_failed(error) for error in unread if id(error) not in reported)]
        self.report = partition(futures, elapsed=elapsed, timed_out=not in_time)
        if not self.report.running:
            atexit.unregister(self._pool.leave)
        return self.report, unread

    def _wait_for(self, unfinished: list[_Work[Any]], deadline: float | None) -> bool:
        """Wait for the work until `deadline`, then stop it; whether all that is wanted was in time."""
        in_time = self._pool.drain(deadline)
        if not in_time:
            for work in unfinished:
                work.cancel()
        left = _remaining(deadline)
        self._pool.drain_unwanted(self._exit_grace if left is None else min(left, self._exit_grace))
        self._pool.join(deadline)
        return in_time

    def stats(self) -> PoolStats:
        """The numbers of this moment, taken together."""
        return self._pool.stats()

    def __repr__(self) -> str:
        stats = self.stats()
        state = "closed" if self._pool.closed else "open"
        return f"<BoundedExecutor {self._pool.name!r} {state}: {stats.running} running, {stats.pending} pending>"


def _result_of_first(ahead: deque[Future[T]], start: float, deadline: float | None) -> T:
    """The result of the first future, which leaves the queue once it is there."""
    first = ahead[0]
    if wait([first], timeout=_remaining(deadline)).not_done:
        elapsed = time.monotonic() - start
        for future in ahead:
            future.cancel()
        report = partition(ahead, elapsed=elapsed, timed_out=True)
        raise DeadlineExceeded(f"the next result was not there after {elapsed:.3g} s", report)
    return ahead.popleft().result(timeout=0)


def _failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _remaining(deadline: float | None) -> float | None:
    """Seconds until the deadline, at least 0."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _on_an_event_loop() -> bool:
    """Whether an asyncio event loop runs in this thread, so that it must not be blocked."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001
