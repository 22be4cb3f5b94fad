"""Brings threads into the order in which a page's example goes wrong, with real locks and no sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

from flake8_concurrency import catalogue

#: Seconds after which a thread that gets no further gives up: what it waits for never comes.
STUCK = 1
PAGES = {rule.code: catalogue.page(rule) for rule in catalogue.rules()}


class StuckError(Exception):
    """A lock did not come."""


class Meeting:
    """Where threads wait until each of them has come as far, waits for a lock, or is done."""

    def __init__(self, parties: int = 2) -> None:
        self._parties = parties
        self._changed = threading.Condition()
        self._there: set[int] = set()

    def note(self) -> None:
        """This thread is there, or cannot come."""
        with self._changed:
            self._there.add(threading.get_ident())
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait for the others."""
        self.note()
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._there) >= self._parties, timeout=STUCK)


class WatchedLock:
    """A lock of threads. Who has taken one waits for the others; who waits for one longer than that is stuck."""

    def __init__(self, meeting: Meeting) -> None:
        self._lock = threading.Lock()
        self._meeting = meeting

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._meeting.note()
            if not self._lock.acquire(timeout=STUCK):
                raise StuckError
        self._meeting.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.release()


def example(code: str, heading: Literal["bad", "good"], number: int) -> dict[str, Any]:
    """What an example of a page defines."""
    blocks: tuple[str, ...] = getattr(PAGES[code], heading)
    namespace: dict[str, Any] = {}
    exec(blocks[number - 1], namespace)
    return namespace


def together(*works: Callable[[], object], meeting: Meeting) -> list[Exception]:
    """Run each in a thread of its own; the errors that they end with."""
    errors: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except (StuckError, AssertionError, RuntimeError) as error:
            errors.append(error)
        finally:
            meeting.note()

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=3 * STUCK)
        assert not thread.is_alive()
    return errors
