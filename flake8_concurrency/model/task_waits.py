"""Tasks that wait for other tasks, directly or in a function of the file that they call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CELERY, DRAMATIQ, HUEY
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import Task

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 4
_JOINS = frozenset({"get", "join", "join_native"})
#: What makes the result of a task that was sent before, by its id.
_RESULTS = frozenset({"AsyncResult", "GroupResult", "ResultSet"})
_TRUE = (True,)


class Wait(NamedTuple):
    """A call that waits for a task, and the task that comes there."""

    node: cst.Call
    task: Task


class TaskWaits:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    @cached_property
    def all(self) -> list[Wait]:
        """Every wait of a task for another one, once."""
        found: dict[cst.Call, Wait] = {}
        for task in self._file.tasks.all:
            if task.function is not None and task.library in (CELERY, DRAMATIQ, HUEY):
                for call in self._calls(task.function) if task.owner is None else task.function.calls:
                    if self._waits(call, task.library):
                        found.setdefault(call, Wait(call, task))
        return list(found.values())

    def _calls(self, function: FunctionInfo) -> Iterator[cst.Call]:
        """The calls of a function, and of those of the file that it calls."""
        seen = {function}
        pending = [(function, 0)]
        while pending:
            current, depth = pending.pop()
            for call in current.calls:
                yield call
                callee = self._file.callee(call)
                if callee is not None and callee not in seen and depth < _DEEPEST:
                    seen.add(callee)
                    pending.append((callee, depth + 1))

    def _waits(self, call: cst.Call, library: str) -> bool:
        if not isinstance(call.func, cst.Attribute) or passes_unknown(call):
            return False
        name = call.func.attr.value
        if library == CELERY:
            waits = name in _JOINS and literal(argument(call, None, "disable_sync_subtasks") or call) != (False,)
        elif library == DRAMATIQ:
            waits = name in ("get_result", "get_results") and literal(argument(call, None, "block") or call) == _TRUE
        else:
            waits = name == "get" and literal(argument(call, 0, "blocking") or call) == _TRUE
        return waits and self._is_result(call.func.value, 0) and not self._is_allowed(call)

    def _is_allowed(self, node: cst.CSTNode) -> bool:
        """Whether a block around says that the task may wait."""
        blocks = (around for around in self._file.ancestors(node) if isinstance(around, cst.With))
        items = (item.item for block in blocks for item in block.items)
        return any(
            last_name(item.func if isinstance(item, cst.Call) else item) == "allow_join_result" for item in items
        )

    def _is_result(self, node: cst.BaseExpression | None, depth: int) -> bool:
        """Whether an expression is what sending a task, or several, gives."""
        if depth > _DEEPEST:
            return False
        if isinstance(node, cst.Call):
            name = called_name(node)
            return name in _RESULTS or self._file.dispatches.of(node) is not None
        if isinstance(node, cst.Subscript):
            return self._is_many(node.value, depth + 1)
        if not isinstance(node, cst.Name):
            return False
        bindings = self._file.names.reaching(node) or []
        return bool(bindings) and all(self._gives_result(binding, depth) for binding in bindings)

    def _gives_result(self, binding: Binding, depth: int) -> bool:
        if binding.path:
            return False
        if binding.how == "assign":
            return self._is_result(binding.value, depth + 1)
        return binding.how == "for" and self._is_many(binding.value, depth + 1)

    def _is_many(self, node: cst.BaseExpression | None, depth: int) -> bool:
        """Whether an expression is a list of such results."""
        if depth > _DEEPEST:
            return False
        match node:
            case cst.ListComp() | cst.GeneratorExp():
                return self._is_result(node.elt, depth + 1)
            case cst.List() | cst.Tuple():
                return bool(node.elements) and all(self._is_result(e.value, depth + 1) for e in node.elements)
            case cst.Name():
                bindings = self._file.names.reaching(node) or []
                values = [b.value for b in bindings if b.how == "assign" and not b.path]
                if len(values) != len(bindings) or not values:
                    return False
                return any(self._is_many(value, depth + 1) for value in values) or self._is_filled(node, depth)
        return False

    def _is_filled(self, node: cst.Name, depth: int) -> bool:
        """`results.append(task.delay())`."""
        scope = self._file.tree.scope_of(node)
        calls = (call for call in self._file.tree.running(scope) if isinstance(call, cst.Call))
        return any(
            called_name(call) == "append"
            and isinstance(call.func, cst.Attribute)
            and last_name(call.func.value) == node.value
            and len(call.args) == 1
            and self._is_result(call.args[0].value, depth + 1)
            for call in calls
        )
