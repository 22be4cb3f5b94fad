"""Which tasks schedule others, and on which queue each of the two waits for its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.dispatches import Dispatch
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.tasks import Task, string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 2
_PERIODIC = frozenset({"periodic_task", "db_periodic_task", "periodic", "cron"})


class SharedQueue(NamedTuple):
    """A scheduling task that puts another on the queue it runs on itself."""

    dispatch: Dispatch
    scheduler: Task
    #: What is dispatched, as it is written, and the queue.
    sent: str
    queue: str


class SharedQueues:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._scheduled: set[str] | None = None

    def of(self, function: FunctionInfo) -> list[SharedQueue]:
        """What a task that schedules others puts on its own queue."""
        scheduler = self._file.tasks.of(function)
        if scheduler is None:
            return []
        queue = self._spelled(scheduler.option(*known.QUEUE_OPTIONS))
        if not queue or queue in known.DEFAULT_QUEUES or not self._schedules(scheduler, function):
            return []
        found: list[SharedQueue] = []
        for dispatch in self._dispatches(function, 0):
            sent = self._put_on(dispatch, queue, scheduler)
            if sent:
                found.append(SharedQueue(dispatch, scheduler, sent, queue))
        return found

    def _dispatches(self, function: FunctionInfo, depth: int) -> list[Dispatch]:
        """What a function sends, itself or in helpers of the file that are no tasks."""
        found = self._file.tasks.dispatches(function)
        for call in function.calls if depth < _DEEPEST else ():
            callee = self._file.callee(call)
            if callee is not None and callee is not function and self._file.tasks.of(callee) is None:
                found += self._dispatches(callee, depth + 1)
        return found

    # -- what schedules ----------------------------------------------------------------------------------------------

    def _schedules(self, task: Task, function: FunctionInfo) -> bool:
        """Whether a task is there to start others: the beat starts it, or its name says so."""
        decorator = task.node.func if isinstance(task.node, cst.Call) else task.node
        names = [last_name(part) for part in function.decorators]
        if last_name(decorator) in _PERIODIC or not _PERIODIC.isdisjoint(names):
            return True
        if self._scheduled is None:
            self._scheduled = self._find_scheduled()
        own_name = string(task.option("name"))
        if task.name in self._scheduled or (own_name and own_name.rpartition(".")[2] in self._scheduled):
            return True
        return not known.SCHEDULING_WORDS.isdisjoint(words(task.name))

    def _find_scheduled(self) -> set[str]:
        """The tasks that the file gives to the beat."""
        found: set[str] = set()
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Call) and called_name(node) == "add_periodic_task":
                inside = (part for arg in node.args for part in self._file.tree.within(arg.value))
                found.update(last_name(part.value) for part in inside if isinstance(part, cst.Attribute))
            elif isinstance(node, cst.DictElement) and string(_plain(node.key)) == "task":
                found.add(string(_plain(node.value)).rpartition(".")[2] or last_name(node.value))
        return found - {""}

    # -- on which queue ----------------------------------------------------------------------------------------------

    def _put_on(self, dispatch: Dispatch, queue: str, scheduler: Task) -> str:
        """What of a dispatch waits on this queue, as it is written; empty for nothing."""
        if len(dispatch.tasks) != 1:
            # A workflow is put together on purpose.
            return ""
        (sent,) = dispatch.tasks
        definition = dispatch.definitions[0] if dispatch.definitions else None
        if definition is not None and definition.function is scheduler.function:
            return ""
        asked = next((dispatch.options[name] for name in known.QUEUE_OPTIONS if name in dispatch.options), None)
        if asked is None and definition is not None:
            asked = definition.option(*known.QUEUE_OPTIONS)
        name = text(sent).strip("\"'") if definition is None else definition.name
        return name if self._spelled(asked) == queue else ""

    def _spelled(self, node: cst.BaseExpression | None) -> str:
        """A queue's name, or the constant that holds it, as it is written."""
        if node is None:
            return ""
        if isinstance(node, cst.Name):
            bound = self._file.names.reaching(node) or ()
            values = {string(binding.value) for binding in bound if binding.how == "assign" and not binding.path}
            if len(values) == 1 and values != {""}:
                return values.pop()
            return node.value if node.value.isupper() else ""
        if isinstance(node, cst.Attribute):
            return text(node)
        return string(node)


def _plain(node: cst.BaseExpression) -> cst.BaseExpression | None:
    return node if isinstance(node, cst.SimpleString) else None
