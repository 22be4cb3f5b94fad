"""The same lock as two functions name it: what is `self._lock` in a method is `pool._lock` for who calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import libcst as cst

from flake8_concurrency.model.callees import is_super
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.lock_identity import LockIdentities, LockIdentity

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Before the spelling of a lock that only a caller can name.
_CALLERS = " ^"


class Holding(Protocol):
    """What has to be known about the wrapper that a decorator makes."""

    def held_here(self, node: cst.CSTNode) -> frozenset[LockIdentity]: ...


class MovedLocks:
    """Answers for one file."""

    def __init__(self, file: FileModel, identities: LockIdentities) -> None:
        self._file = file
        self._identities = identities

    # -- from a function to its caller -------------------------------------------------------------------------------

    def outward(self, lock: LockIdentity, node: cst.CSTNode, function: FunctionInfo) -> LockIdentity | None:
        """A lock of a function, as the one names it who calls it, or enters its object, at a node."""
        if isinstance(lock.owner, cst.Module):
            return lock
        if lock.via.startswith(" "):
            return self._of_argument(lock, node, function)
        if isinstance(lock.owner, ClassInfo):
            via = self._way(node, function)
            if via is None:
                return None
            parts = [part for part in (via, lock.via) if part]
            return self._same_kind(lock, lock._replace(via=".".join(parts)))
        return self._of_argument(lock, node, function) if lock.owner is function.node else lock

    def _of_argument(self, lock: LockIdentity, node: cst.CSTNode, function: FunctionInfo) -> LockIdentity | None:
        """A lock that is given as an argument, or an attribute of what is."""
        spelled = f"{lock.via.strip()}.{lock.name}".lstrip(".")
        root, _, rest = spelled.partition(".")
        given = self._given(root, node, function)
        if given is None:
            return None
        if not rest:
            return self._identities.of(given)
        path = self._identities.path(given)
        if path is None:
            return None
        between = rest.rpartition(".")[0]
        via = ".".join(part for part in (path[1], between) if part)
        return self._same_kind(lock, lock._replace(via=via))

    def _given(self, name: str, node: cst.CSTNode, function: FunctionInfo) -> cst.BaseExpression | None:
        if not isinstance(node, cst.Call):
            return None
        for position, param in enumerate(function.params):
            if param.name.value == name:
                return argument(node, position - bool(function.this), name)
        return None

    def _way(self, node: cst.CSTNode, function: FunctionInfo) -> str | None:
        """The way from the caller's object to the one whose method is called or which is entered."""
        receiver: cst.CSTNode = node
        if isinstance(node, cst.Attribute) and function.is_property:
            receiver = node.value
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute):
                receiver = node.func.value
                if is_super(receiver):
                    return ""
            elif function.owner is None:
                # A nested function sees the object of the method around it.
                return ""
            else:
                return None
        if not isinstance(receiver, cst.BaseExpression):
            return None
        path = self._identities.path(receiver)
        return None if path is None else path[1]

    # -- from a caller to the function -------------------------------------------------------------------------------

    def inward(self, lock: LockIdentity, call: cst.Call, function: FunctionInfo) -> LockIdentity:
        """A lock that the caller of a function names so, as the function itself names it."""
        if isinstance(lock.owner, cst.Module):
            return lock
        for position, param in enumerate(function.params):
            given = argument(call, position - bool(function.this), param.name.value)
            if given is not None and self._identities.of(given) == lock:
                return self._same_kind(lock, LockIdentity(function.node, param.name.value))
        if isinstance(lock.owner, ClassInfo) and not lock.via.startswith(_CALLERS):
            via = self._way(call, function)
            if via == "":
                return lock
            if via is not None and (lock.via == via or lock.via.startswith(f"{via}.")):
                return self._same_kind(lock, lock._replace(via=lock.via[len(via) + 1 :]))
        elif function.owner is None and isinstance(self._file.tree.scope_of(function.node), cst.FunctionDef):
            return lock
        return self._same_kind(lock, lock._replace(via=f"{_CALLERS}{lock.via.lstrip(' ^')}"))

    # -- decorators --------------------------------------------------------------------------------------------------

    def through_decorator(
        self, decorator: FunctionInfo, node: cst.BaseExpression, function: FunctionInfo, holding: Holding
    ) -> Iterator[LockIdentity]:
        """The locks that the wrapper which a decorator of the file makes holds when it calls its function."""
        for wrapper, call in self._wrapped_calls(decorator):
            for lock in holding.held_here(call):
                moved = self._decorating(lock, wrapper, decorator, node, function)
                if moved is not None:
                    yield moved

    def _wrapped_calls(self, decorator: FunctionInfo) -> Iterator[tuple[FunctionInfo, cst.Call]]:
        functions = self._file.definitions.functions
        within = [functions[n] for n in self._file.tree.within(decorator.node.body) if isinstance(n, cst.FunctionDef)]
        params = {param.name.value for one in (decorator, *within) for param in one.params[:1]}
        for wrapper in within:
            for call in wrapper.calls:
                if isinstance(call.func, cst.Name) and call.func.value in params:
                    yield wrapper, call

    def _decorating(
        self,
        lock: LockIdentity,
        wrapper: FunctionInfo,
        decorator: FunctionInfo,
        node: cst.BaseExpression,
        function: FunctionInfo,
    ) -> LockIdentity | None:
        if lock.via.startswith(" "):
            first = [param.name.value for param in wrapper.params[:1]]
            if function.owner is not None and lock.via.strip() in first:
                # The lock of the object whose method is decorated.
                return self._identities.own(function.owner, lock.name)
            return None
        if lock.owner is decorator.node and isinstance(node, cst.Call):
            for position, param in enumerate(decorator.params):
                if param.name.value == lock.name:
                    given = argument(node, position, lock.name)
                    return None if given is None else self._identities.of(given)
        return lock if isinstance(lock.owner, cst.Module) else None

    def _same_kind(self, lock: LockIdentity, moved: LockIdentity) -> LockIdentity:
        self._identities.share_kind(lock, moved)
        return moved
