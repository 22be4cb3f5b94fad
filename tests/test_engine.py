"""The whole run: findings in order, and no text that makes it fail."""

from __future__ import annotations

import ast
import gc
import sys
import textwrap
import time
import warnings
from collections.abc import Callable

import hypothesis
import hypothesmith
import libcst as cst
import pytest

from flake8_concurrency import catalogue, engine
from flake8_concurrency.engine import Located, lint, split_lines
from flake8_concurrency.model.kinds import Kinds
from flake8_concurrency.options import ALL, Options
from flake8_concurrency.rules.analysis.file_not_analysed import FileNotAnalysed

EVERY_RULE = Options(enable=frozenset({ALL}))
HEADER = "import asyncio, subprocess, threading, time\nfrom concurrent.futures import Future, ThreadPoolExecutor\n"


def places(source: str, **more: object) -> list[tuple[int, int, str]]:
    return [(found.line, found.column, found.code) for found in lint(source, options=EVERY_RULE, **more)]  # type: ignore[arg-type]


def in_async(*lines: str) -> str:
    return HEADER + "async def f(x):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("awaited", "is_opened"),
    [
        ("self._connect()", True),
        ("asyncio.wait_for(self.client.open_session(key), 5)", True),
        ("asyncio.to_thread(self.make_client, key)", True),
        ("self.connection.fetch(key)", False),
        ("asyncio.wait_for(self.fetch(key, self.client.name), 5)", False),
    ],
)
def test_of_what_is_missing_only_what_is_opened_is_reported_unasked(awaited: str, is_opened: bool) -> None:
    source = f"""
    import asyncio

    class Store:
        async def value(self, key):
            if self._value is None:
                self._value = await {awaited}
            return self._value
    """
    source = textwrap.dedent(source)
    assert [one.code for one in lint(source)] == ["CNC502"] * is_opened
    assert [one[2] for one in places(source)] == ["CNC502"]


def test_findings_come_in_order_of_position_and_once() -> None:
    source = in_async("time.sleep(1); time.sleep(2)", "subprocess.run(x)", "time.sleep(3)")
    found = places(source)
    assert found == sorted(found)
    assert len(found) == len(set(found))
    assert [place for place in found if place[2] == "CNC401"] == [(4, 4, "CNC401"), (4, 19, "CNC401"), (6, 4, "CNC401")]


def test_the_tree_may_be_given_or_not() -> None:
    source = in_async("time.sleep(1)")
    assert places(source) == places(source, tree=ast.parse(source)) == [(4, 4, "CNC401")]


def test_rules_that_are_off_are_silent() -> None:
    source = in_async("time.sleep(1)")
    assert lint(source, options=Options(defer_to=frozenset({"ASYNC251"}))) == []
    assert [found.code for found in lint(source)] == ["CNC401"]


def test_quiet_rules_are_silent_in_quiet_paths() -> None:
    source = f"{HEADER}def f(): subprocess.run(['ls'])\n"
    quiet = Options(enable=frozenset({ALL}), quiet_paths=("tests/*",))
    assert [found.code for found in lint(source, filename="app/a.py", options=quiet)] == ["CNC207"]
    assert lint(source, filename="tests/a.py", options=quiet) == []


def test_calls_of_the_users_own_that_block() -> None:
    source = "import app\nasync def f():\n    app.work()\n    app.rest()\n"
    options = Options(blocking_calls={"app.work": "app.awork", "app.rest": ""})
    assert [(found.line, found.code) for found in lint(source, options=options)] == [(3, "CNC412"), (4, "CNC412")]
    helper = "import app\ndef g():\n    app.work()\nasync def f():\n    g()\n"
    assert [(found.line, found.code) for found in lint(helper, options=options)] == [(5, "CNC409")]
    assert lint(source) == lint(helper) == []


def test_a_text_that_is_no_python() -> None:
    for source in ("def", "a\0b", "x = 'a", "(" * 500 + ")" * 500):
        with pytest.raises(SyntaxError):
            lint(source)


def test_python_before_3_12_has_another_error_for_null_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise ValueError("source code string cannot contain null bytes")

    monkeypatch.setattr(ast, "parse", refuse)
    with pytest.raises(SyntaxError, match="null bytes"):
        lint("a")


