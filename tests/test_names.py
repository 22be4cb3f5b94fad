"""Any spelling to a qualified name, and which bindings of a name can reach a use of it."""

from __future__ import annotations

import pytest

from flake8_concurrency.model.names import TOO_MANY
from tests.model_probe import kind, kinds, model, probes, qualified


def reaching(source: str) -> list[int] | None:
    """The lines of the bindings that the only probe of a source can see, without the first empty line."""
    file = model(source)
    (node,) = probes(file)
    found = file.names.reaching(node)  # type: ignore[arg-type]
    return None if found is None else sorted(file.line(binding.node) for binding in found)


SLEEP = [
    "import time\nprobe(time.sleep)",
    "import time as t\nprobe(t.sleep)",
    "from time import sleep\nprobe(sleep)",
    "from time import sleep as nap\nprobe(nap)",
    "import os, time, sys\nprobe(time.sleep)",
    "def f():\n import time\n probe(time.sleep)",
    "def f():\n from time import sleep as nap\n def g():\n  return lambda: probe(nap)",
    "class C:\n import time\n probe(time.sleep)",
    "class C:\n import time\n def f(self): probe(self.time.sleep)",
    "class C:\n from time import sleep as nap\nprobe(C.nap)",
    "import time\nt = time\nu = t\nprobe(u.sleep)",
    "import time\ns = time.sleep\ndef f(): probe(s)",
    "import time\ndef f(t=1):\n s = time.sleep\n return [probe(s) for _ in t]",
    "if X:\n import time\nelse:\n time = None\nprobe(time.sleep)",
    "try:\n import time\nexcept ImportError:\n time = None\nprobe(time.sleep)",
    "try:\n from time import sleep\nexcept ImportError:\n from mine import sleep\nprobe(sleep)",
    "import sys\nif sys.version_info > (3,): import time\nprobe(time.sleep)",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import time\nprobe(time.sleep)",
    "time = None\nimport time\nprobe(time.sleep)",
    "def f():\n global time\n import time\ndef g(): probe(time.sleep)",
    "def f():\n t = None\n def g():\n  nonlocal t\n  import time as t\n probe(t.sleep)",
    "import time\nclass C:\n time = 1\n def f(self): probe(time.sleep)",
    "import time\nclass C:\n time = probe(time.sleep)",
    "import time\nclass C:\n time = 1\n x = [probe(time.sleep) for _ in y]",
    "import time\n(lambda time: time)(1)\nprobe(time.sleep)",
    "import time\n[time for time in x]\nprobe(time.sleep)",
    "from time import *\nimport time\nprobe(time.sleep)",
    "import time\ndel x\nprobe(time.sleep)",
    "if (t := __import__): pass\nimport time as t\nprobe(t.sleep)",
]


@pytest.mark.parametrize("source", SLEEP)
def test_spellings_of_one_function(source: str) -> None:
    assert qualified(source) == "time.sleep"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import concurrent\nprobe(concurrent.futures.wait)", "concurrent.futures.wait"),
        ("import concurrent.futures\nprobe(concurrent.futures.wait)", "concurrent.futures.wait"),
        ("import concurrent.futures as cf\nprobe(cf.wait)", "concurrent.futures.wait"),
        ("from concurrent import futures as cf\nprobe(cf.wait)", "concurrent.futures.wait"),
        ("import concurrent.futures.thread\nprobe(concurrent.futures.wait)", "concurrent.futures.wait"),
        ("import os.path, concurrent.futures\nprobe(os.getcwd)", "os.getcwd"),
        ("from concurrent.futures import Future\nprobe(Future.result)", "concurrent.futures.Future.result"),
        ("from concurrent.futures._base import Future\nprobe(Future)", "concurrent.futures.Future"),
        ("import requests\ns = requests.Session()\nprobe(s.get)", "requests.Session.get"),
        ("import requests\nprobe(type(requests.Session()))", "requests.Session"),
        ("probe(open)", "builtins.open"),
        ("def f(): probe(sorted)", "builtins.sorted"),
        ("from nowhere import *\nprobe(open)", "builtins.open"),
        ("open = open\ndel open\nprobe(open)", "builtins.open"),
        ("probe(open)\nopen = 1", "builtins.open"),
        ("class C:\n probe(open)\n open = 1", "builtins.open"),
        ("class C:\n def open(self): pass\n def f(self): probe(open)", "builtins.open"),
        ("import a.b\nprobe(a.b.c.d)", "a.b.c.d"),
    ],
)
def test_qualified_names(source: str, name: str) -> None:
    assert qualified(source) == name


