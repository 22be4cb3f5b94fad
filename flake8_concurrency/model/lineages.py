"""The bases of classes: the file's own first, then those that the tables know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo
from flake8_concurrency.model.facts import Kind, ancestry
from flake8_concurrency.model.project import ClassElsewhere

if TYPE_CHECKING:
    from flake8_concurrency.model.kinds import Kinds

#: Bases without members of their own.
_BARE_BASES = frozenset({"typing.Generic", "typing.Protocol", "typing.TypedDict", "abc.ABC", "builtins.object"})
#: No class has more bases than this, unless it derives from itself.
_MOST_BASES = 200


class Lineages:
    """What the kinds of one file derive from."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._found: dict[Kind, list[Kind | None]] = {}

    def is_a(self, kind: Kind | None, name: str) -> bool:
        """Whether a value of this kind is surely an instance of a class or of one derived from it."""
        if kind is None:
            return False
        if kind.name == "union":
            return all(self.is_a(part, name) for part in kind.args)
        return any(current.name == name for current in self.mro(kind))

    def mro(self, kind: Kind) -> list[Kind]:
        """The kind and those of its bases, the file's own classes first, as far as they are known."""
        return [current for current in self.of(kind) if current is not None]

    def of(self, kind: Kind) -> list[Kind | None]:
        """The kind and those of its bases in the order in which they are looked up; None for one that is not known."""
        found = self._found.get(kind)
        if found is not None:
            return found
        ordered, is_final = self._kinds.memo.watch(lambda: self._ordered(kind))
        if is_final:
            self._found[kind] = ordered
        return ordered

    def _ordered(self, kind: Kind) -> list[Kind | None]:
        if isinstance(kind.ref, ClassElsewhere):
            return kind.ref.lineage()
        if not isinstance(kind.ref, ClassInfo):
            return [*ancestry(kind)]
        found: list[Kind | None] = []
        pending: list[Kind | None] = [kind]
        while pending and len(found) < _MOST_BASES:
            current = pending.pop(0)
            if current is not None and isinstance(current.ref, ClassInfo):
                found.append(current)
                pending = [*self.bases(current.ref), *pending]
            elif current is not None and isinstance(current.ref, ClassElsewhere):
                found += current.ref.lineage()
            else:
                found += [None] if current is None else ancestry(current)
        # A base that several others share comes after all of them.
        last = {base: position for position, base in enumerate(found)}
        return [base for position, base in enumerate(found) if base is None or last[base] == position]

    def bases(self, info: ClassInfo) -> list[Kind | None]:
        """The kinds of a class's bases; None for one that is not known. Those that give no members are left out."""
        found: list[Kind | None] = []
        for base in info.bases:
            plain = base.value if isinstance(base, cst.Subscript) else base
            if self._kinds.symbol_name(plain) not in _BARE_BASES:
                found.append(self._kinds.instance_of(base))
        return found

    def is_typed_dict(self, info: ClassInfo) -> bool:
        """Whether a class of the file is a dict with known keys."""
        return any(
            self._kinds.symbol_name(base) == "typing.TypedDict"
            for current in self.mro(Kind("instance", ref=info))
            if isinstance(current.ref, ClassInfo)
            for base in current.ref.bases
        )