def test_garbage_is_collected_again_afterwards_if_it_was_before() -> None:
    source = in_async(BLOCKS)
    lint(source)
    assert gc.isenabled()
    gc.disable()
    try:
        lint(source)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_lines_end_where_python_ends_them() -> None:
    assert split_lines("a\r\nb\rc\nd") == ["a\r\n", "b\r", "c\n", "d"]
    assert split_lines("a\x0cb\x0b\x1c\u2028c\n") == ["a\x0cb\x0b\x1c\u2028c\n"]
    assert split_lines("") == []


BLOCKS = "time.sleep(1)"
HOSTILE: dict[str, tuple[str, list[tuple[int, int, str]]]] = {
    "empty": ("", []),
    "only comments": ("# time.sleep\n# async def\n", []),
    "only a newline": ("\n", []),
    "byte order mark": ("\ufeff" + in_async(BLOCKS), [(4, 4, "CNC401")]),
    "crlf": (in_async("x = 1", BLOCKS).replace("\n", "\r\n"), [(5, 4, "CNC401")]),
    "cr": (in_async("x = 1", BLOCKS).replace("\n", "\r"), [(5, 4, "CNC401")]),
    "mixed line ends": (HEADER.replace("\n", "\r\n") + "async def f():\n\ttime.sleep(1)\r\n", [(4, 1, "CNC401")]),
    "tabs": (HEADER + "async def f():\n\tif x:\n\t\ttime.sleep(1)\n", [(5, 2, "CNC401")]),
    "form feeds": (HEADER + "\x0c\nasync def f():\n    time.sleep(1)\n\x0c\n", [(5, 4, "CNC401")]),
    "form feed in a string": (in_async("x = '\x0c'; time.sleep(1)"), [(4, 13, "CNC401")]),
    "no newline at the end": (in_async(BLOCKS).rstrip("\n"), [(4, 4, "CNC401")]),
    "coding line": ("# -*- coding: latin-1 -*-\n" + in_async("'\xe9'", BLOCKS), [(6, 4, "CNC401")]),
    "not ascii": (in_async("é = 'é'; time.sleep(1)"), [(4, 13, "CNC401")]),
    "trailing backslash": (in_async("x = 1 + \\", "  2", BLOCKS), [(6, 4, "CNC401")]),
    "a line of 100,000 characters": (in_async(f"x = {'x' * 100_000}; time.sleep(1)"), [(4, 100_010, "CNC401")]),
    "150 nested parentheses": (in_async("(" * 150 + BLOCKS + ")" * 150), [(4, 154, "CNC401")]),
    "90 nested blocks": (
        in_async(*(" " * n + "if x:" for n in range(90)), " " * 90 + BLOCKS),
        [(94, 94, "CNC401")],
    ),
    "80 nested calls": (in_async("x(" * 80 + BLOCKS + ")" * 80), [(4, 164, "CNC401")]),
    "3,000 elements": (in_async(f"[{'x, ' * 3000}time.sleep(1)]"), [(4, 9005, "CNC401")]),
    "3,000 statements": (in_async(*["x = 1"] * 3000, BLOCKS), [(3004, 4, "CNC401")]),
    "400 terms": (in_async(f"x = {'x + ' * 400}time.sleep(1)"), [(4, 8 + 1600, "CNC401")]),
    # After code too deep for libcst to go on, it is the module's statement.
    "900 chained calls": (in_async(BLOCKS, f"x{'.y()' * 900}", BLOCKS), [(3, 0, "CNC401"), (4, 4, "CNC401")]),
}


