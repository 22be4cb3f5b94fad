"""CNC710 unwindowed-update."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.touches import speaks_of_use
from flake8_concurrency.model.touch_shapes import SENDS, WRITES, answers_touch, asks_touch
from flake8_concurrency.rule import Gate, Rule


class UnwindowedUpdate(Rule):
    """Every request, message or call writes to its row that it was used just now.

    A read becomes a write: each one locks the row, makes a new version of it and waits for the commit, so requests of
    one user or token queue up behind each other, to keep a time that nobody needs to the millisecond.

    Bad:

        from django.utils import timezone

        class LastSeenMiddleware:
            def __init__(self, get_response):
                self.get_response = get_response

            def __call__(self, request):
                if request.user.is_authenticated:
                    request.user.last_seen = timezone.now()
                    request.user.save(update_fields=["last_seen"])
                return self.get_response(request)

    Bad:

        from datetime import UTC, datetime

        def authenticate(session, token):
            key = session.query(ApiKey).filter_by(token=token).one()
            key.last_used_at = datetime.now(UTC)
            session.commit()
            return key.user

    Good:

        from datetime import timedelta

        from django.utils import timezone

        WINDOW = timedelta(minutes=5)

        class LastSeenMiddleware:
            def __init__(self, get_response):
                self.get_response = get_response

            def __call__(self, request):
                now = timezone.now()
                if request.user.is_authenticated and now - request.user.last_seen > WINDOW:
                    request.user.last_seen = now
                    request.user.save(update_fields=["last_seen"])
                return self.get_response(request)

    Good:

        from datetime import timedelta

        from django.utils import timezone

        from app.models import Device

        def touch(pk):
            now = timezone.now()
            Device.objects.filter(pk=pk, last_seen__lt=now - timedelta(minutes=5)).update(last_seen=now)

    Good:

        from app.models import Account
        from flake8_concurrency.runtime import update_if_stale

        def touch(session, account_id):
            update_if_stale(session, Account, account_id, Account.seen_at, window=300)
            session.commit()

    Good:

        from app.models import Account
        from flake8_concurrency.runtime.django import update_if_stale

        def touch(account_id):
            update_if_stale(Account, account_id, "seen_at", window=300)

    Known limits:
        Opt-in: of eight findings on code that nobody here had read, six were wrong: where the list is ordered by the
        column, or the write says that something really changed, each one counts. A column is known by its name: last,
        and a word for use (`last_seen`, `latest_activity_at`, `last_used_on`). `updated_at` and `last_login` count only
        where every request passes, in middleware, authentication classes, `get_current_user` and consumers. Silent:
        what runs once a session or a row (log-in, sign-up, revoking), a row that is only made there, other columns that
        change along, batches, a decorator or test of the file that lets few calls through, and functions whose callers
        in the file all do so; callers in other files are not seen. `on_commit` defers the write and is no window.
    """

    code = "CNC710"
    name = "unwindowed-update"
    message = (
        "{column} is written on every call, however fresh it is, so each one locks and rewrites the row: test its age "
        "first, or put it in the WHERE of one UPDATE, as flake8_concurrency.runtime.update_if_stale does"
    )
    gate = Gate(anchors=SENDS, asks=asks_touch, answers=answers_touch, where=WRITES, nearest=True, speaks=speaks_of_use)
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        if self.file.is_program:
            return
        for touch in self.file.touches.of(self.file.definitions.functions[node]):
            self.report(touch.node, column=touch.column)
