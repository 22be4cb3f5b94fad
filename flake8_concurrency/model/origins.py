"""Where an object was made: the calls of its constructor, found through variables, attributes and helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import literal

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Steps from a use to the constructor; more are not followed.
_DEPTH = 6


class Origins:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, node: cst.BaseExpression, depth: int = _DEPTH) -> list[cst.Call] | None:
        """All calls of which one made the object that an expression stands for; None when there may be others."""
        if depth == 0:
            return None
        match node:
            case cst.Call():
                return self._made_by(node, depth)
            case cst.Name():
                return self._bound(self._file.names.reaching(node), depth)
            case cst.Attribute():
                return self._bound(self._assigned(node), depth)
            case cst.NamedExpr():
                return self.of(node.value, depth)
        return None

    def _made_by(self, call: cst.Call, depth: int) -> list[cst.Call] | None:
        callee = self._file.callee(call)
        if callee is None or callee.name == "__init__":
            return [call]
        returned = [node.value for node in callee.nodes(cst.Return) if isinstance(node, cst.Return)]
        return self._all([value for value in returned if value is not None], depth)

    def _assigned(self, node: cst.Attribute) -> list[Binding] | None:
        """What the class of `self` binds one of its attributes to."""
        function = self._file.function_of(node)
        owner = None if function is None else function.owner
        if owner is None or function is None or not isinstance(node.value, cst.Name):
            return None
        if node.value.value != function.this:
            return None
        name = node.attr.value
        return [*owner.attributes.get(name, ()), *owner.assigned.get(name, ())]

    def _bound(self, bindings: list[Binding] | None, depth: int) -> list[cst.Call] | None:
        if not bindings:
            return None
        values = []
        for binding in bindings:
            if binding.how == "annotation":
                continue
            if binding.how not in ("assign", "with") or binding.path or binding.value is None:
                return None
            if literal(binding.value) != (None,):
                values.append(binding.value)
        return self._all(values, depth)

    def _all(self, values: list[cst.BaseExpression], depth: int) -> list[cst.Call] | None:
        found: list[cst.Call] = []
        for value in values:
            made = self.of(value, depth - 1)
            if made is None:
                return None
            found += made
        return found or None
