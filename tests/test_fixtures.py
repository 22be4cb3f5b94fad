"""Every rule on every fixture, and on every example of every page. See `fixtures_format` for the markers."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import libcst as cst
import pytest

from corpus import CorpusError, applications, python_files
from flake8_concurrency import catalogue, engine
from flake8_concurrency.engine import Located
from flake8_concurrency.options import ALL, Options
from flake8_concurrency.rule import Rule
from tests.fixtures_format import Expected, Fixture, differences, fixture_paths, read_fixture

#: So many files of the corpus, of which the linter sees every line, take less than a minute.
CORPUS_SAMPLE = 200
CORPUS: list[Path] = []
with contextlib.suppress(CorpusError):
    CORPUS = applications()

#: The pages' examples and the fixtures have a blocking call of their own.
EVERY_RULE = Options(
    enable=frozenset({ALL}), blocking_calls={"shop.client.fetch": "shop.aclient.fetch"}, project_root=""
)
FIXTURES = {path: read_fixture(path) for path in fixture_paths()}
EACH_FIXTURE = [
    pytest.param(
        fixture,
        id=f"{path.parent.name}/{path.name}",
        marks=pytest.mark.skipif(sys.version_info < fixture.python, reason=f"needs Python {fixture.python}"),
    )
    for path, fixture in FIXTURES.items()
]
RULES = [pytest.param(rule, id=rule.code) for rule in catalogue.rules()]


def lint(source: str, filename: str = "app/example.py", *, gate: bool = True) -> list[Located]:
    return engine.lint(source, tree=ast.parse(source), filename=filename, options=EVERY_RULE, gate=gate)


def lint_example(block: str, root: Path, *, gate: bool = True) -> list[Located]:
    """The findings of an example: of all its files where it has several, each after a line `# file: app/users.py`."""
    _, *files = re.split(r"^# file: (\S+)\n", block, flags=re.MULTILINE)
    if not files:
        return lint(block, gate=gate)
    (root / "setup.cfg").touch()
    for name, source in zip(files[::2], files[1::2], strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source, encoding="utf-8")
    pairs = zip(files[::2], files[1::2], strict=True)
    return [finding for name, source in pairs for finding in lint(source, str(root / name), gate=gate)]


def examples(heading: Literal["bad", "good"]) -> list[object]:
    return [
        pytest.param(rule, block, id=f"{rule.code}-{heading}-{number}")
        for rule in catalogue.rules()
        for number, block in enumerate(getattr(catalogue.page(rule), heading), start=1)
    ]


@pytest.mark.parametrize("fixture", EACH_FIXTURE)
def test_findings_stand_where_they_are_expected_and_nowhere_else(fixture: Fixture) -> None:
    report = differences(fixture.expected, lint(fixture.source, fixture.filename))
    assert not report, "\n".join(["", *report])


@pytest.mark.parametrize("fixture", EACH_FIXTURE)
def test_the_gate_hides_no_finding_of_a_fixture(fixture: Fixture) -> None:
    assert lint(fixture.source, fixture.filename) == lint(fixture.source, fixture.filename, gate=False)


@pytest.mark.parametrize("fixture", EACH_FIXTURE)
def test_the_tree_that_other_plugins_share_is_not_changed(fixture: Fixture) -> None:
    tree = ast.parse(fixture.source)
    before = ast.dump(tree, include_attributes=True)
    engine.lint(fixture.source, tree=tree, filename=fixture.filename, options=EVERY_RULE)
    assert ast.dump(tree, include_attributes=True) == before


class OneLine(cst.CSTTransformer):
    """Writes every block of simple statements behind the colon, where libcst has another node for it."""

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        del original_node
        lines = [line for line in updated_node.body if isinstance(line, cst.SimpleStatementLine)]
        if len(lines) < len(updated_node.body):
            return updated_node
        plain = cst.MaybeSentinel.DEFAULT
        return cst.SimpleStatementSuite([part.with_changes(semicolon=plain) for line in lines for part in line.body])


@pytest.mark.parametrize("fixture", EACH_FIXTURE)
def test_blocks_on_one_line_are_blocks(fixture: Fixture) -> None:
    if fixture.filename.endswith("CNC901.py"):
        with pytest.raises(cst.ParserSyntaxError):
            cst.parse_module(fixture.source)
        return
    source = cst.parse_module(fixture.source).visit(OneLine()).code
    assert lint(source, fixture.filename) == lint(source, fixture.filename, gate=False)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_expected_in_a_fixture(rule: type[Rule]) -> None:
    assert rule.code in {expected.code for fixture in FIXTURES.values() for expected in fixture.expected}


@pytest.mark.parametrize(("rule", "block"), examples("bad"))
def test_bad_examples_have_this_finding_and_no_other(rule: type[Rule], block: str, tmp_path: Path) -> None:
    assert {finding.code for finding in lint_example(block, tmp_path)} == {rule.code}


@pytest.mark.parametrize(("rule", "block"), examples("good"))
def test_good_examples_have_no_finding(rule: type[Rule], block: str, tmp_path: Path) -> None:
    assert not lint_example(block, tmp_path)


@pytest.mark.parametrize(("rule", "block"), examples("bad") + examples("good"))
def test_the_gate_hides_no_finding_of_an_example(rule: type[Rule], block: str, tmp_path: Path) -> None:
    assert lint_example(block, tmp_path) == lint_example(block, tmp_path, gate=False)


def sample(applications: Iterable[Path], size: int) -> Iterator[tuple[Path, str]]:
    """Up to `size` files from all over the applications, always the same ones, as far as this Python reads them."""
    paths = [path for application in applications for path in python_files(application)]
    for path in paths[:: -(-len(paths) // size)]:
        try:
            with tokenize.open(path) as file:
                source = file.read()
            ast.parse(source)
        except (SyntaxError, UnicodeDecodeError):
            continue
        yield path, source


@pytest.mark.skipif(not CORPUS, reason="no corpus here: run `python benchmarks/corpus.py`")
@pytest.mark.filterwarnings("ignore")
def test_the_gate_hides_no_finding_in_the_corpus() -> None:
    hidden = [path for path, source in sample(CORPUS, CORPUS_SAMPLE) if lint(source) != lint(source, gate=False)]
    assert not hidden


def test_the_sample_is_from_all_over_and_can_be_read(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.py").write_text(f"x = {number}\n")
    (tmp_path / "3.py").write_text("x = (\n")
    (tmp_path / "6.py").write_bytes(b"x = '\xe9'\n")
    assert [source for _, source in sample([tmp_path], 4)] == ["x = 0\n", "x = 9\n"]
    assert len(list(sample([tmp_path], 100))) == 8


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
    (tmp_path / "quiet.py").write_bytes(b"\xef\xbb\xbf# only\r\n# comments\r\n")
    assert read_fixture(tmp_path / "quiet.py") == Fixture("# only\n# comments\n", "app/quiet.py", (3,), ())


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
