"""What blocks while a lock of threads is held: everybody who wants the lock waits for it as well."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.pieces import below, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CATEGORIES = frozenset({"sleep", "http", "subprocess", "database", "client", "primitive", "input"})
#: Words in the names of locks that exist so that one thread at a time uses what is slow.
_SERIAL = frozenset(
    """io write writer read reader send recv socket sock request connection conn connect serial api device port file db
    database session client http cursor command process proc update load loading init start refresh fetch""".split()
)
_TAKING = frozenset({"acquire", "acquire_lock", "enter_context"})
_LOCK = "lock"
_OWN = frozenset({"acquire", "wait", "wait_for"})


class Blocked(NamedTuple):
    """Something that blocks, the lock that is held meanwhile, and the function that blocks where it is called."""

    node: cst.CSTNode
    lock: LockIdentity
    leaf: Leaf
    through: FunctionInfo | None = None


class LockedBlocking:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def by(self, function: FunctionInfo) -> list[Blocked]:
        """What blocks in a function, or in what it calls, while the function holds a lock."""
        if function.is_async:
            return []
        found = [Blocked(leaf.node, lock, leaf) for leaf in self._leaves(function) for lock in self._held(leaf.node)]
        for step in self._file.functions.steps(function):
            for lock in self._held(step.node):
                leaf = next(iter(self._leaves(step.function)), None)
                if leaf is not None:
                    found.append(Blocked(step.node, lock, leaf, step.function))
        return list({blocked.node: blocked for blocked in found}.values())

    def _leaves(self, function: FunctionInfo) -> list[Leaf]:
        leaves = self._file.functions.leaves(function)
        return [leaf for leaf in leaves if leaf.fact.category in _CATEGORIES and not self._is_of_a_lock(leaf.node)]

    def _is_of_a_lock(self, node: cst.CSTNode) -> bool:
        """Whether what blocks is a lock: that it is taken while another one is held has rules of its own."""
        if isinstance(node, cst.Call):
            of = node.func.value if isinstance(node.func, cst.Attribute) and called_name(node) in _OWN else None
            return of is not None and self._file.lock_regions.kind_of(of) is not None
        return isinstance(node, cst.BaseExpression) and self._file.lock_regions.identity(node) is not None

    def _held(self, node: cst.CSTNode) -> list[LockIdentity]:
        regions = self._file.lock_regions
        found = []
        for lock in sorted(regions.held_here(node), key=str):
            kind = regions.kind(lock)
            is_plain = kind is not None and kind.family == "threading" and kind.name != "Semaphore"
            if is_plain and not lock.keyed and _SERIAL.isdisjoint(words(lock.name)):
                found.append(lock)
        return found[:1]


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """A lock, for a function that enters or acquires something."""
    for node in below(root):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node, ast.With | ast.AsyncWith) or (is_call and node.func.attr in _TAKING):  # type: ignore[attr-defined]
            return {_LOCK}
    return ()


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A lock, for a piece of the text that makes one, or names the class of one."""
    return {_LOCK} if any(last_name(node) in anchors for node in below(root)) else ()
