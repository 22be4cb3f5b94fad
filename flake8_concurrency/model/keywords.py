"""What `**` may give a call: the keys of a dict that a function puts together itself and hands to nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.tasks import string

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 4
#: Methods of a dict that put nothing into it.
_NOT_ADDING = frozenset("get items keys values copy pop popitem clear".split())
_COPYING = frozenset("dict len print repr str".split())


class Keywords:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def may_give(self, call: cst.Call, *names: str) -> bool:
        """Whether the `*` and `**` of a call may give it one of these arguments."""
        for arg in call.args:
            if arg.star:
                keys = self._keys(arg.value, 0) if arg.star == "**" else None
                if keys is None or not keys.isdisjoint(names):
                    return True
        return False

    def _keys(self, node: cst.BaseExpression, depth: int) -> set[str] | None:
        """All keys that a dict may have; None where it may have others."""
        if depth > _DEEPEST:
            return None
        match node:
            case cst.Dict(elements=elements):
                return _all(
                    _key(one.key) if isinstance(one, cst.DictElement) else self._keys(one.value, depth + 1)
                    for one in elements
                )
            case cst.Call(func=cst.Name(value="dict"), args=args):
                return _all(
                    {arg.keyword.value} if arg.keyword is not None else self._keys(arg.value, depth + 1)
                    for arg in args
                )
            case cst.IfExp(body=one, orelse=other):
                return _all(self._keys(part, depth + 1) for part in (one, other))
            case cst.BooleanOperation(left=one, right=other):
                return _all(self._keys(part, depth + 1) for part in (one, other))
            case cst.BinaryOperation(left=one, operator=cst.BitOr(), right=other):
                return _all(self._keys(part, depth + 1) for part in (one, other))
            case cst.Name():
                return self._of_local(node, depth)
        return None

    def _of_local(self, name: cst.Name, depth: int) -> set[str] | None:
        """The keys that a function's local is made with and gets, where nothing else can put any into it."""
        scope = self._file.tree.scope_of(name)
        if not isinstance(scope, cst.FunctionDef) or self._file.names.home(name.value, scope) is not scope:
            return None
        bound = self._file.names.all_bindings(name.value, scope)
        values = [b.value for b in bound if b.how == "assign" and not b.path and b.value is not None]
        if len(values) < len(bound):
            return None
        uses = (
            use for use in self._file.tree.within(scope.body) if isinstance(use, cst.Name) and use.value == name.value
        )
        return _all(
            [
                *(self._keys(value, depth + 1) for value in values),
                *(self._put_at(use, depth) for use in uses),
            ]
        )

    def _put_at(self, use: cst.Name, depth: int) -> set[str] | None:
        """The keys that one use of a name puts into its dict; None where it may put in any."""
        parent = self._file.parent(use)
        match parent:
            case cst.AssignTarget() | cst.ComparisonTarget() | cst.Comparison() | cst.If():
                return set()
            case cst.Arg(star="**") | cst.StarredDictElement() | cst.BinaryOperation():
                return set()
            case cst.BooleanOperation() if self._is_unpacked(parent):
                return set()
            case cst.Arg() if self._is_copied(parent):
                return set()
            case cst.Arg(keyword=name) | cst.AnnAssign(target=name) | cst.Attribute(attr=name) if name is use:
                return set()
            case cst.Subscript(slice=[cst.SubscriptElement(slice=cst.Index(value=key))]) if parent.value is use:
                if isinstance(self._file.parent(parent), cst.AssignTarget | cst.AnnAssign):
                    return _key(key)
                return set()
            case cst.Attribute(attr=cst.Name(value=method)):
                return self._put_by(self._file.parent(parent), method, depth)
        return None

    def _is_unpacked(self, node: cst.CSTNode) -> bool:
        around = self._file.parent(node)
        return isinstance(around, cst.Arg) and around.star == "**"

    def _is_copied(self, given: cst.Arg) -> bool:
        call = self._file.parent(given)
        return isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in _COPYING

    def _put_by(self, call: cst.CSTNode | None, method: str, depth: int) -> set[str] | None:
        """The keys that a method puts into its dict."""
        if not isinstance(call, cst.Call):
            return None
        if method in _NOT_ADDING:
            return set()
        if method == "setdefault" and call.args:
            return _key(call.args[0].value)
        if method == "update":
            return _all(
                {arg.keyword.value} if arg.keyword is not None else self._keys(arg.value, depth + 1)
                for arg in call.args
            )
        return None


def _key(node: cst.BaseExpression) -> set[str] | None:
    """A key that is written out."""
    key = string(node)
    return {key} if key else None


def _all(found: Iterable[set[str] | None]) -> set[str] | None:
    """All keys together; None where some are not known."""
    keys: set[str] = set()
    for some in found:
        if some is None:
            return None
        keys |= some
    return keys
