"""The built wheel alone in an empty environment: the core works, each extra needs its library only, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import venv
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LIMIT = 60

#: What each extra's module does with its library, and without it.
USES = {
    "sqlalchemy": """
        from sqlalchemy import DateTime, create_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
        from flake8_concurrency.runtime.errors import LockingUnsupported
        from flake8_concurrency.runtime.sqlalchemy import claim_batch, update_if_stale

        class Base(DeclarativeBase): ...
        class Account(Base):
            __tablename__ = "account"
            id: Mapped[int] = mapped_column(primary_key=True)
            seen_at: Mapped[object] = mapped_column(DateTime(), nullable=True)

        engine = create_engine("sqlite://")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(Account(id=1))
            session.flush()
            told = [update_if_stale(session, Account, 1, "seen_at", window=60.0) for _ in range(2)]
            assert [True, False] == told, told
            try:
                claim_batch(session, Account, limit=1, lease=1.0, max_attempts=None, order_by=Account.id)
            except LockingUnsupported:
                pass
            else:
                raise AssertionError("SQLite has no locks")
        engine.dispose()
    """,
    "django": """
        from django.conf import settings
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        import django
        django.setup()
        from flake8_concurrency.runtime.django import run_transaction
        assert 7 == run_transaction(lambda: 7, attempts=1, timeout=1.0)
    """,
    "redis": """
        from flake8_concurrency.runtime.redis import RedisCoalescer, RedisGate
        RedisGate.from_url("redis://localhost", "gate", window=1.0)
        RedisCoalescer.from_url("redis://localhost", "coalescer", lease=1.0)
    """,
    "celery": """
        from flake8_concurrency.runtime.celery import TaskQueues
        class App:
            class conf: ...
        TaskQueues("one", routes={"*": "one"}).install(App())
        assert "one" == App.conf.task_queues[0].name
    """,
}

#: Run after each: nothing of the linter was imported, nor what it needs.
NOTHING_OF_THE_LINTER = """
import sys
roots = {name.partition(".")[0] for name in sys.modules}
assert not roots & {"flake8", "libcst", "pycodestyle", "pyflakes"}, roots
ours = {name for name in sys.modules if name.partition(".")[0] == "flake8_concurrency"}
assert all((name + ".").startswith("flake8_concurrency.runtime.") for name in ours - {"flake8_concurrency"}), ours
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel and nothing else, pip included."""
    directory = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", f"--find-links={directory}"]
    python = directory / "env" / "bin" / "python"
    venv.create(directory / "env", with_pip=False, symlinks=True)
    for command in (
        [*pip, "wheel", "--no-deps", f"--wheel-dir={directory}", str(ROOT)],
        [*pip, f"--python={python}", "install", *offline, "flake8-concurrency"],
    ):
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert 0 == done.returncode, done.stderr
    return python


@pytest.fixture
def run(bare: Path, tmp_path: Path) -> Callable[..., None]:
    """Run code there, the source out of reach and warnings as errors; libraries from a directory, if one is given."""

    def run(code: str, libraries: Path | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        if libraries:
            environment["PYTHONPATH"] = str(libraries)
        command = [str(bare), "-W", "error", "-c", textwrap.dedent(code) + NOTHING_OF_THE_LINTER]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        assert (0, "") == (done.returncode, done.stderr)

    return run


def needed(name: str) -> Iterator[str]:
    """A distribution and all that it needs, extras left out."""
    waiting, seen = [name], set[str]()
    while waiting:
        if (each := waiting.pop()) in seen:
            continue
        seen.add(each)
        try:
            requires = distribution(each).requires or []
        except PackageNotFoundError:  # optional on this machine, such as greenlet
            continue
        yield each
        requirements = map(Requirement, requires)
        waiting += [one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]


def link(name: str, directory: Path) -> Path:
    """A directory with links to that library and what it needs: an environment without anything else, at no cost."""
    directory.mkdir()
    for each in needed(name):
        for top in {
            file.parts[0] for file in distribution(each).files or () if file.parts[0] not in {"..", "__pycache__"}
        }:
            target = Path(str(distribution(each).locate_file(top)))
            if target.exists() and not (directory / top).exists():
                (directory / top).symlink_to(target)
    assert not (directory / "libcst").exists()
    return directory


def test_the_environment_is_empty(run: Callable[..., None]) -> None:
    run(
        """
        from importlib.metadata import distributions
        from importlib.util import find_spec
        assert ["flake8-concurrency"] == [each.metadata["Name"] for each in distributions()]
        libraries = "flake8", "libcst", "sqlalchemy", "django", "redis", "celery", "kombu"
        assert not any(map(find_spec, libraries))
        """
    )


def test_importing_the_core_starts_no_thread(run: Callable[..., None]) -> None:
    run(
        """
        import threading
        from flake8_concurrency.runtime import aio, coalesce, errors, guard, pool, report, retry, testing, wait
        assert [threading.main_thread()] == threading.enumerate()
        """
    )


def test_pool_and_wait(run: Callable[..., None]) -> None:
    run(
        """
        import threading
        from flake8_concurrency.runtime.errors import DeadlineExceeded
        from flake8_concurrency.runtime.pool import BoundedExecutor
        from flake8_concurrency.runtime.wait import map_bounded, wait_all
        with BoundedExecutor(max_workers=2, max_pending=2, submit_timeout=5.0) as pool:
            report = wait_all([pool.submit(pow, each, 2) for each in range(20)], timeout=5.0)
        assert [each ** 2 for each in range(20)] == report.results()
        assert [1, 2] == map_bounded(len, ["a", "bc"], max_workers=2, timeout=5.0)
        try:
            map_bounded(threading.Event().wait, [60.0], max_workers=1, timeout=0.01)
        except DeadlineExceeded as error:
            assert 1 == len(error.report.running)
        else:
            raise AssertionError("the deadline has passed")
        """
    )


def test_aio(run: Callable[..., None]) -> None:
    run(
        """
        import asyncio
        from flake8_concurrency.runtime.aio import Offloader, background, gather_bounded
        async def main():
            with Offloader(max_threads=2, queue_timeout=5.0) as offload:
                async def square(number):
                    return await offload(pow, number, 2, timeout=5.0)
                assert [0, 1, 4] == await gather_bounded(square, range(3), limit=2, timeout=5.0)
                assert 9 == await background(square(3))
        asyncio.run(main())
        """
    )


def test_coalesce(run: Callable[..., None]) -> None:
    run(
        """
        from flake8_concurrency.runtime.coalesce import Coalescer
        written = []
        with Coalescer(written.append, window=60.0, max_keys=10, close_timeout=5.0) as values:
            for each in range(100):
                values.put("key", each)
        assert [{"key": 99}] == written, written
        """
    )


def test_guard(run: Callable[..., None]) -> None:
    run(
        """
        import threading
        from flake8_concurrency.runtime import guard
        from flake8_concurrency.runtime.errors import NotGuarded
        guard.checks(True)
        class Stock:
            count = guard.guarded_by("lock")
            def __init__(self):
                self.lock, self.count = threading.RLock(), 1
        stock = Stock()
        with stock.lock:
            stock.count -= 1
        try:
            stock.count
        except NotGuarded:
            pass
        else:
            raise AssertionError("the lock is not held")
        """
    )


@pytest.mark.parametrize("extra", USES)
def test_without_its_library_an_extra_says_what_to_install(run: Callable[..., None], extra: str) -> None:
    # Django's and SQLAlchemy's own lines would fail first: there the import of our module is all.
    use = {name: f"import flake8_concurrency.runtime.{name}" for name in ("sqlalchemy", "django")}.get(
        extra, USES[extra]
    )
    code = f"""
from flake8_concurrency.runtime.errors import MissingExtra
try:
{textwrap.indent(textwrap.dedent(use), "    ")}
except MissingExtra as error:
    assert {extra!r} == error.extra
    assert "pip install 'flake8-concurrency[{extra}]'" in str(error)
    assert isinstance(error, ImportError)
else:
    raise AssertionError("there is no such library here")
"""
    run(code)


@pytest.mark.parametrize("extra", USES)
def test_an_extra_needs_nothing_but_its_library(run: Callable[..., None], tmp_path: Path, extra: str) -> None:
    run(USES[extra], link(extra, tmp_path / "libraries"))
