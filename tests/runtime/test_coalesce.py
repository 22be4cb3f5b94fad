"""The coalescer loses no last put: under threads, failing flushes, exits and forks; naive ones, as controls, do."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flake8_concurrency.runtime import coalesce
from flake8_concurrency.runtime.coalesce import AsyncCoalescer, Coalescer, flush_on_signals, last_wins
from flake8_concurrency.runtime.errors import BacklogFull, CoalescerClosed, FlushFailed

ROOT = Path(coalesce.__file__).parents[2]
# Nothing waits that long unless it hangs.
LONG = 10.0


class Copied:
    """A control as found in the wild: the dictionary is cleared after the write."""

    def __init__(self, write: Callable[[Mapping[str, int]], object]) -> None:
        self.write, self.pending, self.lock = write, dict[str, int](), threading.Lock()

    def put(self, key: str, value: int) -> None:
        with self.lock:
            self.pending[key] = value

    def flush(self) -> None:
        self.write(dict(self.pending))
        with self.lock:
            self.pending.clear()


class Swapped(Copied):
    """A better control: the dictionary is swapped under the lock, but two flushes can overlap and fail."""

    def flush(self) -> None:
        with self.lock:
            batch, self.pending = self.pending, {}
        self.write(batch)


class Store:
    """What the flush function writes to. It can stop one write before it takes effect, and fail."""

    def __init__(self, failures: int = 0) -> None:
        self.values: dict[Any, Any] = {}
        self.writes = 0
        self.stop_next = False
        self.stopped, self.go_on, self.written = threading.Event(), threading.Event(), threading.Event()
        self.failures = failures

    def write(self, batch: Mapping[Any, Any]) -> None:
        if self.stop_next:
            self.stop_next = False
            self.stopped.set()
            assert self.go_on.wait(LONG)
        self.write_at_once(batch)

    def write_at_once(self, batch: Mapping[Any, Any]) -> None:
        self.writes += 1
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the store is away")
        self.values.update(batch)
        self.written.set()


def quiet(store: Store, **options: Any) -> Coalescer[Any, Any]:
    """One that flushes when told, never by time."""
    return Coalescer(store.write, **{"window": math.inf, "max_keys": 1_000, "close_timeout": LONG, **options})


def thread(target: Callable[[], object]) -> threading.Thread:
    started = threading.Thread(target=target, daemon=True)
    started.start()
    return started


def flush_quietly(coalescer: Coalescer[Any, Any]) -> None:
    with suppress(FlushFailed):
        coalescer.flush()


# The final value equals the last put


def put_during_a_write(store: Store, subject: Any) -> int:
    store.stop_next = True
    subject.put("k", 1)
    flusher = thread(subject.flush)
    assert store.stopped.wait(LONG)
    subject.put("k", 2)
    store.go_on.set()
    flusher.join(LONG)
    subject.flush()
    return int(store.values["k"])


def test_a_put_during_a_write_is_written_next() -> None:
    store = Store()
    assert put_during_a_write(store, Copied(store.write)) == 1, "the control no longer shows the bug"
    store = Store()
    with quiet(store) as coalescer:
        assert put_during_a_write(store, coalescer) == 2


def two_flushers(store: Store, subject: Any) -> int:
    store.stop_next = True
    subject.put("k", 1)
    slow = thread(subject.flush)
    assert store.stopped.wait(LONG)
    subject.put("k", 2)
    fast = thread(subject.flush)
    # The control's ends; ours waits for its turn.
    fast.join(0.2)
    store.go_on.set()
    slow.join(LONG)
    fast.join(LONG)
    return int(store.values["k"])


def test_an_older_batch_never_overtakes_a_newer_one() -> None:
    store = Store()
    assert two_flushers(store, Swapped(store.write)) == 1, "the control no longer shows the bug"
    store = Store()
    with quiet(store) as coalescer:
        assert two_flushers(store, coalescer) == 2


@settings(max_examples=15, deadline=None)
@given(
    producers=st.integers(1, 4),
    flushers=st.integers(0, 2),
    keys=st.integers(1, 5),
    max_keys=st.integers(1, 12),
    failures=st.integers(0, 3),
    window=st.sampled_from([0.0005, math.inf]),
)
def test_the_final_value_is_the_last_put(
    producers: int, flushers: int, keys: int, max_keys: int, failures: int, window: float
) -> None:
    store = Store(failures)
    everybody = threading.Barrier(producers + flushers)
    coalescer: Coalescer[tuple[int, int], int] = Coalescer(
        store.write, window=window, max_keys=max_keys, close_timeout=LONG
    )

    def produce(producer: int) -> None:
        everybody.wait(LONG)
        for value in range(60):
            while True:
                try:
                    coalescer.put((producer, value % keys), value)
                    break
                except FlushFailed:
                    pass

    def flush() -> None:
        everybody.wait(LONG)
        for _ in range(10):
            with suppress(FlushFailed):
                coalescer.flush()

    with coalescer:
        threads = [thread(lambda number=number: produce(number)) for number in range(producers)]  # type: ignore[misc]
        threads += [thread(flush) for _ in range(flushers)]
        for each in threads:
            each.join(LONG)
            assert not each.is_alive()
    last = {(producer, value % keys): value for producer in range(producers) for value in range(60)}
    assert store.values == last
    stats = coalescer.stats()
    assert (stats.puts, stats.pending, stats.in_flight) == (60 * producers, 0, 0)


class Sums(RuleBasedStateMachine):
    """With addition as the merge, what is written and what is held always add up to what was put."""

    def __init__(self) -> None:
        super().__init__()
        self.put_so_far: dict[str, int] = {}
        self.sums: dict[str, int] = {}
        self.away = False
        self.coalescer: Coalescer[str, int] = Coalescer(
            self.write, window=math.inf, max_keys=100, close_timeout=LONG, merge=add
        )

    def write(self, batch: Mapping[str, int]) -> None:
        if self.away:
            # Half of it a value put while the flush runs, which must not be lost or doubled.
            self.put("a", 1)
            raise ConnectionError
        for key, value in batch.items():
            self.sums[key] = self.sums.get(key, 0) + value

    @rule(key=st.sampled_from("abc"), value=st.integers(-5, 5))
    def put(self, key: str, value: int) -> None:
        self.coalescer.put(key, value)
        self.put_so_far[key] = self.put_so_far.get(key, 0) + value

    @rule()
    def flush(self) -> None:
        self.coalescer.flush()

    @rule()
    def flush_while_away(self) -> None:
        self.away = True
        if self.coalescer.stats().pending:
            with pytest.raises(FlushFailed) as raised:
                self.coalescer.flush()
            assert raised.value.pending["a"] == self.coalescer.peek("a")
        self.away = False

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        for key, total in self.put_so_far.items():
            assert self.sums.get(key, 0) + self.coalescer.peek(key, 0) == total

    def teardown(self) -> None:
        self.coalescer.close()
        assert self.sums == self.put_so_far


Sums.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestSums = Sums.TestCase


# When it flushes


def test_a_window_after_the_first_put() -> None:
    store = Store()
    with quiet(store, window=0.01) as coalescer:
        for value in range(100):
            coalescer.put("k", value)
        assert store.written.wait(LONG)
        store.written.clear()
        coalescer.put("k", 100)
        assert store.written.wait(LONG)
        assert store.values == {"k": 100}


def test_the_clock_is_a_parameter() -> None:
    store = Store()
    now = [0.0]
    with quiet(store, window=60.0, clock=lambda: now[0]) as coalescer:
        coalescer.put("a", 1)
        assert not store.written.wait(0.05)
        now[0] = 60.0
        # Any news wakes the thread, which looks at the clock.
        with coalescer._changed:
            coalescer._changed.notify_all()
        assert store.written.wait(LONG)


def test_half_full_flushes_early() -> None:
    store = Store()
    with quiet(store, max_keys=4) as coalescer:
        coalescer.put("a", 1)
        coalescer.put("b", 2)
        assert store.written.wait(LONG)
        assert store.values == {"a": 1, "b": 2}


def test_a_put_without_room_waits_for_a_flush() -> None:
    store = Store()
    store.stop_next = True
    with quiet(store, max_keys=1) as coalescer:
        coalescer.put("a", 1)
        assert store.stopped.wait(LONG)
        coalescer.put("a", 2, timeout=0)
        with pytest.raises(BacklogFull, match=r"1 keys are held, and no flush ended within 0\.01 s"):
            coalescer.put("b", 1, timeout=0.01)
        assert coalescer.peek("b") is None
        waiting = thread(lambda: coalescer.put("b", 3))
        store.go_on.set()
        waiting.join(LONG)
    assert store.values == {"a": 2, "b": 3}


def test_a_waiting_put_hears_of_a_failed_flush_and_of_close() -> None:
    store = Store(failures=2)
    store.stop_next = True
    coalescer = quiet(store, max_keys=1)
    coalescer.put("a", 1)
    assert store.stopped.wait(LONG)
    caught: list[BaseException] = []
    waits = threading.Event()

    def put(key: str) -> None:
        with coalescer._lock:
            # From here until the wait inside put, no flush can end.
            waits.set()
            try:
                coalescer.put(key, 1)
            except (FlushFailed, CoalescerClosed) as error:
                caught.append(error)

    first = thread(lambda: put("b"))
    assert waits.wait(LONG)
    store.go_on.set()
    first.join(LONG)
    assert isinstance(caught[0], FlushFailed)
    assert isinstance(caught[0].__cause__, ConnectionError)

    store.stopped.clear()
    store.go_on.clear()
    store.stop_next = True
    flusher = thread(lambda: flush_quietly(coalescer))
    assert store.stopped.wait(LONG)
    waits.clear()
    second = thread(lambda: put("c"))
    assert waits.wait(LONG)
    closer = thread(coalescer.close)
    second.join(LONG)
    assert isinstance(caught[1], CoalescerClosed)
    store.go_on.set()
    for each in (flusher, closer):
        each.join(LONG)
    assert store.values == {"a": 1}


def test_the_flush_function_may_put_but_not_flush() -> None:
    seen: list[dict[str, int]] = []

    def write(batch: Mapping[str, int]) -> None:
        seen.append(dict(batch))
        if len(seen) == 1:
            coalescer.put("more", 1)
            with pytest.raises(RuntimeError, match="inside the flush function"):
                coalescer.flush()
            first.set()

    first = threading.Event()
    coalescer = Coalescer(write, window=math.inf, max_keys=1, close_timeout=LONG)
    with coalescer:
        coalescer.put("k", 1)
        assert first.wait(LONG)
    assert seen == [{"k": 1}, {"more": 1}]


def test_the_flush_function_may_close() -> None:
    store = Store()

    def write(batch: Mapping[str, int]) -> None:
        store.write(batch)
        coalescer.close()

    coalescer = Coalescer(write, window=math.inf, max_keys=10, close_timeout=LONG)
    coalescer.put("k", 1)
    assert coalescer.flush() == 1
    with pytest.raises(CoalescerClosed):
        coalescer.put("k", 2)
    coalescer.close()
    assert store.values == {"k": 1}


def test_peek_and_stats() -> None:
    store = Store()
    with quiet(store, merge=add) as coalescer:
        assert coalescer.peek("k") is None
        assert coalescer.peek("k", 0) == 0
        coalescer.put("k", 1)
        store.stop_next = True
        flusher = thread(coalescer.flush)
        assert store.stopped.wait(LONG)
        assert coalescer.peek("k") == 1
        coalescer.put("k", 2)
        assert coalescer.peek("k") == 3, "neither is known to be written"
        stats = coalescer.stats()
        assert (stats.puts, stats.flushes, stats.pending, stats.in_flight) == (2, 0, 1, 1)
        store.go_on.set()
        flusher.join(LONG)
    stats = coalescer.stats()
    assert (stats.puts, stats.flushes, stats.written, stats.failures) == (2, 2, 2, 0)
    assert (stats.pending, stats.in_flight, stats.last_error) == (0, 0, None)


@pytest.mark.parametrize(
    "wrong", [{"window": 0}, {"window": math.nan}, {"max_keys": 0}, {"close_timeout": -1}, {"close_timeout": math.nan}]
)
@pytest.mark.parametrize("kind", [Coalescer, AsyncCoalescer])
def test_wrong_arguments_are_refused(kind: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        kind(print, **{"window": 1.0, "max_keys": 1, "close_timeout": 1.0, **wrong})


def test_last_wins() -> None:
    assert last_wins(1, 2) == 2


# Failing flushes and close


def test_a_flush_that_fails_k_times(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(failures=1)
    naive = Swapped(store.write)
    naive.put("k", 1)
    with pytest.raises(ConnectionError):
        naive.flush()
    naive.flush()
    assert store.values == {}, "the control no longer shows the bug"

    store = Store(failures=3)
    with quiet(store, window=0.005) as coalescer:
        coalescer.put("k", 1)
        assert store.written.wait(LONG)
        assert coalescer.stats().failures == 3
    assert store.values == {"k": 1}
    assert caplog.messages == ["a flush of 1 updates failed; they are kept"] * 3


def test_a_failed_batch_goes_below_what_was_put_since() -> None:
    store = Store(failures=1)
    with quiet(store) as coalescer:
        coalescer.put("a", 1)
        coalescer.put("b", 1)
        store.stop_next = True
        flusher = thread(lambda: flush_quietly(coalescer))
        assert store.stopped.wait(LONG)
        coalescer.put("b", 2)
        store.go_on.set()
        flusher.join(LONG)
        assert isinstance(coalescer.stats().last_error, ConnectionError)
        assert coalescer.flush() == 2
    assert store.values == {"a": 1, "b": 2}


def test_close_tries_again_while_a_flush_fails() -> None:
    store = Store(failures=3)
    coalescer = quiet(store, window=0.001)
    with coalescer._lock:
        coalescer.put("k", 1)
        closer = thread(coalescer.close)
    closer.join(LONG)
    assert (store.values, store.writes) == ({"k": 1}, 4)
    coalescer.close()
    with pytest.raises(CoalescerClosed):
        coalescer.put("k", 2)


def test_close_reports_what_it_could_not_write_and_may_be_repeated() -> None:
    store = Store(failures=10_000)
    coalescer = quiet(store, close_timeout=0.05)
    with pytest.raises(FlushFailed) as raised, coalescer:
        coalescer.put("k", 1)
    assert raised.value.pending == {"k": 1}
    assert isinstance(raised.value.__cause__, ConnectionError)
    store.failures = 0
    coalescer._close_timeout = LONG
    coalescer.close()
    assert store.values == {"k": 1}


def test_close_is_bounded_when_a_flush_hangs() -> None:
    store = Store()
    store.stop_next = True
    coalescer = quiet(store, close_timeout=0.05)
    coalescer.put("k", 1)
    with pytest.raises(FlushFailed) as raised:
        coalescer.close()
    assert raised.value.pending == {"k": 1}
    store.go_on.set()
    assert store.written.wait(LONG)


def test_an_exception_in_the_block_flushes() -> None:
    store = Store()

    def fail() -> None:
        with quiet(store) as coalescer:
            coalescer.put("k", 1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert store.values == {"k": 1}


def test_an_interrupted_flush_loses_nothing() -> None:
    interrupt = [True]
    store = Store()

    def write(batch: Mapping[str, int]) -> None:
        if interrupt.pop():
            raise KeyboardInterrupt
        store.write(batch)

    interrupt.insert(0, False)
    coalescer = Coalescer(write, window=math.inf, max_keys=10, close_timeout=LONG)
    coalescer.put("k", 1)
    with pytest.raises(KeyboardInterrupt):
        coalescer.flush()
    coalescer.close()
    assert store.values == {"k": 1}


def test_one_that_left_its_batch_in_flight_is_taken_up() -> None:
    """A second signal can interrupt the handling of the first."""
    store = Store()
    with quiet(store) as coalescer:
        coalescer.put("a", 1)
        coalescer._updates.take()
        coalescer.put("b", 1)
    assert store.values == {"a": 1, "b": 1}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_flush_that_ends_its_thread_is_logged_and_the_next_put_starts_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leave = [False, True]
    store = Store()

    def write(batch: Mapping[str, int]) -> None:
        if leave.pop():
            raise SystemExit
        store.write(batch)

    coalescer = Coalescer(write, window=math.inf, max_keys=2, close_timeout=LONG)
    with coalescer._lock:
        coalescer.put("k", 1)
        doomed = coalescer._thread
    assert doomed is not None
    doomed.join(LONG)
    assert "a flush ended its thread; the updates are kept" in caplog.messages
    coalescer.close()
    assert store.values == {"k": 1}


# Processes that end


def run(body: str, tmp_path: Path, *, status: int = 0, log: str = "") -> dict[str, int]:
    """What a process has written when it is over."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import json, math, os, signal, sys, threading
        from pathlib import Path
        from flake8_concurrency.runtime.coalesce import Coalescer, flush_on_signals
        out = Path(__file__).with_name("out")
        def write(batch):
            with out.open("a") as file:
                file.write(json.dumps(dict(batch)) + "\\n")
        def new(write=write, window=60.0, **options):
            return Coalescer(write, **{"window": window, "max_keys": 100, "close_timeout": 10.0, **options})
        """)
        + textwrap.dedent(body)
    )
    out = tmp_path / "out"
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, log in done.stderr) == (status, True), done.stderr
    written: dict[str, int] = {}
    for line in out.read_text().splitlines() if out.exists() else ():
        for key, value in json.loads(line).items():
            assert key not in written, f"{key} is written twice"
            written[key] = value
    return written


NAIVE = """
class Naive:  # the control: a daemon timer
    def __init__(self): self.pending = {}
    def put(self, key, value): self.pending[key] = value
    def flush(self):
        batch, self.pending = self.pending, {}
        write(batch)
