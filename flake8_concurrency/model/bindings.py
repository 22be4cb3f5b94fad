"""Bindings: everything that gives a name its value, as it is written in one scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.tree import COMPREHENSIONS, Comprehension, Scope, Tree

#: Marked nodes that bind no name.
_BINDING_NOTHING = frozenset(
    {
        *(cst.Call, cst.Expr, cst.Return, cst.Await, cst.Yield, cst.Match),
        *(cst.Assert, cst.CompIf, cst.If, cst.IfExp, cst.While),
    }
)
#: In a path: some position after a starred one (`*a, b = v`: b), and the starred target itself.
UNKNOWN_POSITION, STARRED = -1, -2


class Binding(NamedTuple):
    """One way in which a name gets its value.

    `how` is one of import, assign, annotation (one without a value), augmented, param, typevar, def, class, for, with,
    except, del, match. `value` is the expression bound, iterated or entered; `path` leads through tuple targets to the
    name (`a, (b, c) = v`: b is `(1, 0)`); `target` is the imported dotted name.
    """

    how: str
    node: cst.CSTNode
    value: cst.BaseExpression | None = None
    path: tuple[int, ...] = ()
    annotation: cst.BaseExpression | None = None
    target: str = ""


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


class Collector:
    """Collects the bindings of one file's scopes."""

    def __init__(self, tree: Tree, package: str) -> None:
        self._tree = tree
        #: Dotted name of the package the file is in, for relative imports; empty when it is not known.
        self._package = package

    def of(self, scope: Scope) -> Iterator[tuple[str, Binding]]:
        """The names that a scope binds, each with its binding."""
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
                if node.__class__ in COMPREHENSIONS:
                    yield from self._walrus_inside(node)

    def _walrus_inside(self, node: Comprehension) -> Iterator[tuple[str, Binding]]:
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
            case cst.TypeAlias():
                yield node.name.value, Binding("assign", node, node.value)
            case _:
                yield from _caught(node)

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


def _caught(node: cst.CSTNode) -> Iterator[tuple[str, Binding]]:
    """What handlers, patterns and `del` bind."""
    match node:
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
