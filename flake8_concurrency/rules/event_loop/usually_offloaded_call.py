"""CNC419 usually-offloaded-call."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.spelling import dotted
from flake8_concurrency.model.twins import KEEPS, OFFLOADERS, answers_offloaded, asks_offloaded
from flake8_concurrency.rule import Gate, Rule


class UsuallyOffloadedCall(Rule):
    """A class hands a method to a thread wherever it uses it, and calls it directly in one coroutine.

    Somebody knew that the method blocks, and the event loop stands still at the one place that was forgotten.

    Bad:

        import asyncio

        class Lamp:
            def __init__(self, device):
                self.device = device

            async def turn_on(self):
                await asyncio.to_thread(self.device.switch, True)

            async def turn_off(self):
                self.device.switch(False)

    Good:

        import asyncio

        class Lamp:
            def __init__(self, device):
                self.device = device

            async def turn_on(self):
                await asyncio.to_thread(self.device.switch, True)

            async def turn_off(self):
                await asyncio.to_thread(self.device.switch, False)

    Known limits:
        Opt-in: it goes by what the class does elsewhere, not by what the method is known to do. Silent where several
        coroutines call the method directly, and where another rule already says that the call blocks.
    """

    code = "CNC419"
    name = "usually-offloaded-call"
    message = (
        "{call} is called on the event loop here, and handed to a thread on line {line}:"
        " nothing else moves until it is over; use await asyncio.to_thread({call}, ...)"
    )
    gate = Gate(anchors=OFFLOADERS, asks=asks_offloaded, where=OFFLOADERS, answers=answers_offloaded, keeps=KEEPS)
    enabled = False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        if not function.is_async:
            return
        functions = self.file.functions
        known: set[cst.CSTNode] = {leaf.node for leaf in functions.leaves(function)}
        known |= {step.node for step in functions.steps(function) if functions.blocks(step.function)}
        for call, elsewhere in self.file.twins.handed_over_elsewhere(function):
            if call not in known:
                self.report(call, call=dotted(call.func), line=self.file.line(elsewhere))
