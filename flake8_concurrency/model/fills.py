"""What the file puts into containers that start empty: by calls, by `+=`, by assigning to an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.containers import value_of_mapping
from flake8_concurrency.model.facts import CONTAINERS, KEYED, NONE, UNDECIDED, Kind, union
from flake8_concurrency.model.tree import Scope

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: Methods that put an argument into a container.
_ADDING = frozenset({"append", "appendleft", "add", "insert", "put", "put_nowait", "setdefault"})
_ADDING_NODES = frozenset({cst.Call, cst.AugAssign, cst.Assign})
_JOINING = frozenset({"extend", "update", "extendleft"})


class Fills:
    """What is put into the containers of one file."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._memo = kinds.memo
        self._tree = kinds.tree
        self._names = kinds.names
        self._additions: dict[tuple[str, Scope], list[tuple[str, cst.BaseExpression]]] | None = None

    def of(self, kind: Kind | None, name: str, home: Scope | None) -> Kind | None:
        """A container that starts empty takes its element's kind from what is put into it, anywhere in the file."""
        if kind is None or home is None or kind.name not in CONTAINERS:
            return kind
        if kind.args and kind.args != (NONE,) and kind.name not in KEYED:
            return kind
        if kind.args == (NONE,):
            # `[None] * 3` is as good as empty.
            kind = Kind(kind.name, (), kind.ref)
        added = self._added().get((name, home))
        if added is None or any(arg is not None and (arg.args or arg.name not in CONTAINERS) for arg in kind.args):
            return kind
        start = kind.args[1] if len(kind.args) > 1 else UNDECIDED
        inner = self._memo.find((name, home, kind), lambda: self._content(kind.name, start, added))
        return Kind(kind.name, (None, inner) if kind.name in KEYED else (inner,), kind.ref)

    def _content(self, name: str, start: Kind | None, added: list[tuple[str, cst.BaseExpression]]) -> Kind | None:
        """The kind of what is in a container, `start` or what is added."""
        found = [start]
        for way, value in added:
            if way == "add":
                found.append(self._kinds.of(value))
            elif way == "join":
                given = self._kinds.of(value)
                found.append(value_of_mapping(given) if name in KEYED else self._kinds.element(given))
        inner = union(tuple(found))
        nested = tuple(self._kinds.of(value) for way, value in added if way == "nest")
        if inner is not None and nested and inner.name in CONTAINERS and not inner.args and inner.name not in KEYED:
            return Kind(inner.name, (union(nested),), inner.ref)
        return inner

    def _added(self) -> dict[tuple[str, Scope], list[tuple[str, cst.BaseExpression]]]:
        """By variable and scope, or attribute and class: what the file puts into the container, and how."""
        if self._additions is None:
            self._additions = {}
            for scope, nodes in self._tree.own.items():
                for node in nodes:
                    addition = _addition(node) if type(node) in _ADDING_NODES else None
                    if addition is not None:
                        self._note_addition(scope, *addition)
        return self._additions

    def _note_addition(self, scope: Scope, container: cst.BaseExpression, way: str, value: cst.BaseExpression) -> None:
        assert self._additions is not None
        if isinstance(container, cst.Name):
            home = self._names.home(container.value, scope)
            if home is not None:
                self._additions.setdefault((container.value, home), []).append((way, value))
        elif isinstance(container, cst.Attribute) and isinstance(container.value, cst.Name):
            for around in (scope, *self._tree.ancestors(scope)):
                if isinstance(around, cst.ClassDef):
                    self._additions.setdefault((container.attr.value, around), []).append((way, value))


def _addition(node: cst.CSTNode) -> tuple[cst.BaseExpression, str, cst.BaseExpression] | None:
    """The container that a statement or call puts something into, the way it does, and what."""
    match node:
        case cst.Call(func=cst.Attribute(value=container, attr=cst.Name(value=method)), args=args):
            position = 1 if method in ("insert", "setdefault") else 0
            if len(args) <= position or not (method in _ADDING or method in _JOINING):
                return None
            given = args[position]
            if given.star or given.keyword is not None:
                return None
            if method in _ADDING and method != "setdefault":
                # `d[key].append(x)` and `d.setdefault(key, []).append(x)` fill what is in the container.
                match container:
                    case cst.Subscript(value=outer):
                        return outer, "nest", given.value
                    case cst.Call(func=cst.Attribute(value=outer, attr=cst.Name(value="setdefault"))):
                        return outer, "nest", given.value
            return container, "join" if method in _JOINING else "add", given.value
        case cst.AugAssign(target=container, operator=cst.AddAssign() | cst.BitOrAssign()):
            return container, "join", node.value
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=container))]):
            return container, "add", node.value
    return None
