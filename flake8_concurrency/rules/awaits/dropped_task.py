"""CNC504 dropped-task."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.drop_shapes import may_drop
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.rule import Gate, Rule

#: What calls a function and looks at nothing that it returns.
_CALLING_BACK = frozenset(
    """add_signal_handler call_soon call_later call_at call_soon_threadsafe add_done_callback add_reader
    add_writer""".split()
)


class DroppedTask(Rule):
    """A task is started and nobody keeps it.

    The event loop itself holds tasks only weakly, so one that nobody else holds may be collected before it is done: it
    just stops. Its exception is told to nobody but a log line when it is collected, and nothing cancels it at the end.

    Bad:

        import asyncio

        async def register(user, mailer):
            asyncio.create_task(mailer.welcome(user))
            return user

    Bad:

        import asyncio

        class Poller:
            def __init__(self, client):
                self.client = client
                task = asyncio.ensure_future(self.poll())

            async def poll(self):
                await self.client.poll()

    Good:

        import asyncio

        TASKS = set()

        async def register(user, mailer):
            task = asyncio.create_task(mailer.welcome(user))
            TASKS.add(task)
            task.add_done_callback(TASKS.discard)
            return user

    Good:

        import asyncio

        async def register(user, mailer, audit):
            async with asyncio.TaskGroup() as group:
                group.create_task(mailer.welcome(user))
                group.create_task(audit.registered(user))
            return user

    Good:

        from flake8_concurrency.runtime import background

        async def register(user, send_mail):
            background(send_mail(user))
            return user

    Known limits:
        A task counts as kept when it is stored in an attribute or a collection, returned, given to anybody, or used in
        any other way; `create_task` is reported on asyncio and on what the file shows to be an event loop. RUF006 of
        ruff reports the plain calls of `asyncio.create_task` and `ensure_future`.
    """

    code = "CNC504"
    name = "dropped-task"
    message = (
        "nobody keeps the task of {call}: it may be collected before it is done, and its exception is lost; keep it in"
        " a set until it is done, use an asyncio.TaskGroup, or flake8_concurrency.runtime.background"
    )
    gate = Gate(
        anchors=frozenset({"create_task", "ensure_future", "Task"}),
        context=(frozenset({"asyncio"}),),
        looks=may_drop,
        wants="callee",
    )
    quiet = True
    overlaps = ("RUF006",)

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.event_loops.starts_task(node) and (
            self.file.dropping.is_dropped(node) or self._is_called_back(node)
        ):
            self.report(node, call=f"{self.file.tree.module.code_for_node(node.func)}(...)")

    def _is_called_back(self, node: cst.Call) -> bool:
        """`loop.add_signal_handler(SIGTERM, lambda: asyncio.create_task(stop()))`: the loop drops what comes back."""
        function = self.file.parent(node)
        if not isinstance(function, cst.Lambda) or function.body is not node:
            return False
        call = self.file.parent(self.file.parent(function))
        return isinstance(call, cst.Call) and last_name(call.func) in _CALLING_BACK
