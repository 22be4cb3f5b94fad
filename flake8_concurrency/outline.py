"""A text in units that are kept or dropped whole, and how they lead to each other by name.

A function, a class's header with its own statements, and a statement of the module are each a unit. A unit leads to all
units that provide a name which it mentions. Names of attributes and plain names are told apart, nothing else is: this
only ever leads too far.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from flake8_concurrency import words
from flake8_concurrency.knowledge.words import MODULES
from flake8_concurrency.rule import Answering
from flake8_concurrency.words import FUNCTIONS, Called, Function

_OWN = re.compile(r"self(?<!\wself)\s*\.\s*([^\W\d]\w*)")
_OWN_OF_CLASS = re.compile(r"cls(?<!\wcls)\s*\.\s*([^\W\d]\w*)")
_FILLING = rf"\s*\.\s*(?:{'|'.join(sorted(words.FILLING))})\("
#: Attributes of objects that a function fills: `self.x.append(`.
_FILLED = re.compile(r"\.([^\W\d]\w*)" + _FILLING)
#: Names that a function fills: `TASKS.append(`, `TASKS[key] = `.
_FILLED_NAME = re.compile(r"(?<![\w.])([^\W\d]\w*)(?:" + _FILLING + r"|\[[^\]\n]*\]\s*=(?!=))")
#: Words that mean an object of the class around.
_RECEIVERS = frozenset({"self", "cls", "super"})
#: Words in a callee by which a method calls another one of its own object.
OWN = frozenset({"self", "cls", "super"})
_NOTHING: frozenset[str] = frozenset()


#: The statements that store an attribute, give another name, import, or are async.
_TELLING = frozenset(
    {
        *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith),
        *(ast.Import, ast.ImportFrom, ast.Global, ast.AsyncFunctionDef),
    }
)


class Unit:
    """A run of whole lines."""

    def __init__(self, first: int, last: int, text: str, node: ast.AST, header: Unit | None) -> None:
        #: The first and the last line, from 1.
        self.first, self.last = first, last
        #: Functions that give back what they are given, by all names that the text has for them.
        self.giving: Collection[str] = words.GIVING
        self.node = node
        #: The header of the class that a method belongs to.
        self.header = header
        self.text = text
        self.is_import = isinstance(node, ast.Import | ast.ImportFrom)
        #: All words, strings and comments included.
        self.spelled: set[str] = words.words_of(text)
        #: What others may need this unit for: names it binds where they see them, attributes it stores or fills.
        self.provides_names: set[str] = set()
        self.provides_attrs: set[str] = set() if words.FILLING.isdisjoint(self.spelled) else set(_FILLED.findall(text))
        #: Pairs: a name, and another one that the unit gives to the same thing.
        self.renamed: list[tuple[str, str]] = []
        #: The packages that it imports from, each as `words.imported_from` writes it.
        self.imported: set[str] = set()
        #: Whether there is an `async def` in it, and whether it may store or delete an attribute or an item.
        self.has_async = False
        self.stores = False
        for statement in words.own_statements(node):
            if statement.__class__ not in _TELLING:
                continue
            self.has_async = self.has_async or isinstance(statement, ast.AsyncFunctionDef)
            self.stores = self.stores or words.stores(statement)
            self.provides_attrs.update(words.stored_attributes(statement))
            self.renamed += words.renamings(statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imported.update(words.packages(statement))
            elif isinstance(statement, ast.Global):
                self.provides_names.update(statement.names)

    @cached_property
    def names(self) -> set[str]:
        """The words that stand anywhere but after a dot."""
        return words.names_in(self.text)

    @cached_property
    def _attributes(self) -> list[str]:
        return words.attributes_in(self.text)

    @cached_property
    def attrs(self) -> set[str]:
        """The words that stand after a dot."""
        return set(self._attributes)

    @cached_property
    def own(self) -> set[str]:
        """The attributes among them that stand on nothing but the method's own object."""
        return _only(self._attributes, self.uses_of_own)

    @cached_property
    def uses_of_own(self) -> list[str]:
        """The attributes of the method's own object, each as often as it is mentioned."""
        return [*_OWN.findall(self.text), *_OWN_OF_CLASS.findall(self.text)]

    @property
    def is_statement(self) -> bool:
        return not self.is_import and not isinstance(self.node, (*FUNCTIONS, ast.ClassDef))

    def mentions(self, some: Collection[str]) -> bool:
        return not self.spelled.isdisjoint(some)

    def begins(self, beginnings: tuple[str, ...]) -> bool:
        """Whether any word begins with one of these."""
        return any(word.startswith(beginnings) for word in self.spelled)

    @cached_property
    def calls(self) -> list[Called]:
        """Everything that the unit calls and does not await."""
        return words.calls(self.node, self.giving)

    @cached_property
    def tested(self) -> list[Called]:
        """Everything that the unit tests for truth."""
        return words.tested(self.node, self.giving)

    @cached_property
    def awaited(self) -> list[Called]:
        """Everything that the unit calls and awaits."""
        return words.awaited(self.node, self.giving)

    @cached_property
    def called(self) -> set[str]:
        """The last names of all callees."""
        return {call.name for call in self.calls}

    def enters(self, names: Collection[str], read: Collection[str], *, on_loop: bool) -> bool:
        """Whether the unit's code of one kind calls something of these names, or reads one of the properties."""
        if not self.attrs.isdisjoint(read):
            return True
        return self.mentions(names) and any(call.on_loop is on_loop and call.name in names for call in self.calls)

    @property
    def is_property(self) -> bool:
        """Whether reading the unit's name runs it."""
        if not isinstance(self.node, FUNCTIONS):
            return False
        named = (word for part in self.node.decorator_list for word in words.words(part))
        return any("property" in word or word == "reify" for word in named)

    @cached_property
    def bound_words(self) -> dict[str, set[str]]:
        """For each name and attribute that the unit binds, the words of what it may be bound to."""
        return words.bound(self.node, self.giving)

    def bound(self, word: str) -> Collection[str]:
        """The words of what a name or attribute may be bound to in this unit."""
        return self.bound_words.get(words.bare(word), _NOTHING)

    def gives(self, word: str) -> Collection[str]:
        """The words that may tell the kind of a name or attribute which this unit provides."""
        node, word = self.node, words.bare(word)
        if isinstance(node, ast.ClassDef):
            named = word == node.name
            parts = (w for part in (*node.bases, *node.decorator_list) for w in words.words(part)) if named else ()
            return {*parts, *self.bound(word)}
        if isinstance(node, FUNCTIONS):
            if word == node.name:
                return self._result
            special = node.name in words.SPECIAL and word in self.provides_names
            return {*self.bound(word), *(self._result if special else ())}
        return self.bound(word) or self.names | self.attrs

    @cached_property
    def _result(self) -> set[str]:
        """The words that may tell what calling the function gives."""
        assert isinstance(self.node, FUNCTIONS)
        return words.result(self.node, self.giving)

    @cached_property
    def takes_anything(self) -> set[str]:
        """The parameters of a private function that say nothing of their kind: only its callers tell."""
        node = self.node
        if not isinstance(node, FUNCTIONS) or not node.name.startswith("_") or node.name.endswith("__"):
            return set()
        args = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        return {arg.arg for arg in args if arg.annotation is None} - _RECEIVERS

    @property
    def entries(self) -> set[str]:
        """The names by which the unit's code is entered."""
        if isinstance(self.node, FUNCTIONS):
            return self.provides_names | {self.node.name}
        return self.provides_names | self.provides_attrs


