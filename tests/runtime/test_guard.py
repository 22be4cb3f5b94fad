"""The notes of guard.py, checked and switched off; the naive check, `lock.locked()`, stands beside."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import pytest

from flake8_concurrency.runtime import guard
from flake8_concurrency.runtime.errors import LockOrderError, NotGuarded
from flake8_concurrency.runtime.guard import (
    GuardedBy,
    OwnedLock,
    ThreadSafety,
    guarded,
    guarded_by,
    not_thread_safe,
    requires_lock,
    thread_safe,
    thread_safety,
)

if TYPE_CHECKING:
    from decimal import Decimal  # an annotation's name that does not exist at run time

pytestmark = pytest.mark.timeout(20)

T = TypeVar("T")

# The classes of this module, which pickle has to find, are checked.
_before = guard.checks()
guard.checks(True)


class Account:
    balance: int = guarded_by("_lock")

    def __init__(self, balance: int = 0) -> None:
        self._lock = threading.RLock()
        self.balance = balance
        self.balance += 0

    def deposit(self, amount: int) -> int:
        with self._lock:
            return self._add(amount)

    @requires_lock("_lock")
    def _add(self, amount: int) -> int:
        """Add."""
        self.balance += amount
        return self.balance

    def __getstate__(self) -> dict[str, object]:
        with self._lock:
            return {"balance": self.balance}

    def __setstate__(self, state: dict[str, int]) -> None:
        self._lock = threading.RLock()
        self.balance = state["balance"]


@guarded
class Slotted:
    __slots__ = ("_lock", "balance")

    balance: Annotated[int, GuardedBy("_lock")]

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        with self._lock:
            return None, {"balance": self.balance}

    def __init__(self) -> None:
        self._lock = OwnedLock(1)
        self.balance = 7


guard.checks(_before)


@pytest.fixture(autouse=True)
def checked() -> Iterator[None]:
    guard.checks(True)
    yield
    guard._switched.clear()


def elsewhere(call: Callable[[], T]) -> T:
    """The result of a call in another thread."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - for the caller
            future.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return future.result(timeout=0)


def use(account: Any) -> list[Callable[[], object]]:
    return [
        lambda: account.balance,
        lambda: setattr(account, "balance", 1),
        lambda: delattr(account, "balance"),
    ]


def test_under_the_lock_everything_is_allowed() -> None:
    account = Account(3)
    assert 5 == account.deposit(2)
    assert 6 == elsewhere(lambda: account.deposit(1))
    with account._lock:
        del account.balance
        with pytest.raises(AttributeError, match="'Account' object has no attribute 'balance'"):
            _ = account.balance
        with pytest.raises(AttributeError, match="balance"):
            del account.balance


@pytest.mark.parametrize("which", range(3))
def test_unguarded_access_raises_in_another_thread_and_in_this_one(which: int) -> None:
    account = Account(3)
    with pytest.raises(NotGuarded, match="balance of Account is guarded by _lock, which thread 'Thread-"):
        elsewhere(use(account)[which])
    with pytest.raises(NotGuarded, match="which thread 'MainThread' does not hold"):
        use(account)[which]()
    assert 3 == account.deposit(0)


@pytest.mark.parametrize("lock", [threading.RLock, threading.Condition, lambda: OwnedLock(1)])
def test_a_lock_that_another_thread_holds_does_not_count(lock: Callable[[], Any]) -> None:
    account = Account(3)
    account._lock = lock()
    with account._lock:
        assert 3 == account.balance
        with pytest.raises(NotGuarded):
            elsewhere(lambda: account.balance)


def test_control_a_plain_lock_cannot_tell_who_holds_it_and_is_refused() -> None:
    naive = threading.Lock()
    with naive:
        assert elsewhere(naive.locked), "asked in another thread, it says yes: the naive check lets the race through"
    account = Account(3)
    account._lock = naive  # type: ignore[assignment]
    with naive, pytest.raises(TypeError, match="_lock is a lock, which does not know who holds it: RLock or OwnedLock"):
        _ = account.balance


