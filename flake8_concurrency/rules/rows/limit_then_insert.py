"""CNC317 limit-then-insert."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.insert_shapes import INSERTING_WORDS, LIMITING, answers_look, asks_insert
from flake8_concurrency.model.insert_words import speaks_of_inserts
from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.vocabulary import HOOKS
from flake8_concurrency.rule import Gate, Rule


class LimitThenInsert(Rule):
    """Rows are counted against a limit and then one more is inserted, and nothing keeps a second request out.

    Two requests that run at once both see one place left and both take it: more tickets are sold than there are seats.

    Bad:

        from app.models import Seat

        def book(event, user):
            if Seat.objects.filter(event=event).count() < event.capacity:
                Seat.objects.create(event=event, user=user)

    Good:

        from django.db import transaction

        from app.models import Event, Seat

        @transaction.atomic
        def book(pk, user):
            event = Event.objects.select_for_update().get(pk=pk)
            if Seat.objects.filter(event=event).count() < event.capacity:
                Seat.objects.create(event=event, user=user)

    Known limits:
        Off by default: a limit that keeps one user from having too much of something is seldom worth a lock. The count
        and the insert must name the same model. A comparison with 0 or 1 is CNC307's.
    """

    code = "CNC317"
    name = "limit-then-insert"
    message = (
        "{model} is inserted because the count on line {line} is below the limit, so two that run at once both take "
        "the last place: lock the row they belong to first (select_for_update(), with_for_update())"
    )
    gate = Gate(
        anchors=LIMITING,
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
        for found in self.file.inserts.limited(self.file.definitions.functions[node]):
            self.report(found.insert.node, model=found.insert.model, line=self.file.line(found.look.node))
