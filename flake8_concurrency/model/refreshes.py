"""Tokens that are refreshed once they have expired: by each task that finds them so, if nothing keeps the others out.

A refresh token is good for one time at many services: the second task that sends it is refused, or makes what the
first one has got invalid. So this is worse than to fetch the same twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.flow import Condition
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.refresh_shapes import SENT, is_of_age, is_refreshing
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: In the names of what lets others wait for the one that refreshes.
_SHARING = frozenset("task future event pending flight inflight refreshing progress waiter waiters".split())
#: The field of the answer in which it came, and of the request with which it is sent.
_KEY = re.compile(rf"""(["']){SENT}\1""")


class Refresh(NamedTuple):
    """The call that refreshes a token, and what was tested before it."""

    call: cst.Await
    tested: cst.BaseExpression


class Refreshes:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    def unguarded(self, function: FunctionInfo) -> Iterator[Refresh]:
        """Where a function that several tasks may be in refreshes a token that has expired."""
        if not function.is_async or function.owner is None:
            return
        entrances = self._file.entrances
        if entrances.is_alone(function) or entrances.is_meant(function) or entrances.is_of_one_task(function):
            return
        for node in function.nodes(cst.Await):
            assert isinstance(node, cst.Await)
            if self._is_exchanged(node):
                refreshers = [function]
            else:
                refresher = self._refresher(node, function)
                if refresher is None or self._locks(refresher):
                    continue
                refreshers = [function, refresher]
            if self._file.stale.is_in_own_loop(node) or any(map(self._is_shared, refreshers)):
                continue
            tested = next(filter(None, map(self._age, self._file.flow.conditions(node))), None)
            if tested is not None and not self._file.sections.encloses(tested, node):
                yield Refresh(node, tested)

    def _refresher(self, node: cst.Await, function: FunctionInfo) -> FunctionInfo | None:
        """The method of the same object that is awaited and sends a refresh token."""
        call = node.expression
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return None
        if text(call.func.value) != function.this or not is_refreshing(call.func.attr.value):
            return None
        found = self._file.callee(call)
        return found if found is not None and found.is_async and self._sends(found) else None

    def _is_exchanged(self, node: cst.Await) -> bool:
        """Whether a token is given away for a new one: `self.token = await self.auth.refresh(self.token)`."""
        call, statement = node.expression, self._tree.parents[node]
        if not isinstance(call, cst.Call) or not is_refreshing(called_name(call)):
            return False
        if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
            return False
        place = statement.targets[0].target
        if not isinstance(place, cst.Attribute) or not self._file.shared_state.owner(place):
            return False
        given = [part for arg in call.args for part in (arg.value, *self._tree.within(arg.value))]
        return any(isinstance(part, cst.Attribute) and text(part) == text(place) for part in given)

    def _sends(self, function: FunctionInfo) -> bool:
        """Whether a method sends what it got to get another, and waits for the answer."""
        if not self._file.suspensions.of(function):
            return False
        if any(map(self._is_sent, self._tree.within(function.node.body))):
            return True
        return _KEY.search(self._tree.module.code_for_node(function.node.body)) is not None

    def _is_sent(self, node: cst.CSTNode) -> bool:
        if not isinstance(node, cst.Attribute) or SENT not in node.attr.value:
            return False
        parent = self._tree.parents[node]
        return not (isinstance(parent, cst.Call) and parent.func is node)

    def _age(self, condition: Condition) -> cst.BaseExpression | None:
        """What a test asks for the age of a token: `now >= self.expires_at`, `self.token.is_expired()`."""
        for node in (condition.test, *self._tree.within(condition.test)):
            if isinstance(node, cst.Attribute) and is_of_age(node.attr.value):
                return node
        return None

    def _is_shared(self, function: FunctionInfo) -> bool:
        """Whether a function knows of others that refresh, and lets them wait: `if self._refresh_task: …`."""
        return any(
            isinstance(node, cst.Attribute) and not _SHARING.isdisjoint(words(node.attr.value))
            for node in self._tree.within(function.node.body)
        )

    def _locks(self, function: FunctionInfo) -> bool:
        return any(
            isinstance(node, cst.With) and any(self._file.sections.is_guard(item.item) for item in node.items)
            for node in self._tree.within(function.node.body)
        )
