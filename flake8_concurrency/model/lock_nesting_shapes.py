"""What the gate asks of functions for the rules about locks that are taken while others are held."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from flake8_concurrency.model.pieces import Function, below, last_name

_TAKING = frozenset({"acquire", "acquire_lock", "__enter__"})
_ENTERING = frozenset({"enter_context", "enter_async_context"})
#: What gives a lock that something else holds.
_GIVING = re.compile(r"lock|mutex|cond|guard|sync|sem", re.IGNORECASE)
_ITSELF = "self"


def asks(root: ast.AST) -> Collection[str]:
    """The names of what a function takes, and of its decorators and what they are given."""
    found: set[str] = set()
    aliases: dict[str, str] = {}
    if isinstance(root, Function):
        for decorator in root.decorator_list:
            found.update(_names(decorator))
    for node in below(root):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                found.update(_names(item.context_expr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _TAKING:
                found.update(_names(node.func.value))
            elif node.func.attr in _ENTERING:
                found.update(name for arg in node.args for name in _names(arg))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Call):
            for target in node.targets:
                aliases.setdefault(last_name(target), next(_names(node.value), ""))
    found |= {aliases[name] for name in found & aliases.keys()}
    return found - {"", "open", "suppress"}


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """The names that a piece of the text gives to locks, and those of functions and classes that take or give one."""
    found: set[str] = set()
    nodes = below(root)
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value) if _mentions(value, anchors):
                found.update(last_name(target) for target in targets)
                found.update(last_name(one) for t in targets if isinstance(t, ast.Tuple) for one in t.elts)
            case ast.AnnAssign(target=target, annotation=annotation) if _mentions(annotation, anchors) or (
                node.value is not None and _mentions(node.value, anchors)
            ):
                found.add(last_name(target))
            case ast.NamedExpr(target=target, value=value) if _mentions(value, anchors):
                found.add(target.id)
            case ast.arg(arg=name, annotation=annotation) if annotation is not None and _mentions(annotation, anchors):
                found.add(name)
            case ast.Attribute(attr=name) if name in anchors:
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                methods = (part for part in body if isinstance(part, Function))
                if any(method.name == "__enter__" for method in methods):
                    found |= {name, _ITSELF}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name == "__enter__" or _GIVING.search(name) or _takes(node) or _mentions(node, anchors):
                    found.add(_ITSELF if name == "__enter__" else name)
    return found


def _takes(root: ast.AST) -> bool:
    return any(
        isinstance(node, ast.With | ast.AsyncWith)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TAKING)
        for node in below(root)
    )


def _mentions(root: ast.AST, anchors: Collection[str]) -> bool:
    return any(last_name(node) in anchors for node in below(root) if isinstance(node, ast.Name | ast.Attribute))


def _names(node: ast.expr) -> Iterator[str]:
    """The names that tell what is taken: `lock` of `self.lock`, `locks[key]`, `lock()`; what a call is given too."""
    match node:
        case ast.Call(func=func, args=args):
            yield from _names(func)
            for arg in args:
                yield last_name(arg)
        case ast.Attribute(attr=attr, value=value):
            yield attr
            yield last_name(value)
        case ast.Subscript(value=value) | ast.Await(value=value) | ast.NamedExpr(value=value):
            yield from _names(value)
        case _:
            yield last_name(node)
