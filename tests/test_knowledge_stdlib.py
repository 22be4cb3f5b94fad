"""The generated table of the standard library: what it says, that it is whole, and that it is up to date."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from flake8_concurrency.knowledge import stdlib
from flake8_concurrency.knowledge.schema import ClassFact

NAME = re.compile(r"[A-Za-z_][\w.]*")


def expressions() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every written type with the place it stands at and the type parameters it may name."""
    for name, fact in stdlib.CLASSES.items():
        for base in fact.bases:
            yield name, base, fact.params
        for member, text in fact.members.items():
            yield f"{name}.{member}", text, fact.params
    for table in (stdlib.FUNCTIONS, stdlib.CONSTANTS):
        for name, text in table.items():
            yield name, text, ()


def without_call(text: str) -> str:
    return text.removeprefix("async ").removeprefix("() -> ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("asyncio.as_completed", "() -> collections.abc.Iterator[asyncio.Future[?]]"),
        ("asyncio.create_subprocess_exec", "async () -> asyncio.subprocess.Process"),
        ("asyncio.create_task", "() -> asyncio.Task[?]"),
        ("asyncio.gather", "() -> asyncio.Future[?]"),
        ("asyncio.get_event_loop", "() -> asyncio.AbstractEventLoop"),
        ("asyncio.get_running_loop", "() -> asyncio.AbstractEventLoop"),
        ("asyncio.open_connection", "async () -> builtins.tuple[asyncio.StreamReader, asyncio.StreamWriter]"),
        ("asyncio.run_coroutine_threadsafe", "() -> concurrent.futures.Future[?]"),
        ("asyncio.timeout", "() -> asyncio.Timeout"),
        ("asyncio.to_thread", "async () -> ?"),
        ("asyncio.wait_for", "async () -> ?"),
        ("builtins.input", "() -> builtins.str"),
        ("builtins.next", "() -> ?"),
        ("builtins.open", "() -> typing.IO"),
        ("builtins.sorted", "() -> builtins.list[?]"),
        ("builtins.sum", "() -> ?"),
        ("concurrent.futures.as_completed", "() -> collections.abc.Iterator[concurrent.futures.Future[?]]"),
        ("concurrent.futures.wait", "() -> concurrent.futures._base.DoneAndNotDoneFutures[?]"),
        ("contextvars.copy_context", "() -> contextvars.Context"),
        ("gzip.open", "() -> typing.IO"),
        ("json.loads", "() -> ?"),
        ("logging.getLogger", "() -> logging.Logger"),
        ("multiprocessing.Barrier", "() -> multiprocessing.synchronize.Barrier"),
        ("multiprocessing.Condition", "() -> multiprocessing.synchronize.Condition"),
        ("multiprocessing.Event", "() -> multiprocessing.synchronize.Event"),
        ("multiprocessing.JoinableQueue", "() -> multiprocessing.queues.JoinableQueue[?]"),
        ("multiprocessing.Lock", "() -> multiprocessing.synchronize.Lock"),
        ("multiprocessing.Manager", "() -> multiprocessing.managers.SyncManager"),
        ("multiprocessing.Pool", "() -> multiprocessing.pool.Pool"),
        ("multiprocessing.Queue", "() -> multiprocessing.queues.Queue[?]"),
        ("multiprocessing.Semaphore", "() -> multiprocessing.synchronize.Semaphore"),
        ("multiprocessing.SimpleQueue", "() -> multiprocessing.queues.SimpleQueue[?]"),
        ("multiprocessing.Value", "() -> multiprocessing.sharedctypes.Synchronized[?]"),
        ("multiprocessing.dummy.Pool", "() -> multiprocessing.pool.ThreadPool"),
        ("multiprocessing.get_context", "() -> multiprocessing.context.BaseContext"),
        ("os.fdopen", "() -> typing.IO"),
        ("os.path.exists", "() -> builtins.bool"),
        ("random.random", "() -> builtins.float"),
        ("re.compile", "() -> re.Pattern[?]"),
        ("shelve.open", "() -> shelve.Shelf[?]"),
        ("socket.create_connection", "() -> socket.socket"),
        ("sqlite3.connect", "() -> sqlite3.Connection"),
        ("subprocess.check_output", "() -> builtins.str | builtins.bytes"),
        ("subprocess.run", "() -> subprocess.CompletedProcess[?]"),
        ("tarfile.open", "() -> tarfile.TarFile"),
        ("tempfile.NamedTemporaryFile", "() -> typing.IO"),
        ("tempfile.TemporaryFile", "() -> typing.IO"),
        ("threading.current_thread", "() -> threading.Thread"),
        ("time.sleep", "() -> None"),
        ("urllib.request.urlopen", "() -> http.client.HTTPResponse"),
        # Gone from the newest Python, still in use.
        ("ssl.wrap_socket", "() -> ssl.SSLSocket"),
    ],
)
def test_function(name: str, expected: str) -> None:
    assert stdlib.FUNCTIONS[name] == expected