def test_a_missing_lock_is_named() -> None:
    account = Account()
    del account._lock
    with pytest.raises(NotGuarded, match="guarded by _lock, which Account does not have"):
        _ = account.balance
    with pytest.raises(NotGuarded):
        account.balance = 1  # it has a value: this is no construction


def test_construction_needs_no_lock_but_a_thread_it_starts_does() -> None:
    caught: list[BaseException] = []

    class Eager(Account):
        def __init__(self) -> None:
            super().__init__(1)
            self._fill()
            with pytest.raises(NotGuarded) as error:
                elsewhere(self._fill)
            caught.append(error.value)

        def _fill(self) -> None:
            self.balance += 1

    eager = Eager()
    assert [NotGuarded] == [type(error) for error in caught]
    with pytest.raises(NotGuarded):
        eager._fill()
    assert 2 == eager.deposit(0)


def test_construction_may_come_before_the_lock() -> None:
    class Late(Account):
        def __init__(self) -> None:
            self.balance = 1
            self.balance += 1
            self._lock = threading.RLock()

    assert 2 == Late().deposit(0)


def test_an_object_made_by_new_and_deleted_by_del() -> None:
    seen: list[int] = []

    class Made:
        balance: int = guarded_by("_lock")
        _lock: Any

        def __new__(cls) -> Self:
            made = super().__new__(cls)
            made._lock = threading.RLock()
            made.balance = 1
            return made

        def __del__(self) -> None:
            seen.append(self.balance)

    made = Made()
    with pytest.raises(NotGuarded):
        _ = made.balance
    del made
    assert [1] == seen


def test_the_construction_of_another_object_is_no_excuse() -> None:
    account = Account()

    class Other:
        def __init__(self, it: Account) -> None:
            self.balance = it.balance

    class Bare:
        def __init__(*args: Account) -> None:
            _ = args[1].balance

    for other in (Other, Bare):
        with pytest.raises(NotGuarded):
            other(account)


def test_subclasses_inherit_and_private_locks_are_those_of_the_class_that_says_so() -> None:
    class Private:
        balance: int = guarded_by("__lock", default=5)

        def __init__(self) -> None:
            self.__lock = threading.RLock()

        def locked(self, call: Callable[[], T]) -> T:
            with self.__lock:
                return call()

        @requires_lock("__lock")
        def double(self) -> int:
            return self.balance * 2

    class _Child(Private):
        def __init__(self) -> None:
            super().__init__()
            self.__lock = threading.RLock()

        def wrong(self) -> int:
            with self.__lock:
                return self.balance

    child = _Child()
    assert 5 == child.locked(lambda: child.balance)
    assert 10 == child.locked(child.double)
    assert 5 == _Child.balance
    for call in (child.wrong, child.double):
        with pytest.raises(NotGuarded):
            call()


def test_dataclasses_with_and_without_a_default() -> None:
    @dataclasses.dataclass
    class Point:
        x: int = guarded_by("lock")
        y: int = guarded_by("lock", default=2)
        lock: OwnedLock = dataclasses.field(default_factory=lambda: OwnedLock(1), compare=False, repr=False)

        def __post_init__(self) -> None:
            self.x += 0

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()
    point = Point(1)
    with point.lock:
        assert (1, 2) == (point.x, point.y)
        assert {"x": 1, "y": 2} == {name: value for name, value in vars(point).items() if name != "lock"}
        assert repr(point).endswith("Point(x=1, y=2)")
    with pytest.raises(NotGuarded):
        elsewhere(lambda: repr(point))


def test_a_dataclass_with_slots_uses_the_marker() -> None:
    @guarded
    @dataclasses.dataclass(slots=True)
    class Point:
        lock: OwnedLock
        x: Annotated[int, "seconds", GuardedBy("lock")]
        y: Annotated[int, GuardedBy("lock")] = 2
        free: int = 0

    lock = OwnedLock(1)
    point = Point(lock, 1)
    assert 0 == point.free
    with lock:
        point.x += point.y
        assert (3, 2) == (point.x, point.y)
        del point.x
    with pytest.raises(NotGuarded):
        _ = point.y


