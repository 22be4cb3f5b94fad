"""CNC410 blocking-helper-in-another-module."""

from __future__ import annotations

from itertools import takewhile

import libcst as cst

from flake8_concurrency.rule import Gate, Rule

#: What stops the loop for long wherever it happens.
_ALWAYS = ("sleep", "http", "subprocess", "database", "client", "primitive", "configured")
#: Files are read in a moment, so start-up code, programs, tests and results that are remembered may do it.
_UNLESS_ONCE = (*_ALWAYS, "file")
#: Asking about files is reported where the rule about it is turned on.
_STAT = "CNC417"


class BlockingHelperInAnotherModule(Rule):
    """Async code calls a sync function of another module of the project that blocks, directly or through others.

    Nothing in this file shows it, and the event loop stands still all the same: for the sleep, the request, the query
    or the file that the helper waits for, and with it everything else that runs on the loop.

    Bad:

        # file: app/http.py
        import requests

        def fetch(url):
            return requests.get(url, timeout=10).json()

        # file: app/users.py
        from app.http import fetch

        async def load_user(user_id):
            return fetch(f"https://api.example.org/users/{user_id}")

    Good:

        # file: app/http.py
        import requests

        def fetch(url):
            return requests.get(url, timeout=10).json()

        # file: app/users.py
        import asyncio
        from app.http import fetch

        async def load_user(user_id):
            return await asyncio.to_thread(fetch, f"https://api.example.org/users/{user_id}")

    Known limits:
        Off unless `--concurrency-project-root` names the directory of the project's modules, or says `auto`: the
        nearest one around the file with a pyproject.toml, setup.cfg, setup.py or .git. It costs half as much as all
        other rules where little is async, twice as much where much is, and seven times in a large project that is async
        throughout; only files with async code are asked. Nothing outside the root is read, and nothing is imported.
        What a name of another file leads to is followed for three steps and 150 lines in each file, and into one more
        file from there. Star imports, modules that cannot be parsed, methods that a class of either file replaces, and
        functions under a decorator that is not known are not followed. Only what a helper does whenever it is called
        counts: what it does under a test, in a handler, or before it remembers the result is not reported, unless
        literals that are passed, or defaults, decide the test. Neither is a sleep of less than 10 ms, or a directory
        that is made. Helpers that read or write files are not reported in start-up, shutdown and command-line code, in
        programs that run once, in tests, and in handlers of exceptions; those that only ask about a file (`exists`,
        `stat`) where CNC417 is turned on. Of several calls of a helper in one function the first is reported.
    """

    code = "CNC410"
    name = "blocking-helper-in-another-module"
    message = (
        "{chain} stops the event loop until it is over:"
        " call it through `await asyncio.to_thread(...)`, or replace its last call by {twin}"
    )
    gate = Gate(anchors=frozenset({"<elsewhere>"}), only_async=True, elsewhere=True)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        if not function.is_async:
            return
        functions, beyond = self.file.functions, self.file.beyond
        harmless = self.file.quiet or self.file.is_program or functions.runs_once(function)
        categories = _ALWAYS if harmless else _UNLESS_ONCE
        if not harmless and _STAT in self.file.codes:
            categories = (*categories, "stat")
        known = {chain.steps[0].node for chain in functions.chains(function, categories, lasting=_ALWAYS)}
        told: set[tuple[str, str]] = set()
        for chain in beyond.chains(function, categories):
            if chain.node in known:
                continue
            category = chain.leaf.fact.category
            if category == "sleep" and functions.holds_up_nobody(chain.node):
                continue
            if category not in _ALWAYS and self._is_handling(chain.node):
                continue
            # Its other calls here are the same defect, and are repaired together.
            first = chain.places[0]
            key = (first.where, first.function.qualified_name)
            if key not in told:
                told.add(key)
                self.report(chain.node, chain=beyond.told(chain), twin=chain.leaf.fact.twin)

    def _is_handling(self, node: cst.CSTNode) -> bool:
        """Whether a node runs only where something went wrong."""
        ancestors = takewhile(lambda parent: not isinstance(parent, cst.FunctionDef), self.file.tree.ancestors(node))
        return any(isinstance(parent, cst.ExceptHandler | cst.ExceptStarHandler) for parent in ancestors)
