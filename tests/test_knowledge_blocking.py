"""The table of blocking calls: every entry names something that exists, waits, and has a form for async code."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator

import pytest

from flake8_concurrency.knowledge import libraries, stdlib
from flake8_concurrency.knowledge.blocking import (
    BLOCKING,
    BLOCKS_ONLY_WITH,
    LAZY,
    NON_BLOCKING_ARGUMENTS,
    NOT_BLOCKING,
    ONLY_WHEN_BOUNDED,
    PATH_ARGUMENT,
    blocking_method,
)
from flake8_concurrency.knowledge.offloading import OFFLOADING, OFFLOADING_DECORATORS
from tests.installed_libraries import NOT_IN_THE_SOURCE, imported, parameters, resolve

CATEGORIES = set("sleep http subprocess popen file stat database client primitive input cpu loop".split())
CLASSES = {**stdlib.CLASSES, **libraries.CLASSES}

#: Forwarded, made by a metaclass, or of an older version than the one installed.
MADE_AT_RUN_TIME = re.compile(
    r"""
    mysql\.connector\.(pooling\.PooledMySQLConnection\.\w+|abstracts\.MySQLCursorAbstract\.__iter__)
    | django\.db\.backends\.utils\.CursorWrapper\.fetch\w+ | django\.utils\.\w+
    | botocore\.client\.BaseClient\.generate_presigned_\w+
    | openai\.(ChatCompletion|Completion|Embedding|Image|Moderation)\.create
    | openai\._resource\.SyncAPIResource\.unwrap
    """,
    re.VERBOSE,
)

#: What flake8-async 26.8, ruff, sonar-python and blockbuster 1.5 report, by their own names.
PEERS = """
    time.sleep builtins.input builtins.open io.open_code codecs.open
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.getoutput
    subprocess.getstatusoutput subprocess.Popen subprocess.Popen.wait subprocess.Popen.communicate
    os.system os.popen os.posix_spawn os.posix_spawnp os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve
    os.spawnvp os.spawnvpe os.wait os.wait3 os.wait4 os.waitid os.waitpid
    os.open os.fdopen os.read os.write os.sendfile os.rename os.replace os.remove os.unlink os.mkdir os.rmdir os.link
    os.symlink os.listdir os.scandir os.readlink os.access os.stat os.statvfs
    os.path.islink os.path.lexists os.path.ismount os.path.realpath os.path.exists os.path.isdir os.path.isfile
    os.path.getatime os.path.getctime os.path.getmtime os.path.getsize os.path.samefile os.path.sameopenfile
    pathlib.Path.chmod pathlib.Path.exists pathlib.Path.glob pathlib.Path.group pathlib.Path.hardlink_to
    pathlib.Path.is_block_device pathlib.Path.is_char_device pathlib.Path.is_dir pathlib.Path.is_fifo
    pathlib.Path.is_file pathlib.Path.is_junction pathlib.Path.is_mount pathlib.Path.is_socket pathlib.Path.is_symlink
    pathlib.Path.iterdir pathlib.Path.lchmod pathlib.Path.lstat pathlib.Path.mkdir pathlib.Path.open pathlib.Path.owner
    pathlib.Path.read_bytes pathlib.Path.read_text pathlib.Path.readlink pathlib.Path.rename pathlib.Path.replace
    pathlib.Path.resolve pathlib.Path.rglob pathlib.Path.rmdir pathlib.Path.samefile pathlib.Path.stat
    pathlib.Path.symlink_to pathlib.Path.touch pathlib.Path.unlink pathlib.Path.walk pathlib.Path.write_bytes
    pathlib.Path.write_text
    tempfile.TemporaryFile tempfile.NamedTemporaryFile gzip.open bz2.open lzma.open
    io.BufferedReader.read io.BufferedWriter.write io.BufferedRandom.read io.BufferedRandom.write io.TextIOWrapper.read
    io.TextIOWrapper.write
    socket.socket.connect socket.socket.accept socket.socket.send socket.socket.sendall socket.socket.sendto
    socket.socket.recv socket.socket.recv_into socket.socket.recvfrom socket.socket.recvfrom_into socket.socket.recvmsg
    ssl.SSLSocket.write ssl.SSLSocket.send ssl.SSLSocket.read ssl.SSLSocket.recv
    sqlite3.Cursor.execute sqlite3.Cursor.executemany sqlite3.Cursor.executescript sqlite3.Cursor.fetchone
    sqlite3.Cursor.fetchmany sqlite3.Cursor.fetchall sqlite3.Connection.execute sqlite3.Connection.executemany
    sqlite3.Connection.executescript sqlite3.Connection.commit sqlite3.Connection.rollback
    threading.Lock.acquire urllib.request.urlopen urllib3.request urllib3.PoolManager.request
    urllib3.HTTPSConnectionPool.urlopen
    requests.get requests.post requests.put requests.delete requests.head requests.options requests.patch
    requests.request requests.Session.get requests.Session.post requests.Session.put requests.Session.delete
    requests.Session.head requests.Session.options requests.Session.patch
    httpx.get httpx.post httpx.put httpx.delete httpx.head httpx.options httpx.patch httpx.request httpx.Client.get
    httpx.Client.post httpx.Client.put httpx.Client.delete httpx.Client.head httpx.Client.options httpx.Client.patch
    httpx.Client.request httpx.Client.send httpx.Client.stream httpx2.get httpx2.Client.send
