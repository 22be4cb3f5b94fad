"""A server with the tables, and how the examples reach it: each statement they send is told to `interleaving`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from flake8_concurrency.runtime.testing import PostgresServer
from tests.rows.interleaving import WatchedCursor, ends, sends
from tests.rows.schema import DJANGO

from django.db import connections  # type: ignore[import-untyped]  # isort: skip  # schema configures Django


class World:
    """The database of the tests, and three ways to it."""

    def __init__(self, url: str, engine: sa.Engine, observer: psycopg.Connection[Any]) -> None:
        self.observer = observer
        self._url = url
        self._driver_url = engine.url
        self._sessions = orm.sessionmaker(engine)

    @contextlib.contextmanager
    def session(self) -> Iterator[orm.Session]:
        """A session whose owner commits."""
        with self._sessions() as session:
            yield session
            ends()
            session.commit()

    @contextlib.asynccontextmanager
    async def async_session(self) -> AsyncIterator[AsyncSession]:
        """The same on an event loop; an engine belongs to one loop."""
        engine = create_async_engine(self._driver_url)
        sa.event.listen(engine.sync_engine, "before_cursor_execute", _tell_async)
        try:
            async with AsyncSession(engine) as session:
                yield session
                ends()
                await session.commit()
        finally:
            await engine.dispose()

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the driver, in one transaction."""
        with psycopg.connect(self._url, cursor_factory=WatchedCursor) as connection:
            yield connection

    @contextlib.contextmanager
    def django(self) -> Iterator[None]:
        """This thread's connection of Django, while it is told what that sends."""
        with contextlib.closing(connections["default"]) as connection, connection.execute_wrapper(_tell):
            yield


def _tell(execute: Any, statement: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    wrapper = context["connection"]
    wrapper.ensure_connection()
    sends(statement, wrapper.connection)
    return execute(statement, params, many, context)


def _tell_async(connection: Any, cursor: Any, statement: str, *others: object) -> None:
    sends(statement, connection.connection.driver_connection)


@pytest.fixture(scope="module")
def created(postgres: PostgresServer, database: str) -> Iterator[World]:
    values = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": postgres.host,
        "PORT": str(postgres.port),
        "USER": postgres.user,
        "PASSWORD": postgres.password,
        "NAME": database,
    }
    connections.settings = connections.configure_settings({"default": values})
    with contextlib.suppress(AttributeError):
        del connections["default"]  # defining a model has made a dummy of it
    with connections["default"].schema_editor() as editor:
        for model in DJANGO.values():
            editor.create_model(model)
    engine = sa.create_engine(postgres.url(database, driver="psycopg"))

    def tell(connection: Any, cursor: Any, statement: str, *others: object) -> None:
        sends(statement, connection.connection.dbapi_connection)

    sa.event.listen(engine, "before_cursor_execute", tell)
    url = postgres.url(database)
    with psycopg.connect(url, autocommit=True) as observer:
        yield World(url, engine, observer)
    engine.dispose()
    connections.close_all()


@pytest.fixture
def world(created: World) -> World:
    """The database with empty tables."""
    names = ", ".join(model._meta.db_table for model in DJANGO.values())
    created.observer.execute(f"TRUNCATE {names} RESTART IDENTITY")
    return created
