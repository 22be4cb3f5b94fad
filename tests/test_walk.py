"""The traversal that drives rules: which methods it calls, when, and how often it is run."""

from __future__ import annotations

import ast

import libcst as cst
import pytest

from flake8_concurrency import engine, walk
from flake8_concurrency.engine import lint
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.options import ALL, Options

EVERY_RULE = Options(enable=frozenset({ALL}))
FIRES = "import time\nasync def f():\n    time.sleep(1)\n"
GATED = "def f(x):\n    return x\n"


class Recorder(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def visit_Name(self, node: cst.Name) -> None:
        self.events.append(f"visit {node.value}")

    def leave_Name(self, original_node: cst.Name) -> None:
        self.events.append(f"leave {original_node.value}")

    def visit_Call(self, node: cst.Call) -> bool:
        self.events.append("visit call")
        return False

    def leave_Call(self, original_node: cst.Call) -> None:
        self.events.append("leave call")

    def leave_Module(self, original_node: cst.Module) -> None:
        self.events.append("leave module")


class OnlyVisits(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def visit_Name(self, node: cst.Name) -> None:
        self.names.append(node.value)


class Derived(OnlyVisits):
    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.names.append("attribute")


def test_parents_are_entered_first_and_left_last() -> None:
    recorder = Recorder()
    walk.walk(Tree(cst.parse_module("f(a, b)\nc\n")), [recorder])
    names = ["f", "a", "b"]
    inner = [event for name in names for event in (f"visit {name}", f"leave {name}")]
    assert recorder.events == ["visit call", *inner, "leave call", "visit c", "leave c", "leave module"]


def test_what_a_method_returns_changes_nothing() -> None:
    # libcst would not go below a call whose visit_Call returns False.
    recorder = Recorder()
    walk.walk(Tree(cst.parse_module("f(a)")), [recorder])
    assert "visit a" in recorder.events


def test_all_visitors_see_the_same_nodes_in_one_pass() -> None:
    first, second = OnlyVisits(), Derived()
    walk.walk(Tree(cst.parse_module("a.b")), [first, second])
    assert first.names == ["a", "b"]
    assert second.names == ["attribute", "a", "b"]


def test_no_visitor_no_call() -> None:
    walk.walk(Tree(cst.parse_module("a.b")), [])


def test_methods_are_found_once_for_a_class_and_libcsts_own_are_left_out() -> None:
    visits, leaves = walk.methods(Derived)
    assert visits == {"Name": "visit_Name", "Attribute": "visit_Attribute"}
    assert leaves == {}
    assert walk.methods(Derived)[0] is visits
    assert walk.methods(cst.CSTVisitor) == ({}, {})


class Counts:
    """How often a file was parsed by libcst, traversed, and walked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parses = self.traversals = self.walks = 0
        parse, visit = cst.parse_module, walk.walk

        def parse_module(source: str) -> cst.Module:
            self.parses += 1
            return parse(source)

        def traverse(module: cst.Module) -> Tree:
            self.traversals += 1
            return Tree(module)

        def walk_once(tree: Tree, visitors: list[cst.CSTVisitor]) -> None:
            self.walks += 1
            visit(tree, visitors)

        monkeypatch.setattr(cst, "parse_module", parse_module)
        monkeypatch.setattr(engine, "Tree", traverse)
        monkeypatch.setattr(engine, "walk", walk_once)

    @property
    def all(self) -> tuple[int, int, int]:
        return self.parses, self.traversals, self.walks


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(monkeypatch)


def forbid(*_: object, **__: object) -> None:
    raise AssertionError("libcst rebuilds the tree here, or computes positions of a whole file")


@pytest.fixture
def no_slow_libcst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cst.CSTNode, "visit", forbid)
    monkeypatch.setattr(cst.MetadataWrapper, "__init__", forbid)


@pytest.mark.usefixtures("no_slow_libcst")
def test_a_linted_file_is_parsed_traversed_and_walked_once_by_all_rules(counts: Counts) -> None:
    assert {found.code for found in lint(FIRES, tree=ast.parse(FIRES), options=EVERY_RULE)} == {"CNC401"}
    assert counts.all == (1, 1, 1)


@pytest.mark.usefixtures("no_slow_libcst")
def test_a_gated_file_is_never_parsed(counts: Counts) -> None:
    assert lint(GATED, tree=ast.parse(GATED), options=EVERY_RULE) == []
    assert counts.all == (0, 0, 0)


def test_without_the_gate_it_is_still_once(counts: Counts) -> None:
    assert lint(GATED, tree=ast.parse(GATED), options=EVERY_RULE, gate=False) == []
    assert counts.all == (1, 1, 1)
