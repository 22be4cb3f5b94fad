"""CNC506 await-under-thread-lock."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

_LOCKS = (
    "threading.Lock", "threading.RLock", "threading.Condition", "threading.Semaphore",
    "multiprocessing.synchronize.Lock", "multiprocessing.synchronize.RLock", "multiprocessing.synchronize.SemLock",
)  # fmt: skip

#: What follows. All tasks of a loop are one thread, and an RLock lets the thread in that holds it.
_BLOCKS = "the next task that wants it blocks the event loop, and this one never goes on"
_LETS_IN = "it lets in whatever else this thread runs, so it keeps no other task out"


class AwaitUnderThreadLock(Rule):
    """Something is awaited while a lock for threads is held.

    While this task waits, others run in the same thread. The next one that wants the lock blocks the thread, and with
    it the event loop that would have to let this task go on: nothing ever runs again. With an RLock it is let in
    instead, and nothing is protected.

    Bad:

        import threading

        class Store:
            def __init__(self):
                self._lock = threading.Lock()
                self.rows = {}

            async def load(self, key, fetch):
                with self._lock:
                    self.rows[key] = await fetch(key)

    Good:

        import asyncio

        class Store:
            def __init__(self):
                self._lock = asyncio.Lock()
                self.rows = {}

            async def load(self, key, fetch):
                async with self._lock:
                    self.rows[key] = await fetch(key)

    Good:

        import threading

        class Store:
            def __init__(self):
                self._lock = threading.Lock()
                self.rows = {}

            async def load(self, key, fetch):
                row = await fetch(key)
                with self._lock:
                    self.rows[key] = row

    Known limits:
        The lock is known by what it is, not by its name. `acquire()` without `with` is not followed. A generator of the
        file that holds the lock while it yields (`with self.locked():`) is.
    """

    code = "CNC506"
    name = "await-under-thread-lock"
    message = (
        "{lock}, a lock for threads, is held at this await (since line {line}): {effect}; await before or after the"
        " block, or use asyncio.Lock"
    )
    gate = Gate(
        anchors=frozenset({"with"}),
        needs={"with": frozenset({"import threading", "import multiprocessing", "import queue"})},
        wants="call",
    )

    def visit_With(self, node: cst.With) -> None:
        if node.asynchronous is not None:
            return
        lock = next((lock for item in node.items if (lock := self._held(item.item)) is not None), None)
        wait = next(self._waits(node), None) if lock is not None else None
        if lock is not None and wait is not None:
            name = self.file.tree.module.code_for_node(lock)
            effect = _LETS_IN if self.file.is_a(lock, "threading.RLock") else _BLOCKS
            self.report(wait, lock=name, line=self.file.line(node), effect=effect)

    def _held(self, entered: cst.BaseExpression) -> cst.BaseExpression | None:
        """The lock that is held once something is entered: itself, or the one that its generator holds."""
        if self.file.is_a(entered, *_LOCKS):
            return entered
        callee = self.file.callee(entered) if isinstance(entered, cst.Call) else None
        if callee is None or "contextmanager" not in callee.decorator_names:
            return None
        around = (parent for given in callee.nodes(cst.Yield) for parent in self.file.ancestors(given))
        items = (item.item for parent in around if isinstance(parent, cst.With) for item in parent.items)
        return next((item for item in items if self.file.is_a(item, *_LOCKS)), None)

    def _waits(self, node: cst.With) -> Iterator[cst.CSTNode]:
        """The places in a block where its task waits, those of functions defined in it left out."""
        function = self.file.function_of(node)
        for inner in self.file.tree.within(node.body):
            is_wait = isinstance(inner, cst.Await) or (
                isinstance(inner, cst.For | cst.With | cst.CompFor) and inner.asynchronous is not None
            )
            if is_wait and self.file.function_of(inner) is function and function is not None:
                yield inner