"""


def test_exits(tmp_path: Path) -> None:
    assert run(NAIVE + "Naive().put('k', 1); sys.exit(3)", tmp_path, status=3) == {}
    assert run("c = new()\nc.put('k', 1); sys.exit(3)", tmp_path, status=3) == {"k": 1}
    assert run("c = new()\nc.put('k', 1)", tmp_path) == {"k": 1}
    assert run("with new() as c: c.put('k', 1); raise OSError", tmp_path, status=1, log="OSError") == {"k": 1}


def test_what_is_lost_at_exit_is_logged(tmp_path: Path) -> None:
    body = """
    def away(batch): raise ConnectionError("away")
    c = new(away, close_timeout=0.05)
    c.put("k", 1)
    """
    assert run(body, tmp_path, log="1 updates are lost at exit") == {}


def test_sigterm(tmp_path: Path) -> None:
    term = "os.kill(os.getpid(), signal.SIGTERM); threading.Event().wait(10)"
    # The control: SIGTERM runs no atexit.
    assert run(f"c = new()\nc.put('k', 1); {term}", tmp_path, status=-signal.SIGTERM) == {}
    assert run(f"with flush_on_signals():\n c = new()\n c.put('k', 1); {term}", tmp_path, status=143) == {"k": 1}
    hup = term.replace("TERM", "HUP")
    body = f"with flush_on_signals(signal.SIGTERM, signal.SIGHUP), new() as c:\n c.put('k', 1); {hup}"
    assert run(body, tmp_path, status=129) == {"k": 1}


def test_sigterm_while_putting(tmp_path: Path) -> None:
    """The handler comes at any bytecode of `put`, with the lock held or not."""
    body = """
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    done = 0
    try:
        with flush_on_signals(), new(lambda batch: None, window=0.001) as c:
            while True:
                c.put(done % 50, done)
                done += 1
    finally:
        s = c.stats()
        write({"left": s.pending + s.in_flight, "odd": int(s.puts - done not in (0, 1))})
    """
    assert run(body, tmp_path, status=143) == {"left": 0, "odd": 0}


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with flush_on_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


FORK = """
pid = os.fork()
if not pid:
    {child}
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_forked_child_starts_empty(tmp_path: Path) -> None:
    naive = NAIVE + "n = Naive(); n.put('k', 1)" + FORK.format(child="n.flush()") + "n.flush()"
    with pytest.raises(AssertionError, match="k is written twice"):
        run(naive, tmp_path)
    body = "c = new()\nc.put('k', 1)" + FORK.format(child="c.put('child', 2); c.close()") + "c.put('parent', 3)"
    assert run(body, tmp_path) == {"k": 1, "child": 2, "parent": 3}


