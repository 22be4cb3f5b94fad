"""CNC102 executor-sized-by-input."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.executors import CONSTRUCTORS, PACKAGES
from flake8_concurrency.rule import Gate, Rule


class ExecutorSizedByInput(Rule):
    """An executor or pool gets as many workers as the input has items.

    A large input then starts as many threads or processes, and as many connections to whatever they talk to, all at
    once: it works with ten items and takes the machine down with ten thousand.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def fetch_all(urls):
            with ThreadPoolExecutor(max_workers=len(urls)) as executor:
                return list(executor.map(fetch, urls, timeout=60))

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def fetch_all(urls):
            with ThreadPoolExecutor(max_workers=min(len(urls), 8)) as executor:
                return list(executor.map(fetch, urls, timeout=60))

    Good:

        from flake8_concurrency.runtime import map_bounded

        def fetch_all(urls):
            return map_bounded(fetch, urls, max_workers=8, timeout=60)

    Known limits:
        A size that is counted elsewhere (`max_workers=queryset.count()`) is not seen, and the length of a constant, of
        configuration, of a slice and of a batch counts as bounded.
    """

    code = "CNC102"
    name = "executor-sized-by-input"
    message = (
        "{executor} gets more workers the more items its input has, without a limit: "
        "pass min({size}, <a limit>), or use flake8_concurrency.runtime.map_bounded"
    )
    gate = Gate(anchors=CONSTRUCTORS, context=(PACKAGES,))

    def visit_Call(self, node: cst.Call) -> None:
        made = self.file.executors.construction(node)
        if made is None or made.size is None:
            return
        length = self.file.sizes.input_length(made.size)
        if length is not None:
            self.report(node, executor=made.name, size=length)
