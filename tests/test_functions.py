"""What functions do: callees, what blocks by itself, and chains. See `model_probe` for how the model is asked."""

from __future__ import annotations

import textwrap

import libcst as cst
import pytest

from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.file import FileModel, Run
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.tree import Tree
from tests.model_probe import model, probes

EVERYTHING = ("sleep", "http", "subprocess", "database", "client", "primitive", "file")
LASTING = EVERYTHING[:-1]

HELPERS = """
    import asyncio, contextlib, functools, os, queue, subprocess, time, threading, zipfile
    from concurrent.futures import ThreadPoolExecutor, as_completed
    import requests

    def wait():
        time.sleep(1)

    def keep(f):
        return f

"""


def function(file: FileModel, name: str) -> FunctionInfo:
    (found,) = (info for info in file.definitions.functions.values() if info.name == name)
    return found


def leaves(body: str, name: str = "f") -> list[str]:
    """What blocks in the function `f` of a source that begins with HELPERS."""
    file = model(HELPERS + textwrap.indent(textwrap.dedent(body), "    "))
    return [str(leaf) for leaf in file.functions.leaves(function(file, name))]


def chains(body: str, name: str = "f") -> list[str]:
    """The chains from the function `f`."""
    file = model(HELPERS + textwrap.indent(textwrap.dedent(body), "    "))
    found = file.functions.chains(function(file, name), EVERYTHING, LASTING)
    return [" > ".join([*(step.function.qualified_name for step in one.steps), str(one.leaf)]) for one in found]


# -- what blocks by itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("time.sleep(1)", ["time.sleep"]),
        ("time.time()", []),
        ("unknown()()", []),
        ("functools.partial(time.sleep, 1)()", ["time.sleep"]),
        ("functools.partial(unknown)()", []),
        ("subprocess.Popen('ls')", ["subprocess.Popen"]),
        ("(time.sleep if x else subprocess.run)(x)", ["time.sleep"]),
        ("(time.sleep if x else time.time)(x)", []),
        ("queue.Queue().get()", ["queue.Queue.get"]),
        ("queue.Queue().get(block=False)", []),
        ("queue.Queue().get(block=x)", []),
        ("queue.Queue().get(**x)", []),
        ("queue.Queue().get(timeout=x)", ["queue.Queue.get"]),
        ("functools.partial(queue.Queue().get, block=False)()", []),
        ("queue.Queue().put(x)", []),
        ("queue.Queue(0).put(x)", []),
        ("queue.Queue(9).put(x)", ["queue.Queue.put"]),
        ("(queue.Queue(9) if x else asyncio.Queue()).get()", []),
        ("(queue.Queue() if x else queue.LifoQueue()).get()", ["queue.Queue.get"]),
        ("os.waitpid(1, 0)", ["os.waitpid"]),
        ("os.waitpid(1, os.WNOHANG)", []),
        ("os.waitpid(1, os.WUNTRACED | os.WNOHANG)", []),
        ("zipfile.ZipFile('x.zip')", ["zipfile.ZipFile"]),
        ("zipfile.ZipFile(x)", []),
        ("open('x')", ["builtins.open"]),
        ("open(os.devnull)", []),
        ("open(file='x')", ["builtins.open"]),
        ("list(ThreadPoolExecutor(2).map(wait, x))", ["concurrent.futures.Executor.map"]),
        ("ThreadPoolExecutor(2).map(wait, x)", []),
        ("list(*x)", []),
        ("list(time.time())", []),
        ("[y for y in enumerate(as_completed(x))]", ["concurrent.futures.as_completed"]),
        ("[y for y in zip(as_completed(x), os.walk('x'))]", ["concurrent.futures.as_completed", "os.walk"]),
        ("yield from open('x')", ["builtins.open"]),
        ("asyncio.to_thread(list, (time.sleep(y) for y in x))", []),
        ("keep(time.sleep(y) for y in x)", []),
        ("''.join(time.sleep(y) for y in x)", ["time.sleep"]),
        ("[time.sleep(y) for y in x]", ["time.sleep"]),
        ("lambda: time.sleep(1)", []),
    ],
)
def test_expressions_that_block(statement: str, expected: list[str]) -> None:
    assert leaves(f"def f(x):\n    {statement}") == expected


def test_an_argument_decides_whether_a_client_connects() -> None:
    calls = ["smtplib.SMTP()", "smtplib.SMTP('')", "smtplib.SMTP(None)", "smtplib.SMTP(x)"]
    body = "import smtplib\ndef f(x):\n    " + "\n    ".join(calls)
    assert leaves(body) == ["smtplib.SMTP"]


