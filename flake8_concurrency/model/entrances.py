"""Whether several tasks may be in an async function at once: how it is entered, and what it is for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 5
#: Words that a name begins with before it says what the function does.
_PREFIXES = frozenset({"async", "a", "on", "do", "handle"})
#: First words in the names of functions that belong to an object's life, or to a dialogue with one user.
_OF_A_LIFE = frozenset("step added will unload migrate".split())
#: Words of which a name may consist that says so, or that one task runs the function from end to end or in a loop.
_ALONE = frozenset(
    """start stop open close aclose shutdown exit teardown destroy terminate finish finalize cancel disconnect reset
    clear reload restart run work loop worker consume consumer poll listen serve tick sync update data init load
    connected lost made removed all forever now server service background task main gracefully""".split()
)
#: Words in the names of classes that are made anew for each request, stream or dialogue.
_OF_ONE_TASK = frozenset(
    """flow context iterator stream streaming streamer request response parser builder wizard dialog migration view
    endpoint consumer run turn step invocation transaction test generator reader writer loader""".split()
)
#: What runs several of the coroutines that it is given.
_STARTING = frozenset("gather create_task ensure_future start_soon as_completed wait spawn add_task".split())
_TASKS = frozenset({"create_task", "ensure_future"})
#: A docstring that says so knows what happens when several tasks do the same at once, and means it.
_MEANT = re.compile(
    r"\b(deliberate|intentional)\w*\s+(without\s+|no\s+|un)(an?\s+|any\s+)?lock|\blast\s+(writer|write|one)\s+wins",
    re.IGNORECASE,
)
_ITERATING = frozenset({"__anext__", "__aiter__", "__next__"})


class Entrances:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._uses: dict[str, list[cst.Name]] | None = None
        self._known: dict[FunctionInfo, bool] = {}

    # -- one task at a time --------------------------------------------------------------------------------------------

    def is_alone(self, function: FunctionInfo) -> bool:
        """Whether only one task is ever in a function, as far as its name, its class and its callers tell."""
        found = self._known.get(function)
        if found is None:
            # Functions that call each other are entered by somebody else.
            self._known[function] = True
            found = self._known[function] = self._runs_alone(function)
        return found

    def _runs_alone(self, function: FunctionInfo) -> bool:
        if is_of_a_life(function.name) or self._file.functions.runs_once(function):
            return True
        uses = self.uses(function)
        if not uses:
            return False
        if all(self._is_in_loop(use, function) for use in uses):
            return True
        if not _is_private(function) and not all(self._is_background(use, function) for use in uses):
            return False
        return all(self._is_entered_alone(use) for use in uses)

    @staticmethod
    def is_meant(function: FunctionInfo) -> bool:
        """Whether a function's docstring says that several tasks may do the same at once."""
        return _MEANT.search(function.node.get_docstring() or "") is not None

    def is_of_one_task(self, function: FunctionInfo) -> bool:
        """Whether a method's object belongs to one request, stream or dialogue."""
        owner = self._owner(function)
        return owner is not None and self._belongs_to_one(owner, _DEEPEST)

    def _owner(self, function: FunctionInfo) -> ClassInfo | None:
        around: FunctionInfo | None = function
        while around is not None and around.owner is None:
            around = self._file.function_of(around.node)
        return None if around is None else around.owner

    def _belongs_to_one(self, owner: ClassInfo, depth: int) -> bool:
        if not _ITERATING.isdisjoint(owner.methods):
            return True
        bases = map(last_name, map(_plain, owner.bases))
        # What can be entered may be entered once, and shared by all tasks in the block.
        names = [owner.name, *(name for name in bases if not name.endswith("ContextManager"))]
        if any(not _OF_ONE_TASK.isdisjoint(words(name)) for name in names):
            return True
        kinds = (self._file.kind(base) for base in owner.bases)
        inner = [kind.args[0].ref for kind in kinds if kind is not None and kind.name == "type" and kind.args[0]]
        return depth > 0 and any(isinstance(ref, ClassInfo) and self._belongs_to_one(ref, depth - 1) for ref in inner)

    def _is_entered_alone(self, use: cst.Name) -> bool:
        """Whether what mentions a function does so where only one task ever is."""
        caller = self._file.function_of(use)
        return caller is not None and self.is_alone(caller)

    def _is_background(self, use: cst.Name, function: FunctionInfo) -> bool:
        """Whether a function that gives nothing back is made a task: `create_task(self.report())`, work of its own."""
        call = next((parent for parent in self._tree.ancestors(use) if isinstance(parent, cst.Call)), None)
        outer = None if call is None else self._tree.parents[self._tree.parents[call]]
        if not isinstance(outer, cst.Call) or last_name(outer.func) not in _TASKS:
            return False
        returns = (node for node in self._tree.within(function.node.body) if isinstance(node, cst.Return))
        return all(node.value is None for node in returns)

    def _is_in_loop(self, use: cst.Name, function: FunctionInfo) -> bool:
        """Whether a function is awaited in the `while` loop of another one: a task of its own that goes round."""
        caller = self._file.function_of(use)
        if caller is None or caller.owner is not function.owner:
            return False
        awaited = False
        for parent in self._tree.ancestors(use):
            awaited = awaited or isinstance(parent, cst.Await)
            if isinstance(parent, cst.While):
                return awaited
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
        return False

    # -- several tasks at a time ---------------------------------------------------------------------------------------

    def is_started_often(self, function: FunctionInfo) -> bool:
        """Whether a nested function is given to something that runs it beside itself or others."""
        around = self._file.function_of(function.node)
        if function.decorators or around is None:
            return True
        return any(self._is_started(use) for use in self.uses(function) if self._is_within(use, around))

    def _is_within(self, use: cst.Name, function: FunctionInfo) -> bool:
        return any(parent is function.node for parent in self._tree.ancestors(use))

    def _is_started(self, use: cst.Name) -> bool:
        repeated = started = False
        for parent in self._tree.ancestors(use):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                break
            repeated = repeated or isinstance(parent, (*COMPREHENSIONS, cst.For, cst.While))
            started = started or (isinstance(parent, cst.Call) and last_name(parent.func) in _STARTING)
            started = started or isinstance(parent, COMPREHENSIONS)
            if isinstance(parent, cst.Await) and not started:
                return False
        return repeated and started

    # -- who mentions it -----------------------------------------------------------------------------------------------

    def uses(self, function: FunctionInfo) -> list[cst.Name]:
        """Where the file mentions a function of this name."""
        if self._uses is None:
            self._uses = {}
            names = {info.name for info in self._file.definitions.functions.values()}
            for node in self._tree.nodes:
                if type(node) is cst.Name and node.value in names:
                    parent = self._tree.parents[node]
                    if isinstance(parent, cst.FunctionDef) or (isinstance(parent, cst.Arg) and parent.keyword is node):
                        continue
                    self._uses.setdefault(node.value, []).append(node)
        return self._uses.get(function.name, [])


def is_of_a_life(name: str) -> bool:
    """Whether a function's name says that it is a part of an object's life, or of a loop over something."""
    if name.startswith("__"):
        return name != "__call__"
    parts = [part for part in words(name.strip("_")) if part not in _PREFIXES]
    if not parts:
        return False
    return parts[0] in _OF_A_LIFE or _ALONE.issuperset(parts) or parts[-1] in ("loop", "worker", "forever", "unload")


def _is_private(function: FunctionInfo) -> bool:
    return function.name.startswith("_") and not function.name.endswith("__")


def _plain(node: cst.BaseExpression) -> cst.BaseExpression:
    """The class that a base names, its type arguments left out."""
    while isinstance(node, cst.Subscript | cst.Call):
        node = node.value if isinstance(node, cst.Subscript) else node.func
    return node
