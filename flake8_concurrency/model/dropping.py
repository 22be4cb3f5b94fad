"""Values that nobody ever looks at: dropped at once, or kept in a local that nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

GROWING = frozenset({"append", "appendleft", "add", "insert"})


class Dropping:
    """Answers for one file. What is stored in an attribute, or in somebody else's collection, counts as read."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def is_dropped(self, value: cst.CSTNode) -> bool:
        """Whether a value, as it is given by this expression, is dropped."""
        parent = self._file.parent(value)
        match parent:
            case cst.Expr():
                return True
            case cst.Element() | cst.List() | cst.Set() | cst.Tuple() | cst.ListComp() | cst.SetComp():
                return self.is_dropped(parent)
            case cst.DictElement() | cst.Dict() | cst.DictComp():
                return self.is_dropped(parent)
            case cst.IfExp() if value is not parent.test:
                return self.is_dropped(parent)
            case cst.BooleanOperation() if value is parent.right:
                return self.is_dropped(parent)
            case cst.Assign(targets=[cst.AssignTarget(target=target)]):
                return self._is_target_unread(target)
            case cst.AnnAssign(target=target) | cst.AugAssign(target=target):
                return self._is_target_unread(target)
            case cst.Arg():
                return self._is_put_away(parent)
        return False

    def _is_put_away(self, arg: cst.Arg) -> bool:
        """Whether a future is put into a local collection that nobody reads."""
        call = self._file.parent(arg)
        match call:
            case cst.Call(func=cst.Attribute(value=cst.Name() as container, attr=cst.Name(value=method))):
                is_growth = method in GROWING and isinstance(self._file.parent(call), cst.Expr)
                return is_growth and self._is_unread(container)
        return False

    def _is_target_unread(self, target: cst.BaseExpression) -> bool:
        if isinstance(target, cst.Subscript):
            target = target.value
        return isinstance(target, cst.Name) and self._is_unread(target)

    def _is_unread(self, variable: cst.Name) -> bool:
        """Whether a local variable that was made here is only filled and never read."""
        tree, names = self._file.tree, self._file.names
        home = names.home(variable.value, tree.scope_of(variable))
        if not isinstance(home, cst.FunctionDef):
            return False
        if any(binding.how not in ("assign", "augmented") for binding in names.all_bindings(variable.value, home)):
            return False
        return not any(
            isinstance(node, cst.Name)
            and node.value == variable.value
            and self._is_read(node)
            and names.home(node.value, tree.scope_of(node)) is home
            for node in tree.within(home.body)
        )

    def _is_read(self, node: cst.Name) -> bool:
        parent = self._file.parent(node)
        match parent:
            case cst.AssignTarget() | cst.Del():
                return False
            case cst.Element() | cst.StarredElement():
                return not self._is_unpacked_into(parent)
            case cst.AnnAssign() | cst.AugAssign():
                return parent.target is not node
            case cst.Attribute():
                return parent.value is node and not self._is_growth(parent)
            case cst.Subscript():
                return not (parent.value is node and isinstance(self._file.parent(parent), cst.AssignTarget))
            case cst.Arg():
                # What is put into a collection is read where the collection is.
                return parent.keyword is not node and not self._is_put_away(parent)
        return True

    def _is_unpacked_into(self, node: cst.CSTNode) -> bool:
        """Whether a part of a tuple is assigned to: `kept, lost = [], []`."""
        while isinstance(node, cst.BaseElement | cst.Tuple | cst.List):
            node = self._file.parent(node)
        return isinstance(node, cst.AssignTarget)

    def _is_growth(self, attribute: cst.Attribute) -> bool:
        call = self._file.parent(attribute)
        return attribute.attr.value in GROWING and isinstance(self._file.parent(call), cst.Expr)
