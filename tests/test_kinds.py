"""What values are: everything the model follows, and what stays unknown."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_concurrency.model.facts import Kind
from tests.model_probe import kind, kinds, model, probes, shown

HEADER = """
import asyncio, collections, concurrent.futures, contextlib, copy, functools, itertools, queue, threading, typing
import requests
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Optional, TypedDict, Union
class Project: pass
POOL = ThreadPoolExecutor(1)
"""

#: Expressions, each with the kind of its value.
EXPRESSIONS = {
    "requests.Session()": "Session",
    "requests.get(x)": "Response",
    "requests.get(x).text": "str",
    "requests.Session().get(x)": "Response",
    "POOL.submit(requests.get, x)": "Future[Response]",
    "POOL.submit(requests.get, x).result()": "Response",
    "POOL.submit(lambda: requests.Session())": "Future[Session]",
    "POOL.submit(unknown)": "Future[?]",
    "POOL.map(requests.get, x)": "Iterator[?]",
    "'a'": "str",
    "f'{x}'": "str",
    "'a' 'b'": "str",
    "b'a'": "bytes",
    "b'a' b'b'": "bytes",
    "1": "int",
    "-1": "int",
    "1.5": "float",
    "not x": "bool",
    "x < y": "bool",
    "~x": "?",
    "-x": "?",
    "None": "none",
    "x": "?",
    "x.y": "?",
    "None.x": "?",
    "lambda: 1": "lambda[int]",
    "(lambda: requests.get(x))()": "Response",
    "'a' + x": "str",
    "1 * x": "int",
    "x + 1": "?",
    "[1] + [2]": "list[int]",
    "[1] + x": "?",
    "[x] * 3": "list[?]",
    "Path('a') / 'b'": "Path",
    "'a' / Path('b')": "Path",
    "Path('a').parent.parent": "Path",
    "x / y": "?",
    "1 if x else 2": "int",
    "1 if x else None": "int",
    "1 if x else y": "?",
    "1 if x else 'a'": "int | str",
    "x and 1": "int",
    "x or 1": "?",
    "None or 1": "int",
    "(y := 1)": "int",
    "[]": "list",
    "[1, 2]": "list[int]",
    "[1, x]": "list[?]",
    "[None, 1]": "list[int]",
    "[*[1], 2]": "list[int]",
    "{1, 2}": "set[int]",
    "(1, 'a')": "tuple[int, str]",
    "(1, *x)": "tuple",
    f"({'1, ' * 40})": "tuple[int]",
    "{}": "dict",
    "{'a': 1}": "dict[str, int]",
    "{'a': 1, **{'b': 'c'}}": "dict[?, int | str]",
    "{'a': 1, **x}": "dict[?, ?]",
    "{**x, **1}": "dict[?, ?]",
    "[i for i in [1]]": "list[int]",
    "{i for i in [1]}": "set[int]",
    "(i for i in [1])": "Iterator[int]",
    "{i: 'a' for i in [1]}": "dict[int, str]",
    "[1][0]": "int",
    "[1][x]": "int",
    "[1][1:]": "list[int]",
    "(1, 'a')[1]": "str",
    "(1, 'a')[x]": "int | str",
    "(1, 'a')[5]": "?",
    "(1, 'a')[1:]": "tuple[int | str]",
    "{'a': 1}['a']": "int",
    "{}['a']": "?",
    "x[0]": "?",
    "(1 if x else 'a')[0]": "?",
    "Future[int]": "type[Future[int]]",
    "Future[int]()": "Future[int]",
    "await asyncio.to_thread(requests.get, x)": "Response",
    "await asyncio.to_thread(Path('a').read_text)": "str",
    "await asyncio.get_running_loop().run_in_executor(None, requests.get, x)": "Response",
    "await asyncio.wait_for(asyncio.to_thread(requests.get), 1)": "Response",
    "await asyncio.shield(asyncio.create_task(asyncio.sleep(1, x)))": "?",
    "asyncio.create_task(asyncio.to_thread(requests.get, x))": "Task[Response]",
    "await asyncio.create_task(asyncio.to_thread(requests.get, x))": "Response",
    "asyncio.ensure_future(asyncio.to_thread(requests.get, x))": "Task[Response]",
    "asyncio.get_running_loop().create_task(asyncio.to_thread(requests.get))": "Task[Response]",
    "asyncio.create_task()": "Task[?]",
    "asyncio.to_thread()": "awaitable[?]",
    "await x": "?",
    "await (asyncio.to_thread(requests.get) if x else asyncio.to_thread(open('a').read))": "?",
    "await (asyncio.to_thread(requests.get) if x else asyncio.to_thread(Path('a').read_text))": "Response | str",
    "await asyncio.wait([asyncio.create_task(x)])": "tuple[set[Task[?]], set[Task[?]]]",
    "asyncio.wait()": "awaitable[tuple[set[?], set[?]]]",
    "concurrent.futures.wait([POOL.submit(x)])[1]": "set[Future[?]]",
    "concurrent.futures.wait()": "tuple[set[?], set[?]]",
    "concurrent.futures.as_completed([POOL.submit(x)])": "Iterator[Future[?]]",
    "concurrent.futures.as_completed()": "Iterator[?]",
    "next(iter([1]))": "int",
    "next(x)": "?",
    "next()": "?",
    "next(iter([1]), None)": "int",
    "next(iter([1]), 'a')": "int | str",
    "list({1})": "list[int]",
    "list()": "list",
    "sorted({'a': 1})": "list[str]",
    "tuple([1])": "tuple[int]",
    "set((1, 'a'))": "set[int | str]",
    "reversed([1])": "Iterator[int]",
    "collections.deque([1])": "deque[int]",
    "collections.deque()": "deque",
    "list(enumerate([1]))": "list[tuple[int, int]]",
    "enumerate()": "Iterator[tuple[int, ?]]",
    "zip([1], 'a')": "Iterator[tuple[int, str]]",
    "zip([1])": "Iterator",
    "filter(x, [1])": "Iterator[int]",
    "filter(x)": "?",
    "map(requests.get, x)": "Iterator[Response]",
    "map()": "?",
    "itertools.chain([1], [2])": "Iterator[int]",
    "itertools.chain(*x)": "Iterator",
    "dict()": "dict",
    "dict(a=1)": "dict[?, ?]",
    "dict({'a': 1})": "dict[str, int]",
    "dict({'a': 1}, b=2)": "dict[?, ?]",
    "dict(zip(['a'], [1]))": "dict[str, int]",
    "dict([1])": "dict[?, ?]",
    "dict(x)": "dict[?, ?]",
    "collections.defaultdict(list)": "defaultdict[?, list]",
    "collections.defaultdict()": "defaultdict",
    "copy.copy([1])": "list[int]",
    "copy.deepcopy()": "?",
    "typing.cast(Future, x)": "Future[?]",
    "typing.cast('Future[int]', x)": "Future[int]",
    "typing.cast(x, 1)": "int",
    "typing.cast(x)": "?",
    "functools.partial(requests.get, timeout=1)(x)": "Response",
    "functools.partial()": "?",
    "type(requests.Session())()": "Session",
    "type(x, (), {})": "?",
    "Project()": "instance Project",
    "Project": "type[instance Project]",
    "Project.x": "?",
    "Project().x": "?",
    "threading.Thread(target=x).join": "method threading.Thread.join",
    "requests.Session.get": "method requests.Session.get",
    "unknown()": "?",
    "(requests.get if x else requests.post)(y)": "Response",
    "(1)()": "?",
    "(yield)": "?",
}


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_expressions(expression: str, expected: str) -> None:
    assert kind(f"{HEADER}async def f(x, y):\n    probe({expression})\n") == expected


#: Annotations of a parameter, each with the kind of its value.
ANNOTATIONS = {
    "requests.Session": "Session",
    "'requests.Session'": "Session",
    "'requests.' 'Session'": "Session",
    "Optional[requests.Session]": "Session",
    "requests.Session | None": "Session",
    "'requests.Session | None'": "Session",
    "None | requests.Session": "Session",
    "Union[requests.Session, None]": "Session",
    "Union[requests.Session, Future]": "Future[?] | Session",
    "requests.Session | int": "Session | int",
    "Annotated[requests.Session, x]": "Session",
    "Final[requests.Session]": "Session",
    "list[requests.Session]": "list[Session]",
    "list['requests.Session']": "list[Session]",
    "typing.List['Future[int]']": "list[Future[int]]",
    "dict[str, Future[int]]": "dict[str, Future[int]]",
    "tuple[int, str]": "tuple[int, str]",
    "tuple[int, ...]": "tuple[int]",
    "type[requests.Session]": "type[Session]",
    "type": "type[?]",
    "typing.Type[Project]": "type[instance Project]",
    "collections.abc.Awaitable[int]": "awaitable[int]",
    "collections.abc.Coroutine[Any, Any, int]": "awaitable[int]",
    "Project": "instance Project",
    "'Later'": "instance Later",
    "Later": "instance Later",
    "list['Later']": "list[instance Later]",
    "Project[int]": "instance Project",
    "Alias": "Session",
    "MaybeAlias": "Session",
    "TypeStatement": "Future[int]",
    "queue.Queue": "Queue[?]",
    "queue.Queue[int]": "Queue[int]",
    "list": "list[?]",
    "None": "none",
    "Any": "?",
    "Any | requests.Session": "?",
    "object": "object",
    "unknown": "?",
    "unknown[int]": "?",
    "POOL.unknown": "?",
    "typing.Self": "?",
    "requests.Unknown": "?",
    "requests.get": "Response",
    "POOL": "?",
    "1": "?",
    "'not a type ('": "?",
    "b'x'": "?",
    f"'{'x' * 300}'": "?",
    "Union": "?",
    "Selfish": "?",
    "Recursive": "dict[str, ?]",
}


@pytest.mark.parametrize(("annotation", "expected"), ANNOTATIONS.items(), ids=ANNOTATIONS)
def test_annotations(annotation: str, expected: str) -> None:
    source = f"""{HEADER}
