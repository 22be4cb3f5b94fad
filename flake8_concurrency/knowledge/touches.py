"""The words of columns that say when something was last used, of what is written there, and of what keeps a window."""

from __future__ import annotations

import re
from collections.abc import Collection

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Stands in every name that `is_use` or `is_change` may take.
_MARKS = re.compile(r"last|late|recent|accessed|updated|modified|changed", re.IGNORECASE)
_LAST = frozenset({"last", "latest", "lately", "recent", "recently"})
#: What is done with a row again and again.
_USES = frozenset(
    """seen used use usage active activity access accessed visit visited online request requested interaction
    interacted touched touch hit alive""".split()
)
#: What says that another thing is meant than the row's own use.
_OTHER = frozenset({"message", "comment", "post", "reply", "viewed", "read", "order", "payment", "password", "job"})
#: Columns that every change of a row sets as well: only where requests are let in do they say that it was used.
_CHANGED = frozenset({"updated", "modified", "changed"})
_TIMES = frozenset({"at", "on", "time", "date", "dt", "datetime", "timestamp", "ts", "ms"})
#: What is noted beside the time and changes no more often than that.
_BESIDE = frozenset(
    "ip ips ua agent address addr host hostname url uri path location country version client platform".split()
)
_NOW = frozenset({"now", "utcnow", "tznow", "nowutc"})
#: Called on `time`, or imported from it.
CLOCKS = frozenset({"time", "time_ns"})
#: Functions that give a time in another form.
CONVERTS = frozenset(
    """int float round str make_aware make_naive replace isoformat timestamp astimezone strftime to_datetime
    DateTime""".split()
)
#: What runs once a session, or once a row, or at a pace of its own.
RARE = frozenset(
    """login logon logout logoff logged signin signout signup register registration enroll enrol create insert init
    setup seed import sync scan discover discovery poll crawl probe cleanup clean purge expire migrate reset restore
    disconnect disconnected offline leave left activate approve accept redeem consume revoke rotate startup shutdown
    stop close start invite invitation install upload merge deactivate delete remove fake demo""".split()
)
#: Parameters of what checks a secret that somebody has typed: a log-in, not every request.
TYPED = frozenset({"password", "passwd", "raw_password", "otp", "credentials", "passcode"})
#: Words of what lets something happen once in a while only, in a test, a decorator or a block.
PACING = frozenset(
    """throttle throttled throttling debounce debounced ratelimit ratelimited limiter limit limits allow allowed due
    stale window interval elapsed every once cooldown coalesce coalesced coalescer gate recently required needed
    outdated""".split()
)
#: The same, where it stands in a test.
TESTED_PACING = PACING | frozenset({"cache", "needs", "should", "must", "age", "old", "fresh", "dirty", "changed"})
#: What a test asks that says nothing of how long ago the row was used.
ENDS = frozenset({"expires", "expire", "expired", "expiry", "expiration", "until", "revoked", "exp", "ttl", "valid"})
DURATIONS = frozenset({"timedelta", "seconds", "minutes", "hours", "days", "total_seconds", "interval"})
#: Words of the places that every request or message passes.
_REQUEST_METHODS = frozenset("process_request process_view process_response authenticate_credentials".split())


def parts(name: str) -> list[str]:
    """`lastSeenAt`, `last_seen_at` -> last, seen, at."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_use(column: str) -> bool:
    """Whether a column says when a row was last used."""
    named = set(parts(column))
    if not named.isdisjoint(_OTHER) or not named.isdisjoint(_BESIDE):
        return False
    if not named.isdisjoint(_LAST):
        return not named.isdisjoint(_USES)
    return "accessed" in named and not named.isdisjoint(_TIMES)


def is_change(column: str) -> bool:
    """Whether a column says when a row was last changed."""
    named = set(parts(column))
    if {"last", "login"} <= named:
        return named.isdisjoint(_BESIDE)
    is_told = not named.isdisjoint(_TIMES | _LAST) or len(named) == 1
    return is_told and not named.isdisjoint(_CHANGED)


def is_beside(column: str) -> bool:
    """Whether a column may be set along with the time, and says no more than it."""
    named = set(parts(column))
    return not named.isdisjoint(_BESIDE) or is_use(column) or is_change(column)


def is_clock(name: str) -> bool:
    """Whether a function of this name gives the time, whatever it belongs to."""
    named = parts(name)
    return not _NOW.isdisjoint(named) or {"current", "time"} <= set(named) or {"current", "timestamp"} <= set(named)


def is_rare(name: str) -> bool:
    """Whether a function of this name runs once a session, or once a row."""
    named = parts(name)
    return not RARE.isdisjoint(named) or "".join(named[:2]) in RARE


def speaks_of_use(some: Collection[str]) -> bool:
    """Whether a text, by all its words, may have such a column."""
    return any(_MARKS.search(word) and (is_use(word) or is_change(word)) for word in some)


def admits(function: str, owner: str, bases: list[str]) -> bool:
    """Whether every request passes a method of this name, in a class of this name and these bases."""
    named = set(parts(function))
    classes = {part for name in (owner, *bases) for part in parts(name)}
    if function in _REQUEST_METHODS:
        return True
    if function in {"__call__", "dispatch"}:
        return "middleware" in classes
    if function == "authenticate":
        return "authentication" in classes
    if function in ("receive", "receive_json", "websocket_receive"):
        return "consumer" in classes
    return {"current", "user"} <= named or ("before" in named and "request" in named)
