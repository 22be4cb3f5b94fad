"""CNC616 thread-local-in-async."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.pieces import STORED
from flake8_concurrency.model.thread_locals import answers, asks
from flake8_concurrency.rule import Gate, Rule


class ThreadLocalInAsync(Rule):
    """A coroutine keeps a value with its thread, and then lets other tasks run in that thread.

    All tasks of an event loop run in one thread, so they share what is meant for one of them: the next request
    overwrites the user of this one, which goes on as somebody else.

    Bad:

        import threading

        current = threading.local()

        async def handle(request, respond):
            current.user = request.user
            await respond(request)

    Good:

        from contextvars import ContextVar

        current_user = ContextVar("current_user")

        async def handle(request, respond):
            current_user.set(request.user)
            await respond(request)

    Known limits:
        Stores are reported, where the coroutine waits for something afterwards; reads are not, nor what is stored only
        where nothing was stored before, which all tasks may share.
    """

    code = "CNC616"
    name = "thread-local-in-async"
    message = (
        "{value} belongs to the thread, and all tasks of an event loop share one: the next one overwrites it while this"
        " one waits; use contextvars.ContextVar"
    )
    gate = Gate(
        anchors=frozenset({"local"}),
        context=(frozenset({"import threading"}),),
        asks=asks,
        answers=answers,
        where=frozenset({STORED}),
    )

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for stored, value in self.file.thread_locals.stored(self.file.definitions.functions[node]):
            self.report(stored, value=value)
