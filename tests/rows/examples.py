"""The examples that are run: the `Bad:` and `Good:` blocks of the rules' pages, and more of each kind.

An example is run when its functions can be called with what their parameters are named after (see `test_races`).
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from flake8_concurrency import catalogue


class Texts(NamedTuple):
    bad: tuple[str, ...]
    good: tuple[str, ...]


#: Functions of pages that cannot lose anything in the one order that is tried, each with the reason.
NOT_RUN = {
    ("CNC309", "finish"): "the first of many rows is written under the lock; only the second is lost",
}

MORE: dict[str, Texts] = {
    "CNC302": Texts(
        bad=(
            """
            from app.models import Job

            def start(pk):
                job = Job.objects.get(pk=pk)
                if job.status != "queued":
                    return False
                job.status = "running"
                job.save()
                return True
            """,
            """
            def start(session, job_id):
                job = session.get(Job, job_id)
                if job.status == "queued":
                    job.status = "running"
                    session.commit()
                    return True
                return False
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Job

            @transaction.atomic
            def start(pk):
                job = Job.objects.select_for_update().get(pk=pk)
                if job.status != "queued":
                    return False
                job.status = "running"
                job.save()
                return True

            def start_at_once(pk):
                return Job.objects.filter(pk=pk, status="queued").update(status="running") == 1
            """,
            """
            from sqlalchemy import update

            def start(session, job_id):
                job = session.get(Job, job_id, with_for_update=True)
                if job.status == "queued":
                    job.status = "running"
                    session.commit()
                    return True
                return False

            def start_at_once(session, job_id):
                done = session.execute(
                    update(Job).where(Job.id == job_id, Job.status == "queued").values(status="running")
                )
                session.commit()
                return done.rowcount == 1
            """,
        ),
    ),
    "CNC303": Texts(
        bad=(
            """
            def deposit(cursor, account_id, amount):
                cursor.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
                (balance,) = cursor.fetchone()
                cursor.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance + amount, account_id))
            """,
            """
            from sqlalchemy import text

            def deposit(session, account_id, amount):
                balance = session.scalar(text("SELECT balance FROM accounts WHERE id = :id"), {"id": account_id})
                session.execute(
                    text("UPDATE accounts SET balance = :balance WHERE id = :id"),
                    {"balance": balance + amount, "id": account_id},
                )
                session.commit()
            """,
        ),
        good=(
            """
            def deposit(cursor, account_id, amount):
                cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, account_id))

            def withdraw(cursor, account_id, amount):
                cursor.execute("SELECT balance FROM accounts WHERE id = %s FOR UPDATE", (account_id,))
                (balance,) = cursor.fetchone()
                cursor.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
            """,
        ),
    ),
    "CNC305": Texts(
        bad=(
            """
            from django.db import transaction

            from app.models import Job

            @transaction.atomic
            def claim(n):
                jobs = list(Job.objects.select_for_update().filter(status="queued").order_by("created")[:n])
                for job in jobs:
                    job.status = "running"
                    job.save()
                return jobs
            """,
            """
            from sqlalchemy import select

            from app.models import Job

            def claim(session, n):
                query = select(Job).where(Job.status == "queued").order_by(Job.id).limit(n)
                jobs = session.scalars(query.with_for_update()).all()
                for job in jobs:
                    job.status = "running"
                session.commit()
                return jobs
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Job

            @transaction.atomic
            def claim(n):
                query = Job.objects.select_for_update(skip_locked=True).filter(status="queued")
                jobs = list(query.order_by("created")[:n])
                for job in jobs:
                    job.status = "running"
                    job.save()
                return jobs
            """,
            """
            from sqlalchemy import select

            from app.models import Job

            def claim(session, n):
                query = select(Job).where(Job.status == "queued").order_by(Job.id).limit(n)
                jobs = session.scalars(query.with_for_update(skip_locked=True)).all()
                for job in jobs:
                    job.status = "running"
                session.commit()
                return jobs
            """,
        ),
    ),
    "CNC306": Texts(
        bad=(
            """
            from sqlalchemy import select

            from app.models import Job, Queue

            def claim(session, n):
                query = select(Job).join(Job.queue).where(Job.status == "queued", Queue.name == "x")
                jobs = session.scalars(query.order_by(Job.id).limit(n).with_for_update(skip_locked=True)).all()
                for job in jobs:
                    job.status = "running"
                session.commit()
                return jobs
            """,
            """
            from django.db import transaction

            from app.models import Job

            @transaction.atomic
            def claim(n):
                query = Job.objects.select_related("queue").select_for_update(skip_locked=True)
                jobs = list(query.filter(status="queued", queue__name="x").order_by("created")[:n])
                for job in jobs:
                    job.status = "running"
                    job.save()
                return jobs
            """,
        ),
        good=(
            """
            from sqlalchemy import select

            from app.models import Job, Queue

            def claim(session, n):
                query = select(Job).join(Job.queue).where(Job.status == "queued", Queue.name == "x")
                query = query.order_by(Job.id).limit(n).with_for_update(skip_locked=True, of=Job)
                jobs = session.scalars(query).all()
                for job in jobs:
                    job.status = "running"
                session.commit()
                return jobs
            """,
            """
            from django.db import transaction

            from app.models import Job

            @transaction.atomic
            def claim(n):
                query = Job.objects.select_related("queue").select_for_update(skip_locked=True, of=("self",))
                jobs = list(query.filter(status="queued", queue__name="x").order_by("created")[:n])
                for job in jobs:
                    job.status = "running"
                    job.save()
                return jobs
            """,
        ),
    ),
    "CNC307": Texts(
        bad=(
            """
            from app.models import Tag

            def tag(name):
                if not Tag.objects.filter(name=name).exists():
                    Tag.objects.create(name=name)
            """,
            """
            from sqlalchemy import select

            from app.models import Tag

            def tag(session, name):
                found = session.execute(select(Tag).where(Tag.name == name)).scalar_one_or_none()
                if found is None:
                    found = Tag(name=name)
                    session.add(found)
                    session.commit()
                return found
            """,
        ),
        good=(
            """
            from django.db import IntegrityError, transaction

            from app.models import Tag

            def tag(name):
                return Tag.objects.get_or_create(name=name)

            def tag_with_savepoint(name):
                if not Tag.objects.filter(name=name).exists():
                    try:
                        with transaction.atomic():
                            Tag.objects.create(name=name)
                    except IntegrityError:
                        pass
            """,
            """
            from sqlalchemy import select
            from sqlalchemy.dialects.postgresql import insert

            from app.models import Tag

            def tag(session, name):
                session.execute(insert(Tag).values(name=name).on_conflict_do_nothing())
                session.commit()
                return session.execute(select(Tag).where(Tag.name == name)).scalar_one()
            """,
        ),
    ),
    "CNC308": Texts(
        bad=(
            """
            from django.db.models import Max

            from app.models import Version

            def publish(document_id):
                last = Version.objects.filter(document_id=document_id).aggregate(last=Max("number"))["last"] or 0
                return Version.objects.create(document_id=document_id, number=last + 1)
            """,
            """
            from app.models import Version

            def publish(document_id):
                number = Version.objects.filter(document_id=document_id).count() + 1
                return Version.objects.create(document_id=document_id, number=number)
            """,
            """
            from sqlalchemy import func, select

            from app.models import Version

            def publish(session, document_id):
                query = select(func.max(Version.number)).where(Version.document_id == document_id)
                session.add(Version(document_id=document_id, number=(session.scalar(query) or 0) + 1))
                session.commit()
            """,
        ),
        good=(
            """
            from django.db import transaction
            from django.db.models import Max

            from app.models import Document, Version

            @transaction.atomic
            def publish(document_id):
                document = Document.objects.select_for_update().get(pk=document_id)
                last = Version.objects.filter(document=document).aggregate(last=Max("number"))["last"] or 0
                return Version.objects.create(document=document, number=last + 1)
            """,
            """
            from sqlalchemy import func, select

            from app.models import Document, Version

            def publish(session, document_id):
                session.get(Document, document_id, with_for_update=True)
                query = select(func.max(Version.number)).where(Version.document_id == document_id)
                session.add(Version(document_id=document_id, number=(session.scalar(query) or 0) + 1))
                session.commit()
            """,
        ),
    ),
    "CNC309": Texts(
        bad=(
            """
            from django.db import transaction

            from app.models import Account

            def deposit(pk, amount):
                with transaction.atomic():
                    account = Account.objects.select_for_update().get(pk=pk)
                account.balance += amount
                account.save()
            """,
            """
            def deposit(session, account_id, amount):
                account = session.get(Account, account_id, with_for_update=True)
                session.commit()
                account.balance += amount
                session.commit()
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Account

            def deposit(pk, amount):
                with transaction.atomic():
                    account = Account.objects.select_for_update().get(pk=pk)
                    account.balance += amount
                    account.save()
            """,
            """
            def deposit(session, account_id, amount):
                account = session.get(Account, account_id, with_for_update=True)
                account.balance += amount
                session.commit()
            """,
        ),
    ),
    "CNC314": Texts(
        bad=(
            """
            from django.db import transaction

            from app.models import Event

            @transaction.atomic
            def book(event_id):
                event = Event.objects.get(pk=event_id)
                if event.bookings.select_for_update().count() >= event.capacity:
                    return False
                event.bookings.create()
                return True
            """,
            """
            from django.db import transaction
            from django.db.models import Count

            from app.models import Event

            @transaction.atomic
            def book(event_id):
                event = Event.objects.get(pk=event_id)
                taken = event.bookings.select_for_update().aggregate(taken=Count("pk"))["taken"]
                if taken >= event.capacity:
                    return False
                event.bookings.create()
                return True
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Event

            @transaction.atomic
            def book(event_id):
                event = Event.objects.select_for_update().get(pk=event_id)
                if event.bookings.count() >= event.capacity:
                    return False
                event.bookings.create()
                return True
            """,
        ),
    ),
    "CNC315": Texts(
        bad=(
            """
            from app.models import Seat

            def release(ids):
                seats = Seat.objects.filter(pk__in=ids).order_by("id")
                seats.update(taken=False)
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Seat

            @transaction.atomic
            def release(ids):
                seats = Seat.objects.filter(pk__in=ids)
                list(seats.select_for_update().order_by("id"))
                seats.update(taken=False)
            """,
        ),
    ),
    "CNC317": Texts(
        bad=(
            """
            from app.models import Event, Seat

            def book(event_id):
                event = Event.objects.get(pk=event_id)
                if Seat.objects.filter(event=event).count() < event.capacity:
                    Seat.objects.create(event=event)
                    return True
                return False
            """,
            """
            from sqlalchemy import func, select

            from app.models import Event, Seat

            def book(session, event_id):
                event = session.get(Event, event_id)
                taken = session.scalar(select(func.count()).where(Seat.event_id == event_id))
                if taken >= event.capacity:
                    return False
                session.add(Seat(event_id=event_id))
                session.commit()
                return True
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Event, Seat

            @transaction.atomic
            def book(event_id):
                event = Event.objects.select_for_update().get(pk=event_id)
                if Seat.objects.filter(event=event).count() < event.capacity:
                    Seat.objects.create(event=event)
                    return True
                return False
            """,
            """
            from sqlalchemy import func, select

            from app.models import Event, Seat

            def book(session, event_id):
                event = session.get(Event, event_id, with_for_update=True)
                taken = session.scalar(select(func.count()).where(Seat.event_id == event_id))
                if taken >= event.capacity:
                    return False
                session.add(Seat(event_id=event_id))
                session.commit()
                return True
            """,
        ),
    ),
    "CNC318": Texts(
        bad=(
            """
            from app.models import Voucher

            def accept(code):
                voucher = Voucher.objects.filter(code=code).first()
                if voucher is None:
                    return False
                voucher.delete()
                return True
            """,
            """
            from sqlalchemy import select

            from app.models import Voucher

            def accept(session, code):
                voucher = session.scalars(select(Voucher).where(Voucher.code == code)).one()
                if voucher.used:
                    return False
                voucher.used = True
                session.commit()
                return True
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Voucher

            def accept(code):
                deleted, _ = Voucher.objects.filter(code=code).delete()
                return deleted == 1

            @transaction.atomic
            def accept_locked(code):
                voucher = Voucher.objects.select_for_update().filter(code=code).first()
                if voucher is None:
                    return False
                voucher.delete()
                return True
            """,
            """
            from sqlalchemy import select

            from app.models import Voucher

            def accept(session, code):
                query = select(Voucher).where(Voucher.code == code).with_for_update()
                voucher = session.scalars(query).one()
                if voucher.used:
                    return False
                voucher.used = True
                session.commit()
                return True
            """,
        ),
    ),
}


def examples(code: str) -> Texts:
    """The blocks of a rule's page, where there is one, and those from here."""
    more = MORE.get(code, Texts((), ()))
    bad, good = (tuple(textwrap.dedent(block).strip() for block in blocks) for blocks in more)
    for rule in catalogue.rules():
        if rule.code == code:
            page = catalogue.page(rule)
            # What uses the runtime is run in tests/runtime/test_pages.py.
            own = tuple(block for block in page.good if "flake8_concurrency.runtime" not in block)
            return Texts(page.bad + bad, own + good)
    return Texts(bad, good)
