"""Tasks that are handed to the broker before the transaction that writes their rows is committed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.before_commit import SQLALCHEMY, Place
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.dispatches import Dispatch
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What has its own way with its transactions, or takes part in the one that is open.
_IN_TRANSACTION = frozenset({"defer", "defer_async", "batch_defer"})


class EarlyDispatch(NamedTuple):
    """A task that is sent before the commit."""

    dispatch: Dispatch
    place: Place


class _Write(NamedTuple):
    """Something that is given to a session or changed: the names of the rows, none for all that the session has."""

    node: cst.CSTNode
    rows: frozenset[str]
    is_flush: bool = False


class EarlyDispatches:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._sessions: dict[FunctionInfo, tuple[list[cst.Call], list[_Write]]] = {}

    def of(self, function: FunctionInfo) -> list[EarlyDispatch]:
        """The tasks that a function sends before the transaction around it is committed."""
        found: list[EarlyDispatch] = []
        for dispatch in self._file.tasks.dispatches(function):
            if not self._is_sent_now(dispatch, function):
                continue
            place = self._written_here(dispatch, function) or self._file.before_commit.place(dispatch.call, function)
            if place is not None:
                found.append(EarlyDispatch(dispatch, place))
        return found

    # -- what waits, or means it -------------------------------------------------------------------------------------

    def _is_sent_now(self, dispatch: Dispatch, function: FunctionInfo) -> bool:
        return not (
            dispatch.after_commit
            # Huey's tasks are called, as any function is: their names alone tell nothing.
            or dispatch.call.func in dispatch.tasks
            or called_name(dispatch.call) in _IN_TRANSACTION
            or _is_for_later(dispatch)
            or self._file.before_commit.is_meant(dispatch.call, function)
        )

    # -- between a write and the commit ------------------------------------------------------------------------------

    def _written_here(self, dispatch: Dispatch, function: FunctionInfo) -> Place | None:
        """A task about a row that a session has, and commits only further down, or where it was called from."""
        order = self._file.tree.order
        sent = order(dispatch.call)
        given = self._names(dispatch)
        commits, writes = self._of_session(function)
        earlier = [
            one
            for one in writes
            if order(one.node) < sent
            and (given & one.rows if one.rows else given)
            and not any(order(one.node) < order(commit) < sent for commit in commits)
            and self._file.rows.saving.may_follow(one.node, dispatch.call)
            and not self._is_left(one.node, dispatch.call)
        ]
        if not earlier:
            return None
        later = next((one for one in commits if self._comes_later(one, dispatch.call)), None)
        if later is not None:
            return Place(later, f"before the commit on line {self._file.line(later)}", SQLALCHEMY)
        flush = next((one.node for one in earlier if one.is_flush), None)
        if flush is None or commits or not any(one.rows for one in earlier):
            return None
        return Place(flush, f"after the flush on line {self._file.line(flush)} and before any commit", SQLALCHEMY)

    def _is_left(self, write: cst.CSTNode, sent: cst.Call) -> bool:
        """Whether a `with` around a write is left before a task is sent: it may end the transaction."""
        around = set(self._file.ancestors(sent))
        return any(isinstance(block, cst.With) and block not in around for block in self._file.ancestors(write))

    def _of_session(self, function: FunctionInfo) -> tuple[list[cst.Call], list[_Write]]:
        """The commits of a function, and what it writes."""
        if function not in self._sessions:
            commits = [call for call in function.calls if self._commits(call)]
            self._sessions[function] = commits, list(self._writes(function))
        return self._sessions[function]

    def _comes_later(self, commit: cst.Call, sent: cst.Call) -> bool:
        if self._file.tree.order(commit) < self._file.tree.order(sent):
            return False
        return self._file.rows.saving.may_follow(sent, commit)

    def _commits(self, call: cst.Call) -> bool:
        if self._file.transactions.commits(call):
            return called_name(call) != "rollback"
        return (
            called_name(call) == "commit"
            and isinstance(call.func, cst.Attribute)
            and last_name(call.func.value).lower().lstrip("_") in known.UNITS_OF_WORK
        )

    def _writes(self, function: FunctionInfo) -> Iterator[_Write]:
        """What a function gives to a session or changes."""
        for node in function.own:
            if isinstance(node, cst.Call) and called_name(node) in known.SESSION_WRITES:
                if isinstance(node.func, cst.Attribute) and self._file.transactions.is_session(node.func.value):
                    rows = {text(arg.value) for arg in node.args} - {""}
                    yield _Write(node, frozenset(rows), called_name(node) == "flush")
            elif isinstance(node, cst.Assign | cst.AugAssign):
                targets = [one.target for one in node.targets] if isinstance(node, cst.Assign) else [node.target]
                rows = {text(target.value) for target in targets if isinstance(target, cst.Attribute)}
                rows -= {"", function.this or "", "cls"}
                if rows:
                    yield _Write(node, frozenset(rows))

    def _names(self, dispatch: Dispatch) -> set[str]:
        """The rows that a task is given, or something of: `order` where it is given `order.id`, or a local made so."""
        found: set[str] = set()
        for value in dispatch.given:
            for node in self._file.tree.within(value):
                if isinstance(node, cst.Attribute):
                    found.add(text(node.value))
                elif isinstance(node, cst.Name):
                    found.add(node.value)
                    for binding in self._file.names.reaching(node) or ():
                        if binding.how == "assign" and isinstance(binding.value, cst.Attribute):
                            found.add(text(binding.value.value))
        return found - {"", "self", "cls"}


def _is_for_later(dispatch: Dispatch) -> bool:
    """Whether a task is to start at another time: no countdown that only gives the commit some."""
    if "eta" in dispatch.options:
        return True
    countdown = dispatch.options.get("countdown")
    value = None if countdown is None else literal(countdown)
    if countdown is None:
        return False
    return value is None or (isinstance(value[0], int | float) and value[0] >= known.LATER)
