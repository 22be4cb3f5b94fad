"""The whole run on one page: gate, parse, model, walk, findings, positions."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

import libcst as cst

from flake8_concurrency import catalogue
from flake8_concurrency.gate import Slice, narrow, whole
from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.file import FileModel
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.options import Options
from flake8_concurrency.rule import Fix, Rule
from flake8_concurrency.rules.analysis.file_not_analysed import FileNotAnalysed
from flake8_concurrency.walk import walk

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Located(NamedTuple):
    """A finding in the user's text. Lines count from 1, columns from 0."""

    line: int
    column: int
    code: str
    message: str
    fix: Fix | None = None


def lint(
    source: str,
    *,
    tree: ast.Module | None = None,
    filename: str = "<unknown>",
    options: Options = Options(),
    gate: bool = True,
) -> list[Located]:
    """Everything the rules have to say about a text, in order of position.

    `tree` is the text's `ast` tree where the caller has it already; it is never changed. `gate=False` lets every rule
    see the whole text: slower, with the same findings.
    """
    quiet = options.is_quiet(filename)
    rules = [rule for rule in catalogue.rules() if options.is_enabled(rule) and not (quiet and rule.quiet)]
    lines = _LINE.findall(source)
    if tree is None:
        tree = ast.parse(source)
    part = (narrow if gate else whole)(rules, lines, tree)
    if part is None:
        return []
    try:
        module = cst.parse_module(part.text)
    except (cst.ParserSyntaxError, RecursionError) as error:
        return _not_analysed(rules, error)
    model = _model(module, part, quiet, options)
    return _findings(model, part.rules)


def _model(module: cst.Module, part: Slice, quiet: bool, options: Options) -> FileModel:
    tree = Tree(module)
    configured = {
        name: Blocking("configured", f"await {twin}(...)" if twin else "an async twin, or await asyncio.to_thread(...)")
        for name, twin in options.blocking_calls.items()
    }
    return FileModel(tree, Positions(tree, part.starts, part.lines), quiet=quiet, configured=configured)


def _findings(model: FileModel, rules: Sequence[type[Rule]]) -> list[Located]:
    visitors = [rule(model) for rule in rules]
    walk(model.tree, visitors)
    found = [finding for visitor in visitors for finding in visitor.findings]
    located = {
        Located(*model.positions.of(finding.node), finding.code, finding.message, finding.fix) for finding in found
    }
    return sorted(located, key=lambda finding: finding[:4])


def _not_analysed(rules: Sequence[type[Rule]], error: Exception) -> list[Located]:
    if FileNotAnalysed not in rules:
        return []
    reason = str(getattr(error, "message", "") or type(error).__name__).splitlines()[0]
    return [Located(1, 0, FileNotAnalysed.code, FileNotAnalysed.message.format(reason=reason))]
