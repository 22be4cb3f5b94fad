"""Offloading and fan-out on an event loop; the naive code stands beside as the control that fails."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from flake8_concurrency.runtime import aio
from flake8_concurrency.runtime.aio import Offloader, amap, background, gather_bounded, wait_all_async
from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, PoolClosed, WorkCancelled
from tests.runtime.log_records import Logged

pytestmark = pytest.mark.timeout(20)

T = TypeVar("T")


class FakeLoop(asyncio.SelectorEventLoop):
    """Its clock stands until somebody turns it."""

    now = 0.0

    def time(self) -> float:
        return self.now


def run(main: Callable[[FakeLoop], Coroutine[Any, Any, T]]) -> T:
    loop = FakeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))


async def settle() -> None:
    """Let everything run that can run without the clock and other threads."""
    for _ in range(10):
        await asyncio.sleep(0)


class Blocking:
    """A blocking function that counts how many threads are in it, and stays until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.left = threading.Semaphore(0)
        self.now = self.peak = 0
        self._lock = threading.Lock()

    def __call__(self, loop: asyncio.AbstractEventLoop, started: asyncio.Event, error: Exception | None = None) -> int:
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
        loop.call_soon_threadsafe(started.set)
        try:
            assert self.release.wait(10)
            if error is not None:
                raise error
            return self.now
        finally:
            with self._lock:
                self.now -= 1
            self.left.release()


@pytest.fixture
def blocking() -> Iterator[Blocking]:
    there = Blocking()
    yield there
    there.release.set()


