"""State that is made when it is first wanted: by a test for nothing, and a write, which two threads may do at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.shared_state import Write
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.tree import COMPREHENSIONS
from flake8_concurrency.model.write_shapes import CONTAINERS, is_making

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_REMEMBERING = frozenset("cache lru_cache cached_property cached memoize synchronized".split())
_OWN_PER_THREAD = ("threading.local", "_thread._local", "contextvars.ContextVar")
#: Libraries whose import shows that a module is used by threads.
_THREADED = ("threading", "concurrent.futures", "flask", "django", "fastapi", "socketserver", "multiprocessing.pool")


class LazyInit(NamedTuple):
    """A test for nothing, and the write that follows it without a lock."""

    test: cst.CSTNode
    write: Write
    #: What runs the function in a thread, as a message says it.
    how: str


class LazyInits:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    def racy(self, function: FunctionInfo) -> Iterator[LazyInit]:
        """The lazy initialisations of a function that two threads may be in at once; the first of each place."""
        if function.is_async or function.name in ("__init__", "__new__", "__enter__"):
            return
        if not _REMEMBERING.isdisjoint(function.decorator_names):
            return
        writes = [write for write in self._file.shared_state.writes(function) if self._makes(write)]
        how = self._threads(function, writes) if writes else ""
        seen: set[str] = set()
        for write in writes if how else ():
            test = self._tested(write, function)
            if test is None or write.place in seen or self._is_guarded(test, write):
                continue
            seen.add(write.place)
            yield LazyInit(test, write, how)

    def _threads(self, function: FunctionInfo, writes: list[Write]) -> str:
        """How several threads come to be in a function; empty where the file does not show that they do."""
        roots = self._file.threaded.roots(function)
        is_objects = all(write.owner == "object" for write in writes)
        for root in roots:
            if root.several and not (is_objects and root.own_object):
                return root.how
        if roots and not is_objects:
            keys = {root.key for root in roots}
            if len(keys) > 1 or self._is_called_outside(function):
                return roots[0].how
        is_wanted = self._file.is_named("CNC608") and not is_objects and not self._file.functions.runs_once(function)
        return "who calls it" if is_wanted and self._file.threaded.imports(*_THREADED) else ""

    def _is_called_outside(self, function: FunctionInfo) -> bool:
        """Whether a function of the file calls it, after it has been started, outside of any thread that it starts."""
        for use in self._file.entrances.uses(function):
            caller = self._file.function_of(use)
            if caller is None or caller is function or not isinstance(self._file.parent(self._callee(use)), cst.Call):
                continue
            if not self._file.threaded.roots(caller) and not self._file.functions.runs_once(caller):
                return caller.name not in ("__init__", "start")
        return False

    def _callee(self, use: cst.Name) -> cst.CSTNode:
        parent = self._file.parent(use)
        return parent if isinstance(parent, cst.Attribute) and parent.attr is use else use

    # -- what is made, and whether it is there already -----------------------------------------------------------------

    def _makes(self, write: Write) -> bool:
        """Whether a write stores a new object that matters: what is only read or computed again harms nobody."""
        if write.how != "set" or write.key or isinstance(write.target, cst.Subscript) or write.owner == "function":
            return False
        if self._is_of_thread(write.target):
            return False
        value = write.value
        while isinstance(value, cst.BooleanOperation):
            value = value.right
        if isinstance(value, cst.Dict | cst.List):
            return not value.elements
        if not isinstance(value, cst.Call):
            return False
        name = last_name(value.func)
        if name in CONTAINERS:
            return not value.args
        return is_making(name)

    def _is_of_thread(self, target: cst.BaseExpression) -> bool:
        while isinstance(target, cst.Attribute):
            target = target.value
            if self._file.is_a(target, *_OWN_PER_THREAD):
                return True
        return False

    def _tested(self, write: Write, function: FunctionInfo) -> cst.CSTNode | None:
        """The test that finds nothing at the place of a write, and leads to it."""
        child: cst.CSTNode = write.node
        for around in self._tree.ancestors(write.node):
            if isinstance(around, cst.If) and child is around.body and self._asks_for(around.test, write, absent=True):
                return around
            if isinstance(around, cst.ExceptHandler) and child is around.body and self._is_missing(around, write):
                return around
            if isinstance(around, cst.FunctionDef | cst.Lambda | cst.ClassDef):
                break
            child = around
        order = self._tree.order
        for node in function.own:
            # `if x is not None: return x`
            if (
                isinstance(node, cst.If)
                and node.orelse is None
                and order(node) < order(write.node)
                and self._asks_for(node.test, write, absent=False)
                and _leaves(node.body)
                and write.node not in self._tree.within(node)
                and not any(isinstance(p, (cst.For, cst.While, *COMPREHENSIONS)) for p in self._tree.ancestors(node))
            ):
                return node
        return None

    def _asks_for(self, test: cst.BaseExpression, write: Write, *, absent: bool) -> bool:
        match test:
            case cst.BooleanOperation(left=left, right=right, operator=operator):
                if isinstance(operator, cst.Or if absent else cst.And):
                    return self._asks_for(left, write, absent=absent) or self._asks_for(right, write, absent=absent)
                return False
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                return self._asks_for(inner, write, absent=not absent)
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
                wanted = (cst.Is, cst.Equal) if absent else (cst.IsNot, cst.NotEqual)
                is_none = isinstance(right, cst.Name) and right.value == "None"
                return is_none and isinstance(operator, wanted) and text(left) == write.place
            case cst.Call(func=cst.Name(value="hasattr"), args=[owner, name]):
                is_named = isinstance(name.value, cst.SimpleString) and name.value.evaluated_value == last_name(
                    write.target
                )
                return not absent and is_named and write.place == f"{text(owner.value)}.{last_name(write.target)}"
        return not absent and text(test) == write.place

    def _is_missing(self, handler: cst.ExceptHandler, write: Write) -> bool:
        """`try: return cls.x` / `except AttributeError: cls.x = …`"""
        around = self._file.parent(handler)
        is_lookup = handler.type is not None and last_name(handler.type) in ("AttributeError", "NameError")
        if not is_lookup or not isinstance(around, cst.Try):
            return False
        return any(text(node) == write.place for node in self._tree.within(around.body))

    def _is_guarded(self, test: cst.CSTNode, write: Write) -> bool:
        """Whether a lock is held at the write: it is tested again there, or at both."""
        return self._file.sections.encloses(write.node, write.node) or self._file.sections.encloses(test, write.node)


def _leaves(block: cst.CSTNode) -> bool:
    last = block.body[-1] if isinstance(block, cst.IndentedBlock | cst.SimpleStatementSuite) and block.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, cst.Return)
