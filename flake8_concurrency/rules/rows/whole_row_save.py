"""CNC319 whole-row-save."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.state_shapes import answers_save, asks_save
from flake8_concurrency.model.vocabulary import HOOKS, READERS, SAVING, speaks_of_rows
from flake8_concurrency.rule import Gate, Rule


class WholeRowSave(Rule):
    """One or two columns of a row are set, and `save()` writes all of them.

    What others have written to the other columns since the row was read is silently overwritten with the old values.

    Bad:

        from app.models import Order

        def rename(pk, name):
            order = Order.objects.get(pk=pk)
            order.name = name
            order.save()

    Good:

        from app.models import Order

        def rename(pk, name):
            order = Order.objects.get(pk=pk)
            order.name = name
            order.save(update_fields=["name"])

        def rename_without_reading(pk, name):
            Order.objects.filter(pk=pk).update(name=name)

    Known limits:
        Only Django's `save()` is meant: other mappers write the columns that have changed. A row under a lock, one that
        is made here, one of which three or more columns are set or which is changed in other ways (`setattr`, a method,
        a form) is silence. `update_fields` leaves `auto_now` columns as they are unless they are named too.
    """

    code = "CNC319"
    name = "whole-row-save"
    message = (
        "{row}.save() writes every column although only {columns} changed since line {line}, so what others wrote "
        "meanwhile is lost: use save(update_fields=[{fields}])"
    )
    gate = Gate(
        anchors=READERS,
        asks=asks_save,
        answers=answers_save,
        hooks=HOOKS,
        where=SAVING,
        keeps=KEEPS,
        speaks=speaks_of_rows,
    )
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for save in self.file.whole_saves.of(self.file.definitions.functions[node]):
            self.report(
                save.node,
                row=save.row,
                columns=" and ".join(save.columns),
                line=self.file.line(save.read.sent),
                fields=", ".join(f'"{column}"' for column in save.columns),
            )
