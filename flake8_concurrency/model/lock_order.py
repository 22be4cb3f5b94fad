"""In which order rows are locked: one by one in a loop, many at once by their ids, and orders that Django drops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.conditions import conditions, is_constant, is_ordered
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locked_queries import DJANGO_LOCK, SQLALCHEMY_LOCK, LockedQuery, links, waits
from flake8_concurrency.model.locks import asks_for_lock, called_name, is_locking
from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_KEYS = frozenset({"id", "pk", "uuid"})
_UPDATING = frozenset("update aupdate delete adelete".split())
#: What says that a deadlock is expected.
_FAILURES = frozenset("OperationalError DBAPIError DatabaseError DeadlockDetected DeadlockDetectedError".split())
_SAVING = frozenset("save asave delete adelete".split())
#: Functions that hand on what they are given, in the order that it has.
_KEEPING = frozenset("list tuple enumerate set frozenset filter map reversed iter zip".split())


class OrderlessUpdate(NamedTuple):
    """An UPDATE that was given an order, as written."""

    node: cst.Call
    order: str


class OrderlessLock(NamedTuple):
    """Where row locks are taken in no fixed order: how, and over what."""

    node: cst.CSTNode
    how: str
    over: str


class LockOrder:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    # -- orders that are dropped -------------------------------------------------------------------------------------

    def orderless_updates(self, function: FunctionInfo) -> Iterator[OrderlessUpdate]:
        """The updates of a function that were meant to have an order."""
        for call in function.calls:
            if (
                called_name(call) in ("update", "aupdate")
                and isinstance(call.func, cst.Attribute)
                and not _is_plain(call)
            ):
                order = self._order_of(call.func.value)
                if order is not None:
                    yield OrderlessUpdate(call, ", ".join(map(_spelled, order.args)))

    def _order_of(self, queryset: cst.BaseExpression) -> cst.Call | None:
        """The `order_by` of the queryset that is updated, and used for nothing else."""
        reads = self._file.queries.of(queryset)
        if not reads or not all(read.shape == "query" and read.orm == DJANGO for read in reads):
            return None
        if any(test.column in _KEYS and test.is_equal for test in conditions(reads[0].links)):
            # One row has no order.
            return None
        own = links(queryset)
        order = _last_order(own)
        if order is not None:
            return order
        if own or not isinstance(queryset, cst.Name):
            return None
        bindings = self._file.names.reaching(queryset) or ()
        if len(bindings) != 1 or not isinstance(bindings[0].value, cst.Call) or bindings[0].path:
            return None
        uses = self._file.locked_queries.uses(bindings[0].value)
        return _last_order(links(bindings[0].value)) if uses == [queryset] else None

    # -- locks in no order -------------------------------------------------------------------------------------------

    def unordered(self, function: FunctionInfo) -> list[OrderlessLock]:
        """Where a function takes several row locks in no fixed order; each place once."""
        if self._file.rows.runs_alone(function) or self._file.locks.is_serial():
            return []
        found: dict[cst.CSTNode, OrderlessLock] = {}
        for lock in (*self._in_loops(function), *self._at_once(function), *self._in_bulk(function)):
            if not self._is_settled(function, lock.node):
                found.setdefault(lock.node, lock)
        return list(found.values())

    def _in_loops(self, function: FunctionInfo) -> Iterator[OrderlessLock]:
        for loop in function.nodes(cst.For):
            assert isinstance(loop, cst.For)
            if not isinstance(loop.target, cst.Name) or self.is_ordered(loop.iter):
                continue
            calls = (node for node in self._file.tree.within(loop.body) if isinstance(node, cst.Call))
            locking = (call for call in calls if self._locks_each(call, loop.target.value))
            found = next((call for call in locking if self._is_one_transaction(call, loop)), None)
            if found is not None:
                yield OrderlessLock(found, "one by one", text(loop.iter) or "a collection")

    def _locks_each(self, call: cst.Call, name: str) -> bool:
        """Whether a call locks one row for each round: reads it with a lock, or saves it."""
        lock = called_name(call)
        if lock in (DJANGO_LOCK, SQLALCHEMY_LOCK) and isinstance(call.func, cst.Attribute):
            if not waits(call):
                return False
            chain, _ = self._file.locked_queries.chain(call)
            return self._mentions(chain, name)
        if lock in ("get", "refresh", "get_one") and asks_for_lock(call):
            return self._mentions(call, name)
        if lock in _SAVING and isinstance(call.func, cst.Attribute) and text(call.func.value) == name:
            return any(read.shape == "row" and read.orm == DJANGO for read in self._file.queries.of(call.func.value))
        return False

    def _mentions(self, node: cst.CSTNode, name: str) -> bool:
        return any(isinstance(one, cst.Name) and one.value == name for one in self._file.tree.within(node))

    def _is_one_transaction(self, call: cst.Call, loop: cst.For) -> bool:
        """Whether the locks of all rounds are held together: one transaction is around the loop, none inside of it."""
        transactions = self._file.transactions
        inside = self._file.tree.within(loop.body)
        if any(isinstance(node, cst.Call) and transactions.ends(node) for node in inside):
            return False
        for region in transactions.regions(call):
            if isinstance(region.node, cst.With) and any(
                around is loop for around in self._file.ancestors(region.node)
            ):
                return transactions.held(loop)
        if called_name(call) in (DJANGO_LOCK, *_SAVING):
            return transactions.held(loop)
        return True

    def _at_once(self, function: FunctionInfo) -> Iterator[OrderlessLock]:
        """`filter(id__in=ids).update(…)`, and the same with a lock."""
        taken = {
            claim.taken for claims in (self._file.claims, self._file.locked_claims) for claim in claims.of(function)
        }
        for call in function.calls:
            statement = self._file.claims.statement(call)
            is_update = statement is not None and any(_is_update(link) for link in statement)
            if statement is not None and is_update and call not in taken and not any(map(_is_dropped_order, statement)):
                over = self._chosen_by_ids(statement)
                if over:
                    yield OrderlessLock(call, "at once", over)
        unsent = {query.call for query in self._file.idle_locks.unsent(function)}
        for query in self._file.locked_queries.of(function):
            if query.call in unsent or not waits(query.call) or self._is_update(query):
                continue
            over = self._chosen_by_ids(query.links)
            if over and not is_ordered(query.links) and not self._is_ordered_later(query):
                yield OrderlessLock(query.call, "at once", over)

    @staticmethod
    def _is_update(query: LockedQuery) -> bool:
        return any(isinstance(link, cst.Call) and called_name(link) in _UPDATING for link in query.links)

    def _is_ordered_later(self, query: LockedQuery) -> bool:
        """Whether what the query is assigned to gets its order afterwards."""
        return any(
            isinstance(self._file.parent(use), cst.Attribute) for use in self._file.locked_queries.uses(query.chain)
        )

    def _chosen_by_ids(self, chain: tuple[cst.CSTNode, ...]) -> str:
        """The ids by which a query chooses its rows, where they come from a collection."""
        for link in chain:
            if not isinstance(link, cst.Call) or called_name(link) == "exclude":
                continue
            for arg in link.args:
                name = "" if arg.keyword is None else arg.keyword.value
                column, _, lookup = name.partition("__")
                if lookup == "in" and column in _KEYS and self._is_unordered(arg.value):
                    return text(arg.value) or "a collection"
        for test in conditions(chain):
            given = (arg.value for arg in test.link.args)
            is_in = any(isinstance(value, cst.Call) and called_name(value) == "in_" for value in given)
            if test.value is None or test.is_equal or not is_in:
                continue
            if test.column in _KEYS and self._is_unordered(test.value):
                return text(test.value) or "a collection"
        return ""

    def _is_unordered(self, ids: cst.BaseExpression) -> bool:
        """Whether ids come from a collection that has no order that we see; a lock in their own query settles it."""
        locks = (isinstance(node, cst.Call) and is_locking(node) for node in self._file.tree.within(ids))
        return not is_constant(ids) and not self.is_ordered(ids) and not any(locks)

    def _in_bulk(self, function: FunctionInfo) -> Iterator[OrderlessLock]:
        """`bulk_update(rows, …)`: one UPDATE of the rows, as they come."""
        if self._file.rows.lost_updates(function):
            # They need a lock anyway.
            return
        for call in function.calls:
            if called_name(call) in ("bulk_update", "abulk_update") and isinstance(call.func, cst.Attribute):
                given = argument(call, 0, "objs")
                reads = self._file.queries.of(given)
                if (
                    given is not None
                    and reads
                    and not any(read.locked for read in reads)
                    and not self.is_ordered(given)
                ):
                    yield OrderlessLock(call, "at once", text(given) or "a collection")

    # -- what has an order -------------------------------------------------------------------------------------------

    def is_ordered(self, node: cst.BaseExpression, depth: int = 0) -> bool:
        """Whether a collection surely has an order of its own: sorted, a query with one, one that is written there."""
        if depth > 5:
            return True
        match node:
            case cst.Call() if called_name(node) in ("sorted", "range"):
                return True
            case cst.Call(args=[first, *_], func=cst.Name(value=name)) if name in _KEEPING:
                return self.is_ordered(first.value, depth + 1)
            case cst.List() | cst.Tuple():
                return True
            case cst.ListComp() | cst.GeneratorExp():
                return self.is_ordered(node.for_in.iter, depth + 1)
        reads = self._file.queries.of(node)
        if reads:
            # In a subquery it is for the database to say in which order it finds the ids.
            inside = all(read.shape in ("query", "statement") and read.partial for read in reads)
            return inside or all(is_ordered(read.links) or read.related for read in reads)
        if isinstance(node, cst.Name):
            return self._is_ordered_name(node, depth)
        return False

    def _is_ordered_name(self, node: cst.Name, depth: int) -> bool:
        function = self._file.function_of(node)
        if function is not None and any(
            called_name(call) == "sort" and isinstance(call.func, cst.Attribute) and text(call.func.value) == node.value
            for call in function.calls
        ):
            return True
        bindings = self._file.names.reaching(node) or ()
        return any(
            binding.how == "assign" and binding.value is not None and self.is_ordered(binding.value, depth + 1)
            for binding in bindings
        )

    def _is_settled(self, function: FunctionInfo, node: cst.CSTNode) -> bool:
        """Whether others are kept out by something else, or a deadlock is caught."""
        caught = {
            name
            for around in self._file.ancestors(node)
            if isinstance(around, cst.Try)
            for handler in around.handlers
            if handler.type is not None
            for name in (last_name(part) for part in self._file.tree.within(handler.type))
        }
        if not caught.isdisjoint(_FAILURES) or self._file.locks.held(node):
            return True
        return self._is_ordered_before(function, node)

    def _is_ordered_before(self, function: FunctionInfo, node: cst.CSTNode) -> bool:
        """Whether rows are locked in order before, or something else is: then this waits for nobody."""
        order = self._file.tree.order
        own = set(self._file.tree.within(node))
        for call in self._file.locks.locking_calls(function):
            if order(call) < order(node) and call not in own:
                chain, _ = self._file.locked_queries.chain(call)
                if node not in self._file.tree.within(chain):
                    return True
        return False


def _is_update(link: cst.CSTNode) -> bool:
    return isinstance(link, cst.Call) and called_name(link) in ("update", "aupdate")


def _is_dropped_order(link: cst.CSTNode) -> bool:
    """CNC315 speaks of an update with an order."""
    return isinstance(link, cst.Call) and called_name(link) == "order_by" and bool(link.args)


def _is_plain(call: cst.Call) -> bool:
    """`values.update(other)` is a dict's."""
    return any(arg.keyword is None and not arg.star for arg in call.args) or not call.args


def _last_order(chain: list[cst.CSTNode]) -> cst.Call | None:
    orders = [link for link in chain if isinstance(link, cst.Call) and called_name(link) == "order_by"]
    return orders[-1] if orders and orders[-1].args else None


def _spelled(arg: cst.Arg) -> str:
    return text(arg.value) or "…"
