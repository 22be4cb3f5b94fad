"""What a piece of the text must look like, in the `ast` tree, before `beat` can have anything to say about it.

The gate asks, so this must never be narrower than `beat`, which sees the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.pieces import below, last_name

_NAMED = "named"
#: Where tasks are named by a string, and what the beat is told.
NAMING = frozenset(
    "send_task signature schedule add_periodic_task task_routes CELERY_TASK_ROUTES CELERY_ROUTES".split()
)

_ROUTES = frozenset({"task_routes", "CELERY_TASK_ROUTES", "CELERY_ROUTES"})
_CALLS = frozenset({"add_periodic_task"})


def speaks_of_names(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may define tasks and name them."""
    return not NAMING.isdisjoint(some) and any("task" in word for word in some)


def asks_names(root: ast.AST) -> set[str]:
    """Whether a piece of the text may name a task by a string, or tell the beat about one."""
    for node in below(root):
        if isinstance(node, ast.Call) and node.args and last_name(node.func) in _CALLS:
            return {_NAMED}
        match node:
            case ast.Call(func=func, args=[ast.Constant(), *_]) if last_name(func) in ("signature", "send_task"):
                return {_NAMED}
        if isinstance(node, ast.Dict) and any(
            isinstance(key, ast.Constant) and key.value == "task" for key in node.keys
        ):
            return {_NAMED}
        if isinstance(node, ast.Assign) and any(last_name(target) in _ROUTES for target in node.targets):
            return {_NAMED}
    return set()


def answers_names(root: ast.AST, names: Collection[str]) -> set[str]:
    """Whatever has one of those words; the tasks themselves are kept anyway."""
    del root, names
    return {_NAMED}


#: What lists the queues of a file.
_LISTS = frozenset({"task_queues", "CELERY_TASK_QUEUES", "CELERY_QUEUES", "TaskQueues"})


def speaks_of_queues(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may list queues."""
    return not _LISTS.isdisjoint(some)


def asks_queues(root: ast.AST) -> set[str]:
    """Whether a piece of the text may list queues."""
    for node in below(root):
        if isinstance(node, ast.Assign) and any(last_name(target) in _LISTS for target in node.targets):
            return {_NAMED}
        if isinstance(node, ast.Call) and last_name(node.func) == "TaskQueues":
            return {_NAMED}
    return set()
