"""CNC901 file-not-analysed."""

from __future__ import annotations

from flake8_concurrency.rule import Gate, Rule


class FileNotAnalysed(Rule):
    """A file that Python can read is beyond libcst, so no rule has looked at it.

    The rules need libcst's tree. Where libcst cannot make one, for syntax newer than it knows or for nesting deeper
    than it follows, the silence of all other rules means nothing. It is said once, on line 1, and only about files in
    which a rule could have spoken.

    Bad:

        import time

        async def pause():
            (delay): float = 0.5
            time.sleep(delay)

    Good:

        import asyncio

        async def pause():
            delay: float = 0.5
            await asyncio.sleep(delay)

    Known limits:
        A newer libcst may know the syntax: `pip install --upgrade libcst`.
    """

    code = "CNC901"
    name = "file-not-analysed"
    message = "this file was not analysed, libcst cannot parse it: {reason}"
    #: No text has this word: the engine reports it when the parse fails, it never looks for anything itself.
    gate = Gate(anchors=frozenset({"<parse error>"}))
