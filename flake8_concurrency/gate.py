"""Decides, before libcst sees anything, which rules can speak about a text and which of its statements they need.

libcst's parse is what we pay for, so only what matters is parsed: the functions in which a finding could stand, and
whatever they lead to. flake8's `ast` tree tells, and is never changed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from flake8_concurrency.knowledge.words import ANY
from flake8_concurrency.model.pieces import STORED
from flake8_concurrency.outline import OWN, Abroad, Outline, Unit, derived, first_line, grouped, units
from flake8_concurrency.rule import Gate, Rule
from flake8_concurrency.words import FUNCTIONS, Called, words_of

#: Functions that run an event loop until what they are given is done.
_STARTERS = frozenset({"run", "run_until_complete"})


class Slice(NamedTuple):
    """The part of a text that has to be parsed, and the rules that may speak about it."""

    rules: tuple[type[Rule], ...]
    text: str
    #: For each line of `text`, from 0: its line in the whole text, from 1.
    lines: list[int]
    #: The lines of `text` on which its module-level statements begin, from 1.
    starts: list[int]
    #: For the line on which a class among them begins: those on which the functions in its body do.
    methods: dict[int, list[int]]


def whole(rules: Sequence[type[Rule]], lines: Sequence[str], tree: ast.Module) -> Slice:
    """Everything, for all rules: what the gate would give if it never closed."""
    starts = [statements[0].lineno for _, _, statements in grouped(tree.body)]
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    methods = {node.lineno: [part.lineno for part in node.body if isinstance(part, FUNCTIONS)] for node in classes}
    return Slice(tuple(rules), "".join(lines), list(range(1, len(lines) + 2)), starts, methods)


def narrow(
    rules: Sequence[type[Rule]],
    lines: Sequence[str],
    tree: ast.Module,
    configured: Collection[str] = (),
    named: Collection[str] = (),
    abroad: Mapping[str, Abroad] = MappingProxyType({}),
) -> Slice | None:
    """The slice of a text that the rules need; None when no rule can speak.

    `configured` are the user's blocking calls, `named` the codes of the rules that the user asks for, `abroad` what the
    text imports from other files of its project.
    """
    # Not remembered, as the groups of the gates are: each file has others.
    text = "".join(lines)
    some = words_of(text).union(*(map(_last_word, told.words) for told in abroad.values()))
    gates = could_speak(_gates(tuple(rules), frozenset(configured), frozenset(named)), some, abroad)
    gates = {rule: gate for rule, gate in gates.items() if gate.text is None or gate.text.search(text)}
    if not gates:
        return None
    outline = Outline(list(units(tree, lines)), abroad)
    found = {rule: seeds(gate, outline) for rule, gate in gates.items()}
    speaking = tuple(rule for rule in gates if found[rule])
    if not speaking:
        return None
    # A question about rows needs more than kinds: a lock may be taken, or a row read, by what is called.
    asking = {unit for rule in speaking if gates[rule].asks is not None for unit in found[rule]}
    called = {other for unit in asking for other in outline.targets(unit) if not unit.called.isdisjoint(other.entries)}
    whole = {*called, *(unit for rule in speaking if gates[rule].wants == "all" for unit in found[rule])}
    told: dict[Unit, set[str]] = {}
    for rule in speaking:
        left = found[rule] - whole
        if left:
            anchors = outline.other_names(_live(gates[rule], outline))
            for unit in left:
                told.setdefault(unit, set()).update(_anchored(unit, gates[rule], anchors))
    kept = outline.all_support(whole, told)
    return _cut(speaking, lines, kept, outline.units)


def _anchored(unit: Unit, gate: Gate, anchors: set[str]) -> set[str]:
    """The words of the calls in a unit that may be of an anchor: of all that is in them, or of their callees."""
    calls = chain(_calls(unit, anchors), unit.awaited if gate.awaited else ())
    meant = [call for call in calls if call.name in anchors or ANY in anchors]
    return {word for call in meant for word in (call.words if gate.wants == "callee" else call.all_words)}


@lru_cache(maxsize=16)
def _gates(
    rules: tuple[type[Rule], ...], configured: frozenset[str], named: frozenset[str]
) -> Mapping[type[Rule], Gate]:
    """The gate of each rule: the same for most files of a run."""
    codes = {rule.code for rule in rules}
    asked = {rule: rule.named_gate if rule.code in named else None for rule in rules}
    return {rule: asked[rule] or rule.gate_for(configured, codes) for rule in rules}


def could_speak(
    gates: Mapping[type[Rule], Gate], some: set[str], abroad: Mapping[str, Abroad] = MappingProxyType({})
) -> dict[type[Rule], Gate]:
    """The rules whose anchors and context all occur among a text's words."""
    answered: dict[Callable[[Collection[str]], bool], bool] = {}
    found: dict[type[Rule], Gate] = {}
    for rule, gate in gates.items():
        if gate.only_async and "async" not in some:
            continue
        if gate.elsewhere:
            if any(told.blocking for told in abroad.values()):
                found[rule] = gate
            continue
        if any(some.isdisjoint(_spelled(group)) for group in gate.context) or not _may_be_anchored(gate, some):
            continue
        if gate.speaks is not None:
            if gate.speaks not in answered:
                answered[gate.speaks] = gate.speaks(some)
            if not answered[gate.speaks]:
                continue
        found[rule] = gate
    return found


