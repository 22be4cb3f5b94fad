"""What a value is: follows an expression to the class of its value, as far as the file and the tables tell.

Unknown is None, and stays None: nothing is guessed from a name.
"""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from flake8_concurrency.knowledge import libraries
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo, Definitions, FunctionInfo, attribute_bindings
from flake8_concurrency.model.facts import (
    CONTAINERS,
    NONE,
    UNDECIDED,
    Kind,
    Written,
    ancestry,
    canonical,
    class_fact,
    constant_fact,
    function_result,
    instantiate,
    member,
    settled,
    union,
    written,
)
from flake8_concurrency.model.names import BUILTINS, STARRED, Binding, Names
from flake8_concurrency.model.narrowing import Narrowing
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

#: Beyond this many steps an expression counts as unknown: no real one needs them.
_DEEPEST = 50
#: The field that a chain of calls or operators starts with; one longer than this is followed from its start.
_STARTS_WITH: dict[type[cst.CSTNode], str] = {
    cst.Call: "func",
    cst.Attribute: "value",
    cst.Subscript: "value",
    cst.Await: "expression",
    cst.BinaryOperation: "left",
    cst.BooleanOperation: "left",
}
_LONG_CHAIN = 8
#: The rank of what waits for nothing that is still being found out.
_NOTHING_OPEN = 1_000_000

_LIST, _TUPLE, _SET, _DICT, _STR = "builtins.list", "builtins.tuple", "builtins.set", "builtins.dict", "builtins.str"
_ITERATOR, _ASYNC_ITERATOR = "collections.abc.Iterator", "collections.abc.AsyncIterator"
_FUTURE, _POOL_FUTURE = "asyncio.Future", "concurrent.futures.Future"
#: `Kind.ref` of a future that is known to be done.
DONE = "done"
#: `Kind.ref` of a queue that was made with a size.
BOUNDED = "bounded"
#: `Kind.ref` of a lock that was made to give up at once.
IMPATIENT = "impatient"
_QUEUES = ("queue.Queue", "multiprocessing.queues.Queue")
_FILE_LOCK = "filelock.BaseFileLock"

_CONSTANTS: dict[type[cst.CSTNode], Kind] = {
    cst.SimpleString: Kind(_STR),
    cst.ConcatenatedString: Kind(_STR),
    cst.FormattedString: Kind(_STR),
    cst.Integer: Kind("builtins.int"),
    cst.Float: Kind("builtins.float"),
    cst.Comparison: Kind("builtins.bool"),
}

#: Methods that put an argument into a container.
_ADDING = frozenset({"append", "appendleft", "add", "insert", "put", "put_nowait", "setdefault"})
_ADDING_NODES = frozenset({cst.Call, cst.AugAssign, cst.Assign})
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
    "copy.copy": 0,
    "copy.deepcopy": 0,
    "asyncio.shield": 0,
    "asyncio.wait_for": 0,
    "typing.assert_type": 0,
    "inspect.unwrap": 0,
}


_KEYED = frozenset({_DICT, "collections.defaultdict", "collections.OrderedDict"})
#: A longer tuple is a table, not a record.
_LONGEST_TUPLE = 32

#: Bases without members of their own.
_BARE_BASES = frozenset({"typing.Generic", "typing.Protocol", "typing.TypedDict", "abc.ABC", "builtins.object"})
#: No class has more bases than this, unless it derives from itself.
_MOST_BASES = 200


