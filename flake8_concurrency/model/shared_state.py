"""State that several tasks share: attributes of the object and the class, globals, nonlocals, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import targets
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Where frameworks keep what all requests share: behind names that are parameters as a rule.
_OF_APPLICATIONS = re.compile(
    r"(?:(?:\w+\.)*app\.state\.\w|(?:request|websocket|self)\.app\[|(?:self\.)?_?hass\.data\[)"
)
#: Imported names that mean something else in each task.
_OF_REQUESTS = frozenset("g request session websocket current_app current_user ctx context contextvars".split())
#: Methods that put something into a container, and those that take something out of it.
FILLING = frozenset("append appendleft add insert update extend".split())
TAKING = frozenset("pop popleft popitem remove".split())


class Write(NamedTuple):
    """A statement that changes shared state.

    `how` is set, augmented, fill, take or delete; `place` is the spelling of what is changed, `container` that of what
    it is in; `key` tells what is put in or taken out. `owner` is who has the state: an object, the module, a class, or
    the function around a nested one.
    """

    node: cst.CSTNode
    how: str
    owner: str
    target: cst.BaseExpression
    place: str
    container: str = ""
    key: str = ""
    value: cst.BaseExpression | None = None


class SharedState:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._writes: dict[FunctionInfo, tuple[Write, ...]] = {}

    # -- places --------------------------------------------------------------------------------------------------------

    def place(self, node: cst.BaseExpression) -> str:
        """The spelling of an expression that names shared state; empty for everything else."""
        spelled = text(node)
        return spelled if spelled and self.owner(node) else ""

    def owner(self, node: cst.BaseExpression) -> str:
        """Who has the state that an expression names: object, class, module, function; empty for a local, or no state.

        Attributes of parameters are nobody's: what came in may belong to one task.
        """
        root, depth = node, 0
        while isinstance(root, cst.Attribute | cst.Subscript):
            root, depth = root.value, depth + 1
        if not isinstance(root, cst.Name):
            return ""
        if depth > 1 and _OF_APPLICATIONS.match(text(node)):
            return "module"
        home = self._file.names.home(root.value, self._tree.scope_of(root))
        if isinstance(home, cst.Module):
            return self._owner_in_module(root, depth)
        if not isinstance(home, cst.FunctionDef):
            return ""
        owner = self._file.definitions.functions[home]
        if owner.this == root.value:
            bindings = self._file.names.all_bindings(root.value, home)
            is_own = depth > 0 and all(binding.how == "param" for binding in bindings)
            return ("class" if owner.is_classmethod else "object") if is_own else ""
        function = self._file.function_of(root)
        # The local of a function around, which its other children see as well.
        is_around = function is not None and function.node is not home and self._is_born_around(root, home)
        return "function" if is_around else ""

    def _owner_in_module(self, root: cst.Name, depth: int) -> str:
        """A name of the module is a variable; attributes of its classes are variables as well."""
        bindings = self._file.names.all_bindings(root.value, self._tree.module)
        hows = {binding.how for binding in bindings}
        if hows <= {"class"}:
            return "class" if depth > 0 and isinstance(self._tree.parents[root], cst.Attribute) else ""
        if hows == {"import"}:
            return "module" if depth > 0 and root.value not in _OF_REQUESTS else ""
        return "module" if hows and hows <= {"assign", "annotation", "augmented", "del"} else ""

    def _is_born_around(self, root: cst.Name, home: cst.FunctionDef) -> bool:
        bindings = self._file.names.all_bindings(root.value, home)
        return bool(bindings) and all(binding.how in ("assign", "augmented", "annotation") for binding in bindings)

    # -- writes --------------------------------------------------------------------------------------------------------

    def writes(self, function: FunctionInfo) -> tuple[Write, ...]:
        """The statements of a function that change shared state, in order."""
        found = self._writes.get(function)
        if found is None:
            found = self._writes[function] = tuple(self._find_writes(function))
        return found

    def _find_writes(self, function: FunctionInfo) -> Iterator[Write]:
        for node in function.own:
            match node:
                case cst.Assign():
                    for target in node.targets:
                        for single, path in targets(target.target):
                            yield from self._set(node, single, "set", None if path else node.value)
                case cst.AnnAssign(value=cst.BaseExpression() as value):
                    yield from self._set(node, node.target, "set", value)
                case cst.AugAssign():
                    yield from self._set(node, node.target, "augmented", node.value)
                case cst.Del():
                    for single, _ in targets(node.target):
                        yield from self._set(node, single, "delete", None)
                case cst.Call(func=cst.Attribute(value=container, attr=cst.Name(value=method))):
                    if method in FILLING | TAKING and (place := self.place(container)):
                        key = text(node.args[0].value) if node.args and method in ("add", "pop", "remove") else ""
                        statement = self._tree.statement(node)
                        how = "fill" if method in FILLING else "take"
                        if method == "pop" and len(node.args) > 1:
                            continue
                        yield Write(statement, how, self.owner(container), container, place, place, key, node)

    def _set(
        self, node: cst.CSTNode, target: cst.BaseExpression, how: str, value: cst.BaseExpression | None
    ) -> Iterator[Write]:
        place = self.place(target)
        if not place:
            return
        if isinstance(target, cst.Subscript):
            index = target.slice[0].slice
            key = text(index.value) if isinstance(index, cst.Index) else ""
            yield Write(node, how, self.owner(target), target, place, text(target.value), key, value)
        else:
            yield Write(node, how, self.owner(target), target, place, value=value)