Alias = requests.Session
MaybeAlias: typing.TypeAlias = requests.Session | None
type TypeStatement = Future[int]
Selfish = "Selfish"
Recursive = dict[str, "Recursive"]
def f(x: {annotation}): probe(x)
class Later: pass
"""
    assert kind(source) == expected


def test_annotations_of_packed_parameters() -> None:
    source = f"{HEADER}def f(*a: Project, **b: Project):\n probe(a)\n probe(b)\n"
    assert kinds(source) == ["tuple[instance Project]", "dict[str, instance Project]"]


#: Bodies of a function `f(x, y)`, each with the kinds of its probes.
BODIES = {
    "with": ("with ThreadPoolExecutor() as e: probe(e)", "ThreadPoolExecutor"),
    "with a tuple": ("with nothing() as (a, b): probe(a)", "?"),
    "with closing": ("with contextlib.closing(requests.Session()) as s: probe(s)", "Session"),
    "with nullcontext": ("with contextlib.nullcontext(requests.Session()) as s: probe(s)", "Session"),
    "with nullcontext of nothing": ("with contextlib.nullcontext() as s: probe(s)", "none"),
    "with either": ("with (requests.Session() if x else requests.Session()) as s: probe(s)", "Session"),
    "with unknown": ("with x as s: probe(s)", "?"),
    "enter_context": ("e = contextlib.ExitStack(); probe(e.enter_context(requests.Session()))", "Session"),
    "for": ("for i in [1]: probe(i)", "int"),
    "for a union": ("for i in ([1] if x else {'a'}): probe(i)", "int | str"),
    "for items": ("for k, v in {'a': 1}.items():\n  probe(k); probe(v)", "str int"),
    "for values": ("for v in {'a': 1}.values(): probe(v)", "int"),
    "for keys": ("for k in {'a': 1}: probe(k)", "str"),
    "for enumerate": ("for n, v in enumerate(['a']):\n  probe(n); probe(v)", "int str"),
    "for unknown": ("for i in x: probe(i)", "?"),
    "for a number": ("for i in 1: probe(i)", "?"),
    "comprehension": ("[probe(i) for i in [1]]", "int"),
    "nested comprehension": ("[probe(j) for i in [[1]] for j in i]", "int"),
    "unpacking": ("a, (b, c) = 1, ('a', 1.5)\n probe(a); probe(b); probe(c)", "int str float"),
    "starred": ("a, *b, c = [1]\n probe(a); probe(b); probe(c)", "int list[int] int"),
    "starred tuple": ("a, *b, c = 1, 'a', 2\n probe(a); probe(b); probe(c)", "int list[?] ?"),
    "unpacking the unknown": ("a, b = x\n probe(a)", "?"),
    "unpacking too few": ("a, b, c = 1, 'a'\n probe(c)", "?"),
    "a library's record": (
        "import datetime\n y, w, d = datetime.date.today().isocalendar()\n probe(d)\n probe(y.x)",
        "int ?",
    ),
    "chained targets": ("a = b = 1\n probe(a); probe(b)", "int int"),
    "walrus": ("if (r := requests.get(x)): probe(r)", "Response"),
    "branches that agree": ("if x: a = 1\n else: a = 2\n probe(a)", "int"),
    "branches that don't": ("if x: a = 1\n else: a = 'a'\n probe(a)", "int | str"),
    "one branch unknown": ("if x: a = threading.Lock()\n else: a = unknown()\n probe(a)", "?"),
    "a lock or a project's": ("if x: a = threading.Lock()\n else: a = Project()\n probe(a)", "Lock | instance Project"),
    "None first": ("a = None\n if x: a = 1\n probe(a)", "int"),
    "augmented": ("a = 1\n a += x\n probe(a)", "int"),
    "augmented in a loop": ("a = 1\n for i in x: a += i\n probe(a)", "int"),
    "itself in a loop": ("p = Path('a')\n while x: p = p.parent\n probe(p)", "Path"),
    "itself only": ("while x: p = p\n probe(p)", "?"),
    "each other": ("a = 1\n b = 2\n for i in x:\n  a, b = b, a\n probe(a)", "int"),
    "declared": ("a: Project = unknown()\n probe(a)", "instance Project"),
    "declared, bound later": ("a: Project\n a = unknown()\n probe(a)", "instance Project"),
    "a parameter bound again": ("def g(p: Project):\n  p = unknown()\n  probe(p)", "?"),
    "declared, known better": ("a: list = [1]\n probe(a)", "list[int]"),
    "declared, bound to another": ("a: list = {1}\n probe(a)", "list[?]"),
    "except": ("try: pass\n except E as e: probe(e)", "?"),
    "append": ("a = []\n for i in y: a.append(1)\n probe(a)", "list[int]"),
    "append unknown": ("a = []\n a.append(1)\n a.append(x)\n probe(a)", "list[?]"),
    "append None": ("a = []\n a.append(1)\n a.append(None)\n probe(a)", "list[int]"),
    "insert": ("a = []\n a.insert(0, 'a')\n probe(a)", "list[str]"),
    "insert nothing": ("a = []\n a.insert(0)\n probe(a)", "list"),
    "add": ("a = set()\n a.add(1)\n probe(a)", "set[int]"),
    "extend": ("a = []\n a.extend([1])\n probe(a)", "list[int]"),
    "extend unknown": ("a = []\n a.extend(x)\n probe(a)", "list[?]"),
    "extend starred": ("a = []\n a.append(*x)\n probe(a)", "list"),
    "somebody else's": (
        "a = []\n unknown.append(1)\n x.a.append(1)\n f().append(1)\n x().a.append(1)\n probe(a)",
        "list",
    ),
    "join": ("a = []\n a += [1]\n probe(a)", "list[int]"),
    "set join": ("a = set()\n a |= {1}\n probe(a)", "set[int]"),
    "item": ("a = {}\n a['k'] = 1\n probe(a); probe(a['k'])", "dict[?, int] int"),
    "setdefault": ("a = {}\n a.setdefault('k', 1)\n probe(a)", "dict[?, int]"),
    "setdefault without a value": ("a = {}\n a.setdefault('k')\n probe(a)", "dict"),
    "update": ("a = {}\n a.update({'k': 1})\n probe(a)", "dict[?, int]"),
    "update unknown": ("a = {}\n a.update(x)\n probe(a)", "dict[?, ?]"),
    "update keywords": ("a = {}\n a.update(k=1)\n probe(a)", "dict"),
    "nested append": ("a = collections.defaultdict(list)\n a['k'].append(1)\n probe(a['k'])", "list[int]"),
    "nested setdefault": ("a = {}\n a.setdefault('k', []).append(1)\n probe(a['k'])", "list[int]"),
    "nested, mixed": ("a = collections.defaultdict(list)\n a['k'].append(1)\n a['k'] = x\n probe(a['k'])", "?"),
    "put": ("a = queue.Queue()\n a.put(1, timeout=5)\n probe(a.get())", "int"),
    "slots": ("a = [None] * 3\n a[0] = 1\n probe(a)", "list[int]"),
    "a known container": ("a = ['a']\n a.append(1)\n probe(a)", "list[str]"),
    "an unknown container": ("a = [x]\n a.append(1)\n probe(a)", "list[?]"),
    "another of that name": ("def g():\n  a = []\n  a.append('a')\n a = []\n a.append(1)\n probe(a)", "list[int]"),
    "filled by a closure": ("a = []\n def g(): a.append(1)\n probe(a)", "list[int]"),
    "filled from itself": ("a = []\n a.append(1)\n a.append(a.pop())\n probe(a)", "list[int]"),
    "filled only from itself": ("a = []\n a.append(a.pop())\n probe(a)", "list[?]"),
    "pop": ("a = [1]\n probe(a.pop())", "int"),
    "copy": ("a = [1]\n probe(a.copy())", "list[int]"),
    "get": ("a = {'a': 1}\n probe(a.get('a'))", "int"),
    "local class": ("class C:\n  z = 1\n probe(C().z)", "int"),
    "import in the body": ("import httpx\n probe(httpx.Client())", "Client"),
    "many steps": ("a0 = 1\n " + "\n ".join(f"a{n + 1} = a{n}" for n in range(20)) + "\n probe(a20)", "int"),
    "too many steps": ("a0 = 1\n " + "\n ".join(f"a{n + 1} = a{n}" for n in range(99)) + "\n probe(a99)", "?"),
    "match class": ("match x:\n  case Project() as p: probe(p)", "instance Project"),
    "match anything": ("match x:\n  case p: probe(p)", "?"),
    "match star": ("match x:\n  case [*p]: probe(p)", "?"),
    "done futures": (
        "d, n = concurrent.futures.wait([POOL.submit(x)])\n probe(d); probe(n)",
        "set[Future[?]] set[Future[?]]",
    ),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_what_statements_bind(body: str, expected: str) -> None:
    found = kinds(f"{HEADER}def f(x, y):\n {body}\n")
    assert " ".join(found) == expected


def test_futures_that_are_done_say_so() -> None:
    file = model(
        f"{HEADER}d, n = concurrent.futures.wait([POOL.submit(x)])\nfor f in d: probe(f)\nfor f in n: probe(f)\n"
    )
    done, pending = (file.kind(node) for node in probes(file))
    assert done == Kind("concurrent.futures.Future", (None,), "done")
    assert pending == Kind("concurrent.futures.Future", (None,))


CLASSES = f"""{HEADER}
class Base:
    shared = threading.Lock()
    def __init__(self):
        self.future = POOL.submit(work)
    def me(self): return self
    def other(self): return Base()
    @classmethod
    def make(cls): return cls()
    @classmethod
    def chained(cls) -> "typing.Self": return unknown()
    @classmethod
    def chained_too(cls) -> typing.Self: return unknown()
    def given(self, other: typing.Self): return other
    async def later(self): return self
    @property
    def itself(self): return self

