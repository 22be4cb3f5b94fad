"""CNC108 unpicklable-to-process-pool."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.rule import Gate, Rule

_POOLS = ("concurrent.futures.ProcessPoolExecutor", "multiprocessing.pool.Pool")
_THREADS = "multiprocessing.pool.ThreadPool"
_METHODS = frozenset("submit map apply apply_async map_async starmap starmap_async imap imap_unordered".split())
_LOCKS = ("threading.Lock", "threading.RLock", "threading.Condition", "threading.Semaphore", "threading.Event")
#: Methods by which a class says itself how it is pickled.
_PICKLING = frozenset({"__getstate__", "__reduce__", "__reduce_ex__", "__getnewargs__"})


class UnpicklableToProcessPool(Rule):
    """Work that cannot be pickled is given to a pool of processes.

    Whatever a process gets is pickled, functions by their name in the module: a lambda and a function inside a function
    have none, a lock cannot be copied. The work is never done; the error is raised when its result is asked for, and
    nowhere if nobody asks.

    Bad:

        from concurrent.futures import ProcessPoolExecutor

        def squares(numbers):
            with ProcessPoolExecutor(max_workers=4) as pool:
                return list(pool.map(lambda number: number * number, numbers, timeout=60))

    Good:

        from concurrent.futures import ProcessPoolExecutor

        def square(number):
            return number * number

        def squares(numbers):
            with ProcessPoolExecutor(max_workers=4) as pool:
                return list(pool.map(square, numbers, timeout=60))

    Known limits:
        A bound method counts when its class makes a lock or an event of threads in `__init__` and does not say itself
        how it is pickled. Pools of other libraries (loky, joblib, pathos) pickle more and are not reported.
    """

    code = "CNC108"
    name = "unpicklable-to-process-pool"
    message = "{work} cannot be pickled, so the pool of processes never runs it: {remedy}"
    gate = Gate(
        anchors=_METHODS,
        context=(frozenset({"ProcessPoolExecutor", "multiprocessing"}),),
        keeps=re.compile(r"\b(?:Lock|RLock|Condition|Semaphore|BoundedSemaphore|Event|__getstate__|__reduce\w*)\b"),
    )

    def visit_Call(self, node: cst.Call) -> None:
        func = node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in _METHODS:
            return
        kinds = self.file.kinds
        kind = self.file.kind(func.value)
        if not any(kinds.is_a(kind, pool) for pool in _POOLS) or kinds.is_a(kind, _THREADS):
            return
        work = argument(node, 0, "fn") or argument(node, None, "func")
        problem = None if work is None else self._problem(work)
        if work is not None and problem is not None:
            self.report(work, work=problem[0], remedy=problem[1])

    def _problem(self, work: cst.BaseExpression) -> tuple[str, str] | None:
        if isinstance(work, cst.Lambda):
            return "a lambda", "write it as a function of the module"
        kind = self.file.kind(work)
        while kind is not None and kind.name == "partial":
            given = kind.ref.args[0].value if isinstance(kind.ref, cst.Call) else None
            if isinstance(given, cst.Lambda):
                return "a lambda", "write it as a function of the module"
            kind = kind.args[0]
        if kind is None or not isinstance(kind.ref, FunctionInfo):
            return None
        function = kind.ref
        if function.owner is None:
            is_inside = not isinstance(self.file.tree.scope_of(function.node), cst.Module)
            is_decorated = bool(function.decorators)
            remedy = "move it to the module and pass what it needs"
            return (
                (f"{function.name}, a function inside a function,", remedy) if is_inside and not is_decorated else None
            )
        if function.is_static or function.is_classmethod or not isinstance(work, cst.Attribute):
            return None
        lock = self._lock(function.owner)
        if lock is None:
            return None
        return f"the method of an object that holds {lock}", "make it a function, or leave the lock out in __getstate__"

    def _lock(self, owner: ClassInfo) -> str | None:
        """The attribute of a class of the file that cannot be pickled; None where the class may see to that itself."""
        if owner.bases or not _PICKLING.isdisjoint(owner.methods):
            return None
        constructor = owner.methods.get("__init__")
        for name, bindings in owner.assigned.items():
            for binding in bindings:
                made_in = None if binding.value is None else self.file.function_of(binding.value)
                if made_in is constructor is not None and binding.value is not None:
                    kind = self.file.kind(binding.value)
                    if any(self.file.kinds.is_a(kind, lock) for lock in _LOCKS):
                        return f"self.{name}"
        return None
