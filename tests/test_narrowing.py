"""Where a test has made sure of a name's class, and where it has not."""

from __future__ import annotations

import pytest

from tests.model_probe import kind

HEADER = "import requests, threading\n"


@pytest.mark.parametrize(
    "body",
    [
        "if isinstance(x, requests.Session):\n  probe(x)",
        "if isinstance(x, requests.Session) and y:\n  probe(x)",
        "if y and isinstance(x, requests.Session):\n  probe(x)",
        "if isinstance(x, requests.Session):\n  if y:\n   while z: probe(x)",
        "isinstance(x, requests.Session) and probe(x)",
        "y and isinstance(x, requests.Session) and probe(x)",
        "probe(x) if isinstance(x, requests.Session) else None",
        "assert isinstance(x, requests.Session)\n probe(x)",
        "assert isinstance(x, requests.Session), x\n if y: probe(x)",
        "if not isinstance(x, requests.Session):\n  return\n probe(x)",
        "if not isinstance(x, requests.Session): raise E\n if y: probe(x)",
        "match x:\n  case requests.Session(): probe(x)",
        "match x:\n  case requests.Session() as s: probe(x)",
        "match x:\n  case requests.Session() as s: probe(s)",
        "if isinstance(x, requests.Session):\n  [probe(x) for _ in y]",
    ],
)
def test_the_class_is_sure(body: str) -> None:
    assert kind(f"{HEADER}def f(x, y, z):\n {body}\n") == "Session"


def test_at_module_level() -> None:
    assert kind(f"{HEADER}x = unknown()\nassert isinstance(x, requests.Session)\nprobe(x)\n") == "Session"
    assert kind(f"{HEADER}x = unknown()\nif isinstance(x, requests.Session): pass\nprobe(x)\n") == "?"


def test_several_classes_are_alternatives() -> None:
    both = "Session | Thread"
    assert kind(f"{HEADER}def f(x):\n if isinstance(x, (requests.Session, threading.Thread)): probe(x)\n") == both
    assert kind(f"{HEADER}def f(x):\n if isinstance(x, requests.Session | threading.Thread): probe(x)\n") == both


def test_it_says_more_than_an_annotation() -> None:
    assert kind(f"{HEADER}def f(x: object):\n assert isinstance(x, requests.Session)\n probe(x)\n") == "Session"
    assert kind(f"{HEADER}def f(x: object):\n probe(x)\n") == "object"


@pytest.mark.parametrize(
    "body",
    [
        "if isinstance(x, requests.Session): pass\n probe(x)",
        "if isinstance(x, requests.Session): pass\n else: probe(x)",
        "if isinstance(x, requests.Session) or y: probe(x)",
        "if not isinstance(x, requests.Session): probe(x)",
        "if not isinstance(x, requests.Session):\n  probe(x)\n  return",
        "if not isinstance(x, requests.Session): y()\n probe(x)",
        "if not isinstance(x, requests.Session): return\n else: y()\n x = y\n probe(x)",
        "if isinstance(x, requests.Session):\n  x = y\n  probe(x)",
        "assert isinstance(x, requests.Session)\n x = y\n probe(x)",
        "probe(x)\n assert isinstance(x, requests.Session)",
        "assert not isinstance(x, requests.Session)\n probe(x)",
        "if isinstance(y, requests.Session): probe(x)",
        "if isinstance(x.y, requests.Session): probe(x)",
        "if isinstance(x, Unknown): probe(x)",
        "if isinstance(x, (requests.Session, Unknown)): probe(x)",
        "if isinstance(x, requests.Session):\n  def later(): probe(x)",
        "probe(x) if y else isinstance(x, requests.Session)",
        "None if isinstance(x, requests.Session) else probe(x)",
        "match y:\n  case requests.Session(): probe(x)",
        "match x:\n  case str(): pass\n  case _: probe(x)",
        "match x.y:\n  case requests.Session(): probe(x)",
        "match x:\n  case requests.Session():\n   x = y\n   probe(x)",
        "(probe(x) and isinstance(x, requests.Session))",
        "while not isinstance(x, requests.Session): return\n probe(x)",
    ],
)
def test_nothing_is_sure(body: str) -> None:
    assert kind(f"{HEADER}def f(x, y, z):\n {body}\n") == "?"
