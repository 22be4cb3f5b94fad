"""The defects of the rules CNC3xx are real: each bad example loses something on PostgreSQL, each good one nothing.

The examples are those of the rules' pages, and more (see `examples`). Each is called twice, on two connections, and the
second call overtakes the first just before its first write (see `interleaving`). An example may be any function whose
parameters stand in ARGUMENTS and whose models are in `schema`; what it does must be what its race in RACES looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from sqlalchemy.exc import IntegrityError as SqlalchemyIntegrityError

from tests.rows.conftest import World
from tests.rows.examples import NOT_RUN, examples
from tests.rows.interleaving import SOON, Caller, Overtaken, overtake
from tests.rows.schema import DJANGO, models_for

from django.db import IntegrityError, transaction  # type: ignore[import-untyped]  # isort: skip  # schema configures Django

#: What the examples' functions are called with, by the names of their parameters; see `call` for the others.
#: Rows have the ids 1, 2, …, and what has a name or code is called x.
ARGUMENTS: dict[str, object] = {
    **dict.fromkeys(("pk", "id", "account_id", "job_id", "event_id", "document_id", "request_id", "source"), 1),
    "target": 2,
    "amount": 10,
    **dict.fromkeys(("n", "limit", "size"), 2),
    **dict.fromkeys(("name", "email", "slug", "code", "token", "value", "text"), "x"),
    **dict.fromkeys(("ids", "pks"), (1, 2, 3)),
    **dict.fromkeys(("request", "user"), None),
}
#: Those that are rows: of what, by its key 1.
ROWS = {"order": "Order", "event": "Event", "organizer": "Organizer", "document": "Document"}
#: What an example says to a caller who may not go on.
REFUSALS = (ValueError, DJANGO["LoginToken"].DoesNotExist)
COLLISIONS = (IntegrityError, SqlalchemyIntegrityError)


def accounts() -> None:
    for _ in range(2):
        DJANGO["Account"].objects.create(balance=100)


def jobs() -> None:
    """More of them than two callers take."""
    DJANGO["Queue"].objects.create()
    DJANGO["Job"].objects.bulk_create([DJANGO["Job"](queue_id=1) for _ in range(6)])


def states() -> None:
    for model in ("Job", "Order", "AccessRequest"):
        DJANGO[model].objects.create()


def parents() -> None:
    for model in ("Document", "Organizer", "Order"):
        DJANGO[model].objects.create()


def event() -> None:
    """One seat is left."""
    DJANGO["Event"].objects.create(capacity=1)


def event_and_accounts() -> None:
    event()
    accounts()


def codes() -> None:
    parents()
    for model in ("LoginToken", "Voucher"):
        DJANGO[model].objects.create()


def nothing() -> None:
    """The tables stay empty."""


def moved(ran: Overtaken) -> int:
    """How many of two changes by 10 there are."""
    ran.results  # noqa: B018 - raises what they raised
    return int(abs(DJANGO["Account"].objects.get(pk=1).balance - 100) // 10)


def went_on(ran: Overtaken) -> int:
    """How many of the two wrote, and were not told that they may not."""
    found = 0
    for caller in (ran.first, ran.second):
        if caller.error is not None and not isinstance(caller.error, REFUSALS):
            raise caller.error
        found += caller.error is None and caller.result is not False and caller.wrote
    return found


def taken_twice(ran: Overtaken) -> int:
    ids = [ident for result in ran.results for ident in result]
    return len(ids) - len(set(ids))


def stood_still(ran: Overtaken) -> bool:
    """Whether the second waited for the first, with four free jobs before it."""
    assert taken_twice(ran) == 0
    return ran.second.waited


def found_by_second(ran: Overtaken) -> int:
    """How many jobs the second found, while the first held two of six."""
    found = ran.results[1]
    return len(found) if found is not None else DJANGO["Job"].objects.filter(status="running").count() - 2


def collided(ran: Overtaken) -> bool:
    """Whether one of the two, which only want that it is there, fails because it is there already."""
    for caller in (ran.first, ran.second):
        if caller.error is not None and not isinstance(caller.error, COLLISIONS):
            raise caller.error
    assert sum(DJANGO[model].objects.count() for model in ("Tag", "User")) == 1
    return ran.first.error is not None or ran.second.error is not None


def numbers(ran: Overtaken) -> list[int]:
    ran.results  # noqa: B018 - raises what they raised
    return sorted(n for model in ("Invoice", "Version") for n in DJANGO[model].objects.values_list("number", flat=True))


def sold(ran: Overtaken) -> int:
    """How many were sold of the one seat that there is."""
    ran.results  # noqa: B018 - raises what they raised
    return int(DJANGO["Seat"].objects.count() + DJANGO["Booking"].objects.count())


def sold_or_lost(ran: Overtaken) -> bool:
    """Whether two seats were sold where there is one, or one of two transfers is lost."""
    return sold(ran) > 1 or moved(ran) == 1


class Race(NamedTuple):
    """What stands in the tables before, what is looked at after, and what that is in bad and in good examples."""

    before: Callable[[], None]
    look: Callable[[Overtaken], object]
    bad: object
    good: object


RACES = {
    "CNC301": Race(accounts, moved, bad=1, good=2),
    "CNC302": Race(states, went_on, bad=2, good=1),
    "CNC303": Race(accounts, moved, bad=1, good=2),
    "CNC304": Race(jobs, taken_twice, bad=2, good=0),
    "CNC305": Race(jobs, stood_still, bad=True, good=False),
    "CNC306": Race(jobs, found_by_second, bad=0, good=2),
    "CNC307": Race(nothing, collided, bad=True, good=False),
    "CNC308": Race(parents, numbers, bad=[1, 1], good=[1, 2]),
    "CNC309": Race(accounts, moved, bad=1, good=2),
    "CNC314": Race(event_and_accounts, sold_or_lost, bad=True, good=False),
    "CNC317": Race(event, sold, bad=2, good=1),
    "CNC318": Race(codes, went_on, bad=2, good=1),
}


class Example(NamedTuple):
    source: str
    function: str

    def load(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
        """Run the text of the example; what it imports of its application is there."""
        models = models_for(self.source)
        payments = types.ModuleType("app.payments")
        vars(payments)["refund"] = lambda order: None
        for name, module in {"app": types.ModuleType("app"), "app.models": models, "app.payments": payments}.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr("django.contrib.auth.login", lambda request, user: None)
        # Where an example is short of an import, its models are there all the same.
        namespace: dict[str, Any] = {key: value for key, value in vars(models).items() if not key.startswith("__")}
        exec(compile(self.source, "<example>", "exec"), namespace)
        found: Callable[..., object] = namespace[self.function]
        return found


def of(code: str, blocks: tuple[str, ...]) -> Iterator[Any]:
    """The functions of a rule's blocks."""
    for number, source in enumerate(blocks, start=1):
        for line in source.splitlines():
            words = line.removeprefix("async ").partition("(")[0].split(" ")
            if words[0] == "def" and (code, words[1]) not in NOT_RUN:
                yield pytest.param(code, Example(source, words[1]), id=f"{code}-{number}-{words[1]}")


