"""Threads and tasks under a bound and a deadline, for code that runs on an event loop.

* `Offloader`: blocking calls on at most so many daemon threads. What runs is counted by **threads**, not by awaiters.
* `gather_bounded`, `amap`: one coroutine per item, at most so many at a time, and no task left behind.
* `wait_all_async`: wait for the futures of pools under a deadline, and say what became of each.
* `background`: a task that is neither collected early nor fails in silence.

All times are seconds. Deadlines are measured by the loop's clock (`loop.time()`, monotonic).
The source of each fact below that names none is a test in tests/runtime/test_aio.py that shows it on the naive code.
"""

from __future__ import annotations

import asyncio
import contextvars
import enum
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, TypeVarTuple, Unpack, cast

from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, PoolClosed, WorkCancelled
from flake8_concurrency.runtime.report import partition

if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Self

    from flake8_concurrency.runtime.report import WaitReport
    from flake8_concurrency.runtime.wait import OnError

__all__ = ["OffloadStats", "Offloader", "amap", "background", "gather_bounded", "wait_all_async"]

T = TypeVar("T")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger(__name__)

# How long a thread without work is kept, in seconds: one that is forgotten without `close()` leaves no thread for long.
_IDLE = 30.0


class OffloadStats(NamedTuple):
    """A moment's figures of an `Offloader`; the last four count since the start."""

    threads: int
    """Threads that are alive, never more than `max_threads`."""
    busy: int
    """Threads that are at work."""
    abandoned: int
    """Threads at work for a caller that has left: it was cancelled, or its time was up."""
    waiting: int
    """Calls that wait for a thread."""
    completed: int
    """Calls that returned."""
    failed: int
    """Calls that raised."""
    timed_out: int
    """Calls whose caller ran out of `timeout`."""
    rejected: int
    """Calls that were never started, because no thread was free within `queue_timeout`."""


class _News(enum.Enum):
    """What an awaiter is woken for."""

    FINISHED = enum.auto()
    DEADLINE = enum.auto()
    BACKLOG = enum.auto()
    CLOSED = enum.auto()


