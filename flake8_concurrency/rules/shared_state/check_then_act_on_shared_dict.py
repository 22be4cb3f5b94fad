"""CNC609 check-then-act-on-shared-dict."""

from __future__ import annotations

import re

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

_STORES = "two threads both find it missing, and one replaces what the other has stored: use {dict}.setdefault(...)"
_TAKES = "two threads both find it there, and one gets a KeyError: use {dict}.pop(key, None)"


class CheckThenActOnSharedDict(Rule):
    """A key of a shared dict is looked for and then stored or deleted, in threaded code without a lock.

    Between the two steps another thread does the same: one value replaces the other, with whatever has been done with
    it by then, or a deletion raises a KeyError.

    Bad:

        import threading

        SESSIONS = {}

        def session(user):
            if user not in SESSIONS:
                SESSIONS[user] = Session(user)
            return SESSIONS[user]

    Bad:

        import threading

        SESSIONS = {}

        def forget(user):
            if user in SESSIONS:
                del SESSIONS[user]

    Good:

        import threading

        SESSIONS = {}
        LOCK = threading.Lock()

        def session(user):
            with LOCK:
                if user not in SESSIONS:
                    SESSIONS[user] = Session(user)
                return SESSIONS[user]

    Good:

        import threading

        SESSIONS = {}

        def session(user):
            return SESSIONS.setdefault(user, Session(user))

        def forget(user):
            SESSIONS.pop(user, None)

    Known limits:
        Opt-in: a value that is computed twice harms nobody, more often than not, and whether threads share the dict is
        seldom to be seen. Code counts as threaded where the file shows that it runs in a thread, or imports
        `threading`, a pool of threads or Flask; what only async code calls does not. Dicts are variables of the module
        and of classes, and attributes of an object whose class has a lock, or starts what uses them in a thread.
    """

    code = "CNC609"
    name = "check-then-act-on-shared-dict"
    message = "{dict}[{key}] was looked for on line {test}, and threads may share it: {what}, or hold a lock"
    gate = Gate(anchors=frozenset({"in", "get"}), called=False, keeps=re.compile(""))
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for check in self.file.dict_checks.racy(self.file.definitions.functions[node]):
            container = check.write.container
            what = (_STORES if check.stores else _TAKES).format(dict=container)
            self.report(
                check.write.node, dict=container, key=check.write.key, test=self.file.line(check.test), what=what
            )
