"""CNC202 result-without-timeout."""

from __future__ import annotations

import ast

import libcst as cst

from flake8_concurrency.model.futures import FUTURE, POOL_RESULT
from flake8_concurrency.rule import Gate, Rule

_OF_FUTURES = "when the work hangs: pass timeout=, or collect futures with flake8_concurrency.runtime.wait_all"
#: The methods that wait, each with the rest of the message.
_REMEDIES = {
    f"{FUTURE}.result": _OF_FUTURES,
    f"{FUTURE}.exception": _OF_FUTURES,
    f"{POOL_RESULT}.get": "when the work hangs or its process is killed: pass timeout=",
}
_WORDS = {
    **dict.fromkeys(("result", "exception"), frozenset({"submit", "Future", "run_coroutine_threadsafe"})),
    "get": frozenset({"apply_async", "map_async", "starmap_async", "AsyncResult", "ApplyResult", "MapResult"}),
    "add_done_callback": frozenset({"add_done_callback"}),
}


def _may_wait(call: ast.Call) -> frozenset[str] | None:
    """What must stand near a call; None for a `get` that is given a key."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name == "get" and call.args and not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None):
        return None
    return _WORDS.get(name) or frozenset().union(*_WORDS.values())


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

    Bad:

        import multiprocessing

        def square(numbers):
            with multiprocessing.Pool(4) as pool:
                return pool.map_async(abs, numbers).get()

    Good:

        import multiprocessing

        def square(numbers):
            with multiprocessing.Pool(4) as pool:
                return pool.map_async(abs, numbers).get(timeout=60)

    Known limits:
        A future counts as done after `wait` or `as_completed` went through all of them, after `done()` said so, in a
        done-callback, after its pool was shut down, left or joined, and where a helper of the file gives back only such
        ones. Code that makes sure in another way is reported.
    """

    code = "CNC202"
    name = "result-without-timeout"
    message = "{call}() has no timeout and waits for ever {remedy}"
    gate = Gate(
        # A function that is given to add_done_callback, by whatever has this method, sees futures that are done.
        anchors=frozenset(_WORDS),
        needs=_WORDS,
        may=_may_wait,
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        func = node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in ("result", "exception", "get"):
            return
        waits = _REMEDIES.keys() & set(self.file.functions.table_names(func))
        if not waits or self.file.waits.blocks_the_loop(node) or not self.file.waits.is_unbounded(node, 0):
            return
        if not self.file.futures.is_done(func.value):
            call = min(waits)
            self.report(node, call=".".join(call.rsplit(".", 2)[1:]), remedy=_REMEDIES[call])
