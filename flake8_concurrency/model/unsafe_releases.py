"""Locks that are acquired and then released only if nothing fails in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import receiver
from flake8_concurrency.model.lock_identity import LockIdentity
from flake8_concurrency.model.lock_states import RELEASING
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import children

if TYPE_CHECKING:
    from flake8_concurrency.model.definitions import FunctionInfo
    from flake8_concurrency.model.file import FileModel

_KINDS = frozenset({"Lock", "RLock", "Condition"})
#: Calls that do not fail, going by their last name.
_SAFE = frozenset(
    """append add discard clear len isinstance time monotonic notify notify_all notifyAll set is_set copy get items
    values keys print debug info warning error exception critical log locked release acquire get_ident appendleft
    is_alive str repr list dict bool id hasattr""".split()
)


class Unsafe(NamedTuple):
    """An `acquire()` whose release an exception skips: what may raise it, and where the release stands."""

    lock: LockIdentity
    risk: cst.CSTNode
    release: cst.CSTNode


class UnsafeReleases:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def after(self, call: cst.Call) -> Unsafe | None:
        """What may keep a lock that a call acquires from being released, though its function releases it."""
        if called_name(call) != "acquire" or not isinstance(call.func, cst.Attribute):
            return None
        lock = self._file.lock_regions.identity(call.func.value)
        kind = None if lock is None else self._file.lock_regions.kind(lock)
        function = self._file.function_of(call)
        if lock is None or kind is None or kind.name not in _KINDS or function is None or lock.keyed:
            return None
        releases = [one for one in function.calls if self._releases(one, lock)]
        later = [one for one in releases if self._file.tree.order(one) > self._file.tree.order(call)]
        if not later or any(self._is_sure(one, function) for one in releases):
            return None
        # Let go before it is taken, it is the function's callers who hold it.
        if len(later) < len(releases) or lock in self._file.lock_regions.released(function):
            return None
        risk = self._risk(call, later[0], lock)
        return None if risk is None else Unsafe(lock, risk, later[0])

    def _releases(self, call: cst.Call, lock: LockIdentity) -> bool:
        return (
            called_name(call) in RELEASING
            and isinstance(call.func, cst.Attribute)
            and self._file.lock_regions.identity(call.func.value) == lock
        )

    def _is_sure(self, release: cst.Call, function: FunctionInfo) -> bool:
        """Whether a release is made when something fails as well."""
        for around in self._file.ancestors(release):
            if isinstance(around, cst.Finally | cst.ExceptHandler | cst.ExceptStarHandler):
                return True
            if around is function.node:
                return False
        return False

    def _risk(self, acquire: cst.Call, release: cst.Call, lock: LockIdentity) -> cst.CSTNode | None:
        """The first thing between the two that may fail, where the release follows in the block of the `acquire()`."""
        block = self._block(acquire, release)
        for statement in block:
            for node in self._running(statement):
                if node is release:
                    return None
                if isinstance(node, cst.Call) and not _is_safe(node) and not self._is_of(node, lock):
                    return node
                if isinstance(node, cst.Raise | cst.Await):
                    return node
        return None

    def _is_of(self, call: cst.Call, lock: LockIdentity) -> bool:
        """Whether a call is one of the lock's own: a condition that is waited for."""
        of = receiver(call)
        return of is not None and self._file.lock_regions.identity(of) == lock

    def _block(self, acquire: cst.Call, release: cst.Call) -> Sequence[cst.CSTNode]:
        """What runs from an `acquire()` to the statement with the release."""
        child: cst.CSTNode = self._file.tree.statement(acquire)
        if isinstance(child, cst.If):
            is_taken = child.test is acquire
            inner = child.body.body if is_taken else ()
            if release in (node for one in inner for node in self._file.tree.within(one)):
                return inner
            if is_taken:
                return ()
        for parent in self._file.ancestors(child):
            if isinstance(parent, cst.IndentedBlock):
                body = list(parent.body)
                rest = body[body.index(child) + 1 :]  # type: ignore[arg-type]
                upto = [index for index, one in enumerate(rest) if release in self._file.tree.within(one)]
                return rest[: upto[0] + 1] if upto else ()
            if isinstance(parent, cst.FunctionDef):
                break
            child = parent
        return ()

    def _running(self, statement: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes of a statement, those left out that run later."""
        stack = [statement]
        while stack:
            node = stack.pop()
            yield node
            if not isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                stack += reversed(list(children(node)))


def _is_safe(call: cst.Call) -> bool:
    return called_name(call) in _SAFE or "log" in dotted(call.func).lower()
