"""What a function must look like, in the `ast` tree, before a task in it can be dropped: too much, never too little."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from flake8_concurrency.model.dropping import GROWING
from flake8_concurrency.model.pieces import below, last_name, own


def may_drop(root: ast.AST, names: Collection[str]) -> bool:
    """Whether a call of one of these names may give something that nobody keeps."""
    made = [node for node in own(root) if isinstance(node, ast.Call) and _is_one(node.func, names)]
    if not made:
        return False
    kept = {id(value) for node in own(root) for value in _kept(node)}
    return any(id(call) not in kept for call in made) or _is_any_unread(root, {id(call) for call in made})


def _is_one(func: ast.AST, names: Collection[str]) -> bool:
    name = last_name(func)
    return not name or name in names


def _kept(node: ast.AST) -> Iterator[ast.AST | None]:
    """What a node surely keeps, or hands on to who may, of its parts."""
    match node:
        case ast.Return() | ast.Await() | ast.Yield():
            yield node.value
        case ast.Assign(targets=targets):
            # A local may be read: see `_is_any_unread`.
            if all(isinstance(target, ast.Attribute | ast.Name) for target in targets):
                yield node.value
        case ast.Call() if _grown(node) is None:
            yield from node.args
            yield from (word.value for word in node.keywords)


def _is_any_unread(root: ast.AST, made: Collection[int]) -> bool:
    """Whether a local that one of these calls is assigned to may never be read."""
    nodes = below(root)
    assigned = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and id(node.value) in made
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if not assigned:
        return False
    put_away: set[int] = set()
    for node in nodes:
        container = _grown(node)
        if isinstance(node, ast.Call) and container is not None:
            put_away.update(map(id, (container, *node.args)))
    read = {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in put_away
    }
    return not assigned <= read


def _grown(node: ast.AST) -> ast.Name | None:
    """The local that a call puts something into: `tasks` of `tasks.append(task)`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name() as container, attr=method)) if method in GROWING:
            return container
    return None
