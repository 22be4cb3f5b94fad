"""CNC213 timeout-defeated-by-with."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.futures import AS_COMPLETED, FUTURE, WAIT
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.rule import Gate, Rule

#: What waits with a timeout, and where it takes it.
_WAITS = {WAIT: 1, AS_COMPLETED: 1, f"{FUTURE}.result": 0, f"{FUTURE}.exception": 0}


class TimeoutDefeatedByWith(Rule):
    """A wait has a timeout, but stands in the `with` block of the pool that does the work.

    Leaving the block waits for every worker, so the timeout bounds nothing. Measured with tasks of 3 s and a timeout
    of 0.2 s: the wait ends after 0.2 s, the block after 3.0 s.

    Bad:

        from concurrent.futures import ThreadPoolExecutor, wait

        def load(urls, fetch):
            with ThreadPoolExecutor(max_workers=8) as pool:
                futures = [pool.submit(fetch, url) for url in urls]
                done, not_done = wait(futures, timeout=5)
                return [future.result() for future in done], len(not_done)

    Good:

        from concurrent.futures import ThreadPoolExecutor, wait

        def load(urls, fetch):
            pool = ThreadPoolExecutor(max_workers=8)
            try:
                futures = [pool.submit(fetch, url) for url in urls]
                done, not_done = wait(futures, timeout=5)
                return [future.result() for future in done], len(not_done)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    Good:

        from flake8_concurrency.runtime import map_bounded

        def load(urls, fetch):
            return map_bounded(fetch, urls, max_workers=8, timeout=5)

    Known limits:
        Opt-in, because many guides show it as correct. Even the right form leaves threads behind that are joined when
        the interpreter ends; those of `flake8_concurrency.runtime.BoundedExecutor` are not, and `map_bounded` there
        really ends after its timeout.
    """

    code = "CNC213"
    name = "timeout-defeated-by-with"
    message = (
        "the timeout of {call} ends the wait but not the `with` around it, which waits for every worker: leave the "
        "pool by shutdown(wait=False, cancel_futures=True), or use flake8_concurrency.runtime.map_bounded"
    )
    gate = Gate(
        anchors=frozenset({"wait", "as_completed", "result", "exception"}), context=(frozenset({"concurrent"}),)
    )
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        name = next((name for name in self.file.functions.table_names(node.func) if name in _WAITS), None)
        if name is None or not self._has_timeout(node, _WAITS[name]):
            return
        block = self.file.waits.around(node)
        if block is not None and not self._is_left_at_once(block):
            self.report(node, call=f"{name.rpartition('.')[2]}()")

    def _has_timeout(self, node: cst.Call, position: int) -> bool:
        return any(
            (index == position if arg.keyword is None else arg.keyword.value == "timeout")
            and literal(arg.value) not in ((None,), (0,))
            for index, arg in enumerate(node.args)
        )

    def _is_left_at_once(self, block: cst.With) -> bool:
        """Whether something in the block shuts the pool down without waiting."""
        return any(
            isinstance(call, cst.Call)
            and dotted(call.func).endswith(".shutdown")
            and any(arg.keyword is not None and arg.keyword.value == "cancel_futures" for arg in call.args)
            for call in self.file.tree.within(block.body)
        )