def _may_be_anchored(gate: Gate, some: set[str]) -> bool:
    needs = gate.needs
    if not needs and ANY not in gate.anchors:
        return not some.isdisjoint(gate.anchors)
    wanted = _all_needs(gate)
    if wanted is not None and some.isdisjoint(wanted):
        return False
    anchors = some & gate.anchors
    if ANY in gate.anchors:
        anchors.add(ANY)
    return any(anchor not in needs or not some.isdisjoint(_spelled(needs[anchor])) for anchor in anchors)


#: By the `id` of what gates need, which is kept beside it, and by anchors: the words of all groups, if each has one.
_needed: dict[tuple[int, frozenset[str]], tuple[Mapping[str, frozenset[str]], frozenset[str] | None]] = {}


def _all_needs(gate: Gate) -> frozenset[str] | None:
    """Words of which a text has one where an anchor can have what it needs; None where some anchor needs nothing."""
    key = id(gate.needs), gate.anchors
    found = _needed.get(key)
    if found is None:
        covers = gate.needs.keys() >= gate.anchors
        words = frozenset().union(*map(_spelled, gate.needs.values())) if covers else None
        found = _needed[key] = gate.needs, words
    return found[1]


@cache
def _spelled(group: frozenset[str]) -> frozenset[str]:
    """The words of a group as a text has them: an import from a package shows the package's name."""
    return frozenset(map(_last_word, group))


def _last_word(word: str) -> str:
    return word.rpartition(" ")[2]


# -- seeds: where a finding could stand --------------------------------------------------------------------------------


def seeds(gate: Gate, outline: Outline) -> set[Unit]:
    """The units in which a finding could stand."""
    if gate.elsewhere:
        return _leaving_on_loop(outline)
    anchors = outline.other_names(_live(gate, outline))
    if not anchors:
        return set()
    if gate.finds is not None:
        told = set(map(id, gate.finds([unit.node for unit in outline.units if not unit.is_import], anchors)))
        return _kept(gate, {unit for unit in outline.units if id(unit.node) in told}, outline)
    if gate.asks is not None:
        return _asking(gate, anchors, outline)
    if gate.reaches:
        return _entering_on_loop(gate, anchors, outline)
    found = {unit for unit in outline.units if _has_anchor(unit, gate, anchors, outline)}
    if gate.looks is not None:
        found = {unit for unit in found if gate.looks(unit.node, anchors)}
    if gate.only_async:
        # What runs once may read files: whoever runs it tells.
        found |= _starting(found, outline)
    return _kept(gate, found, outline)


