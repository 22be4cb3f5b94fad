"""What waits for others while rows are locked: requests, sleeps, programs and tasks before the transaction ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.others import (
    ASYNC_CLIENTS,
    ASYNC_FUNCTIONS,
    CATEGORIES,
    DISPATCHING,
    NEAR,
    QUEUES,
    REQUESTING,
)
from flake8_concurrency.model import clauses
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.lock_shapes import LOCKING
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.vocabulary import SHORTCUTS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DJANGO, _SQLALCHEMY = "select_for_update", "with_for_update"
_LOCK = "lock"
_DEEPEST = 3
#: Methods that send a query with its lock, and those that send another one, without it, or none.
_SENDING = frozenset(
    """get first last earliest latest exists contains in_bulk get_or_create aget afirst alast aearliest alatest aexists
    ain_bulk aget_or_create one one_or_none all scalar scalar_one scalar_one_or_none""".split()
)
_OTHER = frozenset(
    """count aggregate acount aaggregate update delete create bulk_create bulk_update update_or_create aupdate adelete
    acreate subquery exists scalar_subquery cte""".split()
) - {"exists"}
_ITERATING = frozenset("list tuple set frozenset sorted len bool any all next enumerate zip dict sum max min".split())
_MOST_USES = 20
#: Words in the name of such a class: `TransactionAwareTask`, `OnCommitTask`.
_AFTER_COMMIT = frozenset({"transaction", "transactional", "commit", "committed", "atomic"})
_ENDING = frozenset({"commit", "rollback", "close", "acommit", "arollback"})


class LockedWait(NamedTuple):
    """A call that waits for others while rows are locked."""

    node: cst.CSTNode
    #: What is called, and where it does it when that is another function of the file.
    name: str
    chain: tuple[FunctionInfo, ...]
    #: Where the rows were locked.
    lock: cst.CSTNode
    is_django: bool
    is_dispatch: bool


class _Wait(NamedTuple):
    node: cst.CSTNode
    name: str
    chain: tuple[FunctionInfo, ...] = ()
    is_dispatch: bool = False


class _Lock(NamedTuple):
    """Where a query that locks rows is sent."""

    node: cst.CSTNode
    is_django: bool


class LockedIo:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._held: dict[FunctionInfo, list[LockedWait]] = {}
        self._found: dict[FunctionInfo, list[_Wait]] = {}
        self._taken: dict[FunctionInfo, list[_Lock]] = {}

    def of(self, function: FunctionInfo) -> list[LockedWait]:
        """The calls of a function that wait for others while rows which it has locked are locked."""
        if function not in self._held:
            self._held[function] = []
            self._held[function] = self._find(function)
        return self._held[function]

    def _find(self, function: FunctionInfo) -> list[LockedWait]:
        locks = self._locks(function, 0)
        if not locks or self._file.rows.runs_alone(function):
            return []
        found: list[LockedWait] = []
        for wait in self._waits(function):
            lock = next((one for one in locks if self._is_held(function, one, wait.node)), None)
            if lock is not None:
                found.append(LockedWait(wait.node, wait.name, wait.chain, lock.node, lock.is_django, wait.is_dispatch))
        return found

    # -- how long a lock is held -------------------------------------------------------------------------------------

    def _is_held(self, function: FunctionInfo, lock: _Lock, node: cst.CSTNode) -> bool:
        """Whether the transaction that took a lock is still open when control gets to a node."""
        order = self._file.tree.order
        if order(node) <= order(lock.node) or lock.node in self._file.tree.within(node):
            return False
        may_follow = self._file.rows.saving.may_follow
        if not may_follow(lock.node, node) or self._is_after_block(lock.node, node):
            return False
        if self._is_on_failure(node, lock.node):
            return False
        return not any(
            order(lock.node) < order(call) < order(node)
            and may_follow(lock.node, call)
            and may_follow(call, node)
            and self._may_end(call)
            for call in function.calls
        )

    def _is_after_block(self, lock: cst.CSTNode, node: cst.CSTNode) -> bool:
        """Whether a `with` that holds the transaction, or may hold it, has been left."""
        inside = set(self._file.ancestors(node))
        for around in self._file.ancestors(lock):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.With) and around not in inside and any(map(self._may_hold, around.items)):
                return True
        return False

    def _may_hold(self, item: cst.WithItem) -> bool:
        """Whether the end of a `with` may end a transaction: whatever is not known may."""
        node = item.item.expression if isinstance(item.item, cst.Await) else item.item
        if self._file.transactions.opens(node) == "savepoint":
            return False
        func = node.func if isinstance(node, cst.Call) else node
        return last_name(func) not in ("suppress", "open", "override", "scope", "activate", "timer", "lock", "span")

    def _is_on_failure(self, node: cst.CSTNode, lock: cst.CSTNode) -> bool:
        """Whether a node runs where the locking has failed."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.ExceptHandler | cst.ExceptStarHandler):
                block = self._file.parent(around)
                assert isinstance(block, cst.Try | cst.TryStar)
                if block.body in self._file.ancestors(lock):
                    return True
        return False

    def _may_end(self, call: cst.Call) -> bool:
        if called_name(call) in _ENDING and isinstance(call.func, cst.Attribute):
            return True
        callee = self._file.callee(call)
        return callee is not None and self._ends_inside(callee, 0)

    def _ends_inside(self, function: FunctionInfo, depth: int) -> bool:
        return any(
            (called_name(call) in _ENDING and isinstance(call.func, cst.Attribute) and call.func.attr.value != "close")
            or (
                depth < _DEEPEST
                and (callee := self._file.callee(call)) is not None
                and callee is not function
                and self._ends_inside(callee, depth + 1)
            )
            for call in function.calls
        )

    # -- where rows are locked ---------------------------------------------------------------------------------------

    def _locks(self, function: FunctionInfo, depth: int) -> list[_Lock]:
        if function in self._taken:
            return self._taken[function]
        self._taken[function] = []
        found: list[_Lock] = []
        for call in function.calls:
            name = called_name(call)
            if name in LOCKING and isinstance(call.func, cst.Attribute):
                found += (_Lock(node, name == _DJANGO) for node in self._sent(call, set()))
            elif _asks_for_lock(call):
                found.append(_Lock(call, is_django=False))
            elif depth < _DEEPEST:
                callee = self._file.callee(call)
                if callee is not None and callee is not function:
                    found += (_Lock(call, lock.is_django) for lock in self._left_locked(callee, depth + 1)[:1])
        found.sort(key=lambda lock: self._file.tree.order(lock.node))
        self._taken[function] = found
        return found

    def _is_own(self, function: FunctionInfo) -> bool:
        """Whether a function is one of this file, whose nodes the model knows."""
        return self._file.definitions.functions.get(function.node) is function

    def _left_locked(self, callee: FunctionInfo, depth: int) -> list[_Lock]:
        """What is still locked when a function of the file has been called: its own transaction is not over."""
        if not self._is_own(callee) or callee.is_generator or any(map(self._may_end, callee.calls)):
            return []
        return [
            lock
            for lock in self._locks(callee, depth)
            if self._file.transactions.around(lock.node) is None and not self._is_after_block(lock.node, callee.node)
        ]

    def _sent(self, node: cst.BaseExpression, seen: set[cst.CSTNode]) -> Iterator[cst.CSTNode]:
        """Where a query that asks for locks is sent, in the function that builds it."""
        while node not in seen:
            seen.add(node)
            parent = self._file.parent(node)
            match parent:
                case cst.Attribute() if parent.value is node:
                    above = self._file.parent(parent)
                    if not (isinstance(above, cst.Call) and above.func is parent) or parent.attr.value in _OTHER:
                        return
                    if parent.attr.value in _SENDING:
                        yield above
                        return
                    node = above
                case cst.Subscript() if parent.value is node:
                    if not isinstance(parent.slice[0].slice, cst.Slice):
                        yield parent
                        return
                    node = parent
                case cst.Await():
                    node = parent
                case cst.Arg():
                    call = self._file.parent(parent)
                    name = called_name(call) if isinstance(call, cst.Call) else ""
                    if name in clauses.EXECUTING or name in SHORTCUTS or name in _ITERATING:
                        yield call
                    return
                case cst.For(iter=given) | cst.CompFor(iter=given) if given is node:
                    yield node
                    return
                case cst.Assign():
                    for use in self._uses(parent, node):
                        yield from self._sent(use, seen)
                    return
                case _:
                    return

    def _uses(self, assign: cst.Assign, value: cst.BaseExpression) -> list[cst.Name]:
        names = {target.target.value for target in assign.targets if isinstance(target.target, cst.Name)}
        function = self._file.function_of(assign)
        if function is None or not names:
            return []
        found = [
            node
            for node in self._file.tree.within(function.node.body)
            if isinstance(node, cst.Name)
            and node.value in names
            and self._file.tree.order(node) > self._file.tree.order(value)
            and any(binding.value is value for binding in self._file.names.reaching(node) or ())
        ]
        return found[:_MOST_USES]

    # -- what waits --------------------------------------------------------------------------------------------------

    def _waits(self, function: FunctionInfo) -> list[_Wait]:
        """What waits for others in a function's own code, and through functions of the file."""
        if function not in self._found:
            self._found[function] = []
            found = [_Wait(leaf.node, str(leaf)) for leaf in self._file.functions.leaves(function) if _is_far(leaf)]
            for call in function.calls:
                name = self._dispatched(call) or self._awaited(call)
                if name:
                    found.append(_Wait(call, name, is_dispatch=called_name(call) in DISPATCHING))
            for step in self._file.functions.steps(function):
                inner = self._through(step.function)
                if inner is not None:
                    found.append(inner._replace(node=step.node, chain=(step.function, *inner.chain)))
            found.sort(key=lambda wait: self._file.tree.order(wait.node))
            self._found[function] = found
        return self._found[function]

    def _through(self, function: FunctionInfo) -> _Wait | None:
        """What a function of the file waits for when it is called, unless that is reported where it stands."""
        if not self._is_own(function):
            return None
        reported = {wait.node for wait in self.of(function)}
        waits = [wait for wait in self._waits(function) if wait.node not in reported and len(wait.chain) < _DEEPEST]
        return waits[0] if waits else None

    def _dispatched(self, call: cst.Call) -> str:
        """`task.delay(...)`: a task is handed to the broker."""
        name = called_name(call)
        if name not in DISPATCHING or not isinstance(call.func, cst.Attribute):
            return ""
        receiver = call.func.value
        if name.startswith("enqueue") and QUEUES.isdisjoint(words(last_name(receiver))):
            return ""
        return "" if self._waits_for_commit(receiver) else dotted(call.func) or name

    def _waits_for_commit(self, task: cst.BaseExpression) -> bool:
        """Whether a task is made by a class of the project's own that sends it only when the transaction is over."""
        kind = self._file.kind(task)
        nodes = [kind.ref.node] if kind is not None and isinstance(kind.ref, FunctionInfo) else []
        if isinstance(task, cst.Name):
            nodes += [b.node for b in self._file.names.reaching(task) or () if isinstance(b.node, cst.FunctionDef)]
        given = (decorator.decorator for node in nodes for decorator in node.decorators)
        bases = (argument(call, None, "base") for call in given if isinstance(call, cst.Call))
        return any(base is not None and not _AFTER_COMMIT.isdisjoint(words(last_name(base))) for base in bases)

    def _awaited(self, call: cst.Call) -> str:
        """`await client.get(...)`, `await asyncio.sleep(1)`."""
        qualified = self._file.qualified(call.func)
        if qualified in ASYNC_FUNCTIONS:
            return "" if _is_zero(call) else str(qualified)
        if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in REQUESTING:
            return ""
        owner = next((name for name in ASYNC_CLIENTS if self._file.is_a(call.func.value, name)), "")
        return f"{owner}.{call.func.attr.value}" if owner else ""


def _is_zero(call: cst.Call) -> bool:
    """`sleep(0)` only lets others run."""
    given = argument(call, 0, "delay")
    return given is not None and literal(given) in ((0,), (0.0,))


def _is_far(leaf: Leaf) -> bool:
    """Whether what blocks waits for somebody else, and longer than a query of the database does."""
    if leaf.fact.category not in CATEGORIES or leaf.name.partition(".")[0] in NEAR:
        return False
    return not (leaf.fact.category == "sleep" and isinstance(leaf.node, cst.Call) and _is_zero(leaf.node))


def _asks_for_lock(call: cst.Call) -> bool:
    """`session.get(M, pk, with_for_update=True)`, `session.refresh(row, with_for_update=True)`."""
    return any(
        arg.keyword is not None
        and arg.keyword.value == _SQLALCHEMY
        and (literal(arg.value) == (True,) or isinstance(arg.value, cst.Dict | cst.Call))
        for arg in call.args
    )
