"""Which locks are held where: each `probe(...)` says what is held at it."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_concurrency.model.file import FileModel
from tests.model_probe import model

HEAD = """
import threading, asyncio, contextlib, functools
LOCK = threading.Lock()
OTHER = threading.RLock()
"""


def held(source: str) -> list[str]:
    """What is held at each probe, in source order."""
    file = model(HEAD + source)
    return [shown(file, node) for node in calls_of(file, "probe")]


def calls_of(file: FileModel, name: str) -> list[cst.Call]:
    return [
        node
        for node in file.tree.nodes
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == name
    ]


def shown(file: FileModel, node: cst.CSTNode) -> str:
    return ", ".join(sorted(map(str, file.lock_regions.held_at(node))))


BODIES = {
    "with": ("with LOCK:\n    probe()\nprobe()", ["LOCK", ""]),
    "several items": ("with LOCK, OTHER:\n    probe()\nprobe()", ["LOCK, OTHER", ""]),
    "later item": ("with LOCK, probe():\n    pass", ["LOCK"]),
    "nested": ("with LOCK:\n    with OTHER:\n        probe()\n    probe()", ["LOCK, OTHER", "LOCK"]),
    "acquire and release": ("probe()\nLOCK.acquire()\nprobe()\nLOCK.release()\nprobe()", ["", "LOCK", ""]),
    "finally": ("LOCK.acquire()\ntry:\n    probe()\nfinally:\n    LOCK.release()\nprobe()", ["LOCK", ""]),
    "acquired inside try": ("try:\n    LOCK.acquire()\n    probe()\nfinally:\n    probe()", ["LOCK", ""]),
    "return in try": (
        "LOCK.acquire()\ntry:\n    if x:\n        return\n    probe()\nfinally:\n    LOCK.release()\nprobe()",
        ["LOCK", ""],
    ),
    "handler": ("LOCK.acquire()\ntry:\n    go()\nexcept E:\n    probe()\n    LOCK.release()\nprobe()", ["LOCK", ""]),
    "released on one way": ("LOCK.acquire()\nif x:\n    LOCK.release()\nprobe()", [""]),
    "released and left": ("LOCK.acquire()\nif x:\n    LOCK.release()\n    return\nprobe()", ["LOCK"]),
    "conditional": (
        "if LOCK.acquire(blocking=False):\n    probe()\n    LOCK.release()\nelse:\n    probe()\nprobe()",
        ["LOCK", "", ""],
    ),
    "conditional guard": ("if not LOCK.acquire(timeout=5):\n    return\nprobe()", ["LOCK"]),
    "conditional in a variable": ("got = LOCK.acquire(False)\nprobe()\nif got:\n    probe()", ["", "LOCK"]),
    "variable guard": ("got = LOCK.acquire(timeout=2)\nif not got:\n    return\nprobe()", ["LOCK"]),
    "walrus": ("if got := LOCK.acquire(blocking=False):\n    probe()\nprobe()", ["LOCK", ""]),
    "both": ("if ready and LOCK.acquire(False):\n    probe()\nprobe()", ["LOCK", ""]),
    "either": ("if done or not LOCK.acquire(False):\n    return\nprobe()", ["LOCK"]),
    "waits in a loop": ("while not LOCK.acquire(timeout=1):\n    probe()\nprobe()", ["", "LOCK"]),
    "released in a loop": ("LOCK.acquire()\nfor x in y:\n    probe()\n    LOCK.release()\nprobe()", ["", ""]),
    "taken in a loop": (
        "while True:\n    LOCK.acquire()\n    if x:\n        break\n    LOCK.release()\nprobe()",
        ["LOCK"],
    ),
    "continue": (
        "for x in y:\n    with LOCK:\n        if x:\n            continue\n        probe()\n    probe()",
        ["LOCK", ""],
    ),
    "for else": ("for x in y:\n    pass\nelse:\n    LOCK.acquire()\nprobe()", ["LOCK"]),
    "exit stack": (
        "with contextlib.ExitStack() as stack:\n    stack.enter_context(LOCK)\n    probe()\nprobe()",
        ["LOCK", ""],
    ),
    "match": (
        "match x:\n    case 1:\n        LOCK.acquire()\n    case _:\n        LOCK.acquire()\n        probe()",
        ["LOCK"],
    ),
    "alias": ("lock = LOCK\nwith lock:\n    probe()", ["LOCK"]),
    "nested function": ("with LOCK:\n    def later():\n        probe()\n    submit(later)", [""]),
    "nested function called": ("def now():\n    probe()\nwith LOCK:\n    now()", ["LOCK"]),
    "lambda": ("with LOCK:\n    submit(lambda: probe())", [""]),
    "lambda called at once": ("with LOCK:\n    cond.wait_for(lambda: probe())", ["LOCK"]),
    "comprehension": ("with LOCK:\n    return [probe() for x in y]", ["LOCK"]),
    "class in a function": ("with LOCK:\n    class A:\n        x = probe()", ["LOCK"]),
    "temporary release": ("with LOCK:\n    LOCK.release()\n    probe()\n    LOCK.acquire()\n    probe()", ["", "LOCK"]),
    "helper of a library": ("with cache.lock('x'):\n    probe()", ["cache.lock(...)"]),
    "timed helper of a lock": ("with LOCK.hold(timeout=5):\n    probe()", ["LOCK"]),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_a_function_holds(body: str, expected: list[str]) -> None:
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    assert held(f"def f(x, y, ready, done):\n{indented}\n") == expected


def test_a_lock_that_is_made_in_place_is_nobodys() -> None:
    assert held("def f():\n    with threading.Lock():\n        probe()") == [""]


def test_async_locks() -> None:
    body = "    async with LOCKED:\n        probe()\n    await LOCKED.acquire()\n    probe()"
    assert held(f"LOCKED = asyncio.Lock()\nasync def f():\n{body}") == ["LOCKED", "LOCKED"]


CLASS = """
class Store:
    shared = threading.Lock()

    def __init__(self, lock):
        self._lock = threading.RLock()
        self._cond = threading.Condition(self._lock)
        self._given_lock = lock
        self._late_lock = None
        self._locks = {}

    def _lock_for(self, key):
        return self._locks.setdefault(key, threading.Lock())

    def _late(self):
        if self._late_lock is None:
            self._late_lock = threading.Lock()
        return self._late_lock

    @property
    def guard(self):
        return self._lock

    def _take(self):
        self._lock.acquire()

    def _drop(self):
        self._lock.release()

    @contextlib.contextmanager
    def locked(self):
        with self._lock:
            yield self

    def __enter__(self):
        self._lock.acquire()
        return self

    def __exit__(self, *error):
        self._lock.release()
