"""Which functions of a file, in the `ast` tree, may take locks while they hold some, or forget a lock of their class.

The gate asks. Names stand for locks here, wherever they are: too much, never too little.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from flake8_concurrency.model.guards import ALONE, CHANGING, is_named_for_a_life
from flake8_concurrency.model.iteration_shapes import VIEWS
from flake8_concurrency.model.pieces import Function, below, last_name, remembered, stored_name

_ENTERING = frozenset({"enter_context", "enter_async_context"})
_ACQUIRING = frozenset("acquire acquire_lock try_acquire".split())
#: A string longer than this is no annotation.
_LONGEST = 100
_WORD = re.compile(r"\w+")
#: Names that stand for other names are looked for so many times: those that follow each other are found in one.
_STEPS = 8
_Edge = tuple[str, str]


def may_nest(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[ast.AST]:
    """The functions that may take a lock while they hold it, or another one that is taken first elsewhere."""
    return _nesting((tuple(nodes), frozenset(anchors))).found(both=True)


def may_take_again(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[ast.AST]:
    """The functions that may take a lock while they hold it."""
    return _nesting((tuple(nodes), frozenset(anchors))).found(both=False)


@remembered
def _nesting(asked: tuple[tuple[ast.AST, ...], frozenset[str]]) -> _Nesting:
    return _Nesting(*asked)


class _Nesting:
    """What the functions of a file take, hold and call, by name."""

    def __init__(self, nodes: Sequence[ast.AST], anchors: Collection[str]) -> None:
        self._functions: list[ast.AST] = [node for node in nodes if isinstance(node, Function)]
        self._locks = _lock_names(nodes, anchors)
        self._by_name: dict[str, list[ast.AST]] = {}
        for node in self._functions:
            for inner in below(node):
                if isinstance(inner, Function):
                    self._by_name.setdefault(inner.name, []).append(inner)
        self._taken: dict[ast.AST, set[str]] = {}
        self._reaching: dict[ast.AST, set[str]] = {}
        self._called: dict[ast.AST, set[str]] = {}

    @cached_property
    def _all_edges(self) -> dict[ast.AST, set[_Edge]]:
        return {node: self._edges(node) for node in self._functions if self._takes(node)} if self._locks else {}

    def found(self, *, both: bool) -> set[ast.AST]:
        edges = self._all_edges
        known = set().union(*edges.values())
        twice = {node for node in edges if any(a == b or (both and (b, a) in known) for a, b in edges[node])}
        if not twice:
            return set()
        kept: set[ast.AST] = set()
        pending = list(twice)
        while pending:
            node = pending.pop()
            if node not in kept:
                kept.add(node)
                pending += [other for other in self._entered(node) if self._reached(other)]
        # What a caller holds is held here.
        names = {node.name for node in kept if isinstance(node, Function)}
        kept.update(node for node in self._functions if not names.isdisjoint(self._mentions(node)))
        return {node for node in self._functions if any(inner in kept for inner in below(node))}

    def _edges(self, function: ast.AST) -> set[_Edge]:
        """The pairs of a lock that is held, and one that is taken meanwhile."""
        found: set[_Edge] = set()
        for node in below(function):
            if isinstance(node, ast.With | ast.AsyncWith):
                items = [name for item in node.items for name in self._names(item.context_expr)]
                inside = self._inside(node.body) if items else set()
                for at, outer in enumerate(items):
                    found.update((outer, inner) for inner in (*items[at + 1 :], *inside))
        # What is taken otherwise is held until somebody lets it go.
        loose = {name for node in below(function) for name in self._loose(node)}
        if loose:
            inside = self._inside([function])
            found.update((outer, inner) for outer in loose for inner in inside)
        return found

    def _inside(self, nodes: Sequence[ast.AST]) -> set[str]:
        found: set[str] = set()
        for node in nodes:
            found |= self._takes(node)
            for other in self._entered(node):
                found |= self._reached(other)
        return found

    def _reached(self, function: ast.AST) -> set[str]:
        """The locks that a function takes, itself or in what it calls."""
        if function in self._reaching:
            return self._reaching[function]
        known: set[ast.AST] = set()
        pending = [function]
        found = self._reaching[function] = set()
        while pending:
            node = pending.pop()
            if node not in known:
                known.add(node)
                found |= self._takes(node)
                pending += self._entered(node)
        return found

    def _entered(self, node: ast.AST) -> Iterator[ast.AST]:
        for name in self._mentions(node):
            yield from self._by_name.get(name, ())

    def _mentions(self, root: ast.AST) -> set[str]:
        found = self._called.get(root)
        if found is None:
            found = self._called[root] = {last_name(node) for node in below(root)} & self._by_name.keys()
            if "__enter__" in self._by_name and any(isinstance(node, ast.With | ast.AsyncWith) for node in below(root)):
                found.add("__enter__")
        return found

    def _takes(self, root: ast.AST) -> set[str]:
        found = self._taken.get(root)
        if found is None:
            # A function may be decorated by what has its own name: `@app.command()` on `command`.
            found = self._taken[root] = set()
            for node in below(root):
                if isinstance(node, ast.With | ast.AsyncWith):
                    found.update(name for item in node.items for name in self._names(item.context_expr))
                found.update(self._loose(node))
        return found

    def _loose(self, node: ast.AST) -> list[str]:
        """The locks that a node takes, and that stay taken after it."""
        if isinstance(node, Function):
            return [name for decorator in node.decorator_list for name in self._decorated(decorator)]
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return []
        if node.func.attr in _ACQUIRING:
            return self._names(node.func.value)
        if node.func.attr in _ENTERING:
            return [name for arg in node.args for name in self._names(arg)]
        return []

    def _decorated(self, decorator: ast.expr) -> list[str]:
        """The locks that a decorator of the file takes, or is given."""
        found = [name for other in self._by_name.get(_called(decorator), ()) for name in self._takes(other)]
        return found + (self._names(decorator) if isinstance(decorator, ast.Call) else [])

    def _names(self, root: ast.AST) -> list[str]:
        return [name for name in map(last_name, below(root)) if name in self._locks]


def _called(node: ast.expr) -> str:
    return last_name(node.func if isinstance(node, ast.Call) else node)


def _lock_names(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[str]:
    """All names that may hold a lock: what is made of one of the anchors, of another such name, or annotated so."""
    found = set(anchors)
    bound = _all_bound(tuple(nodes))
    for _ in range(_STEPS):
        before = len(found)
        for names, value in bound:
            if not found.isdisjoint(value):
                found.update(names)
        if len(found) == before:
            break
    return found - set(anchors)


@remembered
def _all_bound(nodes: tuple[ast.AST, ...]) -> list[tuple[list[str], set[str]]]:
    return [pair for root in nodes for pair in _bound(root)]


#: The node types that `_bound` knows.
_BINDING = frozenset(
    {
        *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.withitem, ast.arg),
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Call),
    }
)


def _bound(root: ast.AST) -> Iterator[tuple[list[str], set[str]]]:
    """What a piece of the text binds, and the names in what it is bound to; a function is what it may give back."""
    for node in below(root):
        if node.__class__ not in _BINDING:
            continue
        match node:
            case ast.Assign(targets=targets, value=value):
                yield [stored_name(target) for target in targets], _mentioned(value)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                yield (
                    [stored_name(target)],
                    _mentioned(annotation) | (_mentioned(value) if value is not None else set()),
                )
            case ast.NamedExpr(target=target, value=value) | ast.For(target=target, iter=value):
                yield [stored_name(target)], _mentioned(value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                yield [stored_name(target)], _mentioned(value)
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                yield [name], _mentioned(annotation)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                returned = (one.value for one in below(node) if isinstance(one, ast.Return | ast.Yield) and one.value)
                yield [name], {word for value in returned for word in _mentioned(value)}
            case ast.Call(func=ast.Attribute(value=filled, attr="append" | "add" | "setdefault"), args=args):
                yield [stored_name(filled)], {word for arg in args for word in _mentioned(arg)}


def _mentioned(value: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in below(value):
        if isinstance(node, ast.Constant):
            # `lock: "threading.Lock"`.
            if isinstance(node.value, str) and len(node.value) < _LONGEST:
                found.update(_WORD.findall(node.value))
        elif name := last_name(node):
            found.add(name)
    return found


# -- the lock of a class -----------------------------------------------------------------------------------------------


class _Uses:
    """How often an attribute is used, and how often a lock may be held then; whether it is written in both ways.

    A loop over it without a lock is as bad as a write. Where one write under the lock tells what it is for, a sum or a
    loop without it is amiss however often it is used.
    """

    def __init__(self) -> None:
        self.count = self.guarded = 0
        self.is_written_guarded = self.is_bare = self.is_telling = False

    @property
    def is_forgotten(self) -> bool:
        return self.is_written_guarded and self.is_bare and (self.is_telling or self.guarded * 2 > self.count)


def may_forget(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[ast.AST]:
    """The methods of classes in which an attribute is mostly used under a lock, and changed without one."""
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    locks = _lock_names(nodes, anchors)
    entered = _managing(nodes, locks)
    found: set[ast.AST] = set()
    for node in classes.values():
        family = _family(node, classes)
        methods = [part for one in family for part in one.body if isinstance(part, Function)]
        uses: dict[str, _Uses] = {}
        for method in methods:
            if method.name not in ALONE:
                _count(method, locks, entered, uses)
        if any(one.is_forgotten for name, one in uses.items() if name not in locks):
            found.update(family, methods)
    return found


def _managing(nodes: Sequence[ast.AST], locks: Collection[str]) -> set[str]:
    """What is entered to hold a lock: context managers that have to do with one; `self` for an object that is one."""
    found: set[str] = set()
    for root in nodes if locks else ():
        for node in below(root):
            if isinstance(node, Function) and any(last_name(part) in locks for part in below(node)):
                if node.name == "__enter__":
                    found.update(arg.arg for arg in node.args.args[:1])
                elif any(last_name(one).endswith("contextmanager") for one in node.decorator_list):
                    found.add(node.name)
    return found


def _count(
    method: ast.FunctionDef | ast.AsyncFunctionDef,
    locks: Collection[str],
    entered: Collection[str],
    uses: dict[str, _Uses],
) -> None:
    first = [*method.args.posonlyargs, *method.args.args][:1]
    inside = _under_locks(method, locks)
    # What may hold the lock adds to the uses under it; what is there all the same may be without it.
    perhaps = inside | _under_locks(method, entered) if entered else inside
    # All callers may hold the lock, or a decorator, or a call that no block shows.
    is_private = method.name.startswith("_") and not method.name.endswith("__")
    trusted = is_private or bool(method.decorator_list) or any(map(_acquires, below(method)))
    own = {
        id(part)
        for part in below(method)
        if isinstance(part, ast.Attribute) and first and last_name(part.value) == first[0].arg
    }
    for part in below(method):
        if isinstance(part, ast.Attribute) and id(part) in own:
            one = uses.setdefault(part.attr, _Uses())
            one.count += 1
            one.guarded += trusted or id(part) in perhaps
    is_of_a_life = is_named_for_a_life(method.name)
    for target, is_plain in _written(method):
        if id(target) not in own:
            continue
        one = uses.setdefault(target.attr, _Uses())
        is_guarded = id(target) in inside
        one.is_written_guarded = one.is_written_guarded or trusted or id(target) in perhaps
        if not (is_guarded or is_of_a_life or (is_plain and _mentions_once(method, target.attr))):
            one.is_bare = True
    for over in _gone_over(method):
        if id(over) in own and id(over) not in inside and not is_of_a_life:
            uses[over.attr].is_bare = uses[over.attr].is_telling = True
    for added in _added(method):
        if id(added) in own and id(added) not in inside and not is_of_a_life:
            uses[added.attr].is_telling = True


def _gone_over(method: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a loop or a comprehension goes over, or a view of them."""
    for node in below(method):
        if isinstance(node, ast.For | ast.comprehension):
            match node.iter:
                case ast.Attribute() as over:
                    yield over
                case ast.Call(func=ast.Attribute(value=ast.Attribute() as over, attr=view)) if view in VIEWS:
                    yield over


