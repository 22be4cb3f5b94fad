"""One set of tables, and two sets of classes for it: the examples are written for Django or for SQLAlchemy.

An example imports its models from `app.models`; `models_for` gives the module that this name then means.
"""

from __future__ import annotations

from datetime import datetime
from types import ModuleType

import django  # type: ignore[import-untyped]
import sqlalchemy as sa
from django.conf import settings  # type: ignore[import-untyped]
from sqlalchemy import orm

if not settings.configured:
    # The same applications as tests/installed_libraries.py: a process has one configuration.
    apps = [f"django.contrib.{app}" for app in ("auth", "contenttypes", "sessions", "sites")]
    settings.configure(USE_TZ=True, LOGGING_CONFIG=None, INSTALLED_APPS=apps)
    django.setup()

# Models can be defined only now.
from django.db import models  # type: ignore[import-untyped]


class Account(models.Model):  # type: ignore[misc]  # Django is untyped
    balance = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "account"


class Job(models.Model):  # type: ignore[misc]  # Django is untyped
    status = models.CharField(max_length=10, default="queued")
    created = models.DateTimeField(auto_now_add=True)
    account = models.ForeignKey(Account, models.CASCADE, null=True)

    class Meta:
        app_label = "rows"
        db_table = "job"


class Tag(models.Model):  # type: ignore[misc]  # Django is untyped
    """A name that should be there once, and nothing in the table says so."""

    name = models.CharField(max_length=40)

    class Meta:
        app_label = "rows"
        db_table = "tag"


class Label(models.Model):  # type: ignore[misc]  # Django is untyped
    """The same with the constraint."""

    name = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = "rows"
        db_table = "label"


class Event(models.Model):  # type: ignore[misc]  # Django is untyped
    capacity = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "event"


class Ticket(models.Model):  # type: ignore[misc]  # Django is untyped
    event = models.ForeignKey(Event, models.CASCADE, related_name="tickets")
    number = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "ticket"


class Invitation(models.Model):  # type: ignore[misc]  # Django is untyped
    code = models.CharField(max_length=40)
    used = models.BooleanField(default=False)

    class Meta:
        app_label = "rows"
        db_table = "invitation"


DJANGO = {model.__name__: model for model in (Account, Job, Tag, Label, Event, Ticket, Invitation)}


class Base(orm.DeclarativeBase):
    pass


class _Account(Base):
    __tablename__ = "account"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    balance: orm.Mapped[int] = orm.mapped_column(default=0)


class _Job(Base):
    __tablename__ = "job"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    status: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="queued")
    created: orm.Mapped[datetime] = orm.mapped_column(sa.DateTime(timezone=True), default=sa.func.now())
    account_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("account.id"))
    account: orm.Mapped[_Account | None] = orm.relationship()


class _Tag(Base):
    __tablename__ = "tag"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40))


class _Label(Base):
    __tablename__ = "label"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)


class _Event(Base):
    __tablename__ = "event"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    capacity: orm.Mapped[int] = orm.mapped_column(default=0)


class _Ticket(Base):
    __tablename__ = "ticket"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    event_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("event.id"))
    number: orm.Mapped[int] = orm.mapped_column(default=0)


class _Invitation(Base):
    __tablename__ = "invitation"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    code: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    used: orm.Mapped[bool] = orm.mapped_column(default=False)


SQLALCHEMY = {
    model.__name__.lstrip("_"): model for model in (_Account, _Job, _Tag, _Label, _Event, _Ticket, _Invitation)
}


def models_for(source: str) -> ModuleType:
    """The module `app.models` of an example: the classes of the library that it is written for."""
    module = ModuleType("app.models")
    vars(module).update(SQLALCHEMY if "session" in source else DJANGO)
    return module
