"""The arguments of a call, and plain constants."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_concurrency.model.calls import argument, literal, passes_unknown


def call(text: str) -> cst.Call:
    return cst.ensure_type(cst.parse_expression(text), cst.Call)


@pytest.mark.parametrize(
    ("text", "position", "keyword", "found"),
    [
        ("f(a, b)", 1, "t", "b"),
        ("f(a)", 1, "t", None),
        ("f()", 0, None, None),
        ("f(a, t=b)", 1, "t", "b"),
        ("f(t=b)", 0, "t", "b"),
        ("f(x=a, t=b)", None, "t", "b"),
        ("f(a)", None, "t", None),
        ("f(x=a)", 0, "t", None),
        ("f(x=a)", 0, None, None),
        ("f(*a, b)", 1, "t", None),
        ("f(*a, b, t=c)", 1, "t", "c"),
        ("f(a, *b)", 0, "t", "a"),
        ("f(a, *b)", 1, "t", None),
        ("f(**a)", 0, "t", None),
        ("f(**a, t=b)", 1, "t", "b"),
    ],
)
def test_the_argument_for_a_parameter(text: str, position: int | None, keyword: str | None, found: str | None) -> None:
    given = argument(call(text), position, keyword)
    assert (None if given is None else cst.ensure_type(given, cst.Name).value) == found


def test_arguments_that_cannot_be_seen() -> None:
    assert passes_unknown(call("f(*a)"))
    assert passes_unknown(call("f(a, **b)"))
    assert not passes_unknown(call("f(a, b=c)"))
    assert not passes_unknown(call("f()"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("None", (None,)),
        ("True", (True,)),
        ("False", (False,)),
        ("1", (1,)),
        ("1.5", (1.5,)),
        ("x", None),
        ("'1'", None),
    ],
)
def test_plain_constants(text: str, value: tuple[object] | None) -> None:
    assert literal(cst.parse_expression(text)) == value