class Owner(Base):
    declared: requests.Session
    counted: ClassVar[Optional[Future]] = None
    registry: dict[str, threading.Event] = {{}}
    bare: list = []
    nothing = None
    def __init__(self, given: Path, base: Base, unknown):
        super().__init__()
        self.given = given
        self.base = base
        self.unknown = unknown
        self.__hidden = None
        self.events = {{}}
        self.tasks: list = []
        self.optional = None
        self.first, self.second = 1, "a"
        self.mixed = threading.Lock()
        self.counter = 0
    def start(self):
        self.__hidden = requests.Session()
        self.events["k"] = threading.Event()
        self.tasks.append(POOL.submit(work))
        self.optional = threading.Thread(target=work)
        self.mixed = Project()
        self.counter += 1
        self.__class__.nothing = 1
        with requests.Session() as self.entered: pass
        for self.item in [1]: pass
    @classmethod
    def connect(cls):
        cls.connection = requests.Session()
    @property
    def prop(self): return self.given
    @functools.cached_property
    def cached(self) -> "Future[int]": return unknown()
    @prop.setter
    def prop(self, value): pass
    @unknown_decorator
    def wrapped(self): return 1
    @staticmethod
    def static(): return 1
    def hidden(self): return self.__hidden
    def nested(self):
        def inner(): return self.given
        return inner()
    def up(self): return super().me()
    def up_in_comprehension(self): return [super().other() for _ in x]
    @classmethod
    def up_class(cls): return super().make()
    def __enter__(self): return self
    async def __aenter__(self): return 1
    def __iter__(self): yield 1
    def __getitem__(self, key): return "a"
    def __call__(self): return 1.5
    def __truediv__(self, other): return Path("a")
    def __await__(self): yield; return 1

