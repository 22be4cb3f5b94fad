"""CNC803 unnamed-guard."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model import guard_shapes
from flake8_concurrency.rule import Gate, Rule


class UnnamedGuard(Rule):
    """A class guards several attributes with a lock, and nothing says which lock guards what.

    Whoever writes the next method has to find out, and the one who forgets the lock is not told.

    Bad:

        import threading

        class Basket:
            \"\"\"Thread-safe.\"\"\"

            def __init__(self):
                self._lock = threading.Lock()
                self._items = []
                self._total = 0

            def add(self, item, price):
                with self._lock:
                    self._items.append(item)
                    self._total += price

            def report(self):
                with self._lock:
                    return self._items, self._total

    Good:

        import threading

        class Basket:
            \"\"\"Thread-safe.\"\"\"

            def __init__(self):
                self._lock = threading.Lock()
                self._items = []  # guarded-by: _lock
                self._total = 0  # guarded-by: _lock

            def add(self, item, price):
                with self._lock:
                    self._items.append(item)
                    self._total += price

            def report(self):
                with self._lock:
                    return self._items, self._total

    Known limits:
        Opt-in: a matter of taste. An attribute counts as guarded when the lock is held at most of its uses, in two
        methods or more. CNC615 checks the notes.
    """

    code = "CNC803"
    name = "unnamed-guard"
    message = (
        "self.{lock} guards {attributes} in {owner}, and no note says so: write `# guarded-by: {lock}` beside each, and"
        " CNC615 checks it"
    )
    gate = Gate(anchors=guard_shapes.LOCKS, called=False, keeps=re.compile(""))
    enabled = False
    quiet = True

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        info = self.file.definitions.classes[node]
        guarded = self.file.thread_promises.guarded(info)
        for lock in sorted(set(guarded.values())):
            names = sorted(name for name, by in guarded.items() if by == lock)
            if len(names) > 1:
                shown = ", ".join(f"self.{name}" for name in names[:3]) + (" and others" if len(names) > 3 else "")
                self.report(node, lock=lock, attributes=shown, owner=info.name)