@pytest.mark.parametrize(("source", "expected"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("gate", [True, False], ids=["gate", "whole"])
def test_hostile_texts(source: str, expected: list[tuple[int, int, str]], gate: bool) -> None:
    assert places(source, gate=gate) == expected


def test_a_condition_is_waited_for_after_a_test_on_one_line() -> None:
    source = """
        import threading
        class Box:
            def __init__(self):
                self.filled = threading.Condition()
                self.closed = False
            def take(self):
                with self.filled:
                    if self.closed: return None
                    self.filled.wait()
        """
    assert "CNC901" not in [code for _, _, code in places(textwrap.dedent(source))]


def test_a_thousand_branches() -> None:
    source = in_async("if x: pass", *["elif x: time.sleep(1)"] * 1000)
    found = places(source)
    assert found[0] == (3, 0, "CNC401")
    assert len(found) > 50
    assert all(source.splitlines()[line - 1][column:] == "time.sleep(1)" for line, column, _ in found[1:])


@pytest.mark.parametrize("word", ["+", "or", "=="])
def test_an_expression_of_3000_terms(word: str) -> None:
    found = lint(in_async(f"x = {f' {word} '.join(['x'] * 2999)} {word} time.sleep(1)"), options=EVERY_RULE)
    # Before 3.13 Python's own parser gives up at so many additions.
    gives_up = word == "+" and sys.version_info < (3, 13)
    assert [located.code for located in found] == ["CNC901" if gives_up else "CNC401"]


def too_deep(*_: object) -> None:
    raise RecursionError


@pytest.mark.parametrize(
    "break_it",
    [
        lambda patch: patch.setattr(ast, "parse", too_deep),
        lambda patch: patch.setattr(engine, "narrow", too_deep),
        lambda patch: patch.setattr(cst, "parse_module", too_deep),
        lambda patch: patch.setattr(engine, "Tree", too_deep),
        lambda patch: patch.setattr(engine, "walk", too_deep),
        lambda patch: patch.setattr(Kinds, "of", too_deep),
    ],
    ids=["ast", "gate", "parse", "tree", "rules", "model"],
)
def test_too_deep_a_nesting_is_said_once(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    source = in_async(BLOCKS, BLOCKS)
    with monkeypatch.context() as patch:
        break_it(patch)
        (found,) = lint(source, options=EVERY_RULE)
    assert found[:3] == (1, 0, "CNC901")
    assert "nested too deeply" in found.message


def test_what_libcst_cannot_parse_is_said_once_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{HEADER}def unrelated():\n    pass\n\n{in_async('(x): int = 1', BLOCKS)}"
    with pytest.raises(cst.ParserSyntaxError):
        cst.parse_module(source)
    (found,) = lint(source, options=EVERY_RULE)
    assert (found.line, found.column, found.code) == (1, 0, "CNC901")
    assert "near line" in found.message
    assert lint(source, options=Options(defer_to=frozenset())) == [found]
    others = tuple(rule for rule in catalogue.rules() if rule is not FileNotAnalysed)
    monkeypatch.setattr(catalogue, "rules", lambda: others)
    assert lint(source, options=EVERY_RULE) == []


def service(lines: int) -> str:
    part = (
        "async def f{0}(items):\n    for item in items:\n        time.sleep({0})\n    pool = ThreadPoolExecutor()\n"
        "    futures = [pool.submit(f{0}, item) for item in items]\n"
        "    return [future.result() for future in futures]\n\n\n"
    )
    return HEADER + "".join(part.format(number) for number in range(lines // 8))


def spent(source: str) -> float:
    tree = ast.parse(source)
    start = time.process_time()
    assert len(lint(source, tree=tree, options=EVERY_RULE)) >= len(source.splitlines()) // 8
    return time.process_time() - start


def test_time_grows_with_the_lines_and_no_faster() -> None:
    spent(service(500))
    # Four times the lines; eight leaves room for a busy machine, and none for a square.
    assert spent(service(20_000)) < 8 * spent(service(5_000))


def test_time_grows_with_the_functions_of_one_class_and_no_faster() -> None:
    def one_class(methods: int) -> str:
        part = (
            "    def m{0}(self, x):\n        self.a{0} = self.pool.submit(self.m{1}, x)\n"
            "        self.all.append(self.a{0})\n"
            "        return self.a{0}.result()\n"
        )
        init = "class C:\n    def __init__(self):\n        self.pool = ThreadPoolExecutor()\n        self.all = []\n"
        return HEADER + init + "".join(part.format(n, n // 2) for n in range(methods))

    def cost(methods: int) -> float:
        source = one_class(methods)
        tree = ast.parse(source)
        start = time.process_time()
        assert len(lint(source, tree=tree, options=EVERY_RULE, gate=False)) >= methods
        return time.process_time() - start

    cost(50)
    assert cost(1000) < 8 * cost(250)


@hypothesis.settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(hypothesmith.from_grammar())
def test_any_program_can_be_linted(source: str) -> None:
    check(source)


@hypothesis.settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(hypothesmith.from_node())
def test_any_tree_can_be_linted(source: str) -> None:
    check(source)


def check(source: str) -> None:
    """A text without our words, and the same with code about which all rules have something to ask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in (source, in_async(BLOCKS) + source):
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError):
                continue
            for gate in (True, False):
                found = lint(text, tree=tree, options=EVERY_RULE, gate=gate)
                assert all(isinstance(located, Located) for located in found)
                assert all(1 <= located.line <= len(split_lines(text)) for located in found)