def wait_until(condition: Callable[[], bool]) -> None:
    """For what another thread does just after the last thing that can be seen: no event tells of it."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Offloader: the permit is the thread's


Attempt = Callable[[asyncio.Event], Coroutine[Any, Any, object]]


async def ten_timed_out(loop: FakeLoop, attempt: Attempt, threads: int) -> list[BaseException]:
    """Ten calls, one after the other, each of which runs out of time; `threads` of them are expected to start."""
    errors: list[BaseException] = []
    for number in range(10):
        started = asyncio.Event()
        task = asyncio.create_task(attempt(started))
        await (started.wait() if number < threads else settle())
        loop.now += 1.0
        (error,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(error, TimeoutError)
        errors.append(error)
    return errors


def test_ten_timed_out_calls_with_a_limit_of_two_use_two_threads(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=2, queue_timeout=None) as offload:
            errors = await ten_timed_out(loop, lambda e: offload(blocking, loop, e, timeout=1.0), threads=2)
            assert {DeadlineExceeded} == {type(error) for error in errors}
            assert "it goes on in its thread" in str(errors[1])
            assert "it was not started" in str(errors[2])
            stats = offload.stats()
            assert (2, 2, 2, 0, 10) == (stats.threads, stats.busy, stats.abandoned, stats.waiting, stats.timed_out)
            blocking.release.set()
            # The permits are back, and the threads are used again.
            assert 3 == await offload(lambda: 3, timeout=None)
            wait_until(lambda: offload.stats().abandoned == 0)
            assert (2, 3, 0) == (offload.stats().threads, offload.stats().completed, offload.stats().failed)

    run(main)
    assert 2 == blocking.peak


def test_control_a_semaphore_around_to_thread_reaches_ten_threads(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        loop.set_default_executor(ThreadPoolExecutor(32))
        limit = asyncio.Semaphore(2)

        async def attempt(started: asyncio.Event) -> None:
            async with limit:
                await asyncio.wait_for(asyncio.to_thread(blocking, loop, started), 1.0)

        await ten_timed_out(loop, attempt, threads=10)
        blocking.release.set()

    run(main)
    assert 10 == blocking.peak


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_permit_is_free_when_the_thread_ends_not_when_the_awaiter_leaves(
    blocking: Blocking, cancelled: bool
) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            started = asyncio.Event()
            first = asyncio.create_task(offload(blocking, loop, started, timeout=1.0))
            await started.wait()
            second = asyncio.create_task(offload(threading.get_ident, timeout=None))
            if cancelled:
                first.cancel()
            else:
                loop.now += 1.0
            await asyncio.wait([first])
            await settle()
            assert cancelled == first.cancelled()
            assert not second.done(), "the thread is still at work"
            assert (1, 1) == (offload.stats().abandoned, offload.stats().waiting)
            blocking.release.set()
            await second
            assert (1, 0) == (offload.stats().threads, offload.stats().abandoned)

    run(main)


def test_a_waiting_call_that_is_cancelled_never_starts(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=5.0) as offload:
            started = asyncio.Event()
            first = asyncio.create_task(offload(blocking, loop, started, timeout=None))
            await started.wait()
            ran: list[int] = []
            second = asyncio.create_task(offload(ran.append, 1, timeout=None))
            await settle()
            second.cancel()
            await asyncio.wait([second])
            assert 0 == offload.stats().waiting
            blocking.release.set()
            await first
            await offload(int, timeout=None)
            assert [] == ran

    run(main)


def test_queue_timeout(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=2.0) as offload:
            started = asyncio.Event()
            first = asyncio.create_task(offload(blocking, loop, started, timeout=None))
            await started.wait()
            second = asyncio.create_task(offload(int, timeout=5.0))
            await settle()
            loop.now += 2.0
            with pytest.raises(BacklogFull, match=r"none of 1 threads was free within 2\.0 s"):
                await second
            third = asyncio.create_task(offload(int, timeout=None))
            await settle()
            blocking.release.set()
            await first
            loop.now += 2.0  # at the same moment as the thread became free: it has started
            assert 0 == await third
            assert (1, 3 - 1, 0) == (offload.stats().rejected, offload.stats().completed, offload.stats().timed_out)

    run(main)


def test_a_late_end_of_patience_does_not_touch_a_call_that_has_started(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=2.0) as offload:
            first, second = asyncio.Event(), asyncio.Event()
            one = asyncio.create_task(offload(blocking, loop, first, timeout=None))
            await first.wait()
            again = Blocking()
            two = asyncio.create_task(offload(again, loop, second, timeout=None))
            await settle()
            blocking.release.set()
            await second.wait()
            loop.now += 2.0
            await settle()
            assert not two.done()
            again.release.set()
            await asyncio.gather(one, two)
            assert 0 == offload.stats().rejected

    run(main)


def test_a_queue_timeout_of_zero_does_not_wait(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=0) as offload:
            started = asyncio.Event()
            first = asyncio.create_task(offload(blocking, loop, started, timeout=None))
            await started.wait()
            with pytest.raises(BacklogFull, match="all 1 threads are busy"):
                await offload(int, timeout=1.0)
            blocking.release.set()
            await first

    run(main)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_no_time_left_is_noticed_before_anything_starts(timeout: float) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            with pytest.raises(DeadlineExceeded, match="no time left to call"):
                await offload(pytest.fail, "started", timeout=timeout)
            assert 0 == offload.stats().threads
        with pytest.raises(DeadlineExceeded, match="no time left"):
            await gather_bounded(asyncio.sleep, [1], limit=1, timeout=timeout)

    run(main)


def test_bounds_are_checked() -> None:
    with pytest.raises(ValueError, match="max_threads must be at least 1, not 0"):
        Offloader(max_threads=0, queue_timeout=None)
    with pytest.raises(ValueError, match="queue_timeout must be seconds or None, not -1"):
        Offloader(max_threads=1, queue_timeout=-1)


def test_results_errors_and_context_variables() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    def read(suffix: str) -> tuple[str, bool, bool]:
        seen = variable.get() + suffix
        variable.set("changed in the thread")
        current = threading.current_thread()
        return seen, current.daemon, current is threading.main_thread()

    def fail() -> None:
        raise LookupError("no")

    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            variable.set("outside")
            assert ("outside!", True, False) == await offload(read, "!", timeout=1.0)
            assert "outside" == variable.get()
            with pytest.raises(LookupError, match="no") as caught:
                await offload(fail, timeout=1.0)
            assert "fail" == traceback.extract_tb(caught.value.__traceback__)[-1].name
            with pytest.raises(SystemExit):
                await offload(sys.exit, timeout=1.0)
            with pytest.raises(RuntimeError, match="StopIteration"):
                await offload(next, iter(()), timeout=1.0)
            assert (1, 1, 3) == (offload.stats().threads, offload.stats().completed, offload.stats().failed)

    run(main)


def test_nothing_keeps_arguments_results_and_errors_alive() -> None:
    class Thing:
        pass

    class ThingError(Exception):
        pass

    def fail(thing: Thing) -> None:
        raise ThingError

    async def main(loop: FakeLoop) -> None:
        gone: list[weakref.ref[Any]] = []
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            thing = Thing()
            gone.append(weakref.ref(thing))
            gone.append(weakref.ref(await offload(lambda it: [it, Thing()][1], thing, timeout=None)))
            try:
                await offload(fail, thing, timeout=None)
            except ThingError as error:
                gone.append(weakref.ref(error))
            del thing
            wait_until(lambda: [None] * 3 == [reference() for reference in gone])

    gc.disable()  # they have to go by themselves
    try:
        run(main)
    finally:
        gc.enable()


# Offloader: what nobody awaits any more


def test_the_exception_of_an_abandoned_call_is_logged(
    blocking: Blocking, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            started = asyncio.Event()
            task = asyncio.create_task(offload(blocking, loop, started, LookupError("late"), timeout=1.0))
            await started.wait()
            loop.now += 1.0
            with pytest.raises(DeadlineExceeded):
                await task
            assert [] == caplog.records
            blocking.release.set()
            await offload(int, timeout=None)
            logged.wait_for("LookupError: late")  # noqa: CNC409 - only this test runs

    run(main)
    (record,) = caplog.records
    assert "an abandoned call of <tests.runtime.test_aio.Blocking" in record.getMessage() or record.exc_info
    assert record.exc_info is not None
    assert "late" == str(record.exc_info[1])
    assert aio.__name__ == record.name


def test_control_to_thread_loses_the_exception_of_an_abandoned_call(
    blocking: Blocking, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(loop: FakeLoop) -> None:
        started = asyncio.Event()
        task = asyncio.create_task(asyncio.to_thread(blocking, loop, started, LookupError("late")))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        blocking.release.set()

    run(main)  # waits for the thread
    gc.collect()
    assert [] == caplog.records


def test_an_exception_that_comes_at_the_moment_of_leaving_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The thread has reported, the awaiter has not been woken yet, and is cancelled."""

    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            task = asyncio.create_task(offload(int, "x", timeout=None))
            await asyncio.sleep(0)
            wait_until(lambda: offload.stats().failed == 1)  # noqa: CNC409 - only this test runs
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            # So does a deadline; but then the error can be raised instead.
            late = asyncio.create_task(offload(int, "x", timeout=1.0))
            await asyncio.sleep(0)
            wait_until(lambda: offload.stats().failed == 2)
            loop.now += 1.0
            with pytest.raises(ValueError, match="invalid literal"):
                await late

    run(main)
    assert ["an abandoned call of <class 'int'> raised"] == [record.getMessage() for record in caplog.records]


