"""The examples that are run: the `Bad:` and `Good:` blocks of the rules' pages, or else those below.

A code in WRITTEN_HERE is run with the text below, whatever its page says. Delete its entry, and its page is run.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from flake8_concurrency import catalogue


class Texts(NamedTuple):
    bad: tuple[str, ...]
    good: tuple[str, ...]


WRITTEN_HERE: dict[str, Texts] = {
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
                cursor.execute("SELECT balance FROM account WHERE id = %s", (account_id,))
                (balance,) = cursor.fetchone()
                cursor.execute("UPDATE account SET balance = %s WHERE id = %s", (balance + amount, account_id))
            """,
            """
            from sqlalchemy import text

            def deposit(session, account_id, amount):
                balance = session.scalar(text("SELECT balance FROM account WHERE id = :id"), {"id": account_id})
                session.execute(
                    text("UPDATE account SET balance = :balance WHERE id = :id"),
                    {"balance": balance + amount, "id": account_id},
                )
                session.commit()
            """,
        ),
        good=(
            """
            def deposit(cursor, account_id, amount):
                cursor.execute("UPDATE account SET balance = balance + %s WHERE id = %s", (amount, account_id))

            def withdraw(cursor, account_id, amount):
                cursor.execute("SELECT balance FROM account WHERE id = %s FOR UPDATE", (account_id,))
                (balance,) = cursor.fetchone()
                cursor.execute("UPDATE account SET balance = %s WHERE id = %s", (balance - amount, account_id))
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

            from app.models import Account, Job

            def claim(session, n):
                query = select(Job).join(Job.account).where(Job.status == "queued", Account.balance >= 0)
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
                query = Job.objects.select_related("account").select_for_update(skip_locked=True)
                jobs = list(query.filter(status="queued", account__balance__gte=0).order_by("created")[:n])
                for job in jobs:
                    job.status = "running"
                    job.save()
                return jobs
            """,
        ),
        good=(
            """
            from sqlalchemy import select

            from app.models import Account, Job

            def claim(session, n):
                query = select(Job).join(Job.account).where(Job.status == "queued", Account.balance >= 0)
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
                query = Job.objects.select_related("account").select_for_update(skip_locked=True, of=("self",))
                jobs = list(query.filter(status="queued", account__balance__gte=0).order_by("created")[:n])
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

            from app.models import Label

            def label(name):
                return Label.objects.get_or_create(name=name)

            def label_with_savepoint(name):
                if not Label.objects.filter(name=name).exists():
                    try:
                        with transaction.atomic():
                            Label.objects.create(name=name)
                    except IntegrityError:
                        pass
            """,
            """
            from sqlalchemy import select
            from sqlalchemy.dialects.postgresql import insert

            from app.models import Label

            def label(session, name):
                session.execute(insert(Label).values(name=name).on_conflict_do_nothing())
                session.commit()
                return session.execute(select(Label).where(Label.name == name)).scalar_one()
            """,
        ),
    ),
    "CNC308": Texts(
        bad=(
            """
            from django.db.models import Max

            from app.models import Ticket

            def issue(event_id):
                last = Ticket.objects.filter(event_id=event_id).aggregate(last=Max("number"))["last"] or 0
                return Ticket.objects.create(event_id=event_id, number=last + 1)
            """,
            """
            from app.models import Ticket

            def issue(event_id):
                number = Ticket.objects.filter(event_id=event_id).count() + 1
                return Ticket.objects.create(event_id=event_id, number=number)
            """,
            """
            from sqlalchemy import func, select

            from app.models import Ticket

            def issue(session, event_id):
                last = session.scalar(select(func.max(Ticket.number)).where(Ticket.event_id == event_id)) or 0
                session.add(Ticket(event_id=event_id, number=last + 1))
                session.commit()
            """,
        ),
        good=(
            """
            from django.db import transaction
            from django.db.models import Max

            from app.models import Event, Ticket

            @transaction.atomic
            def issue(event_id):
                event = Event.objects.select_for_update().get(pk=event_id)
                last = Ticket.objects.filter(event=event).aggregate(last=Max("number"))["last"] or 0
                return Ticket.objects.create(event=event, number=last + 1)
            """,
            """
            from sqlalchemy import func, select

            from app.models import Event, Ticket

            def issue(session, event_id):
                session.get(Event, event_id, with_for_update=True)
                last = session.scalar(select(func.max(Ticket.number)).where(Ticket.event_id == event_id)) or 0
                session.add(Ticket(event_id=event_id, number=last + 1))
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
                if event.tickets.select_for_update().count() >= event.capacity:
                    return False
                event.tickets.create()
                return True
            """,
            """
            from django.db import transaction
            from django.db.models import Max

            from app.models import Event

            @transaction.atomic
            def book(event_id):
                event = Event.objects.get(pk=event_id)
                last = event.tickets.select_for_update().aggregate(last=Max("number"))["last"] or 0
                if last >= event.capacity:
                    return False
                event.tickets.create(number=last + 1)
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
                if event.tickets.count() >= event.capacity:
                    return False
                event.tickets.create()
                return True
            """,
        ),
    ),
    "CNC315": Texts(
        bad=(
            """
            from app.models import Account

            def pay_interest(ids):
                Account.objects.filter(pk__in=ids).order_by("-pk").update(balance=1)
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Account

            @transaction.atomic
            def pay_interest(ids):
                accounts = Account.objects.filter(pk__in=ids)
                list(accounts.select_for_update().order_by("-pk"))
                accounts.update(balance=1)
            """,
        ),
    ),
    "CNC317": Texts(
        bad=(
            """
            from app.models import Event, Ticket

            def book(event_id):
                event = Event.objects.get(pk=event_id)
                if Ticket.objects.filter(event=event).count() < event.capacity:
                    Ticket.objects.create(event=event)
                    return True
                return False
            """,
            """
            from sqlalchemy import func, select

            from app.models import Event, Ticket

            def book(session, event_id):
                event = session.get(Event, event_id)
                taken = session.scalar(select(func.count()).where(Ticket.event_id == event_id))
                if taken >= event.capacity:
                    return False
                session.add(Ticket(event_id=event_id))
                session.commit()
                return True
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Event, Ticket

            @transaction.atomic
            def book(event_id):
                event = Event.objects.select_for_update().get(pk=event_id)
                if Ticket.objects.filter(event=event).count() < event.capacity:
                    Ticket.objects.create(event=event)
                    return True
                return False
            """,
            """
            from sqlalchemy import func, select

            from app.models import Event, Ticket

            def book(session, event_id):
                event = session.get(Event, event_id, with_for_update=True)
                taken = session.scalar(select(func.count()).where(Ticket.event_id == event_id))
                if taken >= event.capacity:
                    return False
                session.add(Ticket(event_id=event_id))
                session.commit()
                return True
            """,
        ),
    ),
    "CNC318": Texts(
        bad=(
            """
            from app.models import Invitation

            def accept(code):
                invitation = Invitation.objects.filter(code=code).first()
                if invitation is None:
                    return False
                invitation.delete()
                return True
            """,
            """
            from sqlalchemy import select

            from app.models import Invitation

            def accept(session, code):
                invitation = session.scalars(select(Invitation).where(Invitation.code == code)).one()
                if invitation.used:
                    return False
                invitation.used = True
                session.commit()
                return True
            """,
        ),
        good=(
            """
            from django.db import transaction

            from app.models import Invitation

            def accept(code):
                deleted, _ = Invitation.objects.filter(code=code).delete()
                return deleted == 1

            @transaction.atomic
            def accept_locked(code):
                invitation = Invitation.objects.select_for_update().filter(code=code).first()
                if invitation is None:
                    return False
                invitation.delete()
                return True
            """,
            """
            from sqlalchemy import select

            from app.models import Invitation

            def accept(session, code):
                query = select(Invitation).where(Invitation.code == code).with_for_update()
                invitation = session.scalars(query).one()
                if invitation.used:
                    return False
                invitation.used = True
                session.commit()
                return True
            """,
        ),
    ),
}


def examples(code: str) -> Texts:
    """The blocks of a rule, from here or from its page."""
    if code in WRITTEN_HERE:
        return Texts(*(tuple(textwrap.dedent(block).strip() for block in blocks) for blocks in WRITTEN_HERE[code]))
    rule = next(rule for rule in catalogue.rules() if rule.code == code)
    page = catalogue.page(rule)
    return Texts(page.bad, page.good)
