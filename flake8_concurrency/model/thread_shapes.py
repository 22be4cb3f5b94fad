"""What the gate asks of functions for the rules about what runs in threads, and about loops touched from there."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.knowledge.thread_callbacks import ASSIGNED, CALLBACKS, DECORATORS, HANDLERS, ROUTES
from flake8_concurrency.model.pieces import below

#: The last names of what starts a function in a thread; a class derived from Thread is one as well.
STARTING = frozenset(name.rpartition(".")[2] for name, how in OFFLOADING.items() if how.where == "thread")
#: Methods of asyncio's objects that only the loop's own thread may call.
TOUCHING = frozenset(
    """call_soon call_later call_at add_reader remove_reader stop create_task ensure_future put_nowait get_nowait
    task_done set clear set_result set_exception cancel release write close""".split()
)
_THREAD = "thread"
_ROUTES = frozenset().union(*ROUTES.values())
_ASSIGNED = frozenset().union(*ASSIGNED.values())
_BASES = frozenset(name.rpartition(".")[2] for name in HANDLERS)
_CALLED = STARTING | frozenset(name.rpartition(".")[2] for name in (*CALLBACKS, *DECORATORS))
#: Something of all that shows that a function runs in a thread, ours or a library's.
RUNNING = _CALLED | _BASES | _ASSIGNED | _ROUTES
#: What tells elsewhere in a file that a library's callbacks run in threads.
KEEPS = re.compile(r"\bThreading(?:MixIn|\w+Server)\b|\bServiceBrowser\b|\bloop_start\b")

#: Names among those that much else has too: they count where the text speaks of a package that has them.
_COMMON = frozenset("map wrap schedule submit subscribe run_sync add_task Listener".split())
_PACKAGES = frozenset(
    name.partition(".")[0]
    for name in (*CALLBACKS, *DECORATORS, *(name for name, how in OFFLOADING.items() if how.where == "thread"))
)
_TELLING = RUNNING - _ROUTES - _COMMON


def speaks_of_threads(some: Collection[str]) -> bool:
    """Whether a text, by all its words, can show that a function runs in a thread."""
    if not _TELLING.isdisjoint(some) or not (_COMMON.isdisjoint(some) or _PACKAGES.isdisjoint(some)):
        return True
    return not ROUTES.keys().isdisjoint(some) and not _ROUTES.isdisjoint(some)


def asks(root: ast.AST) -> Collection[str]:
    """Something for a function with sync code in it that touches what may belong to a loop."""
    functions = (node for node in below(root) if isinstance(node, ast.FunctionDef))
    if any(_touches(function) for function in functions):
        return {_THREAD}
    return ()


def _touches(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TOUCHING
        for node in below(function)
    )


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """Something for a piece of the text that starts a thread, or names the class of one."""
    if isinstance(root, ast.ClassDef) and any(name in anchors for base in root.bases for name in _last_names(base)):
        return {_THREAD}
    calls = (node for node in below(root) if isinstance(node, ast.Call))
    return {_THREAD} if any(name in anchors for call in calls for name in _last_names(call.func)) else ()


def _last_names(node: ast.expr) -> list[str]:
    """The last name of a chain; all names where a callee is itself computed."""
    if isinstance(node, ast.Attribute):
        return [node.attr]
    return [
        part.id if isinstance(part, ast.Name) else part.attr
        for part in below(node)
        if isinstance(part, ast.Name | ast.Attribute)
    ]


def answers_running(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """Something for a piece of the text that shows that something runs in a thread."""
    if isinstance(root, ast.ClassDef) and any(name in anchors for base in root.bases for name in _last_names(base)):
        return {_THREAD}
    for node in below(root):
        if isinstance(node, ast.Call):
            if any(name in anchors and name not in _ROUTES for name in _last_names(node.func)):
                return {_THREAD}
        elif isinstance(node, ast.FunctionDef):
            if any(not _ROUTES.isdisjoint(_last_names(_plain(part))) for part in node.decorator_list):
                return {_THREAD}
        elif isinstance(node, ast.Attribute) and node.attr in _ASSIGNED and isinstance(node.ctx, ast.Store):
            return {_THREAD}
    return ()


def _plain(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator
