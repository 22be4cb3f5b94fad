"""CNC202 result-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.futures import FUTURE
from flake8_concurrency.rule import Gate, Rule


class ResultWithoutTimeout(Rule):
    """The result of a future is waited for without a timeout.

    Work that hangs makes the caller wait for ever, and everybody who waits for the caller; a stop flag is never seen.

    Bad:

        import concurrent.futures

        def load(executor: concurrent.futures.Executor, path):
            return executor.submit(read, path).result()

    Good:

        import concurrent.futures

        def load(executor: concurrent.futures.Executor, path):
            return executor.submit(read, path).result(timeout=30)

    Good:

        from flake8_concurrency.runtime import wait_all

        def load_all(executor, paths):
            futures = [executor.submit(read, path) for path in paths]
            return wait_all(futures, timeout=30).results()

    Known limits:
        A future counts as done after `wait` or `as_completed` went through all of them, after `done()` said so, in a
        done-callback, and after its pool was shut down or left. Code that makes sure in another way is reported.
    """

    code = "CNC202"
    name = "result-without-timeout"
    message = (
        "Future.{method}() has no timeout and waits for ever when the work hangs: "
        "pass timeout=, or collect futures with flake8_concurrency.runtime.wait_all"
    )
    gate = Gate(
        # A function that is given to add_done_callback, by whatever has this method, sees futures that are done.
        anchors=frozenset({"result", "exception", "add_done_callback"}),
        needs={
            **dict.fromkeys(("result", "exception"), frozenset({"submit", "Future", "run_coroutine_threadsafe"})),
            "add_done_callback": frozenset({"add_done_callback"}),
        },
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        func = node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in ("result", "exception"):
            return
        method = func.attr.value
        if f"{FUTURE}.{method}" not in self.file.functions.table_names(func):
            return
        if self.file.waits.blocks_the_loop(node) or not self.file.waits.is_unbounded(node, 0):
            return
        if not self.file.futures.is_done(func.value):
            self.report(node, method=method)
