"""Waits for a condition variable: whether what is waited for is looked at again once the wait is over."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import pieces
from flake8_concurrency.model.calls import literal, receiver
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.pieces import below
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Not that of asyncio: between its `notify()` and the task that it wakes, few others come.
_CONDITIONS = ("threading.Condition", "multiprocessing.synchronize.Condition")
_CONDITION = "condition"
_LOOPS = (cst.While, cst.For)
#: Names that say nothing about which test it is.
_COMMON = frozenset("self cls is_set len time monotonic isinstance any all None True False".split())


class ConditionWaits:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def tested_once(self, call: cst.Call) -> cst.If | None:
        """The `if` under which a condition is waited for, when nothing looks again at what it has tested."""
        if not self._is_wait(call) or self._is_in_loop(call):
            return None
        test = next((around for around in self._around(call) if isinstance(around, cst.If)), None)
        if test is None or called_name(call) in {last_name(node) for node in self._file.tree.within(test.test)}:
            return None
        tested = self._names(test.test)
        return test if self._is_relied_on(call, tested) else None

    def is_blind(self, call: cst.Call) -> bool:
        """Whether a condition is waited for, as long as it takes, before anything is looked at."""
        if not self._is_wait(call) or self._is_timed(call) or self._is_in_loop(call):
            return False
        if not isinstance(self._statement_of(call), cst.Expr) or self._is_all(call):
            return False
        around = list(self._around(call))
        if any(isinstance(one, cst.If | cst.Try | cst.Match) for one in around):
            return False
        block = next((one for one in around if isinstance(one, cst.IndentedBlock)), None)
        first = None if block is None else block.body[0]
        return isinstance(first, cst.SimpleStatementLine) and self._file.tree.statement(call) in first.body

    # -- what it is --------------------------------------------------------------------------------------------------

    def _is_wait(self, call: cst.Call) -> bool:
        of = receiver(call)
        return of is not None and called_name(call) == "wait" and self._file.is_a(of, *_CONDITIONS)

    @staticmethod
    def _is_timed(call: cst.Call) -> bool:
        return any(literal(arg.value) != (None,) for arg in call.args)

    def _statement_of(self, call: cst.Call) -> cst.CSTNode:
        return self._file.parent(call)

    # -- where it stands ---------------------------------------------------------------------------------------------

    def _around(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                return
            yield around

    def _is_in_loop(self, node: cst.CSTNode, depth: int = 2) -> bool:
        """Whether a loop comes back to a node, also one of all that call a private function."""
        if any(isinstance(around, (*_LOOPS, cst.CompFor)) for around in self._around(node)):
            return True
        function = self._file.function_of(node)
        if function is None or depth == 0:
            return False
        calls = [use for use in self._file.entrances.uses(function) if self._is_call(use)]
        # What the gate keeps: the callers of a public function, and not theirs.
        further = depth - 1 if function.name.startswith("_") else 0
        return bool(calls) and all(self._is_in_loop(use, further) for use in calls)

    def _is_call(self, use: cst.Name) -> bool:
        parent = self._file.parent(use)
        named = parent if isinstance(parent, cst.Attribute) and parent.attr is use else use
        call = self._file.parent(named)
        return isinstance(call, cst.Call) and call.func is named

    def _is_all(self, call: cst.Call) -> bool:
        """Whether a function does nothing but wait: whoever calls it looks at what it is waited for."""
        function = self._file.function_of(call)
        return function is None or len(self._statements(function)) <= 1

    @staticmethod
    def _statements(function: FunctionInfo) -> list[cst.CSTNode]:
        """What a function does, its docstring and the `with` around left out."""
        body = function.node.body.body
        while True:
            found = [one for one in body if not _is_text(one)]
            if len(found) == 1 and isinstance(found[0], cst.With):
                body = found[0].body.body
                continue
            return list(found)

    # -- what is tested ----------------------------------------------------------------------------------------------

    def _names(self, test: cst.CSTNode) -> set[str]:
        """The names and attributes that a test looks at."""
        nodes = self._file.tree.within(test)
        found = {dotted(node) or last_name(node) for node in nodes if isinstance(node, cst.Name | cst.Attribute)}
        return {name.rpartition(".")[2] for name in found} - _COMMON - {""}

    def _is_relied_on(self, call: cst.Call, tested: set[str]) -> bool:
        """Whether what was tested is used after the wait, and not tested again."""
        used = False
        for statement in self._after(call):
            for node in self._file.tree.within(statement):
                if isinstance(node, cst.If | cst.While | cst.IfExp | cst.Assert):
                    if not tested.isdisjoint(self._names(node.test)):
                        return False
                elif isinstance(node, cst.Attribute | cst.Name):
                    used = used or last_name(node) in tested
        return used

    def _after(self, call: cst.Call) -> Iterator[cst.CSTNode]:
        """The statements that run after the one with a call, until the function is left."""
        child: cst.CSTNode = self._file.tree.statement(call)
        for parent in self._around(child):
            if isinstance(parent, cst.IndentedBlock | cst.SimpleStatementLine):
                rest = list(parent.body)[list(parent.body).index(child) + 1 :]
                yield from rest
                if any(leaves(one) for one in rest):
                    return
            child = parent


def _is_text(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.SimpleStatementLine)
        and isinstance(node.body[0], cst.Expr)
        and isinstance(node.body[0].value, cst.SimpleString | cst.ConcatenatedString)
    )


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """A condition, for a function that waits for something."""
    waits = (node for node in below(root) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return {_CONDITION} if any(node.func.attr == "wait" for node in waits) else ()  # type: ignore[attr-defined]


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A condition, for a piece of the text that names one."""
    return {_CONDITION} if any(pieces.last_name(node) in anchors for node in below(root)) else ()