"""
METHODS = {
    "attribute": ("with self._lock: probe()", "self._lock"),
    "condition over a lock": ("with self._cond: probe()", "self._lock"),
    "given": ("with self._given_lock: probe()", "self._given_lock"),
    "late": ("with self._late_lock: probe()", "self._late_lock"),
    "helper that makes it late": ("with self._late(): probe()", "self._late_lock"),
    "of the class": ("with self.shared: probe()", "self.shared"),
    "of the class by name": ("with Store.shared: probe()", "self.shared"),
    "through the type": ("with type(self).shared: probe()", "self.shared"),
    "property": ("with self.guard: probe()", "self._lock"),
    "one for each key": ("with self._lock_for(key): probe()", "self._lock_for(key)"),
    "in a dict": ("with self._locks[key]: probe()", "self._locks[key]"),
    "helpers that take and drop": ("self._take()\n        probe()\n        self._drop()", "self._lock"),
    "dropped by a helper": ("self._take()\n        self._drop()\n        probe()", ""),
    "context manager": ("with self.locked(): probe()", "self._lock"),
    "the object itself": ("with self: probe()", "self._lock"),
    "another object": ("with other._lock: probe()", "other._lock"),
}


@pytest.mark.parametrize(("body", "expected"), METHODS.values(), ids=METHODS.keys())
def test_a_method_holds(body: str, expected: str) -> None:
    assert held(f"{CLASS}\n    def f(self, key, other: 'Store'):\n        {body}\n") == [expected]


def test_locks_of_a_class_and_its_bases() -> None:
    file = model(f"{HEAD}{CLASS}\nclass Sub(Store):\n    def __init__(self):\n        self._mine = threading.Lock()\n")
    base, sub = file.definitions.classes.values()
    regions = file.lock_regions
    assert set(regions.locks_of(base)) == {"shared", "_lock", "_cond", "_given_lock", "_late_lock", "_locks"}
    assert set(regions.locks_of(sub)) == {"_mine", *regions.locks_of(base)}
    assert regions.locks_of(sub)["_lock"] == regions.locks_of(base)["_lock"]


def test_what_a_lock_is() -> None:
    file = model(
        HEAD
        + """
class A:
    def __init__(self):
        self.plain = threading.Lock()
        self.again = threading.RLock()
        self.cond = threading.Condition()
        self.cond_plain = threading.Condition(threading.Lock())
        self.sem = threading.BoundedSemaphore(3)
        self.task = asyncio.Lock()
    def f(self):
        use(self.plain, self.again, self.cond, self.cond_plain, self.sem, self.task)
