"""Tasks: which functions and classes of a file a queue runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.dispatches import Dispatch
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 8


class Task(NamedTuple):
    """A function or class of the file that a queue runs.

    `options` are what its decorator is given, and for a class its attributes; `library` is empty where only the name of
    the decorator tells that it is one.
    """

    #: What runs: the function, or the `run` of a class.
    function: FunctionInfo | None
    #: The class, for a task that is one.
    owner: ClassInfo | None
    library: str
    options: Mapping[str, cst.BaseExpression]
    #: The decorator, or the class: where a message about the task's options stands.
    node: cst.CSTNode

    @property
    def name(self) -> str:
        if self.owner is not None:
            return self.owner.name
        return self.function.name if self.function is not None else ""

    def option(self, *names: str) -> cst.BaseExpression | None:
        """What the first of these options that is given says."""
        return next((self.options[name] for name in names if name in self.options), None)

    @property
    def queue(self) -> str:
        """The queue that the task itself names; empty where it names none, or not as a literal."""
        return string(self.option(*known.QUEUE_OPTIONS))


class Tasks:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._of: dict[FunctionInfo, Task | None] = {}

    # -- what is a task ----------------------------------------------------------------------------------------------

    @cached_property
    def all(self) -> list[Task]:
        """Every task of the file, in source order."""
        found = [task for info in self._file.definitions.functions.values() if (task := self.of(info)) is not None]
        found += [task for info in self._file.definitions.classes.values() if (task := self._of_class(info))]
        return sorted(found, key=lambda task: self._file.tree.order(task.node))

    def of(self, function: FunctionInfo) -> Task | None:
        """The task that a function is; None for any other function."""
        if function not in self._of:
            self._of[function] = None
            self._of[function] = self._decorated(function) or self._listed(function)
        return self._of[function]

    def _decorated(self, function: FunctionInfo) -> Task | None:
        for decorator in function.node.decorators:
            node = decorator.decorator
            library = self._library(node.func if isinstance(node, cst.Call) else node)
            if library is not None:
                return Task(function, None, library, _options(node), node)
        return None

    def _library(self, node: cst.BaseExpression) -> str | None:
        """The library whose decorator this is, empty where only its name tells that it is one of tasks; None if not."""
        qualified = self._file.qualified(node) or ""
        if qualified in known.DECORATORS:
            return known.DECORATORS[qualified]
        name = last_name(node)
        if isinstance(node, cst.Attribute) and name in known.METHODS:
            return self._library_of(node.value)
        if name in known.NAMED:
            return known.NAMED[name]
        if name in known.METHODS:
            return _of_words(qualified)
        # A project's own: `@instrumented_task(name=...)`.
        parts = words(name)
        return (self.imported or None) if len(parts) > 1 and parts[-1] == "task" else None

    def _library_of(self, node: cst.BaseExpression) -> str | None:
        """The library of the application that `task` is a method of."""
        qualified = self._file.qualified(node) or ""
        if qualified in known.MAKERS:
            return known.MAKERS[qualified]
        for binding in (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ():
            made = binding.value.func if isinstance(binding.value, cst.Call) else None
            maker = (self._file.qualified(made) or "") if made is not None else ""
            if maker in known.MAKERS:
                return known.MAKERS[maker]
        found = _of_words(last_name(node)) or _of_words(qualified)
        if found is not None:
            return found
        if self.imported:
            return self.imported
        return known.TASKIQ if last_name(node).endswith("broker") else self._of_module(node, qualified)

    @staticmethod
    def _of_module(node: cst.BaseExpression, qualified: str) -> str | None:
        """`from project import app`: an application that is called one is Celery's."""
        is_app = last_name(node) in ("app", "current_app") and not qualified.startswith(("flask", "fastapi", "textual"))
        return known.CELERY if is_app else None

    @cached_property
    def imported(self) -> str:
        """The one library of task queues that the file imports; empty for none, or for several."""
        found: set[str] = set()
        for node in (one for scope in self._file.tree.own.values() for one in scope):
            if isinstance(node, cst.Import):
                found.update(known.PACKAGES.get(dotted(alias.name).partition(".")[0], "") for alias in node.names)
            elif isinstance(node, cst.ImportFrom) and not node.relative:
                found.add(known.PACKAGES.get(dotted(node.module).partition(".")[0], ""))
        found.discard("")
        return found.pop() if len(found) == 1 else ""

    def _listed(self, function: FunctionInfo) -> Task | None:
        """A function that the settings of an arq worker name."""
        if function.owner is not None or function.name not in self._of_workers:
            return None
        return Task(function, None, known.ARQ, {}, self._of_workers[function.name])

    @cached_property
    def _of_workers(self) -> dict[str, cst.CSTNode]:
        found: dict[str, cst.CSTNode] = {}
        for info in self._file.definitions.classes.values():
            if not info.name.endswith("WorkerSettings") and self.imported != known.ARQ:
                continue
            for name in ("functions", "cron_jobs"):
                for binding in info.attributes.get(name, ()):
                    inside = self._file.tree.within(binding.value) if binding.value is not None else ()
                    found.update({node.value: node for node in inside if isinstance(node, cst.Name)})
        return found

    def _of_class(self, info: ClassInfo) -> Task | None:
        """`class Send(Task): def run(self, pk): …`."""
        run = info.methods.get("run") or info.methods.get("perform")
        if run is None or not any(self._is_task_class(base) for base in info.bases):
            return None
        options = {name: found[-1].value for name, found in info.attributes.items() if found[-1].value is not None}
        return Task(run, info, known.CELERY if info.methods.get("run") else known.DRAMATIQ, options, info.node)

    def _is_task_class(self, base: cst.BaseExpression, depth: int = 0) -> bool:
        if (self._file.qualified(base) or "") in known.TASK_CLASSES:
            return True
        if isinstance(base, cst.Attribute) and base.attr.value == "Task":
            return self._library_of(base.value) == known.CELERY
        info = self._class(base)
        if info is not None:
            return depth < _DEEPEST and any(self._is_task_class(inner, depth + 1) for inner in info.bases)
        return words(last_name(base))[-1:] == ["task"] and self.imported == known.CELERY

    def _class(self, node: cst.BaseExpression) -> ClassInfo | None:
        kind = self._file.kind(node)
        if kind is not None and kind.name == "type":
            kind = kind.args[0]
        return kind.ref if kind is not None and isinstance(kind.ref, ClassInfo) else None

    # -- which task an expression means ------------------------------------------------------------------------------

    def meant(self, node: cst.BaseExpression) -> Task | None:
        """The task of the file that an expression means, a signature of it, or its name as a string."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if node.func.attr.value not in known.SIGNATURES | known.SETTING:
                break
            node = node.func.value
        if isinstance(node, cst.SimpleString):
            return self._by_path(string(node))
        function = None if isinstance(node, cst.Call) else next(self._functions(node), None)
        if function is not None:
            return self.of(function)
        info = self._class(node)
        return self._of_class(info) if info is not None else None

    def _functions(self, node: cst.BaseExpression) -> Iterator[FunctionInfo]:
        kind: Kind | None = self._file.kind(node)
        if kind is not None and isinstance(kind.ref, FunctionInfo):
            yield kind.ref
        for binding in (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ():
            if isinstance(binding.node, cst.FunctionDef):
                yield self._file.definitions.functions[binding.node]

    def _by_path(self, path: str) -> Task | None:
        """The task that a literal names: by its own name where it has one, else by the last part of its path."""
        named = [task for task in self.all if string(task.option("name", "actor_name")) == path]
        found = named or [task for task in self.all if task.name == path.rpartition(".")[2] and path]
        return found[0] if len(found) == 1 else None

    # -- what is dispatched ------------------------------------------------------------------------------------------

    def dispatches(self, function: FunctionInfo) -> list[Dispatch]:
        """The dispatches that run when a function does."""
        return [found for call in function.calls if (found := self.dispatch(call)) is not None]

    def dispatch(self, call: cst.Call) -> Dispatch | None:
        """What a call hands to a broker; None for any other call."""
        return self._file.dispatches.of(call)

    # -- when it is sent ---------------------------------------------------------------------------------------------

    def waits_for_commit(self, task: Task) -> bool:
        """Whether a task is of a kind that is sent only when the transaction is over."""
        if isinstance(task.node, cst.Call | cst.Name | cst.Attribute):
            func = task.node.func if isinstance(task.node, cst.Call) else task.node
            if is_on_commit(last_name(func)):
                return True
        base = task.option("base", "actor_class")
        bases = [*([base] if base is not None else []), *(task.owner.bases if task.owner is not None else ())]
        return any(self._is_of_commit(node, 0) for node in bases)

    def _is_of_commit(self, base: cst.BaseExpression, depth: int) -> bool:
        if not known.COMMIT_WORDS.isdisjoint(words(last_name(base))):
            return True
        info = self._class(base)
        if info is None or depth > _DEEPEST:
            return False
        sending = (info.methods.get(name) for name in ("apply_async", "delay", "send", "enqueue"))
        for method in sending:
            if method is not None and any(is_on_commit(called_name(call)) for call in method.calls):
                return True
        return any(self._is_of_commit(inner, depth + 1) for inner in info.bases)


def is_on_commit(name: str) -> bool:
    """Whether a function of this name runs what it is given after the commit."""
    return any(part in name.lower() for part in known.ON_COMMIT)


def _options(node: cst.BaseExpression) -> dict[str, cst.BaseExpression]:
    if not isinstance(node, cst.Call):
        return {}
    found = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    first = node.args[0] if node.args else None
    if last_name(node.func) == "job" and first is not None and first.keyword is None and not first.star:
        found.setdefault("queue", first.value)
    return found


def string(node: cst.BaseExpression | None) -> str:
    """The value of a string literal; empty for anything else."""
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else ""


def _of_words(name: str) -> str | None:
    """The library that a name or a module's path speaks of."""
    parts = [word for part in name.split(".") for word in words(part)]
    return next((library for word, library in known.WORDS.items() if word in parts), None)
