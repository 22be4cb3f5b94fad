"""CNC404 blocking-file-io."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.words import blocking_words
from flake8_concurrency.rule import Gate, Rule

_WORDS = blocking_words("file")


class BlockingFileIo(Rule):
    """Async code opens, reads, writes, copies, lists or deletes files with calls that wait for the disk.

    The event loop stands still meanwhile: microseconds when the file is in memory, seconds when the disk is busy, the
    directory large or on the network, and nobody sees it coming on their own machine.

    Bad:

        from pathlib import Path

        UPLOADS = Path("/srv/uploads")

        async def load(name):
            return (UPLOADS / name).read_bytes()

    Bad:

        import json

        async def save(path, settings):
            with open(path, "w") as file:
                json.dump(settings, file)

    Bad:

        import shutil

        async def forget(directory):
            shutil.rmtree(directory, ignore_errors=True)

    Good:

        import asyncio
        from pathlib import Path

        UPLOADS = Path("/srv/uploads")

        async def load(name):
            return await asyncio.to_thread((UPLOADS / name).read_bytes)

    Good:

        import asyncio
        import json

        def write(path, settings):
            with open(path, "w") as file:
                json.dump(settings, file)

        async def save(path, settings):
            await asyncio.to_thread(write, path, settings)

    Good:

        import anyio

        async def load(name):
            return await (anyio.Path("/srv/uploads") / name).read_bytes()

    Known limits:
        One finding for each `with` block, at what it opens: what is read and written inside is moved along with it.
        Silent where a file harms nobody: in start-up, shutdown and command-line code, in programs that run once, and in
        tests. Asking about a file without reading it (`exists`, `stat`) is CNC417, packing and unpacking archives
        CNC415, files that a function of the file reads CNC409. `async with` and `await` on the call are taken for what
        they say: the path is not from `pathlib`. ASYNC230 and ASYNC240 of flake8-async and ruff report `open` and the
        calls whose module or class is named near the call.
    """

    code = "CNC404"
    name = "blocking-file-io"
    message = "{call} stops the event loop until the disk has answered: use {twin}"
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, only_async=True, wants="call")
    quiet = True
    overlaps = ("ASYNC230", "ASYNC231", "ASYNC232", "ASYNC233", "ASYNC240")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for leaf in self.file.file_work.touching(node, "file"):
            self.report(leaf.node, call=leaf, twin=leaf.fact.twin)
