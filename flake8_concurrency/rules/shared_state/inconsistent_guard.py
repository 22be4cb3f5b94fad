"""CNC603 inconsistent-guard."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import guard_shapes, held_shapes
from flake8_concurrency.rule import Gate, Rule


class InconsistentGuard(Rule):
    """An attribute that is changed under a lock elsewhere is written, or gone over, without it here.

    A lock keeps out only those who take it too. The write comes between what others read and store under the lock: an
    update is lost, or they see one half of a change. A loop over a dict to which they add a key meanwhile raises a
    RuntimeError.

    Bad:

        import threading

        class Queue:
            def __init__(self):
                self._lock = threading.Lock()
                self._waiting = []

            def put(self, item):
                self._waiting.append(item)

            def drain(self):
                with self._lock:
                    found, self._waiting = self._waiting, []
                return found

            def size(self):
                with self._lock:
                    return len(self._waiting)

    Good:

        import threading

        class Queue:
            def __init__(self):
                self._lock = threading.Lock()
                self._waiting = []

            def put(self, item):
                with self._lock:
                    self._waiting.append(item)

            def drain(self):
                with self._lock:
                    found, self._waiting = self._waiting, []
                return found

            def size(self):
                with self._lock:
                    return len(self._waiting)

    Known limits:
        Of what only reads, loops over a dict, a set or a deque, or the views of a dict, are reported, where another
        method changes its keys under the lock: reading one attribute without it is often meant (`if self._closed:
        return`), and gives an old value at worst, and `list(self._found.values())` copies at once. The lock must be
        held at more uses than not, writes counting twice, in two methods or more; for such a loop, and for `+=` where
        another method has `+=` under the lock, one use under it is enough. Silent are constructors and what only they
        call, methods that all callers call under the lock or whose name or docstring says so, what begins or ends the
        object's life (`start`, `close`, `reset`), flags set to True or False, and attributes that are safe by
        themselves (queues, events, locks). State under a lock of asyncio is CNC502's, and the first change that breaks
        the promise of a class CNC802's.
    """

    code = "CNC603"
    name = "inconsistent-guard"
    message = (
        "self.{attribute} is {use} here without self.{lock}, which is held at {guarded} of its {count} uses (line"
        " {lines}): take it here too, or {harm}"
    )
    gate = Gate(
        anchors=guard_shapes.LOCKS,
        context=(frozenset({"import threading"}),),
        finds=held_shapes.may_forget,
    )
    quiet = True

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        info = self.file.definitions.classes[node]
        # A broken promise is CNC802's to tell.
        is_told = "CNC802" in self.file.run.codes
        told = {breach.access.node for breach in self.file.thread_promises.breaches(info)} if is_told else set()
        for bare in self.file.guards.bare(info):
            if bare.access.node in told:
                continue
            lines = sorted({self.file.line(access.node) for access in bare.guarded})
            is_write = bare.access.is_write
            shown = ", ".join(map(str, lines[:3])) + (" …" if len(lines) > 3 else "")
            self.report(
                bare.access.node,
                attribute=bare.attribute,
                use="written" if is_write else "gone over",
                harm="others lose the update" if is_write else "a key that comes or goes meanwhile ends the loop",
                lock=bare.lock,
                guarded=len(bare.guarded),
                count=bare.uses,
                lines=shown,
            )
