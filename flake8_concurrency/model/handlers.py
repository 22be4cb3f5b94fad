"""Which exceptions a handler catches, and whether one around a statement expects an error."""

from __future__ import annotations

from itertools import takewhile

import libcst as cst

from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tree import Tree

Handler = cst.ExceptHandler | cst.ExceptStarHandler


def types(handler: Handler) -> list[cst.BaseExpression]:
    """The exceptions that a handler names, `(LookupError, ValueError)` as two; none for a bare one."""
    if isinstance(handler.type, cst.Tuple):
        return [element.value for element in handler.type.elements]
    return [] if handler.type is None else [handler.type]


def caught(handler: Handler) -> set[str]:
    """The last names of the exceptions that a handler catches; empty for a bare one."""
    return {last_name(one) for one in types(handler)}


def passes_on(handler: Handler) -> bool:
    """Whether a handler raises again, or something else, at its end."""
    last = handler.body.body[-1] if handler.body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, cst.Raise)


def is_expected(tree: Tree, node: cst.CSTNode, error: str) -> bool:
    """Whether a handler around a node, in the same function, names an error, or is bare and does not pass it on."""
    around = takewhile(lambda one: not isinstance(one, cst.FunctionDef), tree.ancestors(node))
    handlers = (handler for one in around if isinstance(one, cst.Try | cst.TryStar) for handler in one.handlers)
    return any(error in caught(one) or (one.type is None and not passes_on(one)) for one in handlers)
