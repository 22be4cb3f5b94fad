"""Loops: which one a node is in, and how often it may run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_RETRYING = frozenset("attempt attempts retry retries tries trial try".split())
_PAUSING = frozenset({"sleep", "wait"})


class Loops:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def around(self, node: cst.CSTNode) -> cst.For | cst.While | None:
        """The innermost loop whose body a node runs in, each round, in the same function."""
        child = node
        for parent in self._file.ancestors(node):
            if isinstance(parent, cst.For | cst.While) and child is parent.body:
                return parent
            if isinstance(parent, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                return None
            child = parent
        return None

    def is_few(self, loop: cst.For | cst.While) -> bool:
        """Whether a loop runs a fixed number of rounds, tries again, pauses in each round, or ends in its first one."""
        if leaves(loop.body) or self._pauses(loop):
            return True
        if isinstance(loop, cst.While):
            return self._retries(loop)
        if not _RETRYING.isdisjoint(words(last_name(loop.target))):
            return True
        return self.is_fixed(loop.iter)

    def is_fixed(self, iterable: cst.BaseExpression) -> bool:
        """Whether what a loop goes through is written down, configured, or a number of rounds."""
        match iterable:
            case cst.Tuple() | cst.List() | cst.Set() | cst.Dict():
                return True
            case cst.Call(func=cst.Name(value="range")):
                return True
            case cst.Call(func=cst.Name(value="enumerate" | "zip" | "list" | "sorted" | "reversed"), args=[first, *_]):
                return self.is_fixed(first.value)
            case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="items" | "values" | "keys"))):
                return self.is_fixed(inner)
            case cst.Name() | cst.Attribute():
                return last_name(iterable).isupper()
        return False

    def _pauses(self, loop: cst.For | cst.While) -> bool:
        return any(
            isinstance(node, cst.Call)
            and isinstance(self._file.parent(node), cst.Expr)
            and last_name(node.func) in _PAUSING
            for node in self._file.tree.within(loop.body)
        )

    def _retries(self, loop: cst.While) -> bool:
        """Whether a loop is left when its work succeeds: a `break` or `return` in a `try` or after one."""
        has_try = any(isinstance(node, cst.Try) for node in self._file.tree.within(loop.body))
        return has_try and any(isinstance(node, cst.Break | cst.Return) for node in self._file.tree.within(loop.body))
