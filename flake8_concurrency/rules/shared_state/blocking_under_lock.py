"""CNC606 blocking-under-lock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.locked_blocking import answers, asks
from flake8_concurrency.rule import Gate, Rule


class BlockingUnderLock(Rule):
    """Something is waited for, the network or a sleep, while a lock for threads is held.

    Every thread that wants the lock waits as long, and when the other end hangs, all of them do.

    Bad:

        import threading
        import time

        class Rates:
            def __init__(self):
                self._lock = threading.Lock()
                self._rates = {}

            def rate(self, currency):
                with self._lock:
                    time.sleep(1)
                    return self._rates[currency]

    Good:

        import threading
        import time

        class Rates:
            def __init__(self):
                self._lock = threading.Lock()
                self._rates = {}

            def rate(self, currency):
                time.sleep(1)
                with self._lock:
                    return self._rates[currency]

    Known limits:
        Opt-in: whether the others can wait, the file does not tell. Locks whose names say that they let one thread at a
        time do what is slow (`_send_lock`, `_connection_lock`) are silent. Calls are followed one step.
    """

    code = "CNC606"
    name = "blocking-under-lock"
    message = (
        "{lock} is held while {what} waits{through}: every thread that wants the lock waits as long;"
        " do it before or after, and take the lock for the result only"
    )
    gate = Gate(anchors=frozenset({"Lock", "RLock", "Condition", "allocate_lock", "mutex"}), asks=asks, answers=answers)
    enabled = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for blocked in self.file.locked_blocking.by(self.file.definitions.functions[node]):
            through = "" if blocked.through is None else f" in {blocked.through.qualified_name}()"
            self.report(blocked.node, lock=str(blocked.lock), what=blocked.leaf.name, through=through)
