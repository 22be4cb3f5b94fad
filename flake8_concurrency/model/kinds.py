"""What a value is: follows an expression to the class of its value, as far as the file and the tables tell.

Unknown is None, and stays None: nothing is guessed from a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import libcst as cst

from flake8_concurrency.knowledge import libraries
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, Definitions, FunctionInfo
from flake8_concurrency.model.facts import (
    NONE,
    Kind,
    Written,
    ancestry,
    canonical,
    class_fact,
    constant_fact,
    function_result,
    instantiate,
    member,
    signature,
    union,
    written,
)
from flake8_concurrency.model.names import BUILTINS, UNKNOWN_POSITION, Binding, Names, dotted
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

#: Beyond this many steps an expression counts as unknown: no real one needs them.
_DEEPEST = 40

_LIST, _TUPLE, _SET, _DICT, _STR = "builtins.list", "builtins.tuple", "builtins.set", "builtins.dict", "builtins.str"
_ITERATOR, _ASYNC_ITERATOR = "collections.abc.Iterator", "collections.abc.AsyncIterator"
_FUTURE, _POOL_FUTURE = "asyncio.Future", "concurrent.futures.Future"
#: `Kind.ref` of a future that is known to be done.
DONE = "done"

#: Methods that put their last argument into a container.
_ADDING = frozenset({"append", "appendleft", "add", "insert", "put", "put_nowait"})
_JOINING = frozenset({"extend", "update", "extendleft"})

#: Decorators that leave what a function returns as it is.
TRANSPARENT = frozenset(
    """staticmethod classmethod property cached_property lru_cache cache wraps abstractmethod override final overload
    inject hybrid_property deprecated retry synchronized no_type_check singledispatch beartype typechecked validate_call
    log_call callback setter getter asynccontextmanager contextmanager""".split()
)

_ELEMENTWISE = {
    "builtins.list": _LIST,
    "builtins.sorted": _LIST,
    "builtins.set": _SET,
    "builtins.frozenset": "builtins.frozenset",
    "builtins.tuple": _TUPLE,
    "builtins.iter": _ITERATOR,
    "builtins.reversed": _ITERATOR,
    "collections.deque": "collections.deque",
    "tqdm.tqdm": _ITERATOR,
    "tqdm.auto.tqdm": _ITERATOR,
    "tqdm.notebook.tqdm": _ITERATOR,
    "tqdm.std.tqdm": _ITERATOR,
    "tqdm.trange": _ITERATOR,
    "rich.progress.track": _ITERATOR,
    "itertools.islice": _ITERATOR,
    "itertools.cycle": _ITERATOR,
    "itertools.takewhile": _ITERATOR,
}
#: Functions that give back the argument at this position, or one like it.
_SAME = {
    "typing.cast": 1,
    "copy.copy": 0,
    "copy.deepcopy": 0,
    "asyncio.shield": 0,
    "asyncio.wait_for": 0,
    "contextlib.nullcontext": 0,
    "contextlib.closing": 0,
    "contextlib.aclosing": 0,
    "typing.assert_type": 0,
    "inspect.unwrap": 0,
}


class Kinds:
    """Evaluates the expressions of one file."""

    def __init__(self, tree: Tree, names: Names, definitions: Definitions) -> None:
        self._tree = tree
        self._names = names
        self._definitions = definitions
        self._known: dict[cst.CSTNode, Kind | None] = {}
        self._open: set[object] = set()
        self._returns: dict[FunctionInfo, Kind | None] = {}
        self._additions: dict[str, list[tuple[cst.CSTNode, str, cst.BaseExpression]]] | None = None

    # -- the questions -----------------------------------------------------------------------------------------------

    def of(self, node: cst.CSTNode | None) -> Kind | None:
        """The kind of an expression's value; None when it is not known."""
        if node is None:
            return None
        if node in self._known:
            return self._known[node]
        if node in self._open or len(self._open) > _DEEPEST:
            return None
        self._open.add(node)
        try:
            kind = self._evaluate(node)
        finally:
            self._open.discard(node)
        if kind is not None or not self._open:
            # An unknown found on the way through a cycle may be known when asked from elsewhere.
            self._known[node] = kind
        return kind

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The dotted name that an expression means, whatever its spelling: `time.sleep`, `requests.Session.get`."""
        kind = self.of(node)
        if kind is not None and kind.name in ("symbol", "method"):
            return str(kind.ref)
        if kind is not None and kind.name == "type" and kind.args[0] is not None:
            return kind.args[0].name
        return None

    def is_a(self, kind: Kind | None, name: str) -> bool:
        """Whether a value of this kind is surely an instance of a class or of one derived from it."""
        if kind is None:
            return False
        if kind.name == "union":
            return all(self.is_a(part, name) for part in kind.args)
        return any(current.name == name for current in self.mro(kind))

    def mro(self, kind: Kind) -> list[Kind]:
        """The kind and those of its bases, the file's own classes first, as far as they are known."""
        if not isinstance(kind.ref, ClassInfo):
            return ancestry(kind)
        found: list[Kind] = []
        pending: list[Kind | None] = [kind]
        while pending:
            current = pending.pop(0)
            if current is None or current in found:
                continue
            if isinstance(current.ref, ClassInfo):
                found.append(current)
                pending = [*self.bases(current.ref), *pending]
            else:
                found += [base for base in ancestry(current) if base not in found]
        return found

    def bases(self, info: ClassInfo) -> list[Kind | None]:
        """The kinds of a class's bases; None for one that is not known."""
        return [self.instance_of(base) for base in info.bases]

    def instance_of(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the instances of the class that an expression names; annotations are read by `annotated`."""
        return self._instance(self.of(node))

    def _instance(self, kind: Kind | None) -> Kind | None:
        if kind is None:
            return None
        if kind.name == "type":
            return kind.args[0]
        if kind.name == "symbol":
            name = str(kind.ref)
            if class_fact(name) is not None:
                return Kind(name)
        return None

    # -- expressions -------------------------------------------------------------------------------------------------

    def _evaluate(self, node: cst.CSTNode) -> Kind | None:
        match node:
            case cst.Name():
                return self._name(node)
            case cst.Attribute():
                return self._attribute(self.of(node.value), node.attr.value, node)
            case cst.Call():
                return self._call(node)
            case cst.Await():
                return self.awaited(self.of(node.expression))
            case cst.NamedExpr():
                return self.of(node.value)
            case cst.IfExp():
                return union((self.of(node.body), self.of(node.orelse)))
            case cst.BooleanOperation():
                return union((self.of(node.left), self.of(node.right)))
            case cst.Subscript():
                return self._subscript(node)
            case cst.List() | cst.Tuple() | cst.Set():
                return self._display(node)
            case cst.Dict():
                return self._dict(node)
            case cst.ListComp():
                return Kind(_LIST, (self.of(node.elt),))
            case cst.SetComp():
                return Kind(_SET, (self.of(node.elt),))
            case cst.GeneratorExp():
                return Kind(_ITERATOR, (self.of(node.elt),))
            case cst.DictComp():
                return Kind(_DICT, (self.of(node.key), self.of(node.value)))
            case cst.SimpleString() | cst.FormattedString() | cst.ConcatenatedString():
                return Kind(_STR) if not _is_bytes(node) else Kind("builtins.bytes")
            case cst.Integer():
                return Kind("builtins.int")
            case cst.Float():
                return Kind("builtins.float")
            case cst.Comparison():
                return Kind("builtins.bool")
            case cst.BinaryOperation():
                return self._binary(node)
            case _:
                return None

    def _name(self, node: cst.Name) -> Kind | None:
        bindings = self._names.reaching(node)
        if bindings is None:
            if node.value == "None":
                return NONE
            return Kind("symbol", ref=f"builtins.{node.value}") if node.value in BUILTINS else None
        if not bindings:
            return None
        return self._merge([self.bound(binding, node) for binding in bindings], bindings, node)

    def _merge(self, kinds: list[Kind | None], bindings: list[Binding], node: cst.Name) -> Kind | None:
        if all(binding.how == "import" for binding in bindings):
            known = [kind for kind in kinds if kind is not None]
            return known[0] if known else None
        imported = [kind for kind, binding in zip(kinds, bindings, strict=True) if binding.how == "import"]
        if imported and all(k == NONE or b.how == "import" for k, b in zip(kinds, bindings, strict=True)):
            # `try: import x` / `except ImportError: x = None`
            return imported[0]
        return self._filled(union(tuple(kinds)), node.value, lambda scope: self._same_home(node, scope))

    def _same_home(self, node: cst.Name, scope: Scope) -> bool:
        home = self._names.home(node.value, self._tree.scope_of(node))
        return self._names.home(node.value, scope) is home

    def bound(self, binding: Binding, name: cst.Name | None = None) -> Kind | None:
        """The kind of what a binding binds."""
        match binding.how:
            case "import":
                return _symbol(binding.target)
            case "def":
                info = self._definitions.functions[binding.node]  # type: ignore[index]
                return Kind("function", ref=info)
            case "class":
                class_info = self._definitions.classes[binding.node]  # type: ignore[index]
                return Kind("type", (Kind("instance", ref=class_info),))
            case "param":
                return self._param(binding)
            case "augmented":
                target = binding.node.target  # type: ignore[attr-defined]
                return self.of(target) if target is not name else None
        if binding.annotation is not None:
            annotated = self.annotated(binding.annotation)
            if annotated is not None:
                return self._informed(annotated, binding)
        if binding.value is None:
            return None
        return self._part(self._source(binding), binding.path)

    def _informed(self, annotated: Kind, binding: Binding) -> Kind:
        """An annotation such as `list` or `Any` says less than the value it stands with."""
        if binding.value is not None and annotated.name in (_LIST, _DICT, _SET, _TUPLE) and not any(annotated.args):
            value = self.of(binding.value)
            if value is not None and value.name == annotated.name:
                return value
        return annotated

    def _source(self, binding: Binding) -> Kind | None:
        kind = self.of(binding.value)
        if binding.how == "for":
            is_async = isinstance(binding.node, cst.For | cst.CompFor) and binding.node.asynchronous is not None
            return self.element(kind, is_async)
        if binding.how == "with":
            around = self._tree.parents[binding.node]
            return self.entered(kind, isinstance(around, cst.With) and around.asynchronous is not None)
        if binding.how == "assign":
            return kind
        return None

    def _part(self, kind: Kind | None, path: tuple[int, ...]) -> Kind | None:
        for position in path:
            if kind is None or position == UNKNOWN_POSITION:
                return None
            kind = self._item(kind, position)
        return kind

    def _item(self, kind: Kind, position: int) -> Kind | None:
        if kind.name == _TUPLE and len(kind.args) > 1:
            return kind.args[position] if -len(kind.args) <= position < len(kind.args) else None
        for base in self.mro(kind):
            if base.name == _TUPLE and len(base.args) > 1:
                return base.args[position] if position < len(base.args) else None
        return self.element(kind)

    def _param(self, binding: Binding) -> Kind | None:
        param = binding.node
        assert isinstance(param, cst.Param)
        function = self._tree.parents[self._tree.parents[param]]
        info = self._definitions.functions.get(function)  # type: ignore[call-overload]
        if binding.annotation is not None:
            kind = self.annotated(binding.annotation)
            if param.star == "*":
                return Kind(_TUPLE, (kind,))
            if param.star == "**":
                return Kind(_DICT, (Kind(_STR), kind))
            return kind
        if info is None or info.owner is None or info.this != param.name.value:
            return None
        instance = Kind("instance", ref=info.owner)
        return Kind("type", (instance,)) if info.is_classmethod else instance

    # -- attributes --------------------------------------------------------------------------------------------------

    def _attribute(self, kind: Kind | None, name: str, node: cst.Attribute | None = None) -> Kind | None:
        if kind is None:
            return None
        if kind.name == "union":
            return union(tuple(self._attribute(part, name, node) for part in kind.args))
        if kind.name == "symbol":
            return self._symbol_attribute(str(kind.ref), name)
        if kind.name == "type":
            inner = kind.args[0]
            return None if inner is None else self._class_attribute(inner, name)
        if kind.name in ("function", "method", "partial", "awaitable", "none"):
            return None
        return self._instance_attribute(kind, name, node)

    def _symbol_attribute(self, owner: str, name: str) -> Kind | None:
        full = canonical(f"{owner}.{name}")
        text = constant_fact(full)
        if text is not None:
            return instantiate(written(text), {}, None)
        if class_fact(owner) is not None:
            return self._class_attribute(Kind(owner), name)
        return Kind("symbol", ref=full)

    def _class_attribute(self, kind: Kind, name: str) -> Kind | None:
        for current in self.mro(kind):
            if isinstance(current.ref, ClassInfo):
                found = self._own_class_attribute(current.ref, kind, name)
                if found is not None or name in current.ref.methods or name in current.ref.attributes:
                    return found
        return self._library_attribute(kind, name)

    def _own_class_attribute(self, info: ClassInfo, receiver: Kind, name: str) -> Kind | None:
        method = info.methods.get(name)
        if method is not None:
            return Kind("function", (Kind("type", (receiver,)),) if method.is_classmethod else (), method)
        bindings = info.attributes.get(name)
        return self._attribute_kind(info, name, bindings) if bindings else None

    def _instance_attribute(self, kind: Kind, name: str, node: cst.Attribute | None) -> Kind | None:
        for current in self.mro(kind):
            info = current.ref
            if not isinstance(info, ClassInfo):
                break
            method = info.methods.get(name)
            if method is not None:
                return self.returned(method) if method.is_property else Kind("function", (kind,), method)
            bindings = [*info.attributes.get(name, ()), *info.assigned.get(name, ())]
            if bindings:
                return self._attribute_kind(info, name, bindings)
        return self._library_attribute(kind, name)

    def _attribute_kind(self, info: ClassInfo, name: str, bindings: list[Binding]) -> Kind | None:
        for binding in bindings:
            if binding.annotation is not None:
                kind = self.annotated(binding.annotation)
                if kind is not None and kind.name != "none":
                    return self._filled(self._informed(kind, binding), name, self._in_class(info), own=True)
        kinds = tuple(self.bound(binding) for binding in bindings if binding.how != "augmented")
        return self._filled(union(kinds), name, self._in_class(info), own=True)

    def _in_class(self, info: ClassInfo) -> Callable[[Scope], bool]:
        def inside(scope: Scope) -> bool:
            return any(node is info.node for node in self._tree.ancestors(scope))

        return inside

    def _library_attribute(self, kind: Kind, name: str) -> Kind | None:
        """A member that the value has from a library class, its own or the nearest known base."""
        for current in self.mro(kind):
            if isinstance(current.ref, ClassInfo):
                continue
            found = member(current, name, kind)
            if found is None:
                return None
            gives = found.kind
            if not found.callable:
                return gives
            if found.asynchronous:
                gives = Kind("awaitable", (gives,))
            return Kind("method", (gives, kind), f"{found.owner}.{name}")
        return None

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call) -> Kind | None:
        return self.called(self.of(node.func), node)

    def called(self, callee: Kind | None, node: cst.Call) -> Kind | None:
        """What a call of this callee gives."""
        if callee is None:
            return None
        if callee.name == "symbol":
            return self._call_symbol(str(callee.ref), node)
        if callee.name == "type":
            return callee.args[0]
        if callee.name == "function":
            assert isinstance(callee.ref, FunctionInfo)
            return self.returned(callee.ref, callee.args[0] if callee.args else None)
        if callee.name == "method":
            return self._call_method(callee, node)
        if callee.name == "partial":
            return self.called(callee.args[0], node)
        if callee.name == "union":
            return union(tuple(self.called(part, node) for part in callee.args))
        return self.called(self._attribute(callee, "__call__"), node)

    def _call_symbol(self, name: str, node: cst.Call) -> Kind | None:
        arguments = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        first = arguments[0] if arguments else None
        if name in _ELEMENTWISE and (first is not None or class_fact(name) is None):
            return Kind(_ELEMENTWISE[name], (self.element(self.of(first)),))
        if name in _SAME:
            return self.of(arguments[_SAME[name]]) if len(arguments) > _SAME[name] else None
        special = getattr(self, "_call_" + name.replace(".", "_"), None)
        if special is not None:
            found: Kind | None = special(node, arguments)
            return found
        fact = class_fact(name)
        if fact is not None:
            return self._generic(name, node)
        return function_result(name, self._from_argument(name, node))

    def _generic(self, name: str, node: cst.Call) -> Kind:
        """A new object of a library class, its type argument taken from the constructor's where a table says so."""
        found = self._from_argument(name, node).get("T")
        return Kind(name, (found,) if found is not None else ())

    def _from_argument(self, name: str, node: cst.Call) -> dict[str, Kind | None]:
        """The `T` of a function's result, where it is the type of one of its arguments."""
        fact = libraries.FROM_ARGUMENT.get(name)
        if fact is None:
            return {}
        positional = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if fact.alone and len(positional) > 1:
            return {}
        given = argument(node, fact.position, fact.keyword)
        if given is None:
            return {"T": instantiate(written(fact.default), {}, None)}
        return {"T": self._matched(self.of(given), written(fact.pattern))}

    def _matched(self, kind: Kind | None, pattern: Written) -> Kind | None:
        """The part of a kind that stands where the pattern says `T`; a `|` offers several patterns."""
        if kind is None:
            return None
        if pattern.name == "T":
            return kind
        if pattern.name == "|":
            found = (self._matched(kind, part) for part in pattern.args)
            return next((part for part in found if part is not None), None)
        if pattern.name == "builtins.type":
            return self._instance(kind)
        for current in self.mro(kind):
            if current.name == pattern.name:
                pairs = zip(current.args, pattern.args, strict=False)
                return next((self._matched(arg, part) for arg, part in pairs), None)
        return None

    def _call_builtins_next(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        kinds = [self.element(self.of(arguments[0]))] if arguments else [None]
        kinds += [self.of(default) for default in arguments[1:2]]
        return union(tuple(kinds))

    def _call_builtins_enumerate(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self.element(self.of(arguments[0])) if arguments else None
        return Kind(_ITERATOR, (Kind(_TUPLE, (Kind("builtins.int"), inner)),))

    def _call_builtins_zip(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = tuple(self.element(self.of(argument)) for argument in arguments)
        return Kind(_ITERATOR, (Kind(_TUPLE, inner),)) if len(inner) > 1 else Kind(_ITERATOR)

    def _call_builtins_filter(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind(_ITERATOR, (self.element(self.of(arguments[1])),)) if len(arguments) == 2 else None

    def _call_builtins_map(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind(_ITERATOR, (self._result_of(arguments[0], node),)) if arguments else None

    def _call_builtins_super(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        scope = self._tree.scope_of(node)
        info = self._definitions.functions.get(scope)  # type: ignore[call-overload]
        if info is None or info.owner is None:
            return None
        bases = self.bases(info.owner)
        return bases[0] if bases else None

    def _call_builtins_type(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("type", (self.of(arguments[0]),)) if len(arguments) == 1 else None

    def _call_functools_partial(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("partial", (self.of(arguments[0]),), node) if arguments else None

    def _call_concurrent_futures_as_completed(
        self, node: cst.Call, arguments: list[cst.BaseExpression]
    ) -> Kind | None:
        inner = self.element(self.of(arguments[0])) if arguments else None
        return Kind(_ITERATOR, (_done(inner),))

    def _call_concurrent_futures_wait(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self.element(self.of(arguments[0])) if arguments else None
        return Kind(_TUPLE, (Kind(_SET, (_done(inner),)), Kind(_SET, (inner,))))

    def _call_asyncio_wait(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        inner = self.element(self.of(arguments[0])) if arguments else None
        return Kind("awaitable", (Kind(_TUPLE, (Kind(_SET, (inner,)), Kind(_SET, (inner,)))),))

    def _call_asyncio_create_task(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("asyncio.Task", (self.awaited(self.of(arguments[0])) if arguments else None,))

    _call_asyncio_ensure_future = _call_asyncio_create_task

    def _call_asyncio_to_thread(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("awaitable", (self._result_of(arguments[0], node) if arguments else None,))

    _call_anyio_to_thread_run_sync = _call_asyncio_to_thread

    def _call_method(self, callee: Kind, node: cst.Call) -> Kind | None:
        name = str(callee.ref)
        arguments = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if name.endswith(".submit") and self.is_a(callee.args[0], _POOL_FUTURE) and arguments:
            return Kind(_POOL_FUTURE, (self._result_of(arguments[0], node),))
        if name.endswith(".run_in_executor") and len(arguments) > 1:
            return Kind(_FUTURE, (self._result_of(arguments[1], node),))
        if name.endswith((".enter_context", ".enter_async_context")) and arguments:
            is_async = name.endswith("_async_context")
            entered = self.entered(self.of(arguments[0]), is_async)
            return Kind("awaitable", (entered,)) if is_async else entered
        if name.endswith(".create_task") and arguments:
            return Kind("asyncio.Task", (self.awaited(self.of(arguments[0])),))
        variables = self._from_argument(name, node)
        if variables and callee.args[1] is not None:
            for current in self.mro(callee.args[1]):
                found = member(current, name.rpartition(".")[2], callee.args[1], variables)
                if found is not None:
                    return Kind("awaitable", (found.kind,)) if found.asynchronous else found.kind
        return callee.args[0]

    def _result_of(self, function: cst.BaseExpression, node: cst.Call) -> Kind | None:
        """What calling a passed function would give."""
        if isinstance(function, cst.Lambda):
            return self.of(function.body)
        return self.called(self.of(function), cst.Call(function))

    def returned(self, info: FunctionInfo, receiver: Kind | None = None) -> Kind | None:
        """What calling a function of the file gives."""
        if info not in self._returns:
            if info in self._open:
                return None
            self._open.add(info)
            try:
                kind = self._return_kind(info)
            finally:
                self._open.discard(info)
            if kind is not None or not self._open:
                self._returns[info] = kind
            return kind
        return self._returns[info]

    def _return_kind(self, info: FunctionInfo) -> Kind | None:
        managed = info.decorator_names & {"contextmanager", "asynccontextmanager"}
        if info.node.returns is not None:
            kind = self.annotated(info.node.returns.annotation)
            if managed:
                return self._manager(managed, None if kind is None or not kind.args else kind.args[0])
        elif managed:
            return self._manager(managed, self._yielded(info))
        elif not info.decorator_names <= TRANSPARENT:
            return None
        elif info.is_generator:
            return Kind(_ASYNC_ITERATOR if info.is_async else _ITERATOR, (self._yielded(info),))
        else:
            kind = self._inferred(info)
        if info.is_async and not info.is_generator:
            return Kind("awaitable", (kind,))
        return kind

    @staticmethod
    def _manager(managed: frozenset[str], kind: Kind | None) -> Kind:
        is_async = "asynccontextmanager" in managed
        return Kind(f"contextlib.Abstract{'Async' if is_async else ''}ContextManager", (kind,))

    def _yielded(self, info: FunctionInfo) -> Kind | None:
        yields = [node for node in info.own if isinstance(node, cst.Yield)]
        if any(isinstance(node.value, cst.From) for node in yields):
            return None
        return union(tuple(self.of(node.value) for node in yields))  # type: ignore[arg-type]

    def _inferred(self, info: FunctionInfo) -> Kind | None:
        values = [node.value for node in info.own if isinstance(node, cst.Return)]
        if not values:
            return NONE
        return union(tuple(NONE if value is None else self.of(value) for value in values))

    # -- containers, context managers, awaitables --------------------------------------------------------------------

    def element(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What iterating over a value gives."""
        if kind is None:
            return None
        if kind.name == "union":
            return union(tuple(self.element(part, is_async) for part in kind.args))
        if kind.name == _TUPLE and len(kind.args) > 1:
            return union(kind.args)
        if kind.name in (_LIST, _SET, _TUPLE, _DICT, _ITERATOR, _ASYNC_ITERATOR):
            return kind.args[0] if kind.args else None
        given = self.called(self._attribute(kind, "__aiter__" if is_async else "__iter__"), _NO_ARGUMENTS)
        if given is None or given == kind:
            return kind.args[0] if kind.args and given is not None else None
        return given.args[0] if given.args else None

    def entered(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What `with` (or `async with`) binds for a context manager."""
        if kind is None:
            return None
        if kind.name in ("contextlib.AbstractContextManager", "contextlib.AbstractAsyncContextManager"):
            return kind.args[0] if kind.args else None
        if isinstance(kind.ref, str) and kind.name == "awaitable":
            return None
        method = self._attribute(kind, "__aenter__" if is_async else "__enter__")
        given = self.called(method, _NO_ARGUMENTS)
        return self.awaited(given) if is_async else given

    def awaited(self, kind: Kind | None) -> Kind | None:
        """What awaiting a value gives."""
        if kind is None:
            return None
        if kind.name in ("awaitable", "asyncio.Task", "asyncio.Future"):
            return kind.args[0] if kind.args else None
        if kind.name == "union":
            return union(tuple(self.awaited(part) for part in kind.args))
        given = self.called(self._attribute(kind, "__await__"), _NO_ARGUMENTS)
        return given.args[-1] if given is not None and given.args else None

    def _display(self, node: cst.List | cst.Tuple | cst.Set) -> Kind | None:
        kinds = tuple(self._displayed(element) for element in node.elements)
        if isinstance(node, cst.Tuple):
            if any(isinstance(element, cst.StarredElement) for element in node.elements):
                return Kind(_TUPLE)
            return Kind(_TUPLE, kinds if len(kinds) != 1 else kinds)
        return Kind(_LIST if isinstance(node, cst.List) else _SET, (union(kinds),) if kinds else ())

    def _displayed(self, element: cst.BaseElement) -> Kind | None:
        kind = self.of(element.value)
        return self.element(kind) if isinstance(element, cst.StarredElement) else kind

    def _dict(self, node: cst.Dict) -> Kind | None:
        if not node.elements:
            return Kind(_DICT)
        if any(isinstance(element, cst.StarredDictElement) for element in node.elements):
            return Kind(_DICT, (None, None))
        pairs = [element for element in node.elements if isinstance(element, cst.DictElement)]
        return Kind(_DICT, (union(tuple(self.of(p.key) for p in pairs)), union(tuple(self.of(p.value) for p in pairs))))

    def _subscript(self, node: cst.Subscript) -> Kind | None:
        base = self.of(node.value)
        if base is None:
            return None
        if base.name in ("symbol", "type"):
            annotated = self.annotated(node)
            return None if annotated is None else Kind("type", (annotated,))
        index = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(index, cst.Slice):
            return base
        if base.name == _TUPLE and isinstance(index, cst.Index) and isinstance(index.value, cst.Integer):
            return self._item(base, int(index.value.evaluated_value))
        if base.name in (_DICT, "collections.OrderedDict", "collections.defaultdict"):
            return base.args[1] if len(base.args) > 1 else None
        if base.name in (_LIST, _TUPLE):
            return self.element(base)
        return self.called(self._attribute(base, "__getitem__"), _NO_ARGUMENTS)

    def _binary(self, node: cst.BinaryOperation) -> Kind | None:
        left = self.of(node.left)
        if isinstance(node.operator, cst.Divide):
            given = self.called(self._attribute(left, "__truediv__"), _NO_ARGUMENTS)
            return given or self.called(self._attribute(self.of(node.right), "__rtruediv__"), _NO_ARGUMENTS)
        if isinstance(node.operator, cst.Add | cst.BitOr) and left is not None and left.name in (_LIST, _SET, _TUPLE):
            return union((left, self.of(node.right)))
        if left is not None and left.name in (_STR, "builtins.int", "builtins.float"):
            return left
        return None

    def _filled(
        self, kind: Kind | None, name: str, same: Callable[[Scope], bool], own: bool = False
    ) -> Kind | None:
        """A container that starts empty takes its element's kind from what is put into it."""
        if kind is None or any(kind.args) or not self._is_container(kind):
            return kind
        if (kind, name) in self._open:
            return kind
        added = [
            (way, value)
            for node, way, value in self._added().get(name, ())
            if own == isinstance(node, cst.Attribute) and same(self._tree.scope_of(node))
        ]
        if not added:
            return kind
        self._open.add((kind, name))
        try:
            kinds = [self.element(self.of(value)) if way == "join" else self.of(value) for way, value in added]
        finally:
            self._open.discard((kind, name))
        inner = union(tuple(kinds))
        keyed = kind.name in (_DICT, "collections.defaultdict", "collections.OrderedDict")
        return Kind(kind.name, (None, inner) if keyed else (inner,), kind.ref)

    def _is_container(self, kind: Kind) -> bool:
        return kind.name.startswith(("builtins.", "collections.", "queue.")) and kind.name not in (_STR, "builtins.int")

    def _added(self) -> dict[str, list[tuple[cst.CSTNode, str, cst.BaseExpression]]]:
        """By variable or attribute name: the values that the file puts into the container of that name."""
        if self._additions is None:
            self._additions = {}
            for nodes in self._tree.own.values():
                for node in nodes:
                    self._note_addition(node)
        return self._additions

    def _note_addition(self, node: cst.CSTNode) -> None:
        container: cst.BaseExpression | None = None
        value: cst.BaseExpression | None = None
        way = "add"
        match node:
            case cst.Call(func=cst.Attribute(value=container_, attr=cst.Name(value=method)), args=args) if args:
                if method in _ADDING or method in _JOINING or method == "setdefault":
                    container, value = container_, args[-1].value
                    way = "join" if method in _JOINING else "add"
            case cst.AugAssign(target=container, operator=cst.AddAssign(), value=value):
                way = "join"
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=container))], value=value):
                pass
        if value is None or not isinstance(container, cst.Name | cst.Attribute):
            return
        name = container.value if isinstance(container, cst.Name) else container.attr.value
        assert self._additions is not None
        self._additions.setdefault(name, []).append((container, way, value))

    # -- annotations -------------------------------------------------------------------------------------------------

    def annotated(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the values that an annotation allows; `| None` is left out."""
        match node:
            case cst.SimpleString() | cst.ConcatenatedString():
                return self._string_annotation(node)
            case cst.BinaryOperation(operator=cst.BitOr(), left=left, right=right):
                return union((self.annotated(left), self.annotated(right)))
            case cst.Name(value="None"):
                return NONE
            case cst.Name() | cst.Attribute():
                return self._plain_annotation(node)
            case cst.Subscript():
                return self._subscript_annotation(node)
            case _:
                return None

    def _plain_annotation(self, node: cst.Name | cst.Attribute) -> Kind | None:
        kind = self.of(node)
        if kind is None:
            return self._forward(node)
        if kind.name == "type":
            return kind.args[0]
        if kind.name != "symbol":
            return None
        name = str(kind.ref)
        if name == "typing.Self":
            return self._enclosing_instance(node)
        if name in ("builtins.type", "typing.Type"):
            return Kind("type", (None,))
        if class_fact(name) is not None:
            return Kind(name)
        # `multiprocessing.Queue` and its like are functions that everybody annotates with.
        return function_result(name)

    def _forward(self, node: cst.Name | cst.Attribute) -> Kind | None:
        """A class of the file that is defined further down."""
        if isinstance(node, cst.Name):
            for binding in self._names.bindings(self._tree.module).get(node.value, ()):
                if binding.how in ("class", "import"):
                    return self._instance(self.bound(binding))
        return None

    def _enclosing_instance(self, node: cst.CSTNode) -> Kind | None:
        for around in self._tree.ancestors(node):
            if isinstance(around, cst.ClassDef):
                return Kind("instance", ref=self._definitions.classes[around])
        return None

    def _subscript_annotation(self, node: cst.Subscript) -> Kind | None:
        base = self.of(node.value)
        args = [item.slice.value for item in node.slice if isinstance(item.slice, cst.Index)]
        if base is None:
            return None
        if base.name == "type":
            return base.args[0]
        if base.name != "symbol" or not args:
            return None
        name = str(base.ref)
        if name == "typing.Union":
            return union(tuple(self.annotated(arg) for arg in args))
        if name in ("typing.Optional", "typing.Annotated", "typing.Final", "typing.ClassVar", "typing.Required",
                    "typing.NotRequired", "sqlalchemy.orm.Mapped", "sqlalchemy.orm.DynamicMapped"):  # fmt: skip
            return self.annotated(args[0])
        kinds = tuple(self.annotated(arg) for arg in args if not isinstance(arg, cst.Ellipsis | cst.List))
        if name in ("builtins.type", "typing.Type"):
            return Kind("type", kinds[:1])
        if name in ("collections.abc.Awaitable", "collections.abc.Coroutine"):
            return Kind("awaitable", kinds[-1:])
        return Kind(name, kinds) if class_fact(name) is not None else None

    def _string_annotation(self, node: cst.SimpleString | cst.ConcatenatedString) -> Kind | None:
        text = node.evaluated_value
        if not isinstance(text, str) or len(text) > 200:
            return None
        try:
            expression = cst.parse_expression(text.strip())
        except cst.ParserSyntaxError:
            return None
        self._adopt(expression, node)
        return self.annotated(expression)

    def _adopt(self, expression: cst.BaseExpression, parent: cst.CSTNode) -> None:
        """Make a parsed string annotation part of the tree, so that its names resolve where the string stands."""
        self._tree.adopt(expression, parent)


def _symbol(target: str) -> Kind:
    name = canonical(target)
    text = constant_fact(name)
    if text is not None:
        kind = instantiate(written(text), {}, None)
        if kind is not None:
            return kind
    return Kind("symbol", ref=name)


def _done(kind: Kind | None) -> Kind | None:
    return Kind(kind.name, kind.args, DONE) if kind is not None and kind.name == _POOL_FUTURE else kind


def _is_bytes(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleString) and "b" in node.prefix.lower()


_NO_ARGUMENTS = cst.Call(cst.Name("_"))