def _kept(gate: Gate, found: set[Unit], outline: Outline) -> set[Unit]:
    """The units found, and where there are some, those that the gate keeps anyway."""
    return found | outline.matching(gate.keeps) if found and gate.keeps is not None else found


def _live(gate: Gate, outline: Outline) -> set[str]:
    """The anchors that something in the text can give a kind."""
    if not all(map(outline.evidence, gate.context)):
        return set()
    if not gate.needs:
        return set(gate.anchors)
    return {anchor for anchor in gate.anchors if anchor not in gate.needs or outline.evidence(gate.needs[anchor])}


def _has_anchor(unit: Unit, gate: Gate, anchors: set[str], outline: Outline) -> bool:
    if not gate.called:
        return unit.mentions(anchors) and _leads_to_context(unit, gate, outline)
    if not gate.only_async and _constructs_base(unit, anchors):
        return True
    if not _mentions(unit, anchors) or (gate.only_async and not unit.has_async):
        return False
    calls = chain(_calls(unit, anchors), unit.awaited if gate.awaited else ())
    return any(
        (call.on_loop or not gate.only_async) and _is_anchor(call, unit, gate, anchors, outline) for call in calls
    )


def _calls(unit: Unit, anchors: set[str]) -> Iterator[Called]:
    """What a unit calls; what it tests as well, where that is an anchor."""
    return chain(unit.calls, unit.tested if "if" in anchors else ())


def _mentions(unit: Unit, anchors: set[str]) -> bool:
    return ANY in anchors or unit.mentions(anchors)


def _constructs_base(unit: Unit, anchors: set[str]) -> bool:
    """Whether a method calls an anchor without naming it: `super().__init__()` in a class derived from one."""
    header = unit.header
    if header is None or not isinstance(header.node, ast.ClassDef):
        return False
    return derived(header.node.name) in anchors and "__init__" in unit.attrs


def _leads_to_context(unit: Unit, gate: Gate, outline: Outline) -> bool:
    if not gate.context:
        return True
    reached = outline.led_to(frozenset([unit]))
    groups = map(outline.evidence, gate.context)
    return all(any(other.mentions(evidence) for other in reached) for evidence in groups)


def _is_anchor(call: Called, unit: Unit, gate: Gate, anchors: set[str], outline: Outline) -> bool:
    """Whether a call is of an anchor, and what is called can have a kind that the gate's words name."""
    told: tuple[frozenset[str], ...] = ()
    if gate.may is not None and call.call is not None:
        group = gate.may(call.call)
        if group is None:
            return False
        told = (group,)
    if call.name in anchors and all(
        outline.flows(call.words, unit, outline.evidence(group))
        for group in (*gate.context, *_needs(call.name, gate, outline), *told)
    ):
        return True
    return ANY in anchors and outline.flows(call.words, unit, outline.evidence(gate.needs[ANY]))


def _needs(name: str, gate: Gate, outline: Outline) -> list[frozenset[str]]:
    """What an anchor needs; another name that the text gives to anchors needs what one of them does."""
    if name in gate.needs:
        return [gate.needs[name]]
    free = gate.anchors - gate.needs.keys()
    if name in free or name in outline.other_names(free):
        return []
    meant = [needs for anchor, needs in gate.needs.items() if name in outline.other_names([anchor])]
    return [frozenset().union(*meant)]


def _entering_on_loop(gate: Gate, anchors: set[str], outline: Outline) -> set[Unit]:
    """The units that enter, on the event loop, what reaches an anchor through sync code."""
    return _entering([unit for unit in outline.units if _reaches_anchor(unit, gate, anchors, outline)], set(), outline)


def _leaving_on_loop(outline: Outline) -> set[Unit]:
    """The units that enter, on the event loop, functions of other files that block, directly or through sync code."""
    leaving = [(unit, call) for unit in outline.units for call in unit.calls if outline.enters_abroad(call, unit)]
    fresh = list(dict.fromkeys(unit for unit, call in leaving if not call.on_loop))
    return _entering(fresh, {unit for unit, call in leaving if call.on_loop}, outline)


