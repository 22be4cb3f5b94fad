"""CNC417 blocking-stat."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("stat")


class BlockingStat(Rule):
    """Async code asks the file system about a path with a call that waits for the answer.

    The event loop stands still meanwhile: a microsecond as a rule, and as long as it takes where the path is on a
    network share or a disk that has gone to sleep.

    Bad:

        from pathlib import Path

        async def avatar(user_id):
            path = Path("/srv/avatars") / str(user_id)
            return path if path.exists() else None

    Bad:

        import os

        async def length(path):
            return os.path.getsize(path)

    Good:

        import asyncio
        from pathlib import Path

        async def avatar(user_id):
            path = Path("/srv/avatars") / str(user_id)
            return path if await asyncio.to_thread(path.exists) else None

    Good:

        import aiofiles.os

        async def length(path):
            return await aiofiles.os.path.getsize(path)

    Known limits:
        Opt-in: on a local disk the answer is in memory nearly always, and a thread costs more than it. Silent where
        CNC404 is. In a function of the file that async code calls it is CNC409, which also waits for this rule to be
        turned on. What only computes (`abspath`, `normpath`, `expanduser`) is not reported. ASYNC240 of flake8-async
        and ruff reports the same where the path's class or module is named near the call.
    """

    code = "CNC417"
    name = "blocking-stat"
    message = "{call} stops the event loop until the file system has answered: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    enabled = False
    quiet = True
    overlaps = ("ASYNC240",)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.file_work.touching(node, "stat"):
            self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
