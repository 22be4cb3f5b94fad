"""Many updates of few keys, written seldom: the last value of each key, once a window.

A coalescer keeps the newest value per key in memory and hands them to `flush` in one mapping when the window is over,
when it is half full, on `flush()`, and when it is closed. What holds:

* The final value written equals the last put: one flush at a time runs, so an older batch never overtakes a newer one,
  and a batch whose flush fails goes back *below* what was put since.
* A flush that fails is logged and tried again a window later; nothing is dropped. So `flush` must be idempotent: what
  it had written before it failed, it is given again.
* Memory is bounded by `max_keys`, counting what is being written. A put of a further key waits for room.
* `close()`, leaving the `with` block with or without an exception, `sys.exit` and the end of the main module write what
  is left. SIGKILL and `os._exit` do not, nor does a `multiprocessing` child that leaves without `close()`; for SIGTERM
  see `flush_on_signals`. For updates that must survive a kill see `runtime.redis.RedisCoalescer`.
* A forked child starts empty: the updates put before the fork are its parent's to write.

All times are seconds.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import math
import os
import signal
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from flake8_concurrency.runtime.errors import BacklogFull, CoalescerClosed, FlushFailed

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import NoReturn, Self

__all__ = ["AsyncCoalescer", "Coalescer", "CoalescerStats", "flush_on_signals", "last_wins"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

logger = logging.getLogger(__name__)

# How long a closing coalescer rests between two attempts, at most; a window may be minutes.
_CLOSING_REST = 0.1


def last_wins(older: T, newer: T) -> T:  # noqa: ARG001  the signature of every merge
    """The default merge: the value put last."""
    return newer


@dataclass(frozen=True, slots=True)
class CoalescerStats:
    """A moment's figures: counts since the start (or the fork), and what is held now."""

    puts: int
    """Puts that were taken."""
    flushes: int
    """Calls of `flush` that returned."""
    failures: int
    """Calls of `flush` that raised or were interrupted."""
    written: int
    """Values in the mappings of those that returned; `puts - written` were saved, once nothing is held."""
    pending: int
    """Keys that wait for a flush."""
    in_flight: int
    """Keys in the flush that runs now."""
    last_error: BaseException | None
    """What the latest flush raised; None after one that returned."""


class _Updates(Generic[K, V]):
    """Two generations of updates: those that wait, and those that a flush has taken. Not thread-safe."""

    def __init__(self, max_keys: int, merge: Callable[[V, V], V]) -> None:
        self.max_keys = max_keys
        self.merge: Callable[[V, V], V] | None = None if merge is last_wins else merge
        self.clear()

    def clear(self) -> None:
        self.pending: dict[K, V] = {}
        self.in_flight: dict[K, V] = {}
        # Keys that are in both.
        self.twice = 0
        self.puts = self.flushes = self.failures = self.written = 0
        self.last_error: BaseException | None = None

    def __len__(self) -> int:
        return len(self.pending) + len(self.in_flight) - self.twice

    def room_for(self, key: K) -> bool:
        """Is the key held already, or may one more be?"""
        return len(self) < self.max_keys or key in self.pending or key in self.in_flight

    def add(self, key: K, value: V) -> int:
        """Hold a value; the number of pending keys if that made it one more, else 0."""
        self.puts += 1
        pending = self.pending
        if key in pending:
            pending[key] = value if self.merge is None else self.merge(pending[key], value)
            return 0
        pending[key] = value
        if key in self.in_flight:
            self.twice += 1
        return len(pending)

    def over(self, older: Mapping[K, V], newer: Mapping[K, V]) -> dict[K, V]:
        """Both, oldest keys first."""
        both = dict(older)
        for key, value in newer.items():
            both[key] = self.merge(both[key], value) if self.merge is not None and key in both else value
        return both

    def held(self) -> dict[K, V]:
        return self.over(self.in_flight, self.pending)

    def take(self) -> dict[K, V]:
        """Start a flush. One that was interrupted before it could say so left its batch in flight: it is included."""
        self.in_flight, self.pending, self.twice = self.held(), {}, 0
        return self.in_flight

    def succeeded(self, keys: int) -> None:
        self.in_flight, self.twice = {}, 0
        self.flushes += 1
        self.written += keys
        self.last_error = None

    def failed(self, error: BaseException) -> None:
        self.in_flight, self.pending, self.twice = {}, self.held(), 0
        self.failures += 1
        self.last_error = error

    def peek(self, key: K, default: T) -> V | T:
        older = self.in_flight.get(key, default)
        if key not in self.pending:
            return older
        newer = self.pending[key]
        return self.merge(self.in_flight[key], newer) if self.merge is not None and key in self.in_flight else newer

    def stats(self) -> CoalescerStats:
        return CoalescerStats(
            puts=self.puts,
            flushes=self.flushes,
            failures=self.failures,
            written=self.written,
            pending=len(self.pending),
            in_flight=len(self.in_flight),
            last_error=self.last_error,
        )


