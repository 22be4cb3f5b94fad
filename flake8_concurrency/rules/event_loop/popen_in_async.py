"""CNC413 popen-in-async."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.model.calls import receiver
from flake8_concurrency.rule import Gate, Rule

#: What runs a program may also only start it: `os.spawnl(os.P_NOWAIT, …)`.
_WORDS = {
    name: words
    for name, words in blocking_words("popen", "subprocess").items()
    if name in blocking_words("popen") or name.startswith("spawn")
}


class PopenInAsync(Rule):
    """Async code starts a program with `subprocess.Popen` or its kin.

    Starting takes some milliseconds, in which the event loop stands still; and what comes back cannot be awaited, so
    that sooner or later somebody waits for it on the loop.

    Bad:

        import subprocess

        async def serve(path):
            return subprocess.Popen(["python", "-m", "http.server", "-d", path])

    Good:

        import asyncio

        async def serve(path):
            return await asyncio.create_subprocess_exec("python", "-m", "http.server", "-d", path)

    Known limits:
        Opt-in: the milliseconds seldom matter, and a program that is started and left alone is right. Waiting for it is
        CNC403. ASYNC220 of flake8-async and ruff reports the same where the module is named at the call.
    """

    code = "CNC413"
    name = "popen-in-async"
    message = "{call} holds up the event loop while a program starts, and what it gives cannot be awaited: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    enabled = False
    overlaps = ("ASYNC220",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        leaves = self.file.blocking_in(node)
        waiting = {receiver(leaf.node) for leaf in leaves if leaf.fact.category == "subprocess"}
        for leaf in leaves:
            # `Popen(…).communicate()` is one defect: that it waits.
            if leaf.fact.category == "popen" and leaf.node not in waiting:
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
