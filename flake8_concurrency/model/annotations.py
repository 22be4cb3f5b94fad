"""What annotations say: the kind of the values that one allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.facts import (
    BOUNDED,
    DICT,
    IMPATIENT,
    LIST,
    NONE,
    SET,
    TUPLE,
    Kind,
    class_fact,
    function_result,
    union,
)

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: Annotations that allow what their first argument allows.
_TRANSPARENT = frozenset(
    """typing.Optional typing.Annotated typing.Final typing.ClassVar typing.Required typing.NotRequired
    sqlalchemy.orm.Mapped sqlalchemy.orm.DynamicMapped""".split()
)
#: Annotations that say nothing: a stream of any kind may be one in memory.
_ANYTHING = frozenset({"typing.Any", "typing.IO"})
#: A longer string is no annotation.
_LONGEST_STRING = 200


class Annotations:
    """Reads the annotations of one file."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._memo = kinds.memo
        self._tree = kinds.tree
        self._names = kinds.names
        self._definitions = kinds.definitions

    def of(self, node: cst.BaseExpression) -> Kind | None:
        """The kind of the values that an annotation allows; `| None` is left out."""
        if isinstance(node, cst.Name | cst.Attribute):
            return NONE if isinstance(node, cst.Name) and node.value == "None" else self._plain(node)
        return self._memo.find(("annotation", node), lambda: self._read(node))

    def declared(self, binding: Binding) -> Kind | None:
        """What the annotation of a binding says, its value telling more where it is as good as bare."""
        annotated = None if binding.annotation is None else self.of(binding.annotation)
        return None if annotated is None else self._informed(annotated, binding)

    def _informed(self, annotated: Kind, binding: Binding) -> Kind:
        """An annotation such as `list` or `Any` says less than the value it stands with."""
        if binding.value is not None and annotated.name in (LIST, DICT, SET, TUPLE) and not any(annotated.args):
            value = self._kinds.of(binding.value)
            if value is not None and value.name == annotated.name:
                return value
        if binding.value is not None and annotated.name.endswith(("Queue", "FileLock")):
            value = self._kinds.of(binding.value)
            if value is not None and value.ref in (BOUNDED, IMPATIENT):
                return Kind(annotated.name, annotated.args, value.ref)
        return annotated

    def _read(self, node: cst.BaseExpression) -> Kind | None:
        match node:
            case cst.SimpleString() | cst.ConcatenatedString():
                return self._string(node)
            case cst.BinaryOperation(operator=cst.BitOr(), left=left, right=right):
                return union((self.of(left), self.of(right)))
            case cst.Subscript():
                return self._subscript(node)
            case _:
                return None

    def _plain(self, node: cst.Name | cst.Attribute) -> Kind | None:
        kind = self._kinds.of(node)
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
        if name in _ANYTHING:
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
            return None if value is None else self.of(value)
        return None

    def _forward(self, node: cst.Name | cst.Attribute) -> Kind | None:
        """A class of the file that is defined further down."""
        if isinstance(node, cst.Name):
            home = self._names.home(node.value, self._tree.scope_of(node))
            for binding in self._names.all_bindings(node.value, home) if home is not None else ():
                if binding.how in ("class", "import"):
                    return self._kinds.instance(self._kinds.bound(binding))
        return None

    def _enclosing_instance(self, node: cst.CSTNode) -> Kind | None:
        for around in self._tree.ancestors(node):
            if isinstance(around, cst.ClassDef):
                return Kind("instance", ref=self._definitions.classes[around])
        return None

    def _subscript(self, node: cst.Subscript) -> Kind | None:
        base = self._kinds.of(node.value)
        args = [item.slice.value for item in node.slice if isinstance(item.slice, cst.Index)]
        if base is None:
            return None
        if base.name == "type":
            return base.args[0]
        if base.name != "symbol" or not args:
            return None
        name = str(base.ref)
        if name == "typing.Union":
            return union(tuple(self.of(arg) for arg in args))
        if name in _TRANSPARENT:
            return self.of(args[0])
        kinds = tuple(self.of(arg) for arg in args if not isinstance(arg, cst.Ellipsis | cst.List))
        if name in ("builtins.type", "typing.Type"):
            return Kind("type", kinds[:1])
        if name in ("collections.abc.Awaitable", "collections.abc.Coroutine"):
            return Kind("awaitable", kinds[-1:])
        return Kind(name, kinds) if class_fact(name) is not None and name not in _ANYTHING else None

    def _string(self, node: cst.SimpleString | cst.ConcatenatedString) -> Kind | None:
        text = node.evaluated_value
        if not isinstance(text, str) or len(text) > _LONGEST_STRING:
            return None
        try:
            expression = cst.parse_expression(text.strip())
        except cst.ParserSyntaxError:
            return None
        # Its names mean what they mean where the string stands.
        self._tree.adopt(expression, node)
        return self.of(expression)
