"""Numbers: columns that get the largest number that is there, or how many rows there are, plus a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.insert_words import COUNTS, FOREIGN, is_for_numbers
from flake8_concurrency.model.inserts import Insert
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.looks import Key
from flake8_concurrency.model.reads import DJANGO, SQLALCHEMY, Read
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 8
#: Calls that keep the number they are given.
_KEEPING = frozenset("int str max coalesce Coalesce format zfill rjust Decimal float".split())
_LAST = frozenset("last alast latest alatest".split())
_FIRST = frozenset("first afirst scalar one_or_none scalar_one_or_none".split())
#: The largest one plus a step is later, and no number that must be the only one.
_TIMES = frozenset("at time date timestamp on until".split())
LARGEST, COUNT = "largest", "count"


class Number(NamedTuple):
    """A number that was read of rows: the largest in a column, or how many there are."""

    how: str
    model: str
    #: The column whose largest value it is; empty for a count.
    column: str
    read: Read
    #: Whether a step has been added.
    stepped: bool = False
    #: The last name of a related manager, where the model is not known.
    manager: str = ""


class Numbered(NamedTuple):
    """A column that is given the next number: the place, and what it was made from."""

    node: cst.CSTNode
    column: str
    number: Number


class Numbering:
    """Finds the numbers that one file's functions give out."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> list[Numbered]:
        """The columns that a function gives a next number, with nothing that keeps a second one out."""
        found = list(self._found(function))
        return [] if not found or self._file.inserts.is_left_alone(function) else self._open(function, found)

    def _open(self, function: FunctionInfo, found: list[tuple[Insert, Numbered]]) -> list[Numbered]:
        seen: set[cst.CSTNode] = set()
        open_ones: list[Numbered] = []
        for insert, numbered in found:
            if numbered.number.read.sent in seen or self._file.inserts.is_safe(function, insert, numbered.number.read):
                continue
            seen.add(numbered.number.read.sent)
            open_ones.append(numbered)
        return open_ones

    def _found(self, function: FunctionInfo) -> Iterator[tuple[Insert, Numbered]]:
        for insert in self._file.inserts.of(function):
            for column, value in insert.values:
                if column in FOREIGN and isinstance(value, cst.Name) and value.value == column:
                    continue
                for number in self.number(value):
                    if _is_next(number, column) and self._is_of(number, insert.model, column):
                        yield insert, Numbered(insert.node, column, number)
        for node in function.nodes(cst.Assign):
            assert isinstance(node, cst.Assign)
            for target in node.targets:
                if isinstance(target.target, cst.Attribute):
                    yield from self._assigned(function, node, target.target)

    def _assigned(
        self, function: FunctionInfo, node: cst.Assign, target: cst.Attribute
    ) -> Iterator[tuple[Insert, Numbered]]:
        """`self.number = last + 1` in `save()`, `row.number = last + 1` and then `row.save()`."""
        column = target.attr.value
        for number in self.number(node.value):
            if not _is_next(number, column) or not self._is_saved(function, target.value):
                continue
            own = isinstance(target.value, cst.Name) and target.value.value == function.this
            model = function.owner.name if own and function.owner is not None else ""
            if model and number.model not in ("", model) and not number.model.islower():
                continue
            if number.how == COUNT and not (own and number.model == model):
                continue
            orm = number.read.orm
            yield Insert(node, node, model, orm, (Key(column, node.value),)), Numbered(node, column, number)

    def _is_saved(self, function: FunctionInfo, row: cst.BaseExpression) -> bool:
        """Whether a function saves a row, or is called when that happens."""
        if function.name in ("save", "pre_save", "before_insert", "before_create", "perform_create"):
            return True
        name = text(row)
        return bool(name) and any(
            (called_name(call) in ("save", "asave") and text(getattr(call.func, "value", call)) == name)
            or (called_name(call) in ("add", "flush", "commit") and self._is_of_session(call))
            for call in function.calls
        )

    def _is_of_session(self, call: cst.Call) -> bool:
        return isinstance(call.func, cst.Attribute) and "session" in text(call.func.value).lower()

    def _is_of(self, number: Number, model: str, column: str) -> bool:
        """Whether a number was read of the rows that are inserted."""
        if number.model:
            return number.model == model
        if number.how == LARGEST:
            return number.column == column
        last = words(number.manager)[-1:]
        return bool(last) and last[0].rstrip("s") in [word.rstrip("s") for word in words(model)]

    # -- where a number comes from -----------------------------------------------------------------------------------

    def number(self, node: cst.BaseExpression | None, depth: int = 0) -> list[Number]:
        """The numbers that an expression may have been made from."""
        return [] if node is None or depth > _DEEPEST else list(self._number(node, depth + 1))

    def _number(self, node: cst.BaseExpression, depth: int) -> Iterator[Number]:
        match node:
            case cst.BinaryOperation(left=left, operator=cst.Add(), right=right):
                for one, other in ((left, right), (right, left)):
                    if isinstance(literal(other), tuple) and isinstance(literal(other)[0], int):  # type: ignore[index]
                        yield from (number._replace(stepped=True) for number in self.number(one, depth))
            case cst.BooleanOperation():
                yield from self.number(node.left, depth)
            case cst.IfExp():
                yield from self.number(node.body, depth)
                yield from self.number(node.orelse, depth)
            case cst.Await():
                yield from self.number(node.expression, depth)
            case cst.NamedExpr():
                yield from self.number(node.value, depth)
            case cst.FormattedString():
                for part in node.parts:
                    if isinstance(part, cst.FormattedStringExpression):
                        yield from self.number(part.expression, depth)
            case cst.Name():
                yield from self._local(node, depth)
            case cst.Attribute():
                yield from self._of_row(node)
            case cst.Subscript():
                yield from self._aggregated(node.value)
            case cst.Call():
                yield from self._called(node, depth)

    def _local(self, node: cst.Name, depth: int) -> Iterator[Number]:
        stepped = False
        for binding in self._file.names.reaching(node) or ():
            if binding.how == "augmented" and isinstance(binding.node, cst.AugAssign):
                stepped = stepped or isinstance(binding.node.operator, cst.AddAssign)
                if isinstance(binding.node.target, cst.Name) and binding.node.target is not node:
                    yield from (n._replace(stepped=True) for n in self.number(binding.node.target, depth))
            elif binding.how == "assign" and not binding.path:
                yield from self.number(binding.value, depth)

    def _called(self, node: cst.Call, depth: int) -> Iterator[Number]:
        name = called_name(node)
        if name in _KEEPING and node.args and isinstance(node.func, cst.Name):
            for arg in node.args:
                yield from self.number(arg.value, depth)
            return
        if name in ("zfill", "rjust") and isinstance(node.func, cst.Attribute):
            yield from self.number(node.func.value, depth)
            return
        if name == "get" and isinstance(node.func, cst.Attribute):
            yield from self._aggregated(node.func.value)
        yield from self._counted(node)
        yield from self._maximum(node)
        yield from self._first_value(node)
        callee = self._file.callee(node)
        if callee is not None and not callee.is_generator:
            for statement in callee.own:
                if isinstance(statement, cst.Return):
                    yield from self.number(statement.value, depth + 1)

    def _counted(self, node: cst.Call) -> Iterator[Number]:
        if called_name(node) == "len" or called_name(node) in COUNTS or called_name(node).startswith("scalar"):
            for look in self._file.inserts.looks.counting(node):
                yield Number(COUNT, look.model, "", look.read._replace(sent=node))
        if called_name(node) in COUNTS and isinstance(node.func, cst.Attribute) and not node.args:
            # Nothing else counts without being told what: `order.items.count()`.
            reads = self._file.queries.of(node.func.value)
            manager = _manager(node.func.value)
            if manager and all(read.model is None for read in reads):
                yield Number(COUNT, "", "", Read("row", DJANGO, node, node), manager=manager)

    def _aggregated(self, node: cst.BaseExpression, depth: int = 0) -> Iterator[Number]:
        """`query.aggregate(m=Max("n"))["m"]`, also where the dict has a name."""
        if isinstance(node, cst.Await):
            node = node.expression
        if isinstance(node, cst.Name) and depth < _DEEPEST:
            for binding in self._file.names.reaching(node) or ():
                if binding.how == "assign" and not binding.path and binding.value is not None:
                    yield from self._aggregated(binding.value, depth + 1)
        if not isinstance(node, cst.Call) or called_name(node) not in ("aggregate", "aaggregate"):
            return
        column = _largest(node)
        if not column or not isinstance(node.func, cst.Attribute):
            return
        reads = self._file.queries.of(node.func.value)
        for read in reads:
            if read.shape in ("query", "row"):
                yield Number(LARGEST, self._model(read), column, read._replace(sent=node))
        if not reads:
            yield Number(LARGEST, "", column, Read("row", DJANGO, node, node))

    def _maximum(self, node: cst.Call) -> Iterator[Number]:
        """`session.scalar(select(func.max(M.n)))`, `session.query(func.max(M.n)).scalar()`."""
        if not called_name(node).startswith("scalar"):
            return
        scanned: list[cst.CSTNode] = [node]
        for inner in self._file.tree.within(node):
            if isinstance(inner, cst.Name):
                scanned += [
                    b.value
                    for b in self._file.names.reaching(inner) or ()
                    if b.how == "assign" and isinstance(b.value, cst.Call | cst.Await)
                ]
        for root in scanned:
            for call in self._file.tree.within(root):
                if isinstance(call, cst.Call) and called_name(call) == "max" and call.args:
                    column = call.args[0].value
                    owner = clauses.owner(column)
                    if owner is not None and clauses.names_class(owner):
                        model = self._file.inserts.looks.name_of(owner, node)
                        yield Number(LARGEST, model, last_name(column), Read("row", SQLALCHEMY, node, node, owner))
                        return

    def _of_row(self, node: cst.Attribute) -> Iterator[Number]:
        """`last.number` of `last = M.objects.order_by("-number").first()`."""
        column = node.attr.value
        for read in self._file.queries.of(node.value):
            if read.shape == "row" and not read.assumed and column == _ordered_by(read.links):
                yield Number(LARGEST, self._model(read), column, read)

    def _first_value(self, node: cst.Call) -> Iterator[Number]:
        """`values_list("n", flat=True).order_by("-n").first()`, `scalar(select(M.n).order_by(M.n.desc()))`."""
        for read in self._file.queries.of(node):
            column = _ordered_by(read.links)
            if read.shape == "row" and read.partial and column:
                yield Number(LARGEST, self._model(read), column, read)

    def _model(self, read: Read) -> str:
        return "" if read.model is None else self._file.inserts.looks.name_of(read.model, read.sent)


