"""Where tasks are named by a string: what the beat sends, what is routed, what is sent by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tasks import string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

ROUTES = frozenset({"task_routes", "CELERY_TASK_ROUTES", "CELERY_ROUTES"})
_NAMING = frozenset({"send_task", "signature"})
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
#: What comes this often, in seconds, comes again before a stopped worker is back.
_OFTEN = 3600


class Named(NamedTuple):
    """A task that a string names."""

    node: cst.SimpleString
    name: str


class Entry(NamedTuple):
    """Something that the beat sends: its options, and the seconds between two of it where they are written there."""

    node: cst.CSTNode
    task: cst.BaseExpression
    schedule: cst.BaseExpression
    options: Mapping[str, cst.BaseExpression]
    #: Whether there may be options that do not show.
    unknown: bool


class Beat:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    @cached_property
    def entries(self) -> list[Entry]:
        """What the file tells the beat to send."""
        found: list[Entry] = []
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Dict):
                found += self._in_dict(node)
            elif isinstance(node, cst.Call) and called_name(node) == "add_periodic_task" and len(node.args) > 1:
                options = {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
                found.append(Entry(node, node.args[1].value, node.args[0].value, options, passes_unknown(node)))
        return found

    @staticmethod
    def _in_dict(node: cst.Dict) -> Iterator[Entry]:
        given = entries(node)
        if given is not None and "task" in given and "schedule" in given:
            options = entries(given.get("options"))
            yield Entry(node, given["task"], given["schedule"], options or {}, "options" in given and options is None)

    # -- names that nothing has --------------------------------------------------------------------------------------

    @property
    def unknown(self) -> Iterator[Named]:
        """The names of tasks of this file's module that the file does not define.

        Which module that is, other names tell: those that end with functions that are tasks here, at least as many of a
        module as end otherwise.
        """
        tasks = [task for task in self._file.tasks.all if task.function is not None and task.owner is None]
        own = [task.option("name", "actor_name") for task in tasks]
        if any(name is not None and not string(name) for name in own) or self._imports_all:
            return
        known = {string(name) for name in own}
        functions = {task.name for task in tasks if task.option("name", "actor_name") is None}
        bound = self._file.names.bindings(self._file.tree.module).keys() - {task.name for task in tasks}
        of_module: dict[str, list[Named]] = {}
        for one in self._named():
            of_module.setdefault(one.name.rpartition(".")[0], []).append(one)
        for module, named in of_module.items():
            missing = [one for one in named if _last(one) not in functions | bound and one.name not in known]
            if module and len({one.name for one in missing}) <= len({_last(one) for one in named} & functions):
                yield from missing

    @cached_property
    def _imports_all(self) -> bool:
        return any(isinstance(n, cst.ImportFrom) and isinstance(n.names, cst.ImportStar) for n in self._file.tree.nodes)

    def _named(self) -> Iterator[Named]:
        for entry in self.entries:
            if isinstance(entry.task, cst.SimpleString):
                yield Named(entry.task, string(entry.task))
        for node in self._file.tree.nodes:
            if isinstance(node, cst.Call) and called_name(node) in _NAMING and node.args:
                first = node.args[0].value
                if isinstance(first, cst.SimpleString):
                    yield Named(first, string(first))
            elif isinstance(node, cst.Assign) and any(last_name(t.target) in ROUTES for t in node.targets):
                for key in _keys(node.value):
                    if not set("*?[") & set(string(key)):
                        yield Named(key, string(key))

    # -- periodic tasks that pile up ---------------------------------------------------------------------------------

    @property
    def endless(self) -> Iterator[Entry]:
        """What comes often, and never expires while it waits for a worker."""
        for entry in self.entries:
            task = self._file.tasks.meant(entry.task)
            expires = "expires" in entry.options or (task is not None and "expires" in task.options)
            if not expires and not entry.unknown and self._is_often(entry.schedule):
                yield entry

    def _is_often(self, schedule: cst.BaseExpression) -> bool:
        match schedule:
            case cst.Integer() | cst.Float():
                return float(schedule.evaluated_value) < _OFTEN
            case cst.BinaryOperation(operator=cst.Multiply(), left=left, right=right):
                both = (literal(left), literal(right))
                values = [value[0] for value in both if value is not None and isinstance(value[0], int | float)]
                return len(values) == len(both) and values[0] * values[1] < _OFTEN
            case cst.Call() if called_name(schedule) in ("timedelta", "schedule"):
                return self._is_short(schedule)
            case cst.Call() if called_name(schedule) == "crontab":
                minute = argument(schedule, 0, "minute")
                return minute is None or string(minute).startswith("*")
        return False

    def _is_short(self, call: cst.Call) -> bool:
        if called_name(call) == "schedule":
            every = argument(call, 0, "run_every")
            return every is not None and self._is_often(every)
        total = 0.0
        for arg in call.args:
            value = literal(arg.value)
            unit = _UNITS.get(arg.keyword.value if arg.keyword is not None else "")
            if unit is None or value is None or not isinstance(value[0], int | float):
                return False
            total += unit * value[0]
        return 0 < total < _OFTEN


def _last(named: Named) -> str:
    return named.name.rpartition(".")[2]


def entries(node: cst.BaseExpression | None) -> dict[str, cst.BaseExpression] | None:
    """What a dict has by its literal keys; None where it is not written out."""
    if isinstance(node, cst.Call) and called_name(node) == "dict" and not passes_unknown(node):
        return {arg.keyword.value: arg.value for arg in node.args if arg.keyword is not None}
    if not isinstance(node, cst.Dict):
        return None
    found: dict[str, cst.BaseExpression] = {}
    for element in node.elements:
        if not isinstance(element, cst.DictElement):
            return None
        found[string(element.key)] = element.value
    return found


def _keys(node: cst.BaseExpression) -> Iterator[cst.SimpleString]:
    """The names and patterns of routes: in a dict, or the first of pairs in lists."""
    if isinstance(node, cst.Dict):
        keys = [element.key for element in node.elements if isinstance(element, cst.DictElement)]
        yield from (key for key in keys if isinstance(key, cst.SimpleString))
    elif isinstance(node, cst.List | cst.Tuple):
        first = node.elements[0].value if node.elements else None
        if isinstance(first, cst.SimpleString):
            yield first
        for element in node.elements:
            yield from _keys(element.value)