def _only(attributes: Sequence[str], own: Sequence[str]) -> set[str]:
    """The attributes that occur on the own object as often as they occur at all."""
    if not own:
        return set()
    everywhere = Counter(attributes)
    return {name for name, times in Counter(own).items() if times >= everywhere[name]}


def units(tree: ast.Module, lines: Sequence[str]) -> Iterator[Unit]:
    """The units of a text, each class's header before its methods."""
    for first, last, statements in grouped(tree.body):
        node = statements[0]
        if isinstance(node, ast.ClassDef) and len(statements) == 1:
            yield from _class_units(node, lines)
        else:
            yield _module_unit(first, last, statements, lines)


def grouped(body: Sequence[ast.stmt]) -> Iterator[tuple[int, int, list[ast.stmt]]]:
    """Statements with their first and last lines; those that share a line together."""
    group: list[ast.stmt] = []
    first = last = 0
    for node in body:
        start, end = first_line(node), node.end_lineno or node.lineno
        if group and start > last:
            yield first, last, group
            group = []
        if not group:
            first, last = start, end
        group.append(node)
        last = max(last, end)
    if group:
        yield first, last, group


def first_line(node: ast.stmt) -> int:
    """The line on which a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _module_unit(first: int, last: int, statements: list[ast.stmt], lines: Sequence[str]) -> Unit:
    unit = Unit(first, last, "".join(lines[first - 1 : last]), statements[0], None)
    for node in statements:
        unit.provides_names |= {node.name} if isinstance(node, FUNCTIONS) else words.bound_names(node)
        if node is not statements[0]:
            unit.renamed += words.renamings(node)
    return unit


def _class_units(node: ast.ClassDef, lines: Sequence[str]) -> Iterator[Unit]:
    first, end = first_line(node), node.end_lineno or node.lineno
    methods: list[tuple[int, int, Function]] = []
    for start, last, (method, *rest) in grouped(node.body):
        if isinstance(method, FUNCTIONS) and not rest and start > node.lineno:
            methods.append((start, last, method))
    taken = {line for start, last, _ in methods for line in range(start, last + 1)}
    header = Unit(first, end, "".join(lines[n - 1] for n in range(first, end + 1) if n not in taken), node, None)
    header.provides_names.add(node.name)
    for statement in node.body:
        if not isinstance(statement, FUNCTIONS):
            header.provides_attrs |= words.bound_names(statement)
    yield header
    for start, last, method in methods:
        unit = Unit(start, last, "".join(lines[start - 1 : last]), method, header)
        unit.provides_attrs.add(method.name)
        if method.name in header.names:
            unit.provides_names.add(method.name)
        if method.name in words.SPECIAL:
            unit.provides_names.add(node.name)
        yield unit


class Abroad(NamedTuple):
    """What a name that is imported from another file of the project may contribute."""

    #: The words by which kinds are told.
    words: frozenset[str]
    #: The names by which something that blocks is entered.
    blocking: frozenset[str]


class Outline:
    """The units of a text and what leads where."""

    def __init__(self, parts: list[Unit], abroad: Mapping[str, Abroad] = MappingProxyType({})) -> None:
        self.units = parts
        #: For each word the other names that the text gives to it.
        self._renamed: dict[str, set[str]] = {}
        self._by_name: dict[str, list[Unit]] = {}
        self._by_attr: dict[str, list[Unit]] = {}
        for unit in parts:
            for name in unit.provides_names:
                self._by_name.setdefault(name, []).append(unit)
            for name in unit.provides_attrs:
                self._by_attr.setdefault(name, []).append(unit)
            for word, other in unit.renamed:
                self._renamed.setdefault(word, set()).add(other)
            self._note_derived(unit)
        statements = (unit for unit in parts if unit.is_statement)
        variables = {name for unit in statements for name in unit.provides_names}
        for unit in parts:
            # Who reads a variable of the module needs the functions that fill it.
            if isinstance(unit.node, FUNCTIONS) and not unit.spelled.isdisjoint(variables):
                for name in variables.intersection(_FILLED_NAME.findall(unit.text)):
                    self._by_name[name].append(unit)
        #: Every word of the text, and every package it imports from.
        self.words: set[str] = set().union(*(unit.spelled | unit.imported for unit in parts))
        #: By name: what is imported from other files of the project, as far as it can matter.
        self.abroad = {**abroad, **self._unbound()}
        self.words.update(*(told.words for told in self.abroad.values()))
        giving = self.other_names(words.GIVING)
        for unit in parts:
            unit.giving = giving
        self._targets: dict[Unit, set[Unit]] = {}
        self._families: dict[Unit, set[Unit]] = {}
        self._in_family: dict[tuple[str, Unit], list[Unit]] = {}
        self._evidence: dict[frozenset[str], set[str]] = {}
        self._steps: dict[_Step, list[_Step]] = {}
        #: For each set of evidence: the steps that lead to it, and those that do not, as far as they were asked about.
        self._traced: dict[int, tuple[set[_Step], set[_Step]]] = {}
        self._namers: dict[Unit, set[Unit]] = {}
        #: What several rules ask alike.
        self._callers_of: dict[tuple[Unit, frozenset[str], bool], frozenset[Unit]] = {}
        self._led_to: dict[frozenset[Unit], set[Unit]] = {}
        self._told: dict[frozenset[Unit], set[Unit]] = {}
        self._matching: dict[re.Pattern[str], set[Unit]] = {}
        self._answers: dict[tuple[Answering, frozenset[str]], dict[Unit, Collection[str]]] = {}

    def _unbound(self) -> dict[str, Abroad]:
        """The modules that a text uses and never imports: they come with a star from another file."""
        missing = (name for name in MODULES & self.words if name not in self._by_name)
        return {
            name: Abroad(frozenset({name, words.imported_from(name)}), _NOTHING)
            for name in missing
            if any(name in unit.spelled and re.search(rf"(?<![\w.]){name}\.", unit.text) for unit in self.units)
        }

    def _note_derived(self, unit: Unit) -> None:
        """A class is another name for each of its bases."""
        if isinstance(unit.node, ast.ClassDef):
            for base in unit.node.bases:
                for word in words.words(base):
                    self._renamed.setdefault(word, set()).update({unit.node.name, derived(unit.node.name)})

    def other_names(self, some: Iterable[str]) -> set[str]:
        """The words and every other name that the text gives to one of them."""
        found = set(some)
        pending = list(found & self._renamed.keys())
        while pending:
            for other in self._renamed.get(pending.pop(), _NOTHING):
                if other not in found:
                    found.add(other)
                    pending.append(other)
        return found

    def targets(self, unit: Unit) -> set[Unit]:
        """The units that a unit leads to in one step: those that provide a name which it mentions, and its class."""
        found = self._targets.get(unit)
        if found is None:
            found = self._targets[unit] = set() if unit.is_import else self._find_targets(unit)
        return found

    def _find_targets(self, unit: Unit) -> set[Unit]:
        found = {other for name in unit.names & self._by_name.keys() for other in self._by_name[name]}
        for name in unit.attrs & self._by_attr.keys():
            found.update(self._attribute(name, unit if name in unit.own else None))
        if unit.header is not None:
            found.add(unit.header)
        if unit.takes_anything:
            found.update(self._callers(unit))
        return found

    def _attribute(self, name: str, unit: Unit | None) -> list[Unit]:
        """The units that provide an attribute: of any object, or of a unit's own one."""
        found = self._by_attr.get(name, [])
        header = None if unit is None else unit.header or unit
        if header is None or not found or not isinstance(header.node, ast.ClassDef):
            return found
        known = self._in_family.get((name, header))
        if known is None:
            family = self._family(header)
            known = self._in_family[name, header] = [other for other in found if (other.header or other) in family]
        return known

    def _family(self, header: Unit) -> set[Unit]:
        """The headers of a class, of those it is derived from and of those derived from it."""
        found = self._families.get(header)
        if found is None:
            found = self._families[header] = {*_linked(header, self._bases), *_linked(header, self._derived)}
        return found

    def may_be_mapped(self, header: Unit) -> bool:
        """Whether the rows of a table may be objects of a class, which its bases or decorators tell."""
        return any(
            isinstance(one.node, ast.ClassDef) and (one.node.bases or one.node.decorator_list)
            for one in self._family(header)
        )

    @cached_property
    def _bases(self) -> dict[Unit, list[Unit]]:
        headers = [unit for unit in self.units if isinstance(unit.node, ast.ClassDef)]
        known = set(headers)
        return {header: [base for base in self._named_by(header) if base in known] for header in headers}

    def _named_by(self, header: Unit) -> Iterator[Unit]:
        """What provides a name that a class is derived from, also when another name stands between."""
        assert isinstance(header.node, ast.ClassDef)
        for word in header.gives(header.node.name):
            for provider in self._by_name.get(word, ()):
                yield provider
                if not isinstance(provider.node, ast.ClassDef):
                    yield from (unit for name in provider.gives(word) for unit in self._by_name.get(name, ()))

    @cached_property
    def _derived(self) -> dict[Unit, list[Unit]]:
        found: dict[Unit, list[Unit]] = {}
        for header, bases in self._bases.items():
            for base in bases:
                found.setdefault(base, []).append(header)
        return found

    def _callers(self, unit: Unit) -> list[Unit]:
        names = unit.entries
        return [other for other in self.units if other is not unit and other.mentions(names)]

    def matching(self, pattern: re.Pattern[str]) -> set[Unit]:
        """The units whose text matches."""
        found = self._matching.get(pattern)
        if found is None:
            found = self._matching[pattern] = {unit for unit in self.units if pattern.search(unit.text)}
        return found

    def answers(self, answers: Answering, anchors: frozenset[str]) -> Callable[[Unit], Collection[str]]:
        """What a unit answers, if it mentions an anchor; asked only of those that somebody leads to."""
        known = self._answers.setdefault((answers, anchors), {})

        def of(unit: Unit) -> Collection[str]:
            found = known.get(unit)
            if found is None:
                is_asked = unit.mentions(anchors) and not unit.is_import
                found = known[unit] = answers(unit.node, anchors) if is_asked else ()
            return found

        return of

    def led_to(self, units: frozenset[Unit]) -> set[Unit]:
        """`closure`, remembered."""
        found = self._led_to.get(units)
        if found is None:
            found = self._led_to[units] = self.closure(units)
        return found

    def all_support(self, units: set[Unit], told: Mapping[Unit, set[str]]) -> set[Unit]:
        """`support`, put together of what is known already; of the units in `told` only these words are followed."""
        known = [(some, found) for some, found in self._told.items() if some <= units]
        left = units.difference(*(some for some, _ in known))
        return self.support(left, told).union(*(found for _, found in known))

    def told_by(self, units: frozenset[Unit]) -> set[Unit]:
        """`support`, remembered."""
        found = self._told.get(units)
        if found is None:
            found = self._told[units] = self.support(units)
        return found

    def calling(self, unit: Unit, hooks: frozenset[str] = frozenset(), *, nearest: bool = False) -> frozenset[Unit]:
        """A unit and all that lead to it by the name of a function, not one of `hooks`, in any number of steps.

        With `nearest` only the callers of private functions are asked who calls them.
        """
        known = self._callers_of.get((unit, hooks, nearest))
        if known is not None:
            return known
        found = {unit}
        pending = [unit]
        while pending:
            one = pending.pop()
            if isinstance(one.node, FUNCTIONS) and one.node.name not in hooks:
                fresh = self._naming(one) - found
                found |= fresh
                if not nearest or one.node.name.startswith("_"):
                    pending += fresh
        known = self._callers_of[unit, hooks, nearest] = frozenset(found)
        return known

    def _naming(self, unit: Unit) -> set[Unit]:
        known = self._namers.get(unit)
        if known is None:
            names = self.other_names(unit.entries)
            mentioning = (other for other in self.units if not other.is_import and other.mentions(names))
            known = self._namers[unit] = {other for other in mentioning if self._uses(other, names, unit)}
        return known

    def _uses(self, unit: Unit, names: set[str], meant: Unit) -> bool:
        """Whether a unit that mentions some names may mean a unit by one: more than to define a thing of that name.

        What it calls on its own object is of its class.
        """
        own_name = unit.node.name if isinstance(unit.node, FUNCTIONS) else ""
        is_of_others = self._is_of_others(unit, meant)
        for name in names & unit.spelled:
            if name != own_name and not is_of_others:
                return True
            times = len(re.findall(rf"\b{name}\b", unit.text)) - (name == own_name)
            if times and not (is_of_others and times == unit.uses_of_own.count(name)):
                return True
        return False

    def _is_of_others(self, unit: Unit, meant: Unit) -> bool:
        """Whether both are methods, of classes that have nothing to do with each other."""
        if unit.header is None or meant.header is None:
            return False
        return meant.header not in self._family(unit.header)

    def closure(self, seeds: Iterable[Unit]) -> set[Unit]:
        """The units and everything they lead to."""
        kept = set(seeds)
        pending = list(kept)
        while pending:
            fresh = self.targets(pending.pop()) - kept
            kept |= fresh
            pending += fresh
        return kept

    def support(self, seeds: Iterable[Unit], told: Mapping[Unit, Collection[str]] = MappingProxyType({})) -> set[Unit]:
        """The units and whatever may tell the kind of something in them; not what that mentions besides.

        Of the units in `told` only the kinds of these words are wanted.
        """
        kept: set[Unit] = set()
        seen: set[_Step] = set()
        fresh = list(seeds)
        pending = [_step(word, unit) for unit in fresh for word in self._leading(unit)]
        pending += [_step(word, unit) for unit, some in told.items() for word in some]
        fresh += told
        while fresh or pending:
            for unit in fresh:
                kept.update([unit] if unit.header is None else [unit, unit.header])
                pending += self._inherited(unit)
            fresh = []
            while pending:
                step = pending.pop()
                if step not in seen:
                    seen.add(step)
                    pending += self._sources(step)
                    fresh += [unit for unit in self._told_by(*step) if unit not in kept]
        return kept

    def _leading(self, unit: Unit) -> Iterator[str]:
        """The words of a unit that lead anywhere: most of them are bound nowhere in the text."""
        bound, provided = unit.bound_words, self._provided
        taking = unit.takes_anything
        for word in unit.names | (unit.attrs - unit.own):
            if word in provided or word in bound or word in _RECEIVERS or word in taking:
                yield word
        for word in unit.own:
            if word in self._by_attr or word in bound:
                yield words.own(word)

    @cached_property
    def _provided(self) -> frozenset[str]:
        """All words that some unit provides."""
        return frozenset({*self._by_name, *self._by_attr})

    def _told_by(self, word: str, unit: Unit | None) -> Iterator[Unit]:
        """The units that `_sources` looks into for a word."""
        yield from self._by_name.get(word, ())
        yield from self._providers(word, unit)
        if unit is not None:
            if word in unit.takes_anything:
                yield from self._callers(unit)
            if unit.header is not None:
                yield unit.header

    @staticmethod
    def _inherited(unit: Unit) -> list[_Step]:
        """What a method's or class's kinds may come from besides: the bases of its class."""
        header = unit.header or unit
        if not isinstance(header.node, ast.ClassDef):
            return []
        return [_step(word, header) for word in header.gives(header.node.name)]

    # -- where kinds may come from -----------------------------------------------------------------------------------

    def evidence(self, group: frozenset[str]) -> set[str]:
        """The words of a group, their other names, and the names that are imported with one of them."""
        found = self._evidence.get(group)
        if found is None and group.isdisjoint(self.words):
            found = self._evidence[group] = set()
        if found is None:
            imports = (unit for unit in self.units if unit.is_import)
            pairs = ((unit, name) for unit in imports for name in unit.provides_names)
            imported = (name for unit, name in pairs if not group.isdisjoint(unit.bound(name)))
            abroad = (name for name, told in self.abroad.items() if not group.isdisjoint(told.words))
            found = self._evidence[group] = self.other_names({*group, *imported, *abroad})
        return found

    def enters_abroad(self, call: Called, unit: Unit) -> bool:
        """Whether a call may enter a function of another file of the project that blocks."""
        return any(call.name in names and self.flows(call.words, unit, meant) for names, meant in self._abroad_names)

    @cached_property
    def _abroad_names(self) -> list[tuple[set[str], set[str]]]:
        """For each name from abroad: the names by which what blocks is entered, and those it is called on."""
        found = []
        for name, told in self.abroad.items():
            if told.blocking:
                found.append((self.other_names({*told.blocking, name}), self.other_names([name])))
        return found

    def flows(self, some: Collection[str], unit: Unit, evidence: set[str]) -> bool:
        """Whether one of these words of a unit can have its kind from something that the evidence names."""
        if not evidence:
            return False
        fruitful, fruitless = self._traced.setdefault(id(evidence), (set(), set()))
        pending = [_step(word, unit) for word in some]
        came_from: dict[_Step, _Step | None] = dict.fromkeys(pending)
        while pending:
            step = pending.pop()
            if words.bare(step[0]) in evidence or step in fruitful:
                on_the_way: _Step | None = step
                while on_the_way is not None:
                    fruitful.add(on_the_way)
                    on_the_way = came_from[on_the_way]
                return True
            if step not in fruitless:
                for source in self._sources(step):
                    if source not in came_from:
                        came_from[source] = step
                        pending.append(source)
        fruitless.update(came_from)
        return False

    def sources(self, word: str, unit: Unit | None) -> list[tuple[str, Unit | None]]:
        """Where the kind of a word of a unit may come from: other words, each with its unit where that matters."""
        return self._sources((word, None) if unit is None else _step(word, unit))

    def providing(self, word: str) -> list[Unit]:
        """The units that provide a name or an attribute."""
        name = words.bare(word)
        return [*self._by_name.get(name, ()), *self._by_attr.get(name, ())]

    def _providers(self, word: str, unit: Unit | None) -> list[Unit]:
        name = words.bare(word)
        return self._attribute(name, None if name == word else unit)

    def _sources(self, step: _Step) -> list[_Step]:
        found = self._steps.get(step)
        if found is None:
            found = self._steps[step] = list(dict.fromkeys(self._find_sources(*step)))
        return found

    def _find_sources(self, word: str, unit: Unit | None) -> Iterator[_Step]:
        """Where the kind of a word may come from: other words, each in its unit."""
        if unit is not None:
            yield from (_step(other, unit) for other in unit.bound(word))
            if word in unit.takes_anything:
                for caller in self._callers(unit):
                    yield from (_step(other, caller) for other in words.given(caller.node, unit.entries))
            header = unit.header
            if word in _RECEIVERS and header is not None and isinstance(header.node, ast.ClassDef):
                yield from (_step(other, header) for other in header.gives(header.node.name))
        for provider in (*self._by_name.get(word, ()), *self._providers(word, unit)):
            if provider is not unit:
                yield from (_step(other, provider) for other in provider.gives(word))


#: A word, and the unit it stands in where that makes a difference to what it means.
_Step = tuple[str, Unit | None]


def _step(word: str, unit: Unit) -> _Step:
    if unit.bound(word) or word in _RECEIVERS or word in unit.takes_anything:
        return word, unit
    # An attribute of the own object means the same in all methods that do not bind it.
    return word, (unit.header or unit) if word is not words.bare(word) else None


def _linked(start: Unit, links: Mapping[Unit, Iterable[Unit]]) -> set[Unit]:
    found: set[Unit] = set()
    pending = [start]
    while pending:
        unit = pending.pop()
        if unit not in found:
            found.add(unit)
            pending += links.get(unit, ())
    return found


def derived(name: str) -> str:
    """Stands among a word's other names for the class of this name, which is derived from it."""
    return "class " + name
