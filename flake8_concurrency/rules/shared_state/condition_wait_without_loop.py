"""CNC610 condition-wait-without-loop."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.condition_waits import answers, asks
from flake8_concurrency.model.spelling import text
from flake8_concurrency.rule import Gate, Rule


class ConditionWaitWithoutLoop(Rule):
    """A condition is waited for once, and what was waited for is not looked at again.

    `wait()` returns when somebody has called `notify()`, not when the thing is there: another thread may have woken up
    first and taken it, or the call was about something else. Nor does it look first: who waits for what is there
    already has missed the call, and waits for ever.

    Bad:

        import threading

        class Mailbox:
            def __init__(self):
                self._changed = threading.Condition()
                self._letters = []

            def take(self):
                with self._changed:
                    if not self._letters:
                        self._changed.wait(timeout=60)
                    return self._letters.pop()

    Good:

        import threading

        class Mailbox:
            def __init__(self):
                self._changed = threading.Condition()
                self._letters = []

            def take(self):
                with self._changed:
                    if not self._changed.wait_for(lambda: self._letters, timeout=60):
                        raise TimeoutError("no letter in a minute")
                    return self._letters.pop()

    Good:

        import threading

        class Mailbox:
            def __init__(self):
                self._changed = threading.Condition()
                self._letters = []

            def take(self):
                with self._changed:
                    while not self._letters:
                        self._changed.wait(timeout=60)
                    return self._letters.pop()

    Known limits:
        A wait with a timeout that nothing was tested for is a pause, and silent. So is one that a loop comes back to,
        in the function or in all its callers, one whose test is made again further down or not relied on, one in a
        function that does nothing else, and one under the lock of which something was done before. Conditions of
        asyncio are not looked at: tasks of one loop seldom come between a call and the task that it wakes.
    """

    code = "CNC610"
    name = "condition-wait-without-loop"
    message = (
        "{what}: another thread may have been faster, or the call was about something else;"
        " use {condition}.wait_for(lambda: ...), or wait in a while loop"
    )
    gate = Gate(
        anchors=frozenset({"Condition", "not_empty", "not_full", "all_tasks_done"}),
        asks=asks,
        answers=answers,
        where=frozenset({"wait"}),
        nearest=True,
    )

    def visit_Call(self, node: cst.Call) -> None:
        tested = self.file.condition_waits.tested_once(node)
        if tested is not None:
            self._say(node, f"what line {self.file.line(tested)} tests is not tested again after this wait")
        elif self.file.condition_waits.is_blind(node):
            self._say(node, "nothing is tested before this wait, nor after it")

    def _say(self, node: cst.Call, what: str) -> None:
        assert isinstance(node.func, cst.Attribute)
        self.report(node, what=what, condition=text(node.func.value) or "the condition")
