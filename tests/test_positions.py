"""Lines and columns: those of libcst's PositionProvider, for every node, mapped to the user's lines."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from flake8_concurrency.engine import split_lines
from flake8_concurrency.gate import whole
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.tree import Tree

FIXTURES = Path(__file__).parent.parent / "fixtures"
STDLIB = Path(sysconfig.get_path("stdlib"))
FILES = [
    *sorted(path for path in FIXTURES.glob("*.py") if path.name != "CNC901.py"),
    *(STDLIB / name for name in ("queue.py", "contextlib.py", "dataclasses.py", "textwrap.py", "asyncio/tasks.py")),
]

LAYOUTS = {
    "empty": "",
    "comment": "# only\n",
    "comments around": "# before\n\n\n# more\nx = f()\n# after\n",
    "docstring": '"""Text\n\nmore."""\n\n\nimport a\nf()',
    "no newline at the end": "f()\ng()",
    "crlf": "x = 1\r\nif x:\r\n\ty()\r\n\r\nz()\r\n",
    "cr": "x = f()\ry = g()\r",
    "mixed newlines": "x = f()\r\ny = g()\nz()\r\n",
    "tabs": "if x:\n\tif y:\n\t\tf(a)\n",
    "form feed": "f()\n\x0c\ndef g():\n    h()\n\x0c\nk()\n",
    "decorators": "@a\n@b(\n  1,\n)\n# c\ndef f():\n    g()\n\n\n@d\nclass C: x = h()\n",
    "async": "@a\nasync def f():\n    await g()\n",
    "semicolons": "a(); b(); c()\nd();\ne()\n",
    "string over lines": 'x = """\n\n"""; f()\ng()\n',
    "string over lines in a call": 'f("""\n""", g())\nh()\n',
    "backslash": "x = 1 + \\\n  f()\ny()\n",
    "one line": "if a: b(); c()\nelse: d()\n",
    "brackets": "x = [\n f(),\n (g()),\n]; y = (\n  (h()))\n",
    "not ascii": 'é = f("é"); g()\n',
    "vertical tab in a string": "x = '\\\n\x0b\x1c\u2028'; f()\ng()\n",
}


def positions(source: str) -> tuple[Tree, Positions]:
    tree = Tree(cst.parse_module(source))
    part = whole((), split_lines(source), ast.parse(source))
    return tree, Positions(tree, part.starts, part.lines, part.methods)


def check(source: str) -> None:
    tree, ours = positions(source)
    theirs = MetadataWrapper(tree.module, unsafe_skip_copy=True).resolve(PositionProvider)
    for node in tree.nodes[1:]:
        if node in theirs:
            start = theirs[node].start
            assert ours.of(node) == (start.line, start.column), type(node).__name__


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_positions_are_those_of_libcst(path: Path) -> None:
    check(path.read_text("utf-8"))


@pytest.mark.parametrize("source", LAYOUTS.values(), ids=LAYOUTS)
def test_positions_in_every_layout(source: str) -> None:
    check(source)


@pytest.mark.parametrize("source", LAYOUTS.values(), ids=LAYOUTS)
def test_lines_and_columns_are_where_python_sees_the_calls(source: str) -> None:
    tree, ours = positions(source)
    expected = [(node.lineno, node.col_offset) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found = [ours.of(node) for node in tree.nodes if isinstance(node, cst.Call)]
    if source.isascii():
        # `ast` counts bytes.
        assert sorted(found) == sorted(expected)
    assert len(found) == len(expected)


def test_where_libcst_and_python_differ() -> None:
    # A statement begins at its first word, not at a backslash before it.
    tree, ours = positions("f()\n\\\ng()\n")
    assert [ours.of(node) for node in tree.nodes if isinstance(node, cst.Call)] == [(1, 0), (3, 0)]
    # libcst drops a form feed, Python counts it as a column.
    tree, ours = positions("\x0cf()\ng()\n")
    assert [ours.of(node) for node in tree.nodes if isinstance(node, cst.Call)] == [(1, 0), (2, 0)]


def test_lines_of_a_slice_are_the_users() -> None:
    tree = Tree(cst.parse_module("def f():\n    a()\nb(\n  c())\n"))
    ours = Positions(tree, [1, 3], [11, 13, 17, 18, 19])
    found = {cst.ensure_type(n.func, cst.Name).value: ours.of(n) for n in tree.nodes if isinstance(n, cst.Call)}
    assert found == {"a": (13, 4), "b": (17, 0), "c": (18, 2)}


def test_without_the_starts_the_whole_module_is_generated() -> None:
    source = "a()\n\n\nb(\n  c())\n"
    tree = Tree(cst.parse_module(source))
    calls = [node for node in tree.nodes if isinstance(node, cst.Call)]
    assert [Positions(tree, ()).of(node) for node in calls] == [(1, 0), (4, 0), (5, 2)]


def test_only_the_statement_around_a_node_is_generated() -> None:
    tree, ours = positions("a()\nb()\n")
    first, second = (node for node in tree.nodes if isinstance(node, cst.Call))
    ours.of(second)
    assert second in ours._known
    assert first not in ours._known


def test_of_a_class_only_the_method_around_a_node_is_generated() -> None:
    tree, ours = positions("class C:\n  @d\n  def a(self): f()\n\n  # c\n  async def b(self):\n    g()\n\n  h()\n")
    calls = {cst.ensure_type(n.func, cst.Name).value: n for n in tree.nodes if isinstance(n, cst.Call)}
    assert ours.of(calls["g"]) == (7, 4)
    assert calls["f"] not in ours._known
    assert ours.of(calls["f"]) == (3, 15)
    assert calls["h"] not in ours._known
    assert ours.of(calls["h"]) == (9, 2)


def test_a_class_whose_methods_are_not_all_known_is_generated_whole() -> None:
    tree = Tree(cst.parse_module("class C:\n  def a(self): f()\n  def b(self): g()\n"))
    ours = Positions(tree, [1], None, {1: [2]})
    calls = [node for node in tree.nodes if isinstance(node, cst.Call)]
    assert ours.of(calls[1]) == (3, 15)
    assert calls[0] in ours._known


@pytest.mark.parametrize(
    "deep",
    [
        "if x: pass\n" + "elif x: pass\n" * 1000,
        "x = a" + ".b()" * 900 + "\n",
        "@a" + ".b()" * 900 + "\ndef f(): pass\n",
    ],
    ids=["elif", "calls", "decorator"],
)
def test_code_too_deep_to_be_generated_is_placed_where_it_is_or_at_its_statement(deep: str) -> None:
    source = f"first()\n\n{deep}last()\n"
    tree = Tree(cst.parse_module(source))
    line = source.count("\n")
    ours = Positions(tree, [1, 3, line], list(range(101, 102 + line)))
    names = [node for node in tree.nodes if isinstance(node, cst.Name)]
    assert ours.of(names[0]) == (101, 0)
    places = [ours.of(node) for node in names[1:-1]]
    exact = [place for place in places if place != (103, 0)]
    assert len(exact) < len(places)
    for written, column in exact:
        assert split_lines(source)[written - 101][column].isalpha()
    assert ours.of(names[-1]) == (100 + line, 0)


def test_what_stands_before_code_too_deep_is_placed_exactly() -> None:
    tree = Tree(cst.parse_module(f"def f():\n    first()\n    x{'.y()' * 900}\n    last()\n"))
    names = {node.value: node for node in tree.nodes if isinstance(node, cst.Name)}
    ours = Positions(tree, [1])
    assert [ours.of(names[name]) for name in ("f", "first", "last")] == [(1, 4), (2, 4), (1, 0)]
    whole_module = Positions(tree, ())
    assert [whole_module.of(names[name]) for name in ("f", "first", "last")] == [(1, 4), (2, 4), (1, 0)]
