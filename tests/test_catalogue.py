from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import stat
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from flake8_concurrency import catalogue
from flake8_concurrency.catalogue import CatalogueError
from flake8_concurrency.rule import Rule

README = Path(__file__).parent.parent / "README.md"

RULE = '''
from flake8_concurrency.rule import Gate, Rule


class WaitForEver(Rule):
    """A wait without a timeout
    waits for ever.

    The worker hangs.

    It is never restarted.

    Bad:
        wait(futures)

        wait(others)

    Bad:
        if late:
            wait()

    Good:
        wait(futures, timeout=30)

    Known limits:
        Names that it does not know.

    Fix: unsafe;
        it invents a timeout.
    """

    code = "CNC299"
    name = "wait-for-ever"
    message = "`{what}` waits for ever; pass timeout="
    gate = Gate(frozenset({"wait"}), context=(frozenset({"concurrent"}),))
    enabled = False
    quiet = True
    overlaps = ("ASYNC299", "S299")
'''
OTHER_RULE = RULE.replace("CNC299", "CNC199").replace("wait-for-ever", "pool-for-ever")

_package_names = (f"catalogue_package_{number}" for number in itertools.count())


def package_of(directory: Path, files: dict[str, str]) -> ModuleType:
    """A package with `files`, imported; every directory in it is a package."""
    root = directory / next(_package_names)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for inside in (root, *root.rglob("*/")):
        (inside / "__init__.py").touch()
    return importlib.import_module(root.name)


@pytest.fixture(autouse=True)
def _on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_rules_are_found_in_all_families_and_ordered_by_code(tmp_path: Path) -> None:
    package = package_of(tmp_path, {"waits/wait_for_ever.py": RULE, "pools/deep/pool_for_ever.py": OTHER_RULE})
    assert [rule.code for rule in catalogue.load(package)] == ["CNC199", "CNC299"]


def test_rules_are_found_in_a_zip_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "wheel.zip", "w") as archive:
        archive.writestr("zipped_rules/__init__.py", "")
        archive.writestr("zipped_rules/waits/__init__.py", "")
        archive.writestr("zipped_rules/waits/wait_for_ever.py", RULE)
    monkeypatch.syspath_prepend(tmp_path / "wheel.zip")
    (rule,) = catalogue.load(importlib.import_module("zipped_rules"))
    assert rule.code == "CNC299"


def test_a_page_is_the_docstring_taken_apart(tmp_path: Path) -> None:
    (rule,) = catalogue.load(package_of(tmp_path, {"wait_for_ever.py": RULE}))
    assert catalogue.page(rule) == catalogue.Page(
        summary="A wait without a timeout waits for ever.",
        consequence="The worker hangs.\n\nIt is never restarted.",
        bad=("wait(futures)\n\nwait(others)", "if late:\n    wait()"),
        good=("wait(futures, timeout=30)",),
        limits="Names that it does not know.",
        fix="unsafe;\nit invents a timeout.",
    )