class Counter:
    def __iter__(self): return self
    def __next__(self): return 1
    def __aiter__(self): return self
    async def __anext__(self): return "a"
"""

#: Expressions of the classes above.
ATTRIBUTES = {
    "declared": "Session",
    "counted": "Future[?]",
    "registry": "dict[str, Event]",
    "registry['a']": "Event",
    "bare": "list",
    "nothing": "none",
    "shared": "Lock",
    "future": "Future[?]",
    "given": "Path",
    "given.parent": "Path",
    "base.future": "Future[?]",
    "base.me().future": "Future[?]",
    "unknown": "?",
    "hidden()": "Session",
    "events": "dict[?, Event]",
    "events.get('k')": "Event",
    "tasks": "list[Future[?]]",
    "optional": "Thread",
    "first": "int",
    "second": "str",
    "mixed": "Lock | instance Project",
    "counter": "int",
    "entered": "Session",
    "item": "int",
    "connection": "Session",
    "prop": "Path",
    "cached": "Future[int]",
    "wrapped()": "?",
    "static()": "int",
    "nested()": "Path",
    "me()": "instance Owner",
    "itself": "instance Owner",
    "other()": "instance Base",
    "make()": "instance Owner",
    "chained()": "instance Owner",
    "chained_too()": "instance Owner",
    "later()": "awaitable[instance Owner]",
    "up()": "instance Base",
    "up_in_comprehension()": "list[instance Base]",
    "up_class()": "instance Base",
    "missing": "?",
    "static": "function static[instance Owner]",
    "connect": "function connect[type[instance Owner]]",
    "me": "function me[instance Owner]",
}


@pytest.mark.parametrize(("name", "expected"), ATTRIBUTES.items(), ids=ATTRIBUTES)
def test_attributes_and_methods(name: str, expected: str) -> None:
    assert kind(f"{CLASSES}def f(owner: Owner): probe(owner.{name})\n") == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("probe(Owner.make())", "instance Owner"),
        ("probe(Base.make())", "instance Base"),
        ("probe(Owner.shared)", "Lock"),
        ("probe(Owner.connection)", "Session"),
        ("probe(Owner.me(Owner()))", "instance Base"),
        ("probe(Owner.missing)", "?"),
        ("probe(Owner.counted)", "Future[?]"),
        ("with Owner() as o: probe(o)", "instance Owner"),
        ("async def g():\n async with Owner() as o: probe(o)", "int"),
        ("for i in Owner(): probe(i)", "int"),
        ("for i in Counter(): probe(i)", "int"),
        ("async def g():\n async for i in Counter(): probe(i)", "str"),
        ("probe(Owner()[1])", "str"),
        ("probe(Owner()())", "float"),
        ("probe(Owner() / 1)", "Path"),
        ("async def g(): probe(await Owner())", "?"),
        ("o = Owner()\no.outside = 1\nprobe(o.outside)", "int"),
        ("o = Project()\no.outside = 1\nprobe(Owner().outside)", "?"),
        ("o = Owner()\no.first = 'a'\nprobe(Owner().first)", "int | str"),
        ("probe(super())", "?"),
        ("def g(self): probe(super())", "?"),
        ("class Root:\n def m(self): probe(super().m())", "?"),
        ("class Root(Unknown):\n def m(self): probe(super().m())", "?"),
    ],
)
def test_classes_of_the_file(statement: str, expected: str) -> None:
    assert kind(f"{CLASSES}{statement}\n") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class A(Base): pass\nprobe(A().future)", "Future[?]"),
        ("class A(Base):\n future = 1\nprobe(A().future)", "int"),
        ("class A(Unknown): pass\nprobe(A().future)", "?"),
        ("class A(Unknown, Base): pass\nprobe(A().future)", "?"),
        ("class A(Base, Unknown): pass\nprobe(A().future)", "Future[?]"),
        ("class A(Unknown, requests.Session): pass\nprobe(A().get)", "?"),
        ("class A(requests.Session, Unknown): pass\nprobe(A().get(x))", "Response"),
        ("class A(Unknown, requests.Session): pass\nprobe(A.get)", "?"),
        ("class A(requests.Session, Base): pass\nprobe(A().future)", "Future[?]"),
        ("class A(typing.Generic[T], Base): pass\nprobe(A().future)", "Future[?]"),
        ("class A(typing.Protocol, Base, metaclass=M): pass\nprobe(A().future)", "Future[?]"),
        ("class A(requests.Session):\n def get(self): return 1\nprobe(A().get())", "int"),
        ("class A(requests.Session): pass\nclass B(A): pass\nprobe(B().get(x))", "Response"),
        ("class A(Future[int]): pass\nprobe(A().result())", "int"),
        ("class L(Base): pass\nclass R(Base):\n future = 1\nclass A(L, R): pass\nprobe(A().future)", "int"),
        ("class A(POOL): pass\nprobe(A().future)", "?"),
        ("def make(): return A().x\nclass A(make()): pass\nprobe(A().future)", "?"),
        ("class A(A): pass\nprobe(A().future)", "?"),
        ("if x:\n class A(B): pass\nelse:\n class B(A): pass\nprobe(B().future)", "?"),
        ("class A(threading.Thread):\n def __init__(self): self.name = 1\nprobe(A().name)", "int"),
        ("class A(threading.Thread): pass\nprobe(A().name)", "str"),
    ],
)
def test_bases(source: str, expected: str) -> None:
    assert kind(f"{CLASSES}{source}\n") == expected


def test_is_a_follows_the_bases() -> None:
    file = model(
        f"{HEADER}class A(Unknown, threading.Thread): pass\n"
        "probe(A())\nprobe(Project())\nprobe(x)\nprobe(A() if x else 1)\n"
    )
    sub, project, unknown, either = probes(file)
    assert file.is_a(sub, "threading.Thread")
    assert file.is_a(sub, "requests.Session", "threading.Thread")
    assert not file.is_a(sub, "requests.Session")
    assert not file.is_a(project, "threading.Thread")
    assert not file.is_a(unknown, "threading.Thread")
    assert not file.is_a(either, "threading.Thread")


def test_qualified_names_of_values() -> None:
    file = model(
        f"{HEADER}probe(Project)\nprobe(Project())\nprobe(requests.Session)\nprobe(Future[int])\nprobe(type)\nprobe(type(x))\n"
    )
    names = [file.qualified(node) for node in probes(file)]
    assert names == [None, None, "requests.Session", "concurrent.futures.Future", "builtins.type", None]


RECORDS = f"""{HEADER}
class Point(NamedTuple):
    lock: threading.Lock
    size: int
    def method(self): return 1
