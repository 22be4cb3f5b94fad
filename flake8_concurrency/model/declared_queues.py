"""Queues that a file configures, and those that it sends to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.task_queues import QUEUE_OPTIONS
from flake8_concurrency.model.beat import ROUTES, entries
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Settings that list the queues, and those that name the one for everything else.
SETTINGS = frozenset({"task_queues", "CELERY_TASK_QUEUES", "CELERY_QUEUES"})
DEFAULTS = frozenset({"task_default_queue", "CELERY_TASK_DEFAULT_QUEUE", "CELERY_DEFAULT_QUEUE"})
MAKER = "TaskQueues"


class Sent(NamedTuple):
    """A literal that names a queue."""

    node: cst.CSTNode
    queue: str


class DeclaredQueues:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    @cached_property
    def known(self) -> frozenset[str]:
        """The queues that the file configures; empty where it configures none, or not all of them as literals."""
        found: set[str] = set()
        default = "celery"
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Assign):
                targets = {last_name(target.target) for target in node.targets}
                if targets & SETTINGS:
                    names = _queues(node.value)
                    if names is None:
                        return frozenset()
                    found |= names
                elif targets & DEFAULTS:
                    default = string(node.value)
            elif isinstance(node, cst.Call) and called_name(node) == MAKER:
                given = [string(arg.value) for arg in node.args if arg.keyword is None]
                if not all(given) or any(arg.star for arg in node.args):
                    return frozenset()
                found |= set(given)
        return frozenset(found | {default}) if found and default else frozenset()

    @property
    def unknown(self) -> Iterator[Sent]:
        """The queues that something is sent to and that are not configured."""
        if not self.known:
            return
        seen: set[cst.CSTNode] = set()
        for node in self._named():
            name = string(node)
            if name and name not in self.known and node is not None and node not in seen:
                seen.add(node)
                yield Sent(node, name)

    def _named(self) -> Iterator[cst.BaseExpression | None]:
        for task in self._file.tasks.all:
            yield task.option(*QUEUE_OPTIONS)
        for call in self._file.tree.calls:
            sent = self._file.dispatches.of(call)
            if sent is not None:
                yield sent.options.get("queue")
        for entry in self._file.beat.entries:
            yield entry.options.get("queue")
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Assign) and any(last_name(t.target) in ROUTES for t in node.targets):
                # A dict of dicts, or pairs of a pattern and a dict in lists.
                dicts = (part for part in self._file.tree.within(node.value) if isinstance(part, cst.Dict))
                for route in dicts:
                    yield (entries(route) or {}).get("queue")


def _queues(node: cst.BaseExpression) -> set[str] | None:
    """The names in a list of `Queue(...)`, or the keys of a dict; None where one of them is no literal."""
    if isinstance(node, cst.Dict):
        given = entries(node)
        return None if given is None or not all(given) else set(given)
    if not isinstance(node, cst.List | cst.Tuple | cst.Set):
        return None
    found: set[str] = set()
    for element in node.elements:
        made = element.value
        name = string(argument(made, 0, "name")) if isinstance(made, cst.Call) else ""
        if not name or isinstance(element, cst.StarredElement):
            return None
        found.add(name)
    return found
