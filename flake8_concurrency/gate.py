"""Decides, before libcst sees anything, which rules can speak about a text and which of its statements they need.

libcst's parse is what we pay for, so only what matters is parsed: the functions in which a finding could stand, and
whatever they lead to by name, transitively. A function, a class's header with its own statements, and a statement of
the module are each a *unit*. A unit that is kept needs the names it mentions; a unit is kept when it provides a needed
name. Names of attributes and plain names are told apart, nothing else is: this only ever keeps too much.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from flake8_concurrency.rule import Gate, Rule

_WORD = re.compile(r"(\.?)\s*\b([^\W\d]\w*)")
_PLAIN_WORD = re.compile(r"[^\W\d]\w*")
#: `import x as y`, `from a import x as y`, `case x as y`: the second is another name for the first.
_RENAMED = re.compile(r"\b([^\W\d]\w*)\s+as\s+([^\W\d]\w*)")
#: An assignment on one line: what is assigned, and from what.
_ASSIGNED = re.compile(r"(?m)^[ \t]*([\w., \t]+?)[ \t]*(?::[^=\n]*)?=(?!=)(.*)$")
#: A word that is mentioned and not called.
_NOT_CALLED = re.compile(r"([^\W\d]\w*)\b(?!\s*[(\w])")
#: Attributes that a function stores, fills or binds: `self.x = `, `self.x[k] = `, `self.x.append(`, `as self.x`.
_STORED = re.compile(
    r"\w\.([^\W\d]\w*)(?:\[[^\n]*?\])?\s*(?::[^=\n]*)?(?:[-+*/|&^%@]|//|\*\*|<<|>>)?(?:=(?!=)|,|\)\s*=)"
    r"|\w\.([^\W\d]\w*)\s*\.\s*(?:append|appendleft|add|insert|put|put_nowait|extend|extendleft|update|setdefault)\("
    r"|(?:\bas|\bfor)\s+\(?\w+\.([^\W\d]\w*)"
)
_SPECIAL = frozenset(
    """__init__ __new__ __post_init__ __enter__ __aenter__ __exit__ __aexit__ __call__ __iter__ __aiter__ __next__
    __anext__ __getitem__ __await__ __truediv__""".split()
)

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Unit:
    """A run of whole lines that is kept or dropped together."""

    __slots__ = ("attrs", "first", "header", "is_async", "last", "names", "node", "provides_attrs", "provides_names", "text")

    def __init__(self, first: int, last: int, text: str, node: ast.AST, header: Unit | None) -> None:
        #: The first and the last line, from 1.
        self.first, self.last, self.text, self.node = first, last, text, node
        #: The class header that has to stay when this unit stays.
        self.header = header
        self.names: set[str] = set()
        self.attrs: set[str] = set()
        for dot, word in _WORD.findall(text):
            (self.attrs if dot else self.names).add(word)
        self.is_async = "async" in self.names
        self.provides_names: set[str] = set()
        self.provides_attrs: set[str] = set()

    def mentions(self, words: Iterable[str]) -> bool:
        return not self.names.isdisjoint(words) or not self.attrs.isdisjoint(words)


class Slice(NamedTuple):
    """The part of a text that has to be parsed, and the rules that may speak about it."""

    rules: tuple[type[Rule], ...]
    text: str
    #: For each line of `text`, from 0: its line in the whole text, from 1.
    lines: list[int]
    #: The lines of `text` on which its module-level statements begin, from 1.
    starts: list[int]


def could_speak(rules: Sequence[type[Rule]], words: set[str]) -> list[type[Rule]]:
    """The rules whose anchors and context all occur among a text's words."""
    return [
        rule
        for rule in rules
        if not words.isdisjoint(rule.gate.anchors)
        and not any(words.isdisjoint(group) for group in rule.gate.context)
        and (not rule.gate.only_async or "async" in words)
    ]


def whole(rules: Sequence[type[Rule]], lines: Sequence[str], tree: ast.Module) -> Slice:
    """Everything, for all rules: what the gate would give if it never closed."""
    return Slice(tuple(rules), "".join(lines), list(range(1, len(lines) + 2)), _starts(tree.body))


