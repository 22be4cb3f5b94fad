"""Celery queues by task type, where every task has a route and every mistake is an error.

Celery's own behaviour, each reproduced in tests/runtime/test_celery.py: a task without a route goes to the default
queue, silently, also with `task_create_missing_queues=False` when that queue is declared; a mistyped queue is created,
and nobody reads it; queues declared by name only share one exchange and routing key, so what is sent by these reaches
all of them. Hence:

    queues = TaskQueues("schedule", "execution", routes={"app.schedule.*": "schedule", "app.run": "execution"})
    queues.install(app)
    assert not queues.audit(app)    # at start-up, when all tasks are imported

Needs the extra `celery` for `install`; a worker then serves one queue: `celery -A app worker -Q execution`.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol, TypeVar

from flake8_concurrency.runtime.errors import (
    ConcurrencyError,
    MisroutedTask,
    MissingExtra,
    UnknownQueue,
    UnroutedTask,
)

__all__ = ["CeleryApp", "Problem", "QueueLike", "TaskQueues"]

K = TypeVar("K")

# Celery's own tasks go to the first queue, except these, which run other tasks: Celery routes them by the name of the
# task they run, so under their own name they come from a bare `send_task`, and could run anything on any queue.
_OWN: Final = "celery."
_RUN_OTHERS: Final = frozenset({"celery.map", "celery.starmap", "celery.chunks", "celery.group", "celery.chain"})


class CeleryApp(Protocol):
    """What is needed of a `celery.Celery`, which has no types."""

    @property
    def conf(self) -> Any: ...
    @property
    def tasks(self) -> Any: ...


class QueueLike(Protocol):
    """A `kombu.Queue`."""

    name: Any
    exchange: Any
    routing_key: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """What `audit` found: `subject` is the task, route, setting or beat entry, `message` what is wrong with it."""

    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


def _declare(name: str) -> QueueLike:
    try:
        # Late: an extra. Its annotations do not pass --strict.
        kombu: Any = importlib.import_module("kombu")
    except ImportError as error:
        raise MissingExtra("celery") from error
    # An exchange and a routing key of its own: by default Celery gives all queues the same.
    queue: QueueLike = kombu.Queue(name, kombu.Exchange(name, type="direct"), routing_key=name)
    return queue


def _name(queue: object) -> str:
    return str(getattr(queue, "name", queue))


class TaskQueues:
    """The queues of an app and the route of each task: a name, or a glob as in `fnmatch`, to a queue.

    A name goes before globs, globs in their order. A `queue` is a name or a `kombu.Queue`, whose exchange and routing
    key are then yours to choose. Celery's own tasks (`celery.backend_cleanup`, `celery.chord_unlock`, …) go to the
    first queue, if no route matches them.

    Raises UnknownQueue when a route leads to a queue that is not among `queues`.
    """

    def __init__(self, *queues: str | QueueLike, routes: Mapping[str, str]) -> None:
        if not queues:
            raise ValueError("at least one queue is needed")
        self.names: tuple[str, ...] = tuple(_name(queue) for queue in queues)
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"a queue is named twice: {', '.join(self.names)}")
        self._queues = queues
        self.routes: dict[str, str] = dict(routes)
        for queue in self.routes.values():
            self._known(queue)

    def _known(self, queue: str) -> str:
        if queue not in self.names:
            raise UnknownQueue(queue, self.names)
        return queue

    # Routing

    def queue_of(self, task: str) -> str:
        """The queue a task's route leads to. Raises UnroutedTask."""
        if task in self.routes:
            return self.routes[task]
        for glob, queue in self.routes.items():
            if fnmatchcase(task, glob):
                return queue
        if task.startswith(_OWN) and task not in _RUN_OTHERS:
            return self.names[0]
        raise UnroutedTask(task)

    def __call__(
        self,
        name: str,
        args: object = (),  # noqa: ARG002  Celery's signature of a router
        kwargs: object = None,  # noqa: ARG002
        options: Mapping[str, Any] | None = None,
        task: object = None,  # noqa: ARG002
        **others: object,  # noqa: ARG002
    ) -> dict[str, str]:
        """The router, as Celery calls it for each message that is sent, with the caller's `options`.

        Raises UnroutedTask, also when the caller names a queue; UnknownQueue for a `kombu.Queue` that is not declared
        (for the mere name of one Celery raises QueueNotFound, before it asks a router); and MisroutedTask for a queue,
        exchange or routing key that is not the route's.
        """
        queue = self.queue_of(name)
        options = options or {}
        if (asked := options.get("queue")) and self._known(_name(asked)) != queue:
            raise MisroutedTask(name, _name(asked), queue)
        for option, right in zip(("exchange", "routing_key"), self._address(queue), strict=True):
            # A retry names those it was delivered by.
            if (given := options.get(option)) and _name(given) != right:
                raise MisroutedTask(name, _name(given), queue)
        return {"queue": queue}

    def _address(self, name: str) -> tuple[str, str]:
        """Exchange and routing key."""
        queue = self._queues[self.names.index(name)]
        return (name, name) if isinstance(queue, str) else (_name(queue.exchange), str(queue.routing_key))

    def choose(self, key: K, mapping: Mapping[K, str], *, default: str | None = None) -> str:
        """The queue for a kind of work, instead of `mapping.get(kind, "default")`.

        Without an entry `default` is meant; when that is None, UnroutedTask is raised. UnknownQueue, if the queue is
        not declared. The default is checked even when it is not needed.
        """
        if default is not None:
            self._known(default)
        queue = mapping.get(key, default)
        if queue is None:
            raise UnroutedTask(str(key))
        return self._known(queue)

    # The app

    def _settings(self) -> dict[str, Any]:
        return {
            "task_queues": tuple(_declare(queue) if isinstance(queue, str) else queue for queue in self._queues),
            "task_create_missing_queues": False,
            "task_routes": (self,),
        }

    def install(self, app: CeleryApp) -> None:
        """Declare the queues and become the app's only router. Call it in every process: workers, beat and senders.

        Raises MissingExtra without Celery.
        """
        for setting, value in self._settings().items():
            setattr(app.conf, setting, value)
        # What was computed from the settings before, if a task was sent already.
        if "amqp" in vars(app):
            del app.amqp  # type: ignore[attr-defined]  # a cached property of Celery's

    def audit(self, app: CeleryApp, *, elsewhere: Collection[str] = ()) -> list[Problem]:
        """What would fail or surprise later, found at start-up, when all tasks are imported; best in a test as well.

        Settings changed after `install`; queues that get each other's messages; tasks without a route or with another
        `queue` than their route's; beat entries that name an unknown task or a wrong queue; routes that match no task.
        `elsewhere` are globs of tasks that other apps define.
        """
        return [
            *self._audit_settings(app),
            *self._audit_queues(),
            *self._audit_tasks(app),
            *self._audit_beat(app, elsewhere),
            *self._audit_routes(app, elsewhere),
        ]

    def _audit_settings(self, app: CeleryApp) -> Iterator[Problem]:
        if tuple(app.conf.task_routes or ()) != (self,):
            yield Problem("task_routes", "was changed after install(): this router is not the only one")
        if app.conf.task_create_missing_queues:
            yield Problem("task_create_missing_queues", "was changed after install(): a mistyped queue is created")
        names = [_name(queue) for queue in app.conf.task_queues or ()]
        if sorted(names) != sorted(self.names):
            yield Problem("task_queues", f"was changed after install(): {', '.join(names) or 'none'}")

    def _audit_queues(self) -> Iterator[Problem]:
        seen: dict[tuple[str, str], str] = {}
        for name in self.names:
            first = seen.setdefault(self._address(name), name)
            if first != name:
                message = f"has the exchange and routing key of queue {first!r}: what is sent by these reaches both"
                yield Problem(f"queue {name!r}", message)

    def _audit_tasks(self, app: CeleryApp) -> Iterator[Problem]:
        for name, task in sorted(app.tasks.items()):
            if name not in _RUN_OTHERS:
                yield from self._try(f"task {name!r}", name, self._destination(task))

    def _audit_beat(self, app: CeleryApp, elsewhere: Collection[str]) -> Iterator[Problem]:
        for title, entry in sorted((app.conf.beat_schedule or {}).items()):
            name = entry["task"]
            if name not in app.tasks and not any(fnmatchcase(name, glob) for glob in elsewhere):
                yield Problem(f"beat entry {title!r}", f"no task {name!r} is registered")
            options = {**self._destination(app.tasks.get(name)), **(entry.get("options") or {})}
            yield from self._try(f"beat entry {title!r}", name, options)

    def _audit_routes(self, app: CeleryApp, elsewhere: Collection[str]) -> Iterator[Problem]:
        for glob in self.routes:
            if glob not in elsewhere and not any(fnmatchcase(name, glob) for name in app.tasks):
                yield Problem(f"route {glob!r}", "matches no registered task")

    @staticmethod
    def _destination(task: object) -> dict[str, Any]:
        return {option: getattr(task, option, None) for option in ("queue", "exchange", "routing_key")}

    def _try(self, subject: str, name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
        try:
            self(name, options=options)
        except ConcurrencyError as error:
            yield Problem(subject, str(error))
