"""CNC205 queue-get-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import QUEUES
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.sentinels import KEEPS
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*QUEUES)


class QueueGetWithoutTimeout(Rule):
    """A queue is read, or a queue with a size written, without a timeout.

    If whoever should fill or empty it has died, the caller waits for ever; a loop that waits here never sees the flag
    that tells it to stop.

    Bad:

        import queue
        import threading

        class Worker:
            def __init__(self):
                self._jobs = queue.Queue()
                self._stop = threading.Event()

            def run(self):
                while not self._stop.is_set():
                    job = self._jobs.get()
                    job()

    Good:

        import queue
        import threading

        class Worker:
            def __init__(self):
                self._jobs = queue.Queue()
                self._stop = threading.Event()

            def run(self):
                while not self._stop.is_set():
                    try:
                        job = self._jobs.get(timeout=1)
                    except queue.Empty:
                        continue
                    job()

    Good:

        import queue

        JOBS = queue.Queue()

        def run():
            while (job := JOBS.get()) is not None:
                job()

    Known limits:
        A loop that leaves when it gets a certain item (None, a marker, anything false) is silent, and so is a queue
        that something in the file puts None or a marker into, and an endless loop in a daemon thread. Silent as well:
        `get()` where the queue was just seen not to be `empty()`, or to hold something by `qsize()`, also where all
        callers of a helper have asked; a queue that one function fills, empties and hands to nobody; and `put()` into a
        queue that the function made with room for `len(...)` items. In async code the call is CNC407.
    """

    code = "CNC205"
    name = "queue-get-without-timeout"
    message = (
        "{call}() has no timeout and waits for ever if nobody {other} the queue any more: pass timeout= and handle "
        "queue.{error}"
    )
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, keeps=KEEPS)
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        leaf = self.file.waits.unbounded_leaf(node, QUEUES)
        if leaf is None or self.file.sentinels.ends_wait(node):
            return
        gets = leaf.name.endswith(".get")
        other, error = ("fills", "Empty") if gets else ("empties", "Full")
        self.report(node, call=leaf.name, other=other, error=error)
