"""Calls that wait for somebody else, each with where it takes its timeout.

Keys are those of `blocking`; values are the position of the timeout, without `self`, None where it has only a name.
Checked against the library reference of CPython 3.11 to 3.14 and the source of requests 2.34, urllib3 2.8, httpx 0.28,
aiohttp 3.14, redis 8.1, filelock 4.2, psycopg 3.3, psycopg2 2.9.
"""

from __future__ import annotations

from typing import NamedTuple

_PROCESS_LOCKS = ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "SemLock", "Condition")

#: Locks of threads and of one program's processes.
ACQUIRES: dict[str, int] = {
    **{f"threading.{name}.acquire": 1 for name in ("Lock", "RLock", "Semaphore", "Condition")},
    **{f"multiprocessing.synchronize.{name}.acquire": 1 for name in _PROCESS_LOCKS},
}

QUEUES: dict[str, int] = {
    "queue.Queue.get": 1,
    "queue.SimpleQueue.get": 1,
    "multiprocessing.queues.Queue.get": 1,
    "queue.Queue.put": 2,
    "multiprocessing.queues.Queue.put": 2,
}

_SIGNALS = {"Event.wait": 0, "Condition.wait": 0, "Condition.wait_for": 1, "Barrier.wait": 0}
SIGNALS: dict[str, int] = {
    f"{module}.{method}": position
    for module in ("threading", "multiprocessing.synchronize")
    for method, position in _SIGNALS.items()
}

PROCESSES: dict[str, int] = {"subprocess.Popen.wait": 0, "subprocess.Popen.communicate": 1}

_VERBS = "get options head post put patch delete request"


def _each(owner: str, names: str, position: int | None = None) -> dict[str, int | None]:
    return {f"{owner}.{name}": position for name in names.split()}


#: Requests that have no timeout unless they are given one.
REQUESTS: dict[str, int | None] = {
    **_each("requests", _VERBS),
    **_each("requests.Session", f"{_VERBS} send"),
    "requests.Session.request": 8,
    "urllib.request.urlopen": 2,
    "urllib.request.OpenerDirector.open": 2,
    # Also the constructor of the pool can give one.
    **_each("urllib3.PoolManager", "request urlopen request_encode_url request_encode_body"),
    **_each("urllib3.HTTPConnectionPool", "request urlopen request_encode_url request_encode_body"),
    **_each("urllib3._request_methods.RequestMethods", "request urlopen request_encode_url request_encode_body"),
    "urllib3.request": None,
}
#: Where a timeout stands in the constructor, for the clients of which requests inherit it.
CLIENT_TIMEOUTS: dict[str, int | None] = {
    "urllib3.PoolManager": None,
    "urllib3.ProxyManager": None,
    "urllib3.HTTPConnectionPool": 2,
    "urllib3.HTTPSConnectionPool": 2,
}
#: Clients with a timeout of their own, which `timeout=None` turns off: functions, classes and methods of sync ones.
PATIENT: frozenset[str] = frozenset(
    {
        *_each("httpx", f"{_VERBS} stream Client AsyncClient"),
        *_each("httpx.Client", f"{_VERBS} stream"),
        "aiohttp.ClientSession",
    }
)


class Bound(NamedTuple):
    """How a connection gets a bound: any of these arguments, by name, or by this position."""

    names: tuple[str, ...]
    position: int | None = None


_REDIS = Bound(("socket_timeout", "connection_pool", "timeout"))
_POSTGRES = Bound(("connect_timeout",))
_TIMEOUT_1, _TIMEOUT_2 = Bound(("timeout",), 1), Bound(("timeout",), 2)

#: Connections that wait for ever by default. Those to PostgreSQL also take the bound in their first argument.
CONNECTIONS: dict[str, Bound] = {
    "redis.Redis": _REDIS,
    "redis.from_url": _REDIS,
    "redis.Redis.from_url": _REDIS,
    "smtplib.SMTP": Bound(("timeout",), 3),
    "smtplib.SMTP_SSL": Bound(("timeout",), 5),
    "ftplib.FTP": Bound(("timeout",), 4),
    "ftplib.FTP_TLS": Bound(("timeout",), 6),
    "imaplib.IMAP4": _TIMEOUT_2,
    "imaplib.IMAP4_SSL": Bound(("timeout",)),
    "poplib.POP3": _TIMEOUT_2,
    "poplib.POP3_SSL": Bound(("timeout",)),
    "telnetlib.Telnet": _TIMEOUT_2,
    "http.client.HTTPConnection": _TIMEOUT_2,
    "http.client.HTTPSConnection": Bound(("timeout",)),
    "socket.create_connection": _TIMEOUT_1,
    "psycopg.connect": _POSTGRES,
    "psycopg.Connection.connect": _POSTGRES,
    "psycopg2.connect": _POSTGRES,
}
#: Those that connect only when they are told where to.
NEEDS_HOST: frozenset[str] = frozenset({"smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "ftplib.FTP_TLS"})


class SharedLock(NamedTuple):
    """A lock that other processes hold: how its maker and its `acquire` bound the wait.

    `maker` and `acquire` are the names that bound it, each with its position; `switch` is the one that, when False,
    makes it not wait at all.
    """

    maker: tuple[str, int | None]
    acquire: tuple[str, int | None]
    switch: tuple[str, int | None]
    #: The position of `switch` in the constructor.
    made: tuple[str, int | None]


_REDIS_LOCK = SharedLock(("blocking_timeout", 4), ("blocking_timeout", 2), ("blocking", 1), ("blocking", 3))
_FILE_LOCK = SharedLock(("timeout", 1), ("timeout", 0), ("blocking", None), ("blocking", None))
SHARED_LOCKS: dict[str, SharedLock] = {
    "redis.lock.Lock": _REDIS_LOCK,
    "redis.asyncio.lock.Lock": _REDIS_LOCK,
    "valkey.lock.Lock": _REDIS_LOCK,
    "valkey.asyncio.lock.Lock": _REDIS_LOCK,
    "filelock.BaseFileLock": _FILE_LOCK,
    "filelock.AsyncFileLock": _FILE_LOCK,
}
