"""CNC109 thread-per-item."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.rule import Gate, Rule


class ThreadPerItem(Rule):
    """A thread is started for every item of some data, or for every request, with no limit.

    A thousand items start a thousand threads: each takes memory and a turn at the processor, all of them press on the
    same server or database at once, and at some number the system refuses to start more.

    Bad:

        import threading

        def notify(users, send):
            for user in users:
                threading.Thread(target=send, args=(user,)).start()

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def notify(users, send):
            with ThreadPoolExecutor(max_workers=8) as executor:
                for _ in executor.map(send, users, timeout=60):
                    pass

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        def notify(users, send):
            with BoundedExecutor(max_workers=8, max_pending=100, submit_timeout=30) as executor:
                for user in users:
                    executor.submit(send, user)

    Known limits:
        The data are a parameter, or what a call gives; a fixed number of threads (`range(n)`, a constant, the
        configuration, the object's own parts) is silent, and so is a function that takes a semaphore or counts its
        threads.
    """

    code = "CNC109"
    name = "thread-per-item"
    message = (
        "a thread is started for {each}, without a limit: use a pool with max_workers=, or "
        "flake8_concurrency.runtime.BoundedExecutor, which bounds the backlog too"
    )
    gate = Gate(
        anchors=frozenset({"Thread"}),
        context=(frozenset({"threading"}),),
        keeps=re.compile(r"\b\w*(?:emaphore|active_count)\b"),
    )
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program or not self.file.threads.is_made(node) or not self.file.threads.is_started(node):
            return
        each = self.file.threads.unbounded_source(node)
        if each:
            self.report(node, each=each)
