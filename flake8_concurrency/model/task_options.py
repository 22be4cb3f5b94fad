"""What the options of a task say, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.task_queues import CELERY, DRAMATIQ, PROCRASTINATE
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import Task, string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_UNLIMITED = (None,)
#: Settings that limit all tasks, with whatever prefix.
_LIMITS = ("task_time_limit", "task_soft_time_limit")
#: Words of what counts how often something was tried, or says until when.
_COUNTING = frozenset("retries attempt attempts tries tried deadline".split())
#: Words of packages and base classes that let Celery run coroutines.
_ASYNC_WORDS = frozenset({"async", "aio", "asyncio", "coroutine", "awaitable", "gevent"})
#: Decorators that change nothing about how their function is called.
_HARMLESS = frozenset({"staticmethod", "wraps"})


class TaskOptions:
    """Answers about the tasks of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    # -- retries -----------------------------------------------------------------------------------------------------

    def unlimited(self, task: Task) -> cst.CSTNode | None:
        """What says that a task is retried without end, where it is retried at all."""
        if task.library == PROCRASTINATE:
            return self._procrastinates(task)
        if task.library not in (CELERY, DRAMATIQ):
            return None
        given = _entry(task.option("retry_kwargs"), "max_retries") or task.option("max_retries")
        if given is None or literal(given) != _UNLIMITED:
            return None
        if task.library == DRAMATIQ:
            is_bounded = any(name in task.options for name in ("retry_when", "max_age"))
            return None if is_bounded else given
        return given if self._is_retried(task) else None

    def _is_retried(self, task: Task) -> bool:
        """Whether a task of Celery is retried when it fails, and asks nowhere how often it was."""
        if "expires" in task.options or self._counts(task):
            return False
        calls = task.function.calls if task.function is not None else []
        retries = [call for call in calls if called_name(call) == "retry" and isinstance(call.func, cst.Attribute)]
        if any(argument(call, None, "max_retries") is not None or passes_unknown(call) for call in retries):
            return False
        # A task that is retried although nothing failed waits for something, or comes again at its own pace.
        return all(map(self._is_in_handler, retries)) and bool(retries or "autoretry_for" in task.options)

    def _is_in_handler(self, node: cst.CSTNode) -> bool:
        return any(isinstance(around, cst.ExceptHandler) for around in self._file.ancestors(node))

    def _counts(self, task: Task) -> bool:
        """Whether the body asks how often, or since when, it was tried."""
        if task.function is None:
            return False
        return any(
            isinstance(part, cst.Name) and not _COUNTING.isdisjoint(words(part.value))
            for body in (task.function.node.params, task.function.node.body)
            for part in self._file.tree.within(body)
        )

    def _procrastinates(self, task: Task) -> cst.CSTNode | None:
        given = task.option("retry")
        if given is None:
            return None
        if literal(given) == (True,):
            return given
        is_strategy = isinstance(given, cst.Call) and (self._file.qualified(given.func) or "").endswith("RetryStrategy")
        if not is_strategy or not isinstance(given, cst.Call) or passes_unknown(given):
            return None
        attempts = argument(given, None, "max_attempts")
        return given if attempts is None or literal(attempts) == _UNLIMITED else None

    # -- time --------------------------------------------------------------------------------------------------------

    def is_timeless(self, task: Task) -> bool:
        """Whether a task of Celery may run for ever: neither it, nor a call, nor a setting in the file limits it.

        Only where another task of the file has a limit: elsewhere one for all may be set in another file.
        """
        if not any(_is_limited(other) for other in self._file.tasks.all):
            return False
        if task.library != CELERY or _is_limited(task):
            return False
        if isinstance(task.node, cst.Call) and passes_unknown(task.node):
            return False
        if task.owner is not None or task.option("base") is not None or self._limits_all:
            return False
        sent = [found for call in self._file.tree.calls if (found := self._file.dispatches.of(call)) is not None]
        options = [set(found.options) for found in sent if task in found.definitions]
        return not options or not all(given & {"time_limit", "soft_time_limit"} for given in options)

    @cached_property
    def _limits_all(self) -> bool:
        """Whether the file sets a limit for all tasks."""
        return any(isinstance(n, cst.Name) and n.value.lower().endswith(_LIMITS) for n in self._file.tree.nodes)

    # -- coroutines --------------------------------------------------------------------------------------------------

    def is_never_awaited(self, task: Task) -> bool:
        """Whether a task is a coroutine function that Celery calls and does not await."""
        function = task.function
        if function is None or not function.is_async or function.is_generator or task.library != CELERY:
            return False
        if not self._is_surely_celery(task):
            return False
        names = [last_name(base) for base in (task.option("base"), *(task.owner.bases if task.owner else ())) if base]
        if any(not _ASYNC_WORDS.isdisjoint(words(name)) for name in names) or self._runs_coroutines:
            return False
        if task.owner is not None:
            return not task.owner.methods.keys() & {"__call__", "_run", "apply"} and len(task.owner.bases) == 1
        decorated: list[cst.CSTNode] = [decorator.decorator for decorator in function.node.decorators]
        inner = decorated[decorated.index(task.node) + 1 :] if task.node in decorated else decorated
        return all(last_name(part.func if isinstance(part, cst.Call) else part) in _HARMLESS for part in inner)

    def _is_surely_celery(self, task: Task) -> bool:
        """Whether more than the name `app` tells that it is Celery's."""
        if self._file.tasks.imported == CELERY:
            return True
        if task.owner is not None:
            return any("celery" in (self._file.qualified(base) or "") for base in task.owner.bases)
        node = task.node.func if isinstance(task.node, cst.Call) else task.node
        named = node.value if isinstance(node, cst.Attribute) else node
        if "celery" in f"{last_name(named)} {self._file.qualified(node) or ''}".lower():
            return True
        made = (b.value for b in self._file.names.reaching(named) or ()) if isinstance(named, cst.Name) else ()
        return any(isinstance(m, cst.Call) and "celery" in (self._file.qualified(m.func) or "") for m in made)

    @property
    def _runs_coroutines(self) -> bool:
        """Whether the file imports, or defines, something that lets Celery run coroutines."""
        return any(
            not _ASYNC_WORDS.isdisjoint(words(name)) and "celery" in name.lower() for name in self._imported()
        ) or any(
            not _ASYNC_WORDS.isdisjoint(words(info.name)) and {"task", "celery"} & set(words(info.name))
            for info in self._file.definitions.classes.values()
        )

    def _imported(self) -> Iterator[str]:
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Import):
                yield from (self._file.tree.module.code_for_node(alias.name) for alias in node.names)
            elif isinstance(node, cst.ImportFrom) and node.module is not None:
                module = self._file.tree.module.code_for_node(node.module)
                aliases = node.names if not isinstance(node.names, cst.ImportStar) else ()
                yield module
                yield from (f"{module}.{self._file.tree.module.code_for_node(alias.name)}" for alias in aliases)


def _is_limited(task: Task) -> bool:
    return any("time_limit" in option for option in task.options)


def _entry(node: cst.BaseExpression | None, key: str) -> cst.BaseExpression | None:
    """What a dict that is written out has under a key."""
    for element in node.elements if isinstance(node, cst.Dict) else ():
        if isinstance(element, cst.DictElement) and string(element.key) == key:
            return element.value
    return None
