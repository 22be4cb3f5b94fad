from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from flake8_concurrency import __version__, catalogue, cli
from flake8_concurrency.catalogue import rule_table
from flake8_concurrency.rule import Gate, Rule


class WaitForEver(Rule):
    """A wait without a timeout waits for ever.

    The worker hangs.

    Bad:
        wait(futures)

    Good:
        wait(futures,
             timeout=30)

    Known limits:
        Unknown names.

    Fix:
        Unsafe.
    """

    code = "CNC299"
    name = "wait-for-ever"
    message = "waits for ever"
    gate = Gate(frozenset({"wait"}))
    enabled = False
    quiet = True
    overlaps = ("ASYNC299", "S299")


class PoolForEver(Rule):
    """A pool without an end lives for ever.

    Its threads stay.

    Bad:
        Pool()

    Good:
        Pool(1)

    Known limits:
        None known.
    """

    code = "CNC199"
    name = "pool-for-ever"
    message = "lives for ever"
    gate = Gate(frozenset({"Pool"}))


@pytest.fixture(autouse=True)
def _two_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "rules", lambda: (PoolForEver, WaitForEver))


def test_rules_lists_all_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules"]) == 0
    assert capsys.readouterr().out == (
        "CNC199  pool-for-ever  on      A pool without an end lives for ever.\n"
        "CNC299  wait-for-ever  opt-in  A wait without a timeout waits for ever.\n"
    )


def test_rules_as_markdown_is_the_table_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules", "--markdown"]) == 0
    assert capsys.readouterr().out == rule_table()


def test_rules_are_written_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- rules:begin --><!-- rules:end -->")
    assert cli.main(["rules", "--write", str(readme)]) == 0
    assert readme.read_text() == f"<!-- rules:begin -->\n{rule_table()}<!-- rules:end -->"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "problem"), [("README.md", "has no <!-- rules:begin -->"), ("none.md", "No such file")]
)
def test_a_file_that_cannot_take_the_table_is_one_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, problem: str
) -> None:
    (tmp_path / "README.md").touch()
    assert cli.main(["rules", "--write", str(tmp_path / name)]) == 2
    out, error = capsys.readouterr()
    assert problem in error
    assert error.count("\n") == 1
    assert not out


def test_explain_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "CNC299"]) == 0
    assert capsys.readouterr().out == (
        "CNC299 wait-for-ever\n\n"
        "A wait without a timeout waits for ever.\n\n"
        "The worker hangs.\n\n"
        "Bad:\n    wait(futures)\n\n"
        "Good:\n    wait(futures,\n         timeout=30)\n\n"
        "Known limits:\n    Unknown names.\n\n"
        "Fix:\n    Unsafe.\n\n"
        "Reports:\n"
        "    only when enabled: --concurrency-enable=CNC299\n"
        "    not in tests, migrations, examples and generated files (--concurrency-quiet-paths)\n"
        "    also reported by ASYNC299, S299 (--concurrency-defer-to silences ours)\n"
    )


@pytest.mark.parametrize("wanted", ["CNC199", "cnc199", "pool-for-ever", "Pool-For-Ever"])
def test_explain_takes_codes_and_names(capsys: pytest.CaptureFixture[str], wanted: str) -> None:
    assert cli.main(["explain", wanted]) == 0
    out = capsys.readouterr().out
    assert out.startswith("CNC199 pool-for-ever\n\n")
    assert out.endswith("Known limits:\n    None known.\n\nReports:\n    by default\n")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("CNC298", "Did you mean CNC299 or CNC199?"),
        ("wait-forevr", "Did you mean wait-for-ever?"),
        ("E501", "`rules` lists them."),
    ],
)
def test_explain_of_an_unknown_rule_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], wanted: str, hint: str
) -> None:
    assert cli.main(["explain", wanted]) == 2
    assert capsys.readouterr() == ("", f"No rule has the code or name '{wanted}'. {hint}\n")


@pytest.mark.parametrize("argv", [[], ["fly"], ["explain"], ["rules", "--markdown", "--write", "README.md"]])
def test_wrong_arguments_are_exit_2(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2
    assert "usage: python -m flake8_concurrency" in capsys.readouterr().err


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["flake8_concurrency", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("flake8_concurrency", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_every_page_can_be_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.undo()
    for rule in catalogue.rules():
        assert cli.main(["explain", rule.code]) == 0
        assert capsys.readouterr().out.startswith(f"{rule.code} {rule.name}\n")