class Keys(TypedDict, total=False):
    lock: threading.Lock
class More(Keys):
    future: "Future[int]"
def f(point: Point, keys: More):
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("probe(point.lock)", "Lock"),
        ("probe(point[1])", "int"),
        ("probe(point[2])", "?"),
        ("a, b = point; probe(b)", "int"),
        ("probe(keys['lock'])", "Lock"),
        ("probe(keys['future'])", "Future[int]"),
        ("probe(keys['nothing'])", "?"),
        ("probe(keys[b'lock'])", "?"),
        ("probe(keys[point])", "?"),
        ("probe(Project()['lock'])", "?"),
    ],
)
def test_records(statement: str, expected: str) -> None:
    assert kind(f"{RECORDS} {statement}\n") == expected


#: Functions called `made`, each with the kind of a call.
FUNCTIONS = {
    "def made(): return requests.Session()": "Session",
    "def made() -> requests.Session: return unknown()": "Session",
    "def made() -> 'requests.Session | None': return unknown()": "Session",
    "def made():\n if x: return None\n return requests.Session()": "Session",
    "def made():\n if x: return\n return requests.Session()": "Session",
    "def made():\n if x: return unknown()\n return requests.Session()": "?",
    "def made():\n if x: return made()\n return requests.Session()": "Session",
    "def made(): return made()": "?",
    "def made(): pass": "none",
    "def made():\n def inner(): return 1\n return inner()": "int",
    "def made():\n def inner(): return 1": "none",
    "async def made(): return 1": "awaitable[int]",
    "async def made() -> int: return x": "awaitable[int]",
    "def made(): yield 1": "Iterator[int]",
    "def made(): yield from [1]": "Iterator[int]",
    "def made():\n yield\n yield 1": "Iterator[?]",
    "async def made(): yield 1": "AsyncIterator[int]",
    "async def made() -> collections.abc.AsyncIterator[int]: yield 1": "AsyncIterator[int]",
    "@contextlib.contextmanager\ndef made(): yield 1": "AbstractContextManager[int]",
    "@contextlib.contextmanager\ndef made() -> collections.abc.Iterator[int]: yield x": "AbstractContextManager[int]",
    "@contextlib.contextmanager\ndef made() -> unknown: yield x": "AbstractContextManager[?]",
    "@contextlib.asynccontextmanager\nasync def made(): yield 1": "AbstractAsyncContextManager[int]",
    "@functools.lru_cache(maxsize=1)\ndef made(): return 1": "int",
    "@unknown\ndef made(): return 1": "?",
    "@unknown\ndef made() -> int: return 1": "int",
    "made = lambda: 1": "int",
    "made = functools.partial(requests.get)": "Response",
    "made = requests.get": "Response",
    "if x:\n def made(): return 1\nelse:\n def made(): return 'a'": "int | str",
    "def made(): return 1\ndef made(): return 'a'": "str",
}


