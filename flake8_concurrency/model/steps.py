"""The steps from one function of a file into another, whose body runs then and there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING_DECORATORS
from flake8_concurrency.model.blocking_calls import READERS
from flake8_concurrency.model.callees import Callees
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.remembering import remembers
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import Tree

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Decorators whose function's body still runs where the function is called, and when.
_IN_PLACE = frozenset(
    """staticmethod classmethod property cached_property lru_cache cache wraps abstractmethod override final
    hybrid_property retry synchronized no_type_check singledispatch beartype typechecked validate_call callback
    contextmanager cached
    atomic on_exception on_predicate deprecated""".split()
)


class Step(NamedTuple):
    """A function of the file whose body runs at a node: a call, a `with` or `for` over it, an access to a property."""

    node: cst.CSTNode
    function: FunctionInfo


class Steps:
    """The steps of one file's functions."""

    def __init__(self, file: FileModel, callees: Callees) -> None:
        self._tree = file.tree
        self._definitions = file.definitions
        self._kinds = file.kinds
        self._callees = callees
        self._properties: dict[FunctionInfo, list[cst.Attribute]] | None = None

    def at(self, node: cst.CSTNode) -> Iterator[Step]:
        """The sync functions that run at a call, a `with` or a `for`."""
        if isinstance(node, cst.Call):
            # What a sync function gives to be awaited is its real work.
            called = None if isinstance(self._tree.parents[node], cst.Await) else self._callees.of(node)
            if called is not None and self._runs_at_call(called, node):
                yield Step(node, called)
        elif isinstance(node, cst.With) and node.asynchronous is None:
            for item in node.items:
                yield from self._syntax_steps(item.item, "__enter__", "__exit__")
        elif isinstance(node, cst.For | cst.CompFor) and node.asynchronous is None:
            yield from self._syntax_steps(node.iter, "__iter__", "__next__")

    def _syntax_steps(self, node: cst.BaseExpression, *methods: str) -> Iterator[Step]:
        kind = self._kinds.of(node)
        if kind is not None and isinstance(kind.ref, ClassInfo):
            for name in methods:
                found = self._callees.method(kind, name)
                if found is not None and not found.is_async and not self._callees.may_be_another(found, kind, node):
                    yield Step(node, found)

    def to_properties(self, function: FunctionInfo) -> Iterator[Step]:
        """The properties that a function reads."""
        if self._properties is None:
            self._properties = self._property_uses()
        for node in self._properties.get(function, ()):
            kind = self._kinds.of(node.value)
            if kind is not None and isinstance(kind.ref, ClassInfo):
                found = self._callees.method(kind, node.attr.value)
                if found is None or not found.is_property or self._callees.may_be_another(found, kind, node):
                    continue
                if not remembers(found, self._tree):
                    yield Step(node, found)

    def _property_uses(self) -> dict[FunctionInfo, list[cst.Attribute]]:
        found: dict[FunctionInfo, list[cst.Attribute]] = {}
        names = {info.name for info in self._definitions.functions.values() if info.is_property}
        if names:
            for node in self._tree.nodes:
                if isinstance(node, cst.Attribute) and node.attr.value in names:
                    around = None if self._is_written(node) else self._definitions.around(node)
                    if around is not None:
                        found.setdefault(around, []).append(node)
        return found

    def _is_written(self, node: cst.Attribute) -> bool:
        parent = self._tree.parents[node]
        return isinstance(parent, cst.AssignTarget | cst.Del) or (
            isinstance(parent, cst.AnnAssign | cst.AugAssign) and parent.target is node
        )

    def _runs_at_call(self, function: FunctionInfo, call: cst.Call) -> bool:
        """Whether the body of a function runs, here and now, when this call of it is evaluated."""
        return self.keeps_its_body(function) and self.is_entered(function, call)

    def is_entered(self, function: FunctionInfo, call: cst.Call) -> bool:
        """Whether a sync function of this or another file runs when it is called: a generator when it is read."""
        if not function.is_generator:
            return True
        parent = self._tree.parents[call]
        if isinstance(parent, cst.Arg):
            reader = self._tree.parents[parent]
            assert isinstance(reader, cst.Call | cst.ClassDef)
            if isinstance(reader, cst.ClassDef):
                return False
            if "contextmanager" in function.decorator_names:
                return dotted(reader.func).rpartition(".")[2] == "enter_context"
            return self._kinds.qualified(reader.func) in READERS
        if "contextmanager" in function.decorator_names:
            return isinstance(parent, cst.WithItem)
        return isinstance(parent, cst.From) or (isinstance(parent, cst.For | cst.CompFor) and parent.iter is call)

    def keeps_its_body(self, function: FunctionInfo) -> bool:
        """Whether a function of this file is sync, and calling it, decorated, runs its body in the calling thread."""
        if function.is_async:
            return False
        for decorator in function.decorators:
            kind = self._kinds.of(decorator)
            if kind is not None and isinstance(kind.ref, FunctionInfo):
                if not _calls_what_it_is_given(kind.ref, self._tree):
                    return False
            elif (
                self._kinds.qualified(decorator) in OFFLOADING_DECORATORS
                or dotted(decorator).rpartition(".")[2] not in _IN_PLACE
            ):
                return False
        return True


def _calls_what_it_is_given(decorator: FunctionInfo, tree: Tree) -> bool:
    """Whether a decorator of the file wraps its function in a sync one that calls it, or hands it back."""
    if decorator.is_async or not decorator.params:
        return False
    for inner in decorator.own:
        if not isinstance(inner, cst.FunctionDef):
            continue
        if inner.asynchronous is not None:
            return False
        # `@decorator(option)`: what it returns is the decorator.
        given = {decorator.params[0].name.value} | {param.name.value for param in inner.params.params[:1]}
        called = [node.func for node in tree.within(inner) if isinstance(node, cst.Call)]
        if any(isinstance(func, cst.Name) and func.value in given for func in called):
            return not any(
                isinstance(node, cst.FunctionDef) and node.asynchronous is not None for node in tree.within(inner)
            )
    return False
