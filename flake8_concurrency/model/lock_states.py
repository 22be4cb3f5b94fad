"""Which locks are surely held when control reaches each statement of one function: `with`, `acquire()`, `release()`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.tree import children

#: The locks that are held; None where control never comes.
State = frozenset[LockIdentity] | None
Locks = frozenset[LockIdentity]

NOTHING: Locks = frozenset()
ACQUIRING = frozenset({"acquire", "acquire_lock", "__enter__"})
RELEASING = frozenset({"release", "release_lock", "__exit__"})
_LOOP_ROUNDS = 3
#: The states in which a function or loop is left, and how many of them were known.
_Mark = tuple[list[State], int]


class Effect(NamedTuple):
    """What a call does to the locks of its caller."""

    gained: Locks = NOTHING
    lost: Locks = NOTHING


class Effects(Protocol):
    """What has to be known about locks beyond one function."""

    def identity(self, node: cst.BaseExpression) -> LockIdentity | None: ...

    def entered(self, node: cst.BaseExpression) -> Locks: ...

    def effect(self, call: cst.Call) -> Effect: ...


class Taken(NamedTuple):
    """A lock that is taken at a node, and what was held then."""

    lock: LockIdentity
    node: cst.CSTNode
    held: Locks
    #: Whether it may give up: `acquire(blocking=False)`, `acquire(timeout=1)`.
    patient: bool = True


class LockStates:
    """The states of one function or module, computed at once."""

    def __init__(self, body: cst.BaseSuite | cst.Module, effects: Effects) -> None:
        self._effects = effects
        #: The locks that are held when a statement, a `with` item or the body of a `with` begins.
        self.before: dict[cst.CSTNode, Locks] = {}
        self._taken: dict[tuple[cst.CSTNode, LockIdentity], Taken] = {}
        #: The locks that are held at every end of the function.
        self.ends: list[State] = []
        #: The locks that are held at each `yield`.
        self.yields: dict[cst.CSTNode, Locks] = {}
        #: The locks that are released without having been taken.
        self.lost: set[LockIdentity] = set()
        self._conditional: dict[str, LockIdentity] = {}
        self._stacks: dict[str, set[LockIdentity]] = {}
        self._loops: list[tuple[list[State], list[State]]] = []
        self._raising: list[list[Locks]] = []
        self._silent = 0
        end = self._block(body.body, NOTHING)
        if end is not None:
            self.ends.append(end)

    @property
    def taken(self) -> list[Taken]:
        """The locks that are taken, in the order in which they are."""
        return list(self._taken.values())

    @property
    def left_held(self) -> Locks:
        """The locks that are held at every end."""
        return _meet(self.ends) or NOTHING

    # -- blocks ------------------------------------------------------------------------------------------------------

    def _suite(self, node: cst.BaseSuite, held: State) -> State:
        return self._block(node.body, held)

    def _block(self, body: Sequence[cst.CSTNode], held: State) -> State:
        for statement in body:
            if held is None:
                return None
            held = self._statement(statement, held)
        return held

    def _statement(self, node: cst.CSTNode, held: Locks) -> State:
        self._record(node, held)
        match node:
            case cst.SimpleStatementLine():
                return self._block(node.body, held)
            case cst.If():
                return self._if(node, held)
            case cst.While():
                return self._while(node, held)
            case cst.For():
                return self._for(node, held)
            case cst.With():
                return self._with(node, held)
            case cst.Try() | cst.TryStar():
                return self._try(node, held)
            case cst.Match():
                inner = self._effect(node.subject, held)
                return _meet([inner, *(self._suite(case.body, inner) for case in node.cases)])
            case cst.ClassDef():
                return self._suite(node.body, held)
            case cst.FunctionDef():
                return held
        return self._small(node, held)

    def _small(self, node: cst.CSTNode, held: Locks) -> State:
        if isinstance(node, cst.Assign) and isinstance(node.value, cst.Call):
            lock = self._acquired(node.value)
            target = node.targets[0].target
            if lock is not None and isinstance(target, cst.Name) and not is_patient(node.value):
                self._take(lock, node.value, held)
                self._conditional[target.value] = lock
                return held
        held = self._effect(node, held)
        match node:
            case cst.Return():
                self.ends.append(held)
                return None
            case cst.Raise():
                return None
            case cst.Break() | cst.Continue():
                if self._loops:
                    self._loops[-1][isinstance(node, cst.Continue)].append(held)
                return None
        return held

    def _record(self, node: cst.CSTNode, held: Locks) -> None:
        if not self._silent:
            # A loop is gone through again with what its rounds leave.
            self.before[node] = held
        for states in self._raising:
            states.append(held)

    # -- branches and loops ------------------------------------------------------------------------------------------

    def _if(self, node: cst.If, held: Locks) -> State:
        true, false = self._branch(node.test, held)
        end = self._suite(node.body, true)
        if isinstance(node.orelse, cst.If):
            return _meet([end, None if false is None else self._statement(node.orelse, false)])
        if node.orelse is not None:
            return _meet([end, self._suite(node.orelse.body, false)])
        return _meet([end, false])

    def _branch(self, test: cst.BaseExpression, held: Locks) -> tuple[State, State]:
        """The states in which a test leaves the locks when it comes out true and false."""
        match test:
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                true, false = self._branch(inner, held)
                return false, true
            case cst.BooleanOperation(left=left, operator=operator, right=right):
                true, false = self._branch(left, held)
                if isinstance(operator, cst.And):
                    both, rest = (None, None) if true is None else self._branch(right, true)
                    return both, _meet([false, rest])
                rest, neither = (None, None) if false is None else self._branch(right, false)
                return _meet([true, rest]), neither
            case cst.Name(value=name) if name in self._conditional:
                return held | {self._conditional[name]}, held
            case cst.Name(value="True") | cst.Integer(value="1"):
                return held, None
            case cst.NamedExpr(target=target, value=cst.Call() as call):
                lock = self._acquired(call)
                if lock is not None and isinstance(target, cst.Name):
                    self._conditional[target.value] = lock
                    return self._branch(call, held)
            case cst.Await(expression=cst.Call() as call):
                return self._branch(call, held)
            case cst.Call() as call:
                lock = self._acquired(call)
                if lock is not None:
                    self._take(lock, call, held)
                    return held | {lock}, held | {lock} if is_patient(call) else held
        held = self._effect(test, held)
        return held, held

    def _while(self, node: cst.While, held: Locks) -> State:
        ends: list[State] = []
        entry: State = held
        for _ in range(_LOOP_ROUNDS):
            assert entry is not None
            breaks, continues = self._open_loop()
            true, false = self._branch(node.test, entry)
            end = self._suite(node.body, true)
            self._loops.pop()
            ends = [false, *breaks]
            after = _meet([held, end, *continues])
            if after == entry:
                break
            entry = after
        return self._else(node.orelse, ends)

    def _for(self, node: cst.For, held: Locks) -> State:
        held = self._effect(node.iter, held)
        entry: State = held
        ends: list[State] = []
        for _ in range(_LOOP_ROUNDS):
            breaks, continues = self._open_loop()
            end = self._suite(node.body, entry)
            self._loops.pop()
            after = _meet([held, end, *continues])
            ends = [after, *breaks]
            if after == entry:
                break
            entry = after
        return self._else(node.orelse, ends)

    def _open_loop(self) -> tuple[list[State], list[State]]:
        opened: tuple[list[State], list[State]] = ([], [])
        self._loops.append(opened)
        return opened

    def _else(self, node: cst.Else | None, ends: list[State]) -> State:
        if node is not None and ends:
            ends = [self._suite(node.body, ends[0]), *ends[1:]]
        return _meet(ends)

    # -- with and try ------------------------------------------------------------------------------------------------

    def _with(self, node: cst.With, held: Locks) -> State:
        before = held
        marks = self._mark()
        stacks = []
        for item in node.items:
            self._record(item, held)
            held = self._effect(item.item, held)
            for lock in sorted(self._effects.entered(item.item), key=str):
                self._take(lock, item, held)
                held = held | {lock}
            if item.asname is not None and isinstance(item.asname.name, cst.Name):
                stacks.append(item.asname.name.value)
        entered = held - before
        for name in stacks:
            self._stacks[name] = set()
        self._record(node.body, held)
        end = self._suite(node.body, held)
        for name in stacks:
            entered |= self._stacks.pop(name, set())
        self._leave(marks, entered)
        return None if end is None else end - entered

    def _try(self, node: cst.Try | cst.TryStar, held: Locks) -> State:
        marks = self._mark()
        self._raising.append([held])
        end = self._suite(node.body, held)
        raised = _all(self._raising.pop())
        self._raising.append([raised])
        ends = [end if node.orelse is None else self._suite(node.orelse.body, end)]
        ends += [self._suite(handler.body, raised) for handler in node.handlers]
        raised = _all(self._raising.pop())
        end = _meet(ends)
        if node.finalbody is None:
            return end
        first = raised if end is None else raised & end
        left = self._suite(node.finalbody.body, first)
        if left is None:
            return None
        self._silent += 1
        after = self._suite(node.finalbody.body, end)
        released = [mark - (self._suite(node.finalbody.body, mark) or NOTHING) for mark in self._left(marks)]
        self._silent -= 1
        self._leave(marks, frozenset().union(*released))
        return after

    def _mark(self) -> list[_Mark]:
        """Where the ways out of the function and its loops are, to tell those that are found from now on."""
        ways = [self.ends, *(self._loops[-1] if self._loops else ())]
        return [(one, len(one)) for one in ways]

    @staticmethod
    def _left(marks: list[_Mark]) -> list[Locks]:
        return list({state for ways, start in marks for state in ways[start:] if state is not None})

    @staticmethod
    def _leave(marks: list[_Mark], released: Iterable[LockIdentity]) -> None:
        """What is released on all ways out that were found since."""
        gone = frozenset(released)
        for ways, start in marks:
            ways[start:] = [None if state is None else state - gone for state in ways[start:]]

    # -- expressions -------------------------------------------------------------------------------------------------

    def _effect(self, node: cst.CSTNode, held: Locks) -> Locks:
        """What the calls of an expression or simple statement leave held."""
        for call in _running(node):
            if isinstance(call, cst.Yield):
                if not self._silent:
                    self.yields[call] = held
                continue
            assert isinstance(call, cst.Call)
            held = self._call(call, held)
        return held

    def _call(self, call: cst.Call, held: Locks) -> Locks:
        name = called_name(call)
        if name in ACQUIRING:
            lock = self._acquired(call)
            if lock is not None:
                self._take(lock, call, held)
                return held | {lock}
        elif name in RELEASING and isinstance(call.func, cst.Attribute):
            lock = self._effects.identity(call.func.value)
            if lock is not None:
                return self._release(lock, held)
        elif name in ("enter_context", "enter_async_context") and call.args:
            locks = self._effects.entered(call.args[0].value)
            for lock in locks:
                self._take(lock, call, held)
            stack = last_name(call.func.value) if isinstance(call.func, cst.Attribute) else ""
            if stack in self._stacks:
                self._stacks[stack] |= locks - held
            return held | locks
        effect = self._effects.effect(call)
        for lock in effect.lost:
            held = self._release(lock, held)
        return held | effect.gained

    def _release(self, lock: LockIdentity, held: Locks) -> Locks:
        if lock not in held and not self._silent:
            self.lost.add(lock)
        return held - {lock}

    def _acquired(self, call: cst.Call) -> LockIdentity | None:
        if called_name(call) not in ACQUIRING or not isinstance(call.func, cst.Attribute):
            return None
        return self._effects.identity(call.func.value)

    def _take(self, lock: LockIdentity, node: cst.CSTNode, held: Locks) -> None:
        if not self._silent:
            self._taken[node, lock] = Taken(lock, node, held, not isinstance(node, cst.Call) or is_patient(node))


def is_patient(call: cst.Call) -> bool:
    """Whether an `acquire()` waits until it gets the lock."""
    blocking = argument(call, 0, "blocking") or argument(call, None, "block")
    if blocking is not None and literal(blocking) not in ((True,), (1,)):
        return False
    timeout = argument(call, 1, "timeout")
    return timeout is None or literal(timeout) in ((None,), (-1,)) or text(timeout) == "None"


def _meet(states: Iterable[State]) -> State:
    """What is held whichever way control came."""
    reached = [state for state in states if state is not None]
    return _all(reached) if reached else None


def _all(states: list[Locks]) -> Locks:
    return frozenset.intersection(*states)


#: What runs later, or not here.
_APART: frozenset[type[cst.CSTNode]] = frozenset({cst.Lambda, cst.FunctionDef, cst.ClassDef, cst.GeneratorExp})
_DONE_AFTER: frozenset[type[cst.CSTNode]] = frozenset({cst.Call, cst.Yield})


def _running(root: cst.CSTNode) -> Iterator[cst.Call | cst.Yield]:
    """The calls and `yield`s that run with a node, in the order in which they are done."""
    stack: list[tuple[cst.CSTNode, bool]] = [(root, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            assert isinstance(node, cst.Call | cst.Yield)
            yield node
        elif node.__class__ not in _APART:
            if node.__class__ in _DONE_AFTER:
                stack.append((node, True))
            stack += [(child, False) for child in reversed(list(children(node)))]
