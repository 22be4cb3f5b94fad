"""What stands in for `app.models` when the code of the rules' pages is run: the same two tables, for each ORM."""

from __future__ import annotations

import uuid
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
from django.db import connections, models  # type: ignore[import-untyped]

#: Django's, for the tests.
CONNECTIONS = connections

TIME = sa.DateTime(timezone=True)


class Base(orm.DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    balance: orm.Mapped[int] = orm.mapped_column(default=0)
    seen_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


class Job(Base):
    __tablename__ = "job"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    status: orm.Mapped[str] = orm.mapped_column(default="queued")
    attempts: orm.Mapped[int] = orm.mapped_column(default=0)
    lease_token: orm.Mapped[uuid.UUID | None]
    lease_expires_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)
    done_at: orm.Mapped[datetime | None] = orm.mapped_column(TIME)


class DjangoAccount(models.Model):  # type: ignore[misc]  # Django is untyped
    balance = models.IntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "pages"


class DjangoJob(models.Model):  # type: ignore[misc]  # Django is untyped
    status = models.CharField(max_length=20, default="queued")
    attempts = models.IntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "pages"


def module(**names: object) -> ModuleType:
    """A module with these names in it."""
    made = ModuleType("app.models")
    vars(made).update(names)
    return made


SQLALCHEMY = module(Account=Account, Job=Job)
DJANGO = module(Account=DjangoAccount, Job=DjangoJob)