@pytest.mark.parametrize(
    ("owner", "member", "expected"),
    [
        ("_collections_abc.dict_items", "__iter__", None),
        ("asyncio.AbstractEventLoop", "run_in_executor", "() -> asyncio.Future[?]"),
        ("asyncio.Lock", "acquire", "async () -> builtins.bool"),
        ("asyncio.Queue", "get", "async () -> T"),
        ("asyncio.Task", "result", None),
        ("asyncio.TaskGroup", "create_task", "() -> asyncio.Task[?]"),
        ("asyncio.TaskGroup", "__aenter__", "async () -> Self"),
        ("builtins.dict", "get", "() -> VT | None"),
        ("builtins.dict", "items", "() -> _collections_abc.dict_items[KT, VT]"),
        ("builtins.dict", "pop", "() -> VT"),
        ("builtins.list", "pop", "() -> T"),
        ("builtins.list", "__getitem__", "() -> T"),
        ("builtins.str", "split", "() -> builtins.list[builtins.str]"),
        ("concurrent.futures.Executor", "map", "() -> collections.abc.Iterator[?]"),
        ("concurrent.futures.Executor", "submit", "() -> concurrent.futures.Future[?]"),
        ("concurrent.futures.Executor", "__enter__", "() -> Self"),
        ("concurrent.futures.Future", "exception", "() -> builtins.BaseException | None"),
        ("concurrent.futures.Future", "result", "() -> T"),
        ("enum.Enum", "name", "builtins.str"),
        ("multiprocessing.context.BaseContext", "Lock", "() -> multiprocessing.synchronize.Lock"),
        ("multiprocessing.context.BaseContext", "Pool", "() -> multiprocessing.pool.Pool"),
        ("multiprocessing.context.BaseContext", "Process", "builtins.type[multiprocessing.Process]"),
        ("multiprocessing.context.BaseContext", "Queue", "() -> multiprocessing.queues.Queue[?]"),
        (
            "multiprocessing.context.SpawnContext",
            "Process",
            "builtins.type[multiprocessing.context.SpawnProcess]",
        ),
        ("multiprocessing.managers.SyncManager", "Event", "() -> threading.Event"),
        ("multiprocessing.managers.SyncManager", "Lock", "() -> threading.Lock"),
        ("multiprocessing.managers.SyncManager", "Queue", "() -> queue.Queue[?]"),
        ("multiprocessing.pool.Pool", "apply_async", "() -> multiprocessing.pool.AsyncResult[?]"),
        ("multiprocessing.pool.AsyncResult", "get", "() -> T"),
        ("pathlib.Path", "cwd", "() -> Self"),
        ("pathlib.Path", "open", "() -> typing.IO"),
        ("pathlib.PurePath", "__truediv__", "() -> Self"),
        ("pathlib.PurePath", "parent", "Self"),
        ("queue.Queue", "get", "() -> T"),
        ("queue.Queue", "mutex", "threading.Lock"),
        ("socket.socket", "accept", "() -> builtins.tuple[socket.socket, ?]"),
        ("sqlite3.Connection", "cursor", "() -> sqlite3.Cursor"),
        ("sqlite3.Connection", "execute", "() -> sqlite3.Cursor"),
        ("sqlite3.Cursor", "execute", "() -> Self"),
        ("sqlite3.Cursor", "fetchone", "() -> ?"),
        ("subprocess.Popen", "communicate", "() -> builtins.tuple[AnyStr, AnyStr]"),
        ("subprocess.Popen", "stdout", "typing.IO[AnyStr] | None"),
        ("subprocess.Popen", "wait", "() -> builtins.int"),
        ("tempfile.TemporaryDirectory", "__enter__", "() -> AnyStr"),
        ("threading.Condition", "wait_for", "() -> ?"),
        ("threading.Lock", "__enter__", "() -> builtins.bool"),
        ("threading.Lock", "acquire", "() -> builtins.bool"),
        ("threading.Lock", "locked", "() -> builtins.bool"),
        ("threading.RLock", "release", "() -> None"),
        ("threading.Thread", "join", "() -> None"),
        ("typing.IO", "read", "() -> AnyStr"),
        ("zipfile.ZipFile", "open", "() -> typing.IO[builtins.bytes]"),
    ],
)
def test_member(owner: str, member: str, expected: str | None) -> None:
    """What is None is left to a base."""
    assert stdlib.CLASSES[owner].members.get(member) == expected


