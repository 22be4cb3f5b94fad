"""Conflicts: whether the error of a row that is already there is dealt with where the row is inserted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.handlers import Handler, caught, passes_on
from flake8_concurrency.model.insert_words import BROAD
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.looks import catches_conflict
from flake8_concurrency.model.reads import Read

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel
    from flake8_concurrency.model.inserts import Insert

#: Words in what a handler raises, or in the name of a decorator, by which the conflict is told, or tried again.
_TELLING = frozenset(
    """conflict exist exists existing duplicate duplicated duplicates already taken unique uniqueness integrity race
    concurrent concurrency retry retries retrying again collision""".split()
)
_LEAVING = cst.Return | cst.Continue | cst.Break


class Conflicts:
    """Answers for one file what happens when the row that is inserted is there."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def are_handled(self, function: FunctionInfo, insert: Insert, read: Read) -> bool:
        """Whether the error of a row that is already there is caught, here or where the function is called."""
        gives_row = self._gives_row(function, read)
        for node in self._file.tree.within(function.node.body):
            if isinstance(node, cst.Try | cst.TryStar) and self._is_caught(node, insert.node, read.sent, gives_row):
                return True
        if insert.inside is not None and self._catches_inside(insert.inside):
            return True
        for call in function.calls:
            if self._file.tree.order(call) > self._file.tree.order(insert.made):
                callee = self._file.callee(call)
                if callee is not None and self._catches_inside(callee):
                    return True
        return any(self._is_called_with_care(call) for call in self._file.queries.callers(function))

    def _is_called_with_care(self, call: cst.Call) -> bool:
        return any(
            isinstance(around, cst.Try | cst.TryStar) and any(map(catches_conflict, around.handlers))
            for around in self._file.ancestors(call)
        )

    def _catches_inside(self, function: FunctionInfo) -> bool:
        return any(
            isinstance(node, Handler) and catches_conflict(node) for node in self._file.tree.within(function.node.body)
        )

    def _is_caught(
        self, statement: cst.Try | cst.TryStar, node: cst.CSTNode, looked: cst.CSTNode, gives_row: bool
    ) -> bool:
        order = self._file.tree.order
        inside = set(self._file.tree.within(statement.body))
        later = order(statement) > order(node)
        if node not in inside and not later:
            return False
        for handler in statement.handlers:
            names = caught(handler)
            if catches_conflict(handler) and not (gives_row and self._only_fails(handler)):
                return True
            # Whatever goes wrong with the insert alone is dealt with, unless it is only passed on.
            broad = handler.type is None or not names.isdisjoint(BROAD)
            if broad and looked not in inside and not passes_on(handler):
                return node in inside or any(
                    isinstance(call, cst.Call) and called_name(call) in ("commit", "flush") for call in inside
                )
        return False

    # -- an error where a row was asked for --------------------------------------------------------------------------

    def _only_fails(self, handler: Handler) -> bool:
        """Whether a handler tidies up and passes the error on, and says nothing of a row that is there."""
        if not passes_on(handler):
            return False
        for node in self._file.tree.within(handler.body):
            if isinstance(node, _LEAVING | Handler):
                return False
            if isinstance(node, cst.Raise) and node.exc is not None and self._tells(node.exc):
                return False
        return True

    def _tells(self, node: cst.BaseExpression) -> bool:
        names = (part.value for part in self._file.tree.within(node) if isinstance(part, cst.Name | cst.Integer))
        return any(name == "409" or not _TELLING.isdisjoint(words(name)) for name in names)

    def _gives_row(self, function: FunctionInfo, read: Read) -> bool:
        """Whether a function returns the row that a look has found, or writes it: who asked for it gets an error.

        Where a row that is there is refused, the error of the database is another refusal.
        """
        if read.shape != "row" or any(self._tells(one.decorator) for one in function.node.decorators):
            return False
        statement = self._file.tree.statement(read.sent)
        if isinstance(statement, cst.Return):
            return statement.value is not None and _unwrapped(statement.value) is _unwrapped(read.sent)
        return any(self._is_of(name, statement) for name in self._used(function))

    def _used(self, function: FunctionInfo) -> Iterator[cst.Name]:
        """The locals that a function returns, or whose attributes it sets."""
        for node in function.own:
            match node:
                case cst.Return(value=cst.Name() as name):
                    yield name
                case cst.Return(value=cst.Tuple(elements=[cst.Element(value=cst.Name() as name), *_])):
                    yield name
                case cst.Assign(targets=targets):
                    for target in targets:
                        if isinstance(target.target, cst.Attribute) and isinstance(target.target.value, cst.Name):
                            yield target.target.value

    def _is_of(self, name: cst.Name, statement: cst.CSTNode | None) -> bool:
        bindings = self._file.names.reaching(name) or ()
        return any(
            binding.how == "assign"
            and not binding.path
            and binding.value is not None
            and self._file.tree.statement(binding.value) is statement
            for binding in bindings
        )


def _unwrapped(node: cst.CSTNode) -> cst.CSTNode:
    return node.expression if isinstance(node, cst.Await) else node
