"""Who calls whom in a file: the function that a call enters."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.project import ClassElsewhere, FunctionElsewhere

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CONSTRUCTORS = ("__init__", "__post_init__", "__attrs_post_init__", "model_post_init")


class Callees:
    """The functions that the calls in one file enter."""

    def __init__(self, file: FileModel) -> None:
        self._definitions = file.definitions
        self._kinds = file.kinds

    def of(self, call: cst.Call) -> FunctionInfo | None:
        """The function of the file that a call enters, a constructor included; None when it is not surely one."""
        kind = self._kinds.of(call.func)
        if kind is not None and kind.name == "partial":
            kind = kind.args[0]
        if kind is None:
            return None
        if kind.name == "function":
            assert isinstance(kind.ref, FunctionInfo)
            return None if self.may_be_another(kind.ref, kind.args[0] if kind.args else None, call.func) else kind.ref
        if kind.name == "type":
            return self._constructor(kind.args[0], call.func)
        if isinstance(kind.ref, ClassInfo):
            return self.method(kind, "__call__")
        return None

    def _constructor(self, made: Kind | None, func: cst.BaseExpression) -> FunctionInfo | None:
        for name in _CONSTRUCTORS:
            found = self.method(made, name)
            if found is not None:
                is_class_itself = isinstance(func, cst.Name) and func.value != "cls"
                return found if is_class_itself or not self.may_be_another(found, made, func) else None
        return None

    def method(self, kind: Kind | None, name: str) -> FunctionInfo | None:
        """The method of this name that a value has from a class of the file."""
        for current in () if kind is None else self._kinds.lineage(kind):
            if current is None:
                # It may have a method of this name.
                return None
            if isinstance(current.ref, ClassInfo) and name in current.ref.methods:
                return current.ref.methods[name]
        return None

    def elsewhere(self, call: cst.Call) -> FunctionElsewhere | None:
        """The function of another file of the project that a call enters, a constructor included."""
        kind = self._kinds.of(call.func)
        if kind is None:
            return None
        if isinstance(kind.ref, FunctionElsewhere):
            receiver = kind.args[0] if kind.args else None
            return None if self._is_replaced(kind.ref, receiver, call.func) else kind.ref
        made = kind.args[0] if kind.name == "type" else None
        return None if made is None else self._constructor_elsewhere(made)

    def _constructor_elsewhere(self, made: Kind) -> FunctionElsewhere | None:
        for name in _CONSTRUCTORS:
            for base in self._kinds.lineage(made):
                if base is None:
                    return None
                if isinstance(base.ref, ClassInfo) and name in base.ref.methods:
                    return None
                found = base.ref.method(name) if isinstance(base.ref, ClassElsewhere) else None
                if found is not None:
                    return found
        return None

    def _is_replaced(self, method: FunctionElsewhere, receiver: Kind | None, func: cst.BaseExpression) -> bool:
        """Whether a class of this file, or of the method's, that derives from the receiver's replaces the method."""
        if (
            method.known is None
            or method.known.owner is None
            or (isinstance(func, cst.Attribute) and is_super(func.value))
        ):
            return False
        if receiver is not None and receiver.name == "type":
            receiver = receiver.args[0]
        owner: object = ClassElsewhere(method.module, method.known.owner.name, method.known.owner)
        if receiver is not None and isinstance(receiver.ref, ClassElsewhere | ClassInfo):
            owner = receiver.ref
        if method.known.name in self._replaced.get(owner, ()):
            return True
        there = method.module.file
        return there is not None and there.functions.is_replaced(method.known)

    @cached_property
    def _replaced(self) -> dict[object, set[str]]:
        """By class: the methods that classes of this file which derive from it have of their own."""
        found: dict[object, set[str]] = {}
        for info in self._definitions.classes.values():
            for base in self._kinds.mro(Kind("instance", ref=info))[1:]:
                if isinstance(base.ref, ClassInfo | ClassElsewhere):
                    found.setdefault(base.ref, set()).update(info.methods)
        return found

    def defines(self, kind: Kind, name: str) -> bool:
        """Whether a class of the project among those that a value's class derives from has a method of this name."""
        for base in self._kinds.mro(kind):
            if isinstance(base.ref, ClassElsewhere) and base.ref.method(name) is not None:
                return True
            if isinstance(base.ref, ClassInfo) and name in base.ref.methods:
                return True
        return False

    def defines_constructor(self, kind: Kind) -> bool:
        """Whether a class of the file has a say in how a value is made."""
        return any(self.defines(kind, name) for name in _CONSTRUCTORS)

    def may_be_another(self, method: FunctionInfo, receiver: Kind | None, func: cst.BaseExpression) -> bool:
        """Whether a class of the file derived from the receiver's replaces the method."""
        if method.owner is None or (isinstance(func, cst.Attribute) and is_super(func.value)):
            return False
        if receiver is not None and receiver.name == "type":
            receiver = receiver.args[0]
        owner = receiver.ref if receiver is not None and isinstance(receiver.ref, ClassInfo) else method.owner
        return method.name in self._replaced.get(owner, ())


def is_super(node: cst.BaseExpression) -> bool:
    """Whether an expression is `super()`."""
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"
