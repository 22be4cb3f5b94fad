"""CNC702: a poller on the queue of what it polls for waits until all of that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import celery  # type: ignore[import-untyped]
import pytest

from tests.task_queues.conftest import REDIS, Workers, example

#: `app.models` of the page is here: three reports are due, and building one takes until the test lets it go on.
APP = """
import json, os, sys, types
import celery, redis

RUN, REDIS = os.environ["RUN"], os.environ["REDIS"]
app = celery.Celery("work", broker=REDIS)
app.conf.update(
    task_ignore_result=True,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"global_keyprefix": RUN + ":", "polling_interval": 0.05},
)
app.set_default()
out = redis.Redis.from_url(REDIS)

def say(*what):
    out.rpush(RUN + ":said", json.dumps(what))

class Report:
    def __init__(self, pk):
        self.pk = pk

    def build(self):
        say("build", self.pk)
        out.blpop(RUN + ":release", 60)

class Reports:
    def filter(self, due):
        say("poll")
        return [Report(pk) for pk in (1, 2, 3)]

    def get(self, pk):
        return Report(pk)

Report.objects = Reports()
sys.modules["app"] = types.ModuleType("app")
sys.modules["app.models"] = types.ModuleType("app.models")
sys.modules["app.models"].Report = Report
exec(compile(os.environ["PAGE"], "page", "exec"), {"__name__": "page"})
"""


class Page:
    """The workers of a page's block, and its poller."""

    def __init__(self, workers: Workers, queue: str) -> None:
        self._workers = workers
        self._queue = queue
        self.app = celery.Celery("beat", broker=REDIS, set_as_current=False)
        self.app.conf.broker_transport_options = {"global_keyprefix": f"{workers.run}:"}

    def poll(self) -> None:
        """What the beat does."""
        self.app.send_task("page.poll_reports", queue=self._queue)

    def said(self) -> Any:
        return self._workers.said()

    def next(self) -> Any:
        """What comes when the report that is being built is done."""
        self._workers.release()
        return self._workers.said()


@pytest.fixture
def page(request: pytest.FixtureRequest, new_workers: Callable[..., Workers]) -> Iterator[Page]:
    heading, queues = request.param
    workers = new_workers(APP, PAGE=example("CNC702", heading, 0))
    for queue in queues:
        workers.start(queue)
    made = Page(workers, queues[0])
    yield made
    made.app.close()


@pytest.mark.parametrize("page", [("bad", ["reports"])], indirect=True, ids=["bad"])
def test_a_poller_that_shares_its_queue_starves(page: Page) -> None:
    page.poll()
    assert [page.said(), page.said()] == [["poll"], ["build", 1]]
    # The next round is due while the first report is being built.
    page.poll()
    assert [page.next() for _ in range(3)] == [["build", 2], ["build", 3], ["poll"]]


@pytest.mark.parametrize("page", [("good", ["schedule", "execution"])], indirect=True, ids=["good"])
def test_a_poller_with_a_queue_of_its_own_does_not(page: Page) -> None:
    page.poll()
    assert [page.said(), page.said()] == [["poll"], ["build", 1]]
    page.poll()
    assert page.said() == ["poll"]
    # And nothing was built meanwhile.
    assert page.next() == ["build", 2]
