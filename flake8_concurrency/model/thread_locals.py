"""Values that a coroutine keeps with its thread: on an event loop, all tasks have one."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import pieces
from flake8_concurrency.model.definitions import FunctionInfo, attribute_bindings
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_LOCAL = "threading.local"
_WORD = "local"


class ThreadLocals:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def stored(self, function: FunctionInfo) -> list[tuple[cst.CSTNode, str]]:
        """Where a coroutine stores something in a thread's own object and lets other tasks run afterwards."""
        if not function.is_async:
            return []
        order = self._file.tree.order
        last = max((order(node) for node in function.own if self._lets_others_in(node)), default=-1)
        found: list[tuple[cst.CSTNode, str]] = []
        for node in function.own:
            for target, _ in attribute_bindings(node):
                is_local = self._file.is_a(target.value, _LOCAL)
                if is_local and order(node) < last and not self._is_made_once(node):
                    found.append((node, text(target) or target.attr.value))
        return found

    @staticmethod
    def _lets_others_in(node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Await | cst.Yield) or (
            isinstance(node, cst.For | cst.With | cst.CompFor) and node.asynchronous is not None
        )

    def _is_made_once(self, node: cst.CSTNode) -> bool:
        """Whether something is stored only where nothing is yet: all tasks may share what was made."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.If | cst.Try):
                within = self._file.tree.within(around.test if isinstance(around, cst.If) else around.body)
                if isinstance(around, cst.Try):
                    if any(node in self._file.tree.within(handler) for handler in around.handlers):
                        return True
                elif any(
                    self._file.is_a(one, _LOCAL) or (isinstance(one, cst.Call) and called_name(one) == "hasattr")
                    for one in within
                    if isinstance(one, cst.BaseExpression)
                ):
                    return True
        return False


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """A thread's own object, for a coroutine that stores an attribute."""
    functions = (node for node in pieces.below(root) if isinstance(node, ast.AsyncFunctionDef))
    stores = any(
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        for function in functions
        for node in pieces.below(function)
    )
    return {_WORD} if stores else ()


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """The same, for a piece of the text that names the class of one."""
    return {_WORD} if any(pieces.last_name(node) in anchors for node in pieces.below(root)) else ()
