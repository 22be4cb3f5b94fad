"""Caches of cachetools, which have no lock of their own: where one is kept, and who uses it without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.cache_shapes import CONSTRUCTORS, DECORATORS, READING, WRITING
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CACHE = "cachetools.Cache"
_THREADS = ("threading", "concurrent.futures", "_thread", "multiprocessing.pool")
#: Frameworks whose servers give each request a thread.
_FRAMEWORKS = ("flask", "django", "rest_framework", "bottle", "pyramid", "falcon", "cherrypy")
_DEEPEST = 4


class Use(NamedTuple):
    """A use of a cache without a lock, by a function that may run in a thread."""

    node: cst.CSTNode
    function: FunctionInfo


class Caches:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree

    # -- caches that are kept ----------------------------------------------------------------------------------------

    def kept(self, call: cst.Call) -> tuple[str, ClassInfo | None] | None:
        """The name or attribute that a new cache is kept in, with the class that has it; None for a local one."""
        if not self._file.is_a(call, _CACHE) or called_name(call) not in CONSTRUCTORS:
            return None
        node: cst.CSTNode = call
        parent = self._file.parent(node)
        while isinstance(parent, cst.IfExp | cst.BooleanOperation):
            node, parent = parent, self._file.parent(parent)
        target: cst.BaseExpression | None = None
        match parent:
            case cst.Assign(targets=[cst.AssignTarget(target=target)]):
                pass
            case cst.AnnAssign(target=target):
                pass
        return None if target is None else self._place(target)

    def _place(self, target: cst.BaseExpression) -> tuple[str, ClassInfo | None] | None:
        function = self._file.function_of(target)
        match target:
            case cst.Name(value=name):
                scope = self._tree.scope_of(target)
                if isinstance(scope, cst.ClassDef):
                    return name, self._file.definitions.classes[scope]
                is_global = self._file.names.home(name, scope) is self._tree.module
                return (name, None) if is_global else None
            case cst.Attribute(value=cst.Name(value=this), attr=cst.Name(value=name)) if (
                function is not None and function.owner is not None and this == function.this
            ):
                return name, function.owner
        return None

    def unlocked(self, call: cst.Call) -> list[Use]:
        """The uses without a lock of a cache that threads share; none where the file does not show that they do."""
        place = self.kept(call)
        if place is None:
            return []
        name, owner = place
        uses = list(self._uses(name, owner))
        if not any(self._is_write(node) for node in uses):
            return []
        bare = list(self._bare(uses))
        return bare if self._may_be_threaded(bare, owner) else []

    def _uses(self, name: str, owner: ClassInfo | None) -> Iterator[cst.BaseExpression]:
        for node in self._tree.nodes:
            if owner is None and isinstance(node, cst.Name) and node.value == name:
                parent = self._file.parent(node)
                if isinstance(parent, cst.Attribute) and parent.attr is node:
                    continue
                if self._file.names.home(name, self._tree.scope_of(node)) is self._tree.module:
                    yield node
            elif owner is not None and isinstance(node, cst.Attribute) and node.attr.value == name:
                function = self._around(node)
                root = text(node.value)
                if function is not None and function.owner is owner and root in (function.this, owner.name, "cls"):
                    yield node

    def _around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The method that a node stands in, also in a function nested in it."""
        function = self._file.function_of(node)
        while function is not None and function.owner is None:
            function = self._file.function_of(function.node)
        return function

    def _bare(self, uses: list[cst.BaseExpression]) -> Iterator[Use]:
        for node in uses:
            function = self._file.function_of(node)
            if function is None or function.name in ("__init__", "__new__", "__post_init__", "__repr__", "__del__"):
                continue
            if not self._is_use(node) or self.is_on_loop(function):
                continue
            if not self._file.sections.encloses(node, node):
                yield Use(node, function)

    def _is_use(self, node: cst.BaseExpression) -> bool:
        match self._file.parent(node):
            case cst.Attribute(attr=cst.Name(value=method)) as parent:
                return isinstance(self._file.parent(parent), cst.Call) and method in READING | WRITING
            case cst.Subscript() as parent:
                return parent.value is node
        # `key in cache` asks the dict inside and moves nothing.
        return False

    def _is_write(self, node: cst.BaseExpression) -> bool:
        parent = self._file.parent(node)
        if isinstance(parent, cst.Attribute):
            return parent.attr.value in WRITING and isinstance(self._file.parent(parent), cst.Call)
        if isinstance(parent, cst.Subscript):
            around = self._file.parent(parent)
            return isinstance(around, cst.AssignTarget | cst.Del | cst.AugAssign)
        return False

    # -- decorators --------------------------------------------------------------------------------------------------

    def unlocked_decorator(self, function: FunctionInfo) -> cst.Call | None:
        """The `@cached(…)` of a function that several threads may call at once, if it has no lock."""
        if function.is_async:
            return None
        for decorator in function.node.decorators:
            call = decorator.decorator
            if not isinstance(call, cst.Call) or passes_unknown(call):
                continue
            name = (self._file.qualified(call.func) or "").removeprefix("cachetools.")
            if name not in DECORATORS or not self._remembers(argument(call, 0, "cache"), function, name):
                continue
            locks = [argument(call, 2, "lock"), argument(call, None, "condition")]
            if any(lock is not None and literal(lock) != (None,) for lock in locks) or self.is_on_loop(
                function, _DEEPEST
            ):
                return None
            return call if self._may_be_threaded([Use(call, function)], function.owner) else None
        return None

    def _remembers(self, cache: cst.BaseExpression | None, function: FunctionInfo, name: str) -> bool:
        """Whether what a decorator is given is a cache of cachetools: a plain dict takes no harm."""
        if name == "cached":
            return self._file.is_a(cache, _CACHE) if cache is not None else False
        attribute = ""
        match cache:
            case cst.Lambda(body=cst.Attribute(attr=cst.Name(value=attribute))):
                pass
            case cst.Call(args=[cst.Arg(value=cst.SimpleString() as string)]) if called_name(cache) == "attrgetter":
                attribute = str(string.evaluated_value)
        owner = function.owner
        bound = [] if owner is None else [*owner.assigned.get(attribute, ()), *owner.attributes.get(attribute, ())]
        return any(binding.value is not None and self._file.is_a(binding.value, _CACHE) for binding in bound)

    # -- threads -----------------------------------------------------------------------------------------------------

    def is_on_loop(self, function: FunctionInfo, depth: int = _DEEPEST) -> bool:
        """Whether only the thread of an event loop is ever in a function, as far as the file shows."""
        if self._file.threaded.roots(function):
            return False
        if function.is_async:
            return True
        uses = self._file.entrances.uses(function)
        callers = [self._file.function_of(use) for use in uses]
        return (
            depth > 0
            and bool(callers)
            and all(
                caller is not None and caller is not function and self.is_on_loop(caller, depth - 1)
                for caller in callers
            )
        )

    def _may_be_threaded(self, uses: list[Use], owner: ClassInfo | None) -> bool:
        if not uses:
            return False
        if self._file.is_named("CNC617") or any(self._file.threaded.roots(use.function) for use in uses):
            return True
        if owner is None:
            return self._file.threaded.imports(*_THREADS, *_FRAMEWORKS)
        return self._file.threaded.imports(*_THREADS) and self._shows_threads(owner)

    def _shows_threads(self, owner: ClassInfo) -> bool:
        """Whether a class has a lock or starts threads, or the module has an object of it for all."""
        for node in self._tree.within(owner.node.body):
            if isinstance(node, cst.Call):
                name = self._file.qualified(node.func) or ""
                if name.startswith(tuple(f"{package}." for package in _THREADS)):
                    return True
        for node in self._tree.own[self._tree.module]:
            if isinstance(node, cst.Assign | cst.AnnAssign) and node.value is not None:
                kind = self._file.kind(node.value)
                if kind is not None and kind.ref is owner:
                    return True
        return False
