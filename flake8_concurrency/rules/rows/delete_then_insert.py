"""CNC316 delete-then-insert."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.insert_shapes import DELETING, INSERTING_WORDS, answers_look, asks_insert
from flake8_concurrency.model.insert_words import speaks_of_inserts
from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.vocabulary import HOOKS
from flake8_concurrency.rule import Gate, Rule


class DeleteThenInsert(Rule):
    """All rows of one owner are deleted and inserted anew, and nothing keeps a second request out.

    Two requests that run at once both delete what is there and both insert: neither sees the other's new rows, so the
    owner has each of them twice, or a mixture of both.

    Bad:

        from app.models import Permission

        def replace(role, names):
            Permission.objects.filter(role=role).delete()
            Permission.objects.bulk_create([Permission(role=role, name=name) for name in names])

    Good:

        from django.db import transaction

        from app.models import Permission, Role

        @transaction.atomic
        def replace(role, names):
            Role.objects.select_for_update().get(pk=role.pk)
            Permission.objects.filter(role=role).delete()
            Permission.objects.bulk_create([Permission(role=role, name=name) for name in names])

    Known limits:
        Off by default: where only one person edits an owner's rows, or they are a cache, deleting and inserting is
        right. The insert must give the column the value by which the rows were deleted, in the same function.
    """

    code = "CNC316"
    name = "delete-then-insert"
    message = (
        "{model} rows deleted on line {line} are inserted anew, so two that run at once both insert theirs: lock the "
        "parent row first, or bulk_create(ignore_conflicts=True) under a unique constraint"
    )
    gate = Gate(
        anchors=DELETING,
        asks=asks_insert,
        answers=answers_look,
        hooks=HOOKS,
        where=INSERTING_WORDS,
        keeps=KEEPS,
        speaks=speaks_of_inserts,
    )
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for found in self.file.inserts.replaced(self.file.definitions.functions[node]):
            self.report(found.insert.node, model=found.insert.model, line=self.file.line(found.look.node))
