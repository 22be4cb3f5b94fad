"""Columns that say when a row was last used, set to the current time by whatever uses it: where, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import touches as vocabulary
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.reads import SQLALCHEMY
from flake8_concurrency.model.spelling import dotted, last_name, text
from flake8_concurrency.model.touch_writes import TouchWrites, Written
from flake8_concurrency.model.vocabulary import COMMITS, SAVING, is_session_name
from flake8_concurrency.model.windows import Windows

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 3
_ABANDONING = frozenset({"rollback", "expunge", "make_transient"})
_KEEPING = frozenset({"add", "merge", "add_all"})
#: Blocks that commit when they are left.
_COMMITTING_BLOCKS = frozenset("begin transaction atomic session_scope unit_of_work uow in_transaction".split())
#: What a class body calls to declare a column.
_COLUMNS = re.compile(r"column|field|^mapped", re.IGNORECASE)


class Touch(NamedTuple):
    """A write of the current time, with every call, to a column of a row that already is there."""

    node: cst.CSTNode
    column: str


class Touches:
    """Finds in one file what writes when a row was last used, with no regard to how long ago that was."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._writes = TouchWrites(file)
        self._windows = Windows(file)

    def of(self, function: FunctionInfo) -> list[Touch]:
        """What a function writes so."""
        if self._is_rare(function) or self._windows.paced(function):
            return []
        admits = self._admits(function)
        written = [w for w in self._writes.of(function) if vocabulary.is_use(w.column) or admits]
        if not written or all(self._is_kept(function, one.column) for one in written):
            return []
        found = [Touch(one.node, one.column) for one in written if self._is_touch(function, one)]
        # `a.last_used = b.last_used = now()` is one.
        return list({self._file.tree.statement(one.node): one for one in reversed(found)}.values())[::-1]

    # -- where it stands ---------------------------------------------------------------------------------------------

    def _is_rare(self, function: FunctionInfo) -> bool:
        """Whether a function runs once a session or a row: by its name, its class's, what it asks or answers."""
        owner = function.owner
        names = [function.name, *(dotted(node) for node in function.decorators)]
        if owner is not None:
            names.append(owner.name)
            if owner.name == "Command":
                return True
        if any(vocabulary.is_rare(name.rpartition(".")[2]) for name in names):
            return True
        if any(param.name.value in vocabulary.TYPED for param in function.params):
            return True
        given = [arg.value for decorator in function.node.decorators for arg in _arguments(decorator.decorator)]
        return any(vocabulary.is_rare(last_name(value)) for value in given)

    def _admits(self, function: FunctionInfo) -> bool:
        owner = function.owner
        bases = [] if owner is None else [last_name(base) for base in owner.bases]
        decorated = any(last_name(node) == "before_request" for node in function.decorators)
        return decorated or vocabulary.admits(function.name, "" if owner is None else owner.name, bases)

    def _is_kept(self, function: FunctionInfo, column: str, depth: int = 0) -> bool:
        """Whether all the file's callers of a function test the age of the column, or run rarely."""
        calls = [
            call
            for call in self._file.queries.named(function.name)
            if self._file.callee(call) in (None, function) and self._file.function_of(call) is not function
        ]
        if not calls or depth >= _DEEPEST:
            return False
        return all(self._is_kept_at(call, column, depth) for call in calls)

    def _is_kept_at(self, call: cst.Call, column: str, depth: int) -> bool:
        if self._windows.keeps(call, column):
            return True
        caller = self._file.function_of(call)
        if caller is None:
            return False
        return self._is_rare(caller) or self._windows.paced(caller) or self._is_kept(caller, column, depth + 1)

    # -- what is written ---------------------------------------------------------------------------------------------

    def _is_touch(self, function: FunctionInfo, one: Written) -> bool:
        if self._windows.keeps(one.node, one.column):
            return False
        if one.row is None:
            return True
        if self._is_new(one.row) or self._is_of_many(one.row, one.node):
            return False
        return self._is_saved(function, one, one.row)

    def _is_new(self, row: cst.BaseExpression) -> bool:
        """Whether a row is only made here."""
        if not isinstance(row, cst.Name):
            return False
        bindings = self._file.names.reaching(row) or []
        return bool(bindings) and all(_makes(binding) for binding in bindings)

    def _is_of_many(self, row: cst.BaseExpression, node: cst.CSTNode) -> bool:
        """Whether a row is one of those that a loop goes through: a batch has a pace of its own."""
        names = {part.value for part in self._file.tree.within(row) if isinstance(part, cst.Name)}
        loops = (around for around in self._file.ancestors(node) if isinstance(around, cst.For))
        return any(
            loop.asynchronous is None
            and any(isinstance(part, cst.Name) and part.value in names for part in self._file.tree.within(loop.target))
            for loop in loops
        )

    # -- whether it is saved -----------------------------------------------------------------------------------------

    def _is_saved(self, function: FunctionInfo, one: Written, row: cst.BaseExpression) -> bool:
        name = text(row)
        saves = [call for call in self._after(function, one.node) if self._saves(call, name, one.column)]
        if saves:
            return any(self._is_all_of(function, call, name) for call in saves) and not any(
                self._windows.keeps(call, one.column) for call in saves
            )
        if not self._is_alone(function, name):
            return False
        return self._is_committed(function, one, row)

    def _after(self, function: FunctionInfo, node: cst.CSTNode) -> Iterator[cst.Call]:
        order = self._file.tree.order
        rank = order(node)
        for call in function.calls:
            if order(call) > rank:
                yield call

    def _saves(self, call: cst.Call, row: str, column: str) -> bool:
        name = called_name(call)
        if isinstance(call.func, cst.Attribute) and name in SAVING and text(call.func.value) == row:
            fields = _strings(argument(call, None, "update_fields"))
            return fields is None or column in fields
        return False

    def _is_all_of(self, function: FunctionInfo, save: cst.Call, row: str) -> bool:
        """Whether a save writes nothing but when the row was used."""
        fields = _strings(argument(save, None, "update_fields"))
        if fields is None:
            return self._is_alone(function, row)
        return all(vocabulary.is_beside(field) for field in fields)

    def _is_alone(self, function: FunctionInfo, row: str) -> bool:
        """Whether nothing else of a row is changed in a function."""
        return not any(
            (target == row and not vocabulary.is_beside(column)) for target, column in self._writes.changed(function)
        )

    def _is_committed(self, function: FunctionInfo, one: Written, row: cst.BaseExpression) -> bool:
        if any(called_name(call) in _ABANDONING and not _is_in_handler(self._file, call) for call in function.calls):
            return False
        read = self._file.queries.of(row)
        if isinstance(row, cst.Name) and row.value == function.this:
            return self._is_column(function, one.column)
        if any(found.orm == SQLALCHEMY for found in read):
            return True
        if read or text(row).startswith(f"{function.this}."):
            return False
        name = text(row)
        return any(self._commits(call, name) for call in self._after(function, one.node)) or any(
            isinstance(around, cst.With) and any(_commits_at_end(item.item) for item in around.items)
            for around in self._file.ancestors(one.node)
        )

    def _commits(self, call: cst.Call, row: str) -> bool:
        if not isinstance(call.func, cst.Attribute):
            return False
        name, session = call.func.attr.value, last_name(call.func.value)
        if name in COMMITS:
            return is_session_name(session) or session in ("uow", "unit_of_work", "transaction")
        return name in _KEEPING and is_session_name(session) and any(text(arg.value) == row for arg in call.args)

    def _is_column(self, function: FunctionInfo, column: str) -> bool:
        """Whether the class of a method declares a column of this name that its mapper writes by itself."""
        assert function.owner is not None
        for binding in function.owner.attributes.get(column, ()):
            if isinstance(binding.value, cst.Call) and _COLUMNS.search(called_name(binding.value)):
                return not _is_django(binding.value)
            if binding.annotation is not None and text_of_class(binding.annotation) == "Mapped":
                return True
        return False


