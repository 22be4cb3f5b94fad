"""CNC101 unbounded-executor."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.executors import CONSTRUCTORS, PACKAGES
from flake8_concurrency.model.tree import COMPREHENSIONS
from flake8_concurrency.rule import Gate, Rule

#: Executors that start a worker when there is work for it, and not before.
_STARTS_AS_NEEDED = frozenset({"ThreadPoolExecutor", "InterpreterPoolExecutor"})
_REPEATING = (cst.For, cst.While, *COMPREHENSIONS, cst.FunctionDef, cst.Lambda)


class UnboundedExecutor(Rule):
    """An executor or pool is made without saying how many workers it may have.

    The number then comes from the machine's CPU count, not from what the work and the services behind it can bear, and
    the backlog of waiting work has no end at all: a burst of input becomes memory and load.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def thumbnails(paths):
            with ThreadPoolExecutor() as executor:
                return list(executor.map(thumbnail, paths, timeout=60))

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def thumbnails(paths):
            with ThreadPoolExecutor(max_workers=8) as executor:
                return list(executor.map(thumbnail, paths, timeout=60))

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        def thumbnails(paths):
            with BoundedExecutor(max_workers=8, max_pending=100, submit_timeout=30) as executor:
                return list(executor.map(thumbnail, paths, timeout=60))

    Known limits:
        A size that is None only at run time (`max_workers=settings.WORKERS`) is not seen. A pool that is made in the
        same function as a semaphore counts as bounded by it, and so does a `with ThreadPoolExecutor()` that gets a
        single task. A class of the file that is derived from an executor is reported where its constructor calls
        `super().__init__()` without a size, or, if it has no constructor, where it is called.
    """

    code = "CNC101"
    name = "unbounded-executor"
    message = (
        "{executor} has no size: it takes one from the CPU count, and its backlog has no end; "
        "pass {parameter}=, or use flake8_concurrency.runtime.BoundedExecutor, which bounds the backlog too"
    )
    gate = Gate(anchors=CONSTRUCTORS, context=(PACKAGES,))

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None or made.hidden:
            return
        if made.size is not None and literal(made.size) != (None,):
            return
        if not self._has_semaphore(node) and not self._gets_one_task(node, made.name):
            self.report(node, executor=made.name, parameter=made.parameter)

    def _has_semaphore(self, node: cst.Call) -> bool:
        """Whether a semaphore is made in the same function: it bounds what is in flight."""
        function = self.file.function_of(node)
        return function is not None and any(
            self.file.is_a(call, "threading.Semaphore", "multiprocessing.synchronize.Semaphore")
            for call in function.calls
        )

    def _gets_one_task(self, node: cst.Call, name: str) -> bool:
        """Whether a pool of threads gets a single task in its whole life: threads are started as work comes in."""
        item = self.file.parent(node)
        if name not in _STARTS_AS_NEEDED or not isinstance(item, cst.WithItem) or item.asname is None:
            return False
        block, pool = self.file.parent(item), item.asname.name
        if not isinstance(block, cst.With) or not isinstance(pool, cst.Name):
            return False
        uses = [
            use for use in self.file.tree.within(block.body) if isinstance(use, cst.Name) and use.value == pool.value
        ]
        return len(uses) == 1 and self._is_one_task(uses[0], block)

    def _is_one_task(self, use: cst.Name, block: cst.With) -> bool:
        """Whether a use of a pool hands it work, once: `pool.submit(…)`, `run_in_executor(pool, …)`, in no loop."""
        match self.file.parent(use):
            case cst.Attribute(value=value, attr=cst.Name(value="submit")) as submit if value is use:
                call = self.file.parent(submit)
                if not isinstance(call, cst.Call) or call.func is not submit:
                    return False
            case cst.Arg() as arg:
                call = self.file.parent(arg)
                func = call.func if isinstance(call, cst.Call) else None
                if not isinstance(func, cst.Attribute) or func.attr.value != "run_in_executor":
                    return False
            case _:
                return False
        for around in self.file.ancestors(use):
            if around is block:
                return True
            if isinstance(around, _REPEATING):
                return False
        return False
