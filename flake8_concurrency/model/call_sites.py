"""What calls pass for the parameters of private and nested functions: the file sees all their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import argument, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind, union

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds


class CallSites:
    """Where the functions of one file are called, and with what."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._memo = kinds.memo
        self._tree = kinds.tree
        self._names = kinds.names
        self._definitions = kinds.definitions
        self._uses: dict[str, list[cst.Name | cst.Attribute]] | None = None

    def passed(self, info: FunctionInfo, param: cst.Param) -> Kind | None:
        """What all calls pass for a parameter, where the file sees all calls: of a private or nested function."""
        if not self._is_private(info) or param.star or not info.decorator_names <= {"staticmethod", "classmethod"}:
            return None
        return self._memo.find(param, lambda: self._given(info, param))

    def _is_private(self, info: FunctionInfo) -> bool:
        if info.name.startswith("_"):
            return not info.name.endswith("__")
        return info.owner is None and isinstance(self._tree.scope_of(info.node), cst.FunctionDef)

    def _given(self, info: FunctionInfo, param: cst.Param) -> Kind | None:
        if self._has_relatives(info):
            return None
        position = None if param in info.node.params.kwonly_params else info.params.index(param) - bool(info.this)
        kinds: list[Kind | None] = []
        for use in self._uses_of(info.name):
            means = self._means(use, info)
            if means is False:
                continue
            call = self._tree.parents[use]
            if means is None or not isinstance(call, cst.Call) or call.func is not use or passes_unknown(call):
                return None
            given = argument(call, position, param.name.value)
            kinds.append(self._kinds.of(param.default if given is None else given))
        return union(tuple(kinds))

    def _has_relatives(self, info: FunctionInfo) -> bool:
        """Whether a method overrides another of the file or is overridden: a call may enter either."""
        if info.owner is None:
            return False
        namesakes = (other for other in self._definitions.functions.values() if other.name == info.name)
        owners = [other.owner for other in namesakes if other is not info and other.owner is not None]
        return any(self._derives(info.owner, owner) or self._derives(owner, info.owner) for owner in owners)

    def _derives(self, info: ClassInfo, base: ClassInfo) -> bool:
        return any(current.ref is base for current in self._kinds.mro(Kind("instance", ref=info)))

    def _means(self, use: cst.Name | cst.Attribute, info: FunctionInfo) -> bool | None:
        """Whether a name or attribute is this function; None when that cannot be told."""
        if isinstance(use, cst.Name):
            bindings = self._names.reaching(use) or ()
            if not any(binding.node is info.node for binding in bindings):
                return False
            return True if len(bindings) == 1 else None
        if info.owner is None:
            return False if isinstance(self._tree.scope_of(info.node), cst.FunctionDef) else None
        kind = self._kinds.of(use)
        if kind is None:
            return None
        return kind.ref is info

    def _uses_of(self, name: str) -> list[cst.Name | cst.Attribute]:
        """Where the name of a private or nested function is used."""
        if self._uses is None:
            self._uses = {info.name: [] for info in self._definitions.functions.values() if self._is_private(info)}
            for node in self._tree.nodes:
                if type(node) is cst.Name and node.value in self._uses:
                    use = self._use(node)
                    if use is not None:
                        self._uses[node.value].append(use)
        return self._uses[name]

    def _use(self, node: cst.Name) -> cst.Name | cst.Attribute | None:
        parent = self._tree.parents[node]
        if isinstance(parent, cst.Attribute) and parent.attr is node:
            return parent
        is_use = not isinstance(parent, cst.FunctionDef | cst.Param) and not (
            isinstance(parent, cst.Arg) and parent.keyword is node
        )
        return node if is_use else None
