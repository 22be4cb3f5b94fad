"""Rows that may be used once: read, looked at, and then deleted or marked as used, with nothing between two readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.conditions import conditions
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.moves import Move
from flake8_concurrency.model.reads import DJANGO, SQLALCHEMY, Read
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.vocabulary import ASKING, BY_KEY, CODES, DELETES, DISCARDING, USES

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_EXPIRY = frozenset("expired expires expiry expiration expire stale outdated old now".split())


#: What rows that are used more than once are found by too: the code of an order, of a country.
_ALSO_NAMES = frozenset({"code"})

#: Its key says which row it is, and `_meta` belongs to its class.
_NOT_OF_THE_ROW = frozenset({"id", "pk", "_meta"})


class Use(NamedTuple):
    """A row that is used up at `node`; `how` it is used up is printed."""

    node: cst.CSTNode
    row: str
    how: str
    read: Read
    #: The row is a code, a token or an invitation, by the name of its class, its variable or the column it is found by.
    is_code: bool


class Consumption:
    """Finds what one file's functions use up."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, list[Use]] = {}

    def of(self, function: FunctionInfo) -> list[Use]:
        """What a function uses up without a lock; each row once."""
        if function not in self._known:
            found: dict[tuple[str, cst.CSTNode], Use] = {}
            for use in (*self._marked(function), *self._deleted(function)):
                found.setdefault((use.row, use.read.sent), use)
            self._known[function] = list(found.values())
        return self._known[function]

    def _marked(self, function: FunctionInfo) -> Iterator[Use]:
        for move in self._file.moves.of(function):
            if self.is_use(move):
                yield Use(move.node, move.row or "the row", "marked as used", move.read, True)

    def is_use(self, move: Move) -> bool:
        """Whether a move uses up a code."""
        if move.is_balance:
            return False
        marked = {*words(move.attribute), *(words(_spelled(move.value)) if move.value is not None else ())}
        if not USES.isdisjoint(marked):
            return _is_code(move.row, move.read) or _is_presented(move.read, CODES)
        return move.is_state and _is_presented(move.read, CODES - _ALSO_NAMES)

    def _deleted(self, function: FunctionInfo) -> Iterator[Use]:
        if _is_to_discard(function):
            return
        candidates = [(call, row) for call in function.calls for row in self._deletes(call)]
        if not candidates or self._file.locks.is_serial() or self._file.rows.runs_alone(function):
            return
        for call, row in candidates:
            read = self._file.rows.unlocked(row, call, function)
            if read is None or read.partial or read.related or not self._is_single(read):
                continue
            if (
                not self._is_of(call, read)
                or self._is_discarded(function, call)
                or not self._is_used(function, call, row)
            ):
                continue
            is_code = self._is_called_code(text(row), read)
            if is_code or self._is_tested(function, call, row):
                yield Use(call, text(row), "deleted", read, is_code)

    def _is_tested(self, function: FunctionInfo, call: cst.Call, row: cst.Name) -> bool:
        """Whether something of the row was tested before, apart from whether there is one."""
        order = self._file.tree.order
        return any(
            isinstance(node, cst.If) and order(node) < order(call) and self._mentions(node.test, row)
            for node in self._file.tree.within(function.node.body)
        )

    def _mentions(self, test: cst.BaseExpression, row: cst.Name) -> bool:
        parts = (part for part in self._file.tree.within(test) if isinstance(part, cst.Attribute))
        return any(isinstance(part.value, cst.Name) and part.value.value == row.value for part in parts)

    @staticmethod
    def _is_called_code(row: str, read: Read) -> bool:
        return _is_code(row, read) or _is_presented(read, CODES - _ALSO_NAMES)

    def _deletes(self, call: cst.Call) -> Iterator[cst.Name]:
        """The row that a statement deletes, where nobody asks how many rows that were."""
        name = called_name(call)
        if name not in DELETES or not isinstance(call.func, cst.Attribute):
            return
        parent = self._file.parent(call)
        if not isinstance(self._file.parent(parent) if isinstance(parent, cst.Await) else parent, cst.Expr):
            return
        row = call.args[0].value if len(call.args) == 1 else call.func.value if not call.args else None
        if isinstance(row, cst.Name):
            yield row

    @staticmethod
    def _is_of(call: cst.Call, read: Read) -> bool:
        """Whether the ORM that read a row deletes it so: `row.delete()`, `session.delete(row)`."""
        return read.orm == (SQLALCHEMY if call.args else DJANGO)

    @staticmethod
    def _is_single(read: Read) -> bool:
        """Whether one row was read, by a value that somebody gave."""
        last = read.sent
        if isinstance(last, cst.Call) and called_name(last) in BY_KEY and read.orm == SQLALCHEMY:
            return True
        tests = conditions(read.links, ASKING)
        return isinstance(last, cst.Call) and any(not test.constant and test.is_equal for test in tests)

    def _is_discarded(self, function: FunctionInfo, call: cst.Call) -> bool:
        """Whether the row is thrown away and not used: what has expired, or is refused."""
        for around in self._file.ancestors(call):
            if around is function.node:
                return False
            if isinstance(around, cst.ExceptHandler):
                return True
            if isinstance(around, cst.If) and call not in self._file.tree.within(around.test):
                block = around.body
                mentioned = {word for part in self._file.tree.within(around.test) for word in words(_spelled(part))}
                if not _EXPIRY.isdisjoint(mentioned):
                    return True
                if leaves(block) and self._refuses(block):
                    return True
        return False

    def _refuses(self, block: cst.BaseSuite) -> bool:
        last: cst.CSTNode = block.body[-1]
        small = last.body[-1] if isinstance(last, cst.SimpleStatementLine) else None
        if isinstance(small, cst.Return):
            return small.value is None or text(small.value) in ("None", "False")
        return isinstance(small, cst.Raise | cst.Continue)

    def _is_used(self, function: FunctionInfo, call: cst.Call, row: cst.Name) -> bool:
        """Whether something is taken from the row, or it is handed on, before or after it is deleted."""
        for node in function.own:
            given: list[cst.BaseExpression] = []
            match node:
                case cst.Call() if node is not call and not _is_logging(node):
                    is_kept = called_name(node) in ("add", "refresh", "expunge", *DELETES)
                    given = [node.func, *(arg.value for arg in node.args if not is_kept)]
                case cst.Return(value=value) if value is not None:
                    given = [value]
                case cst.Assign(value=value):
                    given = [value]
            for part in (part for value in given for part in self._file.tree.within(value)):
                if isinstance(part, cst.Name) and part.value == row.value and not self._is_key(part):
                    return True
        return False

    def _is_key(self, node: cst.Name) -> bool:
        above = self._file.parent(node)
        return isinstance(above, cst.Attribute) and (above.value is not node or above.attr.value in _NOT_OF_THE_ROW)


def _is_presented(read: Read, names: frozenset[str]) -> bool:
    """Whether a row was found by a code that somebody gave: `.get(token=value)`."""
    return any(
        not test.constant and test.is_equal and not names.isdisjoint(words(test.column))
        for test in conditions(read.links, ASKING)
    )


def _is_code(row: str, read: Read) -> bool:
    named = [*words(row.rpartition(".")[2]), *(words(last_name(read.model)) if read.model is not None else ())]
    return not CODES.isdisjoint(named)


def _is_to_discard(function: FunctionInfo) -> bool:
    """Whether a function is there to delete, by its name or the name of the view whose method it is."""
    owner = () if function.owner is None else words(function.owner.name)
    return not DISCARDING.isdisjoint((*words(function.name), *owner))


def _is_logging(call: cst.Call) -> bool:
    owner = call.func.value if isinstance(call.func, cst.Attribute) else None
    return owner is not None and last_name(owner) in ("logger", "log", "logging")


def _spelled(node: cst.CSTNode) -> str:
    if isinstance(node, cst.SimpleString):
        return str(node.raw_value)
    return last_name(node)
