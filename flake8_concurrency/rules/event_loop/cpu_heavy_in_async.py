"""CNC415 cpu-heavy-in-async."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("cpu")


class CpuHeavyInAsync(Rule):
    """Async code hashes a password, unpacks an archive, converts an image or reads a table on the event loop.

    Such work takes tens of milliseconds to seconds, by design or by the size of what it is given, and nothing else on
    the loop moves meanwhile.

    Bad:

        import bcrypt

        async def login(password, hashed):
            return bcrypt.checkpw(password, hashed)

    Bad:

        import pandas

        async def total(path):
            return int(pandas.read_csv(path)["amount"].sum())

    Good:

        import asyncio
        import bcrypt

        async def login(password, hashed):
            return await asyncio.to_thread(bcrypt.checkpw, password, hashed)

    Known limits:
        Opt-in: whether it takes long depends on what it is given, and a thread helps only where the library lets go of
        the interpreter's lock, as those named here do for most of their work. Only these libraries' heaviest calls are
        known. Silent in tests, and in start-up and command-line code.
    """

    code = "CNC415"
    name = "cpu-heavy-in-async"
    message = "{call} keeps the event loop busy for as long as it computes: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.file_work.touching(node, "cpu"):
            self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
