"""Values that one SQL statement reads, Python changes, and another statement writes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import sql_text
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.reads import argument_for
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.sql_text import Statement
from flake8_concurrency.model.vocabulary import COPYING, EXECUTES
from flake8_concurrency.model.writes import changes_in_place

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_ROW = frozenset("fetchrow fetchone fetch_one one one_or_none first mappings".split())
_ROWS = frozenset("fetch fetchall fetchmany fetch_all all execute_fetchall".split())
_VALUE = frozenset("fetchval fetch_val scalar scalar_one scalar_one_or_none".split())
_KEYS = frozenset({"id", "pk", "uuid", "rowid", "ctid", "oid"})
#: Under these SQLite lets no second writer in.
_WRITER = re.compile(r"BEGIN\s+(IMMEDIATE|EXCLUSIVE)|^(IMMEDIATE|EXCLUSIVE)$", re.IGNORECASE)
#: What takes a string of SQL and gives it back as a statement.
_WRAPPING = frozenset({"text", "SQL"})
_DEEPEST = 12
#: Where SQLite keeps the schema: whoever writes there changes it, and is alone.
_CATALOGUES = frozenset({"sqlite_master", "sqlite_schema"})


class RawUpdate(NamedTuple):
    """An UPDATE that writes back what was made from a SELECT of the same table."""

    node: cst.Call
    table: str
    column: str
    selected: cst.Call


class _Origin(NamedTuple):
    """What a value comes from: a row, rows or one column of what a call has selected."""

    shape: str
    call: cst.Call
    statement: Statement
    column: str = ""
    changed: bool = False


class RawUpdates:
    """Follows what the statements of one file read and write."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._open: set[cst.CSTNode] = set()
        self._statements: dict[cst.Call, Statement | None] = {}
        self._only_writer: bool | None = None

    def of(self, function: FunctionInfo) -> list[RawUpdate]:
        """The lost updates of a function, each statement's column once."""
        found: dict[tuple[cst.Call, str], RawUpdate] = {}
        for call in function.calls:
            update = self._statement(call)
            if update is None or update.kind != "update":
                continue
            for column, place in update.given:
                value = self._given(call, place)
                for origin in self._made(value, call) if value is not None else ():
                    if self._is_lost(function, call, update, column, origin):
                        found.setdefault((call, column), RawUpdate(call, update.table, column, origin.call))
        return list(found.values())

    def _is_lost(self, function: FunctionInfo, call: cst.Call, update: Statement, column: str, origin: _Origin) -> bool:
        select = origin.statement
        if (
            update.table in _CATALOGUES
            or not origin.changed
            or origin.column != column
            or select.table != update.table
            or select.locked
        ):
            return False
        # Anything else that is asked may be what tells that another was faster.
        if column in update.asked or update.asked - select.asked - _KEYS or not update.asked:
            return False
        return not self._is_guarded(function, call, origin)

    def _is_guarded(self, function: FunctionInfo, call: cst.Call, origin: _Origin) -> bool:
        locks = self._file.locks
        if locks.is_serial() or self._has_only_writer() or self._file.rows.runs_alone(function):
            return True
        reading = self._file.function_of(origin.call)
        if locks.held(call) or locks.held(origin.call) or locks.takes(function):
            return True
        if reading is not None and locks.takes(reading):
            return True
        callers = self._file.queries.callers(function)
        return bool(callers) and all(
            locks.held(one) or ((outer := self._file.function_of(one)) is not None and locks.takes(outer))
            for one in callers
        )

    def _has_only_writer(self) -> bool:
        if self._only_writer is None:
            strings = (node for node in self._file.tree.nodes if isinstance(node, cst.SimpleString))
            self._only_writer = any(_WRITER.search(str(node.raw_value)) for node in strings)
        return self._only_writer

    # -- statements --------------------------------------------------------------------------------------------------

    def _statement(self, call: cst.Call) -> Statement | None:
        if call not in self._statements:
            written = self._written(call) if called_name(call) in EXECUTES and call.args else None
            self._statements[call] = sql_text.statement(written) if written is not None else None
        return self._statements[call]

    def _written(self, call: cst.Call) -> str | None:
        """The SQL that a call is given, where it stands in the function itself."""
        node = call.args[0].value
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or []
            value = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
            same = value is not None and self._file.function_of(value) is self._file.function_of(call)
            node = value if value is not None and same and not bindings[0].path else node
        while isinstance(node, cst.Call) and (called_name(node) in _WRAPPING or called_name(node) == "bindparams"):
            wrapped = called_name(node) in _WRAPPING
            if wrapped and len(node.args) != 1:
                return None
            if wrapped:
                node = node.args[0].value
            elif isinstance(node.func, cst.Attribute):
                node = node.func.value
            else:
                return None
        found = node.evaluated_value if isinstance(node, cst.SimpleString | cst.ConcatenatedString) else None
        return found if isinstance(found, str) else None

    def _given(self, call: cst.Call, place: int | str) -> cst.BaseExpression | None:
        """The expression for a parameter of a statement."""
        bound = call.args[0].value
        if isinstance(bound, cst.Call) and called_name(bound) == "bindparams" and isinstance(place, str):
            return argument(bound, None, place)
        if isinstance(place, str) and argument(call, None, place) is not None:
            return argument(call, None, place)
        given = argument(call, 1, "parameters") or argument(call, None, "params") or argument(call, None, "values")
        if isinstance(given, cst.Name):
            bindings = self._file.names.reaching(given) or []
            value = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
            given = value if isinstance(value, cst.Tuple | cst.List | cst.Dict) else given
        if isinstance(given, cst.Dict):
            for element in given.elements:
                if isinstance(element, cst.DictElement) and text(element.key).strip("\"'") == place:
                    return element.value
            return None
        if isinstance(given, cst.Tuple | cst.List) and isinstance(place, int):
            if len(given.elements) <= place or any(isinstance(e, cst.StarredElement) for e in given.elements):
                return None
            return given.elements[place].value
        # asyncpg takes the parameters one by one.
        return argument(call, place + 1, None) if isinstance(place, int) else None

    # -- values ------------------------------------------------------------------------------------------------------

    def _made(self, node: cst.BaseExpression, at: cst.CSTNode) -> tuple[_Origin, ...]:
        """The columns that an expression is made from."""
        if node in self._open or len(self._open) > _DEEPEST:
            return ()
        self._open.add(node)
        try:
            return tuple(dict.fromkeys(self._evaluated(node, at)))
        finally:
            self._open.discard(node)

    def _evaluated(self, node: cst.BaseExpression, at: cst.CSTNode) -> Iterator[_Origin]:
        match node:
            case cst.Name():
                for binding in self._file.names.reaching(node) or ():
                    yield from self._bound(node.value, binding, at)
            case cst.Await(expression=inner) | cst.NamedExpr(value=inner):
                yield from self._made(inner, at)
            case cst.Subscript():
                yield from self._item(node, at)
            case cst.Attribute(value=value, attr=attr):
                yield from (_column(origin, attr.value) for origin in self._made(value, at) if origin.shape == "row")
            case cst.IfExp(body=body, orelse=orelse):
                yield from (*self._made(body, at), *self._made(orelse, at))
            case cst.BooleanOperation(left=left, right=right):
                yield from (*self._made(left, at), *self._made(right, at))
            case cst.Call():
                yield from self._called(node, at)
            case cst.BinaryOperation(left=left, right=right):
                yield from map(_changed, (*self._made(left, at), *self._made(right, at)))
            case cst.UnaryOperation(expression=inner):
                yield from map(_changed, self._made(inner, at))
            case cst.List() | cst.Tuple() | cst.Set():
                for element in node.elements:
                    yield from map(_changed, self._made(element.value, at))
            case cst.Dict():
                for pair in node.elements:
                    yield from map(_changed, self._made(pair.value, at))
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
                yield from map(_changed, self._made(node.for_in.iter, at))

    def _bound(self, name: str, binding: Binding, at: cst.CSTNode) -> Iterator[_Origin]:
        order = self._file.tree.order
        if binding.how == "param":
            yield from self._passed(name, binding)
        elif binding.how == "augmented" and isinstance(binding.node, cst.AugAssign):
            target = binding.node.target
            if isinstance(target, cst.Name):
                yield from map(_changed, self._made(target, at))
        elif binding.how == "for" and binding.value is not None:
            rows = self._made(binding.value, at) or self._selected_by(binding.value, "rows")
            yield from _unpacked([o._replace(shape="row") for o in rows if o.shape == "rows"], binding.path)
        elif binding.how == "assign" and binding.value is not None:
            found = _unpacked(self._made(binding.value, at), binding.path)
            is_changed = any(
                order(binding.node) < order(node) < order(at) and changes_in_place(node, name)
                for node in self._file.tree.own[self._file.tree.scope_of(binding.node)]
                if not isinstance(node, cst.FunctionDef)
            )
            yield from map(_changed, found) if is_changed else found

    def _passed(self, name: str, binding: Binding) -> Iterator[_Origin]:
        info = self._file.function_of(next(iter(self._file.tree.ancestors(binding.node))))
        for ancestor in self._file.tree.ancestors(binding.node):
            if isinstance(ancestor, cst.FunctionDef):
                info = self._file.definitions.functions.get(ancestor)
                break
        for call in self._file.queries.callers(info) if info is not None else ():
            given = argument_for(info, name, call) if info is not None else None
            if given is not None:
                yield from self._made(given, call)

    def _item(self, node: cst.Subscript, at: cst.CSTNode) -> Iterator[_Origin]:
        index = node.slice[0].slice if len(node.slice) == 1 else None
        key = index.value if isinstance(index, cst.Index) else None
        for origin in self._made(node.value, at):
            if origin.shape == "rows":
                yield origin._replace(shape="row")
            elif origin.shape == "row" and isinstance(key, cst.Integer):
                yield _at(origin, key.evaluated_value)
            elif origin.shape == "row" and isinstance(key, cst.SimpleString):
                yield _column(origin, str(key.raw_value))
            elif origin.shape == "value":
                yield origin

    def _called(self, node: cst.Call, at: cst.CSTNode) -> Iterator[_Origin]:
        name = called_name(node)
        shape = "row" if name in _ROW else "rows" if name in _ROWS else "value" if name in _VALUE else ""
        if shape and isinstance(node.func, cst.Attribute):
            found = list(self._of_call(node, shape)) or list(self._selected_by(node.func.value, shape, node))
            if found:
                yield from found
                return
        if name in EXECUTES:
            yield from self._of_call(node, "rows")
            return
        if name == "get" and isinstance(node.func, cst.Attribute) and node.args:
            key = node.args[0].value
            if isinstance(key, cst.SimpleString):
                rows = (o for o in self._made(node.func.value, at) if o.shape == "row")
                yield from (_column(origin, str(key.raw_value)) for origin in rows)
            return
        callee = self._file.callee(node)
        if callee is not None:
            for inner in callee.own:
                if isinstance(inner, cst.Return) and inner.value is not None:
                    yield from self._made(inner.value, inner)
        for arg in node.args:
            found = list(self._made(arg.value, at))
            yield from found if name in COPYING else map(_changed, (o for o in found if o.shape == "value"))
        if isinstance(node.func, cst.Attribute):
            yield from map(_changed, (o for o in self._made(node.func.value, at) if o.shape == "value"))

    def _of_call(self, call: cst.Call, shape: str) -> Iterator[_Origin]:
        """What a call gives that is itself given a SELECT: `conn.fetchval("SELECT ...")`."""
        found = self._statement(call)
        if found is not None and found.kind == "select":
            origin = _Origin("row" if shape == "value" else shape, call, found)
            yield _at(origin, 0) if shape == "value" else origin

    def _selected_by(self, cursor: cst.BaseExpression, shape: str, at: cst.CSTNode | None = None) -> Iterator[_Origin]:
        """What a cursor holds: that of the call that made it, or of the last statement before that it was given."""
        inner = cursor.expression if isinstance(cursor, cst.Await) else cursor
        if isinstance(inner, cst.Call):
            if called_name(inner) in ("mappings", "scalars") and isinstance(inner.func, cst.Attribute):
                yield from self._selected_by(inner.func.value, shape, at)
            else:
                yield from self._of_call(inner, shape)
            return
        if isinstance(inner, cst.Name):
            made = False
            for binding in self._file.names.reaching(inner) or ():
                value = binding.value.expression if isinstance(binding.value, cst.Await) else binding.value
                if binding.how in ("assign", "with") and isinstance(value, cst.Call):
                    for origin in self._selected_by(value, shape, at):
                        made = True
                        yield origin
            if made:
                return
        last = self._last_given(inner, at or cursor)
        if last is not None:
            yield from self._of_call(last, shape)

    def _last_given(self, cursor: cst.BaseExpression, at: cst.CSTNode) -> cst.Call | None:
        function = self._file.function_of(at)
        name, order = text(cursor), self._file.tree.order
        found: cst.Call | None = None
        for call in function.calls if function is not None and name else ():
            if (
                called_name(call) in EXECUTES
                and call.args
                and isinstance(call.func, cst.Attribute)
                and text(call.func.value) == name
                and order(call) < order(at)
            ):
                found = call
        return found


def _unpacked(origins: list[_Origin] | tuple[_Origin, ...], path: tuple[int, ...]) -> list[_Origin]:
    found = list(origins)
    for position in path:
        found = [
            origin._replace(shape="row") if origin.shape == "rows" else _at(origin, position)
            for origin in found
            if origin.shape in ("row", "rows")
        ]
    return found


def _at(origin: _Origin, position: int) -> _Origin:
    columns = origin.statement.columns
    is_known = 0 <= position < len(columns) and "*" not in columns
    return origin._replace(shape="value", column=columns[position] if is_known else "")


def _column(origin: _Origin, name: str) -> _Origin:
    known = dict(origin.statement.names)
    found = known.get(name.lower(), name.lower() if "*" in origin.statement.columns else "")
    return origin._replace(shape="value", column=found)


def _changed(origin: _Origin) -> _Origin:
    return origin._replace(changed=True)
