"""CNC507 throwaway-async-lock."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.spelling import last_name
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
            made = self._made(item.item)
            if made is not None:
                self.report(item.item, lock=f"{self.file.tree.module.code_for_node(made.func)}()")

    def _made(self, lock: cst.BaseExpression) -> cst.Call | None:
        """The call that makes a lock for this block alone."""
        if isinstance(lock, cst.NamedExpr):
            lock = lock.value
        if isinstance(lock, cst.Call):
            return lock if self._makes(lock) else None
        if not isinstance(lock, cst.Name):
            return None
        bindings = self.file.names.reaching(lock) or []
        value = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
        if not isinstance(value, cst.Call) or bindings[0].path or not self._makes(value):
            return None
        function = self.file.function_of(lock)
        is_local = function is not None and self.file.function_of(value) is function
        return value if is_local and not self._is_shared(lock) else None

    def _makes(self, call: cst.Call) -> bool:
        # A function of the file that gives a lock may give the same one again.
        return last_name(call.func) in _CLASSES and self.file.callee(call) is None and self.file.is_a(call, *_LOCKS)

    def _is_shared(self, lock: cst.Name) -> bool:
        """Whether a local lock is used in any other way than to be held here."""
        scope = self.file.tree.scope_of(lock)
        home = self.file.names.home(lock.value, scope)
        if home is not scope or not isinstance(scope, cst.FunctionDef):
            return True
        return any(
            isinstance(node, cst.Name) and node.value == lock.value and not self._is_held(node, scope)
            for node in self.file.tree.within(scope.body)
        )

    def _is_held(self, node: cst.Name, scope: cst.FunctionDef) -> bool:
        parent = self.file.parent(node)
        if isinstance(parent, cst.AssignTarget):
            assign = self.file.parent(parent)
            return isinstance(assign, cst.Assign) and len(assign.targets) == 1
        if isinstance(parent, cst.Attribute):
            return parent.value is not node or self.file.tree.scope_of(node) is scope
        return isinstance(parent, cst.WithItem) and self.file.tree.scope_of(node) is scope
