"""CNC307 check-then-insert."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.insert_shapes import INSERTING_WORDS, LOOKING, answers_look, asks_insert
from flake8_concurrency.model.insert_words import speaks_of_inserts
from flake8_concurrency.model.inserts import Checked
from flake8_concurrency.model.reads import DJANGO
from flake8_concurrency.model.shapes import KEEPS
from flake8_concurrency.model.vocabulary import HOOKS
from flake8_concurrency.rule import Gate, Rule


class CheckThenInsert(Rule):
    """A row is inserted because a look before found none, and nothing keeps a second insert out.

    Two requests that run at once both find nothing and both insert: the row is there twice, and every later `get()`
    fails; or a unique constraint refuses the second one, and its request ends in an error that nobody handles.

    Bad:

        from app.models import Tag

        def tag(name):
            if not Tag.objects.filter(name=name).exists():
                Tag.objects.create(name=name)

    Bad:

        from sqlalchemy import select

        from app.models import User

        async def register(session, email):
            user = await session.scalar(select(User).where(User.email == email))
            if user is not None:
                return user
            user = User(email=email)
            session.add(user)
            await session.commit()
            return user

    Good:

        from app.models import Tag

        def tag(name):
            Tag.objects.get_or_create(name=name)

    Good:

        from sqlalchemy import select
        from sqlalchemy.exc import IntegrityError

        from app.models import User

        async def register(session, email):
            user = await session.scalar(select(User).where(User.email == email))
            if user is not None:
                return user
            try:
                async with session.begin_nested():
                    user = User(email=email)
                    session.add(user)
            except IntegrityError:
                user = await session.scalar(select(User).where(User.email == email))
            await session.commit()
            return user

    Known limits:
        The look and the insert must name the same model and share a value: what is looked for is what is inserted. A
        repository of another file is known by its name and its methods' (`user_repo.get_by_email(email)` and
        `user_repo.create(email=email)`), a serializer of Django REST framework by its class (`TagSerializer(data=data)`
        inserts a `Tag`), its `Meta` or the view's `queryset`. Any lock held around the insert or taken before it is
        silence, and so is a handler of `IntegrityError` in the function, in one that it calls or around a call of it;
        but not one that only rolls back and raises again, where the row that is there was to be returned or changed.
        A manager's own `Order.objects.create_order()` is taken for an insert. Whether the database has a unique
        constraint is not seen; `get_or_create` too needs one. Keys that were made here or drawn at random, commands,
        start-up code, migrations and tests are silent.
    """

    code = "CNC307"
    name = "check-then-insert"
    message = (
        "{model} is inserted because line {line} found none, so two that run at once both insert it: give the table a "
        "unique constraint and use {remedy}"
    )
    gate = Gate(
        anchors=LOOKING,
        asks=asks_insert,
        answers=answers_look,
        hooks=HOOKS,
        where=INSERTING_WORDS,
        keeps=KEEPS,
        speaks=speaks_of_inserts,
    )
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for checked in self.file.inserts.checked(self.file.definitions.functions[node]):
            self.report(
                checked.insert.node,
                model=checked.insert.model or "a row",
                line=self.file.line(checked.look.node),
                remedy=_remedy(checked),
            )


def _remedy(checked: Checked) -> str:
    orm = checked.insert.orm or checked.look.read.orm
    if orm == DJANGO:
        return "bulk_create(ignore_conflicts=True)" if checked.insert.bulk else "get_or_create()"
    if orm:
        return "insert().on_conflict_do_nothing(), or catch IntegrityError around begin_nested()"
    return "get_or_create(), or catch IntegrityError in a savepoint"
