"""Calls that wait: whether one has a bound, and how it could get one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import literal, passes_unknown
from flake8_concurrency.model.futures import EXECUTOR
from flake8_concurrency.model.names import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_TIMEOUT = re.compile(r"timeout|deadline|max_?wait", re.IGNORECASE)
#: What is called to wait, and where it takes a timeout by position.
_BY_POSITION = {"wait": 1, "as_completed": 1, "result": 0, "exception": 0, "join": 0}


class Waits:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def is_unbounded(self, call: cst.Call, position: int | None = None) -> bool:
        """Whether a call surely has no timeout, and is not the unbounded branch beside a bounded one.

        `position` is where the timeout stands when it is given by position.
        """
        calls = [call]
        kind = self._file.kind(call.func)
        if kind is not None and kind.name == "partial" and isinstance(kind.ref, cst.Call):
            calls.append(kind.ref)
            position = None
        return not any(_may_have_timeout(one, position) for one in calls) and not self._has_bounded_twin(call)

    def blocks_the_loop(self, call: cst.Call) -> bool:
        """Whether a call blocks an event loop: that is the greater defect, whatever its timeout."""
        function = self._file.function_of(call)
        if function is None or not function.is_async:
            return False
        return any(leaf.node is call for leaf in self._file.functions.leaves(function))

    def around(self, call: cst.Call) -> cst.With | None:
        """The `with` block of an executor that a call stands in: it waits for all its workers, however it is left."""
        for parent in self._file.ancestors(call):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return None
            if isinstance(parent, cst.With) and any(self._file.is_a(item.item, EXECUTOR) for item in parent.items):
                return parent
        return None

    def _has_bounded_twin(self, call: cst.Call) -> bool:
        """`f.result()` where `timeout is None`, `f.result(timeout)` where it is not."""
        for test, others in self._file.flow.alternatives(call):
            asked = {name for name in map(dotted, self._file.tree.within(test)) if name}
            given = [
                timeout
                for other in others
                for inner in self._file.tree.within(other)
                if isinstance(inner, cst.Call)
                for timeout in _timeouts_in(inner)
            ]
            # What is given may be computed from what was asked: `remaining = deadline - time.monotonic()`.
            if not asked.isdisjoint(map(dotted, given)) or (given and any(map(_TIMEOUT.search, asked))):
                return True
        return False


def _may_have_timeout(call: cst.Call, position: int | None) -> bool:
    if passes_unknown(call):
        return True
    for index, arg in enumerate(call.args):
        is_timeout = index == position if arg.keyword is None else arg.keyword.value == "timeout"
        if is_timeout and literal(arg.value) != (None,):
            return True
    return False


def _timeouts_in(call: cst.Call) -> list[cst.BaseExpression]:
    """What a call is given where a timeout could stand."""
    func = call.func
    name = func.attr.value if isinstance(func, cst.Attribute) else dotted(func)
    return [
        arg.value
        for position, arg in enumerate(call.args)
        if (position == _BY_POSITION.get(name) if arg.keyword is None else arg.keyword.value == "timeout")
        and literal(arg.value) != (None,)
    ]
