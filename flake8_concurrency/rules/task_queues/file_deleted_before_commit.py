"""CNC713 file-deleted-before-commit."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.dispatch_shapes import DELETING, ENDING, answers_end, asks_deletion
from flake8_concurrency.rule import Gate, Rule


class FileDeletedBeforeCommit(Rule):
    """The file of a row is deleted while the transaction that deletes or changes the row can still be rolled back.

    No rollback brings the file back: the row is there as before, and what it names is gone. A protected relation, a
    constraint checked at the commit or an error later in the request is enough.

    Bad:

        from django.db.models.signals import post_delete
        from django.dispatch import receiver

        from app.models import Photo

        @receiver(post_delete, sender=Photo)
        def photo_deleted(sender, instance, **kwargs):
            instance.image.delete(save=False)

    Bad:

        import os

        from django.db import models

        class Document(models.Model):
            upload = models.FileField()

            def delete(self, *args, **kwargs):
                os.remove(self.upload.path)
                return super().delete(*args, **kwargs)

    Good:

        from django.db import transaction
        from django.db.models.signals import post_delete
        from django.dispatch import receiver

        from app.models import Photo

        @receiver(post_delete, sender=Photo)
        def photo_deleted(sender, instance, **kwargs):
            storage, name = instance.image.storage, instance.image.name
            transaction.on_commit(lambda: storage.delete(name))

    Known limits:
        Django only: receivers of its signals about rows, `save` and `delete` of models and of their mixins in the same
        file, and code inside of `atomic` that the file shows, where it changes rows. `delete()` of an attribute counts
        where it says `save=`, where the class of the file has it as a file, or where it is called a file: anything else
        may be a row. A path counts when it is made of the `path` or `name` of a row's file. What is deleted in an
        `except` is silence.
    """

    code = "CNC713"
    name = "file-deleted-before-commit"
    message = (
        "{call}() is called {where}: after a rollback the row is still there and its file is gone; delete it in "
        "transaction.on_commit(...)"
    )
    gate = Gate(
        anchors=ENDING,
        context=(frozenset({"django"}),),
        asks=asks_deletion,
        answers=answers_end,
        where=DELETING,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for deletion in self.file.file_deletions.of(self.file.definitions.functions[node]):
            self.report(deletion.call, call=deletion.name, where=deletion.place.says)