@pytest.mark.parametrize(("source", "expected"), FUNCTIONS.items(), ids=FUNCTIONS)
def test_what_functions_of_the_file_give(source: str, expected: str) -> None:
    assert kind(f"{HEADER}{source}\nprobe(made())\n") == expected


def test_context_managers_of_the_file() -> None:
    source = f"""{HEADER}
@contextlib.contextmanager
def plain(): yield 1
@contextlib.asynccontextmanager
async def later(): yield 'a'
async def f():
    with plain() as a: probe(a)
    async with later() as b: probe(b)
    async with contextlib.AsyncExitStack() as stack: probe(await stack.enter_async_context(later()))
"""
    assert kinds(source) == ["int", "str", "str"]


#: Private functions and what their calls pass, each with the kind of the parameter.
PASSED = {
    "def _f(p): probe(p)\n_f(1)": "int",
    "def _f(p): probe(p)\n_f(1); _f('a')": "int | str",
    "def _f(p): probe(p)\n_f(p=1)": "int",
    "def _f(p=None): probe(p)\n_f(); _f(1)": "int",
    "def _f(p=2): probe(p)\n_f()": "int",
    "def _f(a, *, p): probe(p)\n_f('a', p=1)": "int",
    "def _f(p):\n if p: _f(p)\n probe(p)\n_f(1)": "int",
    "def _f(p): probe(p)\ndef g(q: int): _f(q)": "int",
    "def _f(p): probe(p)\ndef _g(q): _f(q)\n_g(1)": "int",
    "def g():\n def f(p): probe(p)\n f(1)": "int",
    "def g():\n async def f(p): probe(p)\n f(1)": "int",
    "class C:\n def _m(self, p): probe(p)\n def n(self): self._m(1)": "int",
    "class C:\n @staticmethod\n def _m(p): probe(p)\n def n(self): self._m(1)": "int",
    "class C:\n @classmethod\n def _m(cls, p): probe(p)\n def n(self): self._m(1)": "int",
    "class C:\n def _m(self, p): probe(p)\nclass D:\n def _m(self, p): pass\nC()._m(1); D()._m('a')": "int",
    "def _f(p): probe(p)\ndef g(_f): _f('a')\n_f(1)": "int",
    "def _f(p): probe(p)\ng(_f=2)\n_f(1)": "int",
    "def g():\n def f(p): probe(p)\n f(1)\n x.f('a')": "int",
    "def _f(p): probe(p)": "?",
    "def _f(p): probe(p)\n_f(unknown)": "?",
    "def _f(p): probe(p)\n_f(1); _f(unknown)": "?",
    "def _f(p): probe(p)\n_f(*x)": "?",
    "def _f(p): probe(p)\n_f(1, **x)": "?",
    "def _f(p): probe(p)\n_f()": "?",
    "def _f(p): probe(p)\n_f(1); g(_f)": "?",
    "def _f(p): probe(p)\n_f(1); x = _f": "?",
    "def _f(p): probe(p)\n_f(1); x._f('a')": "?",
    "def _f(*p): probe(p)\n_f(1)": "?",
    "@unknown\ndef _f(p): probe(p)\n_f(1)": "?",
    "def f(p): probe(p)\nf(1)": "?",
    "def __f__(p): probe(p)\n__f__(1)": "?",
    "if x:\n def _f(p): probe(p)\nelse:\n def _f(p): pass\n_f(1)": "?",
    "class C:\n def _m(self, p): probe(p)\n def n(self): x._m(1)": "?",
    "class C:\n def _m(self, p): probe(p)\n def n(self): self._m(1)\nclass D(C):\n def _m(self, p): pass": "?",
    "class C:\n def _m(self, p): pass\nclass D(C):\n def _m(self, p): probe(p)\nD()._m(1)": "?",
    "class C:\n def m(self, p): probe(p)\nC().m(1)": "?",
    "(lambda p: probe(p))(1)": "?",
}