def test_an_exception_after_the_end_of_the_loop_is_logged(
    blocking: Blocking, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    loop = FakeLoop()
    offload = Offloader(max_threads=1, queue_timeout=None)
    started = asyncio.Event()
    task = loop.create_task(offload(blocking, loop, started, LookupError("late"), timeout=None))
    loop.run_until_complete(started.wait())
    loop.close()  # without asyncio.run: the awaiter is never told
    blocking.release.set()
    logged.wait_for("LookupError: late")
    offload.close()
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    assert "late" in caplog.text


def returns_first(blocking: Blocking, main: Callable[[], Coroutine[Any, Any, None]], patience: float) -> bool:
    """Whether asyncio.run returns before the blocking function does."""
    returned = threading.Event()

    def go() -> None:
        asyncio.run(main())
        returned.set()

    thread = threading.Thread(target=go)
    thread.start()
    first = returned.wait(patience)
    blocking.release.set()
    thread.join(10)
    return first


def test_asyncio_run_returns_at_once(blocking: Blocking) -> None:
    async def main() -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            started = asyncio.Event()
            with pytest.raises(DeadlineExceeded):
                await offload(blocking, asyncio.get_running_loop(), started, timeout=0.01)

    assert returns_first(blocking, main, patience=5.0)


def test_control_asyncio_run_waits_for_to_thread(blocking: Blocking) -> None:
    async def main() -> None:
        started = asyncio.Event()
        call = asyncio.to_thread(blocking, asyncio.get_running_loop(), started)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.01)

    assert not returns_first(blocking, main, patience=0.3)


