"""The defects of the rules CNC3xx are real: each bad example loses something on PostgreSQL, each good one nothing.

The examples are those of the rules' pages (see `examples`). Both are called twice, on two connections, and the second
call overtakes the first just before its first write (see `interleaving`). An example may be any function whose
parameters stand in ARGUMENTS; what it does must be what its race in RACES looks at.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.rows.conftest import World
from tests.rows.examples import WRITTEN_HERE, examples
from tests.rows.interleaving import SOON, Caller, Overtaken, overtake
from tests.rows.schema import DJANGO, models_for

#: What the examples' functions are called with, by the names of their parameters. Rows have the ids 1, 2, …
ARGUMENTS: dict[str, object] = {
    **dict.fromkeys(("pk", "id", "account_id", "job_id", "event_id", "user_id", "order_id"), 1),
    "amount": 10,
    **dict.fromkeys(("n", "limit", "size"), 2),
    **dict.fromkeys(("name", "email", "slug", "code", "token"), "x"),
    "ids": [1, 2, 3],
}


def account() -> None:
    DJANGO["Account"].objects.create(balance=100)


def jobs() -> None:
    """More than two callers take."""
    account()
    DJANGO["Job"].objects.bulk_create([DJANGO["Job"](account_id=1) for _ in range(6)])


def event() -> None:
    """One seat is left."""
    DJANGO["Event"].objects.create(capacity=1)


def invitation() -> None:
    DJANGO["Invitation"].objects.create(code="x")


def nothing() -> None:
    """The tables stay empty."""


def moved(_: Overtaken) -> int:
    """How many of two changes by 10 there are."""
    return int(abs(DJANGO["Account"].objects.get(pk=1).balance - 100) // 10)


def agreed(ran: Overtaken) -> int:
    """How many of the two were told that they may go on."""
    return [bool(result) for result in ran.results].count(True)


def taken(ran: Overtaken) -> list[int]:
    """The ids that the callers got, one list for both."""
    return [getattr(row, "pk", row) for result in ran.results for row in result]


def taken_twice(ran: Overtaken) -> int:
    ids = taken(ran)
    return len(ids) - len(set(ids))


def stood_still(ran: Overtaken) -> bool:
    """Whether the second waited for the first, with four free jobs before it."""
    assert len(taken(ran)) == len(set(taken(ran))) == 4
    return ran.second.waited


def found_by_second(ran: Overtaken) -> int:
    """How many jobs the second found, while the first held two of six."""
    ran.results  # noqa: B018 - raises what they raised
    return len(ran.second.result)


def named_x(ran: Overtaken) -> int:
    ran.results  # noqa: B018 - raises what they raised
    return int(DJANGO["Tag"].objects.filter(name="x").count() + DJANGO["Label"].objects.filter(name="x").count())


def numbers(ran: Overtaken) -> list[int]:
    ran.results  # noqa: B018 - raises what they raised
    return list(DJANGO["Ticket"].objects.order_by("number").values_list("number", flat=True))


def seats_sold(ran: Overtaken) -> int:
    """How many were sold of the one seat that there is; each caller was told the truth about its own."""
    sold: int = DJANGO["Ticket"].objects.count()
    assert sold == agreed(ran)
    return sold


class Race(NamedTuple):
    """What stands in the tables before, what is looked at after, and what that is in bad and in good examples."""

    before: Callable[[], None]
    look: Callable[[Overtaken], object]
    bad: object
    good: object


RACES = {
    "CNC301": Race(account, moved, bad=1, good=2),
    "CNC302": Race(jobs, agreed, bad=2, good=1),
    "CNC303": Race(account, moved, bad=1, good=2),
    "CNC304": Race(jobs, taken_twice, bad=2, good=0),
    "CNC305": Race(jobs, stood_still, bad=True, good=False),
    "CNC306": Race(jobs, found_by_second, bad=0, good=2),
    "CNC307": Race(nothing, named_x, bad=2, good=1),
    "CNC308": Race(event, numbers, bad=[1, 1], good=[1, 2]),
    "CNC309": Race(account, moved, bad=1, good=2),
    "CNC314": Race(event, seats_sold, bad=2, good=1),
    "CNC317": Race(event, seats_sold, bad=2, good=1),
    "CNC318": Race(invitation, agreed, bad=2, good=1),
}


class Example(NamedTuple):
    source: str
    function: str

    def load(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
        models = models_for(self.source)
        monkeypatch.setitem(sys.modules, "app", types.ModuleType("app"))
        monkeypatch.setitem(sys.modules, "app.models", models)
        # Where an example is short of an import, its models are there all the same.
        namespace: dict[str, Any] = {key: value for key, value in vars(models).items() if not key.startswith("__")}
        exec(compile(self.source, "<example>", "exec"), namespace)
        found: Callable[..., object] = namespace[self.function]
        return found


def of(code: str, blocks: tuple[str, ...]) -> Iterator[Any]:
    """The functions of a rule's blocks."""
    for number, source in enumerate(blocks, start=1):
        for line in source.splitlines():
            if line.startswith("def "):
                function = line.removeprefix("def ").partition("(")[0]
                yield pytest.param(code, Example(source, function), id=f"{code}-{number}-{function}")


