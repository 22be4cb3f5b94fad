"""CNC604 lock-order-inversion."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.held_shapes import may_nest
from flake8_concurrency.model.lock_nesting import Nested
from flake8_concurrency.rule import Gate, Rule


class LockOrderInversion(Rule):
    """Two locks are taken in one order here, and in the other order elsewhere.

    A thread that holds the first and waits for the second meets one that holds the second and waits for the first:
    neither ever goes on.

    Bad:

        import threading

        class Bank:
            def __init__(self):
                self._accounts = threading.Lock()
                self._journal = threading.Lock()

            def book(self, entry):
                with self._accounts:
                    with self._journal:
                        print(entry)

            def audit(self):
                with self._journal:
                    with self._accounts:
                        print("audit")

    Good:

        import threading

        class Bank:
            def __init__(self):
                self._accounts = threading.Lock()
                self._journal = threading.Lock()

            def book(self, entry):
                with self._accounts, self._journal:
                    print(entry)

            def audit(self):
                with self._accounts, self._journal:
                    print("audit")

    Known limits:
        Both orders have to be seen in one file, of locks whose kind is known. Calls are followed three steps. Locks of
        two objects of one class are not compared: which one comes first, the file cannot tell. A third lock that is
        held both times makes either order right.
    """

    code = "CNC604"
    name = "lock-order-inversion"
    message = (
        "{inner} is taken while {outer} is held, and {there} takes {outer} while it holds {inner} (line {line}): two"
        " threads that do so at once wait for each other for ever; take them in one order everywhere"
    )
    gate = Gate(
        anchors=frozenset({"Lock", "RLock", "Condition", "allocate_lock", "mutex"}),
        context=(frozenset({"import threading", "import _thread", "import multiprocessing", "import asyncio"}),),
        finds=may_nest,
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for one in self.file.lock_nesting.inversions(self.file.definitions.functions[node]):
            self.report(
                one.here.reached.node,
                inner=str(one.here.reached.lock),
                outer=str(one.here.outer),
                there=_place(one.there),
                line=self.file.line(one.there.reached.node),
            )


def _place(nested: Nested) -> str:
    names = [nested.function.qualified_name, *(function.qualified_name for function in nested.reached.through)]
    return f"{names[0]}()" + "".join(f", through {name}()," for name in names[1:2])
