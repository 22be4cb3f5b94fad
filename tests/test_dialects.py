"""Remedies in the words of the library that the file's coroutines run under."""

from __future__ import annotations

import pytest

from flake8_concurrency.engine import lint

_SLEEPS = "import time\n\nasync def wait():\n    time.sleep(1)\n"
_REMOVES = "import shutil\n\nasync def clear(path):\n    shutil.rmtree(path)\n"


@pytest.mark.parametrize(
    ("imports", "sleeping", "removing"),
    [
        ("", "await asyncio.sleep(", "asyncio.to_thread"),
        ("import asyncio, anyio\n", "await asyncio.sleep(", "asyncio.to_thread"),
        ("import anyio\n", "await anyio.sleep(", "anyio.to_thread.run_sync"),
        ("import trio\n", "await trio.sleep(", "trio.to_thread.run_sync"),
        ("from twisted.internet import defer\n", "task.deferLater(reactor, ", "twisted.internet.threads.deferToThread"),
    ],
)
def test_a_remedy_is_told_in_the_words_of_the_files_own_library(imports: str, sleeping: str, removing: str) -> None:
    (sleep,) = lint(imports + _SLEEPS, filename="a.py")
    (remove,) = lint(imports + _REMOVES, filename="a.py")
    assert sleeping in sleep.message
    assert removing in remove.message
