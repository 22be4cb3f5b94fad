"""One read-only traversal of a libcst tree: who is whose parent, what stands in which scope, in which order.

libcst's own `visit` rebuilds the tree as it goes, at twenty times the cost. Whitespace and punctuation are skipped:
no rule looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from typing import cast

import libcst as cst

Comprehension = cst.ListComp | cst.SetComp | cst.DictComp | cst.GeneratorExp
Scope = cst.Module | cst.ClassDef | cst.FunctionDef | cst.Lambda | Comprehension

COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)
SCOPES = (cst.Module, cst.ClassDef, cst.FunctionDef, cst.Lambda, *COMPREHENSIONS)

#: Fields that hold only layout, operators or markers.
_LAYOUT = frozenset(
    """asynchronous colon comma dot dots equal first_line footer header indent lbrace lbracket leading_lines
    leading_whitespace lines_after_decorators lines_after_module_docstring lpar newline operator rbrace rbracket rpar
    semicolon
    separator star trailing_whitespace encoding default_indent default_newline has_trailing_newline""".split()
)

#: Node types that the model wants listed by the scope they run in.
MARKED: frozenset[type[cst.CSTNode]] = frozenset(
    {
        cst.AnnAssign, cst.Assert, cst.Assign, cst.AugAssign, cst.Await, cst.Call, cst.ClassDef, cst.CompFor,
        cst.CompIf, cst.Del, cst.ExceptHandler, cst.ExceptStarHandler, cst.Expr, cst.For, cst.FunctionDef, cst.Global,
        cst.If, cst.IfExp, cst.Import, cst.ImportFrom, cst.Lambda, cst.Match, cst.MatchAs, cst.MatchMapping,
        cst.MatchStar, cst.NamedExpr, cst.Nonlocal, cst.Return, cst.TypeAlias, cst.While, cst.With, cst.Yield,
        *COMPREHENSIONS,
    }
)  # fmt: skip

#: Types that declare their fields in another order than they are written in.
_WRITTEN: dict[type[cst.CSTNode], str] = {
    cst.Arg: "keyword value",
    cst.ClassDef: "decorators name type_parameters bases keywords body",
    cst.ExceptHandler: "type name body",
    cst.ExceptStarHandler: "type name body",
    cst.FunctionDef: "decorators name type_parameters params returns body",
    cst.IfExp: "body test orelse",
    cst.ImportFrom: "relative module names",
    cst.MatchCase: "pattern guard body",
    cst.Parameters: "posonly_params posonly_ind params star_arg kwonly_params star_kwarg",
    cst.TypeAlias: "name type_parameters value",
}

#: What stands in those fields beside nodes: `isinstance(value, CSTNode)` takes ten times as long.
_NO_NODES: frozenset[type] = frozenset({type(None), str, bool, int, cst.MaybeSentinel})
#: The types that open a scope, or may run somewhere else than what is around them.
_APART = frozenset({cst.FunctionDef, cst.ClassDef, cst.Lambda, cst.CompFor, *COMPREHENSIONS})

#: The scopes whose code runs where they stand.
_RUN_IN_PLACE: frozenset[type[cst.CSTNode]] = frozenset({cst.ClassDef, *COMPREHENSIONS})

_children_of: dict[type[cst.CSTNode], tuple[str, ...]] = {}


def child_fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The names of the fields of a node type that can hold more than layout, in the order they are written in."""
    found = _children_of.get(kind)
    if found is None:
        written = _WRITTEN.get(kind)
        names = [f.name for f in fields(kind)] if written is None else written.split()
        found = tuple(name for name in names if name not in _LAYOUT and not name.startswith("whitespace"))
        if issubclass(kind, cst.SimpleString | cst.Integer | cst.Float | cst.Imaginary | cst.Name):
            found = ()
        _children_of[kind] = found
    return found


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The child nodes in source order, layout left out."""
    for name in child_fields(node.__class__):
        value = getattr(node, name)
        kind = value.__class__
        if kind is list or kind is tuple:
            yield from value
        elif kind not in _NO_NODES:
            yield value


class Tree:
    """A module's nodes with their parents, their order, and the scope each of them runs in."""

    def __init__(self, module: cst.Module) -> None:
        self.module = module
        #: Every node's parent; the module has none.
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        #: Nodes in source order, each parent before its children.
        self.nodes: list[cst.CSTNode] = []
        #: The marked nodes that run in each scope, in source order.
        self.own: dict[Scope, list[cst.CSTNode]] = {module: []}
        self._scopes: dict[cst.CSTNode, Scope] = {}
        self._order: dict[cst.CSTNode, int] | None = None
        self._traverse()

    def _traverse(self) -> None:
        parents, nodes, own, scopes = self.parents, self.nodes, self.own, self._scopes
        stack: list[tuple[cst.CSTNode, Scope]] = [(self.module, self.module)]
        while stack:
            node, scope = stack.pop()
            kind = node.__class__
            nodes.append(node)
            scopes[node] = scope
            if kind in MARKED:
                own[scope].append(node)
            names = _children_of.get(kind)
            if names is None:
                names = child_fields(kind)
            if not names:
                continue
            found: list[tuple[cst.CSTNode, Scope]] = []
            inner = self._inner(node, scope) if kind in _APART else None
            for name in names:
                value = getattr(node, name)
                of = value.__class__
                if of in _NO_NODES:
                    continue
                place = scope if inner is None else inner(name)
                if of is list or of is tuple:
                    for child in value:
                        parents[child] = node
                        found.append((child, place))
                else:
                    parents[value] = node
                    found.append((value, place))
            found.reverse()
            stack += found

    def _inner(self, node: cst.CSTNode, scope: Scope) -> _Places | None:
        """Where the fields of a node that opens a scope run; None for all other nodes."""
        if isinstance(node, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            self.own[node] = []
            return _Places(scope, node, frozenset({"body"}))
        if isinstance(node, COMPREHENSIONS):
            self.own[node] = []
            return _Places(scope, node, frozenset({"elt", "key", "value", "for_in"}))
        if isinstance(node, cst.CompFor) and isinstance(scope, COMPREHENSIONS) and scope.for_in is node:
            # The first iterable is evaluated where the comprehension stands.
            return _Places(self.scope_of(scope), scope, frozenset({"target", "ifs", "inner_for_in"}))
        return None

    @cached_property
    def calls(self) -> list[cst.Call]:
        """Every call, scope by scope."""
        return [node for nodes in self.own.values() for node in nodes if node.__class__ is cst.Call]

    def scope_of(self, node: cst.CSTNode) -> Scope:
        """The scope in which a node is evaluated: decorators, defaults and bases belong to the scope around."""
        return self._scopes.get(node, self.module)

    def order(self, node: cst.CSTNode) -> int:
        """The node's rank in source order."""
        if self._order is None:
            self._order = {node: rank for rank, node in enumerate(self.nodes)}
        return self._order[node]

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, from the inside out, the module last."""
        parent = self.parents.get(node)
        while parent is not None:
            yield parent
            parent = self.parents.get(parent)

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The statement a node stands in: a simple statement, or the compound statement whose header holds it."""
        while not isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement | cst.Module):
            node = self.parents[node]
        return node

    def running(self, scope: Scope) -> list[cst.CSTNode]:
        """The marked nodes that run when a scope's code runs: its own, those of comprehensions and classes in it."""
        found: list[cst.CSTNode] = []
        for node in self.own[scope]:
            found.append(node)
            if node.__class__ in _RUN_IN_PLACE:
                found += self.running(cast("Scope", node))
        return found

    def adopt(self, node: cst.CSTNode, parent: cst.CSTNode) -> None:
        """Hang a separately parsed expression below a node, so that its names mean what they mean there."""
        self.parents[node] = parent
        scope = self.scope_of(parent)
        for above in self.within(node):
            self._scopes[above] = scope
            for child in children(above):
                self.parents[child] = above

    def within(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The node and everything below it, in source order, layout left out."""
        stack = [node]
        while stack:
            node = stack.pop()
            yield node
            stack += reversed(list(children(node)))


class _Places:
    """Tells for each field of a node that opens a scope whether it runs inside or outside."""

    def __init__(self, outer: Scope, inner: Scope, inside: frozenset[str]) -> None:
        self._outer, self._inner, self._inside = outer, inner, inside

    def __call__(self, field: str) -> Scope:
        return self._inner if field in self._inside else self._outer
