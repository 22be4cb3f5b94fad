"""What blocks by itself: calls that the tables know, and what `with` and `for` do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.blocking import (
    BLOCKING,
    BLOCKS_ONLY_WITH,
    DATABASE_ARGUMENT,
    LAZY,
    NON_BLOCKING_ARGUMENTS,
    ONLY_WHEN_BOUNDED,
    PATH_ARGUMENT,
    STARTS_ONLY,
    blocking_method,
)
from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.callees import Callees
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import BOUNDED, DONE, IMPATIENT, Kind
from flake8_concurrency.model.project import ClassElsewhere
from flake8_concurrency.model.settled import Settled, is_in_memory

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What reads an iterator given as its first argument.
READERS = frozenset(
    f"builtins.{name}"
    for name in "list tuple set frozenset sorted sum any all max min dict next".split()
) | {"collections.deque"}  # fmt: skip
#: What hands on the items of its arguments, lazily.
_LAZY_WRAPPERS = frozenset(
    """builtins.enumerate builtins.zip builtins.iter builtins.filter itertools.islice itertools.chain tqdm.tqdm
    tqdm.auto.tqdm tqdm.std.tqdm tqdm.notebook.tqdm rich.progress.track""".split()
)
#: Functions that ask an object what a method of it tells.
_ASKING = {"builtins.len": "__len__", "builtins.bool": "__bool__"}
_PATHS = ("builtins.str", "builtins.bytes", "pathlib.PurePath", "os.PathLike")


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
        if method in ("__bool__", "__len__"):
            return f"{'testing' if method == '__bool__' else 'the length of'} {owner}"
        return f"reading {owner}" if method in ("__iter__", "__next__") else self.name


class BlockingCalls:
    """The places of one file that block the thread they run in."""

    def __init__(self, file: FileModel, callees: Callees, configured: Mapping[str, Blocking]) -> None:
        self._names = file.names
        self._parents = file.tree.parents
        self._kinds = file.kinds
        self._callees = callees
        self._configured = configured
        self._settled = Settled(file)

    def leaf(self, call: cst.Call) -> Leaf | None:
        """The call itself, when it is one that blocks the thread it runs in."""
        kind = self._kinds.of(call.func)
        given = [call]
        if kind is not None and kind.name == "partial":
            assert isinstance(kind.ref, cst.Call)
            given.append(kind.ref)
            kind = kind.args[0]
        found = self._entry(kind, call.func)
        if found is None or found[1] in LAZY:
            return None
        if not all(self._waits(found[1], kind, one) for one in given):
            return Leaf(found[0], STARTS_ONLY[found[1]], call) if found[1] in STARTS_ONLY else None
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
                return self._method_entry(self._kinds.of(func.value), func.attr.value, func.value)
            return None
        if kind.name == "union":
            found = [self._entry(part, func) for part in kind.args]
            return found[0] if all(one is not None for one in found) else None
        if kind.name == "symbol":
            name = str(kind.ref)
            fact = self._configured.get(name) or BLOCKING.get(name)
            return None if fact is None else (name, name, fact)
        if kind.name == "method":
            subject = func.value if isinstance(func, cst.Attribute) else None
            return self._method_entry(kind.args[1], str(kind.ref).rpartition(".")[2], subject)
        if kind.name == "type" and kind.args[0] is not None and not self._callees.defines_constructor(kind.args[0]):
            return next((entry for entry in map(self._class_entry, self._kinds.mro(kind.args[0])) if entry), None)
        return self._object_entry(kind, func) if "." in kind.name else None

    def _object_entry(self, kind: Kind, func: cst.BaseExpression) -> tuple[str, str, Blocking] | None:
        """The entry of an object that is called: an attribute of which only the class tells anything, or `__call__`."""
        found = None
        if isinstance(func, cst.Attribute):
            found = self._method_entry(self._kinds.of(func.value), func.attr.value, func.value)
        return found or self._method_entry(kind, "__call__", func)

    @staticmethod
    def _class_entry(kind: Kind) -> tuple[str, str, Blocking] | None:
        fact = BLOCKING.get(kind.name)
        return None if fact is None else (kind.name, kind.name, fact)

    def _method_entry(
        self, receiver: Kind | None, method: str, subject: cst.BaseExpression | None
    ) -> tuple[str, str, Blocking] | None:
        if receiver is None or receiver.ref in (DONE, IMPATIENT):
            return None
        if receiver.name == "union":
            found = [self._method_entry(part, method, subject) for part in receiver.args]
            return found[0] if all(one is not None for one in found) else None
        if isinstance(receiver.ref, ClassElsewhere) and not receiver.ref.has(method):
            return None
        if isinstance(receiver.ref, ClassInfo | ClassElsewhere) and self._callees.defines(receiver, method):
            return None
        owners = [current.name for current in self._kinds.mro(receiver)]
        for owner in owners:
            fact = self._configured.get(f"{owner}.{method}")
            if fact is not None:
                return f"{owner}.{method}", f"{owner}.{method}", fact
        if isinstance(subject, cst.Attribute | cst.Name):
            # `sys.stdout` is no file like others.
            owners.insert(0, self._symbol(subject))
        key = blocking_method(owners, method)
        return None if key is None else (f"{key.rpartition('.')[0]}.{method}", key, BLOCKING[key])

    def _symbol(self, node: cst.BaseExpression) -> str:
        """The dotted name of a library's variable, whatever is known of its type; empty for anything else."""
        if isinstance(node, cst.Attribute):
            owner = self._kinds.of(node.value)
            name = str(owner.ref) if owner is not None and owner.name == "symbol" else self._symbol(node.value)
            return f"{name}.{node.attr.value}" if name else ""
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
        if key in DATABASE_ARGUMENT and is_in_memory(argument(call, *DATABASE_ARGUMENT[key])):
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

    def leaves_at(self, node: cst.CSTNode) -> Iterator[Leaf]:
        """What blocks by itself at a node: a call, a `with`, a `for`, a `yield from`."""
        if isinstance(node, cst.Call):
            leaf = self.leaf(node)
            if leaf is not None:
                # What is awaited is not what the tables know.
                if not isinstance(self._parents[node], cst.Await):
                    yield leaf
            elif node.args and not node.args[0].star:
                name = self._kinds.qualified(node.func)
                if name in READERS:
                    yield from self._read(node.args[0].value)
                elif name in _ASKING:
                    yield from self._syntax(node.args[0].value, _ASKING[name])
        elif isinstance(node, cst.With) and node.asynchronous is None:
            for item in node.items:
                yield from self._syntax(item.item, "__enter__")
                for leaf in self._syntax(item.item, "__exit__"):
                    if leaf.fact.category != "primitive" or not self._settled.on_leaving(node, item):
                        yield leaf
        elif isinstance(node, cst.For | cst.CompFor) and node.asynchronous is None:
            yield from self._read(node.iter)
        elif isinstance(node, cst.Yield) and isinstance(node.value, cst.From):
            yield from self._read(node.value.item)
        elif isinstance(node, cst.If | cst.While | cst.IfExp | cst.Assert | cst.CompIf):
            for part in _truths(node.test):
                yield from self._syntax(part, "__bool__")

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
                yield Leaf(entry[0], entry[2], node)
                return
            if self._kinds.qualified(call.func) in _LAZY_WRAPPERS:
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


def _is_empty(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.SimpleString):
        return not node.evaluated_value
    return literal(node) == (None,)


def _truths(test: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The objects that a test asks whether they are true."""
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            yield from _truths(inner)
        case cst.BooleanOperation(left=left, right=right):
            yield from _truths(left)
            yield from _truths(right)
        case cst.Name() | cst.Attribute() | cst.Call() | cst.Subscript():
            yield test
        case cst.NamedExpr(value=value):
            yield value


def _terms(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a | b | c`."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]