def test_the_interpreter_ends_without_the_straggler() -> None:
    program = """
import asyncio, os
from flake8_concurrency.runtime.aio import Offloader
async def main():
    offload = Offloader(max_threads=1, queue_timeout=None)
    try:
        {call}
    except TimeoutError:
        print("leaving", flush=True)
asyncio.run(main())
"""
    calls = (
        "await offload(os.read, 0, 1, timeout=0.05)",
        "await asyncio.wait_for(asyncio.to_thread(os.read, 0, 1), 0.05)",
    )
    ours, control = (
        subprocess.Popen(
            [sys.executable, "-c", program.format(call=call)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for call in calls
    )
    with ours, control:
        assert control.stdout is not None
        assert "leaving\n" == control.stdout.readline()
        assert 0 == ours.wait(20)  # nobody has let go of its thread
        with pytest.raises(subprocess.TimeoutExpired):
            control.wait(0.3)
        control.communicate(timeout=20)  # it closes the input
        assert 0 == control.returncode


# Offloader: its own life


def test_close(blocking: Blocking) -> None:
    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=2, queue_timeout=5.0) as offload:
            await offload(int, timeout=None)
            started = [asyncio.Event(), asyncio.Event()]
            running = [asyncio.create_task(offload(blocking, loop, event, timeout=None)) for event in started]
            for event in started:
                await event.wait()
            waiting = asyncio.create_task(offload(int, timeout=None))
            await settle()
        with pytest.raises(PoolClosed, match="while the call waited for a thread"):
            await waiting
        with pytest.raises(PoolClosed, match="the offloader is closed"):
            await offload(int, timeout=None)
        assert 2 == offload.stats().busy
        blocking.release.set()
        await asyncio.gather(*running)
        offload.close()
        assert (0, 0) == (offload.stats().threads, offload.stats().busy)

    run(main)


def test_closing_ends_idle_threads() -> None:
    async def main(loop: FakeLoop) -> threading.Thread:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            return await offload(threading.current_thread, timeout=None)

    thread = run(main)
    thread.join(5)
    assert not thread.is_alive()


def test_a_thread_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "_IDLE", 0.001)

    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            thread = await offload(threading.current_thread, timeout=None)
            thread.join(5)
            assert not thread.is_alive()
            assert 0 == offload.stats().threads
            assert 0 == await offload(int, timeout=None)

    run(main)


def test_work_that_comes_when_a_thread_is_about_to_end_is_done() -> None:
    class Wake:
        asked = 0

        def acquire(self, timeout: float = -1) -> bool:
            self.asked += 1
            return timeout < 0

    async def main(loop: FakeLoop) -> None:
        offload = Offloader(max_threads=1, queue_timeout=None)
        call = aio._Call(int, ())
        worker = aio._Worker(call)
        worker.wake = Wake()  # type: ignore[assignment]
        assert call is offload._next(worker)
        assert 2 == worker.wake.asked  # type: ignore[attr-defined]

    run(main)


def test_a_thread_that_cannot_start_takes_no_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await offload(int, timeout=None)
            assert (0, 0) == (offload.stats().threads, offload.stats().abandoned)
            assert 0 == await offload(int, timeout=None)

    run(main)


def test_several_loops_share_one_offloader() -> None:
    numbers = range(200)

    async def main(offload: Offloader) -> list[str]:
        return await asyncio.gather(*(offload(str, number, timeout=None) for number in numbers))

    with Offloader(max_threads=3, queue_timeout=None) as offload, ThreadPoolExecutor(4) as loops:
        results = list(loops.map(lambda _: asyncio.run(main(offload)), range(4)))
        assert [[str(number) for number in numbers]] * 4 == results
        assert (3, 800, 0) == (offload.stats().threads, offload.stats().completed, offload.stats().waiting)


def test_another_process_number_means_to_start_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "_IDLE", 0.001)

    async def main(loop: FakeLoop) -> None:
        with Offloader(max_threads=1, queue_timeout=None) as offload:
            thread = await offload(threading.current_thread, timeout=None)
            thread.join(5)  # it would wait for ever, as the child's copy of it does not
            monkeypatch.setattr(os, "getpid", lambda: -1)
            assert 0 == await offload(int, timeout=None)
            assert 1 == offload.stats().completed

    run(main)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_with_no_thread() -> None:
    program = """
import asyncio, os
from flake8_concurrency.runtime.aio import Offloader
offload = Offloader(max_threads=1, queue_timeout=None)
asyncio.run(offload(int, timeout=5))
pid = os.fork()
asyncio.run(offload(int, timeout=5))
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=15)


def test_importing_starts_no_thread_and_needs_no_library() -> None:
    program = """
