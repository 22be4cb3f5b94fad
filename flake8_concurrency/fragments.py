"""A module's text in fragments, found by how it is laid out: most questions about other files need no parse at all.

A function, a class without its methods, a method, and any other statement of the module are each a fragment. Where the
layout misleads (a text in quotes at the left margin), a fragment is no Python, and nothing is known of it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from flake8_concurrency.words import SPECIAL, attributes_in, names_in, words_of

_PAIR = re.compile(r"([^\W\d]\w*)\s*\.(?=\s*([^\W\d]\w*))")
_CALLED = re.compile(r"(\w+)[ \t]*\(")
_SYNTAX = frozenset({"with", "for", "if"})
#: What goes on with the statement before it.
_GOES_ON = re.compile(r"(?:elif|else|except|finally|case)\b")
_HEAD = re.compile(r"^[ \t]*(?:async[ \t]+def|(def|class))[ \t]+(\w+)", re.MULTILINE)
_METHOD = re.compile(r"^([ \t]+)(?:async[ \t]+)?def[ \t]", re.MULTILINE)
_QUOTES = re.compile('"""|' + "'''")
#: With what a statement may begin besides a word.
_BEGINS = frozenset("_@\"'")
_FUNCTION = re.compile(r"\bdef[ \t]+(\w+)")
_STORED = re.compile(r"\bself\.(\w+)[ \t]*(?::[^=\n]+)?=(?!=)")
_BOUND = re.compile(r"^[ \t]*(?:(?:async[ \t]+)?def[ \t]+|class[ \t]+)?(\w+)(?=[ \t]*(?:\(|:|=(?!=)|\[))", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+)?import[ \t]+(\([^)]*\)|(?:[^\n\\]|\\\n)*)", re.MULTILINE)
_COMMENT = re.compile(r"#.*")


class Fragment:
    """Some whole lines of a module."""

    def __init__(self, lines: Sequence[str], numbers: Sequence[int], owner: Fragment | None = None) -> None:
        self._lines = lines
        #: All its lines, from 1: of a class with those of its methods.
        self.numbers = numbers
        #: The class that a method belongs to.
        self.owner = owner
        begin = lines[numbers[0] - 1].lstrip()
        #: `def`, `async`, `class`, `import`, or empty for anything else.
        self.kind = ""
        self.name = ""
        if begin.startswith(("import ", "from ")):
            self.kind = "import"
        elif begin.startswith(("@", "def ", "class ", "async ", "async\t", "def\t", "class\t")):
            head = _HEAD.search(self.whole)
            if head is not None:
                self.kind, self.name = head.group(1) or "async", head.group(2)

    @property
    def whole(self) -> str:
        """The text with that of a class's methods."""
        return _text(self._lines, self.numbers)

    @cached_property
    def members(self) -> list[Fragment]:
        """The methods of a class."""
        if self.kind != "class":
            return []
        indentations = _METHOD.findall(self.whole)
        if not indentations:
            return []
        runs = split(self._lines, self.numbers[1:], min(indentations, key=len))
        found = [Fragment(self._lines, run, self) for run in runs]
        return [one for one in found if one.kind in ("def", "async")]

    @cached_property
    def own_numbers(self) -> Sequence[int]:
        """Its lines without those of a class's methods."""
        taken = {number for member in self.members for number in member.numbers}
        return [number for number in self.numbers if number not in taken] if taken else self.numbers

    @cached_property
    def text(self) -> str:
        """The text without that of a class's methods."""
        return _text(self._lines, self.own_numbers)

    @cached_property
    def words(self) -> set[str]:
        return words_of(self.text)

    @cached_property
    def names(self) -> set[str]:
        """The words that stand anywhere but after a dot."""
        return names_in(self.text)

    @cached_property
    def attrs(self) -> set[str]:
        """The words that stand after a dot."""
        return set(attributes_in(self.text))

    @cached_property
    def pairs(self) -> set[tuple[str, str]]:
        """The words around each dot."""
        return pairs(self.text)

    @cached_property
    def called(self) -> set[str]:
        """The words before a parenthesis, and those that enter, read or test something."""
        return called_in(self.text, self.words)

    @cached_property
    def imports(self) -> list[tuple[str, str]]:
        """The names that are imported in it, each with the dotted name of what it stands for."""
        return list(imported(self.text)) if "import" in self.text else []

    @cached_property
    def by_attribute(self) -> dict[str, list[Fragment]]:
        """The methods of a class by their names, and by the attributes that they store."""
        found: dict[str, list[Fragment]] = {}
        for member in self.members:
            for name in {member.name, *_STORED.findall(member.text)}:
                found.setdefault(name, []).append(member)
        return found

    @property
    def provides(self) -> Iterable[str]:
        """The names that it binds in its module."""
        if self.kind == "import":
            return [local for local, _ in self.imports]
        if self.name or self._lines[self.numbers[0] - 1].startswith(("'", '"')):
            return [self.name] if self.name else []
        found = {*_BOUND.findall(self.text), *_targets(self.text), *(local for local, _ in self.imports)}
        return found.difference(keyword.kwlist)


