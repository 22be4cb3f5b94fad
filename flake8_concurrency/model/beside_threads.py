"""Loops over a container of an object that its own thread changes meanwhile, or that the thread goes over itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.beside_shapes import ADDING, REMOVING, is_of_set_up
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import DICT, SET
from flake8_concurrency.model.guards import Access, is_of_a_life
from flake8_concurrency.model.handlers import is_expected
from flake8_concurrency.model.iteration_shapes import VIEWS
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.threaded import Root

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What raises a RuntimeError when something has come or gone since the last item; a list only skips one.
_COUNTED = (DICT, SET, "collections.deque")
#: After one of these the thread is over, or is not at work, as far as anybody can tell.
_WAITING = frozenset("join wait result stop shutdown close cancel terminate as_completed is_alive stop_event".split())
#: What runs a function for each piece of work, or whenever some time has gone by.
_AGAIN = frozenset({"submit", "Timer"})


class Beside(NamedTuple):
    """A loop, and what changes the container meanwhile."""

    loop: cst.For | cst.CompFor
    attribute: str
    change: cst.CSTNode
    changer: FunctionInfo
    #: What starts the thread, and whether the loop is in it.
    root: Root
    in_thread: bool


class BesideThreads:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    def of(self, info: ClassInfo) -> Iterator[Beside]:
        """The loops of a class over what another thread changes; one for each attribute and method."""
        threads = self._threads(info)
        if not threads:
            return
        locks = self._file.guards.locks(info)
        told = {bare.access.node for bare in self._file.guards.bare(info)} if locks else set()
        for attribute, accesses in self._file.guards.accesses(info).items():
            loops = [(one, loop) for one in accesses if one.node not in told and (loop := self._loop(one.node))]
            changes = [one for one in accesses if one.is_write and self._resizes(one)] if loops else []
            seen: set[FunctionInfo] = set()
            for access, loop in loops:
                if access.function in seen or not self._breaks(access, loop):
                    continue
                found = self._changed(access, changes, threads)
                if found is not None:
                    seen.add(access.function)
                    change, root, in_thread = found
                    yield Beside(loop, attribute, change.node, self._site(change), root, in_thread)

    # -- threads -----------------------------------------------------------------------------------------------------

    def _threads(self, info: ClassInfo) -> dict[FunctionInfo, Root]:
        """The functions of a class that run in a thread which the class itself starts, or is."""
        found: dict[FunctionInfo, Root] = {}
        pending = [(one, root) for one, root in self._file.threaded.starts() if self._is_its_own(one, root, info)]
        while pending:
            function, root = pending.pop()
            if function in found or function.is_async:
                continue
            found[function] = root
            pending += [
                (step.function, root)
                for step in self._file.functions.steps(function)
                if self._owner(step.function) is info
            ]
        return found

    def _is_its_own(self, function: FunctionInfo, root: Root, info: ClassInfo) -> bool:
        if self._owner(function) is not info or root.is_alone:
            return False
        if root.key is info:
            return True
        return isinstance(root.key, cst.Call) and self._class_around(root.key) is info

    def _owner(self, function: FunctionInfo) -> ClassInfo | None:
        around: FunctionInfo | None = function
        while around is not None and around.owner is None:
            around = self._file.function_of(around.node)
        return None if around is None else around.owner

    def _class_around(self, node: cst.CSTNode) -> ClassInfo | None:
        function = self._file.function_of(node)
        return None if function is None else self._owner(function)

    def _site(self, access: Access) -> FunctionInfo:
        """The innermost function that a use is in: a thread may run one that a method defines."""
        return self._file.function_of(access.node) or access.function

    # -- loops -------------------------------------------------------------------------------------------------------

    def _loop(self, node: cst.Attribute) -> cst.For | cst.CompFor | None:
        """The loop or comprehension that goes over an attribute, one step at a time."""
        over: cst.BaseExpression = node
        parent = self._file.parent(over)
        if isinstance(parent, cst.Attribute) and parent.attr.value in VIEWS:
            call = self._file.parent(parent)
            if not isinstance(call, cst.Call) or call.func is not parent or call.args:
                return None
            over, parent = call, self._file.parent(call)
        if isinstance(parent, cst.Arg):
            call = self._file.parent(parent)
            if isinstance(call, cst.Call) and last_name(call.func) == "enumerate" and call.args[0] is parent:
                over, parent = call, self._file.parent(call)
        if not isinstance(parent, cst.For | cst.CompFor) or parent.iter is not over or parent.asynchronous is not None:
            return None
        return parent if self._file.is_a(node, *_COUNTED) else None

    def _breaks(self, access: Access, loop: cst.For | cst.CompFor) -> bool:
        """Whether a loop asks for a second item, with nothing that keeps others out, nor anybody who expects it."""
        if access.held or self._file.sections.encloses(access.node, access.node):
            return False
        if isinstance(loop, cst.For) and _leaves(loop.body.body[-1]):
            return False
        return not is_expected(self._tree, loop, "RuntimeError")

    # -- changes -----------------------------------------------------------------------------------------------------

    def _resizes(self, access: Access) -> bool:
        """Whether a use puts something in under a key that is not always the same, or takes something out."""
        parent = self._file.parent(access.node)
        if isinstance(parent, cst.Attribute):
            return parent.attr.value in ADDING | REMOVING
        if not isinstance(parent, cst.Subscript) or not isinstance(index := parent.slice[0].slice, cst.Index):
            return False
        around = self._file.parent(parent)
        if isinstance(around, cst.Del):
            return True
        return isinstance(around, cst.AssignTarget) and not isinstance(index.value, cst.BaseString | cst.BaseNumber)

    def _changed(
        self, loop: Access, changes: list[Access], threads: dict[FunctionInfo, Root]
    ) -> tuple[Access, Root, bool] | None:
        """The change of another thread that may come while a loop is at work."""
        root = threads.get(self._site(loop))
        for change in changes:
            other = threads.get(self._site(change))
            if change.function is loop.function:
                continue
            if (
                root is not None
                and other is None
                and self._comes_again(loop, root)
                and self._is_outside(change, threads)
            ):
                return change, root, True
            if root is None and other is not None and self._is_outside(loop, threads):
                return change, other, False
        return None

    def _comes_again(self, loop: Access, root: Root) -> bool:
        """Whether a thread gets to a loop again and again: what it does at its start or its end, it does alone."""
        function = self._site(loop)
        if is_of_a_life(function):
            return False
        if (root.several and not root.own_object) or root.how in _AGAIN:
            return True
        if not any(one is function for one, _ in self._file.threaded.starts()):
            return True
        around = takewhile(lambda one: one is not function.node, self._tree.ancestors(loop.node))
        own = self._loop(loop.node)
        return any(isinstance(one, cst.For | cst.While) and one is not own for one in around)

    def _is_outside(self, access: Access, threads: dict[FunctionInfo, Root]) -> bool:
        """Whether a use stands in a method that others call while the thread is at work."""
        function = access.function
        if is_of_set_up(function.name) or is_of_a_life(function) or self._site(access) is not function:
            return False
        if self._file.functions.runs_once(function) or not self._file.guards.is_entered_bare(function):
            return False
        starts = {id(root.key) for root in threads.values()}
        order = self._tree.order
        for call in function.calls:
            if id(call) in starts:
                return False
            if called_name(call) in _WAITING and order(call) < order(access.node) and not _joins_text(call):
                return False
        return True


def _leaves(statement: cst.CSTNode) -> bool:
    """Whether a statement leaves the loop that it ends."""
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[-1], cst.Break | cst.Return | cst.Raise
    )


def _joins_text(call: cst.Call) -> bool:
    """`", ".join(names)`, `os.path.join(a, b)`"""
    receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
    return called_name(call) == "join" and (isinstance(receiver, cst.BaseString) or "path" in text(receiver or call))