import sys, threading, flake8_concurrency.runtime.aio
assert threading.active_count() == 1
assert not [name for name in sys.modules if name.split(".")[0] in {"libcst", "flake8", "sqlalchemy", "anyio"}]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=15)


# gather_bounded and amap


class Source:
    """Counts what is read, and ends never."""

    def __init__(self, stop: int | None = None) -> None:
        self.read = 0
        self.stop = stop

    def __iter__(self) -> Iterator[int]:
        while self.stop is None or self.read < self.stop:
            self.read += 1
            yield self.read - 1

    async def asynchronous(self) -> AsyncIterator[int]:
        for number in self:
            await asyncio.sleep(0)
            yield number


class Work:
    """A coroutine function that counts how many are in it; each waits for `gate`."""

    def __init__(self, *, bad: int | None = None) -> None:
        self.gate = asyncio.Event()
        self.bad = bad
        self.now = self.peak = self.peak_tasks = self.begun = self.cleaned = 0

    async def __call__(self, number: int) -> int:
        self.begun += 1
        self.now += 1
        self.peak = max(self.peak, self.now)
        self.peak_tasks = max(self.peak_tasks, len(asyncio.all_tasks()))
        try:
            await self.gate.wait()
            if number == self.bad:
                raise LookupError(number)
            await asyncio.sleep(0)
            return number * 10
        finally:
            self.now -= 1
            self.cleaned += 1


def items(source: Source, *, asynchronous: bool) -> Any:
    return source.asynchronous() if asynchronous else source


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["iterable", "async iterable"])
TASKS = 1 + 1 + 3  # this, the reader, and the limit


def no_task_left(work: Work) -> None:
    assert {asyncio.current_task()} == asyncio.all_tasks()
    assert (0, work.begun) == (work.now, work.cleaned)


@both
def test_gather_bounded_gives_all_results_in_order_with_few_tasks(asynchronous: bool) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()
        work.gate.set()
        results = await gather_bounded(work, items(Source(50), asynchronous=asynchronous), limit=3, timeout=9.0)
        assert [number * 10 for number in range(50)] == results
        assert work.peak <= 3 if asynchronous else 3 == work.peak
        assert work.peak_tasks <= TASKS
        no_task_left(work)
        assert [] == await gather_bounded(work, items(Source(0), asynchronous=asynchronous), limit=3, timeout=None)

    run(main)


@both
@pytest.mark.parametrize("end", ["error", "cancel", "timeout"])
def test_gather_bounded_over_an_endless_source(asynchronous: bool, end: str) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work(bad=30)
        source = Source()
        task = asyncio.create_task(gather_bounded(work, items(source, asynchronous=asynchronous), limit=3, timeout=9.0))
        await settle()
        assert (3, 3) == (source.read, work.begun), "read when there is room, and no sooner"
        if end == "error":
            work.gate.set()
        elif end == "cancel":
            task.cancel()
        else:
            loop.now += 9.0
        await asyncio.wait([task])
        if end == "error":
            assert LookupError is type(task.exception())
            assert source.read <= 30 + 3
        elif end == "cancel":
            assert task.cancelled()
        else:
            with pytest.raises(DeadlineExceeded, match=r"not done within 9\.0 s; 3 items were begun"):
                task.result()
        assert 3 == work.peak
        assert work.peak_tasks <= TASKS + 1
        no_task_left(work)

    run(main)


def test_control_gather_reads_everything_and_leaves_tasks_after_an_error() -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()
        source = Source(50)

        async def fail() -> None:
            await settle()
            raise LookupError

        with pytest.raises(LookupError):
            await asyncio.gather(fail(), *map(work, source))
        assert (50, 50, 50) == (source.read, work.peak, work.now)
        assert 51 == len(asyncio.all_tasks())

    run(main)


