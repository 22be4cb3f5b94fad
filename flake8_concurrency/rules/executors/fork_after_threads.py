"""CNC111 fork-after-threads."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.rule import Gate, Rule

_MAKES_PROCESSES = frozenset(
    {"multiprocessing.Process", "multiprocessing.Pool", "multiprocessing.process.BaseProcess",
     "concurrent.futures.ProcessPoolExecutor"}
)  # fmt: skip
_MAKES_THREADS = frozenset({"threading.Thread", "threading.Timer", "concurrent.futures.ThreadPoolExecutor"})


class ForkAfterThreads(Rule):
    """A module that starts threads starts processes by the default method, which on Linux is `fork` before Python 3.14.

    A forked child has a copy of every lock and none of the threads: a lock that a thread held at that moment stays
    locked in the child for ever, in logging or in the allocator of a library as well as in this file.

    Bad:

        import multiprocessing
        import threading

        def start(watch, work):
            threading.Thread(target=watch, daemon=True).start()
            multiprocessing.Process(target=work).start()

    Good:

        import multiprocessing
        import threading

        def start(watch, work):
            threading.Thread(target=watch, daemon=True).start()
            multiprocessing.get_context("spawn").Process(target=work).start()

    Known limits:
        Opt-in, because it depends on the system and the version of Python, and on what else starts threads. A file that
        sets a start method anywhere is silent, and so are threads and processes of different functions and classes.
    """

    code = "CNC111"
    name = "fork-after-threads"
    message = (
        "this file starts threads (line {line}), and {made} forks them away with their locks held: use "
        'multiprocessing.get_context("spawn")'
    )
    gate = Gate(
        anchors=frozenset({"Process", "Pool", "ProcessPoolExecutor"}),
        context=(frozenset({"multiprocessing", "concurrent"}),),
        keeps=re.compile(r"\b(?:Thread|Timer|ThreadPoolExecutor|set_start_method|get_context|mp_context)\b"),
    )
    enabled = False

    def visit_Call(self, node: cst.Call) -> None:
        name = self._made(node, _MAKES_PROCESSES)
        if name is None or argument(node, None, "mp_context") is not None or self._chooses_method():
            return
        thread = next((call for call in self.file.tree.calls if self._may_run(call, node)), None)
        if thread is not None:
            self.report(node, line=self.file.line(thread), made=name.rpartition(".")[2])

    def _made(self, node: cst.Call, names: frozenset[str]) -> str | None:
        name = self.file.qualified(node.func)
        return name if name in names else None

    def _chooses_method(self) -> bool:
        return any(last_name(call.func) in ("set_start_method", "get_context") for call in self.file.tree.calls)

    def _may_run(self, thread: cst.Call, process: cst.Call) -> bool:
        """Whether a thread that a call makes may run where a process is made: they share a function or class."""
        if self._made(thread, _MAKES_THREADS) is None or isinstance(self.file.parent(thread), cst.WithItem):
            return False
        one, other = self.file.function_of(thread), self.file.function_of(process)
        if one is None:
            return True
        if one is other:
            return self.file.tree.order(thread) < self.file.tree.order(process)
        return other is not None and one.owner is not None and one.owner is other.owner
