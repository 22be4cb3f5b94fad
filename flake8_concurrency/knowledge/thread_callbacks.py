"""What libraries call in threads of their own, or of a pool: callbacks, handlers and jobs.

Checked against the source of CPython 3.11, watchdog 7.1, APScheduler 3.11, paho-mqtt 2.2, pynput 1.8, zeroconf 0.154,
google-cloud-pubsub 2.44, Flask 3.1, FastAPI 0.165 and Starlette 1.10. `schedule` and `signal.signal` are left out:
they call back in the thread that runs them.
"""

from __future__ import annotations

from typing import NamedTuple

from flake8_concurrency.knowledge.notation import members
from flake8_concurrency.knowledge.schema import ClassFact


class Callbacks(NamedTuple):
    """Which arguments of a call are called back; positions leave out `self`."""

    positions: tuple[int, ...]
    keywords: tuple[str, ...]
    #: Several threads call the same one at once.
    several: bool = False


class Handlers(NamedTuple):
    """Which methods of a class derived from a library's run in threads; with a `prefix` all that begin with it."""

    methods: frozenset[str]
    prefix: str = ""
    #: Several threads call them at once, each on an object of its own.
    several: bool = False
    #: Words one of which shows in the file that a server gives each request a thread.
    shown_by: frozenset[str] = frozenset()


_THREADING_SERVERS = frozenset(
    "ThreadingMixIn ThreadingTCPServer ThreadingUDPServer ThreadingHTTPServer ThreadingUnixStreamServer".split()
)
_REQUESTS = Handlers(frozenset({"handle", "setup", "finish"}), several=True, shown_by=_THREADING_SERVERS)
_WATCHERS = Handlers(frozenset({"dispatch"}), prefix="on_")

#: By base class.
HANDLERS: dict[str, Handlers] = {
    "watchdog.events.FileSystemEventHandler": _WATCHERS,
    "socketserver.BaseRequestHandler": _REQUESTS,
    "http.server.BaseHTTPRequestHandler": _REQUESTS._replace(prefix="do_"),
    # AsyncServiceBrowser calls it on the event loop.
    "zeroconf.ServiceListener": Handlers(
        frozenset({"add_service", "remove_service", "update_service"}), shown_by=frozenset({"ServiceBrowser"})
    ),
}

_JOB = Callbacks((0,), ("func",))
#: By qualified function, or by method of the class that defines it.
CALLBACKS: dict[str, Callbacks] = {
    "concurrent.futures.Future.add_done_callback": Callbacks((0,), ("fn",), several=True),
    # A dependency that is a plain `def` runs in the thread pool, as such an endpoint does.
    "fastapi.Depends": Callbacks((0,), ("dependency",), several=True),
    "apscheduler.schedulers.background.BackgroundScheduler.add_job": _JOB,
    "apscheduler.schedulers.blocking.BlockingScheduler.add_job": _JOB,
    "pynput.keyboard.Listener": Callbacks((0, 1), ("on_press", "on_release")),
    "pynput.mouse.Listener": Callbacks((0, 1, 2), ("on_move", "on_click", "on_scroll")),
    "zeroconf.ServiceBrowser": Callbacks((2, 3), ("handlers", "listener")),
    "google.cloud.pubsub_v1.SubscriberClient.subscribe": Callbacks((1,), ("callback",), several=True),
    "paho.mqtt.client.Client.message_callback_add": Callbacks((1,), ("callback",)),
}
#: Decorators that are methods: `@scheduler.scheduled_job("interval", seconds=5)`.
DECORATORS: frozenset[str] = frozenset(
    {
        "apscheduler.schedulers.background.BackgroundScheduler.scheduled_job",
        "apscheduler.schedulers.blocking.BlockingScheduler.scheduled_job",
    }
)
#: Attributes to which callbacks are assigned, by class: the client calls them all in its one thread.
ASSIGNED: dict[str, frozenset[str]] = {
    "paho.mqtt.client.Client": frozenset(
        """on_connect on_connect_fail on_disconnect on_log on_message on_pre_connect on_publish on_subscribe
        on_unsubscribe""".split()
    ),
}
#: What starts the thread of a client to whose attributes callbacks are assigned; without it the caller runs them.
STARTS = frozenset({"loop_start"})

#: Decorators of request handlers that a framework runs in threads, many at once: by package, the last names.
ROUTES: dict[str, frozenset[str]] = {
    # The server that comes with Flask, and every threaded WSGI server, gives each request a thread.
    "flask": frozenset(
        """route get post put delete patch before_request after_request teardown_request errorhandler
        before_app_request app_errorhandler""".split()
    ),
    # Endpoints and dependencies that are plain `def` run in a thread pool.
    "fastapi": frozenset("get post put delete patch options head api_route".split()),
}

CLASSES: dict[str, ClassFact] = {
    "apscheduler.schedulers.blocking.BlockingScheduler": ClassFact(
        members={**members("add_job scheduled_job", "() -> ?"), **members("start shutdown", "() -> None")}
    ),
    "apscheduler.schedulers.background.BackgroundScheduler": ClassFact(
        ("apscheduler.schedulers.blocking.BlockingScheduler",)
    ),
    "watchdog.events.FileSystemEventHandler": ClassFact(),
    "watchdog.events.PatternMatchingEventHandler": ClassFact(("watchdog.events.FileSystemEventHandler",)),
    "watchdog.events.RegexMatchingEventHandler": ClassFact(("watchdog.events.FileSystemEventHandler",)),
    "watchdog.events.LoggingEventHandler": ClassFact(("watchdog.events.FileSystemEventHandler",)),
    "zeroconf.ServiceListener": ClassFact(),
    "paho.mqtt.client.Client": ClassFact(members=members("message_callback_add loop_start loop_stop", "() -> ?")),
    "google.cloud.pubsub_v1.SubscriberClient": ClassFact(
        members={"subscribe": "() -> ?", "__enter__": "() -> Self", "close": "() -> None"}
    ),
}
ALIASES: dict[str, str] = {
    "google.cloud.pubsub.SubscriberClient": "google.cloud.pubsub_v1.SubscriberClient",
}
