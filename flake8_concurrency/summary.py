"""What one text that was put together of another file's fragments tells: of its names, and which part of it shows them.

Its units tell, as those of a linted file tell the gate; libcst sees only the part that the model asks for.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from flake8_concurrency.outline import Abroad, Outline, Unit
from flake8_concurrency.words import bare

#: A name that can be told only from more lines than this counts as unknown: libcst's parse is what we pay for.
_LARGEST_PART = 300
#: Stands for a function that was left out: nothing is known of it, and a class does not inherit another instead.
_UNKNOWN = "..."
NOTHING = Abroad(frozenset(), frozenset())


class Part(NamedTuple):
    """The part of a file that tells what one of its names is and does: its text, and where that stands in the file."""

    text: str
    #: The lines of the text on which its module-level statements begin, from 1, and for each line its line in the file.
    starts: list[int]
    lines: list[int]


class Summary:
    """What names lead to in the fragments that one of them reaches."""

    def __init__(
        self,
        parts: list[Unit],
        source: tuple[list[str], list[int]],
        abroad: Mapping[str, Abroad],
        vocabulary: frozenset[str],
        blocks: Callable[[Outline], Collection[Unit]],
    ) -> None:
        self.abroad = abroad
        #: The lines of its text, and where they stand in the file.
        self._lines, self._origin = source
        self._outline = Outline(parts, abroad)
        self._vocabulary = vocabulary
        self._blocks = blocks
        self._methods: dict[Unit, list[Unit]] = {}
        self._mattering: dict[tuple[str, str], bool] = {}
        for unit in parts:
            if unit.header is not None:
                self._methods.setdefault(unit.header, []).append(unit)

    @cached_property
    def _reaching(self) -> frozenset[Unit]:
        return frozenset(self._blocks(self._outline))

    def told(self, name: str) -> Abroad:
        """What a name of the file contributes."""
        imported = self.abroad.get(name, NOTHING)
        named = [unit for unit in self._outline.units if name in unit.provides_names]
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
        steps: set[tuple[str, Unit | None]] = {(name, unit) for unit in named}
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
        if not self._origin:
            # What the name leads to is nothing that the file says.
            return None
        part = _cut(self._outline.units, kept, self._lines)
        return part._replace(lines=[self._origin[min(number, len(self._origin)) - 1] for number in part.lines])

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
                return any(part in self._reaching or any(self._kind_words(attribute, [part])) for part in having)
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