@pytest.mark.parametrize(
    ("source", "package", "name"),
    [
        ("from . import time\nprobe(time.sleep)", "", ".time.sleep"),
        ("from .time import sleep\nprobe(sleep)", "", ".time.sleep"),
        ("from ..x.time import sleep\nprobe(sleep)", "", "..x.time.sleep"),
        ("from . import time\nprobe(time.sleep)", "app.core", "app.core.time.sleep"),
        ("from .time import sleep\nprobe(sleep)", "app.core", "app.core.time.sleep"),
        ("from .. import time\nprobe(time)", "app.core", "app.time"),
        ("from ... import time\nprobe(time)", "app.core", "...time"),
        ("from time import sleep\nprobe(sleep)", "app.core", "time.sleep"),
    ],
)
def test_relative_imports(source: str, package: str, name: str) -> None:
    assert qualified(source, package) == name


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef f(time): probe(time.sleep)",
        "import time\ndef f(*time): probe(time.sleep)",
        "import time\ndef f(**time): probe(time.sleep)",
        "import time\ndef f(*, time): probe(time.sleep)",
        "import time\ndef f(time, /): probe(time.sleep)",
        "import time\nlambda time: probe(time.sleep)",
        "import time\ndef f[time](): probe(time.sleep)",
        "import time\nclass C[time]: probe(time.sleep)",
        "import time\ntime = x()\nprobe(time.sleep)",
        "import time\ntime: T = x()\nprobe(time.sleep)",
        "import time\ntime += x\nprobe(time.sleep)",
        "import time\nif x: time = y()\nprobe(time.sleep)",
        "import time\n[probe(time.sleep) for time in x]",
        "import time\n{1: probe(time.sleep) for _, (time, *_) in x}",
        "import time\n[probe(time.sleep) for a in b for time in x]",
        "import time\nfor time in x: probe(time.sleep)",
        "import time\nfor time in x: pass\nprobe(time.sleep)",
        "import time\nwith x as time: probe(time.sleep)",
        "import time\nwith x as (time, y): probe(time.sleep)",
        "import time\nwith x as time, probe(time.sleep): pass",
        "import time\ntry: pass\nexcept E as time: probe(time.sleep)",
        "import time\ntry: pass\nexcept* E as time: probe(time.sleep)",
        "import time\nif (time := x()): probe(time.sleep)",
        "import time\n[(time := y) for _ in x]\nprobe(time.sleep)",
        "import time\ndef time(): pass\nprobe(time.sleep)",
        "import time\nclass time: pass\nprobe(time.sleep)",
        "import time\ntype time = int\nprobe(time.sleep)",
        "import time\nmatch x:\n case {'a': time}: probe(time.sleep)",
        "import time\nmatch x:\n case [*time]: probe(time.sleep)",
        "import time\nmatch x:\n case {**time}: probe(time.sleep)",
        "import time\nmatch x:\n case time if probe(time.sleep): pass",
        "import time\ndel time\nprobe(time.sleep)",
        "import time\nclass C:\n time = 1\n probe(time.sleep)",
        "import time\ndef f():\n probe(time.sleep)\n time = 1",
        "import time\ndef f():\n global time\n time = x()\ndef g(): probe(time.sleep)",
        "def f():\n import time\n def g():\n  nonlocal time\n  time = x()\n probe(time.sleep)",
        "def f():\n import time\ndef g(): probe(time.sleep)",
        "class C:\n import time\n def f(self): probe(time.sleep)",
        "from time import *\nprobe(sleep)",
        "probe(undefined)",
        "def f(open): probe(open)",
        "if x: open = y\nprobe(open)",
        "if x:\n from io import open\nprobe(open)",
        "class C:\n if x: open = y\n probe(open)",
        "def f():\n global undefined\n probe(undefined)",
    ],
)
def test_what_is_not_known(source: str) -> None:
    assert qualified(source) is None


