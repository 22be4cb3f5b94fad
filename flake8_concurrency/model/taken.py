"""Whether a function that is called so gets to a node of it in its ordinary course: under no test, and no handler.

What a call gives as a literal, or leaves at its default, decides the tests of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import FunctionInfo

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: The parameters of which a call tells the value, each with it in a tuple.
Given = frozenset[tuple[str, tuple[object]]]
NOTHING_GIVEN: Given = frozenset()


def given(node: cst.CSTNode, function: FunctionInfo, around: Given) -> Given:
    """What a call tells of a function's parameters, where `around` is told of those of the function that calls it."""
    if not isinstance(node, cst.Call):
        return NOTHING_GIVEN
    known = dict(around)
    is_bound = function.this is not None
    positional = [*function.node.params.posonly_params, *function.node.params.params][is_bound:]
    found: set[tuple[str, tuple[object]]] = set()
    for position, param in [*enumerate(positional), *((None, one) for one in function.node.params.kwonly_params)]:
        value = argument(node, position, param.name.value)
        if value is None:
            value = None if passes_unknown(node) else param.default
            told = None if value is None else _value(value, {})
        else:
            told = _value(value, known)
        if told is not None:
            found.add((param.name.value, told))
    return frozenset(found)


def _value(node: cst.BaseExpression, known: Mapping[str, tuple[object]]) -> tuple[object] | None:
    match node:
        case cst.Name(value=name) if name in known:
            return known[name]
        case cst.SimpleString():
            return (node.evaluated_value,)
    return literal(node)


def is_taken(node: cst.CSTNode, function: FunctionInfo, told: Given, file: FileModel) -> bool:
    """Whether a function gets to a node of its own whenever it is called so, and nothing goes wrong."""
    known = {name: value for name, value in told if not _is_replaced(name, function)}
    if is_ruled_out(node, file, known):
        return False
    child = node
    for parent in file.tree.ancestors(node):
        if parent is function.node:
            break
        if isinstance(parent, cst.ExceptHandler | cst.ExceptStarHandler | cst.MatchCase):
            return False
        if isinstance(parent, cst.If | cst.IfExp) and child is not parent.test:
            if _outcome(parent.test, known) is None:
                return False
        elif (
            isinstance(parent, cst.BooleanOperation) and child is parent.right and _outcome(parent.left, known) is None
        ):
            return False
        child = parent
    return True


def is_ruled_out(node: cst.CSTNode, file: FileModel, known: Mapping[str, tuple[object]] = MappingProxyType({})) -> bool:
    """Whether a test around a node, or before it, surely keeps it from being reached: `if True: … else: node`."""
    return any(_outcome(one.test, known) is (not one.truth) for one in file.flow.conditions(node))


def _is_replaced(name: str, function: FunctionInfo) -> bool:
    """Whether a function gives one of its parameters another value."""
    return any(
        isinstance(node, cst.Assign)
        and any(isinstance(target.target, cst.Name) and target.target.value == name for target in node.targets)
        for node in function.own
    )


def _outcome(test: cst.BaseExpression, known: Mapping[str, tuple[object]]) -> bool | None:
    """What comes out of a test; None where that is not known."""
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            found = _outcome(inner, known)
            return None if found is None else not found
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            decides = isinstance(operator, cst.Or)
            outcomes = {_outcome(left, known), _outcome(right, known)}
            if decides in outcomes:
                return decides
            return None if None in outcomes else not decides
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
            return _compared(_value(left, known), operator, _value(right, known))
    value = _value(test, known)
    return None if value is None else bool(value[0])


def _compared(left: tuple[object] | None, operator: cst.BaseCompOp, right: tuple[object] | None) -> bool | None:
    if left is None or right is None:
        return None
    match operator:
        case cst.Is() | cst.Equal():
            return left == right
        case cst.IsNot() | cst.NotEqual():
            return left != right
    return None
