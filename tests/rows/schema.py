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
        db_table = "accounts"

    @classmethod
    def transfer(cls, source: int, target: int, amount: int) -> None:
        for pk, change in ((source, -amount), (target, amount)):
            account = cls.objects.get(pk=pk)
            account.balance += change
            account.save()


class Queue(models.Model):  # type: ignore[misc]  # Django is untyped
    name = models.CharField(max_length=10, default="x")
    paused = models.BooleanField(default=False)

    class Meta:
        app_label = "rows"
        db_table = "queue"


class Job(models.Model):  # type: ignore[misc]  # Django is untyped
    status = models.CharField(max_length=10, default="queued")
    created = models.DateTimeField(auto_now_add=True)
    queue = models.ForeignKey(Queue, models.CASCADE, null=True)

    class Meta:
        app_label = "rows"
        db_table = "job"


class Order(models.Model):  # type: ignore[misc]  # Django is untyped
    status = models.CharField(max_length=10, default="paid")

    class Meta:
        app_label = "rows"
        db_table = "orders"


class AccessRequest(models.Model):  # type: ignore[misc]  # Django is untyped
    state = models.CharField(max_length=10, default="pending")

    class Meta:
        app_label = "rows"
        db_table = "access_request"


class Tag(models.Model):  # type: ignore[misc]  # Django is untyped
    name = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = "rows"
        db_table = "tag"


class User(models.Model):  # type: ignore[misc]  # Django is untyped
    email = models.CharField(max_length=40, unique=True)

    class Meta:
        app_label = "rows"
        db_table = "users"


class Event(models.Model):  # type: ignore[misc]  # Django is untyped
    capacity = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "event"

    @property
    def seats(self) -> int:
        return int(self.capacity)

    def add(self, user: object) -> None:
        Booking.objects.create(event=self)


class Booking(models.Model):  # type: ignore[misc]  # Django is untyped
    event = models.ForeignKey(Event, models.CASCADE, related_name="bookings")

    class Meta:
        app_label = "rows"
        db_table = "booking"


class Seat(models.Model):  # type: ignore[misc]  # Django is untyped
    event = models.ForeignKey(Event, models.CASCADE, null=True)
    user = models.ForeignKey(User, models.CASCADE, null=True)
    taken = models.BooleanField(default=True)

    class Meta:
        app_label = "rows"
        db_table = "seat"


class Organizer(models.Model):  # type: ignore[misc]  # Django is untyped
    class Meta:
        app_label = "rows"
        db_table = "organizer"


class Invoice(models.Model):  # type: ignore[misc]  # Django is untyped
    organizer = models.ForeignKey(Organizer, models.CASCADE, null=True)
    order = models.ForeignKey(Order, models.CASCADE, null=True)
    number = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "invoice"


class Document(models.Model):  # type: ignore[misc]  # Django is untyped
    class Meta:
        app_label = "rows"
        db_table = "document"


class Version(models.Model):  # type: ignore[misc]  # Django is untyped
    document = models.ForeignKey(Document, models.CASCADE)
    number = models.IntegerField(default=0)
    text = models.CharField(max_length=10, default="")

    class Meta:
        app_label = "rows"
        db_table = "version"


class LoginToken(models.Model):  # type: ignore[misc]  # Django is untyped
    token = models.CharField(max_length=40, default="x")
    user = models.ForeignKey(User, models.CASCADE, null=True)

    class Meta:
        app_label = "rows"
        db_table = "login_token"


class Voucher(models.Model):  # type: ignore[misc]  # Django is untyped
    code = models.CharField(max_length=40, default="x")
    used = models.BooleanField(default=False)
    discount = models.IntegerField(default=0)

    class Meta:
        app_label = "rows"
        db_table = "voucher"


DJANGO = {
    model.__name__: model
    for model in (
        Account, Queue, Job, Order, AccessRequest, Tag, User, Event, Booking, Seat, Organizer, Invoice, Document,
        Version, LoginToken, Voucher,
    )
}  # fmt: skip


class Base(orm.DeclarativeBase):
    pass


class _Account(Base):
    __tablename__ = "accounts"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    balance: orm.Mapped[int] = orm.mapped_column(default=0)


class _Queue(Base):
    __tablename__ = "queue"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="x")
    paused: orm.Mapped[bool] = orm.mapped_column(default=False)


class _Job(Base):
    __tablename__ = "job"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    status: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="queued")
    created: orm.Mapped[datetime] = orm.mapped_column(sa.DateTime(timezone=True), default=sa.func.now())
    queue_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("queue.id"))
    queue: orm.Mapped[_Queue | None] = orm.relationship()


class _AccessRequest(Base):
    __tablename__ = "access_request"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="pending")


class _Tag(Base):
    __tablename__ = "tag"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)


class _User(Base):
    __tablename__ = "users"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    email: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)


class _Event(Base):
    __tablename__ = "event"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    capacity: orm.Mapped[int] = orm.mapped_column(default=0)


class _Seat(Base):
    __tablename__ = "seat"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    event_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("event.id"))
    taken: orm.Mapped[bool] = orm.mapped_column(default=True)


class _Document(Base):
    __tablename__ = "document"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


class _Version(Base):
    __tablename__ = "version"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    document_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("document.id"))
    number: orm.Mapped[int] = orm.mapped_column(default=0)
    text: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="")


class _Voucher(Base):
    __tablename__ = "voucher"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    code: orm.Mapped[str] = orm.mapped_column(sa.String(40), default="x")
    used: orm.Mapped[bool] = orm.mapped_column(default=False)
    discount: orm.Mapped[int] = orm.mapped_column(default=0)


SQLALCHEMY = {
    model.__name__.lstrip("_"): model
    for model in (_Account, _Queue, _Job, _AccessRequest, _Tag, _User, _Event, _Seat, _Document, _Version, _Voucher)
}


def models_for(source: str) -> ModuleType:
    """The module `app.models` of an example: the classes of the library that it is written for."""
    module = ModuleType("app.models")
    vars(module).update(SQLALCHEMY if "session" in source else DJANGO)
    return module