def test_builtin_names_before_and_after_they_are_bound() -> None:
    assert kinds("def f(): probe(open)\nopen = 1\n") == ["int"]
    assert kinds("probe(list)\nlist = 1\nprobe(list)\n") == ["symbol builtins.list", "int"]


REACHING = {
    "straight line": ("x = 1\nx = 2\nprobe(x)\nx = 3", [2]),
    "if": ("x = 1\nif c:\n x = 2\nprobe(x)", [1, 3]),
    "if and else": ("x = 1\nif c:\n x = 2\nelse:\n x = 3\nprobe(x)", [3, 5]),
    "elif without else": ("x = 1\nif c:\n x = 2\nelif d:\n x = 3\nprobe(x)", [1, 3, 5]),
    "elif and else": ("x = 1\nif c:\n x = 2\nelif d:\n x = 3\nelse: x = 4\nprobe(x)", [3, 5, 6]),
    "inside a branch": ("x = 1\nif c:\n x = 2\n probe(x)\nelse:\n x = 3", [3]),
    "the other branch": ("x = 1\nif c:\n x = 2\nelse:\n probe(x)", [1]),
    "early return": ("def f():\n x = 1\n if c:\n  x = 2\n  return\n probe(x)", [2]),
    "both branches leave": ("def f():\n x = 1\n if c:\n  x = 2\n  return\n else:\n  raise E\n probe(x)", [2]),
    "a branch that leaves only sometimes": (
        "def f():\n x = 1\n if c:\n  x = 2\n  if d: pass\n  else: return\n probe(x)",
        [2, 4],
    ),
    "raise in else": ("def f():\n x = 1\n if c:\n  x = 2\n else:\n  raise E\n probe(x)", [4]),
    "loop back edge": ("x = 1\nfor i in y:\n probe(x)\n x = 2", [1, 4]),
    "while back edge": ("x = 1\nwhile c:\n probe(x)\n x = 2", [1, 4]),
    "while test": ("x = 1\nwhile probe(x):\n x = 2", [1, 3]),
    "rebound first in the loop": ("x = 1\nfor i in y:\n x = 2\n probe(x)\n x = 3", [3]),
    "after a loop": ("x = 1\nfor i in y:\n x = 2\nprobe(x)", [1, 3]),
    "else of a loop": ("x = 1\nfor i in y:\n x = 2\nelse:\n probe(x)", [1, 3]),
    "continue": ("x = 1\nfor i in y:\n if c:\n  x = 2\n  continue\n probe(x)", [1, 4]),
    "loop variable": ("x = 1\nfor x in y:\n probe(x)\n x = 3", [2]),
    "loop variable in its iterable": ("x = 1\nfor x in probe(x): pass", [1]),
    "loop variable in else": ("for x in y: pass\nelse: probe(x)", [1]),
    "nested loops": ("for i in y:\n for j in z:\n  probe(x)\n x = 3", [4]),
    "try body in handler": ("x = 1\ntry:\n x = 2\n x = 3\nexcept E:\n probe(x)", [1, 3, 4]),
    "after try": ("x = 1\ntry:\n x = 2\nexcept E:\n pass\nprobe(x)", [1, 3]),
    "after try, partly run": ("x = 1\ntry:\n x = 2\n x = 3\nexcept E:\n pass\nprobe(x)", [1, 3, 4]),
    "after try, handler leaves": ("def f():\n x = 1\n try:\n  x = 2\n except E:\n  return\n probe(x)", [4]),
    "after try, handler binds": ("x = 1\ntry:\n x = 2\nexcept E:\n x = 3\nprobe(x)", [3, 5]),
    "after try, body leaves": ("def f():\n try:\n  x = 1\n  return x\n except E:\n  x = 2\n probe(x)", [6]),
    "try else": ("x = 1\ntry:\n x = 2\nexcept E:\n x = 3\nelse:\n probe(x)", [3]),
    "after try else": ("try:\n x = 1\nexcept E:\n x = 2\nelse:\n x = 3\nprobe(x)", [4, 6]),
    "try else without a binding": ("x = 0\ntry:\n x = 1\nexcept E:\n x = 2\nelse:\n y = 3\nprobe(x)", [3, 5]),
    "in finally": ("x = 1\ntry:\n x = 2\nexcept E:\n x = 3\nelse:\n x = 4\nfinally:\n probe(x)", [1, 3, 5, 7]),
    "after finally that binds": ("try:\n x = 1\nfinally:\n x = 2\nprobe(x)", [4]),
    "after finally that may bind": ("try:\n x = 1\nfinally:\n if c: x = 2\nprobe(x)", [2, 4]),
    "except star": ("x = 1\ntry:\n x = 2\nexcept* E:\n probe(x)", [1, 3]),
    "exception name": ("try: pass\nexcept E as x: probe(x)", [2]),
    "exception name in its own type": ("x = 1\ntry: pass\nexcept probe(x) as x: pass", [1]),
    "try in try": ("x = 1\ntry:\n try:\n  x = 2\n except E: x = 3\nexcept F:\n probe(x)", [1, 4, 5]),
    "with": ("x = 1\nwith y as x:\n probe(x)", [2]),
    "after with": ("x = 1\nwith y as x: pass\nprobe(x)", [2]),
    "body of with": ("x = 1\nwith y:\n x = 2\nprobe(x)", [3]),
    "branch in with": ("with y as x:\n if c: x = 2\nprobe(x)", [1, 2]),
    "suppress": ("import contextlib\nx = 1\nwith contextlib.suppress(E):\n x = 2\nprobe(x)", [2, 4]),
    "with, own item": ("x = 1\nwith probe(x) as x: pass", [1]),
    "with, later item": ("x = 1\nwith y as x, probe(x): pass", [2]),
    "match without default": ("x = 1\nmatch y:\n case 1: x = 2\nprobe(x)", [1, 3]),
    "match with default": ("x = 1\nmatch y:\n case 1: x = 2\n case _: x = 3\nprobe(x)", [3, 4]),
    "match with guarded default": ("x = 1\nmatch y:\n case _ if c: x = 2\nprobe(x)", [1, 3]),
    "match that leaves": ("def f():\n x = 1\n match y:\n  case 1: x = 2\n  case _: return\n probe(x)", [4]),
    "capture": ("x = 1\nmatch y:\n case [x]: probe(x)", [3]),
    "capture after": ("x = 1\nmatch y:\n case [x]: pass\n case _: x = 3\nprobe(x)", [3, 4]),
    "capture of one alternative": ("x = 0\nmatch y:\n case [1, x] | [x, 1]: probe(x)", [1, 3, 3]),
    "guard": ("x = 1\nmatch y:\n case 1 if (x := 2): probe(x)", [3]),
    "subject": ("x = 1\nmatch (x := y):\n case 1: probe(x)", [2]),
    "after the subject": ("x = 1\nmatch (x := y):\n case 1: pass\nprobe(x)", [2]),
    "walrus in test": ("x = 1\nif (x := f()):\n probe(x)", [2]),
    "walrus in test, else": ("x = 1\nif (x := f()): pass\nelse: probe(x)", [2]),
    "walrus in test, after": ("x = 1\nif (x := f()): pass\nprobe(x)", [2]),
    "walrus in elif, after": ("x = 1\nif c: pass\nelif (x := f()): pass\nprobe(x)", [1, 3]),
    "walrus in while": ("x = 1\nwhile (x := f()):\n probe(x)\n x = 2", [2]),
    "walrus in while, after": ("x = 1\nwhile (x := f()): pass\nprobe(x)", [1, 2]),
    "walrus in and": ("x = 1\nif c and (x := f()):\n probe(x)", [1, 2]),
    "walrus left of and": ("x = 1\n(x := f()) and probe(x)", [2]),
    "walrus in comparison": ("x = 1\nif (x := f()) is not None:\n probe(x)", [2]),
    "walrus in condition": ("x = 1\nprobe(x) if (x := f()) else None", [2]),
    "walrus in branch of condition": ("x = 1\ny((x := f()) if c else 0, probe(x))", [1, 2]),
    "walrus in argument": ("x = 1\ng(x := 2, probe(x))", [2]),
    "walrus in later argument": ("x = 1\ng(probe(x), x := 2)", [1]),
    "walrus in comprehension": ("x = 1\n[(x := i) for i in y]\nprobe(x)", [1, 2]),
    "walrus in lambda": ("lambda: ((x := 1), probe(x))", [1]),
    "assigned in its own value": ("x = 1\nx = probe(x)", [1]),
    "both targets": ("x = 1\nx = y = 2\nprobe(x)", [2]),
    "annotation only": ("x = 1\nx: int\nprobe(x)", [1]),
    "only annotation": ("x: int\nprobe(x)", [1]),
    "augmented": ("x = 1\nx += 1\nprobe(x)", [2]),
    "import twice": ("import x\nimport x.y\nprobe(x)", [2]),
    "def": ("x = 1\ndef x(): pass\nprobe(x)", [2]),
    "decorator": ("x = 1\n@probe(x)\ndef x(): pass", [1]),
    "deleted": ("def f():\n x = 1\n del x\n probe(x)", []),
    "deleted on one path": ("x = 1\nif c: del x\nprobe(x)", [1]),
    "param": ("def f(x): probe(x)", [1]),
    "param rebound": ("def f(x):\n x = 2\n probe(x)", [2]),
    "param or rebound": ("def f(x):\n if c: x = 2\n probe(x)", [1, 2]),
    "comprehension sees what is there": ("x = 1\n[probe(x) for i in y]\nx = 3", [1]),
    "comprehension in a function": ("def f(x):\n y = [probe(x) for i in z]\n x = 2", [1]),
    "comprehension variable bound twice": ("[probe(x) for x in y for x in x]", [1, 1]),
    "finally that leaves": (
        "def f():\n x = 1\n if c:\n  x = 2\n  try: pass\n  finally: return\n probe(x)",
        [2],
    ),
    "comprehension variable": ("[probe(x) for x in y for z in x]", [1]),
    "class body sees what is there": ("x = 1\nclass C: probe(x)\nx = 3", [1]),
    "class body falls through": ("x = 1\nclass C:\n probe(x)\n x = 4", [1]),
    "function sees the end of the module": ("x = 1\ndef f(): probe(x)\nx = 3", [3]),
    "closure sees what is there and later": ("def f():\n x = 1\n x = 2\n def g(): probe(x)\n x = 4", [3, 5]),
    "closure over a param": ("def f(x):\n x = 2\n def g(): probe(x)", [2]),
    "closure in a loop": ("def f():\n for i in y:\n  def g(): probe(x)\n  x = 4", [4]),
    "lambda": ("def f():\n x = 1\n g = lambda: probe(x)\n x = 3", [2, 4]),
    "global elsewhere": ("x = 1\ndef f():\n global x\n x = 4\nprobe(x)", [1, 4]),
    "nonlocal elsewhere": ("def f():\n x = 1\n def g():\n  nonlocal x\n  x = 5\n probe(x)", [2, 5]),
    "nonlocal of another function": (
        "def a():\n x = 1\n def g():\n  nonlocal x\n  x = 5\ndef b():\n x = 7\n x = 8\n probe(x)",
        [8],
    ),
    "nonlocal that binds nothing": ("def f():\n x = 1\n x = 2\n def g():\n  nonlocal x\n  x.y()\n probe(x)", [3]),
    "builtin": ("probe(open)", None),
}


@pytest.mark.parametrize(("source", "lines"), REACHING.values(), ids=REACHING)
def test_reaching_definitions(source: str, lines: list[int] | None) -> None:
    assert reaching(source) == lines


def test_a_name_with_very_many_bindings_is_not_followed() -> None:
    assert kind("import time\n" * TOO_MANY + "probe(time)\n") == "symbol time"
    assert kind("import time\n" * (TOO_MANY + 1) + "probe(time)\n") == "?"


def test_a_chain_of_a_thousand_branches() -> None:
    branches = "".join(f" elif c == {number}:\n  return\n" for number in range(1000))
    file = model(f"def f():\n x = 1\n if c:\n  x = 2\n{branches} probe(x)\n")
    (node,) = probes(file)
    assert len(file.names.reaching(node) or ()) == 2  # type: ignore[arg-type]
