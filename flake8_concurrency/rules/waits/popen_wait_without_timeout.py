"""CNC208 popen-wait-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import PROCESSES
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*PROCESSES)


class PopenWaitWithoutTimeout(Rule):
    """A process that was started with `Popen` is waited for without a timeout.

    A program that hangs (it asks a question nobody sees, it waits for the network) keeps the caller for ever.

    Bad:

        import subprocess

        def convert(path):
            process = subprocess.Popen(["convert", path, "out.png"], stderr=subprocess.PIPE)
            _, errors = process.communicate()
            return errors

    Good:

        import subprocess

        def convert(path):
            process = subprocess.Popen(["convert", path, "out.png"], stderr=subprocess.PIPE)
            try:
                _, errors = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
            return errors

    Known limits:
        After `kill()`, or once `poll()` has said that the process is over, the wait only takes its status. Files that
        are programs themselves are left alone, as for CNC207. In async code the call is CNC403.
    """

    code = "CNC208"
    name = "popen-wait-without-timeout"
    message = "{call}() has no timeout and waits for ever if the program hangs: pass timeout=, then kill() what hangs"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS)
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program:
            return
        leaf = self.file.waits.unbounded_leaf(node, PROCESSES)
        if leaf is not None:
            self.report(node, call=leaf.name)
