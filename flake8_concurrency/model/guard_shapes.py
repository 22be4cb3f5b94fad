"""What the gate asks of functions and classes for the rules about locks of objects: too much, never too little."""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.pieces import last_name, own

LOCKS = frozenset("Lock RLock Condition Semaphore BoundedSemaphore".split())
#: What starts threads, or pools of them.
STARTERS = frozenset("Thread Timer ThreadPool ThreadPoolExecutor".split())
#: Words that begin a note about what guards something, and words of which one goes on with it.
NOTES = frozenset("guarded Guarded GUARDED protected Protected guarded_by GUARDED_BY GuardedBy requires_lock".split())
NOTING = frozenset("by BY guarded_by GUARDED_BY GuardedBy requires_lock".split())
#: Whose locks are known.
PACKAGES = frozenset({"import threading", "import asyncio", "import multiprocessing"})
_LOCK = "lock"


def asks(root: ast.AST) -> Collection[str]:
    """A lock, where an object or a class may get one."""
    for node in own(root):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _calls(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(root, ast.ClassDef) or any(_is_of_object(target) for target in targets):
                return {_LOCK}
    return ()


def _is_of_object(target: ast.expr) -> bool:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return any(isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) for part in parts)


def _calls(value: ast.expr | None) -> list[ast.Call]:
    return [] if value is None else [node for node in ast.walk(value) if isinstance(node, ast.Call)]


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A lock, where a piece of the text makes one and keeps it in an object, or gives it back."""
    for node in own(root):
        match node:
            case ast.Assign(value=value) | ast.AnnAssign(value=value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                is_kept = isinstance(root, ast.ClassDef) or any(_is_of_object(target) for target in targets)
            case ast.Return(value=value):
                is_kept = True
            case _:
                continue
        # `field(default_factory=Lock)` does not call it.
        if is_kept and value is not None and any(last_name(part) in anchors for part in ast.walk(value)):
            return {_LOCK}
    return ()


def asks_note(root: ast.AST) -> Collection[str]:
    """A note, wherever one may stand: comments are not in the tree."""
    return {_NOTE} if isinstance(root, ast.ClassDef | ast.FunctionDef) else ()


def answers_note(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A note: only pieces of the text are asked that have a word of one in them."""
    del anchors
    return asks_note(root)


_NOTE = "note"