def test_the_console_is_no_file_but_may_ask_for_input() -> None:
    body = """
        import sys
        from sys import stderr
        def f():
            sys.stdout.write("x")
            stderr.write("x")
            sys.stdin.readline()
    """
    assert leaves(body) == ["sys.stdin.readline"]


def test_statements_that_block() -> None:
    body = """
        def f(items, pool: ThreadPoolExecutor):
            with pool:
                pool.submit(wait)
            results = pool.map(wait, items)
            for result in results:
                print(result)
            with threading.Lock():
                pass
    """
    assert leaves(body) == ["leaving a `with` of concurrent.futures.Executor", "concurrent.futures.Executor.map"]


@pytest.mark.parametrize(
    ("inside", "blocks"),
    [
        ("pool.submit(wait)", True),
        ("pool.map(wait, x)", True),
        ("list(pool.map(wait, x))", False),
        ("pool.submit(wait).result()", False),
        ("pool.shutdown(wait=False)", False),
        ("await loop.run_in_executor(pool, wait)", False),
        ("x.append(loop.run_in_executor(pool, wait))", True),
        ("pass", True),
    ],
)
def test_leaving_a_pool(inside: str, blocks: bool) -> None:
    found = leaves(f"async def f(x, loop):\n    with ThreadPoolExecutor(2) as pool:\n        {inside}")
    assert ("leaving a `with` of concurrent.futures.Executor" in found) is blocks


@pytest.mark.parametrize(
    ("before", "blocks"),
    [
        ("pass", True),
        ("p.kill()", False),
        ("p.terminate()", True),
        ("p.communicate()", True),
        ("if p.poll() is None: return", False),
        ("if p.returncode is None: return", False),
        ("if p.poll() is not None: return", True),
        ("if p.poll() == 0: return", True),
        ("if p: return", True),
    ],
)
def test_a_process_that_has_ended(before: str, blocks: bool) -> None:
    found = leaves(f"def f(p: subprocess.Popen):\n    {before}\n    p.wait()")
    assert bool(found) is blocks
    assert len(found) < 2


@pytest.mark.parametrize(
    ("before", "blocks"),
    [
        ("lock = threading.Lock()", False),
        ("if x: lock = threading.Lock()", True),
        ("lock = x if x else threading.Lock()", True),
        ("lock: threading.Lock = x", True),
    ],
)
def test_a_lock_that_nobody_else_has_yet(before: str, blocks: bool) -> None:
    assert bool(leaves(f"def f(x: threading.Lock):\n    {before}\n    lock.acquire()")) is blocks
    assert leaves("LOCK = threading.Lock()\ndef f():\n    LOCK.acquire()")


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ("if not t.is_alive(): t.join()", False),
        ("if t.is_alive(): t.join()", True),
        ("t.join()", True),
        ("[t][0].join()", True),
    ],
)
def test_a_thread_that_has_ended(body: str, blocks: bool) -> None:
    assert bool(leaves(f"def f(t: threading.Thread):\n    {body}")) is blocks


@pytest.mark.parametrize(
    ("made", "blocks"),
    [
        ("s = socket.socket()", True),
        ("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", False),
        ("s = socket.socket(); s.setblocking(False)", False),
        ("s = socket.socket(); s.settimeout(0)", False),
        ("s = socket.socket(); s.settimeout(5)", True),
    ],
)
def test_sockets_that_do_not_wait(made: str, blocks: bool) -> None:
    assert bool(leaves(f"import socket\ndef f():\n    {made}\n    s.connect(('x', 1))")) is blocks


def test_a_socket_in_an_attribute_is_looked_for_in_the_whole_file() -> None:
    body = """
        import socket
        class C:
            def __init__(self):
                self.s = socket.socket()
                self.s.setblocking(False)
            def f(self):
                self.s.recv(9)
    """
    assert leaves(body) == []


def test_own_classes_of_library_classes() -> None:
    body = """
        class Archive(zipfile.ZipFile):
            pass
        class Own(subprocess.Popen):
            def __init__(self):
                pass
            def wait(self):
                return None
        class Loud(subprocess.Popen):
            pass
        def f():
            Own().wait()
            Loud().wait()
    """
    assert leaves(body) == ["subprocess.Popen.wait", "subprocess.Popen"]


def test_own_pools() -> None:
    body = """
        class Quiet(ThreadPoolExecutor):
            def __exit__(self, *error): return None
        def f(x, either: ThreadPoolExecutor | Quiet):
            with Quiet():
                pass
            with either:
                pass
            with ThreadPoolExecutor(1) if x else ThreadPoolExecutor(2):
                pass
    """
    assert leaves(body) == ["leaving a `with` of concurrent.futures.Executor"]


