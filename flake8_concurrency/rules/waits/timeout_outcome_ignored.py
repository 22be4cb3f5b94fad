"""CNC212 timeout-outcome-ignored."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import ACQUIRES
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*ACQUIRES)


class TimeoutOutcomeIgnored(Rule):
    """A lock is acquired with a timeout, and nobody asks whether it was.

    After the timeout the code goes on as if it had the lock: two threads are in the critical section, and the release
    at its end fails, or lets go of the other one's lock.

    Bad:

        import threading

        LOCK = threading.Lock()

        def add(entries, entry):
            LOCK.acquire(timeout=5)
            try:
                entries.append(entry)
            finally:
                LOCK.release()

    Good:

        import threading

        LOCK = threading.Lock()

        def add(entries, entry):
            if not LOCK.acquire(timeout=5):
                raise TimeoutError("somebody holds the lock for more than five seconds")
            try:
                entries.append(entry)
            finally:
                LOCK.release()

    Known limits:
        Only locks and semaphores. What `Event.wait` and `Condition.wait` return is dropped by most code that is right,
        because the state itself is tested next.
    """

    code = "CNC212"
    name = "timeout-outcome-ignored"
    message = (
        "{call}() gives up {when} and nobody asks whether it got the lock, so the code goes on without it: test what "
        "it returns"
    )
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS)

    def visit_Expr(self, node: cst.Expr) -> None:
        call = node.value
        if not isinstance(call, cst.Call):
            return
        name = next((name for name in self.file.functions.table_names(call.func) if name in ACQUIRES), None)
        if name is None:
            return
        when = _gives_up(call, "block" if name.startswith("multiprocessing") else "blocking")
        if when and not self._is_asked(call):
            self.report(call, call=name, when=when)

    def _is_asked(self, call: cst.Call) -> bool:
        """Whether the function asks the lock itself: `lock.locked()`."""
        function = self.file.function_of(call)
        return function is not None and any(
            isinstance(other.func, cst.Attribute) and other.func.attr.value == "locked" for other in function.calls
        )


def _gives_up(call: cst.Call, switch: str) -> str:
    """When an acquire gives up; empty for one that waits, or may."""
    blocking = argument(call, 0, switch)
    if blocking is not None and literal(blocking) == (False,):
        return "at once"
    timeout = argument(call, 1, "timeout")
    if timeout is None or isinstance(timeout, cst.UnaryOperation) or literal(timeout) == (None,):
        return ""
    return "after its timeout"
