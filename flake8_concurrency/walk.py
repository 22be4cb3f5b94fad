"""Drive libcst visitors over an already traversed tree: all rules in one pass, nothing rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import libcst as cst

from flake8_concurrency.model.tree import Tree

_Methods = dict[str, str]
_methods_of: dict[type[cst.CSTVisitor], tuple[_Methods, _Methods]] = {}


def methods(visitor: type[cst.CSTVisitor]) -> tuple[_Methods, _Methods]:
    """The `visit_X` and `leave_X` methods that a visitor class defines itself, by node type name. Cached by class."""
    found = _methods_of.get(visitor)
    if found is None:
        visits: _Methods = {}
        leaves: _Methods = {}
        for owner in visitor.__mro__:
            if owner.__module__.startswith("libcst."):
                continue
            for name in vars(owner):
                if name.startswith("visit_"):
                    visits.setdefault(name.removeprefix("visit_"), name)
                elif name.startswith("leave_"):
                    leaves.setdefault(name.removeprefix("leave_"), name)
        found = _methods_of[visitor] = (visits, leaves)
    return found


_Handlers = dict[str, list[Callable[[cst.CSTNode], object]]]


def walk(tree: Tree, visitors: Iterable[cst.CSTVisitor]) -> None:
    """Call every visitor's methods for every node, parents first. Results are ignored: the tree is read-only."""
    visits: _Handlers = {}
    leaves: _Handlers = {}
    for visitor in visitors:
        entering, leaving = methods(type(visitor))
        for node_name, method in entering.items():
            visits.setdefault(node_name, []).append(getattr(visitor, method))
        for node_name, method in leaving.items():
            leaves.setdefault(node_name, []).append(getattr(visitor, method))
    open_nodes: list[cst.CSTNode] = []
    for node in tree.nodes:
        if leaves:
            parent = tree.parents.get(node)
            while open_nodes and open_nodes[-1] is not parent:
                _call(leaves, open_nodes.pop())
            open_nodes.append(node)
        if node.__class__.__name__ in visits:
            _call(visits, node)
    while open_nodes:
        _call(leaves, open_nodes.pop())


def _call(handlers: _Handlers, node: cst.CSTNode) -> None:
    for handler in handlers.get(type(node).__name__, ()):
        handler(node)
