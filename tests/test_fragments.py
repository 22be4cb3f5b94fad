"""A module's text in fragments: what each is, what a name leads to, and what is put together of them."""

from __future__ import annotations

import ast

import pytest

from flake8_concurrency.fragments import Fragments, imported

SOURCE = '''"""Words at the left margin
import nothing
def no_function(): and no more
"""
import os, time as clock
from app import (
    a,  # why
    b as c,
)

try:
    import fast
except ImportError:
    fast = None

LIMIT = 3

if fast:
    MODE = 1
else:
    OTHER = 2

def twice():
    return 1

def twice():
    return 2

@decorated(
    1
)
def first(x):
    """Text
at the margin, class Wrong:
    """
    return second(x)

def second(x):
    return c.get(x) if fast else LIMIT

class Store(Base):
    size = 1

    def __init__(self):
        self.client = a()

    def load(self):
        sql = """
select 1
"""
        return self.client.read(sql)

    @property
    async def unused(self):
        return 1

async def last():
    return 1
'''


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("first", "def"),
        ("second", "def"),
        ("Store", "class"),
        ("last", "def"),
        ("LIMIT", ""),
        ("twice", ""),
        ("no_function", ""),
    ],
)
def test_names_are_told_by_the_layout(name: str, shape: str) -> None:
    assert shape == Fragments(SOURCE).shape(name)


def test_names_are_those_that_the_module_binds() -> None:
    names = {"os", "clock", "a", "c", "fast", "LIMIT", "first", "second", "Store", "last"}
    assert names <= Fragments(SOURCE).named.keys()
    assert not {"Wrong", "no_function", "nothing", "except", "try"} & Fragments(SOURCE).named.keys()


def put_together(name: str, *wanted: str, most: int = 100, steps: int = 3) -> str:
    fragments = Fragments(SOURCE)
    text, origin = fragments.put_together(fragments.reach(name, wanted, most, steps))
    ast.parse(text)
    assert len(origin) == text.count("\n")
    lines = SOURCE.split("\n")
    differing = [line for line, number in zip(text.split("\n"), origin, strict=False) if line != lines[number - 1]]
    assert all(line.endswith(" = ...") for line in differing)
    return text


def test_a_name_leads_to_what_it_mentions_and_to_the_imports_of_that() -> None:
    text = put_together("first")
    assert "def second" in text
    assert "b as c" in text
    assert "fast = None" in text
    assert "LIMIT = 3" in text
    assert "Store" not in text


def test_a_statement_goes_on_with_its_else() -> None:
    assert "OTHER = 2" in put_together("MODE")


def test_it_leads_no_further_than_so_many_steps_and_lines() -> None:
    assert "def second" not in put_together("first", steps=1)
    assert "def second" not in put_together("first", most=9)


def test_of_a_class_only_the_methods_that_are_asked_for_are_told() -> None:
    text = put_together("Store", "load")
    assert "select 1" in text
    assert "self.client = a()" in text
    assert "unused = ..." in text
    assert "load = ..." in put_together("Store")


def test_imports_are_read_however_they_are_written() -> None:
    text = "import a.b.c\nimport d.e as f\nfrom . import g\nfrom ..h import i as j, \\\n    k\n"
    expected = [("a", "a.b.c"), ("f", "d.e"), ("g", ".g"), ("j", "..h.i"), ("k", "..h.k")]
    assert expected == list(imported(f"{text}if x:\n    from l import *\n"))