""".split()

#: What looks as if it waited.
INNOCENT = """
    queue.Queue.get_nowait queue.Queue.put_nowait queue.SimpleQueue.put threading.Thread.start threading.Lock.release
    threading.Lock.locked threading.Event.set threading.Event.is_set concurrent.futures.Future.done
    concurrent.futures.Executor.submit asyncio.Queue.get asyncio.Event.wait asyncio.Lock.acquire asyncio.sleep
    subprocess.Popen.poll subprocess.Popen.kill subprocess.Popen.terminate subprocess.Popen.send_signal
    pathlib.Path.with_suffix pathlib.Path.joinpath pathlib.Path.home pathlib.Path.expanduser pathlib.Path.absolute
    os.path.join os.path.normpath os.path.abspath os.path.basename os.getpid io.BytesIO.read io.StringIO.write
    socket.socket.close socket.socket.bind socket.socket.listen socket.socket.setblocking
    requests.Session.close requests.Session.mount requests.Response.json httpx.AsyncClient.get
    httpx.Client.build_request aiohttp.ClientSession.get
    sqlalchemy.orm.Session.add sqlalchemy.orm.Session.add_all sqlalchemy.orm.Session.delete
    sqlalchemy.orm.Session.expunge sqlalchemy.orm.Session.query sqlalchemy.orm.Session.begin sqlalchemy.create_engine
    sqlalchemy.orm.Query.filter sqlalchemy.ext.asyncio.AsyncSession.execute sqlalchemy.Result.all
    django.db.models.QuerySet.filter django.db.models.QuerySet.select_for_update django.db.models.QuerySet.aget
    django.db.models.Manager.all django.db.models.Model.asave
    redis.Redis.pipeline redis.Redis.pubsub redis.client.Pipeline.get redis.asyncio.Redis.get
    botocore.client.BaseClient.generate_presigned_url botocore.client.BaseClient.get_paginator
    pymongo.collection.Collection.find pymongo.AsyncMongoClient.list_databases kafka.KafkaProducer.metrics
    confluent_kafka.Producer.produce openai.AsyncOpenAI.post docker.APIClient.close filelock.AsyncFileLock.acquire
