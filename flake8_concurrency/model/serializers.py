"""Serializers of Django REST framework that insert a row: what they are given, and of which model the row is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.insert_words import SERIALIZER, SERIALIZING
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What stands beside the model in the name of a serializer.
_BESIDE = ("Create", "Creation", "Write", "Post", "Input", "Add", "New", "Model", "Base", "Detail")


class Serialized(NamedTuple):
    """A row that a serializer inserts: its model's name, and what the serializer was given."""

    model: str
    given: tuple[cst.BaseExpression, ...]


class Serializers:
    """Answers for one file what its serializers insert."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def inserted(self, call: cst.Call) -> Iterator[Serialized]:
        """The row that `serializer.save()`, `.create(values)`, or `super().create(values)` in a serializer inserts."""
        if not isinstance(call.func, cst.Attribute) or called_name(call) not in ("save", "create"):
            return
        receiver = call.func.value
        if isinstance(receiver, cst.Call) and called_name(receiver) == "super":
            owner = self._owner(call)
            if owner is not None and called_name(call) == "create":
                yield from (Serialized(model, ()) for model in self._of_meta(owner))
            return
        made = self._made(receiver)
        if made is not None:
            yield from (Serialized(model, made.given) for model in (made.model,) if model)

    def _made(self, node: cst.BaseExpression) -> Serialized | None:
        if isinstance(node, cst.Call):
            return self._new(node)
        bindings = self._file.names.reaching(node) if isinstance(node, cst.Name) else None
        found = [self._bound(binding, node) for binding in bindings or ()]
        return found[0] if found and None not in found else None

    def _bound(self, binding: Binding, node: cst.BaseExpression) -> Serialized | None:
        if binding.how == "assign" and not binding.path and isinstance(binding.value, cst.Call):
            return self._new(binding.value)
        function = self._file.function_of(node)
        if binding.how == "param" and function is not None and function.name == "perform_create":
            # What the framework hands over has no row yet.
            return Serialized(self._of_view(node), (node,))
        return None

    def _new(self, call: cst.Call) -> Serialized | None:
        """A serializer that is made for data alone, without a row to write it to."""
        data = argument(call, None, "data")
        if data is None or argument(call, None, "instance") is not None or call.args[0].keyword is None:
            return None
        name = last_name(call.func.func if isinstance(call.func, cst.Call) else call.func)
        if name in SERIALIZING:
            return Serialized(self._of_view(call), (data,))
        return Serialized(self._of_class(call.func), (data,)) if name.endswith(SERIALIZER) else None

    # -- of which model ----------------------------------------------------------------------------------------------

    def _of_class(self, node: cst.BaseExpression) -> str:
        """The model of a serializer's class: what its `Meta` names, or, from another file, its own name."""
        info = self._file.queries.class_of(node)
        if info is not None:
            return next(self._of_meta(info), "")
        name = last_name(node).removesuffix(SERIALIZER)
        for word in _BESIDE:
            name = name.removeprefix(word).removesuffix(word)
        return name

    def _of_meta(self, info: ClassInfo) -> Iterator[str]:
        for base in self._file.kinds.mro(Kind("instance", ref=info)):
            for meta in base.ref.node.body.body if isinstance(base.ref, ClassInfo) else ():
                if isinstance(meta, cst.ClassDef) and meta.name.value == "Meta":
                    for binding in self._file.definitions.classes[meta].attributes.get("model", ()):
                        if isinstance(binding.value, cst.Name | cst.Attribute):
                            yield last_name(binding.value)

    def _of_view(self, node: cst.CSTNode) -> str:
        """The model of a view, which its `queryset` or the class of its serializers tells."""
        owner = self._owner(node)
        for binding in () if owner is None else owner.attributes.get("queryset", ()):
            for read in self._file.queries.of(binding.value):
                if read.model is not None:
                    return last_name(read.model)
        for binding in () if owner is None else owner.attributes.get("serializer_class", ()):
            if isinstance(binding.value, cst.Name | cst.Attribute):
                return self._of_class(binding.value)
        return ""

    def _owner(self, node: cst.CSTNode) -> ClassInfo | None:
        function = self._file.function_of(node)
        return None if function is None else function.owner
