"""What a function must look like, in the `ast` tree, before `moves` can have anything to say about it.

The gate asks, so this must never be narrower than `moves`, which sees the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import STORED, below, inside, last_name, remembered
from flake8_concurrency.model.shapes import ANY, answers_row, may_be_state
from flake8_concurrency.model.sql_text import is_readable
from flake8_concurrency.model.vocabulary import (
    CODES,
    DELETES,
    EVENTS,
    FILTERS,
    JUNCTIONS,
    NO_ROWS,
    NO_STATES,
    READERS,
    SAVING,
    SENDING,
    SHORTCUTS,
    STATES,
)

#: Nothing is asked by a function that has none of these: the words of `Gate.where`.
MOVING = SENDING | {STORED}
USING = MOVING | DELETES
_SELF = frozenset({"self", "cls"})
_EVENT = STATES | EVENTS
_ONE = frozenset("get aget filter first filter_by where exclude get_or_create aget_or_create".split())
#: Asked and answered where a row is called a code.
_CODE = "code!"
_ONLY_FILTERS = FILTERS - READERS


def asks_move(root: ast.AST) -> set[str]:
    """Any row where a function may test it and move its state, the column where only the query may test it."""
    found: set[str] = set()
    tested: set[str] | None = None
    for row, column, computed in _moved(root):
        if isinstance(row, ast.Name) and row.id in _SELF:
            continue
        if computed:
            found.add(ANY)
            continue
        tested = _tested(root) if tested is None else tested
        name = ast.unparse(row)
        is_event = name in _params(root) and not _EVENT.isdisjoint(words(column))
        is_told = f"{name}.{column}" in tested or name in tested or is_event
        found.add(ANY if is_told else column)
    return found


def asks_own_move(root: ast.AST) -> set[str]:
    """The same of a method's own object; who calls the method may test it."""
    is_moved = any(isinstance(row, ast.Name) and row.id in _SELF for row, _, _ in _moved(root))
    return {ANY} if is_moved else set()


def answers_move(root: ast.AST, names: Collection[str]) -> set[str]:
    """Any row that a piece of the text may read, and the columns that its queries may test."""
    found = set(answers_row(root, [name for name in names if name not in _ONLY_FILTERS]))
    for node in inside(root):
        if isinstance(node, ast.Call) and last_name(node.func) in {*_ONE, *SHORTCUTS, *JUNCTIONS, *names}:
            found.update(word.arg.partition("__")[0] for word in node.keywords if word.arg is not None)
            parts = (part for arg in node.args for part in ast.walk(arg))
            found.update(part.attr for part in parts if isinstance(part, ast.Attribute))
    return found


def asks_use(root: ast.AST) -> set[str]:
    """The same for what may be used once; any row, or a code, where a function may delete what it has read."""
    found = asks_move(root)
    if _deletes(root):
        found.add(ANY if _speaks_of_code(root) else _CODE)
    return found


def asks_any_use(root: ast.AST) -> set[str]:
    """The same where any row counts, whatever it is called."""
    return asks_move(root) | ({ANY} if _deletes(root) else set())


def answers_use(root: ast.AST, names: Collection[str]) -> set[str]:
    """What `answers_move` gives, and a code, where a row is read and something there is called one."""
    found = answers_move(root, names)
    if ANY in found and _speaks_of_code(root):
        found.add(_CODE)
    return found


def asks_save(root: ast.AST) -> set[str]:
    """Any row, where a function may save a whole one after it has set something of it."""
    saved = {
        ast.unparse(node.func.value)
        for node in inside(root)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SAVING
        and not (node.args or node.keywords)
    }
    if not saved:
        return set()
    stored = (node for node in inside(root) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {ANY} if any(ast.unparse(node.value) in saved for node in stored) else set()


def answers_save(root: ast.AST, names: Collection[str]) -> set[str]:
    """Any row that a piece of the text may read."""
    return set(answers_row(root, names))


def asks_raw(root: ast.AST) -> set[str]:
    """A SELECT, where a function may send an UPDATE; nothing where SQL can't be read."""
    return {"SELECT"} if "UPDATE" in _statements(root) and is_readable() else set()


def answers_raw(root: ast.AST, names: Collection[str]) -> set[str]:
    """A SELECT, where a piece of the text may send one."""
    del names
    return _statements(root) & {"SELECT"}


def _statements(root: ast.AST) -> set[str]:
    """The first words of the strings in a piece of the text."""
    strings = (node.value for node in below(root) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {value.lstrip()[:6].upper() for value in strings}


def _deletes(root: ast.AST) -> bool:
    for node in inside(root):
        if isinstance(node, ast.Call) and last_name(node.func) in DELETES and isinstance(node.func, ast.Attribute):
            row = node.args[0] if len(node.args) == 1 else node.func.value
            if isinstance(row, ast.Name) and not node.keywords:
                return True
    return False


def _speaks_of_code(root: ast.AST) -> bool:
    """Whether anything in a piece of the text is called a code."""
    for node in below(root):
        name = last_name(node) or str(getattr(node, "arg", None) or getattr(node, "name", None) or "")
        if name and not CODES.isdisjoint(words(name)):
            return True
    return False


@remembered
def _moved(root: ast.AST) -> tuple[tuple[ast.expr, str, bool], ...]:
    """The rows whose columns a function may move, and whether the database computes the new value."""
    found: list[tuple[ast.expr, str, bool]] = []
    for node in inside(root):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if not isinstance(target, ast.Attribute) or not _may_be_column(target):
                    continue
                if _is_computed(node.value):
                    found.append((target.value, target.attr, True))
                elif may_be_state(node.value, target.attr):
                    found.append((target.value, target.attr, False))
        elif isinstance(node, ast.Call) and last_name(node.func) in SENDING:
            found += [(node, column, True) for column, value in _sent(node) if _is_computed(value)]
    return tuple(found)


def _may_be_column(target: ast.Attribute) -> bool:
    return (
        target.attr not in NO_STATES
        and not target.attr.startswith("_")
        and last_name(target.value) not in NO_ROWS
        and not isinstance(target.value, ast.Call)
    )


def _sent(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for word in call.keywords:
        if word.arg is not None:
            yield word.arg, word.value
    for arg in call.args:
        if isinstance(arg, ast.Dict):
            yield from (("", value) for value in arg.values)


def _is_computed(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.Add | ast.Sub)
        and isinstance(value.left, ast.Call | ast.Attribute)
    )


def _tested(root: ast.AST) -> set[str]:
    """The attributes that a function reads, each with its object, and the objects that stand in its tests."""
    found: set[str] = set()
    moved = {column for _, column, _ in _moved(root)}
    for node in below(root):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in moved:
            found.add(ast.unparse(node))
        elif isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            for part in ast.walk(node.test):
                if isinstance(part, ast.Attribute):
                    found.add(ast.unparse(part.value))
    return found


def _params(root: ast.AST) -> set[str]:
    args = getattr(root, "args", None)
    if not isinstance(args, ast.arguments):
        return set()
    return {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
