"""Calls that wait: whether one has a bound, and how it could get one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.knowledge.waiting import SharedLock
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.futures import EXECUTOR
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.terminals import Terminals

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_TIMEOUT = re.compile(r"timeout|deadline|max_?wait", re.IGNORECASE)
#: What is called to wait, and where it takes a timeout by position: an event's `wait` first, that of futures second.
_BY_POSITION = {
    **dict.fromkeys(("wait", "wait_for"), (0, 1)),
    **dict.fromkeys(("result", "exception", "join"), (0,)),
    **dict.fromkeys(("as_completed", "get", "acquire", "communicate"), (1,)),
    "put": (2,),
}


#: Those that run a function for whoever waits for it; a Thread runs it for nobody.
_ON_BEHALF = frozenset(
    name for name, how in OFFLOADING.items() if how.where == "thread" and not name.startswith("threading.")
)
#: What gives up waiting, by its last name, as a call around an awaitable and as a block.
_DEADLINES = frozenset({"wait_for", "timeout", "timeout_at", "fail_after", "fail_at", "move_on_after", "move_on_at"})


#: What a function mentions that makes a command of what the program itself was told.
HANDS_ON = re.compile(r"\bargv\b")


#: Programs that are over when their user has had enough of them.
_FOR_A_PERSON = frozenset({"editor", "pager"})


class HandedOver(NamedTuple):
    """A function that a call runs in another thread, and the positional arguments that it gets there."""

    function: cst.BaseExpression
    arguments: list[cst.BaseExpression]


class Waits:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._terminals = Terminals(file)

    def is_unbounded(
        self, call: cst.Call, position: int | None = None, function: cst.BaseExpression | None = None
    ) -> bool:
        """Whether a call surely has no timeout, and is not the unbounded branch beside a bounded one.

        `position` is where the timeout stands when it is given by position, `function` what the call hands to a thread.
        """
        calls = [call]
        kind = self._file.kind(function or call.func)
        if kind is not None and kind.name == "partial" and isinstance(kind.ref, cst.Call):
            calls.append(kind.ref)
            position = None
        return not any(_may_have_timeout(one, position) for one in calls) and not self._has_bounded_twin(call)

    def unbounded_leaf(self, call: cst.Call, table: Mapping[str, int | None]) -> Leaf | None:
        """A call that waits, is in a table by what it calls, and surely has no timeout; not where it blocks a loop.

        The table says where each takes its timeout by position.
        """
        leaf = self._file.functions.blocking(call)
        if leaf is None or leaf.name not in table or self.blocks_the_loop(call):
            return None
        return leaf if self.is_unbounded(call, table[leaf.name]) else None

    def handed_over(self, call: cst.Call) -> HandedOver | None:
        """The function that a call hands to another thread and whose end somebody waits for: `to_thread(run, …)`."""
        maker = call.func
        if isinstance(maker, cst.Call):
            # `sync_to_async(run)(…)`
            how = OFFLOADING.get(self._file.qualified(maker.func) or "")
            given = None if how is None or not how.wraps else argument(maker, how.position, how.keyword)
            return None if given is None else self._unwrapped(given, call.args)
        name = next((name for name in self._file.functions.table_names(maker) if name in _ON_BEHALF), None)
        if name is None or OFFLOADING[name].wraps:
            return None
        how = OFFLOADING[name]
        function = argument(call, how.position, how.keyword)
        rest = call.args if how.position is None else call.args[how.position + 1 :]
        return None if function is None else self._unwrapped(function, rest)

    def _unwrapped(self, function: cst.BaseExpression, args: Sequence[cst.Arg]) -> HandedOver:
        given = [arg.value for arg in args if arg.keyword is None and not arg.star]
        kind = self._file.kind(function)
        if kind is not None and kind.name == "partial" and isinstance(kind.ref, cst.Call):
            given = [arg.value for arg in kind.ref.args[1:] if arg.keyword is None and not arg.star] + given
        return HandedOver(function, given)

    def is_abandoned(self, call: cst.Call) -> bool:
        """Whether whoever waits for a call in async code gives up after a while: `wait_for(…)`, `timeout(…)`."""
        for parent in self._file.ancestors(call):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
            if isinstance(parent, cst.Call) and called_name(parent) in _DEADLINES:
                return True
            if isinstance(parent, cst.With) and any(
                isinstance(item.item, cst.Call) and called_name(item.item) in _DEADLINES for item in parent.items
            ):
                return True
        return False

    def is_for_the_program(self, call: cst.Call, command: Iterable[cst.BaseExpression]) -> bool:
        """Whether a process is the program itself, or all that a daemon does: it lasts as long as its user wants.

        A launcher and a reloader hand on what they were told themselves, `sys.argv`, and give its status as their own;
        an editor is its user's.
        """
        if self._terminals.waits_at_one(call):
            return True
        function = self._file.function_of(call)
        if function is not None and not _FOR_A_PERSON.isdisjoint(words(function.name)):
            return True
        return self._is_run_as_daemon(call) or any(
            self._hands_on(value, 2) or self._is_an_editor(value) for value in command
        )

    def _is_an_editor(self, value: cst.BaseExpression) -> bool:
        """Whether a command names the editor of its user: `[editor, path]`."""
        return any(
            isinstance(part, cst.Name) and not _FOR_A_PERSON.isdisjoint(words(part.value))
            for part in self._file.tree.within(value)
        )

    def _is_run_as_daemon(self, call: cst.Call) -> bool:
        """Whether a call stands in a function that the function around it hands over: `run_as_daemon(body)`."""
        function = self._file.function_of(call)
        outer = None if function is None else self._file.function_of(function.node)
        if function is None or outer is None:
            return False
        return any(
            "daemon" in words(called_name(other)) and any(dotted(arg.value) == function.name for arg in other.args)
            for other in outer.calls
        )

    def _hands_on(self, value: cst.CSTNode, depth: int) -> bool:
        """Whether `sys.argv` is part of a value, of the variable it is, or of what a helper returns."""
        for part in self._file.tree.within(value):
            if isinstance(part, cst.Attribute) and dotted(part) == "sys.argv":
                return True
            if depth == 0:
                continue
            sources: list[cst.CSTNode] = []
            if isinstance(part, cst.Call):
                helper = self._file.callee(part)
                sources += [] if helper is None else helper.own
            elif isinstance(part, cst.Name):
                sources += [one.value for one in self._file.names.reaching(part) or () if one.value is not None]
            if any(self._hands_on(source, depth - 1) for source in sources):
                return True
        return False

    def blocks_the_loop(self, call: cst.Call) -> bool:
        """Whether a call blocks an event loop: that is the greater defect, whatever its timeout."""
        function = self._file.function_of(call)
        if function is None or not function.is_async:
            return False
        return any(leaf.node is call for leaf in self._file.functions.leaves(function))

    def is_shared_lock_bounded(self, lock: cst.BaseExpression, acquire: cst.Call | None, fact: SharedLock) -> bool:
        """Whether the wait for a lock may have a bound: from `acquire`, or from where the lock was made."""
        if acquire is not None and (_gives(acquire, *fact.acquire) or _switches_off(acquire, *fact.switch)):
            return True
        made = self._file.origins.of(lock)
        if made is None or any(passes_unknown(call) for call in made):
            return True
        if acquire is not None and self._has_bounded_twin(acquire):
            return True
        return any(_gives(call, *fact.maker) or _switches_off(call, *fact.made) for call in made)

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


def _gives(call: cst.Call, name: str, position: int | None) -> bool:
    """Whether a call surely or maybe gives a bound that is one: None and -1 are none."""
    if passes_unknown(call):
        return True
    given = argument(call, position, name)
    if given is None or literal(given) == (None,):
        return False
    return not (isinstance(given, cst.UnaryOperation) and isinstance(given.operator, cst.Minus))


def _switches_off(call: cst.Call, name: str, position: int | None) -> bool:
    """Whether a call may be told not to wait at all."""
    given = argument(call, position, name)
    return given is not None and literal(given) != (True,)


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
    name = called_name(call)
    return [
        arg.value
        for position, arg in enumerate(call.args)
        if (position in _BY_POSITION.get(name, ()) if arg.keyword is None else arg.keyword.value == "timeout")
        and literal(arg.value) != (None,)
    ]
