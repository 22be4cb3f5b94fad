"""Attributes: of modules, of classes, and of their instances, wherever the file assigns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.definitions import ClassInfo, attribute_bindings
from flake8_concurrency.model.facts import (
    UNDECIDED,
    Kind,
    canonical,
    class_fact,
    constant_fact,
    instantiate,
    member,
    union,
    written,
)
from flake8_concurrency.model.fills import Fills
from flake8_concurrency.model.project import ClassElsewhere, FunctionElsewhere, attribute

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds


class Members:
    """The kinds of the attributes of one file's values."""

    def __init__(self, kinds: Kinds, fills: Fills) -> None:
        self._kinds = kinds
        self._tree = kinds.tree
        self._fills = fills
        self._writes: dict[str, list[tuple[cst.Attribute, Binding]]] | None = None

    def of(self, kind: Kind | None, name: str) -> Kind | None:
        """The kind of an attribute of a value."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self.of(part, name) for part in kind.args))
        if kind.name == "symbol":
            return self._of_symbol(str(kind.ref), name)
        if kind.name == "type":
            inner = kind.args[0]
            if inner is not None and isinstance(inner.ref, ClassElsewhere):
                return attribute(kind, name)
            return None if inner is None else self._of_class(inner, name)
        if isinstance(kind.ref, ClassElsewhere):
            return attribute(kind, name)
        if kind.name in ("imported", "function", "method", "partial", "lambda", "awaitable", "none"):
            return None
        return self._of_instance(kind, name)

    def _of_symbol(self, owner: str, name: str) -> Kind | None:
        full = canonical(f"{owner}.{name}")
        text = constant_fact(full)
        if text is not None:
            return instantiate(written(text), {}, None)
        if class_fact(owner) is not None:
            return self._of_class(Kind(owner), name)
        return self._kinds.imported(full)

    def _of_class(self, kind: Kind, name: str) -> Kind | None:
        for current in self._kinds.lineage(kind):
            if current is None:
                # It may have a member of this name.
                return None
            info = current.ref
            if isinstance(info, ClassInfo):
                if name in info.methods or name in info.attributes or name in info.assigned:
                    return self._own(info, kind, name)
            elif isinstance(info, ClassElsewhere):
                if (inherited := info.member(name, of_class=True)) is not None:
                    return inherited[0]
            elif (found := _library_attribute(current, kind, name)) is not None:
                return found[0]
        return None

    def _own(self, info: ClassInfo, receiver: Kind, name: str) -> Kind | None:
        method = info.methods.get(name)
        if method is not None:
            return Kind("function", (Kind("type", (receiver,)),) if method.is_classmethod else (), method)
        return self._assembled(info, name, [*info.attributes.get(name, ()), *info.assigned.get(name, ())])

    def _of_instance(self, kind: Kind, name: str) -> Kind | None:
        for current in self._kinds.lineage(kind):
            if current is None:
                return None
            info = current.ref
            if isinstance(info, ClassElsewhere):
                if (inherited := info.member(name)) is not None:
                    return _bound(inherited[0], kind)
                continue
            if not isinstance(info, ClassInfo):
                found = _library_attribute(current, kind, name)
                if found is not None:
                    return found[0]
                continue
            if (own := self.own(info, kind, name)) is not None:
                return own[0]
        if name.endswith("_set") and self._kinds.is_a(kind, "django.db.models.Model"):
            # What Django makes for each foreign key that points here.
            return Kind("django.db.models.fields.related_descriptors.RelatedManager")
        return None

    def own(self, info: ClassInfo, receiver: Kind, name: str) -> tuple[Kind | None] | None:
        """What an object has from one class of the file, without its bases; None where that has no such member."""
        method = info.methods.get(name)
        if method is not None:
            if method.is_property:
                return (self._kinds.returned(method, receiver),)
            return (Kind("function", (Kind("type", (receiver,)) if method.is_classmethod else receiver,), method),)
        bindings = [*info.attributes.get(name, ()), *info.assigned.get(name, ())]
        bindings += self._from_outside(info, name)
        return (self._assembled(info, name, bindings),) if bindings else None

    def _from_outside(self, info: ClassInfo, name: str) -> list[Binding]:
        """What code outside a class assigns to an attribute of its instances: `session.token = x`."""
        writes = self._assigned().get(name)
        if not writes:
            return []
        return [binding for target, binding in writes if (kind := self._kinds.of(target.value)) and kind.ref is info]

    def _assigned(self) -> dict[str, list[tuple[cst.Attribute, Binding]]]:
        """By attribute: the assignments in the file to an attribute of a name other than `self` and `cls`."""
        if self._writes is None:
            self._writes = {}
            for nodes in self._tree.own.values():
                for node in nodes:
                    for target, binding in attribute_bindings(node):
                        if isinstance(target.value, cst.Name) and target.value.value not in ("self", "cls"):
                            self._writes.setdefault(target.attr.value, []).append((target, binding))
        return self._writes

    def _assembled(self, info: ClassInfo, name: str, bindings: list[Binding]) -> Kind | None:
        for binding in bindings:
            if binding.annotation is not None:
                kind = self._kinds.declared(binding)
                if kind is not None and kind.name != "none":
                    return self._fills.of(kind, name, info.node)
        kinds = tuple(self._kinds.bound(binding) for binding in bindings if binding.how != "augmented")
        return self._fills.of(union(kinds), name, info.node)


def _bound(inherited: Kind | None, receiver: Kind) -> Kind | None:
    """What an object has from a class of another file: a method of it is bound to the object."""
    if inherited is None or not inherited.args or not isinstance(inherited.ref, FunctionElsewhere):
        return inherited
    by_class = inherited.args[0] is not None and inherited.args[0].name == "type"
    return Kind(inherited.name, (Kind("type", (receiver,)) if by_class else receiver,), inherited.ref)


def _library_attribute(kind: Kind, receiver: Kind, name: str) -> tuple[Kind | None] | None:
    """What a value has from a library class, its own or a base; None when there is no such member."""
    found = member(kind, name, receiver)
    if found is None:
        return None
    if not found.callable:
        return (found.kind,)
    gives = Kind("awaitable", (found.kind,)) if found.asynchronous else found.kind
    return (Kind("method", (gives, receiver), f"{found.owner}.{name}"),)
