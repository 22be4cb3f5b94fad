"""Which classes of a file, in the `ast` tree, may go over a container that another thread of theirs changes.

The gate asks. Names stand for containers here, wherever they are: too much, never too little.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from flake8_concurrency.model.iteration_shapes import gone_over
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.pieces import Function, below, last_name, stored_name

#: Methods that put something into a dict, a set or a deque, and those that take something out.
ADDING = frozenset("add update setdefault append appendleft extend extendleft".split())
REMOVING = frozenset("pop popitem remove discard popleft clear".split())
#: Words in the names of methods that are called before the thread is started, as a rule.
_SET_UP_OF = frozenset(
    """handler handlers listener listeners callback callbacks hook hooks plugin plugins route routes option options
    command commands argument arguments observer observers filter filters rule rules middleware type types""".split()
)


def is_of_set_up(name: str) -> bool:
    """Whether a method's name says that it is called before the thread is started."""
    found = [word.lower() for word in words(name)]
    return bool(found) and (found[0] in ("register", "configure") or not _SET_UP_OF.isdisjoint(found))


def may_break(nodes: Sequence[ast.AST], anchors: Collection[str]) -> set[ast.AST]:
    """The classes, with all their methods, that start a thread, go over an attribute in one method and resize it."""
    found: set[ast.AST] = set()
    for node in nodes:
        if not isinstance(node, ast.ClassDef) or not any(last_name(part) in anchors for part in below(node)):
            continue
        methods = [part for part in node.body if isinstance(part, Function)]
        looped = {name: method for method in methods for name in _looped(method)}
        if looped and any(name in looped for method in methods for name in _resized(method)):
            found.update((node, *methods))
    return found


def _looped(root: ast.AST) -> Iterator[str]:
    """The attributes that loops go over."""
    for node in below(root):
        if isinstance(node, ast.For | ast.comprehension) and isinstance(over := gone_over(node.iter), ast.Attribute):
            yield over.attr


def _resized(root: ast.AST) -> Iterator[str]:
    for node in below(root):
        match node:
            case ast.Attribute(attr=name, value=ast.Attribute(attr=changed)) if name in ADDING or name in REMOVING:
                yield changed
            case ast.Subscript(ctx=ast.Store() | ast.Del(), value=ast.Attribute()):
                yield stored_name(node)
