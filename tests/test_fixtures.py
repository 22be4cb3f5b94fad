"""Every rule on every fixture, and on every example of every page. See `fixtures_format` for the markers."""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from flake8_concurrency import catalogue, engine
from flake8_concurrency.engine import Located
from flake8_concurrency.options import ALL, Options
from flake8_concurrency.rule import Rule
from tests.fixtures_format import Expected, Fixture, differences, fixture_paths, read_fixture

CORPUS = Path(__file__).parent.parent / "benchmarks" / "corpus"
CORPUS_SAMPLE = 60
CORPUS_LINES = 1500

EVERY_RULE = Options(enable=frozenset({ALL}))
PATHS = fixture_paths()
BAD = [(rule, block) for rule in catalogue.rules() for block in catalogue.page(rule).bad]
GOOD = [(rule, block) for rule in catalogue.rules() for block in catalogue.page(rule).good]


def lint(source: str, filename: str = "app/example.py", *, gate: bool = True) -> list[Located]:
    return engine.lint(source, tree=ast.parse(source), filename=filename, options=EVERY_RULE, gate=gate)


def code_of(value: object) -> str | None:
    return value.code if isinstance(value, type) and issubclass(value, Rule) else None


@pytest.fixture(params=PATHS, ids=lambda path: f"{path.parent.name}/{path.name}")
def fixture(request: pytest.FixtureRequest) -> Fixture:
    read = read_fixture(request.param)
    if sys.version_info < read.python:
        pytest.skip(f"needs Python {'.'.join(map(str, read.python))}")
    return read


def test_findings_stand_where_they_are_expected_and_nowhere_else(fixture: Fixture) -> None:
    report = differences(fixture.expected, lint(fixture.source, fixture.filename))
    assert not report, "\n".join(["", *report])


def test_the_gate_hides_no_finding_of_a_fixture(fixture: Fixture) -> None:
    assert lint(fixture.source, fixture.filename) == lint(fixture.source, fixture.filename, gate=False)


def test_the_tree_that_other_plugins_share_is_not_changed(fixture: Fixture) -> None:
    tree = ast.parse(fixture.source)
    before = ast.dump(tree, include_attributes=True)
    engine.lint(fixture.source, tree=tree, filename=fixture.filename, options=EVERY_RULE)
    assert ast.dump(tree, include_attributes=True) == before


@pytest.mark.parametrize("rule", catalogue.rules(), ids=code_of)
def test_each_rule_is_expected_in_a_fixture(rule: type[Rule]) -> None:
    assert rule.code in {expected.code for path in PATHS for expected in read_fixture(path).expected}


@pytest.mark.parametrize(("rule", "block"), BAD, ids=code_of)
def test_bad_examples_have_this_finding_and_no_other(rule: type[Rule], block: str) -> None:
    assert {finding.code for finding in lint(block)} == {rule.code}


@pytest.mark.parametrize(("rule", "block"), GOOD, ids=code_of)
def test_good_examples_have_no_finding(rule: type[Rule], block: str) -> None:
    assert not lint(block)


@pytest.mark.parametrize(("rule", "block"), BAD + GOOD, ids=code_of)
def test_the_gate_hides_no_finding_of_an_example(rule: type[Rule], block: str) -> None:
    assert lint(block) == lint(block, gate=False)


def corpus_sample() -> Iterator[tuple[Path, str]]:
    """Files from all over the corpus, always the same ones, none so long that it alone takes a second."""
    paths = sorted(CORPUS.rglob("*.py"))
    for path in paths[:: max(1, len(paths) // CORPUS_SAMPLE)]:
        try:
            with tokenize.open(path) as file:
                source = file.read()
            ast.parse(source)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        if source.count("\n") < CORPUS_LINES:
            yield path, source


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no benchmarks/corpus: run `python benchmarks/corpus.py` to get it")
@pytest.mark.timeout(300)
def test_the_gate_hides_no_finding_in_the_corpus() -> None:
    hidden = [path for path, source in corpus_sample() if lint(source) != lint(source, gate=False)]
    assert not hidden


def located(line: int, column: int, code: str) -> Located:
    return Located(line, column, code, "waits", None)


def test_markers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "CNC201.py"
    text = (
        "# coding: latin-1\n# path: tests/test_ä.py\n# python: 3.12\n\n# path: late.py\n"
        "f()  # expect: CNC201\ng()  #expect:CNC201@5 , CNC202,CNC202  \n"
    )
    path.write_bytes(text.encode("latin-1"))
    expected = (
        Expected(6, "CNC201", None),
        Expected(7, "CNC201", 5),
        Expected(7, "CNC202", None),
        Expected(7, "CNC202", None),
    )
    assert read_fixture(path) == Fixture(text, "tests/test_ä.py", (3, 12), expected)


def test_a_fixture_need_not_say_anything_about_itself(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_bytes(b"\xef\xbb\xbff()\r\n")
    assert read_fixture(tmp_path / "quiet.py") == Fixture("f()\n", "app/quiet.py", (3,), ())


@pytest.mark.parametrize(
    "marker",
    [
        "# expect CNC201",
        "# expects: CNC201",
        "# Expect: CNC201",
        "# expect: CNC20",
        "# expect: CNC201 CNC202",
        "# expect: CNC201@x",
        "# expect:",
        "# except: CNC201",
    ],
)
def test_a_marker_with_a_slip_is_an_error(tmp_path: Path, marker: str) -> None:
    (tmp_path / "slip.py").write_text(f"f()  {marker}\n")
    with pytest.raises(ValueError, match=re.escape(f"slip.py:1: looks like a marker and is none: f()  {marker}")):
        read_fixture(tmp_path / "slip.py")


def test_golden_files_are_no_fixtures(tmp_path: Path) -> None:
    for name in ("b.py", "a.fixed.py", "deep/a.py", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert fixture_paths(tmp_path) == [tmp_path / "b.py", tmp_path / "deep" / "a.py"]


def test_differences_name_what_is_missing_and_what_is_there_unasked() -> None:
    expected = [Expected(3, "CNC201", None), Expected(3, "CNC201", 5), Expected(9, "CNC202", 2), Expected(4, "CNC1", 1)]
    findings = [located(3, 4, "CNC201"), located(3, 0, "CNC201"), located(9, 2, "CNC202"), located(1, 0, "CNC203")]
    assert differences(expected, findings) == [
        "unexpected 1:1: CNC203 waits",
        "missing    4: CNC1@1",
        "missing    9: CNC202@2",
        "unexpected 9:3: CNC202 waits",
    ]
    assert not differences(expected[:2], findings[:2])
