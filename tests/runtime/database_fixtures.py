"""The servers of the runtime's tests. tests/conftest.py imports the fixtures: one server for a session."""

from __future__ import annotations

import importlib
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flake8_concurrency.runtime.testing import PostgresServer, ServerUnavailable, postgres_server

#: The variable that selects an existing MariaDB: host:port, for root without a password.
MARIADB_VARIABLE = "FLAKE8_CONCURRENCY_MARIADB"


def unavailable(reason: str) -> None:
    """Skip visibly; on CI, where every server must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"with CI set a skip is a failure: {reason}")
    pytest.skip(reason)


def eventually(condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
    """Wait until a condition is true that another process or server brings about, and that it gives no event for."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {condition}"
        time.sleep(0.002)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        server = postgres_server()
        started = server.__enter__()
    except ServerUnavailable as error:
        unavailable(str(error))
        raise
    try:
        yield started
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of a database of the module's own; `postgres.url(database, driver=…)` is its address."""
    with postgres.database() as name:
        yield name


def connect(host: str, port: int) -> Any:
    """A connection; the driver is imported late, because the tests of the core run without it."""
    return importlib.import_module("pymysql").connect(host=host, port=port, user="root", autocommit=True)


@pytest.fixture(scope="session")
def mariadb() -> tuple[str, int]:
    """Where a MariaDB listens."""
    host, _, port = os.environ.get(MARIADB_VARIABLE, "127.0.0.1:3306").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
        connect(host, int(port)).close()
    except Exception as error:  # noqa: BLE001 - nothing there, no driver, or not for us: each is a reason
        unavailable(f"needs MariaDB on {host}:{port} for root without a password ({MARIADB_VARIABLE}): {error}")
    return host, int(port)


@pytest.fixture(scope="module")
def mariadb_database(mariadb: tuple[str, int]) -> Iterator[str]:
    """`user@host:port/name` of a database of the module's own, for `mysql+<driver>://`."""
    host, port = mariadb
    name = f"test_{uuid.uuid4().hex[:12]}"
    with connect(host, port) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield f"root@{host}:{port}/{name}"
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")
