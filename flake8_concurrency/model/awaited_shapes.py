"""What the gate asks of functions for the rules about state across an `await`: too much, never too little."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from flake8_concurrency.model.entrances import is_of_a_life
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import below, last_name, local_names, remembered, stored_name
from flake8_concurrency.model.shared_state import FILLING, TAKING

#: A test may be hidden in a function that only returns something.
ANCHORS = frozenset({"await", "async", "return"})
#: The words of what opens something: of two that are opened at once, one is lost.
OPENING = frozenset(
    """connect connection open create start launch spawn login init initialize build aenter dial acquire pool session
    engine browser client""".split()
)
#: What shows that something may wait.
WAITING = frozenset({"await", "async"})
#: Methods that show that an object belongs to whoever iterates over it.
KEEPS = re.compile(r"\b__a?(?:next|iter)__\b")
_AWAIT = "await"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Where frameworks keep what all requests share: `request.app.state`, `hass.data`.
_OF_APPLICATIONS = frozenset({"app", "data"})
#: Locals are followed so many steps back, and one more: too much, never too little.
_STEPS = 5
_Line = tuple[str, int]


def asks_update(root: ast.AST) -> Collection[str]:
    """Something for a function that writes state from an expression with an `await` in it that reads the same state."""
    for function in _entered_often(root):
        own = _own_names(function)
        for node in below(function):
            if isinstance(node, ast.AugAssign) and _is_state(node.target, own) and _waits(node.value):
                return {_AWAIT}
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                states = [target for target in _targets(node) if _is_state(target, own)]
                if states and _waits(node.value) and not set(_names(node.value)).isdisjoint(map(stored_name, states)):
                    return {_AWAIT}
    return ()


def asks_write_back(root: ast.AST) -> Collection[str]:
    """Something for a function that reads state into a local, waits, and writes the state from that local."""
    for function in _entered_often(root):
        own = _own_names(function)
        #: For each local and each name that it was made from: the first line on which it was.
        made: dict[tuple[str, str], int] = {}
        written: list[tuple[str, int, list[str]]] = []
        for node in below(function):
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or node.value is None:
                continue
            names = _names(node.value)
            for target in _targets(node):
                if isinstance(target, ast.Name):
                    for name in names:
                        made[target.id, name] = min(made.get((target.id, name), node.lineno), node.lineno)
                if _is_state(target, own):
                    written.append((stored_name(target), node.end_lineno or node.lineno, names))
        waits = _waits(function)
        for state, line, names in written:
            if any((name, state) in made and _between(waits, made[name, state], line) for name in names):
                return {_AWAIT}
    return ()


def asks_check(root: ast.AST) -> Collection[str]:
    """What a function tests before it waits, and writes after it, itself or in a method that it awaits."""
    found: set[str] = set()
    for function in _entered_often(root):
        waits = _waits(function)
        own = _own_names(function)
        tested: dict[str, int] = {}
        written: list[_Line] = []
        awaited: list[_Line] = []
        for node in below(function):
            names = _tested(node)
            if names:
                _note(tested, names, node.lineno)  # type: ignore[attr-defined]
            written += _written(node, own)
            awaited += _awaited_method(node)
        if _is_stale(tested, waits, written):
            return {_AWAIT}
        for method, line in awaited:
            before = [name for name, first in tested.items() if first <= line]
            found.update(f"{method} sets {name}" for name in before)
            found.update(f"{name} tells" for name in before)
        for name, line in written:
            found.update(f"{test} tells {name}" for test, first in tested.items() if _between(waits, first, line))
    return found


def asks_fill(root: ast.AST) -> Collection[str]:
    """Something for a function that tests state, waits for something to be opened, and puts that in its place."""
    for function in _entered_often(root):
        if not any(isinstance(node, ast.Await) and _may_open(node) for node in below(function)):
            continue
        own = _own_names(function)
        tested: dict[str, int] = {}
        for node in below(function):
            names = _tested(node)
            if names:
                _note(tested, names, node.lineno)  # type: ignore[attr-defined]
        if not tested:
            continue
        awaited = _awaited_locals(function)
        for node in below(function):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                states = [stored_name(target) for target in _targets(node) if _is_state(target, own)]
                line = node.end_lineno or node.lineno
                if any(tested.get(state, line + 1) <= line for state in states) and _is_awaited(node.value, awaited):
                    return {_AWAIT}
    return ()


def _may_open(wait: ast.Await) -> bool:
    names = {last_name(node) for node in below(wait)}
    return any(not OPENING.isdisjoint(words(name)) for name in names)


def _awaited_locals(function: ast.AST) -> set[str]:
    """The names that may hold what was waited for, or something made of it."""
    found: set[str] = set()
    for _ in range(_STEPS):
        before = len(found)
        for node in below(function):
            for target, value in _bound(node):
                if isinstance(target, ast.Name) and target.id not in found and _is_awaited(value, found):
                    found.add(target.id)
        if len(found) == before:
            break
    return found


def _bound(node: ast.AST) -> list[tuple[ast.expr, ast.AST]]:
    match node:
        case ast.Assign() | ast.NamedExpr():
            return [(target, node.value) for target in _targets(node)]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return [(target, value)]
        case ast.withitem(optional_vars=ast.expr() as target, context_expr=value):
            return [(target, value)]
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            return [(part, value) for part in ast.walk(target) if isinstance(part, ast.Name)]
    return []


def _is_awaited(value: ast.AST, awaited: Collection[str]) -> bool:
    return any(
        isinstance(part, ast.Await) or (isinstance(part, ast.Name) and part.id in awaited) for part in below(value)
    )


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What `asks` wants to hear of a piece of the text: that it waits, what it sets then, what it tells."""
    del anchors
    return _answers(root)


