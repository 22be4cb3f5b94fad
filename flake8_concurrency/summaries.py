"""What the other files of a project may contribute to a file, told from their text as far as that is enough.

What a name leads to is found by how the text is laid out (see `fragments`). Most of it mentions nothing that blocks,
and is never parsed; of the rest the `ast` trees tell. libcst parses a part of another file only where a summary says
that a name of it can matter: something that blocks stands in what the name leads to.
"""

from __future__ import annotations

import ast
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from flake8_concurrency.fragments import Fragment, Fragments, called_in, imported, member_names, pairs
from flake8_concurrency.model.modules import Place, read
from flake8_concurrency.outline import Abroad, Outline, Unit, units
from flake8_concurrency.summary import NOTHING, Part, Summary, parsed
from flake8_concurrency.words import attributes_in, imported_from, words_of

#: The texts of files with so many lines in all are kept, and the trees of fragments with so many.
_MOST_LINES = 400_000
_MOST_PARSED = 60_000
#: What a name leads to is followed for no more lines than this, nearest first.
_FARTHEST = 150
#: And in no more steps than this.
_MOST_STEPS = 3
#: Calls are followed through so many other files: hidden ones are one or two deep.
_DEEPEST = 1
#: A name that is only imported, to be imported from there, leads on; through no more files than this.
_MOST_HOPS = 4
#: A file, and a name that is looked up in it.
Name = tuple[str, str]
_Answer = TypeVar("_Answer")


class Asking(NamedTuple):
    """What is asked of those who know what blocks."""

    #: The units of an outline that reach something that blocks: a part of the gate.
    blocks: Callable[[Outline], Collection[Unit]]
    #: Whether something that is called may block, by all the words around it.
    may_block: Callable[[set[str], set[str]], bool]
    #: The words of kinds by which what is called may turn out to block.
    telling: Callable[[set[str]], frozenset[str]]


#: The head of a function that says that it gives nothing that has methods of which we know.
_GIVES_PLAIN = re.compile(
    r"\A(?:[ \t]*@.*\n)*[ \t]*(?:async[ \t]+)?def(?:(?!\bdef\b|->)[\s\S])*->\s*[\"']?(?:None|str|int|bool|float|bytes|"
    r"Any|(?:[dD]ict|[lL]ist|[sS]et|[tT]uple|Optional)\b(?:\[[\sa-z,\[\].|]*\])?)(?:\s*\|\s*None)?[\"']?\s*:"
)


class Imported(NamedTuple):
    """What a file imports from others of its project, as far as it matters."""

    #: By the names that the file gives them.
    abroad: dict[str, Abroad]
    #: The names of other files that matter.
    names: frozenset[Name]


