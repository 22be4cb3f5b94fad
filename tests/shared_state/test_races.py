"""What the pages of CNC603, 607, 608 and 613 call bad, in real threads: it loses, and the good forms do not.

A bad form is stopped in the middle of its step until the other threads are there as well. A good form keeps them
out, so whoever waits for them there gives up after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from flake8_concurrency import catalogue

PAGES = {rule.code: catalogue.page(rule) for rule in catalogue.rules()}
THREADS = 4
#: Seconds after which those who are kept out are not waited for any more.
ALONE = 0.3
#: Seconds until a test is given up, whatever happens.
LOST = 30

Heading = Literal["bad", "good"]


def example(code: str, heading: Heading, number: int, **names: object) -> dict[str, Any]:
    """What an example of a page defines, where these names are known."""
    blocks: tuple[str, ...] = getattr(PAGES[code], heading)
    namespace: dict[str, Any] = {"__name__": "page", **names}
    exec(compile(blocks[number - 1], "page", "exec"), namespace)  # it is our own page
    return namespace


class Meeting:
    """A place where threads wait for each other, once: later it lets everybody through."""

    def __init__(self, threads: int = THREADS) -> None:
        self._barrier = threading.Barrier(threads)

    def wait(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self._barrier.wait(ALONE)


class Interrupted(int):
    """A number whose thread is interrupted between reading and storing: as it adds, it waits for the others to read."""

    meeting: Meeting

    @classmethod
    def starting(cls) -> Interrupted:
        number = cls(0)
        number.meeting = Meeting()
        return number

    def __add__(self, other: int) -> Interrupted:
        self.meeting.wait()
        found = Interrupted(int(self) + other)
        found.meeting = self.meeting
        return found


def in_threads(call: Callable[[], object]) -> list[object]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result(timeout=LOST) for future in [pool.submit(call) for _ in range(THREADS)]]


# CNC603


class Slow(list[str]):
    """A list to which something is appended only when its owner has taken it away, or does not come for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.taken = threading.Event(), threading.Event()

    def append(self, item: str) -> None:
        self.reached.set()
        self.taken.wait(ALONE)
        super().append(item)


@pytest.mark.parametrize(("heading", "found"), [("bad", 0), ("good", 1)])
def test_603_what_is_put_beside_the_lock_gets_into_a_list_that_is_gone(heading: Heading, found: int) -> None:
    queue = example("CNC603", heading, 1)["Queue"]()
    waiting = queue._waiting = Slow()
    putting = threading.Thread(target=queue.put, args=("parcel",))
    putting.start()
    assert waiting.reached.wait(LOST)
    handled = list(queue.drain())
    waiting.taken.set()
    putting.join(LOST)
    assert len(handled) + queue.size() == found


# CNC607


@pytest.mark.parametrize(("heading", "fetched"), [("bad", 1), ("good", THREADS)])
def test_607_a_counter_of_several_workers_is_too_low(heading: Heading, fetched: int) -> None:
    crawler = example("CNC607", heading, 1, fetch=len)["Crawler"](["url"])
    crawler.fetched = Interrupted.starting()
    crawler.run()
    assert crawler.fetched == fetched


def test_607_a_global_sum_is_too_low() -> None:
    names = example("CNC607", "bad", 2)
    names["total"] = Interrupted.starting()
    names["add_all"]([1] * THREADS)
    assert names["total"] == 1


def test_607_what_the_threads_give_back_is_summed_up_by_one() -> None:
    assert example("CNC607", "good", 2)["add_all"](["a", "bc", "def"]) == 6


# CNC608


class Clients:
    """Makes clients, each while the others that want one look on, and counts them."""

    def __init__(self) -> None:
        self.made = 0
        self._meeting = Meeting()
        self._lock = threading.Lock()

    def __call__(self) -> Clients:
        with self._lock:
            self.made += 1
        if threading.current_thread() is not threading.main_thread():
            self._meeting.wait()
        return self

    def get(self, url: str) -> str:
        return url


@pytest.mark.parametrize(("heading", "number", "made"), [("bad", 1, THREADS), ("good", 1, 1), ("good", 2, 1)])
def test_608_each_thread_makes_a_client(heading: Heading, number: int, made: int) -> None:
    clients = Clients()
    urls = ["a", "b", "c", "d"]
    assert example("CNC608", heading, number, Client=clients)["fetch_all"](urls) == urls
    assert clients.made == made


class Flask:
    """As much of Flask as the page needs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def route(self, rule: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
        assert rule.startswith("/")
        return lambda view: view


def test_608_each_request_loads_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    flask = ModuleType("flask")
    flask.Flask = Flask  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flask", flask)
    names = example("CNC608", "bad", 2)
    meeting = Meeting()
    names["Models"].__init__ = lambda models: meeting.wait()
    names["Models"].predict = lambda models: models
    assert len({id(models) for models in in_threads(names["predict"])}) > 1
    assert names["predict"]() is names["predict"]()


# CNC613


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[list[str]]:
    before = Path.cwd()
    found = [tmp_path / name for name in "ab"]
    for path in found:
        path.mkdir()
    yield [str(path) for path in found]
    os.chdir(before)


@pytest.mark.parametrize(("heading", "built"), [("bad", 1), ("good", 2)])
def test_613_two_threads_are_in_one_directory(projects: list[str], heading: Heading, built: int) -> None:
    meeting = Meeting(2)

    def compile_all(path: str) -> str:
        meeting.wait()
        return os.path.realpath(path)

    found = example("CNC613", heading, 1, compile_all=compile_all)["build_all"](projects)
    assert len(set(found)) == built


@pytest.mark.parametrize(("heading", "right"), [("bad", 0), ("good", 2)])
def test_613_a_task_uploads_to_the_bucket_of_another(
    monkeypatch: pytest.MonkeyPatch, heading: Heading, right: int
) -> None:
    monkeypatch.setenv("BUCKET", "none")
    stored: list[tuple[str, str]] = []

    class Client:
        async def upload(self, data: str, bucket: str = "") -> None:
            await asyncio.sleep(0)
            stored.append((data, bucket or os.environ["BUCKET"]))

    async def both() -> None:
        upload = example("CNC613", heading, 2)["upload"]
        await asyncio.gather(upload("a", Client(), "a"), upload("b", Client(), "b"))

    asyncio.run(both())
    assert len([data for data, bucket in stored if data == bucket]) == right
