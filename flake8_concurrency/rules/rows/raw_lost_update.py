"""CNC303 raw-lost-update."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.sql_text import READER
from flake8_concurrency.model.state_shapes import answers_raw, asks_raw
from flake8_concurrency.model.vocabulary import EXECUTES, HOOKS
from flake8_concurrency.rule import Gate, Rule


class RawLostUpdate(Rule):
    """A value that a SELECT has read without a lock is changed in Python and written back by an UPDATE.

    Two workers that run at once read the same value, each adds its own change, and the second UPDATE silently
    overwrites the first.

    Bad:

        def deposit(connection, account_id, amount):
            with connection.cursor() as cursor:
                cursor.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
                balance = cursor.fetchone()[0]
                cursor.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance + amount, account_id))

    Good:

        def deposit(connection, account_id, amount):
            with connection.cursor() as cursor:
                cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, account_id))

        def withdraw(connection, account_id, amount):
            with connection.cursor() as cursor:
                cursor.execute("SELECT balance FROM accounts WHERE id = %s FOR UPDATE", (account_id,))
                balance = cursor.fetchone()[0]
                if balance < amount:
                    raise ValueError("not enough")
                cursor.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

    Known limits:
        Both statements are strings that stand in functions of one file, as they are: an f-string or a name of the
        module is silence. So are joins, a SELECT with FOR UPDATE, an UPDATE whose WHERE asks for anything that the
        SELECT did not, SQLite's `BEGIN IMMEDIATE`, and every lock that CNC301 knows. SQL is read by sqlglot, which
        `pip install "flake8-concurrency[sql]"` brings; without it the rule is off.
    """

    code = "CNC303"
    name = "raw-lost-update"
    message = (
        "{table}.{column} is written back from the value that the SELECT on line {line} read without a lock, so of "
        "two updates at once one is lost: use SET {column} = {column} + ..., or SELECT ... FOR UPDATE in the same "
        "transaction"
    )
    gate = Gate(
        anchors=EXECUTES,
        asks=asks_raw,
        answers=answers_raw,
        hooks=HOOKS,
        where=frozenset({"UPDATE", "update", "Update"}),
    )
    quiet = True
    requires = (READER, "sql")

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if self.file.is_program:
            return
        for update in self.file.raw_updates.of(self.file.definitions.functions[node]):
            self.report(update.node, table=update.table, column=update.column, line=self.file.line(update.selected))
