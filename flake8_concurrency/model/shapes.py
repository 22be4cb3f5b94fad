"""What a function must look like, in the `ast` tree, before `rows` can have anything to say about it.

The gate asks, so this must never be narrower than `writes` and `claims`, which see the libcst tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

#: Methods of lists, dicts and sets that change them, apart from those that managers and relationships have too.
ONLY_COLLECTIONS = frozenset("insert pop popitem setdefault sort reverse appendleft".split())
CHANGING = ONLY_COLLECTIONS | frozenset("append extend update remove clear add discard".split())
#: Calls that give back their argument, or a copy of it, in another form.
COPYING = frozenset(
    """list dict set tuple sorted frozenset copy deepcopy int float str bool Decimal loads dumps cast OrderedDict defaultdict
    Counter round""".split()
)
CHOOSING = frozenset({"max", "min", "sum"})
#: Methods that give a changed copy.
MERGING = frozenset("union difference intersection symmetric_difference".split())
#: Objects that are no rows, whatever is written to them.
NO_ROWS = frozenset("request response os sys settings config parser logger form serializer".split())
DISPATCHING = frozenset(
    "delay apply_async delay_on_commit apply_async_on_commit enqueue enqueue_call enqueue_job send_task send_with_options".split()
)
#: Words without which nothing is read from a database by an ORM.
READING = re.compile(
    r"\b(django|rest_framework|sqlalchemy|sqlmodel|flask_sqlalchemy|query|select|objects|all_objects|_default_manager"
    r"|_base_manager|a?get_(object|list)_or_\w+|_{0,2}session|sess|_?db|dbsession|db_sess(ion)?|DBSession|Session"
    r"|async_session|async_db|sqlalchemy_session|s)\b"
)
CHOOSING_ROWS = re.compile(r"\b(filter|filter_by|where|exclude)\b")
#: Words that decide something about the rows of a whole file.
KEEPS = re.compile(r"(?i)\b(serializable|repeatable\w*|version_id_col|\w*VersionField)\b")
_UPDATING = frozenset("update aupdate delete adelete".split())
_SELF = frozenset({"self", "cls"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def writes_row(root: ast.AST) -> bool:
    """Whether a function may write an attribute of another object from its own old value."""
    return any(row is None or not _is_self(row) for row in _written(root))


def writes_self(root: ast.AST) -> bool:
    """The same of a method's own object."""
    return any(row is not None and _is_self(row) for row in _written(root))


def takes_row(root: ast.AST) -> bool:
    """Whether a function may move rows to another state, hand them to a task, or delete or update them by their ids."""
    for node in _inside(root):
        if isinstance(node, ast.Call):
            if _last_name(node.func) in _UPDATING | DISPATCHING:
                return True
        elif any(not _is_self(target.value) for target in _moved(node)):
            return True
    return False


def moves_self(root: ast.AST) -> bool:
    """Whether a method may move its own object to another state."""
    return any(_is_self(target.value) for node in _inside(root) for target in _moved(node))


def _inside(root: ast.AST) -> Iterator[ast.AST]:
    """A function's nodes; of a class those outside its methods, which are asked about one by one."""
    stack: list[ast.AST] = [root]
    if isinstance(root, ast.ClassDef):
        stack = [node for node in root.body if not isinstance(node, Function)]
    while stack:
        node = stack.pop()
        yield node
        stack += ast.iter_child_nodes(node)


def _written(root: ast.AST) -> Iterator[ast.expr | None]:
    """The objects whose attributes may be written from their old values; None for one that only a local leads to."""
    nodes = list(_inside(root))
    loaded = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    aliases = {name for node in nodes for name in _aliases(node)}
    for node in nodes:
        for target in _changed(node, loaded):
            if isinstance(target, ast.Attribute) and _last_name(target.value) not in NO_ROWS:
                yield target.value
            elif isinstance(target, ast.Name) and target.id in aliases:
                yield None


def _changed(node: ast.AST, loaded: set[str]) -> Iterator[ast.expr]:
    """The attributes that a node may write, and the names of what it may change in place."""
    match node:
        case ast.AugAssign(target=ast.Attribute() as target):
            yield target
        case ast.AugAssign(target=ast.Subscript() as target):
            yield _container(target)
        case ast.Assign(targets=targets):
            yield from _assigned(targets, node.value, loaded)
        case ast.AnnAssign(target=target) if node.value is not None:
            yield from _assigned([target], node.value, loaded)
        case ast.Delete(targets=targets):
            yield from (_container(target) for target in targets if isinstance(target, ast.Subscript))
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in CHANGING:
            yield _container(value)


def _assigned(targets: list[ast.expr], value: ast.expr, loaded: set[str]) -> Iterator[ast.expr]:
    for target in targets:
        if isinstance(target, ast.Subscript):
            yield _container(target)
        elif isinstance(target, ast.Attribute) and target.attr in loaded and _may_be_made(value):
            yield target


def _may_be_made(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.Attribute() | ast.JoinedStr() | ast.Lambda() | ast.Compare():
            return False
        case ast.Call():
            return _last_name(value.func) in COPYING | CHOOSING | MERGING
        case ast.IfExp():
            return _may_be_made(value.body) or _may_be_made(value.orelse)
        case ast.BoolOp():
            return any(_may_be_made(part) for part in value.values)
        case ast.List() | ast.Tuple() | ast.Set():
            return any(isinstance(part, ast.Starred) for part in value.elts)
        case ast.Dict():
            return None in value.keys
    return True


def _aliases(node: ast.AST) -> Iterator[str]:
    """The locals that a node binds to what an attribute holds, or to its items."""
    match node:
        case ast.Assign(value=ast.Attribute()):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Attribute()) | ast.NamedExpr(
            target=ast.Name(id=name), value=ast.Attribute()
        ):
            yield name
        case ast.For(iter=ast.Attribute()) | ast.AsyncFor(iter=ast.Attribute()):
            yield from (part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))
        case ast.For(iter=ast.Call(func=ast.Attribute(value=ast.Attribute(), attr="items" | "values"))):
            yield from (part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))


def _moved(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a node sets to what may be another state."""
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.BinOp | ast.List | ast.Dict | ast.JoinedStr):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and _last_name(target.value) not in NO_ROWS:
                yield target


def _container(node: ast.expr) -> ast.expr:
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("setdefault", "get") and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            return node


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _SELF


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
