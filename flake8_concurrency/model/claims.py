"""Claims: rows chosen by their state and then taken, by moving them to another, handing them on or deleting them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.conditions import (
    Condition,
    conditions,
    is_constant,
    is_ordered,
    is_sliced,
    names_one,
    names_owner,
)
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.reads import DJANGO, Read, argument_for
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.vocabulary import DISPATCHING, HOOKS, KEYS, NO_ROWS, NOW, STATES, TAKERS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Words of calls that only look at a row, collect it or write it.
_LOOKING = frozenset(
    """append add save refresh merge expunge delete discard remove print repr str len log debug info warning error
    exception isinstance getattr setattr hasattr get check is has validate""".split()
)
_DEEPEST = 3


class Claim(NamedTuple):
    """A query that chooses rows by `state`, and the place where they are taken; `how` they are is printed."""

    node: cst.CSTNode
    state: str
    taken: cst.CSTNode
    how: str
    read: Read


class Claims:
    """Finds the claims of one file's functions."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, list[Claim]] = {}

    def of(self, function: FunctionInfo) -> list[Claim]:
        """The claims that a function makes without a lock; each query once."""
        if function not in self._known:
            found: dict[cst.CSTNode, Claim] = {}
            for claim in self._found(function):
                found.setdefault(claim.node, claim)
            self._known[function] = list(found.values())
        return self._known[function]

    def _found(self, function: FunctionInfo) -> Iterator[Claim]:
        if self._file.locks.is_serial():
            return
        for node in function.own:
            if isinstance(node, cst.Assign):
                for target in node.targets:
                    if isinstance(target.target, cst.Attribute):
                        yield from self._moved(
                            function, node, target.target.value, target.target.attr.value, node.value
                        )
            elif isinstance(node, cst.Call):
                yield from self._taken(function, node)

    def _taken(self, function: FunctionInfo, call: cst.Call) -> Iterator[Claim]:
        name = called_name(call)
        if name in DISPATCHING:
            yield from self._dispatched(function, call)
        elif name in ("delete", "adelete"):
            yield from self._deleted(function, call)
        else:
            yield from self._moved_by(function, call)
        yield from self._updated(function, call)

    # -- one by one --------------------------------------------------------------------------------------------------

    def _moved(
        self, function: FunctionInfo, node: cst.CSTNode, row: cst.BaseExpression, column: str, value: cst.BaseExpression
    ) -> Iterator[Claim]:
        """`row.status = "running"`, for a row that was chosen by its status."""
        if not _is_state_value(value, column) or last_name(row) in NO_ROWS:
            return
        for read, tests in self._chosen(row, column):
            if (
                not _is_kept(tests, column, value)
                and self._is_taking(read, tests, node, row)
                and self._is_open(function, node, read, text(row), column)
                and self._file.rows.saving.reaches(function, node, text(row), column, read)
            ):
                yield Claim(_link(tests, column), column, node, "moved", read)

    def _moved_by(self, function: FunctionInfo, call: cst.Call) -> Iterator[Claim]:
        """The same in a function of the file or a method of the model."""
        for row, callee, param in self._entered(call):
            for assign, column, value in self._moves(callee, param, 0):
                if not _is_state_value(value, column):
                    continue
                for read, tests in self._chosen(row, column):
                    if (
                        not _is_kept(tests, column, value)
                        and self._is_taking(read, tests, call, row)
                        and self._is_open(function, call, read, text(row), column)
                    ):
                        saving = self._file.rows.saving
                        inside = read.orm == DJANGO and saving.saves_own(callee, param, column)
                        if inside or saving.reaches(function, call, text(row), column, read):
                            yield Claim(_link(tests, column), column, assign, "moved", read)

    def _entered(self, call: cst.Call) -> Iterator[tuple[cst.BaseExpression, FunctionInfo, str]]:
        """The rows that a call hands to a function of the file, each with the name it has there."""
        callee = self._file.rows.method(call) or self._file.callee(call)
        if callee is None or callee.name in HOOKS or self._file.locks.takes(callee):
            return
        if isinstance(call.func, cst.Attribute) and callee.this is not None:
            yield call.func.value, callee, callee.this
        for param in callee.params:
            given = argument_for(callee, param.name.value, call)
            if given is not None:
                yield given, callee, param.name.value

    def _moves(
        self, function: FunctionInfo, name: str, depth: int
    ) -> Iterator[tuple[cst.CSTNode, str, cst.BaseExpression]]:
        for node in function.own:
            if isinstance(node, cst.Assign):
                for target in node.targets:
                    if isinstance(target.target, cst.Attribute) and text(target.target.value) == name:
                        yield node, target.target.attr.value, node.value
            elif isinstance(node, cst.Call) and depth < _DEEPEST:
                for row, callee, param in self._entered(node):
                    if text(row) == name and callee is not function:
                        yield from self._moves(callee, param, depth + 1)

    def _dispatched(self, function: FunctionInfo, call: cst.Call) -> Iterator[Claim]:
        """`task.delay(row.id)`, for some of the rows that wait in a state."""
        for node in (node for arg in call.args for node in self._file.tree.within(arg.value)):
            for read, link, column in self._waiting(node):
                if self._is_open(function, call, read, text(node), column):
                    yield Claim(link, column, call, "dispatched", read)

    def _deleted(self, function: FunctionInfo, call: cst.Call) -> Iterator[Claim]:
        """`row.delete()` after something was done with the row."""
        row = call.args[0].value if call.args else call.func.value if isinstance(call.func, cst.Attribute) else None
        if row is None or not isinstance(row, cst.Name):
            return
        for read, link, column in self._waiting(row):
            used = not read.partial and self._is_used(call, row)
            if used and self._is_open(function, call, read, text(row), column):
                yield Claim(link, column, call, "deleted", read)

    def _is_used(self, call: cst.Call, row: cst.Name) -> bool:
        """Whether the row is given to anything else in the same loop."""
        loop = next((node for node in self._file.ancestors(call) if isinstance(node, cst.For)), None)
        inside = () if loop is None else self._file.tree.within(loop.body)
        calls = (node for node in inside if isinstance(node, cst.Call) and node is not call)
        given = (arg for node in calls if called_name(node) not in ("delete", "append", "add") for arg in node.args)
        return any(
            isinstance(n, cst.Name) and n.value == row.value for arg in given for n in self._file.tree.within(arg)
        )

    # -- all at once -------------------------------------------------------------------------------------------------

    def _updated(self, function: FunctionInfo, call: cst.Call) -> Iterator[Claim]:
        """An UPDATE or DELETE of the rows by their ids, which does not ask for the state again."""
        links = self.statement(call)
        if links is None:
            return
        tests = conditions(links)
        for test in tests:
            if test.value is None or KEYS.isdisjoint(words(test.column)):
                continue
            for node in self._file.tree.within(test.value):
                for read in self._batches(node):
                    yield from self._without_state(function, call, links, tests, read)

    def _without_state(
        self, function: FunctionInfo, call: cst.Call, links: tuple[cst.CSTNode, ...], tests: list[Condition], read: Read
    ) -> Iterator[Claim]:
        chosen = conditions(read.links)
        states = {test.column for test in chosen if test.constant and test.state}
        if not is_sliced(read.links) or names_one(chosen) or not states.isdisjoint(test.column for test in tests):
            return
        written = set(_written(links))
        column = next((c for c in states if c in written), "")
        if not column and "delete" in {
            called_name(link).removeprefix("a") for link in links if isinstance(link, cst.Call)
        }:
            column = _waiting(chosen) if self._hands_on(function, read) else ""
        if column and self._is_open(function, call, read, "", column):
            yield Claim(_link(chosen, column), column, call, "updated" if written else "deleted", read)

    def _hands_on(self, function: FunctionInfo, read: Read) -> bool:
        """Whether the rows that are deleted are also returned."""
        return any(
            isinstance(node, cst.Return)
            and any(other.query is read.query for other in self._file.queries.of(node.value))
            for node in function.own
        )

    def statement(self, call: cst.Call) -> tuple[cst.CSTNode, ...] | None:
        """The links of an UPDATE or DELETE that a call ends: `qs.filter(...).update(...)`, `update(M).where(...)`."""
        parent = self._file.tree.parents[call]
        if isinstance(parent, cst.Attribute) and parent.value is call:
            return None
        links: list[cst.CSTNode] = []
        node: cst.BaseExpression = call
        while isinstance(node, cst.Call):
            links.append(node)
            node = node.func.value if isinstance(node.func, cst.Attribute) else node.func
        names = [called_name(link) for link in links if isinstance(link, cst.Call)]
        return tuple(links) if {"update", "aupdate", "delete", "adelete"} & set(names) else None

    def _batches(self, node: cst.CSTNode) -> Iterator[Read]:
        if isinstance(node, cst.Name | cst.Call):
            for read in self._file.queries.of(node):
                if read.shape in ("query", "statement", "rows", "row", "pairs", "pair", "result"):
                    yield read

    # -- what is a claim ---------------------------------------------------------------------------------------------

    def _waiting(self, node: cst.CSTNode) -> Iterator[tuple[Read, cst.CSTNode, str]]:
        """The reads of a row that took some of the rows which wait in a state, each with the link that tests it."""
        for read in self._file.queries.of(node) if isinstance(node, cst.Name) else ():
            tests = conditions(read.links)
            column = _waiting(tests)
            if read.shape in ("row", "pair") and column and is_sliced(read.links) and not names_one(tests):
                yield read, _link(tests, column), column

    def _chosen(self, row: cst.BaseExpression, column: str) -> Iterator[tuple[Read, list[Condition]]]:
        """The reads of a row that chose it by the state of this column."""
        for read in self._file.queries.of(row):
            if (
                read.shape == "row"
                and not read.partial
                and (not read.related or (read.model is None and _is_start(read)))
            ):
                tests = conditions(read.links)
                if any(test.column == column and test.constant and test.state for test in tests):
                    yield read, tests

    def _is_taking(self, read: Read, tests: list[Condition], node: cst.CSTNode, row: cst.BaseExpression) -> bool:
        """Whether a query takes rows off a heap: some of them, all in an order, or all that are sent somewhere."""
        if names_one(tests):
            return False
        last = next((link for link in reversed(read.links) if isinstance(link, cst.Call)), None)
        single = last is not None and called_name(last) in ("first", "afirst")
        if is_sliced(read.links):
            return True
        return (
            not read.related and not names_owner(tests) and (is_ordered(read.links) or single or self._sends(node, row))
        )

    def _sends(self, node: cst.CSTNode, row: cst.BaseExpression) -> bool:
        """Whether the loop around hands the row to a task or a mail, or to anything before it is marked as done."""
        loop = next((around for around in self._file.ancestors(node) if isinstance(around, cst.For)), None)
        inside = self._file.tree.within(loop.body) if loop is not None else ()
        if _marks_done(node) and any(self._gets(call, node, row) for call in inside):
            return True
        return any(
            isinstance(call, cst.Call)
            and (called_name(call) in DISPATCHING or not {"mail", "email"}.isdisjoint(words(called_name(call))))
            and any(text(part) == text(row) for arg in call.args for part in self._file.tree.within(arg.value))
            for call in inside
        )

    def _gets(self, call: cst.CSTNode, node: cst.CSTNode, row: cst.BaseExpression) -> bool:
        """Whether a call before `node` is made for what it does with the row, and not for what it gives."""
        return (
            isinstance(call, cst.Call)
            and self._file.tree.order(call) < self._file.tree.order(node)
            and _LOOKING.isdisjoint(words(called_name(call)))
            and self._is_statement(call)
            and any(text(arg.value) == text(row) for arg in call.args)
        )

    def _is_statement(self, call: cst.Call) -> bool:
        parent = self._file.parent(call)
        return isinstance(
            self._file.parent(parent) if isinstance(parent, cst.Await) else parent, cst.BaseSmallStatement
        )

    def _is_open(self, function: FunctionInfo, node: cst.CSTNode, read: Read, row: str, column: str) -> bool:
        """Whether nothing keeps another worker from the same rows."""
        if any(param.name.value == row for param in function.params):
            # A row that was handed in is taken where it was chosen: there one sees what guards it.
            return False
        if read.locked or self._file.rows.is_guarded(function, node, read, row, 0):
            return False
        reading = self._file.function_of(read.sent)
        calls = (*function.calls, *(() if reading is None or reading is function else reading.calls))
        return not any(self._repeats(call, column) for call in calls)

    def locks_by_update(self, call: cst.Call, row: str) -> bool:
        """Whether a call ends a conditional UPDATE of this row (of any, where `row` is empty), which locks it."""
        links = self.statement(call)
        if links is None:
            return False
        tests = conditions(links)
        keys = [test for test in tests if not KEYS.isdisjoint(words(test.column)) and test.value is not None]
        named = (text(node) for test in keys if test.value is not None for node in self._file.tree.within(test.value))
        return len(tests) > len(keys) > 0 and (not row or row in named)

    def _repeats(self, call: cst.Call, column: str) -> bool:
        """Whether a call ends an UPDATE that names its rows and asks for their state again."""
        links = self.statement(call)
        if links is None:
            return False
        columns = {test.column for test in conditions(links)}
        return column in columns and not KEYS.isdisjoint(columns)


