"""Which functions of a file, in the `ast` tree, may go through a dict or set that others change while they wait.

The gate asks. Names stand for containers here, wherever they are: too much, never too little.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import below, last_name, stored_name

#: Methods that take an item out of a dict or a set. What clears it all lets go of what is behind it as a rule.
REMOVING = frozenset("pop popitem discard remove".split())
VIEWS = frozenset("items values keys".split())
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
            yield from filter(None, names)


def _iterated(node: ast.expr) -> str:
    while isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in VIEWS:
            node = node.func.value
        elif last_name(node.func) == "enumerate" and node.args:
            node = node.args[0]
        else:
            return ""
    return last_name(node)


def _taken(root: ast.AST) -> Iterator[str]:
    for node in below(root):
        if isinstance(node, ast.Attribute) and node.attr in REMOVING:
            yield last_name(node.value)
        elif isinstance(node, ast.Delete):
            yield from map(stored_name, node.targets)
