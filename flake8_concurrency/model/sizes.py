"""Numbers that grow with the input: `len(items)`, through locals, with nothing around it that bounds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 10
#: A constant, by convention.
_CONSTANT = re.compile(r"_*[A-Z][A-Z0-9_]*")
_CONFIGURATION = frozenset({"settings", "config", "conf", "cfg", "configuration", "options", "opts"})
#: Calls that hand their argument's length on.
_SAME_LENGTH = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "enumerate", "dict"})
_SAME_LENGTH_METHODS = frozenset({"keys", "values", "items", "copy"})
#: Calls that give no more than they are told to.
_LIMITED = frozenset({"islice", "sched_getaffinity", "sample", "head", "nlargest", "nsmallest", "most_common", "limit"})
_BATCH = re.compile(r"batch|chunk|group|partition|window|page", re.IGNORECASE)


class Sizes:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def input_length(self, size: cst.BaseExpression) -> str | None:
        """The number, as text, if a `len(…)` makes it grow with the input; None when it doesn't, or has a bound.

        A variable is told by that length.
        """
        length = self._growing(size, _DEEPEST)
        if length is None or self._is_guarded(size, length):
            return None
        return self._text(length if isinstance(size, cst.Name | cst.Attribute) else size)

    def is_bounded(self, items: cst.BaseExpression) -> bool:
        """Whether a collection does not grow with the input: a display, a constant, a slice or batch of one."""
        return self._is_bounded(items, _DEEPEST)

    def _text(self, node: cst.CSTNode) -> str:
        return " ".join(self._file.tree.module.code_for_node(node).split())

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _growing(self, node: cst.BaseExpression, depth: int) -> cst.Call | None:
        if depth == 0:
            return None
        match node:
            case cst.Call():
                return self._growing_call(node, depth)
            case cst.BooleanOperation(cst.BooleanOperation(cst.Comparison(), cst.And()), cst.Or()):
                # `count < 10 and count or 10`
                return None
            case cst.BooleanOperation(operator=operator):
                # `len(x) or 1` grows, `limit or len(x)` has a bounded side.
                return self._growing(node.left if isinstance(operator, cst.Or) else node.right, depth - 1)
            case cst.IfExp():
                # `len(x) if x else 1` grows as well.
                branches = [branch for branch in (node.body, node.orelse) if not _is_small(branch)]
                lengths = [self._growing(branch, depth - 1) for branch in branches]
                return lengths[0] if lengths and None not in lengths else None
            case cst.BinaryOperation(operator=cst.Add() | cst.Multiply()):
                return self._growing(node.left, depth - 1) or self._growing(node.right, depth - 1)
            case cst.BinaryOperation(operator=cst.Subtract()):
                return self._growing(node.left, depth - 1)
            case cst.BinaryOperation(operator=cst.Divide() | cst.FloorDivide()):
                # `len(x) / 500` grows; divided by what grows too, it may not.
                return None if self._growing(node.right, depth - 1) else self._growing(node.left, depth - 1)
            case cst.UnaryOperation(operator=cst.Minus()):
                # `-(-len(x) // 500)` rounds up.
                return self._growing(node.expression, depth - 1)
            case cst.NamedExpr():
                return self._growing(node.value, depth - 1)
            case cst.Name() | cst.Attribute():
                return self._growing_variable(node, depth)
        return None

    def _growing_call(self, node: cst.Call, depth: int) -> cst.Call | None:
        callee = self._file.qualified(node.func)
        given = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        if callee == "builtins.len" and len(given) == 1:
            return None if self._is_bounded(given[0], _DEEPEST) else node
        if callee in ("builtins.int", "builtins.max", "builtins.round", "builtins.abs", "math.ceil", "math.floor"):
            found = (self._growing(value, depth - 1) for value in given)
            return next((length for length in found if length is not None), None)
        if callee == "builtins.min" and len(given) > 1:
            lengths = [self._growing(value, depth - 1) for value in given]
            return lengths[0] if all(length is not None for length in lengths) else None
        return None

    def _growing_variable(self, node: cst.Name | cst.Attribute, depth: int) -> cst.Call | None:
        found: list[cst.Call] = []
        for value in self._assigned(node):
            length = None if value is None else self._growing(value, depth - 1)
            if length is None:
                return None
            found.append(length)
        return found[0] if found else None

    def _assigned(self, node: cst.Name | cst.Attribute) -> list[cst.BaseExpression | None]:
        """What is assigned to a variable or an attribute of `self`; None for a value that is not plainly assigned."""
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or []
        else:
            info = self._file.function_of(node)
            if info is None or info.owner is None or dotted(node.value) != info.this:
                return []
            bindings = info.owner.assigned.get(node.attr.value, [])
        return [binding.value if binding.how == "assign" and not binding.path else None for binding in bindings]

    # -- collections -------------------------------------------------------------------------------------------------

    def _is_bounded(self, node: cst.BaseExpression, depth: int) -> bool:
        """Whether a collection's length has nothing to do with the input."""
        if depth == 0:
            return True
        match node:
            case cst.List() | cst.Tuple() | cst.Set():
                return not any(isinstance(element, cst.StarredElement) for element in node.elements)
            case cst.Dict():
                return not any(isinstance(element, cst.StarredDictElement) for element in node.elements)
            case cst.ListComp() | cst.SetComp() | cst.DictComp():
                return node.for_in.inner_for_in is None and self._is_bounded(node.for_in.iter, depth - 1)
            case cst.Call():
                return self._is_bounded_call(node, depth)
            case cst.Subscript():
                return _is_slice_with_end(node) or self._is_configured(node.value)
            case cst.Name():
                return self._is_configured(node) or self._is_bounded_name(node, depth)
            case cst.Attribute():
                return self._is_configured(node)
            case cst.SimpleString():
                return True
        return False

    def _is_bounded_call(self, node: cst.Call, depth: int) -> bool:
        func = node.func
        name = func.attr.value if isinstance(func, cst.Attribute) else dotted(func)
        if name in _LIMITED:
            return True
        if isinstance(func, cst.Attribute) and name in _SAME_LENGTH_METHODS:
            return self._is_bounded(func.value, depth - 1)
        if name == "range":
            return all(isinstance(arg.value, cst.Integer) or self._is_configured(arg.value) for arg in node.args)
        if name in _SAME_LENGTH:
            return all(self._is_bounded(arg.value, depth - 1) for arg in node.args[:1])
        return False

    def _is_configured(self, node: cst.BaseExpression) -> bool:
        parts = dotted(node).split(".")
        return _CONSTANT.fullmatch(parts[-1]) is not None or any(part.strip("_") in _CONFIGURATION for part in parts)

    def _is_bounded_name(self, node: cst.Name, depth: int) -> bool:
        kind = self._file.kind(node)
        if kind is not None and kind.name == "type":
            return True
        bindings = self._file.names.reaching(node)
        if not bindings:
            return True
        for binding in bindings:
            value = binding.value
            if binding.how == "import":
                continue
            if binding.how == "for" and value is not None and _BATCH.search(self._text(value)):
                continue
            if binding.how != "assign" or binding.path or value is None or not self._is_bounded(value, depth - 1):
                return False
        return not self._is_filled(node)

    def _is_filled(self, node: cst.Name) -> bool:
        """Whether anything is put into the collection after it was written down."""
        scope = self._file.tree.scope_of(node)
        for inner in self._file.tree.running(scope):
            match inner:
                case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=method))):
                    if name == node.value and method in ("append", "add", "extend", "insert", "update", "setdefault"):
                        return True
                case cst.AugAssign(target=cst.Name(value=name)) if name == node.value:
                    return True
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=name)))]):
                    if name == node.value:
                        return True
        return False

    # -- guards ------------------------------------------------------------------------------------------------------

    def _is_guarded(self, size: cst.BaseExpression, length: cst.Call) -> bool:
        """Whether a test around or before keeps a large input out: `if len(urls) > 100: raise …`."""
        compared = {self._text(size), self._text(length)}
        scope = self._file.tree.scope_of(size)
        if not isinstance(scope, cst.FunctionDef):
            return False
        for node in self._file.tree.within(scope.body):
            if isinstance(node, cst.If):
                inside = any(parent is node.body for parent in self._file.ancestors(size))
                wanted = (cst.LessThan, cst.LessThanEqual) if inside else (cst.GreaterThan, cst.GreaterThanEqual)
                if (inside or leaves(node.body)) and self._compares(node.test, compared, wanted):
                    return True
        return False

    def _compares(
        self, test: cst.BaseExpression, compared: set[str], operators: tuple[type[cst.BaseCompOp], ...]
    ) -> bool:
        return any(
            isinstance(node, cst.Comparison)
            and self._text(node.left) in compared
            and isinstance(node.comparisons[0].operator, operators)
            and not _is_small(node.comparisons[0].comparator)
            for node in self._file.tree.within(test)
        )


def _is_slice_with_end(node: cst.Subscript) -> bool:
    index = node.slice[0].slice
    return isinstance(index, cst.Slice) and index.upper is not None and not isinstance(index.upper, cst.UnaryOperation)


def _is_small(node: cst.BaseExpression) -> bool:
    """`len(x) > 1` asks whether there is anything to share out, and keeps no large input out."""
    return isinstance(node, cst.Integer) and node.evaluated_value <= 1
