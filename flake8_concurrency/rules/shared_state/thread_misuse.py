"""CNC611 thread-misuse."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import offloading_words
from flake8_concurrency.model.thread_uses import answers, asks
from flake8_concurrency.rule import Gate, Rule

_WORDS = {name: words for name, words in offloading_words().items() if name in ("Thread", "Timer", "BaseProcess")}


class ThreadMisuse(Rule):
    """A thread is made or started in a way in which the work runs in the wrong thread, or nowhere.

    `Thread(target=work())` calls the function here and now, and the new thread has nothing to do. `Thread(work)` gives
    it as the thread's group, which raises at once. `run()` does the work in the thread that calls it, and a second
    `start()` raises RuntimeError.

    Bad:

        import threading

        def work():
            print("working")

        def begin():
            thread = threading.Thread(target=work())
            thread.start()
            return thread

    Bad:

        import threading

        def begin(work):
            thread = threading.Thread(work)
            thread.start()
            return thread

    Bad:

        import threading

        def begin(work):
            thread = threading.Thread(target=work, daemon=True)
            thread.run()

    Bad:

        import threading

        def begin_twice(work):
            thread = threading.Thread(target=work)
            thread.start()
            thread.start()
            return thread

    Good:

        import threading

        def begin(work):
            thread = threading.Thread(target=work, args=("page",))
            thread.start()
            return thread

    Good:

        import threading

        def worker_for(queue):
            def work():
                print(queue)
            return work

        def begin(queue):
            thread = threading.Thread(target=worker_for(queue))
            thread.start()
            return thread

    Known limits:
        A call as the target is reported where the file or the tables show that what it gives cannot be called. A second
        start is seen where it stands below the first in the same block, or in a loop that does not make the thread.
        Processes are looked at in the same way. A coroutine function as target is CNC416.
    """

    code = "CNC611"
    name = "thread-misuse"
    message = "{what}: {remedy}"
    gate = Gate(
        anchors=frozenset({*_WORDS, "Process"}),
        needs={**_WORDS, "Process": _WORDS["BaseProcess"]},
        asks=asks,
        where=frozenset({*_WORDS, "Process", "run", "start"}),
        answers=answers,
    )

    def visit_Call(self, node: cst.Call) -> None:
        uses = self.file.thread_uses
        early, group = uses.handed_early(node), uses.group(node)
        if early is not None:
            shown = self.file.offloads.shown(early.func)
            self._say(
                node,
                f"{shown} is called here, in this thread, and the new one is handed what it gives",
                "hand over the function itself, and its arguments as args=",
            )
        elif group is not None:
            self._say(node, "the first argument is the group, which must be None: this raises", "write target=")
        elif uses.runs_here(node):
            self._say(node, "run() does the work in the thread that calls it, and starts none", "call start()")
        elif (before := uses.started_before(node)) is not None:
            line = self.file.line(before)
            how = "in the round before, of the loop on" if isinstance(before, cst.For | cst.While) else "on"
            self._say(
                node,
                f"this thread was started {how} line {line}, and a second start raises RuntimeError",
                "make a thread for each start",
            )

    def _say(self, node: cst.Call, what: str, remedy: str) -> None:
        self.report(node, what=what, remedy=remedy)
