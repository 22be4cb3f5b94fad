"""CNC802 false-thread-safety-claim."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model import thread_promises
from flake8_concurrency.rule import Gate, Rule


class FalseThreadSafetyClaim(Rule):
    """The docstring of a class says that it is thread-safe, and a method changes the object without a lock.

    Others rely on the docstring and share the object between threads. Two of them change it at once, and an update is
    lost.

    Bad:

        class Counter:
            \"\"\"A thread-safe counter.\"\"\"

            def __init__(self):
                self.value = 0

            def increment(self):
                self.value += 1

    Good:

        import threading

        class Counter:
            \"\"\"A thread-safe counter.\"\"\"

            def __init__(self):
                self.value = 0
                self._lock = threading.Lock()

            def increment(self):
                with self._lock:
                    self.value += 1

    Good:

        class Counter:
            \"\"\"A counter for one thread; it is not thread-safe.\"\"\"

            def __init__(self):
                self.value = 0

            def increment(self):
                self.value += 1

    Known limits:
        A claim is a sentence with "thread-safe" or "safe to use from several threads" in it, and no word that denies or
        limits it. Reported are changes that take several steps: `+=`, a value made from the old one, a test and a
        write. A new value that replaces the old one at once, and what one method of a list, dict, set or deque does,
        is atomic and silent, as are constructors, what begins or ends the object's life, and everything under a lock.
    """

    code = "CNC802"
    name = "false-thread-safety-claim"
    message = (
        "{owner} says it is {claim}, but {method}() changes self.{attribute} in several steps without a lock: hold a"
        " threading.Lock() around them, or say that it is for one thread"
    )
    gate = Gate(
        anchors=thread_promises.CLAIMING,
        asks=thread_promises.asks_claim,
        answers=thread_promises.answers_claim,
        # Every method of the class counts.
        keeps=re.compile(""),
    )
    quiet = True

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        info = self.file.definitions.classes[node]
        for breach in self.file.thread_promises.breaches(info):
            access = breach.access
            self.report(
                access.node,
                owner=info.name,
                claim=breach.claim,
                method=access.function.name,
                attribute=access.node.attr.value,
            )