def _is_next(number: Number, column: str) -> bool:
    """Whether a column gets the next number; the count of what is there is one for a place in an order."""
    if number.how == LARGEST:
        return number.stepped and number.column == column and _TIMES.isdisjoint(words(column))
    return is_for_numbers(column)


def _largest(call: cst.Call) -> str:
    """The column whose maximum an aggregate asks for."""
    for arg in call.args:
        inner: cst.BaseExpression = arg.value
        while isinstance(inner, cst.Call) and called_name(inner) in ("Coalesce", "Cast") and inner.args:
            inner = inner.args[0].value
        if isinstance(inner, cst.BinaryOperation):
            inner = inner.left
        if isinstance(inner, cst.Call) and called_name(inner) == "Max" and inner.args:
            first = inner.args[0].value
            if isinstance(first, cst.SimpleString) and isinstance(first.evaluated_value, str):
                return first.evaluated_value
    return ""


def _ordered_by(links: tuple[cst.CSTNode, ...]) -> str:
    """The column whose largest value comes first, of a chain that ends with the first or last row."""
    calls = [link for link in links if isinstance(link, cst.Call)]
    if not calls:
        return ""
    end = called_name(calls[-1])
    column, falls = "", False
    for call in calls:
        if called_name(call) in ("order_by", "latest", "alatest") and call.args:
            column, falls = _order(call.args[0].value)
    if end in _LAST:
        return column if not falls else ""
    return column if falls else ""


def _order(node: cst.BaseExpression) -> tuple[str, bool]:
    """The first column of an order, and whether it falls."""
    match node:
        case cst.SimpleString() if isinstance(node.evaluated_value, str):
            name = node.evaluated_value
            return name.removeprefix("-"), name.startswith("-")
        case cst.Call(func=cst.Attribute(value=cst.Attribute() as column, attr=cst.Name(value="desc"))):
            return column.attr.value, True
        case cst.Call() if called_name(node) == "desc" and node.args:
            return last_name(node.args[0].value), True
        case cst.UnaryOperation(operator=cst.Minus(), expression=cst.Attribute() as column):
            return column.attr.value, True
        case cst.Attribute():
            return node.attr.value, False
    return "", False


def _manager(node: cst.BaseExpression) -> str:
    """`positions` of `order.positions.filter(...)`."""
    while isinstance(node, cst.Call):
        node = node.func.value if isinstance(node.func, cst.Attribute) else node.func
    return last_name(node).removesuffix("_set")
