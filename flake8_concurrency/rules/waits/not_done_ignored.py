"""CNC214 not-done-ignored."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.futures import WAIT
from flake8_concurrency.rule import Gate, Rule

_WAITS = (WAIT, "asyncio.wait")


class NotDoneIgnored(Rule):
    """`wait` has a timeout, and nobody looks at what was not done by then.

    The work that hung is never seen: the caller goes on as if all of it were done, with a part of the results.

    Bad:

        from concurrent.futures import wait

        def collect(futures):
            done, _ = wait(futures, timeout=30)
            return [future.result() for future in done]

    Good:

        from concurrent.futures import wait

        def collect(futures):
            done, not_done = wait(futures, timeout=30)
            if not_done:
                raise TimeoutError(f"{len(not_done)} of {len(futures)} are not done")
            return [future.result() for future in done]

    Good:

        from flake8_concurrency.runtime import wait_all

        def collect(futures):
            return wait_all(futures, timeout=30).results()

    Known limits:
        Opt-in, because many guides show it. `flake8_concurrency.runtime.wait_all` says which future ended how.
    """

    code = "CNC214"
    name = "not-done-ignored"
    message = (
        "{call}() gives up after its timeout, and what is not done by then is never looked at: read the second set, "
        "or use flake8_concurrency.runtime.wait_all"
    )
    gate = Gate(anchors=frozenset({"wait"}), context=(frozenset({"concurrent", "import asyncio"}),), awaited=True)
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        name = next((name for name in self.file.functions.table_names(node.func) if name in _WAITS), None)
        if name is None:
            return
        timeout = argument(node, 1 if name == WAIT else None, "timeout")
        if timeout is None or literal(timeout) in ((None,), (0,)) or self._returns_early(node):
            return
        # Inside the `with` of the pool everything is done when the block is left (CNC213).
        if self._is_ignored(node) and self.file.waits.around(node) is None:
            self.report(node, call=name)

    def _returns_early(self, node: cst.Call) -> bool:
        """Whether the wait is for the first of several: the others are meant to go on."""
        return argument(node, 2, "return_when") is not None

    def _is_ignored(self, node: cst.BaseExpression) -> bool:
        parent = self.file.parent(node)
        match parent:
            case cst.Await():
                return self._is_ignored(parent)
            case cst.Expr():
                return not self._is_asked_later(node)
            case cst.Attribute(attr=cst.Name(value="done")):
                return True
            case cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=index))]):
                return literal(index) == (0,)
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Tuple(elements=[_, second]))]):
                return isinstance(second.value, cst.Name) and not self._is_read(second.value)
        return False

    def _is_asked_later(self, node: cst.BaseExpression) -> bool:
        """Whether the function asks the futures themselves."""
        function = self.file.function_of(node)
        return function is None or any(
            isinstance(call.func, cst.Attribute) and call.func.attr.value in ("done", "result", "exception", "cancel")
            for call in function.calls
        )

    def _is_read(self, name: cst.Name) -> bool:
        scope = self.file.tree.scope_of(name)
        return not isinstance(scope, cst.FunctionDef) or any(
            isinstance(node, cst.Name) and node.value == name.value and node is not name
            for node in self.file.tree.within(scope.body)
        )
