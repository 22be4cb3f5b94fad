"""Django's claims, leases, locks and time windows on real servers; each naive way is kept beside as the control."""

from __future__ import annotations

import contextlib
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import django  # type: ignore[import-untyped]
import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
from django.conf import settings  # type: ignore[import-untyped]

from flake8_concurrency.runtime.errors import (
    LeaseLost,
    LockingUnsupported,
    LockNotAvailable,
    MissingExtra,
    RetriesExhausted,
)
from flake8_concurrency.runtime.retry import error_codes, is_transient
from flake8_concurrency.runtime.testing import PostgresServer

if not settings.configured:
    # The same applications as tests/installed_libraries.py: a process has one configuration.
    apps = [f"django.contrib.{app}" for app in ("auth", "contenttypes", "sessions", "sites")]
    settings.configure(USE_TZ=True, LOGGING_CONFIG=None, INSTALLED_APPS=apps)
    django.setup()

# Models can be defined only now.
from django.db import (  # type: ignore[import-untyped]
    DatabaseError,
    IntegrityError,
    OperationalError,
    connections,
    models,
    transaction,
)

from flake8_concurrency.runtime.django import (
    Claim,
    LeaseColumns,
    claim_batch,
    claim_each,
    complete,
    extend,
    locked,
    release,
    run_transaction,
    update_if_stale,
)

PAST = datetime(2000, 1, 1, tzinfo=UTC)
NOTES = LeaseColumns(attempts=None, done_at=None)


class Parent(models.Model):  # type: ignore[misc]  # Django is untyped
    name = models.CharField(max_length=40, default="")

    class Meta:
        app_label = "shop"


class Job(models.Model):  # type: ignore[misc]  # Django is untyped
    parent = models.ForeignKey(Parent, models.CASCADE)
    rank = models.IntegerField(default=0)
    result = models.CharField(max_length=40, null=True)
    attempts = models.IntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "shop"
        indexes = (models.Index(fields=["id", "done_at"], name="job_due"),)


class Note(models.Model):  # type: ignore[misc]  # Django is untyped
    """A token as text, no count of attempts and no time of completion."""

    open = models.BooleanField(default=True)
    lease_token = models.CharField(max_length=32, null=True)
    lease_expires_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "shop"


class Account(models.Model):  # type: ignore[misc]  # Django is untyped
    balance = models.IntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "shop"


class Savings(Account):
    rate = models.IntegerField(default=0)

    class Meta:
        app_label = "shop"


class Bonus(Savings):
    points = models.IntegerField(default=0)

    class Meta:
        app_label = "shop"


class BonusProxy(Bonus):
    class Meta:
        app_label = "shop"
        proxy = True


MODELS = (Parent, Job, Note, Account, Savings, Bonus)


def add_database(alias: str, **values: Any) -> None:
    """Make a database known to Django, with the tables in it."""
    known = {name: dict(each) for name, each in connections.settings.items() if each.get("NAME")}
    connections.settings = connections.configure_settings({**known, alias: values})
    with contextlib.suppress(AttributeError):
        del connections[alias]  # defining a model has made a dummy of it
    if alias != "repeatable":
        with connections[alias].schema_editor() as editor:
            for model in MODELS:
                editor.create_model(model)


@pytest.fixture(scope="module")
def postgresql(postgres: PostgresServer, database: str) -> Iterator[None]:
    values = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": postgres.host,
        "PORT": str(postgres.port),
        "USER": postgres.user,
        "PASSWORD": postgres.password,
        "NAME": database,
    }
    add_database("default", **values)
    add_database("repeatable", **values, OPTIONS={"isolation_level": psycopg.IsolationLevel.REPEATABLE_READ})
    yield
    connections.close_all()


