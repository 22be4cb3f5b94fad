from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runtime.log_records import Logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]

#: How long anything may take that is expected to happen, in seconds; a test only ever waits that long to fail.
SOON = 20.0


def _children() -> set[int]:
    """The processes this one has started and not yet reaped."""
    multiprocessing.active_children()
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return set()
    found: set[int] = set()
    for task in tasks.iterdir():
        try:
            found.update(map(int, (task / "children").read_text().split()))
        except OSError:  # The thread has ended.
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test leaves no thread and no process; those of fixtures of a wider scope are there before it."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + 5
    left = set(threading.enumerate()) - threads
    for thread in left:
        thread.join(0.1)
    if any(thread.is_alive() for thread in left):
        gc.collect()  # An executor that was dropped lets its threads go.
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert [] == [thread for thread in left if thread.is_alive()], "threads left behind"
    tracker = {getattr(resource_tracker._resource_tracker, "_pid", None)}  # One for the whole run, of multiprocessing.
    assert set() == _children() - children - tracker, "processes left behind"


@pytest.fixture
def start_python() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a Python of its own that runs the given code and can import the package."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Everything that is logged in the test."""
    handler = Logged()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that must come is so.

    Only for what no event tells: a state inside of a pool (`stats()`, a future that begins to run), or of a server.
    """

    def wait_for(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SOON
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            pause.wait(0.001)

    return wait_for
