"""CNC107 nested-submit-deadlock."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.futures import AS_COMPLETED, EXECUTOR, WAIT
from flake8_concurrency.rule import Gate, Rule

_GIVES_WORK = (f"{EXECUTOR}.submit", f"{EXECUTOR}.map")


class NestedSubmitDeadlock(Rule):
    """Work that runs in a pool gives more work to the same pool, and waits for it.

    Once every worker runs such work, each waits for a task that no worker is left to do: the pool stands still for
    good. It takes as many callers at once as the pool has workers, so no test sees it.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        POOL = ThreadPoolExecutor(max_workers=4)

        def page(url):
            return POOL.submit(fetch, url).result(timeout=30)

        def start(urls):
            return [POOL.submit(page, url) for url in urls]

    Good:

        from concurrent.futures import ThreadPoolExecutor

        PAGES = ThreadPoolExecutor(max_workers=4)
        PARTS = ThreadPoolExecutor(max_workers=4)

        def page(url):
            return PARTS.submit(fetch, url).result(timeout=30)

        def start(urls):
            return [PAGES.submit(page, url) for url in urls]

    Known limits:
        Both calls must name the pool alike (`self._pool`, a variable of the module), and the work must be a function of
        this file, which may wait itself or in a function of the file that it calls.
    """

    code = "CNC107"
    name = "nested-submit-deadlock"
    message = (
        "{work} runs in {pool} (line {line}) and waits here for more work of {pool}: when all its workers wait like "
        "this, none is left to do it; use another pool"
    )
    gate = Gate(anchors=frozenset({"submit", "map"}), context=(frozenset({"concurrent"}),))

    def visit_Module(self, node: cst.Module) -> None:
        del node
        for outer in filter(self._gives_work, self.file.tree.calls):
            work = self.file.works.function(outer)
            if work is None or work.is_async:
                continue
            for inner in self._waited_for(work):
                if inner is not outer and self._is_same_pool(outer, inner):
                    pool = self.file.tree.module.code_for_node(_pool(outer))
                    self.report(inner, work=work.qualified_name, pool=pool, line=self.file.line(outer))

    def _gives_work(self, call: cst.Call) -> bool:
        return any(name in _GIVES_WORK for name in self.file.functions.table_names(call.func))

    def _waited_for(self, work: FunctionInfo) -> Iterator[cst.Call]:
        """The calls in the work, or one call away, that give work to a pool and wait for it."""
        for function in (work, *(step.function for step in self.file.functions.steps(work))):
            given = [call for call in function.calls if self._gives_work(call)]
            if given and any(map(self._waits, function.calls)):
                yield from given

    def _waits(self, call: cst.Call) -> bool:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value in ("result", "exception"):
            return self.file.futures.is_future(call.func.value)
        names = self.file.functions.table_names(call.func)
        if any(name in (WAIT, AS_COMPLETED) for name in names):
            return True
        # The results of `map` are waited for by whatever goes through them.
        return f"{EXECUTOR}.map" in names and not isinstance(self.file.parent(call), cst.Expr)

    def _is_same_pool(self, outer: cst.Call, inner: cst.Call) -> bool:
        """Whether two calls are on the same pool: a variable that both see, or an attribute of the same class."""
        one, other = _pool(outer), _pool(inner)
        if isinstance(one, cst.Name) and isinstance(other, cst.Name) and one.value == other.value:
            homes = {self._home(one), self._home(other)}
            return len(homes) == 1 and None not in homes
        if isinstance(one, cst.Attribute) and isinstance(other, cst.Attribute) and one.attr.value == other.attr.value:
            owners = {self._own_class(one), self._own_class(other)}
            return len(owners) == 1 and None not in owners
        return False

    def _home(self, name: cst.Name) -> cst.CSTNode | None:
        return self.file.names.home(name.value, self.file.tree.scope_of(name))

    def _own_class(self, pool: cst.Attribute) -> object:
        function = self.file.function_of(pool)
        is_own = function is not None and isinstance(pool.value, cst.Name) and pool.value.value == function.this
        return function.owner if function is not None and is_own else None


def _pool(call: cst.Call) -> cst.BaseExpression:
    assert isinstance(call.func, cst.Attribute)
    return call.func.value
