"""CNC502 check-await-act."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model import awaited_shapes, refresh_shapes
from flake8_concurrency.model.spelling import text
from flake8_concurrency.rule import Gate, Rule


class CheckAwaitAct(Rule):
    """Shared state is tested, then something is awaited, and then the state is written as if the test still held.

    Every task that comes by while the first one waits sees the same state and does the same: two connections are
    opened and one is lost, a limit is broken, one task throws away what another has just stored.

    Bad:

        class Store:
            def __init__(self, connect):
                self._connect = connect
                self._connection = None

            async def connection(self):
                if self._connection is None:
                    self._connection = await self._connect()
                return self._connection

    Bad:

        PROFILES = {}

        async def profile(user, fetch):
            if user in PROFILES:
                return PROFILES[user]
            found = await fetch(user)
            PROFILES[user] = found
            return found

    Bad:

        import time

        class Api:
            async def token(self):
                if time.time() >= self._expires_at:
                    await self._refresh()
                return self._access_token

            async def _refresh(self):
                answer = await self._post({"grant_type": "refresh_token", "refresh_token": self._refresh_token})
                self._access_token = answer["access_token"]
                self._refresh_token = answer["refresh_token"]
                self._expires_at = time.time() + answer["expires_in"]

    Good:

        import asyncio

        class Store:
            def __init__(self, connect):
                self._connect = connect
                self._connection = None
                self._lock = asyncio.Lock()

            async def connection(self):
                if self._connection is None:
                    async with self._lock:
                        if self._connection is None:
                            self._connection = await self._connect()
                return self._connection

    Good:

        import asyncio

        PROFILES = {}

        async def profile(user, fetch):
            if user not in PROFILES:
                PROFILES[user] = asyncio.ensure_future(fetch(user))
            return await PROFILES[user]

    Known limits:
        Of itself it reports what is missing, opened and then put in its place (`if self.x is None: self.x = await
        connect()`), going by the name of what is awaited: two are open then, and one is lost; and a token that has
        expired and is refreshed by a method that sends a refresh token, which is good for one time. Named in
        `--concurrency-enable` it reports whatever is fetched (`PROFILES[user] = await fetch(user)`), flags and what
        awaited methods set as well: half of that is harmless, done twice or by one task alone.
        State is an attribute of the object or the class, a variable of the module, one of a function around that other
        tasks see, what is in one of these, and what a framework keeps for all requests (`request.app.state`). Silent
        are: what only start-up, shutdown, loops without an end and the like do, going by their names and callers;
        objects that belong to one request, stream or dialogue, going by their class's name; resets to None, False or
        an empty container; a value that is compared and then stored (`if x != self.x`); what a docstring says is meant
        (deliberately no lock, the last writer wins); and everything under a lock or behind a flag that is set at once.
        A test and a write count as one finding, whatever else follows them.
    """

    code = "CNC502"
    name = "check-await-act"
    message = (
        "{place} was tested on line {test}, but other tasks run at the await on line {wait} and may have changed it"
        " since: test it again under an asyncio.Lock, or set it before anything is awaited"
    )
    gate = Gate(
        anchors=awaited_shapes.WAITING,
        where=frozenset({"async"}),
        asks=refresh_shapes.asks,
        answers=refresh_shapes.answers,
        keeps=awaited_shapes.KEEPS,
        nearest=True,
    )
    named_gate = Gate(
        anchors=awaited_shapes.ANCHORS,
        where=frozenset({"async"}),
        asks=refresh_shapes.asks_named,
        answers=refresh_shapes.answers_named,
        keeps=awaited_shapes.KEEPS,
        nearest=True,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        function = self.file.definitions.functions[node]
        told: set[cst.CSTNode] = set()
        for stale in self.file.stale.checks(function):
            if self.file.is_named(self.code) or self.file.stale.is_filled(stale):
                told.add(stale.write.node)
                self._tell(stale.write.node, stale.write.place, stale.read, stale.suspension)
        for refresh in self.file.refreshes.unguarded(function):
            statement = self.file.tree.statement(refresh.call)
            if statement not in told:
                self._tell(statement, text(refresh.tested), refresh.tested, refresh.call)

    def _tell(self, node: cst.CSTNode, place: str, test: cst.CSTNode, wait: cst.CSTNode) -> None:
        self.report(node, place=place, test=self.file.line(test), wait=self.file.line(wait))
