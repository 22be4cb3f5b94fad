"""Names: what binds them in which scope, and which of the bindings can reach a given use."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

BUILTINS = frozenset(dir(builtins))

#: Marked nodes that bind no name.
_BINDING_NOTHING = frozenset({cst.Call, cst.Expr, cst.Return, cst.Await, cst.Yield, cst.Match})
_LEAVING = frozenset({cst.Return, cst.Raise, cst.Continue, cst.Break})
_WITH_ONE_BODY = frozenset(
    {cst.Else, cst.With, cst.Finally, cst.MatchCase, cst.ExceptHandler, cst.ExceptStarHandler}
)
_BLOCK_TYPES = frozenset({cst.IndentedBlock, cst.SimpleStatementSuite, cst.SimpleStatementLine})


class Binding(NamedTuple):
    """One way in which a name gets its value.

    `how` is one of import, assign, annotation (one without a value), augmented, param, typevar, def, class, for, with,
    except, del, match. `value` is
    the expression bound, iterated or entered; `path` leads through tuple targets to the name (`a, (b, c) = v`: b is
    `(1, 0)`); `target` is the imported dotted name.
    """

    how: str
    node: cst.CSTNode
    value: cst.BaseExpression | None = None
    path: tuple[int, ...] = ()
    annotation: cst.BaseExpression | None = None
    target: str = ""


#: A name with more bindings than this in one scope is not followed (generated code).
TOO_MANY = 64

#: In a path: some position after a starred one (`*a, b = v`: b), and the starred target itself.
UNKNOWN_POSITION, STARRED = -1, -2


def dotted(node: cst.CSTNode | None) -> str:
    """The text of a chain of names (`a.b.c`); empty for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    return ".".join([node.value, *reversed(parts)])


def targets(
    node: cst.BaseExpression, path: tuple[int, ...] = ()
) -> Iterator[tuple[cst.BaseExpression, tuple[int, ...]]]:
    """The single targets of an assignment target, each with its path through the tuples around it."""
    if isinstance(node, cst.Tuple | cst.List):
        starred = False
        for position, element in enumerate(node.elements):
            if isinstance(element, cst.StarredElement):
                starred = True
                yield from targets(element.value, (*path, STARRED))
            else:
                yield from targets(element.value, (*path, UNKNOWN_POSITION if starred else position))
    else:
        yield node, path


