"""CNC607 unlocked-shared-write."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import thread_shapes, write_shapes
from flake8_concurrency.model.shared_writes import Lost
from flake8_concurrency.rule import Gate, Rule


class UnlockedSharedWrite(Rule):
    """A thread updates what another one updates as well, and neither holds a lock.

    `x += 1` reads, adds and stores. A thread that is interrupted between reading and storing writes back what it has
    read, and whatever the others have added meanwhile is lost: counters are too low, flags flip twice.

    Bad:

        import threading

        class Crawler:
            def __init__(self, urls):
                self.urls = urls
                self.fetched = 0

            def run(self):
                workers = [threading.Thread(target=self._work) for _ in range(4)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join(timeout=60)

            def _work(self):
                for url in self.urls:
                    fetch(url)
                    self.fetched += 1

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        total = 0

        def add(size):
            global total
            total += size

        def add_all(sizes):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return list(pool.map(add, sizes, timeout=60))

    Good:

        import threading

        class Crawler:
            def __init__(self, urls):
                self.urls = urls
                self.fetched = 0
                self._lock = threading.Lock()

            def run(self):
                workers = [threading.Thread(target=self._work) for _ in range(4)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join(timeout=60)

            def _work(self):
                for url in self.urls:
                    fetch(url)
                    with self._lock:
                        self.fetched += 1

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def add_all(sizes):
            with ThreadPoolExecutor(max_workers=4) as pool:
                return sum(pool.map(len, sizes, timeout=60))

    Known limits:
        Opt-in: of eleven findings on code that nobody here had read, eight were wrong: the callers of a public method
        all held a lock, the object was one thread's own, or each thread had keys of its own. Threads are those that the
        file shows: started in it, or by a library that calls back (see `knowledge/thread_callbacks.py`), request
        handlers of Flask and plain endpoints of FastAPI. State that one thread alone updates is right and silent, as
        are the methods of lists, dicts, deques and queues, which are atomic, what only `__init__` and start-up code
        write, and everything under a lock, also the caller's. Only updates that depend on the old value are looked at.
    """

    code = "CNC607"
    name = "unlocked-shared-write"
    message = (
        "{place} is updated here in a thread (started by {how}), and {other} too: it is read and stored in two steps,"
        " so one of two updates at once is lost; hold a threading.Lock() around every update"
    )
    gate = Gate(
        anchors=thread_shapes.RUNNING,
        asks=write_shapes.asks_update,
        answers=thread_shapes.answers_running,
        keeps=thread_shapes.KEEPS,
        where=write_shapes.STORING,
        speaks=thread_shapes.speaks_of_threads,
    )
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for lost in self.file.shared_writes.lost(self.file.definitions.functions[node]):
            write = lost.update.write
            self.report(write.node, place=write.place, how=lost.root.how, other=self._other(lost))

    def _other(self, lost: Lost) -> str:
        if lost.other is None:
            return "in other threads"
        return f"by {lost.other.function.qualified_name}() on line {self.file.line(lost.other.write.node)}"
