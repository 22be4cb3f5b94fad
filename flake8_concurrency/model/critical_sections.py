"""Whether others are kept out of a piece of async code: by a lock around it, in it, or in all that call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, is_lock_name, words
from flake8_concurrency.model.spelling import choices, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_LOCKS = (
    "asyncio.Lock", "asyncio.Semaphore", "asyncio.Condition", "anyio.Lock", "anyio.Semaphore", "anyio.CapacityLimiter",
    "trio.Lock", "threading.Lock", "threading.RLock", "threading.Condition", "threading.Semaphore",
)  # fmt: skip
#: Words in the names of objects that let one in at a time.
_GUARDS = frozenset(
    """sem semaphore cond condition guard mutex gate critical serial serialized exclusive lock turn limiter
    throttle""".split()
)
_DEEPEST = 6


class CriticalSections:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    def encloses(self, first: cst.CSTNode, last: cst.CSTNode) -> bool:
        """Whether others are kept out from the evaluation of one node to the end of another."""
        around = set(self._tree.ancestors(first))
        for parent in self._tree.ancestors(last):
            if (
                isinstance(parent, cst.With)
                and parent.body in around
                and any(self.is_guard(i.item) for i in parent.items)
            ):
                return True
            if isinstance(parent, cst.FunctionDef):
                break
        function = self._file.function_of(last)
        return function is not None and (self._is_acquired(first) or self.keeps_out(function))

    def is_guard(self, node: cst.BaseExpression) -> bool:
        """Whether entering a context manager keeps others out, going by its kind or its name."""
        if self._file.is_a(node, *_LOCKS):
            return True
        if isinstance(node, cst.BooleanOperation | cst.IfExp):
            return any(self.is_guard(choice) for choice in choices(node))
        if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
            # `hass.data[DATA_LOCK]`
            key = last_name(node.slice[0].slice.value)
            if key.isupper() and is_lock_name(key):
                return True
        while isinstance(node, cst.Call | cst.Await | cst.Subscript):
            node = (
                node.func
                if isinstance(node, cst.Call)
                else node.expression
                if isinstance(node, cst.Await)
                else node.value
            )
        if is_lock_name(last_name(node)) or not _GUARDS.isdisjoint(words(last_name(node))):
            return True
        return isinstance(node, cst.Attribute) and self.is_guard(node.value)

    def _is_acquired(self, node: cst.CSTNode) -> bool:
        """Whether a lock is taken by a call in the statements before."""
        for earlier in self._file.flow.earlier(node):
            for event in self._file.flow.certain(earlier):
                if (
                    isinstance(event, cst.Call)
                    and called_name(event) == "acquire"
                    and isinstance(event.func, cst.Attribute)
                    and self.is_guard(event.func.value)
                ):
                    return True
        return False

    def keeps_out(self, function: FunctionInfo, depth: int = _DEEPEST) -> bool:
        """Whether a function runs under a lock as a whole: by its name, a decorator, or all that call it."""
        if any(
            is_lock_name(name) or not _GUARDS.isdisjoint(words(name))
            for name in (function.name, *function.decorator_names)
        ):
            return True
        if depth == 0 or not function.name.startswith("_") or function.name.endswith("__"):
            return False
        calls = self._file.entrances.uses(function)
        return any(self._is_held(call, depth) for call in calls)

    def _is_held(self, call: cst.CSTNode, depth: int) -> bool:
        for parent in self._tree.ancestors(call):
            if isinstance(parent, cst.With) and any(self.is_guard(item.item) for item in parent.items):
                return True
            if isinstance(parent, cst.FunctionDef):
                break
        caller = self._file.function_of(call)
        return self._is_acquired(call) or (caller is not None and self.keeps_out(caller, depth - 1))
