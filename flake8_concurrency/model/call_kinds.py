"""What calls give, whatever is called: functions and classes of libraries and of the file, methods, partials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge import libraries
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import (
    BOUNDED,
    IMPATIENT,
    ITERATOR,
    LIST,
    POOL_FUTURE,
    SET,
    TUPLE,
    UNDECIDED,
    Kind,
    Written,
    class_fact,
    function_result,
    instantiate,
    member,
    union,
    written,
)
from flake8_concurrency.model.project import FunctionElsewhere
from flake8_concurrency.model.special_calls import SpecialCalls

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

_QUEUES = ("queue.Queue", "multiprocessing.queues.Queue")
_FILE_LOCK = "filelock.BaseFileLock"
_SERIAL_PORT = "serial.Serial"

#: What holds the items of its first argument.
_ELEMENTWISE = {
    "builtins.list": LIST,
    "builtins.sorted": LIST,
    "builtins.set": SET,
    "builtins.frozenset": "builtins.frozenset",
    "builtins.tuple": TUPLE,
    "builtins.iter": ITERATOR,
    "builtins.reversed": ITERATOR,
    "collections.deque": "collections.deque",
    "tqdm.tqdm": ITERATOR,
    "tqdm.auto.tqdm": ITERATOR,
    "tqdm.notebook.tqdm": ITERATOR,
    "tqdm.std.tqdm": ITERATOR,
    "tqdm.trange": ITERATOR,
    "rich.progress.track": ITERATOR,
    "itertools.islice": ITERATOR,
    "itertools.cycle": ITERATOR,
    "itertools.takewhile": ITERATOR,
}
#: Functions that give back the argument at this position, or one like it.
_SAME = {
    "copy.copy": 0,
    "copy.deepcopy": 0,
    "asyncio.shield": 0,
    "asyncio.wait_for": 0,
    "typing.assert_type": 0,
    "inspect.unwrap": 0,
}


class CallKinds:
    """What the calls in one file give."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._special = SpecialCalls(kinds)

    def of(self, callee: Kind | None, node: cst.Call) -> Kind | None:
        """What a call of this callee gives."""
        if callee is None or callee is UNDECIDED:
            return callee
        if callee.name == "symbol":
            return self._of_symbol(str(callee.ref), node)
        if callee.name in ("type", "lambda"):
            return callee.args[0]
        if callee.name == "function":
            assert isinstance(callee.ref, FunctionInfo)
            return self._kinds.returned(callee.ref, callee.args[0] if callee.args else None)
        if callee.name == "method":
            return self._of_method(callee, node)
        if isinstance(callee.ref, FunctionElsewhere):
            return callee.ref.module.returned(callee.ref, callee.args[0] if callee.args else None)
        if callee.name == "partial":
            return self.of(callee.args[0], node)
        if callee.name == "union":
            return union(tuple(self.of(part, node) for part in callee.args))
        return self.of(self._kinds.attribute(callee, "__call__"), node)

    def _of_symbol(self, name: str, node: cst.Call) -> Kind | None:
        arguments = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        first = arguments[0] if arguments else None
        if name in _ELEMENTWISE and (first is not None or class_fact(name) is None):
            return Kind(_ELEMENTWISE[name], (self._kinds.element(self._kinds.of(first)),))
        if name in _SAME:
            return self._kinds.of(arguments[_SAME[name]]) if len(arguments) > _SAME[name] else None
        special = self._special.named(name)
        if special is not None:
            return special(node, arguments)
        if class_fact(name) is not None:
            return self._sized(self._generic(name, node), node)
        return self._sized(function_result(name, self._from_argument(name, node)), node)

    def _sized(self, kind: Kind | None, node: cst.Call) -> Kind | None:
        """The kind of a new object, which says so if it is a queue with a limit, or a lock or port that never waits."""
        if kind is not None and self._kinds.is_a(kind, _FILE_LOCK):
            return Kind(kind.name, kind.args, IMPATIENT) if _is_impatient(node) else kind
        if kind is not None and self._kinds.is_a(kind, _SERIAL_PORT):
            timeout = argument(node, 5, "timeout")
            is_instant = timeout is not None and literal(timeout) == (0,)
            return Kind(kind.name, kind.args, IMPATIENT) if is_instant else kind
        if kind is None or not any(self._kinds.is_a(kind, name) for name in _QUEUES):
            return kind
        size = argument(node, 0, "maxsize")
        # No number above zero is no limit.
        endless = size is None or literal(size) == (0,) or isinstance(size, cst.UnaryOperation)
        return kind if endless else Kind(kind.name, kind.args, BOUNDED)

    def _generic(self, name: str, node: cst.Call) -> Kind:
        """A new object of a library class, its type argument taken from the constructor's where a table says so."""
        found = self._from_argument(name, node).get("T")
        return Kind(name, (found,) if found is not None else ())

    def _from_argument(self, name: str, node: cst.Call) -> dict[str, Kind | None]:
        """The `T` of a function's result, where it is the type of one of its arguments."""
        fact = libraries.FROM_ARGUMENT.get(name)
        if fact is None:
            return {}
        positional = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if fact.alone and len(positional) > 1:
            return {}
        given = argument(node, fact.position, fact.keyword)
        if given is None:
            return {"T": instantiate(written(fact.default), {}, None)}
        return {"T": self._matched(self._kinds.of(given), written(fact.pattern))}

    def _matched(self, kind: Kind | None, pattern: Written) -> Kind | None:
        """The part of a kind that stands where the pattern says `T`; a `|` offers several patterns."""
        if kind is None:
            return None
        if pattern.name == "T":
            return kind
        if pattern.name == "|":
            found = (self._matched(kind, part) for part in pattern.args)
            return next((part for part in found if part is not None), None)
        if pattern.name == "builtins.type":
            return self._kinds.instance(kind)
        for current in self._kinds.mro(kind):
            if current.name == pattern.name:
                pairs = zip(current.args, pattern.args, strict=False)
                return next((self._matched(arg, part) for arg, part in pairs), None)
        return None

    def _of_method(self, callee: Kind, node: cst.Call) -> Kind | None:
        name = str(callee.ref)
        arguments = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if name.endswith(".submit") and self._kinds.is_a(callee.args[0], POOL_FUTURE) and arguments:
            return Kind(POOL_FUTURE, (self._kinds.result_of(arguments[0]),))
        if name.endswith(".run_in_executor") and len(arguments) > 1:
            return Kind("asyncio.Future", (self._kinds.result_of(arguments[1]),))
        if name.endswith((".enter_context", ".enter_async_context")) and arguments:
            is_async = name.endswith("_async_context")
            entered = self._kinds.entered(self._kinds.of(arguments[0]), is_async)
            return Kind("awaitable", (entered,)) if is_async else entered
        if name.endswith(".create_task") and arguments:
            return Kind("asyncio.Task", (self._kinds.awaited(self._kinds.of(arguments[0])),))
        variables = self._from_argument(name, node)
        if variables and callee.args[1] is not None:
            receiver, method = callee.args[1], name.rpartition(".")[2]
            members = (member(base, method, receiver, variables) for base in self._kinds.mro(receiver))
            found = next(filter(None, members))
            return Kind("awaitable", (found.kind,)) if found.asynchronous else found.kind
        return callee.args[0]


def _is_impatient(lock: cst.Call) -> bool:
    """Whether a file lock is made with `timeout=0`, or with a `blocking` that is not surely true."""
    timeout, blocking = argument(lock, 1, "timeout"), argument(lock, None, "blocking")
    if blocking is not None and literal(blocking) != (True,):
        return True
    return timeout is not None and literal(timeout) == (0,)
