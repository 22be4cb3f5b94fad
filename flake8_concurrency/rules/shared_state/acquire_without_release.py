"""CNC602 acquire-without-release."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

_LOCKS = frozenset({"import threading", "import multiprocessing", "import queue", "import asyncio", "Lock"})


class AcquireWithoutRelease(Rule):
    """A lock is acquired, and released only if nothing fails in between.

    An exception on the way leaves it locked. Nobody ever gets it again: every thread that comes here waits for ever,
    and the traceback is of somewhere else.

    Bad:

        import threading

        class Store:
            def __init__(self):
                self._lock = threading.Lock()
                self._rows = {}

            def load(self, key, fetch):
                if self._lock.acquire(timeout=5):
                    self._rows[key] = fetch(key)
                    self._lock.release()

    Good:

        import threading

        class Store:
            def __init__(self):
                self._lock = threading.Lock()
                self._rows = {}

            def load(self, key, fetch):
                with self._lock:
                    self._rows[key] = fetch(key)

    Good:

        import threading

        class Store:
            def __init__(self):
                self._lock = threading.Lock()
                self._rows = {}

            def load(self, key, fetch):
                if self._lock.acquire(timeout=5):
                    try:
                        self._rows[key] = fetch(key)
                    finally:
                        self._lock.release()

    Known limits:
        Reported where the same function releases the lock further down, in no `finally` and no `except`, and calls
        something before that may fail. A lock that another function or a callback releases, a semaphore, and one that
        the callers hold and the function lets go of for a while are silent.
    """

    code = "CNC602"
    name = "acquire-without-release"
    message = (
        "{lock} is acquired here and released on line {line}, which an exception on line {risk} skips: it stays locked"
        " for ever; use `with`, or release it in a finally right after"
    )
    gate = Gate(anchors=frozenset({"acquire"}), needs={"acquire": _LOCKS}, awaited=True)

    def visit_Call(self, node: cst.Call) -> None:
        unsafe = self.file.unsafe_releases.after(node)
        if unsafe is not None:
            line, risk = self.file.line(unsafe.release), self.file.line(unsafe.risk)
            self.report(node, lock=str(unsafe.lock), line=line, risk=risk)
