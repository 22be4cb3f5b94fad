"""What a value is: follows an expression to the class of its value, as far as the file and the tables tell.

Unknown is None, and stays None: nothing is guessed from a name.
"""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.annotations import Annotations
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.call_kinds import CallKinds
from flake8_concurrency.model.containers import Containers
from flake8_concurrency.model.definitions import ClassInfo, Definitions, FunctionInfo
from flake8_concurrency.model.facts import (
    DICT,
    ITERATOR,
    LIST,
    SET,
    STR,
    TUPLE,
    UNDECIDED,
    Kind,
    class_fact,
    symbol,
    union,
)
from flake8_concurrency.model.fills import Fills
from flake8_concurrency.model.lineages import Lineages
from flake8_concurrency.model.members import Members
from flake8_concurrency.model.memo import Memo
from flake8_concurrency.model.names import Names
from flake8_concurrency.model.project import ClassElsewhere, Elsewhere, FunctionElsewhere
from flake8_concurrency.model.protocols import Protocols
from flake8_concurrency.model.returns import Returns
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.model.variables import Variables, in_place

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

_CONSTANTS: dict[type[cst.CSTNode], Kind] = {
    cst.SimpleString: Kind(STR),
    cst.ConcatenatedString: Kind(STR),
    cst.FormattedString: Kind(STR),
    cst.Integer: Kind("builtins.int"),
    cst.Float: Kind("builtins.float"),
    cst.Comparison: Kind("builtins.bool"),
}
_COMPREHENDED: dict[type[cst.CSTNode], str] = {cst.ListComp: LIST, cst.SetComp: SET, cst.GeneratorExp: ITERATOR}
_NO_ARGUMENTS = cst.Call(cst.Name("_"))


