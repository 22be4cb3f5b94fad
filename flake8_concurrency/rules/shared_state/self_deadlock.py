"""CNC605 self-deadlock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.held_shapes import may_take_again
from flake8_concurrency.model.lock_nesting import Reached
from flake8_concurrency.rule import Gate, Rule


class SelfDeadlock(Rule):
    """A function that holds a lock waits for the same lock again, itself or in what it calls.

    A Lock lets nobody in twice, not even the thread that holds it: the thread waits for itself, for ever, and so does
    every other one that comes for the lock.

    Bad:

        import threading

        class Account:
            def __init__(self):
                self._lock = threading.Lock()
                self._amount = 0

            def deposit(self, amount):
                with self._lock:
                    self._amount += amount
                    self._log()

            def _log(self):
                print(self.balance())

            def balance(self):
                with self._lock:
                    return self._amount

    Good:

        import threading

        class Account:
            def __init__(self):
                self._lock = threading.Lock()
                self._amount = 0

            def deposit(self, amount):
                with self._lock:
                    self._amount += amount
                self._log()

            def _log(self):
                print(self.balance())

            def balance(self):
                with self._lock:
                    return self._amount

    Good:

        import threading

        class Account:
            def __init__(self):
                self._lock = threading.RLock()
                self._amount = 0

            def deposit(self, amount):
                with self._lock:
                    self._amount += amount
                    print(self.balance())

            def balance(self):
                with self._lock:
                    return self._amount

    Known limits:
        The lock has to be known: a Lock, or a Condition over one (by default it has an RLock). Calls are followed three
        steps within the file. A lock that is taken only where a parameter or a test of its holder says so is silent, as
        are attempts that give up.
    """

    code = "CNC605"
    name = "self-deadlock"
    message = (
        "{lock} is held here{way}, which waits for it again (line {line}): this thread waits for itself, for ever;"
        " call it after the lock is released, split off what needs no lock of its own, or make the lock an RLock"
    )
    gate = Gate(
        anchors=frozenset({"Lock", "Condition", "allocate_lock", "mutex"}),
        context=(frozenset({"import threading", "import _thread", "import multiprocessing", "import asyncio"}),),
        finds=may_take_again,
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for reached in self.file.lock_nesting.taken_again(self.file.definitions.functions[node]):
            self.report(reached.node, lock=str(reached.lock), way=_way(reached), line=self.file.line(reached.taken))


def _way(reached: Reached) -> str:
    """How it comes to that, as the message goes on."""
    if not reached.through:
        return " already, by this code"
    names = [function.qualified_name for function in reached.through]
    return f" when {names[0]}() is called" + "".join(f", and through it {name}()" for name in names[1:])
