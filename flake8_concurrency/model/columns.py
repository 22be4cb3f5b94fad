"""What an attribute of a mapped class is: a column, a collection in a column, a relationship, or no column at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

COLUMN, COLLECTION, PLAIN_JSON, RELATION, NONE, UNKNOWN = "column", "collection", "json", "relation", "none", "unknown"

_RELATIONS = frozenset(
    """relationship backref association_proxy dynamic_loader ForeignKey OneToOneField ManyToManyField GenericForeignKey
    GenericRelation Relationship column_property hybrid_property""".split()
)
_COLLECTIONS = frozenset("JSONField ArrayField HStoreField".split())
_JSON = frozenset("JSON JSONB ARRAY HSTORE PickleType".split())
_ROOTS = frozenset(
    """django.db.models.Model sqlalchemy.orm.DeclarativeBase flask_sqlalchemy.model.Model sqlmodel.SQLModel
    builtins.object""".split()
)


class Columns:
    """Reads the mapped classes of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, info: ClassInfo | None, name: str) -> str:
        """What the attribute is, one of the constants of this module."""
        if info is None:
            return NONE if name.startswith("_") else UNKNOWN
        complete = True
        for base in self._file.kinds.mro(Kind("instance", ref=info)):
            if not isinstance(base.ref, ClassInfo):
                continue
            if name in base.ref.methods:
                return NONE
            for binding in base.ref.attributes.get(name, ()):
                return self._bound(binding)
            complete = complete and all(self._is_root(node) for node in base.ref.bases)
        return NONE if (complete and info.bases) or name.startswith("_") else UNKNOWN

    def _is_root(self, node: cst.BaseExpression) -> bool:
        kind = self._file.kinds.instance_of(node)
        return kind is not None and (kind.name in _ROOTS or isinstance(kind.ref, ClassInfo))

    @staticmethod
    def _bound(binding: Binding) -> str:
        if not isinstance(binding.value, cst.Call):
            return COLUMN if binding.annotation is not None else UNKNOWN
        name = called_name(binding.value)
        if name in _RELATIONS or (words(name) or [""])[0] in ("relationship", "foreign", "many"):
            return RELATION
        if name in _COLLECTIONS:
            return COLLECTION
        mentioned = _names(binding.value)
        if any("Mutable" in word or word == "as_mutable" for word in mentioned):
            return COLLECTION
        if not mentioned.isdisjoint(_JSON):
            return PLAIN_JSON
        return COLUMN

    def has_version(self, info: ClassInfo | None) -> bool:
        """Whether the ORM checks a row's version when it writes it; for an unknown class, whether it does for any."""
        infos = [info] if info is not None else list(self._file.definitions.classes.values())
        return any(_checks_version(self._file, one) for one in infos)


def _checks_version(file: FileModel, info: ClassInfo) -> bool:
    for base in file.kinds.mro(Kind("instance", ref=info)):
        if isinstance(base.ref, ClassInfo):
            for node in file.tree.within(base.ref.node):
                if isinstance(node, cst.SimpleString | cst.Name) and "version_id_col" in node.value:
                    return True
                if isinstance(node, cst.Call) and called_name(node).endswith("VersionField"):
                    return True
    return False


def _names(node: cst.CSTNode) -> set[str]:
    found: set[str] = set()
    stack = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, cst.Name):
            found.add(inner.value)
        elif isinstance(inner, cst.Attribute):
            found.update(dotted(inner).split("."))
        stack += inner.children
    return found
