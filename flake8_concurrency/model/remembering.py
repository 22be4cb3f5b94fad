"""Functions that do their work once and keep the result."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import Tree

_CACHING = frozenset({"lru_cache", "cache", "cached_property", "cached"})


def is_done_once(function: FunctionInfo, tree: Tree) -> bool:
    """Whether a function works only the first time, by a decorator or by its own care."""
    return bool(function.decorator_names & _CACHING) or remembers(function, tree)


def remembers(function: FunctionInfo, tree: Tree) -> bool:
    """Whether a function does its work once and keeps the result: `if self._x is None: self._x = ...`."""
    kept = {name for node in function.own for name in _kept_by(node)}
    own = {item.name.value for node in function.own if isinstance(node, cst.Global) for item in node.names}
    kept = {name for name in kept if "." in name or "[" in name or name in own}
    return bool(kept) and any(
        _asked_about(node.test) in kept for node in tree.within(function.node.body) if isinstance(node, cst.If)
    )


def _asked_about(test: cst.BaseExpression) -> str:
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return _asked_about(inner)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=cst.Is() | cst.IsNot())]):
            return dotted(left)
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=cst.In() | cst.NotIn(), comparator=container)]):
            return dotted(container) + "[]"
    return dotted(test)


def _kept_by(node: cst.CSTNode) -> list[str]:
    """What an assignment fills: names, attributes, and `container[]`."""
    found: list[cst.BaseExpression] = []
    if isinstance(node, cst.Assign):
        found = [target.target for target in node.targets]
    elif isinstance(node, cst.AnnAssign) and node.value is not None:
        found = [node.target]
    return [f"{dotted(one.value)}[]" if isinstance(one, cst.Subscript) else dotted(one) for one in found]