def test_the_descriptor_and_written_slots_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="'x' in __slots__ conflicts with class variable"):

        class Point:
            __slots__ = ("x",)
            x: int = guarded_by("lock")


def test_the_marker_counts_in_base_classes_and_where_names_are_for_type_checkers() -> None:
    class Base:
        first: Annotated[int, GuardedBy("_lock")] = 1
        price: Annotated[Decimal, GuardedBy("_lock")]
        free: Decimal
        other: Annotated[Decimal | int, guard.GuardedBy("__lock")]

        def __init__(self) -> None:
            self._lock = self.__lock = threading.RLock()
            self.other = 3

    @guarded
    class Child(Base): ...

    child = guarded(Child)()
    for name in ("first", "price", "other"):
        with pytest.raises(NotGuarded, match=f"{name} of "):
            getattr(child, name)
    with child._lock:
        assert (1, 3) == (child.first, child.other)
    assert not hasattr(child, "free")
    assert 1 == Base().first, "the base class itself was not decorated"


def test_pickling() -> None:
    account = pickle.loads(pickle.dumps(Account(4)))
    assert 4 == account.deposit(0)
    with pytest.raises(NotGuarded):
        _ = account.balance
    # Here the pickle module itself sets the value, and there is no lock yet.
    slotted = pickle.loads(pickle.dumps(Slotted()))
    with pytest.raises(NotGuarded, match="which Slotted does not have"):
        _ = slotted.balance
    with pytest.raises(NotGuarded):
        slotted.balance = 1
    slotted._lock = OwnedLock(1)
    with slotted._lock:
        assert 7 == slotted.balance


def test_requires_lock() -> None:
    account = Account()
    with pytest.raises(NotGuarded, match=r"_add\(\) of Account is guarded by _lock"):
        account._add(1)
    assert "Add." == Account._add.__doc__
    with account._lock, pytest.raises(NotGuarded):
        elsewhere(lambda: account._add(1))


def test_requires_lock_of_coroutine_functions_is_checked_when_awaited() -> None:
    class Service:
        lock = threading.RLock()

        @requires_lock("lock")
        async def add(self) -> int:
            return 1

    def run() -> int:
        with pytest.raises(StopIteration) as stopped:
            Service().add().send(None)
        return int(stopped.value.value)

    with Service.lock:
        assert 1 == run()
    with pytest.raises(NotGuarded):
        run()


def test_requires_lock_refuses_generators() -> None:
    def numbers(self: object) -> Iterator[int]:
        yield 1

    async def later(self: object) -> Any:
        yield  # pragma: no cover

    for function in (numbers, later):
        with pytest.raises(TypeError, match="is a generator: its body runs after the check"):
            requires_lock("lock")(function)
    assert [1] == list(numbers(None))


def test_off_nothing_is_left() -> None:
    guard.checks(False)

    def method(self: object) -> None: ...

    class Plain:
        x: int = guarded_by("lock")
        y: int = guarded_by("lock", default=2)
        z: Annotated[int, GuardedBy("lock")] = 3

    assert guarded(Plain) is Plain
    assert requires_lock("lock")(method) is method
    assert {"y": 2, "z": 3} == {name: vars(Plain)[name] for name in "xyz" if name in vars(Plain)}
    plain = Plain()
    plain.x = 1
    assert {"x": 1} == vars(plain)
    assert 1 == elsewhere(lambda: plain.x)
    with pytest.raises(TypeError, match="generator"):  # in both states: a test run is not the first to hear of it
        requires_lock("lock")(lambda self: (yield))


