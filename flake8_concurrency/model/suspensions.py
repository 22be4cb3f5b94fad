"""Where async code may be suspended, so that other tasks run, between two points of one function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.leaving import leaves

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_BRANCHES = (
    cst.IndentedBlock, cst.SimpleStatementSuite, cst.Else, cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase,
)  # fmt: skip
_DEEPEST = 20


class Suspensions:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._of: dict[FunctionInfo, tuple[cst.CSTNode, ...]] = {}

    def of(self, function: FunctionInfo) -> tuple[cst.CSTNode, ...]:
        """The nodes of a function at which it may be suspended: `await`, and the headers of `async for` and `with`.

        Awaiting a function of the file that awaits nothing itself runs straight through.
        """
        found = self._of.get(function)
        if found is None:
            nodes = _waiting(function)
            found = self._of[function] = tuple(node for node in nodes if not self._runs_through(node))
        return found

    def _runs_through(self, node: cst.CSTNode) -> bool:
        call = node.expression if isinstance(node, cst.Await) else None
        callee = self._file.callee(call) if isinstance(call, cst.Call) else None
        if callee is None or not callee.is_async or callee.is_generator or callee.decorators:
            return False
        return not _waiting(callee)

    def between(self, first: cst.CSTNode, last: cst.CSTNode, *, inside: bool = True) -> cst.CSTNode | None:
        """The first place at which others may run after `first` is evaluated and before statement `last` is done.

        With `inside=False` what is awaited is not looked into.
        """
        function = self._file.function_of(last)
        if function is None or self._file.function_of(first) is not function:
            return None
        path = {last, *self._tree.ancestors(last)}
        for node in self.of(function) if inside else _waiting(function):
            if self._follows(node, first) and self._precedes(node, last, path):
                return node
        return None

    def _follows(self, node: cst.CSTNode, first: cst.CSTNode) -> bool:
        """Whether a suspension comes after an expression: what is awaited is evaluated before."""
        if self._tree.order(node) > self._tree.order(first):
            return True
        child = first
        for parent in self._tree.ancestors(first):
            if parent is node:
                return not isinstance(node, cst.For | cst.With) or child is not node.body
            child = parent
        return False

    def _precedes(self, node: cst.CSTNode, last: cst.CSTNode, path: set[cst.CSTNode]) -> bool:
        if node in path:
            # The header of a block around.
            return True
        inside = any(parent is last for parent in self._tree.ancestors(node))
        if not inside and self._tree.order(node) > self._tree.order(last):
            return False
        return inside or self.leads_to(node, path)

    def leads_to(self, node: cst.CSTNode, path: set[cst.CSTNode]) -> bool:
        """Whether control may get from a node to a later one; `path` is that one with its ancestors."""
        gone = False
        child = node
        for parent in self._tree.ancestors(node):
            if parent in path:
                return not gone and not self._excludes(parent, child, path)
            if isinstance(parent, cst.Try | cst.TryStar):
                if child is parent.body and any(not leaves(handler.body) for handler in parent.handlers):
                    gone = False
            elif isinstance(parent, cst.For | cst.While):
                gone = gone and not _ends_loop(parent.body)
            elif isinstance(parent, _BRANCHES) and leaves(parent):
                gone = True
            elif isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
            child = parent
        return False

    @staticmethod
    def _excludes(parent: cst.CSTNode, child: cst.CSTNode, path: set[cst.CSTNode]) -> bool:
        """Whether two parts of a statement, the one on the path and another, never run one after the other."""
        match parent:
            case cst.If() | cst.IfExp():
                return child is not parent.test and parent.test not in path
            case cst.Try() | cst.TryStar():
                if child is parent.body or parent.finalbody in path:
                    return False
                return child is not parent.finalbody
            case cst.Match():
                return child is not parent.subject
        return False


def _ends_loop(body: cst.CSTNode) -> bool:
    """Whether a loop's body leaves by `break` or `continue`, after which control is behind the loop, or in it again."""
    last: cst.CSTNode = body
    for _ in range(_DEEPEST):
        if isinstance(last, cst.Break | cst.Continue):
            return True
        inner = getattr(last, "body", None)
        if not isinstance(inner, list | tuple) or not inner:
            return False
        last = inner[-1]
    return False


def _waiting(function: FunctionInfo) -> list[cst.CSTNode]:
    return [
        node
        for node in function.own
        if isinstance(node, cst.Await)
        or (isinstance(node, cst.For | cst.With | cst.CompFor) and node.asynchronous is not None)
    ]
