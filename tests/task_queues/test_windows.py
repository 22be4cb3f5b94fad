"""What CNC710 says of its examples is so: each call of a bad one writes, and of a good one's calls only the first.

Whether a row was written is what PostgreSQL says: every write gives it another `xmin`, the transaction that made the
row as it is now.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from flake8_concurrency import catalogue
from flake8_concurrency.rules.task_queues.unwindowed_update import UnwindowedUpdate
from flake8_concurrency.runtime.testing import PostgresServer
from tests.task_queues.windows_tables import MODELS, TABLE, ApiKey, Device

from django.db import connections  # type: ignore[import-untyped]  # isort: skip  # windows_tables configures Django

CALLS = 7
PAGE = catalogue.page(UnwindowedUpdate)
Call = Callable[[], object]


class Database(NamedTuple):
    observer: psycopg.Connection[Any]
    sessions: orm.sessionmaker[orm.Session]

    def version(self) -> str:
        """The transaction that last wrote the row."""
        found = self.observer.execute(f"SELECT xmin::text FROM {TABLE} WHERE id = 1").fetchone()
        assert found is not None
        return str(found[0])

    def writes(self, call: Call) -> int:
        """How many of so many calls write the row."""
        versions = [self.version()]
        for _ in range(CALLS):
            call()
            versions.append(self.version())
        return sum(before != after for before, after in itertools.pairwise(versions))


@pytest.fixture(scope="module")
def created(postgres: PostgresServer, database: str) -> Iterator[Database]:
    where = {"HOST": postgres.host, "PORT": str(postgres.port), "USER": postgres.user, "PASSWORD": postgres.password}
    values = {"ENGINE": "django.db.backends.postgresql", "NAME": database, **where}
    connections.settings = connections.configure_settings({"default": values})
    with contextlib.suppress(AttributeError):
        del connections["default"]  # defining a model has made a dummy of it
    with connections["default"].schema_editor() as editor:
        editor.create_model(Device)
    engine = sa.create_engine(postgres.url(database, driver="psycopg"))
    with psycopg.connect(postgres.url(database), autocommit=True) as observer:
        yield Database(observer, orm.sessionmaker(engine))
    engine.dispose()
    connections.close_all()


@pytest.fixture
def rows(created: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """One row, last seen and used long ago, and models for the examples."""
    created.observer.execute(f"TRUNCATE {TABLE} RESTART IDENTITY")
    created.observer.execute(
        f"INSERT INTO {TABLE} (token, last_seen, last_used_at) VALUES ('x', '2001-01-01Z', '2001-01-01Z')"
    )
    monkeypatch.setitem(sys.modules, "app", ModuleType("app"))
    monkeypatch.setitem(sys.modules, "app.models", MODELS)
    return created


def defined(block: str) -> dict[str, Any]:
    """What a block of the page defines."""
    names: dict[str, Any] = {"__name__": "page", "ApiKey": ApiKey}
    exec(compile(block, "page", "exec"), names)  # it is our own page
    return names


def block_of(blocks: tuple[str, ...], words: str) -> str:
    (found,) = (block for block in blocks if words in block)
    return found


def request(block: str) -> Call:
    """Lets the middleware of a block answer a request, whose user Django reads anew each time."""
    answer = defined(block)["LastSeenMiddleware"](lambda request: request)

    def call() -> None:
        answer(SimpleNamespace(user=Device.objects.get(pk=1)))

    return call


def test_middleware_that_looks_at_no_clock_writes_with_every_request(rows: Database) -> None:
    assert rows.writes(request(block_of(PAGE.bad, "LastSeenMiddleware"))) == CALLS


def test_middleware_with_a_window_writes_once(rows: Database) -> None:
    assert rows.writes(request(block_of(PAGE.good, "LastSeenMiddleware"))) == 1


def test_a_key_that_is_marked_with_every_call_is_written_with_every_call(rows: Database) -> None:
    authenticate = defined(block_of(PAGE.bad, "def authenticate"))["authenticate"]

    def call() -> None:
        with rows.sessions() as session:
            assert authenticate(session, "x") == 1

    assert rows.writes(call) == CALLS


def test_the_window_in_the_where_lets_one_update_write(rows: Database) -> None:
    touch = defined(block_of(PAGE.good, "last_seen__lt"))["touch"]
    assert rows.writes(lambda: touch(1)) == 1