class _Call:
    """One blocking call: written by its awaiter and by its thread, each under the offloader's lock."""

    __slots__ = ("arguments", "context", "error", "finished", "function", "left", "loop", "started", "value", "waiter")

    def __init__(self, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.context = contextvars.copy_context()
        self.loop = asyncio.get_running_loop()
        self.waiter: asyncio.Future[_News] = self.loop.create_future()
        self.value: object = None
        self.error: BaseException | None = None
        self.started = False
        self.finished = False
        self.left = False

    def tell(self, news: _News) -> None:
        """Wake the awaiter, in the loop's thread."""
        if not self.waiter.done():
            self.waiter.set_result(news)

    def tell_threadsafe(self, news: _News) -> None:
        try:
            self.loop.call_soon_threadsafe(self.tell, news)
        except RuntimeError:  # the loop is closed, and the awaiter was never told to leave
            self.log()

    def log(self) -> None:
        """Report what nobody will be raised."""
        if self.error is not None:
            logger.error("an abandoned call of %r raised", self.function, exc_info=self.error)

    def result(self) -> object:
        if self.error is None:
            return self.value
        try:
            raise self.error
        finally:
            self.error = None  # or the traceback refers to itself


class _Worker:
    """A thread's letter box: `wake` is released when `call` was put in; None in it ends the thread."""

    __slots__ = ("call", "wake")

    def __init__(self, call: _Call) -> None:
        self.call: _Call | None = call
        self.wake = threading.Lock()
        self.wake.acquire()

    def take(self) -> _Call | None:
        call, self.call = self.call, None
        return call


class Offloader:
    """Runs blocking functions on at most `max_threads` daemon threads of its own, from any number of event loops.

    ```python
    with Offloader(max_threads=8, queue_timeout=1.0) as offload:
        body = await offload(read, path, timeout=5.0)
    ```

    A Python thread cannot be stopped: a call whose caller has left goes on. So the permit belongs to the **thread** and
    is free again when the function returns, not when the awaiter leaves: ten calls that time out leave `max_threads`
    threads, where a semaphore around `asyncio.to_thread` (and anyio's limiter) leave ten. An exception that such a
    call raises is logged. `asyncio.run` and the interpreter's exit do not wait for it, as they do for `to_thread`.

    `queue_timeout` is how long a call waits for a free thread, in seconds; then BacklogFull. None waits for ever, 0 not
    at all. Threads start when needed and end after 30 s without work. A forked child starts with none.

    Leaving the `with` block closes: callers that wait for a thread get PoolClosed; what runs goes on, is still
    awaited by its caller, and is not waited for.
    """

    def __init__(self, *, max_threads: int, queue_timeout: float | None) -> None:
        if max_threads < 1:
            raise ValueError(f"max_threads must be at least 1, not {max_threads!r}")
        if queue_timeout is not None and not queue_timeout >= 0:
            raise ValueError(f"queue_timeout must be seconds or None, not {queue_timeout!r}")
        self.max_threads = max_threads
        self.queue_timeout = queue_timeout
        self._closed = False
        self._fresh()

    def _fresh(self) -> None:
        self._pid = os.getpid()
        # Reentrant: a coroutine that is collected runs its `finally`, and so `_leave`, at any allocation.
        self._lock = threading.RLock()
        self._threads = 0
        self._idle: list[_Worker] = []
        self._waiting: OrderedDict[_Call, None] = OrderedDict()
        self._abandoned = self._completed = self._failed = self._timed_out = self._rejected = 0

    async def __call__(
        self,
        function: Callable[[Unpack[Ts]], R],
        /,
        *args: *Ts,
        timeout: float | None,  # noqa: ASYNC109  the error says what became of the call
    ) -> R:
        """Run `function(*args)` in a thread, with a copy of the caller's context variables, and return its result.

        `timeout` seconds are for everything, the wait for a thread included; None waits for ever. Raises

        * DeadlineExceeded after `timeout`, or at once where it is not more than 0. What has started goes on.
        * BacklogFull when no thread was free within `queue_timeout`, PoolClosed after `close()`: it did not start.
        * whatever the function raises.

        For keyword arguments use `functools.partial`.
        """
        if timeout is not None and not timeout > 0:
            raise DeadlineExceeded(f"no time left to call {function!r}: {timeout} s")
        call = _Call(function, args)
        deadline = None if timeout is None else call.loop.call_later(timeout, call.tell, _News.DEADLINE)
        patience = None
        try:
            if not self._start(call) and self.queue_timeout is not None:
                patience = call.loop.call_later(self.queue_timeout, self._reject, call)
            news = await call.waiter
            if not call.finished:
                raise self._refusal(news, call, timeout)
            return cast("R", call.result())
        finally:
            if deadline is not None:
                deadline.cancel()
            if patience is not None:
                patience.cancel()
            self._leave(call)
            del call  # or the traceback of its error refers to itself

    def _start(self, call: _Call) -> bool:
        """Give the call to a thread; False when it has to wait for one."""
        if self._pid != os.getpid():
            self._fresh()  # the threads, and whoever held the lock, do not exist in a forked child
        with self._lock:
            if self._closed:
                raise PoolClosed("the offloader is closed")
            if self._idle:
                worker = self._idle.pop()
                worker.call = call
                call.started = True
                worker.wake.release()
                return True
            if self._threads < self.max_threads:
                self._start_thread(call)
                call.started = True
                return True
            if self.queue_timeout == 0:
                self._rejected += 1
                raise BacklogFull(f"all {self.max_threads} threads are busy")
            self._waiting[call] = None
            return False

    def _start_thread(self, call: _Call) -> None:
        # In the letter box, because a thread keeps its arguments as long as it lives.
        worker = _Worker(call)
        thread = threading.Thread(target=self._work, args=(worker,), name="offload", daemon=True)
        self._threads += 1
        try:
            thread.start()
        except BaseException:
            self._threads -= 1
            raise

    def _work(self, worker: _Worker) -> None:
        call = worker.take()
        while call is not None:
            if (following := self._run(call, worker)) is None:
                del call  # a parked thread keeps nothing alive
                following = self._next(worker)
            call = following

    def _run(self, call: _Call, worker: _Worker) -> _Call | None:
        """Do one call and report it; the next one, if one waits. Otherwise the worker is idle from here on."""
        try:
            call.value = call.context.run(call.function, *call.arguments)
        except BaseException as error:  # noqa: BLE001 - it is raised to the caller, or logged
            call.error = error
        with self._lock:
            following = self._finish(call, worker)
        if call.left:
            call.log()
        else:
            call.tell_threadsafe(_News.FINISHED)
        del call
        return following

    def _finish(self, call: _Call, worker: _Worker) -> _Call | None:
        call.finished = True
        if call.error is None:
            self._completed += 1
        else:
            self._failed += 1
        if call.left:
            self._abandoned -= 1
        if self._waiting:
            following, _ = self._waiting.popitem(last=False)
            following.started = True
            return following
        self._idle.append(worker)
        if self._closed:
            self._dismiss()
        return None

    def _next(self, worker: _Worker) -> _Call | None:
        """Wait for a call; None when the thread shall end."""
        if not worker.wake.acquire(timeout=_IDLE):
            with self._lock:
                if worker in self._idle:
                    self._idle.remove(worker)
                    self._threads -= 1
                    return None
            worker.wake.acquire()  # a call was put in just now
        return worker.take()

    def _dismiss(self) -> None:
        for worker in self._idle:
            worker.wake.release()
        self._threads -= len(self._idle)
        self._idle.clear()

    def _reject(self, call: _Call) -> None:
        """The caller has waited for a thread for `queue_timeout`."""
        with self._lock:
            if call not in self._waiting:
                return
            del self._waiting[call]
        call.tell(_News.BACKLOG)

    def _refusal(self, news: _News, call: _Call, timeout: float | None) -> Exception:
        """Why the call has no result."""
        if news is _News.CLOSED:
            return PoolClosed("the offloader was closed while the call waited for a thread")
        with self._lock:
            if news is _News.BACKLOG:
                self._rejected += 1
                return BacklogFull(f"none of {self.max_threads} threads was free within {self.queue_timeout} s")
            self._timed_out += 1
            became = "goes on in its thread" if call.started else "was not started"
            return DeadlineExceeded(f"{call.function!r} had no result within {timeout} s; it {became}")

    def _leave(self, call: _Call) -> None:
        """The awaiter goes, with a result or without."""
        if call.finished and call.error is None:
            return
        with self._lock:
            self._waiting.pop(call, None)
            if call.started and not call.finished:
                call.left = True
                self._abandoned += 1
        if call.finished:
            call.log()

    def stats(self) -> OffloadStats:
        """Counts, and what goes on now."""
        with self._lock:
            return OffloadStats(
                threads=self._threads,
                busy=self._threads - len(self._idle),
                abandoned=self._abandoned,
                waiting=len(self._waiting),
                completed=self._completed,
                failed=self._failed,
                timed_out=self._timed_out,
                rejected=self._rejected,
            )

    def close(self) -> None:
        """Start nothing more, and return at once: see the class for what becomes of the rest. May be repeated."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
            self._dismiss()
        for call in waiting:
            call.tell_threadsafe(_News.CLOSED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _FanOut(ABC, Generic[T, R]):
    """One task that reads the items, and at most `limit` that work on them. The loop's thread only.

    Each item has a task of its own, so that context variables and whatever is kept per task stay with the item.
    """

    def __init__(
        self,
        function: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        limit: int,
        timeout: float | None,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit!r}")
        if timeout is not None and not timeout > 0:
            raise DeadlineExceeded(f"no time left: {timeout} s")
        self._function = function
        self._loop = asyncio.get_running_loop()
        self._free = limit
        self._room: asyncio.Future[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._tasks: dict[asyncio.Task[R], int] = {}
        self._started = 0
        self._aborted = False
        self._stopping = False
        self._error: BaseException | None = None
        self._unseen = False
        self._reader = self._loop.create_task(self._read(items))
        self._reader.add_done_callback(self._read_all)
        self._timer = None if timeout is None else self._loop.call_later(timeout, self._expire, timeout)

    @abstractmethod
    def _keep(self, index: int, value: R) -> None:
        """Take the result of an item."""

    async def _read(self, items: Iterable[T] | AsyncIterable[T]) -> None:
        if isinstance(items, AsyncIterable):
            await self._read_async(items)
            return
        iterator = iter(items)
        while True:
            if not self._free:
                await self._wait_for_room()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self._begin(item)

    async def _read_async(self, items: AsyncIterable[T]) -> None:
        iterator = aiter(items)
        while True:
            if not self._free:
                await self._wait_for_room()
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                return
            self._begin(item)

    async def _wait_for_room(self) -> None:
        self._room = self._loop.create_future()
        await self._room

    def _begin(self, item: T) -> None:
        if self._aborted:  # the source of the items has swallowed the cancellation of its reader
            raise asyncio.CancelledError
        made = self._function(item)
        task = self._loop.create_task(made if asyncio.iscoroutine(made) else _awaited(made))
        self._free -= 1
        self._tasks[task] = self._started
        self._started += 1
        task.add_done_callback(self._done)

    def _release(self) -> None:
        self._free += 1
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _done(self, task: asyncio.Task[R]) -> None:
        index = self._tasks.pop(task)
        if task.cancelled():
            self._fail(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self._fail(error)
        else:
            self._keep(index, task.result())
        if self.over:
            self._tell()

    def _read_all(self, reader: asyncio.Task[None]) -> None:
        if reader.cancelled():
            self._fail(asyncio.CancelledError())
        elif (error := reader.exception()) is not None:
            self._fail(error)
        self._tell()

    def _expire(self, timeout: float) -> None:
        if self._error is None:
            self._fail(DeadlineExceeded(f"not done within {timeout} s; {self._started} items were begun"))
            self._unseen = False  # no item raised it
            self._tell()

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not self._stopping:
            self._error = error
            self._unseen = not isinstance(error, asyncio.CancelledError)
            self._abort()
        elif not isinstance(error, asyncio.CancelledError):
            logger.error("a further item failed", exc_info=error)

    def _abort(self) -> None:
        """Cancel everything, once: a second time would cancel the cleaning up."""
        if not self._aborted:
            self._aborted = True
            for task in (self._reader, *self._tasks):
                task.cancel()

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return self._error is not None or (self._reader.done() and not self._tasks)

    def check(self) -> None:
        """Raise the first error."""
        if self._error is not None:
            self._unseen = False
            raise self._error

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def wait(self) -> None:
        """Until `_tell`."""
        self._news = self._loop.create_future()
        await self._news

    async def stop(self) -> None:
        """Cancel what is left, and return when it has ended, even if this is cancelled in the meantime."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        self._abort()
        interrupted = False
        while left := [task for task in (self._reader, *self._tasks) if not task.done()]:
            try:
                await asyncio.wait(left)
            except asyncio.CancelledError:
                interrupted = True
        if self._unseen:
            logger.error("an item failed, and its result was not asked for", exc_info=self._error)
        if interrupted:
            raise asyncio.CancelledError


async def _awaited(awaitable: Awaitable[R]) -> R:
    return await awaitable


class _Gathered(_FanOut[T, R]):
    """Keeps every result; an item that is done makes room."""

    def __init__(
        self,
        function: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        limit: int,
        timeout: float | None,
    ) -> None:
        self.results: dict[int, R] = {}
        super().__init__(function, items, limit=limit, timeout=timeout)

    def _keep(self, index: int, value: R) -> None:
        self.results[index] = value
        self._release()


class _Mapped(_FanOut[T, R]):
    """Gives the results in order; an item that was taken makes room."""

    def __init__(
        self,
        function: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        limit: int,
        timeout: float | None,
    ) -> None:
        self._ready: dict[int, R] = {}
        self._given = 0
        super().__init__(function, items, limit=limit, timeout=timeout)

    def _keep(self, index: int, value: R) -> None:
        self._ready[index] = value
        self._tell()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if self._news is not None:
            raise RuntimeError("another task waits for the next result")
        while not (self._error or self._given in self._ready):
            if self.over:
                raise StopAsyncIteration
            try:
                await self.wait()
            finally:
                self._news = None
        self.check()
        value = self._ready.pop(self._given)
        self._given += 1
        self._release()
        return value


async def gather_bounded(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    *,
    limit: int,
    timeout: float | None,  # noqa: ASYNC109  without a default: nobody forgets it
) -> list[R]:
    """Await `function(item)` for every item, at most `limit` at a time, and return the results in the items' order.

    `items` may be endless, and iterable or async iterable: an item is read when there is room for it, so there are
    `limit + 1` tasks, where `asyncio.gather` has one for every item at once. The first exception, the end of `timeout`
    seconds (DeadlineExceeded; None: no end) and the caller's cancellation cancel all tasks and are raised when these
    have ended: one that refuses to end holds this up. An exception raised after the first one is logged.
    """
    work = _Gathered(function, items, limit=limit, timeout=timeout)
    try:
        while not work.over:
            await work.wait()
        work.check()
    finally:
        await work.stop()
    return [work.results[index] for index in range(len(work.results))]


@asynccontextmanager
async def amap(
    function: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    *,
    limit: int,
    timeout: float | None,  # noqa: ASYNC109  without a default: nobody forgets it
) -> AsyncIterator[AsyncIterator[R]]:
    """The results of `function(item)` in the items' order, while they come: for input that is long or endless.

    ```python
    async with amap(fetch, urls, limit=10, timeout=60.0) as pages:
        async for page in pages:
            ...
    ```

    At most `limit` items are read and not yet taken, so a slow consumer slows the reading down. Errors, the deadline
    (it includes the consumer's time, in seconds) and cancellation: as for `gather_bounded`, raised from the loop, ahead
    of results that were not taken. Leaving the block, by `break` too, cancels what is left and waits for it; an async
    generator would leave its tasks behind until it is collected (PEP 533). One task at a time may ask for results.
    """
    work = _Mapped(function, items, limit=limit, timeout=timeout)
    try:
        yield work
    finally:
        await work.stop()


async def wait_all_async(
    fs: Iterable[Future[T]],
    *,
    timeout: float | None,  # noqa: ASYNC109  the report is returned, not raised
    on_error: OnError = "cancel",
    cancel_stragglers: bool = True,
) -> WaitReport[T]:
    """`wait_all` for a coroutine: wait for futures of thread or process pools without blocking the loop.

    Up to `timeout` seconds; None waits for ever. `on_error="cancel"` ends the wait at the first failure and cancels the
    rest; "collect" waits for the rest. `cancel_stragglers` cancels what is not done when the time is up, or when the
    caller is cancelled. Never raises a failure itself: read `.failed`, or call `.results()`. For coroutines there are
    `gather_bounded` and `asyncio.wait`.
    """
    if on_error not in {"cancel", "collect"}:
        raise ValueError(f"on_error must be 'cancel' or 'collect', not {on_error!r}")
    loop = asyncio.get_running_loop()
    start = loop.time()
    futures = list(dict.fromkeys(fs))
    watch = _Watch(loop, futures, stop_early=on_error == "cancel")
    try:
        in_time = await watch.wait(timeout)
    except asyncio.CancelledError:
        watch.cancel(cancel_stragglers)
        raise
    timed_out = not in_time and not all(future.done() for future in futures)
    watch.cancel(watch.failed or (cancel_stragglers and timed_out))
    return partition(futures, elapsed=loop.time() - start, timed_out=timed_out)


class _Watch(Generic[T]):
    """Counts futures that finish in other threads. The loop's thread only, but for `_finished`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, futures: list[Future[T]], *, stop_early: bool) -> None:
        self._loop = loop
        self._futures = futures
        self._stop_early = stop_early
        self._left = len(futures)
        self._over: asyncio.Future[bool] = loop.create_future()
        self.failed = False
        if not futures:
            self._end(in_time=True)
        for future in futures:
            future.add_done_callback(self._finished)

    def _finished(self, future: Future[T]) -> None:
        # A loop that is closed waits for nothing.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._count, future)

    def _count(self, future: Future[T]) -> None:
        self._left -= 1
        if self._stop_early and not self._over.done() and _has_failed(future):
            self.failed = True
        if self.failed or not self._left:
            self._end(in_time=True)

    def _end(self, *, in_time: bool) -> None:
        if not self._over.done():
            self._over.set_result(in_time)

    async def wait(self, timeout: float | None) -> bool:  # noqa: ASYNC109  the answer is not an error
        """Whether the wait ended before its time was up."""
        timer = None if timeout is None else self._loop.call_later(timeout, lambda: self._end(in_time=False))
        try:
            return await self._over
        finally:
            if timer is not None:
                timer.cancel()

    def cancel(self, wanted: bool) -> None:
        if wanted:
            for future in self._futures:
                future.cancel()


def _has_failed(future: Future[Any]) -> bool:
    if future.cancelled():
        return False
    error = future.exception(timeout=0)
    return error is not None and not isinstance(error, WorkCancelled)


# The loop itself keeps only a weak reference to a task: https://docs.python.org/3/library/asyncio-task.html#creating-tasks
_background: set[asyncio.Task[Any]] = set()


def background(coroutine: Coroutine[Any, Any, R], *, name: str | None = None) -> asyncio.Task[R]:
    """Run a coroutine as a task that nobody has to await; a strong reference is kept until it ends.

    Its exception is logged when it ends, not when the task is collected. When the loop ends, `asyncio.run` cancels it.
    Awaiting or cancelling the returned task is possible. RuntimeError where no loop runs.
    """
    try:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
    except RuntimeError:
        coroutine.close()  # or it warns, later, that it was never awaited
        raise
    _background.add(task)
    task.add_done_callback(_background_done)
    return task


def _background_done(task: asyncio.Task[Any]) -> None:
    _background.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("background task %s failed", task.get_name(), exc_info=error)