def test_configured_calls() -> None:
    source = "import my\ndef f(c: my.Client):\n    my.fetch()\n    my.other()\n"
    tree = Tree(cst.parse_module(source))
    configured = {"my.fetch": Blocking("configured", "await my.afetch(...)")}
    file = FileModel(tree, Positions(tree, ()), run=Run(configured=configured))
    assert [leaf.name for leaf in file.functions.leaves(function(file, "f"))] == ["my.fetch"]


def test_a_configured_method() -> None:
    source = "import requests\ndef f(s: requests.Session):\n    s.mount('x', 1)\n"
    tree = Tree(cst.parse_module(source))
    file = FileModel(
        tree, Positions(tree, ()), run=Run(configured={"requests.Session.mount": Blocking("configured", "x")})
    )
    assert [leaf.name for leaf in file.functions.leaves(function(file, "f"))] == ["requests.Session.mount"]


def test_table_names() -> None:
    file = model("""
        import functools, requests, time
        class Api(requests.Session): pass
        probe(time.sleep); probe(Api().get); probe(functools.partial(time.sleep)); probe(functools.partial(x)); probe(x)
        probe(Api)
    """)
    assert [file.functions.table_names(node) for node in probes(file)] == [
        ["time.sleep"],
        ["requests.Session.get", "instance.get", "requests.Session.get"],
        ["time.sleep"],
        [],
        [],
        [],
    ]


# -- callees -----------------------------------------------------------------------------------------------------------


def test_what_a_call_enters() -> None:
    file = model("""
        import functools
        from dataclasses import dataclass
        class Base:
            def __init__(self): pass
            def m(self): pass
            def __call__(self): pass
            @classmethod
            def make(cls):
                probe(cls())
                probe(cls.make())
        class Derived(Base):
            def __init__(self): pass
            def m(self):
                probe(super().m())
        @dataclass
        class Data:
            def __post_init__(self): pass
        class Plain: pass
        def f(b: Base, d: Derived):
            probe(b.m()); probe(d.m()); probe(b()); probe(Base()); probe(Data()); probe(Plain()); probe(Plain()())
            probe(functools.partial(f, 1)()); probe(unknown()); probe(Base.m(b)); probe(print()); probe(type(x)())
    """)
    calls = [node for node in probes(file) if isinstance(node, cst.Call)]
    assert [str(file.callee(call)) for call in calls] == [
        "None",
        "<Base.make>",
        "<Base.m>",
        "None",
        "<Derived.m>",
        "<Base.__call__>",
        "<Base.__init__>",
        "<Data.__post_init__>",
        "None",
        "None",
        "<f>",
        "None",
        "None",
        "None",
        "None",
    ]


def test_where_a_node_runs() -> None:
    file = model("""
        probe(1)
        def f():
            class C:
                probe(2)
            [probe(3) for x in y]
            lambda: probe(4)
    """)
    assert [str(file.function_of(node)) for node in probes(file)] == ["None", "<f>", "<f>", "None"]


# -- chains ------------------------------------------------------------------------------------------------------------


def test_the_shortest_chain_and_the_worst_leaf() -> None:
    body = """
        def far(): near()
        def near():
            open("x")
            wait()
        def f():
            far()
            near()
    """
    assert chains(body) == ["far > near > wait > time.sleep", "near > wait > time.sleep"]


def test_recursion_ends() -> None:
    assert chains("def a(): b()\ndef b():\n    a()\n    wait()\ndef f():\n    a()") == ["a > b > wait > time.sleep"]
    assert chains("def a(): b()\ndef b(): a()\ndef f(): a()") == []


def test_generators_run_when_they_are_read() -> None:
    body = """
        def items():
            wait()
            yield 1
        def all_items():
            yield from items()
        class Odd(items()): pass
        def f():
            items()
            keep(items())
            for _ in items(): pass
            [x for x in items()]
            next(items())
            list(all_items())
    """
    assert chains(body) == ["items > wait > time.sleep"] * 3 + ["all_items > items > wait > time.sleep"]


def test_a_class_made_from_a_generator_is_nobody_s_reader() -> None:
    assert chains("def items():\n    wait()\n    yield 1\ndef f():\n    class Odd(items()): pass") == []


def test_context_managers_run_when_they_are_entered() -> None:
    body = """
        @contextlib.contextmanager
        def paused():
            wait()
            yield
        class Own:
            def __enter__(self): wait()
            def __exit__(self, *error): pass
            def __iter__(self): return self
            def __next__(self): wait()
        class Replaced(Own):
            def __exit__(self, *error): pass
        async def f(stack: contextlib.ExitStack, own: Own):
            paused()
            keep(paused())
            with paused(): pass
            stack.enter_context(paused())
            with own: pass
            for _ in Replaced(): pass
            async with own: pass
            async for _ in own: pass
    """
    assert chains(body) == [
        "paused > wait > time.sleep",
        "paused > wait > time.sleep",
        "Own.__enter__ > wait > time.sleep",
        "Own.__next__ > wait > time.sleep",
    ]