def narrow(rules: Sequence[type[Rule]], lines: Sequence[str], tree: ast.Module) -> Slice | None:
    """The slice of a text that the rules need; None when no rule can speak."""
    words = set(_PLAIN_WORD.findall("".join(lines)))
    possible = could_speak(rules, words)
    if not possible:
        return None
    units = list(_units(tree, lines))
    renamed = _renamed("".join(lines))
    seeds: set[Unit] = set()
    speaking: list[type[Rule]] = []
    for rule in possible:
        found = _seeds(rule.gate, units, renamed)
        if found:
            speaking.append(rule)
            seeds |= found
    if not seeds:
        return None
    return _cut(tuple(speaking), lines, _closure(seeds, units), units)


# -- units -------------------------------------------------------------------------------------------------------------


def _units(tree: ast.Module, lines: Sequence[str]) -> Iterator[Unit]:
    for first, last, statements in _grouped(tree.body):
        node = statements[0]
        if isinstance(node, ast.ClassDef) and len(statements) == 1:
            yield from _class_units(node, lines)
        else:
            yield _plain_unit(first, last, statements, lines)


def _grouped(body: Sequence[ast.stmt]) -> Iterator[tuple[int, int, list[ast.stmt]]]:
    """Statements with their first and last lines; those that share a line together."""
    group: list[ast.stmt] = []
    first = last = 0
    for node in body:
        start, end = _first_line(node), node.end_lineno or node.lineno
        if group and start <= last:
            group.append(node)
            last = max(last, end)
            continue
        if group:
            yield first, last, group
        group, first, last = [node], start, end
    if group:
        yield first, last, group


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _plain_unit(first: int, last: int, statements: list[ast.stmt], lines: Sequence[str]) -> Unit:
    unit = Unit(first, last, "".join(lines[first - 1 : last]), statements[0], None)
    for node in statements:
        if isinstance(node, _Function):
            unit.provides_names.add(node.name)
        else:
            unit.provides_names |= _bound_names(node)
    _add_stored(unit)
    return unit


def _class_units(node: ast.ClassDef, lines: Sequence[str]) -> Iterator[Unit]:
    first, end = _first_line(node), node.end_lineno or node.lineno
    methods: list[tuple[int, int, _Function]] = []
    for start, last, statements in _grouped(node.body):
        method = statements[0]
        if isinstance(method, _Function) and len(statements) == 1 and start > node.lineno:
            methods.append((start, last, method))
    taken = {line for start, last, _ in methods for line in range(start, last + 1)}
    kept = [lines[line - 1] for line in range(first, end + 1) if line not in taken]
    header = Unit(first, end, "".join(kept), node, None)
    header.provides_names.add(node.name)
    for statement in node.body:
        if not isinstance(statement, _Function):
            bound = _bound_names(statement)
            header.provides_names |= bound
            header.provides_attrs |= bound
    _add_stored(header)
    yield header
    for start, last, method in methods:
        unit = Unit(start, last, "".join(lines[start - 1 : last]), method, header)
        unit.provides_attrs.add(method.name)
        unit.provides_names.add(method.name)
        if method.name in _SPECIAL:
            unit.provides_names.add(node.name)
        _add_stored(unit)
        yield unit


def _add_stored(unit: Unit) -> None:
    for match in _STORED.findall(unit.text):
        unit.provides_attrs.update(name for name in match if name)


