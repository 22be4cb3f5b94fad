"""Which locks are held where in a file: by the function itself, by what it calls, by decorators and by all callers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.lock_identity import LockIdentities, LockIdentity, LockKind
from flake8_concurrency.model.lock_states import (
    ACQUIRING,
    NOTHING,
    RELEASING,
    Effect,
    Locks,
    LockStates,
    Taken,
)
from flake8_concurrency.model.locks import called_name, is_lock_name
from flake8_concurrency.model.moved_locks import MovedLocks
from flake8_concurrency.model.spelling import choices, last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Callers and callees are followed this far.
_DEEPEST = 4
#: What is given a function and calls it then and there.
_CALLING_BACK = frozenset("wait_for sorted sort min max map filter any all sum next reduce call run_with_lock".split())
#: A function of such a name or description is called with the lock held: nobody but its callers can tell.
_HELD_NAME = re.compile(r"_(locked|under_lock|with_lock|lock_held|holding_lock|unlocked|no_?lock|without_lock|unsafe)$")
_HELD_TEXT = re.compile(
    r"(caller|must|should|called|assum\w+|only|requires?)\b[^.]{0,60}(?<![a-z])lock(ed)?\b|"
    r"(?<![a-z])lock\b[^.]{0,40}\b(held|acquired)\b",
    re.IGNORECASE,
)


class LockRegions:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._identities = LockIdentities(file)
        self._moved = MovedLocks(file, self._identities)
        self._states: dict[cst.CSTNode, LockStates | None] = {}
        self._entry: dict[FunctionInfo, Locks] = {}
        self._depth = _DEEPEST

    # -- the questions -----------------------------------------------------------------------------------------------

    def identity(self, node: cst.BaseExpression) -> LockIdentity | None:
        """The lock that an expression is, known by its kind or its name; None for anything else."""
        return self._identities.of(node)

    def kind(self, lock: LockIdentity) -> LockKind | None:
        """What a lock is; None for one that is only known by its name."""
        return self._identities.kind(lock)

    def kind_of(self, node: cst.BaseExpression) -> LockKind | None:
        """What the lock is that an expression gives, whichever one it is."""
        return self._identities.kind_of(node)

    def locks_of(self, info: ClassInfo) -> dict[str, LockIdentity]:
        """By attribute: the locks that the objects of a class have, inherited ones too."""
        return self._identities.locks_of(info)

    def held_at(self, node: cst.CSTNode) -> Locks:
        """The locks that are surely held when a node runs, as its function names them; those of all callers too."""
        scope = self._scope(node)
        around = self._file.definitions.functions[scope] if isinstance(scope, cst.FunctionDef) else None
        return self.held_here(node) | (NOTHING if around is None else self.held_on_entry(around))

    def held_here(self, node: cst.CSTNode) -> Locks:
        """The locks that the function around a node holds there by its own doing."""
        scope = self._scope(node)
        states = self._of(scope) if isinstance(scope, cst.FunctionDef | cst.Module) else None
        if states is None:
            return NOTHING
        around = (node, *self._file.ancestors(node))
        return next((states.before[current] for current in around if current in states.before), NOTHING)

    def held_on_entry(self, function: FunctionInfo) -> Locks:
        """The locks that are held whenever a function is called: its decorators take them, or all its callers do."""
        found = self._entry.get(function)
        if found is None:
            # A function that calls itself is entered by somebody else.
            self._entry[function] = NOTHING
            found = self._entry[function] = self._decorated(function) | self._called_with(function)
        return found

    def taken(self, function: FunctionInfo) -> list[Taken]:
        """The locks that a function's own code takes, in the order in which it does, and what it held by then."""
        states = self._of(function.node)
        return [] if states is None else states.taken

    def released(self, function: FunctionInfo) -> Locks:
        """The locks that a function lets go of though it has not taken them."""
        states = self._of(function.node)
        return NOTHING if states is None else frozenset(states.lost)

    def decorated(self, function: FunctionInfo) -> Locks:
        """The locks that a function's decorators take."""
        return self._decorated(function)

    def outward(self, lock: LockIdentity, call: cst.CSTNode, function: FunctionInfo) -> LockIdentity | None:
        """A lock that a function names so, as its caller names it; None when the caller cannot."""
        return self._moved.outward(lock, call, function)

    def says_held(self, function: FunctionInfo) -> bool:
        """Whether a function's name or docstring says that its callers hold the lock."""
        if _HELD_NAME.search(function.name):
            return True
        said = function.node.get_docstring()
        return said is not None and _HELD_TEXT.search(said) is not None

    # -- one function ------------------------------------------------------------------------------------------------

    def _of(self, scope: cst.FunctionDef | cst.Module) -> LockStates | None:
        if scope not in self._states:
            self._states[scope] = None
            self._states[scope] = LockStates(scope.body if isinstance(scope, cst.FunctionDef) else scope, self)
        return self._states[scope]

    def _scope(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The function or module whose run evaluates a node; None for a lambda that is called later."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef | cst.Module):
                return around
            if isinstance(around, cst.Lambda) and not self._is_called_at_once(around):
                return None
        return None

    def _is_called_at_once(self, node: cst.Lambda) -> bool:
        parent = self._file.parent(node)
        call = self._file.parent(parent) if isinstance(parent, cst.Arg) else None
        return isinstance(call, cst.Call) and called_name(call) in _CALLING_BACK

    # -- what takes locks (asked by LockStates) ----------------------------------------------------------------------

    def entered(self, node: cst.BaseExpression) -> Locks:
        """The locks that a `with` over an expression holds."""
        lock = self.identity(node)
        if lock is not None:
            return frozenset({lock})
        if isinstance(node, cst.BooleanOperation | cst.IfExp):
            # `with lock or self._lock:` holds one of them, and nobody can tell which.
            around = self._scope(node) or self._file.tree.module
            is_lock = any(self.entered(choice) for choice in choices(node))
            return frozenset({LockIdentity(around, "one of several locks", " ", True)}) if is_lock else NOTHING
        if isinstance(node, cst.Call):
            function = self._file.callee(node)
            if function is not None and "contextmanager" in function.decorator_names:
                return self._at_yield(function, node)
            if isinstance(node.func, cst.Attribute) and (inner := self.identity(node.func.value)) is not None:
                # `lock.acquire_timeout(5)`, `lock.read()`
                return frozenset({inner})
            if function is None and is_lock_name(called_name(node)) and self.kind_of(node) is None:
                around = self._scope(node) or self._file.tree.module
                return frozenset({LockIdentity(around, f"{text(node.func) or called_name(node)}(...)", " ", True)})
        return self._entering(node)

    def _at_yield(self, function: FunctionInfo, node: cst.CSTNode) -> Locks:
        states = self._inner(function)
        held = [] if states is None else list(states.yields.values())
        common = frozenset.intersection(*held) if held else NOTHING
        return self._outside(common, node, function)

    def _entering(self, node: cst.BaseExpression) -> Locks:
        """The locks that the `__enter__` of an object of the file leaves held."""
        kind = self._file.kind(node)
        if kind is None or not isinstance(kind.ref, ClassInfo):
            return NOTHING
        function = kind.ref.methods.get("__enter__")
        states = None if function is None else self._inner(function)
        if function is None or states is None:
            return NOTHING
        return self._outside(states.left_held, node, function)

    def effect(self, call: cst.Call) -> Effect:
        """What a call of a function of the file leaves acquired or released."""
        function = self._file.callee(call)
        if function is None or function.is_generator or function.is_async is not self._is_awaited(call):
            return Effect()
        if all(called_name(one) not in ACQUIRING and called_name(one) not in RELEASING for one in function.calls):
            return Effect()
        states = self._inner(function)
        if states is None:
            return Effect()
        gained = self._outside(states.left_held, call, function)
        return Effect(gained, self._outside(frozenset(states.lost), call, function))

    def _is_awaited(self, call: cst.Call) -> bool:
        return isinstance(self._file.parent(call), cst.Await)

    def _inner(self, function: FunctionInfo) -> LockStates | None:
        """The states of a function that another one calls: none beyond some depth."""
        if self._depth == 0:
            return None
        self._depth -= 1
        try:
            return self._of(function.node)
        finally:
            self._depth += 1

    def _outside(self, locks: Locks, node: cst.CSTNode, function: FunctionInfo) -> Locks:
        moved = (self._moved.outward(lock, node, function) for lock in locks)
        return frozenset(lock for lock in moved if lock is not None)

    # -- decorators --------------------------------------------------------------------------------------------------

    def _decorated(self, function: FunctionInfo) -> Locks:
        return frozenset(lock for one in function.node.decorators for lock in self._of_decorator(one, function))

    def _of_decorator(self, decorator: cst.Decorator, function: FunctionInfo) -> Iterator[LockIdentity]:
        node = decorator.decorator
        made = node.func if isinstance(node, cst.Call) else node
        kind = self._file.kind(made)
        if kind is not None and isinstance(kind.ref, FunctionInfo):
            yield from self._moved.through_decorator(kind.ref, node, function, self)
            return
        if not is_lock_name(last_name(made)):
            return
        given = [arg.value for arg in node.args] if isinstance(node, cst.Call) else []
        locks = [lock for lock in map(self.identity, given) if lock is not None]
        yield from locks
        if not locks:
            owner: ClassInfo | cst.CSTNode = function.owner or self._file.tree.module
            yield LockIdentity(owner, f"@{last_name(made)}")

    # -- callers -----------------------------------------------------------------------------------------------------

    def _called_with(self, function: FunctionInfo) -> Locks:
        """The locks that all callers of a function hold, where the file sees them all."""
        if not self._is_private(function) or self._depth == 0:
            return NOTHING
        common: Locks | None = None
        for use in self._file.entrances.uses(function):
            call = self._call_by(use, function)
            if call is None:
                continue
            if not isinstance(call, cst.Call):
                return NOTHING
            self._depth -= 1
            held = self.held_at(call)
            self._depth += 1
            inside = frozenset(self._moved.inward(lock, call, function) for lock in held)
            common = inside if common is None else common & inside
            if not common:
                return NOTHING
        return common or NOTHING

    def _is_private(self, function: FunctionInfo) -> bool:
        if function.name.startswith("_"):
            return not function.name.endswith("__")
        return function.owner is None and isinstance(self._file.tree.scope_of(function.node), cst.FunctionDef)

    def _call_by(self, use: cst.Name, function: FunctionInfo) -> cst.CSTNode | None:
        """The call that a mention of a function belongs to, or the mention itself; None for another's."""
        named: cst.CSTNode = use
        parent = self._file.parent(use)
        if isinstance(parent, cst.Attribute):
            if parent.attr is not use:
                return None
            named = parent
            if function.owner is None:
                return None
            kind = self._file.kind(parent)
            if kind is not None and kind.ref is not function and isinstance(kind.ref, FunctionInfo):
                # A method of the same name that another class has: the receiver tells, unless it may be derived.
                return None if not self._are_related(kind.ref, function) else self._called(named)
        elif function.owner is not None:
            return None
        return self._called(named)

    def _called(self, named: cst.CSTNode) -> cst.CSTNode:
        call = self._file.parent(named)
        return call if isinstance(call, cst.Call) and call.func is named else named

    def _are_related(self, one: FunctionInfo, other: FunctionInfo) -> bool:
        """Whether two methods of a name are of classes that derive from each other."""
        if one.owner is None or other.owner is None:
            return False
        return other.owner in self._identities.lineage(one.owner) or one.owner in self._identities.lineage(other.owner)
