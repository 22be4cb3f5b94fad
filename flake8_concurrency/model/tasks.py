"""Tasks and their dispatch: which functions a queue runs, and which calls hand one to a broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
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
        return _string(self.option(*known.QUEUE_OPTIONS))


class Dispatch(NamedTuple):
    """A call that hands tasks to a broker.

    `tasks` are the expressions that mean what is sent (several in a workflow), `given` what it is given, `options` the
    keywords that say how it is sent. `after_commit` is true of a call that waits for the commit by design.
    """

    call: cst.Call
    tasks: tuple[cst.BaseExpression, ...]
    given: tuple[cst.BaseExpression, ...]
    options: Mapping[str, cst.BaseExpression]
    #: The tasks among them that the file defines.
    definitions: tuple[Task, ...] = ()
    after_commit: bool = False

    @property
    def name(self) -> str:
        """The call as a message shows it."""
        return dotted(self.call.func) or called_name(self.call)


class Tasks:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._of: dict[FunctionInfo, Task | None] = {}
        self._dispatches: dict[cst.Call, Dispatch | None] = {}

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
        return (self._imported or None) if len(parts) > 1 and parts[-1] == "task" else None

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
        if self._imported:
            return self._imported
        return known.TASKIQ if last_name(node).endswith("broker") else self._of_module(node, qualified)

    @staticmethod
    def _of_module(node: cst.BaseExpression, qualified: str) -> str | None:
        """`from project import app`: an application that is called one is Celery's."""
        is_app = last_name(node) in ("app", "current_app") and not qualified.startswith(("flask", "fastapi", "textual"))
        return known.CELERY if is_app else None

    @cached_property
    def _imported(self) -> str:
        """The one library of task queues that the file imports; empty for none, or for several."""
        found: set[str] = set()
        for node in self._file.tree.nodes:
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
            if not info.name.endswith("WorkerSettings") and self._imported != known.ARQ:
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

    def _is_task_class(self, base: cst.BaseExpression) -> bool:
        if (self._file.qualified(base) or "") in known.TASK_CLASSES:
            return True
        if isinstance(base, cst.Attribute) and base.attr.value == "Task":
            return self._library_of(base.value) == known.CELERY
        info = self._class(base)
        if info is not None:
            return any(self._is_task_class(inner) for inner in info.bases if inner is not base)
        return words(last_name(base))[-1:] == ["task"] and self._imported == known.CELERY

    def _class(self, node: cst.BaseExpression) -> ClassInfo | None:
        kind = self._file.kind(node)
        if kind is not None and kind.name == "type":
            kind = kind.args[0]
        return kind.ref if kind is not None and isinstance(kind.ref, ClassInfo) else None

    # -- which task an expression means ------------------------------------------------------------------------------

    def meant(self, node: cst.BaseExpression) -> Task | None:
        """The task of the file that an expression means, a signature of it, or its name as a string."""
        if isinstance(node, cst.SimpleString):
            return self._by_path(_string(node))
        if isinstance(node, cst.Call):
            func = node.func
            if isinstance(func, cst.Attribute) and func.attr.value in known.SIGNATURES | known.SETTING:
                return self.meant(func.value)
            info = self._class(node)
            return self._of_class(info) if info is not None else None
        function = next(self._functions(node), None)
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
        named = [task for task in self.all if _string(task.option("name", "actor_name")) == path]
        found = named or [task for task in self.all if task.name == path.rpartition(".")[2] and path]
        return found[0] if len(found) == 1 else None

    # -- what is dispatched ------------------------------------------------------------------------------------------

    def dispatches(self, function: FunctionInfo) -> list[Dispatch]:
        """The dispatches that run when a function does."""
        return [found for call in function.calls if (found := self.dispatch(call)) is not None]

    def dispatch(self, call: cst.Call) -> Dispatch | None:
        """What a call hands to a broker; None for any other call."""
        if call not in self._dispatches:
            self._dispatches[call] = self._dispatched(call)
        return self._dispatches[call]

    def _dispatched(self, call: cst.Call) -> Dispatch | None:
        name = called_name(call)
        found: Dispatch | None = None
        if name in known.SENDING and isinstance(call.func, cst.Attribute):
            found = self._sent(call, name, call.func.value)
        elif name in known.ENQUEUING:
            found = self._enqueued(call, name)
        elif isinstance(call.func, cst.Call) and called_name(call.func) in known.CANVAS and self._is_canvas(call.func):
            # `chain(a.s(), b.s())()`.
            found = Dispatch(call, self._parts(call.func), self._given_to(call.func), {})
        elif name:
            found = self._called(call)
        if found is None:
            return None
        tasks = tuple(task for node in found.tasks if (task := self.meant(node)) is not None)
        waits = name in known.AFTER_COMMIT or (bool(tasks) and all(self.waits_for_commit(task) for task in tasks))
        return found._replace(definitions=tasks, after_commit=waits)

    def _called(self, call: cst.Call) -> Dispatch | None:
        """Huey's tasks are sent by calling them."""
        if self._imported != known.HUEY or not isinstance(call.func, cst.Name):
            return None
        task = self.meant(call.func)
        if task is None or task.library != known.HUEY:
            return None
        return Dispatch(call, (call.func,), tuple(arg.value for arg in call.args), {})

    def _sent(self, call: cst.Call, name: str, receiver: cst.BaseExpression) -> Dispatch | None:
        if not (name in known.UNMISTAKABLE or self._is_task(receiver, name, call)):
            return None
        signed = self._given_to(receiver)
        if known.SENDING[name] == "plain":
            given = tuple(arg.value for arg in call.args)
            return Dispatch(call, self._parts(receiver), signed + given, _set_options(receiver))
        options = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        packed = (argument(call, 0, "args"), argument(call, 1, "kwargs"))
        given = tuple(value for node in packed for value in self._unpacked(node))
        options = {key: value for key, value in options.items() if key not in ("args", "kwargs")}
        return Dispatch(call, self._parts(receiver), signed + given, {**_set_options(receiver), **options})

    def _is_task(self, receiver: cst.BaseExpression, name: str, call: cst.Call) -> bool:
        """Whether what `delay` and the like are called on is surely a task, or a signature of one."""
        if self.meant(receiver) is not None or self._is_canvas(receiver):
            return True
        if name in ("send", "defer", "defer_async", "schedule"):
            # Signals, sockets and querysets have these too.
            if name != "send" and any(arg.keyword is None for arg in call.args):
                return False
            return self._comes_from_tasks(receiver, {known.DRAMATIQ, known.PROCRASTINATE, known.HUEY}, call)
        if isinstance(receiver, cst.BinaryOperation):
            return self._is_canvas(receiver.left) or self._is_canvas(receiver.right)
        spelled = {word for part in _chain(receiver) for word in words(part)}
        if spelled & known.OTHERS or isinstance(receiver, cst.SimpleString | cst.Integer | cst.Float):
            return False
        if name == "apply_async":
            return not _is_function_first(call)
        if self._comes_from_tasks(receiver, None, call) or bool(spelled & known.TASK_WORDS):
            return True
        return self._is_imported(receiver)

    def _is_canvas(self, node: cst.BaseExpression) -> bool:
        """Whether an expression is a signature, or a workflow of them."""
        if isinstance(node, cst.BinaryOperation):
            return isinstance(node.operator, cst.BitOr) and (self._is_canvas(node.left) or self._is_canvas(node.right))
        if isinstance(node, cst.Name):
            bound = self._file.names.reaching(node) or ()
            return bool(bound) and all(
                binding.how == "assign"
                and isinstance(binding.value, cst.Call | cst.BinaryOperation)
                and not binding.path
                and self._is_canvas(binding.value)
                for binding in bound
            )
        if not isinstance(node, cst.Call):
            return False
        name = called_name(node)
        if name in known.CANVAS:
            return (self._file.qualified(node.func) or "").startswith("celery.") or any(
                isinstance(part, cst.Call) and called_name(part) in known.SIGNATURES
                for arg in node.args
                for part in self._file.tree.within(arg.value)
            )
        if not isinstance(node.func, cst.Attribute):
            return name == "signature"
        return name in known.SIGNATURES or (name in known.SETTING and self._is_canvas(node.func.value))

    def _comes_from_tasks(self, node: cst.BaseExpression, libraries: set[str] | None, call: cst.Call) -> bool:
        """Whether a name is imported from a module of tasks, and for methods that others have, used as a task's is."""
        qualified = self._file.qualified(_root(node)) or ""
        parts = qualified.split(".")
        last = parts if isinstance(node, cst.Attribute) else parts[:-1]
        if known.TASK_MODULES.isdisjoint(word for part in last[-2:] for word in (part, *words(part))):
            return False
        if libraries is None:
            return True
        return self._imported in libraries or not any(
            arg.keyword is not None and arg.keyword.value == "sender" for arg in call.args
        )

    def _is_imported(self, node: cst.BaseExpression) -> bool:
        """Whether a name is imported from what may be the project's own module."""
        root = _root(node)
        bound = (self._file.names.reaching(root) or ()) if isinstance(root, cst.Name) else ()
        return bool(bound) and all(isinstance(b.node, cst.ImportFrom) for b in bound)

    def _enqueued(self, call: cst.Call, name: str) -> Dispatch | None:
        position = known.ENQUEUING[name]
        positional = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
        task = positional[position] if len(positional) > position else argument(call, None, "func")
        if not self._enqueues(call, name, task):
            return None
        options = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        packed = (
            argument(call, 1 if name in known.PACKED else None, "args"),
            argument(call, 2 if name in known.PACKED else None, "kwargs"),
        )
        given = tuple(value for node in packed for value in self._unpacked(node))
        if name not in known.PACKED:
            given += tuple(positional[position + 1 :]) + tuple(options.values())
        tasks = () if task is None else (task,)
        if isinstance(call.func, cst.Attribute) and self.meant(call.func.value) is not None:
            # `task.enqueue(pk)` of django-tasks.
            return Dispatch(call, (call.func.value,), tuple(arg.value for arg in call.args), {})
        return Dispatch(call, tasks, given, options)

    def _enqueues(self, call: cst.Call, name: str, task: cst.BaseExpression | None) -> bool:
        if (self._file.qualified(call.func) or "") in known.FUNCTIONS:
            return True
        if not isinstance(call.func, cst.Attribute):
            return name == "async_task" and task is not None
        receiver = call.func.value
        if self.meant(receiver) is not None:
            return True
        if name == "send_task":
            return task is not None
        if name == "enqueue_job":
            return isinstance(task, cst.SimpleString | cst.FormattedString)
        if name == "async_task":
            return False
        spelled = {word for part in _chain(receiver) for word in words(part)}
        if name == "enqueue_call" or "rq" in spelled or "get_queue" in _chain(receiver) or self._is_queue(receiver):
            return True
        is_queue = bool(spelled & known.QUEUE_WORDS)
        # Something that runs: a function or the path of one, not an item of an ordinary queue.
        return is_queue and (task is None or self._may_run(task))

    def _is_queue(self, node: cst.BaseExpression) -> bool:
        """`emails = Queue("emails")`."""
        bound = (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ()
        return any(isinstance(b.value, cst.Call) and called_name(b.value) in ("Queue", "get_queue") for b in bound)

    def _may_run(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.SimpleString):
            return "." in _string(node)
        kind = self._file.kind(node)
        if kind is not None:
            return kind.name in ("function", "symbol", "lambda", "partial", "type", "method")
        root = _root(node)
        bound = (self._file.names.reaching(root) or ()) if isinstance(root, cst.Name) else ()
        return bool(bound) and all(b.how in ("import", "def", "class") for b in bound)

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

    # -- pieces ------------------------------------------------------------------------------------------------------

    def _parts(self, node: cst.BaseExpression) -> tuple[cst.BaseExpression, ...]:
        """The tasks of a workflow, or the one that an expression means."""
        node = self._assigned(node)
        if not self._is_canvas(node):
            return (node,)
        inside = (part for part in self._file.tree.within(node) if isinstance(part, cst.Call))
        found = (
            part.func.value
            for part in inside
            if isinstance(part.func, cst.Attribute) and part.func.attr.value in known.SIGNATURES
        )
        return tuple(found)

    def _given_to(self, node: cst.BaseExpression) -> tuple[cst.BaseExpression, ...]:
        """What the signatures in an expression are given."""
        node = self._assigned(node)
        found: list[cst.BaseExpression] = []
        for part in self._file.tree.within(node):
            if isinstance(part, cst.Call) and called_name(part) in known.SIGNATURES:
                for arg in part.args:
                    name = arg.keyword.value if arg.keyword is not None else ""
                    found += self._unpacked(arg.value) if name in ("args", "kwargs") else [arg.value]
        return tuple(found)

    def _assigned(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """What a local is bound to, where that is a workflow or a container."""
        for binding in (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ():
            if binding.how == "assign" and not binding.path and binding.value is not None:
                return binding.value
        return node

    def _unpacked(self, node: cst.BaseExpression | None) -> tuple[cst.BaseExpression, ...]:
        """The items of a tuple or list, the values of a dict, also of a local; what can't be taken apart as a whole."""
        if node is None:
            return ()
        node = self._assigned(node)
        if isinstance(node, cst.Tuple | cst.List):
            return tuple(element.value for element in node.elements)
        if isinstance(node, cst.Dict):
            return tuple(element.value for element in node.elements)
        if isinstance(node, cst.Call) and called_name(node) == "dict":
            return tuple(arg.value for arg in node.args)
        return (node,)


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


def _set_options(node: cst.BaseExpression) -> dict[str, cst.BaseExpression]:
    """The options of a signature: `task.s().set(queue="slow")`."""
    found: dict[str, cst.BaseExpression] = {}
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value in known.SETTING | {"signature"}:
            found = {**{arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}, **found}
        node = node.func.value
    return found


def _string(node: cst.BaseExpression | None) -> str:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else ""


def _of_words(name: str) -> str | None:
    """The library that a name or a module's path speaks of."""
    parts = [word for part in name.split(".") for word in words(part)]
    return next((library for word, library in known.WORDS.items() if word in parts), None)


def _root(node: cst.BaseExpression) -> cst.BaseExpression:
    """`a` of `a.b.c`."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node


def _chain(node: cst.BaseExpression) -> Iterator[str]:
    """The names in a chain of attributes, calls and subscripts."""
    while True:
        match node:
            case cst.Attribute(value=value, attr=attr):
                yield attr.value
                node = value
            case cst.Call(func=func):
                node = func
            case cst.Subscript(value=value):
                node = value
            case cst.Name(value=name):
                yield name
                return
            case _:
                return


def _is_function_first(call: cst.Call) -> bool:
    """`pool.apply_async(work, (1,))` of multiprocessing: a function comes first, not a tuple."""
    first = call.args[0] if call.args else None
    if first is None or first.keyword is not None:
        return any(arg.keyword is not None and arg.keyword.value in ("func", "callback") for arg in call.args)
    return isinstance(first.value, cst.Lambda | cst.Attribute) or (
        isinstance(first.value, cst.Name)
        and len(call.args) > 1
        and isinstance(call.args[1].value, cst.Tuple | cst.List)
    )
