from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flake8.exceptions import ExecutionError
from flake8.options.parse_args import parse_args

from flake8_concurrency import engine
from flake8_concurrency.engine import Located
from flake8_concurrency.options import DEFAULT_QUIET_PATHS, Options
from flake8_concurrency.plugin import Plugin

SLEEP = "import time\n\n\nasync def poll():\n    time.sleep(1)\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Plugin, "options", Options())


def run(source: str, filename: str = "app.py") -> list[tuple[int, int, str, type[Plugin]]]:
    return list(Plugin(ast.parse(source), source.splitlines(keepends=True), filename).run())


def test_findings_are_what_flake8_wants() -> None:
    ((line, column, text, kind),) = run(SLEEP)
    assert (line, column, kind) == (5, 4, Plugin)
    assert text.startswith("CNC401 time.sleep blocks the event loop")


def test_the_engine_gets_the_whole_text_the_tree_the_name_and_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, object]] = []

    def lint(source: str, **known: object) -> Iterator[Located]:
        calls.append((source, known))
        yield Located(7, 3, "CNC999", "waits", None)

    monkeypatch.setattr(engine, "lint", lint)
    monkeypatch.setattr(Plugin, "options", Options(enable=frozenset({"ALL"})))
    tree = ast.parse("")
    assert list(Plugin(tree, ["a\n", "b"], "stdin").run()) == [(7, 3, "CNC999 waits", Plugin)]
    assert calls == [("a\nb", {"tree": tree, "filename": "stdin", "options": Options(enable=frozenset({"ALL"}))})]


def test_defaults() -> None:
    parse_args([])
    assert Plugin.options == Options()


def test_options_on_the_command_line() -> None:
    parse_args(
        [
            "--concurrency-enable=CNC4,ALL",
            "--concurrency-blocking-calls=a.b -> c.d, e.f",
            "--concurrency-defer-to=ASYNC,S",
            "--concurrency-quiet-paths=",
        ]
    )
    assert Plugin.options == Options(
        enable=frozenset({"CNC4", "ALL"}),
        blocking_calls={"a.b": "c.d", "e.f": ""},
        defer_to=frozenset({"ASYNC", "S"}),
        quiet_paths=(),
    )


@pytest.mark.parametrize("name", ["setup.cfg", "tox.ini", ".flake8"])
def test_options_in_a_configuration_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        "[flake8]\n"
        "concurrency-enable =\n    CNC4\n    CNC401\n"
        "concurrency_blocking_calls =\n    a.b -> c.d\n    e.f\n"
        "concurrency-defer-to = ASYNC S\n"
        "concurrency-quiet-paths = scripts/,*_gen.py\n"
    )
    parse_args([])
    assert Plugin.options == Options(
        enable=frozenset({"CNC4", "CNC401"}),
        blocking_calls={"a.b": "c.d", "e.f": ""},
        defer_to=frozenset({"ASYNC", "S"}),
        quiet_paths=("scripts/", "*_gen.py"),
    )


def test_the_command_line_wins_over_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / ".flake8").write_text("[flake8]\nconcurrency-quiet-paths = scripts/\nconcurrency-defer-to = S\n")
    parse_args(["--concurrency-defer-to=RUF"])
    assert Plugin.options == Options(defer_to=frozenset({"RUF"}), quiet_paths=("scripts/",))


@pytest.mark.parametrize(
    ("option", "value"),
    [("enable", "CNC000"), ("blocking-calls", "fetch"), ("defer-to", "async"), ("quiet-paths", "/srv/app")],
)
def test_a_value_that_is_not_accepted_is_flake8s_own_error(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(ExecutionError, match=f"^--concurrency-{option}: '{value}' is not accepted: give|no rule has"):
        parse_args([f"--concurrency-{option}={value}"])
    (tmp_path / ".flake8").write_text(f"[flake8]\nconcurrency-{option} = {value}\n")
    with pytest.raises(ExecutionError, match=f"^--concurrency-{option}: '{value}' is not accepted: give|no rule has"):
        parse_args([])


def test_help_shows_each_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(["--help"])
    shown = "".join(capsys.readouterr().out.split())
    for option in ("enable", "blocking-calls", "defer-to", "quiet-paths"):
        assert f"--concurrency-{option}" in shown
    assert f"(default:{','.join(DEFAULT_QUIET_PATHS)})" in shown


def test_importing_the_plugin_imports_no_libcst() -> None:
    code = "import sys, flake8_concurrency.plugin; sys.exit('libcst' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# libcst's tree of a sum, and of `and`, is one level deeper with each term; the tree that Python makes of `and` is flat.
@pytest.mark.parametrize(
    "expression",
    [
        " + ".join(["x"] * 2000),
        " and ".join(["x"] * 3000),
        " < ".join(["x"] * 3000),
        ", ".join(["x"] * 3000),
        " if x else ".join(["x"] * 500),
        "x" + ".y" * 2000,
        "x" + ".y()" * 1000,
        "x" + "[y]" * 1000,
        "-" * 1000 + "x",
        "(" * 150 + "x" + ")" * 150,
    ],
    ids=["sum", "and", "compare", "list", "conditional", "attribute", "call", "subscript", "minus", "parentheses"],
)
def test_long_expressions(expression: str) -> None:
    assert [finding[:2] for finding in run(f"{SLEEP}    return [{expression}]\n")] == [(5, 4)]
