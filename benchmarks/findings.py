"""What the rules say about the corpus: counts for every release, samples for an audit.

    python benchmarks/findings.py
    python benchmarks/findings.py --rules CNC201,CNC3 --sample 30 --seed 7
    python benchmarks/findings.py --app pretix --no-gate --enable ALL --json findings.json

Every file goes through the engine as flake8 would hand it over, without flake8's own checks. An exception of ours, or a
file that takes too long, is printed with the file and makes the run fail.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import random
import signal
import sys
import time
import tokenize
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import libcst

from corpus import CorpusError, applications, name_of, python_files
from flake8_concurrency import engine
from flake8_concurrency.options import OptionError, Options, parse_project_root

#: Seconds that one file may take before it counts as a failure.
FILE_LIMIT = 120

#: Seconds that the whole corpus may take: whatever happens to a worker, this script ends.
RUN_LIMIT = 4 * 3600


_NO_CONFIG = libcst.PartialParserConfig()


class Source(NamedTuple):
    """A file of an application, by its path in that application."""

    application: Path
    file: Path


class Found(NamedTuple):
    """A finding, and where it is."""

    application: str
    file: str
    line: int
    column: int
    code: str
    message: str


class Result(NamedTuple):
    """What happened to one file. `parsed` are the lines that libcst saw; `failure` is a traceback, or empty."""

    application: str
    file: str
    lines: int
    seconds: float
    parsed: int
    findings: tuple[Found, ...]
    failure: str


class TooSlowError(Exception):
    """A file has used up its time."""


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError(f"not finished after {FILE_LIMIT} s")


def check(source: Source, *, options: Options, gate: bool) -> Result:
    """Lint one file and never raise: what goes wrong is part of the result."""
    # Paths are relative to the application, as they are for somebody who lints it: some rules look at them.
    os.chdir(source.application)
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(FILE_LIMIT)
    application, file = name_of(source.application), str(source.file)
    lines, seconds, failure, parser = 0, 0.0, "", _Parser()
    findings: tuple[Found, ...] = ()
    try:
        with tokenize.open(file) as opened:
            text = opened.read()
        lines = len(text.splitlines())
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            tree = ast.parse(text)
        started = time.process_time()
        with parser:
            located = engine.lint(text, tree=tree, filename=file, options=_rooted(options, source), gate=gate)
        seconds = time.process_time() - started
        findings = tuple(Found(application, file, one.line, one.column, one.code, one.message) for one in located)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a panic of libcst's native parser is no Exception, and nothing is hidden here
        failure = traceback.format_exc()
    finally:
        signal.alarm(0)
    return Result(application, file, lines, seconds, parser.lines, findings, failure)


def _rooted(options: Options, source: Source) -> Options:
    """An application's root is the folder of its release: what lies around it is this checkout."""
    return options if options.project_root else replace(options, project_root=str(source.application.resolve()))


class _Parser:
    """Counts the lines that libcst parses while it is entered: none for a file that the gate kept out."""

    def __init__(self) -> None:
        self.lines = 0
        self._parse = libcst.parse_module

    def __enter__(self) -> None:
        libcst.parse_module = self._counted

    def __exit__(self, *_: object) -> None:
        libcst.parse_module = self._parse

    def _counted(self, source: str | bytes, config: libcst.PartialParserConfig = _NO_CONFIG) -> libcst.Module:
        self.lines += len(source.splitlines())
        return self._parse(source, config)


def run(sources: Sequence[Source], *, options: Options, gate: bool, jobs: int) -> Iterator[Result]:
    """The results, in the order of the sources."""
    work = functools.partial(check, options=options, gate=gate)
    executor = ProcessPoolExecutor(max_workers=jobs)
    try:
        yield from executor.map(work, sources, chunksize=8, timeout=RUN_LIMIT)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    """The same results, with a line on stderr now and then."""
    for number, result in enumerate(results, start=1):
        if number % 1000 == 0 or number == total:
            print(f"{number}/{total} files", file=sys.stderr, flush=True)
        yield result


def selected(findings: Iterable[Found], rules: Sequence[str]) -> list[Found]:
    """The findings of these rules (codes or prefixes), or all."""
    return [finding for finding in findings if not rules or finding.code.startswith(tuple(rules))]


def counts_table(findings: Sequence[Found], names: Sequence[str]) -> str:
    """How many findings each rule has in each application."""
    counts = Counter((finding.code, finding.application) for finding in findings)
    totals = Counter(finding.code for finding in findings)
    heading = "".join(f"{name[:11]:>12}" for name in names)
    rows = [
        f"{code:<8}" + "".join(f"{counts[code, name]:>12,}" for name in names) + f"{totals[code]:>9,}"
        for code in sorted(totals)
    ]
    return "\n".join([f"{'':<8}{heading}{'total':>9}", *rows])


