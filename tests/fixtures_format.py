"""What the files in fixtures/ say about themselves.

    wait(futures)  # expect: CNC201                at the end of a line: this line has this finding
    wait(pool.submit(f))  # expect: CNC105, CNC201 several; a code twice is two findings
    wait(futures)  # expect: CNC201@5              where the column matters, counted from 1 as flake8 prints it

A line without a marker asserts silence, of every rule, the opt-in ones included. In the comments at the top of a file:

    # path: tests/test_orders.py     the name under which the file is linted, `app/<its own name>` otherwise
    # python: 3.12                   the oldest Python that can parse the file

`CNC201.fixed.py` is what `fix` makes of `CNC201.py`; it is no fixture of its own.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from flake8_concurrency.engine import Located

FIXTURES = Path(__file__).parent.parent / "fixtures"

_EXPECTATION = r"CNC[0-9]{3}(?:@[0-9]+)?"
_MARKER = re.compile(rf"#\s*expect:\s*({_EXPECTATION}(?:\s*,\s*{_EXPECTATION})*)\s*$")
_LIKE_A_MARKER = re.compile(r"#\s*expect|#.*\bCNC[0-9]+\s*$", re.IGNORECASE)
_HEADER = re.compile(r"#\s*(path|python):\s*(\S+)\s*$")


class Expected(NamedTuple):
    """One finding that a marker asks for; any column where it names none."""

    line: int
    code: str
    column: int | None

    def is_met_by(self, finding: Located) -> bool:
        at = (finding.line, finding.code, finding.column + 1)
        return at == (self.line, self.code, at[2] if self.column is None else self.column)

    def __str__(self) -> str:
        return f"{self.line}: {self.code}" + ("" if self.column is None else f"@{self.column}")


class Fixture(NamedTuple):
    """One file, and what it says about itself."""

    source: str
    filename: str
    python: tuple[int, ...]
    expected: tuple[Expected, ...]


def fixture_paths(directory: Path = FIXTURES) -> list[Path]:
    """All fixtures, in a fixed order."""
    return sorted(path for path in directory.rglob("*.py") if not path.name.endswith(".fixed.py"))


def read_fixture(path: Path) -> Fixture:
    """The fixture in `path`, read as flake8 reads a file: coding lines obeyed, line ends translated, no BOM."""
    with tokenize.open(path) as file:
        source = file.read()
    lines = source.splitlines()
    headers = dict(_headers(lines))
    python = tuple(int(part) for part in headers.get("python", "3").split("."))
    return Fixture(source, headers.get("path", f"app/{path.name}"), python, tuple(_expected(path, lines)))


def differences(expected: Iterable[Expected], findings: Iterable[Located]) -> list[str]:
    """What is missing and what is there unasked, one line each."""
    unexpected = list(findings)
    missing = []
    # Those that name a column first, or another would take their finding.
    for wanted in sorted(expected, key=lambda one: one.column is None):
        met = next((finding for finding in unexpected if wanted.is_met_by(finding)), None)
        if met is None:
            missing.append((wanted.line, f"missing    {wanted}"))
        else:
            unexpected.remove(met)
    surplus = [
        (line, f"unexpected {line}:{column + 1}: {code} {message}") for line, column, code, message, _ in unexpected
    ]
    return [text for _, text in sorted([*missing, *surplus])]


def _headers(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if not line.startswith("#"):
            return
        if header := _HEADER.match(line):
            yield header[1], header[2]


def _expected(path: Path, lines: Sequence[str]) -> Iterator[Expected]:
    for number, line in enumerate(lines, start=1):
        if marker := _MARKER.search(line):
            for text in re.findall(_EXPECTATION, marker[1]):
                code, _, column = text.partition("@")
                yield Expected(number, code, int(column) if column else None)
        elif _LIKE_A_MARKER.search(line):
            raise ValueError(f"{path}:{number}: looks like a marker and is none: {line.strip()}")