class Kinds:
    """Evaluates the expressions of one file."""

    def __init__(self, tree: Tree, names: Names, definitions: Definitions) -> None:
        self._tree = tree
        self._names = names
        self._definitions = definitions
        self._known: dict[object, Kind | None] = {}
        #: What is being found out now, each with its rank, the first one 0.
        self._open: dict[object, int] = {}
        #: What was found out while something it depends on was open, with the lowest rank among those.
        self._tentative: dict[object, tuple[Kind | None, int]] = {}
        self._lowest = _NOTHING_OPEN
        self._writes: dict[str, list[tuple[cst.Attribute, Binding]]] | None = None
        self._uses: dict[str, list[cst.Name | cst.Attribute]] | None = None
        self._narrowing: Narrowing | None = None
        self._lineages: dict[Kind, list[Kind | None]] = {}
        self._additions: dict[tuple[str, Scope], list[tuple[str, cst.BaseExpression]]] | None = None

    # -- the questions -----------------------------------------------------------------------------------------------

    def of(self, node: cst.CSTNode | None) -> Kind | None:
        """The kind of an expression's value; None when it is not known."""
        if node is None:
            return None
        if node in self._known:
            return self._known[node]
        for inner in self._chain(node):
            self._find(inner, lambda inner=inner: self._evaluate(inner))  # type: ignore[misc]
        return self._find(node, lambda: self._evaluate(node))

    def _chain(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """What a long chain of calls or operators starts from, innermost first: it may be deeper than we recurse."""
        found: list[cst.CSTNode] = []
        while (field := _STARTS_WITH.get(type(node))) is not None:
            node = getattr(node, field)
            if node in self._known or node in self._open or node in self._tentative:
                break
            found.append(node)
        return found[::-1] if len(found) > _LONG_CHAIN else []

    def _find(self, key: object, evaluate: Callable[[], Kind | None]) -> Kind | None:
        """Evaluate once. What depends on itself is undecided there, and nothing that follows from that is kept."""
        if key in self._known:
            return self._known[key]
        if key in self._open:
            self._lowest = min(self._lowest, self._open[key])
            return UNDECIDED
        if key in self._tentative:
            kind, lowest = self._tentative[key]
            self._lowest = min(self._lowest, lowest)
            return kind
        rank = len(self._open)
        if rank > _DEEPEST:
            self._lowest = -1
            return None
        outer, self._lowest = self._lowest, _NOTHING_OPEN
        self._open[key] = rank
        try:
            kind = evaluate()
        finally:
            del self._open[key]
        if rank == 0 or self._lowest >= rank:
            for inner in [inner for inner, (_, lowest) in self._tentative.items() if lowest >= rank or rank == 0]:
                del self._tentative[inner]
            kind = self._known[key] = settled(kind)
            self._lowest = outer
        else:
            self._tentative[key] = (kind, self._lowest)
            self._lowest = min(outer, self._lowest)
        return kind

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The dotted name that an expression means, whatever its spelling: `time.sleep`, `requests.Session.get`."""
        kind = self.of(node)
        if kind is not None and kind.name in ("symbol", "method"):
            return str(kind.ref)
        if kind is not None and kind.name == "type" and kind.args[0] is not None:
            return None if isinstance(kind.args[0].ref, ClassInfo) else kind.args[0].name
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
        return [current for current in self.lineage(kind) if current is not None]

    def lineage(self, kind: Kind) -> list[Kind | None]:
        """The kind and those of its bases in the order in which they are looked up; None for one that is not known."""
        found = self._lineages.get(kind)
        if found is None:
            outer, self._lowest = self._lowest, _NOTHING_OPEN
            found = self._ordered(kind) if isinstance(kind.ref, ClassInfo) else [*ancestry(kind)]
            if self._lowest == _NOTHING_OPEN:
                self._lineages[kind] = found
            self._lowest = min(outer, self._lowest)
        return found

    def _ordered(self, kind: Kind) -> list[Kind | None]:
        found: list[Kind | None] = []
        pending: list[Kind | None] = [kind]
        while pending and len(found) < _MOST_BASES:
            current = pending.pop(0)
            if current is not None and isinstance(current.ref, ClassInfo):
                found.append(current)
                pending = [*self.bases(current.ref), *pending]
            else:
                found += [None] if current is None else ancestry(current)
        # A base that several others share comes after all of them.
        last = {base: position for position, base in enumerate(found)}
        return [base for position, base in enumerate(found) if base is None or last[base] == position]

    def bases(self, info: ClassInfo) -> list[Kind | None]:
        """The kinds of a class's bases; None for one that is not known. Those that give no members are left out."""
        found: list[Kind | None] = []
        for base in info.bases:
            plain = base.value if isinstance(base, cst.Subscript) else base
            if self._symbol_name(plain) not in _BARE_BASES:
                found.append(self.instance_of(base))
        return found

    def _symbol_name(self, node: cst.BaseExpression) -> str | None:
        kind = self.of(node)
        return str(kind.ref) if kind is not None and kind.name == "symbol" else None

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
        constant = _CONSTANTS.get(type(node))
        if constant is not None:
            return constant if not _is_bytes(node) else Kind("builtins.bytes")
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
            case cst.BooleanOperation(operator=cst.And()):
                # The left side only shows when it is false, and then stands for None.
                return self.of(node.right)
            case cst.BooleanOperation():
                return union((self.of(node.left), self.of(node.right)))
            case cst.Lambda():
                return Kind("lambda", (self.of(node.body),))
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
            case cst.UnaryOperation(operator=cst.Not()):
                return Kind("builtins.bool")
            case cst.UnaryOperation(operator=cst.Minus()):
                kind = self.of(node.expression)
                return kind if kind is not None and kind.name in ("builtins.int", "builtins.float") else None
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
        kind = self._merge([self.bound(binding, node) for binding in bindings], bindings, node)
        return self._narrowed(node, bindings) or kind or self._declared(node)

    def _declared(self, node: cst.Name) -> Kind | None:
        """What an annotation says of a variable, when its value at this place is not known."""
        home = self._names.home(node.value, self._tree.scope_of(node))
        for binding in self._names.all_bindings(node.value, home) if home is not None else ():
            if binding.annotation is not None and binding.how in ("assign", "annotation"):
                return self.annotated(binding.annotation)
        return None

    def _narrowed(self, node: cst.Name, bindings: list[Binding]) -> Kind | None:
        if self._narrowing is None:
            self._narrowing = Narrowing(self._tree)
        test = self._narrowing.test(node, bindings)
        return None if test is None else self._instances(test.classes)

    def _instances(self, classes: cst.BaseExpression) -> Kind | None:
        """The kind of the instances of a class, or of several in a tuple or joined by `|`."""
        match classes:
            case cst.Tuple():
                return union(tuple(self._instances(element.value) for element in classes.elements))
            case cst.BinaryOperation(operator=cst.BitOr()):
                return union((self._instances(classes.left), self._instances(classes.right)))
        return self.instance_of(classes)

    def _merge(self, kinds: list[Kind | None], bindings: list[Binding], node: cst.Name) -> Kind | None:
        if all(binding.how == "import" for binding in bindings):
            known = [kind for kind in kinds if kind is not None]
            return known[0] if known else None
        imported = [kind for kind, binding in zip(kinds, bindings, strict=True) if binding.how == "import"]
        if imported and all(k == NONE or b.how == "import" for k, b in zip(kinds, bindings, strict=True)):
            # `try: import x` / `except ImportError: x = None`
            return imported[0]
        return self._filled(union(tuple(kinds)), node.value, self._names.home(node.value, self._tree.scope_of(node)))

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
                kind = self.of(target) if target is not name else UNDECIDED
                return None if kind is not None and kind.name in ("symbol", "type") else kind
            case "match":
                pattern = binding.node.pattern if isinstance(binding.node, cst.MatchAs) else None
                return self.instance_of(pattern.cls) if isinstance(pattern, cst.MatchClass) else None
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
        if binding.value is not None and annotated.name.endswith(("Queue", "FileLock")):
            value = self.of(binding.value)
            if value is not None and value.ref in (BOUNDED, IMPATIENT):
                return Kind(annotated.name, annotated.args, value.ref)
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
            if kind is None or kind is UNDECIDED:
                return kind
            if position >= 0:
                kind = self._item(kind, position)
                continue
            inner = None if kind.name == _TUPLE and len(kind.args) > 1 else self.element(kind)
            kind = Kind(_LIST, (inner,)) if position == STARRED else inner
        return kind

    def _item(self, kind: Kind, position: int) -> Kind | None:
        if kind.name == _TUPLE and len(kind.args) > 1:
            return kind.args[position] if -len(kind.args) <= position < len(kind.args) else None
        for base in self.mro(kind):
            if base.name == _TUPLE and len(base.args) > 1:
                return base.args[position] if position < len(base.args) else None
            if isinstance(base.ref, ClassInfo) and self.is_a(base, "typing.NamedTuple"):
                fields = [found[0].annotation for found in base.ref.attributes.values() if found[0].annotation]
                return self.annotated(fields[position]) if position < len(fields) else None
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
        if info is None:
            return None
        if info.owner is None or info.this != param.name.value:
            return self._passed(info, param)
        instance = Kind("instance", ref=info.owner)
        return Kind("type", (instance,)) if info.is_classmethod else instance

    # -- what calls pass ---------------------------------------------------------------------------------------------

    def _passed(self, info: FunctionInfo, param: cst.Param) -> Kind | None:
        """What all calls pass for a parameter, where the file sees all calls: of a private or nested function."""
        if not self._is_private(info) or param.star or not info.decorator_names <= {"staticmethod", "classmethod"}:
            return None
        return self._find(param, lambda: self._given(info, param))

    def _is_private(self, info: FunctionInfo) -> bool:
        if info.name.startswith("_"):
            return not info.name.endswith("__")
        return info.owner is None and isinstance(self._tree.scope_of(info.node), cst.FunctionDef)

    def _given(self, info: FunctionInfo, param: cst.Param) -> Kind | None:
        if self._has_relatives(info):
            return None
        position = None if param in info.node.params.kwonly_params else info.params.index(param) - bool(info.this)
        kinds: list[Kind | None] = []
        for use in self._uses_of(info.name):
            means = self._means(use, info)
            if means is False:
                continue
            call = self._tree.parents[use]
            if means is None or not isinstance(call, cst.Call) or call.func is not use or passes_unknown(call):
                return None
            given = argument(call, position, param.name.value)
            kinds.append(self.of(param.default if given is None else given))
        return union(tuple(kinds))

    def _has_relatives(self, info: FunctionInfo) -> bool:
        """Whether a method overrides another of the file or is overridden: a call may enter either."""
        if info.owner is None:
            return False
        for other in self._definitions.functions.values():
            if other.name == info.name and other is not info and other.owner is not None:
                classes = [{base.ref for base in self.mro(Kind("instance", ref=o))} for o in (info.owner, other.owner)]
                if other.owner in classes[0] or info.owner in classes[1]:
                    return True
        return False

    def _means(self, use: cst.Name | cst.Attribute, info: FunctionInfo) -> bool | None:
        """Whether a name or attribute is this function; None when that cannot be told."""
        if isinstance(use, cst.Name):
            bindings = self._names.reaching(use) or ()
            if not any(binding.node is info.node for binding in bindings):
                return False
            return True if len(bindings) == 1 else None
        if info.owner is None:
            return False if isinstance(self._tree.scope_of(info.node), cst.FunctionDef) else None
        kind = self.of(use)
        if kind is None:
            return None
        return kind.ref is info

    def _uses_of(self, name: str) -> list[cst.Name | cst.Attribute]:
        """Where the name of a private or nested function is used."""
        if self._uses is None:
            self._uses = {info.name: [] for info in self._definitions.functions.values() if self._is_private(info)}
            for node in self._tree.nodes:
                if type(node) is cst.Name and node.value in self._uses:
                    use = self._use(node)
                    if use is not None:
                        self._uses[node.value].append(use)
        return self._uses[name]

    def _use(self, node: cst.Name) -> cst.Name | cst.Attribute | None:
        parent = self._tree.parents[node]
        if isinstance(parent, cst.Attribute) and parent.attr is node:
            return parent
        is_use = not isinstance(parent, cst.FunctionDef | cst.Param) and not (
            isinstance(parent, cst.Arg) and parent.keyword is node
        )
        return node if is_use else None

    # -- attributes --------------------------------------------------------------------------------------------------

    def _attribute(self, kind: Kind | None, name: str, node: cst.Attribute | None = None) -> Kind | None:
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self._attribute(part, name, node) for part in kind.args))
        if kind.name == "symbol":
            return self._symbol_attribute(str(kind.ref), name)
        if kind.name == "type":
            inner = kind.args[0]
            return None if inner is None else self._class_attribute(inner, name)
        if kind.name in ("function", "method", "partial", "lambda", "awaitable", "none"):
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
        for current in self.lineage(kind):
            if current is None:
                # It may have a member of this name.
                return None
            info = current.ref
            if isinstance(info, ClassInfo):
                if name in info.methods or name in info.attributes or name in info.assigned:
                    return self._own_class_attribute(info, kind, name)
            elif (found := _library_attribute(current, kind, name)) is not None:
                return found[0]
        return None

    def _own_class_attribute(self, info: ClassInfo, receiver: Kind, name: str) -> Kind | None:
        method = info.methods.get(name)
        if method is not None:
            return Kind("function", (Kind("type", (receiver,)),) if method.is_classmethod else (), method)
        return self._attribute_kind(info, name, [*info.attributes.get(name, ()), *info.assigned.get(name, ())])

    def _instance_attribute(self, kind: Kind, name: str, node: cst.Attribute | None) -> Kind | None:
        for current in self.lineage(kind):
            if current is None:
                return None
            info = current.ref
            if not isinstance(info, ClassInfo):
                found = _library_attribute(current, kind, name)
                if found is not None:
                    return found[0]
                continue
            method = info.methods.get(name)
            if method is not None:
                if method.is_property:
                    return self.returned(method, kind)
                return Kind("function", (Kind("type", (kind,)) if method.is_classmethod else kind,), method)
            bindings = [*info.attributes.get(name, ()), *info.assigned.get(name, ())]
            bindings += self._from_outside(info, name)
            if bindings:
                return self._attribute_kind(info, name, bindings)
        return None

    def _from_outside(self, info: ClassInfo, name: str) -> list[Binding]:
        """What code outside a class assigns to an attribute of its instances: `session.token = x`."""
        writes = self._attribute_writes().get(name)
        if not writes:
            return []
        return [binding for target, binding in writes if (kind := self.of(target.value)) and kind.ref is info]

    def _attribute_writes(self) -> dict[str, list[tuple[cst.Attribute, Binding]]]:
        """By attribute: the assignments in the file to an attribute of a name other than `self` and `cls`."""
        if self._writes is None:
            self._writes = {}
            for nodes in self._tree.own.values():
                for node in nodes:
                    for target, binding in attribute_bindings(node):
                        if isinstance(target.value, cst.Name) and target.value.value not in ("self", "cls"):
                            self._writes.setdefault(target.attr.value, []).append((target, binding))
        return self._writes

    def _attribute_kind(self, info: ClassInfo, name: str, bindings: list[Binding]) -> Kind | None:
        for binding in bindings:
            if binding.annotation is not None:
                kind = self.annotated(binding.annotation)
                if kind is not None and kind.name != "none":
                    return self._filled(self._informed(kind, binding), name, info.node)
        kinds = tuple(self.bound(binding) for binding in bindings if binding.how != "augmented")
        return self._filled(union(kinds), name, info.node)

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call) -> Kind | None:
        return self.called(self.of(node.func), node)

    def called(self, callee: Kind | None, node: cst.Call) -> Kind | None:
        """What a call of this callee gives."""
        if callee is None or callee is UNDECIDED:
            return callee
        if callee.name == "symbol":
            return self._call_symbol(str(callee.ref), node)
        if callee.name in ("type", "lambda"):
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
        if class_fact(name) is not None:
            return self._sized(self._generic(name, node), node)
        return self._sized(function_result(name, self._from_argument(name, node)), node)

    def _sized(self, kind: Kind | None, node: cst.Call) -> Kind | None:
        """The kind of a new object, which says so if it is a queue with a limit, or a lock that never waits."""
        if kind is not None and self.is_a(kind, _FILE_LOCK):
            return Kind(kind.name, kind.args, IMPATIENT) if _is_impatient(node) else kind
        if kind is None or not any(self.is_a(kind, name) for name in _QUEUES):
            return kind
        size = argument(node, 0, "maxsize")
        return kind if size is None or literal(size) == (0,) else Kind(kind.name, kind.args, BOUNDED)

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
        while isinstance(scope, COMPREHENSIONS):
            scope = self._tree.scope_of(scope)
        info = self._definitions.functions.get(scope)  # type: ignore[arg-type]
        if info is None or info.owner is None:
            return None
        bases = self.bases(info.owner)
        if not bases or bases[0] is None:
            return None
        return Kind("type", (bases[0],)) if info.is_classmethod else bases[0]

    def _call_builtins_type(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("type", (self.of(arguments[0]),)) if len(arguments) == 1 else None

    def _call_functools_partial(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("partial", (self.of(arguments[0]),), node) if arguments else None

    def _call_concurrent_futures_as_completed(
        self, node: cst.Call, arguments: list[cst.BaseExpression]
    ) -> Kind | None:
        inner = self.element(self.of(arguments[0])) if arguments else None
        return Kind(_ITERATOR, (_done(inner),))

    def _call_typing_cast(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if len(arguments) != 2:
            return None
        return self.annotated(arguments[0]) or self.of(arguments[1])

    def _call_itertools_chain(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if passes_unknown(node):
            return Kind(_ITERATOR)
        return Kind(_ITERATOR, (union(tuple(self.element(self.of(given)) for given in arguments)),))

    def _call_builtins_dict(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        if not node.args:
            return Kind(_DICT)
        given = self.of(arguments[0]) if arguments else None
        if given is None or len(node.args) > 1:
            return Kind(_DICT, (None, None))
        if self.is_a(given, _DICT):
            return given
        pair = self.element(given)
        is_pair = pair is not None and pair.name == _TUPLE and len(pair.args) == 2
        return Kind(_DICT, pair.args if pair is not None and is_pair else (None, None))

    def _call_collections_defaultdict(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        made = self._result_of(arguments[0], node) if arguments else NONE
        return Kind("collections.defaultdict", () if made == NONE else (None, made))

    def _call_contextlib_closing(self, node: cst.Call, arguments: list[cst.BaseExpression]) -> Kind | None:
        return Kind("contextlib.AbstractContextManager", (self.of(arguments[0]) if arguments else NONE,))

    _call_contextlib_nullcontext = _call_contextlib_aclosing = _call_contextlib_closing

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
            receiver, method = callee.args[1], name.rpartition(".")[2]
            found = next(filter(None, (member(base, method, receiver, variables) for base in self.mro(receiver))))
            return Kind("awaitable", (found.kind,)) if found.asynchronous else found.kind
        return callee.args[0]

    def _result_of(self, function: cst.BaseExpression, node: cst.Call) -> Kind | None:
        """What calling a passed function would give."""
        return self.called(self.of(function), cst.Call(function))

    def returned(self, info: FunctionInfo, receiver: Kind | None = None) -> Kind | None:
        """What calling a function of the file gives."""
        kind = self._find(info, lambda: self._return_kind(info))
        if receiver is not None and info.owner is not None and kind is not None:
            this = receiver.args[0] if receiver.name == "type" else receiver
            own = Kind("instance", ref=info.owner)
            if this is not None and this.ref is not info.owner and self._gives_receiver(info):
                if kind == Kind("awaitable", (own,)):
                    return Kind("awaitable", (this,))
                return this if kind == own else kind
        return kind

    def _gives_receiver(self, info: FunctionInfo) -> bool:
        """Whether a method gives its own object, or a new one of its own class, whatever class that is."""
        written = info.node.returns.annotation if info.node.returns is not None else None
        if isinstance(written, cst.SimpleString):
            return written.raw_value.rpartition(".")[2] == "Self"
        if written is not None and self._symbol_name(written) == "typing.Self":
            return True
        values = [node.value for node in info.own if isinstance(node, cst.Return)]
        made = [value.func if isinstance(value, cst.Call) and info.is_classmethod else value for value in values]
        return bool(made) and all(isinstance(value, cst.Name) and value.value == info.this for value in made)

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
        values = [node.value for node in info.own if isinstance(node, cst.Yield)]
        return union(tuple(self.element(self.of(v.item)) if isinstance(v, cst.From) else self.of(v) for v in values))

    def _inferred(self, info: FunctionInfo) -> Kind | None:
        values = [node.value for node in info.own if isinstance(node, cst.Return)]
        if not values:
            return NONE
        return union(tuple(NONE if value is None else self.of(value) for value in values))

    # -- containers, context managers, awaitables --------------------------------------------------------------------

    def element(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What iterating over a value gives."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self.element(part, is_async) for part in kind.args))
        if kind.name == _TUPLE and len(kind.args) > 1:
            return union(kind.args)
        if kind.name in (_LIST, _SET, _TUPLE, _DICT, _ITERATOR, _ASYNC_ITERATOR):
            return kind.args[0] if kind.args else None
        given = self.called(self._attribute(kind, "__aiter__" if is_async else "__iter__"), _NO_ARGUMENTS)
        if given is None or given is UNDECIDED:
            return given
        if given != kind and given.name.startswith("collections.abc."):
            return given.args[0] if given.args else None
        following = self.called(self._attribute(given, "__anext__" if is_async else "__next__"), _NO_ARGUMENTS)
        return self.awaited(following) if is_async else following

    def entered(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What `with` (or `async with`) binds for a context manager."""
        if kind is None or kind is UNDECIDED:
            return kind
        if kind.name == "union":
            return union(tuple(self.entered(part, is_async) for part in kind.args))
        if kind.name in ("contextlib.AbstractContextManager", "contextlib.AbstractAsyncContextManager"):
            return kind.args[0] if kind.args else None
        method = self._attribute(kind, "__aenter__" if is_async else "__enter__")
        given = self.called(method, _NO_ARGUMENTS)
        return self.awaited(given) if is_async else given

    def awaited(self, kind: Kind | None) -> Kind | None:
        """What awaiting a value gives."""
        if kind is None or kind is UNDECIDED:
            return kind
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
            return Kind(_TUPLE, kinds if len(kinds) <= _LONGEST_TUPLE else (union(kinds),))
        return Kind(_LIST if isinstance(node, cst.List) else _SET, (union(kinds),) if kinds else ())

    def _displayed(self, element: cst.BaseElement) -> Kind | None:
        kind = self.of(element.value)
        return self.element(kind) if isinstance(element, cst.StarredElement) else kind

    def _dict(self, node: cst.Dict) -> Kind | None:
        if not node.elements:
            return Kind(_DICT)
        if any(isinstance(element, cst.StarredDictElement) for element in node.elements):
            return self._merged_dict(node)
        pairs = [element for element in node.elements if isinstance(element, cst.DictElement)]
        return Kind(_DICT, (union(tuple(self.of(p.key) for p in pairs)), union(tuple(self.of(p.value) for p in pairs))))

    def _merged_dict(self, node: cst.Dict) -> Kind:
        values: list[Kind | None] = []
        for element in node.elements:
            kind = self.of(element.value)
            values.append(kind if isinstance(element, cst.DictElement) else self._value_of_mapping(kind))
        return Kind(_DICT, (None, union(tuple(values))))

    @staticmethod
    def _value_of_mapping(kind: Kind | None) -> Kind | None:
        if kind is None or kind is UNDECIDED:
            return kind
        return kind.args[1] if kind.name in _KEYED and len(kind.args) > 1 else None

    def _subscript(self, node: cst.Subscript) -> Kind | None:
        base = self.of(node.value)
        if base is None or base is UNDECIDED:
            return base
        if base.name == "union":
            return None
        if base.name in ("symbol", "type"):
            annotated = self.annotated(node)
            return None if annotated is None else Kind("type", (annotated,))
        index = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(index, cst.Slice):
            return Kind(_TUPLE, (union(base.args),)) if base.name == _TUPLE and base.args else base
        if isinstance(index, cst.Index) and isinstance(index.value, cst.Integer) and self.is_a(base, _TUPLE):
            return self._item(base, int(index.value.evaluated_value))
        if base.name in _KEYED:
            return base.args[1] if len(base.args) > 1 else None
        if isinstance(base.ref, ClassInfo) and isinstance(index, cst.Index) and self._is_typed_dict(base.ref):
            key = index.value.evaluated_value if isinstance(index.value, cst.SimpleString) else None
            return self._attribute(base, key) if isinstance(key, str) else None
        if base.name in (_LIST, _TUPLE):
            return self.element(base)
        return self.called(self._attribute(base, "__getitem__"), _NO_ARGUMENTS)

    def _is_typed_dict(self, info: ClassInfo) -> bool:
        return any(
            self._symbol_name(base) == "typing.TypedDict"
            for current in self.mro(Kind("instance", ref=info))
            if isinstance(current.ref, ClassInfo)
            for base in current.ref.bases
        )

    def _binary(self, node: cst.BinaryOperation) -> Kind | None:
        left = self.of(node.left)
        if left is UNDECIDED:
            return left
        if isinstance(node.operator, cst.Multiply) and left is not None and left.name == _LIST:
            return left
        if isinstance(node.operator, cst.Divide):
            given = self.called(self._attribute(left, "__truediv__"), _NO_ARGUMENTS)
            return given or self.called(self._attribute(self.of(node.right), "__rtruediv__"), _NO_ARGUMENTS)
        if isinstance(node.operator, cst.Add | cst.BitOr) and left is not None and left.name in (_LIST, _SET, _TUPLE):
            return union((left, self.of(node.right)))
        if left is not None and left.name in (_STR, "builtins.int", "builtins.float"):
            return left
        return None

    def _filled(self, kind: Kind | None, name: str, home: Scope | None) -> Kind | None:
        """A container that starts empty takes its element's kind from what is put into it, anywhere in the file."""
        if kind is None or home is None or kind.name not in CONTAINERS:
            return kind
        if kind.args and kind.args != (NONE,) and kind.name not in _KEYED:
            return kind
        if kind.args == (NONE,):
            # `[None] * 3` is as good as empty.
            kind = Kind(kind.name, (), kind.ref)
        added = self._added().get((name, home))
        if added is None or any(arg is not None and (arg.args or arg.name not in CONTAINERS) for arg in kind.args):
            return kind
        start = kind.args[1] if len(kind.args) > 1 else UNDECIDED
        inner = self._find((name, home, kind), lambda: self._content(kind.name, start, added))
        return Kind(kind.name, (None, inner) if kind.name in _KEYED else (inner,), kind.ref)

    def _content(self, name: str, start: Kind | None, added: list[tuple[str, cst.BaseExpression]]) -> Kind | None:
        """The kind of what is in a container, `start` or what is added."""
        found = [start]
        for way, value in added:
            if way == "add":
                found.append(self.of(value))
            elif way == "join":
                given = self.of(value)
                found.append(self._value_of_mapping(given) if name in _KEYED else self.element(given))
        inner = union(tuple(found))
        nested = tuple(self.of(value) for way, value in added if way == "nest")
        if inner is not None and nested and inner.name in CONTAINERS and not inner.args and inner.name not in _KEYED:
            return Kind(inner.name, (union(nested),), inner.ref)
        return inner

    def _added(self) -> dict[tuple[str, Scope], list[tuple[str, cst.BaseExpression]]]:
        """By variable and scope, or attribute and class: what the file puts into the container, and how."""
        if self._additions is None:
            self._additions = {}
            for scope, nodes in self._tree.own.items():
                for node in nodes:
                    addition = _addition(node) if type(node) in _ADDING_NODES else None
                    if addition is not None:
                        self._note_addition(scope, *addition)
        return self._additions

    def _note_addition(self, scope: Scope, container: cst.BaseExpression, way: str, value: cst.BaseExpression) -> None:
        assert self._additions is not None
        if isinstance(container, cst.Name):
            home = self._names.home(container.value, scope)
            if home is not None:
                self._additions.setdefault((container.value, home), []).append((way, value))
        elif isinstance(container, cst.Attribute) and isinstance(container.value, cst.Name):
            for around in (scope, *self._tree.ancestors(scope)):
                if isinstance(around, cst.ClassDef):
                    self._additions.setdefault((container.attr.value, around), []).append((way, value))

    # -- annotations -------------------------------------------------------------------------------------------------

    def annotated(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the values that an annotation allows; `| None` is left out."""
        if isinstance(node, cst.Name | cst.Attribute):
            return NONE if isinstance(node, cst.Name) and node.value == "None" else self._plain_annotation(node)
        return self._find(("annotation", node), lambda: self._annotated(node))

    def _annotated(self, node: cst.BaseExpression) -> Kind | None:
        match node:
            case cst.SimpleString() | cst.ConcatenatedString():
                return self._string_annotation(node)
            case cst.BinaryOperation(operator=cst.BitOr(), left=left, right=right):
                return union((self.annotated(left), self.annotated(right)))
            case cst.Subscript():
                return self._subscript_annotation(node)
            case _:
                return None

    def _plain_annotation(self, node: cst.Name | cst.Attribute) -> Kind | None:
        kind = self.of(node)
        if kind is None:
            return self._aliased(node) or self._forward(node)
        if kind.name == "type":
            return kind.args[0]
        if kind.name != "symbol":
            return None
        name = str(kind.ref)
        if name == "typing.Self":
            return self._enclosing_instance(node)
        if name in ("builtins.type", "typing.Type"):
            return Kind("type", (None,))
        fact = class_fact(name)
        if name == "typing.Any":
            return None
        if fact is not None:
            return Kind(name, (None,) * len(fact.params))
        # `multiprocessing.Queue` and its like are functions that everybody annotates with.
        return function_result(name)

    def _aliased(self, node: cst.Name | cst.Attribute) -> Kind | None:
        """What a type alias stands for: `MaybeThread = Thread | None`."""
        bindings = self._names.reaching(node) if isinstance(node, cst.Name) else None
        if bindings is not None and len(bindings) == 1 and bindings[0].how == "assign":
            value = bindings[0].value
            return None if value is None else self.annotated(value)
        return None

    def _forward(self, node: cst.Name | cst.Attribute) -> Kind | None:
        """A class of the file that is defined further down."""
        if isinstance(node, cst.Name):
            home = self._names.home(node.value, self._tree.scope_of(node))
            for binding in self._names.all_bindings(node.value, home) if home is not None else ():
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


def _addition(node: cst.CSTNode) -> tuple[cst.BaseExpression, str, cst.BaseExpression] | None:
    """The container that a statement or call puts something into, the way it does, and what."""
    match node:
        case cst.Call(func=cst.Attribute(value=container, attr=cst.Name(value=method)), args=args):
            position = 1 if method in ("insert", "setdefault") else 0
            if len(args) <= position or not (method in _ADDING or method in _JOINING):
                return None
            given = args[position]
            if given.star or given.keyword is not None:
                return None
            if method in _ADDING and method != "setdefault":
                # `d[key].append(x)` and `d.setdefault(key, []).append(x)` fill what is in the container.
                match container:
                    case cst.Subscript(value=outer):
                        return outer, "nest", given.value
                    case cst.Call(func=cst.Attribute(value=outer, attr=cst.Name(value="setdefault"))):
                        return outer, "nest", given.value
            return container, "join" if method in _JOINING else "add", given.value
        case cst.AugAssign(target=container, operator=cst.AddAssign() | cst.BitOrAssign()):
            return container, "join", node.value
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=container))]):
            return container, "add", node.value
    return None


def _symbol(target: str) -> Kind:
    name = canonical(target)
    text = constant_fact(name)
    kind = None if text is None else instantiate(written(text), {}, None)
    return kind or Kind("symbol", ref=name)


def _library_attribute(kind: Kind, receiver: Kind, name: str) -> tuple[Kind | None] | None:
    """What a value has from a library class, its own or a base; None when there is no such member."""
    found = member(kind, name, receiver)
    if found is None:
        return None
    if not found.callable:
        return (found.kind,)
    gives = Kind("awaitable", (found.kind,)) if found.asynchronous else found.kind
    return (Kind("method", (gives, receiver), f"{found.owner}.{name}"),)


def _done(kind: Kind | None) -> Kind | None:
    return Kind(kind.name, kind.args, DONE) if kind is not None and kind.name == _POOL_FUTURE else kind


def _is_impatient(lock: cst.Call) -> bool:
    """Whether a file lock is made with `timeout=0`, or with a `blocking` that is not surely true."""
    timeout, blocking = argument(lock, 1, "timeout"), argument(lock, None, "blocking")
    if blocking is not None and literal(blocking) != (True,):
        return True
    return timeout is not None and literal(timeout) == (0,)


def _is_bytes(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.ConcatenatedString):
        return _is_bytes(node.left)
    return isinstance(node, cst.SimpleString) and "b" in node.prefix.lower()


_NO_ARGUMENTS = cst.Call(cst.Name("_"))
