"""What the other files of a project may contribute to a file, told from their `ast` trees alone.

libcst parses another file only where a summary says that a name of it can matter: something that blocks stands in what
the name leads to.
"""

from __future__ import annotations

import ast
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from flake8_concurrency.model.modules import Place, read
from flake8_concurrency.outline import Abroad, Outline, Unit, units
from flake8_concurrency.words import FUNCTIONS, bare

#: Outlines of so many lines are kept: they hold the whole tree of a file.
_MOST_LINES = 100_000
#: A name that can be told only from more lines than this counts as unknown: libcst's parse is what we pay for.
_LARGEST_PART = 300
#: Calls are followed through so many other files: hidden ones are one or two deep.
_DEEPEST = 1
#: A file, and a name that is looked up in it: "" for the file as a whole.
_Name = tuple[str, str]
#: Tells which units of an outline reach something that blocks: the part of the gate that is asked here.
Blocks = Callable[[Outline], Collection[Unit]]


class Part(NamedTuple):
    """The part of a file that tells what one of its names is and does: its text, and where that stands in the file."""

    text: str
    #: The lines of the text on which its module-level statements begin, from 1, and for each line its line in the file.
    starts: list[int]
    lines: list[int]


class Summaries:
    """The summaries of the files below one root."""

    def __init__(self, root: str, vocabulary: frozenset[str], blocks: Blocks) -> None:
        self._root = root
        self._vocabulary = vocabulary
        self._blocks = blocks
        self._read: OrderedDict[str, _File | None] = OrderedDict()
        self._lines = 0
        self._told: dict[tuple[_Name, int], Abroad] = {}

    def imports(self, tree: ast.Module, path: str) -> dict[str, Abroad]:
        """What the names that a file imports from others of the project may contribute; those that matter only."""
        return self._abroad(_first_party(tree, Place(self._root, path)), _DEEPEST)

    def _abroad(self, imported: Iterable[tuple[str, _Name]], depth: int) -> dict[str, Abroad]:
        found: dict[str, Abroad] = {}
        for local, name in imported:
            told = self.of(name, depth)
            if told.words or told.blocking:
                known = found.get(local, _NOTHING)
                found[local] = Abroad(known.words | told.words, known.blocking | told.blocking)
        return found

    def matters(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a name of a file is."""
        told = self.of((path, name), _DEEPEST)
        return bool(told.words or told.blocking)

    def shape(self, path: str, name: str) -> str:
        """Whether a name of a file is surely a function (`def`) or a class (`class`); empty when it is neither."""
        file = self._file(path)
        return "" if file is None else file.shapes.get(name, "")

    def gives_kind(self, path: str, name: str) -> bool:
        """Whether a name of a file has a kind that matters, or gives one."""
        return bool(self.of((path, name), _DEEPEST).words)

    def attribute_matters(self, path: str, name: str, attribute: str) -> bool:
        """Whether it can make a difference what an attribute of a class is."""
        summary = self._summary(path, _DEEPEST)
        return summary is not None and summary.attribute_matters(name, attribute)

    def bases_matter(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a class derives from."""
        summary = self._summary(path, _DEEPEST)
        return summary is not None and summary.bases_matter(name)

    def of(self, name: _Name, depth: int) -> Abroad:
        """What a name of a file contributes, with what it leads to through so many other files."""
        found = self._told.get((name, depth))
        if found is None:
            summary = self._summary(name[0], depth)
            found = _NOTHING if summary is None else summary.told(name[1])
            self._told[name, depth] = found
        return found

    def part(self, path: str, name: str, attribute: str) -> Part | None:
        """The part of a file that tells what a name is and does; None where it cannot be read or parsed."""
        summary = self._summary(path, _DEEPEST)
        return None if summary is None else summary.part(name, attribute)

    def _summary(self, path: str, depth: int) -> _Summary | None:
        file = self._file(path)
        if file is None:
            return None
        found = file.summaries.get(depth)
        if found is None:
            abroad = self._abroad(file.imported, depth - 1) if depth else {}
            for known in file.summaries.values():
                if known.abroad == abroad:
                    found = known
                    break
            else:
                found = _Summary(file, abroad, self._vocabulary, self._blocks)
            file.summaries[depth] = found
        return found

    def _file(self, path: str) -> _File | None:
        if path in self._read:
            self._read.move_to_end(path)
            return self._read[path]
        text = read(path)
        tree = None if text is None else parsed(text)
        found = None
        if text is not None and tree is not None:
            found = _File(text.splitlines(keepends=True), tree, Place(self._root, path))
        self._read[path] = found
        self._lines += 0 if found is None else len(found.lines)
        while self._lines > _MOST_LINES and len(self._read) > 1:
            _, dropped = self._read.popitem(last=False)
            self._lines -= 0 if dropped is None else len(dropped.lines)
        return found


class _File:
    """A file that was read, and what is known of it: more, the more files are looked into."""

    def __init__(self, lines: list[str], tree: ast.Module, place: Place) -> None:
        self.lines = lines
        self.units = list(units(tree, lines))
        self.imported = list(_first_party(tree, place))
        self.summaries: dict[int, _Summary] = {}
        self.shapes: dict[str, str] = {}
        for unit in self.units:
            for name in unit.provides_names if unit.header is None else ():
                known = "def" if isinstance(unit.node, FUNCTIONS) else "class"
                is_plain = isinstance(unit.node, (*FUNCTIONS, ast.ClassDef)) and unit.node.name == name
                self.shapes[name] = known if is_plain and name not in self.shapes else ""


class _Summary:
    """What the names of one file lead to."""

    def __init__(self, file: _File, abroad: Mapping[str, Abroad], vocabulary: frozenset[str], blocks: Blocks) -> None:
        self.abroad = abroad
        self._lines = file.lines
        self._outline = Outline(file.units, abroad)
        self._vocabulary = vocabulary
        self._blocks = blocks
        self._methods: dict[Unit, list[Unit]] = {}
        self._mattering: dict[tuple[str, str], bool] = {}
        for unit in file.units:
            if unit.header is not None:
                self._methods.setdefault(unit.header, []).append(unit)

    @cached_property
    def _reaching(self) -> frozenset[Unit]:
        return frozenset(self._blocks(self._outline))

    def told(self, name: str) -> Abroad:
        """What a name of the file contributes; without a name, the whole file."""
        imported = self.abroad.get(name, _NOTHING)
        named = [unit for unit in self._outline.units if not name or name in unit.provides_names]
        words, leads, classes = self._kind_words(name, named)
        reached = {*named, *(method for unit in classes for method in self._methods.get(unit, ()))}
        blocking = {entry for unit in reached & self._reaching for entry in unit.entries}
        for lead in leads:
            words |= self.abroad[lead].words
            blocking |= self.abroad[lead].blocking
        return Abroad(frozenset(words) | imported.words, frozenset(blocking) | imported.blocking)

    def _kind_words(self, name: str, named: list[Unit]) -> tuple[set[str], set[str], set[Unit]]:
        """The words of the vocabulary from which a name may have its kind; the names from abroad, and the classes."""
        words: set[str] = set()
        leads: set[str] = set()
        seen: set[Unit] = set()
        steps: set[tuple[str, Unit | None]] = {
            (word, unit) for unit in named for word in ([name] if name else unit.provides_names)
        }
        pending = list(steps)
        while pending:
            word, unit = pending.pop()
            leads.update({bare(word)} & self.abroad.keys())
            words.update({bare(word)} & self._vocabulary)
            found = list(self._outline.sources(word, unit))
            for provider in self._outline.providing(word):
                if provider.is_import:
                    words |= provider.imported & self._vocabulary
                elif isinstance(provider.node, ast.ClassDef) and provider.node.name == word and provider not in seen:
                    seen.add(provider)
                    # Whatever an object of a class has may be asked for.
                    for method in self._methods.get(provider, ()):
                        found += [(attr, method) for attr in method.provides_attrs]
                    found += [(attr, provider) for attr in provider.provides_attrs]
            for step in found:
                if step not in steps:
                    steps.add(step)
                    pending.append(step)
        return words, leads, seen

    def part(self, name: str, attribute: str) -> Part | None:
        """The part of the file that tells what a name is and does, or what an attribute of a class is and does."""
        kept: set[Unit] = set()
        fresh = {unit for unit in self._outline.units if name in unit.provides_names and unit.header is None}
        if attribute:
            for header in self._lineage(name)[0]:
                fresh.add(header)
                fresh |= {method for method in self._methods.get(header, ()) if attribute in method.provides_attrs}
        while fresh:
            kept |= self._outline.support(fresh)
            reached = (self._outline.targets(unit) & self._reaching for unit in kept & self._reaching)
            fresh = set().union(*reached) - kept
            if sum(unit.text.count("\n") for unit in kept) > _LARGEST_PART:
                return None
        return _cut(self._outline.units, kept, self._lines)

    def attribute_matters(self, name: str, attribute: str) -> bool:
        """Whether an attribute of a class may block, or have a kind that matters: its own, or of any base."""
        known = self._mattering.get((name, attribute))
        if known is None:
            known = self._mattering[name, attribute] = self._attribute_matters(name, attribute)
        return known

    def _attribute_matters(self, name: str, attribute: str) -> bool:
        classes, is_open = self._lineage(name)
        own = {unit for unit in classes if unit.node.name == name}  # type: ignore[attr-defined]
        # What the class has itself hides whatever its bases have.
        for some in (own, classes):
            parts = [part for unit in some for part in (unit, *self._methods.get(unit, ()))]
            having = [part for part in parts if attribute in part.provides_attrs]
            if having:
                return any(part in self._reaching or any(self._kind_words(attribute, [part])[:2]) for part in having)
        return is_open

    def bases_matter(self, name: str) -> bool:
        """Whether a class may derive from one of the vocabulary, or from one of another file that matters."""
        return self._lineage(name)[1]

    def _lineage(self, name: str) -> tuple[set[Unit], bool]:
        """The classes of the file that a class derives from, itself among them, and whether others may matter."""
        found: set[Unit] = set()
        is_open = False
        pending = [name]
        seen = {name}
        while pending:
            word = pending.pop()
            is_open = is_open or word in self.abroad or word in self._vocabulary
            for unit in self._outline.providing(word):
                is_open = is_open or (unit.is_import and not unit.imported.isdisjoint(self._vocabulary))
                if isinstance(unit.node, ast.ClassDef) and unit.node.name == word:
                    found.add(unit)
                    more = {
                        part.id for base in unit.node.bases for part in ast.walk(base) if isinstance(part, ast.Name)
                    }
                    pending += more - seen
                    seen |= more
        return found, is_open


_NOTHING = Abroad(frozenset(), frozenset())
#: Stands for a function that was left out: nothing is known of it, and a class does not inherit another instead.
_UNKNOWN = "..."


def _cut(parts: Iterable[Unit], kept: set[Unit], lines: list[str]) -> Part:
    text: list[str] = []
    origin: list[int] = []
    starts: list[int] = []
    top = [unit for unit in parts if unit.header is None]
    methods: dict[Unit, list[Unit]] = {}
    for unit in parts:
        if unit.header is not None:
            methods.setdefault(unit.header, []).append(unit)
    for unit in top:
        if unit not in kept and not unit.is_import:
            continue
        starts.append(len(text) + 1 + getattr(unit.node, "lineno", unit.first) - unit.first)
        dropped = {method.first: method for method in methods.get(unit, ()) if method not in kept}
        number = unit.first
        while number <= unit.last:
            line = lines[number - 1]
            origin.append(number)
            method = dropped.get(number)
            if method is not None:
                indentation = line[: len(line) - len(line.lstrip())]
                line = f"{indentation}{method.node.name} = {_UNKNOWN}\n"  # type: ignore[attr-defined]
                number = method.last
            text.append(line if line.endswith("\n") else line + "\n")
            number += 1
    return Part("".join(text), starts, [*origin, len(lines)])


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
