"""CNC106 dropped-map."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.futures import EXECUTOR
from flake8_concurrency.rule import Gate, Rule


class DroppedMap(Rule):
    """The results of `executor.map` are dropped, and with them every exception.

    Exceptions are raised when the results are read; nobody reads them, so work that fails is silently not done.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                executor.map(index, documents)

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                for _ in executor.map(index, documents, timeout=60):
                    pass

    Good:

        from flake8_concurrency.runtime import map_bounded

        def index_all(documents):
            map_bounded(index, documents, max_workers=4, timeout=60)

    Known limits:
        Work of the file that catches every exception itself may be dropped.
    """

    code = "CNC106"
    name = "dropped-map"
    message = (
        "nobody reads what {call} gives, so an exception in the work vanishes: go through the results, or use "
        "flake8_concurrency.runtime.map_bounded"
    )
    gate = Gate(anchors=frozenset({"map"}), context=(frozenset({"concurrent"}),))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if f"{EXECUTOR}.map" not in self.file.functions.table_names(node.func) or not self._is_dropped(node):
            return
        if not self.file.works.catches_everything(node):
            self.report(node, call=f"{self.file.tree.module.code_for_node(node.func)}(...)")

    def _is_dropped(self, node: cst.Call) -> bool:
        match self.file.parent(node):
            case cst.Expr():
                return True
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="_"))]):
                return True
        return False
