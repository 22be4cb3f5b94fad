"""What a function must look like, in the `ast` tree, before `touches` can have anything to say about it.

The gate asks, so this must never be narrower than `touches`, which sees the libcst tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from flake8_concurrency.knowledge.touches import CLOCKS, CONVERTS, admits, is_change, is_clock, is_use
from flake8_concurrency.model.pieces import STORED, below, last_name
from flake8_concurrency.model.vocabulary import COMMITS, EXECUTES, SAVING

_TOUCH = "touch"
#: What takes the columns as keywords, or in a dict.
_GIVEN = frozenset({"update", "aupdate", "values"})
_DICTS = _GIVEN | frozenset(
    """update_one update_many find_one_and_update find_and_modify update_or_create aupdate_or_create
    on_conflict_do_update""".split()
)
#: What brings the change of a row to the database, or says that its mapper does.
_KEEPS = SAVING | COMMITS | frozenset({"Column", "mapped_column", "Mapped", "query", "session", "begin"})
_BLOCKS = frozenset("transaction atomic session_scope unit_of_work uow in_transaction select add merge add_all".split())
SENDS = _KEEPS | _BLOCKS | _DICTS | EXECUTES
#: Without one of these nothing is written.
WRITES = _DICTS | EXECUTES | {STORED}
#: Words of all classes whose methods every request passes.
_ANY_CLASS = "MiddlewareAuthenticationConsumer"
_UPDATE = "UPDATE"
_SET = re.compile(r"\bSET\s+\W?(\w+)", re.IGNORECASE)


def asks_touch(root: ast.AST) -> set[str]:
    """Whether a function may write when a row was last used."""
    nodes = below(root)
    is_told = any(_is_told(column, root) for column in _stored(nodes))
    is_told = is_told or any(_is_told(column, root) for column in _sent(nodes))
    return {_TOUCH} if is_told and _tells_time(nodes) else set()


def answers_touch(root: ast.AST, names: Collection[str]) -> set[str]:
    """Whether a piece of the text may bring it to the database."""
    del names
    nodes = below(root)
    is_kept = any(
        last_name(node) in _KEEPS or (isinstance(node, ast.Call) and last_name(node.func) in _BLOCKS) for node in nodes
    )
    return {_TOUCH} if is_kept or any(_is_told(column, root) for column in _sent(nodes)) else set()


def _stored(nodes: Collection[ast.AST]) -> Iterator[str]:
    """The attributes that may be set to the current time."""
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _may_be_now(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.attr for target in targets if isinstance(target, ast.Attribute))


def _may_be_now(value: ast.AST | None) -> bool:
    """Whether an expression may be the current time, by the shape that `TouchWrites.is_now` takes."""
    if isinstance(value, ast.Call):
        name = last_name(value.func)
        return name in CLOCKS or name in CONVERTS or is_clock(name)
    return isinstance(value, ast.Name | ast.BinOp)


def _sent(nodes: Collection[ast.AST]) -> Iterator[str]:
    """The keywords, keys and columns that a statement may set."""
    called = {last_name(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes if not called.isdisjoint(_DICTS) else ():
        match node:
            case ast.Call(func=func, keywords=keywords) if keywords and last_name(func) in {*_GIVEN, "dict"}:
                yield from (word.arg for word in keywords if word.arg is not None)
            case ast.Dict(keys=keys):
                yield from map(_named, keys)
    for node in nodes if not called.isdisjoint(EXECUTES) else ():
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.lstrip()[:6].upper() == _UPDATE
        ):
            yield from _SET.findall(node.value)


def _tells_time(nodes: Collection[ast.AST]) -> bool:
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            name = last_name(node)
            if name in CLOCKS or is_clock(name):
                return True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _SET.search(node.value):
            return True
    return False


def _is_told(column: str, root: ast.AST) -> bool:
    return is_use(column) or (is_change(column) and _may_admit(root))


def _may_admit(root: ast.AST) -> bool:
    """Whether there is a function that every request may pass, so far as its name tells."""
    names = (node.name for node in below(root) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    decorated = any(isinstance(node, ast.Attribute) and node.attr == "before_request" for node in below(root))
    return decorated or any(admits(name, _ANY_CLASS, []) for name in names)


def _named(key: ast.AST | None) -> str:
    """The column that the key of a dict names."""
    if isinstance(key, ast.Constant):
        return key.value if isinstance(key.value, str) else ""
    return key.attr if isinstance(key, ast.Attribute) else ""
