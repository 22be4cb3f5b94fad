"""Names: which scope one means, and which of its bindings can reach a given use."""

from __future__ import annotations

import builtins

import libcst as cst

from flake8_concurrency.model.bindings import Binding, Collector
from flake8_concurrency.model.reaching import Reaching
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope, Tree

BUILTINS = frozenset(dir(builtins))

#: A name with more bindings than this in one scope is not followed (generated code).
TOO_MANY = 64


#: Statements by which a scope binds names of another one.
_ELSEWHERE = (cst.Global, cst.Nonlocal)


class Names:
    """Scopes and bindings of one file, computed scope by scope when asked."""

    def __init__(self, tree: Tree, package: str = "") -> None:
        self._tree = tree
        self._collector = Collector(tree, package)
        self._bindings: dict[Scope, dict[str, list[Binding]]] = {}
        self._elsewhere: dict[Scope, dict[str, bool]] = {}
        self._exported: dict[str, list[Binding]] | None = None
        self._nonlocals: dict[str, list[Scope]] | None = None
        self._flows: dict[tuple[Scope, str], Reaching] = {}

    # -- what a scope binds ------------------------------------------------------------------------------------------

    def bindings(self, scope: Scope) -> dict[str, list[Binding]]:
        """Every name that a scope binds itself, with its bindings in source order."""
        found = self._bindings.get(scope)
        if found is None:
            found = self._bindings[scope] = {}
            elsewhere = self._elsewhere[scope] = {}
            for node in self._tree.own[scope]:
                if node.__class__ in _ELSEWHERE:
                    assert isinstance(node, cst.Global | cst.Nonlocal)
                    for item in node.names:
                        elsewhere[item.name.value] = isinstance(node, cst.Global)
            for name, binding in self._collector.of(scope):
                found.setdefault(name, []).append(binding)
        return found

    def is_imported(self, name: str) -> bool:
        """Whether the file imports something by a name, wherever that can be seen."""
        return any(
            binding.how == "import" for scope in self._tree.own for binding in self.bindings(scope).get(name, ())
        )

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

    def left(self, name: str) -> list[Binding]:
        """The bindings of a name that the module's code leaves behind."""
        return self._visible(name, self._tree.module, self._tree.module, deferred=True) or []

    def _runs_in(self, node: cst.CSTNode) -> Scope:
        """The scope whose run evaluates a node: comprehensions run where they stand."""
        scope = self._tree.scope_of(node)
        while isinstance(scope, COMPREHENSIONS):
            scope = self._tree.scope_of(scope)
        return scope

    def _flow(self, name: str, home: Scope, bindings: list[Binding]) -> Reaching:
        key = (home, name)
        if key not in self._flows:
            self._flows[key] = Reaching(self._tree, home, bindings)
        return self._flows[key]