@pytest.mark.parametrize(
    ("name", "bases", "params"),
    [
        ("_collections_abc.dict_items", ("collections.abc.ItemsView[KT, VT]",), ("KT", "VT")),
        ("asyncio.Task", ("asyncio.Future[T]",), ("T",)),
        ("builtins.dict", ("collections.abc.MutableMapping[KT, VT]",), ("KT", "VT")),
        ("builtins.list", ("collections.abc.MutableSequence[T]",), ("T",)),
        ("collections.abc.Generator", ("collections.abc.Iterator[YieldT]",), ("YieldT", "SendT", "ReturnT")),
        ("concurrent.futures.ThreadPoolExecutor", ("concurrent.futures.Executor",), ()),
        (
            "concurrent.futures._base.DoneAndNotDoneFutures",
            ("builtins.tuple[builtins.set[concurrent.futures.Future[T]], builtins.set[concurrent.futures.Future[T]]]",),
            ("T",),
        ),
        ("multiprocessing.Process", ("multiprocessing.process.BaseProcess",), ()),
        ("multiprocessing.pool.ThreadPool", ("multiprocessing.pool.Pool",), ()),
        ("queue.PriorityQueue", ("queue.Queue[SupportsRichComparisonT]",), ("SupportsRichComparisonT",)),
        ("typing.TextIO", ("typing.IO[builtins.str]",), ()),
    ],
)
def test_class(name: str, bases: tuple[str, ...], params: tuple[str, ...]) -> None:
    assert stdlib.CLASSES[name][:2] == (bases, params)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("os.environ", "os._Environ[builtins.str]"),
        ("sys.stderr", "typing.TextIO"),
        ("sys.stdin", "typing.TextIO"),
        ("logging.root", "logging.RootLogger"),
    ],
)
def test_constant(name: str, expected: str) -> None:
    assert stdlib.CONSTANTS[name] == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_queue.SimpleQueue", "queue.SimpleQueue"),
        ("_thread.lock", "threading.Lock"),
        ("asyncio.TimeoutError", "builtins.TimeoutError"),
        ("asyncio.locks.Lock", "asyncio.Lock"),
        ("asyncio.tasks.wait_for", "asyncio.wait_for"),
        ("builtins.IOError", "builtins.OSError"),
        ("concurrent.futures.TimeoutError", "builtins.TimeoutError"),
        ("concurrent.futures._base.Future", "concurrent.futures.Future"),
        ("concurrent.futures.thread.ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor"),
        ("io.open", "builtins.open"),
        ("multiprocessing.context.Process", "multiprocessing.Process"),
        ("multiprocessing.dummy.Queue", "queue.Queue"),
        ("multiprocessing.pool.ApplyResult", "multiprocessing.pool.AsyncResult"),
        ("posixpath.exists", "os.path.exists"),
        ("socket.timeout", "builtins.TimeoutError"),
        ("typing.ContextManager", "contextlib.AbstractContextManager"),
        ("typing.Iterator", "collections.abc.Iterator"),
        ("typing.List", "builtins.list"),
        ("typing.Match", "re.Match"),
    ],
)
def test_alias(name: str, expected: str) -> None:
    assert stdlib.ALIASES[name] == expected