@pytest.mark.parametrize(("source", "expected"), PASSED.items(), ids=PASSED)
def test_what_all_calls_pass(source: str, expected: str) -> None:
    assert kind(f"{HEADER}{source}\n") == expected


def test_globals_set_in_functions() -> None:
    start = "SESSION = None\ndef start():\n global SESSION\n SESSION = requests.Session()\n"
    assert kind(f"{HEADER}{start}def use(): probe(SESSION)\n") == "Session"
    assert (
        kind(f"{HEADER}FOUND = []\ndef add(): FOUND.append(POOL.submit(x))\ndef use(): probe(FOUND)\n")
        == "list[Future[?]]"
    )


def test_names_only_for_type_checkers() -> None:
    imports = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from requests import Session\n"
    assert kind(f"{imports}def f(s: 'Session'): probe(s)\n") == "Session"


def test_dataclass_fields() -> None:
    field = "lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)"
    source = f"{HEADER}import dataclasses\n@dataclasses.dataclass\nclass D:\n {field}\n"
    assert kind(f"{source}def f(d: D): probe(d.lock)\n") == "Lock"


def test_sqlalchemy() -> None:
    source = """
        from sqlalchemy import create_engine, select
        from sqlalchemy.orm import Session, scoped_session, sessionmaker
        class User: pass
        ENGINE = create_engine("x")
        Factory = sessionmaker(bind=ENGINE)
        Scoped = scoped_session(Factory)
        def f(session: Session, conditions):
            probe(Factory())
            probe(Scoped())
            with Factory() as inner: probe(inner)
            query = session.query(User)
            for condition in conditions: query = query.filter(condition)
            probe(query.first())
            probe(session.scalars(select(User)).all())
            probe(session.get(User, 1))
            probe(session.execute(select(User, User.id)))
    """
    user = "instance User"
    assert kinds(source) == ["Session"] * 3 + [user, f"list[{user}]", user, "Result[?]"]