def test_a_fork_with_the_locks_held_by_another_thread(tmp_path: Path) -> None:
    body = (
        """
stopped, go_on = threading.Event(), threading.Event()
def slow(batch):
    if os.getpid() == parent:
        stopped.set(); go_on.wait(10)
    write(batch)
parent = os.getpid()
c = new(slow)
c.put("k", 1)
threading.Thread(target=c.flush).start()
stopped.wait(10)
holds = threading.Event()
def hold():
    with c._lock:
        holds.set(); go_on.wait(10)
threading.Thread(target=hold).start()
holds.wait(10)
"""
        + FORK.format(child="c.put('child', 2); c.flush(); c.close()")
        + "go_on.set()"
    )
    assert run(body, tmp_path) == {"k": 1, "child": 2}


def test_one_that_is_gone_is_not_cleared_in_a_child(tmp_path: Path) -> None:
    body = "import gc\nc = new()\nc.close()\ndel c\ngc.collect()" + FORK.format(child="write({'child': 1})")
    assert run(body, tmp_path) == {"child": 1}


# asyncio


class AsyncStore(Store):
    def __init__(self, failures: int = 0) -> None:
        super().__init__(failures)
        self.in_write, self.release, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def awrite(self, batch: Mapping[Any, Any]) -> None:
        if self.stop_next:
            self.stop_next = False
            self.in_write.set()
            await self.release.wait()
        self.write_at_once(batch)
        self.done.set()