class Kinds:
    """Evaluates the expressions of one file: answers most questions through its parts, which ask it in turn."""

    def __init__(
        self,
        tree: Tree,
        names: Names,
        definitions: Definitions,
        elsewhere: Elsewhere | None = None,
        memo: Memo | None = None,
    ) -> None:
        self.tree = tree
        self.names = names
        self.definitions = definitions
        #: The project's other files, where there are any.
        self.elsewhere = elsewhere
        # What other files ask of this one may depend on what it asks of them.
        self.memo = Memo() if memo is None else memo
        fills = Fills(self)
        self._annotations = Annotations(self)
        self._calls = CallKinds(self)
        self._containers = Containers(self)
        self._lineages = Lineages(self)
        self._members = Members(self, fills)
        self._protocols = Protocols(self)
        self._returns = Returns(self)
        self._variables = Variables(self, fills)

    def forget(self) -> None:
        """Let go of the parts, which refer back: nothing may be asked any more."""
        self.__dict__.clear()

    # -- the questions -----------------------------------------------------------------------------------------------

    def of(self, node: cst.CSTNode | None) -> Kind | None:
        """The kind of an expression's value; None when it is not known."""
        if node is None:
            return None
        if node in self.memo.known:
            return self.memo.known[node]
        for inner in self._chain(node):
            self.memo.find(inner, lambda inner=inner: self._evaluate(inner))  # type: ignore[misc]
        return self.memo.find(node, lambda: self._evaluate(node))

    def _chain(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """What a long chain of calls or operators starts from, innermost first: it may be deeper than we recurse."""
        found: list[cst.CSTNode] = []
        while (field := _STARTS_WITH.get(type(node))) is not None:
            node = getattr(node, field)
            if self.memo.has(node):
                break
            found.append(node)
        return found[::-1] if len(found) > _LONG_CHAIN else []

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The dotted name that an expression means, whatever its spelling: `time.sleep`, `requests.Session.get`."""
        kind = self.of(node)
        if kind is not None and kind.name in ("symbol", "method"):
            return str(kind.ref)
        if kind is not None and isinstance(kind.ref, FunctionElsewhere):
            return kind.ref.qualified_name
        if kind is not None and kind.name == "type" and kind.args[0] is not None:
            inner = kind.args[0]
            if isinstance(inner.ref, ClassElsewhere):
                return inner.ref.qualified_name
            return None if isinstance(inner.ref, ClassInfo) else inner.name
        return None

    def symbol_name(self, node: cst.BaseExpression) -> str | None:
        """The dotted name of the library's object that an expression means, if nothing more is known of it."""
        kind = self.of(node)
        return str(kind.ref) if kind is not None and kind.name == "symbol" else None

    # -- classes -----------------------------------------------------------------------------------------------------

    def is_a(self, kind: Kind | None, name: str) -> bool:
        """Whether a value of this kind is surely an instance of a class or of one derived from it."""
        return self._lineages.is_a(kind, name)

    def mro(self, kind: Kind) -> list[Kind]:
        """The kind and those of its bases, the file's own classes first, as far as they are known."""
        return self._lineages.mro(kind)

    def lineage(self, kind: Kind) -> list[Kind | None]:
        """The kind and those of its bases in the order in which they are looked up; None for one that is not known."""
        return self._lineages.of(kind)

    def bases(self, info: ClassInfo) -> list[Kind | None]:
        """The kinds of a class's bases; None for one that is not known. Those that give no members are left out."""
        return self._lineages.bases(info)

    def is_typed_dict(self, info: ClassInfo) -> bool:
        """Whether a class of the file is a dict with known keys."""
        return self._lineages.is_typed_dict(info)

    def instance_of(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the instances of the class that an expression names; annotations are read by `annotated`."""
        return self.instance(self.of(node))

    def instance(self, kind: Kind | None) -> Kind | None:
        """The kind of the instances of a value that is a class."""
        if kind is None:
            return None
        if kind.name == "type":
            return kind.args[0]
        if kind.name == "symbol":
            name = str(kind.ref)
            if class_fact(name) is not None:
                return Kind(name)
        return None

    # -- parts of values ---------------------------------------------------------------------------------------------

    def annotated(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the values that an annotation allows; `| None` is left out."""
        return self._annotations.of(node)

    def declared(self, binding: Binding) -> Kind | None:
        """What the annotation of a binding says, its value telling more where it is as good as bare."""
        return self._annotations.declared(binding)

    def bound(self, binding: Binding) -> Kind | None:
        """The kind of what a binding binds."""
        return self._variables.bound(binding)

    def attribute(self, kind: Kind | None, name: str) -> Kind | None:
        """The kind of an attribute of a value."""
        return self._members.of(kind, name)

    def exported(self, name: str) -> Kind | None:
        """The kind of what a name of the module stands for once the module has run."""
        return self.memo.find((self.tree.module, name), lambda: self._variables.exported(name))

    def imported(self, target: str) -> Kind:
        """The kind of what is imported by a dotted name: of the project where it is known, or of a library."""
        found = None if self.elsewhere is None else self.elsewhere.imported(target)
        return symbol(target) if found is None else found

    def own_member(self, info: ClassInfo, receiver: Kind, name: str) -> tuple[Kind | None] | None:
        """What an object has from one class of the file, without its bases; None where that has no such member."""
        return self._members.own(info, receiver, name)

    def item(self, kind: Kind, position: int) -> Kind | None:
        """What stands at a position of a value, a tuple more often than not."""
        return self._containers.item(kind, position)

    def called(self, callee: Kind | None, node: cst.Call) -> Kind | None:
        """What a call of this callee gives."""
        return self._calls.of(callee, node)

    def result_of(self, function: cst.BaseExpression) -> Kind | None:
        """What calling a passed function would give."""
        return self.called(self.of(function), cst.Call(function))

    def gives(self, kind: Kind | None, method: str) -> Kind | None:
        """What a method of a value gives where syntax calls it: `__enter__`, `__iter__`, `__truediv__`."""
        return self.called(self.attribute(kind, method), _NO_ARGUMENTS)

    def returned(self, info: FunctionInfo, receiver: Kind | None = None) -> Kind | None:
        """What calling a function of the file gives."""
        return self._returns.of(info, receiver)

    def element(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What iterating over a value gives."""
        return self._protocols.element(kind, is_async)

    def entered(self, kind: Kind | None, is_async: bool = False) -> Kind | None:
        """What `with` (or `async with`) binds for a context manager."""
        return self._protocols.entered(kind, is_async)

    def awaited(self, kind: Kind | None) -> Kind | None:
        """What awaiting a value gives."""
        return self._protocols.awaited(kind)

    # -- expressions -------------------------------------------------------------------------------------------------

    def _evaluate(self, node: cst.CSTNode) -> Kind | None:
        constant = _CONSTANTS.get(type(node))
        if constant is not None:
            return constant if not _is_bytes(node) else Kind("builtins.bytes")
        match node:
            case cst.Name():
                return self._variables.of(node)
            case cst.Attribute():
                return self.attribute(self.of(node.value), node.attr.value)
            case cst.Call():
                return self.called(self.of(node.func), node)
            case cst.Await():
                return self.awaited(self.of(node.expression))
            case cst.NamedExpr():
                return self.of(node.value)
            case cst.IfExp():
                return self._either(node.body, node.orelse)
            case cst.Lambda():
                return Kind("lambda", (self.of(node.body),))
            case cst.Subscript():
                return self._containers.subscript(node)
            case cst.List() | cst.Tuple() | cst.Set():
                return self._containers.display(node)
            case cst.Dict():
                return self._containers.dict_display(node)
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp():
                return Kind(_COMPREHENDED[type(node)], (self.of(node.elt),))
            case cst.DictComp():
                return Kind(DICT, (self.of(node.key), self.of(node.value)))
            case cst.UnaryOperation() | cst.BooleanOperation():
                return self._logical(node)
            case cst.BinaryOperation():
                return self._binary(node)
            case _:
                return None

    def _either(self, one: cst.BaseExpression, other: cst.BaseExpression) -> Kind | None:
        left, right = self.of(one), self.of(other)
        if left is None and right is not None and self._variables.is_optional(one):
            return in_place(right)
        if right is None and left is not None and self._variables.is_optional(other):
            return in_place(left)
        return union((left, right))

    def _logical(self, node: cst.UnaryOperation | cst.BooleanOperation) -> Kind | None:
        match node:
            case cst.BooleanOperation(operator=cst.And()):
                # The left side only shows when it is false, and then stands for None.
                return self.of(node.right)
            case cst.BooleanOperation():
                return self._either(node.left, node.right)
            case cst.UnaryOperation(operator=cst.Not()):
                return Kind("builtins.bool")
            case cst.UnaryOperation(operator=cst.Minus()):
                kind = self.of(node.expression)
                return kind if kind is not None and kind.name in ("builtins.int", "builtins.float") else None
            case _:
                return None

    def _binary(self, node: cst.BinaryOperation) -> Kind | None:
        left = self.of(node.left)
        if left is UNDECIDED:
            return left
        if isinstance(node.operator, cst.Multiply) and left is not None and left.name == LIST:
            return left
        if isinstance(node.operator, cst.Divide):
            given = self.gives(left, "__truediv__")
            return given or self.gives(self.of(node.right), "__rtruediv__")
        if isinstance(node.operator, cst.Add | cst.BitOr) and left is not None and left.name in (LIST, SET, TUPLE):
            return union((left, self.of(node.right)))
        if isinstance(node.operator, cst.BitOr):
            # A chain of LangChain: `prompt | model | parser`.
            return self.gives(left, "__or__") or self.gives(self.of(node.right), "__ror__")
        if left is not None and left.name in (STR, "builtins.int", "builtins.float"):
            return left
        return None


def _is_bytes(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.ConcatenatedString):
        return _is_bytes(node.left)
    return isinstance(node, cst.SimpleString) and "b" in node.prefix.lower()
