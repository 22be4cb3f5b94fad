"""Locks that keep nobody out: each run of the code that takes them makes its own."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.entrances import is_of_a_life
from flake8_concurrency.model.lock_states import ACQUIRING
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import below, last_name
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.spelling import last_name as called

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: First words in the names of functions that run before anybody else can use what they make.
_FIRST = frozenset(
    "init initialize initialise setup set create make build configure prepare start open connect".split()
)
#: The same wherever they stand: `on_startup`.
_ANYWHERE = frozenset({"setup", "startup"})


class ThrowawayLocks:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def made(self, lock: cst.BaseExpression, classes: Collection[str]) -> cst.Call | None:
        """The call that makes a lock of one of these classes for the code alone that takes it here."""
        if isinstance(lock, cst.NamedExpr):
            lock = lock.value
        if isinstance(lock, cst.Call):
            return lock if self._makes(lock, classes) else None
        if isinstance(lock, cst.Attribute):
            return self._made_anew(lock, classes)
        return self._local(lock, classes) if isinstance(lock, cst.Name) else None

    def _local(self, lock: cst.Name, classes: Collection[str]) -> cst.Call | None:
        bindings = self._file.names.reaching(lock) or []
        value = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
        if not isinstance(value, cst.Call) or bindings[0].path or not self._makes(value, classes):
            return None
        function = self._file.function_of(lock)
        is_local = function is not None and self._file.function_of(value) is function
        return value if is_local and not self._is_shared(lock) else None

    def _makes(self, call: cst.Call, classes: Collection[str]) -> bool:
        # A function of the file that gives a lock may give the same one again.
        names = {name.rpartition(".")[2] for name in classes} | {"BoundedSemaphore", "StrictFIFOLock"}
        name = (self._file.qualified(call.func) or called(call.func)).rpartition(".")[2]
        return name in names and self._file.callee(call) is None and self._file.is_a(call, *classes)

    def _is_shared(self, lock: cst.Name) -> bool:
        """Whether a local lock is used in any other way than to be held here."""
        scope = self._file.tree.scope_of(lock)
        home = self._file.names.home(lock.value, scope)
        if home is not scope or not isinstance(scope, cst.FunctionDef):
            return True
        return any(
            isinstance(node, cst.Name) and node.value == lock.value and not self._is_held(node, scope)
            for node in self._file.tree.within(scope.body)
        )

    def _is_held(self, node: cst.Name, scope: cst.FunctionDef) -> bool:
        parent = self._file.parent(node)
        if isinstance(parent, cst.AssignTarget):
            assign = self._file.parent(parent)
            return isinstance(assign, cst.Assign) and len(assign.targets) == 1
        if self._file.tree.scope_of(node) is not scope:
            return isinstance(parent, cst.Attribute) and parent.attr is node
        if isinstance(parent, cst.Attribute):
            # `lock.release` may be given to somebody who calls it.
            around = self._file.parent(parent)
            return parent.attr is node or (isinstance(around, cst.Call) and around.func is parent)
        return isinstance(parent, cst.WithItem) or (isinstance(parent, cst.Arg) and parent.keyword is node)

    # -- an attribute ------------------------------------------------------------------------------------------------

    def _made_anew(self, lock: cst.Attribute, classes: Collection[str]) -> cst.Call | None:
        """The call that gives an object a new lock whenever the function runs that takes it."""
        function = self._file.function_of(lock)
        if function is None or self._is_first(function) or dotted(lock.value) != function.this:
            return None
        body = function.node.body
        for line in body.body if isinstance(body, cst.IndentedBlock) else ():
            for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if (
                    isinstance(small, cst.Assign)
                    and any(dotted(target.target) == dotted(lock) for target in small.targets)
                    and isinstance(small.value, cst.Call)
                    and self._makes(small.value, classes)
                    and self._file.tree.order(small) < self._file.tree.order(lock)
                ):
                    return small.value
        return None

    def _is_first(self, function: FunctionInfo) -> bool:
        """Whether nobody else is there yet when a function runs, going by its name, or by the constructor's call."""
        parts = words(function.name.strip("_"))
        if is_of_a_life(function.name) or not _FIRST.isdisjoint(parts[:1]) or not _ANYWHERE.isdisjoint(parts):
            return True
        callers = [self._file.function_of(call) for call in self._file.queries.callers(function)]
        return bool(callers) and all(
            caller is not None and caller.owner is function.owner and caller.name == "__init__" for caller in callers
        )


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """Something here, where a function takes what a call gives, or what it has made itself."""
    nodes = below(root)
    taken = [item.context_expr for node in nodes if isinstance(node, ast.With | ast.AsyncWith) for item in node.items]
    taken += [
        node.func.value
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ACQUIRING
    ]
    if any(isinstance(one, ast.Call | ast.NamedExpr) for one in taken):
        return {_here(root)}
    stored = {last_name(target) for node in nodes if isinstance(node, ast.Assign) for target in node.targets}
    stored |= {last_name(node.target) for node in nodes if isinstance(node, ast.AnnAssign)}
    return {_here(root)} if any(last_name(one) in stored for one in taken) else ()


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """The same, where a function makes a lock by one of these names."""
    made = any(isinstance(node, ast.Call) and last_name(node.func) in anchors for node in below(root))
    return asks(root) if made else ()


def _here(root: ast.AST) -> str:
    """Stands for this piece of the text, and no other."""
    return f"<line {getattr(root, 'lineno', 0)}>"
