"""mypy --strict and pyright, as a user runs them, on the README's examples and on what they must accept and reject."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
README = ROOT / "README.md"
SECTION = re.compile(r"^## The runtime$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ERROR = re.compile(r"^(?P<file>[\w.]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$")
MARKER = re.compile(r"  # error: (?P<code>[\w-]+)$")

#: The codes of the errors by line.
Errors = dict[int, set[str]]


def readme_examples() -> list[str]:
    """The Python of the README's section on the runtime."""
    section = SECTION.search(README.read_text())
    return EXAMPLE.findall(section[0]) if section else []


def marked(source: str) -> Errors:
    """The errors a source says it has, by line."""
    found = ((number, MARKER.search(line)) for number, line in enumerate(source.splitlines(), 1))
    return {number: {marker["code"]} for number, marker in found if marker}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files to check, alone, outside of the project."""
    directory = tmp_path_factory.mktemp("typing")
    for name in ("good.py", "wrong.py", "shop.py"):
        # A blank line in place of the comment that keeps the project's own run of mypy quiet.
        (directory / name).write_text((HERE / name).read_text().replace("# mypy: ignore-errors", "", 1))
    for number, example in enumerate(readme_examples()):
        (directory / f"readme_{number}.py").write_text(example)
    return directory


@pytest.fixture(scope="module")
def errors(directory: Path) -> dict[str, Errors]:
    """What one run of mypy says, by file and line."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-pretty", "--no-error-summary", "."]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    found: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for line in done.stdout.splitlines():
        if ": note: " not in line:
            error = ERROR.match(line)
            assert error, line
            found[error["file"]][int(error["line"])].add(error["code"])
    return {file: dict(lines) for file, lines in found.items()}


def test_what_is_good_is_accepted(errors: dict[str, Errors]) -> None:
    assert {} == errors.get("good.py", {})
    assert {} == errors.get("shop.py", {})


def test_what_is_wrong_is_rejected_and_nothing_else(errors: dict[str, Errors]) -> None:
    expected = marked((HERE / "wrong.py").read_text())
    assert len(expected) > 15
    assert expected == errors["wrong.py"]


def test_the_examples_of_the_readme_are_accepted(errors: dict[str, Errors]) -> None:
    examples = readme_examples()
    assert len(examples) >= 14, "the README has lost its section on the runtime"
    for number, example in enumerate(examples):
        assert {} == errors.get(f"readme_{number}.py", {}), example


def test_pyright_says_the_same(directory: Path) -> None:
    pytest.importorskip("pyright", reason="needs pyright[nodejs]")
    command = [sys.executable, "-m", "pyright", "--outputjson", f"--pythonpath={sys.executable}", "."]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    found = {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        for each in json.loads(done.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    }
    assert {("wrong.py", line) for line in marked((HERE / "wrong.py").read_text())} == found
