"""CNC204 acquire-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import ACQUIRES
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*ACQUIRES)


class AcquireWithoutTimeout(Rule):
    """A lock or semaphore of threads or processes is acquired without a timeout.

    Whoever holds it may hang, or may be waiting for a lock that is held here; then this thread waits for ever, and so
    does everybody behind it.

    Bad:

        import threading

        LOCK = threading.Lock()

        def begin():
            LOCK.acquire()
            return LOCK.release

    Good:

        import threading

        LOCK = threading.Lock()

        def begin():
            if not LOCK.acquire(timeout=10):
                raise TimeoutError("somebody holds the lock for more than ten seconds")
            return LOCK.release

    Known limits:
        Opt-in, because a short critical section of one's own threads needs no timeout. `with lock:` is the idiom and is
        never reported. Locks that other processes hold (files, Redis) are CNC215.
    """

    code = "CNC204"
    name = "acquire-without-timeout"
    message = "{call}() has no timeout and waits for ever if its holder hangs: pass timeout= and test what it returns"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS)
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        leaf = self.file.waits.unbounded_leaf(node, ACQUIRES)
        if leaf is not None:
            self.report(node, call=leaf.name)
