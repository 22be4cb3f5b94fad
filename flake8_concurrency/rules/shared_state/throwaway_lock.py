"""CNC601 throwaway-lock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.throwaway_locks import answers, asks
from flake8_concurrency.rule import Gate, Rule

_CLASSES = frozenset("Lock RLock Semaphore BoundedSemaphore Condition".split())
_LOCKS = (
    "threading.Lock", "threading.RLock", "threading.Semaphore", "threading.Condition",
    "multiprocessing.synchronize.SemLock", "multiprocessing.synchronize.Condition",
)  # fmt: skip


class ThrowawayLock(Rule):
    """A lock is made where it is taken, so every thread has one of its own.

    It looks like protection and keeps nobody out: two threads that run this code hold two different locks.

    Bad:

        import threading

        class Account:
            def __init__(self):
                self.balance = 0

            def deposit(self, amount):
                with threading.Lock():
                    self.balance = self.balance + amount

    Bad:

        import threading

        class Account:
            def __init__(self):
                self.balance = 0

            def deposit(self, amount):
                lock = threading.Lock()
                with lock:
                    self.balance = self.balance + amount

    Good:

        import threading

        class Account:
            def __init__(self):
                self.balance = 0
                self._lock = threading.Lock()

            def deposit(self, amount):
                with self._lock:
                    self.balance = self.balance + amount

    Good:

        import threading

        def total(parts):
            lock = threading.Lock()
            found = []

            def work(part):
                with lock:
                    found.append(len(part))

            threads = [threading.Thread(target=work, args=(part,)) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
            return sum(found)

    Known limits:
        A lock in a local counts as shared as soon as anything but this function's own code sees it: a nested function,
        a call that it is given to, an attribute, a return. One in an attribute is reported where the method that takes
        it makes it anew on every call.
    """

    code = "CNC601"
    name = "throwaway-lock"
    message = (
        "{lock} is made anew whenever this code runs (line {line}), so each thread takes its own and none waits for"
        " another: make it once, in the module or in the object whose state it guards"
    )
    gate = Gate(
        anchors=_CLASSES,
        context=(frozenset({"import threading", "import multiprocessing"}),),
        asks=asks,
        answers=answers,
        where=_CLASSES,
    )

    def visit_With(self, node: cst.With) -> None:
        if node.asynchronous is None:
            for item in node.items:
                self._look(item.item, item.item)

    def visit_Call(self, node: cst.Call) -> None:
        if called_name(node) == "acquire" and isinstance(node.func, cst.Attribute):
            self._look(node.func.value, node)

    def _look(self, lock: cst.BaseExpression, node: cst.CSTNode) -> None:
        made = self.file.throwaway_locks.made(lock, _LOCKS)
        if made is not None:
            shown = self.file.tree.module.code_for_node(made.func)
            self.report(node, lock=f"{shown}()", line=self.file.line(made))
