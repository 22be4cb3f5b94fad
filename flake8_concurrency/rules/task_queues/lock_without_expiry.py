"""CNC712 lock-without-expiry."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.key_lock_shapes import CLIENTS, KEYS, answers_lock, asks_lock, speaks_of_keys
from flake8_concurrency.rule import Gate, Rule


class LockWithoutExpiry(Rule):
    """A lock in Redis has no time after which it is given up, or a key is read and then deleted in a second step.

    A worker that is killed while it holds the lock leaves it there for ever, and nobody does the work any more until
    somebody deletes the key by hand. Between a read and a delete another process may write, which is lost, or read the
    same.

    Bad:

        def run_report(redis_client, report):
            if not redis_client.set("lock:report", "1", nx=True):
                return
            try:
                report()
            finally:
                redis_client.delete("lock:report")

    Bad:

        import redis

        client = redis.Redis(socket_timeout=5)

        def settle(account):
            with client.lock(f"account:{account}", blocking_timeout=10):
                return account

    Bad:

        def take_visits(redis_client):
            visits = redis_client.hgetall("visits")
            redis_client.delete("visits")
            return visits

    Good:

        def run_report(redis_client, report):
            if not redis_client.set("lock:report", "1", nx=True, ex=600):
                return
            try:
                report()
            finally:
                redis_client.delete("lock:report")

    Good:

        import redis

        client = redis.Redis(socket_timeout=5)

        def settle(account):
            with client.lock(f"account:{account}", timeout=60, blocking_timeout=10):
                return account

    Good:

        def take_last(redis_client):
            return redis_client.getdel("last")

    Good:

        from flake8_concurrency.runtime import RedisCoalescer

        def write_visits(visits: RedisCoalescer[int], write):
            return visits.drain(write)

    Known limits:
        `set(nx=True)` and `setnx` are locks where the key, the name of what comes out, the function or the class says
        so; others only keep what is there first. Any call of the function that sets an expiry is taken for the lock's,
        and a value with a time in it for a lock that says itself until when it is held. A client of unknown type counts
        by its name (`redis_client`, `get_redis()`). A delete must follow the read closely: what is deleted when it has
        been worked on is kept until then on purpose. With an expiry a lock may still be lost to another while its
        holder is slow: let the work end before, or extend it.
    """

    code = "CNC712"
    name = "lock-without-expiry"
    message = "{says}"
    gate = Gate(
        anchors=KEYS | CLIENTS, asks=asks_lock, answers=answers_lock, where=KEYS, nearest=True, speaks=speaks_of_keys
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lock in self.file.key_locks.of(self.file.definitions.functions[node]):
            self.report(
                lock.node, says=_drain(lock.call, lock.instead) if lock.instead else _lock(lock.call, lock.expiry)
            )


def _lock(call: str, expiry: str) -> str:
    return f"{call} takes a lock that never expires: when its holder is killed, nobody gets it any more; pass {expiry}"


def _drain(calls: str, instead: str) -> str:
    return (
        f"between {calls} others may write, which is lost, or read the same: use {instead}, a MULTI of both, or "
        "flake8_concurrency.runtime.RedisCoalescer"
    )
