"""Locks that are taken while others are held, in one function or through what it calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.lock_states import Taken
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Calls are followed this far: as many steps as the gate keeps.
_DEEPEST = 3
#: Names in a test that asks who holds the lock.
_OWNER = frozenset("locked lock owner owned owns held holds holding ident current thread get_ident".split())


class Reached(NamedTuple):
    """A lock that is taken at a node, there or in what is called there; `lock` as the function around names it."""

    lock: LockIdentity
    node: cst.CSTNode
    #: The functions on the way, and the node that takes the lock in the last one.
    through: tuple[FunctionInfo, ...]
    taken: cst.CSTNode


class Nested(NamedTuple):
    """A lock that is taken while another one is held."""

    outer: LockIdentity
    reached: Reached
    function: FunctionInfo
    held: frozenset[LockIdentity]


class Inversion(NamedTuple):
    """Two locks that are taken in one order here, and in the other one there."""

    here: Nested
    there: Nested


class LockNesting:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._regions = file.lock_regions
        self._reached: dict[FunctionInfo, list[Reached]] = {}
        self._nested: dict[FunctionInfo, list[Nested]] = {}
        self._inverted: dict[FunctionInfo, list[Inversion]] | None = None

    # -- a lock taken again ------------------------------------------------------------------------------------------

    def taken_again(self, function: FunctionInfo) -> list[Reached]:
        """Where a function waits for a lock that it holds itself, and that lets nobody in twice."""
        found: list[Reached] = []
        for reached in self._all(function):
            kind = self._regions.kind(reached.lock)
            if kind is None or kind.reentrant or kind.name == "Semaphore" or reached.lock.keyed:
                continue
            if isinstance(reached.lock.owner, cst.FunctionDef):
                # Taken twice, a lock that somebody else is given is a signal: its release wakes this thread up.
                continue
            if reached.lock in self._held(reached.node, function) and all(
                _entered(reached.node) is not _entered(one.node) for one in found
            ):
                found.append(reached)
        return found

    def _held(self, node: cst.CSTNode, function: FunctionInfo) -> frozenset[LockIdentity]:
        """What a function holds by its own doing, or by its decorators'."""
        return self._regions.held_here(node) | self._regions.decorated(function)

    # -- two orders --------------------------------------------------------------------------------------------------

    def inversions(self, function: FunctionInfo) -> list[Inversion]:
        """Where a function takes a lock while it holds another one, and the file takes them in the other order too."""
        if self._inverted is None:
            self._inverted = {}
            self._find_inversions()
        return self._inverted.get(function, [])

    def _find_inversions(self) -> None:
        assert self._inverted is not None
        known: dict[tuple[object, object], Nested] = {}
        said: set[frozenset[object]] = set()
        for function in self._file.definitions.functions.values():
            for nested in self._nested_in(function):
                outer, inner = _key(nested.outer), _key(nested.reached.lock)
                known.setdefault((outer, inner), nested)
                other = known.get((inner, outer))
                pair = frozenset((outer, inner))
                if other is not None and pair not in said and not self._is_guarded(nested, other):
                    said.add(pair)
                    self._inverted.setdefault(function, []).append(Inversion(nested, other))

    def _nested_in(self, function: FunctionInfo) -> Iterator[Nested]:
        for reached in self._all(function):
            held = self._regions.held_at(reached.node)
            # Who holds it already does not wait for it.
            for outer in held if reached.lock not in held else ():
                if self._is_ordered(outer) and self._is_ordered(reached.lock) and _key(outer) != _key(reached.lock):
                    yield Nested(outer, reached, function, held)

    def _is_ordered(self, lock: LockIdentity) -> bool:
        kind = self._regions.kind(lock)
        return kind is not None and kind.name != "Semaphore" and not lock.keyed

    def _is_guarded(self, one: Nested, other: Nested) -> bool:
        """Whether a third lock is held both times, so that the two never meet."""
        others = {_key(lock) for lock in other.held} - {_key(other.outer), _key(other.reached.lock)}
        return any(_key(lock) in others for lock in one.held)

    # -- what is taken -----------------------------------------------------------------------------------------------

    def _all(self, function: FunctionInfo) -> Iterator[Reached]:
        for taken in self._waiting(function):
            yield Reached(taken.lock, taken.node, (), taken.node)
        yield from self._called(function, _DEEPEST)

    def _waiting(self, function: FunctionInfo) -> Iterator[Taken]:
        """The locks that a function waits for as long as it takes."""
        return (taken for taken in self._regions.taken(function) if taken.patient)

    def _called(self, function: FunctionInfo, depth: int) -> Iterator[Reached]:
        """The locks that the functions take which a function calls."""
        for node, callee in self._steps(function) if depth else ():
            if callee is function:
                continue
            for inner in self._taken_by(callee, depth - 1):
                lock = self._regions.outward(inner.lock, node, callee)
                if lock is not None:
                    yield Reached(lock, node, (callee, *inner.through), inner.taken)

    def _taken_by(self, function: FunctionInfo, depth: int) -> list[Reached]:
        """The locks that a function takes whoever calls it, itself or through others."""
        if function not in self._reached:
            self._reached[function] = []
            found = [
                Reached(taken.lock, taken.node, (), taken.node)
                for taken in self._waiting(function)
                if not self._depends(taken.node, function)
            ]
            found += [Reached(lock, function.node, (), function.node) for lock in self._regions.decorated(function)]
            lost = self._regions.released(function)
            found += [one for one in self._called(function, depth) if not self._depends(one.node, function)]
            self._reached[function] = [one for one in found if one.lock not in lost]
        return self._reached[function]

    def _steps(self, function: FunctionInfo) -> Iterator[tuple[cst.CSTNode, FunctionInfo]]:
        for step in self._file.functions.steps(function):
            if not step.function.is_generator:
                yield step.node, step.function
        for node in function.own:
            if isinstance(node, cst.Await) and isinstance(node.expression, cst.Call):
                callee = self._file.callee(node.expression)
                if callee is not None and callee.is_async and not callee.is_generator:
                    yield node.expression, callee

    def _depends(self, node: cst.CSTNode, function: FunctionInfo) -> bool:
        """Whether a lock is taken only if the caller says so, or if somebody else holds it."""
        params = {param.name.value for param in function.params} - {function.this}
        for around in self._file.ancestors(node):
            if around is function.node:
                break
            if isinstance(around, cst.If | cst.IfExp | cst.While) and self._asks(around.test, params):
                return True
        return any(self._asks(test, params) for test in self._left_before(node, function))

    def _left_before(self, node: cst.CSTNode, function: FunctionInfo) -> Iterator[cst.BaseExpression]:
        """What is tested before a node, where one of the ways out of the function is."""
        order = self._file.tree.order
        for one in function.nodes(cst.If):
            if isinstance(one, cst.If) and order(one) < order(node) and self._leaves(one):
                yield one.test

    def _leaves(self, node: cst.If) -> bool:
        return any(isinstance(one, cst.Return | cst.Raise) for one in self._file.tree.within(node.body))

    def _asks(self, test: cst.CSTNode, params: Collection[str | None]) -> bool:
        for node in self._file.tree.within(test):
            name = last_name(node)
            if name in params or not _OWNER.isdisjoint(words(name)):
                return True
        return False


def _entered(node: cst.CSTNode) -> cst.CSTNode:
    """What a `with` enters: a lock, or an object whose `__enter__` is a function of the file."""
    return node.item if isinstance(node, cst.WithItem) else node


def _key(lock: LockIdentity) -> object:
    """A lock of any object of a class: threads that meet may have either object first."""
    return (lock.owner, lock.name) if isinstance(lock.owner, ClassInfo) and not lock.via.startswith(" ^") else lock
