"""What the other files of a project may contribute to a file, told from their `ast` trees alone.

libcst parses another file only where a summary says that a name of it can matter: something that blocks stands in what
the name leads to.
"""

from __future__ import annotations

import ast
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from flake8_concurrency.model.modules import Place, read
from flake8_concurrency.outline import Abroad, Outline, Unit, units
from flake8_concurrency.words import FUNCTIONS

#: So many outlines are kept: they hold the whole tree of a file.
_MOST_OUTLINES = 48
#: No search looks into more names than this.
_MOST_NAMES = 400
#: Names of a module that are looked up in it.
_Name = tuple[str, str]


class _Part(NamedTuple):
    """What one name of a module contributes by itself."""

    #: The words by which kinds are told, among those that it leads to.
    words: frozenset[str]
    #: The names by which something that blocks is entered, and those of all else.
    blocking: frozenset[str]
    others: frozenset[str]
    #: The names of other files that it mentions.
    leads: tuple[_Name, ...]


_NOTHING = _Part(frozenset(), frozenset(), frozenset(), ())


#: Tells which units of an outline reach something that blocks: the part of the gate that is asked here.
Blocks = Callable[[Outline], Collection[Unit]]


class Summaries:
    """The summaries of the files below one root."""

    def __init__(self, root: str, vocabulary: frozenset[str], blocks: Blocks) -> None:
        self._root = root
        self._vocabulary = vocabulary
        self._blocks = blocks
        self._outlines: OrderedDict[str, _Summary | None] = OrderedDict()
        self._parts: dict[_Name, _Part] = {}
        self._reached: dict[_Name, Abroad] = {}

    def imports(self, tree: ast.Module, filename: str) -> dict[str, Abroad]:
        """What the names that a file imports from others of the project may contribute; those that matter only."""
        found: dict[str, Abroad] = {}
        for local, name in _first_party(tree, Place(self._root, filename)):
            told = self.of(name)
            if told.words or told.blocking:
                before = found.get(local)
                found[local] = (
                    told if before is None else Abroad(before.words | told.words, before.blocking | told.blocking)
                )
        return found

    def matters(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a name of a file is."""
        told = self.of((path, name))
        return bool(told.words or told.blocking)

    def of(self, name: _Name) -> Abroad:
        """What a name of a file contributes, with all that it leads to."""
        found = self._reached.get(name)
        if found is None:
            found = self._reached[name] = self._search(name)
        return found

    def _search(self, name: _Name) -> Abroad:
        seen = {name}
        pending = [name]
        parts: list[_Part] = []
        while pending and len(seen) < _MOST_NAMES:
            part = self._part(pending.pop())
            parts.append(part)
            for other in part.leads:
                if other not in seen:
                    seen.add(other)
                    pending.append(other)
        words = frozenset().union(*(part.words for part in parts))
        blocking = [part.blocking for part in parts if part.blocking]
        if not blocking:
            return Abroad(words, frozenset())
        # What calls something that blocks in another file does too.
        callers = (part.others for part in parts if part.leads)
        return Abroad(words, frozenset().union(*blocking, *callers))

    def _part(self, name: _Name) -> _Part:
        found = self._parts.get(name)
        if found is None:
            summary = self._summary(name[0])
            found = self._parts[name] = _NOTHING if summary is None else summary.part(name[1])
        return found

    def _summary(self, path: str) -> _Summary | None:
        if path in self._outlines:
            self._outlines.move_to_end(path)
            return self._outlines[path]
        found = self._outlines[path] = self._read(path)
        if len(self._outlines) > _MOST_OUTLINES:
            self._outlines.popitem(last=False)
        return found

    def _read(self, path: str) -> _Summary | None:
        text = read(path)
        tree = None if text is None else parsed(text)
        if text is None or tree is None:
            return None
        outline = Outline(list(units(tree, text.splitlines(keepends=True))))
        leads: dict[str, list[_Name]] = {}
        for local, name in _first_party(tree, Place(self._root, path)):
            leads.setdefault(local, []).append(name)
        return _Summary(outline, leads, self._vocabulary, self._blocks)


class _Summary:
    """One file's outline, and what its names lead to."""

    def __init__(
        self, outline: Outline, leads: dict[str, list[_Name]], vocabulary: frozenset[str], blocks: Blocks
    ) -> None:
        self._outline = outline
        self._leads = leads
        self._vocabulary = vocabulary
        self._reaching = frozenset(blocks(outline))

    def part(self, name: str) -> _Part:
        """What a name of the file contributes; without a name, the whole file."""
        found = set(self._outline.units) if not name else self._closure(name)
        named = [unit for unit in found if not unit.is_import]
        spelled = set().union(*(unit.spelled | unit.imported for unit in found))
        locals_ = self._leads.keys() & spelled
        return _Part(
            frozenset(spelled & self._vocabulary),
            frozenset(entry for unit in named if unit in self._reaching for entry in unit.entries),
            frozenset(entry for unit in named if isinstance(unit.node, FUNCTIONS) for entry in unit.entries),
            tuple(sorted({lead for local in locals_ for lead in self._leads[local]})),
        )

    def _closure(self, name: str) -> set[Unit]:
        """What a name leads to; of a class, all its methods."""
        found: set[Unit] = set()
        fresh = {unit for unit in self._outline.units if name in unit.provides_names}
        while fresh:
            found |= self._outline.led_to(frozenset(fresh))
            headers = {unit for unit in found if isinstance(unit.node, ast.ClassDef)}
            fresh = {unit for unit in self._outline.units if unit.header in headers and unit not in found}
        return found


def parsed(text: str) -> ast.Module | None:
    """The tree of a text; None where it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_party(tree: ast.Module, place: Place) -> Iterator[tuple[str, _Name]]:
    """The names that a file imports from the project, each with where it comes from."""
    for statement in _imports(tree):
        for local, target in _targets(statement):
            found = place.find(target)
            if found is not None and found[0] != place.path:
                yield local, (found[0], found[1][0] if found[1] else "")


def _targets(statement: ast.Import | ast.ImportFrom) -> Iterable[tuple[str, str]]:
    if isinstance(statement, ast.Import):
        return [((one.asname or one.name).partition(".")[0], one.name) for one in statement.names]
    module = "." * statement.level + (statement.module or "")
    separator = "" if module.endswith(".") else "."
    return [(one.asname or one.name, f"{module}{separator}{one.name}") for one in statement.names if one.name != "*"]


#: The fields of statements in which other statements are.
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file, wherever they stand."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            for field in _BODIES:
                inner = getattr(node, field, None)
                if inner.__class__ is list:
                    pending += inner