def aquiet(store: AsyncStore, **options: Any) -> AsyncCoalescer[Any, Any]:
    return AsyncCoalescer(store.awrite, **{"window": math.inf, "max_keys": 1_000, "close_timeout": LONG, **options})


def test_async_put_during_a_write() -> None:
    async def main() -> None:
        store = AsyncStore()
        async with aquiet(store, merge=add) as coalescer:
            await coalescer.put("k", 1)
            store.stop_next = True
            first = asyncio.create_task(coalescer.flush())
            await store.in_write.wait()
            await coalescer.put("k", 2)
            await coalescer.put("k", 3)
            assert coalescer.peek("k") == 6
            second = asyncio.create_task(coalescer.flush())
            store.release.set()
            assert [await first, await second] == [1, 1]
        # Sums are written one after the other.
        assert store.values == {"k": 5}
        assert coalescer.stats().written == 2

    asyncio.run(main())


def test_async_window_and_half_full(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = AsyncStore(failures=2)
        async with aquiet(store, window=0.005) as coalescer:
            await coalescer.put("k", 1)
            await asyncio.wait_for(store.done.wait(), LONG)
            assert store.values == {"k": 1}
        store = AsyncStore()
        async with aquiet(store, max_keys=4) as coalescer:
            await coalescer.put("a", 1)
            await coalescer.put("b", 1)
            await asyncio.wait_for(store.done.wait(), LONG)
            assert store.values == {"a": 1, "b": 1}

    asyncio.run(main())
    assert caplog.messages == ["a flush of 1 updates failed; they are kept"] * 2


def test_async_room() -> None:
    async def main() -> None:
        store = AsyncStore()
        store.stop_next = True
        async with aquiet(store, max_keys=1) as coalescer:
            await coalescer.put("a", 1)
            await store.in_write.wait()
            await coalescer.put("a", 2)
            with pytest.raises(BacklogFull):
                await coalescer.put("b", 1, timeout=0.01)
            waiting = asyncio.create_task(coalescer.put("b", 3))
            store.release.set()
            await waiting
        assert store.values == {"a": 2, "b": 3}
        store = AsyncStore(failures=1)
        store.stop_next = True
        store.release.set()
        async with aquiet(store, max_keys=1) as coalescer:
            await coalescer.put("a", 1)
            with pytest.raises(FlushFailed):
                await coalescer.put("b", 1)
        assert store.values == {"a": 1}

    asyncio.run(main())


def test_async_flush_function_may_put_but_not_flush() -> None:
    seen: list[dict[str, int]] = []

    async def main() -> None:
        async def write(batch: Mapping[str, int]) -> None:
            seen.append(dict(batch))
            if len(seen) == 1:
                await coalescer.put("more", 1)
                with pytest.raises(RuntimeError, match="inside the flush function"):
                    await coalescer.flush()
                first.set()

        first = asyncio.Event()
        coalescer = AsyncCoalescer(write, window=math.inf, max_keys=1, close_timeout=LONG)
        async with coalescer:
            await coalescer.put("k", 1)
            await asyncio.wait_for(first.wait(), LONG)

    asyncio.run(main())
    assert seen == [{"k": 1}, {"more": 1}]


def test_async_close() -> None:
    async def main() -> None:
        store = AsyncStore(failures=3)
        coalescer = aquiet(store, window=0.001)
        await coalescer.put("k", 1)
        await coalescer.close()
        assert (store.values, store.writes) == ({"k": 1}, 4)
        await coalescer.close()
        with pytest.raises(CoalescerClosed):
            await coalescer.put("k", 2)
        assert asyncio.all_tasks() == {asyncio.current_task()}

        store = AsyncStore(failures=1)
        coalescer = aquiet(store)
        await coalescer.put("k", 1)
        with pytest.raises(FlushFailed) as failed:
            await coalescer.flush()
        assert isinstance(failed.value.__cause__, ConnectionError)
        # Hangs, and is cancelled.
        store.stop_next = True
        coalescer._close_timeout = 0.02
        with pytest.raises(FlushFailed) as raised:
            await coalescer.close()
        assert raised.value.pending == {"k": 1}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("steps", range(12))
def test_async_cancellation_at_every_step(steps: int) -> None:
    """A flush is cancelled after so many turns of the loop; the final value is the last put all the same."""

    async def main() -> None:
        store = AsyncStore()

        async def write(batch: Mapping[str, int]) -> None:
            for _ in range(4):
                await asyncio.sleep(0)
            store.write_at_once(batch)
            for _ in range(4):
                await asyncio.sleep(0)

        async with AsyncCoalescer(write, window=math.inf, max_keys=10, close_timeout=LONG) as coalescer:
            await coalescer.put("a", 1)
            await coalescer.put("b", 1)
            flush = asyncio.create_task(coalescer.flush())
            for _ in range(steps):
                await asyncio.sleep(0)
            await coalescer.put("a", 2)
            flush.cancel()
            await asyncio.wait([flush])
        assert store.values == {"a": 2, "b": 1}

    asyncio.run(main())


def test_async_fork(tmp_path: Path) -> None:
    body = """
import asyncio
from flake8_concurrency.runtime.coalesce import AsyncCoalescer
async def awrite(batch): write(batch)
async def child():
    await c.put("child", 2)
    await c.close()
async def main():
    global c
    c = AsyncCoalescer(awrite, window=60.0, max_keys=10, close_timeout=10.0)
    await c.put("k", 1)
    pid = os.fork()
    if not pid:
        asyncio._set_running_loop(None)
        try:
            asyncio.run(child())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    await c.close()
asyncio.run(main())
"""
    assert run(body, tmp_path) == {"k": 1, "child": 2}
