"""What the pages of CNC501-509 call bad, on a real event loop: it loses, blocks or breaks; the good forms do not."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

import pytest

from flake8_concurrency import catalogue

PAGES = {rule.code: catalogue.page(rule) for rule in catalogue.rules()}
#: Seconds after which a process that does nothing any more says where it stands, and ends.
STUCK = 2
#: Seconds until a subprocess is given up, whatever happens.
LOST = 60


def example(code: str, heading: Literal["bad", "good"], number: int) -> dict[str, Any]:
    """What an example of a page defines."""
    namespace: dict[str, Any] = {}
    exec(block(code, heading, number), namespace)
    return namespace


def block(code: str, heading: Literal["bad", "good"], number: int) -> str:
    blocks: tuple[str, ...] = getattr(PAGES[code], heading)
    return blocks[number - 1]


async def together(calls: Iterable[Awaitable[object]]) -> list[object]:
    return await asyncio.gather(*calls)


class Remote:
    """Whatever is asked of it lets other tasks run once, then answers; it counts how often it was asked."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked = 0

    async def __call__(self, *args: object) -> object:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer if self.answer is not None else args[0]

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        return self


BASKETS = [("bad", 1, 5), ("good", 1, 10), ("good", 2, 10)]


@pytest.mark.parametrize(("heading", "number", "total"), BASKETS)
def test_501_a_sum_across_an_await_loses_what_another_task_adds(
    heading: Literal["bad", "good"], number: int, total: int
) -> None:
    async def shopping() -> object:
        basket = example("CNC501", heading, number)["Basket"]
        made = basket(asyncio.Lock()) if number == 2 else basket()
        await together(made.add(article, Remote(5)) for article in "ab")
        return made.total

    assert asyncio.run(shopping()) == total


def test_501_a_count_in_the_module_loses_as_well() -> None:
    names = example("CNC501", "bad", 2)
    asyncio.run(together(names["count"](page, Remote(1)) for page in "ab"))
    assert names["HITS"]["all"] == 1


@pytest.mark.parametrize(("heading", "connections"), [("bad", 2), ("good", 1)])
def test_502_a_lazy_connection_is_opened_twice(heading: Literal["bad", "good"], connections: int) -> None:
    async def asking() -> int:
        connect = Remote(object())
        store = example("CNC502", heading, 1)["Store"](connect)
        await together(store.connection() for _ in range(2))
        return connect.asked

    assert asyncio.run(asking()) == connections


@pytest.mark.parametrize(("heading", "fetches"), [("bad", 2), ("good", 1)])
def test_502_a_cache_is_filled_twice(heading: Literal["bad", "good"], fetches: int) -> None:
    fetch = Remote("profile")
    profile = example("CNC502", heading, 2)["profile"]
    assert asyncio.run(together(profile("ann", fetch) for _ in range(2))) == ["profile", "profile"]
    assert fetch.asked == fetches


@pytest.mark.parametrize(("heading", "count"), [("bad", 1), ("good", 2)])
def test_503_a_counter_written_back_loses_an_increment(heading: Literal["bad", "good"], count: int) -> None:
    counter = example("CNC503", heading, 1)["Counter"](Remote())
    asyncio.run(together(counter.increment() for _ in range(2)))
    assert counter.count == count


@pytest.mark.parametrize(("heading", "names"), [("bad", ["bob"]), ("good", ["ann", "bob"])])
def test_503_a_list_written_back_loses_a_name(heading: Literal["bad", "good"], names: list[str]) -> None:
    async def joining() -> object:
        roster = example("CNC503", heading, 2)["Roster"]()
        await together(roster.join(user, Remote()) for user in ("ann", "bob"))
        return roster.names

    assert asyncio.run(joining()) == names


class Mailer:
    """Waits for something that nobody else holds, as a task waits for a connection of its own."""

    async def welcome(self, user: object) -> None:
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("heading", "left"), [("bad", 0), ("good", 1)])
def test_504_a_task_that_nobody_keeps_is_collected_before_it_is_done(
    heading: Literal["bad", "good"], left: int
) -> None:
    told: list[str] = []
    names = example("CNC504", heading, 1)

    async def registering() -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        await names["register"]("ann", Mailer())
        await asyncio.sleep(0)
        gc.collect()
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(registering()) == left
    assert told == ([] if left else ["Task was destroyed but it is pending!"])


