"""The command line beside flake8's: `rules` and `explain CODE`. Argument parsing and printing only."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from flake8_concurrency import __version__, catalogue
from flake8_concurrency.rule import Rule


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 for a wrong argument."""
    arguments = _parser().parse_args(argv)
    try:
        command: str = arguments.command
        return _explain(arguments.code) if command == "explain" else _rules(arguments.markdown, arguments.write)
    except (catalogue.CatalogueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m flake8_concurrency", description="What flake8-concurrency finds.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explain = commands.add_parser("explain", help="print the page of a rule")
    explain.add_argument("code", help="a code (CNC201) or a name (wait-without-timeout)")
    rules = commands.add_parser("rules", help="list all rules")
    form = rules.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as the Markdown table of the README")
    form.add_argument("--write", type=Path, metavar="README", help="put that table between the markers in this file")
    return parser


def _rules(markdown: bool, readme: Path | None) -> int:
    if readme is not None:
        catalogue.write_table(readme)
    elif markdown:
        print(catalogue.rule_table(), end="")
    else:
        width = max(len(rule.name) for rule in catalogue.rules())
        for rule in catalogue.rules():
            switch = "on" if rule.enabled else "opt-in"
            print(f"{rule.code}  {rule.name:{width}}  {switch:6}  {catalogue.page(rule).summary}")
    return 0


def _explain(wanted: str) -> int:
    known = {key: rule for rule in catalogue.rules() for key in (rule.code, rule.name)}
    rule = known.get(wanted.upper()) or known.get(wanted.lower())
    if rule is None:
        near = difflib.get_close_matches(wanted.upper(), known) or difflib.get_close_matches(wanted.lower(), known)
        hint = f" Did you mean {' or '.join(near)}?" if near else " `rules` lists them."
        print(f"No rule has the code or name {wanted!r}.{hint}", file=sys.stderr)
        return 2
    print("\n\n".join(_sections(rule)))
    return 0


def _sections(rule: type[Rule]) -> Iterator[str]:
    page = catalogue.page(rule)
    yield f"{rule.code} {rule.name}\n\n{page.summary}"
    yield page.consequence
    for heading, blocks in (("Bad", page.bad), ("Good", page.good)):
        yield from (_titled(heading, block) for block in blocks)
    yield _titled("Known limits", page.limits)
    if page.fix is not None:
        yield _titled("Fix", page.fix)
    yield _titled("Reports", "\n".join(_when(rule)))


def _titled(heading: str, block: str) -> str:
    return f"{heading}:\n{textwrap.indent(block, '    ')}"


def _when(rule: type[Rule]) -> Iterator[str]:
    yield "by default" if rule.enabled else f"only when enabled: --concurrency-enable={rule.code}"
    if rule.requires is not None and importlib.util.find_spec(rule.requires[0]) is None:
        package, extra = rule.requires
        yield f'not here: {package} is not installed (pip install "flake8-concurrency[{extra}]")'
    if rule.quiet:
        yield "not in tests, migrations, examples and generated files (--concurrency-quiet-paths)"
    if rule.overlaps:
        yield f"also reported by {', '.join(rule.overlaps)} (--concurrency-defer-to silences ours)"
