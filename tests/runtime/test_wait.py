"""Each proof runs the naive code too, as control: it must show the defect."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import threading
import time
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NoReturn

import hypothesis
import pytest
from hypothesis import strategies as st

from flake8_concurrency.runtime.errors import BacklogFull, DeadlineExceeded, WorkCancelled
from flake8_concurrency.runtime.pool import BoundedExecutor, cancelled, check_cancelled
from flake8_concurrency.runtime.report import settled
from flake8_concurrency.runtime.wait import as_completed, map_bounded, run_all, wait_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runtime.log_records import Logged

SOON = 20.0


def bounded(max_workers: int = 1, max_pending: int = 9) -> BoundedExecutor:
    return BoundedExecutor(max_workers=max_workers, max_pending=max_pending, submit_timeout=SOON, name="test")


def fail(error: BaseException) -> NoReturn:
    raise error


def broken(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def stopped() -> Future[Any]:
    future: Future[Any] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def at_work() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What slow work waits for."""
    event = threading.Event()
    yield event
    event.set()


# The fact


def test_control_the_block_of_the_standard_library_outlives_its_wait() -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(threading.Event().wait, 1.0) for _ in range(2)]
        wait(futures, timeout=0.1)
        waited = time.monotonic() - start
    assert waited < 0.9
    assert time.monotonic() - start >= 1.0


def test_the_block_ends_with_the_wait(gate: threading.Event) -> None:
    with bounded(2) as pool:
        report = wait_all([pool.submit(gate.wait, SOON) for _ in range(4)], timeout=0.1)
    assert not gate.is_set()
    assert (2, 2, True) == (len(report.running), len(report.cancelled), report.timed_out)
    assert pool.report is not None
    assert 0.1 <= report.elapsed + pool.report.elapsed < 5


# The report

_MAKERS: dict[str, Callable[[], Future[Any]]] = {
    "done": lambda: settled(1),
    "failed": lambda: broken(ValueError()),
    "cancelled": stopped,
    "stopped": lambda: broken(WorkCancelled()),
    "running": at_work,
    "pending": Future,
}


def naive_partition(futures: list[Future[Any]]) -> tuple[list[Any], list[BaseException]]:
    """What one finds in the wild: results, and errors of what is done."""
    done, _ = wait(futures, timeout=0)
    results: list[Any] = []
    errors: list[BaseException] = []
    for future in done:
        try:
            results.append(future.result())
        except Exception as error:  # noqa: BLE001
            errors.append(error)
    return results, errors


def test_control_the_naive_report_forgets_what_is_not_done() -> None:
    results, errors = naive_partition([settled(1), at_work(), stopped()])
    assert 3 > len(results) + len(errors)


@hypothesis.given(
    kinds=st.lists(st.sampled_from(sorted(_MAKERS))),
    on_error=st.sampled_from(["cancel", "collect"]),
    cancel_stragglers=st.booleans(),
    twice=st.booleans(),
)
@hypothesis.settings(deadline=None)
def test_every_future_is_in_exactly_one_bucket(
    kinds: list[str], on_error: Any, cancel_stragglers: bool, twice: bool
) -> None:
    futures = [_MAKERS[kind]() for kind in kinds]
    given = futures * 2 if twice else futures
    report = wait_all(given, timeout=0, on_error=on_error, cancel_stragglers=cancel_stragglers)
    failed = on_error == "cancel" and "failed" in kinds
    unfinished = "running" in kinds or "pending" in kinds
    ends = {kind: kind for kind in _MAKERS} | {"stopped": "cancelled"}
    # Nobody works on these, so a cancelled one is never told to `wait`, but it is cancelled.
    ends["pending"] = "cancelled" if failed or cancel_stragglers else "running"
    for bucket in ("done", "failed", "cancelled", "running"):
        expected = [future for future, kind in zip(futures, kinds, strict=True) if ends[kind] == bucket]
        assert expected == list(getattr(report, bucket))
    assert (unfinished and not failed) == report.timed_out


def test_results_are_all_or_an_error() -> None:
    assert [2, 1] == wait_all([settled(2), settled(1)], timeout=None).results()
    assert [] == wait_all([], timeout=None).results()
    with pytest.raises(CancelledError):
        wait_all([settled(1), stopped()], timeout=SOON).results()
    with pytest.raises(DeadlineExceeded, match="1 of 2 are done, 0 failed, 0 are cancelled, 1 still run") as caught:
        wait_all([settled(1), at_work()], timeout=0).results()
    assert caught.value.report is not None
    assert 1 == len(caught.value.report.done)
    with pytest.raises(DeadlineExceeded):
        wait_all([Future()], timeout=0).results()


