"""What the gate asks of functions for the rule about what belongs to the whole process: too much, never too little."""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.model.pieces import below, last_name, own
from flake8_concurrency.model.thread_shapes import RUNNING, answers_running

#: The standard streams, as attributes of `sys`.
STREAMS = frozenset("stdout stderr stdin".split())
#: Words one of which stands in every text that changes something of the process.
WORDS = STREAMS | frozenset(
    """environ chdir fchdir umask setlocale tzset signal setdefaulttimeout redirect_stdout redirect_stderr""".split()
)
#: With what makes a change one that others see: an `await` after it, or a thread.
ANCHORS = RUNNING | WORDS | {"async"}


#: Methods that change the environment.
OF_ENVIRON = frozenset("update pop setdefault clear popitem".split())
_MANAGERS = frozenset({"redirect_stdout", "redirect_stderr", "chdir"})


def asks(root: ast.AST) -> Collection[str]:
    """What a function wants to hear that changes something for a while, or may let a context manager do so."""
    found: set[str] = set()
    for function in _functions(root):
        changes = _changes(function)
        if isinstance(function, ast.AsyncFunctionDef):
            if len(changes) > 1 or not _MANAGERS.isdisjoint(changes):
                found.add("change")
        elif len(changes) > 1 or changes not in ([], ["environ"]):
            found.add("thread")
        for node in below(function):
            if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
                found |= {f"restores {last_name(node.context_expr.func)}", "restores __enter__"}
    return found


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """What a piece of the text changes for a while, and whether it runs something in a thread."""
    found = set(answers_running(root, [word for word in anchors if word not in WORDS]))
    for function in _functions(root):
        if _changes(function):
            found.add("change" if isinstance(function, ast.AsyncFunctionDef) else f"restores {function.name}")
    return found


def _functions(root: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in own(root) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _changes(function: ast.AST) -> list[str]:
    """The words of what a function changes."""
    return [word for node in below(function) if (word := _changed(node))]


def _changed(node: ast.AST) -> str:
    match node:
        case ast.Subscript(value=container, ctx=ast.Store() | ast.Del()):
            return "environ" if last_name(container) == "environ" else ""
        case ast.Attribute(attr=name, ctx=ast.Store()) if name in STREAMS:
            return name
        case ast.Call(func=ast.Attribute(value=container, attr=method)) if last_name(container) == "environ":
            return "environ" if method in OF_ENVIRON else ""
        case ast.Call(func=func) if last_name(func) in WORDS:
            return last_name(func)
    return ""
