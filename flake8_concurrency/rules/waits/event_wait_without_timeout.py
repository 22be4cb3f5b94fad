"""CNC206 event-wait-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import SIGNALS
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.sentinels import KEEPS
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*SIGNALS)


class EventWaitWithoutTimeout(Rule):
    """An event, condition or barrier of threads or processes is waited for without a timeout.

    If the thread that should set it has died or has forgotten to, the caller waits for ever.

    Bad:

        import threading

        class Client:
            def __init__(self):
                self._connected = threading.Event()

            def send(self, message):
                self._connected.wait()
                self.transport.write(message)

    Good:

        import threading

        class Client:
            def __init__(self):
                self._connected = threading.Event()

            def send(self, message):
                if not self._connected.wait(timeout=10):
                    raise TimeoutError("no connection after ten seconds")
                self.transport.write(message)

    Known limits:
        An event that says by its name that it ends the program (`stop`, `shutdown`, `exit`) may be waited for without
        end, a condition in a loop whose test looks at such a name, too. So may an event in a loop, where the function
        that sets the flag of the loop sets the event as well, and so may `Event().wait()`, which nobody can end. A
        barrier that was made with a timeout has one. In async code the call is CNC407.
    """

    code = "CNC206"
    name = "event-wait-without-timeout"
    message = "{call}() has no timeout and waits for ever if nobody signals: pass timeout= and test what it returns"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, keeps=KEEPS)
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        leaf = self.file.waits.unbounded_leaf(node, SIGNALS)
        if leaf is not None and not self.file.sentinels.may_last(node, leaf.name):
            self.report(node, call=leaf.name)