def test_results_raise_the_first_failure_and_log_the_others(caplog: pytest.LogCaptureFixture) -> None:
    report = wait_all([broken(ValueError("first")), broken(KeyError("second")), at_work()], timeout=0)
    with pytest.raises(ValueError, match="first"):
        report.results()
    assert "KeyError: 'second'" in caplog.text


# Waiting


def test_the_first_failure_ends_the_wait_and_cancels_the_rest(gate: threading.Event) -> None:
    with bounded(2) as pool:
        slow = [pool.submit(gate.wait, SOON)]
        bad = pool.submit(fail, ValueError())
        slow += [pool.submit(gate.wait, SOON) for _ in range(3)]
        both: list[Future[Any]] = [*slow, bad]
        report = wait_all(both, timeout=None)
        assert (bad,) == report.failed
        assert not report.timed_out
        assert set(slow) == {*report.running, *report.cancelled}
    assert not gate.is_set()


def test_collect_waits_for_all() -> None:
    with bounded() as pool:
        bad, good = pool.submit(fail, ValueError()), pool.submit(abs, -1)
        both: list[Future[Any]] = [bad, good]
        report = wait_all(both, timeout=SOON, on_error="collect")
    assert ((good,), (bad,), False) == (report.done, report.failed, report.timed_out)


def test_work_that_gave_up_does_not_end_the_wait(gate: threading.Event) -> None:
    with bounded(2) as pool:
        gave_up = broken(WorkCancelled())
        later = pool.submit(gate.wait, SOON)
        threading.Timer(0.05, gate.set).start()
        report = wait_all([gave_up, later], timeout=SOON)
    assert ((later,), (gave_up,), False) == (report.done, report.cancelled, report.timed_out)


def test_stragglers_are_told(gate: threading.Event) -> None:
    def work() -> None:
        gate.set()
        while True:
            check_cancelled()
            pause.wait(0.001)

    pause = threading.Event()
    with bounded() as pool:
        future = pool.submit(work)
        assert gate.wait(SOON)
        report = wait_all([future], timeout=0.01)
        assert (future,) == report.running
        assert isinstance(future.exception(SOON), WorkCancelled)
        assert (future,) == wait_all([future], timeout=0).cancelled


def test_stragglers_may_go_on(gate: threading.Event) -> None:
    with bounded() as pool:
        future = pool.submit(lambda: gate.wait(SOON) and not cancelled())
        assert (future,) == wait_all([future], timeout=0.01, cancel_stragglers=False).running
        gate.set()
        assert future.result(SOON)


@pytest.mark.parametrize("timeout", [0, 0.05, 0.2])
def test_the_time_is_bounded(gate: threading.Event, timeout: float) -> None:
    with bounded(4) as pool:
        start = time.monotonic()
        report = wait_all([pool.submit(gate.wait, SOON) for _ in range(8)], timeout=timeout)
        elapsed = time.monotonic() - start
    assert timeout <= report.elapsed <= elapsed < timeout + 2


def test_futures_of_other_executors(gate: threading.Event) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as processes, ThreadPoolExecutor(1) as threads, bounded() as pool:
        futures = [processes.submit(math.factorial, 5), threads.submit(abs, -6), pool.submit(abs, -7)]
        bad = processes.submit(math.sqrt, -1)
        all_of_them: list[Future[Any]] = [*futures, bad]
        report = wait_all(all_of_them, timeout=SOON, on_error="collect")
        assert [120, 6, 7] == [future.result() for future in report.done]
        assert (bad,) == report.failed
        slow = [threads.submit(gate.wait, SOON) for _ in range(2)]
        report = wait_all(slow, timeout=0.01)
        assert ((slow[0],), (slow[1],)) == (report.running, report.cancelled)
        gate.set()


def test_wrong_on_error() -> None:
    with pytest.raises(ValueError, match="on_error"):
        wait_all([], timeout=0, on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="on_error"):
        map_bounded(abs, [], max_workers=1, timeout=0, on_error="ignore")  # type: ignore[arg-type]


# as_completed


def test_as_completed_yields_as_they_finish(gate: threading.Event) -> None:
    with bounded(2) as pool:
        slow, fast = pool.submit(gate.wait, SOON), pool.submit(abs, -1)
        both: list[Future[Any]] = [slow, fast]
        finished = as_completed(both, timeout=SOON)
        assert fast is next(finished)
        gate.set()
        assert [slow] == list(finished)


def test_as_completed_has_a_deadline(gate: threading.Event) -> None:
    with bounded(1) as pool:
        done, slow, pending = pool.submit(abs, 1), pool.submit(gate.wait, SOON), pool.submit(abs, 1)
        with pytest.raises(DeadlineExceeded) as caught:
            list(as_completed(list[Future[Any]]([done, slow, pending]), timeout=0.1))
        report = caught.value.report
        assert report is not None
        assert ((done,), (slow,), (pending,)) == (report.done, report.running, report.cancelled)
    assert not gate.is_set()


