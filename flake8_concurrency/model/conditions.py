"""What a query asks of its rows: the states it tests, the values it compares with, and whether it takes only some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.vocabulary import FILTERS

_LIMITS = frozenset("limit fetch slice".split())
#: Lookups of Django that test a state: `status__in=[...]`, `sent_at__isnull=True`.
_STATE_LOOKUPS = frozenset({"exact", "in", "isnull"})
_TESTS = frozenset("is_ is_not isnot in_ not_in notin_ eq ne".split())
_JUNCTIONS = frozenset("and_ or_ not_ Q".split())
_IDENTITY = frozenset("id pk uuid guid code token slug key email username number reference".split())
#: Columns that say which worker's rows are meant, and not whose rows.
_KINDS = frozenset("queue kind type channel topic name provider priority category tenant region shard backend".split())


class Condition(NamedTuple):
    """One test of a query: the column, the link of the chain it stands in, and what it compares with, if anything."""

    column: str
    link: cst.Call
    value: cst.BaseExpression | None
    #: The value is written in the code: a state, and no variable.
    constant: bool
    #: `status="new"`, `status__in=...`, `sent_at__isnull=True`; False for `due__lte=now`.
    state: bool
    #: Rows are chosen by having this very value.
    is_equal: bool = False


def conditions(links: tuple[cst.CSTNode, ...], asking: frozenset[str] = FILTERS) -> list[Condition]:
    """Every test in the links of a chain, in order; `asking` are the methods and functions that choose rows."""
    return [
        found
        for link in links
        if isinstance(link, cst.Call) and called_name(link) in asking
        for found in _of_call(link, link)
    ]


def _of_call(call: cst.Call, link: cst.Call) -> Iterator[Condition]:
    for arg in call.args:
        if arg.keyword is not None:
            column, _, lookup = arg.keyword.value.partition("__")
            state = not lookup or lookup in _STATE_LOOKUPS
            is_equal = (not lookup or lookup == "exact") and called_name(call) != "exclude"
            yield Condition(column, link, arg.value, is_constant(arg.value), state, is_equal)
        elif not arg.star:
            yield from _of_expression(arg.value, link)


def _of_expression(node: cst.BaseExpression, link: cst.Call) -> Iterator[Condition]:
    match node:
        case cst.Call() if called_name(node) in _JUNCTIONS:
            yield from _of_call(node, link)
        case cst.Call(func=cst.Attribute(value=cst.Attribute() as column, attr=cst.Name(value=test))) if test in _TESTS:
            value = node.args[0].value if node.args else None
            yield Condition(column.attr.value, link, value, is_constant(value), True, test in ("is_", "eq"))
        case cst.BinaryOperation():
            for part in _terms(node):
                yield from _of_expression(part, link)
        case cst.UnaryOperation(operator=cst.BitInvert(), expression=inner):
            yield from _of_expression(inner, link)
        case cst.Comparison(left=cst.Attribute() as column, comparisons=[single]):
            state = isinstance(single.operator, cst.Equal | cst.NotEqual)
            is_equal = isinstance(single.operator, cst.Equal)
            yield Condition(column.attr.value, link, single.comparator, is_constant(single.comparator), state, is_equal)
        case cst.Attribute():
            yield Condition(node.attr.value, link, None, True, True)


def _terms(node: cst.BinaryOperation) -> Iterator[cst.BaseExpression]:
    """The terms of `a | b & c`, however many there are."""
    stack: list[cst.BaseExpression] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, cst.BinaryOperation):
            if isinstance(one.operator, cst.BitAnd | cst.BitOr):
                stack += [one.right, one.left]
        else:
            yield one


def is_constant(node: cst.BaseExpression | None) -> bool:
    """Whether a value is written in the code: a literal, `STATUS_NEW`, `Status.NEW`, or a list of such."""
    match node:
        case cst.SimpleString() | cst.Integer() | cst.Float():
            return True
        case cst.Name(value=name):
            return name in ("True", "False", "None") or (name.isupper() and len(name) > 1)
        case cst.Attribute(attr=cst.Name(value=name)):
            if name == "value":
                return is_constant(node.value)
            return name.isupper() or _is_member(node)
        case cst.List() | cst.Tuple() | cst.Set():
            return bool(node.elements) and all(is_constant(element.value) for element in node.elements)
        case (
            cst.Call(func=cst.Name(value="false" | "true" | "null"))
            | cst.Call(func=cst.Attribute(attr=cst.Name(value="false" | "true" | "null")))
        ):
            return True
    return False


def _is_member(node: cst.Attribute) -> bool:
    """`Status.Pending`, `PaymentState.created`: a member of an enumeration, going by the capital of its class."""
    inner = node.value
    name = inner.attr.value if isinstance(inner, cst.Attribute) else inner.value if isinstance(inner, cst.Name) else ""
    return name[:1].isupper() and any(letter.islower() for letter in name)


def is_sliced(links: tuple[cst.CSTNode, ...]) -> bool:
    """Whether a chain takes only some of its rows: `.limit(n)`, `[:n]`."""
    for link in links:
        if isinstance(link, cst.Subscript):
            part = link.slice[0].slice
            if isinstance(part, cst.Slice) and part.upper is not None:
                return True
        elif isinstance(link, cst.Call) and called_name(link) in _LIMITS:
            return bool(link.args) and literal(link.args[0].value) != (None,)
    return False


def is_ordered(links: tuple[cst.CSTNode, ...]) -> bool:
    """Whether a chain says in which order its rows come."""
    return any(isinstance(link, cst.Call) and called_name(link) == "order_by" and bool(link.args) for link in links)


def names_one(tests: list[Condition]) -> bool:
    """Whether a query names its rows: by a key, whatever else it tests."""
    return any(not test.constant and not _IDENTITY.isdisjoint(words(test.column)) for test in tests)


def names_owner(tests: list[Condition]) -> bool:
    """Whether a query is about the rows of one owner: `order=order`, `user=request.user`, `event_id=event.id`."""
    for test in tests:
        if test.constant or not test.state or test.column in _KINDS or not _KINDS.isdisjoint(words(test.column)):
            continue
        if not isinstance(test.value, cst.Call):
            return True
    return False


def spelled(test: Condition) -> str:
    """A condition's value as a message shows it."""
    return "" if test.value is None else text(test.value)