BAD = [one for code in RACES for one in of(code, examples(code).bad)]
GOOD = [one for code in RACES for one in of(code, examples(code).good)]


def call(function: Callable[..., Any], world: World) -> object:
    """Call an example with what its parameters are named after, on a connection of its own."""
    names = list(inspect.signature(function).parameters)
    given = {name: ARGUMENTS[name] for name in names if name in ARGUMENTS}
    given |= {name: DJANGO[ROWS[name]].objects.filter(pk=1).first() for name in names if name in ROWS}
    if inspect.iscoroutinefunction(function):
        return asyncio.run(_call_async(function, world, given))
    with contextlib.ExitStack() as stack:
        stack.enter_context(world.django())
        for name in names:
            if name == "session":
                given[name] = stack.enter_context(world.session())
            elif name in ("connection", "cursor"):
                connection = stack.enter_context(world.connection())
                given[name] = connection if name == "connection" else connection.cursor()
        result = function(**given)
        # A row of SQLAlchemy cannot be asked for its key when its session is gone.
        return [getattr(row, "id", row) for row in result] if isinstance(result, list) else result


async def _call_async(function: Callable[..., Any], world: World, given: dict[str, Any]) -> object:
    async with world.async_session() as session:
        await function(session=session, **given)
    return None


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


@pytest.mark.parametrize("code", [*RACES, "CNC315"])
def test_every_race_has_an_example_of_each_kind(code: str) -> None:
    assert list(of(code, examples(code).bad))
    assert list(of(code, examples(code).good))


# What needs a look of its own


@pytest.mark.parametrize(("code", "example"), list(of("CNC314", examples("CNC314").bad)))
def test_no_lock_is_sent(code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event_and_accounts()
    ran = overtake(partial(call, example.load(monkeypatch), world), world.observer)
    assert "select_for_update" in example.source
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
    accounts()

    def locked() -> None:
        with world.django(), transaction.atomic():
            read(DJANGO["Account"].objects.select_for_update())

    caller = Caller(locked, stops=False)
    caller.start()
    caller.join()
    assert caller.error is None
    assert [True] == ["FOR UPDATE" in statement for statement in caller.statements if "accounts" in statement]


def locked_on_the_way(example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which of three rows are locked when an example waits for the third, which somebody else holds.

    The table has the third row first, so a statement that goes by the table alone comes to it before the others.
    """
    for pk in (3, 2, 1):
        DJANGO["Seat"].objects.create(pk=pk)
    caller = Caller(partial(call, example.load(monkeypatch), world), stops=False)
    with world.connection() as other:
        other.execute("SELECT FROM seat WHERE id = 3 FOR UPDATE")
        caller.start()
        waiting = "SELECT FROM pg_stat_activity WHERE pid = %s AND cardinality(pg_blocking_pids(pid)) > 0"
        while not caller.backend or world.observer.execute(waiting, (caller.backend,)).fetchone() is None:
            assert not caller.ended.wait(0.002), f"it met no lock: {caller.error!r}"
        free = [pk for (pk,) in other.execute("SELECT id FROM seat WHERE id < 3 FOR UPDATE SKIP LOCKED")]
    assert caller.ended.wait(SOON)
    assert caller.error is None
    return sorted({1, 2} - set(free))


@pytest.mark.parametrize(("code", "example"), list(of("CNC315", examples("CNC315").bad)))
def test_an_update_loses_its_order(code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to come to the third at last, it comes to it first, and has locked nothing by then."""
    assert [] == locked_on_the_way(example, world, monkeypatch)


@pytest.mark.parametrize(("code", "example"), list(of("CNC315", examples("CNC315").good)))
def test_rows_locked_in_order_before_the_update(
    code: str, example: Example, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [1, 2] == locked_on_the_way(example, world, monkeypatch)
