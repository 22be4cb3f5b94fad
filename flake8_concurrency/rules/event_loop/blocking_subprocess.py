"""CNC403 blocking-subprocess."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("subprocess")


class BlockingSubprocess(Rule):
    """A program that async code runs, or waits for, with the calls of `subprocess` and `os` stops the event loop.

    The loop stands still until the program has ended: seconds for a compiler, for ever for a program that asks a
    question.

    Bad:

        import subprocess

        async def convert(path):
            subprocess.run(["convert", path, "out.png"], check=True, timeout=60)

    Bad:

        import subprocess

        async def stop(process: subprocess.Popen):
            process.terminate()
            process.wait(timeout=5)

    Good:

        import asyncio

        async def convert(path):
            process = await asyncio.create_subprocess_exec("convert", path, "out.png")
            async with asyncio.timeout(60):
                await process.wait()

    Good:

        import asyncio
        import subprocess

        async def convert(path):
            await asyncio.to_thread(subprocess.run, ["convert", path, "out.png"], check=True, timeout=60)

    Known limits:
        Starting a process with `Popen` takes milliseconds and is not reported here, nor is `wait()` after `kill()`,
        nor one after `poll()` has said that the process is over. A program that is run by a function of the file is
        CNC409. ASYNC220, ASYNC221 and ASYNC222 of flake8-async and ruff report the plain calls.
    """

    code = "CNC403"
    name = "blocking-subprocess"
    message = "{call} stops the event loop until the program has ended: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    overlaps = ("ASYNC220", "ASYNC221", "ASYNC222")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.blocking_in(node):
            if leaf.fact.category == "subprocess":
                self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
