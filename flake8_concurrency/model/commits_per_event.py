"""Loops over events or rows that commit once for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, is_locking, words
from flake8_concurrency.model.spelling import dotted, last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_Loop = cst.For | cst.While
#: What takes the next event from where they come.
_TAKING = frozenset(
    """get get_nowait poll recv receive blpop brpop lpop rpop getone receive_message receive_messages xread xreadgroup
    next anext pop popleft read_message""".split()
)
#: Words in the names of what is already a batch.
_BATCHES = frozenset(
    """batch batches chunk chunks page pages slice slices window windows group groups block blocks bulk batched chunked
    paginate attempt attempts retries""".split()
)
#: Words in the names of calls that take long, or belong to one item alone: between two of them it is right to commit.
_SLOW = frozenset(
    """fetch request requests download upload send post sync process run execute call notify publish import crawl scrape
    generate render build handle sleep wait invoke dispatch delay enqueue charge transcribe translate summarize embed
    analyze migrate retry urlopen""".split()
)
_WRITES = frozenset("add add_all merge delete execute executemany bulk_save_objects bulk_insert_mappings".split())


class CommitPerEvent(NamedTuple):
    """A commit for each event: the call, the loop, and what one event is called."""

    call: cst.Call
    name: str
    loop: _Loop
    event: str


class CommitsPerEvent:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> list[CommitPerEvent]:
        """The commits of a function that run once for each event of a stream, or for each row."""
        found: list[CommitPerEvent] = []
        if self._file.locks.takes(function):
            # A commit lets go of the rows that are locked.
            return found
        for call in function.calls:
            if self._file.transactions.ends(call) != "commit":
                continue
            loop = self._loop(call)
            event = "" if loop is None else self._event(loop)
            if loop is not None and event and self._writes(loop) and not self._is_on_purpose(loop):
                found.append(CommitPerEvent(call, dotted(call.func), loop, event))
        return found

    def _loop(self, call: cst.Call) -> _Loop | None:
        """The innermost loop that commits each time round; None where a test decides, or a failure."""
        child: cst.CSTNode = call
        for around in self._file.ancestors(call):
            if isinstance(around, cst.For | cst.While):
                return around if child is around.body else None
            if isinstance(around, cst.If | cst.ExceptHandler | cst.ExceptStarHandler | cst.FunctionDef | cst.Lambda):
                return None
            child = around
        return None

    # -- what it loops over ------------------------------------------------------------------------------------------

    def _event(self, loop: _Loop) -> str:
        """What one event is called; empty where the loop is over batches, or over nothing that comes in."""
        if isinstance(loop, cst.While):
            return self._taken(loop)
        name = self._target(loop.target)
        spelled = {word for part in (name, *self._names(loop.iter)) for word in words(part)}
        if not name or spelled & _BATCHES or called_name(_called(loop.iter)) == "range":
            return ""
        if isinstance(loop.iter, cst.List | cst.Tuple | cst.Set | cst.Dict):
            return ""
        return name

    def _taken(self, loop: cst.While) -> str:
        for node in self._file.tree.within(loop.body):
            if not isinstance(node, cst.Assign) or len(node.targets) != 1:
                continue
            value = node.value.expression if isinstance(node.value, cst.Await) else node.value
            name = text(node.targets[0].target)
            if isinstance(value, cst.Call) and called_name(value) in _TAKING and _BATCHES.isdisjoint(words(name)):
                return name if isinstance(value.func, cst.Attribute) and not value.args else ""
        return ""

    @staticmethod
    def _target(target: cst.BaseExpression) -> str:
        if isinstance(target, cst.Tuple):
            names = [text(element.value) for element in target.elements]
            return names[-1] if names else ""
        return text(target)

    def _names(self, node: cst.BaseExpression) -> Iterator[str]:
        return (part.value for part in self._file.tree.within(node) if isinstance(part, cst.Name))

    # -- what it does with one ---------------------------------------------------------------------------------------

    def _writes(self, loop: _Loop) -> bool:
        for node in self._file.tree.within(loop.body):
            if isinstance(node, cst.Call) and called_name(node) in _WRITES and isinstance(node.func, cst.Attribute):
                return True
            if isinstance(node, cst.Assign) and any(isinstance(one.target, cst.Attribute) for one in node.targets):
                return True
        return False

    def _is_on_purpose(self, loop: _Loop) -> bool:
        """Whether each event has a transaction of its own for a reason: a lock, a failure, or something slow."""
        for node in self._file.tree.within(loop.body):
            if isinstance(node, cst.For | cst.While):
                # What is committed is a batch by itself.
                return True
            if isinstance(node, cst.Await) and not self._is_of_session(node.expression):
                return True
            if not isinstance(node, cst.Call):
                continue
            name = called_name(node)
            if name in ("rollback", "begin_nested", "atomic") or is_locking(node) or self._file.locks.held(node):
                return True
            if not self._is_of_session(node) and not _SLOW.isdisjoint(words(name)):
                return True
        return False

    def _is_of_session(self, node: cst.BaseExpression) -> bool:
        while isinstance(node, cst.Call | cst.Attribute):
            inner = node.func if isinstance(node, cst.Call) else node.value
            if isinstance(node, cst.Attribute) and self._file.transactions.is_session(node.value):
                return True
            if isinstance(node, cst.Attribute) and last_name(node.value) in ("cursor", "cur", "conn", "connection"):
                return True
            node = inner
        return False


def _called(node: cst.BaseExpression) -> cst.Call:
    """A call, or one of nothing."""
    return node if isinstance(node, cst.Call) else cst.Call(cst.Name("_"))
