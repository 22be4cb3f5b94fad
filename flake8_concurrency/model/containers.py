"""Lists, tuples, sets and dicts: written out, and looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import DICT, KEYED, LIST, SET, TUPLE, UNDECIDED, Kind, union

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: A longer tuple is a table, not a record.
_LONGEST_TUPLE = 32


class Containers:
    """The kinds of the containers of one file and of what is in them."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    def item(self, kind: Kind, position: int) -> Kind | None:
        """What stands at a position of a value, a tuple more often than not."""
        if kind.name == TUPLE and len(kind.args) > 1:
            return kind.args[position] if -len(kind.args) <= position < len(kind.args) else None
        for base in self._kinds.mro(kind):
            if base.name == TUPLE and len(base.args) > 1:
                return base.args[position] if position < len(base.args) else None
            if isinstance(base.ref, ClassInfo) and self._kinds.is_a(base, "typing.NamedTuple"):
                fields = [found[0].annotation for found in base.ref.attributes.values() if found[0].annotation]
                return self._kinds.annotated(fields[position]) if position < len(fields) else None
        return self._kinds.element(kind)

    def display(self, node: cst.List | cst.Tuple | cst.Set) -> Kind | None:
        """The kind of a list, tuple or set that is written out."""
        kinds = tuple(self._displayed(element) for element in node.elements)
        if isinstance(node, cst.Tuple):
            if any(isinstance(element, cst.StarredElement) for element in node.elements):
                return Kind(TUPLE)
            return Kind(TUPLE, kinds if len(kinds) <= _LONGEST_TUPLE else (union(kinds),))
        return Kind(LIST if isinstance(node, cst.List) else SET, (union(kinds),) if kinds else ())

    def _displayed(self, element: cst.BaseElement) -> Kind | None:
        kind = self._kinds.of(element.value)
        return self._kinds.element(kind) if isinstance(element, cst.StarredElement) else kind

    def dict_display(self, node: cst.Dict) -> Kind | None:
        """The kind of a dict that is written out."""
        if not node.elements:
            return Kind(DICT)
        if any(isinstance(element, cst.StarredDictElement) for element in node.elements):
            return self._merged_dict(node)
        pairs = [element for element in node.elements if isinstance(element, cst.DictElement)]
        keys = union(tuple(self._kinds.of(pair.key) for pair in pairs))
        return Kind(DICT, (keys, union(tuple(self._kinds.of(pair.value) for pair in pairs))))

    def _merged_dict(self, node: cst.Dict) -> Kind:
        values: list[Kind | None] = []
        for element in node.elements:
            kind = self._kinds.of(element.value)
            values.append(kind if isinstance(element, cst.DictElement) else value_of_mapping(kind))
        return Kind(DICT, (None, union(tuple(values))))

    def subscript(self, node: cst.Subscript) -> Kind | None:
        """The kind of `value[index]`, of a slice, or of a class with type arguments."""
        base = self._kinds.of(node.value)
        if base is None or base is UNDECIDED:
            return base
        if base.name == "union":
            return None
        if base.name in ("symbol", "type"):
            annotated = self._kinds.annotated(node)
            return None if annotated is None else Kind("type", (annotated,))
        index = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(index, cst.Slice):
            return Kind(TUPLE, (union(base.args),)) if base.name == TUPLE and base.args else base
        if isinstance(index, cst.Index) and isinstance(index.value, cst.Integer) and self._kinds.is_a(base, TUPLE):
            return self.item(base, int(index.value.evaluated_value))
        if base.name in KEYED:
            return base.args[1] if len(base.args) > 1 else None
        if isinstance(base.ref, ClassInfo) and isinstance(index, cst.Index) and self._kinds.is_typed_dict(base.ref):
            key = index.value.evaluated_value if isinstance(index.value, cst.SimpleString) else None
            return self._kinds.attribute(base, key) if isinstance(key, str) else None
        if base.name in (LIST, TUPLE):
            return self._kinds.element(base)
        return self._kinds.gives(base, "__getitem__")


def value_of_mapping(kind: Kind | None) -> Kind | None:
    """The kind of the values of a dict."""
    if kind is None or kind is UNDECIDED:
        return kind
    return kind.args[1] if kind.name in KEYED and len(kind.args) > 1 else None