@pytest.fixture(scope="module")
def mariadb_of_django(postgresql: None, mariadb_database: str) -> Iterator[None]:
    pymysql.install_as_MySQLdb()
    address, _, name = mariadb_database.partition("@")[2].partition("/")
    host, _, port = address.partition(":")
    add_database("mariadb", ENGINE="django.db.backends.mysql", HOST=host, PORT=port, USER="root", NAME=name)
    yield
    connections["mariadb"].close()
    for name in ("MySQLdb", "_mysql"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def sqlite(postgresql: None) -> Iterator[str]:
    add_database("sqlite", ENGINE="django.db.backends.sqlite3", NAME=":memory:")
    yield "sqlite"
    connections["sqlite"].close()


def empty(alias: str) -> None:
    for model in reversed(MODELS):
        model.objects.using(alias).all().delete()
    Parent.objects.using(alias).create(id=1)
    Account.objects.using(alias).bulk_create([Account(id=1), Account(id=2)])


@pytest.fixture
def default(postgresql: None) -> Iterator[None]:
    empty("default")
    yield
    assert not connections["default"].in_atomic_block


@pytest.fixture(params=["default", "mariadb"])
def alias(request: pytest.FixtureRequest, postgresql: None) -> str:
    request.getfixturevalue("postgresql" if request.param == "default" else "mariadb_of_django")
    empty(request.param)
    return str(request.param)


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What each of some threads returns; a connection of Django belongs to its thread."""

    def run(number: int) -> Any:
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout=30) for future in [pool.submit(run, n) for n in range(count)]]


def elsewhere(call: Callable[[], Any]) -> Any:
    """Call it on another connection, and wait for it."""
    return in_threads(1, lambda _: call())[0]


def jobs(count: int, alias: str = "default") -> None:
    rows = [Job(id=n, parent_id=1, rank=-n) for n in range(1, count + 1)]
    Job.objects.using(alias).bulk_create(rows, batch_size=2_000)


def claim_of(source: Any = Job, *, limit: int = 10, max_attempts: int | None = None, **kwargs: Any) -> Claim[Job]:
    claim: Claim[Job] = claim_batch(
        source, limit=limit, lease=60.0, max_attempts=max_attempts, **{"order_by": "id", **kwargs}
    )
    return claim


def expire(alias: str = "default") -> None:
    """The time passes: every lease is over."""
    Job.objects.using(alias).exclude(lease_expires_at=None).update(lease_expires_at=PAST)


def balance(pk: int = 1, alias: str = "default") -> Any:
    return Account.objects.using(alias).get(pk=pk).balance


# Locks


def test_control_without_a_lock_an_update_is_lost(default: None) -> None:
    both_have_read = threading.Barrier(2)

    def naive(_: int) -> None:
        with transaction.atomic():
            account = Account.objects.get(pk=1)
            both_have_read.wait(10)
            account.balance += 1
            account.save()

    in_threads(2, naive)
    assert balance() == 1


def test_locked_loses_no_update(alias: str) -> None:
    start = threading.Barrier(5)

    def add(_: int) -> None:
        start.wait(10)
        for _ in range(10):
            with locked(Account.objects.using(alias), 1) as account:
                account.balance += 1

    in_threads(5, add)
    assert balance(alias=alias) == 50


def test_locked_reads_behind_the_lock(default: None) -> None:
    waiting = threading.Event()

    def add() -> None:
        waiting.set()
        with locked(Account, 1) as account:
            account.balance += 1
        connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            account = Account.objects.select_for_update().get(pk=1)
            other = pool.submit(add)
            assert waiting.wait(10)
            account.balance = 41
            account.save()
        other.result(10)
    assert balance() == 42


def test_an_exception_rolls_back(default: None) -> None:
    def fail() -> None:
        with locked(Account, 1) as account:
            account.balance += 1
            account.save()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert balance() == 0


def test_in_a_transaction_of_the_caller_the_row_stays_locked(default: None) -> None:
    def try_it() -> None:
        with locked(Account, 1, nowait=True):
            pass

    with transaction.atomic():
        with locked(Account, 1) as account:
            account.balance += 1
        with pytest.raises(LockNotAvailable):
            elsewhere(try_it)
        assert elsewhere(balance) == 0
    try_it()
    assert balance() == 1


@pytest.mark.parametrize("how", [{"nowait": True}, {"timeout": 0}, {"timeout": 0.01}], ids=str)
def test_somebody_else_keeps_the_row(default: None, how: dict[str, Any]) -> None:
    def try_it() -> None:
        with transaction.atomic():
            Account.objects.filter(pk=2).update(balance=7)
            with pytest.raises(LockNotAvailable, match="Account 1 is locked"), locked(Account, 1, **how):
                raise AssertionError
            # The transaction is usable, and its settings are what they were.
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT current_setting('lock_timeout')")
                assert cursor.fetchone() == ("0",)

    with transaction.atomic():
        Account.objects.select_for_update().get(pk=1)
        elsewhere(try_it)
    assert balance(2) == 7


def test_a_timeout_that_is_not_needed(alias: str) -> None:
    read = {
        "default": "SELECT current_setting('lock_timeout')",
        "mariadb": "SELECT @@SESSION.innodb_lock_wait_timeout",
    }[alias]

    def setting() -> Any:
        with connections[alias].cursor() as cursor:
            cursor.execute(read)
            return cursor.fetchone()[0]

    before = setting()
    with transaction.atomic(using=alias):
        with locked(Account.objects.using(alias), 1, timeout=5.0) as account:
            account.balance = 3
            assert setting() == before
        assert setting() == before
    assert balance(alias=alias) == 3


def test_mariadb_says_who_keeps_the_row(mariadb_of_django: None) -> None:
    empty("mariadb")

    def try_it() -> None:
        with pytest.raises(LockNotAvailable), locked(Account.objects.using("mariadb"), 1, nowait=True):
            raise AssertionError

    with transaction.atomic(using="mariadb"):
        Account.objects.using("mariadb").select_for_update().get(pk=1)
        elsewhere(try_it)


def test_mariadb_has_no_of(mariadb_of_django: None) -> None:
    empty("mariadb")
    jobs(1, "mariadb")
    rows = Job.objects.using("mariadb")
    for source, order in (
        (rows.select_related("parent"), "id"),
        (rows.filter(parent__name=""), "id"),
        (rows, "parent__name"),
    ):
        with pytest.raises(LockingUnsupported, match="has no FOR UPDATE OF"):
            claim_of(source, order_by=order)
    subquery = rows.filter(parent__in=Parent.objects.using("mariadb").filter(name=""))
    assert claim_of(subquery.filter(parent__id__gt=0)).ids == (1,)
    Savings.objects.using("mariadb").create(id=3)
    with locked(Savings.objects.using("mariadb"), 3) as savings:
        savings.balance = savings.rate = 7
    assert balance(3, "mariadb") == 7


def test_no_such_row_and_bad_arguments(default: None) -> None:
    with pytest.raises(Account.DoesNotExist), locked(Account, 9):
        raise AssertionError
    with pytest.raises(Account.DoesNotExist), locked(Account, 9, nowait=True):
        raise AssertionError
    with pytest.raises(ValueError, match="0 or more seconds"), locked(Account, 1, timeout=-1):
        raise AssertionError


def test_other_errors_of_a_bounded_wait_are_passed_on(default: None) -> None:
    bad = Account.objects.extra(where=["1/0 > 0"])
    with pytest.raises(django.db.DataError), locked(bad, 1, timeout=1.0):
        raise AssertionError


def test_a_row_that_is_deleted_in_the_block_stays_deleted(default: None) -> None:
    with locked(Account, 1) as account:
        account.delete()
    with pytest.raises(DatabaseError, match="did not affect any rows"), locked(Account, 2):
        Account.objects.filter(pk=2).delete()
    # That was rolled back, and nothing was inserted.
    assert [account.pk for account in Account.objects.all()] == [2]


def test_the_tables_of_parents_are_locked_too(default: None) -> None:
    Bonus.objects.create(id=3, balance=1, rate=2)

    def try_it(table: str) -> None:
        with transaction.atomic(), pytest.raises(OperationalError), connections["default"].cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT")

    with locked(Bonus, 3) as bonus:
        for each in (Account, Savings, Bonus):
            elsewhere(partial(try_it, each._meta.db_table))
        bonus.balance += 10
        bonus.rate += 10
    assert (balance(3), Savings.objects.get(pk=3).rate) == (11, 12)


def test_a_proxy_of_a_model_with_parents_is_refused(default: None) -> None:
    Bonus.objects.create(id=4, balance=1, rate=2)
    with pytest.raises(LockingUnsupported, match="use Bonus"), locked(BonusProxy, 4):
        raise AssertionError


def test_only_the_row_itself_is_locked_over_a_join(default: None) -> None:
    jobs(1)
    with locked(Job.objects.select_related("parent"), 1, nowait=True) as job:
        job.result = "mine"
        assert elsewhere(lambda: Parent.objects.filter(pk=1).select_for_update(nowait=True).update(id=1)) == 1


# Claims


def test_control_without_a_lock_two_claim_the_same(default: None) -> None:
    jobs(4)
    both_have_read = threading.Barrier(2)

    def naive(_: int) -> list[int]:
        with transaction.atomic():
            found = [job.pk for job in Job.objects.filter(lease_token=None).order_by("id")[:2]]
            both_have_read.wait(10)
            Job.objects.filter(pk__in=found).update(lease_token=uuid.uuid4())
            return found

    assert in_threads(2, naive) == [[1, 2], [1, 2]]


def test_four_claimers_take_10_000_rows_once_each(default: None) -> None:
    jobs(10_000)
    start = threading.Barrier(4)

    def drain(_: int) -> list[int]:
        taken: list[int] = []
        start.wait(10)
        while claim := claim_of(limit=100):
            taken += claim.ids
            complete(claim, values={"result": "done"})
        return taken

    taken = [pk for each in in_threads(4, drain) for pk in each]
    # A claimer may leave while another still has locks, but no row is left by all of them.
    assert sorted(taken) == list(range(1, 10_001))
    assert list(Job.objects.values_list("attempts", "result", "lease_token").distinct()) == [(1, "done", None)]


def test_claims_are_disjoint_and_in_order(alias: str) -> None:
    jobs(6, alias)
    source = Job.objects.using(alias)
    first = claim_of(source, limit=3)
    second = elsewhere(lambda: claim_of(source, limit=3, order_by=["rank"]))
    assert (first.ids, second.ids) == ((1, 2, 3), (6, 5, 4))
    assert [job.pk for job in first] == [1, 2, 3]
    assert (len(claim_of(source)), claim_of(source).expires_at) == (0, None)
    stored = source.get(pk=1)
    lease = (first.token, first.expires_at, 1)
    assert lease == (stored.lease_token, stored.lease_expires_at, stored.attempts)
    job: Any = first.rows[0]
    assert lease == (job.lease_token, job.lease_expires_at, job.attempts)


def test_rows_that_are_locked_are_passed_over(alias: str) -> None:
    jobs(3, alias)
    with transaction.atomic(using=alias):
        Job.objects.using(alias).select_for_update().get(pk=1)
        assert elsewhere(lambda: claim_of(Job.objects.using(alias), limit=1).ids) == (2,)


def test_a_join_does_not_lock_the_parents(default: None) -> None:
    jobs(2)
    joined = Job.objects.select_related("parent").filter(parent__id__gt=0)

    def naive() -> list[Any]:
        with transaction.atomic():
            return list(joined.select_for_update(skip_locked=True))

    with transaction.atomic():
        Parent.objects.select_for_update().get(pk=1)
        assert elsewhere(naive) == []
        assert elsewhere(lambda: claim_of(joined).ids) == (1, 2)


def test_a_claim_is_committed_before_the_work(default: None) -> None:
    jobs(1)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim_of()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        next(claim_each(Job, limit=1, advance=lambda job: None))


def test_poison_rows_stop_at_max_attempts(alias: str) -> None:
    jobs(1, alias)
    claims = []
    for _ in range(5):
        claims.append(len(claim_of(Job.objects.using(alias), max_attempts=3)))
        expire(alias)
    assert claims == [1, 1, 1, 0, 0]
    assert len(claim_of(Job.objects.using(alias))) == 1


def test_a_claim_above_read_committed_is_retried(default: None) -> None:
    jobs(2)
    seen: list[str] = []

    def change_it_after_the_snapshot(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if "FOR UPDATE" in sql:
            seen.append(sql)
            if len(seen) == 1:
                Job.objects.using("repeatable").count()
                elsewhere(lambda: Job.objects.filter(pk=1).update(result="changed"))
        return execute(sql, parameters, many, context)

    with connections["repeatable"].execute_wrapper(change_it_after_the_snapshot):
        claim = claim_of(Job.objects.using("repeatable"))
        assert (claim.ids, len(seen)) == ((1, 2), 2)
        job: Any = claim.rows[0]
        assert (job.result, job.attempts) == ("changed", 1)
        expire()
        seen.clear()
        with pytest.raises(RetriesExhausted):
            claim_of(Job.objects.using("repeatable"), retries=1)


# Leases


def test_past_its_lease_a_claimer_changes_nothing(alias: str) -> None:
    jobs(2, alias)
    source = Job.objects.using(alias)
    late = claim_of(source)
    expire(alias)
    for change in (complete, release, lambda claim: extend(claim, lease=60.0)):
        with pytest.raises(LeaseLost) as nobody_has_it:
            change(late)
        assert list(nobody_has_it.value.ids) == [1, 2]
    new = claim_of(source, limit=1)
    assert new.ids == (1,)
    before = list(source.values().order_by("id"))

    def finish() -> None:
        with transaction.atomic(using=alias):
            Account.objects.using(alias).filter(pk=1).update(balance=1)
            complete(late, values={"result": "late"})

    with pytest.raises(LeaseLost):
        finish()
    assert list(source.values().order_by("id")) == before
    assert balance(alias=alias) == 0
    complete(new, values={"result": "new owner"})
    assert list(source.values_list("result", "lease_token", "attempts").order_by("id")) == [
        ("new owner", None, 2),
        (None, late.token, 1),
    ]
    assert source.get(pk=1).done_at is not None


def test_times_are_utc_whatever_the_time_zone_of_the_session(alias: str) -> None:
    jobs(1, alias)
    with connections[alias].cursor() as cursor:
        cursor.execute("SET time_zone = '+05:00'" if alias == "mariadb" else "SET TIME ZONE '+05:00'")
    claim = claim_of(Job.objects.using(alias))
    connections[alias].close()
    assert claim.expires_at is not None
    assert abs((claim.expires_at - datetime.now(UTC)).total_seconds() - 60.0) < 600.0
    assert Job.objects.using(alias).get(pk=1).lease_expires_at == claim.expires_at


def test_control_without_a_fence_the_late_one_overwrites(default: None) -> None:
    jobs(1)
    late = claim_of()
    expire()
    complete(claim_of(), values={"result": "new owner"})
    Job.objects.filter(pk__in=late.ids).update(result="late")
    assert Job.objects.get(pk=1).result == "late"


def test_a_lease_ends_by_the_clock_of_the_database(alias: str) -> None:
    jobs(1, alias)
    source = Job.objects.using(alias)
    claim = claim_batch(source, limit=1, lease=0.05, max_attempts=None, order_by="id")
    assert len(claim) == 1
    with connections[alias].cursor() as cursor:  # the server waits, by its own clock
        cursor.execute("SELECT pg_sleep(0.06)" if alias == "default" else "SELECT SLEEP(0.06)")
    assert len(claim_of(source)) == 1
    with pytest.raises(LeaseLost):
        complete(claim)


def test_one_row_that_is_lost_keeps_the_others_unchanged(default: None) -> None:
    jobs(3)
    claim = claim_of()
    Job.objects.filter(pk=2).update(lease_expires_at=PAST)
    with pytest.raises(LeaseLost) as lost:
        complete(claim)
    assert list(lost.value.ids) == [2]
    assert Job.objects.filter(done_at=None).count() == 3
    complete(claim, ids=[1, 3])
    assert Job.objects.get(done_at=None).pk == 2
    complete(claim, ids=[])
    with pytest.raises(ValueError, match=r"not in this claim: \[9\]"):
        complete(claim, ids=[9])


def test_nobody_comes_between_the_check_and_the_write(default: None) -> None:
    jobs(1)
    claim = claim_of()
    seen: list[str] = []

    def take_it() -> None:
        with pytest.raises(LockNotAvailable), locked(Job, 1, nowait=True):
            raise AssertionError

    def try_before_the_write(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            seen.append(sql)
            elsewhere(take_it)
        return execute(sql, parameters, many, context)

    with connections["default"].execute_wrapper(try_before_the_write):
        complete(claim)
    assert len(seen) == 1


def test_extend_and_release(default: None) -> None:
    jobs(2)
    claim = claim_of()
    longer = extend(claim, lease=3600.0, ids=[2])
    assert longer.ids == (2,)
    assert (longer.rows, extend(longer, lease=1.0, ids=[]).rows) == ([claim.rows[1]], [])
    assert longer.expires_at is not None
    assert claim.expires_at is not None
    assert 3500.0 < (longer.expires_at - claim.expires_at).total_seconds() < 3700.0
    assert Job.objects.get(pk=2).lease_expires_at == longer.expires_at
    assert len(extend(claim, lease=60.0)) == 2
    release(claim, ids=[1])
    release(claim, ids=[2], delay=60.0)
    assert [(job.pk, job.attempts) for job in Job.objects.filter(pk__in=claim_of().ids)] == [(1, 2)]
    with pytest.raises(LeaseLost):
        complete(claim, ids=[2])


def test_a_token_as_text_and_no_counts(alias: str) -> None:
    source = Note.objects.using(alias)
    source.bulk_create([Note(id=1), Note(id=2)])
    claim = claim_batch(source.filter(open=True), limit=1, lease=60.0, max_attempts=None, order_by="-id", columns=NOTES)
    assert (claim.ids, source.get(pk=2).lease_token) == ((2,), claim.token.hex)
    complete(claim, values={"open": False})
    assert [note.pk for note in source.filter(open=True)] == [1]
    with pytest.raises(ValueError, match="takes the rows out of the next claim"):
        complete(claim)
    with pytest.raises(ValueError, match="max_attempts needs a field"):
        claim_batch(source, limit=1, lease=60.0, max_attempts=3, order_by="id", columns=NOTES)


def test_leases_are_columns_of_the_own_table(default: None) -> None:
    with pytest.raises(TypeError, match="Savings inherits from the table of another model"):
        claim_of(Savings)


def test_claim_each_yields_after_the_commit(default: None) -> None:
    jobs(3)

    def advance(job: Any) -> None:
        job.result = "taken"

    todo = Job.objects.filter(result=None).order_by("id")
    rows = claim_each(todo, limit=2, advance=advance)
    first: Any = next(rows)
    assert not connections["default"].in_atomic_block
    assert (first.pk, elsewhere(lambda: Job.objects.get(pk=1).result)) == (1, "taken")
    assert elsewhere(lambda: [job.pk for job in claim_each(todo, limit=1, advance=advance)]) == [2]
    assert [job.pk for job in rows] == [3]
    assert list(claim_each(todo, limit=None, advance=advance)) == []


# Time windows


def test_control_reading_first_writes_twice(default: None) -> None:
    both_have_read = threading.Barrier(2)

    def naive(_: int) -> bool:
        account = Account.objects.get(pk=1)
        stale = account.seen_at is None
        both_have_read.wait(10)
        if stale:
            account.seen_at = datetime.now(UTC)
            account.save()
        return stale

    assert in_threads(2, naive) == [True, True]


def test_once_per_window(alias: str) -> None:
    rows = Account.objects.using(alias).filter(pk=1)
    for before in (None, PAST):
        rows.update(seen_at=before)
        start = threading.Barrier(8)

        def call(_: int, start: threading.Barrier = start) -> bool:
            connections[alias].ensure_connection()
            start.wait(10)
            return update_if_stale(Account, 1, "seen_at", window=60.0, using=alias)

        assert sorted(in_threads(8, call)) == [False] * 7 + [True]
    assert not update_if_stale(Account, 1, "seen_at", window=60.0, using=alias)
    assert not update_if_stale(Account, 9, "seen_at", window=60.0, using=alias)
    assert Account.objects.using(alias).get(pk=2).seen_at is None


def test_the_window_is_checked_again_behind_a_lock(default: None) -> None:
    waiting = threading.Event()

    def call() -> bool:
        waiting.set()
        return update_if_stale(Account, 1, "seen_at", window=60.0)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert update_if_stale(Account, 1, "seen_at", window=60.0)
            other = pool.submit(lambda: (call(), connections.close_all())[0])
            assert waiting.wait(10)
        assert not other.result(10)


def test_a_value_of_ones_own(default: None) -> None:
    assert update_if_stale(Account, 1, "seen_at", window=60.0, value=PAST)
    assert Account.objects.get(pk=1).seen_at == PAST
    assert update_if_stale(Account, 1, "seen_at", window=60.0)


def test_a_field_of_a_parent(default: None) -> None:
    with pytest.raises(TypeError, match="seen_at is in the table of Account"):
        update_if_stale(Savings, 1, "seen_at", window=60.0)


# SQLite


def test_sqlite_drops_locks_but_not_conditions(sqlite: str) -> None:
    empty(sqlite)
    rows = Account.objects.using(sqlite)
    with transaction.atomic(using=sqlite):
        # The control: Django says nothing.
        sql, _ = rows.select_for_update().query.get_compiler(sqlite).as_sql()
        assert "FOR UPDATE" not in sql
        assert rows.select_for_update().get(pk=1).balance == 0
    with pytest.raises(LockingUnsupported, match="would drop FOR UPDATE"), locked(rows, 1):
        raise AssertionError
    with pytest.raises(LockingUnsupported):
        claim_of(Job.objects.using(sqlite))
    with pytest.raises(LockingUnsupported):
        next(claim_each(rows, limit=1, advance=lambda row: None))
    assert update_if_stale(Account, 1, "seen_at", window=60.0, using=sqlite)
    assert not update_if_stale(Account, 1, "seen_at", window=60.0, using=sqlite)
    rows.update(seen_at=PAST)
    assert update_if_stale(Account, 1, "seen_at", window=60.0, using=sqlite)


def test_what_a_database_lacks_is_refused(default: None, monkeypatch: pytest.MonkeyPatch) -> None:
    features = connections["default"].features
    monkeypatch.setattr(features, "has_select_for_update_skip_locked", False)
    with pytest.raises(LockingUnsupported, match="SKIP LOCKED"):
        claim_of()
    monkeypatch.setattr(features, "has_select_for_update_nowait", False)
    with pytest.raises(LockingUnsupported, match="NOWAIT"), locked(Account, 1, nowait=True):
        raise AssertionError
    monkeypatch.setattr(connections["default"], "vendor", "other")
    with pytest.raises(LockingUnsupported, match="lock timeout"), locked(Account, 1, timeout=1.0):
        raise AssertionError


# Transactions


@pytest.mark.parametrize("attempts", [5, 1])
def test_a_deadlock(alias: str, attempts: int) -> None:
    met = threading.Barrier(2)
    rows = Account.objects.using(alias)
    code: str | int = "40P01" if alias == "default" else 1213

    def move(number: int) -> str | int:
        tries: list[None] = []

        def both() -> int:
            tries.append(None)
            with locked(rows, 1 + number) as first:
                first.balance += 1
            if len(tries) == 1:
                met.wait(10)
            with locked(rows, 2 - number) as second:
                second.balance += 1
            return len(tries)

        try:
            return run_transaction(both, attempts=attempts, timeout=None, using=alias)
        except RetriesExhausted as error:  # the cause is what Django made of the driver's error
            return code if code in error_codes(error.__cause__ or error) else repr(error)

    assert set(in_threads(2, move)) == {1, 2 if attempts > 1 else code}
    assert [balance(pk, alias) for pk in (1, 2)] == ([2, 2] if attempts > 1 else [1, 1])


def test_40001_is_retried(default: None) -> None:
    seen: list[int] = []

    def add() -> int:
        account = Account.objects.get(pk=1)
        seen.append(account.balance)
        if len(seen) == 1:
            elsewhere(lambda: Account.objects.filter(pk=1).update(balance=10))
        account.balance += 1
        account.save()
        return int(account.balance)

    def add_there() -> int:
        with transaction.atomic():
            with connections["default"].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return add()

    def run() -> int:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return add()

    with pytest.raises(OperationalError) as control:
        add_there()
    assert error_codes(control.value) == {"40001"}
    Account.objects.filter(pk=1).update(balance=0)
    seen.clear()
    slept: list[float] = []
    assert run_transaction(run, attempts=3, timeout=None, pause=float, sleep=slept.append) == 11
    assert (seen, slept, balance()) == ([0, 10], [1.0], 11)


def test_23505_is_not_retried(default: None) -> None:
    calls: list[None] = []

    def insert() -> None:
        calls.append(None)
        Account.objects.create(id=1)

    with pytest.raises(IntegrityError) as error:
        run_transaction(insert, attempts=5, timeout=None)
    assert error_codes(error.value) == {"23505"}
    assert len(calls) == 1


def test_what_fails_after_the_commit_is_not_run_again(default: None) -> None:
    class Deadlock(Exception):  # noqa: N818 - as a driver has it
        sqlstate = "40P01"

    def late() -> None:
        raise OperationalError("in another transaction") from Deadlock()

    def add() -> None:
        Account.objects.filter(pk=1).update(balance=models.F("balance") + 1)
        transaction.on_commit(late)

    with pytest.raises(OperationalError, match="in another transaction") as error:
        run_transaction(add, attempts=5, timeout=None)
    assert is_transient(error.value)
    assert balance() == 1


def test_a_part_of_a_transaction_is_not_retried(default: None) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        run_transaction(balance, attempts=2, timeout=None)


def test_without_django_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "flake8_concurrency.runtime.django"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "django.db", None)
    with pytest.raises(MissingExtra, match=r"flake8-concurrency\[django\]"):
        __import__(name)
