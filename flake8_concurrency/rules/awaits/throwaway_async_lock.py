"""CNC507 throwaway-async-lock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

_CLASSES = frozenset("Lock Semaphore BoundedSemaphore Condition CapacityLimiter StrictFIFOLock".split())
_LOCKS = ("asyncio.Lock", "asyncio.Semaphore", "asyncio.Condition", "anyio.Lock", "anyio.Semaphore",
          "anyio.CapacityLimiter", "trio.Lock")  # fmt: skip


class ThrowawayAsyncLock(Rule):
    """A lock is made where it is taken, so every task has one of its own.

    It looks like protection and keeps nobody out: two tasks that run this code hold two different locks.

    Bad:

        import asyncio

        async def withdraw(account, amount):
            async with asyncio.Lock():
                balance = await account.balance()
                await account.set_balance(balance - amount)

    Bad:

        import asyncio

        async def withdraw(account, amount):
            lock = asyncio.Lock()
            async with lock:
                balance = await account.balance()
                await account.set_balance(balance - amount)

    Good:

        import asyncio

        LOCK = asyncio.Lock()

        async def withdraw(account, amount):
            async with LOCK:
                balance = await account.balance()
                await account.set_balance(balance - amount)

    Good:

        import asyncio

        async def load_all(urls, fetch):
            limit = asyncio.Semaphore(5)

            async def load(url):
                async with limit:
                    return await fetch(url)

            return await asyncio.gather(*[load(url) for url in urls])

    Known limits:
        A lock in a local counts as shared as soon as anything but this function's own code sees it: a nested function,
        a call that it is given to, an attribute, a return.
    """

    code = "CNC507"
    name = "throwaway-async-lock"
    message = (
        "{lock} is made anew by every task that comes here and keeps nobody out: make it once, in the module or in the"
        " object whose state it guards"
    )
    gate = Gate(anchors=_CLASSES, context=(frozenset({"asyncio", "anyio", "trio"}),), wants="callee")

    def visit_With(self, node: cst.With) -> None:
        if node.asynchronous is None:
            return
        for item in node.items:
            made = self.file.throwaway_locks.made(item.item, _LOCKS)
            if made is not None:
                self.report(item.item, lock=f"{self.file.tree.module.code_for_node(made.func)}()")