def test_a_page_needs_no_fix(tmp_path: Path) -> None:
    text = RULE.replace("    Fix: unsafe;\n        it invents a timeout.\n", "")
    (rule,) = catalogue.load(package_of(tmp_path, {"wait_for_ever.py": text}))
    assert catalogue.page(rule).fix is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("class WaitForEver(Rule)", "class WaitForEver", "must define one Rule, and defines 0"),
        ("class WaitForEver(Rule)", "class Base(Rule): ...\n\n\nclass WaitForEver(Base)", "must define one Rule, and"),
        ("from flake8_concurrency.rule", "from flake8_concurrency.rules_of", "cannot be imported: ModuleNotFound"),
        ('code = "CNC299"', "pass", "its rule has no `code`"),
        ("gate = ", "gates = ", "its rule has no `gate`"),
        ("CNC299", "CNC2999", "its code 'CNC2999' must be CNC and three digits"),
        ("CNC299", "CNC٢٩٩", "its code 'CNC٢٩٩' must be CNC and three digits"),
        ("wait-for-ever", "Wait-For-Ever", "its name 'Wait-For-Ever' must be small words joined by hyphens"),
        ("wait-for-ever", "wait-for-years", "its file must be named after its name: wait_for_years.py"),
        ("{what}", "{what", "its message is no format string: "),
        ("{what}", "{}", "its message has a field {} that is no plain name"),
        ("{what}", "{0}", "its message has a field {0} that is no plain name"),
        ("{what}", "{what.name}", "its message has a field {what.name} that is no plain name"),
        ("{what}", "{what}\\n", "its message must be one line"),
        ('"`{what}` waits for ever; pass timeout="', '" "', "its message must be one line"),
        ('Gate(frozenset({"wait"})', "dict(anchors=frozenset()", "its gate must be a Gate"),
        ('Gate(frozenset({"wait"})', "Gate(frozenset()", "its gate's anchors, and each group of its context"),
        ('Gate(frozenset({"wait"})', 'Gate({"wait"}', "its gate's anchors, and each group of its context"),
        ('(frozenset({"concurrent"}),)', '(frozenset({""}),)', "its gate's anchors, and each group of its context"),
        ("enabled = False", "enabled = 0", "its `enabled` and `quiet` must be True or False"),
        ("quiet = True", "quiet = 'yes'", "its `enabled` and `quiet` must be True or False"),
        ('("ASYNC299", "S299")', '("ASYNC299")', "its `overlaps` must be a tuple of other linters' codes"),
        ('("ASYNC299", "S299")', '("ASYNC",)', "its `overlaps` must be a tuple of other linters' codes"),
        ('"""A wait', '_ = """A wait', "its docstring must begin with the defect"),
        ("waits for ever.\n", "waits for ever\n", "its docstring must begin with the defect"),
        ("    The worker hangs.\n\n    It is never restarted.\n", "", "its docstring must say what happens"),
        ("Bad:", "Worse:", "its docstring needs a `Bad:` block"),
        ("Good:", "Better:", "its docstring has text that is not indented under `Bad:`"),
        ("    Good:\n        wait(futures, timeout=30)\n", "", "its docstring needs a `Good:` block"),
        ("Bad:\n        if", "Bad: if", "its docstring has text that is not indented under `Bad:`"),
        ("        wait(futures, timeout=30)\n", "", "its docstring has nothing under `Good:`"),
        ("        wait(futures, timeout=30)\n", "    wait()\n", "its docstring has text that is not indented"),
        ("Known limits:", "Fix:", "its docstring needs `Known limits:`, once"),
        ("    Fix:", "    Fix: none\n    Fix:", "its docstring has more than one `Fix:`"),
    ],
)
def test_a_malformed_module_is_named_with_what_is_wrong(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in RULE
    package = package_of(tmp_path, {"waits/wait_for_ever.py": RULE.replace(old, new)})
    with pytest.raises(CatalogueError) as caught:
        catalogue.load(package)
    assert str(caught.value).startswith(f"{package.__name__}.waits.wait_for_ever: {problem}")


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (OTHER_RULE.replace("CNC199", "CNC299"), "CNC299 is taken by "),
        (OTHER_RULE.replace("pool-for-ever", "wait-for-ever"), "wait-for-ever is taken by "),
    ],
)
def test_codes_and_names_are_unique(tmp_path: Path, other: str, problem: str) -> None:
    name = "pool_for_ever.py" if "pool-for-ever" in other else "wait_for_ever.py"
    package = package_of(tmp_path, {"a/wait_for_ever.py": RULE, f"b/{name}": other})
    with pytest.raises(CatalogueError, match=f"{problem}{package.__name__}.a.wait_for_ever$"):
        catalogue.load(package)


