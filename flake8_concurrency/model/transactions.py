"""Where a transaction begins and ends: atomic blocks and decorators, the project's own wrappers, commits between nodes.

A region is a stretch of code that runs in one transaction: a `with`, or a whole function or class that a decorator
wraps. Answers come in two strengths, for a rule needs the one or the other: what is surely so (`held`), and what may
be so, because another file, a framework or a setting decides (`may_be_held`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.vocabulary import SESSION_NAMES, may_be_session

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

TRANSACTION, SAVEPOINT = "transaction", "savepoint"

_DEEPEST = 4
#: Context managers and decorators that begin a transaction, by the last part of their name.
_ATOMIC = frozenset("atomic Atomic commit_on_success commit_manually in_transaction".split())
#: The ends of names of what `begin()` is called on.
_BEGINNERS = ("session", "engine", "sessionmaker", "maker", "factory", "local", "conn", "connection")
#: Words of context managers and decorators that may begin one, where the file doesn't say what they do.
_MAY_BEGIN = frozenset(
    """atomic atomically transaction transactional transactions tx txn begin commit autocommit savepoint isolation uow
    serializable durable""".split()
)
#: A function that says one of these knows more of its transaction than we do.
_ASKING = frozenset("in_atomic_block get_autocommit set_autocommit savepoint enter_context enter_async_context".split())
#: Methods of a `ModelAdmin` that Django runs in a transaction.
_ADMIN = frozenset(
    "save_model delete_model save_formset save_related save_form delete_queryset log_change log_addition".split()
)
#: Signals that Django sends from inside a transaction.
_SENT_INSIDE = frozenset({"pre_delete", "post_delete", "m2m_changed"})
#: What classes of views are called: ATOMIC_REQUESTS, a setting, may run their methods in a transaction.
_VIEWS = frozenset("view views viewset apiview handler resource endpoint wizard admin".split())
_VIEW_METHODS = frozenset("get post put patch delete head options dispatch".split())


class Region(NamedTuple):
    """What runs in one transaction: `node` is a `with`, a function or a class, `opener` the expression that begins it.

    `kind` is TRANSACTION or SAVEPOINT. A Django `atomic` in another one is a savepoint too: the outermost region around
    a node is what counts.
    """

    node: cst.With | cst.FunctionDef | cst.ClassDef
    opener: cst.BaseExpression
    kind: str


class Transactions:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._wrappers: dict[FunctionInfo, str] = {}
        self._entered: dict[FunctionInfo, bool] = {}
        self._may_enter: dict[FunctionInfo, bool] = {}

    # -- regions -----------------------------------------------------------------------------------------------------

    def regions(self, node: cst.CSTNode) -> list[Region]:
        """The regions that surely are around a node when it runs, as its function shows them; the innermost first."""
        return list(self._regions(node))

    def around(self, node: cst.CSTNode) -> Region | None:
        """The region whose end is the end of the transaction, as the function shows it; None outside of all."""
        found = [region for region in self._regions(node) if region.kind == TRANSACTION]
        return found[-1] if found else None

    def _regions(self, node: cst.CSTNode) -> Iterator[Region]:
        child = node
        for parent in self._file.ancestors(node):
            if isinstance(parent, cst.With) and child is not parent.body:
                # `with Session() as s, s.begin():`: the items to the left are entered already.
                yield from self._items(parent, parent.items[: self._rank(parent, child)])
            elif isinstance(parent, cst.With):
                yield from self._items(parent, parent.items)
            elif isinstance(parent, cst.Lambda):
                return
            elif isinstance(parent, cst.FunctionDef):
                yield from self._of_function(parent) if child is parent.body else ()
                return
            child = parent

    def _items(self, block: cst.With, items: Sequence[cst.WithItem]) -> Iterator[Region]:
        for item in reversed(items):
            kind = self.opens(item.item)
            if kind:
                yield Region(block, item.item, kind)

    @staticmethod
    def _rank(block: cst.With, child: cst.CSTNode) -> int:
        return next((rank for rank, item in enumerate(block.items) if item is child), 0)

    def _of_function(self, node: cst.FunctionDef) -> Iterator[Region]:
        for decorator in node.decorators:
            kind = self.opens(decorator.decorator)
            if kind:
                yield Region(node, decorator.decorator, kind)
        function = self._file.definitions.functions.get(node)
        if function is None or function.owner is None:
            return
        for info in self._family(function.owner):
            for decorator in info.node.decorators:
                if self._wraps_method(decorator.decorator, function.name):
                    yield Region(info.node, decorator.decorator, TRANSACTION)
            dispatch = info.methods.get("dispatch")
            if dispatch is not None and dispatch is not function:
                # Whatever a view does, `dispatch` has called it.
                for decorator in dispatch.node.decorators:
                    if self.opens(decorator.decorator):
                        yield Region(dispatch.node, decorator.decorator, TRANSACTION)

    def _family(self, info: ClassInfo) -> Iterator[ClassInfo]:
        for base in self._file.kinds.mro(Kind("instance", ref=info)):
            if isinstance(base.ref, ClassInfo):
                yield base.ref

    def _wraps_method(self, node: cst.BaseExpression, method: str) -> bool:
        """`@method_decorator(transaction.atomic, name="dispatch")` on a class."""
        if not (isinstance(node, cst.Call) and called_name(node) == "method_decorator" and node.args):
            return False
        if not self.opens(node.args[0].value):
            return False
        named = [arg.value for arg in node.args if arg.keyword is not None and arg.keyword.value == "name"]
        name = named[0].evaluated_value if named and isinstance(named[0], cst.SimpleString) else None
        return name in ("dispatch", method)

    # -- what begins a transaction -----------------------------------------------------------------------------------

    def opens(self, node: cst.BaseExpression) -> str:
        """What a context manager or decorator surely opens: TRANSACTION or SAVEPOINT; empty for anything else."""
        return self._opens(node, 0)

    def _opens(self, node: cst.BaseExpression, depth: int) -> str:
        if depth > _DEEPEST:
            return ""
        match node:
            case cst.Await(expression=inner):
                return self._opens(inner, depth + 1)
            case cst.IfExp(body=body, orelse=orelse):
                return self._opens(orelse, depth + 1) and self._opens(body, depth + 1)
            case cst.Call(args=[first, *_]) if called_name(node) == "method_decorator":
                return self._opens(first.value, depth + 1)
            case cst.Call():
                return self._named(node.func, depth)
            case cst.List() | cst.Tuple():
                found = (self._opens(element.value, depth + 1) for element in node.elements)
                return next((kind for kind in found if kind), "")
            case cst.Name() | cst.Attribute():
                return self._named(node, depth)
        return ""

    def _named(self, func: cst.BaseExpression, depth: int) -> str:
        """What is opened by this callee, or by the decorator or local of this name."""
        kind = self._file.kind(func)
        if kind is not None and isinstance(kind.ref, FunctionInfo):
            return self.wraps(kind.ref)
        name = last_name(func)
        if name == "begin_nested":
            return SAVEPOINT
        if name in _ATOMIC or (self._file.qualified(func) or "").startswith("django.db.transaction.atomic"):
            return TRANSACTION
        if isinstance(func, cst.Attribute):
            return TRANSACTION if self._is_begin(func) else ""
        return self._bound(func, depth) if isinstance(func, cst.Name) else ""

    def _is_begin(self, func: cst.Attribute) -> bool:
        """`session.begin()`, `engine.begin()`, `conn.transaction()`, `Session.begin()` of a sessionmaker."""
        of: cst.BaseExpression = func.value
        while isinstance(of, cst.Call):
            of = of.func
        receiver = last_name(of)
        if func.attr.value == "transaction":
            return receiver.lower().endswith(("conn", "connection", "db", "database", "pool"))
        if func.attr.value != "begin":
            return False
        return receiver in SESSION_NAMES or receiver.lower().endswith(_BEGINNERS) or self.is_session(func.value)

    def _bound(self, name: cst.Name, depth: int) -> str:
        """What is opened by a name that the file gives to something else: `atomic = transaction.atomic`."""
        found = ""
        for binding in self._file.names.reaching(name) or ():
            if binding.how != "assign" or binding.path or binding.value is None:
                return ""
            found = self._opens(binding.value, depth + 1)
            if not found:
                return ""
        return found

    def wraps(self, function: FunctionInfo) -> str:
        """What a function of the file opens for what it wraps, as a context manager or as a decorator."""
        if function not in self._wrappers:
            self._wrappers[function] = ""
            self._wrappers[function] = self._entering(function) or self._decorating(function)
        return self._wrappers[function]

    def _entering(self, function: FunctionInfo) -> str:
        if not function.decorator_names & {"contextmanager", "asynccontextmanager"}:
            return ""
        for node in function.nodes(cst.Yield):
            for region in self._regions(node):
                if isinstance(region.node, cst.With):
                    return region.kind
            # `yield session; session.commit()`
            if any(self.ends(call) == "commit" and self._follows(node, call) for call in function.calls):
                return TRANSACTION
        return ""

    def _decorating(self, function: FunctionInfo) -> str:
        """Whether a function gives back what it is given, called in a transaction."""
        given = {param.name.value for param in function.params}
        for node in self._file.tree.within(function.node.body):
            if isinstance(node, cst.FunctionDef):
                given.update(param.name.value for param in node.params.params[:1])
            elif isinstance(node, cst.Return) and isinstance(node.value, cst.Call):
                # `return transaction.atomic(func)`
                passed = {text(arg.value) for arg in node.value.args}
                if passed & given and self.opens(node.value.func):
                    return TRANSACTION
            elif isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in given:
                around = self._file.function_of(node)
                if around is not function and (found := self.around(node)) is not None:
                    return found.kind
        return ""

    def is_session(self, node: cst.BaseExpression) -> bool:
        """Whether an expression is a session of SQLAlchemy, by its kind or its name."""
        if self._file.is_a(node, *clauses.SESSIONS):
            return True
        while isinstance(node, cst.Call):
            node = node.func
        return may_be_session(last_name(node))

    # -- what may be ---------------------------------------------------------------------------------------------------

    def held(self, node: cst.CSTNode) -> bool:
        """Whether a node surely runs in a transaction, as far as this file tells: all callers of its function count."""
        if self.around(node) is not None:
            return True
        function = self._file.function_of(node)
        return function is not None and self.is_entered_inside(function)

    def is_entered_inside(self, function: FunctionInfo) -> bool:
        """Whether all calls of a function that the file shows, one at least, stand in a transaction."""
        if function not in self._entered:
            self._entered[function] = False
            callers = self.callers(function)
            self._entered[function] = bool(callers) and all(self.held(call) for call in callers)
        return self._entered[function] or self._is_sent_inside(function)

    def callers(self, function: FunctionInfo) -> list[cst.Call]:
        """The calls in the file that enter a function, or may: of a method of this name on an unknown object."""
        named = self._file.queries.named(function.name)
        return [call for call in named if self._file.callee(call) in (function, None)]

    def may_be_held(self, node: cst.CSTNode) -> bool:
        """Whether a node runs in a transaction, or something that this file doesn't show may see to it."""
        for parent in self._file.ancestors(node):
            if isinstance(parent, cst.Lambda):
                return True
            if isinstance(parent, cst.With) and any(self._may_open(item.item) for item in parent.items):
                return True
        function = self._file.function_of(node)
        return function is None or self._may_be_entered_inside(function)

    def _may_be_entered_inside(self, function: FunctionInfo) -> bool:
        if function not in self._may_enter:
            self._may_enter[function] = False
            self._may_enter[function] = (
                next(self._of_function(function.node), None) is not None
                or self._is_deferred(function)
                or any(self._may_open(decorator.decorator) for decorator in function.node.decorators)
                or self._asks(function)
                or self.is_request(function)
                or self._is_sent_inside(function)
                or self._may_be_called_inside(function)
            )
        return self._may_enter[function]

    def _may_be_called_inside(self, function: FunctionInfo) -> bool:
        """Whether a caller may hold a transaction: one of the file, and for a private function one of another file."""
        callers = self.callers(function)
        if any(self.may_be_held(call) for call in callers):
            return True
        return function.name.startswith("_") and not callers

    def _is_deferred(self, function: FunctionInfo) -> bool:
        """Whether a function stands in another one: who runs it, and when, isn't known."""
        return isinstance(self._file.tree.scope_of(function.node), cst.FunctionDef | cst.Lambda)

    def _may_open(self, node: cst.BaseExpression) -> bool:
        if self.opens(node):
            return True
        func = node.func if isinstance(node, cst.Call) else node
        kind = self._file.kind(func)
        if kind is not None and isinstance(kind.ref, FunctionInfo) and self._uses_none(kind.ref):
            return False
        inner = node.args if isinstance(node, cst.Call) else ()
        spelled = words(last_name(func)) + [word for arg in inner for word in words(last_name(arg.value))]
        return not _MAY_BEGIN.isdisjoint(spelled) or "non_atomic_requests" in last_name(func)

    def _uses_none(self, function: FunctionInfo) -> bool:
        """Whether nothing in a function of the file speaks of transactions."""
        inside = self._file.tree.within(function.node)
        return all(
            _MAY_BEGIN.isdisjoint(words(node.value)) and node.value not in _ASKING
            for node in inside
            if isinstance(node, cst.Name)
        )

    def _asks(self, function: FunctionInfo) -> bool:
        """Whether a function looks after its transaction itself, or is a manager that others enter."""
        names = (node for node in self._file.tree.within(function.node.body) if isinstance(node, cst.Name))
        return any(node.value in _ASKING for node in names)

    def is_request(self, function: FunctionInfo) -> bool:
        """Whether a function serves a request: Django's ATOMIC_REQUESTS may run it in a transaction."""
        names = [param.name.value for param in function.params]
        if "request" in names:
            return True
        if function.owner is None:
            return False
        if function.name in _ADMIN or function.name in _VIEW_METHODS:
            return True
        if not _VIEWS.isdisjoint(words(function.owner.name)):
            return True
        bases = (word for base in function.owner.bases for word in words(last_name(base)))
        if not _VIEWS.isdisjoint(bases):
            return True
        return any(
            isinstance(node, cst.Attribute) and node.attr.value == "request" and text(node.value) == function.this
            for node in self._file.tree.within(function.node.body)
        )

    def _is_sent_inside(self, function: FunctionInfo) -> bool:
        """Whether a function receives a signal that Django sends from inside a transaction."""
        for decorator in function.node.decorators:
            call = decorator.decorator
            if isinstance(call, cst.Call) and called_name(call) == "receiver":
                named = {last_name(node) for arg in call.args for node in self._file.tree.within(arg.value)}
                if named & _SENT_INSIDE:
                    return True
        connects = self._file.queries.named("connect")
        return any(
            isinstance(call.func, cst.Attribute)
            and last_name(call.func.value) in _SENT_INSIDE
            and any(last_name(arg.value) == function.name for arg in call.args)
            for call in connects
        )

    # -- where it ends -----------------------------------------------------------------------------------------------

    def ends(self, call: cst.Call) -> str:
        """What a call does to the transaction: `commit`, `rollback`; empty for anything else."""
        name = called_name(call)
        if name not in ("commit", "rollback") or not isinstance(call.func, cst.Attribute):
            return ""
        receiver = call.func.value
        of = last_name(receiver)
        is_driver = of in ("transaction", "conn", "connection", "con", "database")
        return name if is_driver or self.is_session(receiver) else ""

    def ended_between(self, first: cst.CSTNode, second: cst.CSTNode) -> cst.CSTNode | None:
        """What surely ends the transaction after `first` and before `second`, both in one function.

        A `with` that is left, or a commit or rollback call; None when the transaction may still be open, which it is
        where the function's own region is only a savepoint of a caller's.
        """
        region = self.around(first)
        if region is not None and isinstance(region.node, cst.With) and not self._is_inside(second, region.node):
            function = self._file.function_of(first)
            if function is None or not self.is_entered_inside(function):
                return region.node
        return next((call for call in self.ending(first, second)), None)

    def ending(self, first: cst.CSTNode, second: cst.CSTNode) -> Iterator[cst.Call]:
        """The commits and rollbacks that surely run between two nodes, the nearest to `second` first."""
        order = self._file.tree.order
        for statement in self._file.flow.earlier(second):
            for node in self._file.flow.certain(statement):
                if isinstance(node, cst.Call) and order(first) < order(node) < order(second) and self.commits(node):
                    yield node

    def commits(self, call: cst.Call) -> bool:
        """Whether a call surely ends the transaction, itself or in a function of the file that it enters."""
        if self.ends(call):
            return True
        callee = self._file.callee(call)
        return callee is not None and self._always_commits(callee, 0)

    def _always_commits(self, function: FunctionInfo, depth: int) -> bool:
        if depth > _DEEPEST or function.is_generator:
            return False
        for statement in function.node.body.body:
            for node in self._file.flow.certain(statement):
                if isinstance(node, cst.Call):
                    if self.ends(node):
                        return True
                    callee = self._file.callee(node)
                    if callee is not None and callee is not function and self._always_commits(callee, depth + 1):
                        return True
            if leaves(statement):
                return False
        return False

    def _is_inside(self, node: cst.CSTNode, block: cst.CSTNode) -> bool:
        return any(parent is block for parent in self._file.ancestors(node))

    def _follows(self, first: cst.CSTNode, second: cst.CSTNode) -> bool:
        return self._file.tree.order(first) < self._file.tree.order(second)
