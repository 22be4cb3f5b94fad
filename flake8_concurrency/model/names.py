"""Names: what binds them in which scope, and which of the bindings can reach a given use."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.tree import COMPREHENSIONS, SCOPES, Scope, Tree

BUILTINS = frozenset(dir(builtins))

_LOOPS = (cst.For, cst.While)
_LEAVING = (cst.Return, cst.Raise, cst.Continue, cst.Break)


class Binding(NamedTuple):
    """One way in which a name gets its value.

    `how` is one of import, assign, annotation, augmented, param, def, class, for, with, except, del, match. `value` is
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

#: In a path: the position cannot be told (`a, *b = v`).
UNKNOWN_POSITION = -1


def dotted(node: cst.CSTNode | None) -> str:
    """The text of a chain of names (`a.b.c`); empty for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    return ".".join([node.value, *reversed(parts)])


def targets(node: cst.BaseExpression, path: tuple[int, ...] = ()) -> Iterator[tuple[cst.BaseExpression, tuple[int, ...]]]:
    """The single targets of an assignment target, each with its path through the tuples around it."""
    if isinstance(node, cst.Tuple | cst.List):
        starred = False
        for position, element in enumerate(node.elements):
            starred = starred or isinstance(element, cst.StarredElement)
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
        for node in self._tree.own[scope]:
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
            if not isinstance(current, COMPREHENSIONS):
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
        for scope, nodes in self._tree.own.items():
            if any(isinstance(n, cst.Nonlocal) and any(i.name.value == name for i in n.names) for n in nodes):
                self.bindings(scope)
                if self._outer_home(name, scope) is home:
                    found += self._bindings[scope].get(name, ())
        return found

    def _outer_home(self, name: str, scope: Scope) -> Scope | None:
        return None if isinstance(scope, cst.Module) else self.home(name, self._tree.scope_of(scope))

    def reaching(self, node: cst.Name) -> list[Binding] | None:
        """The bindings that a use of a name can see; None when nothing in the file binds it."""
        scope = self._tree.scope_of(node)
        home = self.home(node.value, scope)
        if home is None:
            return None
        everything = self.all_bindings(node.value, home)
        visible = [b for b in everything if b.how != "del"]
        if len(everything) == 1:
            return visible
        if len(everything) > TOO_MANY:
            return []
        if home is scope:
            return self._flow(node.value, home, everything).at(node)
        if any(self._tree.scope_of(b.node) is not home for b in visible if b.how != "param"):
            return visible
        # From an inner scope: what the outer scope's straight-line code leaves behind.
        return self._flow(node.value, home, everything).at_end() or visible

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


class _Reaching:
    """Structured reaching definitions of one name in one scope: backwards from a use through the blocks around it."""

    def __init__(self, tree: Tree, scope: Scope, bindings: list[Binding]) -> None:
        self._tree = tree
        self._scope = scope
        self._params = [b for b in bindings if b.how == "param"]
        self._others = [b for b in bindings if b.how != "param"]
        self._around: dict[cst.CSTNode, list[Binding]] = {}
        for binding in self._others:
            self._around.setdefault(binding.node, []).append(binding)
            for ancestor in tree.ancestors(binding.node):
                if ancestor is scope:
                    break
                self._around.setdefault(ancestor, []).append(binding)

    def at(self, use: cst.CSTNode) -> list[Binding]:
        found: list[Binding] = []
        child = use
        for parent in self._tree.ancestors(use):
            definite, bindings = self._before(parent, child)
            found += [b for b in bindings if b not in found]
            if definite:
                return self._alive(found)
            if parent is self._scope:
                break
            child = parent
        return self._alive(found + self._params)

    def at_end(self) -> list[Binding]:
        body = self._scope.body if isinstance(self._scope, cst.FunctionDef | cst.ClassDef) else self._scope
        if not isinstance(body, cst.Module | cst.BaseSuite):
            return []
        definite, found = self._block(self._directly_in(body))
        return self._alive(found if definite else found + self._params)

    def _alive(self, found: list[Binding]) -> list[Binding]:
        alive = [b for b in found if b.how != "del"]
        # Used before it is bound in source order: the end of a loop body, or a name bound on other paths only.
        return alive or [b for b in self._others if b.how != "del"]

    def _before(self, parent: cst.CSTNode, child: cst.CSTNode) -> tuple[bool, list[Binding]]:
        """What the parts of `parent` that ran before `child` bind, and whether that hides all earlier bindings."""
        if isinstance(parent, cst.Module | cst.IndentedBlock | cst.SimpleStatementSuite | cst.SimpleStatementLine):
            rank = self._tree.order(child)
            return self._block([n for n in self._directly_in(parent) if self._tree.order(n) < rank])
        if isinstance(parent, cst.For):
            if child is parent.body or child is parent.orelse:
                header = self._at(parent)
                inside = self._in(parent.body)
                return bool(header) and child is parent.body, header + inside
            return False, self._in(parent.body)
        if isinstance(parent, cst.While):
            return False, self._in(parent.body) + self._in(parent.test)
        if isinstance(parent, cst.With):
            if child is parent.body:
                bound = [b for item in parent.items for b in self._at(item)]
                return bool(bound), bound
            return False, []
        if isinstance(parent, cst.Try | cst.TryStar):
            if child is parent.body:
                return False, []
            if child is parent.orelse:
                return self._left_by(parent.body)
            inside = self._in(parent.body)
            if child is parent.finalbody:
                inside = inside + [b for handler in parent.handlers for b in self._in(handler)]
            return False, inside
        if isinstance(parent, cst.ExceptHandler | cst.ExceptStarHandler):
            bound = self._at(parent)
            return bool(bound), bound
        if isinstance(parent, cst.If) and child is not parent.test:
            return False, self._in(parent.test)
        if isinstance(parent, cst.CompFor | cst.ListComp | cst.SetComp | cst.GeneratorExp | cst.DictComp):
            return False, [b for b in self._in(parent) if b.how == "for"]
        if isinstance(parent, cst.MatchCase):
            bound = self._in(parent.pattern)
            return bool(bound), bound
        if isinstance(parent, cst.BooleanOperation) and child is parent.right:
            return False, self._in(parent.left)
        return False, []

    def _directly_in(self, block: cst.CSTNode) -> list[cst.CSTNode]:
        """The statements of a block that bind the name somewhere inside, in source order."""
        return sorted((n for n in self._around if self._tree.parents[n] is block), key=self._tree.order)

    def _at(self, node: cst.CSTNode) -> list[Binding]:
        return [b for b in self._around.get(node, ()) if b.node is node]

    def _in(self, node: cst.CSTNode | None) -> list[Binding]:
        return [] if node is None else list(self._around.get(node, ()))

    def _block(self, statements: list[cst.CSTNode]) -> tuple[bool, list[Binding]]:
        """What a run of statements leaves bound, and whether it surely binds the name."""
        found: list[Binding] = []
        for statement in reversed(statements):
            definite, bindings = self._left_by(statement)
            found += bindings
            if definite:
                return True, found
        return False, found

    def _left_by(self, node: cst.CSTNode) -> tuple[bool, list[Binding]]:
        if isinstance(node, cst.If):
            return self._branches([node.body, node.orelse])
        if isinstance(node, cst.Else | cst.ExceptHandler | cst.ExceptStarHandler | cst.Finally):
            return self._left_by(node.body)
        if isinstance(node, cst.IndentedBlock | cst.SimpleStatementSuite | cst.SimpleStatementLine):
            return self._block(self._directly_in(node))
        if isinstance(node, cst.With):
            definite, bindings = self._left_by(node.body)
            bound = [b for item in node.items for b in self._at(item)]
            return definite or bool(bound), bindings or bound
        if isinstance(node, cst.Try | cst.TryStar):
            return self._left_by_try(node)
        if isinstance(node, cst.Match):
            return False, [b for case in node.cases for b in self._in(case)]
        if isinstance(node, cst.For | cst.While):
            return False, self._in(node)
        bound = self._in(node)
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            bound = self._at(node) or bound
            return bool(bound), bound
        return bool(bound), bound[-1:] if all(b.node is node for b in bound) else bound

    def _left_by_try(self, node: cst.Try | cst.TryStar) -> tuple[bool, list[Binding]]:
        if node.finalbody is not None:
            definite, bindings = self._left_by(node.finalbody)
            if definite:
                return True, bindings
        main = [node.body, *([node.orelse] if node.orelse is not None else [])]
        definite, found = False, []
        for part in reversed(main):
            definite, bindings = self._left_by(part)
            found += bindings
            if definite:
                break
        for handler in node.handlers:
            if leaves(handler.body):
                continue
            caught, bindings = self._left_by(handler.body)
            found += bindings
            definite = definite and caught
        return definite, found

    def _branches(self, branches: list[cst.CSTNode | None]) -> tuple[bool, list[Binding]]:
        definite = True
        found: list[Binding] = []
        for branch in branches:
            if branch is None:
                definite = False
            elif not leaves(branch):
                certain, bindings = self._left_by(branch)
                definite = definite and certain
                found += bindings
        return definite and bool(found), found


def leaves(node: cst.CSTNode | None) -> bool:
    """Whether control never runs out of the end of a block: it returns, raises, continues or breaks."""
    match node:
        case cst.IndentedBlock(body=body) | cst.SimpleStatementSuite(body=body) | cst.SimpleStatementLine(body=body):
            return bool(body) and leaves(body[-1])
        case cst.Else(body=body) | cst.With(body=body) | cst.ExceptHandler(body=body) | cst.Finally(body=body):
            return leaves(body)
        case cst.If(body=body, orelse=orelse):
            return orelse is not None and leaves(body) and leaves(orelse)
        case cst.Try(body=body, handlers=handlers, finalbody=finalbody):
            if leaves(finalbody):
                return True
            return leaves(body) and bool(handlers) and all(leaves(handler) for handler in handlers)
        case _:
            return isinstance(node, _LEAVING)


def is_scope(node: cst.CSTNode) -> bool:
    """Whether a node opens a scope of its own."""
    return isinstance(node, SCOPES)
