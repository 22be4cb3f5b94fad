"""Which lock an expression is: the same one under every name that the file gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import is_lock_name
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.bindings import Binding
    from flake8_concurrency.model.file import FileModel

#: The kinds of locks by the class that they are of: which lock it is, and for whom.
_CLASSES = {
    "threading.RLock": ("RLock", "threading"),
    "threading.Lock": ("Lock", "threading"),
    "threading.Condition": ("Condition", "threading"),
    "threading.Semaphore": ("Semaphore", "threading"),
    "multiprocessing.synchronize.RLock": ("RLock", "multiprocessing"),
    "multiprocessing.synchronize.Lock": ("Lock", "multiprocessing"),
    "multiprocessing.synchronize.Condition": ("Condition", "multiprocessing"),
    "multiprocessing.synchronize.SemLock": ("Semaphore", "multiprocessing"),
    "asyncio.Lock": ("Lock", "asyncio"),
    "asyncio.Condition": ("Condition", "asyncio"),
    "asyncio.Semaphore": ("Semaphore", "asyncio"),
}
#: Aliases and helpers are followed this far.
_DEEPEST = 5


class LockKind(NamedTuple):
    """What a lock is. `name` is Lock, RLock, Semaphore or Condition; `family` is whose: threading, asyncio …"""

    name: str
    family: str
    #: Whether the thread that holds it may take it once more.
    reentrant: bool


class LockIdentity(NamedTuple):
    """A lock, as one function sees it: what has the same identity there is the same lock.

    `owner` is the class whose objects have it (that of the file's classes which first makes it), the function whose
    local it is, or the module. `via` leads from the object that a method belongs to to the one that has the lock: empty
    for its own, `pool` for `self.pool.lock`; for any other object its spelling after a space.
    """

    owner: ClassInfo | cst.CSTNode
    name: str
    via: str = ""
    #: One of many: `self._locks[key]`, `lock_for(key)`.
    keyed: bool = False

    def __str__(self) -> str:
        if isinstance(self.owner, ClassInfo):
            return f"{self.via.strip() or 'self'}.{self.name}"
        return self.name

    @property
    def is_own(self) -> bool:
        """Whether it is a lock of the object that the method belongs to, or of its class."""
        return isinstance(self.owner, ClassInfo) and not self.via


class LockIdentities:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._found: dict[cst.BaseExpression, LockIdentity | None] = {}
        self._kinds: dict[LockIdentity, LockKind] = {}

    # -- the questions -----------------------------------------------------------------------------------------------

    def of(self, node: cst.BaseExpression) -> LockIdentity | None:
        """The lock that an expression is: one that is known by its kind, or else by its name."""
        if node not in self._found:
            self._found[node] = None
            self._found[node] = self._identify(node, _DEEPEST)
        return self._found[node]

    def kind(self, lock: LockIdentity) -> LockKind | None:
        """What a lock is; None for one that is only known by its name."""
        return self._kinds.get(lock)

    def kind_of(self, node: cst.BaseExpression) -> LockKind | None:
        """What the lock is that an expression gives, whether or not it can be told which one."""
        kind = self._file.kind(node)
        name = next((name for name in _CLASSES if self._file.kinds.is_a(kind, name)), None)
        if name is None:
            return None
        made, family = _CLASSES[name]
        return LockKind(made, family, made == "RLock")

    def locks_of(self, info: ClassInfo) -> dict[str, LockIdentity]:
        """By attribute: the locks that the objects of a class have, those of the file's classes it derives from too."""
        found: dict[str, LockIdentity] = {}
        for current in self.lineage(info):
            for name, bindings in (*current.attributes.items(), *current.assigned.items()):
                if name not in found:
                    lock = self._attribute(info, name, "")
                    if self._is_made(lock, name, bindings):
                        found[name] = lock
        return found

    def _is_made(self, lock: LockIdentity, name: str, bindings: list[Binding]) -> bool:
        for binding in bindings:
            if binding.value is not None and not binding.path and self._note(lock, binding.value):
                return True
        return is_lock_name(name) and any(binding.how in ("param", "annotation", "assign") for binding in bindings)

    # -- which one ---------------------------------------------------------------------------------------------------

    def _identify(self, node: cst.BaseExpression, depth: int) -> LockIdentity | None:
        if depth == 0:
            return None
        match node:
            case cst.Name():
                return self._of_name(node, depth)
            case cst.Attribute():
                return self._of_attribute(node, depth)
            case cst.NamedExpr(value=value):
                return self._identify(value, depth)
            case cst.Subscript(value=value):
                return self._one_of_many(node, value)
            case cst.Call():
                return self._of_call(node, depth)
        return None

    def _of_name(self, node: cst.Name, depth: int) -> LockIdentity | None:
        bindings = self._file.names.reaching(node) or []
        values = [b.value for b in bindings if b.how == "assign" and not b.path and b.value is not None]
        if len(bindings) == len(values) == 1 and isinstance(values[0], cst.Name | cst.Attribute | cst.Subscript):
            return self._identify(values[0], depth - 1)
        if len(bindings) == len(values) == 1 and isinstance(values[0], cst.Call) and self.kind_of(values[0]) is None:
            return self._of_call(values[0], depth - 1)
        home = self._file.names.home(node.value, self._file.tree.scope_of(node))
        if home is None:
            return None
        owner: ClassInfo | cst.CSTNode = home
        if isinstance(home, cst.ClassDef):
            return self._known(self._attribute(self._file.definitions.classes[home], node.value, ""), node)
        return self._known(LockIdentity(owner, node.value), node)

    def _of_attribute(self, node: cst.Attribute, depth: int) -> LockIdentity | None:
        name = node.attr.value
        path = self.path(node.value)
        if path is None:
            return None
        info, via = path
        if info is None:
            # The attribute of an object that is not of the file, or of a module.
            around = self._file.function_of(node)
            home = self._file.tree.module if around is None else around.owner or around.node
            return self._known(LockIdentity(home, name, via or " "), node)
        getter = self._method(info, name)
        if getter is not None:
            return self._given_by(getter, node, via, depth - 1) if getter.is_property else None
        alias = self._alias(info, name, depth)
        return self._known(alias or self._attribute(info, name, via), node)

    def _alias(self, info: ClassInfo, name: str, depth: int) -> LockIdentity | None:
        """The lock under a condition, or the attribute that another one is a name for."""
        values = [
            binding.value
            for current in self.lineage(info)
            for binding in (*current.attributes.get(name, ()), *current.assigned.get(name, ()))
            if not binding.path and binding.value is not None and last_name(binding.value) != "None"
        ]
        if len(values) != 1:
            return None
        value = values[0]
        if isinstance(value, cst.Call) and last_name(value.func) == "Condition" and value.args:
            kind = self.kind_of(value)
            return None if kind is None else self._identify(value.args[0].value, depth - 1)
        if isinstance(value, cst.Attribute):
            return self._identify(value, depth - 1)
        return None

    def _one_of_many(self, node: cst.Subscript, value: cst.BaseExpression) -> LockIdentity | None:
        many = self._of_container(value)
        if many is None:
            return None
        key = text(node.slice[0].slice.value) if isinstance(node.slice[0].slice, cst.Index) else ""
        return self._known(many._replace(name=f"{many.name}[{key or '...'}]", keyed=True), node, last_name(value))

    def _of_container(self, node: cst.BaseExpression) -> LockIdentity | None:
        if isinstance(node, cst.Name):
            home = self._file.names.home(node.value, self._file.tree.scope_of(node))
            return None if home is None else LockIdentity(home, node.value)
        if isinstance(node, cst.Attribute):
            path = self.path(node.value)
            if path is not None and path[0] is not None:
                return self._attribute(path[0], node.attr.value, path[1])
        return None

    def _of_call(self, node: cst.Call, depth: int) -> LockIdentity | None:
        """The lock that a function of the file gives: the one that it makes late, or one for each key."""
        function = self._file.callee(node)
        if function is None or function.name.startswith("__"):
            return None
        via = ""
        if function.owner is not None:
            path = self.path(node.func.value) if isinstance(node.func, cst.Attribute) else None
            if path is None:
                return None
            via = path[1]
        return self._given_by(function, node, via, depth - 1)

    def _given_by(self, function: FunctionInfo, node: cst.BaseExpression, via: str, depth: int) -> LockIdentity | None:
        values = [one.value for one in function.own if isinstance(one, cst.Return) and one.value is not None]
        found = {self._identify(value, depth) for value in values if last_name(value) != "None"}
        if len(found) == 1:
            lock = found.pop()
            if lock is not None and not isinstance(lock.owner, cst.FunctionDef):
                return self._moved(lock, via)
        if self.kind_of(node) is None:
            return None
        owner: ClassInfo | cst.CSTNode = function.owner or self._file.tree.module
        given = node.args if isinstance(node, cst.Call) else ()
        key = ", ".join(text(arg.value) or "..." for arg in given)
        return self._known(LockIdentity(owner, f"{function.name}({key})", via, keyed=True), node)

    def _moved(self, lock: LockIdentity, via: str) -> LockIdentity:
        """A lock that a method of an object has, as the one sees it who has the object."""
        moved = lock
        if via and isinstance(lock.owner, ClassInfo):
            moved = lock._replace(via=f"{via}.{lock.via}" if lock.via else via)
        self.share_kind(lock, moved)
        return moved

    def share_kind(self, lock: LockIdentity, other: LockIdentity) -> None:
        """Remember that two identities are of one lock."""
        if lock in self._kinds:
            self._kinds.setdefault(other, self._kinds[lock])

    def own(self, info: ClassInfo, name: str) -> LockIdentity:
        """The lock of this name that each object of a class has."""
        lock = self.locks_of(info).get(name)
        return self._attribute(info, name, "") if lock is None else lock

    def _known(self, lock: LockIdentity, node: cst.BaseExpression, name: str | None = None) -> LockIdentity | None:
        if self._note(lock, node) or lock in self._kinds:
            return lock
        # A value of another kind is no lock, whatever its name.
        unknown = self._file.kind(node)
        is_unknown = unknown is None or unknown.name in ("union", "instance", "none", "symbol")
        return lock if is_unknown and is_lock_name(name or last_name(node)) else None

    def _note(self, lock: LockIdentity, node: cst.BaseExpression) -> bool:
        """Remember what a lock is, if it is known."""
        if lock in self._kinds:
            return True
        kind = self.kind_of(node)
        if kind is None:
            return False
        if kind.name == "Condition":
            kind = kind._replace(reentrant=not self._has_plain_lock(lock, node))
        self._kinds[lock] = kind
        return True

    def _has_plain_lock(self, lock: LockIdentity, node: cst.BaseExpression) -> bool:
        """Whether a condition was made with a lock of its own that can only be taken once: by default it has an RLock.

        That of asyncio has a Lock.
        """
        values = [node]
        if isinstance(lock.owner, ClassInfo):
            for current in self.lineage(lock.owner):
                bindings = (*current.attributes.get(lock.name, ()), *current.assigned.get(lock.name, ()))
                values += [binding.value for binding in bindings if binding.value is not None]
        elif isinstance(node, cst.Name):
            values += [b.value for b in self._file.names.reaching(node) or () if b.value is not None]
        made = [value for value in values if isinstance(value, cst.Call) and last_name(value.func) == "Condition"]
        given = [arg.value for value in made for arg in value.args]
        kinds = [self.kind_of(value) for value in given]
        return any(kind is not None and not kind.reentrant for kind in kinds)

    # -- whose -------------------------------------------------------------------------------------------------------

    def this(self, node: cst.CSTNode) -> tuple[str, ClassInfo] | None:
        """The name of the object that the method around a node belongs to, with its class: nested functions see it."""
        around = self._file.function_of(node)
        while around is not None:
            if around.owner is not None:
                return None if around.this is None else (around.this, around.owner)
            around = self._file.function_of(around.node)
        return None

    def path(self, node: cst.BaseExpression) -> tuple[ClassInfo | None, str] | None:
        """The class of an object, if it is one of the file, and the way to it; None for what is not a chain."""
        this = self.this(node)
        spelled = text(node)
        if this is not None and (
            spelled == this[0] or spelled == f"{this[0]}.__class__" or self._is_type_of(node, this[0])
        ):
            return this[1], ""
        kind = self._file.kind(node)
        if kind is not None and kind.name == "type":
            kind = kind.args[0]
            if kind is not None and isinstance(kind.ref, ClassInfo):
                # Whoever asks a class gets what all its objects have.
                return kind.ref, ""
        if not spelled:
            return None
        info = kind.ref if kind is not None and isinstance(kind.ref, ClassInfo) else None
        root, _, rest = spelled.partition(".")
        is_own = this is not None and root == this[0]
        return info, rest if is_own else f" {spelled}"

    @staticmethod
    def _is_type_of(node: cst.BaseExpression, this: str) -> bool:
        return (
            isinstance(node, cst.Call)
            and last_name(node.func) == "type"
            and len(node.args) == 1
            and last_name(node.args[0].value) == this
        )

    def lineage(self, info: ClassInfo) -> Iterator[ClassInfo]:
        """A class and those of the file's classes that it derives from."""
        for kind in self._file.kinds.mro(Kind("instance", ref=info)):
            if isinstance(kind.ref, ClassInfo):
                yield kind.ref

    def _method(self, info: ClassInfo, name: str) -> FunctionInfo | None:
        return next((one.methods[name] for one in self.lineage(info) if name in one.methods), None)

    def _attribute(self, info: ClassInfo, name: str, via: str) -> LockIdentity:
        """An attribute of an object, under the class of the file that is furthest from it and has one of this name."""
        having = [one for one in self.lineage(info) if name in one.attributes or name in one.assigned]
        return LockIdentity(having[-1] if having else info, name, via)
