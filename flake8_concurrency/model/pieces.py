"""Pieces of a text's `ast` tree, as those see them that answer for the gate.

Every rule that asks does so for every function of a file, so what was found is remembered until the file is done.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

Found = TypeVar("Found")
Node = TypeVar("Node")

Function = ast.FunctionDef | ast.AsyncFunctionDef

#: Stands among the words that a function must have to ask for something: it stores an attribute or an item.
STORED = "="

_forgetting: list[Callable[[], None]] = []


def remembered(function: Callable[[Node], Found]) -> Callable[[Node], Found]:
    """A function of one node that finds each thing once a file: `forget` ends it."""
    found = cache(function)
    _forgetting.append(found.cache_clear)
    return cast("Callable[[Node], Found]", found)


def forget() -> None:
    """Let go of the nodes of a file: others would be held up by looking through them for garbage."""
    for one in _forgetting:
        one()


def last_name(node: ast.AST) -> str:
    """The last name of a chain: `c` of `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def stored_name(target: ast.AST) -> str:
    """The last name of what a target sets, or of what it is put into: `c` of `a.b.c` and of `a.b.c[k]`."""
    while isinstance(target, ast.Subscript | ast.Starred):
        target = target.value
    return last_name(target)


@remembered
def local_names(function: ast.AST) -> frozenset[str]:
    """The names that a function stores as its own: none that it declares global or nonlocal."""
    stored = {node.id for node in below(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    outer = (node.names for node in below(function) if isinstance(node, ast.Global | ast.Nonlocal))
    return frozenset(stored.difference(*outer))


def _without_methods(node: ast.ClassDef) -> list[ast.AST]:
    return [part for part in node.body if not isinstance(part, Function)]


@remembered
def own(root: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a function; of a class those outside its methods."""
    if not isinstance(root, ast.ClassDef):
        return below(root)
    parts = (*root.bases, *root.decorator_list, *_without_methods(root))
    return tuple(node for part in parts for node in below(part))


@remembered
def below(root: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all nodes below it, in no particular order: `ast.walk` at a third of its cost, remembered."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        kind = node.__class__
        fields = _fields_of.get(kind)
        for field in _fields(kind) if fields is None else fields:
            value = getattr(node, field, None)
            if value.__class__ is list:
                stack += value if kind not in _WITH_HOLES else [part for part in value if part is not None]
            elif value is not None:
                stack.append(value)
    return tuple(found)


@remembered
def inside(root: ast.AST) -> tuple[ast.AST, ...]:
    """The calls, attributes and assignments of a function; of a class those outside its methods."""
    return tuple([node for node in own(root) if node.__class__ in _ASKED])


_ASKED = frozenset(
    {
        ast.Call,
        ast.Attribute,
        ast.Assign,
        ast.AnnAssign,
        ast.AugAssign,
        ast.Delete,
        ast.For,
        ast.AsyncFor,
        ast.NamedExpr,
    }
)
#: Fields that hold no nodes, or none that matter.
_NO_NODES = frozenset(
    """ctx op ops id attr arg name asname module names level kind type_comment annotation returns conversion simple
    type_params is_async rest cls kwd_attrs""".split()
)


#: `{**x}` has no key there, and a keyword-only parameter need not have a default.
_WITH_HOLES = frozenset({ast.Dict, ast.arguments, ast.MatchMapping})
_fields_of: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a node type in which there may be nodes; of anything else in a tree, none."""
    found = _fields_of.get(kind)
    if found is None:
        is_leaf = issubclass(kind, ast.Constant | ast.Name | ast.MatchSingleton)
        fields = () if is_leaf else getattr(kind, "_fields", ())
        found = _fields_of[kind] = tuple(field for field in fields if field not in _NO_NODES)
    return found
