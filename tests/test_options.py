from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from flake8_concurrency.options import (
    OptionError,
    Options,
    parse_blocking_calls,
    parse_defer_to,
    parse_enable,
    parse_quiet_paths,
)

CODES = ("CNC201", "CNC204", "CNC505")


class Switches(NamedTuple):
    """The part of a rule that options ask about."""

    code: str = "CNC204"
    enabled: bool = False
    overlaps: tuple[str, ...] = ()


ON = Switches("CNC201", enabled=True)
OVERLAPPING = Switches("CNC401", enabled=True, overlaps=("ASYNC251", "S113"))


@pytest.mark.parametrize("values", [[], ["CNC204"], ["CNC5"], ["CNC"], ["ALL"], ["CNC201", "CNC5", "ALL"]])
def test_enable_accepts_codes_prefixes_and_all(values: list[str]) -> None:
    assert parse_enable(values, CODES) == frozenset(values)


@pytest.mark.parametrize("value", ["CNC999", "CNC6", "CNC20x", "CNC2041", "cnc204", "all", "204", "E501", "#", "CN"])
def test_enable_rejects_what_no_rule_has(value: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_enable(["CNC204", value], CODES)
    assert str(caught.value).startswith(f"--concurrency-enable: {value!r} is not accepted: ")
    assert "give codes (CNC204), prefixes of codes (CNC5) or ALL" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "twins"),
    [
        ([], {}),
        (["my.client.fetch"], {"my.client.fetch": ""}),
        (["my.client.fetch->my.aclient.fetch", "a.b"], {"my.client.fetch": "my.aclient.fetch", "a.b": ""}),
        (["a.b", "->", "a.c", "d.e->", "d.f", "g.h", "->g.i"], {"a.b": "a.c", "d.e": "d.f", "g.h": "g.i"}),
        (["straße.öffne"], {"straße.öffne": ""}),
    ],
)
def test_blocking_calls_maps_names_to_their_twins(values: list[str], twins: dict[str, str]) -> None:
    assert parse_blocking_calls(values) == twins


@pytest.mark.parametrize(
    "value", ["fetch", "a.b()", "a.b->", "->a.b", "a..b", ".a.b", "a.b->c", "a.b->c.d->e.f", "a.class", "a-b.c", "1.2"]
)
def test_blocking_calls_rejects_what_is_no_dotted_name(value: str) -> None:
    with pytest.raises(OptionError, match=r"^--concurrency-blocking-calls: .* is not accepted: give dotted names"):
        parse_blocking_calls([value])


def test_defer_to_accepts_prefixes() -> None:
    assert parse_defer_to(["ASYNC", "RUF006", "S"]) == {"ASYNC", "RUF006", "S"}


@pytest.mark.parametrize("value", ["async", "251", "ASYNC-251", "ASYNC2x", "#"])
def test_defer_to_rejects_what_is_no_prefix(value: str) -> None:
    with pytest.raises(OptionError, match=r"^--concurrency-defer-to: .* is not accepted: give codes or prefixes"):
        parse_defer_to(["S", value])


@pytest.mark.parametrize("value", ["/home/me/tests", "C:\\work\\tests", "../tests", "a/../b", "test_[z-a].py", "[!]"])
def test_quiet_paths_rejects_what_is_no_glob_of_path_parts(value: str) -> None:
    with pytest.raises(OptionError, match=r"^--concurrency-quiet-paths: .* is not accepted: give globs of path parts"):
        parse_quiet_paths(["tests/", value])


def test_rules_that_are_on_need_no_naming_and_opt_in_rules_do() -> None:
    assert Options().is_enabled(ON)
    assert not Options().is_enabled(Switches())


@pytest.mark.parametrize(("name", "enabled"), [("CNC204", True), ("CNC2", True), ("ALL", True), ("CNC205", False)])
def test_naming_an_opt_in_rule_enables_it(name: str, enabled: bool) -> None:
    options = Options(enable=frozenset({name, "CNC7"}))
    assert options.is_enabled(Switches()) is enabled
    assert options.is_enabled(ON)