class Fragments:
    """The fragments of one module."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.top = [Fragment(self.lines, run) for run in split(self.lines, range(1, len(self.lines) + 1), "")]
        self.named: dict[str, list[Fragment]] = {}
        for fragment in self.top:
            for name in fragment.provides:
                self.named.setdefault(name, []).append(fragment)

    def shape(self, name: str) -> str:
        """Whether a name is surely a function (`def`) or a class (`class`); empty when it is neither."""
        found = self.named.get(name, [])
        kind = found[0].kind if len(found) == 1 and found[0].name == name else ""
        return "def" if kind == "async" else kind

    def reach(self, name: str, wanted: Collection[str], most: int, steps: int) -> list[Fragment]:
        """What tells of a name and of these attributes in so many steps, nearest first, and no more lines than `most`.

        A name leads to the fragments that bind it, and an attribute to the methods of that name, or that store it, in
        the classes that are led to. Imports count for nothing, and a class and its methods are one step.
        """
        found: dict[Fragment, None] = {}
        attrs: set[str] = {*wanted, *SPECIAL}
        classes: list[Fragment] = []
        pending = list(self.named.get(name, ()))
        for _ in range(steps):
            names: set[str] = set()
            while pending:
                fresh: list[Fragment] = []
                for fragment in pending:
                    if len(fragment.own_numbers) > most:
                        continue
                    most -= len(fragment.own_numbers)
                    found[fragment] = None
                    fresh.append(fragment)
                    names |= fragment.names & self.named.keys()
                    if fragment.kind == "class":
                        classes.append(fragment)
                attrs = attrs.union(*(fragment.attrs for fragment in fresh))
                members = (
                    one
                    for header in classes
                    for word in sorted(header.by_attribute.keys() & attrs)
                    for one in header.by_attribute[word]
                )
                pending = [one for one in dict.fromkeys(members) if one not in found] if fresh else []
            named = [fragment for word in sorted(names) for fragment in self.named[word]]
            found |= dict.fromkeys(fragment for fragment in named if fragment.kind == "import")
            pending = [fragment for fragment in dict.fromkeys(named) if fragment not in found]
        return list(found)

    def put_together(self, some: Collection[Fragment]) -> tuple[str, list[int]]:
        """A text of these fragments only, and for each of its lines its line in the module, both from 1.

        Of a method that is left out its name stays, so that a class does not seem to inherit another one instead.
        """
        text: list[str] = []
        origin: list[int] = []
        for fragment in self.top:
            if fragment not in some:
                continue
            left_out = {member.numbers[0]: member for member in fragment.members if member not in some}
            dropped = {number for member in left_out.values() for number in member.numbers}
            for number in fragment.numbers:
                line = self.lines[number - 1]
                member = left_out.get(number)
                if member is not None:
                    line = f"{line[: len(line) - len(line.lstrip())]}{member.name} = ..."
                elif number in dropped:
                    continue
                text.append(line)
                origin.append(number)
        return "\n".join([*text, ""]), origin


def split(lines: Sequence[str], numbers: Sequence[int], indentation: str) -> list[list[int]]:
    """Lines in runs: each begins with a statement that is indented so far, with its decorators."""
    width = len(indentation)
    runs: list[list[int]] = []
    is_decorated = False
    quotes = ""
    for number in numbers:
        line = lines[number - 1]
        begin = line[width : width + 1]
        if (
            not quotes
            and (begin.isalpha() or begin in _BEGINS)
            and begin
            and line.startswith(indentation)
            and not _GOES_ON.match(line, width)
        ):
            if not is_decorated:
                runs.append([])
            is_decorated = begin == "@"
        if runs:
            runs[-1].append(number)
        if '"""' in line or "'''" in line:
            quotes = _open_after(line, quotes)
    return runs


def _open_after(line: str, quotes: str) -> str:
    """The triple quotes that are open after a line, before which these are; empty for none."""
    if not quotes and line.lstrip().startswith("#"):
        return ""
    position = 0
    while True:
        if quotes:
            position = line.find(quotes, position)
            if position < 0:
                return quotes
            quotes = ""
        else:
            found = _QUOTES.search(line, position)
            if found is None:
                return ""
            quotes, position = found.group(), found.start()
        position += 3


def called_in(text: str, words: Collection[str] = _SYNTAX) -> set[str]:
    """The words before a parenthesis in a text, and those that enter, read or test something."""
    return {*_CALLED.findall(text), *_SYNTAX.intersection(words)}


def member_names(text: str) -> set[str]:
    """The names of functions in a text, and the attributes that they store."""
    return {*_FUNCTION.findall(text), *_STORED.findall(text)}


def pairs(text: str) -> set[tuple[str, str]]:
    """The words around each dot of a text."""
    return set(_PAIR.findall(text))


def imported(text: str) -> Iterator[tuple[str, str]]:
    """The names that a text imports, each with the dotted name of what it stands for."""
    for module, rest in _IMPORT.findall(text):
        plain = _COMMENT.sub("", rest).replace("(", " ").replace(")", " ").replace("\\", " ").partition(";")[0]
        for part in plain.split(","):
            match part.split():
                case [name, "as", local]:
                    pass
                case [name]:
                    local = name if module else name.partition(".")[0]
                case _:
                    continue
            if name != "*":
                yield local, f"{module}{'' if not module or module.endswith('.') else '.'}{name}"


def _targets(text: str) -> Collection[str]:
    """The names on the left of a text's first `=`."""
    left, equals, _ = text.partition("=")
    return names_in(left) if equals and "\n" not in left else []


def _text(lines: Sequence[str], numbers: Sequence[int]) -> str:
    if len(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers):
        return "\n".join([*lines[numbers[0] - 1 : numbers[-1]], ""])
    return "\n".join([*(lines[number - 1] for number in numbers), ""])
