"""CNC101 unbounded-executor."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.rule import Gate, Rule


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

    Known limits:
        A size that is None only at run time (`max_workers=settings.WORKERS`) is not seen. A pool that is made in the
        same function as a semaphore counts as bounded by it. A class of the file that is
        derived from an executor is reported where its constructor calls `super().__init__()` without a size, or, if it
        has no constructor, where it is called.
    """

    code = "CNC101"
    name = "unbounded-executor"
    message = (
        "{executor} has no size: it takes one from the CPU count, and its backlog has no end; "
        "pass {parameter}=, or use flake8_concurrency.runtime.BoundedExecutor, which bounds the backlog too"
    )
    gate = Gate(
        anchors=frozenset(
            {"ThreadPoolExecutor", "ProcessPoolExecutor", "InterpreterPoolExecutor", "Pool", "ThreadPool"}
        ),
        context=(frozenset({"concurrent", "multiprocessing"}),),
    )

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None or made.hidden:
            return
        if (made.size is None or literal(made.size) == (None,)) and not self._has_semaphore(node):
            self.report(node, executor=made.name, parameter=made.parameter)

    def _has_semaphore(self, node: cst.Call) -> bool:
        """Whether a semaphore is made in the same function: it bounds what is in flight."""
        function = self.file.function_of(node)
        return function is not None and any(
            self.file.is_a(call, "threading.Semaphore", "multiprocessing.synchronize.Semaphore")
            for call in function.calls
        )
