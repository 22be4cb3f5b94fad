"""Which functions of a file, in the `ast` tree, may go through a container that others change while they wait.

The gate asks. Names stand for containers here, wherever they are: too much, never too little.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence

from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import below, last_name, remembered, stored_name

#: Methods that take an item out of a dict or a set. What clears it all lets go of what is behind it as a rule.
REMOVING = frozenset("pop popitem discard remove".split())
VIEWS = frozenset("items values keys".split())
#: Methods of a dict that give what is filed under a key.
LOOKING_UP = frozenset("get setdefault".split())
_PREFIXES = frozenset("a async on do handle all".split())
_STARTING = frozenset("start open setup set up init load initialize configure restart reload run main".split())
_ENDING = frozenset(
    """stop close aclose shutdown shut down exit teardown destroy terminate finalize reset clear cleanup clean end
    disconnect""".split()
)


def is_of_start(name: str) -> bool:
    """Whether a function's name says that it runs before all others."""
    if name.startswith("__") and name.endswith("__"):
        return name not in ("__call__", "__aexit__", "__exit__")
    return (_STARTING | _PREFIXES).issuperset(words(name.strip("_")))


def is_of_end(name: str) -> bool:
    """Whether a function's name says that it runs when the others are done, or are about to be."""
    return name in ("__aexit__", "__exit__") or (_ENDING | _PREFIXES).issuperset(words(name.strip("_")))


def may_disturb(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[ast.AST]:
    """The functions that may go through a container and wait, where others take something out, and those others."""
    del anchors
    looping: dict[str, list[ast.AST]] = {}
    for node in nodes:
        for name in _looped(node):
            looping.setdefault(name, []).append(node)
    found: set[ast.AST] = set()
    for node in nodes if looping else ():
        for name in looping.keys() & set(_taken(node)):
            found.update(looping[name], (node,))
    return found


def _looped(root: ast.AST) -> Iterator[str]:
    """The last names of what loops of async functions go through that wait in between."""
    for node in below(root):
        match node:
            case ast.For(iter=iterated):
                names = [_iterated(iterated)]
            case ast.ListComp() | ast.SetComp() | ast.DictComp():
                names = [_iterated(one.iter) for one in node.generators]
            case _:
                continue
        if any(isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith) for part in below(node)):
            for name in filter(None, names):
                yield name
                yield from _sources(root).get(name, ())


def _iterated(node: ast.expr) -> str:
    return _filed(gone_over(node))


def gone_over(node: ast.expr) -> ast.expr:
    """What a loop goes through: `T` of `T.items()`, of `enumerate(T)` and of `T or ()`."""
    while True:
        node = _first(node)
        if not isinstance(node, ast.Call):
            return node
        if isinstance(node.func, ast.Attribute) and node.func.attr in VIEWS:
            node = node.func.value
        elif last_name(node.func) == "enumerate" and node.args:
            node = node.args[0]
        else:
            return node


def _first(node: ast.expr) -> ast.expr:
    return _first(node.values[0]) if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) else node


def _filed(node: ast.expr) -> str:
    """The last name of a container, or of the dict in which it is looked up: `rooms` of `self.rooms[name]`."""
    while isinstance(node, ast.Subscript | ast.Call):
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node.func, ast.Attribute) and node.func.attr in LOOKING_UP:
            node = node.func.value
        else:
            return ""
    return last_name(node)


@remembered
def _sources(root: ast.AST) -> Mapping[str, set[str]]:
    """The containers that variables are set to: `sockets = self.rooms[name]`."""
    found: dict[str, set[str]] = {}
    for node in below(root):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
            ):
                source = _filed(_first(value))
                if source:
                    found.setdefault(name, set()).add(source)
    return found


def _taken(root: ast.AST) -> Iterator[str]:
    for node in below(root):
        match node:
            case ast.Attribute(attr=attr, value=value) if attr in REMOVING:
                names = [_filed(value)]
            case ast.Delete():
                names = [stored_name(target) for target in node.targets]
            case _:
                continue
        for name in filter(None, names):
            yield name
            yield from _sources(root).get(name, ())
