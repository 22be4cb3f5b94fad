"""CNC612 thread-started-in-constructor."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model.early_threads import answers, asks
from flake8_concurrency.rule import Gate, Rule


class ThreadStartedInConstructor(Rule):
    """A constructor starts a thread before it has given the object all that the thread reads.

    The thread may run at once, and find no such attribute yet: AttributeError in a thread that nobody watches, once in
    a while.

    Bad:

        import threading

        class Poller:
            def __init__(self, source):
                self.source = source
                self._thread = threading.Thread(target=self._poll, daemon=True)
                self._thread.start()
                self.seen = []

            def _poll(self):
                for item in self.source:
                    self.seen.append(item)

    Good:

        import threading

        class Poller:
            def __init__(self, source):
                self.source = source
                self.seen = []
                self._thread = threading.Thread(target=self._poll, daemon=True)
                self._thread.start()

            def _poll(self):
                for item in self.source:
                    self.seen.append(item)

    Good:

        import threading

        class Poller:
            def __init__(self, source):
                self.source = source
                self.seen = []
                self._thread = threading.Thread(target=self._poll, daemon=True)

            def start(self):
                self._thread.start()

            def _poll(self):
                for item in self.source:
                    self.seen.append(item)

    Known limits:
        Reported only where the method that the thread runs, or one of the object's methods that it calls, reads an
        attribute that the constructor assigns after the start, and that nothing gives the object before. What a derived
        class adds later is not looked at.
    """

    code = "CNC612"
    name = "thread-started-in-constructor"
    message = (
        "the thread that starts here runs {work}(), which reads self.{attribute}: that is only assigned on line {line};"
        " start the thread last, or in a method of its own"
    )
    gate = Gate(
        anchors=frozenset({"Thread", "Timer"}),
        context=(frozenset({"import threading"}),),
        asks=asks,
        answers=answers,
        where=frozenset({"start"}),
        # What a class derived from Thread runs: nothing calls it by its name.
        keeps=re.compile(r"def run\("),
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for early in self.file.early_threads.started_by(self.file.definitions.functions[node]):
            self.report(
                early.start,
                work=early.work.qualified_name,
                attribute=early.attribute,
                line=self.file.line(early.assigned),
            )