def blocking(gate: Gate, outline: Outline) -> set[Unit]:
    """The units that reach what a rule about helpers looks for, through sync code."""
    # Of many hundred anchors a text has few.
    gate = gate._replace(anchors=gate.anchors & {*outline.words, ANY})
    anchors = outline.other_names(_live(gate, outline))
    fresh = [
        unit
        for unit in outline.units
        if _reaches_anchor(unit, gate, anchors, outline)
        or any(not call.on_loop and outline.enters_abroad(call, unit) for call in unit.calls)
    ]
    return _reached(fresh, outline)[0]


def _reached(fresh: list[Unit], outline: Outline) -> tuple[set[Unit], set[str], set[str]]:
    """The units that enter some through sync code, these among them, and the names by which they are entered."""
    reached: set[Unit] = set()
    names: set[str] = set()
    read: set[str] = set()
    while fresh:
        reached.update(fresh)
        names |= outline.other_names(name for unit in fresh for name in unit.entries)
        read.update(name for unit in fresh if unit.is_property for name in unit.entries)
        fresh = [unit for unit in outline.units if unit not in reached and unit.enters(names, read, on_loop=False)]
    return reached, names, read


def _entering(fresh: list[Unit], found: set[Unit], outline: Outline) -> set[Unit]:
    """The units that enter some on the event loop, with what is on the way; `found` are known to enter others."""
    if not fresh and not found:
        return set()
    reached, names, read = _reached(fresh, outline)
    on_loop = (unit for unit in outline.units if unit.has_async)
    found = found | {unit for unit in on_loop if unit in reached or unit.enters(names, read, on_loop=True)}
    return found | _entered(found, reached, outline) | _starting(found, outline)


def _entered(found: set[Unit], reached: set[Unit], outline: Outline) -> set[Unit]:
    """The units on the way from those found to an anchor."""
    entered: set[Unit] = set()
    pending = list(found)
    while pending:
        fresh = (outline.targets(pending.pop()) & reached) - entered
        entered |= fresh
        pending += fresh
    return entered


def _starting(found: set[Unit], outline: Outline) -> set[Unit]:
    """The units that may start an event loop for one of those found: that tells for what it is run."""
    names = {name for unit in found for name in unit.entries}
    return {unit for unit in outline.units if unit.mentions(_STARTERS) and unit.mentions(names)}


def _reaches_anchor(unit: Unit, gate: Gate, anchors: set[str], outline: Outline) -> bool:
    return _mentions(unit, anchors) and any(
        not call.on_loop and _is_anchor(call, unit, gate, anchors, outline) for call in _calls(unit, anchors)
    )


def _asking(gate: Gate, anchors: set[str], outline: Outline) -> set[Unit]:
    """The units that ask for what a unit they lead to answers, and whatever calls them."""
    assert gate.answers is not None
    found: set[Unit] = set()
    answers: Callable[[Unit], Collection[str]] | None = None
    for unit, asked in _questions(gate, outline):
        # What another unit's question has found as a caller may have callers of its own that matter.
        if unit not in found or gate.nearest:
            answers = answers or outline.answers(gate.answers, frozenset(anchors))
            around = outline.calling(unit, gate.hooks, nearest=gate.nearest)
            # The first set is the larger one, and the cheaper.
            if all(_is_answered(asked, reached(around), answers) for reached in (outline.led_to, outline.told_by)):
                found |= around
    return _kept(gate, found, outline)


def _is_answered(asked: Collection[str], reached: set[Unit], answers: Callable[[Unit], Collection[str]]) -> bool:
    wanted = set(asked)
    return any(not wanted.isdisjoint(answers(unit)) for unit in reached)


def _questions(gate: Gate, outline: Outline) -> Iterator[tuple[Unit, Collection[str]]]:
    assert gate.asks is not None
    for unit in _asked(gate, outline):
        asked = gate.asks(unit.node)
        if asked:
            yield unit, asked
    if gate.inner is not None:
        yield from _inner_questions(gate, outline)