def test_every_name_in_a_type_is_a_class_of_the_table() -> None:
    unknown = {
        (place, name)
        for place, text, params in expressions()
        for name in NAME.findall(without_call(text))
        if name not in stdlib.CLASSES and name not in params and name not in ("None", "Self")
    }
    assert unknown == set()


def test_types_are_well_formed() -> None:
    """As Python reads them, once the question marks are names."""
    for place, text, _ in expressions():
        readable = without_call(text).replace("?", "unknown")
        compile(readable, place, "eval")


def test_the_four_tables_do_not_overlap() -> None:
    names = [*stdlib.CLASSES, *stdlib.FUNCTIONS, *stdlib.CONSTANTS, *stdlib.ALIASES]
    assert len(names) == len(set(names))


def test_aliases_lead_to_a_name_of_the_table() -> None:
    known = {*stdlib.CLASSES, *stdlib.FUNCTIONS}
    assert {name for name, public in stdlib.ALIASES.items() if public not in known} == set()


def test_classes_have_no_circle_among_their_bases() -> None:
    def above(name: str, seen: tuple[str, ...] = ()) -> None:
        assert name not in seen
        for base in stdlib.CLASSES.get(name, ClassFact()).bases:
            above(base.partition("[")[0], (*seen, name))

    for name in stdlib.CLASSES:
        above(name)


def running(dotted: str) -> object:
    """The object of that name in this Python, or None."""
    parts = dotted.split(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for length in range(len(parts) - 1, 0, -1):
            try:
                found: object = importlib.import_module(".".join(parts[:length]))
            except ImportError:
                continue
            for part in parts[length:]:
                found = getattr(found, part, None)
            return found
    return None


#: Where the stub simplifies: the objects differ, what they give does not.
STUB_DIFFERS = {"logging.fatal", "multiprocessing.spawn.freeze_support", "shutil.ExecError"}


def test_an_alias_is_the_same_object_as_its_public_name() -> None:
    """`typing.List` is an object of its own, locks have a factory in older Pythons, and asyncio has what `_asyncio` has
    only if it was imported first."""
    different = {
        name
        for name, public in stdlib.ALIASES.items()
        if not name.startswith(("typing.", "_asyncio."))
        and not public.startswith(("threading.Lock", "threading.RLock"))
        if (one := running(name)) is not None and (other := running(public)) is not None and one != other
    }
    assert different <= STUB_DIFFERS


def test_the_table_is_up_to_date() -> None:
    pytest.importorskip("typeshed_client", reason="the generator needs typeshed_client, of the dev extra")
    docstring = stdlib.__doc__ or ""
    written_with = re.search(r"typeshed_client (\S+),", docstring)
    assert written_with is not None
    installed = importlib.metadata.version("typeshed_client")
    if installed != written_with[1]:
        pytest.skip(f"the table was written with typeshed_client {written_with[1]}, installed is {installed}")
    generator = importlib.import_module("generate_stdlib")
    assert Path(stdlib.__file__).read_text(encoding="utf-8") == generator.generate()
