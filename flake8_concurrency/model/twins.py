"""Code that does the same thing in two ways, one of which does not hold up the event loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.model import pieces
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Functions that tell coroutine functions from others, and objects of one class from others.
TELLING = frozenset({"iscoroutinefunction", "is_coroutine_function", "is_async_callable", "isinstance"})
#: Methods that hand what they are given to a thread, by names that say so, next to those that the tables know.
OFFLOADERS = frozenset(name.rpartition(".")[2] for name in OFFLOADING) - {"Thread", "Timer", "BaseProcess", "map"} | {
    "async_add_executor_job",
    "run_in_thread",
    "run_in_worker_thread",
    "run_sync_in_worker_thread",
    "run_blocking",
}
#: Any method of a class may call what another one hands over.
KEEPS = re.compile(r"\bself\b")


class Undecided(NamedTuple):
    """A call that runs on the loop where its twin is awaited."""

    call: cst.Call
    awaited: cst.Call


class Twins:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._offloaded: dict[ClassInfo, dict[str, cst.Call]] = {}

    # -- one branch awaits, the other does not -------------------------------------------------------------------------

    def on_the_loop(self, function: FunctionInfo) -> Iterator[Undecided]:
        """The calls of a function that run on the loop where a test says that they need no `await`."""
        for node in self._file.tree.within(function.node.body):
            if isinstance(node, cst.If | cst.IfExp) and self._file.function_of(node) is function:
                tested = self._tested(node.test)
                if tested:
                    yield from self._split(node, tested)

    def _tested(self, test: cst.BaseExpression) -> set[str]:
        """What a test asks whether it is a coroutine function, or an object of an async class."""
        found = set()
        for node in self._file.tree.within(test):
            if isinstance(node, cst.Call) and node.args and last_name(node.func) in TELLING:
                asked = dotted(node.args[0].value)
                if asked:
                    found.add(asked)
        return found

    def _split(self, node: cst.If | cst.IfExp, tested: Collection[str]) -> Iterator[Undecided]:
        branches = list(self._branches(node))
        awaited = [call for branch in branches for call in self._calls(branch, awaited=True)]
        for branch in branches:
            if any(call in self._file.tree.within(branch) for call in awaited):
                continue
            for call in self._calls(branch, awaited=False):
                name = dotted(call.func)
                twin = next((other for other in awaited if dotted(other.func) == name), None)
                if twin is not None and any(name == asked or name.startswith(f"{asked}.") for asked in tested):
                    yield Undecided(call, twin)

    def _branches(self, node: cst.If | cst.IfExp) -> Iterator[cst.CSTNode]:
        yield node.body
        if node.orelse is not None:
            yield node.orelse
        elif isinstance(node, cst.If):
            # `if …: return await f()`, and what follows it.
            block = self._file.parent(node)
            if isinstance(block, cst.IndentedBlock) and _returns(node.body):
                yield from block.body[block.body.index(node) + 1 :]

    def _calls(self, branch: cst.CSTNode, *, awaited: bool) -> Iterator[cst.Call]:
        for node in self._file.tree.within(branch):
            if isinstance(node, cst.Call) and isinstance(self._file.parent(node), cst.Await) is awaited:
                yield node

    # -- handed to a thread elsewhere ----------------------------------------------------------------------------------

    def handed_over_elsewhere(self, function: FunctionInfo) -> Iterator[tuple[cst.Call, cst.Call]]:
        """What a method calls and its class hands to a thread wherever else it uses it, each with one such place."""
        if function.owner is None or function.this != "self":
            return
        offloaded = self._handed_by(function.owner)
        here = self._direct(function)
        others = [other for other in function.owner.methods.values() if other is not function and other.is_async]
        elsewhere = {name for other in others for name in self._direct(other)}
        for name, call in here.items():
            # Where one method does both, its author has chosen; and what the tables know, they know better.
            if name not in offloaded or name in elsewhere or offloaded[name] in function.calls:
                continue
            if not self._file.functions.table_names(call.func):
                yield call, offloaded[name]

    def _direct(self, function: FunctionInfo) -> dict[str, cst.Call]:
        """What a method calls on its own object and does not await, each with the first place."""
        found: dict[str, cst.Call] = {}
        for call in function.calls:
            name = dotted(call.func)
            if name.startswith("self.") and not isinstance(self._file.parent(call), cst.Await):
                found.setdefault(name.removeprefix("self."), call)
        return found

    def _handed_by(self, owner: ClassInfo) -> dict[str, cst.Call]:
        """By name: what the methods of a class hand to a thread."""
        if owner not in self._offloaded:
            found = self._offloaded[owner] = {}
            for method in owner.methods.values():
                for call in method.calls:
                    if last_name(call.func) in OFFLOADERS:
                        for arg in call.args:
                            name = dotted(arg.value)
                            if name.startswith("self."):
                                found.setdefault(name.removeprefix("self."), call)
        return self._offloaded[owner]


def _returns(body: cst.BaseSuite) -> bool:
    if not body.body:
        return False
    last = body.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return)


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks_offloaded(root: ast.AST) -> set[str]:
    """The last names of what a piece of the text hands to a thread."""
    return answers_offloaded(root, OFFLOADERS)


def answers_offloaded(root: ast.AST, names: Collection[str]) -> set[str]:
    """The last names of what calls of these names are given."""
    calls = (node for node in pieces.below(root) if isinstance(node, ast.Call))
    handed = (call for call in calls if pieces.last_name(call.func) in names)
    return {arg.attr for call in handed for arg in call.args if isinstance(arg, ast.Attribute)}
