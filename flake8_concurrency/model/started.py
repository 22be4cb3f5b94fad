"""Work that is started and runs beside the code that started it: in threads, and as tasks of the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.knowledge.unshared import TASKS, THREADS
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_LOOPS = (cst.For, cst.While, *COMPREHENSIONS)
_MAPS = frozenset("map map_async imap imap_unordered starmap starmap_async".split())
#: What is done with a handle that does not wait for it.
_NO_WAIT = frozenset("start add_done_callback append add setDaemon set_name setName".split())
_ENDING = frozenset("shutdown join close terminate wait".split())


class Work(NamedTuple):
    """Something that is run: a callable with arguments in a thread, or a coroutine as a task."""

    #: What starts it.
    start: cst.Call
    #: The callable, or the call that makes the coroutine.
    body: cst.BaseExpression
    #: What it is given, apart from what stands in `body`.
    given: tuple[cst.BaseExpression, ...]
    in_thread: bool
    #: The expression that stands for one piece of it: a comprehension around it makes many.
    at: cst.BaseExpression
    #: Started once for each of many items by its nature.
    many: bool = False

    @property
    def is_coroutine(self) -> bool:
        return not self.in_thread and isinstance(self.body, cst.Call)


class Started:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def by(self, call: cst.Call) -> list[Work]:
        """The work that a call starts; nothing for one whose end is awaited then and there."""
        if called_name(call) == "gather":
            return [work for arg in call.args for work in self._gathered(call, arg)]
        if called_name(call) in TASKS:
            return self._task(call)
        if called_name(call) not in THREADS or isinstance(self._file.parent(call), cst.Await):
            return []
        work = None if self._is_waited_for(call) else self._threaded(call, call)
        return [] if work is None else [work]

    # -- tasks -------------------------------------------------------------------------------------------------------

    def _task(self, call: cst.Call) -> list[Work]:
        if not call.args or call.args[0].star:
            return []
        first = call.args[0].value
        if called_name(call) == "start_soon":
            rest = tuple(arg.value for arg in call.args[1:] if arg.keyword is None and not arg.star)
            return [Work(call, first, rest, in_thread=False, at=call)]
        if isinstance(self._file.parent(call), cst.Await):
            return []
        return [self._coroutine(call, first)]

    def _coroutine(self, start: cst.Call, node: cst.BaseExpression) -> Work:
        if isinstance(node, cst.Call):
            work = self._threaded(start, node)
            if work is not None:
                return work
        return Work(start, node, (), in_thread=False, at=node)

    def _gathered(self, start: cst.Call, arg: cst.Arg) -> Iterator[Work]:
        if arg.keyword is None:
            for node in self._items(arg.value) if arg.star else (arg.value,):
                made = self._made(node)
                if isinstance(made, cst.Call) and called_name(made) not in TASKS:
                    yield self._coroutine(start, made)

    def _items(self, node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        """What `*node` gives: the items of a list or comprehension, also where a local holds it, and what it gets."""
        match node:
            case cst.List() | cst.Tuple() | cst.Set():
                for element in node.elements:
                    if isinstance(element, cst.StarredElement):
                        yield from self._items(element.value)
                    else:
                        yield element.value
            case cst.ListComp() | cst.GeneratorExp() | cst.SetComp():
                yield node.elt
            case cst.Name():
                for binding in self._file.names.reaching(node) or ():
                    if binding.how == "assign" and not binding.path and not isinstance(binding.value, cst.Name):
                        yield from self._items(binding.value) if binding.value is not None else ()
                yield from self._appended(node)
            case cst.Call() if called_name(node) in ("list", "tuple") and len(node.args) == 1:
                yield from self._items(node.args[0].value)

    def _appended(self, name: cst.Name) -> Iterator[cst.BaseExpression]:
        function = self._file.function_of(name)
        for call in function.calls if function is not None else ():
            if (
                called_name(call) == "append"
                and isinstance(call.func, cst.Attribute)
                and text(call.func.value) == name.value
                and len(call.args) == 1
            ):
                yield call.args[0].value

    def _made(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """The call that made a coroutine which a local holds."""
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or ()
            if len(bindings) == 1 and bindings[0].how == "assign" and not bindings[0].path and bindings[0].value:
                return bindings[0].value
        return node

    # -- threads -----------------------------------------------------------------------------------------------------

    def _threaded(self, start: cst.Call, call: cst.Call) -> Work | None:
        for name in self._file.functions.table_names(call.func):
            how = OFFLOADING.get(name)
            if how is None or how.where != "thread" or how.wraps or name.startswith("starlette.background"):
                continue
            body = argument(call, how.position, how.keyword)
            if body is None:
                return None
            given = self._arguments(call, body, name)
            return Work(start, body, given, in_thread=True, at=call, many=called_name(call) in _MAPS)
        return None

    @staticmethod
    def _arguments(call: cst.Call, body: cst.BaseExpression, name: str) -> tuple[cst.BaseExpression, ...]:
        if not name.startswith("threading."):
            return tuple(arg.value for arg in call.args if arg.value is not body)
        found: list[cst.BaseExpression] = []
        position = 3 if name.endswith("Thread") else 2
        for given in (argument(call, position, "args"), argument(call, position + 1, "kwargs")):
            match given:
                case cst.Tuple() | cst.List():
                    found += [element.value for element in given.elements]
                case cst.Dict():
                    found += [element.value for element in given.elements]
                case cst.Call() if called_name(given) == "dict":
                    found += [arg.value for arg in given.args]
        return tuple(found)

    def _is_waited_for(self, call: cst.Call) -> bool:
        """`pool.submit(f).result()`"""
        parent = self._file.parent(call)
        return isinstance(parent, cst.Attribute) and parent.attr.value in ("result", "get", "exception", "wait")

    # -- how long it may run -----------------------------------------------------------------------------------------

    def repeats(self, work: Work, bound: tuple[cst.CSTNode, ...]) -> bool:
        """Whether several of the work run at once with what is bound at these nodes: it is started in a loop."""
        if self.takes_turns(work.start):
            return False
        if work.many:
            return True
        for around in self._file.ancestors(work.at):
            if isinstance(around, cst.FunctionDef | cst.Lambda):
                return False
            if isinstance(around, _LOOPS) and not any(self._is_inside(node, around) for node in bound):
                return not self._waits_inside(work, around) and not self._is_left(work, around)
        return False

    def _is_left(self, work: Work, loop: cst.CSTNode) -> bool:
        """Whether a loop ends once it has started the work: a `return` or `break` comes after it."""
        order = self._file.tree.order
        child: cst.CSTNode = work.start
        if not self._is_inside(work.start, loop):
            return False
        for around in self._file.ancestors(work.start):
            if around is loop:
                return False
            if isinstance(around, cst.IndentedBlock):
                last = around.body[-1]
                if (
                    isinstance(last, cst.SimpleStatementLine)
                    and isinstance(last.body[-1], cst.Return | cst.Break | cst.Raise)
                    and order(last) >= order(child)
                ):
                    return True
            child = around
        return False

    def _is_inside(self, node: cst.CSTNode, around: cst.CSTNode) -> bool:
        return node is around or around in self._file.ancestors(node)

    def _waits_inside(self, work: Work, loop: cst.CSTNode) -> bool:
        """Whether each round of a loop waits for the work that it has started."""
        if work.start is not work.body and called_name(work.start) == "gather" and self._is_inside(work.start, loop):
            # What is gathered in each round is over by its end.
            return True
        return any(self._is_inside(node, loop) for node in self.waits(work.start))

    def takes_turns(self, start: cst.Call) -> bool:
        """Whether an executor runs one piece of work after the other: it has one worker."""
        if not isinstance(start.func, cst.Attribute) or not isinstance(start.func.value, cst.Name):
            return False
        for binding in self._file.names.reaching(start.func.value) or ():
            made = self._file.executors.construction(binding.value) if isinstance(binding.value, cst.Call) else None
            if made is not None and made.size is not None and literal(made.size) == (1,):
                return True
        return False

    def waits(self, start: cst.Call) -> list[cst.CSTNode]:
        """The places after a start, in the same function, where its end may be waited for."""
        function = self._file.function_of(start)
        names = {*self._handles(start)}
        if function is None:
            return []
        order = self._file.tree.order
        ended = text(start.func.value) if isinstance(start.func, cst.Attribute) else ""
        found: list[cst.CSTNode] = [
            node
            for node in self._file.tree.within(function.node.body)
            if isinstance(node, cst.Name)
            and node.value in names
            and order(node) > order(start)
            and self._waits_at(node)
        ]
        found += [
            call
            for call in function.calls
            if order(call) > order(start)
            and called_name(call) in _ENDING
            and isinstance(call.func, cst.Attribute)
            and text(call.func.value) == ended != ""
        ]
        return sorted(found, key=order)

    def _waits_at(self, node: cst.Name) -> bool:
        """Whether a handle is used for anything but starting it and keeping it."""
        parent = self._file.parent(node)
        if isinstance(parent, cst.Attribute):
            return parent.attr.value not in _NO_WAIT
        if isinstance(parent, cst.Arg):
            call = self._file.parent(parent)
            return not (isinstance(call, cst.Call) and called_name(call) in ("append", "add"))
        return not isinstance(parent, cst.AssignTarget | cst.AnnAssign)

    def _handles(self, start: cst.Call) -> Iterator[str]:
        """The names of the locals that hold what a start gives, or a collection with it."""
        for around in self._file.ancestors(start):
            match around:
                case cst.Assign():
                    for target in around.targets:
                        if isinstance(target.target, cst.Name):
                            yield target.target.value
                    return
                case cst.Call(func=cst.Attribute(value=kept, attr=cst.Name(value="append" | "add"))):
                    yield text(kept)
                    return
                case cst.BaseSmallStatement() | cst.FunctionDef() | cst.Lambda():
                    return

    def ends_with(self, start: cst.Call) -> cst.With | None:
        """The `with` of the executor or group that a start belongs to: leaving it waits for all of its work."""
        owner = start.func.value if isinstance(start.func, cst.Attribute) else None
        if not isinstance(owner, cst.Name):
            return None
        for around in self._file.ancestors(start):
            if isinstance(around, cst.FunctionDef):
                return None
            if isinstance(around, cst.With):
                names = (item.asname.name for item in around.items if item.asname is not None)
                if any(isinstance(name, cst.Name) and name.value == owner.value for name in names):
                    return around
        return None

    def is_abandoned(self, start: cst.Call) -> bool:
        """Whether nothing in the function, nor anybody it gives it to, can wait for the end of the work."""
        if self.ends_with(start) is not None or self.waits(start):
            return False
        parent = self._file.parent(start)
        if isinstance(parent, cst.Attribute) and parent.attr.value == "start":
            return True
        if isinstance(parent, cst.Expr):
            return True
        return isinstance(parent, cst.Assign) and all(isinstance(target.target, cst.Name) for target in parent.targets)
