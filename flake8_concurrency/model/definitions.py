"""The functions and classes that a file defines, as found in its tree: data, no inference."""

from __future__ import annotations

from functools import cached_property

import libcst as cst

from flake8_concurrency.model.bindings import Binding, parameters, targets
from flake8_concurrency.model.names import Names
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import Tree

_STATIC = frozenset({"staticmethod"})
_CLASS = frozenset("classmethod validator field_validator model_validator root_validator declared_attr".split())
_PROPERTY = frozenset({"property", "cached_property", "hybrid_property", "abstractproperty", "reify"})


class FunctionInfo:
    """A function or method of the file."""

    def __init__(self, node: cst.FunctionDef, owner: ClassInfo | None, own: list[cst.CSTNode]) -> None:
        self.node = node
        self.owner = owner
        #: The calls, returns, assignments … that run in the function itself, nested functions left out.
        self.own = own

    @property
    def name(self) -> str:
        return self.node.name.value

    @cached_property
    def qualified_name(self) -> str:
        """`Class.method` or `function`, as a message prints it."""
        return self.name if self.owner is None else f"{self.owner.name}.{self.name}"

    @property
    def is_async(self) -> bool:
        return self.node.asynchronous is not None

    @cached_property
    def is_generator(self) -> bool:
        return any(isinstance(node, cst.Yield) for node in self.own)

    @cached_property
    def params(self) -> list[cst.Param]:
        return parameters(self.node.params)

    @cached_property
    def decorators(self) -> list[cst.BaseExpression]:
        """The decorators, those that are called without their arguments."""
        found = (decorator.decorator for decorator in self.node.decorators)
        return [node.func if isinstance(node, cst.Call) else node for node in found]

    @cached_property
    def decorator_names(self) -> frozenset[str]:
        """The last names of the decorators."""
        return frozenset(dotted(node).rpartition(".")[2] for node in self.decorators)

    @property
    def is_property(self) -> bool:
        return self.owner is not None and bool(self.decorator_names & _PROPERTY)

    @property
    def is_static(self) -> bool:
        return bool(self.decorator_names & _STATIC)

    @property
    def is_classmethod(self) -> bool:
        return bool(self.decorator_names & _CLASS) or self.name in ("__new__", "__init_subclass__")

    @cached_property
    def this(self) -> str | None:
        """The name of the parameter that receives the object or the class; None in a function or static method."""
        if self.owner is None or self.is_static:
            return None
        first = [*self.node.params.posonly_params, *self.node.params.params]
        return first[0].name.value if first else None

    def nodes(self, *types: type[cst.CSTNode]) -> list[cst.CSTNode]:
        """The function's own marked nodes of some types."""
        return [node for node in self.own if node.__class__ in types]

    @cached_property
    def calls(self) -> list[cst.Call]:
        return [node for node in self.own if node.__class__ is cst.Call]

    def __repr__(self) -> str:
        return f"<{self.qualified_name}>"


class ClassInfo:
    """A class of the file."""

    def __init__(self, node: cst.ClassDef) -> None:
        self.node = node
        #: Methods by name; the last definition wins, but a property keeps its getter.
        self.methods: dict[str, FunctionInfo] = {}
        #: What the class body binds, methods left out.
        self.attributes: dict[str, list[Binding]] = {}
        #: What methods assign to attributes of `self` or `cls`.
        self.assigned: dict[str, list[Binding]] = {}

    @property
    def name(self) -> str:
        return self.node.name.value

    @property
    def bases(self) -> list[cst.BaseExpression]:
        return [arg.value for arg in self.node.bases if not arg.star]

    def __repr__(self) -> str:
        return f"<class {self.name}>"


class Definitions:
    """All functions and classes of a file."""

    def __init__(self, tree: Tree, names: Names) -> None:
        self.functions: dict[cst.FunctionDef, FunctionInfo] = {}
        self.classes: dict[cst.ClassDef, ClassInfo] = {}
        self._tree = tree
        scopes = list(tree.own)
        for scope in scopes:
            if isinstance(scope, cst.ClassDef):
                self.classes[scope] = ClassInfo(scope)
        for scope in scopes:
            if isinstance(scope, cst.FunctionDef):
                self._add_function(scope)
        for info in self.classes.values():
            bound = names.bindings(info.node)
            info.attributes = {name: found for name, found in bound.items() if name not in info.methods}
        for function in self.functions.values():
            self._add_assigned(function)

    def around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function whose call runs this node; None in a lambda and at module level."""
        scope = self._tree.scope_of(node)
        while not isinstance(scope, cst.FunctionDef):
            if isinstance(scope, cst.Module | cst.Lambda):
                return None
            scope = self._tree.scope_of(scope)
        return self.functions[scope]

    def _add_function(self, node: cst.FunctionDef) -> None:
        around = self._tree.scope_of(node)
        owner = self.classes.get(around) if isinstance(around, cst.ClassDef) else None
        info = self.functions[node] = FunctionInfo(node, owner, self._tree.running(node))
        if owner is None:
            return
        earlier = owner.methods.get(info.name)
        if earlier is None or not (earlier.is_property and info.decorator_names & {"setter", "deleter"}):
            owner.methods[info.name] = info

    def _add_assigned(self, function: FunctionInfo) -> None:
        if function.owner is None or function.this is None:
            return
        assigned = function.owner.assigned
        for node in self._attribute_writes(function):
            for target, binding in attribute_bindings(node):
                if isinstance(target.value, cst.Name) and target.value.value == function.this:
                    assigned.setdefault(target.attr.value, []).append(binding)

    def _attribute_writes(self, function: FunctionInfo) -> list[cst.CSTNode]:
        """The assignments of a method and of the functions nested in it, which see the same `self`."""
        found = list(function.own)
        for node in function.own:
            if isinstance(node, cst.FunctionDef | cst.Lambda):
                found += self._tree.running(node)
        return found


_WRITING = frozenset({cst.Assign, cst.AnnAssign, cst.For, cst.With})


def attribute_bindings(node: cst.CSTNode) -> list[tuple[cst.Attribute, Binding]]:
    """The attributes that a statement assigns to, each with what it gets."""
    found: list[tuple[cst.Attribute, Binding]] = []
    if type(node) not in _WRITING:
        return found
    pairs: list[tuple[cst.BaseExpression, str, cst.BaseExpression | None, cst.BaseExpression | None]] = []
    match node:
        case cst.Assign():
            pairs += [(target.target, "assign", node.value, None) for target in node.targets]
        case cst.AnnAssign():
            how = "assign" if node.value else "annotation"
            pairs.append((node.target, how, node.value, node.annotation.annotation))
        case cst.For():
            pairs.append((node.target, "for", node.iter, None))
        case cst.With():  # pragma: no branch - the last of those above
            for item in node.items:
                if item.asname is not None:
                    for single, path in targets(item.asname.name):
                        if isinstance(single, cst.Attribute):
                            found.append((single, Binding("with", item, item.item, path)))
    for target, how, value, annotation in pairs:
        for single, path in targets(target):
            if isinstance(single, cst.Attribute):
                found.append((single, Binding(how, node, value, path, annotation)))
    return found
