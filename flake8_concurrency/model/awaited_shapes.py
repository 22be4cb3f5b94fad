"""What the gate asks of functions for the rules about state across an `await`: too much, never too little."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from flake8_concurrency.model.shared_state import FILLING, TAKING
from flake8_concurrency.words import FUNCTIONS, inside

#: A test may be hidden in a function that only returns something.
ANCHORS = frozenset({"await", "async", "return"})
#: Methods that show that an object belongs to whoever iterates over it.
KEEPS = re.compile(r"\b__a?(?:next|iter)__\b")
_AWAIT = "await"
_TARGETS = (ast.Attribute, ast.Subscript, ast.Name)
_WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension)


def asks_update(root: ast.AST) -> Collection[str]:
    """Something for a function that writes state from an expression with an `await` in it that reads the same state."""
    for function in _async_functions(root):
        for node in inside(function):
            if isinstance(node, ast.AugAssign) and _waits(node.value):
                return {_AWAIT}
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _waits(node.value):
                read = set(_names(node.value))
                if any(name in read for target in _targets(node) for name in _last(target)):
                    return {_AWAIT}
    return ()


def asks_write_back(root: ast.AST) -> Collection[str]:
    """Something for a function that reads state into a local, waits, and writes the state."""
    for function in _async_functions(root):
        read: dict[str, int] = {}
        waits = _lines_of_waits(function)
        written: list[tuple[str, int]] = []
        for node in inside(function) if waits else ():
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                targets = _targets(node)
                if any(isinstance(target, ast.Name) for target in targets):
                    for name in _names(node.value):
                        read[name] = min(read.get(name, node.lineno), node.lineno)
                names = (name for target in targets for name in _last(target))
                written += [(name, node.end_lineno or node.lineno) for name in names]
        if any(read[name] < line and _between(waits, read[name], line) for name, line in written if name in read):
            return {_AWAIT}
    return ()


def asks_check(root: ast.AST) -> Collection[str]:
    """What a function tests before it waits, and writes after it, itself or in what it awaits."""
    found: set[str] = set()
    for function in _async_functions(root):
        waits = _lines_of_waits(function)
        if not waits:
            continue
        tested: dict[str, int] = {}
        written: list[tuple[str, int]] = []
        for node in inside(function):
            for name in _tested(node):
                tested[name] = min(tested.get(name, node.lineno), node.lineno)  # type: ignore[attr-defined]
            written += _written(node)
        before = {name for name, line in tested.items() if line <= max(waits)}
        if any(name in before and _between(waits, tested[name], line) for name, line in written):
            return {_AWAIT}
        found.update(f"sets {name}" for name in before)
        if written or any(_is_method(wait) for wait in inside(function)):
            found.update(f"tells {name}" for name in before)
    return found


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What `asks` wants to hear of a piece of the text: that it waits, what it sets then, what it tells."""
    del anchors
    found: set[str] = set()
    for node in inside(root):
        if isinstance(node, _WAITING):
            found.add(_AWAIT)
    if _AWAIT in found:
        for function in _async_functions(root):
            found.update(f"sets {name}" for node in inside(function) for name, _ in _written(node))
    if isinstance(root, ast.FunctionDef) and len(root.args.args) <= 1:
        found.add(f"tells {root.name}")
    return found


def _async_functions(root: ast.AST) -> Iterator[ast.AsyncFunctionDef]:
    if isinstance(root, ast.ClassDef):
        parts = [node for node in root.body if not isinstance(node, FUNCTIONS)]
    else:
        parts = [root]  # type: ignore[list-item]
    for part in parts:
        for node in inside(part):
            if isinstance(node, ast.AsyncFunctionDef):
                yield node


def _waits(root: ast.AST) -> bool:
    return bool(_lines_of_waits(root))


def _lines_of_waits(function: ast.AST) -> list[int]:
    found: list[int] = []
    for node in inside(function):
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(node.lineno)
        elif isinstance(node, ast.comprehension) and node.is_async:
            found.append(node.target.lineno)
    return found


def _between(waits: list[int], first: int, last: int) -> bool:
    return any(first <= line <= last for line in waits)


def _targets(node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> list[ast.expr]:
    pending = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
    found: list[ast.expr] = []
    while pending:
        target = pending.pop()
        if isinstance(target, ast.Tuple | ast.List):
            pending += target.elts
        else:
            found.append(target)
    return found


def _last(target: ast.expr) -> list[str]:
    """The last names of what a target sets, and of what it is put into."""
    while isinstance(target, ast.Subscript | ast.Starred):
        target = target.value
    if isinstance(target, ast.Attribute):
        return [target.attr]
    return [target.id] if isinstance(target, ast.Name) else []


def _names(root: ast.AST) -> list[str]:
    """The names and attributes in an expression."""
    found: list[str] = []
    for node in inside(root):
        if isinstance(node, ast.Attribute):
            found.append(node.attr)
        elif isinstance(node, ast.Name):
            found.append(node.id)
    return found


def _tested(node: ast.AST) -> list[str]:
    """What a node tests, and what it reads into a local that may be tested."""
    match node:
        case ast.If() | ast.IfExp() | ast.While() | ast.Assert():
            return _names(node.test)
        case ast.Try() if any(name.endswith("Error") for one in node.handlers if one.type for name in _names(one.type)):
            return [name for part in node.body for name in _names(part)]
        case ast.BoolOp():
            return _names(node)
        case ast.Assign(targets=[ast.Name()]) | ast.NamedExpr():
            return _names(node.value) if isinstance(node.value, (*_TARGETS, ast.Call)) else []
        case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
            return _names(value) if isinstance(value, (*_TARGETS, ast.Call)) else []
    return []


def _written(node: ast.AST) -> list[tuple[str, int]]:
    """What a node writes, with the line on which it ends."""
    names: list[str] = []
    match node:
        case ast.Assign() | ast.AnnAssign():
            names = [name for target in _targets(node) for name in _last(target)]
        case ast.AugAssign():
            names = _last(node.target)
        case ast.Delete():
            names = [name for target in node.targets for name in _last(target)]
        case ast.Call(func=ast.Attribute(value=container, attr=method)) if method in FILLING | TAKING:
            names = _last(container)
    return [(name, getattr(node, "end_lineno", None) or 0) for name in names]


def _is_method(node: ast.AST) -> bool:
    match node:
        case ast.Await(value=ast.Call(func=ast.Attribute())):
            return True
    return False
