"""The whole run on one page: gate, parse, model, walk, findings, positions."""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import libcst as cst

from flake8_concurrency import catalogue, projects
from flake8_concurrency.gate import Slice, narrow, whole
from flake8_concurrency.model.file import FileModel, Run
from flake8_concurrency.model.pieces import forget
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.programs import is_program
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

    `tree` is the text's `ast` tree where the caller has it already; it is never changed. Without it, a text that is not
    Python raises SyntaxError. `gate=False` lets every rule see the whole text: slower, with the same findings.
    """
    quiet = options.is_quiet(filename)
    rules, codes, named = _chosen(tuple(catalogue.rules()), options, quiet)
    source = source.removeprefix("\ufeff")
    lines = split_lines(source)
    try:
        if tree is None:
            tree = _parsed(source)
        with _uncollected():
            abroad, elsewhere = projects.around(filename, source, tree, options, codes)
            if gate:
                part = narrow(rules, lines, tree, options.blocking_calls, named, abroad)
            else:
                part = whole(rules, lines, tree)
            if part is None:
                return []
            try:
                module = cst.parse_module(part.text)
            except cst.ParserSyntaxError as error:
                return _not_analysed(rules, _reason(error, part))
            run = Run(quiet, is_program(filename, source, tree), projects.configured(options), named, codes)
            module_tree = Tree(module)
            positions = Positions(module_tree, part.starts, part.lines, part.methods)
            model = FileModel(module_tree, positions, run=run, elsewhere=elsewhere)
            return _findings(model, part.rules)
    except RecursionError:
        # What was being found out about other files may be half found.
        projects.close()
        return _not_analysed(rules, "it is nested too deeply")


@lru_cache(maxsize=16)
def _chosen(
    rules: tuple[type[Rule], ...], options: Options, quiet: bool
) -> tuple[tuple[type[Rule], ...], frozenset[str], frozenset[str]]:
    """The rules that may speak, their codes, and those that the user names: two answers for all files of a run."""
    found = tuple(rule for rule in rules if options.is_enabled(rule) and not (quiet and rule.quiet))
    named = frozenset(rule.code for rule in found if options.is_named(rule))
    return found, frozenset(rule.code for rule in found), named


@contextmanager
def _uncollected() -> Iterator[None]:
    """One file's tree is not garbage while it is made: looking for some costs a quarter of libcst's parse."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        forget()
        if was_enabled:
            gc.enable()


def split_lines(source: str) -> list[str]:
    """The lines of a text with their ends, as Python counts them: a form feed ends none."""
    return _LINE.findall(source)


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except ValueError as error:
        # What Python before 3.12 says of null bytes.
        raise SyntaxError(str(error)) from error


def _findings(model: FileModel, rules: Sequence[type[Rule]]) -> list[Located]:
    visitors = [rule(model) for rule in rules]
    walk(model.tree, visitors)
    found = [finding for visitor in visitors for finding in visitor.findings]
    located = {
        Located(*model.positions.of(finding.node), finding.code, finding.message, finding.fix) for finding in found
    }
    # The model's parts refer to each other: taken apart, they are freed here and now, without a search for cycles.
    model.forget()
    return sorted(located, key=lambda finding: finding[:4])


def _not_analysed(rules: Sequence[type[Rule]], reason: str) -> list[Located]:
    if FileNotAnalysed not in rules:
        return []
    return [Located(1, 0, FileNotAnalysed.code, FileNotAnalysed.message.format(reason=reason))]


def _reason(error: cst.ParserSyntaxError, part: Slice) -> str:
    """Why a text cannot be analysed, with the line in the user's text where libcst stopped."""
    line = part.lines[min(error.raw_line, len(part.lines)) - 1]
    return f"unknown syntax near line {line}"
