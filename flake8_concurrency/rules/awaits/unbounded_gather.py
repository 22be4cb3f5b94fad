"""CNC505 unbounded-gather."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.tree import COMPREHENSIONS
from flake8_concurrency.rule import Gate, Rule

_GATHERING = frozenset({"asyncio.gather", "asyncio.wait", "asyncio.as_completed"})
#: Coroutines that wait for, or end, what is there anyway.
_FREE = frozenset("async sleep wait join close aclose stop cancel shutdown disconnect".split())
_DEEPEST = 3


class UnboundedGather(Rule):
    """One coroutine for every item of a collection is started at once, however many there are.

    A thousand items are a thousand connections, files and open requests at the same moment: the other side refuses
    them, the process runs out of descriptors or memory, and timeouts fire for work that only waited its turn.

    Bad:

        import asyncio

        async def load_all(urls, client):
            return await asyncio.gather(*[client.get(url) for url in urls])

    Bad:

        import asyncio

        async def load_all(urls, load):
            tasks = []
            for url in urls:
                tasks.append(asyncio.create_task(load(url)))
            return await asyncio.gather(*tasks)

    Good:

        import asyncio

        async def load_all(urls, client):
            limit = asyncio.Semaphore(10)

            async def load(url):
                async with limit:
                    return await client.get(url)

            return await asyncio.gather(*[load(url) for url in urls])

    Good:

        from flake8_concurrency.runtime import gather_bounded

        async def load_all(urls, client):
            return await gather_bounded(client.get, urls, limit=10, timeout=60)

    Known limits:
        Whether a collection is small cannot be seen, so the rule is opt-in. Displays, constants, slices with an end,
        batches and configuration count as small; a semaphore counts when it is in the coroutine, in what that awaits in
        this file, or given to it as an argument. A limit inside a client that another module makes is not seen.
    """

    code = "CNC505"
    name = "unbounded-gather"
    message = (
        "{call} starts one coroutine for every item of {items} at once, however many there are:"
        " put an asyncio.Semaphore inside the coroutine, or use flake8_concurrency.runtime.gather_bounded(limit=...)"
    )
    gate = Gate(
        anchors=frozenset({"gather", "wait", "as_completed", "create_task", "ensure_future"}),
        context=(frozenset({"asyncio"}),),
        # `await gather(...)`, most of the time.
        called=False,
    )
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.qualified(node.func) in _GATHERING:
            for arg in node.args:
                self._look_at(node, arg.value)
        elif self.file.event_loops.starts_task(node) and node.args:
            self._look_at_loop(node)

    def _look_at(self, call: cst.Call, given: cst.BaseExpression) -> None:
        if isinstance(given, cst.Name):
            bindings = self.file.names.reaching(given) or ()
            values = [binding.value for binding in bindings if binding.how == "assign" and not binding.path]
            given = values[0] if len(values) == 1 and len(bindings) == 1 and values[0] is not None else given
        if isinstance(given, cst.Call) and given.args and self.file.qualified(given.func) == "builtins.map":
            self._look_at_map(call, given)
            return
        if not isinstance(given, cst.ListComp | cst.SetComp | cst.GeneratorExp):
            return
        if (
            isinstance(given.elt, cst.Call)
            and not self._is_small(given.for_in)
            and not self._is_bounded_work(given.elt)
        ):
            self._tell(call, given.for_in.iter)

    def _look_at_map(self, call: cst.Call, given: cst.Call) -> None:
        """`gather(*map(load, urls))`"""
        started, *items = (arg.value for arg in given.args)
        if len(items) == 1 and not self._is_limited(started) and not self.file.sizes.is_bounded(items[0]):
            self._tell(call, items[0])

    def _look_at_loop(self, call: cst.Call) -> None:
        """A task for every turn of a loop that waits for none of them."""
        work = call.args[0].value
        for parent in self.file.ancestors(call):
            if isinstance(parent, (cst.FunctionDef, cst.Lambda, cst.While, *COMPREHENSIONS)):
                return
            if isinstance(parent, cst.For):
                waits = any(isinstance(node, cst.Await) for node in self.file.tree.within(parent.body))
                is_few = parent.asynchronous is not None or self._is_few(parent.iter)
                if not waits and not is_few and isinstance(work, cst.Call) and not self._is_bounded_work(work):
                    self._tell(call, parent.iter)
                return

    def _tell(self, call: cst.Call, items: cst.BaseExpression) -> None:
        code = self.file.tree.module.code_for_node
        self.report(call, call=code(call.func), items=" ".join(code(items).split()))

    def _is_small(self, source: cst.CompFor) -> bool:
        return source.inner_for_in is None and self._is_few(source.iter)

    def _is_few(self, items: cst.BaseExpression) -> bool:
        """Whether a collection is small: by its own making, or because whoever gave it was told a limit."""
        given = items.expression if isinstance(items, cst.Await) else items
        if isinstance(given, cst.Call) and any(
            arg.keyword is not None and arg.keyword.value == "limit" for arg in given.args
        ):
            return True
        return self.file.sizes.is_bounded(items)

    def _is_bounded_work(self, work: cst.Call) -> bool:
        """Whether what is started waits its turn: a semaphore in it, or one that it is given."""
        if self.file.event_loops.starts_task(work) and work.args:
            inner = work.args[0].value
            return not isinstance(inner, cst.Call) or self._is_bounded_work(inner)
        if _FREE.issuperset(words(last_name(work.func))):
            return True
        if any(self.file.sections.is_guard(arg.value) for arg in work.args):
            return True
        return self._is_limited(work.func)

    def _is_limited(self, function: cst.BaseExpression) -> bool:
        kind = self.file.kind(function)
        info = kind.ref if kind is not None else None
        if self.file.sections.is_guard(function):
            return True
        return isinstance(info, FunctionInfo) and self._has_limit(info, _DEEPEST)

    def _has_limit(self, info: FunctionInfo, depth: int) -> bool:
        for node in info.own:
            if isinstance(node, cst.With) and any(self.file.sections.is_guard(item.item) for item in node.items):
                return True
            if isinstance(node, cst.Call):
                if isinstance(node.func, cst.Attribute) and node.func.attr.value == "acquire":
                    return True
                callee = self.file.callee(node)
                if callee is not None and callee is not info and depth and self._has_limit(callee, depth - 1):
                    return True
        return not any(isinstance(node, cst.Await) for node in info.own)
