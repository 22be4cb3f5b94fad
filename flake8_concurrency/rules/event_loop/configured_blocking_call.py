"""CNC412 configured-blocking-call."""

from __future__ import annotations

from collections.abc import Collection

import libcst as cst

from flake8_concurrency.rule import Gate, Rule


class ConfiguredBlockingCall(Rule):
    """Async code makes a call that `--concurrency-blocking-calls` names as blocking.

    The event loop stands still until it is over, and with it everything else that runs on the loop. The option is for
    functions of your own that no table knows: `shop.client.fetch->shop.aclient.fetch` names one and its async twin.

    Bad:

        from shop.client import fetch

        async def greet(user_id):
            return fetch(user_id)

    Good:

        from shop.aclient import fetch

        async def greet(user_id):
            return await fetch(user_id)

    Good:

        import asyncio
        from shop.client import fetch

        async def greet(user_id):
            return await asyncio.to_thread(fetch, user_id)

    Known limits:
        Silent as long as nothing is configured. Functions are known by the name they are imported with, methods only of
        classes that the tables know. A call that is reached through a function of the file is CNC409.
    """

    code = "CNC412"
    name = "configured-blocking-call"
    message = "{call} blocks the event loop until it is over, as configured: use {twin}"
    #: No text has this word: `gate_for` has the configured names.
    gate = Gate(anchors=frozenset({"<configured>"}), only_async=True)

    @classmethod
    def gate_for(cls, configured: Collection[str], codes: Collection[str] = ()) -> Gate:
        """Open for the last names of what is configured."""
        del codes
        return cls.gate._replace(anchors=frozenset(name.rpartition(".")[2] for name in configured))

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "configured":
                self.report(leaf.node, call=leaf.name, twin=leaf.fact.twin)
