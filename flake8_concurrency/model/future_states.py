"""What else says that a future is done: a flag beside it, a check that raises, whoever hands it over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DONE = frozenset("ready done finished completed success successful succeeded".split())
_CHECKING = frozenset("check assert ensure require raise".split())


class FutureStates:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        #: Helpers of which it is being found out what they are given.
        self._asked: set[FunctionInfo] = set()

    def says_done(self, node: cst.BaseExpression) -> bool:
        """Whether the code around a future says that it is done, though not in the words of the library."""
        return self._is_flagged(node) or self._was_checked(node) or self._is_handed_over_done(node)

    def _is_flagged(self, node: cst.BaseExpression) -> bool:
        """`if self._ready: return self.result()`, in a class that is a future and more."""
        name = dotted(node)
        return bool(name) and any(
            condition.truth and _is_state_of(_asked(condition.test), name)
            for condition in self._file.flow.conditions(node)
        )

    def _was_checked(self, node: cst.BaseExpression) -> bool:
        """`self._check_ready()`, which raises where it is not."""
        name = dotted(node)
        return bool(name) and any(
            isinstance(event, cst.Call)
            and _is_state_of(event.func, name)
            and not _CHECKING.isdisjoint(words(dotted(event.func).rpartition(".")[2]))
            for earlier in self._file.flow.earlier(node)
            for event in self._file.flow.certain(earlier)
        )

    def _is_handed_over_done(self, node: cst.BaseExpression) -> bool:
        """Whether a future is the parameter of a private function, and all who call that give it one that is done."""
        if not isinstance(node, cst.Name):
            return False
        helper = self._file.function_of(node)
        names = [] if helper is None else [param.name.value for param in helper.params]
        if helper is None or not helper.name.startswith("_") or node.value not in names or helper in self._asked:
            return False
        bindings = self._file.names.reaching(node) or ()
        if any(binding.how != "param" for binding in bindings):
            return False
        position = names.index(node.value) - (helper.this in names[:1])
        calls = self._file.queries.callers(helper)
        given = [argument(call, position, node.value) for call in calls]
        self._asked.add(helper)
        is_done = bool(given) and all(value is not None and self._file.futures.is_done(value) for value in given)
        self._asked.discard(helper)
        return is_done


def _asked(test: cst.BaseExpression) -> cst.BaseExpression:
    return test.func if isinstance(test, cst.Call) else test


def _is_state_of(node: cst.BaseExpression, future: str) -> bool:
    """Whether an attribute of a future tells by its name that it is about being done."""
    owner, _, state = dotted(node).rpartition(".")
    return owner == future and not _DONE.isdisjoint(words(state))
