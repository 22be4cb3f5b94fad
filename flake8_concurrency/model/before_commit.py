"""Why a transaction is still open where something is done that no rollback takes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model import clauses
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import is_on_commit
from flake8_concurrency.model.vocabulary import HOOKS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

DJANGO, SQLALCHEMY = "Django", "SQLAlchemy"
_DEEPEST = 3
#: A name of so many words is hardly that of two different methods.
_TELLING = 2
#: A receiver of a signal that is connected in another file says which in its name.
_SIGNAL_NAME = re.compile(r"(pre|post)_(save|delete)|m2m_changed")
#: Words in the names of a class's bases that say it is no model.
_NO_MODELS = frozenset(
    """form formset serializer view viewset admin widget field storage backend manager service repository schema
    command mutation handler basemodel task""".split()
)


class Place(NamedTuple):
    """Why a transaction is open where something is sent: where it shows, and how a message says it."""

    node: cst.CSTNode
    says: str
    orm: str


class BeforeCommit:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._places: dict[FunctionInfo, Place | None] = {}
        self._waiting: dict[FunctionInfo, bool] = {}
        self._imports = clauses.imported(file.tree.module)

    # -- what waits, or means it -------------------------------------------------------------------------------------

    def is_meant(self, call: cst.Call, function: FunctionInfo) -> bool:
        """Whether a call is made after the commit, or on purpose before it: to go on when all is rolled back."""
        return self._waits(function) or self._follows_rollback(call) or self._is_other_branch(call)

    def _waits(self, function: FunctionInfo) -> bool:
        """Whether a function is run after the commit, or looks whether there is a transaction at all."""
        if function not in self._waiting:
            inside = self._file.tree.within(function.node.body)
            self._waiting[function] = (
                is_on_commit(function.name)
                or any(is_on_commit(name) for name in function.decorator_names)
                or any(isinstance(node, cst.Name) and node.value in known.ASKING for node in inside)
            )
        return self._waiting[function]

    def _follows_rollback(self, call: cst.Call) -> bool:
        """Whether what is sent is about a failure: the transaction is rolled back, and after no commit it would go."""
        for around in self._file.ancestors(call):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.ExceptHandler | cst.ExceptStarHandler) and leaves(around.body):
                return True
            if isinstance(around, cst.IndentedBlock) and self._rolls_back(around):
                return True
        return False

    def _rolls_back(self, block: cst.IndentedBlock) -> bool:
        if isinstance(block.body[-1], cst.SimpleStatementLine) and isinstance(block.body[-1].body[-1], cst.Raise):
            return True
        calls = (node for line in block.body for node in self._file.flow.certain(line) if isinstance(node, cst.Call))
        return any(called_name(call) in ("rollback", "set_rollback") for call in calls)

    def _is_other_branch(self, call: cst.Call) -> bool:
        """Whether the other branch of an `if` around does the same after the commit."""
        child: cst.CSTNode = call
        for around in self._file.ancestors(call):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.If):
                other = around.body if child is around.orelse else around.orelse
                inside = self._file.tree.within(other) if other is not None else ()
                if any(isinstance(node, cst.Call) and is_on_commit(called_name(node)) for node in inside):
                    return True
            child = around
        return False

    # -- where the commit comes later --------------------------------------------------------------------------------

    def place(self, node: cst.CSTNode, function: FunctionInfo) -> Place | None:
        """Why a transaction is open where a node of a function runs; None when it may not be."""
        return self._place(node, function, 0)

    def _place(self, node: cst.CSTNode, function: FunctionInfo, depth: int) -> Place | None:
        """Why a transaction is open where a node of a function runs; None when it may not be."""
        region = self._region(node)
        if region is not None:
            return region
        if function not in self._places:
            self._places[function] = None
            self._places[function] = self._entered_inside(function, depth)
        return self._places[function]

    def _region(self, node: cst.CSTNode) -> Place | None:
        region = self._file.transactions.around(node)
        if region is not None:
            return self._opened(region.opener)
        child = node
        for around in self._file.ancestors(node):
            openers: list[cst.BaseExpression] = []
            if isinstance(around, cst.With) and child is around.body:
                openers = [item.item for item in around.items]
            elif isinstance(around, cst.FunctionDef):
                openers = [decorator.decorator for decorator in around.decorators]
            for opener in openers:
                if last_name(opener.func if isinstance(opener, cst.Call) else opener) in known.ATOMIC_NAMES:
                    return self._opened(opener)
            if isinstance(around, cst.FunctionDef):
                return None
            child = around
        return None

    def _opened(self, opener: cst.BaseExpression) -> Place:
        name = last_name(opener.func if isinstance(opener, cst.Call) else opener)
        is_django = self._imports.django or not self._imports.sqlalchemy
        orm = DJANGO if is_django and name not in ("begin", "begin_nested") else SQLALCHEMY
        return Place(opener, f"inside the transaction of line {self._file.line(opener)}", orm)

    def _entered_inside(self, function: FunctionInfo, depth: int) -> Place | None:
        found = (
            self._as_receiver(function)
            or self._as_method(function)
            or self._as_hook(function)
            or self._as_listener(function)
        )
        if found is not None or depth >= _DEEPEST:
            return found
        for call in self._callers(function):
            caller = self._file.function_of(call)
            if caller is None or caller is function or self._waits(caller):
                continue
            place = self._place(call, caller, depth + 1)
            if place is not None:
                return place
        return None

    def _callers(self, function: FunctionInfo) -> list[cst.Call]:
        """The calls that enter a function; those of a method of two words also on objects that are not known."""
        if function.owner is None or len(words(function.name)) < _TELLING or function.name in HOOKS:
            return self._file.queries.callers(function)
        namesakes = [other for other in self._file.definitions.functions.values() if other.name == function.name]
        return (self._file.queries if len(namesakes) > 1 else self._file.transactions).callers(function)

    def _as_receiver(self, function: FunctionInfo) -> Place | None:
        """A receiver of a signal about rows: it runs in the transaction of whoever saves."""
        signal = self.receives(function)
        if not signal:
            return None
        return Place(function.node, f"by a receiver of {signal}, in the transaction of whoever sends it", DJANGO)

    def receives(self, function: FunctionInfo) -> str:
        """The signal about rows that a function is connected to, as a message says it; empty for none."""
        signal = self._signals(function)
        return self._told_by_params(function) if signal is None else signal

    def _signals(self, function: FunctionInfo) -> str | None:
        """The signal about rows that a function is connected to; empty for another signal, None for no known one."""
        given: list[cst.BaseExpression] = []
        for decorator in function.node.decorators:
            call = decorator.decorator
            if isinstance(call, cst.Call) and called_name(call) == "receiver":
                given += [arg.value for arg in call.args if arg.keyword is None or arg.keyword.value == "signal"]
            elif isinstance(call, cst.Call) and called_name(call) == "connect" and isinstance(call.func, cst.Attribute):
                given.append(call.func.value)
            elif isinstance(call, cst.Attribute) and call.attr.value == "connect":
                given.append(call.value)
        for call in self._file.queries.named("connect"):
            if isinstance(call.func, cst.Attribute) and any(
                _received_by(arg.value) == function.name and (arg.keyword is None or arg.keyword.value == "receiver")
                for arg in call.args[:2]
            ):
                given.append(call.func.value)
        if not given:
            return None
        names = (last_name(node) for part in given for node in self._file.tree.within(part))
        return next((name for name in names if name in known.ROW_SIGNALS), "")

    def _told_by_params(self, function: FunctionInfo) -> str:
        """The signal that a function is connected to in another file, as far as its parameters and its name tell."""
        names = {param.name.value for param in function.params}
        named = _SIGNAL_NAME.search(function.name)
        if named is not None and "instance" in names and self._takes_keywords(function):
            return named[0]
        if {"instance", "created"} <= names:
            return "post_save"
        if {"sender", "instance"} <= names:
            return "a signal about a row" if names & known.SIGNAL_PARAMS else ""
        star = function.node.params.star_kwarg
        return "post_save" if "sender" in names and star is not None and self._reads_created(function) else ""

    @staticmethod
    def _takes_keywords(function: FunctionInfo) -> bool:
        """Whether a function looks like one that signals call, which pass keywords only: `*args` is for others."""
        params = function.node.params
        return not isinstance(params.star_arg, cst.Param) or any(p.name.value == "sender" for p in function.params)

    def _reads_created(self, function: FunctionInfo) -> bool:
        """`if kwargs["created"]: … kwargs["instance"]`: only post_save gives both."""
        inside = (node for node in self._file.tree.within(function.node.body) if isinstance(node, cst.SimpleString))
        return {"created", "instance"} <= {node.evaluated_value for node in inside}

    def _as_method(self, function: FunctionInfo) -> Place | None:
        """`save` or `delete` of a model, or what Django's admin calls in a transaction of its own."""
        if function.owner is None:
            return None
        if function.name in known.ADMIN_METHODS and self._is_admin(function.owner):
            says = f"by {function.qualified_name}, which Django's admin calls inside a transaction"
            return Place(function.node, says, DJANGO)
        if (
            function.name in known.MODEL_METHODS
            and self._calls_super(function)
            and (self.is_model(function.owner) or self._is_in_model(function.owner))
        ):
            says = f"by {function.qualified_name}(), in the transaction of whoever calls it"
            return Place(function.node, says, DJANGO)
        return None

    @staticmethod
    def _is_admin(owner: ClassInfo) -> bool:
        return any("admin" in words(last_name(base)) for base in owner.bases) or "admin" in words(owner.name)

    def is_model(self, owner: ClassInfo, depth: int = 0) -> bool:
        """Whether a class is a model of Django: by its bases, or by its fields."""
        if any(not _NO_MODELS.isdisjoint(words(last_name(base))) for base in owner.bases) or depth > _DEEPEST:
            return False
        if any(self._is_field(found[-1].value) for found in owner.attributes.values()):
            return True
        for base in owner.bases:
            kind = self._file.kind(base)
            inner = kind.args[0].ref if kind is not None and kind.name == "type" and kind.args[0] is not None else None
            if isinstance(inner, ClassInfo) and inner is not owner:
                if self.is_model(inner, depth + 1):
                    return True
            elif last_name(base) == "Model" or words(last_name(base))[-1:] == ["model"]:
                return not self._is_foreign(base)
        return False

    def _is_in_model(self, mixin: ClassInfo) -> bool:
        """Whether a model of the file is derived from a class that is none itself."""
        return any(
            last_name(base) == mixin.name and self.is_model(derived)
            for derived in self._file.definitions.classes.values()
            for base in derived.bases
        )

    def _is_field(self, value: cst.BaseExpression | None) -> bool:
        """`models.CharField(...)`, `ForeignKey(...)`."""
        if not isinstance(value, cst.Call):
            return False
        name = called_name(value)
        is_field = name.endswith("Field") or name in ("ForeignKey", "GenericForeignKey", "ParentalKey")
        qualified = self._file.qualified(value.func) or ""
        return is_field and (last_name(getattr(value.func, "value", value.func)) == "models" or "models" in qualified)

    def _is_foreign(self, base: cst.BaseExpression) -> bool:
        """`db.Model` of Flask-SQLAlchemy, `peewee.Model`: their rows have no `save` of Django's."""
        receiver = base.value if isinstance(base, cst.Attribute) else None
        root = (self._file.qualified(base) or "").partition(".")[0]
        return (receiver is not None and last_name(receiver) in ("db", "orm")) or root in (
            *("peewee", "flask_sqlalchemy", "mongoengine", "tortoise", "pydantic", "torch", "keras"),
        )

    def _calls_super(self, function: FunctionInfo) -> bool:
        return any(called_name(call) == function.name and _is_super(call) for call in function.calls)

    def _as_hook(self, function: FunctionInfo) -> Place | None:
        """`@hook(AFTER_CREATE)` of django-lifecycle runs in `save()`, unless it is told to wait for the commit."""
        for decorator in function.node.decorators:
            call = decorator.decorator
            if not isinstance(call, cst.Call) or called_name(call) != "hook" or not call.args:
                continue
            first = call.args[0].value
            moment = first.evaluated_value if isinstance(first, cst.SimpleString) else last_name(first)
            waits = argument(call, None, "on_commit")
            if str(moment).lower().startswith(("before_", "after_")) and (waits is None or literal(waits) == (False,)):
                says = f"by {function.qualified_name}(), a hook of the model, in the transaction of whoever saves it"
                return Place(function.node, says, DJANGO)
        return None

    def _as_listener(self, function: FunctionInfo) -> Place | None:
        """`@event.listens_for(Order, "after_insert")` and `event.listen(Order, "after_insert", f)` of SQLAlchemy."""
        listening = [d.decorator for d in function.node.decorators if isinstance(d.decorator, cst.Call)]
        calls = [call for call in listening if called_name(call) == "listens_for"]
        calls += [call for call in self._file.queries.named("listen") if _gives(call, function.name)]
        for call in calls:
            event = call.args[1].value if len(call.args) > 1 else None
            name = event.evaluated_value if isinstance(event, cst.SimpleString) else None
            if isinstance(name, str) and name in known.ROW_EVENTS:
                return Place(function.node, f"by a listener to {name}, which runs before the commit", SQLALCHEMY)
        return None


def _gives(call: cst.Call, name: str) -> bool:
    return any(last_name(arg.value) == name for arg in call.args)


def _is_super(call: cst.Call) -> bool:
    """`super().save()`, `super(Order, self).save()`, `models.Model.save(self)`."""
    receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
    return isinstance(receiver, cst.Call) and called_name(receiver) == "super"


def _received_by(given: cst.BaseExpression) -> str:
    """The name of the function that a signal is connected to, also through `lambda **kwargs: function(**kwargs)`."""
    if isinstance(given, cst.Lambda) and isinstance(given.body, cst.Call):
        given = given.body.func
    return last_name(given)
