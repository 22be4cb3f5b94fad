"""CNC509 loop-touched-from-thread."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import thread_shapes
from flake8_concurrency.rule import Gate, Rule

_LATER = "loop.call_soon_threadsafe(...)"
_COROUTINE = "asyncio.run_coroutine_threadsafe(coroutine, loop)"
_HANDED = "loop.call_soon_threadsafe(...) with the method"
_REMEDIES = {
    **dict.fromkeys(
        """AbstractEventLoop.call_soon AbstractEventLoop.call_later AbstractEventLoop.call_at
        AbstractEventLoop.add_reader AbstractEventLoop.remove_reader AbstractEventLoop.stop""".split(),
        _LATER,
    ),
    **dict.fromkeys(("AbstractEventLoop.create_task", "create_task", "ensure_future"), _COROUTINE),
    **dict.fromkeys(
        """Queue.put_nowait Queue.get_nowait Queue.task_done Event.set Event.clear Future.set_result
        Future.set_exception Future.cancel Task.cancel Lock.release Semaphore.release StreamWriter.write
        StreamWriter.close WriteTransport.write BaseTransport.close""".split(),
        _HANDED,
    ),
}


class LoopTouchedFromThread(Rule):
    """Code in a thread calls what only the event loop's own thread may call.

    asyncio's objects have no locks. From another thread the call does not wake the loop, so nothing happens until
    something else does, seconds later or never; and now and then two threads change a list of the loop at once.

    Bad:

        import asyncio
        import threading

        class Reader:
            def __init__(self, device):
                self.device = device
                self.lines = asyncio.Queue()

            def start(self):
                threading.Thread(target=self._read, daemon=True).start()

            def _read(self):
                for line in self.device:
                    self.lines.put_nowait(line)

    Bad:

        import asyncio

        async def watch(device, changed):
            loop = asyncio.get_running_loop()

            def wait():
                device.wait()
                loop.call_soon(changed)

            await asyncio.to_thread(wait)

    Good:

        import asyncio
        import threading

        class Reader:
            def __init__(self, device, loop):
                self.device = device
                self.loop = loop
                self.lines = asyncio.Queue()

            def start(self):
                threading.Thread(target=self._read, daemon=True).start()

            def _read(self):
                for line in self.device:
                    self.loop.call_soon_threadsafe(self.lines.put_nowait, line)

    Known limits:
        A function counts as running in a thread when the file hands it to one (`Thread`, `submit`, `to_thread`,
        `run_in_executor` …), when it is the `run` of a Thread, or when one of these calls it. A function that runs an
        event loop of its own is not reported, nor is what it calls.
    """

    code = "CNC509"
    name = "loop-touched-from-thread"
    message = (
        "{call} runs in a thread here (started by {how}), but only the event loop's own thread may call it: use {twin}"
    )
    gate = Gate(
        anchors=thread_shapes.STARTING,
        context=(frozenset({"asyncio"}),),
        asks=thread_shapes.asks,
        where=thread_shapes.TOUCHING,
        answers=thread_shapes.answers,
    )

    def visit_Call(self, node: cst.Call) -> None:
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in thread_shapes.TOUCHING:
            return
        how = self.file.event_loops.thread_of(self.file.function_of(node)) if self._runs_here(node) else ""
        names = self.file.functions.table_names(node.func) if how else ()
        known = (name.removeprefix("asyncio.") for name in names if name.startswith("asyncio."))
        twin = next((_REMEDIES[name] for name in known if name in _REMEDIES), None)
        if twin is not None:
            self.report(node, call=f"{self.file.tree.module.code_for_node(node.func)}(...)", how=how, twin=twin)

    def _runs_here(self, node: cst.Call) -> bool:
        """Whether a call is made by the function it stands in: not by a lambda that it hands on."""
        for parent in self.file.ancestors(node):
            if isinstance(parent, cst.Lambda):
                return False
            if isinstance(parent, cst.FunctionDef):
                return True
        return False