def _check(window: float, max_keys: int, close_timeout: float | None) -> None:
    if not window > 0:
        raise ValueError(f"window must be more than 0 seconds (math.inf: no flush by time), not {window!r}")
    if max_keys < 1:
        raise ValueError(f"max_keys must be at least 1, not {max_keys!r}")
    if close_timeout is not None and not close_timeout >= 0:
        raise ValueError(f"close_timeout must be seconds or None, not {close_timeout!r}")


def _forget_in_children(forget: Callable[[], None]) -> None:
    """Call the bound method `forget` in every forked child, as long as its object lives.

    A forked child of a plain dictionary and a timer re-flushed its parent's updates (tests/runtime/test_coalesce.py).
    """
    reference = weakref.WeakMethod(forget)

    def after_fork() -> None:
        if (alive := reference()) is not None:
            alive()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)


class Coalescer(Generic[K, V]):
    """Coalesces the puts of many threads; its own daemon thread, started by the first put, calls `flush`.

    `flush(updates)` gets a mapping of key to value, oldest key first; it must be idempotent and have its own deadline.
    `window` is how long a value waits at most while flushes succeed; `max_keys` how many keys are held at most.
    `merge(older, newer)` makes one value of two and runs under the lock: short, and without a call of the coalescer.
    `close_timeout` bounds `close()`, in which a failing flush is repeated; None repeats until it succeeds.

    Leaving the `with` block closes. One that is never closed is closed when the interpreter exits.
    """

    def __init__(
        self,
        flush: Callable[[Mapping[K, V]], object],
        *,
        window: float,
        max_keys: int,
        close_timeout: float | None,
        merge: Callable[[V, V], V] = last_wins,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(window, max_keys, close_timeout)
        self._write = flush
        self._window = window
        self._close_timeout = close_timeout
        self._clock = clock
        self._updates: _Updates[K, V] = _Updates(max_keys, merge)
        self._early = (max_keys + 1) // 2
        self._closed = False
        self._fresh_locks()
        _forget_in_children(self._after_fork)
        atexit.register(self._at_exit)

    def _fresh_locks(self) -> None:
        # Reentrant, because a signal handler may interrupt the main thread inside `put` and use the coalescer.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Held during a flush: there is one at a time, or an older batch could be written after a newer one.
        self._flushing = threading.Lock()
        self._flusher: int | None = None
        self._thread: threading.Thread | None = None
        self._due = math.inf

    def _after_fork(self) -> None:
        # Whoever held the locks does not exist in the child.
        self._fresh_locks()
        self._updates.clear()

    def put(self, key: K, value: V, *, timeout: float | None = None) -> None:
        """Take a value, to be written within a window.

        With `max_keys` held, a further key waits for a flush, at most `timeout` seconds, then BacklogFull is raised. If
        that flush fails: FlushFailed. After `close()`: CoalescerClosed. Whatever is raised, the value was not taken.
        """
        updates = self._updates
        with self._lock:
            if self._closed:
                raise CoalescerClosed("put after close()")
            if not updates.room_for(key) and self._flusher != threading.get_ident():
                self._wait_for_room(key, timeout)
            pending = updates.add(key, value)
            if pending == 1:
                self._schedule(self._clock() + self._window)
            if pending == self._early:
                self._schedule(self._clock())

    def _schedule(self, due: float) -> None:
        self._due = min(self._due, due)
        if self._thread is None or not self._thread.is_alive():
            self._start()
        self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="coalescer", daemon=True)
        self._thread.start()

    def _wait_for_room(self, key: K, timeout: float | None) -> None:
        updates = self._updates
        failures = updates.failures
        self._schedule(self._clock())
        self._changed.wait_for(
            lambda: self._closed or updates.room_for(key) or updates.failures > failures,
            timeout,
        )
        if self._closed:
            raise CoalescerClosed("closed while a put waited for room")
        if updates.room_for(key):
            return
        if updates.failures > failures:
            raise FlushFailed(updates.held()) from updates.last_error
        raise BacklogFull(f"{updates.max_keys} keys are held, and no flush ended within {timeout} s")

    @overload
    def peek(self, key: K) -> V | None: ...
    @overload
    def peek(self, key: K, default: T) -> V | T: ...
    def peek(self, key: K, default: object = None) -> object:
        """The value of a key that is not known to be written yet, or `default`."""
        with self._lock:
            return self._updates.peek(key, default)

    def stats(self) -> CoalescerStats:
        """Counts, and what is held now."""
        with self._lock:
            return self._updates.stats()

    def flush(self) -> int:
        """Write, in this thread, all that was put before; the number of values. Raises FlushFailed from the cause.

        Waits for a flush that runs already. Inside the flush function it is a RuntimeError: it would wait for itself.
        """
        if self._flusher == threading.get_ident():
            raise RuntimeError("flush() inside the flush function")
        try:
            return self._flush()
        except Exception as error:
            with self._lock:
                left = self._updates.held()
            raise FlushFailed(left) from error

    def _flush(self) -> int:
        with self._flushing:
            try:
                self._flusher = threading.get_ident()
                with self._lock:
                    # What is put from here on starts a window of its own.
                    self._due = math.inf
                    batch = self._updates.take()
                if batch:
                    self._write(dict(batch))
                with self._lock:
                    if batch:
                        self._updates.succeeded(len(batch))
                    self._changed.notify_all()
                return len(batch)
            except BaseException as error:
                with self._lock:
                    self._updates.failed(error)
                    if not self._closed:
                        self._schedule(self._clock() + self._window)
                    self._changed.notify_all()
                raise
            finally:
                self._flusher = None

    def _run(self) -> None:
        while self._wait_until_due():
            try:
                self._flush()
            except Exception:
                logger.exception("a flush of %d updates failed; they are kept", len(self._updates))
                if self._closed:
                    self._rest()
            except BaseException:
                logger.critical("a flush ended its thread; the updates are kept", exc_info=True)
                raise

    def _wait_until_due(self) -> bool:
        """Wait until there is something to flush; False when there never will be."""
        with self._lock:
            while True:
                if self._closed:
                    return len(self._updates) > 0 and self._thread is threading.current_thread()
                wait = self._due - self._clock()
                if wait <= 0 and self._updates.pending:
                    return True
                if wait <= 0:
                    self._due = math.inf
                self._changed.wait(min(wait, threading.TIMEOUT_MAX) if 0 < wait < math.inf else None)

    def _rest(self) -> None:
        with self._lock:
            self._changed.wait(min(self._window, _CLOSING_REST))

    def close(self) -> None:
        """Take no more puts, and write what is held, trying again while it fails.

        After `close_timeout` seconds FlushFailed is raised: `.pending` is what is not known to be written. The flush
        that hangs is left to its daemon thread. Closing again does nothing, unless something is left: it tries again.
        Inside the flush function, or a signal handler that interrupted it, only the flag is set.
        """
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            if self._flusher == threading.get_ident():
                return
            if len(self._updates) > 0 and (self._thread is None or not self._thread.is_alive()):
                self._start()
            thread = self._thread
        if thread is not None:
            thread.join(self._close_timeout)
        with self._lock:
            left = self._updates.held()
            error = self._updates.last_error
            # A later close() starts anew; this thread ends after its current attempt.
            self._thread = None
        # Written, or reported to the caller: either way it is no longer ours to write at exit.
        atexit.unregister(self._at_exit)
        if left:
            raise FlushFailed(left) from error

    def _at_exit(self) -> None:
        try:
            self.close()
        except Exception:
            logger.exception("%d updates are lost at exit", len(self._updates))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def flush_on_signals(*signals: signal.Signals) -> Iterator[None]:
    """While the block runs, these signals (SIGTERM by default) raise SystemExit(128 + number) in the main thread.

    SIGTERM's default ends the process without leaving a `with` block and without atexit. As an exception, it leaves
    the blocks in order, so coalescers are flushed and closed like after `sys.exit`, and nothing runs in the handler.
    The handlers that were there are put back at the end. Only in the main thread (ValueError): Python's rule.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  a handler's signature
        raise SystemExit(128 + number)

    before: dict[signal.Signals, Any] = {}
    try:
        for number in signals or (signal.SIGTERM,):
            before[number] = signal.signal(number, leave)
        yield
    finally:
        for number, handler in before.items():
            # None: a handler that was not installed from Python cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class AsyncCoalescer(Generic[K, V]):
    """The coalescer of one event loop: `flush` is a coroutine function, run by a task that the first put starts.

    Use it as `async with`, from one loop only; arguments and guarantees are those of `Coalescer`, except at exit: the
    loop is gone by then, so what was not closed is not written. A cancelled flush counts as failed; nothing is lost.
    """

    def __init__(
        self,
        flush: Callable[[Mapping[K, V]], Awaitable[object]],
        *,
        window: float,
        max_keys: int,
        close_timeout: float | None,
        merge: Callable[[V, V], V] = last_wins,
    ) -> None:
        _check(window, max_keys, close_timeout)
        self._write = flush
        self._window = window
        self._close_timeout = close_timeout
        self._updates: _Updates[K, V] = _Updates(max_keys, merge)
        self._early = (max_keys + 1) // 2
        self._closed = False
        self._fresh()
        _forget_in_children(self._after_fork)

    def _fresh(self) -> None:
        self._flushing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._flusher: asyncio.Task[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._due = math.inf

    def _after_fork(self) -> None:
        self._fresh()
        self._updates.clear()

    async def put(self, key: K, value: V, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  as in Coalescer
        """Take a value, to be written within a window. Suspends only when `max_keys` are held; see `Coalescer.put`."""
        updates = self._updates
        if not self._closed and not updates.room_for(key) and self._flusher is not asyncio.current_task():
            await self._wait_for_room(key, timeout)
        if self._closed:
            raise CoalescerClosed("put after close()")
        pending = updates.add(key, value)
        if pending == 1:
            self._schedule(self._window)
        if pending == self._early:
            self._schedule(0)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _schedule(self, delay: float) -> None:
        self._due = min(self._due, asyncio.get_running_loop().time() + delay)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="coalescer")
        self._notify()

    async def _wait_for_room(self, key: K, timeout: float | None) -> None:  # noqa: ASYNC109
        updates = self._updates
        failures = updates.failures
        self._schedule(0)
        try:
            async with asyncio.timeout(timeout):
                while not self._closed and not updates.room_for(key):
                    if updates.failures > failures:
                        raise FlushFailed(updates.held()) from updates.last_error
                    await self._changed.wait()
        except TimeoutError:
            raise BacklogFull(f"{updates.max_keys} keys are held, and no flush ended within {timeout} s") from None

    @overload
    def peek(self, key: K) -> V | None: ...
    @overload
    def peek(self, key: K, default: T) -> V | T: ...
    def peek(self, key: K, default: object = None) -> object:
        """The value of a key that is not known to be written yet, or `default`."""
        return self._updates.peek(key, default)

    def stats(self) -> CoalescerStats:
        """Counts, and what is held now."""
        return self._updates.stats()

    async def flush(self) -> int:
        """Write, in this task, all that was put before; the number of values. Raises FlushFailed from the cause."""
        if self._flusher is asyncio.current_task():
            raise RuntimeError("flush() inside the flush function")
        try:
            return await self._flush()
        except Exception as error:
            raise FlushFailed(self._updates.held()) from error

    async def _flush(self) -> int:
        async with self._flushing:
            self._flusher = asyncio.current_task()
            self._due = math.inf
            batch = self._updates.take()
            try:
                if batch:
                    await self._write(dict(batch))
                    self._updates.succeeded(len(batch))
            except BaseException as error:
                self._updates.failed(error)
                if not self._closed:
                    self._schedule(self._window)
                raise
            finally:
                self._flusher = None
                self._notify()
            return len(batch)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._due - loop.time()
            if wait <= 0:
                await self._attempt()
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait if wait < math.inf else None):
                        await self._changed.wait()

    async def _attempt(self) -> bool:
        try:
            await self._flush()
        except Exception:
            logger.exception("a flush of %d updates failed; they are kept", len(self._updates))
            return False
        return True

    async def close(self) -> None:
        """Take no more puts, and write what is held, trying again while it fails; see `Coalescer.close`.

        When `close_timeout` seconds are over, or this task is cancelled, the flush that runs is cancelled.
        """
        self._closed = True
        self._notify()
        try:
            async with asyncio.timeout(self._close_timeout):
                while len(self._updates) > 0:
                    if not await self._attempt():
                        await asyncio.sleep(min(self._window, _CLOSING_REST))
        except TimeoutError:
            pass
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
        if left := self._updates.held():
            raise FlushFailed(left) from self._updates.last_error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
