"""CNC112 shutdown-runs-backlog."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.futures import EXECUTOR
from flake8_concurrency.model.locks import words
from flake8_concurrency.rule import Gate, Rule

_STOPPING = frozenset("stop close shutdown exit terminate quit teardown".split())


class ShutdownRunsBacklog(Rule):
    """Whoever stops a service waits for everything that is queued in its executor.

    `shutdown()` waits for the work that runs, and for all work that has not begun. With a long queue, stopping takes
    as long as doing it all, and the service is killed in the middle.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        class Service:
            def __init__(self):
                self._executor = ThreadPoolExecutor(max_workers=4)

            def stop(self):
                self._executor.shutdown()

    Good:

        from concurrent.futures import ThreadPoolExecutor

        class Service:
            def __init__(self):
                self._executor = ThreadPoolExecutor(max_workers=4)

            def stop(self):
                self._executor.shutdown(cancel_futures=True)

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        class Service:
            def __init__(self):
                self._executor = BoundedExecutor(max_workers=4, max_pending=100, submit_timeout=30)

            def stop(self):
                return self._executor.shutdown(cancel_futures=True, timeout=10)

    Known limits:
        Opt-in, because some services have to finish what they took.
    """

    code = "CNC112"
    name = "shutdown-runs-backlog"
    message = (
        "stopping waits for everything that is still queued: pass cancel_futures=True, or use "
        "flake8_concurrency.runtime.BoundedExecutor, whose shutdown has a timeout"
    )
    gate = Gate(anchors=frozenset({"shutdown"}), context=(frozenset({"concurrent"}),))
    enabled = False

    def visit_Call(self, node: cst.Call) -> None:
        if f"{EXECUTOR}.shutdown" not in self.file.functions.table_names(node.func) or passes_unknown(node):
            return
        if argument(node, None, "cancel_futures") is not None:
            return
        wait = argument(node, 0, "wait")
        if wait is not None and literal(wait) != (True,):
            return
        function = self.file.function_of(node)
        if function is not None and not _STOPPING.isdisjoint(words(function.name)):
            self.report(node)
