"""What the gate asks of functions for the rules about state that threads share: too much, never too little."""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import STORED, below, last_name, local_names, own, stored_name

_THREAD = "thread"
#: Nothing is asked by a function that has none of these: the words of `Gate.where`.
STORING = frozenset({STORED, "global", "nonlocal"})


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
        return [target for target in node.targets if stored_name(target) in names]
    return []


def _locals(function: ast.FunctionDef) -> set[str]:
    """The names that a function binds for itself, but for the first parameter, which may be the object."""
    args = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {arg.arg for arg in args[1:]} | local_names(function)


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return last_name(target)


#: Words in the names of functions that make something of which there should be one.
CONTAINERS = frozenset("dict list set OrderedDict Counter defaultdict deque".split())
MAKING = frozenset(
    """connect create make build open init initialize start new client session engine pool executor connection
    connector factory setup spawn pipeline""".split()
)


def asks_lazy(root: ast.AST) -> Collection[str]:
    """A thread, where a function may make what is not there yet."""
    for function in own(root):
        if not isinstance(function, ast.FunctionDef):
            continue
        local = _locals(function)
        made: set[str] = set()
        tested: set[str] = set()
        for node in below(function):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _makes(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                made.update(last_name(target) for target in targets if _root(target) not in local)
            elif isinstance(node, ast.If):
                tested.update(_asked(node.test))
            elif isinstance(node, ast.Try):
                tested.update(last_name(inner) for part in node.body for inner in below(part))
        if not made.isdisjoint(tested - {""}):
            return {_THREAD}
    return ()


def _makes(value: ast.expr) -> bool:
    """Whether a value may be a new object of which there should be one."""
    match value:
        case ast.BoolOp():
            return _makes(value.values[-1])
        case ast.Dict(keys=inside) | ast.List(elts=inside):
            return not inside
        case ast.Call(func=func):
            return is_making(last_name(func))
    return False


def is_making(name: str) -> bool:
    """Whether a function of this name makes something of which there should be one."""
    return name in CONTAINERS or name.lstrip("_")[:1].isupper() or not MAKING.isdisjoint(words(name))


def _asked(test: ast.expr) -> list[str]:
    """The last names of what a test finds to be there or not."""
    match test:
        case ast.BoolOp(values=values):
            return [name for value in values for name in _asked(value)]
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _asked(inner)
        case ast.Compare(left=left, comparators=[ast.Constant(value=None)]):
            return [last_name(left)]
        case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=str(name))]):
            return [name]
    return [last_name(test)]


#: Words one of which stands in every function that asks whether something is there.
ASKING = frozenset("None not hasattr AttributeError NameError if".split())