def _bound_names(node: ast.AST) -> set[str]:
    """Every name that a statement binds, whatever is nested in it."""
    found: set[str] = set()
    stack = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Name):
            if not isinstance(inner.ctx, ast.Load):
                found.add(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(inner.name)
        elif isinstance(inner, ast.alias):
            found.add((inner.asname or inner.name).partition(".")[0])
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            # `TASKS.append(x)` fills the name it is called on.
            if isinstance(inner.func.value, ast.Name):
                found.add(inner.func.value.id)
        elif isinstance(inner, ast.Constant):
            continue
        stack.extend(ast.iter_child_nodes(inner))
    return found


# -- seeds and what they lead to ---------------------------------------------------------------------------------------


def _renamed(text: str) -> dict[str, set[str]]:
    """Other names that the text gives to a word, without calling it: `import x as y`, `y = a.x`, `self.y = partial(x)`."""
    found: dict[str, set[str]] = {}
    for name, other in _RENAMED.findall(text):
        found.setdefault(name, set()).add(other)
    for assigned, value in _ASSIGNED.findall(text):
        words = _NOT_CALLED.findall(value)
        if words:
            names = {part.strip().rpartition(".")[2] for part in assigned.split(",")} - {""}
            for word in words:
                found.setdefault(word, set()).update(names)
    return found


def _with_other_names(words: frozenset[str], renamed: dict[str, set[str]]) -> set[str]:
    found = set(words)
    pending = list(words & renamed.keys())
    while pending:
        for other in renamed.get(pending.pop(), ()):
            if other not in found:
                found.add(other)
                pending.append(other)
    return found


def _seeds(gate: Gate, units: list[Unit], renamed: dict[str, set[str]]) -> set[Unit]:
    anchors = _with_other_names(gate.anchors, renamed)
    direct = [unit for unit in units if unit.mentions(anchors)]
    found = set(_reaching(direct, units)) if gate.reaches else set(direct)
    if gate.only_async:
        found = {unit for unit in found if unit.is_async}
    if gate.shape is not None:
        found = {unit for unit in found if gate.shape(unit.node)}
    return found


def _reaching(direct: list[Unit], units: list[Unit]) -> Iterator[Unit]:
    """The units from which one of the direct ones can be reached by name."""
    reached: set[Unit] = set()
    names: set[str] = set()
    attrs: set[str] = set()
    fresh = direct
    while fresh:
        reached.update(fresh)
        for unit in fresh:
            names |= unit.provides_names
            attrs |= unit.provides_attrs
        fresh = [
            unit
            for unit in units
            if unit not in reached and not (unit.names.isdisjoint(names) and unit.attrs.isdisjoint(attrs))
        ]
    yield from reached


def _closure(seeds: set[Unit], units: list[Unit]) -> set[Unit]:
    kept: set[Unit] = set()
    by_name: dict[str, list[Unit]] = {}
    by_attr: dict[str, list[Unit]] = {}
    for unit in units:
        for name in unit.provides_names:
            by_name.setdefault(name, []).append(unit)
        for name in unit.provides_attrs:
            by_attr.setdefault(name, []).append(unit)
    pending = list(seeds)
    done_names: set[str] = set()
    done_attrs: set[str] = set()
    while pending:
        unit = pending.pop()
        if unit in kept:
            continue
        kept.add(unit)
        if unit.header is not None:
            pending.append(unit.header)
        for name in (unit.names & by_name.keys()) - done_names:
            done_names.add(name)
            pending += by_name[name]
        for name in (unit.attrs & by_attr.keys()) - done_attrs:
            done_attrs.add(name)
            pending += by_attr[name]
    return kept


# -- the slice ---------------------------------------------------------------------------------------------------------


def _cut(rules: tuple[type[Rule], ...], lines: Sequence[str], kept: set[Unit], units: list[Unit]) -> Slice:
    text: list[str] = []
    origin: list[int] = []
    starts: list[int] = []
    dropped: set[int] = set()
    for unit in units:
        if unit.header is not None and unit not in kept:
            dropped.update(range(unit.first, unit.last + 1))
    for unit in units:
        is_import = isinstance(unit.node, ast.Import | ast.ImportFrom)
        if unit.header is not None or not (unit in kept or is_import):
            continue
        before = len(text)
        for line in range(unit.first, unit.last + 1):
            if line not in dropped:
                text.append(lines[line - 1])
                origin.append(line)
        if text and not text[-1].endswith(("\n", "\r")):
            text[-1] += "\n"
        starts.append(before + 1 + _statement_line(unit) - unit.first)
        if isinstance(unit.node, ast.ClassDef) and _is_hollow(unit.node, dropped):
            text.append(_indentation(unit.node, lines) + "pass\n")
            origin.append(unit.first)
    origin.append(len(lines))
    return Slice(rules, "".join(text), origin, starts)


def _statement_line(unit: Unit) -> int:
    return getattr(unit.node, "lineno", unit.first)


def _is_hollow(node: ast.ClassDef, dropped: set[int]) -> bool:
    return all(_first_line(statement) in dropped for statement in node.body)


def _indentation(node: ast.ClassDef, lines: Sequence[str]) -> str:
    line = lines[_first_line(node.body[0]) - 1]
    return line[: len(line) - len(line.lstrip())]


def _starts(body: Sequence[ast.stmt]) -> list[int]:
    return [statements[0].lineno for _, _, statements in _grouped(body)]
