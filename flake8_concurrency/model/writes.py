"""Which attributes of an object a function writes from their own old value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import is_user, last_name, same, text
from flake8_concurrency.model.tree import COMPREHENSIONS
from flake8_concurrency.model.vocabulary import (
    CHANGING,
    CHOOSING,
    COMBINING,
    COPYING,
    MERGING,
    NO_COLUMNS,
    NO_ROWS,
    ONLY_COLLECTIONS,
    SENDING,
    SPLITTING,
)

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CLOCKS = frozenset({"time", "time_ns", "now", "utcnow", "monotonic"})
_ARITHMETIC = (
    cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.BitOr, cst.BitAnd, cst.BitXor, cst.LeftShift,
    cst.RightShift, cst.Power,
)  # fmt: skip

#: An old value and another one.
_PAIR = 2
#: A value that takes more expressions than this to follow counts as unknown.
_MOST = 200

#: What an expression does with an old value: nothing known, hand it on, change it on the way.
NO, KEPT, CHANGED = 0, 1, 2


class Write(NamedTuple):
    """One write of an attribute.

    `how` is augmented (`row.n += 1`), assigned (`row.n = row.n + 1`), sent (`query.update(n=row.n + 1)`), collection
    (a list or dict changed in place) or ambiguous (`row.tags.remove(x)`, which may be a relationship). `step` is what
    is added or taken away, as written.
    """

    node: cst.CSTNode
    row: cst.BaseExpression
    attribute: str
    how: str
    step: str = ""


class Writes:
    """Finds the writes of one file's functions, each function looked at once."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, list[Write]] = {}

    def own(self, function: FunctionInfo) -> list[Write]:
        """The writes of a function whose new value is made from the old one, in source order."""
        if function not in self._known:
            found = (write for node in function.own for write in self._of(node, function))
            self._known[function] = [write for write in found if _may_be_column(write)]
        return self._known[function]

    def _of(self, node: cst.CSTNode, function: FunctionInfo) -> Iterator[Write]:
        match node:
            case cst.AugAssign(target=cst.Attribute(value=row, attr=attr)):
                how = "set" if isinstance(node.operator, cst.BitOrAssign | cst.BitAndAssign) else "augmented"
                yield Write(node, row, attr.value, how, self._step(node))
            case cst.AugAssign(target=cst.Subscript() as target):
                yield from self._in_place(node, target, function, "collection")
            case cst.Assign():
                for assigned in node.targets:
                    yield from self._assigned(node, assigned.target, node.value, function)
            case cst.AnnAssign(value=value) if value is not None:
                yield from self._assigned(node, node.target, value, function)
            case cst.Del():
                yield from self._deleted(node, function)
            case cst.Call(func=cst.Attribute(value=target, attr=cst.Name(value=method))):
                if method in CHANGING:
                    yield from self._in_place(node, target, function, self._collecting(method, node))
                if method in SENDING:
                    yield from self._sent(node, function)

    def _assigned(
        self, node: cst.CSTNode, target: cst.BaseExpression, value: cst.BaseExpression, function: FunctionInfo
    ) -> Iterator[Write]:
        if isinstance(target, cst.Subscript):
            yield from self._in_place(node, target, function, "collection")
        elif isinstance(target, cst.Attribute):
            row, name = target.value, target.attr.value
            if _Old(self._file, row, name, function, node).made(value) == CHANGED:
                yield Write(node, row, name, "assigned", self._sum(value, target))

    def _deleted(self, node: cst.Del, function: FunctionInfo) -> Iterator[Write]:
        if isinstance(node.target, cst.Subscript):
            yield from self._in_place(node, node.target, function, "collection")

    def _in_place(
        self, node: cst.CSTNode, target: cst.BaseExpression, function: FunctionInfo, how: str
    ) -> Iterator[Write]:
        """A change of what an attribute holds, however deep: `row.data["a"]["b"] = 1`, `row.tags.append(x)`."""
        inner = _container(target)
        if isinstance(inner, cst.Attribute):
            yield Write(node, inner.value, inner.attr.value, how)
        elif isinstance(inner, cst.Name):
            for held in self._aliased(inner):
                yield Write(node, held.value, held.attr.value, how)

    def _sent(self, call: cst.Call, function: FunctionInfo) -> Iterator[Write]:
        """An UPDATE that gets a value computed from a row: `query.update(balance=account.balance - amount)`."""
        for column, value in sent_values(call):
            rows = {text(held.value): held.value for held in self._mentioned(value, column)}
            for row in rows.values():
                if text(row) and _Old(self._file, row, column, function, call).made(value) == CHANGED:
                    yield Write(call, row, column, "sent", self._sum(value, cst.Attribute(row, cst.Name(column))))

    def _mentioned(self, value: cst.BaseExpression, column: str) -> Iterator[cst.Attribute]:
        """The attributes of a name in an expression and in what its locals were made from."""
        for node in self._file.tree.within(value):
            if isinstance(node, cst.Attribute) and node.attr.value == column:
                yield node
            elif isinstance(node, cst.Name):
                for binding in self._file.names.reaching(node) or ():
                    inside = self._file.tree.within(binding.value) if binding.how == "assign" and binding.value else ()
                    yield from (n for n in inside if isinstance(n, cst.Attribute) and n.attr.value == column)

    def _aliased(self, name: cst.Name) -> Iterator[cst.Attribute]:
        """The attribute whose value, or an item of it, a local holds: `data = row.data`, `for item in row.items`."""
        for binding in self._file.names.reaching(name) or ():
            value = binding.value
            if binding.how == "for" and isinstance(value, cst.Call) and called_name(value) in ("items", "values"):
                value = value.func.value if isinstance(value.func, cst.Attribute) and not value.args else None
            if (
                binding.how in ("assign", "for")
                and isinstance(value, cst.Attribute)
                and (binding.how == "for" or not binding.path)
            ):
                yield value

    @staticmethod
    def _collecting(method: str, call: cst.Call) -> str:
        if method in ONLY_COLLECTIONS or (
            method == "update" and any(arg.keyword is None and not arg.star for arg in call.args)
        ):
            return "collection"
        # `manager.update(done=True)` is one statement of the database.
        return "list" if method in ("append", "extend") else "ambiguous"

    def _step(self, node: cst.AugAssign) -> str:
        signs = {cst.AddAssign: "+", cst.SubtractAssign: "-", cst.MultiplyAssign: "*"}
        sign = signs.get(type(node.operator))
        return "" if sign is None else self._text(sign, node.value)

    def _sum(self, value: cst.BaseExpression, target: cst.Attribute) -> str:
        signs = {cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*"}
        if isinstance(value, cst.BinaryOperation) and type(value.operator) in signs and same(value.left, target):
            return self._text(signs[type(value.operator)], value.right)
        return ""

    def _text(self, sign: str, value: cst.BaseExpression) -> str:
        if isinstance(value, cst.Integer | cst.Float) or (sign == "+" and isinstance(value, cst.Name | cst.Attribute)):
            return f"{sign} {text(value)}"
        return f"{sign} {text(value)}" if isinstance(value, cst.Name | cst.Attribute) else ""


def sent_values(call: cst.Call) -> Iterator[tuple[str, cst.BaseExpression]]:
    """The columns that an UPDATE sets, with their values."""
    for arg in call.args:
        if arg.keyword is not None:
            yield arg.keyword.value, arg.value
        elif isinstance(arg.value, cst.Dict):
            for element in arg.value.elements:
                if isinstance(element, cst.DictElement):
                    key = element.key
                    yield last_name(key) or text(key).strip("\"'"), element.value


def _may_be_column(write: Write) -> bool:
    if write.attribute in NO_COLUMNS or write.attribute.startswith("_"):
        return False
    node: cst.BaseExpression = write.row
    while isinstance(node, cst.Attribute | cst.Subscript):
        if last_name(node) in NO_ROWS:
            return False
        if is_user(node):
            return True
        node = node.value
    return last_name(node) not in NO_ROWS


class _Old:
    """Answers for one assignment whether a value is made from the attribute's old one."""

    def __init__(
        self, file: FileModel, row: cst.BaseExpression, attribute: str, function: FunctionInfo, at: cst.CSTNode
    ) -> None:
        self._file = file
        self._row, self._attribute, self._function = row, attribute, function
        self._at = at
        #: A node that is met again while it is looked at adds nothing.
        self._known: dict[cst.CSTNode, int] = {}

    def made(self, node: cst.BaseExpression | None) -> int:
        """NO, KEPT or CHANGED."""
        if node is None:
            return NO
        if node not in self._known:
            self._known[node] = NO
            self._known[node] = self._made(node) if len(self._known) < _MOST else NO
        return self._known[node]

    def _made(self, node: cst.BaseExpression) -> int:
        match node:
            case cst.Attribute(value=row, attr=cst.Name(value=name)):
                return KEPT if name == self._attribute and same(row, self._row) else NO
            case cst.Name():
                return self._local(node)
            case cst.BinaryOperation(operator=operator):
                either = max(self.made(node.left), self.made(node.right))
                return CHANGED if either and isinstance(operator, _ARITHMETIC) else NO
            case cst.UnaryOperation(operator=cst.Minus(), expression=inner):
                return CHANGED if self.made(inner) else NO
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                return CHANGED if self.made(inner) else NO
            case cst.BooleanOperation():
                return max(self.made(node.left), self.made(node.right))
            case cst.IfExp():
                return max(self.made(node.body), self.made(node.orelse))
            case cst.NamedExpr(value=value):
                return self.made(value)
            case cst.List() | cst.Set() | cst.Tuple():
                starred = (e.value for e in node.elements if isinstance(e, cst.StarredElement))
                return CHANGED if any(self.made(value) for value in starred) else NO
            case cst.Dict():
                starred_pairs = (e.value for e in node.elements if isinstance(e, cst.StarredDictElement))
                return CHANGED if any(self.made(value) for value in starred_pairs) else NO
            case cst.Subscript(value=value):
                sliced = len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Slice)
                return self.made(value) if sliced else NO
            case cst.FormattedString():
                return self._formatted(node)
            case cst.Call():
                return self._called(node)
            case _ if isinstance(node, COMPREHENSIONS):
                return CHANGED if self._filtered(node.for_in.iter) else NO
        return NO

    def _formatted(self, node: cst.FormattedString) -> int:
        """`f"{row.log} {line}"`: the old text and something else."""
        parts = [part.expression for part in node.parts if isinstance(part, cst.FormattedStringExpression)]
        return CHANGED if len(parts) > 1 and any(self.made(part) for part in parts) else NO

    def _combined(self, name: str, arguments: list[cst.BaseExpression]) -> int:
        """`merge(row.data, new)`: a function that puts the old value and another one together."""
        if len(arguments) < _PAIR or COMBINING.isdisjoint(words(name)):
            return NO
        return CHANGED if any(self.made(argument) for argument in arguments) else NO

    def _filtered(self, node: cst.BaseExpression) -> int:
        if (
            isinstance(node, cst.Call)
            and called_name(node) in ("items", "keys", "values", "enumerate")
            and isinstance(node.func, cst.Attribute)
        ):
            return self.made(node.func.value)
        return self.made(node)

    def _called(self, node: cst.Call) -> int:
        name = called_name(node)
        arguments = [arg.value for arg in node.args]
        if name in MERGING and isinstance(node.func, cst.Attribute):
            return CHANGED if self.made(node.func.value) else NO
        if name in CHOOSING and len(arguments) > 1:
            if any(isinstance(argument, cst.Call) and called_name(argument) in _CLOCKS for argument in arguments):
                # `max(time.time(), row.changed + 1)`: the later one wins anyway.
                return NO
            return CHANGED if any(self.made(argument) for argument in arguments) else NO
        if name in SPLITTING and isinstance(node.func, cst.Attribute):
            if name != "join":
                return self.made(node.func.value)
            # What a comprehension puts together again is the old value in another form.
            return self.made(arguments[0]) if arguments and not isinstance(arguments[0], COMPREHENSIONS) else NO
        if name not in COPYING:
            return self._combined(name, arguments)
        if name == "copy" and not arguments and isinstance(node.func, cst.Attribute):
            return self.made(node.func.value)
        found = self.made(arguments[0]) if arguments else NO
        return CHANGED if found and name == "dict" and len(arguments) > 1 else found

    def _local(self, node: cst.Name) -> int:
        found = NO
        order = self._file.tree.order
        for binding in self._file.names.reaching(node) or ():
            if order(binding.node) > order(self._at):
                # From the round before: there the loop's variable was another row.
                continue
            if binding.how == "augmented" and isinstance(binding.node, cst.AugAssign):
                before = self.made(binding.node.target) if isinstance(binding.node.target, cst.Name) else NO
                found = max(found, CHANGED if before else NO)
            elif binding.how == "assign" and not binding.path:
                found = max(found, self._changed_since(node.value, binding, self.made(binding.value)))
        return found

    def _changed_since(self, name: str, binding: Binding, made: int) -> int:
        """Whether a local that holds the old value, or a copy, was changed in place before it was written back."""
        empty = _is_empty(binding.value)
        if made != KEPT and not empty:
            return made
        order = self._file.tree.order
        first, last = order(binding.node), order(self._at)
        for node in self._function.own:
            if first < order(node) < last and changes_in_place(node, name) and (not empty or self._is_filled_at(node)):
                return CHANGED
        return made

    def _is_filled_at(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in a loop over the old value: `for item in row.items: kept.append(item)`."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.For) and self._filtered(around.iter):
                return True
        return False


def _is_empty(node: cst.BaseExpression | None) -> bool:
    if isinstance(node, cst.Call):
        return not node.args and called_name(node) in ("list", "dict", "set")
    return isinstance(node, cst.List | cst.Dict) and not node.elements


def changes_in_place(node: cst.CSTNode, name: str) -> bool:
    """Whether a node changes what a local holds: `items.append(x)`, `items[k] = v`, `del items[k]`."""
    targets: list[cst.BaseExpression] = []
    match node:
        case cst.Call(func=cst.Attribute(value=value, attr=cst.Name(value=method))) if method in CHANGING:
            targets = [value]
        case cst.AugAssign(target=cst.Subscript() as target) | cst.Del(target=cst.Subscript() as target):
            targets = [target]
        case cst.Assign():
            targets = [t.target for t in node.targets if isinstance(t.target, cst.Subscript)]
    inner = [_container(target) for target in targets]
    return any(isinstance(one, cst.Name) and one.value == name for one in inner)


def _container(node: cst.BaseExpression) -> cst.BaseExpression:
    """The name or attribute that holds what is changed: `row.data` of `row.data["a"].setdefault("b", [])[0]`."""
    while True:
        if isinstance(node, cst.Subscript):
            node = node.value
        elif (
            isinstance(node, cst.Call)
            and called_name(node) in ("setdefault", "get")
            and isinstance(node.func, cst.Attribute)
        ):
            node = node.func.value
        else:
            return node