def test_errors_after_the_first_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: FakeLoop) -> None:
        gate = asyncio.Event()

        async def fail(number: int) -> None:
            try:
                await gate.wait()
            finally:
                if number != 2:
                    raise LookupError(number)

        task = asyncio.create_task(gather_bounded(fail, Source(), limit=3, timeout=None))
        await settle()
        gate.set()
        with pytest.raises(LookupError, match="0"):
            await task
        # An error of an item while its caller is cancelled.
        gate.clear()
        task = asyncio.create_task(gather_bounded(fail, Source(), limit=1, timeout=None))
        await settle()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)
    assert ["a further item failed"] * 2 == [record.getMessage() for record in caplog.records]


def test_an_error_at_the_moment_of_the_cancellation_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: FakeLoop) -> None:
        future: asyncio.Future[None] = loop.create_future()
        task = asyncio.create_task(gather_bounded(lambda _: future, [1], limit=1, timeout=None))
        await settle()
        future.set_exception(LookupError("lost"))
        loop.call_soon(lambda: loop.call_soon(task.cancel))
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)
    assert ["an item failed, and its result was not asked for"] == [record.getMessage() for record in caplog.records]


def test_a_source_that_fails_and_a_function_that_is_no_coroutine_function() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError("source")

    def function(number: int) -> Awaitable[int]:
        raise LookupError("function")

    async def main(loop: FakeLoop) -> None:
        future: asyncio.Future[int] = loop.create_future()
        with pytest.raises(LookupError, match="source"):
            await gather_bounded(lambda _: future, source(), limit=3, timeout=None)
        with pytest.raises(LookupError, match="function"):
            await gather_bounded(function, [1], limit=3, timeout=None)
        with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
            await gather_bounded(function, [1], limit=0, timeout=None)
        shared = loop.create_future()
        loop.call_soon(shared.set_result, 4)
        assert [4, 4] == await gather_bounded(lambda _: shared, [1, 2], limit=2, timeout=None)

    run(main)


@both
def test_an_item_or_a_source_that_is_cancelled_cancels_all_as_gather_does(asynchronous: bool) -> None:
    async def cancelled(number: int) -> None:
        raise asyncio.CancelledError

    async def source() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    async def main(loop: FakeLoop) -> None:
        all_of_it: Coroutine[Any, Any, object]
        if asynchronous:
            all_of_it = gather_bounded(Work(), source(), limit=2, timeout=None)
        else:
            all_of_it = gather_bounded(cancelled, [1], limit=2, timeout=None)
        with pytest.raises(asyncio.CancelledError):
            await all_of_it
        assert {asyncio.current_task()} == asyncio.all_tasks()

    run(main)


def test_a_source_that_swallows_the_cancellation_begins_nothing_more() -> None:
    async def stubborn() -> AsyncIterator[int]:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield 1

    async def main(loop: FakeLoop) -> None:
        work = Work()
        task = asyncio.create_task(gather_bounded(work, stubborn(), limit=2, timeout=1.0))
        await settle()
        loop.now += 1.0
        with pytest.raises(DeadlineExceeded):
            await task
        assert 0 == work.begun

    run(main)


def test_a_second_cancellation_neither_leaves_tasks_nor_cancels_their_cleaning_up() -> None:
    async def main(loop: FakeLoop) -> None:
        cleaning, clean = asyncio.Event(), asyncio.Event()
        done: list[int] = []

        async def work(number: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaning.set()
                await clean.wait()
                done.append(number)

        task = asyncio.create_task(gather_bounded(work, Source(), limit=2, timeout=None))
        await settle()
        for _ in range(3):
            task.cancel()
            await cleaning.wait()
            await settle()
            assert not task.done()
        clean.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert [0, 1] == sorted(done)

    run(main)


def test_after_an_error_the_others_are_cancelled_once_and_may_clean_up() -> None:
    async def main(loop: FakeLoop) -> None:
        clean = asyncio.Event()
        done: list[int] = []

        async def work(number: int) -> None:
            if number == 0:
                await settle()
                raise LookupError
            try:
                await asyncio.Event().wait()
            finally:
                await clean.wait()
                done.append(number)

        task = asyncio.create_task(gather_bounded(work, Source(), limit=3, timeout=None))
        for _ in range(5):
            await settle()
        assert not task.done()
        clean.set()
        with pytest.raises(LookupError):
            await task
        assert [1, 2] == sorted(done)

    run(main)


def test_each_item_has_its_own_context() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=-1)

    async def work(number: int) -> int:
        seen = variable.get()
        variable.set(number)
        return seen

    async def main(loop: FakeLoop) -> None:
        assert [-1] * 20 == await gather_bounded(work, range(20), limit=2, timeout=None)

    run(main)


