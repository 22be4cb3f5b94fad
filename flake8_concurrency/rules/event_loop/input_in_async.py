"""CNC414 input-in-async."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("input")


class InputInAsync(Rule):
    """Async code waits for somebody at the keyboard.

    The event loop stands still until they have typed something: no task moves, no connection is kept alive, no timeout
    fires.

    Bad:

        async def chat(send):
            while True:
                await send(input("> "))

    Good:

        import asyncio

        async def chat(send):
            while True:
                await send(await asyncio.to_thread(input, "> "))

    Known limits:
        Silent in programs for the terminal, where as a rule nothing else waits on the loop. ASYNC250 of flake8-async
        and ruff reports `input` alone.
    """

    code = "CNC414"
    name = "input-in-async"
    message = "{call} stops the event loop until somebody has typed an answer: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    overlaps = ("ASYNC250",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if self.file.is_program:
            return
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "input" and not self.file.functions.holds_up_nobody(leaf.node):
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