class Summaries:
    """The summaries of the files below one root."""

    def __init__(self, root: str, vocabulary: frozenset[str], asking: Asking) -> None:
        self._root = root
        self._vocabulary = vocabulary
        self._asking = asking
        self._read: OrderedDict[str, _File | None] = OrderedDict()
        self._lines = 0
        self._reached: OrderedDict[object, _Reached] = OrderedDict()
        self._parsed = 0

    def imports(self, tree: ast.Module, path: str, text: str) -> Imported:
        """What the names that a file imports from others of the project may contribute; those that matter only."""
        dotted = pairs(text)
        wanted = frozenset(attributes_in(text))
        telling = self._asking.telling(words_of(text))
        told = [
            (local, name, self.of(name, wanted, telling, _DEEPEST))
            for local, name in self._first_party(_imported(tree), Place(self._root, path), dotted)
        ]
        names = frozenset(name for _, name, one in told if one != NOTHING)
        return Imported(_by_local((local, one) for local, _, one in told), names)

    def _first_party(
        self, imported: Iterable[tuple[str, str]], place: Place, dotted: Collection[tuple[str, str]]
    ) -> Iterator[tuple[str, Name]]:
        """What imports may mean in other files: of a module the names that stand after its own and a dot."""
        for local, target in imported:
            found = place.find(target)
            if found is None or found[0] == place.path:
                continue
            path, names = found
            file = None if names else self._file(path)
            if names:
                yield local, (path, names[0])
            elif file is not None:
                modules = {local, target.rpartition(".")[2]}
                for name in sorted({name for module, name in dotted if module in modules} & file.named.keys()):
                    yield local, (path, name)

    def of(self, name: Name, wanted: frozenset[str], telling: frozenset[str], depth: int, hops: int = 0) -> Abroad:
        """What a name of a file contributes of which these attributes are asked, through so many other files.

        Of kinds those matter that one of the `telling` words names.
        """
        file = self._file(name[0])
        if file is None or name[1] not in file.named:
            return NOTHING
        on = self._imported_only(file, name[1]) if hops < _MOST_HOPS else None
        if on is not None:
            return self.of(on, wanted, telling, depth, hops + 1)
        if self._gives_plain(file, name[1]):
            # What a coroutine waits for is told where it stands.
            if any(fragment.kind == "async" for fragment in file.named[name[1]]):
                return NOTHING
            telling = frozenset()
        if depth:
            return self._told_by(file, name[1], wanted, telling, depth)
        # Nothing but the file itself counts: most of what is asked makes no difference to it.
        wanted, telling = wanted & file.attributes, telling & self._words_in(file)
        if not telling and not self._may_block_in(file):
            return NOTHING
        return file.remembered((name[1], wanted, telling), lambda: self._told_by(file, name[1], wanted, telling, depth))

    def _told_by(self, file: _File, name: str, wanted: frozenset[str], telling: frozenset[str], depth: int) -> Abroad:
        told = self._reaching(file, name, wanted, telling, depth).told(name, telling)
        return told._replace(words=told.words & telling)

    def _words_in(self, file: _File) -> frozenset[str]:
        """The words of the vocabulary in a file."""
        return file.remembered(("words",), lambda: self._vocabulary & file.words)

    def _may_block_in(self, file: _File) -> bool:
        """Whether a file calls anything that may block, by its own words."""
        return file.remembered(("blocks",), lambda: self._asking.may_block(file.called, file.words))

    @staticmethod
    def _imported_only(file: _File, name: str) -> Name | None:
        """Where a name of a file comes from that the file only imports from the project."""
        found = file.named[name]
        if len(found) != 1 or found[0].kind != "import":
            return None
        targets = [target for local, target in found[0].imports if local == name]
        on = file.place.find(targets[0]) if len(targets) == 1 else None
        return (on[0], on[1][0]) if on is not None and len(on[1]) == 1 and on[0] != file.place.path else None

    def _reaching(
        self, file: _File, name: str, wanted: frozenset[str], telling: frozenset[str], depth: int
    ) -> _Reached:
        """What a name of a file leads to."""
        fragments = file.reach(name, wanted, _FARTHEST, _MOST_STEPS)
        abroad: dict[str, Abroad] = {}
        imported = _mentioned(fragments, name) if depth else []
        if imported:
            dotted = set().union(*(fragment.pairs for fragment in fragments))
            inside = wanted.union(*(fragment.attrs for fragment in fragments))
            needed = telling | self._asking.telling(_called(fragments))
            abroad = _by_local(
                (local, self.of(other, inside, needed, depth - 1))
                for local, other in self._first_party(imported, file.place, dotted)
            )
        key = (file.place.path, frozenset(fragments), frozenset(abroad.items()))
        known = self._reached.get(key)
        if known is not None:
            self._reached.move_to_end(key)
            return known
        reached = self._reached[key] = _Reached(file, fragments, abroad, self)
        self._parsed += reached.lines
        while self._parsed > _MOST_PARSED and len(self._reached) > 1:
            self._parsed -= self._reached.popitem(last=False)[1].lines
        return reached

    # -- what the model asks -----------------------------------------------------------------------------------------

    def matters(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a name of a file is."""
        file = self._file(path)
        return file is not None and name in file.named and (file.shape(name) == "class" or self._tells(file, name))

    def _tells(self, file: _File, name: str) -> bool:
        fragments = file.reach(name, (), _FARTHEST, _MOST_STEPS)
        return (
            self.may_matter(fragments, {}, self._vocabulary)
            or any(fragment.kind == "class" for fragment in fragments)
            or any(file.place.find(target) for _, target in _mentioned(fragments, name))
        )

    def shape(self, path: str, name: str) -> str:
        """Whether a name of a file is surely a function (`def`) or a class (`class`); empty when it is neither."""
        file = self._file(path)
        return "" if file is None else file.shape(name)

    def gives_kind(self, path: str, name: str) -> bool:
        """Whether a name of a file has a kind that matters, or gives one."""
        file = self._file(path)
        return file is not None and not self._gives_plain(file, name) and self.matters(path, name)

    @staticmethod
    def _gives_plain(file: _File, name: str) -> bool:
        """Whether a function says that it gives nothing that has methods of which we know."""
        found = file.named.get(name, ())
        return bool(found) and all(
            fragment.kind in ("def", "async") and _GIVES_PLAIN.search(fragment.text) is not None for fragment in found
        )

    def attribute_matters(self, path: str, name: str, attribute: str) -> bool:
        """Whether it can make a difference what an attribute of a class is."""
        file = self._file(path)
        return file is not None and file.remembered(
            (name, attribute), lambda: self._about(file, name, attribute).attribute_matters(name, attribute)
        )

    def bases_matter(self, path: str, name: str) -> bool:
        """Whether it can make a difference what a class derives from."""
        file = self._file(path)
        return file is not None and file.remembered((name, ""), lambda: self._about(file, name, "").bases_matter(name))

    def _about(self, file: _File, name: str, attribute: str) -> _Reached:
        wanted = frozenset({attribute} if attribute else ())
        return self._reaching(file, name, wanted, self._vocabulary, _DEEPEST)

    def part(self, path: str, name: str, attribute: str) -> Part | None:
        """The part of a file that tells what a name is and does; None where it cannot be read or parsed."""
        file = self._file(path)
        summary = None if file is None else self._about(file, name, attribute).summary
        return None if summary is None else summary.part(name, attribute)

    # -- for what was reached ----------------------------------------------------------------------------------------

    def may_matter(self, fragments: Sequence[Fragment], abroad: Mapping[str, Abroad], telling: Collection[str]) -> bool:
        """Whether fragments mention anything that blocks, or has a kind that one of the `telling` words names."""
        words = _words(fragments).union(*(told.words for told in abroad.values()))
        return not words.isdisjoint(telling) or self._calls_blocking(fragments, abroad, words)

    def is_telling(self, fragments: Sequence[Fragment], abroad: Mapping[str, Abroad]) -> bool:
        """The same, whatever kind it is."""
        return self.may_matter(fragments, abroad, self._vocabulary)

    def _calls_blocking(self, fragments: Sequence[Fragment], abroad: Mapping[str, Abroad], words: set[str]) -> bool:
        called = _called(fragments)
        for name, told in abroad.items():
            # Of a class that is derived from one of another file anything may be called.
            if told.blocking and (
                name in called
                or not called.isdisjoint(told.blocking)
                or any(fragment.kind == "class" for fragment in fragments)
            ):
                return True
        return self._asking.may_block(called, words)

    def summary(self, tree: ast.Module, text: str, origin: list[int], abroad: Mapping[str, Abroad]) -> Summary:
        """The summary of a text that was put together of fragments."""
        lines = text.splitlines(keepends=True) if "\f" not in text else [f"{line}\n" for line in text.split("\n")]
        return Summary(list(units(tree, lines)), (lines, origin), abroad, self._vocabulary, self._asking.blocks)

    def _file(self, path: str) -> _File | None:
        if path in self._read:
            self._read.move_to_end(path)
            return self._read[path]
        text = read(path)
        found = self._read[path] = None if text is None else _File(text, Place(self._root, path))
        self._lines += 0 if found is None else len(found.lines)
        while self._lines > _MOST_LINES and len(self._read) > 1:
            _, dropped = self._read.popitem(last=False)
            self._lines -= 0 if dropped is None else len(dropped.lines)
        return found


class _File(Fragments):
    """A file that was read, and what its imports see."""

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.place = place
        self._text = text
        self._known: dict[tuple[object, ...], Any] = {}

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What methods are named and store: no class of the file has other ones that are looked into."""
        return frozenset(member_names(self._text))

    @cached_property
    def _imports(self) -> list[tuple[str, str]]:
        return list(imported(self._text))

    @cached_property
    def words(self) -> set[str]:
        """All words, and the packages that are imported from."""
        return {*words_of(self._text), *(imported_from(target.partition(".")[0]) for _, target in self._imports)}

    @cached_property
    def called(self) -> set[str]:
        """The words by which anything is called, and those of the module's own statements."""
        renamed = (target.rpartition(".")[2] for _, target in self._imports)
        statements = (fragment.words for fragment in self.top if not fragment.kind)
        return {*called_in(self._text), *renamed}.union(*statements)

    def remembered(self, key: tuple[object, ...], ask: Callable[[], _Answer]) -> _Answer:
        """An answer about the file, found once."""
        if key not in self._known:
            self._known[key] = ask()
        answer: _Answer = self._known[key]
        return answer


class _Reached:
    """What a name leads to in one file."""

    def __init__(
        self, file: _File, fragments: list[Fragment], abroad: Mapping[str, Abroad], summaries: Summaries
    ) -> None:
        self._file = file
        self._fragments = fragments
        self._abroad = abroad
        self._summaries = summaries
        self.lines = 1 + sum(len(fragment.own_numbers) for fragment in fragments)
        self._told: dict[str, Abroad] = {}

    def _may_matter(self, telling: Collection[str]) -> bool:
        return self._summaries.may_matter(self._fragments, self._abroad, telling)

    @cached_property
    def summary(self) -> Summary | None:
        """What its trees tell; None where it is no Python."""
        text, origin = self._file.put_together(self._fragments)
        tree = parsed(text)
        return None if tree is None else self._summaries.summary(tree, text, origin, self._abroad)

    def told(self, name: str, telling: Collection[str]) -> Abroad:
        """What the name contributes; nothing where it has no kind that one of these words names, and does not block."""
        if name not in self._told:
            if not self._may_matter(telling):
                return NOTHING
            self._told[name] = NOTHING if self.summary is None else self.summary.told(name)
        return self._told[name]

    def attribute_matters(self, name: str, attribute: str) -> bool:
        """Whether an attribute of a class may block, or have a kind that matters: its own, or of any base."""
        others = any(one.kind == "class" and one.name != name for one in self._fragments)
        if not (others or self._summaries.is_telling(self._fragments, self._abroad)):
            return False
        # What cannot be told may be anything.
        return self.summary is None or self.summary.attribute_matters(name, attribute)

    def bases_matter(self, name: str) -> bool:
        """Whether a class may derive from one of the vocabulary, or from one of another file that matters."""
        return self.summary is None or self.summary.bases_matter(name)


def _by_local(told: Iterable[tuple[str, Abroad]]) -> dict[str, Abroad]:
    """What matters, by the name that a file gives it: several modules of a package may have one."""
    found: dict[str, Abroad] = {}
    for local, one in told:
        if one != NOTHING:
            before = found.get(local, NOTHING)
            found[local] = Abroad(before.words | one.words, before.blocking | one.blocking)
    return found


def _words(fragments: Sequence[Fragment]) -> set[str]:
    """The words of fragments: of what is imported only what is mentioned, with the package that it comes from."""
    found = set().union(*(fragment.words for fragment in fragments if fragment.kind != "import"))
    for _, target in _mentioned(fragments, ""):
        parts = target.split(".")
        found.update(parts)
        if parts[0]:
            found.add(imported_from(parts[0]))
    return found


def _called(fragments: Sequence[Fragment]) -> set[str]:
    """The words by which fragments call something, also where it has another name there."""
    called = set().union(*(fragment.called for fragment in fragments))
    others = (fragment.imports if fragment.kind == "import" else () for fragment in fragments)
    called |= {target.rpartition(".")[2] for some in others for local, target in some if local in called}
    return called.union(*(fragment.words for fragment in fragments if not fragment.kind))


def _mentioned(fragments: Iterable[Fragment], name: str) -> list[tuple[str, str]]:
    """What fragments import of what they mention, each with the dotted name of what it stands for."""
    some = list(fragments)
    names = {name}.union(*(fragment.names for fragment in some if fragment.kind != "import"))
    return list(
        dict.fromkeys((local, target) for fragment in some for local, target in fragment.imports if local in names)
    )


def _imported(tree: ast.Module) -> list[tuple[str, str]]:
    """The names that a file imports, each with the dotted name of what it stands for."""
    return list(dict.fromkeys(one for statement in _imports(tree) for one in _targets(statement)))


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
