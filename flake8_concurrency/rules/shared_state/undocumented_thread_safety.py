"""CNC801 undocumented-thread-safety."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model import guard_shapes
from flake8_concurrency.rule import Gate, Rule


class UndocumentedThreadSafety(Rule):
    """A public class has to do with threads, and its docstring doesn't say what it promises to them.

    Whoever uses it has to read all of it to know whether an object may be shared, and guesses.

    Bad:

        import threading

        class Counter:
            \"\"\"Counts.\"\"\"

            def __init__(self):
                self._lock = threading.Lock()
                self._value = 0

            def increment(self):
                with self._lock:
                    self._value += 1

    Good:

        import threading

        class Counter:
            \"\"\"Counts. Thread-safe: all methods may be called from any thread.\"\"\"

            def __init__(self):
                self._lock = threading.Lock()
                self._value = 0

            def increment(self):
                with self._lock:
                    self._value += 1

    Good:

        import threading
        from flake8_concurrency.runtime import thread_safe

        @thread_safe("all methods may be called from any thread")
        class Counter:
            \"\"\"Counts.\"\"\"

            def __init__(self):
                self._lock = threading.Lock()
                self._value = 0

            def increment(self):
                with self._lock:
                    self._value += 1

    Known limits:
        Opt-in: a matter of taste. A class counts that makes a lock, derives from Thread, or starts threads or a pool of
        them. One without a docstring is another linter's matter; a docstring with "thread", "lock", "concurrent",
        "parallel", "race" or "synchronise" in it says enough.
    """

    code = "CNC801"
    name = "undocumented-thread-safety"
    message = (
        "{owner} {what}, and its docstring does not say what it promises to threads: say whether an object may be"
        " shared, or decorate the class with flake8_concurrency.runtime.thread_safe or not_thread_safe"
    )
    gate = Gate(
        anchors=guard_shapes.LOCKS | guard_shapes.STARTERS,
        called=False,
        keeps=re.compile(""),
    )
    enabled = False
    quiet = True

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        info = self.file.definitions.classes[node]
        if node.name.value.startswith("_") or not self.file.thread_promises.is_silent(info):
            return
        what = self.file.thread_promises.owns(info)
        if what:
            self.report(node, owner=info.name, what=what)
