"""Event loops: which tasks are started on them, who waits for them, and which code runs beside them in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_STARTING = frozenset(
    {"asyncio.create_task", "asyncio.ensure_future", "asyncio.Task", "asyncio.AbstractEventLoop.create_task"}
)
_THREADSAFE = "asyncio.run_coroutine_threadsafe"
_NEW_LOOP = "asyncio.new_event_loop"
#: What a thread calls that has a loop of its own.
_OWN_LOOP = frozenset("new_event_loop set_event_loop run_until_complete run_forever run".split())
_RUNNERS = frozenset({"asyncio.run", "anyio.run", "trio.run", "uvloop.run"})
_THREADS = {name: how for name, how in OFFLOADING.items() if how.where == "thread"}
_THREAD = "threading.Thread"
_DEEPEST = 4


class EventLoops:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._in_thread: dict[FunctionInfo, str] | None = None

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def starts_task(self, call: cst.Call) -> bool:
        """Whether a call starts a task on an event loop; those of a task group are kept by the group."""
        return not _STARTING.isdisjoint(self._file.functions.table_names(call.func))

    # -- waits ---------------------------------------------------------------------------------------------------------

    def waits_on_itself(self, node: cst.CSTNode) -> bool:
        """Whether async code waits for what it has just handed to the loop that it runs on."""
        match node:
            case cst.Call(func=cst.Attribute(value=future, attr=cst.Name(value="result" | "exception"))):
                handing = self._handing(future)
                return handing is not None and not self._is_other_loop(argument(handing, 1, "loop"))
        return False

    def _handing(self, future: cst.BaseExpression) -> cst.Call | None:
        """The call of `run_coroutine_threadsafe` that gave a future."""
        if isinstance(future, cst.Name):
            bindings = self._file.names.reaching(future) or ()
            value = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
            return None if value is None or isinstance(value, cst.Name) else self._handing(value)
        is_handing = isinstance(future, cst.Call) and self._file.qualified(future.func) == _THREADSAFE
        return future if is_handing and isinstance(future, cst.Call) else None

    def _is_other_loop(self, loop: cst.BaseExpression | None) -> bool:
        """Whether a loop was made here, for a thread more often than not."""
        values: list[cst.BaseExpression | None] = [loop]
        if isinstance(loop, cst.Name):
            values = [binding.value for binding in self._file.names.reaching(loop) or ()]
        elif isinstance(loop, cst.Attribute):
            name = loop.attr.value
            owners = self._file.definitions.classes.values()
            values = [binding.value for owner in owners for binding in owner.assigned.get(name, ())]
        return any(isinstance(value, cst.Call) and self._file.qualified(value.func) == _NEW_LOOP for value in values)

    # -- threads -------------------------------------------------------------------------------------------------------

    def thread_of(self, function: FunctionInfo | None) -> str:
        """How a function comes to run in a thread beside the loop, as a message says it; empty if it surely doesn't."""
        if function is None:
            return ""
        if self._in_thread is None:
            self._in_thread = {}
            self._find_threads(self._in_thread)
        return self._in_thread.get(function, "")

    def _find_threads(self, found: dict[FunctionInfo, str]) -> None:
        for nodes in self._tree.own.values():
            for node in nodes:
                if isinstance(node, cst.Call):
                    self._add(found, self._handed_over(node), last_name(node.func), _DEEPEST)
        for info in self._file.definitions.classes.values():
            run = info.methods.get("run")
            if run is not None and self._file.kinds.is_a(Kind("instance", ref=info), _THREAD):
                self._add(found, run, "Thread", _DEEPEST)

    def _handed_over(self, call: cst.Call) -> FunctionInfo | None:
        name = next((name for name in self._file.functions.table_names(call.func) if name in _THREADS), None)
        if name is None:
            return None
        return self._file.functions.handed(argument(call, _THREADS[name].position, _THREADS[name].keyword))

    def _add(self, found: dict[FunctionInfo, str], function: FunctionInfo | None, how: str, depth: int) -> None:
        """Note a function, and those it calls, unless it has a loop of its own."""
        if function is None or function in found or function.is_async or depth == 0 or self._has_own_loop(function):
            return
        found[function] = how
        for step in self._file.functions.steps(function):
            self._add(found, step.function, how, depth - 1)

    def _has_own_loop(self, function: FunctionInfo) -> bool:
        for call in function.calls:
            if last_name(call.func) in _OWN_LOOP and (
                last_name(call.func) != "run" or self._file.qualified(call.func) in _RUNNERS
            ):
                return True
        return False