@pytest.mark.parametrize(
    ("decorator", "kept"),
    [
        ("functools.lru_cache(None)", True),
        ("unknown", False),
        ("asyncio.coroutine", False),
        ("calling", True),
        ("calling_with(1)", True),
        ("threaded", False),
        ("asynchronous", False),
        ("nested_asynchronous", False),
        ("registering", False),
        ("nothing", False),
    ],
)
def test_decorators(decorator: str, kept: bool) -> None:
    body = f"""
        def calling(function):
            VALUES = 1
            def wrapper(*args): return function(*args)
            return wrapper
        def calling_with(option):
            def decorator(function):
                def wrapper(*args): return function(*args)
                return wrapper
            return decorator
        def threaded(function):
            def wrapper(*args): return threading.Thread(target=function)
            return wrapper
        def asynchronous(function):
            async def wrapper(*args): return function(*args)
            return wrapper
        def nested_asynchronous(option):
            def decorator(function):
                async def wrapper(*args): return option and function(*args)
                function()
                return wrapper
            return decorator
        def registering(function): return function
        def nothing(): pass
        @{decorator}
        def decorated(): wait()
        def f(): decorated()
    """
    assert bool(chains(body)) is kept


def test_properties() -> None:
    body = """
        class C:
            @property
            def slow(self):
                wait()
            @property
            def made_once(self):
                if self._x is None:
                    self._x = wait()
                return self._x
            @property
            def replaced(self): wait()
            plain = 1
        class D(C):
            @property
            def replaced(self): return 1
        def f(c: C, other):
            c.slow
            c.made_once
            c.replaced
            c.plain
            other.slow
            c.slow = 1
            c.slow += 1
            del c.slow
    """
    assert chains(body) == ["C.slow > wait > time.sleep"]


def test_a_property_read_by_no_function() -> None:
    body = "class C:\n    @property\n    def p(self): wait()\nC().p\ndef f(): pass"
    assert chains(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "@functools.lru_cache\ndef load():\n    return open('x').read()",
        "def load():\n    global X\n    if X is None:\n        X = open('x').read()\n    return X",
        "def load():\n    global X\n    if X:\n        return X\n    X: str = open('x').read()\n    return X",
        "def load(k):\n    if k not in CACHE:\n        CACHE[k] = open('x').read()\n    return CACHE[k]",
        "def load(s):\n    if not s.x:\n        s.x = open('x').read()",
    ],
)
def test_a_file_that_is_read_once(body: str) -> None:
    assert chains(body + "\ndef f():\n    load(1)") == []


@pytest.mark.parametrize(
    "body",
    [
        "def load():\n    if x is None:\n        x = open('x').read()\n    return x",
        "def load():\n    x: int\n    if x > 1:\n        y = open('x').read()\n    return x",
        "@functools.lru_cache\ndef load():\n    wait()",
    ],
)
def test_what_is_not_read_once(body: str) -> None:
    assert chains(body + "\ndef f():\n    load()")


def test_async_functions_are_no_steps() -> None:
    assert chains("async def g(): wait()\nasync def f():\n    await g()") == []


# -- start-up ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "once"),
    [
        ("async def f(): pass", False),
        ("async def lifespan(app): pass", True),
        ("async def on_startup(): pass", True),
        ("async def _setup_things(): pass", True),
        ("@click.command()\nasync def run_it(): pass", True),
        ("async def g(): pass\nasyncio.run(g())", True),
        ("async def g(): pass\nasyncio.run(g)", True),
        ("async def g(): pass\nasyncio.run(unknown())", False),
    ],
)
def test_code_that_runs_once(definition: str, once: bool) -> None:
    file = model(f"import asyncio, click\n{definition}")
    (info,) = file.definitions.functions.values()
    assert file.functions.runs_once(info) is once
    assert file.functions.runs_once(info) is once


@pytest.mark.parametrize(
    ("source", "alone"),
    [
        ("async def main():\n    probe(1)", True),
        ("@app.on_event('startup')\nasync def f():\n    probe(1)", True),
        ("async def main():\n    while True: probe(1)", False),
        ("async def main():\n    asyncio.create_task(x)\n    probe(1)", False),
        ("async def f():\n    probe(1)", False),
        ("probe(1)", False),
    ],
)
def test_sleeping_while_nothing_else_runs(source: str, alone: bool) -> None:
    file = model(source)
    (node,) = probes(file)
    assert file.functions.holds_up_nobody(node) is alone
