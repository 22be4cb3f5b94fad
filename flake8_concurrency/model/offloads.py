"""What calls hand to a thread or process: a function, or by mistake what calling it gave; and who awaits it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING, Offload
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind, class_fact
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.pieces import below
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Kinds of the model's own whose values can be called.
_CALLABLE = frozenset({"type", "symbol", "function", "method", "lambda", "partial"})
#: What takes coroutine functions as well, and awaits them.
_AWAITING = frozenset({"starlette.background.BackgroundTask", "starlette.background.BackgroundTasks.add_task"})
#: What must be awaited: without, the function never runs.
_AWAITED = frozenset(
    """asyncio.to_thread anyio.to_thread.run_sync anyio.to_process.run_sync trio.to_thread.run_sync
    starlette.concurrency.run_in_threadpool langchain_core.runnables.config.run_in_executor""".split()
)
#: Decorators that leave a coroutine function one.
_TRANSPARENT = frozenset("staticmethod classmethod override final abstractmethod".split())
#: The last names of all others.
_NOT_AWAITED = {name.rpartition(".")[2] for name in OFFLOADING} - {name.rpartition(".")[2] for name in _AWAITED}
_KEYWORDS = frozenset(offload.keyword for offload in OFFLOADING.values() if offload.keyword is not None)
#: A callable stands among the first arguments.
_FIRST = 2


class Handed(NamedTuple):
    """What a call hands over."""

    #: The function or method that hands it over: `asyncio.to_thread`.
    name: str
    how: Offload
    value: cst.BaseExpression


class Offloads:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, call: cst.Call) -> Handed | None:
        """What a call hands to something that runs it elsewhere."""
        named = self._file.qualified(call.func)
        names = self._file.functions.table_names(call.func) or ([] if named is None else [named])
        for name in names:
            how = OFFLOADING.get(name)
            value = None if how is None else argument(call, how.position, how.keyword)
            if how is not None and value is not None:
                return Handed(name, how, value)
        return None

    def hands_over_nothing(self, call: cst.Call) -> bool:
        """Whether what is handed over never runs there: that is the greater defect."""
        handed = self.of(call)
        return handed is not None and (
            self.called_too_early(handed) or self.coroutine_in_a_thread(handed, call) is not None
        )

    # -- a call instead of a function ----------------------------------------------------------------------------------

    def called_too_early(self, handed: Handed) -> bool:
        """Whether what is handed over is the result of a call, and cannot be called itself."""
        if not isinstance(handed.value, cst.Call):
            return False
        kind = self._file.kind(handed.value)
        if kind is None:
            # Nothing that blocks gives a function.
            return self._file.functions.blocking(handed.value) is not None
        return self._cannot_be_called(kind)

    def _cannot_be_called(self, kind: Kind) -> bool:
        if kind.name == "union":
            return all(part is not None and self._cannot_be_called(part) for part in kind.args)
        if kind.name in _CALLABLE or kind.name == "awaitable":
            return False
        if kind.name == "none" or kind.name.startswith("builtins."):
            return kind.name not in ("builtins.type", "builtins.object")
        return all(current is not None and not _has_call(current) for current in self._file.kinds.lineage(kind))

    def shown(self, func: cst.BaseExpression) -> str:
        """A callee as a message names it."""
        return self._file.qualified(func) or dotted(func) or "the function"

    # -- a coroutine function ------------------------------------------------------------------------------------------

    def coroutine_in_a_thread(self, handed: Handed, call: cst.Call) -> str | None:
        """The coroutine function that is handed over and never runs, or that was called for what is handed over."""
        if handed.name in _AWAITING or self._is_awaited_twice(call) or self._was_asked(call):
            return None
        value = handed.value
        if isinstance(value, cst.Lambda):
            value = value.body
            return self._coroutine_function(value.func) if isinstance(value, cst.Call) else None
        if not isinstance(value, cst.Call):
            return self._coroutine_function(value)
        kind = self._file.kind(value)
        if kind is not None and kind.name == "partial":
            return self._coroutine_function(value.args[0].value) if value.args else None
        return self._coroutine_function(value.func)

    def _coroutine_function(self, node: cst.BaseExpression) -> str | None:
        """The coroutine function of the file that an expression names."""
        kind = self._file.kind(node)
        if kind is None or not isinstance(kind.ref, FunctionInfo) or kind.name != "function":
            return None
        function = kind.ref
        is_plain = function.decorator_names <= _TRANSPARENT and function.name == last_name(node)
        return function.qualified_name if function.is_async and is_plain else None

    def _was_asked(self, call: cst.Call) -> bool:
        """Whether a test asks what kind of function it is: `await f() if iscoroutinefunction(f) else to_thread(f)`.

        Then a subclass, or whoever assigns it, may have made it a plain one.
        """
        return any(
            isinstance(part, cst.Call) and called_name(part) == "iscoroutinefunction"
            for condition in self._file.flow.conditions(call)
            for part in [condition.test, *self._file.tree.within(condition.test)]
        )

    def _is_awaited_twice(self, call: cst.Call) -> bool:
        """`await (await to_thread(f))`: the coroutine comes back and runs here."""
        parent = self._file.parent(call)
        return isinstance(parent, cst.Await) and isinstance(self._file.parent(parent), cst.Await)

    # -- nobody awaits -------------------------------------------------------------------------------------------------

    def is_never_awaited(self, call: cst.Call, handed: Handed) -> bool:
        """Whether a call that must be awaited is used as if it had been, or dropped."""
        if handed.name not in _AWAITED:
            return False
        parent = self._file.parent(call)
        if isinstance(parent, cst.Assign) and len(parent.targets) == 1:
            return self._is_used_as_a_value(parent.targets[0].target, parent)
        return self._is_value_of(call, parent)

    def _is_used_as_a_value(self, target: cst.BaseExpression, assignment: cst.Assign) -> bool:
        """Whether a local variable is read, and only as a value."""
        function = self._file.function_of(assignment)
        if function is None or not isinstance(target, cst.Name):
            return False
        uses = [
            node
            for node in self._file.tree.within(function.node)
            if isinstance(node, cst.Name) and node.value == target.value and node is not target
        ]
        reads = [node for node in uses if not self._names_a_part(node)]
        return bool(reads) and all(self._is_value_of(node, self._file.parent(node)) for node in reads)

    def _names_a_part(self, node: cst.Name) -> bool:
        """Whether a name is that of an attribute or keyword."""
        parent = self._file.parent(node)
        return (isinstance(parent, cst.Attribute) and parent.attr is node) or (
            isinstance(parent, cst.Arg) and parent.keyword is node
        )

    def _is_value_of(self, node: cst.BaseExpression, parent: cst.CSTNode) -> bool:
        match parent:
            case cst.Expr():
                return isinstance(node, cst.Call)
            case cst.If() | cst.While() | cst.IfExp() | cst.Assert():
                return parent.test is node
            case cst.CompIf() | cst.Comparison() | cst.BinaryOperation() | cst.UnaryOperation():
                return not _is_about_none(parent)
            case cst.BooleanOperation():
                return parent.left is node
            case cst.Attribute():
                return parent.attr.value not in ("close", "send", "throw", "add_done_callback", "cancel")
            case cst.ComparisonTarget() | cst.FormattedStringExpression():
                return True
            case cst.For():
                return parent.iter is node
            case cst.Subscript():
                return parent.value is node
        return False


def _is_about_none(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Comparison) and any(
        isinstance(part.operator, cst.Is | cst.IsNot) for part in node.comparisons
    )


def _has_call(kind: Kind) -> bool:
    """Whether instances of a class may be called, as far as this class tells."""
    if isinstance(kind.ref, ClassInfo):
        return "__call__" in kind.ref.methods or "__call__" in kind.ref.attributes
    fact = class_fact(kind.name)
    return fact is None or "__call__" in fact.members or "*" in fact.members


# -- what the gate asks ------------------------------------------------------------------------------------------------


def _handed(call: ast.Call) -> Iterator[ast.expr]:
    """What a call may hand over."""
    yield from call.args[:_FIRST]
    yield from (word.value for word in call.keywords if word.arg in _KEYWORDS)


def _here(root: ast.AST, what: str) -> str:
    """Stands for something in this piece of the text, and in no other."""
    return f"<{what} on line {getattr(root, 'lineno', 0)}>"


def asks_called(root: ast.AST) -> set[str]:
    """Something here, where a call is given the result of another."""
    calls = (node for node in below(root) if isinstance(node, ast.Call))
    is_given = any(isinstance(given, ast.Call) for call in calls for given in _handed(call))
    return {_here(root, "called")} if is_given else set()


def answers_called(root: ast.AST, names: Collection[str]) -> set[str]:
    """The same, where one of these names is what is called."""
    calls = (node for node in below(root) if isinstance(node, ast.Call) and _is_one_of(node.func, names))
    is_given = any(isinstance(given, ast.Call) for call in calls for given in _handed(call))
    return {_here(root, "called")} if is_given else set()


def asks_coroutine(root: ast.AST) -> set[str]:
    """What calls are given, `to_thread(deliver`, and something here for a call of which only the value is used."""
    found: set[str] = set()
    for node in below(root):
        if isinstance(node, ast.Call):
            for given in _handed(node):
                parts = ast.walk(given) if isinstance(given, ast.Call | ast.Lambda) else [given]
                handed = {name for part in parts if isinstance(part, ast.expr) for name in _name(part)}
                found.update(f"{callee}({name}" for callee in _name(node.func) for name in handed)
        if any(isinstance(value, ast.Call) for value in _used(node)):
            found.add(_here(root, "used"))
    return found


def answers_coroutine(root: ast.AST, names: Collection[str]) -> set[str]:
    """The coroutine functions here, given to each of these names, and something where one of these is not awaited."""
    nodes = below(root)
    made = {node.name for node in nodes if isinstance(node, ast.AsyncFunctionDef)}
    found = {f"{callee}({name}" for callee in names for name in made}
    awaited = set(names) - _NOT_AWAITED
    if any(isinstance(value, ast.Call) and _is_one_of(value.func, awaited) for node in nodes for value in _used(node)):
        found.add(_here(root, "used"))
    return found


#: The node types that `_used` knows.
_USING = frozenset(
    {
        *(ast.Expr, ast.Attribute, ast.Subscript, ast.Assign, ast.FormattedValue, ast.If, ast.While, ast.IfExp),
        *(ast.Assert, ast.For, ast.comprehension, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare),
    }
)


def _used(node: ast.AST) -> list[ast.expr]:
    """What a node uses as a value, tests, or drops."""
    if node.__class__ not in _USING:
        return []
    match node:
        case ast.Expr() | ast.Attribute() | ast.Subscript() | ast.Assign() | ast.FormattedValue():
            return [node.value]
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert():
            return [node.test]
        case ast.For() | ast.comprehension():
            return [node.iter, *getattr(node, "ifs", ())]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.UnaryOp():
            return [node.operand]
        case ast.BoolOp():
            return node.values
    assert isinstance(node, ast.Compare)
    return [node.left, *node.comparators]


def _name(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    return [node.attr] if isinstance(node, ast.Attribute) else []


def _is_one_of(func: ast.expr, names: Collection[str]) -> bool:
    return any(name in names for name in _name(func))
