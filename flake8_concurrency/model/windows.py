"""Whether a write happens only once in a while: what tests the age of the old value, or lets few calls through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.touches import DURATIONS, ENDS, PACING, TESTED_PACING, is_clock, parts
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.flow import Condition

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 4
#: What a test asks that is true of a row that is only made there.
_MAKING = frozenset({"created", "new", "inserted"})
_LESS = (cst.LessThan, cst.LessThanEqual)
_MORE = (cst.GreaterThan, cst.GreaterThanEqual)


class Windows:
    """Looks at the tests around a write in one file, and at what decorates its function."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def keeps(self, node: cst.CSTNode, column: str) -> bool:
        """Whether what leads to a node in its function lets it run only where the column is old enough."""
        return any(self._is_window(condition, column) for condition in self._file.flow.conditions(node)) or any(
            isinstance(around, cst.With) and self._paces(around) for around in self._file.ancestors(node)
        )

    def paced(self, function: FunctionInfo) -> bool:
        """Whether what decorates a function lets few of its calls through."""
        return any(
            not PACING.isdisjoint(_words(part)) or not _words(part).isdisjoint({"cache", "cached", "cron", "periodic"})
            for part in function.node.decorators
        )

    def _paces(self, block: cst.With) -> bool:
        return any(not PACING.isdisjoint(_words(item.item)) for item in block.items)

    # -- tests -------------------------------------------------------------------------------------------------------

    def _is_window(self, condition: Condition, column: str) -> bool:
        told = [condition.test, *self._values(condition.test, 0)]
        named = {word for part in told for word in _names(part)}
        if any(column in name for name in named):
            return not self._wants_young(condition, column)
        if not _MAKING.isdisjoint(_words(condition.test)):
            return condition.truth
        some = {word for name in named for word in parts(name)}
        if not TESTED_PACING.isdisjoint(some):
            return True
        asks_time = not DURATIONS.isdisjoint(some) or any(is_clock(name) for name in named)
        return asks_time and ENDS.isdisjoint(some)

    def _values(self, node: cst.CSTNode, depth: int) -> Iterator[cst.CSTNode]:
        """What the names of a test stand for, as far as the function shows it."""
        if depth >= _DEEPEST:
            return
        for part in self._file.tree.within(node):
            if isinstance(part, cst.Name) and not self._is_attribute(part):
                for binding in self._file.names.reaching(part) or ():
                    if binding.how == "assign" and binding.value is not None:
                        yield binding.value
                        yield from self._values(binding.value, depth + 1)

    def _is_attribute(self, node: cst.Name) -> bool:
        parent = self._file.tree.parents.get(node)
        return (isinstance(parent, cst.Attribute) and parent.attr is node) or (
            isinstance(parent, cst.Arg) and parent.keyword is node
        )

    def _wants_young(self, condition: Condition, column: str) -> bool:
        """Whether all that is asked of the column is that it is not too old: an idle session is ended there."""
        signs: list[bool] = []
        for node in self._file.tree.within(condition.test):
            if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
                sign = self._grows_with_age(node, column)
                if sign is not None:
                    signs.append(sign is condition.truth)
        return bool(signs) and not any(signs)

    def _grows_with_age(self, node: cst.Comparison, column: str) -> bool | None:
        """Whether a comparison comes out true when the column is old; None where that can't be told."""
        target = node.comparisons[0]
        left = self._weight(node.left, column, 0)
        right = self._weight(target.comparator, column, 0)
        if left is None or right is None or left == right:
            return None
        grows = left < right
        if isinstance(target.operator, _MORE):
            return grows
        return not grows if isinstance(target.operator, _LESS) else None

    def _weight(self, node: cst.CSTNode, column: str, depth: int) -> int | None:
        """How a sum changes with the column: 1, 0 or -1; None where that can't be told."""
        match node:
            case cst.BinaryOperation(operator=cst.Add() | cst.Subtract() as operator):
                left, right = self._weight(node.left, column, depth), self._weight(node.right, column, depth)
                if left is None or right is None:
                    return None
                return left - right if isinstance(operator, cst.Subtract) else left + right
            case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="total_seconds"))):
                return self._weight(inner, column, depth)
            case cst.Attribute(value=inner, attr=cst.Name(value="seconds" | "days")):
                return self._weight(inner, column, depth)
            case cst.Attribute(attr=cst.Name(value=name)):
                return int(name == column)
            case cst.Name():
                values = [b.value for b in self._file.names.reaching(node) or () if b.how == "assign" and not b.path]
                if len(values) == 1 and values[0] is not None and depth < _DEEPEST:
                    return self._weight(values[0], column, depth + 1)
                return 0
        return 0 if not any(column in name for name in _names(node)) else None


def _names(node: cst.CSTNode) -> Iterator[str]:
    """Every name in an expression, and the strings that may be one."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.Name):
            yield part.value
        elif isinstance(part, cst.SimpleString):
            yield part.raw_value
        stack += part.children


def _words(node: cst.CSTNode) -> set[str]:
    return {word for name in _names(node) for word in parts(name)}
