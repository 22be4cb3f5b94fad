"""Rows of which a function sets a column or two, and then writes all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.reads import DJANGO, Read
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.vocabulary import NO_ROWS, SAVING

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: A row of which more columns are set is as good as replaced.
_MOST = 2


class WholeSave(NamedTuple):
    """A call that saves a whole row, and the columns that were set before it."""

    node: cst.Call
    row: str
    columns: tuple[str, ...]
    read: Read


class WholeSaves:
    """Finds the saves of one file's functions."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> list[WholeSave]:
        """The saves of whole rows in a function that no other rule about its rows speaks of."""
        saves = [call for call in function.calls if self._is_whole(call)]
        if not saves or self._file.locks.is_serial() or self._file.rows.runs_alone(function):
            return []
        spoken, handed = self._spoken_of(function), self._spoken_of_by_callers(function)
        found = [save for save in (self._save(function, call) for call in saves) if save is not None]
        return [s for s in found if (s.row, s.read.sent) not in spoken and s.read.sent not in handed]

    def _spoken_of_by_callers(self, function: FunctionInfo) -> set[cst.CSTNode]:
        """The reads whose rows the function is handed by who is told to lock them."""
        found: set[cst.CSTNode] = set()
        for call in self._file.queries.callers(function):
            outer = self._file.function_of(call)
            moves = self._file.moves.of(outer) if outer is not None else ()
            found.update(move.read.sent for move in moves if move.node is call)
        return found

    @staticmethod
    def _is_whole(call: cst.Call) -> bool:
        return called_name(call) in SAVING and isinstance(call.func, cst.Attribute) and not call.args

    def _spoken_of(self, function: FunctionInfo) -> set[tuple[str, cst.CSTNode]]:
        """The rows of which it is said already that they need a lock."""
        return {
            *((update.row, update.read.sent) for update in self._file.rows.lost_updates(function)),
            *((move.row, move.read.sent) for move in self._file.moves.of(function) if not move.is_idle),
            *((use.row, use.read.sent) for use in self._file.consumption.of(function)),
            *((row, claim.read.sent) for claim in self._file.claims.of(function) for row in _rows_at(claim.taken)),
        }

    def _save(self, function: FunctionInfo, call: cst.Call) -> WholeSave | None:
        assert isinstance(call.func, cst.Attribute)
        row = call.func.value
        name = text(row)
        columns = self._columns(function, call, name)
        if not name or name.rpartition(".")[2] in NO_ROWS or not 0 < len(columns) <= _MOST:
            return None
        if name == function.this or self._is_changed_otherwise(function, call, name):
            return None
        read = self._file.rows.unlocked(row, call, function)
        if read is None or read.partial or read.mapper or read.orm != DJANGO:
            return None
        if any(self._file.rows.is_settled(function, call, name, column, read) for column in columns):
            return None
        return WholeSave(call, name, columns, read)

    def _columns(self, function: FunctionInfo, call: cst.Call, row: str) -> tuple[str, ...]:
        """The columns of a row that are set before it is saved."""
        found: dict[str, None] = {}
        for node in function.own:
            targets = [target.target for target in node.targets] if isinstance(node, cst.Assign) else []
            if isinstance(node, cst.AugAssign | cst.AnnAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, cst.Attribute) and text(target.value) == row:
                    if not self._file.rows.saving.may_follow(node, call):
                        continue
                    found[target.attr.value] = None
        return tuple(found)

    def _is_changed_otherwise(self, function: FunctionInfo, call: cst.Call, row: str) -> bool:
        """Whether the row is handed to anything, or one of its own methods is called, before it is saved."""
        order = self._file.tree.order
        for other in function.calls:
            if other is call or order(other) > order(call):
                continue
            if any(text(arg.value) == row for arg in other.args):
                return True
            if (
                called_name(other) in ("save", "delete")
                and text(other.func).startswith(f"{row}.")
                and _is_deep(other, row)
            ):
                # `row.file.save(...)` sets the column of the file.
                return True
            if (
                isinstance(other.func, cst.Attribute)
                and text(other.func.value) == row
                and called_name(other) not in SAVING
            ):
                return True
        return False


def _is_deep(call: cst.Call, row: str) -> bool:
    return isinstance(call.func, cst.Attribute) and text(call.func.value) != row


def _rows_at(node: cst.CSTNode) -> list[str]:
    if isinstance(node, cst.Assign):
        return [text(t.target.value) for t in node.targets if isinstance(t.target, cst.Attribute)]
    return []
