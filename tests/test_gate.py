"""What the gate lets through: nothing of a file without a finding, and of others all that the findings need."""

from __future__ import annotations

import ast
import sysconfig
import textwrap
from pathlib import Path

import pytest

from flake8_concurrency import catalogue, gate
from flake8_concurrency.engine import Located, lint, split_lines
from flake8_concurrency.gate import Slice, narrow, whole
from flake8_concurrency.options import ALL, Options

EVERY_RULE = Options(enable=frozenset({ALL}))
FIXTURES = Path(__file__).parent.parent / "fixtures"
STDLIB = Path(sysconfig.get_path("stdlib"))
#: Files of the standard library with threads, processes and event loops in them.
SAMPLE = """asyncio/base_events.py asyncio/base_subprocess.py asyncio/runners.py asyncio/tasks.py asyncio/threads.py
    asyncio/unix_events.py concurrent/futures/process.py concurrent/futures/thread.py logging/handlers.py
    multiprocessing/managers.py multiprocessing/pool.py multiprocessing/queues.py queue.py sched.py socketserver.py
    subprocess.py threading.py urllib/request.py webbrowser.py""".split()
PATHS = [*sorted(FIXTURES.rglob("*.py")), *(STDLIB / name for name in SAMPLE)]

SLEEPS = "async def f():\n    time.sleep(1)\n"


def slice_of(source: str) -> Slice | None:
    return narrow(catalogue.rules(), split_lines(source), ast.parse(source))


def kept(source: str) -> str:
    found = slice_of(textwrap.dedent(source))
    assert found is not None
    return found.text


def both(source: str) -> tuple[list[Located], list[Located]]:
    source = textwrap.dedent(source)
    tree = ast.parse(source)
    on = lint(source, tree=tree, filename="app/x.py", options=EVERY_RULE)
    off = lint(source, tree=tree, filename="app/x.py", options=EVERY_RULE, gate=False)
    return [found._replace(fix=None) for found in on], [found._replace(fix=None) for found in off]


def readable(path: Path) -> str:
    source = path.read_text("utf-8")
    try:
        ast.parse(source)
    except SyntaxError:
        pytest.skip("syntax of a newer Python")
    return source


def check_slice(source: str, found: Slice) -> None:
    """A slice compiles, its lines are the user's, and its statements begin where it says."""
    lines = split_lines(source)
    tree = ast.parse(found.text)
    given = split_lines(found.text)
    assert len(found.lines) == len(given) + 1
    own: list[int] = []
    for text, line in zip(given, found.lines, strict=False):
        if text.rstrip("\r\n") == lines[line - 1].rstrip("\r\n"):
            own.append(line)
        else:
            assert text.strip() == "pass"
    assert own == sorted(set(own))
    first = {statement.lineno for statement in tree.body}
    assert first == set(found.starts)
    classes = (statement for statement in tree.body if isinstance(statement, ast.ClassDef))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert found.methods == {
        one.lineno: [part.lineno for part in one.body if isinstance(part, functions)] for one in classes
    }


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_slices_compile_and_know_their_lines(path: Path) -> None:
    source = readable(path)
    found = slice_of(source)
    if found is not None:
        check_slice(source, found)
        assert set(found.rules) <= set(catalogue.rules())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_gate_hides_nothing(path: Path) -> None:
    on, off = both(readable(path))
    assert on == off


def test_a_part_of_the_sample_is_not_parsed() -> None:
    """Modules about threads, processes and loops: nowhere has the gate less to leave out."""
    sources = [readable(STDLIB / name) for name in SAMPLE]
    default = [rule for rule in catalogue.rules() if rule.enabled]
    slices = [narrow(default, split_lines(source), ast.parse(source)) for source in sources]
    parsed = sum(len(found.text) for found in slices if found is not None)
    assert 0 < parsed < sum(map(len, sources)) * 0.95


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# time.sleep in a comment: async def\n",
        "import time\nasync def f(): pass\n",
        "import time\ndef f():\n    time.sleep(1)\n",
        "import time\nasync def f():\n    'time.sleep(1)'\n",
        "class C:\n    '''Only a docstring.'''\n",
    ],
)
def test_where_no_rule_can_speak_nothing_is_parsed(source: str) -> None:
    assert slice_of(source) is None


def test_the_whole_text_is_a_slice_too() -> None:
    source = "import a; b\n\n@d\ndef f():\n    pass\n\n\nclass C: pass"
    found = whole(catalogue.rules(), split_lines(source), ast.parse(source))
    assert (found.text, found.rules, found.starts) == (source, catalogue.rules(), [1, 4, 8])
    check_slice(source, found)


def test_a_function_that_does_not_matter_is_dropped() -> None:
    text = kept(f"import time\n\ndef unrelated():\n    pass\n\n\n{SLEEPS}")
    assert "unrelated" not in text
    assert "time.sleep" in text
    assert "import time" in text


