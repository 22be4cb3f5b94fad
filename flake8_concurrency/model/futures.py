"""Futures of `concurrent.futures`: where one comes from, and whether it is surely done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.flow import breaks, text
from flake8_concurrency.model.future_states import FutureStates
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

FUTURE, EXECUTOR = "concurrent.futures.Future", "concurrent.futures.Executor"
#: What the asynchronous methods of a `multiprocessing` pool return, and the pool.
POOL_RESULT, POOL = "multiprocessing.pool.AsyncResult", "multiprocessing.pool.Pool"
WAIT, AS_COMPLETED = "concurrent.futures.wait", "concurrent.futures.as_completed"

#: Methods that wait for a future, or finish it by hand.
_FINISHING = frozenset({"result", "exception", "set_result", "set_exception"})
#: Methods of containers that give back what was put in.
_GIVING = frozenset({"items", "values", "keys", "pop", "popleft", "popitem", "get", "copy", "difference", "union"})
_CALLED_WHEN_DONE = re.compile(r"^_*on_|(?:^|_)(?:done|completed|finished|callback|cb)(?:_|$)|_complete$")
#: Names of what is fed by `update` and computes a sum of it.
_HASH = re.compile(r"hash|digest|checksum|md5|sha\d|crc", re.IGNORECASE)
_FILLING = frozenset({"append", "appendleft", "add", "insert", "extend", "update", "setdefault", "put"})
#: An origin with more steps is not followed to its end.
_ENOUGH = 200


#: A variable: its text, and the scope that its first name belongs to.
Variable = tuple[str, Scope | None]


class Origin(NamedTuple):
    """Where a future comes from: the variables it went through, and the calls that made it."""

    names: frozenset[Variable]
    made_by: frozenset[cst.Call]


class Futures:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        #: Helpers of which it is being found out whether they give back a future that is done.
        self._asked: set[FunctionInfo] = set()
        self._origins: dict[cst.BaseExpression, Origin] = {}
        self._states = FutureStates(file)

    def is_future(self, node: cst.BaseExpression) -> bool:
        return self._file.is_a(node, FUTURE)

    def is_done(self, node: cst.BaseExpression) -> bool:
        """Whether the future, or all futures in the container, are surely done when this expression is evaluated."""
        kind = self._file.kind(node)
        if _says_done(kind) or _says_done(self._file.kinds.element(kind)):
            return True
        origin = self.origin(node)
        return (
            self._is_given_to_callback(node)
            or self._was_tested(node, origin)
            or self._was_joined(node, origin)
            or self._is_given_back_done(node)
            or self._states.says_done(node)
        )

    def _is_given_back_done(self, node: cst.BaseExpression) -> bool:
        """Whether a function of the file made a future, and gives back none that is not done."""
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or ()
            values = [one.value for one in bindings if one.how == "assign" and not one.path]
            node = values[0] if len(values) == len(bindings) == 1 and values[0] is not None else node
        helper = self._file.callee(node) if isinstance(node, cst.Call) else None
        if helper is None:
            return False
        if helper in self._asked:
            return False
        self._asked.add(helper)
        returns = (one.value for one in helper.nodes(cst.Return) if isinstance(one, cst.Return))
        given = [value for value in returns if value is not None and literal(value) != (None,)]
        is_done = bool(given) and all(map(self.is_done, given))
        self._asked.discard(helper)
        return is_done

    def is_of_hashes(self, node: cst.BaseExpression) -> bool:
        """Whether all work is `submit(digest.update, …)`: it takes memory and the processor, and can't hang."""
        made_by = self.origin(node).made_by
        return bool(made_by) and all(self.is_submit(call) and self._hashes(argument(call, 0, "fn")) for call in made_by)

    def _hashes(self, work: cst.BaseExpression | None) -> bool:
        if not isinstance(work, cst.Attribute) or work.attr.value != "update":
            return False
        values = [work.value]
        if isinstance(work.value, cst.Name):
            # `for digest in digests.values()`
            values += [one.value for one in self._file.names.reaching(work.value) or () if one.value is not None]
        return any(
            isinstance(part, cst.Name) and _HASH.search(part.value) is not None
            for value in values
            for part in self._file.tree.within(value)
        )

    # -- origins -----------------------------------------------------------------------------------------------------

    def origin(self, node: cst.BaseExpression) -> Origin:
        if node not in self._origins:
            names: set[Variable] = set()
            made_by: set[cst.Call] = set()
            self._trace(node, names, made_by, set())
            self._origins[node] = Origin(frozenset(names), frozenset(made_by))
        return self._origins[node]

    def _trace(self, node: cst.CSTNode, names: set[Variable], made_by: set[cst.Call], seen: set[cst.CSTNode]) -> None:
        if node in seen or len(seen) > _ENOUGH:
            return
        seen.add(node)
        for source in self._sources(node, names):
            if isinstance(source, cst.Call) and source is node:
                made_by.add(node)
            else:
                self._trace(source, names, made_by, seen)

    def _sources(self, node: cst.CSTNode, names: set[Variable]) -> list[cst.CSTNode]:
        """The expressions whose futures an expression holds; itself where it is a call that makes them."""
        match node:
            case cst.Name() | cst.Attribute():
                variable = self._variable(node)
                if variable is None:
                    return []
                names.add(variable)
                return self._assigned(node, variable)
            case cst.Subscript():
                return [node.value]
            case cst.Await():
                return [node.expression]
            case cst.NamedExpr():
                return [node.target, node.value]
            case cst.IfExp():
                return [node.body, node.orelse]
            case cst.BooleanOperation() | cst.BinaryOperation():
                return [node.left, node.right]
            case cst.List() | cst.Tuple() | cst.Set():
                return [element.value for element in node.elements]
            case cst.Dict():
                return [child for element in node.elements for child in element.children]
            case cst.DictComp():
                sides: list[cst.CSTNode] = [node.key, node.value]
                # What work is filed under (`{row["id"]: pool.submit(…)}`) holds no future.
                return [side for side in sides if isinstance(side, cst.Call) and self.is_submit(side)] or sides
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp():
                return [node.elt]
            case cst.Call():
                return self._from_call(node)
        return []

    def _from_call(self, call: cst.Call) -> list[cst.CSTNode]:
        func = call.func
        if isinstance(func, cst.Attribute) and func.attr.value in _GIVING and not self.is_executor(func.value):
            return [func.value]
        if self.is_submit(call):
            return [call]
        callee = self._file.qualified(func) or ""
        if callee.startswith(("builtins.", "tqdm.", "itertools.", "rich.", "collections.", "concurrent.futures.")):
            return [arg.value for arg in call.args]
        return [call]

    def _variable(self, node: cst.BaseExpression) -> Variable | None:
        """The variable that a chain of names is; subscripts are left out: `futures[0]` is a future of `futures`."""
        name = text(node)
        if not name:
            return None
        return name, self._file.names.home(name.partition(".")[0], self._file.tree.scope_of(node))

    def _assigned(self, node: cst.Name | cst.Attribute, variable: Variable) -> list[cst.CSTNode]:
        found: list[cst.CSTNode] = []
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or []
            found += [binding.value for binding in bindings if binding.value is not None and binding.how != "param"]
        else:
            info = self._file.function_of(node)
            if info is not None and info.owner is not None and dotted(node.value) == info.this:
                bindings = info.owner.assigned.get(node.attr.value, [])
                found += [binding.value for binding in bindings if binding.value is not None]
        filled = self._filled.get(variable[0], ())
        return found + [value for container, value in filled if self._variable(container) == variable]

    @cached_property
    def _filled(self) -> dict[str, list[tuple[cst.BaseExpression, cst.CSTNode]]]:
        """By name: the containers of that name, each with what the file puts into it."""
        found: dict[str, list[tuple[cst.BaseExpression, cst.CSTNode]]] = {}
        for nodes in self._file.tree.own.values():
            for node in nodes:
                match node:
                    case cst.Call(func=cst.Attribute(value=container, attr=cst.Name(value=method)), args=args) if (
                        args and method in _FILLING
                    ):
                        found.setdefault(text(container), []).append((container, args[-1].value))
                    case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=container))]):
                        found.setdefault(text(container), []).append((container, node.value))
                    case cst.AugAssign(target=cst.Name() | cst.Attribute() as target):
                        found.setdefault(dotted(target), []).append((target, node.value))
        return found

    # -- executors ---------------------------------------------------------------------------------------------------

    def is_executor(self, node: cst.BaseExpression) -> bool:
        return self._file.is_a(node, EXECUTOR)

    def is_submit(self, call: cst.Call) -> bool:
        """Whether a call hands work to an executor by the library's own `submit`."""
        return f"{EXECUTOR}.submit" in self._file.functions.table_names(call.func)

    # -- callbacks ---------------------------------------------------------------------------------------------------

    def _is_given_to_callback(self, node: cst.BaseExpression) -> bool:
        """Whether the future is a parameter of a function that is called when a future is done.

        Somebody else's code may register the function too: then its name tells.
        """
        name = dotted(node)
        if not name.isidentifier() or not self.is_future(node):
            return False
        scope = self._file.names.home(name, self._file.tree.scope_of(node))
        if isinstance(scope, cst.Lambda):
            parent = self._file.parent(scope)
            return isinstance(parent, cst.Arg) and _last_name(self._file.parent(parent)) == "add_done_callback"
        if not isinstance(scope, cst.FunctionDef):
            return False
        info = self._file.definitions.functions[scope]
        is_param = any(param.name.value == name for param in info.params)
        return is_param and (info in self._callbacks or _CALLED_WHEN_DONE.search(info.name) is not None)

    @cached_property
    def _callbacks(self) -> set[FunctionInfo]:
        """The functions of the file that are given to `add_done_callback`, whatever has this method."""
        given = (
            node.args[0].value
            for nodes in self._file.tree.own.values()
            for node in nodes
            if isinstance(node, cst.Call) and node.args and _last_name(node) == "add_done_callback"
        )
        return {info for value in given for info in self._called_with_future(value)}

    def _called_with_future(self, callback: cst.BaseExpression) -> Iterator[FunctionInfo]:
        if isinstance(callback, cst.Lambda):
            # `lambda future: self.finish(future, job)` hands its future on.
            names = {param.name.value for param in callback.params.params[:1]}
            for call in self._calls_in(callback.body):
                info = self._file.callee(call)
                if info is not None and any(dotted(arg.value) in names for arg in call.args):
                    yield info
            return
        function = self._file.functions.handed(callback)
        if function is not None:
            yield function

    # -- tests -------------------------------------------------------------------------------------------------------

    def _was_tested(self, node: cst.BaseExpression, origin: Origin) -> bool:
        for test, truth in self._file.flow.conditions(node):
            match test:
                case cst.BooleanOperation(
                    left=cst.UnaryOperation(operator=cst.Not(), expression=missing),
                    operator=cst.Or(),
                    right=cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="done"))),
                ):
                    # `if not future or future.done(): break`
                    if truth and self._speaks_of(missing, origin) and self._speaks_of(asked, origin):
                        return True
                case cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="done" | "cancelled" | "ready"))):
                    if truth and self._speaks_of(asked, origin):
                        return True
                case cst.Comparison(left=asked, comparisons=[cst.ComparisonTarget(operator=cst.In(), comparator=done)]):
                    if truth and self._speaks_of(asked, origin) and self._holds_done(done):
                        return True
                case cst.Name():
                    # `if not_done: raise …` after a wait for them.
                    if not truth and self._is_rest_of_wait(test, origin):
                        return True
        return False

    def _speaks_of(self, asked: cst.BaseExpression, origin: Origin) -> bool:
        if self._variable(asked) in origin.names:
            return True
        return isinstance(asked, cst.Name) and not origin.names.isdisjoint(self.origin(asked).names)

    def _holds_done(self, container: cst.BaseExpression) -> bool:
        return _says_done(self._file.kinds.element(self._file.kind(container)))

    def _is_rest_of_wait(self, node: cst.Name, origin: Origin) -> bool:
        for binding in self._file.names.reaching(node) or ():
            value = binding.value
            if binding.path == (1,) and isinstance(value, cst.Call) and self._file.qualified(value.func) == WAIT:
                given = argument(value, 0, "fs")
                return given is not None and not self.origin(given).names.isdisjoint(origin.names)
        return False

    # -- waits that are over -----------------------------------------------------------------------------------------

    def _was_joined(self, node: cst.BaseExpression, origin: Origin) -> bool:
        for earlier in self._file.flow.earlier(node):
            for event in self._file.flow.certain(earlier):
                if self._finishes(event, origin) and not self._is_rebound_after(node, event):
                    return True
        return False

    def _is_rebound_after(self, node: cst.BaseExpression, event: cst.CSTNode) -> bool:
        if not isinstance(node, cst.Name):
            return False
        order = self._file.tree.order
        bindings = self._file.names.reaching(node) or []
        end = max(map(order, self._file.tree.within(event)))
        return any(b.how == "assign" and end < order(b.node) < order(node) and b.value is not None
                   and not isinstance(b.value, (cst.Name, cst.Subscript, *COMPREHENSIONS))
                   and not self._is_old(b.value, event) for b in bindings)  # fmt: skip

    def _is_old(self, value: cst.BaseExpression, event: cst.CSTNode) -> bool:
        """Whether everything in a newly assigned value was made before the event."""
        made_by = self.origin(value).made_by
        return bool(made_by) and all(self._file.tree.order(call) < self._file.tree.order(event) for call in made_by)

    def _finishes(self, event: cst.CSTNode, origin: Origin) -> bool:
        match event:
            case cst.With():
                return self._left_pool(event, origin)
            case cst.For():
                return self._went_through(event, origin)
            case cst.Call():
                return self._call_finishes(event, origin)
            case cst.Await(expression=cst.Call() as call):
                return self._is_awaited(call, origin)
        return False

    def _left_pool(self, node: cst.With, origin: Origin) -> bool:
        """Leaving a `with executor:` joins everything that was submitted to it."""
        if not origin.made_by:
            return False
        for item in node.items:
            entered = item.item if item.asname is None else item.asname.name
            is_pool = self.is_executor(item.item) or self.is_executor(entered)
            if all(
                self._is_inside(call, node)
                and (self._uses(call, dotted(entered)) if is_pool else _submits(call, entered))
                for call in origin.made_by
            ):
                return True
        return False

    def _is_inside(self, node: cst.CSTNode, around: cst.CSTNode) -> bool:
        return any(parent is around for parent in self._file.ancestors(node))

    def _uses(self, call: cst.Call, name: str) -> bool:
        return bool(name) and any(
            isinstance(node, cst.Name | cst.Attribute) and dotted(node) == name for node in self._file.tree.within(call)
        )

    def _went_through(self, node: cst.For, origin: Origin) -> bool:
        """A loop over `as_completed(fs)` to its end."""
        return not breaks(node) and any(self._completes(call, origin) for call in self._calls_in(node.iter))

    def _calls_in(self, node: cst.CSTNode) -> Iterator[cst.Call]:
        return (inner for inner in self._file.tree.within(node) if isinstance(inner, cst.Call))

    def _completes(self, call: cst.Call, origin: Origin) -> bool:
        return self._file.qualified(call.func) == AS_COMPLETED and self._holds(argument(call, 0, "fs"), origin)

    def _holds(self, container: cst.BaseExpression | None, origin: Origin) -> bool:
        if container is None:
            return False
        given = self.origin(container)
        return not given.names.isdisjoint(origin.names) or not given.made_by.isdisjoint(origin.made_by)

    def _call_finishes(self, call: cst.Call, origin: Origin) -> bool:
        finished = _finished(call)
        if finished is not None and self._variable(finished) in origin.names:
            return True
        callee = self._file.qualified(call.func)
        if callee == WAIT:
            timeout, when = argument(call, 1, "timeout"), argument(call, 2, "return_when")
            bounded = timeout is not None and literal(timeout) != (None,)
            everything = when is None or dotted(when).endswith("ALL_COMPLETED")
            return not bounded and everything and self._holds(argument(call, 0, "fs"), origin)
        if callee == AS_COMPLETED:
            parent = self._file.parent(call)
            return isinstance(parent, cst.Arg | cst.CompFor) and self._completes(call, origin)
        return self._shuts_down(call, origin)

    def _shuts_down(self, call: cst.Call, origin: Origin) -> bool:
        func = call.func
        if not isinstance(func, cst.Attribute):
            return False
        if func.attr.value == "shutdown" and self.is_executor(func.value):
            waits = argument(call, 0, "wait")
            if waits is not None and literal(waits) != (True,):
                return False
        elif func.attr.value != "join" or not self._file.is_a(func.value, POOL):
            return False
        name = dotted(func.value)
        return bool(origin.made_by) and all(self._uses(made, name) for made in origin.made_by)

    def _is_awaited(self, call: cst.Call, origin: Origin) -> bool:
        """`await asyncio.wrap_future(future)`, also several of them gathered."""
        return any(
            self._file.qualified(inner.func) == "asyncio.wrap_future"
            and self._holds(argument(inner, 0, "future"), origin)
            for inner in self._calls_in(call)
        )


def _says_done(kind: Kind | None) -> bool:
    if kind is not None and kind.name == "union":
        return bool(kind.args) and all(_says_done(part) for part in kind.args)
    return kind is not None and kind.name == FUTURE and kind.ref == "done"


def _finished(call: cst.Call) -> cst.BaseExpression | None:
    """The future that a call leaves done; None for other calls, and for one of several in a container."""
    func = call.func
    if isinstance(func, cst.Attribute) and func.attr.value in _FINISHING and dotted(func.value):
        return func.value
    return None


def _submits(call: cst.Call, executor: cst.BaseExpression) -> bool:
    """Whether a call reads `executor.submit(…)`: what is submitted to and left joins, whatever its type."""
    func = call.func
    return (
        isinstance(func, cst.Attribute) and func.attr.value == "submit" and dotted(func.value) == dotted(executor) != ""
    )


def _last_name(node: cst.CSTNode) -> str:
    """The last name of what a call calls."""
    func = node.func if isinstance(node, cst.Call) else None
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""
