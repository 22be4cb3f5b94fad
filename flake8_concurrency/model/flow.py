"""What has surely run, and what has surely been tested, when control reaches a node. Structure only, no kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import COMPREHENSIONS, Tree

_BLOCKS = (cst.Module, cst.IndentedBlock, cst.SimpleStatementSuite, cst.SimpleStatementLine)
_HOLDING_STATEMENTS = (
    cst.BaseSuite, cst.BaseCompoundStatement, cst.SimpleStatementLine, cst.Else, cst.Finally, cst.ExceptHandler,
    cst.ExceptStarHandler, cst.MatchCase,
)  # fmt: skip
#: Below these nothing runs where they stand.
_DEFERRED = (cst.FunctionDef, cst.Lambda, cst.ClassDef)


class Condition(NamedTuple):
    """An expression that was tested, and what came out."""

    test: cst.BaseExpression
    truth: bool


class Flow:
    """Answers for one tree; looks no further than the function around a node."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def earlier(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The statements, and the tests and `with` items around, that run before a node, the nearest first."""
        child = node
        for parent in self._tree.ancestors(node):
            if isinstance(parent, _BLOCKS):
                yield from reversed(_run_before(parent.body, child))
            elif isinstance(parent, cst.If) and child is not parent.test:
                yield parent.test
            elif isinstance(parent, cst.With) and child is parent.body:
                yield from reversed([item.item for item in parent.items])
            elif isinstance(parent, cst.For) and child is parent.body:
                yield parent.iter
            elif isinstance(parent, cst.Try | cst.TryStar) and child is parent.orelse:
                yield parent.body
            if isinstance(parent, _DEFERRED):
                return
            child = parent

    def certain(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The expressions and `with`, `for` and `while` statements that surely run to their end when a node does."""
        match node:
            case cst.SimpleStatementLine() | cst.IndentedBlock() | cst.SimpleStatementSuite():
                for statement in node.body:
                    yield from self.certain(statement)
            case cst.If():
                yield from self.certain(node.test)
            case cst.With():
                yield node
                for item in node.items:
                    yield from self.certain(item.item)
                yield from self.certain(node.body)
            case cst.For():
                yield node
                yield from self.certain(node.iter)
            case cst.While():
                yield node
            case cst.Try() | cst.TryStar():
                yield from self._certain_in_try(node)
            case cst.BaseCompoundStatement() | cst.Lambda():
                return
            case _:
                yield node
                for child in self._tree.within(node):
                    if isinstance(child, cst.Call | cst.Await) and not self._is_deferred(child, node):
                        yield child

    def _certain_in_try(self, node: cst.Try | cst.TryStar) -> Iterator[cst.CSTNode]:
        if all(leaves(handler.body) for handler in node.handlers):
            yield from self.certain(node.body)
            if node.orelse is not None:
                yield from self.certain(node.orelse.body)
        if node.finalbody is not None:
            yield from self.certain(node.finalbody.body)

    def _is_deferred(self, node: cst.CSTNode, top: cst.CSTNode) -> bool:
        """Whether a node below `top` may not run when `top` does."""
        child = node
        for parent in self._tree.ancestors(node):
            if isinstance(parent, (*_DEFERRED, cst.GeneratorExp)):
                return True
            if isinstance(parent, cst.IfExp) and child is not parent.test:
                return True
            if isinstance(parent, cst.BooleanOperation) and child is parent.right:
                return True
            if parent is top:
                return False
            child = parent
        return False

    def conditions(self, node: cst.CSTNode) -> Iterator[Condition]:
        """What tests around a node, and guards and loops before it, say when control gets there."""
        child = node
        for parent in self._tree.ancestors(node):
            yield from _around(parent, child)
            if isinstance(parent, _BLOCKS):
                for statement in reversed(_run_before(parent.body, child)):
                    if isinstance(statement, cst.While):
                        yield from self._left_by_loop(statement)
                    else:
                        yield from _left_behind(statement)
            if isinstance(parent, _DEFERRED):
                return
            child = parent

    def _left_by_loop(self, loop: cst.While) -> list[Condition]:
        """What holds after a loop: what its own test says of its end, and what held at every `break`."""
        exits = [list(self._inside(node, loop)) for node in _breaks_of(loop.body)]
        if not _is_endless(loop.test):
            exits.append(list(atoms(loop.test, False)))
        first, *others = exits or [[]]
        return [one for one in first if all(any(_is_same(one, other) for other in found) for found in others)]

    def _inside(self, node: cst.CSTNode, loop: cst.While) -> Iterator[Condition]:
        """What tests inside a loop say where a node of its body is reached; what its own test said may be over."""
        child = node
        for parent in self._tree.ancestors(node):
            if parent is loop:
                return
            yield from _around(parent, child)
            if isinstance(parent, _BLOCKS):
                for statement in reversed(_run_before(parent.body, child)):
                    yield from _left_behind(statement)
            child = parent

    def ends_when_empty(self, loop: cst.While) -> bool:
        """Whether a loop ends early only when it got nothing: `if not line: break`, `if line == "": break`."""
        exits = (self._inside(node, loop) for node in _breaks_of(loop.body))
        return all(any(_says_empty(one) for one in found) for found in exits)

    def alternatives(self, node: cst.CSTNode) -> Iterator[tuple[cst.BaseExpression, list[cst.CSTNode]]]:
        """The tests that decide whether a node runs, each with what runs in its place."""
        child = node
        for parent in self._tree.ancestors(node):
            if isinstance(parent, cst.IfExp) and child is not parent.test:
                yield parent.test, [parent.orelse if child is parent.body else parent.body]
            elif isinstance(parent, cst.If) and child is not parent.test:
                yield parent.test, self._instead_of(parent, child)
            elif isinstance(parent, cst.BooleanOperation) and child is parent.right:
                yield parent.left, [parent.left]
            if isinstance(parent, _BLOCKS):
                for statement in _run_before(parent.body, child):
                    if isinstance(statement, cst.If) and statement.orelse is None and leaves(statement.body):
                        yield statement.test, [statement.body]
            if isinstance(parent, _DEFERRED):
                return
            child = parent

    def _instead_of(self, parent: cst.If, child: cst.CSTNode) -> list[cst.CSTNode]:
        if child is not parent.body:
            return [parent.body]
        if parent.orelse is not None:
            return [parent.orelse]
        block = self._tree.parents[parent]
        if leaves(parent.body) and isinstance(block, _BLOCKS):
            return [other for other in block.body if self._tree.order(other) > self._tree.order(parent)]
        return []


def _run_before(body: Sequence[cst.CSTNode], child: cst.CSTNode) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for statement in body:
        if statement is child:
            break
        found.append(statement)
    return found


def _around(parent: cst.CSTNode, child: cst.CSTNode) -> Iterator[Condition]:
    match parent:
        case cst.If() | cst.IfExp():
            if child is not parent.test:
                yield from atoms(parent.test, child is parent.body)
        case cst.While():
            if child is parent.body:
                yield from atoms(parent.test, True)
        case cst.BooleanOperation(operator=operator):
            if child is parent.right:
                yield from atoms(parent.left, isinstance(operator, cst.And))
        case cst.CompFor():
            pass
        case _ if isinstance(parent, COMPREHENSIONS) and child is not parent.for_in:
            inner: cst.CompFor | None = parent.for_in
            while inner is not None:
                for condition in inner.ifs:
                    yield from atoms(condition.test, True)
                inner = inner.inner_for_in


def _left_behind(statement: cst.CSTNode) -> Iterator[Condition]:
    """What holds after a statement because it was left at its end."""
    match statement:
        case cst.If() if leaves(statement.body):
            # Whichever `elif` or `else` was run instead.
            yield from atoms(statement.test, False)
        case cst.If(orelse=cst.Else() as other) if leaves(other.body):
            yield from atoms(statement.test, True)
        case cst.Assert():
            yield from atoms(statement.test, True)
        case cst.SimpleStatementLine():
            for small in statement.body:
                if isinstance(small, cst.Assert):
                    yield from atoms(small.test, True)


def _breaks_of(node: cst.CSTNode) -> Iterator[cst.Break]:
    """The statements in a loop's body that end the loop."""
    if isinstance(node, cst.Break):
        yield node
    elif isinstance(node, cst.For | cst.While):
        # What stands in its `else` belongs to the loop around.
        if node.orelse is not None:
            yield from _breaks_of(node.orelse)
    elif isinstance(node, _HOLDING_STATEMENTS) and not isinstance(node, cst.FunctionDef | cst.ClassDef):
        for child in node.children:
            yield from _breaks_of(child)


def breaks(loop: cst.For | cst.While) -> bool:
    """Whether a loop can end before its iterable or condition does."""
    return any(True for _ in _breaks_of(loop.body))


def _says_empty(condition: Condition) -> bool:
    match condition.test:
        case cst.Comparison(
            comparisons=[cst.ComparisonTarget(operator=cst.Equal(), comparator=cst.SimpleString() as to)]
        ):
            return condition.truth and not to.evaluated_value
    return not condition.truth and isinstance(condition.test, cst.Name)


def _is_endless(test: cst.BaseExpression) -> bool:
    match test:
        case cst.Name(value="True"):
            return True
        case cst.Integer():
            return test.evaluated_value != 0
    return False


def _is_same(one: Condition, other: Condition) -> bool:
    return one.truth is other.truth and one.test.deep_equals(other.test)


def atoms(test: cst.BaseExpression, truth: bool) -> Iterator[Condition]:
    """The parts of a test whose outcome follows from its own; `all(…)` and `any(…)` speak for every element."""
    # A stack, because a chain of `or` is nested as deep as it is long.
    pending = [(test, truth)]
    while pending:
        part, outcome = pending.pop()
        match part:
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                pending.append((inner, not outcome))
            case cst.BooleanOperation(operator=operator) if isinstance(operator, cst.And) == outcome:
                pending += [(part.right, outcome), (part.left, outcome)]
            case cst.NamedExpr():
                pending.append((part.value, outcome))
            case cst.Call(
                func=cst.Name(value=name), args=[cst.Arg(value=cst.GeneratorExp() | cst.ListComp() as each)]
            ) if name == ("all" if outcome else "any"):
                pending.append((each.elt, outcome))
            case _:
                yield Condition(part, outcome)


def text(node: cst.CSTNode | None) -> str:
    """A chain of names as text, subscripts left out: what is said of `futures[0]` is said of `futures`."""
    while isinstance(node, cst.Subscript):
        node = node.value
    return dotted(node)
