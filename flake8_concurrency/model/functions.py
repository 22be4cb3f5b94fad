"""What functions do: who calls whom in the file, and which blocking calls a function reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.blocking import BLOCKING, NON_BLOCKING_ARGUMENTS
from flake8_concurrency.knowledge.offloading import OFFLOADING_DECORATORS
from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import ClassInfo, Definitions, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.kinds import TRANSPARENT, Kinds
from flake8_concurrency.model.tree import Tree


class Leaf(NamedTuple):
    """A call that blocks by itself: the table's key, what it says, and the call."""

    name: str
    fact: Blocking
    call: cst.Call


class Step(NamedTuple):
    """One call on the way to a leaf, and the function of the file that it enters."""

    call: cst.Call
    function: FunctionInfo


class Chain(NamedTuple):
    """How a call reaches a leaf: through these functions of the file, in order."""

    steps: tuple[Step, ...]
    leaf: Leaf


class Functions:
    """Summaries of the functions of one file, each computed once."""

    def __init__(
        self, tree: Tree, definitions: Definitions, kinds: Kinds, configured: Mapping[str, Blocking]
    ) -> None:
        self._tree = tree
        self._definitions = definitions
        self._kinds = kinds
        self._configured = configured
        self._reaches: dict[FunctionInfo, Chain | None] = {}
        self._open: set[FunctionInfo] = set()
        self._overridden: dict[ClassInfo, set[str]] | None = None

    # -- where a node runs -------------------------------------------------------------------------------------------

    def around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function whose call runs this node; None in a lambda, at module level, and in a generator's element."""
        scope = self._tree.scope_of(node)
        while not isinstance(scope, cst.FunctionDef):
            if isinstance(scope, cst.Module | cst.Lambda):
                return None
            scope = self._tree.scope_of(scope)
        return self._definitions.functions[scope]

    # -- calls -------------------------------------------------------------------------------------------------------

    def callee(self, call: cst.Call) -> FunctionInfo | None:
        """The function of the file that a call enters, a constructor included; None when it is not surely one."""
        kind = self._kinds.of(call.func)
        if kind is None:
            return None
        if kind.name == "function":
            assert isinstance(kind.ref, FunctionInfo)
            return None if self._is_overridden(kind, call) else kind.ref
        if kind.name == "type":
            return self._method(kind.args[0], "__init__")
        if isinstance(kind.ref, ClassInfo):
            return self._method(kind, "__call__")
        return None

    def _method(self, kind: Kind | None, name: str) -> FunctionInfo | None:
        if kind is None:
            return None
        for current in self._kinds.mro(kind):
            if isinstance(current.ref, ClassInfo) and name in current.ref.methods:
                return current.ref.methods[name]
        return None

    def _is_overridden(self, kind: Kind, call: cst.Call) -> bool:
        """Whether a class of the file derived from the receiver's replaces the method: then it may be another one."""
        method = kind.ref
        assert isinstance(method, FunctionInfo)
        if method.owner is None or isinstance(call.func, cst.Attribute) and _is_super(call.func.value):
            return False
        if self._overridden is None:
            self._overridden = {}
            for info in self._definitions.classes.values():
                for base in self._kinds.mro(Kind("instance", ref=info))[1:]:
                    if isinstance(base.ref, ClassInfo):
                        self._overridden.setdefault(base.ref, set()).update(info.methods)
        return method.name in self._overridden.get(method.owner, ())

    # -- blocking ----------------------------------------------------------------------------------------------------

    def blocking(self, call: cst.Call) -> Leaf | None:
        """The call itself, when it is one that blocks the thread it runs in."""
        for name in self.table_names(call.func):
            fact = self._configured.get(name) or BLOCKING.get(name)
            if fact is not None:
                return None if self._does_not_block(name, call) else Leaf(name, fact, call)
        return None

    def table_names(self, func: cst.BaseExpression) -> list[str]:
        """The names under which a table may list a callee: `requests.get`, `requests.Session.get`, its bases' ones."""
        kind = self._kinds.of(func)
        if kind is None:
            return []
        if kind.name == "partial":
            inner = kind.args[0]
            return [str(inner.ref)] if inner is not None and inner.name in ("symbol", "method") else []
        if kind.name == "symbol":
            return [str(kind.ref)]
        if kind.name != "method":
            return []
        method = str(kind.ref).rpartition(".")[2]
        receiver = kind.args[1]
        owners = [current.name for current in self._kinds.mro(receiver)] if receiver is not None else []
        return [str(kind.ref), *(f"{owner}.{method}" for owner in owners)]

    def _does_not_block(self, name: str, call: cst.Call) -> bool:
        for position, keyword, value in NON_BLOCKING_ARGUMENTS.get(name, ()):
            given = argument(call, position, keyword)
            if given is not None and literal(given) == (value,):
                return True
        return False

    def chain(self, call: cst.Call, wanted: Callable[[Leaf], bool]) -> Chain | None:
        """How a call of one of the file's sync functions reaches a leaf; None when it doesn't, or isn't one."""
        function = self.callee(call)
        if function is None or not self._runs_at_call(function, call):
            return None
        rest = self._reached(function, wanted)
        return None if rest is None else Chain((Step(call, function), *rest.steps), rest.leaf)

    def _runs_at_call(self, function: FunctionInfo, call: cst.Call) -> bool:
        if function.is_async or not self._keeps_its_body(function):
            return False
        if not function.is_generator:
            return True
        parent = self._tree.parents.get(call)
        if function.decorator_names & {"contextmanager"}:
            return isinstance(parent, cst.WithItem)
        if isinstance(parent, cst.For | cst.CompFor):
            return parent.iter is call
        return isinstance(parent, cst.Arg) and self._kinds.qualified(self._tree.parents[parent].func) in _CONSUMERS  # type: ignore[attr-defined]

    def _keeps_its_body(self, function: FunctionInfo) -> bool:
        """Whether calling the decorated function runs its body here and now."""
        for decorator in function.decorators:
            if self._kinds.qualified(decorator) in OFFLOADING_DECORATORS:
                return False
        return function.decorator_names <= TRANSPARENT

    def _reached(self, function: FunctionInfo, wanted: Callable[[Leaf], bool]) -> Chain | None:
        if function in self._reaches:
            return self._reaches[function]
        if function in self._open:
            return None
        self._open.add(function)
        found: Chain | None = None
        for call in function.calls:
            leaf = self.blocking(call)
            if leaf is not None and wanted(leaf):
                found = Chain((), leaf)
                break
        if found is None:
            for call in function.calls:
                found = self.chain(call, wanted)
                if found is not None:
                    break
        self._open.discard(function)
        if found is not None or not self._open:
            self._reaches[function] = found
        return found


_CONSUMERS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted", "builtins.next",
                        "builtins.sum", "builtins.any", "builtins.all", "builtins.max", "builtins.min", "builtins.dict"})  # fmt: skip


def _is_super(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"
