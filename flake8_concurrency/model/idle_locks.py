"""Row locks that lock nothing: sent without the lock, never sent, or sent outside of a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locked_queries import COUNTING, DJANGO_LOCK, SQLALCHEMY_LOCK, LockedQuery, links
from flake8_concurrency.model.locks import called_name, is_lock_name, words
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What sends a chain at its end.
_ENDING = frozenset(
    """get first last earliest latest exists contains in_bulk get_or_create update_or_create update delete create
    bulk_create bulk_update iterator aiterator count aggregate explain one one_or_none all scalar scalars scalar_one
    scalar_one_or_none execute first_or_404 one_or_404 get_or_404""".split()
)
#: What only changes a query.
_LAZY = frozenset(
    """all filter exclude order_by distinct select_related prefetch_related annotate alias defer only using reverse
    values values_list where filter_by limit offset join outerjoin options execution_options""".split()
)
#: Classes whose methods are called by those who have a transaction, or by nobody knows whom.
_OF_ORM = frozenset("model models manager queryset form serializer admin mixin migration".split())
_ENTRY_METHODS = frozenset("save delete".split())
#: Decorators of functions that a worker of a task queue calls.
_TASKS = frozenset(
    "task shared_task actor job db_task periodic_task db_periodic_task app_task celery_task cron".split()
)
_ROW_SAVES = frozenset("save asave delete adelete".split())


class UnheldLock(NamedTuple):
    """A row lock that is taken, or meant to be, where no transaction holds it."""

    query: LockedQuery
    sent: cst.CSTNode
    #: What sends each statement in a transaction of its own: `autocommit`, or empty in Django.
    autocommit: bool = False


class IdleLocks:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    @cached_property
    def _mentions_autocommit(self) -> bool:
        strings = (node for node in self._file.tree.nodes if isinstance(node, cst.SimpleString))
        return any(node.evaluated_value == "AUTOCOMMIT" for node in strings)

    # -- sent without its lock, or never -----------------------------------------------------------------------------

    def counted(self, function: FunctionInfo) -> Iterator[tuple[LockedQuery, str]]:
        """Locked querysets that are only counted or aggregated, each with the method: Django leaves the lock out."""
        for query in self._file.locked_queries.of(function):
            if query.name == DJANGO_LOCK:
                name = self._counted_by(query)
                if name:
                    yield query, name

    def _counted_by(self, query: LockedQuery) -> str:
        at = query.links.index(query.call)
        names = [called_name(link) for link in query.links[at + 1 :] if isinstance(link, cst.Call)]
        counting = next((name for name in names if name in COUNTING), "")
        if counting or any(name in _ENDING for name in names):
            return counting
        uses = self._file.locked_queries.uses(query.chain)
        found = {self._method_on(use) for use in uses}
        return next(iter(sorted(found)), "") if found and found <= COUNTING else ""

    def _method_on(self, use: cst.Name) -> str:
        """The last method of the chain that begins with a local."""
        node: cst.CSTNode = use
        name = ""
        parent = self._file.parent(node)
        while isinstance(parent, cst.Attribute | cst.Call) and node in (
            getattr(parent, "value", None),
            getattr(parent, "func", None),
        ):
            if isinstance(parent, cst.Call):
                name = called_name(parent)
                if name in COUNTING:
                    return name
            node, parent = parent, self._file.parent(parent)
        return name

    def unsent(self, function: FunctionInfo) -> Iterator[LockedQuery]:
        """Locked queries that are built and dropped, or kept in a local that nobody reads."""
        for query in self._file.locked_queries.of(function):
            names = {called_name(link) for link in query.links if isinstance(link, cst.Call)}
            if not names.isdisjoint(_ENDING - {"all"} if query.name == DJANGO_LOCK else _ENDING):
                continue
            parent = self._file.parent(query.chain)
            if (isinstance(parent, cst.Expr) and self._is_query(query)) or (
                isinstance(parent, cst.Assign) and self._is_query(query) and self._is_unread(parent, function)
            ):
                yield query

    def _is_query(self, query: LockedQuery) -> bool:
        """Whether the chain is surely one query to its end, which a slice or a method unknown to us may send."""
        reads = self._file.queries.of(query.chain)
        after = query.links[query.links.index(query.call) + 1 :]
        if any(isinstance(link, cst.Call) and called_name(link) not in _LAZY for link in after):
            return False
        return (
            bool(reads)
            and all(read.shape in ("query", "statement") for read in reads)
            and all(isinstance(link, cst.Call) for link in query.links)
        )

    def _is_unread(self, assign: cst.Assign, function: FunctionInfo) -> bool:
        targets = [target.target for target in assign.targets]
        if len(targets) != 1 or not isinstance(targets[0], cst.Name):
            return False
        name = targets[0]
        named = (n for n in self._file.tree.within(function.node) if isinstance(n, cst.Name) and n.value == name.value)
        return all(node is name for node in named)

    # -- sent outside of a transaction -------------------------------------------------------------------------------

    def unheld(self, function: FunctionInfo) -> list[UnheldLock]:
        """The locks of a function that no transaction holds; one for each query."""
        if self._file.rows.runs_alone(function) and not self._is_entry(function):
            return []
        return [*self._outside(function), *self._autocommitted(function)]

    def _outside(self, function: FunctionInfo) -> Iterator[UnheldLock]:
        for query in self._file.locked_queries.of(function):
            if query.name != DJANGO_LOCK:
                continue
            sent = [node for node in self._file.locked_queries.sent(query) if self._is_unheld(node)]
            if sent and self._must_hold(function, query, sent[0]):
                yield UnheldLock(query, sent[0])

    def _is_unheld(self, node: cst.CSTNode) -> bool:
        return not self._file.transactions.may_be_held(node)

    def _must_hold(self, function: FunctionInfo, query: LockedQuery, sent: cst.CSTNode) -> bool:
        """Whether it is this function that has to begin the transaction, and none of those who call it elsewhere."""
        if self._is_entry(function) or self._begins_another(function, sent):
            return True
        if is_lock_name(function.name) or self._gives_back(function, sent):
            return False
        if function.owner is not None and self._is_of_orm(function.owner):
            return function.name in _ENTRY_METHODS or self._writes(function, sent)
        return self._writes(function, sent)

    def _is_entry(self, function: FunctionInfo) -> bool:
        """Whether nobody who could hold a transaction calls a function: a task, a command, a coroutine."""
        if function.is_async or (function.name == "handle" and self._file.rows.runs_alone(function)):
            return True
        return not _TASKS.isdisjoint(function.decorator_names)

    def _begins_another(self, function: FunctionInfo, sent: cst.CSTNode) -> bool:
        """Whether a function begins a transaction of its own, only too late; one that is tried may be a savepoint."""
        order = self._file.tree.order
        around_lock = set(self._file.ancestors(sent))
        return any(
            isinstance(node, cst.With)
            and order(node) > order(sent)
            and any(self._file.transactions.opens(item.item) for item in node.items)
            and not any(isinstance(around, cst.Try) for around in set(self._file.ancestors(node)) - around_lock)
            for node in function.own
        )

    def _is_of_orm(self, info: ClassInfo) -> bool:
        for base in self._file.kinds.mro(Kind("instance", ref=info)):
            if isinstance(base.ref, ClassInfo):
                named = [last_name(node) for node in base.ref.bases]
                if any(not _OF_ORM.isdisjoint(words(name)) for name in named):
                    return True
        return not _OF_ORM.isdisjoint(words(info.name))

    def _gives_back(self, function: FunctionInfo, sent: cst.CSTNode) -> bool:
        """Whether a function returns what it has locked: its callers write it, in a transaction of theirs."""
        for node in function.own:
            if isinstance(node, cst.Return | cst.Yield) and node.value is not None:
                if sent in self._file.tree.within(node.value):
                    return True
                if any(
                    read.locked and self._file.function_of(read.sent) is function
                    for inner in self._file.tree.within(node.value)
                    if isinstance(inner, cst.Name)
                    for read in self._file.queries.of(inner)
                ) and not self._writes(function, sent):
                    return True
        return False

    def _writes(self, function: FunctionInfo, sent: cst.CSTNode) -> bool:
        """Whether the function itself writes the rows that it has locked."""
        return any(read.locked for call in function.calls for read in self._file.queries.of(_saved(call)))

    def _autocommitted(self, function: FunctionInfo) -> Iterator[UnheldLock]:
        """Locks of SQLAlchemy that are sent by what commits each statement by itself."""
        if not self._mentions_autocommit:
            return
        for call in function.calls:
            if called_name(call) not in clauses.EXECUTING or not isinstance(call.func, cst.Attribute) or not call.args:
                continue
            for read in self._file.queries.of(call.args[0].value):
                locks = [
                    link for link in read.links if isinstance(link, cst.Call) and called_name(link) == SQLALCHEMY_LOCK
                ]
                if locks and self._is_autocommit(call.func.value, 0):
                    yield UnheldLock(LockedQuery(locks[-1], locks[-1], tuple(links(locks[-1]))), call, autocommit=True)
                    break

    def _is_autocommit(self, node: cst.BaseExpression, depth: int) -> bool:
        """Whether a connection or session is made with AUTOCOMMIT, as far as the file shows how it is made."""
        if depth > 5:
            return False
        for inner in self._file.tree.within(node):
            if isinstance(inner, cst.Call) and any(_sets_autocommit(arg) for arg in inner.args):
                return True
        named = (inner for inner in self._file.tree.within(node) if isinstance(inner, cst.Name))
        bindings = [binding for name in named for binding in self._file.names.reaching(name) or ()]
        made = (binding.value for binding in bindings if binding.how in ("assign", "with"))
        return any(value is not None and self._is_autocommit(value, depth + 1) for value in made)


def _saved(call: cst.Call) -> cst.BaseExpression | None:
    """The row that a call saves or deletes, or the rows of a `bulk_update`."""
    if called_name(call) in ("bulk_update", "abulk_update") and call.args:
        return call.args[0].value
    is_save = called_name(call) in _ROW_SAVES and isinstance(call.func, cst.Attribute)
    return call.func.value if is_save and isinstance(call.func, cst.Attribute) else None


def _sets_autocommit(arg: cst.Arg) -> bool:
    return (
        arg.keyword is not None
        and arg.keyword.value == "isolation_level"
        and isinstance(arg.value, cst.SimpleString)
        and arg.value.evaluated_value == "AUTOCOMMIT"
    )
