"""How an expression is spelled, to compare it with others and to show it."""

from __future__ import annotations

import libcst as cst


def same(one: cst.BaseExpression, other: cst.BaseExpression) -> bool:
    """Whether two expressions are spelled alike: chains of names, with plain subscripts."""
    found = text(one)
    return bool(found) and found == text(other)


def text(node: cst.CSTNode) -> str:
    """An expression as a message shows it; empty for one that is too long for that, or has calls in it."""
    match node:
        case cst.Name(value=value):
            return value
        case cst.Integer(value=value) | cst.Float(value=value) | cst.SimpleString(value=value):
            return value
        case cst.Attribute(value=value, attr=attr):
            inner = text(value)
            return f"{inner}.{attr.value}" if inner else ""
        case cst.Subscript(value=value) if len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
            inner, index = text(value), text(node.slice[0].slice.value)
            return f"{inner}[{index}]" if inner and index else ""
    return ""


def last_name(node: cst.CSTNode) -> str:
    """The last name of a chain: `c` of `a.b.c`; empty for anything else."""
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def choices(node: cst.BooleanOperation | cst.IfExp) -> list[cst.BaseExpression]:
    """What an expression may give, one of them: `a` and `b` of `a or b`, and of `a if c else b`."""
    found: list[cst.BaseExpression] = []
    waiting: list[cst.BaseExpression] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, cst.BooleanOperation):
            waiting += [current.right, current.left]
        elif isinstance(current, cst.IfExp):
            waiting += [current.orelse, current.body]
        else:
            found.append(current)
    return found


def is_user(node: cst.CSTNode) -> bool:
    """`request.user` is a row that the middleware of Django has read, without a lock."""
    return isinstance(node, cst.Attribute) and node.attr.value == "user" and last_name(node.value) == "request"


def dotted(node: cst.CSTNode | None) -> str:
    """The text of a chain of names (`a.b.c`); empty for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    return ".".join([node.value, *reversed(parts)])
