"""What the gate asks of functions for the rules about state that threads share: too much, never too little."""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.pieces import below, last_name, own

_THREAD = "thread"


def asks_update(root: ast.AST) -> Collection[str]:
    """A thread, where a function may read state and store it again."""
    for function in own(root):
        if isinstance(function, ast.FunctionDef):
            local = _locals(function)
            targets = (target for node in below(function) for target in _updated(node))
            if any(_root(target) not in local for target in targets):
                return {_THREAD}
    return ()


def _updated(node: ast.AST) -> list[ast.expr]:
    """What a statement may read and store again."""
    if isinstance(node, ast.AugAssign):
        return [node.target]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        names = {last_name(part) for part in ast.walk(node.value)}
        return [target for target in node.targets if _last(target) in names]
    return []


def _locals(function: ast.FunctionDef) -> set[str]:
    """The names that a function binds for itself, but for the first parameter, which may be the object."""
    args = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    bound = {arg.arg for arg in args[1:]}
    outer: set[str] = set()
    for node in below(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
    return bound - outer


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return last_name(target)


def _last(target: ast.expr) -> str:
    while isinstance(target, ast.Subscript):
        target = target.value
    return last_name(target)
