"""In whose words a remedy is told: asyncio's, or those of the library that a file's coroutines run under."""

from __future__ import annotations

from collections.abc import Collection

_THREAD, _SLEEP = "asyncio.to_thread", "await asyncio.sleep("
_PROGRAMS = ("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell")
#: By the package that a file imports: what it has instead.
_WORDS: dict[str, dict[str, str]] = {
    "twisted": {
        _THREAD: "twisted.internet.threads.deferToThread",
        _SLEEP: "await twisted.internet.task.deferLater(reactor, ",
        **dict.fromkeys(_PROGRAMS, "twisted.internet.utils.getProcessOutputAndValue"),
    },
    "trio": {
        _THREAD: "trio.to_thread.run_sync",
        _SLEEP: "await trio.sleep(",
        **dict.fromkeys(_PROGRAMS, "trio.run_process"),
    },
    "anyio": {
        _THREAD: "anyio.to_thread.run_sync",
        _SLEEP: "await anyio.sleep(",
        **dict.fromkeys(_PROGRAMS, "anyio.run_process"),
    },
}


def told(message: str, packages: Collection[str]) -> str:
    """The message for a file that imports these packages; whoever imports asyncio too knows its words."""
    if "asyncio." not in message or "asyncio" in packages:
        return message
    words = next((words for package, words in _WORDS.items() if package in packages), {})
    for asyncios, others in words.items():
        message = message.replace(asyncios, others)
    return message
