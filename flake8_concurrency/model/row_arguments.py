"""Rows of the database that are handed to a task in place of their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model import clauses
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.dispatches import Dispatch
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import dotted, last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_ROWS = frozenset({"row", "rows"})
#: What makes a row, or gives one back.
_MAKING = frozenset("create acreate get_or_create update_or_create".split())
#: What shows, called on something or given it, that it is a row.
_ON_ROW = frozenset("save asave refresh_from_db arefresh_from_db full_clean delete_instance".split())
_WITH_ROW = frozenset("add refresh merge".split())
_FORMS = frozenset({"serializer", "form"})


class RowArgument(NamedTuple):
    """A row among what a task is given."""

    call: cst.Call
    #: The call as it is written, and the row.
    sends: str
    row: str
    is_many: bool
    is_django: bool


class RowArguments:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._imports = clauses.imported(file.tree.module)

    def of(self, call: cst.Call) -> RowArgument | None:
        """The first row that a call hands to a task, now or when what it makes is called."""
        dispatch = self._file.tasks.dispatch(call)
        name = dispatch.name if dispatch is not None else dotted(call.args[0].value) if call.args else ""
        dispatch = dispatch or self._prepared(call)
        if dispatch is None:
            return None
        for value in dispatch.given:
            shape = self._shape(value)
            if shape and text(value):
                is_django = self._imports.django or not self._imports.sqlalchemy
                return RowArgument(call, name, text(value), shape == "rows", is_django)
        return None

    def _prepared(self, call: cst.Call) -> Dispatch | None:
        """`partial(task.delay, order)`, `partial(queue.enqueue, work, order)`."""
        if called_name(call) != "partial" or not call.args or not isinstance(call.args[0].value, cst.Attribute):
            return None
        func = call.args[0].value
        name = func.attr.value
        given = tuple(arg.value for arg in call.args[1:])
        if name in known.ENQUEUING:
            return Dispatch(call, given[:1], given[1:], {}) if self._file.dispatches.is_queue(func.value) else None
        if known.SENDING.get(name) is None or not self._file.dispatches.is_task(func.value, "delay", call):
            return None
        given = given if known.SENDING[name] == "plain" else self._packed(given)
        return Dispatch(call, (func.value,), given, {})

    @staticmethod
    def _packed(given: tuple[cst.BaseExpression, ...]) -> tuple[cst.BaseExpression, ...]:
        return tuple(
            element.value
            for value in given
            if isinstance(value, cst.Tuple | cst.List | cst.Dict)
            for element in value.elements
        )

    # -- what is a row -----------------------------------------------------------------------------------------------

    def _shape(self, node: cst.BaseExpression) -> str:
        """`row` or `rows`, where an expression surely is one or a collection of them."""
        if not isinstance(node, cst.Name | cst.Attribute):
            return ""
        reads = self._file.queries.of(node)
        if reads:
            # What hangs on a row may be one of its columns.
            is_row = all(
                not (read.related or read.partial) and (read.shape in _ROWS or read.shape == "query") for read in reads
            )
            return ("row" if reads[0].shape == "row" else "rows") if is_row else ""
        function = self._file.function_of(node) or self._around(node)
        if function is None or not isinstance(node, cst.Name):
            return ""
        if node.value == function.this:
            return "row" if self._is_own_row(function) else ""
        return "row" if self._is_row(node, function) else ""

    def _around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function around a lambda."""
        found = next((above for above in self._file.ancestors(node) if isinstance(above, cst.FunctionDef)), None)
        return None if found is None else self._file.definitions.functions[found]

    def _is_own_row(self, function: FunctionInfo) -> bool:
        owner = function.owner
        return owner is not None and not function.is_classmethod and self._file.before_commit.is_model(owner)

    def _is_row(self, node: cst.Name, function: FunctionInfo) -> bool:
        bindings = self._file.names.reaching(node) or ()
        return bool(bindings) and all(self._binds_row(binding, node.value, function) for binding in bindings)

    def _binds_row(self, binding: Binding, name: str, function: FunctionInfo) -> bool:
        if binding.how == "param":
            if name == "instance" and self._file.before_commit.receives(function):
                return True
            return self._is_mapped(binding.annotation) and self._is_used_as_row(name, function)
        value = binding.value.expression if isinstance(binding.value, cst.Await) else binding.value
        if binding.how != "assign" or not isinstance(value, cst.Call):
            return False
        made = called_name(value)
        receiver = value.func.value if isinstance(value.func, cst.Attribute) else None
        if made in _MAKING and receiver is not None and last_name(receiver) == "objects":
            return binding.path == ((0,) if "or_create" in made else ())
        if binding.path:
            return False
        if made == "save" and receiver is not None and self._imports.django:
            return last_name(receiver) in _FORMS
        return clauses.names_class(value.func) and self._is_used_as_row(name, function)

    def _is_mapped(self, annotation: cst.BaseExpression | None) -> bool:
        """Whether an annotation names what may be a mapped class."""
        while isinstance(annotation, cst.BinaryOperation):
            annotation = annotation.left
        if annotation is None:
            return False
        if isinstance(annotation, cst.SimpleString):
            return str(annotation.evaluated_value).rpartition(".")[2][:1].isupper()
        return clauses.names_class(annotation)

    def _is_used_as_row(self, name: str, function: FunctionInfo) -> bool:
        """Whether the function saves something of this name, or gives it to a session."""
        return any(self._shows_row(call, name) for call in function.calls)

    def _shows_row(self, call: cst.Call, name: str) -> bool:
        if not isinstance(call.func, cst.Attribute):
            return False
        if call.func.attr.value in _ON_ROW:
            return text(call.func.value) == name
        if call.func.attr.value not in _WITH_ROW or not self._file.transactions.is_session(call.func.value):
            return False
        return any(text(arg.value) == name for arg in call.args)
