"""Updates that read shared state and store it again, in threads, without a lock: one of two at once is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import DICT, LIST, SET
from flake8_concurrency.model.shared_state import Write
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.threaded import Root

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_MAKING = frozenset("__init__ __new__ __post_init__ __enter__ __del__ __set_name__ __init_subclass__".split())
#: `x += …` of one of these changes it in place, and stores what was there.
_IN_PLACE = (LIST, SET, DICT, "collections.deque", "builtins.bytearray", "collections.Counter")
_OWN_PER_THREAD = ("threading.local", "_thread._local", "_threading_local.local", "contextvars.ContextVar")
_DEEPEST = 4


class Update(NamedTuple):
    """A write that depends on what was there before: `x += 1`, `x = x + 1`."""

    write: Write
    function: FunctionInfo
    #: Whose state it is, and its spelling without the object: the same for all updates of one place.
    place: tuple[object, str]


class Lost(NamedTuple):
    """An update in a thread, and what else updates the same place: another update, or the same in another thread."""

    update: Update
    root: Root
    other: Update | None


class SharedWrites:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._updates: dict[tuple[object, str], list[Update]] | None = None

    def lost(self, function: FunctionInfo) -> Iterator[Lost]:
        """The updates of a function in a thread that may be lost; the first of each place."""
        started = self._file.threaded.roots(function)
        if not started or function.name in _MAKING:
            return
        seen: set[tuple[object, str]] = set()
        for update in self._of(function):
            roots = started
            home = update.place[0]
            if isinstance(home, cst.FunctionDef):
                # A local of what the thread runs is the thread's own.
                own = self._file.threaded.roots(self._file.definitions.functions[home])
                roots = [root for root in started if root not in own]
            if not roots or update.place in seen or self._is_guarded(update) or self._is_harmless(update):
                continue
            found = self._beside(update, roots)
            if found is not None:
                seen.add(update.place)
                yield found

    def _beside(self, update: Update, roots: list[Root]) -> Lost | None:
        is_objects = update.write.owner == "object"
        for root in roots:
            if root.several and not (is_objects and root.own_object):
                return Lost(update, root, None)
        if is_objects and all(root.is_alone for root in roots):
            return None
        for other in self._all().get(update.place, ()):
            if other.function is update.function or other.function.name in _MAKING:
                continue
            beside = self._file.threaded.roots(other.function)
            if not beside and (self._starts(other, roots) or not self._is_outside(other.function, _DEEPEST)):
                continue
            if not {root.key for root in beside} <= {root.key for root in roots} or not beside:
                return Lost(update, roots[0], other)
        keys = {root.key for root in roots}
        return Lost(update, roots[1], None) if len(keys) > 1 and not is_objects else None

    def _is_outside(self, function: FunctionInfo, depth: int) -> bool:
        """Whether a function runs in the thread that has the object, and more than once, as far as the file shows."""
        if self._file.threaded.roots(function) or self._file.functions.runs_once(function) or depth == 0:
            return False
        if not function.name.startswith("_"):
            return True
        callers = (self._file.function_of(use) for use in self._file.entrances.uses(function))
        return any(caller is not None and self._is_outside(caller, depth - 1) for caller in callers)

    def _starts(self, other: Update, roots: list[Root]) -> bool:
        """Whether an update stands in the function that starts the thread, before it does."""
        order = self._file.tree.order
        starts = (root.key for root in roots if isinstance(root.key, cst.Call))
        own = (start for start in starts if self._file.function_of(start) is other.function)
        return any(order(other.write.node) < order(start) for start in own)

    # -- updates -----------------------------------------------------------------------------------------------------

    def _all(self) -> dict[tuple[object, str], list[Update]]:
        if self._updates is None:
            self._updates = {}
            for function in self._file.definitions.functions.values():
                for update in self._of(function):
                    self._updates.setdefault(update.place, []).append(update)
        return self._updates

    def _of(self, function: FunctionInfo) -> Iterator[Update]:
        for write in self._file.shared_state.writes(function):
            if write.how == "augmented" or (write.how == "set" and self._depends_on_itself(write)):
                place = self._place(write, function)
                if place is not None:
                    yield Update(write, function, place)

    def _depends_on_itself(self, write: Write) -> bool:
        if not isinstance(write.value, cst.BinaryOperation):
            return False
        return any(text(node) == write.place for node in self._file.tree.within(write.value))

    def _place(self, write: Write, function: FunctionInfo) -> tuple[object, str] | None:
        head, dot, rest = write.place.partition(".")
        if write.owner == "module":
            return "module", write.place
        if write.owner == "object":
            return self._around(function), rest
        if write.owner == "class":
            owner = next((info for info in self._file.definitions.classes.values() if info.name == head), None)
            return owner or self._around(function), rest
        root: cst.BaseExpression = write.target
        while isinstance(root, cst.Attribute | cst.Subscript):
            root = root.value
        home = self._file.names.home(head.partition("[")[0], self._file.tree.scope_of(root))
        return home, head + dot + rest

    def _around(self, function: FunctionInfo) -> ClassInfo | None:
        around: FunctionInfo | None = function
        while around is not None and around.owner is None:
            around = self._file.function_of(around.node)
        return None if around is None else around.owner

    # -- what is no loss ---------------------------------------------------------------------------------------------

    def _is_guarded(self, update: Update) -> bool:
        return self._file.sections.encloses(update.write.node, update.write.node)

    def _is_harmless(self, update: Update) -> bool:
        """Whether each thread has a value of its own, or an operator changes what is there in place."""
        target = update.write.target
        kind = self._file.kind(target)
        value = self._file.kind(update.write.value)
        if update.write.how == "augmented":
            for one in (kind, value):
                if one is not None and any(self._file.kinds.is_a(one, name) for name in _IN_PLACE):
                    return True
        inner: cst.BaseExpression = target
        while isinstance(inner, cst.Attribute | cst.Subscript):
            inner = inner.value
            if self._file.is_a(inner, *_OWN_PER_THREAD):
                return True
        return False