def answers_waiting(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What those want to hear that ask for nothing but a wait: whatever is async may wait."""
    del root, anchors
    return (_AWAIT,)


@remembered
def _answers(root: ast.AST) -> Collection[str]:
    found: set[str] = set()
    for function in _async_functions(root):
        found.add(_AWAIT)
        if _waits(function):
            written = (one for node in below(function) for one in _written(node, ()))
            found.update(f"{function.name} sets {name}" for name, _ in written)
    if isinstance(root, ast.FunctionDef) and len(root.args.posonlyargs) + len(root.args.args) <= 1:
        told = {
            part.attr
            for node in below(root)
            if isinstance(node, ast.Return) and node.value is not None
            for part in below(node.value)
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)
        }
        found.update(f"{root.name} tells {name}" for name in told)
        if told:
            found.add(f"{root.name} tells")
    return found


# -- functions ---------------------------------------------------------------------------------------------------------


@remembered
def _async_functions(root: ast.AST) -> tuple[ast.AsyncFunctionDef, ...]:
    """The async functions in a piece of a text; of a class those outside its methods. All three rules ask for each."""
    found: list[ast.AsyncFunctionDef] = []
    stack: list[ast.AST] = [root]
    if isinstance(root, ast.ClassDef):
        stack = [node for node in root.body if not isinstance(node, _FUNCTIONS)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.AsyncFunctionDef):
            found.append(node)
        # Only statements hold statements, so expressions need no look.
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, None)
            if inner.__class__ is list:
                stack += inner
    return tuple(found)


@remembered
def _entered_often(root: ast.AST) -> tuple[ast.AsyncFunctionDef, ...]:
    """The async functions that wait and whose names do not say already that only one task is ever in them."""
    found = (function for function in _async_functions(root) if not is_of_a_life(function.name))
    return tuple(function for function in found if _waits(function))


@remembered
def _own_names(function: ast.AsyncFunctionDef) -> set[str]:
    """A function's parameters but for the first one, and its local variables."""
    args = function.args
    named = [*args.posonlyargs, *args.args][1:] + args.kwonlyargs
    found = {arg.arg for arg in named}
    if args.args and args.args[0].arg not in ("self", "cls"):
        found.add(args.args[0].arg)
    # Those of nested functions may be what this one has.
    nested = any(isinstance(node, _FUNCTIONS) and node is not function for node in below(function))
    return set() if nested else found | local_names(function)


#: The node types in which something may wait.
_WAITING = frozenset({ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension})


@remembered
def _waits(root: ast.AST) -> tuple[int, ...]:
    """The lines on which something waits."""
    found: list[int] = []
    for node in below(root):
        if node.__class__ not in _WAITING:
            continue
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(node.lineno)
        elif isinstance(node, ast.comprehension) and node.is_async:
            found.append(node.target.lineno)
    return tuple(found)


def _is_stale(read: dict[str, int], waits: Collection[int], written: list[_Line]) -> bool:
    return any(name in read and _between(waits, read[name], line) for name, line in written)


def _between(waits: Collection[int], first: int, last: int) -> bool:
    return any(first <= line <= last for line in waits)


def _note(lines: dict[str, int], names: list[str], line: int) -> None:
    for name in names:
        lines[name] = min(lines.get(name, line), line)


# -- what is read and written ------------------------------------------------------------------------------------------


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


def _is_state(target: ast.expr, own: Collection[str]) -> bool:
    """Whether a target may be shared state: nothing of a local's or a parameter's, but for what frameworks share."""
    shared = False
    while isinstance(target, ast.Subscript | ast.Starred | ast.Attribute):
        shared = shared or (isinstance(target, ast.Attribute) and target.attr in _OF_APPLICATIONS)
        target = target.value
    return isinstance(target, ast.Name) and (shared or target.id not in own)


def _names(root: ast.AST) -> list[str]:
    """The names and attributes in an expression."""
    found: list[str] = []
    for node in below(root):
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
        case ast.Assign(targets=[ast.Name()], value=value) | ast.NamedExpr(value=value):
            return _held(value)
        case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
            return _held(value)
    return []


def _held(value: ast.expr) -> list[str]:
    """The names of what a local holds: `T`, `T[k]`, `T.get(k)`."""
    match value:
        case ast.Attribute() | ast.Subscript() | ast.Name():
            return _names(value)
        case ast.Call(func=ast.Attribute(value=container, attr="get")):
            return _names(container)
    return []


def _written(node: ast.AST, own: Collection[str]) -> list[_Line]:
    """The state that a node writes, with the line on which it ends."""
    targets: list[ast.expr] = []
    match node:
        case ast.Assign(value=ast.Constant(value=None | False)):
            # To say that there is nothing any more is no defect.
            pass
        case ast.Assign() | ast.AnnAssign():
            targets = _targets(node)
        case ast.AugAssign():
            targets = [node.target]
        case ast.Delete():
            targets = node.targets
        case ast.Call(func=ast.Attribute(value=container, attr=method)) if method in FILLING | TAKING:
            targets = [container]
    return [(stored_name(one), getattr(node, "end_lineno", None) or 0) for one in targets if _is_state(one, own)]


def _awaited_method(node: ast.AST) -> list[_Line]:
    match node:
        case ast.Await(value=ast.Call(func=ast.Attribute(attr=method))):
            return [(method, node.lineno)]
    return []
