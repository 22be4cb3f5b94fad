"""What the pages of CNC601, 604 and 605 call bad, with real threads: it loses or hangs; the good forms do not."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Literal

import pytest

from tests.shared_state.meeting import STUCK, Meeting, StuckError, WatchedLock, example, together


def account_of(page: dict[str, Any], meeting: Meeting) -> Any:
    """An account that lets the others come before it answers what is in it."""

    base: Any = page["Account"]

    class Account(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.stored = 0
            super().__init__()
            if hasattr(self, "_lock"):
                self._lock = WatchedLock(Meeting(parties=1))

        @property
        def balance(self) -> int:
            found = self.stored
            meeting.wait()
            return found

        @balance.setter
        def balance(self, amount: int) -> None:
            self.stored = amount

    return Account()


@pytest.mark.parametrize(("number", "left"), [(1, 7), (2, 7)])
def test_601_a_lock_of_ones_own_loses_a_deposit(number: int, left: int) -> None:
    meeting = Meeting()
    account = account_of(example("CNC601", "bad", number), meeting)
    errors = together(lambda: account.deposit(left), lambda: account.deposit(left), meeting=meeting)
    assert (errors, account.stored) == ([], left)


def test_601_one_lock_for_all_keeps_both_deposits() -> None:
    meeting = Meeting()
    account = account_of(example("CNC601", "good", 1), meeting)
    account._lock = WaitsBefore(meeting)
    errors = together(lambda: account.deposit(7), lambda: account.deposit(7), meeting=meeting)
    assert (errors, account.stored) == ([], 14)


class WaitsBefore(WatchedLock):
    """A lock whose waiting threads count as there; who has it goes on."""

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._meeting.note()
            if not self._lock.acquire(timeout=STUCK):
                raise StuckError


@pytest.mark.parametrize(("heading", "stuck"), [("bad", True), ("good", False)])
def test_604_two_orders_end_in_a_deadlock(heading: Literal["bad", "good"], stuck: bool) -> None:
    meeting = Meeting()
    bank = example("CNC604", heading, 1)["Bank"]()
    bank._accounts, bank._journal = WatchedLock(meeting), WatchedLock(meeting)
    errors = together(lambda: bank.book("entry"), bank.audit, meeting=meeting)
    assert any(isinstance(error, StuckError) for error in errors) is stuck
    assert stuck or not errors


@pytest.mark.parametrize(("heading", "number", "stuck"), [("bad", 1, True), ("good", 1, False), ("good", 2, False)])
def test_605_a_thread_waits_for_itself(heading: Literal["bad", "good"], number: int, stuck: bool) -> None:
    account = example("CNC605", heading, number)["Account"]()

    def deposit() -> None:
        # Released from outside, the lock cannot be released once more.
        with contextlib.suppress(RuntimeError):
            account.deposit(7)

    thread = threading.Thread(target=deposit, daemon=True)
    thread.start()
    thread.join(timeout=STUCK / 2)
    assert thread.is_alive() is stuck
    if stuck:
        # Whoever lets go of the lock shows that it was all that the thread waited for.
        account._lock.release()
        thread.join(timeout=STUCK)
        assert not thread.is_alive()
