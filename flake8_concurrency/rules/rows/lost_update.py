"""CNC301 lost-update."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.reads import DJANGO, PEEWEE
from flake8_concurrency.model.rows import LostUpdate as Update
from flake8_concurrency.model.shapes import KEEPS, WRITING, answers_row, asks_own_row, asks_row
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.vocabulary import HOOKS, READERS, speaks_of_rows
from flake8_concurrency.rule import Gate, Rule


class LostUpdate(Rule):
    """A row that was read without a lock is written back from its own old value.

    Two requests that run at once read the same value, each adds its own change, and the second write silently
    overwrites the first: the counter counts one, the list keeps one of two entries, the balance is wrong.

    Bad:

        from app.models import Account

        def deposit(pk, amount):
            account = Account.objects.get(pk=pk)
            account.balance += amount
            account.save()

    Bad:

        def deposit(session, account_id, amount):
            account = session.get(Account, account_id)
            account.balance = account.balance + amount
            session.commit()

    Good:

        from django.db import transaction
        from django.db.models import F

        from app.models import Account

        def deposit(pk, amount):
            Account.objects.filter(pk=pk).update(balance=F("balance") + amount)

        @transaction.atomic
        def withdraw(pk, amount):
            account = Account.objects.select_for_update().get(pk=pk)
            account.balance -= amount
            account.save()

    Good:

        def deposit(session, account_id, amount):
            account = session.get(Account, account_id, with_for_update=True)
            account.balance += amount
            session.commit()

    Good:

        from app.models import Account
        from flake8_concurrency.runtime.django import locked

        def withdraw(pk, amount):
            with locked(Account, pk, timeout=5) as account:
                account.balance -= amount

    Good:

        from app.models import Account
        from flake8_concurrency.runtime import locked

        def withdraw(session, account_id, amount):
            with locked(session, Account, account_id, timeout=5) as account:
                account.balance -= amount

    Known limits:
        A row that came in as a parameter is followed to the callers in the same file, no further. A change of a
        SQLAlchemy row counts as written when the session is flushed or committed after it, and also when the session
        came from outside (a parameter, an attribute, `db.session`): whoever owns it commits. Only a session that the
        function made itself and never commits writes nothing. Any lock held around the write or taken before it in the
        function counts, whatever it is called on, except one row of the same class chosen by something else.
        Where no query shows, a row is what a `get…(session, …)` of another file gives, what FastAPI's `Depends` or
        flask_login's `current_user` hands over, and what is given to `session.refresh` or `add`, each only where the
        function commits; and for Django what is saved with `update_fields` that name the column, in a public method of
        its model too, or counted up or down and saved whole where it hangs on another object
        (`order.customer.points += 1`). Management commands, migrations and tests are silent.
    """

    code = "CNC301"
    name = "lost-update"
    message = (
        "{row}.{attribute} is written back from the value read without a lock on line {line}, so of two updates at "
        "once one is lost{where}: use {remedy}, or flake8_concurrency.runtime.locked"
    )
    gate = Gate(
        anchors=READERS,
        asks=asks_row,
        inner=asks_own_row,
        answers=answers_row,
        hooks=HOOKS,
        where=WRITING,
        keeps=KEEPS,
        speaks=speaks_of_rows,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for update in self.file.rows.lost_updates(self.file.definitions.functions[node]):
            self.report(
                update.node,
                row=update.row,
                attribute=update.write.attribute,
                line=self.file.line(update.read.sent),
                where=self._where(update),
                remedy=_remedy(update),
            )

    def _where(self, update: Update) -> str:
        if update.method is None:
            return ""
        return f" (in {update.method.qualified_name}, line {self.file.line(update.write.node)})"


def _remedy(update: Update) -> str:
    write, model = update.write, "Model" if update.read.model is None else text(update.read.model) or "Model"
    computed = bool(write.step) and not update.tested
    if update.read.mapper == PEEWEE:
        set_by = f"{model}.update({write.attribute}={model}.{write.attribute} {write.step})"
        return set_by if computed else ".for_update() in a transaction"
    if update.read.orm == DJANGO:
        return f'F("{write.attribute}") {write.step}' if computed else ".select_for_update() in a transaction"
    if computed:
        return f"update({model}).values({write.attribute}={model}.{write.attribute} {write.step})"
    return ".with_for_update() on the query"
