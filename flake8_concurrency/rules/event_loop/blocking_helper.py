"""CNC409 blocking-helper."""

from __future__ import annotations

from collections.abc import Collection

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.functions import Chain
from flake8_concurrency.rule import Gate, Rule

#: What stops the loop for long wherever it happens.
_ALWAYS = ("sleep", "http", "subprocess", "database", "client", "primitive", "configured")
#: Files are read in a moment, so start-up code, programs, tests and results that are remembered may do it.
_UNLESS_ONCE = (*_ALWAYS, "file")

_WORDS = blocking_words(*_UNLESS_ONCE)
#: Asking about files is reported where the rule about it is turned on.
_STAT = "CNC417"
_WORDS_WITH_STAT = blocking_words(*_UNLESS_ONCE, "stat")


class BlockingHelper(Rule):
    """Async code calls a sync function of this file that blocks, directly or through others.

    The call looks harmless, and the event loop stands still all the same: for the sleep, the request, the query or the
    file that the helper waits for, and with it everything else that runs on the loop.

    Bad:

        import requests

        def fetch(url):
            return requests.get(url, timeout=10)

        def load_user(user_id):
            return fetch(f"https://api.example.org/users/{user_id}").json()

        async def greet(user_id):
            return f"Hello {load_user(user_id)['name']}"

    Bad:

        import time

        class Poller:
            def __init__(self, job):
                self.job = job

            def wait(self):
                while not self.job.is_done():
                    time.sleep(1)

            async def run(self):
                self.wait()

    Good:

        import asyncio
        import requests

        def load_user(user_id):
            return requests.get(f"https://api.example.org/users/{user_id}", timeout=10).json()

        async def greet(user_id):
            user = await asyncio.to_thread(load_user, user_id)
            return f"Hello {user['name']}"

    Good:

        import requests
        from flake8_concurrency.runtime import Offloader

        OFFLOAD = Offloader(max_threads=8, queue_timeout=5)

        def load_user(user_id):
            return requests.get(f"https://api.example.org/users/{user_id}", timeout=10).json()

        async def greet(user_id):
            user = await OFFLOAD(load_user, user_id, timeout=15)
            return f"Hello {user['name']}"

    Known limits:
        A function is followed when the file shows which one it is: a method that a class of the file replaces, and
        a function under a decorator that is not known, are not; those of other modules are CNC410's. Helpers that read
        or write files are not reported in start-up, shutdown and command-line code, in programs that run once, in
        tests, and where they remember their result; those that only ask about a file (`exists`, `stat`) where CNC417 is
        turned on. Of several calls of a helper in one function the first is reported.
    """

    code = "CNC409"
    name = "blocking-helper"
    message = (
        "{chain} stops the event loop until it is over:"
        " call it through `await asyncio.to_thread(...)`, or replace its last call by {twin}"
    )
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, reaches=True)

    @classmethod
    def gate_for(cls, configured: Collection[str], codes: Collection[str] = ()) -> Gate:
        """Open for the user's own blocking calls as well, and for what is asked about files."""
        words = _WORDS_WITH_STAT if _STAT in codes else _WORDS
        names = {name.rpartition(".")[2] for name in configured}
        needs = {anchor: telling for anchor, telling in words.items() if anchor not in names}
        return cls.gate._replace(anchors=frozenset(words) | names, needs=needs)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        if not function.is_async:
            return
        functions = self.file.functions
        harmless = self.file.quiet or self.file.is_program or functions.runs_once(function)
        categories = _ALWAYS if harmless else _UNLESS_ONCE
        if not harmless and _STAT in self.file.codes:
            categories = (*categories, "stat")
        told: set[FunctionInfo] = set()
        for chain in functions.chains(function, categories, lasting=_ALWAYS):
            first = chain.steps[0]
            if chain.leaf.fact.category == "sleep" and functions.holds_up_nobody(first.node):
                continue
            # Its other calls here are the same defect, and are repaired together.
            if first.function not in told:
                told.add(first.function)
                self.report(first.node, chain=self._told(chain), twin=chain.leaf.fact.twin)

    def _told(self, chain: Chain) -> str:
        """`load_user → _fetch (line 14) → requests.get (line 15)`: where each function and the leaf stand."""
        first, *others = (step.function for step in chain.steps)
        parts = [first.qualified_name]
        parts += [f"{function.qualified_name} (line {self.file.line(function.node)})" for function in others]
        return " → ".join([*parts, f"{chain.leaf} (line {self.file.line(chain.leaf.node)})"])
