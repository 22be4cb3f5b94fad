"""What variables and parameters hold: the bindings that reach a use, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.words import MODULES
from flake8_concurrency.model.bindings import STARRED, Binding
from flake8_concurrency.model.call_sites import CallSites
from flake8_concurrency.model.facts import DICT, LIST, NONE, STR, TUPLE, UNDECIDED, Kind, union
from flake8_concurrency.model.fills import Fills
from flake8_concurrency.model.names import BUILTINS
from flake8_concurrency.model.narrowing import Narrowing

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds


class Variables:
    """The kinds of the names of one file."""

    def __init__(self, kinds: Kinds, fills: Fills) -> None:
        self._kinds = kinds
        self._tree = kinds.tree
        self._names = kinds.names
        self._definitions = kinds.definitions
        self._fills = fills
        self._call_sites = CallSites(kinds)
        self._narrowing: Narrowing | None = None

    def of(self, node: cst.Name) -> Kind | None:
        """The kind of the value that a variable, a builtin or an imported name has where it is used."""
        bindings = self._names.reaching(node)
        if bindings is None:
            if node.value == "None":
                return NONE
            if node.value in MODULES and not self._names.is_imported(node.value):
                return Kind("symbol", ref=node.value)
            return Kind("symbol", ref=f"builtins.{node.value}") if node.value in BUILTINS else None
        if not bindings:
            return None
        kinds = [self.bound(binding, node) for binding in bindings]
        kind = self._merge(kinds, bindings, node) or self._replaced(kinds, bindings)
        return self._narrowed(node, bindings) or kind or self._declared(node)

    def exported(self, name: str) -> Kind | None:
        """The kind of what a name of the module stands for once the module has run."""
        bindings = self._names.left(name)
        kinds = tuple(self.bound(binding) for binding in bindings)
        if all(binding.how == "import" for binding in bindings):
            return next((kind for kind in kinds if kind is not None and kind.name != "symbol"), None)
        return self._fills.of(union(kinds), name, self._tree.module)

    def _declared(self, node: cst.Name) -> Kind | None:
        """What an annotation says of a variable, when its value at this place is not known."""
        home = self._names.home(node.value, self._tree.scope_of(node))
        for binding in self._names.all_bindings(node.value, home) if home is not None else ():
            if binding.annotation is not None and binding.how in ("assign", "annotation"):
                return self._kinds.annotated(binding.annotation)
        return None

    def _narrowed(self, node: cst.Name, bindings: list[Binding]) -> Kind | None:
        if self._narrowing is None:
            self._narrowing = Narrowing(self._tree)
        test = self._narrowing.test(node, bindings)
        return None if test is None else self._instances(test.classes)

    def _instances(self, classes: cst.BaseExpression) -> Kind | None:
        """The kind of the instances of a class, or of several in a tuple or joined by `|`."""
        match classes:
            case cst.Tuple():
                return union(tuple(self._instances(element.value) for element in classes.elements))
            case cst.BinaryOperation(operator=cst.BitOr()):
                return union((self._instances(classes.left), self._instances(classes.right)))
        return self._kinds.instance_of(classes)

    def is_optional(self, node: cst.BaseExpression) -> bool:
        """Whether this is a parameter that nothing is known of but that it may be left out: `None` is its default."""
        if not isinstance(node, cst.Name) or self._kinds.of(node) is not None:
            return False
        bindings = self._names.reaching(node) or []
        return bool(bindings) and all(map(_is_optional, bindings))

    def _replaced(self, kinds: list[Kind | None], bindings: list[Binding]) -> Kind | None:
        """What is made in place of an argument that was left out: what callers do pass has to serve in its place."""
        made = [kind for kind, binding in zip(kinds, bindings, strict=True) if not _is_optional(binding)]
        return in_place(union(tuple(made))) if 0 < len(made) < len(kinds) else None

    def _merge(self, kinds: list[Kind | None], bindings: list[Binding], node: cst.Name) -> Kind | None:
        if all(binding.how == "import" for binding in bindings):
            known = [kind for kind in kinds if kind is not None]
            return known[0] if known else None
        imported = [kind for kind, binding in zip(kinds, bindings, strict=True) if binding.how == "import"]
        if imported and all(k == NONE or b.how == "import" for k, b in zip(kinds, bindings, strict=True)):
            # `try: import x` / `except ImportError: x = None`
            return imported[0]
        return self._fills.of(union(tuple(kinds)), node.value, self._names.home(node.value, self._tree.scope_of(node)))

    def bound(self, binding: Binding, name: cst.Name | None = None) -> Kind | None:
        """The kind of what a binding binds."""
        match binding.how:
            case "import":
                return self._kinds.imported(binding.target)
            case "def":
                info = self._definitions.functions[binding.node]  # type: ignore[index]
                return Kind("function", ref=info)
            case "class":
                class_info = self._definitions.classes[binding.node]  # type: ignore[index]
                return Kind("type", (Kind("instance", ref=class_info),))
            case "param":
                return self._param(binding)
            case "augmented":
                target = binding.node.target  # type: ignore[attr-defined]
                kind = self._kinds.of(target) if target is not name else UNDECIDED
                return None if kind is not None and kind.name in ("symbol", "type") else kind
            case "match":
                pattern = binding.node.pattern if isinstance(binding.node, cst.MatchAs) else None
                return self._kinds.instance_of(pattern.cls) if isinstance(pattern, cst.MatchClass) else None
        declared = self._kinds.declared(binding)
        if declared is not None or binding.value is None:
            return declared
        return self._part(self._source(binding), binding.path)

    def _source(self, binding: Binding) -> Kind | None:
        kind = self._kinds.of(binding.value)
        if binding.how == "for":
            is_async = isinstance(binding.node, cst.For | cst.CompFor) and binding.node.asynchronous is not None
            return self._kinds.element(kind, is_async)
        if binding.how == "with":
            around = self._tree.parents[binding.node]
            return self._kinds.entered(kind, isinstance(around, cst.With) and around.asynchronous is not None)
        if binding.how == "assign":
            return kind
        return None

    def _part(self, kind: Kind | None, path: tuple[int, ...]) -> Kind | None:
        for position in path:
            if kind is None or kind is UNDECIDED:
                return kind
            if position >= 0:
                kind = self._kinds.item(kind, position)
                continue
            inner = None if kind.name == TUPLE and len(kind.args) > 1 else self._kinds.element(kind)
            kind = Kind(LIST, (inner,)) if position == STARRED else inner
        return kind

    def _param(self, binding: Binding) -> Kind | None:
        param = binding.node
        assert isinstance(param, cst.Param)
        function = self._tree.parents[self._tree.parents[param]]
        info = self._definitions.functions.get(function)  # type: ignore[call-overload]
        if binding.annotation is not None:
            kind = self._kinds.annotated(binding.annotation)
            if param.star == "*":
                return Kind(TUPLE, (kind,))
            if param.star == "**":
                return Kind(DICT, (Kind(STR), kind))
            return kind
        if info is None:
            return None
        if info.owner is None or info.this != param.name.value:
            return self._call_sites.passed(info, param)
        instance = Kind("instance", ref=info.owner)
        return Kind("type", (instance,)) if info.is_classmethod else instance


def in_place(kind: Kind | None) -> Kind | None:
    """The kind of what was made in place of an argument: of a class, for anything may pass for a list or a number."""
    if kind is None or not (kind.name == "instance" or "." in kind.name) or kind.name.startswith("builtins."):
        return None
    return kind


def _is_optional(binding: Binding) -> bool:
    return (
        binding.how == "param"
        and binding.annotation is None
        and isinstance(binding.value, cst.Name)
        and binding.value.value == "None"
    )
