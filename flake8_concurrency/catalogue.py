"""Every rule, found by walking `flake8_concurrency.rules`, and every rule's page, read from its docstring.

A rule's docstring is its page. The first paragraph is the defect in one sentence, what follows says what happens
because of it, and then come the headings, each with an indented block below it:

    Bad:            code that this rule reports, and no other (at least one block)
    Good:           code that no rule reports (at least one block)
    Known limits:   what the rule doesn't see, or sees wrongly
    Fix:            what `fix` does about it; only where the rule has a fix
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import shutil
import string
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import flake8_concurrency.rules
from flake8_concurrency.rule import Gate, Rule

_CODE = re.compile(r"CNC[1-9][0-9]{2}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", re.ASCII)
_OTHER_CODE = re.compile(r"[A-Z]+[0-9]+", re.ASCII)
_HEADING = re.compile(r"^(Bad|Good|Known limits|Fix):[ \t]*", re.MULTILINE)
_TABLE_BEGIN, _TABLE_END = "<!-- rules:begin -->", "<!-- rules:end -->"


class CatalogueError(Exception):
    """A module under `rules` that is no rule. Its text names the module and what is wrong with it."""

    def __init__(self, module: str, problem: str) -> None:
        super().__init__(f"{module}: {problem}")


class Page(NamedTuple):
    """A rule's docstring, taken apart."""

    summary: str
    consequence: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    limits: str
    fix: str | None


@functools.cache
def rules() -> tuple[type[Rule], ...]:
    """All rules of this package, ordered by code."""
    return load(flake8_concurrency.rules)


def load(package: ModuleType) -> tuple[type[Rule], ...]:
    """The rules below `package`, ordered by code. The first module that is no rule raises CatalogueError."""
    found: dict[str, type[Rule]] = {}
    names: dict[str, type[Rule]] = {}
    for module in _modules(package):
        rule = _only_rule(module)
        for problem in _problems(rule):
            raise CatalogueError(module.__name__, problem)
        for value, others in ((rule.code, found), (rule.name, names)):
            if value in others:
                raise CatalogueError(module.__name__, f"{value} is taken by {others[value].__module__}")
            others[value] = rule
    return tuple(sorted(found.values(), key=lambda rule: rule.code))


def page(rule: type[Rule]) -> Page:
    """The page of `rule`. A docstring of another shape raises CatalogueError."""
    intro, *rest = _HEADING.split(inspect.cleandoc(rule.__doc__ or ""))
    blocks: dict[str, list[str]] = {"Bad": [], "Good": [], "Known limits": [], "Fix": []}
    for heading, body in zip(rest[::2], rest[1::2], strict=True):
        blocks[heading].append(_block(rule, heading, body))
    summary, _, consequence = (part.strip() for part in intro.partition("\n\n"))
    wrong = {
        "its docstring must begin with the defect, one sentence that ends in a full stop": not summary.endswith("."),
        "its docstring must say what happens, in a paragraph after the first": not consequence,
        "its docstring needs a `Bad:` block": not blocks["Bad"],
        "its docstring needs a `Good:` block": not blocks["Good"],
        "its docstring needs `Known limits:`, once": len(blocks["Known limits"]) != 1,
        "its docstring has more than one `Fix:`": len(blocks["Fix"]) > 1,
    }
    for problem, present in wrong.items():
        if present:
            raise CatalogueError(rule.__module__, problem)
    return Page(
        summary=" ".join(summary.split()),
        consequence=consequence,
        bad=tuple(blocks["Bad"]),
        good=tuple(blocks["Good"]),
        limits=blocks["Known limits"][0],
        fix=blocks["Fix"][0] if blocks["Fix"] else None,
    )


def rule_table() -> str:
    """The Markdown table of all rules for the README, each code linked to the page in its source."""
    rows = ["| code | name | finds | default | also reported by |", "|---|---|---|---|---|"]
    for rule in rules():
        link = f"[{rule.code}]({rule.__module__.replace('.', '/')}.py)"
        summary = page(rule).summary.replace("|", r"\|")
        default = ("on" if rule.enabled else "opt-in") + (", quiet" if rule.quiet else "")
        rows.append(f"| {link} | {rule.name} | {summary} | {default} | {', '.join(rule.overlaps) or '-'} |")
    return "\n".join(rows) + "\n"