def test_an_unknown_question_is_not_an_error() -> None:
    file = model("x")
    assert file.kind(None) is None
    assert file.kind(cst.Pass()) is None


def test_kinds_do_not_depend_on_the_order_of_questions() -> None:
    source = f"{CLASSES}" + "\n".join(f"def g{n}(x, y):\n {body}" for n, (body, _) in enumerate(BODIES.values()))
    forward, backward = model(source), model(source)
    ahead = [node for node in forward.tree.nodes if isinstance(node, cst.BaseExpression)]
    behind = [node for node in backward.tree.nodes if isinstance(node, cst.BaseExpression)]
    first = [shown(forward.kind(node)) for node in ahead]
    second = [shown(backward.kind(node)) for node in reversed(behind)][::-1]
    differing = [
        (forward.tree.module.code_for_node(node), a, b)
        for node, a, b in zip(ahead, first, second, strict=True)
        if a != b
    ]
    # Only the chain of a hundred steps, which is cut wherever one starts.
    assert {text[0] for text, _, _ in differing} <= {"a"}


def test_long_chains_are_followed_from_their_start() -> None:
    chain = "Path('a')" + ".parent" * 700
    assert kind(f"{HEADER}probe({chain})\n") == "Path"
    assert kind(f"{HEADER}probe({' + '.join(['1'] * 900)})\n") == "int"


def test_unknown_names_do_not_multiply() -> None:
    steps = "\n ".join(f"x{n + 1} = (x{n} or x{n}) or (x{n} if x{n} else x{n})" for n in range(60))
    file = model(f"def f(x0):\n {steps}\n probe(x60)\n")
    (node,) = probes(file)
    asked = 0
    original = file.kinds._evaluate

    def counted(inner: cst.CSTNode) -> Kind | None:
        nonlocal asked
        asked += 1
        return original(inner)

    file.kinds._evaluate = counted  # type: ignore[method-assign, assignment]
    assert file.kind(node) is None
    assert 0 < asked < 2000
