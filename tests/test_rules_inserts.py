"""What the messages of the rules about inserts say."""

from __future__ import annotations

import ast

import pytest

from flake8_concurrency import engine
from flake8_concurrency.options import ALL, Options

_DJANGO = "from app.models import Tag\n\ndef f(name):\n    if not Tag.objects.filter(name=name).exists():\n        {}\n"


def messages(source: str) -> list[str]:
    options = Options(enable=frozenset({ALL}))
    return [found.message for found in engine.lint(source, tree=ast.parse(source), filename="a.py", options=options)]


@pytest.mark.parametrize(
    ("insert", "remedy"),
    [
        ("Tag.objects.create(name=name)", "get_or_create()"),
        ("Tag(name=name).save()", "get_or_create()"),
        ("Tag.objects.bulk_create([Tag(name=name)])", "bulk_create(ignore_conflicts=True)"),
        ("session.add(Tag(name=name))", "insert().on_conflict_do_nothing(), or catch IntegrityError"),
    ],
)
def test_the_remedy_is_that_of_the_mapper(insert: str, remedy: str) -> None:
    (message,) = messages(_DJANGO.format(insert))
    assert message.startswith("Tag is inserted because line 4 found none")
    assert remedy in message


def test_the_number_names_its_source() -> None:
    source = (
        "from sqlalchemy import func, select\n\ndef f(session, doc):\n"
        "    last = session.scalar(select(func.max(Version.number)).where(Version.doc == doc))\n"
        "    session.add(Version(doc=doc, number=last + 1))\n"
    )
    (message,) = messages(source)
    assert message.startswith("number is made from the largest number on line 4")
    assert "with_for_update()" in message


def test_calls_in_a_circle_end() -> None:
    source = (
        "def a(name):\n    b(name)\n    Tag.objects.create(name=name)\n\n"
        "def b(name):\n    if not Tag.objects.filter(name=name).exists():\n        a(name)\n"
    )
    assert len(messages(source)) <= 1


def test_a_long_chain_of_helpers_ends() -> None:
    helpers = "".join(f"def f{n}(name):\n    return f{n + 1}(name)\n\n" for n in range(400))
    source = helpers + "def f400(name):\n    return Tag.objects.create(name=name)\n"
    source += "\ndef start(name):\n    if not Tag.objects.filter(name=name).exists():\n        f0(name)\n"
    assert messages(source) == []
