"""CNC208 popen-wait-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import PROCESSES
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.flow import breaks
from flake8_concurrency.model.locks import words
from flake8_concurrency.model.spelling import dotted, text
from flake8_concurrency.model.waits import HANDS_ON
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*PROCESSES)
#: Words in the name of a thread that waits for others.
_WAITERS = frozenset("wait waiter waiting watch watcher monitor reaper".split())


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
        After `kill()`, or once `poll()` has said that the process is over, the wait only takes its status, as it does
        after a loop that read `stdout` to its end (that loop is the wait, and a timeout here would not end it). Files
        that are programs themselves are left alone, as for CNC207, and so is a process that a timer kills or that talks
        to the terminal (`stdout=sys.stdout`) or is told `sys.argv`: it is the program itself. A helper that is named
        after killing (`kill_group(process.pid)`) is taken at its word, and a thread after waiting (`WaitThread.run`).
        In async code the call is CNC403.
    """

    code = "CNC208"
    name = "popen-wait-without-timeout"
    message = "{call}() has no timeout and waits for ever if the program hangs: pass timeout=, then kill() what hangs"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, keeps=HANDS_ON)
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        if self.file.is_program:
            return
        leaf = self.file.waits.unbounded_leaf(node, PROCESSES)
        if leaf is not None and isinstance(node.func, cst.Attribute) and not self._ends_anyway(node, node.func.value):
            self.report(node, call=leaf.name)

    def _ends_anyway(self, node: cst.Call, process: cst.BaseExpression) -> bool:
        """Whether something else ends the process (a timer that kills it), has ended it, or it talks to the user."""
        function = self.file.function_of(node)
        if function is not None and self._is_there_to_wait(function):
            return True
        if function is not None and ("reap" in function.name or self._is_killed_elsewhere(function, text(process))):
            return True
        if self._was_read_to_its_end(node, f"{text(process)}.stdout"):
            return True
        made = self.file.origins.of(process) or ()
        commands = [call.args[0].value for call in made if call.args]
        return self.file.waits.is_for_the_program(node, commands) or any(
            dotted(arg.value) in ("sys.stdin", "sys.stdout") for call in made for arg in call.args if arg.keyword
        )

    def _is_there_to_wait(self, function: FunctionInfo) -> bool:
        """`class WaitThread(Thread)`: a thread of its own waits so that nobody else has to."""
        owner = function.owner
        return owner is not None and function.name == "run" and not _WAITERS.isdisjoint(words(owner.name))

    def _was_read_to_its_end(self, node: cst.Call, output: str) -> bool:
        """Whether a loop before took all output: that was the wait, and no timeout here would end it."""
        for earlier in self.file.flow.earlier(node):
            for event in self.file.flow.certain(earlier):
                if isinstance(event, cst.For) and not breaks(event):
                    read: cst.CSTNode = event.iter
                elif isinstance(event, cst.While) and self.file.flow.ends_when_empty(event):
                    read = event
                else:
                    continue
                if any(dotted(part) == output for part in self.file.tree.within(read)):
                    return True
        return False

    def _is_killed_elsewhere(self, function: FunctionInfo, process: str) -> bool:
        """Whether the means to kill a process are handed to somebody: `Timer(60, process.kill)`, or what does so."""
        means = {f"{process}.kill", f"{process}.terminate"}
        means |= {
            nested.name
            for nested in self.file.definitions.functions.values()
            if self.file.function_of(nested.node) is function and any(text(call.func) in means for call in nested.calls)
        }
        return bool(process) and any(
            text(inner) in means
            for call in function.calls
            for arg in call.args
            for inner in [arg.value, *self.file.tree.within(arg.value)]
        )
