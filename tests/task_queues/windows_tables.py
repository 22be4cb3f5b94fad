"""One table and two classes for it: the examples of CNC710 are written for Django or for SQLAlchemy."""

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

TABLE = "seen"


class Device(models.Model):  # type: ignore[misc]  # Django is untyped
    """What is seen: the user of a request too."""

    token = models.CharField(max_length=10)
    last_seen = models.DateTimeField()
    last_used_at = models.DateTimeField()
    is_authenticated = True

    class Meta:
        app_label = "windows"
        db_table = TABLE


class Base(orm.DeclarativeBase):
    pass


class ApiKey(Base):
    __tablename__ = TABLE
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    token: orm.Mapped[str]
    last_seen: orm.Mapped[datetime] = orm.mapped_column(sa.DateTime(timezone=True))
    last_used_at: orm.Mapped[datetime] = orm.mapped_column(sa.DateTime(timezone=True))

    @property
    def user(self) -> int:
        return self.id


MODELS = ModuleType("app.models")
vars(MODELS).update(Device=Device, ApiKey=ApiKey)
