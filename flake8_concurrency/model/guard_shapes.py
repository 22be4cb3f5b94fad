"""What the gate asks of functions and classes for the rules about locks of objects: too much, never too little."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

LOCKS = frozenset("Lock RLock Condition Semaphore BoundedSemaphore".split())
#: What starts threads, or pools of them.
STARTERS = frozenset("Thread Timer ThreadPool ThreadPoolExecutor".split())
#: Words that begin a note about what guards something, and words of which one goes on with it.
NOTES = frozenset("guarded Guarded GUARDED protected Protected guarded_by GUARDED_BY GuardedBy requires_lock".split())
NOTING = frozenset("by BY guarded_by GUARDED_BY GuardedBy requires_lock".split())
#: How a note is written, as far as a text shows.
NOTE = re.compile(r"\b(?:guarded|protected)[-_ ]by\b|\bGuardedBy\b|\brequires_lock\b", re.IGNORECASE)
#: Whose locks are known.
PACKAGES = frozenset({"import threading", "import asyncio", "import multiprocessing"})


def asks_note(root: ast.AST) -> Collection[str]:
    """A note, wherever one may stand: comments are not in the tree."""
    return {_NOTE} if isinstance(root, ast.ClassDef | ast.FunctionDef) else ()


def answers_note(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A note: only pieces of the text are asked that have a word of one in them."""
    del anchors
    return asks_note(root)


_NOTE = "note"
