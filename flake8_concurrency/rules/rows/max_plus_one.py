"""CNC308 max-plus-one."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.insert_shapes import NUMBERING, answers_number, asks_number
from flake8_concurrency.model.insert_words import speaks_of_inserts
from flake8_concurrency.model.numbering import LARGEST
from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.vocabulary import HOOKS
from flake8_concurrency.rule import Gate, Rule


class MaxPlusOne(Rule):
    """A row gets the next number, made from the largest one or the number of rows that are there.

    Two requests that run at once read the same number and both give out the next one: two invoices have the same
    number, or a unique constraint refuses the second. A number made from a count is also given out again after a
    delete.

    Bad:

        from django.db.models import Max

        from app.models import Invoice

        def issue(order):
            last = Invoice.objects.aggregate(Max("number"))["number__max"] or 0
            return Invoice.objects.create(order=order, number=last + 1)

    Bad:

        from sqlalchemy import func, select

        from app.models import Version

        def publish(session, document, text):
            last = session.scalar(select(func.max(Version.number)).where(Version.document_id == document.id)) or 0
            session.add(Version(document_id=document.id, number=last + 1, text=text))
            session.commit()

    Good:

        from django.db import transaction
        from django.db.models import Max

        from app.models import Invoice, Organizer

        @transaction.atomic
        def issue(organizer, order):
            Organizer.objects.select_for_update().get(pk=organizer.pk)
            last = Invoice.objects.filter(organizer=organizer).aggregate(Max("number"))["number__max"] or 0
            return Invoice.objects.create(organizer=organizer, order=order, number=last + 1)

    Good:

        from sqlalchemy import func, select

        from app.models import Document, Version

        def publish(session, document_id, text):
            session.get(Document, document_id, with_for_update=True)
            last = session.scalar(select(func.max(Version.number)).where(Version.document_id == document_id)) or 0
            session.add(Version(document_id=document_id, number=last + 1, text=text))
            session.commit()

    Known limits:
        Opt-in: of the few findings in applications one in four is arguable (a position in a list that may occur twice),
        and it has to look at whatever counts.
        The largest number (`Max`, `func.max`, the first row in falling order, `latest`) must be one of the column that
        gets the next one, and a step must be added. The number of rows (`count()`, `len()`) is one where the column's
        name says number, index, position, order, version or the like. Any lock held around the insert or taken before
        it is silence, and so is a handler of `IntegrityError`. SQL in strings is not read.
    """

    code = "CNC308"
    name = "max-plus-one"
    message = (
        "{column} is made from {source} on line {line}, so two that run at once get the same one: use a sequence of "
        "the database, or lock the parent row first ({lock})"
    )
    gate = Gate(
        anchors=NUMBERING, asks=asks_number, answers=answers_number, hooks=HOOKS, keeps=KEEPS, speaks=speaks_of_inserts
    )
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for numbered in self.file.numbering.of(self.file.definitions.functions[node]):
            number = numbered.number
            self.report(
                numbered.node,
                column=numbered.column,
                source=f"the largest {number.column}" if number.how == LARGEST else "the number of rows",
                line=self.file.line(number.read.sent),
                lock="select_for_update()" if number.read.orm == DJANGO else "with_for_update()",
            )