@both
def test_amap_gives_results_in_order_and_reads_no_further_than_its_consumer(asynchronous: bool) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()
        source = Source()
        work.gate.set()
        async with amap(work, items(source, asynchronous=asynchronous), limit=3, timeout=None) as results:
            taken = []
            async for result in results:
                taken.append(result)
                await settle()
                assert source.read <= len(taken) + 3
                if len(taken) == 10:
                    break
        assert [number * 10 for number in range(10)] == taken
        assert work.peak <= 3
        assert work.peak_tasks <= TASKS
        no_task_left(work)

    run(main)


@both
def test_amap_ends_with_its_source(asynchronous: bool) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()
        loop.call_soon(work.gate.set)
        async with amap(work, items(Source(5), asynchronous=asynchronous), limit=3, timeout=9.0) as results:
            assert [0, 10, 20, 30, 40] == [result async for result in results]
        no_task_left(work)
        async with amap(work, items(Source(0), asynchronous=asynchronous), limit=3, timeout=9.0) as results:
            assert [] == [result async for result in results]

    run(main)


@pytest.mark.parametrize("end", ["error", "cancel", "timeout"])
def test_amap_over_an_endless_source(end: str) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work(bad=30)
        source = Source()

        async def consume() -> None:
            async with amap(work, source, limit=3, timeout=9.0) as results:
                async for _ in results:
                    pass

        task = asyncio.create_task(consume())
        await settle()
        assert 3 == source.read
        expected: type[BaseException]
        if end == "error":
            work.gate.set()
            expected = LookupError
        elif end == "cancel":
            task.cancel()
            expected = asyncio.CancelledError
        else:
            loop.now += 9.0
            expected = DeadlineExceeded
        with pytest.raises(expected):
            await task
        assert 3 == work.peak
        no_task_left(work)

    run(main)


def test_an_error_that_the_consumer_of_amap_does_not_ask_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work(bad=2)
        work.gate.set()
        async with amap(work, Source(), limit=2, timeout=9.0) as results:
            assert 0 == await anext(results)
            await settle()
            loop.now += 9.0  # and the deadline does not hide it
            await settle()
        no_task_left(work)

    run(main)
    assert ["an item failed, and its result was not asked for"] == [record.getMessage() for record in caplog.records]


def test_one_task_at_a_time_asks_amap_for_results() -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()
        async with amap(work, [1], limit=1, timeout=None) as results:
            first = asyncio.ensure_future(anext(results))
            await settle()
            with pytest.raises(RuntimeError, match="another task waits"):
                await anext(results)
            first.cancel()
            await asyncio.wait([first])
            work.gate.set()
            assert 10 == await anext(results), "the place is free again"

    run(main)


def test_control_an_async_generator_leaves_its_tasks_behind() -> None:
    async def main(loop: FakeLoop) -> None:
        work = Work()

        async def naive() -> AsyncIterator[int]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(number)) for number in range(3)]
                yield 0
                await asyncio.wait(tasks)  # pragma: no cover

        stream = naive()
        assert 0 == await anext(stream)
        await settle()
        assert 3 == work.now
        with pytest.raises(BaseExceptionGroup):
            await stream.aclose()  # type: ignore[attr-defined]

    run(main)


# wait_all_async


def test_wait_all_async_does_not_block_the_loop_and_sorts_futures() -> None:
    async def main(loop: FakeLoop) -> None:
        good, bad, gone, unwanted, never = (Future[int]() for _ in range(5))
        task = asyncio.create_task(
            wait_all_async([good, bad, gone, unwanted, never, good], timeout=3.0, on_error="collect")
        )
        await settle()
        good.set_result(1)
        bad.set_exception(LookupError())
        gone.cancel()
        unwanted.set_exception(WorkCancelled())
        never.set_running_or_notify_cancel()
        await settle()
        assert not task.done()
        loop.now += 3.0
        report = await task
        assert ((good,), (bad,), (gone, unwanted), (never,)) == (
            report.done,
            report.failed,
            report.cancelled,
            report.running,
        )
        assert report.timed_out
        assert 3.0 == report.elapsed
        never.set_result(0)

    run(main)


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_wait_all_async_of_a_pool(timeout: float | None) -> None:
    async def main(loop: FakeLoop) -> None:
        with ThreadPoolExecutor(2) as pool:
            report = await wait_all_async([pool.submit(str, number) for number in range(20)], timeout=timeout)
        assert [str(number) for number in range(20)] == report.results()
        assert [] == (await wait_all_async([], timeout=timeout)).results()

    run(main)


