"""CNC211 async-wait-without-deadline."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.rule import Gate, Rule


class AsyncWaitWithoutDeadline(Rule):
    """`asyncio.wait` has no timeout, or `wait_for` has None as one.

    A task that hangs keeps the caller for ever, and with it whatever it holds: a connection, a slot, a lock.

    Bad:

        import asyncio

        async def finish(tasks):
            done, _ = await asyncio.wait(tasks)
            return [task.result() for task in done]

    Good:

        import asyncio

        async def finish(tasks):
            done, pending = await asyncio.wait(tasks, timeout=30)
            for task in pending:
                task.cancel()
            return [task.result() for task in done]

    Good:

        import asyncio

        async def finish(tasks):
            async with asyncio.timeout(30):
                done, _ = await asyncio.wait(tasks)
                return [task.result() for task in done]

    Known limits:
        Opt-in: most code that waits for tasks of its own has a deadline further out, or in each task, where this file
        does not show it. Silent inside `asyncio.timeout` and its like, for tasks that were cancelled just before, and
        where the first of several ends the wait (`return_when`).
    """

    code = "CNC211"
    name = "async-wait-without-deadline"
    message = "{call} and waits for ever when a task hangs: {remedy}"
    enabled = False
    gate = Gate(anchors=frozenset({"wait", "wait_for"}), context=(frozenset({"import asyncio"}),), awaited=True)
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        name = self.file.qualified(node.func)
        if name not in ("asyncio.wait", "asyncio.wait_for") or passes_unknown(node):
            return
        if self.file.waits.is_abandoned(node):
            return
        if name == "asyncio.wait_for":
            timeout = argument(node, 1, "timeout")
            if timeout is not None and literal(timeout) == (None,):
                self.report(node, call="asyncio.wait_for() has None as its timeout", remedy="pass a number of seconds")
        elif self.file.waits.is_unbounded(node) and not self._ends_anyway(node):
            remedy = "pass timeout= and cancel what is pending"
            self.report(node, call="asyncio.wait() has no timeout", remedy=remedy)

    def _ends_anyway(self, node: cst.Call) -> bool:
        how = argument(node, None, "return_when")
        if how is not None and last_name(how) != "ALL_COMPLETED":
            return True
        return any(
            isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.attr.value == "cancel"
            for earlier in self.file.flow.earlier(node)
            for call in [earlier, *self.file.tree.within(earlier)]
        )
