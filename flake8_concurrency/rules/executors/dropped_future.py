"""CNC105 dropped-future."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.rule import Gate, Rule


class DroppedFuture(Rule):
    """The future that `submit` gives is dropped, and with it the outcome of the work.

    An exception in the work is kept in the future and nowhere else: nothing is logged, nothing is raised, the work is
    simply not done and nobody finds out.

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                for document in documents:
                    executor.submit(index, document)

    Good:

        from concurrent.futures import ThreadPoolExecutor

        def index_all(documents):
            with ThreadPoolExecutor(max_workers=4) as executor:
                futures = [executor.submit(index, document) for document in documents]
            return [future.result() for future in futures]

    Good:

        from functools import partial

        from flake8_concurrency.runtime import run_all

        def index_all(documents):
            run_all((partial(index, document) for document in documents), max_workers=4, timeout=60)

    Known limits:
        A future that is stored in an attribute or in somebody else's collection counts as read. Work of the file that
        catches every exception itself may be dropped.
    """

    code = "CNC105"
    name = "dropped-future"
    message = (
        "nobody reads the future of {call}: an exception in the work vanishes; keep it and ask for its result(), "
        "or add_done_callback(...), or use flake8_concurrency.runtime.run_all, which raises it"
    )
    gate = Gate(anchors=frozenset({"submit"}), context=(frozenset({"concurrent"}),))
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if (
            self.file.futures.is_submit(node)
            and not self.file.offloads.hands_over_nothing(node)
            and self.file.dropping.is_dropped(node)
            and not self.file.works.catches_everything(node)
        ):
            self.report(node, call=f"{self.file.tree.module.code_for_node(node.func)}(...)")