def _asked(gate: Gate, outline: Outline) -> list[Unit]:
    """The units that may ask something."""
    if not gate.where:
        return [unit for unit in outline.units if not unit.is_import]
    some, beginnings = outline.other_names(gate.where), _beginnings(gate.where)
    stored = STORED in some
    return [
        unit
        for unit in outline.units
        if ((stored and unit.stores) or unit.mentions(some) or (beginnings and unit.begins(beginnings)))
        and not unit.is_import
    ]


@cache
def _beginnings(some: frozenset[str]) -> tuple[str, ...]:
    """The beginnings of words among words: `create*`."""
    return tuple(sorted(word[:-1] for word in some if word.endswith("*")))


def _inner_questions(gate: Gate, outline: Outline) -> Iterator[tuple[Unit, Collection[str]]]:
    """What methods ask, and those of their own object's methods that call them, for each call on another object."""
    inner, hooks = gate.inner, gate.hooks
    assert inner is not None
    asked: dict[str, set[str]] = {}
    pending: list[tuple[str, Collection[str]]] = []
    for unit in _asked(gate, outline):
        if unit.header is not None and outline.may_be_mapped(unit.header) and (words := inner(unit.node)):
            pending += [(name, words) for name in unit.entries - hooks]
    methods = [unit for unit in outline.units if unit.header is not None] if pending else []
    while pending:
        name, words = pending.pop()
        known = asked.setdefault(name, set())
        if not known.issuperset(words):
            known.update(words)
            callers = (unit for unit in methods if name in unit.spelled and name in unit.called)
            own = (unit for unit in callers if any(_is_own(call, name) for call in unit.calls))
            pending += [(entry, known) for unit in own for entry in unit.entries - hooks]
    for unit in outline.units if asked else ():
        if unit.mentions(asked.keys()):
            for call in unit.calls:
                if call.name in asked and not _is_own(call, call.name):
                    yield unit, asked[call.name]


def _is_own(call: Called, name: str) -> bool:
    """Whether a call is of a method of the own object: `self.m()`, `super().m()`, `Base.m(self)`."""
    if call.name != name:
        return False
    given = call.call.args[:1] if call.call is not None else []
    return not call.words.isdisjoint(OWN) or any(isinstance(arg, ast.Name) and arg.id in OWN for arg in given)


# -- the slice ---------------------------------------------------------------------------------------------------------


def _cut(rules: tuple[type[Rule], ...], lines: Sequence[str], kept: set[Unit], parts: list[Unit]) -> Slice:
    """The kept units' lines, in order; imports always stay, and a class left without a body gets one."""
    text: list[str] = []
    origin: list[int] = []
    starts: list[int] = []
    methods: dict[int, list[int]] = {}
    dropped = {n for unit in parts if unit.header and unit not in kept for n in range(unit.first, unit.last + 1)}
    for unit in parts:
        if unit.header is not None or not (unit in kept or unit.is_import):
            continue
        starts.append(len(text) + 1 + getattr(unit.node, "lineno", unit.first) - unit.first)
        taken = [n for n in range(unit.first, unit.last + 1) if n not in dropped]
        if isinstance(unit.node, ast.ClassDef):
            place = {n: number for number, n in enumerate(taken, len(text) + 1)}
            functions = (part.lineno for part in unit.node.body if isinstance(part, FUNCTIONS))
            methods[starts[-1]] = [place[n] for n in functions if n in place]
        text += [lines[n - 1] for n in taken]
        origin += taken
        if not text[-1].endswith(("\n", "\r")):
            text[-1] += "\n"
        if isinstance(unit.node, ast.ClassDef) and all(first_line(part) in dropped for part in unit.node.body):
            text.append(_indentation(unit.node, lines) + "pass\n")
            origin.append(taken[-1])
    return Slice(rules, "".join(text), [*origin, len(lines)], starts, methods)


def _indentation(node: ast.ClassDef, lines: Sequence[str]) -> str:
    line = lines[first_line(node.body[0]) - 1]
    return line[: len(line) - len(line.lstrip())]
