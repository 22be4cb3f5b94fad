"""What a function must look like, in the `ast` tree, before anything can be said about its row locks.

The gate asks, so this must never be narrower than the model, which sees the libcst tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from flake8_concurrency.model.pieces import own

LOCKING = frozenset({"select_for_update", "with_for_update"})

#: Words that decide something about the transactions of a whole file: a view's `dispatch` runs all its methods.
KEEPS = re.compile(r"(?i)\b(serializable|repeatable\w*|version_id_col|\w*VersionField|dispatch|autocommit)\b")
_LOCK = "lock"


def asks_lock(root: ast.AST) -> set[str]:
    """A lock, where a function asks for one."""
    return answers_lock(root, LOCKING)


def answers_lock(root: ast.AST, names: Collection[str]) -> set[str]:
    """A lock, where a piece of the text asks for one."""
    del names
    return {_LOCK} if any(_locks(node) for node in own(root)) else set()


def _locks(node: ast.AST) -> bool:
    """`query.select_for_update()`, `session.get(M, pk, with_for_update=True)`."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in LOCKING:
        return True
    return any(word.arg in LOCKING for word in node.keywords)


def asks_skipping(root: ast.AST) -> set[str]:
    """A lock, where a function asks for one that skips what others hold."""
    found = any(_locks(node) and any(word.arg == "skip_locked" for word in _keywords(node)) for node in own(root))
    return {_LOCK} if found else set()


def _keywords(node: ast.AST) -> list[ast.keyword]:
    return node.keywords if isinstance(node, ast.Call) else []


def asks_written(root: ast.AST) -> set[str]:
    """A lock, where a function writes an attribute of something else than its own object."""
    for node in own(root):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) for target in targets):
            return {_LOCK}
    return set()


def asks_ordered_update(root: ast.AST) -> set[str]:
    """An order, where a function updates what it may have put in one."""
    has_update = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("update", "aupdate")
        and isinstance(node.func.value, ast.Call | ast.Name)
        and node.keywords
        and not node.args
        for node in own(root)
    )
    return {"order"} if has_update and answers_order(root, ()) else set()


def answers_order(root: ast.AST, names: Collection[str]) -> set[str]:
    """An order, where a piece of the text asks for one."""
    del names
    found = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "order_by"
        and bool(node.args)
        for node in own(root)
    )
    return {"order"} if found else set()


#: What takes row locks, for those who ask in which order.
ORDERING = LOCKING | frozenset("update aupdate delete adelete bulk_update abulk_update save asave".split())
_BULK = frozenset({"bulk_update", "abulk_update"})


def asks_rows(root: ast.AST) -> set[str]:
    """Rows, where a function locks several: in a loop, by their ids, or all that it is given."""
    for node in own(root):
        if isinstance(node, ast.For | ast.AsyncFor) and any(_locks_row(inner) for inner in ast.walk(node)):
            return {"rows"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _BULK or node.func.attr == "in_":
                return {"rows"}
            if any(word.arg is not None and word.arg.endswith("__in") for word in node.keywords):
                return {"rows"}
    return set()


def _locks_row(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    return name in ORDERING or _locks(node)


def answers_rows(root: ast.AST, names: Collection[str]) -> set[str]:
    """Rows, where a piece of the text locks any."""
    del names
    return {"rows"} if any(_locks_row(node) for node in own(root)) else set()