@pytest.mark.parametrize(("value", "expected"), [(None, "False"), ("", "False"), ("0", "False"), ("1", "True")])
def test_the_environment_is_the_switch(value: str | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard._switched.clear()
    if value is None:
        monkeypatch.delenv(guard.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(guard.VARIABLE, value)
    assert expected == str(guard.checks())


def test_the_core_is_enough() -> None:
    code = "import sys, flake8_concurrency.runtime.guard; print([m for m in sys.modules if m.startswith('libcst')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert "[]" == ran.stdout.strip()


def test_thread_safety_is_written_down() -> None:
    @thread_safe("every method takes the lock")
    class Shared:
        """A thing.

        With details.
        """

    class Child(Shared): ...

    @not_thread_safe("one per thread")
    def function() -> None: ...

    assert ThreadSafety(safe=True, doc="every method takes the lock") == thread_safety(Shared)
    assert "A thing.\n\nWith details.\n\nThread-safe: every method takes the lock" == Shared.__doc__
    assert thread_safety(Child) is None
    assert ThreadSafety(safe=False, doc="one per thread") == thread_safety(function)
    assert "Not thread-safe: one per thread" == function.__doc__


def test_owned_lock_knows_its_owner() -> None:
    lock = OwnedLock(1, name="accounts")
    assert not lock.locked()
    with lock:
        assert lock.locked()
        assert lock.held()
        assert not elsewhere(lock.held)
        assert elsewhere(lock.locked)
        with pytest.raises(RuntimeError, match=r"OwnedLock\(1, name='accounts'\) is not held by this thread"):
            elsewhere(lock.release)
        assert not elsewhere(lambda: lock.acquire(blocking=False))
        assert not elsewhere(lambda: lock.acquire(timeout=0.001))
    assert not lock.held()
    with pytest.raises(RuntimeError):
        lock.release()
    with pytest.raises(TypeError):
        pickle.dumps(lock)


def test_locks_are_taken_in_the_order_of_their_rank() -> None:
    first, second, also_second = OwnedLock(1), OwnedLock(2), OwnedLock(2)
    with first, second:
        assert elsewhere(lambda: first.held() or second.held()) is False
        with pytest.raises(LockOrderError, match=r"OwnedLock\(2, name=''\) is taken after OwnedLock\(2"):
            also_second.acquire()
        assert also_second.acquire(blocking=False), "what does not wait cannot deadlock"
        also_second.release()
    with second:
        with pytest.raises(LockOrderError):
            first.acquire()
        with pytest.raises(LockOrderError):
            second.acquire()
        assert not first.locked()
    with first:  # released out of order
        second.acquire()
        first.release()
        second.release()
        first.acquire()


def test_control_plain_locks_in_both_orders_deadlock_and_ranks_raise_instead() -> None:
    def both(one: Any, other: Any, barrier: threading.Barrier, stuck: list[BaseException]) -> None:
        with one:
            barrier.wait(5)  # each thread has its first lock
            try:
                assert not other.acquire(timeout=0.05)
                stuck.append(TimeoutError())
            except LockOrderError as error:
                stuck.append(error)
            barrier.wait(5)  # neither gives its first lock back before the other has tried
            assert stuck

    def run(first: Any, second: Any) -> list[BaseException]:
        stuck: list[BaseException] = []
        barrier = threading.Barrier(2)
        thread = threading.Thread(target=both, args=(second, first, barrier, stuck))
        thread.start()
        both(first, second, barrier, stuck)
        thread.join()
        return stuck

    assert [TimeoutError, TimeoutError] == [type(error) for error in run(threading.Lock(), threading.Lock())]
    assert LockOrderError in {type(error) for error in run(OwnedLock(1), OwnedLock(2))}


def test_owned_lock_in_a_condition() -> None:
    condition = threading.Condition(OwnedLock(1))  # type: ignore[arg-type]
    with condition:
        assert not condition.wait(timeout=0.001)

        def wake() -> None:
            with condition:
                condition.notify()

        thread = threading.Thread(target=wake)
        thread.start()
        assert condition.wait(timeout=10)
    thread.join()
