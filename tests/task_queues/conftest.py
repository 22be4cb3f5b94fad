"""Celery's real workers, a broker each, and PostgreSQL: the code of the rules' pages is run between them."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import textwrap
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import kombu
import kombu.pools
import pytest
import redis

from flake8_concurrency import catalogue
from tests.runtime.database_fixtures import unavailable

ROOT = Path(__file__).parents[2]
REDIS = os.environ.get("FLAKE8_CONCURRENCY_REDIS", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("FLAKE8_CONCURRENCY_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")
#: How long anything may take that is expected to happen, in seconds; a test only ever waits that long to fail.
LONG = 30


def example(code: str, heading: str, number: int) -> str:
    """A block of a rule's page."""
    (rule,) = (rule for rule in catalogue.rules() if rule.code == code)
    blocks: tuple[str, ...] = getattr(catalogue.page(rule), heading)
    return blocks[number]


def run_page(block: str, monkeypatch: pytest.MonkeyPatch, **modules: Mapping[str, object]) -> dict[str, Any]:
    """Run a block with modules of an `app` that its author would have; what it has defined."""
    for name, contents in {"": {}, **modules}.items():
        made = ModuleType(f"app.{name}".rstrip("."))
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, made.__name__, made)
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "page", "exec"), namespace)  # it is our own page
    return namespace


def answers(url: str) -> bool:
    connection: Any = kombu.Connection(url, connect_timeout=2)  # type: ignore[attr-defined, no-untyped-call]
    try:
        with connection:
            connection.connect()
    except connection.connection_errors:
        return False
    return True


class Workers:
    """Workers of one app, which the text defines, and what they say to the test through Redis."""

    def __init__(self, directory: Path, text: str, environment: dict[str, str], client: Any) -> None:
        self.run = environment["RUN"]
        self.client = client
        self._directory = directory
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self._started: list[subprocess.Popen[bytes]] = []
        (directory / "work.py").write_text(textwrap.dedent(text))

    def start(self, queue: str) -> None:
        options = "--pool=solo --without-gossip --without-mingle --without-heartbeat --loglevel=INFO".split()
        with (self._directory / f"{len(self._started)}.log").open("wb") as log:
            command = [sys.executable, "-m", "celery", "-A", "work", "worker", "-Q", queue, "-n", queue, *options]
            self._started.append(
                subprocess.Popen(command, cwd=self._directory, env=self._environment, stdout=log, stderr=log)
            )

    def said(self) -> Any:
        """The next that a worker says."""
        answer = self.client.blpop(f"{self.run}:said", LONG)
        assert answer, "".join(log.read_text() for log in self._directory.glob("*.log"))
        return json.loads(answer[1])

    def release(self) -> None:
        """Let a task go on that waits for it."""
        self.client.rpush(f"{self.run}:release", "go")

    def stop(self) -> None:
        for worker in self._started:
            worker.kill()
        for worker in self._started:
            worker.wait(LONG)
        if keys := list(self.client.scan_iter(f"*{self.run}*")):
            self.client.delete(*keys)


@pytest.fixture(scope="session")
def said_through() -> Iterator[Any]:
    """The Redis through which workers speak to a test, whatever their broker."""
    if not answers(REDIS):
        unavailable(f"no server answers at {REDIS}")
    with redis.Redis.from_url(REDIS, socket_timeout=2 * LONG) as client:
        yield client


@pytest.fixture(scope="module")
def new_workers(said_through: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Workers]]:
    """Make workers of an app of this text, with these names in their environment."""
    with contextlib.ExitStack() as stack:

        def make(text: str, **environment: str) -> Workers:
            run = f"cnc-test-{uuid.uuid4().hex}"
            names = {"RUN": run, "REDIS": REDIS, **environment}
            made = Workers(tmp_path_factory.mktemp("celery"), text, names, said_through)
            stack.callback(made.stop)
            return made

        yield make
    # Celery and Kombu leave sockets to the garbage collector, whose warning would hit some later test.
    kombu.pools.reset()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