def text_of_class(annotation: cst.BaseExpression) -> str:
    """The last name of a generic class: `Mapped` of `orm.Mapped[datetime]`."""
    return last_name(annotation.value if isinstance(annotation, cst.Subscript) else annotation)


def _is_django(column: cst.Call) -> bool:
    """`models.DateTimeField(...)`: rows of Django, and of mappers like it, are saved by hand."""
    return called_name(column).endswith("Field")


def _arguments(decorator: cst.BaseExpression) -> list[cst.Arg]:
    return list(decorator.args) if isinstance(decorator, cst.Call) else []


def _is_in_handler(file: FileModel, node: cst.CSTNode) -> bool:
    return any(isinstance(around, cst.ExceptHandler | cst.ExceptStarHandler) for around in file.ancestors(node))


def _commits_at_end(item: cst.BaseExpression) -> bool:
    func = item.func if isinstance(item, cst.Call) else item
    return last_name(func) in _COMMITTING_BLOCKS


def _makes(binding: Binding) -> bool:
    """Whether a name is bound to something that is made there: `Device(...)`, `Device.objects.create(...)`."""
    value = binding.value
    if isinstance(value, cst.Await):
        value = value.expression
    if binding.how != "assign" or not isinstance(value, cst.Call):
        return False
    name = called_name(value)
    return name in ("create", "acreate") or name[:1].isupper()


def _strings(fields: cst.BaseExpression | None) -> list[str] | None:
    """The names in a list of fields, where they are all written there."""
    if not isinstance(fields, cst.List | cst.Tuple | cst.Set):
        return None
    values = [element.value for element in fields.elements]
    if not all(isinstance(value, cst.SimpleString) for value in values):
        return None
    return [str(value.raw_value) for value in values if isinstance(value, cst.SimpleString)]