def test_wait_all_async_ends_at_the_first_failure_and_cancels_the_rest() -> None:
    async def main(loop: FakeLoop) -> None:
        fine, gone, bad, other, left = (Future[int]() for _ in range(5))
        task = asyncio.create_task(wait_all_async([fine, gone, bad, other, left], timeout=3.0))
        await settle()
        fine.set_result(1)
        gone.cancel()
        await settle()
        assert not task.done()
        bad.set_exception(LookupError())
        other.set_exception(LookupError())
        report = await task
        assert not report.timed_out
        assert ((bad, other), (gone, left)) == (report.failed, report.cancelled)

    run(main)


@pytest.mark.parametrize("cancel", [True, False])
def test_wait_all_async_and_stragglers(cancel: bool) -> None:
    async def main(loop: FakeLoop) -> None:
        late, abandoned = Future[int](), Future[int]()
        task = asyncio.create_task(wait_all_async([late], timeout=3.0, cancel_stragglers=cancel))
        await settle()
        loop.now += 3.0
        assert (await task).timed_out
        assert cancel == late.cancelled()
        task = asyncio.create_task(wait_all_async([abandoned], timeout=None, cancel_stragglers=cancel))
        await settle()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert cancel == abandoned.cancelled()
        with pytest.raises(ValueError, match="on_error must be 'cancel' or 'collect', not 'raise'"):
            await wait_all_async([late], timeout=None, on_error="raise")  # type: ignore[arg-type]

    run(main)


def test_futures_that_finish_after_the_loop_or_at_the_last_moment_do_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    future, last = Future[int](), Future[int]()

    async def main(loop: FakeLoop) -> None:
        task = asyncio.create_task(wait_all_async([future], timeout=1.0, cancel_stragglers=False))
        await settle()
        loop.now += 1.0
        assert (await task).timed_out
        task = asyncio.create_task(wait_all_async([last], timeout=1.0))
        await settle()
        loop.now += 1.0
        loop.call_soon(last.set_result, 1)
        report = await task
        assert (False, [1]) == (report.timed_out, report.results())

    run(main)
    future.set_result(1)  # the standard library would log what a callback raises
    assert [] == caplog.records


# background


def test_background_keeps_its_task_until_it_ends() -> None:
    async def main(loop: FakeLoop) -> None:
        ended: list[int] = []

        async def work() -> None:
            await loop.create_future_nobody_keeps()  # type: ignore[attr-defined]
            ended.append(1)

        made: list[weakref.ref[asyncio.Future[None]]] = []

        def create() -> asyncio.Future[None]:
            future: asyncio.Future[None] = loop.create_future()
            made.append(weakref.ref(future))
            return future

        loop.create_future_nobody_keeps = create  # type: ignore[attr-defined]
        running = weakref.ref(background(work()))
        # The control: what nobody refers to is collected while it waits.
        naive = weakref.ref(loop.create_task(work()))
        await settle()
        loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
        gc.collect()
        assert naive() is None
        assert running() is not None
        kept, lost = made
        assert lost() is None
        future = kept()
        assert future is not None
        future.set_result(None)
        await settle()
        assert [1] == ended
        assert set() == aio._background

    run(main)


def test_background_logs_an_exception_when_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("lost")

    async def main(loop: FakeLoop) -> None:
        task = background(fail(), name="mailer")
        naive = loop.create_task(fail())
        await settle()
        assert ["background task mailer failed"] == [record.getMessage() for record in caplog.records]
        assert task.done()
        assert isinstance(naive.exception(), LookupError), "and nobody had said so"
        cancelled = background(asyncio.sleep(1))
        cancelled.cancel()
        await settle()
        assert 1 == len(caplog.records)
        assert 3 == await background(asyncio.sleep(0, 3))

    run(main)
    assert "lost" in caplog.text


def test_background_without_a_loop() -> None:
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="no running event loop"):
        _ = background(coroutine)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)
