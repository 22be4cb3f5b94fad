"""What the gate asks of functions for the rule about caches that threads share: too much, never too little."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from flake8_concurrency.model.pieces import last_name, own

#: The classes of cachetools, by their last names.
CONSTRUCTORS = frozenset("Cache FIFOCache LFUCache LRUCache MRUCache RRCache TTLCache TLRUCache".split())
DECORATORS = frozenset({"cached", "cachedmethod"})
READING = frozenset("get items values keys".split())
WRITING = frozenset("pop popitem setdefault update clear expire".split())
#: What shows that a class has to do with threads, and the objects that a module has for all.
KEEPS = re.compile(
    r"\b(?:R?Lock|Thread|Timer|Condition|Event|Barrier|(?:Bounded)?Semaphore|ThreadPool(?:Executor)?)\("
    r"|\A\w+(?: *:[^=\n]*)? *= *_?[A-Z]\w*\("
)


def asks(root: ast.AST) -> Collection[str]:
    """The names of the containers that a function looks into, and its own if a decorator may remember for it."""
    found: set[str] = set()
    for node in own(root):
        if isinstance(node, ast.Subscript):
            found.add(last_name(node.value))
        elif isinstance(node, ast.Compare):
            found.update(map(last_name, node.comparators))
        elif isinstance(node, ast.Attribute) and node.attr in READING | WRITING:
            found.add(last_name(node.value))
    for decorator in _calling(root):
        found.add(_decorated(root))
        found.update(last_name(part) for part in ast.walk(decorator))
        found.update(str(part.value) for part in ast.walk(decorator) if isinstance(part, ast.Constant))
    return found - {""}


def _calling(root: ast.AST) -> list[ast.Call]:
    """The decorators of a function that are given something."""
    decorators = getattr(root, "decorator_list", ())
    return [node for node in decorators if isinstance(node, ast.Call) and (node.args or node.keywords)]


def _decorated(root: ast.AST) -> str:
    return f"@ {getattr(root, 'name', '')}"


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """The names that a piece of the text gives to new caches, and its own if a decorator of it makes one."""
    found: set[str] = set()
    for node in own(root):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _makes(node.value, anchors):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(map(last_name, targets))
    if any(_makes(decorator, anchors) for decorator in _calling(root)):
        found.add(_decorated(root))
    return found


def _makes(value: ast.AST, anchors: Collection[str]) -> bool:
    return any(isinstance(node, ast.Call) and last_name(node.func) in anchors for node in ast.walk(value))
