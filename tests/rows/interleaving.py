"""Two callers of one function in the one order that matters: the second overtakes the first just before its write.

The first runs until it is about to send its first INSERT, UPDATE or DELETE, and stops there. The second then runs until
it is through, or until the server says that it waits for a lock; only then does the first go on. Nothing depends on
how fast anything is.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

#: Seconds that anything may take which is expected to happen; a test only ever waits that long to fail.
SOON = 20.0
_WRITE = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|WITH\b.*\b(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM))\b", re.DOTALL
)
_current = threading.local()


class Caller:
    """One of the two: what it sent, what it returned or raised, and whether the other let it wait."""

    def __init__(self, call: Callable[[], object], *, stops: bool) -> None:
        self.statements: list[str] = []
        self.result: Any = None
        self.error: BaseException | None = None
        self.waited = False
        self.backend: int | None = None
        self.at_write, self.may_write = threading.Event(), threading.Event()
        self.ended = threading.Event()
        self._call = call
        if not stops:
            self.may_write.set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(SOON)
        assert not self._thread.is_alive(), f"hangs after {self.statements}"

    def _run(self) -> None:
        _current.caller = self
        try:
            self.result = self._call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error
        finally:
            self.ended.set()
            self.at_write.set()

    def sends(self, statement: str, backend: int) -> None:
        """Called before each statement, in the caller's own thread."""
        self.backend = backend
        if _WRITE.match(statement):
            self.stop()
        self.statements.append(statement)

    def stop(self) -> None:
        """Wait here, the first time, until the other has overtaken."""
        self.at_write.set()
        assert self.may_write.wait(SOON), "nobody lets it write"

    @property
    def wrote(self) -> bool:
        return any(map(_WRITE.match, self.statements))


def sends(statement: str, connection: psycopg.Connection[Any]) -> None:
    """What the hooks of Django, SQLAlchemy and psycopg call before each statement."""
    caller: Caller | None = getattr(_current, "caller", None)
    if caller is not None:
        caller.sends(statement, connection.info.backend_pid)


def ends() -> None:
    """What is called before the owner of a session ends its transaction: who has written nothing stops there."""
    caller: Caller | None = getattr(_current, "caller", None)
    if caller is not None:
        caller.stop()


class WatchedCursor(psycopg.Cursor[Any]):
    """A cursor of psycopg that tells before it sends."""

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> WatchedCursor:
        sends(str(query), self.connection)
        super().execute(query, params, **kwargs)
        return self


class Overtaken:
    """Both callers, after the second has overtaken the first."""

    def __init__(self, first: Caller, second: Caller) -> None:
        self.first, self.second = first, second

    @property
    def results(self) -> list[Any]:
        for caller in (self.first, self.second):
            if caller.error is not None:
                raise caller.error
        return [self.first.result, self.second.result]

    @property
    def statements(self) -> list[str]:
        return [*self.first.statements, *self.second.statements]


def overtake(call: Callable[[], object], observer: psycopg.Connection[Any]) -> Overtaken:
    """Run two calls so that the second overtakes the first before its first write."""
    first, second = Caller(call, stops=True), Caller(call, stops=False)
    first.start()
    try:
        assert first.at_write.wait(SOON)
        assert not first.ended.is_set(), f"it ended without a write: {first.error!r} after {first.statements}"
        second.start()
        deadline = time.monotonic() + SOON
        while not second.ended.wait(0.002):
            assert time.monotonic() < deadline, f"neither through nor waiting after {second.statements}"
            if _waits(second, observer):
                second.waited = True
                break
    finally:
        first.may_write.set()
    first.join()
    second.join()
    return Overtaken(first, second)


def _waits(caller: Caller, observer: psycopg.Connection[Any]) -> bool:
    """Whether the server says that a caller waits for a lock that another holds."""
    if caller.backend is None:
        return False
    row = observer.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (caller.backend,)).fetchone()
    return row is not None and bool(row[0])
