"""What functions do: who calls whom in the file, and which blocking calls a function reaches."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.blocking import (
    BLOCKING,
    BLOCKS_ONLY_WITH,
    LAZY,
    NON_BLOCKING_ARGUMENTS,
    ONLY_WHEN_BOUNDED,
    PATH_ARGUMENT,
    blocking_method,
)
from flake8_concurrency.knowledge.offloading import OFFLOADING, OFFLOADING_DECORATORS
from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.kinds import BOUNDED, DONE, IMPATIENT
from flake8_concurrency.model.names import dotted
from flake8_concurrency.model.programs import is_for_terminals
from flake8_concurrency.model.settled import Settled
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


class Leaf(NamedTuple):
    """Something that blocks by itself: what it is called, what the tables say of it, and where it stands.

    The node is the call; what `with` and `for` do stands at the expression that they enter or read.
    """

    name: str
    fact: Blocking
    node: cst.BaseExpression

    def __str__(self) -> str:
        owner, _, method = self.name.rpartition(".")
        if method in ("__enter__", "__exit__"):
            return f"{'leaving' if method == '__exit__' else 'entering'} a `with` of {owner}"
        return f"reading {owner}" if method in ("__iter__", "__next__") else self.name


class Step(NamedTuple):
    """A function of the file whose body runs at a node: a call, a `with` or `for` over it, an access to a property."""

    node: cst.CSTNode
    function: FunctionInfo


class Chain(NamedTuple):
    """How a node reaches a leaf: through these functions of the file, in order."""

    steps: tuple[Step, ...]
    leaf: Leaf


#: Decorators whose function's body still runs where the function is called, and when.
_IN_PLACE = frozenset(
    """staticmethod classmethod property cached_property lru_cache cache wraps abstractmethod override final
    hybrid_property retry synchronized no_type_check singledispatch beartype typechecked validate_call callback
    contextmanager cached
    atomic on_exception on_predicate deprecated""".split()
)
_CACHING = frozenset({"lru_cache", "cache", "cached_property", "cached"})
_CONSTRUCTORS = ("__init__", "__post_init__", "__attrs_post_init__", "model_post_init")

#: What reads an iterator given as its first argument.
_READERS = frozenset(
    f"builtins.{name}"
    for name in "list tuple set frozenset sorted sum any all max min dict next".split()
) | {"collections.deque"}  # fmt: skip
#: What hands on the items of its arguments, lazily.
_LAZY_WRAPPERS = frozenset(
    """builtins.enumerate builtins.zip builtins.iter builtins.filter itertools.islice itertools.chain tqdm.tqdm
    tqdm.auto.tqdm tqdm.std.tqdm tqdm.notebook.tqdm rich.progress.track""".split()
)

#: Words in the names of functions that run when a service starts or ends, or from the command line.
_ONCE = frozenset(
    "lifespan startup shutdown main amain setup teardown cleanup bootstrap init initialize initialise cli".split()
)
_RUNNERS = frozenset("asyncio.run anyio.run trio.run uvloop.run asyncio.AbstractEventLoop.run_until_complete".split())
#: Those among them that run while the loop has nothing else to do yet, or any more.
_ALONE = frozenset("lifespan startup shutdown main amain".split())
_STARTING = frozenset("create_task ensure_future gather start_soon start_server run_forever TaskGroup".split())


class Functions:
    """Summaries of the functions of one file, each computed once."""

    def __init__(self, file: FileModel, configured: Mapping[str, Blocking]) -> None:
        self._tree = file.tree
        self._names = file.names
        self._definitions = file.definitions
        self._kinds = file.kinds
        self._configured = configured
        self._settled = Settled(file)
        self._leaves: dict[FunctionInfo, tuple[Leaf, ...]] = {}
        self._steps: dict[FunctionInfo, tuple[Step, ...]] = {}
        self._reaches: dict[FunctionInfo, tuple[Chain, ...]] = {}
        self._overridden: dict[ClassInfo, set[str]] | None = None
        self._properties: dict[FunctionInfo, list[cst.Attribute]] | None = None
        self._run: frozenset[FunctionInfo] | None = None

    # -- where a node runs -------------------------------------------------------------------------------------------

    def around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function whose call runs this node; None in a lambda and at module level."""
        scope = self._tree.scope_of(node)
        while not isinstance(scope, cst.FunctionDef):
            if isinstance(scope, cst.Module | cst.Lambda):
                return None
            scope = self._tree.scope_of(scope)
        return self._definitions.functions[scope]

    def runs_once(self, function: FunctionInfo) -> bool:
        """Whether a function is start-up, shutdown or command-line code, in which reading a file harms nobody."""
        if not _ONCE.isdisjoint(function.name.lower().strip("_").split("_")):
            return True
        if self.is_command(function):
            return True
        if self._run is None:
            self._run = frozenset(self._run_by_the_module())
        return function in self._run

    def is_command(self, function: FunctionInfo) -> bool:
        """Whether a function is a command that somebody gives at a terminal; the commands of a chat bot are not."""
        return any(
            is_for_terminals(dotted(decorator), self._package(decorator), is_async=function.is_async)
            for decorator in function.decorators
        )

    def _package(self, node: cst.BaseExpression, depth: int = 5) -> str:
        """The package that an object comes from: `typer` for `app`, if `app = typer.Typer()`."""
        while isinstance(node, cst.Attribute | cst.Call):
            node = node.value if isinstance(node, cst.Attribute) else node.func
        if not isinstance(node, cst.Name) or depth == 0:
            return ""
        for binding in self._names.reaching(node) or ():
            if binding.how == "import":
                return binding.target.partition(".")[0]
            if isinstance(binding.node, cst.FunctionDef) and binding.node.decorators:
                return self._package(binding.node.decorators[-1].decorator, depth - 1)
            if binding.how == "assign" and isinstance(binding.value, cst.Call):
                return self._package(binding.value, depth - 1)
        return ""

    def holds_up_nobody(self, node: cst.CSTNode) -> bool:
        """Whether a node runs, once, while nothing else does: at the start or end of a service, or in a lone `main`."""
        function = self.around(node)
        if function is None or not self._is_alone(function):
            return False
        if any(_last_name(call.func) in _STARTING for call in function.calls):
            return False
        for parent in self._tree.ancestors(node):
            if isinstance(parent, cst.For | cst.While | cst.CompFor):
                return False
            if parent is function.node:
                break
        return True

    @staticmethod
    def _is_alone(function: FunctionInfo) -> bool:
        return "on_event" in function.decorator_names or not _ALONE.isdisjoint(function.name.lower().split("_"))

    def _run_by_the_module(self) -> Iterator[FunctionInfo]:
        """The functions that the file itself starts an event loop for."""
        for nodes in self._tree.own.values():
            for node in nodes:
                if isinstance(node, cst.Call) and node.args and self._kinds.qualified(node.func) in _RUNNERS:
                    main = node.args[0].value
                    kind = self._kinds.of(main.func if isinstance(main, cst.Call) else main)
                    if kind is not None and isinstance(kind.ref, FunctionInfo):
                        yield kind.ref

    # -- calls -------------------------------------------------------------------------------------------------------

    def callee(self, call: cst.Call) -> FunctionInfo | None:
        """The function of the file that a call enters, a constructor included; None when it is not surely one."""
        kind = self._kinds.of(call.func)
        if kind is not None and kind.name == "partial":
            kind = kind.args[0]
        if kind is None:
            return None
        if kind.name == "function":
            assert isinstance(kind.ref, FunctionInfo)
            return None if self._may_be_another(kind.ref, kind.args[0] if kind.args else None, call.func) else kind.ref
        if kind.name == "type":
            return self._constructor(kind.args[0], call.func)
        if isinstance(kind.ref, ClassInfo):
            return self._method(kind, "__call__")
        return None

    def _constructor(self, made: Kind | None, func: cst.BaseExpression) -> FunctionInfo | None:
        for name in _CONSTRUCTORS:
            found = self._method(made, name)
            if found is not None:
                is_class_itself = isinstance(func, cst.Name) and func.value != "cls"
                return found if is_class_itself or not self._may_be_another(found, made, func) else None
        return None

    def _method(self, kind: Kind | None, name: str) -> FunctionInfo | None:
        if kind is None:
            return None
        for current in self._kinds.mro(kind):
            if isinstance(current.ref, ClassInfo) and name in current.ref.methods:
                return current.ref.methods[name]
        return None

    def _may_be_another(self, method: FunctionInfo, receiver: Kind | None, func: cst.BaseExpression) -> bool:
        """Whether a class of the file derived from the receiver's replaces the method."""
        if method.owner is None or (isinstance(func, cst.Attribute) and _is_super(func.value)):
            return False
        if receiver is not None and receiver.name == "type":
            receiver = receiver.args[0]
        owner = receiver.ref if receiver is not None and isinstance(receiver.ref, ClassInfo) else method.owner
        if self._overridden is None:
            self._overridden = {}
            for info in self._definitions.classes.values():
                for base in self._kinds.mro(Kind("instance", ref=info))[1:]:
                    if isinstance(base.ref, ClassInfo):
                        self._overridden.setdefault(base.ref, set()).update(info.methods)
        return method.name in self._overridden.get(owner, ())

    # -- what blocks by itself ---------------------------------------------------------------------------------------

    def blocking(self, call: cst.Call) -> Leaf | None:
        """The call itself, when it is one that blocks the thread it runs in."""
        kind = self._kinds.of(call.func)
        given = [call]
        if kind is not None and kind.name == "partial":
            assert isinstance(kind.ref, cst.Call)
            given.append(kind.ref)
            kind = kind.args[0]
        found = self._entry(kind, call.func)
        if found is None or found[1] in LAZY or not all(self._waits(found[1], kind, one) for one in given):
            return None
        return Leaf(found[0], found[2], call)

    def table_names(self, func: cst.BaseExpression) -> list[str]:
        """The names under which a table may list a callee: `requests.get`, `requests.Session.get`, its bases' ones."""
        return self._names_of(self._kinds.of(func))

    def _names_of(self, kind: Kind | None) -> list[str]:
        if kind is not None and kind.name == "partial":
            kind = kind.args[0]
            return [str(kind.ref)] if kind is not None and kind.name in ("symbol", "method") else []
        if kind is not None and kind.name == "union":
            first, *others = (self._names_of(part) for part in kind.args)
            return [name for name in first if all(name in other for other in others)]
        if kind is None or kind.name not in ("symbol", "method"):
            return []
        if kind.name == "symbol":
            return [str(kind.ref)]
        method = str(kind.ref).rpartition(".")[2]
        owners = self._kinds.mro(kind.args[1]) if kind.args[1] is not None else []
        return [str(kind.ref), *(f"{owner.name}.{method}" for owner in owners)]

    def _entry(self, kind: Kind | None, func: cst.BaseExpression) -> tuple[str, str, Blocking] | None:
        """The entry of a callee: its full name, the key in the table, and the fact."""
        if kind is None:
            # A `Class.*` entry covers methods of which the type is not known.
            if isinstance(func, cst.Attribute):
                return self._method_entry(self._kinds.of(func.value), func.attr.value, func)
            return None
        if kind.name == "union":
            found = [self._entry(part, func) for part in kind.args]
            return found[0] if all(one is not None for one in found) else None
        if kind.name == "symbol":
            name = str(kind.ref)
            fact = self._configured.get(name) or BLOCKING.get(name)
            return None if fact is None else (name, name, fact)
        if kind.name == "method":
            return self._method_entry(kind.args[1], str(kind.ref).rpartition(".")[2], func)
        if kind.name == "type" and kind.args[0] is not None and self._constructor(kind.args[0], func) is None:
            return next((entry for entry in map(self._class_entry, self._kinds.mro(kind.args[0])) if entry), None)
        return None

    @staticmethod
    def _class_entry(kind: Kind) -> tuple[str, str, Blocking] | None:
        fact = BLOCKING.get(kind.name)
        return None if fact is None else (kind.name, kind.name, fact)

    def _method_entry(
        self, receiver: Kind | None, method: str, func: cst.BaseExpression
    ) -> tuple[str, str, Blocking] | None:
        if receiver is None or receiver.ref in (DONE, IMPATIENT):
            return None
        if receiver.name == "union":
            found = [self._method_entry(part, method, func) for part in receiver.args]
            return found[0] if all(one is not None for one in found) else None
        if isinstance(receiver.ref, ClassInfo) and self._method(receiver, method) is not None:
            return None
        owners = [current.name for current in self._kinds.mro(receiver)]
        for owner in owners:
            fact = self._configured.get(f"{owner}.{method}")
            if fact is not None:
                return f"{owner}.{method}", f"{owner}.{method}", fact
        if isinstance(func, cst.Attribute):
            # `sys.stdout` is no file like others.
            owners.insert(0, self._symbol(func.value))
        key = blocking_method(owners, method)
        return None if key is None else (f"{key.rpartition('.')[0]}.{method}", key, BLOCKING[key])

    def _symbol(self, node: cst.BaseExpression) -> str:
        """The dotted name of a library's variable, whatever is known of its type; empty for anything else."""
        if isinstance(node, cst.Attribute):
            owner = self._kinds.of(node.value)
            return f"{owner.ref}.{node.attr.value}" if owner is not None and owner.name == "symbol" else ""
        if isinstance(node, cst.Name):
            bindings = self._names.reaching(node) or ()
            return next((binding.target for binding in bindings if binding.how == "import"), "")
        return ""

    def _waits(self, key: str, kind: Kind | None, call: cst.Call) -> bool:
        """Whether the arguments of a call leave it waiting."""
        if key in BLOCKS_ONLY_WITH:
            given = argument(call, *BLOCKS_ONLY_WITH[key])
            return given is not None and not _is_empty(given)
        if key == "builtins.open" and call.args and self._symbol(call.args[0].value) == "os.devnull":
            return False
        if key in PATH_ARGUMENT:
            kind = self._kinds.of(argument(call, *PATH_ARGUMENT[key]))
            return kind is not None and any(self._kinds.is_a(kind, name) for name in _PATHS)
        if key in ONLY_WHEN_BOUNDED:
            queue = kind.args[1] if kind is not None and kind.name == "method" else None
            if queue is None or queue.ref != BOUNDED:
                return False
        if key in NON_BLOCKING_ARGUMENTS and passes_unknown(call):
            return False
        if any(self._lets_pass(call, *condition) for condition in NON_BLOCKING_ARGUMENTS.get(key, ())):
            return False
        return not self._settled.before(call)

    def _lets_pass(self, call: cst.Call, position: int | None, keyword: str | None, value: object) -> bool:
        given = argument(call, position, keyword)
        if given is None:
            return False
        if isinstance(value, str):
            return any(self._symbol(term) == value for term in _terms(given))
        known = literal(given)
        # A switch that is not written out may stand on either side.
        return known == (value,) if known is not None else value is False

    # -- what a function does ----------------------------------------------------------------------------------------

    def leaves(self, function: FunctionInfo) -> tuple[Leaf, ...]:
        """What blocks by itself in the function's own code."""
        if function not in self._leaves:
            found = (leaf for node in self._running(function) for leaf in self._leaves_at(node))
            self._leaves[function] = tuple(found)
        return self._leaves[function]

    def _running(self, function: FunctionInfo) -> Iterator[cst.CSTNode]:
        """The function's own nodes, without those of generators that are handed to another thread."""
        for node in function.own:
            scope = self._tree.scope_of(node)
            if scope is function.node or not self._is_handed_over(scope):
                yield node

    def _is_handed_over(self, scope: Scope) -> bool:
        """Whether a comprehension stands in a generator that is given to something that runs it elsewhere."""
        while isinstance(scope, COMPREHENSIONS):
            around = self._tree.parents[self._tree.parents[scope]]
            if isinstance(scope, cst.GeneratorExp) and isinstance(around, cst.Call):
                name = self._kinds.qualified(around.func)
                if name is not None and name in OFFLOADING:
                    return True
            scope = self._tree.scope_of(scope)
        return False

    def _leaves_at(self, node: cst.CSTNode) -> Iterator[Leaf]:
        if isinstance(node, cst.Call):
            leaf = self.blocking(node)
            if leaf is not None:
                yield leaf
            elif node.args and self._kinds.qualified(node.func) in _READERS and not node.args[0].star:
                yield from self._read(node.args[0].value)
        elif isinstance(node, cst.With) and node.asynchronous is None:
            for item in node.items:
                yield from self._syntax(item.item, "__enter__")
                if not self._settled.on_leaving(node, item):
                    yield from self._syntax(item.item, "__exit__")
        elif isinstance(node, cst.For | cst.CompFor) and node.asynchronous is None:
            yield from self._read(node.iter)
        elif isinstance(node, cst.Yield) and isinstance(node.value, cst.From):
            yield from self._read(node.value.item)

    def _syntax(self, node: cst.BaseExpression, method: str) -> Iterator[Leaf]:
        entry = self._method_entry(self._kinds.of(node), method, node)
        if entry is not None:
            yield Leaf(entry[0], entry[2], node)

    def _read(self, node: cst.BaseExpression) -> Iterator[Leaf]:
        """What iterating over an expression waits for."""
        call = self._iterator_call(node)
        if call is not None:
            entry = self._entry(self._kinds.of(call.func), call.func)
            if entry is not None and entry[1] in LAZY:
                yield Leaf(entry[0], entry[2], call)
            elif self._kinds.qualified(call.func) in _LAZY_WRAPPERS:
                for arg in call.args:
                    yield from self._read(arg.value)
            elif entry is not None:
                return
        yield from self._syntax(node, "__iter__")

    def _iterator_call(self, node: cst.BaseExpression) -> cst.Call | None:
        """The call that made an iterator, also when a variable holds it."""
        if isinstance(node, cst.Name):
            bindings = self._names.reaching(node) or ()
            if len(bindings) == 1 and bindings[0].how == "assign" and not bindings[0].path and bindings[0].value:
                node = bindings[0].value
        return node if isinstance(node, cst.Call) else None

    def steps(self, function: FunctionInfo) -> tuple[Step, ...]:
        """The sync functions of the file that the function's own code enters."""
        if function not in self._steps:
            found = [step for node in self._running(function) for step in self._steps_at(node)]
            found += self._property_steps(function)
            found.sort(key=lambda step: self._tree.order(step.node))
            self._steps[function] = tuple(found)
        return self._steps[function]

    def _steps_at(self, node: cst.CSTNode) -> Iterator[Step]:
        if isinstance(node, cst.Call):
            called = self.callee(node)
            if called is not None and self._runs_at_call(called, node):
                yield Step(node, called)
        elif isinstance(node, cst.With) and node.asynchronous is None:
            for item in node.items:
                yield from self._syntax_steps(item.item, "__enter__", "__exit__")
        elif isinstance(node, cst.For | cst.CompFor) and node.asynchronous is None:
            yield from self._syntax_steps(node.iter, "__iter__", "__next__")

    def _syntax_steps(self, node: cst.BaseExpression, *methods: str) -> Iterator[Step]:
        kind = self._kinds.of(node)
        if kind is not None and isinstance(kind.ref, ClassInfo):
            for name in methods:
                found = self._method(kind, name)
                if found is not None and not found.is_async and not self._may_be_another(found, kind, node):
                    yield Step(node, found)

    def _property_steps(self, function: FunctionInfo) -> Iterator[Step]:
        if self._properties is None:
            self._properties = self._property_uses()
        for node in self._properties.get(function, ()):
            kind = self._kinds.of(node.value)
            if kind is not None and isinstance(kind.ref, ClassInfo):
                found = self._method(kind, node.attr.value)
                if found is None or not found.is_property or self._may_be_another(found, kind, node):
                    continue
                if not _remembers(found, self._tree):
                    yield Step(node, found)

    def _property_uses(self) -> dict[FunctionInfo, list[cst.Attribute]]:
        found: dict[FunctionInfo, list[cst.Attribute]] = {}
        names = {info.name for info in self._definitions.functions.values() if info.is_property}
        if names:
            for node in self._tree.nodes:
                if isinstance(node, cst.Attribute) and node.attr.value in names:
                    around = None if self._is_written(node) else self.around(node)
                    if around is not None:
                        found.setdefault(around, []).append(node)
        return found

    def _is_written(self, node: cst.Attribute) -> bool:
        parent = self._tree.parents[node]
        return isinstance(parent, cst.AssignTarget | cst.Del) or (
            isinstance(parent, cst.AnnAssign | cst.AugAssign) and parent.target is node
        )

    def _runs_at_call(self, function: FunctionInfo, call: cst.Call) -> bool:
        """Whether the body of a function runs, here and now, when this call of it is evaluated."""
        if function.is_async or not self._keeps_its_body(function):
            return False
        if not function.is_generator:
            return True
        parent = self._tree.parents[call]
        if isinstance(parent, cst.Arg):
            reader = self._tree.parents[parent]
            assert isinstance(reader, cst.Call | cst.ClassDef)
            if isinstance(reader, cst.ClassDef):
                return False
            if "contextmanager" in function.decorator_names:
                return _last_name(reader.func) == "enter_context"
            return self._kinds.qualified(reader.func) in _READERS
        if "contextmanager" in function.decorator_names:
            return isinstance(parent, cst.WithItem)
        return isinstance(parent, cst.From) or (isinstance(parent, cst.For | cst.CompFor) and parent.iter is call)

    def _keeps_its_body(self, function: FunctionInfo) -> bool:
        """Whether calling the decorated function runs its body in the calling thread."""
        for decorator in function.decorators:
            kind = self._kinds.of(decorator)
            if kind is not None and isinstance(kind.ref, FunctionInfo):
                if not _calls_what_it_is_given(kind.ref, self._tree):
                    return False
            elif self._kinds.qualified(decorator) in OFFLOADING_DECORATORS or _last_name(decorator) not in _IN_PLACE:
                return False
        return True

    # -- chains ------------------------------------------------------------------------------------------------------

    def chains(self, function: FunctionInfo, categories: Collection[str], lasting: Collection[str] = ()) -> list[Chain]:
        """For each step of a function the shortest chain to a leaf of these categories; one for each node.

        A function that remembers its result waits only once; chains through one count only for `lasting` categories.
        """
        found: dict[cst.CSTNode, Chain] = {}
        for step in self.steps(function):
            for chain in self._reached(step.function):
                steps = (step, *chain.steps)
                category = chain.leaf.fact.category
                remembered = category not in lasting and any(self._is_done_once(one.function) for one in steps)
                if category in categories and not remembered and step.node not in found:
                    found[step.node] = Chain(steps, chain.leaf)
        return list(found.values())

    def _is_done_once(self, function: FunctionInfo) -> bool:
        return bool(function.decorator_names & _CACHING) or _remembers(function, self._tree)

    def _reached(self, function: FunctionInfo) -> tuple[Chain, ...]:
        """The shortest chain from a function's body to a leaf of each category, files last."""
        if function not in self._reaches:
            found: dict[str, Chain] = {}
            seen = {function}
            pending: deque[tuple[FunctionInfo, tuple[Step, ...]]] = deque([(function, ())])
            while pending:
                current, steps = pending.popleft()
                for leaf in self.leaves(current):
                    found.setdefault(leaf.fact.category, Chain(steps, leaf))
                for step in self.steps(current):
                    if step.function not in seen:
                        seen.add(step.function)
                        pending.append((step.function, (*steps, step)))
            self._reaches[function] = tuple(sorted(found.values(), key=_weight))
        return self._reaches[function]


