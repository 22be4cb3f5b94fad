"""What the rules report does stop the event loop, and what they recommend does not: run, with the loop's own watch."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import queue
import socket
import sqlite3
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from flake8_concurrency import engine
from flake8_concurrency.options import ALL, Options

#: Seconds that each example waits, and that the loop may stand still before it says so.
PAUSE = 0.4
SLOW = 0.2

EVERY_RULE = Options(enable=frozenset({ALL}))


class Example(NamedTuple):
    """Code that blocks and code that does the same without; each defines `async def run(it, pause)`."""

    code: str
    bad: str
    good: str
    #: What makes the `it` that both are given.
    given: Callable[[Path], Iterator[object]] | None = None
    #: What the code ends with.
    raises: type[Exception] | None = None


def fifo(directory: Path) -> Iterator[str]:
    """A pipe that nobody opens for writing before the pause is over."""
    path = str(directory / "fifo")
    os.mkfifo(path)
    writer = threading.Timer(PAUSE, lambda: Path(path).write_text("late"))
    writer.start()
    yield path
    writer.join()


def silent_server(_: Path) -> Iterator[str]:
    """A server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def silent_socket(_: Path) -> Iterator[socket.socket]:
    """One end of a connection on which nothing arrives."""
    one, other = socket.socketpair()
    with one, other:
        yield one


