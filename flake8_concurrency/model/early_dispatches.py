"""Tasks that are handed to the broker before the transaction that writes their rows is committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.before_commit import SQLALCHEMY, Place
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.dispatches import Dispatch
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.reads import argument_for
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What has its own way with its transactions, or takes part in the one that is open.
_IN_TRANSACTION = frozenset({"defer", "defer_async", "batch_defer"})
#: Calls that give back what they are given in another form.
_KEEPING = frozenset({"str", "int", "dict", "list", "tuple"})


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
            place = (
                self._written_here(function, dispatch.call, self._names(dispatch.given))
                or self._file.before_commit.place(dispatch.call, function)
                or self._written_by_caller(dispatch, function)
            )
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

    def _written_here(self, function: FunctionInfo, call: cst.Call, given: set[str]) -> Place | None:
        """A task about a row that a session has, and commits only further down, or where it was called from."""
        order = self._file.tree.order
        sent = order(call)
        commits, writes = self._of_session(function)
        earlier = [
            one
            for one in writes
            if order(one.node) < sent
            and (given & one.rows if one.rows else given)
            and not any(order(one.node) < order(commit) < sent for commit in commits)
            and self._file.rows.saving.may_follow(one.node, call)
            and not self._is_left(one.node, call)
        ]
        if not earlier:
            return None
        later = next((one for one in commits if self._comes_later(one, call)), None)
        if later is not None:
            return Place(later, f"before the commit on line {self._file.line(later)}", SQLALCHEMY)
        flush = next((one.node for one in earlier if one.is_flush), None)
        if flush is None or commits or not any(one.rows for one in earlier):
            return None
        return Place(flush, f"after the flush on line {self._file.line(flush)} and before any commit", SQLALCHEMY)

    def _written_by_caller(self, dispatch: Dispatch, function: FunctionInfo) -> Place | None:
        """The same where a function of the file sends the task, about a row that it is given."""
        if self._of_session(function)[0]:
            return None
        names = self._names(dispatch.given)
        params = [param.name.value for param in function.params if param.name.value in names]
        for call in self._file.queries.callers(function) if params else ():
            caller = self._file.function_of(call)
            given = [one for name in params if (one := argument_for(function, name, call)) is not None]
            if caller is None or caller is function:
                continue
            place = self._written_here(caller, call, self._names(given))
            # What only flushes may commit where its callers do, before it calls this one.
            if place is not None and self._commits_at(place):
                return place
        return None

    def _commits_at(self, place: Place) -> bool:
        return isinstance(place.node, cst.Call) and called_name(place.node) == "commit"

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

    def _names(self, given: Iterable[cst.BaseExpression]) -> set[str]:
        """The rows that a task is given, or something of: `order` where it is given `order.id`, or a local made so."""
        found: set[str] = set()
        for value in given:
            for node in self._file.tree.within(value):
                if isinstance(node, cst.Attribute):
                    found.add(text(node.value))
                elif isinstance(node, cst.Name):
                    found.add(node.value)
                    for binding in self._file.names.reaching(node) or ():
                        if binding.how == "assign" and binding.value is not None:
                            found |= {text(part.value) for part in self._attributes(binding.value)}
        return found - {"", "self", "cls"}

    def _attributes(self, value: cst.BaseExpression) -> Iterator[cst.Attribute]:
        """`order.id`, also in `str(order.id)` and `{"order": order.id}`."""
        if isinstance(value, cst.Attribute):
            yield value
        elif isinstance(value, cst.Call):
            for arg in value.args if called_name(value) in _KEEPING and isinstance(value.func, cst.Name) else ():
                yield from self._attributes(arg.value)
        elif isinstance(value, cst.List | cst.Tuple):
            for element in value.elements:
                yield from self._attributes(element.value)
        elif isinstance(value, cst.Dict):
            for item in value.elements:
                yield from self._attributes(item.value)


def _is_for_later(dispatch: Dispatch) -> bool:
    """Whether a task is to start at another time: no countdown that only gives the commit some."""
    if "eta" in dispatch.options:
        return True
    countdown = dispatch.options.get("countdown")
    value = None if countdown is None else literal(countdown)
    if countdown is None:
        return False
    return value is None or (isinstance(value[0], int | float) and value[0] >= known.LATER)
