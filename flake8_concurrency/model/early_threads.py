"""Threads that a constructor starts before the object is complete."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import pieces
from flake8_concurrency.model.calls import receiver
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo, attribute_bindings
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CONSTRUCTORS = ("__init__", "__post_init__")
_THREAD = "threading.Thread"
#: What a constructor may wait with until the thread is done, or until it says so.
_WAITING = frozenset({"join", "wait", "wait_for", "acquire", "get"})
_DEEPEST = 3
_STARTS = "starts"


class Early(NamedTuple):
    """A thread that is started too early, and the first attribute that its work reads and that is not there yet."""

    start: cst.Call
    work: FunctionInfo
    attribute: str
    assigned: cst.CSTNode


class EarlyThreads:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def started_by(self, function: FunctionInfo) -> list[Early]:
        """The threads that a constructor starts before it has assigned all that they read."""
        if function.owner is None or function.name not in _CONSTRUCTORS or function.this is None:
            return []
        found: list[Early] = []
        for start, work in self._starts(function):
            late = self._assigned_after(start, function)
            read = self._read(work, _DEEPEST) if late and not self._sleeps_first(work) else {}
            for name, node in late.items():
                if name in read:
                    found.append(Early(start, work, name, node))
                    break
        return found

    # -- what is started ---------------------------------------------------------------------------------------------

    def _starts(self, function: FunctionInfo) -> Iterator[tuple[cst.Call, FunctionInfo]]:
        for call in function.calls:
            if called_name(call) != "start" or call.args or not isinstance(call.func, cst.Attribute):
                continue
            work = self._work(call.func.value, function)
            if work is not None and work.owner is not None:
                yield call, work

    def _work(self, thread: cst.BaseExpression, function: FunctionInfo) -> FunctionInfo | None:
        """The method of the new object that a thread runs."""
        assert function.owner is not None
        if dotted(thread) == function.this:
            run = function.owner.methods.get("run")
            return run if self._file.is_a(thread, _THREAD) else None
        made = thread if isinstance(thread, cst.Call) else self._made(thread, function)
        handed = None if made is None else self._file.offloads.of(made)
        if handed is None or not handed.name.startswith("threading."):
            return None
        if not isinstance(handed.value, cst.Attribute) or dotted(handed.value.value) != function.this:
            return None
        kind = self._file.kind(handed.value)
        return kind.ref if kind is not None and isinstance(kind.ref, FunctionInfo) else None

    def _made(self, thread: cst.BaseExpression, function: FunctionInfo) -> cst.Call | None:
        name = dotted(thread)
        for node in function.nodes(cst.Assign):
            assert isinstance(node, cst.Assign)
            if isinstance(node.value, cst.Call) and any(dotted(target.target) == name != "" for target in node.targets):
                return node.value
        return None

    # -- what is assigned when ---------------------------------------------------------------------------------------

    def _assigned_after(self, start: cst.Call, function: FunctionInfo) -> dict[str, cst.CSTNode]:
        """The attributes that the constructor gives the object after the start, and nothing before."""
        order = self._file.tree.order
        assert function.owner is not None
        waits = [call for call in function.calls if called_name(call) in _WAITING and order(call) > order(start)]
        before: set[str] = set()
        after: dict[str, cst.CSTNode] = {}
        for node in function.own:
            for target, _ in attribute_bindings(node):
                name = target.attr.value
                if dotted(target.value) != function.this:
                    continue
                if order(node) < order(start):
                    before.add(name)
                elif not waits or order(node) < order(waits[0]):
                    after.setdefault(name, node)
        known = before | self._inherited(function.owner)
        return {name: node for name, node in after.items() if name not in known}

    def _inherited(self, info: ClassInfo) -> set[str]:
        """What an object has before its constructor gives it anything: class attributes, and what its bases give it."""
        found: set[str] = set()
        for kind in self._file.kinds.mro(Kind("instance", ref=info)):
            if isinstance(kind.ref, ClassInfo):
                found |= kind.ref.attributes.keys() | kind.ref.methods.keys()
                if kind.ref is not info:
                    found |= kind.ref.assigned.keys()
        return found

    def _sleeps_first(self, work: FunctionInfo) -> bool:
        """Whether a thread gives the constructor time to end before it does anything else."""
        first = min(work.calls, key=self._file.tree.order, default=None)
        return first is not None and self._file.qualified(first.func) == "time.sleep"

    # -- what is read ------------------------------------------------------------------------------------------------

    def _read(self, work: FunctionInfo, depth: int) -> dict[str, cst.CSTNode]:
        """The attributes of its object that a method reads, itself or in the methods it calls."""
        found: dict[str, cst.CSTNode] = {}
        if work.this is None:
            return found
        for node in self._file.tree.within(work.node.body):
            if isinstance(node, cst.Attribute) and dotted(node.value) == work.this:
                parent = self._file.parent(node)
                is_stored = isinstance(parent, cst.AssignTarget | cst.Del) or (
                    isinstance(parent, cst.AnnAssign) and parent.target is node
                )
                if not is_stored:
                    found.setdefault(node.attr.value, node)
        for step in self._file.functions.steps(work) if depth else ():
            called = receiver(step.node)
            if called is not None and dotted(called) == work.this and step.function is not work:
                found = {**self._read(step.function, depth - 1), **found}
        return found


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """A thread, for a constructor that starts something and then assigns an attribute."""
    if not isinstance(root, ast.FunctionDef) or root.name not in _CONSTRUCTORS:
        return ()
    started = [
        node.lineno
        for node in pieces.below(root)
        if isinstance(node, ast.Call) and pieces.last_name(node.func) == "start" and not node.args
    ]
    stored = (n.lineno for n in pieces.below(root) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return {_STARTS} if started and max(stored, default=0) >= min(started) else ()


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """The same: what it starts may be the object itself, of a class that is derived from Thread elsewhere."""
    del anchors
    return asks(root)
