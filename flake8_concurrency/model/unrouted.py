"""Tasks that name no queue where the tasks around them do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CELERY, DRAMATIQ, PROCRASTINATE, QUEUE_OPTIONS
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import Task, string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Where a task goes that names no queue.
_DEFAULTS = frozenset({"celery", "default"})
#: What says in another way where a task goes.
_ROUTING = frozenset({*QUEUE_OPTIONS, "exchange", "routing_key", "options"})
_ROUTES = frozenset({"task_routes", "CELERY_TASK_ROUTES", "CELERY_ROUTES", "task_default_queue", "TaskQueues"})
#: So many times more tasks must name a queue than name none.
_MORE = 2


#: What is called when another task fails, by its name.
_ERRBACK = re.compile(r"errback|err(or)?_(callback|handler)|(?<![a-z])(on|handle)_(\w+_)?(error|failure)")


class Unrouted(NamedTuple):
    """A task without a queue, and the queues of the others."""

    task: Task
    queues: tuple[str, ...]
    #: How many others there are.
    others: int


class UnroutedTasks:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def all(self) -> Iterator[Unrouted]:
        """The tasks of the file that name no queue although most others name one that is not the default."""
        for library in (CELERY, DRAMATIQ, PROCRASTINATE):
            tasks = [task for task in self._file.tasks.all if task.library == library]
            yield from self._among(tasks)

    def _among(self, tasks: list[Task]) -> Iterator[Unrouted]:
        routed = [task for task in tasks if not _ROUTING.isdisjoint(task.options)]
        named = [queue for task in routed if (queue := string(_queue(task))) and queue not in _DEFAULTS]
        bare = [task for task in tasks if task not in routed]
        # One that names the default queue says that the others mean it.
        if len(named) < len(routed) or len(named) < _MORE * len(bare) or self._has_routes:
            return
        for task in bare:
            if not self._goes_elsewhere(task, routed):
                yield Unrouted(task, tuple(dict.fromkeys(named)), len(named))

    def _goes_elsewhere(self, task: Task, routed: list[Task]) -> bool:
        """Whether a task's class, its decorator or all its calls say where it goes, or may do so."""
        if isinstance(task.node, cst.Call) and any(arg.star for arg in task.node.args):
            return True
        if _is_errback(task):
            return True
        bases = {last_name(base) for other in routed if (base := other.option("base", "actor_class")) is not None}
        own = task.option("base", "actor_class")
        if own is not None and last_name(own) not in bases:
            return True
        if task.owner is not None or not {_decorator(other) for other in routed} >= {_decorator(task)}:
            return True
        calls = (
            call
            for call in self._file.tree.calls
            if (found := self._file.dispatches.of(call)) is not None and task in found.definitions
        )
        options = [self._file.dispatches.of(call) for call in calls]
        return bool(options) and all(found is not None and "queue" in found.options for found in options)

    @property
    def _has_routes(self) -> bool:
        """Whether the file routes tasks by their names."""
        return any(isinstance(node, cst.Name) and node.value in _ROUTES for node in self._file.tree.nodes)


def _queue(task: Task) -> cst.BaseExpression | None:
    return task.option(*QUEUE_OPTIONS)


def _is_errback(task: Task) -> bool:
    """Whether Celery calls a task where another one failed, with its request and the error, and no queue in between.

    Checked against `_call_task_errbacks` of Celery's result backends, version 5.7: it does so with tasks that are not
    bound and take more than one argument.
    """
    if task.library != CELERY or task.function is None or "bind" in task.options:
        return False
    params = task.function.node.params
    takes_more = isinstance(params.star_arg, cst.Param) or len(task.function.params) > 1
    return takes_more and _ERRBACK.search(task.name) is not None


def _decorator(task: Task) -> str:
    return last_name(task.node.func if isinstance(task.node, cst.Call) else task.node)
