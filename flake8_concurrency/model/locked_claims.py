"""Claims under a lock that makes the workers wait for each other: the shape of a claim, and how its rows are locked."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.claims import Claims
from flake8_concurrency.model.conditions import conditions, is_sliced, names_one, names_owner
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locked_queries import DJANGO_LOCK, SQLALCHEMY_LOCK, waits
from flake8_concurrency.model.locks import called_name, is_locking
from flake8_concurrency.model.reads import Read


class LockedClaims(Claims):
    """Claims of some of the waiting rows, each with a lock that neither skips what others hold nor gives up."""

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
    tests = conditions(read.links)
    if names_one(tests) or names_owner(tests) or read.related:
        return False
    last = next((link for link in reversed(read.links) if isinstance(link, cst.Call)), None)
    return is_sliced(read.links) or (last is not None and called_name(last) in ("first", "afirst"))