""".split()


def ancestors(name: str) -> list[str]:
    """A class of the tables and its bases, nearest first."""
    found = [name]
    for base in CLASSES[name].bases:
        found += [other for other in ancestors(base.partition("[")[0]) if other not in found] if known(base) else []
    return found


def known(base: str) -> bool:
    return base.partition("[")[0] in CLASSES


def entry(name: str) -> str | None:
    """The key that covers a function, a class or a method of one."""
    owner, _, method = name.rpartition(".")
    return blocking_method(ancestors(owner), method) if owner in CLASSES else name if name in BLOCKING else None


def standard() -> Iterator[str]:
    return (key for key in (*BLOCKING, *NOT_BLOCKING) if key.partition(".")[0] in sys.stdlib_module_names)


def third_party() -> Iterator[str]:
    names = (*BLOCKING, *NOT_BLOCKING, *OFFLOADING, *OFFLOADING_DECORATORS)
    return (key for key in names if key.partition(".")[0] not in sys.stdlib_module_names)


def test_every_entry_has_a_category_and_a_finished_twin() -> None:
    for key, fact in BLOCKING.items():
        assert fact.category in CATEGORIES, key
        assert fact.twin, key
        assert "{" not in fact.twin, key


def test_every_category_is_used() -> None:
    assert CATEGORIES == {fact.category for fact in BLOCKING.values()}


def test_keys_are_public_names() -> None:
    aliases = {**stdlib.ALIASES, **libraries.ALIASES}
    for key in (*BLOCKING, *NOT_BLOCKING, *OFFLOADING, *OFFLOADING_DECORATORS):
        name = key.removesuffix(".*")
        assert name not in aliases, key
        assert name.rpartition(".")[0] not in aliases, key


def in_the_tables(name: str) -> bool:
    """Whether typeshed has it, for some version of Python."""
    owner, _, member = name.rpartition(".")
    if owner in CLASSES:
        return member.startswith("__") or any(member in CLASSES[cls].members for cls in ancestors(owner))
    variables = {name, owner, owner.removesuffix(".buffer")}
    return name in stdlib.FUNCTIONS or name in CLASSES or bool(variables & set(stdlib.CONSTANTS))


def test_every_entry_of_the_standard_library_exists_there() -> None:
    for key in standard():
        name = key.removesuffix(".*")
        assert in_the_tables(name) or resolve(name) is not None, key


PACKAGES = sorted({key.partition(".")[0] for key in third_party()})
INSTALLED = [name for name in PACKAGES if importlib.util.find_spec(name) is not None]
ABSENT = [name for name in PACKAGES if name not in INSTALLED]


def test_every_method_of_a_library_is_one_of_a_class_with_facts() -> None:
    for key in third_party():
        owner = key.rpartition(".")[0]
        is_module = (
            owner in PACKAGES
            or owner.rpartition(".")[2].islower()
            or owner.startswith(("openai.", "stripe.", "dashscope."))
        )
        assert owner in CLASSES or is_module, key


@pytest.mark.skipif(bool(ABSENT), reason=f"not installed here, so not compared with: {', '.join(ABSENT)}")
def test_every_library_is_there_to_be_compared_with() -> None:
    assert INSTALLED == PACKAGES


@pytest.mark.parametrize("package", INSTALLED)
def test_every_entry_of_a_library_exists_there(package: str) -> None:
    with imported(package):
        for key in third_party():
            name = key.removesuffix(".*")
            if (
                key.partition(".")[0] != package
                or MADE_AT_RUN_TIME.fullmatch(name)
                or NOT_IN_THE_SOURCE.fullmatch(name)
            ):
                continue
            found = resolve(name)
            assert found is not None, key
            waits = key in BLOCKING and key not in NOT_BLOCKING
            assert not (waits and inspect.iscoroutinefunction(found)), f"{key} is async"


def test_what_the_peers_report_is_covered() -> None:
    assert [] == [name for name in PEERS if entry(name) is None]


def test_what_does_not_wait_is_not_listed() -> None:
    assert [] == [name for name in INNOCENT if entry(name) is not None]


def test_conditions_belong_to_entries() -> None:
    conditions = (*NON_BLOCKING_ARGUMENTS, *BLOCKS_ONLY_WITH, *PATH_ARGUMENT, *LAZY, *ONLY_WHEN_BOUNDED)
    assert [] == [key for key in conditions if key not in BLOCKING]


def arguments() -> Iterator[tuple[str, int | None, str]]:
    for key, choices in NON_BLOCKING_ARGUMENTS.items():
        yield from ((key, position, keyword) for position, keyword, _ in choices if not key.endswith("*"))
    for table in (BLOCKS_ONLY_WITH, PATH_ARGUMENT):
        yield from ((key, *place) for key, place in table.items())
    for key, offload in OFFLOADING.items():
        if offload.keyword is not None:
            yield key, offload.position, offload.keyword


def test_arguments_stand_where_the_tables_say() -> None:
    for key, position, keyword in arguments():
        package = key.partition(".")[0]
        if package not in (*sys.stdlib_module_names, *INSTALLED) or package in ("telnetlib", "channels"):
            continue
        with imported(package):
            try:
                names = parameters(resolve(key))
            except AttributeError:
                # Lock.acquire and its like are copied from one in C.
                continue
        # One in C, or one that hands everything on.
        if names is None or names in (["args", "kwargs"], ["mode", "file", "args"]):
            continue
        assert keyword in names, key
        assert position in (None, names.index(keyword)), key


def test_offloaded_is_listed_with_the_argument_that_runs_elsewhere() -> None:
    assert OFFLOADING["asyncio.to_thread"].position == 0
    assert OFFLOADING["asyncio.AbstractEventLoop.run_in_executor"].position == 1
    assert {"thread", "process", "greenlet"} == {offload.where for offload in OFFLOADING.values()}


@pytest.mark.parametrize(
    ("classes", "method", "expected"),
    [
        (["requests.Session"], "get", "requests.Session.get"),
        (["app.http.ApiSession", "requests.Session"], "get", "requests.Session.get"),
        (["requests_futures.sessions.FuturesSession", "requests.Session"], "get", None),
        (["requests_futures.sessions.FuturesSession", "requests.Session"], "send", "requests.Session.send"),
        (["redis.Redis"], "get", "redis.Redis.*"),
        (["redis.Redis"], "__enter__", None),
        (["redis.client.Pipeline", "redis.Redis"], "get", None),
        (["redis.client.Pipeline", "redis.Redis"], "execute", "redis.client.Pipeline.execute"),
        (["boto3.resources.base.ServiceResource"], "Bucket", None),
        (["boto3.resources.base.ServiceResource"], "upload_file", "boto3.resources.base.ServiceResource.*"),
        (["io.BytesIO", "typing.BinaryIO", "typing.IO"], "read", None),
        (["sys.stdout", "typing.TextIO", "typing.IO"], "write", None),
        (["sys.stdin", "typing.TextIO", "typing.IO"], "readline", "sys.stdin.readline"),
        (["typing.TextIO", "typing.IO"], "read", "typing.IO.read"),
        (
            ["concurrent.futures.ThreadPoolExecutor", "concurrent.futures.Executor"],
            "__exit__",
            "concurrent.futures.Executor.__exit__",
        ),
        (["app.Client"], "get", None),
    ],
)
def test_a_method_is_found_through_its_bases(classes: list[str], method: str, expected: str | None) -> None:
    assert expected == blocking_method(classes, method)
