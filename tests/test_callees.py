"""The function that a call enters, where a class has bases that are not known."""

from __future__ import annotations

import libcst as cst
import pytest

from tests.model_probe import model

CLASSES = """
from elsewhere import Unknown
import subprocess, time

class Base:
    def __init__(self): time.sleep(1)
    def __call__(self): time.sleep(1)
    def __enter__(self): time.sleep(1)
    def __exit__(self, *reason): pass
    def __iter__(self): time.sleep(1)
    @property
    def ready(self): time.sleep(1)

class Known(Base, Unknown): pass
class Hidden(Unknown, Base): pass
"""


@pytest.mark.parametrize(
    ("statement", "method"),
    [
        ("{}()", "__init__"),
        ("x()", "__call__"),
        ("with x: pass", "__enter__"),
        ("for _ in x: pass", "__iter__"),
        ("x.ready", "ready"),
    ],
)
@pytest.mark.parametrize("name", ["Known", "Hidden"])
def test_a_base_that_is_not_known_hides_those_after_it(statement: str, method: str, name: str) -> None:
    file = model(f"{CLASSES}\ndef f(x: {name}):\n    {statement.format(name)}\n")
    function = next(info for info in file.definitions.functions.values() if info.name == "f")
    entered = [step.function.name for step in file.functions.steps(function)]
    assert (method in entered) is (name == "Known")


@pytest.mark.parametrize(
    "source",
    [
        "class Mine:\n def __init__(self): pass\nclass C(Unknown, Mine, subprocess.Popen): pass\nC([])",
        "class Mine:\n def wait(self): pass\nclass C(Unknown, Mine, subprocess.Popen): pass\ndef f(c: C): c.wait()",
    ],
)
def test_what_the_file_replaces_does_not_count_as_the_library_s(source: str) -> None:
    file = model(CLASSES + source)
    call = [node for node in file.tree.nodes if isinstance(node, cst.Call)][-1]
    assert file.functions.blocking(call) is None
