"""CNC110 endless-backlog."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import ITERATOR
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.rule import Gate, Rule

#: What bounds the work that is in flight, by the last name of its call.
_BOUNDS = frozenset("acquire wait as_completed result len qsize exception join".split())


class EndlessBacklog(Rule):
    """Work is submitted in a loop without an end, and nothing bounds how much of it waits.

    An executor takes whatever it gets into a queue without a size. When work comes in faster than it is done, that
    queue grows until the memory is gone, and every piece of work waits longer than the one before. Measured: 200,000
    submits to the pool of the standard library took 382 MB.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        EXECUTOR = ThreadPoolExecutor(max_workers=8)

        def serve(source, handle, report):
            while True:
                EXECUTOR.submit(handle, source.next_message()).add_done_callback(report)

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        def serve(source, handle, report):
            with BoundedExecutor(max_workers=8, max_pending=100, submit_timeout=30) as executor:
                while True:
                    executor.submit(handle, source.next_message()).add_done_callback(report)

    Known limits:
        Opt-in, because the file does not show how fast work comes in. A loop that waits for some of its futures, counts
        them or takes a semaphore is silent.
    """

    code = "CNC110"
    name = "endless-backlog"
    message = (
        "work is submitted in a loop without an end and nothing bounds what waits: take a semaphore that the work "
        "releases, or use flake8_concurrency.runtime.BoundedExecutor"
    )
    gate = Gate(anchors=frozenset({"submit"}), context=(frozenset({"concurrent"}),))
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if not self.file.futures.is_submit(node):
            return
        loop = self.file.loops.around(node)
        if loop is not None and self._has_no_end(loop) and not self._is_bounded(loop):
            self.report(node)

    def _has_no_end(self, loop: cst.CSTNode) -> bool:
        if isinstance(loop, cst.While):
            return True
        assert isinstance(loop, cst.For)
        kind = self.file.kind(loop.iter)
        if kind is not None and kind.name == ITERATOR and isinstance(loop.iter, cst.Call):
            callee: FunctionInfo | None = self.file.callee(loop.iter)
            return callee is not None and callee.is_generator
        return False

    def _is_bounded(self, loop: cst.CSTNode) -> bool:
        assert isinstance(loop, cst.For | cst.While)
        parts = [loop.body, loop.test] if isinstance(loop, cst.While) else [loop.body]
        return any(
            isinstance(node, cst.Call) and last_name(node.func) in _BOUNDS
            for part in parts
            for node in self.file.tree.within(part)
        )