class Names:
    """Scopes and bindings of one file, computed scope by scope when asked."""

    def __init__(self, tree: Tree, package: str = "") -> None:
        self._tree = tree
        #: Dotted name of the package the file is in, for relative imports; empty when it is not known.
        self._package = package
        self._bindings: dict[Scope, dict[str, list[Binding]]] = {}
        self._elsewhere: dict[Scope, dict[str, bool]] = {}
        self._exported: dict[str, list[Binding]] | None = None
        self._nonlocals: dict[str, list[Scope]] | None = None
        self._flows: dict[tuple[Scope, str], _Reaching] = {}

    # -- what a scope binds ------------------------------------------------------------------------------------------

    def bindings(self, scope: Scope) -> dict[str, list[Binding]]:
        """Every name that a scope binds itself, with its bindings in source order."""
        found = self._bindings.get(scope)
        if found is None:
            found = self._bindings[scope] = {}
            elsewhere = self._elsewhere[scope] = {}
            for node in self._tree.own[scope]:
                if isinstance(node, cst.Global | cst.Nonlocal):
                    for item in node.names:
                        elsewhere[item.name.value] = isinstance(node, cst.Global)
            for name, binding in self._collect(scope):
                found.setdefault(name, []).append(binding)
        return found

    def _collect(self, scope: Scope) -> Iterator[tuple[str, Binding]]:
        if isinstance(scope, cst.FunctionDef | cst.Lambda):
            for param in parameters(scope.params):
                yield param.name.value, Binding("param", param, param.default, annotation=_annotation(param.annotation))
        if isinstance(scope, cst.FunctionDef | cst.ClassDef) and scope.type_parameters is not None:
            for type_param in scope.type_parameters.params:
                yield type_param.param.name.value, Binding("typevar", type_param)
        for node in self._tree.own[scope]:
            if type(node) not in _BINDING_NOTHING:
                yield from self._bound(node)
        if not isinstance(scope, COMPREHENSIONS):
            # An assignment expression in a comprehension binds in the scope around it.
            for node in self._tree.own[scope]:
                yield from self._walrus_inside(node)

    def _walrus_inside(self, node: cst.CSTNode) -> Iterator[tuple[str, Binding]]:
        if isinstance(node, COMPREHENSIONS):
            for item in self._tree.running(node):
                if isinstance(item, cst.NamedExpr) and isinstance(item.target, cst.Name):
                    yield item.target.value, Binding("assign", item, item.value)

    def _bound(self, node: cst.CSTNode) -> Iterator[tuple[str, Binding]]:
        match node:
            case cst.Import():
                yield from _imports(node)
            case cst.ImportFrom():
                yield from self._imports_from(node)
            case cst.Assign():
                for target in node.targets:
                    yield from _names_in(target.target, "assign", node, node.value)
            case cst.AnnAssign(target=cst.Name(value=name)):
                how = "assign" if node.value is not None else "annotation"
                yield name, Binding(how, node, node.value, annotation=node.annotation.annotation)
            case cst.AugAssign(target=cst.Name(value=name)):
                yield name, Binding("augmented", node, node.value)
            case cst.NamedExpr(target=cst.Name(value=name)):
                yield name, Binding("assign", node, node.value)
            case cst.For():
                yield from _names_in(node.target, "for", node, node.iter)
            case cst.CompFor():
                yield from _names_in(node.target, "for", node, node.iter)
            case cst.With():
                for item in node.items:
                    if item.asname is not None:
                        yield from _names_in(item.asname.name, "with", item, item.item)
            case cst.FunctionDef():
                yield node.name.value, Binding("def", node)
            case cst.ClassDef():
                yield node.name.value, Binding("class", node)
            case cst.ExceptHandler() | cst.ExceptStarHandler():
                if node.name is not None and isinstance(node.name.name, cst.Name):
                    yield node.name.name.value, Binding("except", node, node.type)
            case cst.Del():
                yield from _names_in(node.target, "del", node, None)
            case cst.MatchAs() | cst.MatchStar():
                if node.name is not None:
                    yield node.name.value, Binding("match", node)
            case cst.MatchMapping():
                if node.rest is not None:
                    yield node.rest.value, Binding("match", node)
            case cst.TypeAlias():
                yield node.name.value, Binding("assign", node, node.value)

    def _imports_from(self, node: cst.ImportFrom) -> Iterator[tuple[str, Binding]]:
        if isinstance(node.names, cst.ImportStar):
            return
        module = self._module(node)
        for alias in node.names:
            name = dotted(alias.name)
            local = dotted(alias.asname.name) if alias.asname else name
            separator = "" if module.endswith(".") else "."
            yield local, Binding("import", node, target=f"{module}{separator}{name}")

    def _module(self, node: cst.ImportFrom) -> str:
        """The dotted module of a `from … import`; relative ones start with their dots unless the package is known."""
        module = dotted(node.module)
        level = len(node.relative)
        if not level:
            return module
        package = self._package.split(".") if self._package else []
        if level - 1 >= len(package):
            return "." * level + module
        return ".".join([*package[: len(package) - level + 1], *([module] if module else [])])

    # -- which bindings reach a use ----------------------------------------------------------------------------------

    def home(self, name: str, scope: Scope) -> Scope | None:
        """The scope whose binding a name means when it is used in `scope`; None for builtins and unknown names."""
        current: Scope | None = scope
        first = True
        while current is not None:
            bound = self.bindings(current)
            elsewhere = self._elsewhere[current].get(name)
            if elsewhere is True:
                return self._tree.module if self._global(name) else None
            if elsewhere is None and name in bound and (first or not isinstance(current, cst.ClassDef)):
                return current
            first = False
            current = None if isinstance(current, cst.Module) else self._tree.scope_of(current)
        return self._tree.module if name in self._exports() else None

    def _global(self, name: str) -> bool:
        return name in self.bindings(self._tree.module) or name in self._exports()

    def _exports(self) -> dict[str, list[Binding]]:
        """Module names that functions bind through `global`."""
        if self._exported is None:
            self._exported = {}
            for scope, nodes in self._tree.own.items():
                if any(isinstance(node, cst.Global) for node in nodes):
                    self.bindings(scope)
                    for name in (n for n, is_global in self._elsewhere[scope].items() if is_global):
                        self._exported.setdefault(name, []).extend(self._bindings[scope].get(name, ()))
        return self._exported

    def all_bindings(self, name: str, home: Scope) -> list[Binding]:
        """Every binding of a name in its home scope, those made through `global` or `nonlocal` elsewhere included."""
        found = list(self.bindings(home).get(name, ()))
        if isinstance(home, cst.Module):
            found += self._exports().get(name, ())
            return found
        for scope in self._borrowing().get(name, ()):
            bound = self.bindings(scope).get(name, ())
            if bound and self._outer_home(name, scope) is home:
                found += bound
        return found

    def _borrowing(self) -> dict[str, list[Scope]]:
        """By name: the scopes that declare it `nonlocal`."""
        if self._nonlocals is None:
            self._nonlocals = {}
            for scope, nodes in self._tree.own.items():
                for node in nodes:
                    if isinstance(node, cst.Nonlocal):
                        for item in node.names:
                            self._nonlocals.setdefault(item.name.value, []).append(scope)
        return self._nonlocals

    def _outer_home(self, name: str, scope: Scope) -> Scope | None:
        return None if isinstance(scope, cst.Module) else self.home(name, self._tree.scope_of(scope))

    def reaching(self, node: cst.Name) -> list[Binding] | None:
        """The bindings that a use of a name can see; None when nothing in the file binds it there.

        An empty list is a name that the file binds, with nothing to be said about its value.
        """
        name, scope = node.value, self._tree.scope_of(node)
        position: cst.CSTNode = node
        deferred = False
        while True:
            home = self.home(name, scope)
            if home is None:
                return None
            while scope is not home and not isinstance(scope, cst.Module):
                # A comprehension and a class body run where they stand, a function runs later.
                deferred = deferred or isinstance(scope, cst.FunctionDef | cst.Lambda)
                position, scope = scope, self._tree.scope_of(scope)
            found = self._visible(name, home, position, deferred)
            if found is not None:
                return found
            if isinstance(home, cst.Module):
                return None
            # What a class body has not bound yet is looked up around it.
            position, scope = home, self._tree.scope_of(home)

    def _visible(self, name: str, home: Scope, position: cst.CSTNode, deferred: bool) -> list[Binding] | None:
        """The bindings in one scope that can be seen from a position in it; None when none is made by then."""
        everything = self.all_bindings(name, home)
        if len(everything) > TOO_MANY:
            return []
        visible = [b for b in everything if b.how != "del"]
        falls_through = isinstance(home, cst.ClassDef) or (isinstance(home, cst.Module) and name in BUILTINS)
        if len(everything) == 1 and not (falls_through and not deferred):
            return visible
        if any(b.how not in ("param", "typevar") and self._runs_in(b.node) is not home for b in visible):
            return visible
        flow = self._flow(name, home, everything)
        if not deferred:
            definite, found = flow.at(position)
        elif isinstance(home, cst.Module):
            # By the time a function is called, the module has run to its end.
            definite, found = flow.at_end()
        else:
            definite, found = flow.at(position)
            rank = self._tree.order(position)
            found += [b for b in visible if b not in found and self._tree.order(b.node) > rank]
        if not found and isinstance(home, cst.ClassDef | cst.Module):
            return None
        return [] if falls_through and not definite else found

    def _runs_in(self, node: cst.CSTNode) -> Scope:
        """The scope whose run evaluates a node: comprehensions run where they stand."""
        scope = self._tree.scope_of(node)
        while isinstance(scope, COMPREHENSIONS):
            scope = self._tree.scope_of(scope)
        return scope

    def _flow(self, name: str, home: Scope, bindings: list[Binding]) -> _Reaching:
        key = (home, name)
        if key not in self._flows:
            self._flows[key] = _Reaching(self._tree, home, bindings)
        return self._flows[key]