@pytest.mark.parametrize(
    ("prefix", "enabled"), [("ASYNC", False), ("ASYNC251", False), ("S1", False), ("ASYNC252", True), ("RUF", True)]
)
def test_a_rule_defers_to_the_linters_that_overlap_it(prefix: str, enabled: bool) -> None:
    options = Options(enable=frozenset({"ALL"}), defer_to=frozenset({prefix, "PL"}))
    assert options.is_enabled(OVERLAPPING) is enabled
    assert options.is_enabled(ON)


@pytest.mark.parametrize(
    "path",
    [
        "tests/app.py",
        "./tests/app.py",
        "src//tests/deep/er/app.py",
        "src/../tests/app.py",
        "src\\tests\\app.py",
        ".\\tests\\app.py",
        "test_app.py",
        "src/app_test.py",
        "conftest.py",
        "shop/testing.py",
        "demos/app.py",
        "shop/tests.py",
        "shop/migrations/0001_initial.py",
        "shop/core/migrations.py",
        "alembic/versions/1f2e_add_orders.py",
        "examples/pool.py",
        "docs/conf.py",
        "api/v1/orders_pb2.py",
        "api/v1/orders_pb2_grpc.py",
        "pip/_vendor/requests/api.py",
    ],
)
def test_defaults_are_quiet_in_tests_migrations_examples_and_generated_files(path: str) -> None:
    assert Options().is_quiet(path)
    assert Options().is_quiet(f"/srv/shop/{path}")
    assert Options().is_quiet(str(Path.cwd() / path))


@pytest.mark.parametrize(
    "path",
    ["app.py", "stdin", "-", "latest/app.py", "contest.py", "attests/a.py", "tests", "versions/x.py", "my_tests.pyx"],
)
def test_defaults_are_loud_elsewhere(path: str) -> None:
    assert not Options().is_quiet(path)
    assert not Options().is_quiet(f"/srv/shop/{path}")


def test_a_project_below_a_directory_called_tests_is_not_all_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "tests" / "shop"
    project.mkdir(parents=True)
    monkeypatch.chdir(project)
    assert not Options().is_quiet(str(project / "app.py"))
    assert Options().is_quiet(str(project / "tests" / "app.py"))
    assert Options().is_quiet(str(tmp_path / "tests" / "other.py"))


@pytest.mark.parametrize(
    ("glob", "quiet", "loud"),
    [
        ("scripts/", "a/scripts/b.py", "scripts"),
        ("./scripts/", "scripts/b.py", "scripts.py"),
        ("scripts", "a/scripts/b.py", "scripts.py"),
        ("gen\\out\\", "gen/out/a.py", "gen/a.py"),
        ("a/*.py", "x/a/b.py", "x/a/b/c.py"),
        ("a/**/c.py", "a/c.py", "a/c.pyi"),
        ("a/**/c.py", "a/b/b/c.py", "a/b/d.py"),
        ("a/**", "a/b/c.py", "b/a.py"),
        ("v?.py", "v1.py", "v10.py"),
        ("v[0-9].py", "v1.py", "vx.py"),
        ("v[!0-9].py", "vx.py", "v1.py"),
        ("v[^].py", "v^.py", "vx.py"),
        ("v[]].py", "v].py", "vx.py"),
        ("a.py", "a.py", "abpy"),
    ],
)
def test_globs(glob: str, quiet: str, loud: str) -> None:
    options = Options(quiet_paths=parse_quiet_paths(["never/", glob]))
    assert options.is_quiet(quiet)
    assert not options.is_quiet(loud)


def test_no_globs_is_loud_everywhere() -> None:
    assert not Options(quiet_paths=parse_quiet_paths([])).is_quiet("tests/test_app.py")


def test_options_can_be_a_cache_key() -> None:
    one = Options(blocking_calls={"a.b": "a.c"})
    assert {one: 1}[Options(blocking_calls={"a.b": "a.c"})] == 1
    assert one != Options()