class BrokenMailer:
    async def welcome(self, user: object) -> None:
        raise OSError("no route")


def test_504_the_exception_of_a_task_that_nobody_keeps_reaches_nobody() -> None:
    told: list[str] = []

    async def registering() -> object:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        registered = await example("CNC504", "bad", 1)["register"]("ann", BrokenMailer())
        await asyncio.sleep(0)
        gc.collect()
        return registered

    assert asyncio.run(registering()) == "ann"
    assert told == ["Task exception was never retrieved"]


class Server:
    """Counts how many requests it has at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def get(self, url: object) -> object:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return url


@pytest.mark.parametrize(("heading", "number", "most"), [("bad", 1, 300), ("good", 1, 10), ("good", 2, 10)])
def test_505_every_item_is_asked_for_at_once(heading: Literal["bad", "good"], number: int, most: int) -> None:
    server = Server()
    asyncio.run(example("CNC505", heading, number)["load_all"](range(300), server))
    assert server.most == most


class Account:
    def __init__(self) -> None:
        self.money = 10

    async def balance(self) -> int:
        await asyncio.sleep(0)
        return self.money

    async def set_balance(self, money: int) -> None:
        await asyncio.sleep(0)
        self.money = money


@pytest.mark.parametrize(("heading", "number", "left"), [("bad", 1, 7), ("bad", 2, 7), ("good", 1, 4)])
def test_507_a_lock_of_ones_own_keeps_nobody_out(heading: Literal["bad", "good"], number: int, left: int) -> None:
    account = Account()
    withdraw = example("CNC507", heading, number)["withdraw"]
    asyncio.run(together(withdraw(account, 3) for _ in range(2)))
    assert account.money == left


def run(source: str) -> subprocess.CompletedProcess[str]:
    """Run a program that says where it stands, and ends, when it does not move any more."""
    watched = f"import faulthandler\nfaulthandler.dump_traceback_later({STUCK}, exit=True)\n{source}\nprint('over')\n"
    command = [sys.executable, "-c", watched]
    return subprocess.run(command, capture_output=True, text=True, timeout=LOST, check=False)


_TWO_LOADS = """
import asyncio

async def fetch(key):
    await asyncio.sleep(0)
    return key

async def both():
    store = Store()
    await asyncio.gather(store.load("a", fetch), store.load("b", fetch))

asyncio.run(both())
"""


def test_506_a_thread_lock_held_at_an_await_stops_the_loop_for_good() -> None:
    ended = run(block("CNC506", "bad", 1) + _TWO_LOADS)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Timeout" in ended.stderr
    assert "in load" in ended.stderr


@pytest.mark.parametrize("number", [1, 2])
def test_506_an_async_lock_and_a_short_block_do_not(number: int) -> None:
    assert run(block("CNC506", "good", number) + _TWO_LOADS).stdout == "over\n"


_REFRESH = """
import asyncio

class Cache:
    async def load(self):
        await asyncio.sleep(0)

async def main():
    await refresh(Cache(), *[asyncio.get_running_loop()] * (refresh.__code__.co_argcount - 1))

asyncio.run(main())
"""


def test_508_a_loop_that_waits_for_itself_never_moves_again() -> None:
    ended = run(block("CNC508", "bad", 1) + _REFRESH)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "in refresh" in ended.stderr


@pytest.mark.parametrize("number", [1, 2])
def test_508_awaiting_it_does(number: int) -> None:
    assert run(block("CNC508", "good", number) + _REFRESH).stdout == "over\n"


class Device:
    def wait(self) -> None:
        pass


def test_509_asyncio_itself_refuses_the_call_from_a_thread_in_debug_mode() -> None:
    watch = example("CNC509", "bad", 2)["watch"]
    with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
        asyncio.run(watch(Device(), print), debug=True)


def test_509_the_loop_is_told_from_the_thread() -> None:
    async def reading() -> list[str]:
        reader = example("CNC509", "good", 1)["Reader"](["one", "two"], asyncio.get_running_loop())
        before = threading.active_count()
        reader.start()
        assert threading.active_count() >= before
        return [await reader.lines.get(), await reader.lines.get()]

    assert asyncio.run(reading(), debug=True) == ["one", "two"]
