"""CNC615 guarded-by."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model import guard_shapes
from flake8_concurrency.rule import Gate, Rule


class GuardedBy(Rule):
    """An attribute is used without the lock that a note says guards it.

    The note is a promise to whoever changes the class next. Where it is broken, another thread changes the attribute
    at the same time.

    Bad:

        import threading

        class Account:
            def __init__(self):
                self._lock = threading.Lock()
                self.balance = 0  # guarded-by: _lock

            def pay(self, amount):
                with self._lock:
                    self.balance -= amount

            def report(self):
                return f"{self.balance} left"

    Bad:

        import threading
        from typing import Annotated
        from flake8_concurrency.runtime.guard import GuardedBy, guarded, requires_lock

        @guarded
        class Account:
            balance: Annotated[int, GuardedBy("_lock")]

            def __init__(self):
                self._lock = threading.RLock()
                self.balance = 0

            @requires_lock("_lock")
            def _add(self, amount):
                self.balance += amount

            def deposit(self, amount):
                self._add(amount)

    Good:

        import threading

        class Account:
            def __init__(self):
                self._lock = threading.Lock()
                self.balance = 0  # guarded-by: _lock

            def pay(self, amount):
                with self._lock:
                    self.balance -= amount

            def report(self):
                with self._lock:
                    return f"{self.balance} left"

    Good:

        import threading
        from typing import Annotated
        from flake8_concurrency.runtime.guard import GuardedBy, guarded, requires_lock

        @guarded
        class Account:
            balance: Annotated[int, GuardedBy("_lock")]

            def __init__(self):
                self._lock = threading.RLock()
                self.balance = 0

            @requires_lock("_lock")
            def _add(self, amount):
                self.balance += amount

            def deposit(self, amount):
                with self._lock:
                    self._add(amount)

    Known limits:
        Notes are comments on the assignment or above it ("guarded-by: _lock", "Protected by self._lock"), a marker
        `GuardedBy("_lock")` in an annotation, `guarded_by("_lock")` as the value, and `@requires_lock("_lock")` on a
        method; the lock must be one that the class is seen to make. Silent are constructors and what only they call,
        methods that all callers call under the lock or whose name or docstring says so, and a read that is made again
        under the lock. Uses outside of the class are not looked at; the checks of `flake8_concurrency.runtime.guard`
        see those while tests run.
    """

    code = "CNC615"
    name = "guarded-by"
    message = "{what} without self.{lock}, which guards it by its note: hold the lock, or correct the note"
    gate = Gate(
        anchors=guard_shapes.NOTES,
        context=(guard_shapes.LOCKS, guard_shapes.NOTING, guard_shapes.PACKAGES),
        asks=guard_shapes.asks_note,
        answers=guard_shapes.answers_note,
        keeps=re.compile(""),
        text=guard_shapes.NOTE,
    )

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        for broken in self.file.guard_notes.broken(self.file.definitions.classes[node]):
            name = broken.access.node.attr.value
            done = "called" if broken.is_method else "written" if broken.access.is_write else "read"
            what = f"self.{name}{'()' if broken.is_method else ''} is {done}"
            self.report(broken.access.node, what=what, lock=broken.lock)