def _marks_done(node: cst.CSTNode) -> bool:
    """`mail.sent = True`: what was still to be done is done."""
    if not isinstance(node, cst.Assign) or literal(node.value) != (True,):
        return False
    return any(not STATES.isdisjoint(words(last_name(target.target))) for target in node.targets)


def _is_start(read: Read) -> bool:
    """Whether a related read is a query of its own (`order.items.filter(...)`) and not an attribute of a row."""
    return any(isinstance(link, cst.Call) for link in read.links)


def _link(tests: list[Condition], column: str) -> cst.CSTNode:
    return next(test.link for test in tests if test.column == column)


def _is_kept(tests: list[Condition], column: str, value: cst.BaseExpression) -> bool:
    """Whether a column is given the very value that its rows were chosen by: they stay where they are."""
    return any(
        test.column == column and test.is_equal and test.value is not None and test.value.deep_equals(value)
        for test in tests
    )


def _waiting(tests: list[Condition]) -> str:
    """The column of the state in which rows wait, going by its name; empty when there is none."""
    for test in tests:
        if test.constant and test.state and not STATES.isdisjoint(words(test.column)):
            return test.column
    return ""


def _is_state_value(value: cst.BaseExpression, column: str) -> bool:
    """Whether a value is another state: written in the code, the time, or who has taken the row."""
    if column in KEYS or column.startswith("_"):
        return False
    if isinstance(value, cst.IfExp):
        return _is_state_value(value.body, column) and _is_state_value(value.orelse, column)
    if is_constant(value):
        return True
    if isinstance(value, cst.Call):
        return not NOW.isdisjoint([called_name(value), *words(called_name(value))])
    parts = words(column)
    if isinstance(value, cst.Name | cst.Attribute):
        return not (STATES | TAKERS).isdisjoint(parts) or bool({"now", "timestamp"} & set(words(text(value))))
    return False


def _written(links: tuple[cst.CSTNode, ...]) -> Iterator[str]:
    """The columns that an UPDATE sets."""
    for link in links:
        if isinstance(link, cst.Call) and called_name(link) in ("update", "aupdate", "values"):
            yield from (arg.keyword.value for arg in link.args if arg.keyword is not None)
            given = argument(link, 0, None)
            for element in given.elements if isinstance(given, cst.Dict) else ():
                if isinstance(element, cst.DictElement):
                    key = element.key
                    yield key.attr.value if isinstance(key, cst.Attribute) else text(key).strip("\"'")