def write_table(readme: Path) -> None:
    """Put the current table between the two markers of `readme`, which is replaced in one step or not at all."""
    text = readme.read_bytes().decode("utf-8")
    before, begin, rest = text.partition(_TABLE_BEGIN)
    _, end, after = rest.partition(_TABLE_END)
    if not begin or not end:
        raise CatalogueError(str(readme), f"has no {_TABLE_BEGIN} followed by {_TABLE_END}")
    updated = f"{before}{begin}\n{rule_table()}{end}{after}"
    with tempfile.NamedTemporaryFile(dir=readme.parent, prefix=readme.name, delete=False) as new:
        new.write(updated.encode("utf-8"))
    shutil.copymode(readme, new.name)
    Path(new.name).replace(readme)


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    # Not pkgutil.walk_packages: it passes over a package that fails to import.
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            module = importlib.import_module(found.name)
        except Exception as error:
            raise CatalogueError(found.name, f"cannot be imported: {error!r}") from error
        if found.ispkg:
            yield from _modules(module)
        else:
            yield module


def _only_rule(module: ModuleType) -> type[Rule]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise CatalogueError(module.__name__, f"must define one Rule, and defines {len(own)}")
    return own[0]


def _problems(rule: type[Rule]) -> Iterator[str]:
    """What is wrong with `rule`, one sentence each; a rule that gets through is well-formed."""
    for attribute in ("code", "name", "message", "gate"):
        if not hasattr(rule, attribute):
            yield f"its rule has no `{attribute}`"
    if not _CODE.fullmatch(rule.code):
        yield f"its code {rule.code!r} must be CNC and three digits"
    if not _NAME.fullmatch(rule.name):
        yield f"its name {rule.name!r} must be small words joined by hyphens"
    if rule.__module__.rpartition(".")[2] != rule.name.replace("-", "_"):
        yield f"its file must be named after its name: {rule.name.replace('-', '_')}.py"
    yield from _message_problems(rule.message)
    yield from _gate_problems(rule.gate)
    yield from _switch_problems(rule.enabled, rule.quiet, rule.overlaps)
    # `python -OO` strips docstrings, this module's too, and linting doesn't need them.
    if __doc__ is not None:
        page(rule)


def _message_problems(message: str) -> Iterator[str]:
    try:
        fields = message_fields(message)
    except ValueError as error:
        yield f"its message is no format string: {error}"
    else:
        for field in sorted(fields):
            if not field.isidentifier():
                yield f"its message has a field {{{field}}} that is no plain name"
    if not message.strip() or "\n" in message:
        yield "its message must be one line"


def message_fields(message: str) -> frozenset[str]:
    """The names of the facts that a message tells."""
    return frozenset(field for _, field, _, _ in string.Formatter().parse(message) if field is not None)


def _gate_problems(gate: object) -> Iterator[str]:
    if not isinstance(gate, Gate):
        yield "its gate must be a Gate"
    elif not all(_is_word_group(group) for group in (gate.anchors, *gate.context)):
        yield "its gate's anchors, and each group of its context, must be a frozenset of words with at least one word"


def _is_word_group(group: object) -> bool:
    return isinstance(group, frozenset) and bool(group) and all(isinstance(word, str) and word for word in group)


def _switch_problems(enabled: object, quiet: object, overlaps: object) -> Iterator[str]:
    if not isinstance(enabled, bool) or not isinstance(quiet, bool):
        yield "its `enabled` and `quiet` must be True or False"
    # One code in parentheses is a string, and would be read letter by letter.
    if not isinstance(overlaps, tuple) or not all(_OTHER_CODE.fullmatch(code) for code in overlaps):
        yield "its `overlaps` must be a tuple of other linters' codes"


def _block(rule: type[Rule], heading: str, body: str) -> str:
    """The text below a heading, or for the headings that hold prose also beside it."""
    beside, _, below = body.partition("\n")
    stray = [line for line in below.splitlines() if line[:1].strip()]
    if stray or (beside and heading in {"Bad", "Good"}):
        raise CatalogueError(rule.__module__, f"its docstring has text that is not indented under `{heading}:`")
    text = "\n".join(filter(None, [beside.strip(), textwrap.dedent(below).strip("\n")])).rstrip()
    if not text:
        raise CatalogueError(rule.__module__, f"its docstring has nothing under `{heading}:`")
    return text
