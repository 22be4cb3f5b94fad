"""Claims under a lock that makes the workers wait for each other: the shape of a claim, and how its rows are locked."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from flake8_concurrency.model.claims import Claims
from flake8_concurrency.model.conditions import Condition, conditions, is_sliced, names_one, names_owner
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locked_queries import DJANGO_LOCK, SQLALCHEMY_LOCK, waits
from flake8_concurrency.model.locks import called_name, is_locking, words
from flake8_concurrency.model.reads import Read
from flake8_concurrency.model.vocabulary import STATES


class LockedClaims(Claims):
    """Claims of some of the waiting rows, each with a lock that neither skips what others hold nor gives up."""

    def _chosen(self, row: cst.BaseExpression, column: str) -> Iterator[tuple[Read, list[Condition]]]:
        """The reads of a row that chose it by the state of this column; under a lock it may stand in a local too."""
        for read in self._file.queries.of(row):
            tests = conditions(read.links)
            if read.shape == "row" and any(test.column == column and self._is_state(test) for test in tests):
                yield read, tests

    def _is_state(self, test: Condition) -> bool:
        if test.constant:
            return test.state
        if not test.state or STATES.isdisjoint(words(test.column)) or not isinstance(test.value, cst.Name):
            return False
        bindings = self._file.names.reaching(test.value) or ()
        return bool(bindings) and all(binding.how in ("assign", "import") for binding in bindings)

    def _is_taking(self, read: Read, tests: list[Condition], node: cst.CSTNode, row: cst.BaseExpression) -> bool:
        """What takes some rows is told with the lock."""
        del tests, node, row
        return not read.partial

    def _is_open(self, function: FunctionInfo, node: cst.CSTNode, read: Read, row: str, column: str) -> bool:
        """A claim counts here where `Claims` is silent: its rows are locked, and the lock waits."""
        del row, column
        lock = lock_of(read)
        if lock is None or not waits(lock) or not takes_some(read) or self._file.locks.held(node):
            return False
        locking = self._file.function_of(lock)
        calls = (*function.calls, *(locking.calls if locking is not None and locking is not function else ()))
        return not any(_keeps_others_out(call) for call in calls)


def _keeps_others_out(call: cst.Call) -> bool:
    """Whether a call is the other form of the lock, for databases that can skip rows, or another lock altogether."""
    if called_name(call) in (DJANGO_LOCK, SQLALCHEMY_LOCK):
        return not waits(call)
    return is_locking(call)


def lock_of(read: Read) -> cst.Call | None:
    """The call in a query's own chain that locks its rows; None when they are locked in another way, or not at all."""
    found = [
        link
        for link in read.links
        if isinstance(link, cst.Call) and called_name(link) in (DJANGO_LOCK, SQLALCHEMY_LOCK)
    ]
    return found[-1] if found else None


def takes_some(read: Read) -> bool:
    """Whether a query takes some of the rows that wait, and not those of one owner."""
    tests = [test for test in conditions(read.links) if STATES.isdisjoint(words(test.column))]
    if names_one(tests) or names_owner(tests) or read.related:
        return False
    last = next((link for link in reversed(read.links) if isinstance(link, cst.Call)), None)
    return is_sliced(read.links) or (last is not None and called_name(last) in ("first", "afirst"))
