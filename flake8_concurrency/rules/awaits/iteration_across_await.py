"""CNC510 iteration-across-await."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import iteration_shapes
from flake8_concurrency.rule import Gate, Rule

_RAISES = "RuntimeError when one goes meanwhile, and the rest is not visited"
_SKIPS = "when one goes meanwhile, the one after it is not visited"


class IterationAcrossAwait(Rule):
    """A loop goes through a shared dict, set or list and awaits in between, while others take items out of it.

    The loop asks for its next item after others have run. If one of them has removed an item meanwhile, or what is
    awaited has done so itself, it raises `RuntimeError: dictionary changed size during iteration`, and the rest is
    never visited: the connections that are left stay open, the subscribers that are left hear nothing. A list raises
    nothing: what came after the item moves up, and the loop steps over one that is still there.

    Bad:

        class Room:
            def __init__(self):
                self.members = {}

            async def join(self, name, socket):
                self.members[name] = socket
                try:
                    await socket.listen()
                finally:
                    del self.members[name]

            async def say(self, text):
                for socket in self.members.values():
                    await socket.send(text)

    Bad:

        import asyncio

        class Jobs:
            def __init__(self):
                self.running = set()

            def begin(self, work):
                task = asyncio.create_task(work)
                self.running.add(task)
                task.add_done_callback(self.running.discard)

            async def aclose(self):
                for task in self.running:
                    task.cancel()
                    await asyncio.wait([task], timeout=5)

    Bad:

        class Rooms:
            def __init__(self):
                self.sockets: dict[str, list] = {}

            def disconnect(self, room, socket):
                self.sockets[room].remove(socket)

            async def say(self, room, text):
                for socket in self.sockets[room]:
                    await socket.send(text)

    Good:

        class Room:
            def __init__(self):
                self.members = {}

            async def join(self, name, socket):
                self.members[name] = socket
                try:
                    await socket.listen()
                finally:
                    del self.members[name]

            async def say(self, text):
                for socket in list(self.members.values()):
                    await socket.send(text)

    Known limits:
        It speaks of dicts, sets and lists that are an attribute of the object or the class, a variable of the module,
        or filed in such a dict, and known to be one. Items must be taken out by another function of the file that does
        not only run at the start or the end, going by its name and by whether it is told which item: what is only ever
        added to (a registry of handlers) is silent, and so are loops under a lock, those that leave after the await,
        and objects that belong to one request or task. Of lists it speaks only where the loop itself calls what takes
        items out, or where they hold listeners, connections and the like, going by the name: there one is missed.
    """

    code = "CNC510"
    name = "iteration-across-await"
    message = (
        "this loop over {container} awaits on line {wait}, and {changer}() takes items out of it on line {change}:"
        " {outcome}; loop over list({iterated})"
    )
    gate = Gate(anchors=frozenset({"await", "async"}), called=False, finds=iteration_shapes.may_disturb)
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for found in self.file.iterations.disturbed(self.file.definitions.functions[node]):
            self.report(
                found.loop,
                container=self.file.tree.module.code_for_node(found.container),
                iterated=self.file.tree.module.code_for_node(found.loop.iter),
                wait=self.file.line(found.suspension),
                changer=found.changer.qualified_name,
                change=self.file.line(found.change),
                outcome=_RAISES if found.is_noticed else _SKIPS,
            )