_PATHS = ("builtins.str", "builtins.bytes", "pathlib.PurePath", "os.PathLike")


def _weight(chain: Chain) -> tuple[bool, int]:
    return chain.leaf.fact.category == "file", len(chain.steps)


def _last_name(node: cst.BaseExpression) -> str:
    return dotted(node).rpartition(".")[2]


def _is_super(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"


def _is_empty(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.SimpleString):
        return not node.evaluated_value
    return literal(node) == (None,)


def _terms(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a | b | c`."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _remembers(function: FunctionInfo, tree: Tree) -> bool:
    """Whether a function does its work once and keeps the result: `if self._x is None: self._x = ...`."""
    kept = {name for node in function.own for name in _kept_by(node)}
    own = {item.name.value for node in function.own if isinstance(node, cst.Global) for item in node.names}
    kept = {name for name in kept if "." in name or "[" in name or name in own}
    return bool(kept) and any(
        _asked_about(node.test) in kept for node in tree.within(function.node.body) if isinstance(node, cst.If)
    )


def _asked_about(test: cst.BaseExpression) -> str:
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return _asked_about(inner)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=cst.Is() | cst.IsNot())]):
            return dotted(left)
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=cst.In() | cst.NotIn(), comparator=container)]):
            return dotted(container) + "[]"
    return dotted(test)


def _kept_by(node: cst.CSTNode) -> list[str]:
    """What an assignment fills: names, attributes, and `container[]`."""
    found: list[cst.BaseExpression] = []
    if isinstance(node, cst.Assign):
        found = [target.target for target in node.targets]
    elif isinstance(node, cst.AnnAssign) and node.value is not None:
        found = [node.target]
    return [f"{dotted(one.value)}[]" if isinstance(one, cst.Subscript) else dotted(one) for one in found]


def _calls_what_it_is_given(decorator: FunctionInfo, tree: Tree) -> bool:
    """Whether a decorator of the file wraps its function in a sync one that calls it, or hands it back."""
    if decorator.is_async or not decorator.params:
        return False
    for inner in decorator.own:
        if not isinstance(inner, cst.FunctionDef):
            continue
        if inner.asynchronous is not None:
            return False
        # `@decorator(option)`: what it returns is the decorator.
        given = {decorator.params[0].name.value} | {param.name.value for param in inner.params.params[:1]}
        called = [node.func for node in tree.within(inner) if isinstance(node, cst.Call)]
        if any(isinstance(func, cst.Name) and func.value in given for func in called):
            return not any(
                isinstance(node, cst.FunctionDef) and node.asynchronous is not None for node in tree.within(inner)
            )
    return False
