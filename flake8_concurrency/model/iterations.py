"""Loops over shared dicts, sets and lists that wait in between, while others take something out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import targets
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import DICT, LIST, SET
from flake8_concurrency.model.handlers import is_expected
from flake8_concurrency.model.iteration_shapes import LOOKING_UP, REMOVING, VIEWS, is_of_end, is_of_start
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What raises a RuntimeError when it has changed since the last item; a list goes on, one item too far.
_COUNTED = (DICT, SET)

#: Who is told something, or talked to, until they go.
_COMING_AND_GOING = frozenset(
    "listener subscriber observer watcher connection client socket websocket ws peer viewer waiter".split()
)
#: Whose state a container is, and its name there: the same wherever the file speaks of it.
_Place = tuple[object, str]


class Iteration(NamedTuple):
    """A loop over a container, what waits in it, and what takes something out of the container meanwhile."""

    loop: cst.For | cst.CompFor
    container: cst.BaseExpression
    suspension: cst.CSTNode
    change: cst.CSTNode
    changer: FunctionInfo
    #: Whether the loop notices: a dict and a set raise an error, a list does not.
    is_noticed: bool


class Iterations:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._removals: dict[_Place, list[tuple[cst.CSTNode, FunctionInfo]]] | None = None

    def disturbed(self, function: FunctionInfo) -> Iterator[Iteration]:
        """The loops of a function that go on with a container which others have changed while they waited."""
        if not function.is_async or is_of_start(function.name):
            return
        if (
            function.name.startswith("_")
            and not function.name.endswith("__")
            and not self._file.entrances.uses(function)
        ):
            # Called by other files, which may hold a lock.
            return
        suspensions = self._file.suspensions.of(function)
        for loop in function.own if suspensions else ():
            if not isinstance(loop, cst.For | cst.CompFor) or loop.asynchronous is not None:
                continue
            container = _iterated(loop.iter)
            place = self._place(container)
            if place is None or not self._file.is_a(container, *_COUNTED, LIST):
                continue
            is_noticed = self._file.is_a(container, *_COUNTED)
            suspension = next((one for one in suspensions if self._goes_on(one, loop)), None)
            if (
                suspension is None
                or self._file.sections.encloses(loop.iter, loop)
                or is_expected(self._tree, loop, "RuntimeError")
            ):
                continue
            change = self._changed(place, function, None if is_noticed else loop)
            if change is not None:
                yield Iteration(loop, container, suspension, *change, is_noticed)

    def _goes_on(self, suspension: cst.CSTNode, loop: cst.For | cst.CompFor) -> bool:
        """Whether a loop asks for its next item after a wait in its body."""
        if isinstance(loop, cst.CompFor):
            around = list(self._tree.ancestors(suspension))
            return self._tree.parents[loop] in around and loop.iter not in around
        child = suspension
        for parent in self._tree.ancestors(suspension):
            if parent is loop:
                return child is loop.body and not _is_put(suspension)
            if isinstance(parent, cst.IndentedBlock) and _ends(parent.body[-1]):
                return False
            child = parent
        return False

    # -- what others do ------------------------------------------------------------------------------------------------

    def _changed(
        self, place: _Place, function: FunctionInfo, unnoticed: cst.For | cst.CompFor | None
    ) -> tuple[cst.CSTNode, FunctionInfo] | None:
        """Where another function takes something out of a container while its loop waits, which may go `unnoticed`."""
        if self._removals is None:
            self._removals = {}
            for other in self._file.definitions.functions.values():
                if not is_of_start(other.name):
                    for node, container in _removals(self._run_by(other)):
                        found = self._place(container)
                        if found is not None and (not is_of_end(other.name) or _names_one(node, other)):
                            self._removals.setdefault(found, []).append((node, other))
        is_last = is_of_end(function.name)
        is_shared = not self._file.entrances.is_of_one_task(function)
        return next(
            (
                (node, other)
                for node, other in self._removals.get(place, ())
                if other is not function
                and (unnoticed is None or self._is_missed(unnoticed, place, node, other, is_last=is_last))
                and (self._is_callback(node, other) or (is_shared and self._comes_by(other, is_last)))
            ),
            None,
        )

    def _is_missed(
        self, loop: cst.For | cst.CompFor, place: _Place, node: cst.CSTNode, other: FunctionInfo, *, is_last: bool
    ) -> bool:
        """Whether an item that a list skips is missed: the loop itself takes items out, or they are who is told."""
        if _is_last_item(node):
            return False
        calls = (one for one in self._tree.within(self._tree.parents[loop] if isinstance(loop, cst.CompFor) else loop))
        if any(isinstance(one, cst.Call) and self._file.callee(one) is other for one in calls):
            return True
        named = words(place[1])
        return not is_last and any(not _COMING_AND_GOING.isdisjoint((word, word.removesuffix("s"))) for word in named)

    @staticmethod
    def _comes_by(function: FunctionInfo, is_last: bool) -> bool:
        """Whether others may call a function at any time; at the end only an async one."""
        return not function.name.startswith("_") and (function.is_async or not is_last)

    def _is_callback(self, node: cst.CSTNode, function: FunctionInfo) -> bool:
        """Whether something runs when a task is done, or something else has happened."""
        if isinstance(node, cst.Attribute) or isinstance(self._tree.scope_of(node), cst.Lambda):
            return True
        return any(self._is_handed_on(use) for use in self._file.entrances.uses(function))

    def _is_handed_on(self, name: cst.Name) -> bool:
        outer = self._tree.parents[name]
        return isinstance(self._tree.parents[outer] if isinstance(outer, cst.Attribute) else outer, cst.Arg)

    def _run_by(self, function: FunctionInfo) -> Iterator[cst.CSTNode]:
        """What a function does, and what the lambdas in it do: `task.add_done_callback(lambda _: self.x.pop(key))`."""
        for node in function.own:
            yield node
            if isinstance(node, cst.Lambda):
                yield from self._tree.own[node]

    def _place(self, node: cst.BaseExpression) -> _Place | None:
        """Whose state a name, an attribute of the object or an item of either is, and what it is called there."""
        node = self._aliased(node)
        looked_up = self._looked_up(node)
        if looked_up is not None:
            container, key = looked_up
            outer = self._place(container)
            # Keys that are written out tell two containers apart; whether two variables are alike nobody knows.
            spelled = text(key) if isinstance(key, cst.SimpleString | cst.Integer) else ""
            return None if outer is None else (outer[0], f"{outer[1]}[{spelled}]")
        owner = self._file.shared_state.owner(node)
        if owner == "module" and isinstance(node, cst.Name):
            return "module", node.value
        if owner in ("object", "class") and isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name):
            return self._class_around(node), node.attr.value
        return None

    def _aliased(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """What a variable of the function was set to, where that is one thing: `sockets = self.rooms[name]`."""
        if not isinstance(node, cst.Name) or self._file.shared_state.owner(node):
            return node
        bindings = self._file.names.reaching(node) or ()
        if len(bindings) != 1 or bindings[0].how != "assign" or bindings[0].path or bindings[0].value is None:
            return node
        return _first(bindings[0].value)

    def _looked_up(self, node: cst.BaseExpression) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
        """The dict in which something is looked up, and its key there: `self.rooms[name]`, `self.rooms.get(name)`."""
        match node:
            case cst.Subscript(value=container, slice=[cst.SubscriptElement(slice=cst.Index(value=key))]):
                pass
            case cst.Call(
                func=cst.Attribute(value=container, attr=cst.Name(value=method)), args=[cst.Arg(value=key), *_]
            ) if method in LOOKING_UP:
                pass
            case _:
                return None
        return (container, key) if self._file.is_a(container, DICT) else None

    def _class_around(self, node: cst.CSTNode) -> ClassInfo | None:
        functions = self._file.definitions.functions
        around = (functions[one].owner for one in self._tree.ancestors(node) if isinstance(one, cst.FunctionDef))
        return next((owner for owner in around if owner is not None), None)


def _iterated(node: cst.BaseExpression) -> cst.BaseExpression:
    """What a loop goes through: `T`, `T.items()`, `enumerate(T)`, `T or ()`."""
    while True:
        node = _first(node)
        if not isinstance(node, cst.Call):
            break
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in VIEWS and not node.args:
            node = node.func.value
        elif last_name(node.func) == "enumerate" and node.args:
            node = node.args[0].value
        else:
            break
    return node


def _first(node: cst.BaseExpression) -> cst.BaseExpression:
    """What stands before the `or`."""
    while isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
        node = node.left
    return node


def _names_one(node: cst.CSTNode, function: FunctionInfo) -> bool:
    """Whether a function takes out what its caller names: `disconnect(socket)` ends one connection, not all."""
    match node:
        case cst.Call():
            keys: list[cst.BaseExpression] = [arg.value for arg in node.args]
        case cst.Del(target=cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=key))])):
            keys = [key]
        case _:
            return False
    given = {param.name.value for param in function.node.params.params} - {function.this}
    return any(isinstance(key, cst.Name | cst.Attribute) and text(key).partition(".")[0] in given for key in keys)


def _is_last_item(node: cst.CSTNode) -> bool:
    """Whether the last item of a list is taken, which none comes after: `names.pop()`."""
    return isinstance(node, cst.Call) and called_name(node) == "pop" and not node.args


def _is_put(node: cst.CSTNode) -> bool:
    """Whether something is put into a queue, which waits only where it is full."""
    return (
        isinstance(node, cst.Await) and isinstance(node.expression, cst.Call) and called_name(node.expression) == "put"
    )


def _ends(statement: cst.CSTNode) -> bool:
    """Whether a statement leaves the loop that it is in."""
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[-1], cst.Break | cst.Return | cst.Raise
    )


def _removals(nodes: Iterable[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
    """What takes something out of containers, or lets others do it: `task.add_done_callback(self.tasks.discard)`."""
    for node in nodes:
        match node:
            case cst.Call():
                for part in (node.func, *(arg.value for arg in node.args)):
                    if isinstance(part, cst.Attribute) and part.attr.value in REMOVING:
                        yield (node if part is node.func else part), part.value
            case cst.Del():
                for single, _ in targets(node.target):
                    if isinstance(single, cst.Subscript):
                        yield node, single.value
