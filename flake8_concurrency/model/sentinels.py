"""Waits that need no timeout: something in the file ends them, or they are meant to last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.bindings import targets
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Words in the name of an event that somebody outside sets to end the program: it may take as long as it takes.
_ENDING = frozenset(
    "stop stopping shutdown exit exiting quit terminate halt abort interrupt kill sigterm sigint".split()
)
#: Words in the test of a loop around a condition: whoever ends the work wakes it.
_OVER = _ENDING | frozenset("stopped closed closing running alive cancelled canceled finished shutting active".split())
#: Functions that end a worker.
_CLOSING = frozenset("stop close shutdown terminate quit exit join cancel halt end finish kill".split())
_LOOPS = (cst.While, cst.For)
#: Whatever may be a reason for silence, wherever it stands.
KEEPS = re.compile(r"\b(?:daemon|setDaemon|put|put_nowait|set|qsize)\b")


class Sentinels:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    # -- queues ------------------------------------------------------------------------------------------------------

    def ends_wait(self, call: cst.Call) -> bool:
        """Whether what a queue gives ends the wait for more: a sentinel, or a daemon thread that may wait for ever."""
        method = self._method(call)
        if method is None or method.attr.value != "get":
            return False
        queue = last_name(method.value)
        return (
            queue in self._fed_a_sentinel
            or self._is_compared(call)
            or self._waits_as_daemon(call)
            or self._is_counted(call, queue)
            or self._is_ended_by_an_item(call, queue)
        )

    def _method(self, call: cst.Call) -> cst.Attribute | None:
        """The method that a call calls, also by a name of the function's own: `get = self.jobs.get`."""
        func: cst.BaseExpression | None = call.func
        if isinstance(func, cst.Name):
            bindings = self._file.names.reaching(func) or ()
            func = bindings[0].value if len(bindings) == 1 and not bindings[0].path else None
        return func if isinstance(func, cst.Attribute) else None

    @cached_property
    def _fed_a_sentinel(self) -> frozenset[str]:
        """The last names of what None, or a marker in capitals, is put into."""
        found = set()
        for call in self._file.tree.calls:
            func = call.func
            if isinstance(func, cst.Attribute) and func.attr.value in ("put", "put_nowait") and call.args:
                given = call.args[0].value
                if literal(given) in ((None,), (False,), (True,)) or last_name(given).isupper():
                    found.add(last_name(func.value))
        return frozenset(found - {""})

    def _is_counted(self, call: cst.Call, name: str) -> bool:
        """Whether something around a call, or around all calls of its helper, has asked how much the queue holds."""
        child: cst.CSTNode = call
        for parent in self._file.ancestors(call):
            asked: list[cst.CSTNode] = []
            if isinstance(parent, cst.While | cst.If) and child is not parent.test:
                asked = [parent.test]
            elif isinstance(parent, cst.For) and child is not parent.iter:
                asked = [parent.iter]
            elif isinstance(parent, COMPREHENSIONS):
                asked = [parent.for_in.iter]
            if any(
                isinstance(node, cst.Attribute)
                and node.attr.value in ("qsize", "empty")
                and last_name(node.value) == name
                for one in asked
                for node in [one, *self._file.tree.within(one)]
            ):
                return True
            if isinstance(parent, cst.FunctionDef):
                return self._is_counted_outside(self._file.definitions.functions[parent], name)
            if isinstance(parent, cst.Lambda):
                return False
            child = parent
        return False

    def _is_counted_outside(self, helper: FunctionInfo, name: str) -> bool:
        """Whether all who call a function with a queue have asked how much that holds: `if jobs.qsize(): one(jobs)`."""
        names = [param.name.value for param in helper.params]
        if helper.owner is not None or name not in names:
            return False
        calls = self._file.queries.callers(helper)
        given = [argument(call, names.index(name), name) for call in calls]
        return bool(calls) and all(
            value is not None
            and self._file.function_of(call) is not helper
            and self._is_counted(call, last_name(value))
            for call, value in zip(calls, given, strict=True)
        )

    def _is_ended_by_an_item(self, call: cst.Call, queue: str) -> bool:
        """Whether the flag that ends the loop is set by what comes from the queue, or together with an item for it."""
        loop = self._loop(call)
        if not isinstance(loop, cst.While) or literal(loop.test) is not None:
            return False
        flags = {
            last_name(node)
            for node in [loop.test, *self._file.tree.within(loop.test)]
            if isinstance(node, cst.Name | cst.Attribute)
        }
        around = self._file.function_of(call)
        functions = self._file.definitions.functions.values()
        setters = [function for function in functions if function is not around and self._sets(function, flags)]
        if not setters:
            return "is_set" not in flags
        return any(
            isinstance(other.func, cst.Attribute)
            and other.func.attr.value in ("put", "put_nowait")
            and last_name(other.func.value) == queue
            for function in setters
            for other in function.calls
        )

    @staticmethod
    def _sets(function: FunctionInfo, flags: set[str]) -> bool:
        """Whether a function, other than the constructor, sets one of these flags."""
        if function.name == "__init__":
            return False
        for node in function.own:
            if isinstance(node, cst.Assign) and any(last_name(target.target) in flags for target in node.targets):
                return True
            if (
                isinstance(node, cst.Call)
                and isinstance(node.func, cst.Attribute)
                and node.func.attr.value == "set"
                and last_name(node.func.value) in flags
            ):
                return True
        return False

    def _is_compared(self, call: cst.Call) -> bool:
        """Whether what is got is tested as a whole, or a part of it with a constant, as one does with a sentinel."""
        names = set(self._names_of(call))
        for parent in self._file.ancestors(call):
            if isinstance(parent, cst.Comparison):
                return True
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return bool(names) and any(
                    _tests(node, names)
                    for node in self._file.tree.within(parent.body)
                    if isinstance(node, cst.If | cst.While | cst.IfExp | cst.Match | cst.Assert)
                )
        return False

    def _names_of(self, call: cst.Call) -> Iterator[str]:
        for parent in self._file.ancestors(call):
            match parent:
                case cst.NamedExpr(target=cst.Name(value=name)):
                    yield name
                case cst.Assign():
                    for target in parent.targets:
                        yield from (
                            single.value for single, _ in targets(target.target) if isinstance(single, cst.Name)
                        )
                    return
                case cst.AnnAssign(target=cst.Name(value=name)):
                    yield name
                    return
                case cst.BaseStatement():
                    return

    # -- events ------------------------------------------------------------------------------------------------------

    def may_last(self, call: cst.Call, name: str) -> bool:
        """Whether a wait for an event, a condition or a barrier is meant to last, or bounded where it was made."""
        assert isinstance(call.func, cst.Attribute)
        subject = call.func.value
        if ".Barrier." in name:
            return self._is_bounded_barrier(subject)
        if isinstance(subject, cst.Call) and called_name(subject) == "Event":
            # `Event().wait()`: nobody else has it, so the main thread is to stand still for ever.
            return True
        if not _ENDING.isdisjoint(words(last_name(subject))):
            return True
        loop = self._loop(call)
        if ".Condition." in name:
            return (loop is not None and _mentions(loop, self._file)) or self._predicate_ends(call)
        return self._is_wake_up(call, subject, loop)

    def _is_bounded_barrier(self, subject: cst.BaseExpression) -> bool:
        made = self._file.origins.of(subject)
        if made is None:
            return True
        for call in made:
            timeout = argument(call, 2, "timeout")
            if any(arg.star for arg in call.args) or (timeout is not None and literal(timeout) != (None,)):
                return True
        return False

    def _predicate_ends(self, call: cst.Call) -> bool:
        return any(
            isinstance(node, cst.Name | cst.Attribute) and not _OVER.isdisjoint(words(last_name(node)))
            for arg in call.args
            for node in self._file.tree.within(arg)
        )

    def _is_wake_up(self, call: cst.Call, subject: cst.BaseExpression, loop: cst.While | cst.For | None) -> bool:
        """Whether the wait is a worker's for something to do, and what ends the worker wakes it."""
        if loop is None:
            return False
        if self._waits_as_daemon(call):
            return True
        name = last_name(subject)
        return any(
            isinstance(other.func, cst.Attribute)
            and other.func.attr.value == "set"
            and last_name(other.func.value) == name
            and (self._is_closing(other) or self._ends_loop(other, loop))
            for other in self._file.tree.calls
        )

    def _ends_loop(self, node: cst.CSTNode, loop: cst.While | cst.For) -> bool:
        """Whether a function that wakes a worker also sets a flag that the test of the worker's loop looks at."""
        function = self._file.function_of(node)
        worker = self._file.function_of(loop)
        if function is None or worker is None or function.owner is not worker.owner or not isinstance(loop, cst.While):
            return False
        asked = {last_name(part) for part in self._file.tree.within(loop.test)} - {""}
        return any(
            isinstance(part, cst.Assign)
            and literal(part.value) in ((True,), (False,))
            and any(last_name(one.target) in asked for one in part.targets)
            for part in function.own
        )

    def _is_closing(self, node: cst.CSTNode) -> bool:
        function = self._file.function_of(node)
        return function is not None and (
            not _CLOSING.isdisjoint(words(function.name)) or function.name in ("__exit__", "__del__")
        )

    # -- loops and threads -------------------------------------------------------------------------------------------

    def _loop(self, node: cst.CSTNode) -> cst.While | cst.For | None:
        for parent in self._file.ancestors(node):
            if isinstance(parent, _LOOPS):
                return parent
            if isinstance(parent, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                return None
        return None

    def _waits_as_daemon(self, call: cst.Call) -> bool:
        """Whether a call stands in an endless loop of a function that a daemon thread of the file runs."""
        loop = self._loop(call)
        if not isinstance(loop, cst.While) or literal(loop.test) not in ((True,), (1,)):
            return False
        function = self._file.function_of(call)
        return function is not None and (function in self._daemons or self._is_daemon_run(function))

    @cached_property
    def _daemons(self) -> frozenset[FunctionInfo]:
        found = set()
        for call in self._file.tree.calls:
            daemon = argument(call, None, "daemon")
            if daemon is None or literal(daemon) != (True,):
                continue
            target = argument(call, 1, "target")
            kind = None if target is None else self._file.kind(target)
            if kind is not None and isinstance(kind.ref, FunctionInfo):
                found.add(kind.ref)
        return frozenset(found | set(self._started_as_daemons()))

    def _started_as_daemons(self) -> Iterator[FunctionInfo]:
        """The targets of threads of which an attribute is set: `thread.daemon = True`, `thread.setDaemon(True)`."""
        set_later = {
            dotted(target.target.value)
            for nodes in self._file.tree.own.values()
            for node in nodes
            if isinstance(node, cst.Assign) and literal(node.value) == (True,)
            for target in node.targets
            if isinstance(target.target, cst.Attribute) and target.target.attr.value == "daemon"
        } | {dotted(call.func.value) for call in self._file.tree.calls if isinstance(call.func, cst.Attribute)
             and call.func.attr.value == "setDaemon"}  # fmt: skip
        for call in self._file.tree.calls if set_later else ():
            target = argument(call, 1, "target")
            parent = self._file.parent(call)
            if target is None or not isinstance(parent, cst.Assign):
                continue
            kind = self._file.kind(target)
            named = {dotted(one.target) for one in parent.targets}
            if kind is not None and isinstance(kind.ref, FunctionInfo) and not named.isdisjoint(set_later):
                yield kind.ref

    def _is_daemon_run(self, function: FunctionInfo) -> bool:
        """Whether it is the `run` of a class whose objects say that they are daemon threads."""
        owner = function.owner
        if owner is None or function.name != "run":
            return False
        if any(binding.value is not None and literal(binding.value) == (True,)
               for binding in (*owner.attributes.get("daemon", ()), *owner.assigned.get("daemon", ()))):  # fmt: skip
            return True
        return any(
            literal(given) == (True,)
            for method in owner.methods.values()
            for call in method.calls
            if (given := argument(call, None, "daemon")) is not None and last_name(call.func) == "__init__"
        )


def _mentions(loop: cst.While | cst.For, file: FileModel) -> bool:
    """Whether the test of a loop looks at something that says that all is over."""
    if not isinstance(loop, cst.While):
        return False
    nodes = [loop.test, *file.tree.within(loop.test)]
    # Of several reasons to wake up, one is the end.
    return any(isinstance(node, cst.BooleanOperation) for node in nodes) or any(
        isinstance(node, cst.Name | cst.Attribute) and not _OVER.isdisjoint(words(last_name(node))) for node in nodes
    )


def _tests(node: cst.CSTNode, names: set[str]) -> bool:
    """Whether a test is about the value of one of these names as a whole."""
    if isinstance(node, cst.Match):
        return last_name(node.subject) in names
    assert isinstance(node, cst.If | cst.While | cst.IfExp | cst.Assert)
    pending = [node.test]
    while pending:
        match pending.pop():
            case cst.BooleanOperation(left=left, right=right):
                pending += [left, right]
            case cst.UnaryOperation(expression=inner):
                pending.append(inner)
            case cst.NamedExpr(value=inner):
                pending.append(inner)
            case cst.Name(value=value):
                if value in names:
                    return True
            case cst.Comparison(left=left, comparisons=comparisons):
                pending += [left, *(one.comparator for one in comparisons)]
            case cst.Subscript(value=inner):
                pending.append(inner)
            case cst.Call(func=cst.Name(value="isinstance" | "len"), args=[first, *_]):
                pending.append(first.value)
    return False
