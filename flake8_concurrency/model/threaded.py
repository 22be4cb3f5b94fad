"""Which functions of a file run in threads: in those that it starts, and in those of libraries that call back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.knowledge.thread_callbacks import (
    ASSIGNED,
    CALLBACKS,
    DECORATORS,
    HANDLERS,
    ROUTES,
    STARTS,
    Handlers,
)
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.entrances import is_of_a_life
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_POOL, _THREAD_POOL = "multiprocessing.pool.Pool.", "multiprocessing.pool.ThreadPool."
_THREADS = {
    **{name: how for name, how in OFFLOADING.items() if how.where == "thread"},
    # What a pool of processes does, one of threads does in threads.
    **{_THREAD_POOL + name.removeprefix(_POOL): how for name, how in OFFLOADING.items() if name.startswith(_POOL)},
}
_THREAD = "threading.Thread"
_LOOPS = (cst.For, cst.While, *COMPREHENSIONS)
_MAPPING = frozenset("map map_async imap imap_unordered starmap starmap_async".split())
_WAITING = frozenset("join result wait get shutdown".split())
#: Gives work to a pool; who calls it again before the first is done has it done twice at once.
_POOLING = frozenset("submit apply_async".split())
_DEEPEST = 4
_FRAMEWORKS = {"flask": "Flask", "fastapi": "FastAPI"}


class Root(NamedTuple):
    """Something that runs a function in a thread."""

    #: Roots with the same key take turns: the thread of one client calls all its callbacks.
    key: object
    #: What runs it, as a message says it.
    how: str
    #: Whether several threads run the function at once.
    several: bool = False
    #: Whether each of these threads has an object of its own, so that only what is outside of it is shared.
    own_object: bool = False
    #: Whether nobody else has such an object: it is made for one request.
    is_alone: bool = False


class Threaded:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._found: dict[FunctionInfo, list[Root]] | None = None
        self._starts: list[tuple[FunctionInfo, Root]] | None = None
        self._imported: frozenset[str] | None = None

    def roots(self, function: FunctionInfo | None) -> list[Root]:
        """What runs a function in threads; nothing where the file does not show that anything does."""
        if function is None:
            return []
        if self._found is None:
            self._found = {}
            for start, root in self.starts():
                self._add(start, root, _DEEPEST)
        return self._found.get(function, [])

    def starts(self) -> list[tuple[FunctionInfo, Root]]:
        """The functions with which threads begin."""
        if self._starts is None:
            self._starts = list(self._all_roots())
        return self._starts

    def imports(self, *packages: str) -> bool:
        """Whether the file imports one of these packages, or anything from it."""
        return not self._packages.isdisjoint(packages)

    @property
    def _packages(self) -> frozenset[str]:
        if self._imported is None:
            bound = self._file.names.bindings(self._tree.module).values()
            targets = (binding.target for found in bound for binding in found if binding.how == "import")
            self._imported = frozenset(part for target in targets for part in _prefixes(target))
        return self._imported

    def _add(self, function: FunctionInfo, root: Root, depth: int) -> None:
        """Note what runs a function, and with it all that it calls."""
        assert self._found is not None
        known = self._found.setdefault(function, [])
        if root in known or function.is_async:
            return
        known.append(root)
        for step in self._file.functions.steps(function) if depth else ():
            self._add(step.function, root, depth - 1)

    # -- where threads come from -------------------------------------------------------------------------------------

    def _all_roots(self) -> Iterator[tuple[FunctionInfo, Root]]:
        for call in self._tree.calls:
            yield from self._called(call)
        for info in self._file.definitions.classes.values():
            yield from self._derived(info)
        for function in self._file.definitions.functions.values():
            yield from self._decorated(function)
        if any(called_name(call) in STARTS for call in self._tree.calls):
            yield from self._assigned()

    def _called(self, call: cst.Call) -> Iterator[tuple[FunctionInfo, Root]]:
        for name in self._file.functions.table_names(call.func):
            how = _THREADS.get(name)
            if how is not None and self._is_of_processes(call):
                return
            if how is not None:
                given = argument(call, how.position, how.keyword)
                for function in self._functions(given):
                    several = self._is_many(call, given)
                    yield function, Root(call, last_name(call.func), several, several and self._is_other(call, given))
                return
            callbacks = CALLBACKS.get(name)
            if callbacks is not None:
                nodes = [argument(call, position, None) for position in callbacks.positions]
                nodes += [argument(call, None, keyword) for keyword in callbacks.keywords]
                key: object = call if "." not in last_name(call.func) else name
                for node in nodes:
                    for function in self._functions(node):
                        yield function, Root(key, last_name(call.func), callbacks.several)
                return

    def _is_of_processes(self, call: cst.Call) -> bool:
        """Whether an executor runs its work in other processes, where each has all of this for itself."""
        receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
        return receiver is not None and self._file.is_a(receiver, "concurrent.futures.ProcessPoolExecutor")

    def _functions(self, node: cst.BaseExpression | None) -> Iterator[FunctionInfo]:
        """The functions of the file that run when what a node stands for is called."""
        if isinstance(node, cst.Lambda):
            for inner in self._tree.within(node.body):
                called = self._file.callee(inner) if isinstance(inner, cst.Call) else None
                if called is not None:
                    yield called
            return
        if isinstance(node, cst.List | cst.Tuple):
            for element in node.elements:
                yield from self._functions(element.value)
            return
        function = self._file.functions.handed(node)
        if function is not None:
            yield function

    def _is_many(self, call: cst.Call, given: cst.BaseExpression | None) -> bool:
        """Whether a call starts the same work in several threads: again and again, without waiting for it."""
        if called_name(call) in _MAPPING:
            return not self._takes_turns(call)
        if self._takes_turns(call):
            return False
        if isinstance(self._file.parent(call), cst.Await):
            # Each task waits for its own.
            waiting = self._file.function_of(call)
            return waiting is not None and self._has_several_tasks(waiting)
        for around in self._file.ancestors(call):
            if isinstance(around, cst.Lambda):
                return False
            if isinstance(around, cst.FunctionDef):
                return called_name(call) in _POOLING and self._is_entered(around)
            if isinstance(around, _LOOPS):
                return not self._waits_in(around, given)
        return False

    def _has_several_tasks(self, function: FunctionInfo) -> bool:
        """Whether several tasks may be in an async function at once, as far as its name, class and callers tell."""
        entrances = self._file.entrances
        return not (entrances.is_alone(function) or entrances.is_of_one_task(function))

    def _is_entered(self, node: cst.FunctionDef) -> bool:
        """Whether a function may be called again and again: it makes and starts nothing, going by its name."""
        function = self._file.definitions.functions[node]
        return not (is_of_a_life(function.name) or self._file.functions.runs_once(function))

    def _takes_turns(self, call: cst.Call) -> bool:
        """Whether a pool has one worker."""
        pool = call.func.value if isinstance(call.func, cst.Attribute) else None
        made: list[cst.BaseExpression | None] = []
        if isinstance(pool, cst.Name):
            made = [binding.value for binding in self._file.names.reaching(pool) or ()]
        elif isinstance(pool, cst.Attribute):
            name = pool.attr.value
            owners = self._file.definitions.classes.values()
            made = [binding.value for owner in owners for binding in owner.assigned.get(name, ())]
        sizes = [self._file.executors.construction(value) for value in made if isinstance(value, cst.Call)]
        return any(one is not None and one.size is not None and literal(one.size) == (1,) for one in sizes)

    def _waits_in(self, loop: cst.CSTNode, given: cst.BaseExpression | None) -> bool:
        """Whether each round of a loop waits for the thread that it has started, or gives it a function of its own."""
        if not isinstance(loop, cst.For | cst.While):
            return False
        for node in self._tree.within(loop.body):
            if isinstance(node, cst.Call) and called_name(node) in _WAITING and isinstance(node.func, cst.Attribute):
                return True
            if isinstance(node, cst.FunctionDef) and isinstance(given, cst.Name) and node.name.value == given.value:
                return True
        return False

    def _is_other(self, call: cst.Call, given: cst.BaseExpression | None) -> bool:
        """Whether the method that a loop starts is one of another object in each round."""
        if not isinstance(given, cst.Attribute):
            return False
        root: cst.BaseExpression = given.value
        while isinstance(root, cst.Attribute | cst.Subscript | cst.Call):
            root = root.func if isinstance(root, cst.Call) else root.value
        if isinstance(given.value, cst.Call) or not isinstance(root, cst.Name):
            return True
        loop = next((around for around in self._file.ancestors(call) if isinstance(around, _LOOPS)), None)
        bindings = self._file.names.reaching(root) or ()
        return loop is not None and any(loop in (b.node, *self._file.ancestors(b.node)) for b in bindings)

    def _derived(self, info: ClassInfo) -> Iterator[tuple[FunctionInfo, Root]]:
        bases = self._file.kinds.mro(Kind("instance", ref=info))[1:]
        names = {base.name for base in bases}
        run = info.methods.get("run")
        if run is not None and _THREAD in names:
            yield run, Root(info, f"{info.name}.start", several=True, own_object=True)
        for name in names & HANDLERS.keys():
            handlers = HANDLERS[name]
            if handlers.shown_by and not self._mentions(handlers.shown_by):
                continue
            for method in _handling(info, handlers):
                how, several = name.rpartition(".")[2], handlers.several
                yield method, Root(info, how, several, own_object=several, is_alone=several)

    def _mentions(self, some: frozenset[str]) -> bool:
        return any(isinstance(node, cst.Name) and node.value in some for node in self._tree.nodes)

    def _decorated(self, function: FunctionInfo) -> Iterator[tuple[FunctionInfo, Root]]:
        for decorator in function.decorators:
            if not isinstance(decorator, cst.Attribute):
                continue
            if not DECORATORS.isdisjoint(self._file.functions.table_names(decorator)):
                yield function, Root(function, last_name(decorator))
        for package, decorator in self._routes(function):
            yield function, Root(function, f"{_FRAMEWORKS[package]}'s @{dotted(decorator)}", several=True)

    def _routes(self, function: FunctionInfo) -> Iterator[tuple[str, cst.BaseExpression]]:
        """The decorators by which a framework calls a function for many requests at once."""
        for decorator in function.decorators:
            for package, names in ROUTES.items() if isinstance(decorator, cst.Attribute) else ():
                if last_name(decorator) in names and self.imports(package):
                    yield package, decorator

    def _assigned(self) -> Iterator[tuple[FunctionInfo, Root]]:
        """Functions that are assigned as callbacks to a client with a thread: `client.on_message = f`."""
        for nodes in self._tree.own.values():
            for node in nodes:
                if not isinstance(node, cst.Assign):
                    continue
                for target in node.targets:
                    if isinstance(target.target, cst.Attribute):
                        for name, attributes in ASSIGNED.items():
                            if target.target.attr.value in attributes and self._file.is_a(target.target.value, name):
                                for function in self._functions(node.value):
                                    yield function, Root(name, target.target.attr.value)


def _handling(info: ClassInfo, handlers: Handlers) -> Iterator[FunctionInfo]:
    for name, method in info.methods.items():
        if name in handlers.methods or (handlers.prefix and name.startswith(handlers.prefix)):
            yield method


def _prefixes(target: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`."""
    parts = target.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