def test_a_class_left_without_a_body_still_compiles() -> None:
    source = (
        f"import time\nclass C:\n    def m(self):\n        pass\n\n\nasync def f(c: C):\n    time.sleep(C)\n{SLEEPS}"
    )
    found = slice_of(source)
    assert found is not None
    check_slice(source, found)


CLASSES = {
    "docstring only": "class C:\n    '''Text.'''\n",
    "one line": "class C: pass\n",
    "one line with a base": "class C(Base): x = 1; y = 2\n",
    "decorated": "@d\n@e(\n    1,\n)\nclass C:\n    def m(self): pass\n",
    "decorated methods": "class C:\n    @property\n    @d(\n        1,\n    )\n    def m(self): pass\n    x = 1\n",
    "only decorated methods": "class C:\n\n    @d\n    def m(self): pass\n\n    @d\n    def n(self): pass\n",
    "nested": "class C:\n    class D:\n        def m(self): pass\n    def n(self): pass\n",
    "methods in a condition": "class C:\n    if x:\n        def m(self): pass\n    else:\n        def m(self): pass\n",
    "tabs": "class C:\n\tdef m(self):\n\t\tpass\n\tdef n(self): pass\n",
    "semicolons": "class C:\n    x = 1; y = 2\n    def m(self): pass\n",
    "comments": "class C:\n    # a\n    def m(self): pass\n# b\n    # c\n    def n(self): pass\n    # d\n",
    "string over lines": "class C:\n    x = '''\n    def m(self): pass\n'''\n    def n(self): pass\n",
    "async methods": "class C:\n    async def m(self): pass\n    async def n(self): pass\n",
    "in a function": "def make():\n    class C:\n        def m(self): pass\n    return C\n",
    "in a condition": "if x:\n    class C:\n        def m(self): pass\nelse:\n    C = None\n",
    "crlf": "class C:\r\n    def m(self): pass\r\n\r\n    def n(self): pass\r\n",
}
USES = {
    "not used": f"\n{SLEEPS}",
    "used": "\nasync def f(c: C):\n    c.x\n    time.sleep(1)\n",
    "method used": "\nasync def f(c: C):\n    c.n()\n    time.sleep(1)\n",
    "on its line": "; time.sleep(1)\nasync def f(): time.sleep(1)",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("shape", CLASSES.values(), ids=CLASSES)
def test_classes_of_every_shape(shape: str, use: str) -> None:
    if use.startswith(";"):
        use = f"a = 1{use}\n"
    for source in (f"import time\n{shape}{use}", f"{shape}import time\n{use}", f"import time\n{use}\n{shape}"):
        found = slice_of(source)
        assert found is not None
        check_slice(source, found)
        on, off = both(source)
        assert on == off != []


#: What a finding needs stands elsewhere in the file.
ELSEWHERE = {
    "a name bound through global": """
        def start():
            global clock
            import time as clock
        async def use():
            clock.sleep(1)
    """,
    "a variable set through global": """
        from concurrent.futures import ThreadPoolExecutor
        future = None
        def start():
            global future
            future = ThreadPoolExecutor(1).submit(print)
        def use():
            return future.result()
    """,
    "a list filled in another function": """
        from concurrent.futures import ThreadPoolExecutor
        POOL = ThreadPoolExecutor(1)
        FOUND = []
        def add():
            FOUND.append(POOL.submit(print))
        def use():
            for future in FOUND:
                future.result()
    """,
    "an attribute set in another method": """
        import threading
        class C:
            def start(self):
                self.__thread = threading.Thread(target=print)
            def stop(self):
                self.__thread.join()
    """,
    "an attribute set outside the class": """
        import threading
        class C:
            pass
        def start():
            c = C()
            c.worker = threading.Thread(target=print)
            return c
        def stop(c: C):
            c.worker.join()
    """,
    "a parameter that all calls pass": """
        import threading
        def _stop(worker):
            worker.join()
        def run():
            _stop(threading.Thread(target=print))
    """,
    "a parameter that calls pass differently": """
        import threading
        class Other:
            def join(self): pass
        def _stop(worker):
            worker.join()
        def run():
            _stop(threading.Thread(target=print))
        def other():
            _stop(Other())
    """,
    "a private function that is handed over": """
        import threading
        def _stop(worker):
            worker.join()
        def run():
            _stop(threading.Thread(target=print))
        def other(register):
            register(_stop)
    """,
    "a value given back by a function": """
        from concurrent.futures import ThreadPoolExecutor
        def pool():
            return ThreadPoolExecutor(1)
        def start():
            return pool().submit(print)
        def use():
            start().result()
    """,
    "a property of a base": """
        from pathlib import Path
        import threading
        class Base:
            @property
            def worker(self):
                return threading.Thread(target=print)
        class C(Base):
            def stop(self):
                self.worker.join()
    """,
    "a class tested by isinstance": """
        from concurrent.futures import Future
        def use(value):
            if isinstance(value, Future):
                return value.result()
    """,
    "a class that is matched": """
        import threading
        from concurrent.futures import Future
        def use(value):
            match value:
                case Future():
                    return value.result()
                case threading.Thread() as worker:
                    worker.join()
    """,
    "a chain of renamed functions": """
        import time
        nap = time.sleep
        doze = nap
        async def use():
            doze(1)
    """,
    "a partial": """
        import functools, time
        nap = functools.partial(time.sleep, 1)
        async def use():
            nap()
    """,
    "a helper that sleeps": """
        import time
        def nap():
            time.sleep(1)
        def doze():
            nap()
        async def use():
            doze()
    """,
    "an alias of a type": """
        import threading
        Worker = threading.Thread
        def stop(worker: "Worker | None"):
            worker.join()
    """,
}


@pytest.mark.parametrize("source", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_a_finding_needs_stays(source: str) -> None:
    on, off = both(source)
    assert on == off


@pytest.mark.parametrize(
    "name",
    sorted(set(ELSEWHERE) - {"a parameter that calls pass differently", "a private function that is handed over"}),
)
def test_there_is_a_finding_to_hide(name: str) -> None:
    assert both(ELSEWHERE[name])[1]


def test_the_rules_that_can_speak_are_told_by_words_alone() -> None:
    rules = catalogue.rules()
    gates = {rule: rule.gate for rule in rules}
    assert gate.could_speak(gates, set()) == {}
    assert gate.could_speak(gates, {"sleep", "time", "async"}) != {}
    assert "CNC401" not in [rule.code for rule in gate.could_speak(gates, {"sleep", "time"})]


#: Locks that are taken twice, in two orders, or forgotten, by ways that no block of one function shows.
HELD = {
    "through two methods": """
        import threading
        class Store:
            def __init__(self):
                self.lock = threading.Lock()
            def put(self):
                with self.lock:
                    self.trim()
            def trim(self):
                self.drop()
            def drop(self):
                with self.lock:
                    pass
    """,
    "a lock that a function makes": """
        import threading
        def make():
            return threading.Lock()
        class Store:
            def __init__(self):
                self.guard = make()
            def put(self):
                with self.guard:
                    self.trim()
            def trim(self):
                with self.guard:
                    pass
    """,
    "acquired, and released later": """
        import threading
        LOCK = threading.Lock()
        def outer():
            LOCK.acquire()
            try:
                inner()
            finally:
                LOCK.release()
        def inner():
            with LOCK:
                pass
    """,
    "an exit stack": """
        import contextlib
        import threading
        LOCK = threading.Lock()
        def outer():
            with contextlib.ExitStack() as stack:
                stack.enter_context(LOCK)
                inner()
        def inner():
            with LOCK:
                pass
    """,
    "a decorator that has the function's own name": """
        import threading
        LOCK = threading.Lock()
        @app.command()
        def command():
            with LOCK:
                work()
        def work():
            with LOCK:
                pass
    """,
    "two orders": """
        from threading import Lock
        FIRST = Lock()
        SECOND = Lock()
        def here():
            with FIRST:
                with SECOND:
                    pass
        def there():
            with SECOND:
                takes_first()
        def takes_first():
            with FIRST:
                pass
    """,
    "an attribute without its lock": """
        import threading
        class Meter:
            def __init__(self):
                self.lock = threading.Lock()
                self.total = 0
            def add(self, n):
                with self.lock:
                    self.total += n
            def take(self):
                with self.lock:
                    return self.total
            def shown(self):
                with self.lock:
                    return str(self.total)
            def correct(self, n):
                self.total -= n
    """,
}


@pytest.mark.parametrize("name", sorted(HELD))
def test_locks_are_seen_in_a_part_as_in_the_whole(name: str) -> None:
    source = textwrap.dedent(HELD[name])
    on, off = (lint(source, filename="app/x.py", gate=gated) for gated in (True, False))
    assert on == off
    assert {"CNC603", "CNC604", "CNC605"} & {found.code for found in on}


MOUNTED = """
    from requests import Session, adapters

    class Uploader:
        @property
        def adapter(self):
            return adapters.HTTPAdapter(max_retries=5)
        def session(self):
            session = Session()
            session.mount("https://", self.adapter)
            return session
        def upload(self, session: Session, url, data):
            return session.post(url, data=data)
    """

GONE_OVER = """
    import threading

    class Sessions:
        def __init__(self):
            self.lock = threading.Lock()
            self.found = {}
        def add(self, key, one):
            with self.lock:
                self.found[key] = one
        def get(self, key):
            with self.lock:
                return self.found.get(key)
        def expired(self, limit):
            return [key for key, one in self.found.items() if one.age > limit]
    """


@pytest.mark.parametrize(("source", "code", "line"), [(MOUNTED, "CNC209", 13), (GONE_OVER, "CNC603", 15)])
def test_what_a_property_mounts_and_a_loop_goes_over_is_seen_in_a_part(source: str, code: str, line: int) -> None:
    source = textwrap.dedent(source)
    on, off = (lint(source, filename="app/x.py", gate=gated) for gated in (True, False))
    assert on == off
    assert (code, line) in {(found.code, found.line) for found in on}