def _added(method: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a method adds to."""
    for node in below(method):
        if isinstance(node, ast.AugAssign):
            target: ast.expr = node.target
            while isinstance(target, ast.Subscript):
                target = target.value
            if isinstance(target, ast.Attribute):
                yield target


def _mentions_once(method: ast.AST, attribute: str) -> bool:
    """Whether an attribute is only set: a new value alone replaces the old one at once."""
    return not any(
        isinstance(part, ast.Attribute) and part.attr == attribute and isinstance(part.ctx, ast.Load)
        for part in below(method)
    )


def _family(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """A class and its bases, as far as they are here."""
    found: list[ast.ClassDef] = []
    pending = [node]
    while pending:
        one = pending.pop()
        if one not in found:
            found.append(one)
            pending += [classes[name] for name in map(last_name, one.bases) if name in classes]
    return found


def _under_locks(method: ast.AST, locks: Collection[str]) -> set[int]:
    """The nodes that stand in blocks which hold something that may be a lock."""
    return {
        id(inner)
        for node in below(method)
        if isinstance(node, ast.With | ast.AsyncWith)
        and any(last_name(part) in locks for item in node.items for part in below(item.context_expr))
        for statement in node.body
        for inner in below(statement)
    }


def _acquires(node: ast.AST) -> bool:
    name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    return name in _ACQUIRING or name in _ENTERING


def _written(method: ast.AST) -> Iterator[tuple[ast.Attribute, bool]]:
    """The attributes that a method binds, or changes in place, and whether it only gives them another value."""
    added = {id(node.target) for node in below(method) if isinstance(node, ast.AugAssign)}
    for node in below(method):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield node, id(node) not in added
                continue
            case ast.Subscript(ctx=ast.Store() | ast.Del(), value=target):
                pass
            case ast.Call(func=ast.Attribute(value=target, attr=name)) if name in CHANGING:
                pass
            case _:
                continue
        while isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, ast.Attribute):
            yield target, False