"""
    )
    (call,) = calls_of(file, "use")
    found = []
    for arg in call.args:
        lock = file.lock_regions.identity(arg.value)
        assert lock is not None
        kind = file.lock_regions.kind(lock)
        assert kind is not None
        found.append((kind.name, kind.family, kind.reentrant))
    assert found == [
        ("Lock", "threading", False),
        ("RLock", "threading", True),
        ("Condition", "threading", True),
        ("Condition", "threading", False),
        ("Semaphore", "threading", False),
        ("Lock", "asyncio", False),
    ]


CALLERS = {
    "all callers hold it": ("def a(self):\n        with self._lock: self._f()", "self._lock"),
    "one does not": ("def a(self):\n        with self._lock: self._f()\n    def b(self): self._f()", ""),
    "two steps": ("def a(self):\n        with self._lock: self._b()\n    def _b(self): self._f()", "self._lock"),
    "handed over": ("def a(self):\n        with self._lock: submit(self._f)", ""),
    "nobody calls it": ("", ""),
    "recursive": ("def _g(self): self._f()\n    def _f(self): self._g()", ""),
}


@pytest.mark.parametrize(("callers", "expected"), CALLERS.values(), ids=CALLERS.keys())
def test_private_methods_are_called_with_a_lock(callers: str, expected: str) -> None:
    source = (
        f"class A:\n    def __init__(self): self._lock = threading.Lock()\n    {callers}\n    def _f(self): probe()\n"
    )
    assert held(source) == [expected]


def test_a_public_method_is_called_by_anybody() -> None:
    methods = "    def a(self):\n        with self.lock: self.f()\n    def f(self): probe()"
    assert held(f"class A:\n    lock = threading.Lock()\n{methods}") == [""]


def test_a_method_of_another_object_sees_its_own_lock() -> None:
    source = """
class Pool:
    def __init__(self):
        self.lock = threading.Lock()
    def _put(self):
        probe()
class User:
    def __init__(self):
        self.pool = Pool()
        self.own = threading.Lock()
    def use(self):
        with self.own, self.pool.lock:
            probe()
            self.pool._put()
"""
    assert held(source) == ["^.own, self.lock", "pool.lock, self.own"]


def test_a_lock_that_is_given() -> None:
    assert held("def _f(lock):\n    probe()\ndef g():\n    with LOCK:\n        _f(LOCK)") == ["LOCK"]


DECORATORS = {
    "of the file": (
        (
            "def guarded(f):\n    @functools.wraps(f)\n    def inner(self, *a):\n        with self._lock:\n"
            "            return f(self, *a)\n    return inner\n"
        ),
        "@guarded",
        "self._lock",
    ),
    "with the lock": (
        (
            "def guarded(lock):\n    def outer(f):\n        def inner(*a):\n            with lock:\n"
            "                return f(*a)\n        return inner\n    return outer\n"
        ),
        "@guarded(LOCK)",
        "LOCK",
    ),
    "of the module": (
        (
            "def guarded(f):\n    def inner(*a):\n        LOCK.acquire()\n        try:\n            return f(*a)\n"
            "        finally:\n            LOCK.release()\n    return inner\n"
        ),
        "@guarded",
        "LOCK",
    ),
    "of a library": ("from lib import synchronized\n", "@synchronized(LOCK)", "LOCK"),
    "of a library, its own lock": ("from lib import synchronized\n", "@synchronized", "self.@synchronized"),
    "that takes none": ("def plain(f):\n    return f\n", "@plain", ""),
}


@pytest.mark.parametrize(("before", "decorator", "expected"), DECORATORS.values(), ids=DECORATORS.keys())
def test_decorators_take_locks(before: str, decorator: str, expected: str) -> None:
    methods = f"    def __init__(self): self._lock = threading.Lock()\n    {decorator}\n    def f(self): probe()\n"
    assert held(f"{before}class A:\n{methods}") == [expected]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("def _drop_locked(self):", True),
        ("def f(self):\n    '''Drop it. The caller must hold the lock.'''", True),
        ("def f(self):\n    '''Must be called with self._lock held.'''", True),
        ("def f(self):\n    '''Drop it.'''", False),
        ("def clock(self):", False),
    ],
)
def test_a_function_says_that_its_callers_hold_the_lock(header: str, expected: bool) -> None:
    file = model(f"{header}\n    pass")
    (function,) = file.definitions.functions.values()
    assert file.lock_regions.says_held(function) is expected
