"""Rows that Django's views, serializers and signals hand over, and those of mappers whose classes are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.reads import DJANGO, PEEWEE, SQLALCHEMY, TORTOISE, Read
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_NOTHING: tuple[Read, ...] = ()
#: What peewee's and Tortoise's classes have, and neither Django's nor SQLAlchemy's.
_OWN_METHODS = frozenset("get_by_id get_or_none".split())
_CLAUSES = frozenset("filter exclude select_for_update".split())


class Given:
    """Answers for one file which names, attributes and calls are rows without a query that shows it."""

    def __init__(self, file: FileModel, imports: clauses.Imports) -> None:
        self._file = file
        self._imports = imports

    def named(self, node: cst.Name) -> tuple[Read, ...]:
        """`self` of a manager or queryset of Django, `instance` of a serializer's `update`."""
        function = self._file.function_of(node)
        if function is None or function.owner is None or not self._imports.may_be_django:
            return _NOTHING
        if (
            node.value == function.this
            and not function.is_classmethod
            and _is_of(function.owner, "Manager", "QuerySet")
        ):
            # A queryset's own method may be called on one that is narrowed down already.
            return (Read("query", DJANGO, node, node, related=not _is_of(function.owner, "Manager")),)
        if node.value == "instance" and function.name == "update" and _is_of(function.owner, "Serializer"):
            return self._row(node, function)
        return _NOTHING

    def held(self, node: cst.Attribute) -> tuple[Read, ...]:
        """`self.object` of a view, `serializer.instance`, and what hangs on the `instance` of a signal."""
        name, of = node.attr.value, node.value
        if not isinstance(of, cst.Name) or not self._imports.django:
            return _NOTHING
        function = self._file.function_of(node)
        owner = function.owner if function is not None else None
        if function is None:
            return _NOTHING
        if name == "object" and of.value == function.this and owner is not None and _is_of(owner, "View"):
            return _NOTHING if _makes(owner) else self._row(node, function)
        if name == "instance" and not function.name.endswith("create"):
            is_own = of.value == function.this and owner is not None and _is_of(owner, "Serializer")
            return self._row(node, function) if is_own or of.value == "serializer" else _NOTHING
        if of.value == "instance" and {"sender", "instance"} <= {param.name.value for param in function.params}:
            return (Read("row", DJANGO, node, node, related=True),)
        return _NOTHING

    def _row(self, node: cst.CSTNode, function: FunctionInfo) -> tuple[Read, ...]:
        """A row that a view has read: with a lock, where the view's own queryset takes one."""
        asked = [function.owner.methods.get(name) for name in ("get_queryset", "get_object")] if function.owner else []
        locked = any(method is not None and self._file.locks.takes(method) for method in asked)
        return (Read("row", DJANGO, node, node, locked=locked),)

    def inherited(self, name: str, receiver: cst.BaseExpression | None, node: cst.Call) -> tuple[Read, ...]:
        """`super().get_object(...)` in a view's own one."""
        function = self._file.function_of(node)
        if name != "get_object" or not self._imports.django or function is None or function.owner is None:
            return _NOTHING
        is_super = isinstance(receiver, cst.Call) and called_name(receiver) == "super"
        is_own = isinstance(receiver, cst.Name) and receiver.value == function.this and node.args
        return self._row(node, function) if (is_super or is_own) and function.owner.bases else _NOTHING

    def asked(self, name: str, receiver: cst.BaseExpression | None, node: cst.Call) -> tuple[Read, ...]:
        """`Account.get(Account.id == 1)` of peewee, `await Account.get(id=1)` of Tortoise, `Account.get_or_404(1)`."""
        if receiver is None or isinstance(receiver, cst.Call) or not clauses.names_class(receiver):
            return _NOTHING
        if name == "get_or_404" and node.args:
            return (Read("row", SQLALCHEMY, node, node, receiver, links=(node,)),)
        mapper = self._mapper(name, receiver, node)
        if not mapper:
            return _NOTHING
        start = Read("query", DJANGO, receiver, receiver, receiver, mapper=mapper)
        if name in ("get", "first", *_OWN_METHODS):
            return (start._replace(shape="row", sent=node, links=(node,)),)
        locked = name == "select_for_update"
        is_choosing = name in _CLAUSES and (locked or any(arg.keyword is not None for arg in node.args))
        if is_choosing or (name == "select" and mapper == PEEWEE):
            return (start._replace(query=node, sent=node, links=(node,), locked=locked),)
        return _NOTHING

    def _mapper(self, name: str, receiver: cst.BaseExpression, node: cst.Call) -> str:
        """Which mapper a class belongs to, going by what the file imports or by what only one of them has."""
        keywords = [arg for arg in node.args if arg.keyword is not None]
        if name == "get" and len(node.args) > len(keywords):
            first = node.args[0].value
            left = first.left if isinstance(first, cst.Comparison) else None
            is_column = isinstance(left, cst.Attribute) and text(left.value) == text(receiver)
            return PEEWEE if is_column else ""
        if name == "get_by_id" and len(node.args) != 1:
            # Others take the context of a request, too.
            return ""
        if name in _OWN_METHODS:
            return TORTOISE if self._is_awaited(node) else PEEWEE
        if PEEWEE in self._imports.roots or "playhouse" in self._imports.roots:
            return PEEWEE
        is_tortoise = TORTOISE in self._imports.roots or (self._is_awaited(node) and bool(keywords))
        return TORTOISE if is_tortoise and not self._imports.sqlalchemy else ""

    def _is_awaited(self, node: cst.CSTNode) -> bool:
        parent = self._file.tree.parents[node]
        while isinstance(parent, cst.Attribute) or (isinstance(parent, cst.Call) and parent.func is node):
            node, parent = parent, self._file.tree.parents[parent]
        return isinstance(parent, cst.Await)


def _is_of(info: ClassInfo, *kinds: str) -> bool:
    """Whether a class is derived from one of a kind, going by the last words of its bases' names."""
    names = (last_name(base.value if isinstance(base, cst.Subscript) else base) for base in info.bases)
    called = (base.func if isinstance(base, cst.Call) else base for base in info.bases)
    return any(name.endswith(kinds) for name in (*names, *map(last_name, called)))


def _makes(info: ClassInfo) -> bool:
    return any("create" in words(last_name(base)) for base in info.bases)