def locked_database(directory: Path) -> Iterator[str]:
    """A database that somebody else is writing to."""
    path = str(directory / "locked.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield path


def quiet_keyboard(_: Path) -> Iterator[None]:
    """A standard input on which a line arrives when the pause is over."""
    reading, writing = os.pipe()
    before, sys.stdin = sys.stdin, os.fdopen(reading)
    typist = threading.Timer(PAUSE, os.write, (writing, b"late\n"))
    typist.start()
    yield None
    typist.join()
    sys.stdin.close()
    os.close(writing)
    sys.stdin = before


EXAMPLES = [
    Example(
        "CNC401",
        bad="""
            import time

            async def run(it, pause):
                time.sleep(pause)
        """,
        good="""
            import asyncio

            async def run(it, pause):
                await asyncio.sleep(pause)
        """,
    ),
    Example(
        "CNC402",
        bad="""
            import urllib.request

            async def run(it, pause):
                urllib.request.urlopen(it, timeout=pause)
        """,
        good="""
            import asyncio
            import urllib.request

            async def run(it, pause):
                await asyncio.to_thread(urllib.request.urlopen, it, timeout=pause)
        """,
        given=silent_server,
        raises=OSError,
    ),
    Example(
        "CNC403",
        bad="""
            import subprocess

            async def run(it, pause):
                subprocess.run(["sleep", str(pause)], check=True, timeout=60)
        """,
        good="""
            import asyncio

            async def run(it, pause):
                process = await asyncio.create_subprocess_exec("sleep", str(pause))
                async with asyncio.timeout(60):
                    await process.wait()
        """,
    ),
    Example(
        "CNC404",
        bad="""
            async def run(it, pause):
                with open(it) as file:
                    return file.read()
        """,
        good="""
            import asyncio
            from pathlib import Path

            async def run(it, pause):
                return await asyncio.to_thread(Path(it).read_text)
        """,
        given=fifo,
    ),
    Example(
        "CNC404",
        bad="""
            from pathlib import Path

            async def run(it, pause):
                return Path(it).read_text()
        """,
        good="""
            import asyncio
            from pathlib import Path

            async def run(it, pause):
                return await asyncio.to_thread(Path(it).read_text)
        """,
        given=fifo,
    ),
    Example(
        "CNC405",
        bad="""
            import sqlite3
            from contextlib import closing

            async def run(it, pause):
                with closing(sqlite3.connect(it, timeout=pause)) as database:
                    database.execute("BEGIN IMMEDIATE")
        """,
        good="""
            import asyncio
            import sqlite3
            from contextlib import closing

            def work(path, pause):
                with closing(sqlite3.connect(path, timeout=pause)) as database:
                    database.execute("BEGIN IMMEDIATE")

            async def run(it, pause):
                await asyncio.to_thread(work, it, pause)
        """,
        given=locked_database,
        raises=sqlite3.OperationalError,
    ),
    Example(
        "CNC406",
        bad="""
            import socket

            async def run(it: socket.socket, pause):
                it.settimeout(pause)
                it.recv(1)
        """,
        good="""
            import asyncio
            import socket

            async def run(it: socket.socket, pause):
                it.setblocking(False)
                async with asyncio.timeout(pause):
                    await asyncio.get_running_loop().sock_recv(it, 1)
        """,
        given=silent_socket,
        raises=TimeoutError,
    ),
    Example(
        "CNC407",
        bad="""
            import queue

            TASKS = queue.Queue()

            async def run(it, pause):
                TASKS.get(timeout=pause)
        """,
        good="""
            import asyncio
            import queue

            async def run(it, pause):
                try:
                    async with asyncio.timeout(pause):
                        await asyncio.Queue().get()
                except TimeoutError:
                    raise queue.Empty from None
        """,
        raises=queue.Empty,
    ),
    Example(
        "CNC407",
        bad="""
            import threading

            STOP = threading.Event()

            async def run(it, pause):
                STOP.wait(pause)
        """,
        good="""
            import asyncio
            import threading

            STOP = threading.Event()

            async def run(it, pause):
                await asyncio.to_thread(STOP.wait, pause)
        """,
    ),
    Example(
        "CNC407",
        bad="""
            import time
            from concurrent.futures import ThreadPoolExecutor

            POOL = ThreadPoolExecutor(max_workers=1)

            async def run(it, pause):
                POOL.submit(time.sleep, pause).result(timeout=60)
        """,
        good="""
            import asyncio
            import time
            from concurrent.futures import ThreadPoolExecutor

            POOL = ThreadPoolExecutor(max_workers=1)

            async def run(it, pause):
                await asyncio.get_running_loop().run_in_executor(POOL, time.sleep, pause)
        """,
    ),
    Example(
        "CNC409",
        bad="""
            import time

            def back_off(pause):
                time.sleep(pause)

            def retry(pause):
                back_off(pause)

            async def run(it, pause):
                retry(pause)
        """,
        good="""
            import asyncio
            import time

            def retry(pause):
                time.sleep(pause)

            async def run(it, pause):
                await asyncio.to_thread(retry, pause)
        """,
    ),
    Example(
        "CNC411",
        bad="""
            import asyncio
            import threading

            def work(pause):
                # Unseen by the other rules.
                getattr(threading.Event(), "wait")(pause)

            async def run(it, pause):
                await asyncio.to_thread(work(pause))
        """,
        good="""
            import asyncio
            import threading

            def work(pause):
                getattr(threading.Event(), "wait")(pause)
                raise TypeError

            async def run(it, pause):
                await asyncio.to_thread(work, pause)
        """,
        raises=TypeError,
    ),
    Example(
        "CNC414",
        bad="""
            import sys

            async def run(it, pause):
                return sys.stdin.readline()
        """,
        good="""
            import asyncio
            import sys

            async def run(it, pause):
                return await asyncio.to_thread(sys.stdin.readline)
        """,
        given=quiet_keyboard,
    ),
    Example(
        "CNC415",
        bad="""
            import hashlib

            async def run(it, pause):
                hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 3_000_000)
        """,
        good="""
            import asyncio
            import hashlib

            async def run(it, pause):
                await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"password", b"salt", 3_000_000)
        """,
    ),
    Example(
        "CNC418",
        bad="""
            import inspect
            import time

            async def call(hook, *args):
                if inspect.iscoroutinefunction(hook):
                    await hook(*args)
                else:
                    hook(*args)

            async def run(it, pause):
                await call(time.sleep, pause)
        """,
        good="""
            import asyncio
            import inspect
            import time

            async def call(hook, *args):
                if inspect.iscoroutinefunction(hook):
                    await hook(*args)
                else:
                    await asyncio.to_thread(hook, *args)

            async def run(it, pause):
                await call(time.sleep, pause)
        """,
    ),
]
EACH = [pytest.param(example, id=f"{example.code}-{number}") for number, example in enumerate(EXAMPLES)]


def codes(source: str) -> set[str]:
    found = engine.lint(source, tree=ast.parse(source), filename="app/example.py", options=EVERY_RULE)
    return {finding.code for finding in found}


def module_of(source: str) -> dict[str, object]:
    """What the example defines."""
    module: dict[str, object] = {}
    exec(compile(source, "<example>", "exec"), module)
    return module


@contextmanager
def slow_steps() -> Iterator[list[str]]:
    """What asyncio's debug mode says about steps that took too long."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield told
    finally:
        logger.removeHandler(handler)


def stops_the_loop(source: str, example: Example, directory: Path) -> bool:
    """Whether the loop stands still while the example runs."""
    module = module_of(source)

    async def watched(it: object) -> None:
        asyncio.get_running_loop().slow_callback_duration = SLOW
        await module["run"](it, PAUSE)  # type: ignore[operator]

    with ExitStack() as stack:
        it = None if example.given is None else stack.enter_context(contextmanager(example.given)(directory))
        told = stack.enter_context(slow_steps())
        if example.raises is not None:
            stack.enter_context(pytest.raises(example.raises))
        asyncio.run(watched(it), debug=True)
    return any(message.startswith("Executing <Task") for message in told)


@pytest.mark.parametrize("example", EACH)
def test_what_is_reported_stops_the_loop(example: Example, tmp_path: Path) -> None:
    source = textwrap.dedent(example.bad)
    assert codes(source) == {example.code}
    assert stops_the_loop(source, example, tmp_path)


@pytest.mark.parametrize("example", EACH)
def test_what_is_recommended_does_not(example: Example, tmp_path: Path) -> None:
    source = textwrap.dedent(example.good)
    assert not codes(source)
    assert not stops_the_loop(source, example, tmp_path)


@pytest.mark.parametrize("call", ["asyncio.run", "asyncio.get_running_loop().run_until_complete"])
def test_a_loop_cannot_be_entered_twice(call: str) -> None:
    source = f"""
import asyncio

async def work():
    pass

async def run():
    coroutine = work()
    try:
        {call}(coroutine)
    finally:
        coroutine.close()
"""
    assert codes(source) == {"CNC408"}
    with pytest.raises(RuntimeError):
        asyncio.run(module_of(source)["run"]())  # type: ignore[operator]


def test_a_coroutine_function_never_runs_in_a_thread() -> None:
    source = """
import asyncio

RAN = []

async def work():
    RAN.append(1)

async def run():
    coroutine = await asyncio.to_thread(work)
    coroutine.close()
"""
    assert codes(source) == {"CNC416"}
    module = module_of(source)
    asyncio.run(module["run"]())  # type: ignore[operator]
    assert module["RAN"] == []
