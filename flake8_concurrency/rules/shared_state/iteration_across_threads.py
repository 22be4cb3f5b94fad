"""CNC618 iteration-across-threads."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import beside_shapes, guard_shapes
from flake8_concurrency.rule import Gate, Rule


class IterationAcrossThreads(Rule):
    """A loop goes over a dict, a set or a deque of the object, while a thread of the same object changes it.

    The interpreter may switch to the other thread between any two items. If a key has come or gone meanwhile, the loop
    ends with `RuntimeError: dictionary changed size during iteration`, and the thread with it, unless somebody catches
    what nobody expects.

    Bad:

        import threading

        class Monitor:
            def __init__(self):
                self._seen = {}
                self._thread = threading.Thread(target=self._run, daemon=True)

            def start(self):
                self._thread.start()

            def _run(self):
                while True:
                    device = discover()
                    self._seen[device.name] = device

            def names(self):
                return [name for name, device in self._seen.items() if device.ready]

    Good:

        import threading

        class Monitor:
            def __init__(self):
                self._seen = {}
                self._thread = threading.Thread(target=self._run, daemon=True)

            def start(self):
                self._thread.start()

            def _run(self):
                while True:
                    device = discover()
                    self._seen[device.name] = device

            def names(self):
                return [name for name, device in list(self._seen.items()) if device.ready]

    Known limits:
        The class starts the thread itself, or is one, and the container is known to be a dict, a set or a deque: a
        loop over a list skips an item at worst. `list(d)`, `list(d.items())`, `sorted(d)`, `tuple(d)` and `d.copy()`
        copy at once, with the interpreter's own lock held, and are right, and so are loops that leave with their first
        item, or expect a RuntimeError. Silent is what runs before the thread or after it, going by names (`start`,
        `close`, `register`, `add_listener`) and by what it waits for (`join()`), and a method that the thread calls as
        well. State under a lock elsewhere is CNC603's, loops across an await CNC510's.
    """

    code = "CNC618"
    name = "iteration-across-threads"
    message = (
        "this loop over self.{attribute} {where}, and {changer}() changes it on line {change} {meanwhile}:"
        " RuntimeError when something comes or goes meanwhile; loop over list({iterated}), or hold one lock in both"
    )
    gate = Gate(
        anchors=guard_shapes.STARTERS | frozenset({"submit", "start_new_thread"}),
        called=False,
        finds=beside_shapes.may_break,
    )
    quiet = True

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        for found in self.file.beside_threads.of(self.file.definitions.classes[node]):
            self.report(
                found.loop,
                attribute=found.attribute,
                where=f"runs in a thread ({found.root.how})" if found.in_thread else "runs beside a thread",
                changer=found.changer.qualified_name,
                change=self.file.line(found.change),
                meanwhile="in another" if found.in_thread else f"there ({found.root.how})",
                iterated=self.file.tree.module.code_for_node(found.loop.iter),
            )
