"""Where a test has made sure of a name's class: `if isinstance(x, C):`, `assert isinstance(x, C)`, `case C():`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.tree import Tree

#: What has code of its own, that runs later or in another namespace.
_WITH_A_BODY = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


class Test(NamedTuple):
    """A test that must have been true: where it stands, the class or classes it asks for, and since which statement."""

    node: cst.CSTNode
    classes: cst.BaseExpression
    after: cst.CSTNode | None = None


class Narrowing:
    """The tests of one file, found once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        #: By name, then by the node in which, or after which, the test is known to have been true.
        self._inside: dict[str, dict[cst.CSTNode, list[Test]]] = {}
        for nodes in tree.own.values():
            for node in nodes:
                if type(node) is cst.Call:
                    self._add_call(node)
                elif type(node) is cst.Match:
                    self._add_match(node)

    def test(self, name: cst.Name, bindings: list[Binding]) -> Test | None:
        """The innermost test that holds where a name is used, whose bindings there are given."""
        places = self._inside.get(name.value)
        if places is None:
            return None
        order = self._tree.order
        below: cst.CSTNode = name
        for around in self._tree.ancestors(name):
            if isinstance(around, _WITH_A_BODY):
                return None
            for test in reversed(places.get(around, ())):
                rank = order(test.node)
                if test.after is None or (rank < order(name) and test.after is not below):
                    # A binding between the test and the use would undo it.
                    return None if any(order(binding.node) > rank for binding in bindings) else test
            below = around
        return None

    def _add(self, name: str, place: cst.CSTNode, test: Test) -> None:
        self._inside.setdefault(name, {}).setdefault(place, []).append(test)

    def _add_match(self, node: cst.Match) -> None:
        if not isinstance(node.subject, cst.Name):
            return
        for case in node.cases:
            pattern = case.pattern.pattern if isinstance(case.pattern, cst.MatchAs) else case.pattern
            if isinstance(pattern, cst.MatchClass):
                self._add(node.subject.value, case.body, Test(node, pattern.cls))

    def _add_call(self, call: cst.Call) -> None:
        match call:
            case cst.Call(
                func=cst.Name(value="isinstance"),
                args=[cst.Arg(value=cst.Name(value=name)), cst.Arg(value=classes)],
            ):
                for place, after in self._places(call):
                    self._add(name, place, Test(call, classes, after))

    def _places(self, test: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode | None]]:
        """The nodes in which an expression must have been true, all of each or what follows one of its statements."""
        parent = self._tree.parents[test]
        match parent:
            case cst.If(test=tested) | cst.IfExp(test=tested) if tested is test:
                yield parent.body, None
            case cst.BooleanOperation(operator=cst.And()):
                if parent.left is test:
                    yield parent.right, None
                yield from self._places(parent)
            case cst.Assert(test=tested) if tested is test:
                line = self._tree.parents[parent]
                yield self._tree.parents[line], line
            case cst.UnaryOperation(operator=cst.Not()):
                statement = self._tree.parents[parent]
                if isinstance(statement, cst.If) and statement.orelse is None and leaves(statement.body):
                    yield self._tree.parents[statement], statement
