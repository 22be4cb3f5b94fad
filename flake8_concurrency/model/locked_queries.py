"""Queries that ask for row locks, and where each is sent: a queryset that is only built and handed on locks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.vocabulary import SHORTCUTS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

DJANGO_LOCK, SQLALCHEMY_LOCK = "select_for_update", "with_for_update"

#: Methods of a queryset that send it as it is, with its lock.
_SENDING = frozenset(
    """get first last earliest latest exists contains in_bulk get_or_create
    aget afirst alast aearliest alatest aexists acontains ain_bulk aget_or_create""".split()
)
#: Those that send another query, in which Django leaves the lock out.
COUNTING = frozenset("count aggregate acount aaggregate".split())
#: Those that send another query, which needs no lock of its own or begins its own transaction.
_OTHER = frozenset(
    """update delete create bulk_create bulk_update update_or_create aupdate adelete acreate abulk_create abulk_update
    aupdate_or_create""".split()
)
#: Functions that iterate over what they are given.
_ITERATING = frozenset("list tuple set frozenset sorted len bool any all sum max min dict next enumerate zip".split())
_MOST_USES = 30


class LockedQuery(NamedTuple):
    """A call of `select_for_update` or `with_for_update`, and the chain of calls that it stands in."""

    call: cst.Call
    #: The whole chain, as far as it is written there.
    chain: cst.BaseExpression
    #: The calls and slices of the chain from its start, the lock among them.
    links: tuple[cst.CSTNode, ...]

    @property
    def name(self) -> str:
        return called_name(self.call)


class LockedQueries:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        imports = clauses.imported(file.tree.module)
        #: Tortoise has the same method, and transactions of its own.
        self._lock_names = {SQLALCHEMY_LOCK} if imports.other and not imports.django else {DJANGO_LOCK, SQLALCHEMY_LOCK}

    def of(self, function: FunctionInfo) -> Iterator[LockedQuery]:
        """The queries of a function that ask for a lock there."""
        for call in function.calls:
            is_lock = called_name(call) in self._lock_names and isinstance(call.func, cst.Attribute)
            if is_lock and not _is_super(call.func):
                yield LockedQuery(call, *self.chain(call))

    def chain(self, call: cst.Call) -> tuple[cst.BaseExpression, tuple[cst.CSTNode, ...]]:
        """The whole chain of calls and slices that a call stands in, and its links in order."""
        top: cst.BaseExpression = call
        parent = self._file.parent(top)
        while True:
            if isinstance(parent, cst.Attribute) and parent.value is top:
                above = self._file.parent(parent)
                if not (isinstance(above, cst.Call) and above.func is parent):
                    break
                top = above
            elif isinstance(parent, cst.Subscript) and parent.value is top:
                top = parent
            else:
                break
            parent = self._file.parent(top)
        return top, tuple(links(top))

    def sent(self, query: LockedQuery) -> list[cst.CSTNode]:
        """Where a queryset is evaluated, with its lock, in the function that builds it."""
        return list(self._sent(query.chain, _after(query), set()))

    def _sent(self, node: cst.BaseExpression, names: list[str], seen: set[cst.CSTNode]) -> Iterator[cst.CSTNode]:
        for name in names:
            if name in _SENDING:
                yield node
            if name in _SENDING or name in COUNTING or name in _OTHER:
                return
        seen.add(node)
        if self.is_consumed(node):
            yield node
            return
        is_read = False
        for use in self.uses(node) if len(seen) < _MOST_USES else ():
            chain, methods = self._chain_of_use(use)
            if chain is use and self.is_consumed(use):
                # From then on it has its rows, and asks the database no more.
                if not is_read:
                    yield use
                is_read = True
            elif use not in seen:
                seen.add(use)
                yield from self._sent(chain, methods, seen)

    def _chain_of_use(self, use: cst.Name) -> tuple[cst.BaseExpression, list[str]]:
        """The chain of calls that begins with a local, and the methods in it."""
        parent = self._file.parent(use)
        above = self._file.parent(parent) if isinstance(parent, cst.Attribute) and parent.value is use else None
        if not (isinstance(above, cst.Call) and above.func is parent):
            return use, []
        chain, steps = self.chain(above)
        return chain, [called_name(step) for step in steps if isinstance(step, cst.Call)]

    def is_consumed(self, node: cst.CSTNode) -> bool:
        """Whether a queryset is iterated over, tested or indexed where it stands."""
        if isinstance(node, cst.Subscript) and not isinstance(node.slice[0].slice, cst.Slice):
            return True
        parent = self._file.parent(node)
        match parent:
            case cst.For(iter=given) | cst.CompFor(iter=given):
                return given is node
            case cst.If(test=given) | cst.While(test=given) | cst.IfExp(test=given) | cst.StarredElement(value=given):
                return given is node
            case cst.Subscript(value=given):
                return given is node and not isinstance(parent.slice[0].slice, cst.Slice)
            case cst.UnaryOperation(operator=cst.Not()) | cst.BooleanOperation() | cst.From():
                return True
            case cst.ComparisonTarget(operator=cst.In() | cst.NotIn()):
                return True
            case cst.Arg(keyword=None):
                call = self._file.parent(parent)
                if not isinstance(call, cst.Call):
                    return False
                is_plain = isinstance(call.func, cst.Name) and call.func.value in _ITERATING
                return is_plain or (last_name(call.func) in SHORTCUTS and call.args[0] is parent)
        return False

    def uses(self, node: cst.CSTNode) -> list[cst.Name]:
        """Where the local is read that a queryset is assigned to, in the same function."""
        parent = self._file.parent(node)
        bound: cst.CSTNode = parent
        if isinstance(parent, cst.NamedExpr):
            bound = parent
        elif not isinstance(parent, cst.Assign | cst.AnnAssign):
            return []
        function = self._file.function_of(node)
        if function is None:
            return []
        return [use for use in self._names(function) if self._is_bound(use, bound, node)]

    def _names(self, function: FunctionInfo) -> Iterator[cst.Name]:
        for inner in self._file.tree.within(function.node.body):
            if isinstance(inner, cst.Name) and self._file.function_of(inner) is function:
                parent = self._file.parent(inner)
                is_attribute = isinstance(parent, cst.Attribute) and parent.attr is inner
                is_target = isinstance(parent, cst.AssignTarget | cst.NameItem | cst.Param)
                if not is_attribute and not is_target and not (isinstance(parent, cst.Arg) and parent.keyword is inner):
                    yield inner

    def _is_bound(self, use: cst.Name, bound: cst.CSTNode, value: cst.CSTNode) -> bool:
        targets: list[cst.BaseExpression] = []
        if isinstance(bound, cst.Assign):
            targets = [target.target for target in bound.targets]
        if isinstance(bound, cst.AnnAssign | cst.NamedExpr):
            targets = [bound.target]
        if not any(isinstance(target, cst.Name) and target.value == use.value for target in targets):
            return False
        reaching = self._file.names.reaching(use) or ()
        return any(binding.node is bound and binding.value is value for binding in reaching)


def links(top: cst.BaseExpression) -> list[cst.CSTNode]:
    """The calls and slices of a chain from its start."""
    found: list[cst.CSTNode] = []
    node: cst.BaseExpression = top
    while True:
        if isinstance(node, cst.Call):
            found.append(node)
            node = node.func
        elif isinstance(node, cst.Subscript):
            found.append(node)
            node = node.value
        elif isinstance(node, cst.Attribute):
            node = node.value
        else:
            return found[::-1]


def _after(query: LockedQuery) -> list[str]:
    """The methods that are called on a locked query, in order."""
    at = query.links.index(query.call)
    return [called_name(link) for link in query.links[at + 1 :] if isinstance(link, cst.Call)]


def _is_super(node: cst.BaseExpression) -> bool:
    """`super().select_for_update()`: a queryset of the project that says what its locks are."""
    of = node.value if isinstance(node, cst.Attribute) else node
    return isinstance(of, cst.Call) and isinstance(of.func, cst.Name) and of.func.value == "super"


def option(call: cst.Call, name: str) -> cst.BaseExpression | None:
    """What a lock is asked for with: the value of `skip_locked=`, `nowait=`, `of=`; None when it is not given."""
    for arg in call.args:
        if arg.keyword is not None and arg.keyword.value == name:
            return arg.value
    return None


def is_set(call: cst.Call, name: str) -> bool:
    """Whether an option of a lock is given and may be true."""
    given = option(call, name)
    return given is not None and literal(given) not in ((False,), (None,))


def has_unknown(call: cst.Call) -> bool:
    """Whether a call passes `**options` or positional ones, of which nothing is known."""
    return any(arg.star or arg.keyword is None for arg in call.args)


def waits(lock: cst.Call) -> bool:
    """Whether a lock surely waits for rows that another transaction holds."""
    return not (has_unknown(lock) or is_set(lock, "skip_locked") or is_set(lock, "nowait"))