def parameters(params: cst.Parameters) -> list[cst.Param]:
    """All parameters in call order: positional-only, positional, `*args`, keyword-only, `**kwargs`."""
    found = [*params.posonly_params, *params.params]
    if isinstance(params.star_arg, cst.Param):
        found.append(params.star_arg)
    found += params.kwonly_params
    if params.star_kwarg is not None:
        found.append(params.star_kwarg)
    return found


def _annotation(node: cst.Annotation | None) -> cst.BaseExpression | None:
    return None if node is None else node.annotation


def _names_in(
    target: cst.BaseExpression, how: str, node: cst.CSTNode, value: cst.BaseExpression | None
) -> Iterator[tuple[str, Binding]]:
    for single, path in targets(target):
        if isinstance(single, cst.Name):
            yield single.value, Binding(how, node, value, path)


def _imports(node: cst.Import) -> Iterator[tuple[str, Binding]]:
    for alias in node.names:
        name = dotted(alias.name)
        if alias.asname is not None:
            yield dotted(alias.asname.name), Binding("import", node, target=name)
        else:
            first = name.partition(".")[0]
            yield first, Binding("import", node, target=first)


#: What a piece of code leaves bound, and whether it surely binds the name.
_Left = tuple[bool, list[Binding]]
_NOTHING: _Left = (False, [])

_BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.SimpleStatementLine)


class _Reaching:
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


def leaves(node: cst.CSTNode | None) -> bool:
    """Whether control never runs out of the end of a block: it returns, raises, continues or breaks."""
    while type(node) is cst.If:
        # A loop, because an `elif` is a branch of a branch of a branch.
        if not leaves(node.body):
            return False
        node = node.orelse
    kind = type(node)
    if kind in _BLOCK_TYPES:
        body: Sequence[cst.CSTNode] = node.body  # type: ignore[union-attr]
        return bool(body) and leaves(body[-1])
    if kind in _WITH_ONE_BODY:
        return leaves(node.body)  # type: ignore[union-attr]
    if isinstance(node, cst.Try | cst.TryStar):
        if leaves(node.finalbody):
            return True
        return (leaves(node.body) or leaves(node.orelse)) and all(leaves(handler) for handler in node.handlers)
    return kind in _LEAVING
