"""What stands in a call: the arguments given for a parameter."""

from __future__ import annotations

import libcst as cst


def argument(call: cst.Call, position: int | None, keyword: str | None) -> cst.BaseExpression | None:
    """The expression given for a parameter, by position or by keyword; None when it is not given (or only by `*`)."""
    for index, arg in enumerate(call.args):
        if arg.star:
            if arg.star == "*":
                position = None
            continue
        if arg.keyword is None:
            if index == position:
                return arg.value
        elif arg.keyword.value == keyword:
            return arg.value
    return None


def receiver(node: cst.CSTNode) -> cst.BaseExpression | None:
    """What a method is called on: `a.b` of `a.b.c()`; None for any other call, and for what is no call."""
    return node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None


def passes_unknown(call: cst.Call) -> bool:
    """Whether `*args` or `**kwargs` may give a call more than can be seen."""
    return any(arg.star for arg in call.args)


def literal(node: cst.BaseExpression) -> tuple[object] | None:
    """The value of a plain constant, in a tuple to tell None from nothing."""
    match node:
        case cst.Name(value="True" | "False" | "None" as text):
            return ({"True": True, "False": False, "None": None}[text],)
        case cst.Integer():
            return (node.evaluated_value,)
        case cst.Float():
            return (node.evaluated_value,)
    return None
