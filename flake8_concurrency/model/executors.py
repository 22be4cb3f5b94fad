"""Executors and pools of the standard library: where one is made, and how many workers it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.callees import is_super
from flake8_concurrency.model.calls import argument, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import Kind

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What makes an executor or a pool, and the name of its first parameter: the number of workers.
_SIZES = {
    "concurrent.futures.ThreadPoolExecutor": "max_workers",
    "concurrent.futures.ProcessPoolExecutor": "max_workers",
    "concurrent.futures.InterpreterPoolExecutor": "max_workers",
    "multiprocessing.Pool": "processes",
    "multiprocessing.pool.Pool": "processes",
    "multiprocessing.pool.ThreadPool": "processes",
    "multiprocessing.dummy.Pool": "processes",
    "multiprocessing.context.BaseContext.Pool": "processes",
}
#: The last names of all these: one of them is called where an executor is made.
CONSTRUCTORS = frozenset(name.rpartition(".")[2] for name in _SIZES)
#: The packages they are in.
PACKAGES = frozenset(name.partition(".")[0] for name in _SIZES)


class Construction(NamedTuple):
    """A call that makes an executor, or lets the base class of one make it."""

    #: The name to print: `ThreadPoolExecutor`, `Pool`, or that of a class of the file.
    name: str
    #: The parameter that takes the number of workers.
    parameter: str
    #: The expression given for it; None when there is none.
    size: cst.BaseExpression | None
    #: Whether `*args`, `**kwargs` or a constructor of the class itself may give a size that cannot be seen.
    hidden: bool


class Executors:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._made: dict[cst.Call, Construction | None] = {}

    def construction(self, call: cst.Call) -> Construction | None:
        """The executor that a call makes; None for any other call."""
        if call not in self._made:
            self._made[call] = self._construction(call)
        return self._made[call]

    def _construction(self, call: cst.Call) -> Construction | None:
        func = call.func
        if isinstance(func, cst.Attribute) and func.attr.value == "__init__":
            library = self._library(self._file.kind(func.value)) if is_super(func.value) else ""
            return self._with_size(library.rpartition(".")[2], library, [call]) if library else None
        kind = self._file.kind(func)
        if kind is None:
            return None
        if kind.name == "type":
            return self._of_class(call, kind.args[0])
        calls = [call]
        if kind.name == "partial" and isinstance(kind.ref, cst.Call):
            # What the partial passes comes after the function itself.
            calls.append(kind.ref.with_changes(args=kind.ref.args[1:]))
        for name in self._file.functions.table_names(func):
            if name in _SIZES:
                return self._with_size(name.rpartition(".")[2], name, calls)
        return None

    def _of_class(self, call: cst.Call, kind: Kind | None) -> Construction | None:
        library = self._library(kind)
        name = kind.ref.name if kind is not None and isinstance(kind.ref, ClassInfo) else library.rpartition(".")[2]
        if library:
            return self._with_size(name, library, [call])
        if any(self._file.kinds.is_a(kind, base) for base in _SIZES):
            return Construction(name, "", None, hidden=True)
        return None

    def _library(self, kind: Kind | None) -> str:
        """The library class whose constructor makes an object of this kind; empty when the file's class has its own."""
        for current in self._file.kinds.mro(kind) if kind is not None else ():
            if not isinstance(current.ref, ClassInfo):
                return current.name if current.name in _SIZES else ""
            if not {"__init__", "__new__"}.isdisjoint(current.ref.methods):
                return ""
        return ""

    @staticmethod
    def _with_size(name: str, library: str, calls: list[cst.Call]) -> Construction:
        parameter = _SIZES[library]
        given = (argument(call, 0, parameter) for call in calls)
        size = next((value for value in given if value is not None), None)
        return Construction(name, parameter, size, any(map(passes_unknown, calls)))