def test_a_package_that_fails_to_import_is_named(tmp_path: Path) -> None:
    package = package_of(tmp_path, {"waits/wait_for_ever.py": RULE})
    (tmp_path / package.__name__ / "waits" / "__init__.py").write_text("import no_such_module\n")
    with pytest.raises(CatalogueError, match=r"\.waits: cannot be imported: ModuleNotFoundError"):
        catalogue.load(package)


def test_stripped_docstrings_do_not_stop_the_linter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of(tmp_path, {"wait_for_ever.py": RULE.replace('"""A wait', '_ = """A wait')})
    monkeypatch.setattr(catalogue, "__doc__", None)
    assert [rule.code for rule in catalogue.load(package)] == ["CNC299"]


@pytest.fixture
def _two_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = OTHER_RULE.replace("waits for ever.", "waits | hangs.").replace('("ASYNC299", "S299")', "()")
    other = other.replace("enabled = False", "enabled = True").replace("quiet = True", "quiet = False")
    package = package_of(tmp_path, {"waits/wait_for_ever.py": RULE, "pools/pool_for_ever.py": other})
    found = catalogue.load(package)
    monkeypatch.setattr(catalogue, "rules", lambda: found)


@pytest.mark.usefixtures("_two_rules")
def test_the_table_has_a_row_for_each_rule() -> None:
    package = catalogue.rules()[0].__module__.split(".")[0]
    assert catalogue.rule_table() == textwrap.dedent(
        f"""\
        | code | name | finds | default | also reported by |
        |---|---|---|---|---|
        | [CNC199]({package}/pools/pool_for_ever.py) | pool-for-ever | A wait without a timeout waits \\| hangs. \
| on | - |
        | [CNC299]({package}/waits/wait_for_ever.py) | wait-for-ever | A wait without a timeout waits for ever. \
| opt-in, quiet | ASYNC299, S299 |
        """
    )


@pytest.mark.usefixtures("_two_rules")
def test_the_table_is_written_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes("# Ünder\r\n<!-- rules:begin -->\nold\n<!-- rules:end -->\r\nafter\n".encode())
    readme.chmod(0o640)
    catalogue.write_table(readme)
    expected = f"# Ünder\r\n<!-- rules:begin -->\n{catalogue.rule_table()}<!-- rules:end -->\r\nafter\n".encode()
    assert readme.read_bytes() == expected
    assert stat.S_IMODE(readme.stat().st_mode) == 0o640
    catalogue.write_table(readme)
    assert readme.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir() if "README" in path.name] == ["README.md"]


@pytest.mark.usefixtures("_two_rules")
@pytest.mark.parametrize("text", ["", "<!-- rules:begin -->\n", "<!-- rules:end -->\n<!-- rules:begin -->\n"])
def test_a_file_without_the_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(CatalogueError, match=r"README\.md: has no <!-- rules:begin --> followed by"):
        catalogue.write_table(readme)
    assert readme.read_text() == text


def test_the_readme_has_the_current_table() -> None:
    assert f"<!-- rules:begin -->\n{catalogue.rule_table()}<!-- rules:end -->" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", catalogue.rules(), ids=lambda rule: rule.code)
def test_each_report_fills_the_fields_of_its_message(rule: type[Rule]) -> None:
    fields = catalogue.message_fields(rule.message)
    reports = [
        {keyword.arg for keyword in call.keywords if keyword.arg != "fix"}
        for call in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(rule) or rule)))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "report"
    ]
    # CNC901 speaks through the engine, when there is no tree to look at.
    assert reports or rule.code == "CNC901"
    assert [] == [facts for facts in reports if None not in facts and facts != fields]


def test_a_family_is_a_hundred() -> None:
    families: dict[str, set[str]] = {}
    for rule in catalogue.rules():
        families.setdefault(rule.code[:4], set()).add(rule.__module__.rpartition(".")[0])
    assert [] == [packages for packages in families.values() if len(packages) > 1]
