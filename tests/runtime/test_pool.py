"""Each proof runs the naive code too, as control: it must show the defect."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import subprocess
import threading
import time
import weakref
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import hypothesis.stateful
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, NestedSubmit, PoolClosed, WorkCancelled
from flake8_concurrency.runtime.pool import BoundedExecutor, cancelled, check_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.runtime.log_records import Logged

SOON = 20.0

StartPython = "Callable[[str], subprocess.Popen[str]]"
Eventually = "Callable[[Callable[[], bool]], None]"


def bounded(max_workers: int = 1, max_pending: int = 1, **options: Any) -> BoundedExecutor:
    return BoundedExecutor(
        max_workers=max_workers, max_pending=max_pending, **{"submit_timeout": SOON, "name": "test", **options}
    )


def fail(error: BaseException) -> NoReturn:
    raise error


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What slow work waits for."""
    event = threading.Event()
    yield event
    event.set()


class Naive:
    """What one finds in the wild: a semaphore around the standard library's pool."""

    def __init__(self, max_workers: int, max_pending: int) -> None:
        self.pool = ThreadPoolExecutor(max_workers)
        self.room = threading.Semaphore(max_workers + max_pending)

    def submit(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        self.room.acquire()
        return self.pool.submit(self._run, fn, *args)

    def _run(self, fn: Callable[..., Any], *args: Any) -> Any:
        try:
            return fn(*args)
        finally:
            self.room.release()


# A straggler at exit

_STRAGGLER = """
    import os, threading
    {imports}
    pool = {pool}
    started = threading.Event()
    def hang():
        started.set()
        os.read(0, 1)
    pool.submit(hang)
    assert started.wait(20)
    {leave}
    print("leaving", flush=True)
"""


def test_a_straggler_does_not_hold_the_interpreter(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    ours = {
        "imports": "from flake8_concurrency.runtime.pool import BoundedExecutor",
        "pool": "BoundedExecutor(max_workers=2, max_pending=1, submit_timeout=None)",
    }
    stdlib = {
        "imports": "from concurrent.futures import ThreadPoolExecutor",
        "pool": "ThreadPoolExecutor(2)",
        "leave": "pool.shutdown(wait=False, cancel_futures=True)",
    }
    processes = [
        start_python(_STRAGGLER.format(**ours, leave="")),
        start_python(_STRAGGLER.format(**ours, leave="pool.shutdown(wait=False, cancel_futures=True)")),
        start_python(_STRAGGLER.format(**stdlib)),
    ]
    never_shut_down, shut_down, control = processes
    assert control.stdout is not None
    assert "leaving\n" == control.stdout.readline()
    # Nobody lets go of the stragglers, and ours end; the other does not until it is let go.
    assert [0, 0] == [process.wait(SOON) for process in (never_shut_down, shut_down)]
    with pytest.raises(subprocess.TimeoutExpired):
        control.wait(0.3)
    control.communicate(timeout=SOON)  # it closes the input
    assert 0 == control.returncode


def test_the_interpreter_says_what_it_left(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    process = start_python(
        """
        import threading
        from flake8_concurrency.runtime.pool import BoundedExecutor, cancelled
        pool = BoundedExecutor(max_workers=1, max_pending=2, submit_timeout=None, name="left", exit_grace=20)
        gate = threading.Event()
        def stop_when_told():
            gate.set()
            while not cancelled():
                gate.wait(0.001)
            print("told")
        kept = [pool.submit(stop_when_told)]
        pool.submit(print, "never started")
        gate.wait(20)
        """
    )
    output, errors = process.communicate(timeout=SOON)
    assert "told\n" == output
    assert "1 unfinished in pool 'left'" in errors


def test_a_failure_nobody_read_is_logged_at_exit(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    process = start_python(
        """
        from concurrent.futures import wait
        from flake8_concurrency.runtime.pool import BoundedExecutor
        pool = BoundedExecutor(max_workers=1, max_pending=2, submit_timeout=None, name="left")
        kept = pool.submit(int, "not a number")
        wait([kept])
        """
    )
    _, errors = process.communicate(timeout=SOON)
    assert "ValueError: invalid literal for int()" in errors


# An exception nobody reads


def test_control_the_standard_library_loses_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fail, ValueError("lost"))
    gc.collect()
    assert "" == caplog.text


def test_an_unread_exception_is_raised() -> None:
    with pytest.raises(ExceptionGroup, match="nobody read") as caught, bounded(max_pending=9) as pool:  # noqa: PT012
        pool.submit(fail, ValueError("dropped"))
        kept = pool.submit(fail, KeyError("kept"))
        pool.submit(int, "7")
    assert {ValueError, KeyError} == {type(error) for error in caught.value.exceptions}
    assert kept.done()


def test_an_exception_that_was_read_is_not_raised() -> None:
    seen: list[BaseException | None] = []
    with bounded(max_pending=9) as pool:
        with pytest.raises(ValueError, match="1"):
            pool.submit(fail, ValueError("1")).result(SOON)
        seen.append(pool.submit(fail, ValueError("2")).exception(SOON))
        pool.submit(fail, ValueError("3")).add_done_callback(lambda future: seen.append(future.exception()))
    assert ["2", "3"] == [str(error) for error in seen]


def test_a_base_exception_is_raised_too_and_costs_no_thread() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, bounded() as pool:  # noqa: PT012
        pool.submit(fail, SystemExit(3))
        assert 1 == pool.submit(abs, -1).result(SOON)
        assert 1 == pool.stats().threads
    assert isinstance(caught.value.exceptions[0], SystemExit)


def test_when_the_block_raises_an_unread_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError), bounded() as pool:  # noqa: PT012
        wait([pool.submit(fail, ValueError("unread"))], timeout=SOON)
        raise KeyError
    assert "ValueError: unread" in caplog.text


def test_a_dropped_exception_is_logged_at_once(caplog: pytest.LogCaptureFixture, logged: Logged) -> None:
    with bounded(on_unread="log") as pool:
        pool.submit(fail, ValueError("dropped"))
        logged.wait_for("ValueError: dropped")
        kept = pool.submit(fail, ValueError("kept"))
    assert "ValueError: kept" in caplog.text
    assert kept.done()


def test_the_report_has_the_unread_exceptions(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with bounded(on_unread="report", max_pending=9) as pool:
        pool.submit(fail, ValueError("dropped"))
        kept = pool.submit(fail, ValueError("kept"))
    assert pool.report is not None
    assert {"dropped", "kept"} == {str(future.exception()) for future in pool.report.failed}
    assert kept.done()
    assert "" == caplog.text


def test_shutdown_logs_what_it_reports() -> None:
    pool = bounded()
    pool.submit(fail, ValueError("unread"))
    report = pool.shutdown()
    assert ["unread"] == [str(future.exception()) for future in report.failed]


def test_dropped_exceptions_are_kept_up_to_a_bound_then_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(ExceptionGroup) as caught, bounded(max_pending=9) as pool:  # noqa: PT012
        for number in range(150):
            pool.submit(fail, ValueError(number))
    logged = len(caplog.records)
    assert 150 == len(caught.value.exceptions) + logged
    assert 0 < logged <= 50


def test_a_straggler_that_fails_after_the_end_is_logged(gate: threading.Event, logged: Logged) -> None:
    def fail_late() -> None:
        started.set()
        gate.wait(SOON)
        raise ValueError("late")

    started = threading.Event()
    pool = bounded()
    pool.submit(fail_late)
    assert started.wait(SOON)
    report = pool.shutdown(timeout=0.01)
    assert (1, True) == (len(report.running), report.timed_out)
    del pool, report
    gate.set()
    logged.wait_for("ValueError: late")


def test_exception_and_future_form_no_cycle(gate: threading.Event) -> None:
    gc.disable()
    try:
        with bounded() as pool:
            future = pool.submit(fail, ValueError("x"))
            with pytest.raises(ValueError, match="x"):
                future.result(SOON)
            ghost = weakref.ref(future)
            pool.submit(abs, 1).result(SOON)
            del future
            assert ghost() is None
    finally:
        gc.enable()


# Nested submit


def test_control_nested_submit_hangs_in_the_standard_library() -> None:
    with ThreadPoolExecutor(1) as pool:
        nested = pool.submit(lambda: pool.submit(abs, -1).result(timeout=0.2))
        with pytest.raises(TimeoutError):
            nested.result(SOON)


def test_nested_submit_is_detected() -> None:
    with bounded() as pool:
        with pytest.raises(NestedSubmit):
            pool.submit(lambda: pool.submit(abs, -1).result(SOON)).result(SOON)
        with pytest.raises(NestedSubmit):
            pool.submit(lambda: pool.try_submit(abs, -1)).result(SOON)
        with pytest.raises(NestedSubmit):
            pool.submit(lambda: list(pool.map(abs, [-1]))).result(SOON)


def test_control_nested_submit_through_two_pools_hangs() -> None:
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:

        def inner() -> int:
            return first.submit(abs, -1).result(timeout=0.2)

        with pytest.raises(TimeoutError):
            first.submit(lambda: second.submit(inner).result(SOON)).result(SOON)


def test_nested_submit_through_two_pools_is_detected() -> None:
    with bounded() as first, bounded() as second:

        def inner() -> int:
            return first.submit(abs, -1).result(SOON)

        with pytest.raises(NestedSubmit):
            first.submit(lambda: second.submit(inner).result(SOON)).result(SOON)
        assert 1 == first.submit(lambda: second.submit(abs, -1).result(SOON)).result(SOON)


def test_a_submitter_that_has_finished_waits_for_nothing() -> None:
    submitter_is_done = threading.Event()
    with bounded() as first, bounded() as second:

        def inner() -> int:
            assert submitter_is_done.wait(SOON)
            return first.submit(abs, -1).result(SOON)

        deferred = first.submit(lambda: second.submit(inner)).result(SOON)
        submitter_is_done.set()
        assert 1 == deferred.result(SOON)


# Memory

_GROWTH = """
    import pathlib, re, threading
    {imports}
    def megabytes():
        # Not ru_maxrss: that one begins with the peak of the process that forked this one.
        return int(re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024
    {warm}
    before = megabytes()
    {work}
    print(megabytes() - before)
"""


def test_memory_stays_flat(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    control = start_python(
        _GROWTH.format(
            imports="from concurrent.futures import ThreadPoolExecutor",
            warm="pool = ThreadPoolExecutor(2); pool.submit(abs, 1).result(); gate = threading.Event()",
            work="pool.submit(gate.wait, 20), pool.submit(gate.wait, 20)\n"
            "    for n in range(50_000): pool.submit(abs, n)\n"
            "    gate.set()",
        )
    )
    ours = start_python(
        _GROWTH.format(
            imports="from flake8_concurrency.runtime.pool import BoundedExecutor",
            warm="pool = BoundedExecutor(max_workers=2, max_pending=100, submit_timeout=None)\n"
            "    for n in range(1000): pool.submit(abs, n)",
            work="for n in (n for n in range(200_000)): pool.submit(abs, n)\n"
            "    report = pool.shutdown()\n"
            "    assert pool.stats().succeeded == 201_000",
        )
    )
    naive_growth, growth = (float(process.communicate(timeout=60)[0]) for process in (control, ours))
    assert naive_growth > 40
    assert growth < 8


def test_a_result_does_not_outlive_its_future() -> None:
    class Big:
        pass

    with bounded() as pool:
        gone = threading.Event()
        result = pool.submit(Big).result(SOON)
        ghost = weakref.ref(result, lambda _: gone.set())
        del result
        assert gone.wait(SOON), ghost


def noting(numbers: Iterable[int], read: list[int]) -> Iterator[int]:
    for number in numbers:
        read.append(number)
        yield number


def test_control_map_of_the_standard_library_drains_its_input(gate: threading.Event) -> None:
    read: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        results = pool.map(lambda _: gate.wait(SOON), noting(range(1000), read))
        assert 1000 == len(read)
        gate.set()
        assert next(results)


def test_map_reads_its_input_as_results_are_taken() -> None:
    read: list[int] = []
    with bounded(max_workers=2, max_pending=3) as pool:
        results = pool.map(abs, noting(range(0, -1000, -1), read))
        assert 5 == len(read)
        for n in range(1000):
            assert n == next(results)
            assert len(read) <= n + 6
        assert [] == list(results)


def test_map_takes_several_iterables_and_a_smaller_buffer() -> None:
    with bounded(max_workers=2, max_pending=3) as pool:
        assert [8, 9] == list(pool.map(pow, [2, 3], [3, 2], chunksize=5, buffersize=1))
        assert [] == list(pool.map(abs, []))


def test_map_raises_in_order_and_cancels_what_it_read(gate: threading.Event) -> None:
    with bounded(max_workers=2, max_pending=3) as pool:
        results = pool.map(lambda n: 1 // n, [1, 0, 1, 1, 1, 1])
        assert 1 == next(results)
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_map_has_a_deadline(gate: threading.Event) -> None:
    with bounded(max_workers=1, max_pending=3) as pool:
        results = pool.map(lambda n: gate.wait(SOON), range(4), timeout=0.05)
        with pytest.raises(DeadlineExceeded) as caught:
            next(results)
        assert caught.value.report is not None
        assert (1, 3) == (len(caught.value.report.running), len(caught.value.report.cancelled))
    assert not gate.is_set()


# Room


def test_control_the_semaphore_leaks_its_room(gate: threading.Event) -> None:
    naive = Naive(max_workers=1, max_pending=3)
    naive.submit(gate.wait, SOON)
    pending = naive.submit(abs, 1)
    assert pending.cancel()
    gate.set()
    naive.pool.shutdown()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            naive.submit(abs, 1)
    free = 0
    while naive.room.acquire(blocking=False):
        free += 1
    assert 1 == free  # of 4


def test_a_thousand_rounds_leave_the_full_capacity() -> None:
    pool = bounded(max_workers=2, max_pending=3, on_unread="report")
    for _ in range(1000):
        gate = threading.Event()
        futures: list[Future[Any]] = [pool.submit(gate.wait, SOON), pool.submit(fail, ValueError())]
        futures += [pool.submit(gate.wait, SOON) for _ in range(2)]
        for future in futures[2:]:
            future.cancel()
        gate.set()
        assert not wait(futures, timeout=SOON).not_done
        assert isinstance(futures[1].exception(), ValueError)

        closed = bounded()
        closed.shutdown()
        with pytest.raises(PoolClosed):
            closed.submit(abs, 1)
    stats = pool.stats()
    assert (0, 0, 0) == (stats.running, stats.pending, stats.blocked)
    assert 4000 == stats.submitted == stats.succeeded + stats.failed + stats.cancelled
    gate = threading.Event()
    accepted = [pool.try_submit(gate.wait, SOON) is not None for _ in range(6)]
    assert [True] * 5 + [False] == accepted
    gate.set()
    pool.shutdown()


class Room(hypothesis.stateful.RuleBasedStateMachine):
    """Whatever happens to the work, there is room for exactly `max_workers + max_pending`."""

    @hypothesis.stateful.initialize(workers=st.integers(1, 3), pending=st.integers(0, 3))
    def open(self, workers: int, pending: int) -> None:
        self.pool = bounded(workers, pending, on_unread="report")
        self.capacity = workers + pending
        self.open_work: list[tuple[Future[Any], threading.Event, list[str]]] = []
        self.ended = {"submitted": 0, "succeeded": 0, "failed": 0, "cancelled": 0, "rejected": 0}

    @rule()
    def submit(self) -> None:
        go, how = threading.Event(), ["succeed"]

        def work() -> None:
            assert go.wait(SOON)
            if how == ["fail"]:
                raise ValueError
            check_cancelled()

        future = self.pool.try_submit(work)
        assert (future is not None) == (len(self.open_work) < self.capacity)
        if future is None:
            self.ended["rejected"] += 1
        else:
            self.ended["submitted"] += 1
            self.open_work.append((future, go, how))

    @precondition(lambda self: self.open_work)
    @rule(which=st.integers(0), outcome=st.sampled_from(["succeed", "fail"]))
    def finish(self, which: int, outcome: str) -> None:
        self.end_one(min(which, self.pool._pool.max_workers - 1), outcome)

    def end_one(self, which: int, outcome: str) -> None:
        # Only the first ones are at work.
        future, go, how = self.open_work.pop(min(which, len(self.open_work) - 1))
        how[0] = outcome
        go.set()
        assert not wait([future], timeout=SOON).not_done
        if isinstance(error := future.exception(), WorkCancelled):
            self.ended["cancelled"] += 1
        else:
            assert (outcome == "fail") == isinstance(error, ValueError)
            self.ended["failed" if error else "succeeded"] += 1

    @precondition(lambda self: self.open_work)
    @rule(which=st.integers(0))
    def cancel(self, which: int) -> None:
        future, _, _ = entry = self.open_work[which % len(self.open_work)]
        if future.cancel():
            self.open_work.remove(entry)
            assert not wait([future], timeout=SOON).not_done
            # A thread may have had it in hand already, which then counts it.
            self.ended["cancelled"] += 1

    @invariant()
    def accounts_agree(self) -> None:
        if not hasattr(self, "pool"):
            return
        deadline = time.monotonic() + SOON
        while True:
            stats = self.pool.stats()
            if self.ended == {key: getattr(stats, key) for key in self.ended}:
                break
            assert time.monotonic() < deadline, (self.ended, stats)
        assert len(self.open_work) == stats.running + stats.pending
        assert stats.threads <= stats.max_workers

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            while self.open_work:
                self.end_one(0, "succeed")
            assert not self.pool.shutdown(timeout=SOON).timed_out


Room.TestCase.settings = hypothesis.settings(max_examples=60, stateful_step_count=25, deadline=None)
test_room_is_exact = pytest.mark.filterwarnings("default")(Room.TestCase)


# Waiting for room


def test_submit_waits_for_room(gate: threading.Event, eventually: Callable[[Callable[[], bool]], None]) -> None:
    with bounded(1, 0) as pool, ThreadPoolExecutor(1) as other:
        pool.submit(gate.wait, SOON)
        second = other.submit(pool.submit, abs, -2)
        eventually(lambda: pool.stats().blocked == 1)
        gate.set()
        assert 2 == second.result(SOON).result(SOON)


def test_submit_waits_no_longer_than_its_timeout(gate: threading.Event) -> None:
    with bounded(1, 0, submit_timeout=0.01) as pool:
        pool.submit(gate.wait, SOON)
        with pytest.raises(BacklogFull):
            pool.submit(abs, 1)
        with pytest.raises(BacklogFull):
            pool.submit_before(time.monotonic() - 1, abs, 1)
        assert pool.try_submit(abs, 1) is None
        assert 3 == pool.stats().rejected
        gate.set()


def test_a_cancelled_future_gives_its_room_to_who_waits(
    gate: threading.Event, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with bounded(1, 1) as pool, ThreadPoolExecutor(1) as other:
        pool.submit(gate.wait, SOON)
        pending = pool.submit(abs, 1)
        third = other.submit(pool.submit, abs, -3)
        eventually(lambda: pool.stats().blocked == 1)
        assert pending.cancel()
        assert pending.cancel()
        third.result(SOON)
        gate.set()


def test_control_shutdown_of_the_naive_pool_wakes_no_submitter(gate: threading.Event) -> None:
    naive = Naive(max_workers=1, max_pending=0)
    naive.submit(gate.wait, SOON)
    with ThreadPoolExecutor(1) as other:
        submitter = other.submit(naive.submit, abs, 1)
        naive.pool.shutdown(wait=False)
        with pytest.raises(TimeoutError):
            submitter.result(0.2)
        gate.set()
        with pytest.raises(RuntimeError):
            submitter.result(SOON)


def test_shutdown_wakes_blocked_submitters(
    gate: threading.Event, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    pool = bounded(1, 0, submit_timeout=None)
    pool.submit(gate.wait, SOON)
    with ThreadPoolExecutor(3) as others:
        submitters = [others.submit(pool.submit, abs, 1) for _ in range(3)]
        eventually(lambda: pool.stats().blocked == 3)
        pool.shutdown(wait=False)
        for submitter in submitters:
            assert isinstance(submitter.exception(SOON), PoolClosed)
    gate.set()


# Leaving


def test_the_block_does_not_wait_for_cancelled_work(gate: threading.Event) -> None:
    with bounded(2, 2) as pool:
        futures = [pool.submit(gate.wait, SOON) for _ in range(4)]
        wait(futures, timeout=0.05)
        assert not futures[0].cancel()
        for future in futures:
            future.cancel()
    assert not gate.is_set()
    assert pool.report is not None
    assert 2 == len(pool.report.running)


def test_work_cancelled_while_the_block_waits(gate: threading.Event) -> None:
    with ThreadPoolExecutor(1) as other, bounded() as pool:
        future = pool.submit(gate.wait, SOON)

        def cancel_once_closed() -> None:
            while not pool._pool.closed:
                gate.wait(0.001)
            future.cancel()

        other.submit(cancel_once_closed)
    assert not gate.is_set()


def test_when_the_block_raises_running_work_is_told() -> None:
    started, told = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        try:
            while True:
                check_cancelled()
                told.wait(0.001)
        finally:
            told.set()

    with pytest.raises(KeyError), bounded(1, 1, exit_grace=SOON) as pool:  # noqa: PT012
        running = pool.submit(work)
        pending = pool.submit(abs, 1)
        assert started.wait(SOON)
        raise KeyError
    assert told.is_set()
    assert isinstance(running.exception(SOON), WorkCancelled)
    assert pending.cancelled()
    assert 2 == pool.stats().cancelled


def test_shutdown_has_a_deadline(gate: threading.Event) -> None:
    pool = bounded(1, 1)
    running, pending = pool.submit(gate.wait, SOON), pool.submit(abs, 1)
    report = pool.shutdown(timeout=0.05)
    assert ((running,), (pending,), True) == (report.running, report.cancelled, report.timed_out)
    assert 0.05 <= report.elapsed < 2
    gate.set()


def test_shutdown_cancels_only_what_has_not_started(
    gate: threading.Event, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    pool = bounded(1, 1)
    running, pending = pool.submit(lambda: gate.wait(SOON) and not cancelled()), pool.submit(abs, 1)
    eventually(running.running)
    report = pool.shutdown(wait=False, cancel_futures=True)
    assert ((running,), (pending,)) == (report.running, report.cancelled)
    gate.set()
    assert (running,) == pool.shutdown().running or running.result(SOON)
    with pytest.raises(CancelledError):
        pending.result(SOON)


def test_shutdown_from_inside_does_not_wait_for_itself() -> None:
    pool = bounded()
    assert not pool.submit(lambda: pool.shutdown().timed_out).result(SOON)


def test_an_executor_that_is_dropped_finishes_its_work(gate: threading.Event) -> None:
    pool = bounded(1, 1)
    futures: list[Future[Any]] = [pool.submit(gate.wait, SOON), pool.submit(abs, -1)]
    threads = list(pool._pool._threads)
    del pool
    gc.collect()
    gate.set()
    assert [True, 1] == [future.result(SOON) for future in futures]
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


# In company


def test_context_variables_follow_the_work() -> None:
    name = contextvars.ContextVar("name", default="none")
    name.set("outer")
    with bounded() as pool, bounded(propagate_context=False) as plain:
        assert "outer" == pool.submit(name.get).result(SOON)
        pool.submit(name.set, "inner").result(SOON)
        assert "outer" == pool.submit(name.get).result(SOON)
        assert "none" == plain.submit(name.get).result(SOON)
    assert "outer" == name.get()


def test_run_in_executor() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        with bounded(2, 8) as pool:
            return await asyncio.gather(*(loop.run_in_executor(pool, abs, -n) for n in range(5)))

    assert [0, 1, 2, 3, 4] == asyncio.run(main())


def test_a_full_pool_does_not_block_the_event_loop(gate: threading.Event) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with bounded(1, 0) as pool:
            work = loop.run_in_executor(pool, gate.wait, SOON)
            with pytest.raises(BacklogFull, match="event loop"):
                loop.run_in_executor(pool, abs, 1)  # type: ignore[unused-awaitable]
            gate.set()
            assert await work

    asyncio.run(main())


def test_cancelling_an_awaited_call_tells_the_work(gate: threading.Event) -> None:
    told = threading.Event()

    def work() -> None:
        gate.set()
        while not cancelled():
            told.wait(0.001)
        told.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with bounded() as pool:
            call = loop.run_in_executor(pool, work)
            assert await loop.run_in_executor(None, gate.wait, SOON)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await loop.run_in_executor(None, told.wait, SOON)

    asyncio.run(main())


def test_outside_of_work_nothing_is_cancelled() -> None:
    assert not cancelled()
    check_cancelled()


def test_a_callback_that_exits_costs_no_thread(caplog: pytest.LogCaptureFixture, gate: threading.Event) -> None:
    with bounded() as pool:
        future = pool.submit(gate.wait, SOON)
        future.add_done_callback(lambda _: fail(SystemExit(1)))
        gate.set()
        assert 1 == pool.submit(abs, -1).result(SOON)
        assert 1 == pool.stats().threads
    assert "a callback of work in pool 'test' failed" in caplog.text


def test_a_thread_that_cannot_start_costs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = bounded(1, 0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _: fail(RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError, match="can't start"):
            pool.submit(abs, 1)
    assert (0, 0, 0) == (pool.stats().running, pool.stats().pending, pool.stats().threads)
    assert 1 == pool.submit(abs, -1).result(SOON)
    pool.shutdown()


def test_a_submitter_that_is_interrupted_passes_its_room_on(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bounded(1, 0) as pool:
        pool.submit(gate.wait, SOON)
        monkeypatch.setattr(pool._pool._room, "wait_for", lambda *_: fail(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            pool.submit(abs, 1)
        assert 0 == pool.stats().blocked
        gate.set()


def test_a_forked_child_has_no_threads(start_python: Callable[[str], subprocess.Popen[str]]) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    process = start_python(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        from flake8_concurrency.runtime.errors import PoolClosed
        from flake8_concurrency.runtime.pool import BoundedExecutor
        pool = BoundedExecutor(max_workers=1, max_pending=1, submit_timeout=None)
        pool.submit(abs, 1).result()
        child = os.fork()
        if child:
            raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        try:
            pool.submit(abs, 1)
        except PoolClosed as error:
            raise SystemExit(7)
        """
    )
    process.communicate(timeout=SOON)
    assert 7 == process.returncode


def test_stats_and_repr(gate: threading.Event, eventually: Callable[[Callable[[], bool]], None]) -> None:
    with bounded(1, 2) as pool:
        running = pool.submit(gate.wait, SOON)
        pool.submit(abs, 1)
        eventually(running.running)
        stats = pool.stats()
        assert (1, 2, 1, 1, 1, 2) == (
            stats.max_workers,
            stats.max_pending,
            stats.threads,
            stats.pending,
            stats.running,
            stats.submitted,
        )
        assert "<BoundedExecutor 'test' open: 1 running, 1 pending>" == repr(pool)
        gate.set()
    assert "closed" in repr(pool)


@pytest.mark.parametrize(
    "options",
    [
        {"max_workers": 0},
        {"max_pending": -1},
        {"submit_timeout": -1},
        {"submit_timeout": float("nan")},
        {"exit_grace": -1},
        {"on_unread": "swallow"},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|seconds"):
        bounded(**options)