def cost_table(results: Sequence[Result], names: Sequence[str]) -> str:
    """What linting cost in each application, and how much of it the gate let through."""
    columns = f"{'files':>8}{'lines':>12}{'gated files':>13}{'parsed lines':>14}{'CPU s':>9}{'us a line':>11}"
    lines = [f"{'application':<22}{columns}"]
    for name in [*names, "total"]:
        part = [result for result in results if name in ("total", result.application)]
        size = sum(result.lines for result in part)
        parsed = sum(result.parsed for result in part)
        seconds = sum(result.seconds for result in part)
        gated = sum(not result.parsed for result in part)
        lines.append(
            f"{name:<22}{len(part):>8,}{size:>12,}{gated / max(len(part), 1):>13.1%}{parsed / max(size, 1):>14.1%}"
            f"{seconds:>9.1f}{1e6 * seconds / max(size, 1):>11.1f}"
        )
    return "\n".join(lines)


def slowest(results: Iterable[Result], number: int = 5) -> str:
    """The files that took longest."""
    worst = sorted(results, key=lambda result: result.seconds, reverse=True)[:number]
    return "\n".join(f"{one.seconds:8.2f} s {one.lines:>7,} lines  {one.application}: {one.file}" for one in worst)


def excerpt(finding: Found, text: str, context: int) -> str:
    """The finding with the lines around it, the reported one marked."""
    lines = text.split("\n")
    first = max(finding.line - context, 1)
    shown = [
        f"{'>' if number == finding.line else ' '}{number:>6} {line}"
        for number, line in enumerate(lines[first - 1 : finding.line + context], start=first)
    ]
    place = f"{finding.application}: {finding.file}:{finding.line}:{finding.column + 1}"
    return "\n".join([place, f"{finding.code} {finding.message}", *shown])


def print_sample(findings: Sequence[Found], folders: Sequence[Path], size: int, seed: int, context: int) -> None:
    """A random sample that the same seed draws again."""
    folder = {name_of(application): application for application in folders}
    chosen = random.Random(seed).sample(findings, min(size, len(findings)))
    for number, finding in enumerate(chosen, start=1):
        with tokenize.open(folder[finding.application] / finding.file) as file:
            print(f"\n=== {number}/{len(chosen)} {excerpt(finding, file.read(), context)}")


def codes(text: str) -> list[str]:
    """`CNC201,CNC3` as a list."""
    return [code.strip() for code in text.split(",") if code.strip()]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=codes, default=[], metavar="CODES", help="report only these codes or prefixes")
    parser.add_argument("--app", action="append", default=[], metavar="NAME", help="only this application; repeatable")
    parser.add_argument("--enable", type=codes, default=[], metavar="CODES", help="opt-in rules to turn on, or ALL")
    parser.add_argument(
        "--project-root",
        default="off",
        metavar="DIR",
        help="auto: other files of the project as well, its root being the folder of the release (default: off)",
    )
    parser.add_argument("--no-gate", dest="gate", action="store_false", help="parse every file as a whole")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="print N random findings in their context")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--context", type=int, default=12, metavar="LINES", help="lines before and after (default: 12)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write findings and failures here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    return parser.parse_args(arguments)


def report(results: Sequence[Result], findings: Sequence[Found], names: Sequence[str]) -> None:
    """Print the tables, and every file that failed, under one copy of its traceback."""
    print(counts_table(findings, names))
    print(f"\n{cost_table(results, names)}\n\nslowest files\n{slowest(results)}")
    failed: dict[str, list[str]] = defaultdict(list)
    for result in results:
        if result.failure:
            failed[result.failure].append(f"{result.application}: {result.file}")
    for failure, files in failed.items():
        print("\nFAILURE in", *files, failure, sep="\n")
    number = sum(map(len, failed.values()))
    print(f"\n{len(findings):,} findings, {number:,} failures in {len(results):,} files")


def main(arguments: Sequence[str] | None = None) -> int:
    """Lint the corpus and print what was asked for; 1 if any file failed."""
    asked = parse_arguments(arguments)
    try:
        folders = applications(asked.app)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    sources = [Source(folder, file.relative_to(folder)) for folder in folders for file in python_files(folder)]
    try:
        options = Options(enable=frozenset(asked.enable), project_root=parse_project_root(asked.project_root))
    except OptionError as error:
        print(error, file=sys.stderr)
        return 2
    ran = run(sources, options=options, gate=asked.gate, jobs=asked.jobs)
    results = list(progress(ran, len(sources)))
    findings = selected((finding for result in results for finding in result.findings), asked.rules)
    if asked.json:
        failures = [
            {"file": f"{one.application}: {one.file}", "failure": one.failure} for one in results if one.failure
        ]
        content = {"findings": [finding._asdict() for finding in findings], "failures": failures}
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if asked.sample:
        print_sample(findings, folders, asked.sample, asked.seed, asked.context)
        print()
    report(results, findings, [name_of(folder) for folder in folders])
    return int(any(result.failure for result in results))


if __name__ == "__main__":
    sys.exit(main())
