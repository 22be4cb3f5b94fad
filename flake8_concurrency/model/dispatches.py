"""Which calls hand a task to a broker, which tasks, and what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model import clauses
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tasks import Task, string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


_DEEPEST = 20


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


class Dispatches:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[cst.Call, Dispatch | None] = {}

    def of(self, call: cst.Call) -> Dispatch | None:
        """What a call hands to a broker; None for any other call."""
        if call not in self._known:
            self._known[call] = self._dispatched(call)
        return self._known[call]

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
        tasks = tuple(task for node in found.tasks if (task := self._file.tasks.meant(node)) is not None)
        waits = name in known.AFTER_COMMIT or (
            bool(tasks) and all(self._file.tasks.waits_for_commit(task) for task in tasks)
        )
        return found._replace(definitions=tasks, after_commit=waits)

    def _called(self, call: cst.Call) -> Dispatch | None:
        """Huey's tasks are sent by calling them."""
        if self._file.tasks.imported != known.HUEY or not isinstance(call.func, cst.Name):
            return None
        task = self._file.tasks.meant(call.func)
        if task is None or task.library != known.HUEY:
            return None
        return Dispatch(call, (call.func,), tuple(arg.value for arg in call.args), {})

    def _sent(self, call: cst.Call, name: str, receiver: cst.BaseExpression) -> Dispatch | None:
        if not (name in known.UNMISTAKABLE or self.is_task(receiver, name, call)):
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

    def is_task(self, receiver: cst.BaseExpression, name: str, call: cst.Call) -> bool:
        """Whether what `delay` and the like are called on is surely a task, or a signature of one."""
        task = self._file.tasks.meant(receiver)
        if task is not None and (name not in known.COMMON or task.library in known.SENDERS):
            return True
        if self._is_canvas(receiver):
            return name not in known.COMMON
        if name in known.COMMON:
            return self._comes_from_senders(receiver, name, call)
        if isinstance(receiver, cst.BinaryOperation):
            return self._is_canvas(receiver.left) or self._is_canvas(receiver.right)
        spelled = {word for part in _chain(receiver) for word in words(part)}
        if spelled & known.OTHERS or isinstance(receiver, cst.SimpleString | cst.Integer | cst.Float):
            return False
        if name == "apply_async":
            return not _is_function_first(call)
        if self._comes_from_tasks(receiver) or bool(spelled & known.TASK_WORDS):
            return True
        return self._is_imported(receiver)

    def _is_canvas(self, node: cst.BaseExpression, depth: int = 0) -> bool:
        """Whether an expression is a signature, or a workflow of them."""
        if depth > _DEEPEST:
            return False
        if isinstance(node, cst.BinaryOperation):
            parts = (node.right, node.left) if isinstance(node.operator, cst.BitOr) else ()
            return any(self._is_canvas(part, depth + 1) for part in parts)
        if isinstance(node, cst.Name):
            bound = self._file.names.reaching(node) or ()
            return bool(bound) and all(
                binding.how == "assign"
                and isinstance(binding.value, cst.Call | cst.BinaryOperation)
                and not binding.path
                and self._is_canvas(binding.value, depth + 1)
                for binding in bound
            )
        while isinstance(node, cst.Call):
            name = called_name(node)
            if name in known.CANVAS:
                return self._is_workflow(node)
            if not isinstance(node.func, cst.Attribute):
                return name == "signature"
            if name in known.SIGNATURES:
                return True
            if name not in known.SETTING:
                return False
            node = node.func.value
        return False

    def _is_workflow(self, node: cst.Call) -> bool:
        """`chain(...)` of Celery, by its import or by what is in it."""
        return (self._file.qualified(node.func) or "").startswith("celery.") or any(
            isinstance(part, cst.Call) and called_name(part) in known.SIGNATURES
            for arg in node.args
            for part in self._file.tree.within(arg.value)
        )

    def _comes_from_senders(self, receiver: cst.BaseExpression, name: str, call: cst.Call) -> bool:
        """Whether something with a `send` or `defer` is imported from a module of tasks, and used as a task is."""
        keywords = {arg.keyword.value for arg in call.args if arg.keyword is not None}
        if "sender" in keywords or (name != "send" and len(keywords) < len(call.args)):
            return False
        return any(part.endswith(known.SENDER_MODULES) for part in self._modules(receiver))

    def _comes_from_tasks(self, node: cst.BaseExpression) -> bool:
        """Whether a name is imported from a module of tasks."""
        return any(not known.TASK_MODULES.isdisjoint((part, *words(part))) for part in self._modules(node))

    def _modules(self, node: cst.BaseExpression) -> list[str]:
        """The last parts of the module that a name comes from."""
        parts = (self._file.qualified(_root(node)) or "").split(".")
        return (parts if isinstance(node, cst.Attribute) else parts[:-1])[-2:]

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
        if isinstance(call.func, cst.Attribute) and self._file.tasks.meant(call.func.value) is not None:
            # `task.enqueue(pk)` of django-tasks.
            return Dispatch(call, (call.func.value,), tuple(arg.value for arg in call.args), {})
        return Dispatch(call, tasks, given, options)

    def _enqueues(self, call: cst.Call, name: str, task: cst.BaseExpression | None) -> bool:
        if (self._file.qualified(call.func) or "") in known.FUNCTIONS:
            return True
        if not isinstance(call.func, cst.Attribute):
            return name == "async_task" and task is not None
        receiver = call.func.value
        if self._file.tasks.meant(receiver) is not None:
            return True
        if name == "send_task":
            return task is not None
        if name == "enqueue_job":
            return isinstance(task, cst.SimpleString | cst.FormattedString)
        if name == "async_task":
            return False
        # Something that runs: a function or the path of one, not an item of an ordinary queue.
        return name == "enqueue_call" or (
            self.is_queue(receiver) and (self._is_surely_queue(receiver) or task is None or self._may_run(task))
        )

    def is_queue(self, receiver: cst.BaseExpression) -> bool:
        """Whether what `enqueue` is called on may be a queue of tasks, going by its name."""
        if isinstance(receiver, cst.Name) and clauses.names_class(receiver):
            return False
        spelled = {word for part in _chain(receiver) for word in words(part)}
        return bool(spelled & known.QUEUE_WORDS) or self._is_surely_queue(receiver)

    def _is_surely_queue(self, receiver: cst.BaseExpression) -> bool:
        spelled = {word for part in _chain(receiver) for word in words(part)}
        return "rq" in spelled or "get_queue" in _chain(receiver) or self._is_queue(receiver)

    def _is_queue(self, node: cst.BaseExpression) -> bool:
        """`emails = Queue("emails")`."""
        bound = (self._file.names.reaching(node) or ()) if isinstance(node, cst.Name) else ()
        return any(isinstance(b.value, cst.Call) and called_name(b.value) in ("Queue", "get_queue") for b in bound)

    def _may_run(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.SimpleString):
            return "." in string(node)
        kind = self._file.kind(node)
        if kind is not None:
            return kind.name in ("function", "symbol", "lambda", "partial", "type", "method")
        root = _root(node)
        bound = (self._file.names.reaching(root) or ()) if isinstance(root, cst.Name) else ()
        return bool(bound) and all(b.how in ("import", "def", "class") for b in bound)

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


def _set_options(node: cst.BaseExpression) -> dict[str, cst.BaseExpression]:
    """The options of a signature: `task.s().set(queue="slow")`."""
    found: dict[str, cst.BaseExpression] = {}
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value in known.SETTING | {"signature"}:
            found = {**{arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}, **found}
        node = node.func.value
    return found


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
