"""CNC104 executor-per-iteration."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.executors import CONSTRUCTORS, PACKAGES
from flake8_concurrency.rule import Gate, Rule


class ExecutorPerIteration(Rule):
    """An executor or pool is made anew in every round of a loop.

    Every round starts threads or processes and waits for all of them at its end: the slowest piece of work of each
    round holds up the next one, and most of the workers are idle most of the time.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def load_all(pages, fetch):
            found = []
            for page in pages:
                with ThreadPoolExecutor(max_workers=8) as executor:
                    found += executor.map(fetch, page.urls, timeout=60)
            return found

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def load_all(pages, fetch):
            found = []
            with ThreadPoolExecutor(max_workers=8) as executor:
                for page in pages:
                    found += executor.map(fetch, page.urls, timeout=60)
            return found

    Good:

        from flake8_concurrency.runtime import BoundedExecutor

        def load_all(pages, fetch):
            found = []
            with BoundedExecutor(max_workers=8, max_pending=100, submit_timeout=30) as executor:
                for page in pages:
                    found += executor.map(fetch, page.urls, timeout=60)
            return found

    Known limits:
        A loop that tries again, that runs a fixed number of rounds, or that sleeps between its rounds is silent.
    """

    code = "CNC104"
    name = "executor-per-iteration"
    message = (
        "{executor} is made and ended in every round of the loop on line {line}: make it once before the loop, or use "
        "flake8_concurrency.runtime.BoundedExecutor"
    )
    gate = Gate(anchors=CONSTRUCTORS, context=(PACKAGES,))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None:
            return
        loop = self.file.loops.around(node)
        if loop is not None and not self.file.loops.is_few(loop) and not self._is_kept(node, loop):
            self.report(node, executor=made.name, line=self.file.line(loop))

    def _is_kept(self, node: cst.Call, loop: cst.CSTNode) -> bool:
        """Whether the loop makes several pools to keep, or only one: `pools[key] = …`, `if pool is None: pool = …`."""
        for parent in self.file.ancestors(node):
            if parent is loop:
                return False
            if isinstance(parent, cst.If):
                return True
            if isinstance(parent, cst.Assign | cst.AnnAssign):
                targets = [one.target for one in parent.targets] if isinstance(parent, cst.Assign) else [parent.target]
                if not all(isinstance(target, cst.Name) for target in targets):
                    return True
            if isinstance(parent, cst.Arg) and isinstance(self.file.parent(parent), cst.Call):
                return True
        return False