BAD = list(itertools.chain.from_iterable(of(code, examples(code).bad) for code in RACES))
GOOD = list(itertools.chain.from_iterable(of(code, examples(code).good) for code in RACES))


def call(function: Callable[..., object], world: World) -> object:
    """Call an example with what its parameters are named after, on a connection of its own."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(world.django())
        given: dict[str, object] = {}
        for name in inspect.signature(function).parameters:
            match name:
                case "session" | "db":
                    given[name] = stack.enter_context(world.session())
                case "connection" | "conn":
                    given[name] = stack.enter_context(world.connection())
                case "cursor" | "cur":
                    given[name] = stack.enter_context(world.connection()).cursor()
                case _:
                    given[name] = ARGUMENTS[name]
        result = function(**given)
        # A row of SQLAlchemy cannot be asked for its key when its session is gone.
        return [getattr(row, "id", row) for row in result] if isinstance(result, list) else result


def run(code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> object:
    race = RACES[code]
    race.before()
    return race.look(overtake(partial(call, example.load(monkeypatch), world), world.observer))


@pytest.mark.parametrize(("code", "example"), BAD)
def test_bad_examples_lose_something(
    code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RACES[code].bad == run(code, example, world, monkeypatch)


@pytest.mark.parametrize(("code", "example"), GOOD)
def test_good_examples_lose_nothing(code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RACES[code].good == run(code, example, world, monkeypatch)


# What needs a look of its own


@pytest.mark.parametrize(("code", "example"), list(of("CNC314", examples("CNC314").bad)))
def test_no_lock_is_sent_with_an_aggregate(
    code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event()
    ran = overtake(partial(call, example.load(monkeypatch), world), world.observer)
    assert any("COUNT(" in statement or "MAX(" in statement for statement in ran.statements)
    assert not any("FOR UPDATE" in statement for statement in ran.statements)


@pytest.mark.parametrize(
    "read",
    [
        lambda query: query.exists(),
        lambda query: list(query.values_list("pk", flat=True)),
        lambda query: query.in_bulk(),
        lambda query: query.first(),
    ],
    ids=["exists", "values_list", "in_bulk", "first"],
)
def test_a_lock_is_sent_with_other_reads(read: Callable[[Any], object], world: World) -> None:
    """The traps of CNC314."""
    from django.db import transaction  # type: ignore[import-untyped]  # noqa: PLC0415 - not before it is configured

    account()

    def locked() -> None:
        with world.django(), transaction.atomic():
            read(DJANGO["Account"].objects.select_for_update())

    caller = Caller(locked, stops=False)
    caller.start()
    caller.join()
    assert caller.error is None
    assert [True] == ["FOR UPDATE" in statement for statement in caller.statements if "account" in statement]


def locked_on_the_way(example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which of three accounts an update has locked when it comes to the first, which somebody else holds."""
    for _ in range(3):
        account()
    caller = Caller(partial(call, example.load(monkeypatch), world), stops=False)
    with world.connection() as other:
        other.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
        caller.start()
        waiting = "SELECT FROM pg_stat_activity WHERE pid = %s AND cardinality(pg_blocking_pids(pid)) > 0"
        while not caller.backend or world.observer.execute(waiting, (caller.backend,)).fetchone() is None:
            assert not caller.ended.wait(0.002), f"it met no lock: {caller.error!r}"
        free = [ident for (ident,) in other.execute("SELECT id FROM account WHERE id > 1 FOR UPDATE SKIP LOCKED")]
    assert caller.ended.wait(SOON)
    assert caller.error is None
    return sorted({2, 3} - set(free))


@pytest.mark.parametrize(("code", "example"), list(of("CNC315", examples("CNC315").bad)))
def test_an_update_loses_its_order(code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to begin at the last, it begins at the first: nothing else is locked when it comes to that one."""
    assert [] == locked_on_the_way(example, world, monkeypatch)


@pytest.mark.parametrize(("code", "example"), list(of("CNC315", examples("CNC315").good)))
def test_rows_locked_in_order_before_the_update(
    code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [2, 3] == locked_on_the_way(example, world, monkeypatch)


def test_every_race_has_an_example_of_each_kind() -> None:
    for code in (*RACES, "CNC315"):
        assert list(of(code, examples(code).bad)), code
        assert list(of(code, examples(code).good)), code
    assert {*RACES, "CNC315"} >= WRITTEN_HERE.keys()
