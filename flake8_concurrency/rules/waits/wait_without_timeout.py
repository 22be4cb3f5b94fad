"""CNC201 wait-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.futures import AS_COMPLETED, EXECUTOR, WAIT
from flake8_concurrency.rule import Gate, Rule

#: Functions that go through an iterable at once, and those that only wrap it.
_CONSUMERS = frozenset(
    """all any bytearray dict frozenset list max min next set sorted sum tuple""".split()
) | {"deque", "Counter", "OrderedDict", "fsum", "concat", "join", "extend", "update", "writelines", "array", "vstack",
     "hstack", "concatenate", "stack", "DataFrame", "reduce"}  # fmt: skip
_WRAPPERS = frozenset(
    """enumerate filter filterfalse islice iter map reversed starmap takewhile dropwhile track tqdm zip zip_longest
    chain from_iterable batched groupby""".split()
)

_OUTSIDE = "pass timeout= and deal with what is not done, or use flake8_concurrency.runtime.{helper}"
_INSIDE = (
    "pass timeout= and leave the pool by shutdown(wait=False, cancel_futures=True) instead of its `with`, which waits "
    "for every worker, or use flake8_concurrency.runtime.map_bounded"
)


class WaitWithoutTimeout(Rule):
    """A wait for futures, or for the results of `executor.map`, has no timeout.

    One piece of work that hangs (a server that never answers, a lock nobody releases) makes the caller wait for ever,
    and everybody who waits for the caller.

    Bad:

        from concurrent.futures import wait

        def finish(futures):
            done, not_done = wait(futures)
            return [future.result() for future in done]

    Good:

        from concurrent.futures import wait

        def finish(futures):
            done, not_done = wait(futures, timeout=30)
            for future in not_done:
                future.cancel()
            return [future.result() for future in done]

    Good:

        from flake8_concurrency.runtime import wait_all

        def finish(futures):
            report = wait_all(futures, timeout=30, on_error="collect")
            return [future.result() for future in report.done], report.running

    Good:

        from flake8_concurrency.runtime import as_completed

        def finish(futures, store):
            for future in as_completed(futures, timeout=30):
                store(future.result())

    Good:

        from flake8_concurrency.runtime import map_bounded

        def load_all(paths):
            return map_bounded(load, paths, max_workers=4, timeout=30)

    Known limits:
        The results of `executor.map` are reported where they are consumed in the same function. Inside the `with` block
        of the pool that does the work a timeout ends the wait and not the block, which still waits for every worker.
        Work that only feeds a hash (`submit(digest.update, data)`) cannot hang and is left alone, as are files that are
        programs themselves (`__main__`, commands, setup.py): the person at the terminal is their timeout.
    """

    code = "CNC201"
    name = "wait-without-timeout"
    message = "{call} has no timeout and waits for ever when one task hangs: {remedy}"
    gate = Gate(anchors=frozenset({"wait", "as_completed", "map"}), context=(frozenset({"concurrent"}),))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program:
            return
        names = self.file.functions.table_names(node.func)
        name = next((name for name in names if name in (WAIT, AS_COMPLETED, f"{EXECUTOR}.map")), None)
        if name is None or self.file.waits.blocks_the_loop(node):
            return
        position = None if name.endswith(".map") else 1
        if self.file.waits.is_unbounded(node, position) and self._has_to_wait(node, name):
            self.report(node, call=_shown(name), remedy=self._remedy(node, name))

    def _has_to_wait(self, node: cst.Call, name: str) -> bool:
        if name.endswith(".map"):
            return self._is_consumed(node)
        futures = argument(node, 0, "fs")
        return futures is None or not (self.file.futures.is_done(futures) or self.file.futures.is_of_hashes(futures))

    def _remedy(self, node: cst.Call, name: str) -> str:
        if self.file.waits.around(node) is not None:
            return _INSIDE
        helper = {WAIT: "wait_all", AS_COMPLETED: "as_completed"}.get(name, "map_bounded")
        return _OUTSIDE.format(helper=helper)

    # -- whether the results of a map are waited for here ------------------------------------------------------------

    def _is_consumed(self, value: cst.BaseExpression) -> bool:
        parent = self.file.parent(value)
        match parent:
            case cst.For() | cst.CompFor():
                return parent.iter is value
            case cst.StarredElement() | cst.From():
                return True
            case cst.ComparisonTarget():
                return isinstance(parent.operator, cst.In | cst.NotIn)
            case cst.Arg():
                return parent.star == "*" or self._is_consumed_by(self.file.parent(parent))
            case cst.Assign(targets=[cst.AssignTarget(target=target)]) | cst.NamedExpr(target=target):
                return isinstance(target, cst.Tuple | cst.List) or self._is_variable_consumed(target)
            case cst.AnnAssign(target=target):
                return self._is_variable_consumed(target)
        return False

    def _is_consumed_by(self, call: cst.CSTNode) -> bool:
        if not isinstance(call, cst.Call):
            return False
        func = call.func
        name = func.attr.value if isinstance(func, cst.Attribute) else getattr(func, "value", "")
        return name in _CONSUMERS or (name in _WRAPPERS and self._is_consumed(call))

    def _is_variable_consumed(self, target: cst.BaseExpression) -> bool:
        if not isinstance(target, cst.Name):
            return False
        tree, names = self.file.tree, self.file.names
        home = names.home(target.value, tree.scope_of(target))
        if not isinstance(home, cst.FunctionDef):
            return False
        return any(
            isinstance(node, cst.Name)
            and node.value == target.value
            and node is not target
            and names.home(node.value, tree.scope_of(node)) is home
            and self._is_consumed(node)
            for node in tree.within(home.body)
        )


def _shown(name: str) -> str:
    return "Executor.map()" if name.endswith(".map") else f"{name}()"
