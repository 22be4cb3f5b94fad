"""CNC203 join-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.flow import text
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.rule import Gate, Rule

_JOINS = {"threading.Thread.join": "Thread", "multiprocessing.process.BaseProcess.join": "Process"}
_ENDING = frozenset({"kill", "terminate"})
#: Words in a parameter, or in a function's name, by which the caller says that it wants to wait.
_WANTED = frozenset({"wait", "block", "blocking", "foreground", "join"})


class JoinWithoutTimeout(Rule):
    """A thread or process is joined without a timeout.

    If it never ends (it waits for a queue, a socket, a lock), neither does the caller: the service can't stop, and
    whoever asked it to stop has to kill it.

    Bad:

        import threading

        def stop(worker: threading.Thread):
            worker.join()

    Good:

        import threading

        def stop(worker: threading.Thread):
            worker.join(timeout=10)
            if worker.is_alive():
                raise RuntimeError("the worker did not stop in time")

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        def serve(requests):
            pool = BoundedExecutor(max_workers=4, max_pending=100, submit_timeout=5)
            try:
                return [pool.submit(handle, request) for request in requests]
            finally:
                pool.shutdown(timeout=10)

    Known limits:
        A class of the file that has its own `join` decides for itself. A join is meant to last, and silent, where the
        caller asks for it by a parameter (`if wait:`) or by the name of the function (`def join(self)`), where an
        object starts and joins itself (`self.start()`, `self.join()`: then the thread is all that the program does),
        and in files that are programs themselves: the person at the terminal is their timeout.
    """

    code = "CNC203"
    name = "join-without-timeout"
    message = (
        "{kind}.join() has no timeout and waits for ever if it never ends: pass timeout= and ask is_alive() after it, "
        "or run the work in flake8_concurrency.runtime.BoundedExecutor, whose shutdown takes one"
    )
    gate = Gate(
        anchors=frozenset({"join"}),
        context=(frozenset({"threading", "multiprocessing", "watchdog"}),),
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        func = node.func
        if self.file.is_program:
            return
        if not isinstance(func, cst.Attribute) or func.attr.value != "join" or len(node.args) > 1:
            return
        names = self.file.functions.table_names(func)
        kind = next((_JOINS[name] for name in names if name in _JOINS), None)
        if kind is None or self.file.waits.blocks_the_loop(node) or not self.file.waits.is_unbounded(node, 0):
            return
        if not self._has_ended(func.value) and not self._is_wanted(func.value):
            self.report(node, kind=kind)

    def _is_wanted(self, worker: cst.BaseExpression) -> bool:
        """Whether to wait is what a function is for: by its name, by what its caller asked, or it starts and stays."""
        function = self.file.function_of(worker)
        if function is None:
            return False
        names = [param.name.value for param in function.params]
        if not _WANTED.isdisjoint(words(function.name)[:1]) and "timeout" not in names:
            return True
        asked = {name for name in names if not _WANTED.isdisjoint(words(name))}
        if any(truth and dotted(test) in asked for test, truth in self.file.flow.conditions(worker)):
            return True
        return dotted(worker) == function.this and any(
            isinstance(event, cst.Call) and dotted(event.func) == f"{function.this}.start"
            for earlier in self.file.flow.earlier(worker)
            for event in self.file.flow.certain(earlier)
        )

    def _has_ended(self, worker: cst.BaseExpression) -> bool:
        """Whether the worker was killed before, or found dead: then the join only reaps it."""
        name = text(worker)
        for test, truth in self.file.flow.conditions(worker):
            match test:
                case cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="is_alive"))):
                    if not truth and text(asked) == name:
                        return True
        for earlier in self.file.flow.earlier(worker):
            for event in self.file.flow.certain(earlier):
                match event:
                    case cst.Call(func=cst.Attribute(value=ended, attr=cst.Name(value=method))):
                        if method in _ENDING and text(ended) == name:
                            return True
        return False
