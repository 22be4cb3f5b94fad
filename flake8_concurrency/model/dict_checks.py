"""Keys of shared dicts that are looked for and then stored or taken, in two steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.shared_state import Write
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_THREADED = ("threading", "concurrent.futures", "flask", "multiprocessing.pool", "socketserver")
_MAKING = frozenset("__init__ __new__ __post_init__ __del__ __set_name__ __init_subclass__".split())


class DictCheck(NamedTuple):
    """A test for a key, and what follows from it: a store or a deletion."""

    test: cst.If
    write: Write
    stores: bool


class DictChecks:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def racy(self, function: FunctionInfo) -> Iterator[DictCheck]:
        """The checks of a function that may run in threads; one for each test."""
        if function.name in _MAKING or self._file.functions.runs_once(function):
            return
        if self._file.caches.is_on_loop(function):
            return
        seen: set[cst.If] = set()
        for write in self._file.shared_state.writes(function):
            if not _is_of_dict(write) or write.owner == "function":
                continue
            stores = write.how == "set"
            test = self._tested(write, stores=stores)
            if test is None or test in seen or self._file.sections.encloses(write.node, write.node):
                continue
            if self._may_be_shared(write, function) and not self._is_cache(write):
                seen.add(test)
                yield DictCheck(test, write, stores)

    def _is_cache(self, write: Write) -> bool:
        """Whether the dict is a cache of cachetools, which CNC617 speaks of."""
        container = write.target.value if isinstance(write.target, cst.Subscript) else write.target
        return self._file.is_a(container, "cachetools.Cache")

    def _may_be_shared(self, write: Write, function: FunctionInfo) -> bool:
        """Whether threads share a dict: that of an object if its class has a lock, or what uses it runs in a thread."""
        roots = self._file.threaded.roots(function)
        if write.owner != "object":
            return bool(roots) or self._file.threaded.imports(*_THREADED)
        has_lock = function.owner is not None and bool(self._file.guards.locks(function.owner))
        return has_lock or any(not root.own_object for root in roots)

    def _tested(self, write: Write, *, stores: bool) -> cst.If | None:
        """The `if` that finds the key missing before it is stored, or there before it is taken."""
        child: cst.CSTNode = write.node
        for around in self._file.ancestors(write.node):
            if isinstance(around, cst.If) and child is around.body and self._asks(around.test, write, absent=stores):
                return around
            if isinstance(around, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                return None
            child = around
        return None

    def _asks(self, test: cst.BaseExpression, write: Write, *, absent: bool) -> bool:
        match test:
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                return self._asks(inner, write, absent=not absent)
            case cst.BooleanOperation(left=left, right=right):
                return self._asks(left, write, absent=absent) or self._asks(right, write, absent=absent)
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=container)]):
                if isinstance(operator, cst.NotIn if absent else cst.In):
                    return text(left) == write.key and text(container) == write.container
                is_none = text(container) == "None" and isinstance(operator, cst.Is if absent else cst.IsNot)
                return is_none and self._gets(left, write)
        return not absent and self._gets(test, write)

    def _gets(self, node: cst.BaseExpression, write: Write) -> bool:
        """`D.get(key)`"""
        match node:
            case cst.Call(func=cst.Attribute(value=container, attr=cst.Name(value="get")), args=[cst.Arg(value=key)]):
                return text(container) == write.container and text(key) == write.key
        return False


def _is_of_dict(write: Write) -> bool:
    """Whether a write stores or takes a key that may be another one each time."""
    name = write.key.rpartition(".")[2]
    if not write.key or name.isupper() or name[0] in "'\"0123456789":
        return False
    is_pop = write.how == "take" and isinstance(write.value, cst.Call) and called_name(write.value) == "pop"
    return write.how in ("set", "delete") or is_pop
