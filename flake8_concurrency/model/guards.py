"""Which lock guards which attribute of a class, going by where it is held, and where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import DICT, LIST, SET
from flake8_concurrency.model.iteration_shapes import VIEWS
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Methods that change the container they are called on.
CHANGING = frozenset(
    """append appendleft add insert extend extendleft update setdefault pop popleft popitem remove discard clear sort
    reverse rotate move_to_end""".split()
)
#: What a loop goes over of a dict: it breaks where a key comes or goes meanwhile.
#: Methods in which nobody else has the object yet, or any more.
ALONE = frozenset(
    """__init__ __new__ __post_init__ __attrs_post_init__ __del__ __repr__ __str__ __getstate__ __setstate__ __copy__
    __deepcopy__ __reduce__ __set_name__ __init_subclass__ __class_getitem__ model_post_init""".split()
)
#: What is safe by itself, whoever uses it.
_SAFE = (
    "queue.Queue", "queue.SimpleQueue", "threading.Event", "threading.Thread", "threading.local", "threading.Lock",
    "threading.RLock", "threading.Condition", "threading.Semaphore", "threading.Barrier", "threading.Timer",
    "contextvars.ContextVar", "concurrent.futures.Executor", "logging.Logger", "asyncio.Queue", "asyncio.Event",
    "multiprocessing.queues.Queue", "multiprocessing.queues.SimpleQueue", "itertools.count",
)  # fmt: skip
#: What tells which thread runs a function.
_OWNING = frozenset("get_ident get_native_id current_thread currentThread".split())
_DEEPEST = 4


class Access(NamedTuple):
    """A use of an attribute in a method, and the locks of the object that are held there."""

    node: cst.Attribute
    function: FunctionInfo
    is_write: bool
    held: frozenset[str]


class Bare(NamedTuple):
    """A write of an attribute, or a loop over it, without the lock that guards it elsewhere."""

    access: Access
    attribute: str
    lock: str
    guarded: list[Access]
    #: How many uses there are at all.
    uses: int


class Guards:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._accesses: dict[ClassInfo, dict[str, list[Access]]] = {}

    def locks(self, info: ClassInfo) -> dict[str, LockIdentity]:
        """The locks for threads that the objects of a class have."""
        regions = self._file.lock_regions
        found = regions.locks_of(info)
        return {name: lock for name, lock in found.items() if self._is_for_threads(lock, info, name)}

    def _is_for_threads(self, lock: LockIdentity, info: ClassInfo, name: str) -> bool:
        regions = self._file.lock_regions
        made = (binding.value for binding in info.assigned.get(name, ()) if binding.value is not None)
        kinds = (regions.kind(lock), *map(regions.kind_of, made))
        return any(kind is not None and kind.family == "threading" for kind in kinds)

    def accesses(self, info: ClassInfo) -> dict[str, list[Access]]:
        """By attribute: its uses in the methods of a class, those in which nobody else has the object left out."""
        found = self._accesses.get(info)
        if found is None:
            found = self._accesses[info] = {}
            for function in info.methods.values():
                if function.this is not None and not self.is_alone(function, _DEEPEST):
                    for access in self.of(function):
                        found.setdefault(access.node.attr.value, []).append(access)
        return found

    def of(self, function: FunctionInfo) -> Iterator[Access]:
        """The uses of the attributes of a method's own object."""
        trusted = self._file.lock_regions.says_held(function)
        acquires = any(called_name(call) == "acquire" for call in function.calls)
        for node in self._tree.within(function.node.body):
            if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and self._is_this(node, function):
                held = self._file.lock_regions.held_at(node)
                names = {lock.name for lock in held if lock.is_own or not isinstance(lock.owner, ClassInfo)}
                names |= self._perhaps_held(node, function) if acquires else set()
                yield Access(node, function, self._is_write(node), frozenset(names | ({"*"} if trusted else set())))

    def _perhaps_held(self, node: cst.CSTNode, function: FunctionInfo) -> set[str]:
        """The locks that were acquired by hand before, and released since on some ways only."""
        found: dict[str, bool] = {}
        for earlier in self._file.flow.earlier(node):
            for event in reversed(list(self._file.flow.certain(earlier))):
                match dotted(event.func).split(".") if isinstance(event, cst.Call) else ():
                    case [function.this, lock, "acquire" | "release" as done]:
                        found.setdefault(lock, done == "acquire")
        return {lock for lock, is_held in found.items() if is_held}

    @staticmethod
    def _is_this(node: cst.Attribute, function: FunctionInfo) -> bool:
        name = last_name(node.value)
        return name == function.this or (function.owner is not None and name == function.owner.name)

    def is_alone(self, function: FunctionInfo, depth: int) -> bool:
        """Whether a method only runs while nobody else has the object: as it is made, or as it is thrown away."""
        if function.name in ALONE or self._makes_lock(function):
            return True
        if depth == 0 or not function.name.startswith("_") or function.name.endswith("__"):
            return False
        uses = self._file.entrances.uses(function)
        callers = [self._file.function_of(use) if self._is_called(use) else None for use in uses]
        return bool(callers) and all(
            caller is not None and caller is not function and self.is_alone(caller, depth - 1) for caller in callers
        )

    def _is_called(self, use: cst.Name) -> bool:
        """Whether a mention of a method calls it: what a constructor hands to a thread runs when others have it."""
        named = self._file.parent(use)
        named = named if isinstance(named, cst.Attribute) else use
        call = self._file.parent(named)
        return isinstance(call, cst.Call) and call.func is named

    def _makes_lock(self, function: FunctionInfo) -> bool:
        owner = function.owner
        locks = {} if owner is None else owner.assigned
        return any(
            binding.value is not None
            and self._file.function_of(binding.value) is function
            and self._file.is_a(binding.value, "threading.Lock", "threading.RLock", "threading.Condition")
            for bindings in locks.values()
            for binding in bindings
        )

    def _beyond_items(self, node: cst.Attribute) -> tuple[cst.CSTNode, cst.CSTNode]:
        """An attribute with all subscripts of it, `self.x[a][b]`, and what that stands in."""
        current: cst.CSTNode = node
        parent = self._file.parent(current)
        while isinstance(parent, cst.Subscript) and parent.value is current:
            current, parent = parent, self._file.parent(parent)
        return current, parent

    def _is_write(self, node: cst.Attribute) -> bool:
        """Whether an attribute is bound, or what is in it changed."""
        current, parent = self._beyond_items(node)
        if isinstance(parent, cst.Element | cst.Tuple | cst.List):
            while isinstance(parent, cst.Element | cst.Tuple | cst.List):
                current, parent = parent, self._file.parent(parent)
            return isinstance(parent, cst.AssignTarget)
        match parent:
            case cst.AssignTarget() | cst.Del():
                return True
            case cst.AugAssign() | cst.AnnAssign():
                return parent.target is current and parent.value is not None
            case cst.Attribute(attr=cst.Name(value=method)):
                called = self._file.parent(parent)
                return isinstance(called, cst.Call) and called.func is parent and method in CHANGING
        return False

    # -- inconsistent guards -------------------------------------------------------------------------------------------

    def bare(self, info: ClassInfo) -> Iterator[Bare]:
        """The writes of a class's attributes without the lock that guards most of their uses, one for each method.

        And the loops over a dict to which others add keys, or take some, under that lock.
        """
        locks = self.locks(info)
        if not locks:
            return
        notes = self._file.guard_notes.of(info)
        for attribute, accesses in self.accesses(info).items():
            if attribute in locks or attribute in info.methods or attribute in notes or self.is_safe(accesses):
                continue
            mostly = self._guard(accesses, set(locks))
            seen: set[FunctionInfo] = set()
            for access in accesses:
                if access.held or access.function in seen:
                    continue
                for lock in sorted(locks) if mostly is None else [mostly]:
                    if self._is_amiss(access, accesses, lock, is_mostly=mostly is not None):
                        seen.add(access.function)
                        guarded = [one for one in accesses if not one.held.isdisjoint({lock, "*"})]
                        yield Bare(access, attribute, lock, guarded, len(accesses))
                        break

    def guarded(self, info: ClassInfo) -> dict[str, str]:
        """By attribute: the lock that is held at most of its uses."""
        locks = set(self.locks(info))
        found = {name: self._guard(accesses, locks) for name, accesses in self.accesses(info).items() if locks}
        return {name: lock for name, lock in found.items() if lock and name not in locks and name not in info.methods}

    def _guard(self, accesses: list[Access], locks: set[str]) -> str | None:
        """The lock that is held at most uses of an attribute, writes among them."""
        for lock in sorted(locks):
            guarded = [access for access in accesses if not access.held.isdisjoint({lock, "*"})]
            bare = [access for access in accesses if not access.held and self.is_entered_bare(access.function)]
            writes = [access for access in guarded if access.is_write and lock in access.held]
            is_majority = len(guarded) * 2 > len(accesses)
            if (
                writes
                and is_majority
                and _weight(guarded) > _weight(bare)
                and len({access.function for access in guarded}) > 1
            ):
                return lock
        return None

    def is_safe(self, accesses: list[Access]) -> bool:
        """Whether what an attribute holds needs no lock, by its kind."""
        return self._file.is_a(accesses[0].node, *_SAFE) if accesses else False

    def _is_amiss(self, access: Access, accesses: list[Access], lock: str, *, is_mostly: bool) -> bool:
        """Whether a use without a lock breaks what others do under it, or is broken by them."""
        if not is_mostly and self._is_entered_held(access.function):
            return False
        if not access.is_write:
            return self._may_break(access, accesses, lock) and (is_mostly or self._is_kept_to(accesses, lock))
        return self._matters(access) and (is_mostly or self._is_lost(access, accesses, lock))

    def _is_entered_held(self, function: FunctionInfo) -> bool:
        """Whether somebody in the file calls a method with a lock held: others may do so elsewhere."""
        uses = self._file.entrances.uses(function)
        return any(self._file.lock_regions.held_at(use) for use in uses if self._file.function_of(use) is not function)

    def _is_kept_to(self, accesses: list[Access], lock: str) -> bool:
        """Whether all that puts something in or takes it out, other than as the object's life begins or ends, locks."""
        resizing = (one for one in accesses if one.is_write and self._resizes(one.node))
        return all(lock in one.held or is_of_a_life(one.function) for one in resizing)

    def _is_lost(self, access: Access, accesses: list[Access], lock: str) -> bool:
        """Whether a sum is made without the lock, and in another method with it, which shows what the lock is for."""
        # What a private method is for, and which thread calls it, only its callers know.
        return (
            not access.function.name.startswith("_")
            and self._is_sum(access.node)
            and self._file.function_of(access.node) is access.function
            and any(
                lock in other.held
                and other.function is not access.function
                and not is_of_a_life(other.function)
                and self._is_sum(other.node)
                for other in accesses
            )
        )

    def _is_sum(self, node: cst.Attribute) -> bool:
        """`self.x += 1`, `self.x[key] += 1`: read, added to and stored in three steps."""
        current, parent = self._beyond_items(node)
        if not isinstance(parent, cst.AugAssign) or parent.target is not current:
            return False
        # A list is added to in place.
        return not any(self._file.is_a(one, LIST, SET, DICT, "collections.deque") for one in (current, parent.value))

    def _matters(self, access: Access) -> bool:
        """Whether a write changes what is there, and does so in the midst of the object's life."""
        if any(called_name(call) in _OWNING for call in access.function.calls):
            # `if self._owner != get_ident(): raise`: the thread that has it changes it.
            return False
        return self._is_compound(access) and self.is_entered_bare(access.function)

    def _may_break(self, access: Access, accesses: list[Access], lock: str) -> bool:
        """Whether a use is a loop over a dict that another method changes under a lock, in the midst of its life.

        The only method that changes it needs no lock for its own loop: nobody else changes it then.
        """
        if not self._is_gone_over(access.node) or not self.is_entered_bare(access.function):
            return False
        if self._file.function_of(access.node) is not access.function:
            # What a method defines may be called elsewhere: `condition.wait_for(drained)` holds the lock.
            return False
        resizing = [other for other in accesses if other.is_write and self._resizes(other.node)]
        return all(other.function is not access.function for other in resizing) and any(
            lock in other.held and not is_of_a_life(other.function) for other in resizing
        )

    def _is_gone_over(self, node: cst.Attribute) -> bool:
        """Whether an attribute, or a view of it, is what a loop or a comprehension goes over, one step at a time."""
        loop = self._file.parent(node)
        if isinstance(loop, cst.For | cst.CompFor) and loop.iter is node:
            return self._file.is_a(node, DICT, SET, "collections.deque")
        view = self._file.parent(node)
        call = self._file.parent(view) if isinstance(view, cst.Attribute) and view.attr.value in VIEWS else None
        if not isinstance(call, cst.Call) or call.func is not view or call.args:
            return False
        around = self._file.parent(call)
        return isinstance(around, cst.For | cst.CompFor) and around.iter is call

    def _resizes(self, node: cst.Attribute) -> bool:
        """Whether a write in place may bring a key into a dict, or take one out: `d[key] = 1`, `d.pop(key)`."""
        parent = self._file.parent(node)
        if isinstance(parent, cst.Attribute):
            return True
        return isinstance(parent, cst.Subscript) and isinstance(self._file.parent(parent), cst.AssignTarget | cst.Del)

    def _is_compound(self, access: Access) -> bool:
        """Whether a write depends on what was there, or was tested: a new value alone replaces the old one at once."""
        parent = self._file.parent(access.node)
        if not isinstance(parent, cst.AssignTarget | cst.AnnAssign):
            return True
        return self.is_tested(access)

    def is_tested(self, access: Access) -> bool:
        """Whether what is written was tested before, or is what the new value is made from."""
        name = access.node.attr.value
        return any(
            isinstance(node, cst.Attribute) and node.attr.value == name and node is not access.node
            for node in self._before(access)
        )

    def _before(self, access: Access) -> Iterator[cst.CSTNode]:
        """The tests around a write, and what it stores."""
        child: cst.CSTNode = access.node
        for around in self._file.ancestors(access.node):
            if isinstance(around, cst.If | cst.While) and child is around.body:
                yield from self._tree.within(around.test)
            elif isinstance(around, cst.Assign | cst.AnnAssign) and around.value is not None:
                yield from self._tree.within(around.value)
            elif isinstance(around, cst.FunctionDef):
                return
            child = around

    def is_entered_bare(self, function: FunctionInfo, depth: int = _DEEPEST) -> bool:
        """Whether a method is called without any lock, by others than those that begin or end the object's life."""
        if is_of_a_life(function) or depth == 0:
            return False
        if not function.name.startswith("_") or function.name.endswith("__"):
            return True
        for use in self._file.entrances.uses(function):
            caller = self._file.function_of(use)
            if caller is None or caller is function or self._file.lock_regions.held_at(use):
                continue
            if not self._is_called(use):
                return True
            if caller.name not in ALONE and self.is_entered_bare(caller, depth - 1):
                return True
        return False


#: Words in the names of methods that begin an object's life, or end it.
_OF_A_LIFE = frozenset(
    """init initialize setup start open connect load enter exit stop close shutdown terminate disconnect teardown
    cleanup reset clear dispose finalize finish populate""".split()
)


def is_of_a_life(function: FunctionInfo) -> bool:
    """Whether a method begins or ends the life of its object, going by its name."""
    return is_named_for_a_life(function.name)


def is_named_for_a_life(name: str) -> bool:
    """The same of a method's name."""
    return not _OF_A_LIFE.isdisjoint(words(name))


def _weight(accesses: list[Access]) -> int:
    return sum(2 if access.is_write else 1 for access in accesses)
