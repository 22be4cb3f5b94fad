"""CNC312 session-shared-across-threads."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.unshared import UNSHARED
from flake8_concurrency.knowledge.words import class_words
from flake8_concurrency.model.sharing import SHOWING, STARTING, Shared, answers_session, asks_session
from flake8_concurrency.rule import Gate, Rule


class SessionSharedAcrossThreads(Rule):
    """A session, connection, cursor or row of the database is used by several threads or tasks at once.

    A session is one conversation with the database: what one thread reads, another one commits or rolls back, rows
    change under whoever holds them, and the driver refuses, hangs or mixes up the answers.

    Bad:

        import asyncio

        from sqlalchemy.ext.asyncio import AsyncSession

        from app.queries import load_orders, load_user

        async def dashboard(session: AsyncSession, user_id):
            return await asyncio.gather(load_user(session, user_id), load_orders(session, user_id))

    Bad:

        from concurrent.futures import ThreadPoolExecutor

        from sqlalchemy.orm import Session

        from app.invoices import send

        def send_all(engine, ids):
            with Session(engine) as session, ThreadPoolExecutor(max_workers=4) as pool:
                for invoice_id in ids:
                    pool.submit(send, session, invoice_id).add_done_callback(print)

    Good:

        from sqlalchemy.ext.asyncio import AsyncSession

        from app.queries import load_orders, load_user

        async def dashboard(session: AsyncSession, user_id):
            return await load_user(session, user_id), await load_orders(session, user_id)

    Good:

        from concurrent.futures import ThreadPoolExecutor

        from app.db import make_session
        from app.invoices import send

        def send_one(invoice_id):
            with make_session() as session:
                send(session, invoice_id)

        def send_all(ids):
            with ThreadPoolExecutor(max_workers=4) as pool:
                list(pool.map(send_one, ids, timeout=60))

    Known limits:
        A session is known by its type, or by its name and what is called on it in the same function. Work
        whose end is awaited before the session is used again is right, and so is a session that is made for one
        thread and left to it. Sync sessions in tasks, connections of psycopg and aiosqlite, which take turns, and
        rows that a thread only reads are not reported. What a function of another file captures is not seen.
    """

    code = "CNC312"
    name = "session-shared-across-threads"
    message = "`{what}`, a {noun}, is used by {users} at once{other}, and it serves one at a time: {remedy}"
    gate = Gate(
        anchors=SHOWING,
        context=(class_words(*UNSHARED), STARTING),
        called=False,
        asks=asks_session,
        where=STARTING,
        answers=answers_session,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for shared in self.file.sharing.shared(self.file.definitions.functions[node]):
            self.report(
                shared.node,
                what=shared.held.text,
                noun=shared.held.what.noun,
                users=_users(shared),
                other=self._other(shared),
                remedy=_remedy(shared),
            )

    def _other(self, shared: Shared) -> str:
        if shared.other is None:
            return ""
        line = self.file.line(shared.other)
        if not shared.ends:
            return f" (see line {line})"
        return f", for whoever opened it on line {line} closes it meanwhile"


def _users(shared: Shared) -> str:
    one = "thread" if shared.in_thread else "task"
    if shared.other is None:
        return f"several {one}s"
    return f"this {one} and the code that started it" if shared.ends else f"this {one} and others"


def _remedy(shared: Shared) -> str:
    if shared.held.what.noun == "row":
        return "pass its id, and read it there in a session of its own"
    if shared.in_thread:
        return f"pass what makes it (`sessionmaker`, the engine, a pool), and open a {shared.held.what.noun} in each"
    return f"await one after the other, or open a {shared.held.what.noun} in each (`async with make() as …:`)"