def test_as_completed_counts_from_the_call(gate: threading.Event) -> None:
    with bounded(1) as pool:
        start = time.monotonic()
        finished = as_completed([pool.submit(gate.wait, SOON)], timeout=0.1)
        gate.wait(0.2)
        with pytest.raises(DeadlineExceeded):
            next(finished)
        assert time.monotonic() - start < 2


def test_as_completed_left_early_cancels_the_rest() -> None:
    first, rest, kept = settled(1), Future[int](), Future[int]()
    finished = as_completed([first, rest], timeout=None)
    assert first is next(finished)
    finished.close()
    assert rest.cancelled()
    finished = as_completed([first, kept], timeout=None, cancel_stragglers=False)
    next(finished)
    finished.close()
    assert not kept.cancelled()


# map_bounded and run_all


def test_control_a_mapping_block_is_not_bounded() -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError), ThreadPoolExecutor(1) as pool:
        list(pool.map(lambda _: threading.Event().wait(1.0), [1], timeout=0.05))
    assert time.monotonic() - start >= 1.0


def test_map_bounded_is(gate: threading.Event) -> None:
    def work(n: int) -> int:
        return n if n < 3 else gate.wait(SOON)

    with pytest.raises(DeadlineExceeded, match="3 of the") as caught:
        map_bounded(work, range(1000), max_workers=2, timeout=0.2)
    assert not gate.is_set()
    report = caught.value.report
    assert report is not None
    assert [0, 1, 2] == [future.result() for future in report.done]
    assert 2 == len(report.running)
    assert 0.2 <= report.elapsed < 5


def test_map_bounded_that_ends_with_a_straggler(gate: threading.Event) -> None:
    with pytest.raises(DeadlineExceeded):
        map_bounded(lambda n: gate.wait(SOON), range(3), max_workers=2, timeout=0.05)
    assert not gate.is_set()


def test_map_bounded_keeps_the_order_and_the_bound() -> None:
    lock = threading.Lock()
    barrier = threading.Barrier(3)
    busy = peak = 0

    def work(n: int) -> int:
        nonlocal busy, peak
        with lock:
            busy += 1
            peak = max(peak, busy)
        barrier.wait(SOON)
        with lock:
            busy -= 1
        return -n

    assert [-n for n in range(30)] == map_bounded(work, range(30), max_workers=3, timeout=None)
    assert 3 == peak
    assert [] == map_bounded(work, [], max_workers=3, timeout=0)


def test_map_bounded_reads_its_input_lazily(gate: threading.Event) -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield len(read)

    with pytest.raises(DeadlineExceeded):
        map_bounded(lambda n: gate.wait(SOON), items(), max_workers=2, timeout=0.05)
    assert 5 >= len(read)


def test_the_first_failure_is_raised_at_once(gate: threading.Event) -> None:
    def work(n: int) -> bool:
        if n == 1:
            raise ValueError(n)
        return gate.wait(SOON)

    for items in (range(2), range(100)):
        with pytest.raises(ValueError, match="1"):
            map_bounded(work, items, max_workers=2, timeout=None)
        assert not gate.is_set()


def test_collect_raises_the_first_failure_after_all(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def work(n: int) -> None:
        seen.append(n)
        raise ValueError(n)

    with pytest.raises(ValueError, match=r"^0$"):
        map_bounded(work, range(9), max_workers=1, timeout=SOON, on_error="collect")
    assert list(range(9)) == seen
    assert 8 == caplog.text.count("one more failure in map_bounded")


def test_a_straggler_that_fails_later_is_logged(gate: threading.Event, logged: Logged) -> None:
    def work(n: int) -> None:
        gate.wait(SOON)
        raise ValueError("late")

    with pytest.raises(DeadlineExceeded):
        map_bounded(work, [1], max_workers=1, timeout=0.01)
    gate.set()
    logged.wait_for("ValueError: late")


def test_run_all_runs_all() -> None:
    calls = [lambda n=n: n * n for n in range(5)]
    assert [0, 1, 4, 9, 16] == run_all(calls, max_workers=2, timeout=SOON)
    with pytest.raises(ZeroDivisionError):
        run_all([lambda: 1 // 0, lambda: 1], max_workers=2, timeout=SOON)


def test_on_an_event_loop_a_full_pool_says_so(gate: threading.Event) -> None:
    async def main() -> None:
        map_bounded(lambda n: gate.wait(SOON), range(9), max_workers=1, timeout=SOON)

    with pytest.raises(BacklogFull, match="event loop"):
        asyncio.run(main())
