"""Reaching definitions: which bindings of a name have run, and still hold, at a place in its scope."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

#: What a piece of code leaves bound, and whether it surely binds the name.
_Left = tuple[bool, list[Binding]]
_NOTHING: _Left = (False, [])

_BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.SimpleStatementLine)


class Reaching:
    """Structured reaching definitions of one name in one scope: backwards from a use through the blocks around it."""

    def __init__(self, tree: Tree, scope: Scope, bindings: list[Binding]) -> None:
        self._tree = tree
        self._scope = scope
        self._given = [b for b in bindings if b.how in ("param", "typevar")]
        #: The bindings at and below each node inside the scope.
        self._around: dict[cst.CSTNode, list[Binding]] = {}
        #: The children of each node that have bindings at or below them.
        self._inside: dict[cst.CSTNode, list[cst.CSTNode]] = {}
        declared = [b for b in bindings if b.how == "annotation"]
        self._others = [b for b in bindings if b.how not in ("param", "typevar", "annotation")]
        for binding in self._others or declared:
            self._add(binding)

    def _add(self, binding: Binding) -> None:
        node = binding.node
        while node is not self._scope:
            above = self._around.setdefault(node, [])
            above.append(binding)
            parent = self._tree.parents[node]
            if len(above) == 1:
                self._inside.setdefault(parent, []).append(node)
            node = parent

    def at(self, use: cst.CSTNode) -> _Left:
        """The bindings that reach a node of the scope, and whether one of them surely does."""
        found: list[Binding] = []
        child = use
        for parent in self._tree.ancestors(use):  # pragma: no branch - it ends at the scope
            if parent in self._around or parent is self._scope:
                definite, bindings = self._before(parent, child)
                found += [b for b in bindings if b not in found]
                if definite:
                    return True, _alive(found)
            if parent is self._scope:
                break
            child = parent
        return bool(self._given), _alive(found + self._given)

    def at_end(self) -> _Left:
        """The bindings that a module's code leaves behind."""
        definite, found = self._block(self._sorted(self._scope))
        return definite, _alive(found)

    def _before(self, parent: cst.CSTNode, child: cst.CSTNode) -> _Left:
        """What the parts of `parent` that ran before `child` bind, and whether that hides all earlier bindings."""
        if isinstance(parent, (cst.Module, *_BLOCKS)):
            return self._block(self._earlier(parent, child))
        if isinstance(parent, cst.For):
            return self._before_in_for(parent, child)
        if isinstance(parent, cst.While):
            if child is parent.test:
                return False, self._in(parent.body) + self._in(parent.test)
            definite, tested = self._evaluated(parent.test)
            return definite, tested if definite else tested + self._in(parent.body)
        if isinstance(parent, cst.Try | cst.TryStar):
            return self._before_in_try(parent, child)
        if isinstance(parent, cst.ExceptHandler | cst.ExceptStarHandler):
            bound = self._at(parent) if child is parent.body else []
            return bool(bound), bound
        if isinstance(parent, cst.IfExp):
            return _NOTHING if child is parent.test else self._evaluated(parent.test)
        if isinstance(parent, cst.If):
            return _NOTHING if child is parent.test else self._evaluated(parent.test)
        if isinstance(parent, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            return _NOTHING
        return self._parts(self._earlier(parent, child))

    def _before_in_for(self, parent: cst.For, child: cst.CSTNode) -> _Left:
        if child is parent.body:
            header = self._at(parent)
            return bool(header), header or self._in(parent.body)
        if child is parent.orelse:
            return False, self._at(parent) + self._in(parent.body)
        return _NOTHING

    def _before_in_try(self, parent: cst.Try | cst.TryStar, child: cst.CSTNode) -> _Left:
        if child is parent.body:
            return _NOTHING
        if child is parent.orelse:
            return self._left_by(parent.body)
        inside = self._in(parent.body)
        if child is parent.finalbody:
            inside = inside + self._in(parent.orelse) + [b for handler in parent.handlers for b in self._in(handler)]
        return False, inside

    # -- what has run --------------------------------------------------------------------------------------------------

    def _sorted(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """The children of a node that bind the name somewhere inside, in source order."""
        return sorted(self._inside.get(node, ()), key=self._tree.order)

    def _earlier(self, parent: cst.CSTNode, child: cst.CSTNode) -> list[cst.CSTNode]:
        rank = self._tree.order(child)
        return [node for node in self._sorted(parent) if self._tree.order(node) < rank]

    def _at(self, node: cst.CSTNode) -> list[Binding]:
        return [b for b in self._around.get(node, ()) if b.node is node]

    def _in(self, node: cst.CSTNode | None) -> list[Binding]:
        return [] if node is None else list(self._around.get(node, ()))

    def _block(self, statements: list[cst.CSTNode]) -> _Left:
        """What a run of statements leaves bound."""
        found: list[Binding] = []
        for statement in reversed(statements):
            definite, bindings = self._left_by(statement)
            found += bindings
            if definite:
                return True, found
        return False, found

    def _parts(self, nodes: list[cst.CSTNode]) -> _Left:
        """What parts of one expression, pattern or header bind."""
        parts = [self._evaluated(node) for node in nodes]
        return any(definite for definite, _ in parts), [b for _, bindings in parts for b in bindings]

    def _evaluated(self, node: cst.CSTNode) -> _Left:
        """What evaluating an expression binds, and whether it always does."""
        bindings = self._in(node)
        return any(self._surely(binding.node, node) for binding in bindings), bindings

    def _surely(self, inner: cst.CSTNode, outer: cst.CSTNode) -> bool:
        while inner is not outer:
            parent = self._tree.parents[inner]
            if isinstance(parent, (*COMPREHENSIONS, cst.MatchOr)):
                return False
            if isinstance(parent, cst.BooleanOperation) and inner is parent.right:
                return False
            if isinstance(parent, cst.IfExp) and inner is not parent.test:
                return False
            inner = parent
        return True

    def _left_by(self, node: cst.CSTNode | None) -> _Left:
        if node is None or node not in self._around:
            return _NOTHING
        if isinstance(node, cst.If):
            return self._left_by_if(node)
        if isinstance(node, cst.Else | cst.ExceptHandler | cst.ExceptStarHandler | cst.Finally):
            return self._left_by(node.body)
        if isinstance(node, _BLOCKS):
            return self._block(self._sorted(node))
        if isinstance(node, cst.With):
            return self._left_by_with(node)
        if isinstance(node, cst.Try | cst.TryStar):
            return self._left_by_try(node)
        if isinstance(node, cst.Match):
            return self._left_by_match(node)
        if isinstance(node, cst.For | cst.While):
            return False, self._in(node)
        bound = self._at(node)
        return (True, bound[-1:]) if bound else self._evaluated(node)

    def _left_by_if(self, node: cst.If) -> _Left:
        tests: list[cst.CSTNode] = []
        branches: list[cst.CSTNode | None] = []
        following: cst.If | cst.Else | None = node
        while isinstance(following, cst.If):
            tests.append(following.test)
            branches.append(following.body)
            following = following.orelse
        branches.append(following)
        definite, found = self._branches(branches)
        if definite:
            return True, found
        # Only the first test is sure to be evaluated.
        sure, tested = self._evaluated(tests[0])
        return sure, found + tested + [b for test in tests[1:] for b in self._in(test)]

    def _left_by_with(self, node: cst.With) -> _Left:
        definite, bindings = self._left_by(node.body)
        if definite and not any(_suppresses(item) for item in node.items):
            return True, bindings
        entered, bound = self._parts(self._sorted_items(node))
        return entered, bindings + bound

    def _sorted_items(self, node: cst.With) -> list[cst.CSTNode]:
        return [item for item in self._sorted(node) if isinstance(item, cst.WithItem)]

    def _left_by_match(self, node: cst.Match) -> _Left:
        branches: list[cst.CSTNode | None] = [*node.cases]
        if not node.cases or not _matches_all(node.cases[-1]):
            branches.append(None)
        definite, found = self._branches(branches)
        if definite:
            return True, found
        sure, matched = self._evaluated(node.subject)
        return sure, found + matched

    def _left_by_case(self, node: cst.MatchCase) -> _Left:
        definite, found = self._left_by(node.body)
        if definite:
            return True, found
        captured, bound = self._evaluated(node.pattern)
        return captured, found + bound + self._in(node.guard)

    def _left_by_try(self, node: cst.Try | cst.TryStar) -> _Left:
        certain, last = self._left_by(node.finalbody)
        if certain:
            return True, last
        definite = True
        found: list[Binding] = []
        if not leaves(node.body) and not leaves(node.orelse):
            definite, found = self._left_by(node.orelse)
            if not definite:
                definite, bindings = self._left_by(node.body)
                found = found + bindings
        for handler in node.handlers:
            if leaves(handler.body):
                continue
            caught, bindings = self._left_by(handler.body)
            found = found + bindings
            if not caught:
                # The body may have stopped anywhere.
                definite = False
                found += [b for b in self._in(node.body) if b not in found]
        return definite and bool(found), last + found

    def _branches(self, branches: list[cst.CSTNode | None]) -> _Left:
        """What is left when exactly one of some branches has run; None is one that does nothing."""
        definite = True
        found: list[Binding] = []
        for branch in branches:
            if branch is None:
                definite = False
            elif not leaves(branch):
                left = self._left_by_case(branch) if isinstance(branch, cst.MatchCase) else self._left_by(branch)
                definite = definite and left[0]
                found += left[1]
        return definite and bool(found), found


def _alive(found: list[Binding]) -> list[Binding]:
    return [b for b in found if b.how != "del"]


def _suppresses(item: cst.WithItem) -> bool:
    """Whether a context manager is there to swallow exceptions."""
    return isinstance(item.item, cst.Call) and dotted(item.item.func).rpartition(".")[2] in ("suppress", "raises")


def _matches_all(case: cst.MatchCase) -> bool:
    return case.guard is None and isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None
