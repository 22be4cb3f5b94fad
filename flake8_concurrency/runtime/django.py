"""Django rows that several workers change: claimed under a lease, locked for a change, or updated once a window.

Each helper takes a model, a manager or a queryset, and works on the database that it writes to. None of them begins
threads or keeps state, and none holds a row lock while your work runs: a hung worker would keep it for ever.

Three facts are built in, because each is easy to forget and silent when forgotten: a lock over a JOIN names the model
it means (`of=("self",)`), the row to change is the one that was read under the lock and not one read before, and a
database for which Django drops the lock clause (SQLite) is refused with LockingUnsupported
(https://docs.djangoproject.com/en/5.2/ref/models/querysets/#select-for-update).

Django has no asynchronous transactions: await these in a thread, whole (`sync_to_async(claim_batch)(…)`).
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from flake8_concurrency.runtime import retry
from flake8_concurrency.runtime.errors import (
    ConcurrencyError,
    LeaseLost,
    LockingUnsupported,
    LockNotAvailable,
    MissingExtra,
)

try:
    from django.db import DatabaseError, connections, router, transaction  # type: ignore[import-untyped]
    from django.db.models import F, Q, Value  # type: ignore[import-untyped]
    from django.db.models.functions import Now  # type: ignore[import-untyped]
except ImportError as error:
    raise MissingExtra("django") from error

__all__ = [
    "Claim",
    "LeaseColumns",
    "claim_batch",
    "claim_each",
    "complete",
    "extend",
    "locked",
    "release",
    "run_transaction",
    "update_if_stale",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_ENDS = "cnc_lease_ends"


class Rows(Protocol[T_co]):
    """A manager or a queryset: what these helpers need of one."""

    @property
    def model(self) -> Any: ...
    def get(self, *args: Any, **kwargs: Any) -> T_co: ...
    def all(self) -> Any: ...


Source: TypeAlias = type[T] | Rows[T]


@dataclass(frozen=True, slots=True)
class LeaseColumns:
    """The fields of the model that hold a lease; they are columns of its own table, not of a parent's.

    `token`: a UUIDField or a CharField(max_length=32), null while nobody has the row. `expires_at`: a DateTimeField,
    null. `attempts`: an IntegerField that starts at 0 and counts claims, or None without a limit of attempts.
    `done_at`: as `expires_at`, set by `complete`; None where `complete` is given `values` that take the row out of
    what is claimed.

    The times are the database's. MySQL and MariaDB store them in UTC, as Django does with USE_TZ.
    """

    token: str = "lease_token"
    expires_at: str = "lease_expires_at"
    attempts: str | None = "attempts"
    done_at: str | None = "done_at"


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """Rows that are ours until the lease ends.

    `rows`: in the order asked for; do not `save()` them, because that would pass by the fence: `complete` takes values.
    `ids`: their primary keys. `token`: no other claim has it. `expires_at`: by the database's clock, None where there
    are no rows. `using`: the alias of the database.
    """

    rows: list[T]
    ids: tuple[Any, ...]
    token: uuid.UUID
    expires_at: datetime | None
    model: type[T]
    columns: LeaseColumns
    using: str

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


# Transactions


def run_transaction(
    fn: Callable[[], T],
    *,
    attempts: int,
    timeout: float | None,
    using: str = "default",
    pause: Callable[[int], float] = retry.pause,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Run `fn()` in a transaction and commit it; again, from the beginning, when the database asks for that.

    It asks with a deadlock or a serialization failure; Django keeps the code that says so on `__cause__`. `fn` reads
    the rows anew, because objects of a failed attempt hold values that were rolled back, and does nothing that a
    rollback cannot undo: it may run `attempts` times. What must follow the commit goes to `transaction.on_commit`.

    `attempts`: at most so many, 1 or more. `timeout`: seconds after which no new attempt is begun, or None; it does
    not interrupt an attempt.

    Raises RetriesExhausted from the last failure once attempts or time are used up; at once, whatever is not
    transient, and whatever an on_commit hook raises, because by then the commit is made. Raises RuntimeError inside
    a transaction (also under ATOMIC_REQUESTS): the server has rolled back the whole of it, so repeating a part loses
    the rest.
    """
    try:
        return retry.run_transaction(
            lambda: _Transaction(using),
            lambda _: fn(),
            attempts=attempts,
            timeout=timeout,
            pause=pause,
            clock=clock,
            sleep=sleep,
        )
    except _FailedAfterCommit as error:
        raise error.failure from error.failure.__cause__


class _FailedAfterCommit(ConcurrencyError):  # noqa: N818 - it says what happened
    """Carries an on_commit hook's error past the retries, which leave errors of ours alone."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__(failure)
        self.failure = failure


class _Transaction:
    """A transaction of Django in the shape of a session; it knows whether it was committed."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.committed and failure is not None:
            raise _FailedAfterCommit(failure)

    @contextlib.contextmanager
    def begin(self) -> Iterator[None]:
        with transaction.atomic(using=self.using, durable=True):
            # The first hook, so it runs before any that can fail.
            transaction.on_commit(self._note_commit, using=self.using)
            yield

    def _note_commit(self) -> None:
        self.committed = True


# Leases


def claim_batch(
    source: Source[T],
    *,
    limit: int,
    lease: float,
    max_attempts: int | None,
    order_by: str | Sequence[str],
    columns: LeaseColumns = LeaseColumns(),
    retries: int = 10,
) -> Claim[T]:
    """Claim up to `limit` rows that are neither done nor leased, so that no other worker gets them until `lease` ends.

    The claim is committed when this returns. Do the work outside of any transaction, then `complete`. Rows that
    another transaction has locked are passed over, not waited for. A worker that dies or hangs only delays its rows:
    once the lease is over they are claimed again, so the work must bear being begun twice; that its result is stored
    once is what the token in `complete` is for.

    `source`: what makes a row due besides, as a queryset that is not sliced; it may join other tables, only the rows
    of its model are locked. `lease`: seconds by the database's clock; longer than the work takes, or `extend` it
    meanwhile. `max_attempts`: a row that was claimed so often is not claimed again (it crashes its workers), None for
    no limit. `order_by`: names of fields, as for `QuerySet.order_by`. `retries`: attempts at the claim itself, which
    fails with 40001 above READ COMMITTED where it meets a row that has changed: SKIP LOCKED does not skip those.

    On MySQL and MariaDB an index whose first columns are those of `order_by` is needed: without one the first
    claimer locks the whole table. Raises LockingUnsupported where the database has no SKIP LOCKED, and RuntimeError
    inside a transaction, which would keep the rows locked while you work.
    """
    rows = _rows(source)
    _expect_own_table(rows.model)
    names = (order_by,) if isinstance(order_by, str) else tuple(order_by)
    due = rows.filter(*_due(columns, max_attempts)).order_by(*names).annotate(**{_ENDS: _now(lease)})
    using, of = _locking(due, skip_locked=True)
    locking = due.using(using).select_for_update(skip_locked=True, of=of)[:limit]
    claim: Claim[T] = run_transaction(
        lambda: _claim(locking.all(), columns, using), attempts=retries, timeout=None, using=using
    )
    return claim


def _due(columns: LeaseColumns, max_attempts: int | None) -> Iterator[Any]:
    """What makes a row claimable: not done, not leased, not poison."""
    if columns.done_at is not None:
        yield Q((f"{columns.done_at}__isnull", True))
    yield _past(columns.expires_at, 0.0)
    if max_attempts is not None:
        if columns.attempts is None:
            raise ValueError("max_attempts needs a field that counts them: LeaseColumns(attempts=...)")
        yield Q((f"{columns.attempts}__lt", max_attempts))


def _claim(locking: Any, columns: LeaseColumns, using: str) -> Claim[Any]:
    """Lock and read, then update: Django has no UPDATE … RETURNING."""
    model, token = locking.model, uuid.uuid4()
    rows = list(locking)
    ends = [row.__dict__.pop(_ENDS) for row in rows]
    ids = tuple(row.pk for row in rows)
    claim: Claim[Any] = Claim(rows, ids, token, ends[0] if ends else None, model, columns, using)
    if rows:
        lease = {columns.token: _token(claim), columns.expires_at: claim.expires_at}
        count = {} if columns.attempts is None else {columns.attempts: F(columns.attempts) + 1}
        _every_row(model, using).filter(pk__in=ids).update(**lease, **count)
        for row in rows:
            row.__dict__.update(lease)
            if columns.attempts is not None:
                row.__dict__[columns.attempts] = getattr(row, columns.attempts) + 1
    return claim


def complete(claim: Claim[Any], *, ids: Sequence[Any] | None = None, values: dict[str, Any] | None = None) -> None:
    """Mark claimed rows as done, and write what the work has found, if all of them are still ours.

    `ids`: some of `claim.ids`, all by default. `values`: fields to set in the same UPDATE. Write what else the work
    has to store in the same `transaction.atomic`; it is then stored exactly once.

    Raises LeaseLost, and changes nothing, where the lease of any of the rows is over or belongs to another claim;
    `.ids` are those rows. Let it leave your `atomic` block, so that what you wrote there is rolled back too.
    """
    columns = claim.columns
    changes = {**(values or {}), columns.token: None, columns.expires_at: None}
    if columns.done_at is not None:
        changes[columns.done_at] = _now()
    elif not values:
        raise ValueError("without LeaseColumns(done_at=...) say in values what takes the rows out of the next claim")
    _change(claim, ids, changes)


def extend(claim: Claim[T], *, lease: float, ids: Sequence[Any] | None = None) -> Claim[T]:
    """Make the lease end `lease` seconds from now, and return the claim with that end. Raises as `complete` does.

    With `ids`, only those rows are extended, and only they are in the claim that is returned.
    """
    column, ends = claim.columns.expires_at, None
    kept = claim.ids if ids is None else tuple(ids)
    with transaction.atomic(using=claim.using):
        _change(claim, ids, {column: _now(lease)})
        if kept:
            ends = _every_row(claim.model, claim.using).values_list(column, flat=True).get(pk=kept[0])
    rows = [row for row, pk in zip(claim.rows, claim.ids, strict=True) if pk in kept]
    for row in rows:
        setattr(row, column, ends)
    return replace(claim, rows=rows, ids=kept, expires_at=ends)


def release(claim: Claim[Any], *, ids: Sequence[Any] | None = None, delay: float = 0.0) -> None:
    """Give rows back unfinished, to be claimed again after `delay` seconds. Raises as `complete` does.

    The attempt stays counted.
    """
    ends = _now(delay) if delay > 0 else None
    _change(claim, ids, {claim.columns.token: None, claim.columns.expires_at: ends})


def _change(claim: Claim[Any], ids: Sequence[Any] | None, values: dict[str, Any]) -> None:
    """Update rows if every one of them is still under the claim's lease."""
    wanted = list(claim.ids if ids is None else ids)
    if foreign := set(wanted).difference(claim.ids):
        raise ValueError(f"not in this claim: {list(foreign)}")
    if not wanted:
        return
    columns, rows = claim.columns, _every_row(claim.model, claim.using).filter(pk__in=wanted)
    ours = Q((columns.token, _token(claim)), (f"{columns.expires_at}__gt", _now()))
    # In one order, so that two of these never wait for each other.
    held = rows.filter(ours).order_by("pk").select_for_update().values_list("pk", flat=True)
    with transaction.atomic(using=claim.using):
        still = set(held)
        if lost := [pk for pk in wanted if pk not in still]:
            raise LeaseLost(lost)
        rows.update(**values)


def _token(claim: Claim[Any]) -> Any:
    kind = _meta(claim.model).get_field(claim.columns.token).get_internal_type()
    return claim.token if kind == "UUIDField" else claim.token.hex


def _expect_own_table(model: type[Any]) -> None:
    if any(_parent_links(model)):
        raise TypeError(f"{model.__name__} inherits from the table of another model: claim rows of that one")


# Locks


def claim_each(source: Source[T], *, limit: int | None, advance: Callable[[T], object]) -> Iterator[T]:
    """Take rows one at a time: lock one, let `advance(row)` change it so that it no longer matches, commit, yield it.

    `advance` changes attributes, the row is saved here. No transaction is open while you work on what is yielded.
    Each row is yielded **at most** once: one whose worker dies stays advanced. Where it must be done, use
    `claim_batch`. `limit`: the number of rows yielded at most, None for as long as there are any.

    Raises LockingUnsupported where the database has no SKIP LOCKED, and RuntimeError inside a transaction.
    """
    rows = _rows(source)
    using, of = _locking(rows, skip_locked=True)
    taken = 0
    while limit is None or taken < limit:
        with transaction.atomic(using=using, durable=True):
            row = rows.using(using).select_for_update(skip_locked=True, of=of)[:1].first()
            if row is not None:
                advance(row)
                row.save(using=using, force_update=True)
        if row is None:
            return
        taken += 1
        yield row


@contextlib.contextmanager
def locked(source: Source[T], pk: Any, *, timeout: float | None = None, nowait: bool = False) -> Iterator[T]:
    """A read-modify-write under the row's lock.

    `with locked(Account, 1) as account: account.balance += 5`. Change the row that the block is given, not one that
    was read before. Leaving the block saves it (unless it was deleted there, by `account.delete()`) and commits; an
    exception rolls back. Inside a transaction of the caller the row stays locked until that ends. Do not wait for
    anything else in the block.

    `timeout`: seconds to wait for the lock, None for the database's own setting; MySQL and MariaDB count whole
    seconds, so it is rounded up there. `nowait`: do not wait at all. Raises LockNotAvailable when somebody else keeps
    the row (the caller's transaction stays usable), the model's DoesNotExist where there is no such row, and
    LockingUnsupported where Django would drop the lock clause (SQLite).
    """
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout is 0 or more seconds, not {timeout}")
    rows = _rows(source)
    nowait = nowait or timeout == 0
    using, of = _locking(rows, nowait=nowait)
    locking = rows.using(using).select_for_update(of=of, nowait=nowait)
    with transaction.atomic(using=using):
        row = _lock(locking, pk, None if nowait else timeout, bounded=nowait or timeout is not None)
        yield row
        if row.pk is not None:
            # Never an INSERT, which would bring back what somebody has deleted.
            row.save(using=using, force_update=True)


def _lock(locking: Any, pk: Any, timeout: float | None, *, bounded: bool) -> Any:
    if not bounded:
        return locking.get(pk=pk)
    try:
        # A savepoint: a failed statement would otherwise end PostgreSQL's whole transaction.
        with transaction.atomic(using=locking.db), _lock_timeout(locking.db, timeout):
            return locking.get(pk=pk)
    except DatabaseError as error:
        if retry.is_lock_not_available(error):
            raise LockNotAvailable(f"{locking.model.__name__} {pk!r} is locked by somebody else") from error
        raise


@contextlib.contextmanager
def _lock_timeout(using: str, timeout: float | None) -> Iterator[None]:
    """Bound the wait for locks meanwhile, and put back what was set before."""
    if timeout is None:
        yield
    elif connections[using].vendor == "postgresql":
        # Never 0, which means for ever. On failure the savepoint's end puts the old value back.
        change = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)"
        old = _value(using, change, f"{max(1, math.ceil(timeout * 1000))}ms")
        yield
        _value(using, change, old)
    elif connections[using].vendor == "mysql":
        old = _value(using, "SELECT @@SESSION.innodb_lock_wait_timeout")
        change = "SET SESSION innodb_lock_wait_timeout = %s"
        _value(using, change, max(1, math.ceil(timeout)))
        try:
            yield
        finally:  # of the session, not of the transaction: a rollback does not put it back
            _value(using, change, old)
    else:
        raise LockingUnsupported(f"{connections[using].vendor}: a lock timeout is not known here, only nowait")


def _value(using: str, statement: str, *parameters: object) -> Any:
    """Execute a statement, and answer the first column of its row, if it has one."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0] if cursor.description else None


# Time windows


def update_if_stale(
    model: type[Any], pk: Any, field: str, *, window: float, value: Any = None, using: str | None = None
) -> bool:
    """Set a time field of a row if it is null or older than `window` seconds; say whether this call did.

    One conditional UPDATE, so of any number of processes exactly one is told True in each window. Nothing is read
    first, and it works on databases without row locks too. `field`: the name of a DateTimeField. `value`: what to
    set, by default the database's time. `using`: the alias of the database, by default where the model is written to.

    It takes no queryset: with a JOIN, Django makes the condition a subquery, which is not evaluated again for a row
    that had to be waited for, so two callers would be told True. For the same reason it raises TypeError for a field
    of a parent's table: pass that model.
    """
    owner = _meta(_meta(model).get_field(field).model).concrete_model
    if owner is not _meta(model).concrete_model:
        raise TypeError(f"{field} is in the table of {owner.__name__}: pass that model")
    rows = _every_row(model, using or router.db_for_write(model)).filter(_past(field, -window), pk=pk)
    changed: int = rows.update(**{field: _now() if value is None else value})
    return changed == 1


# What all of them need


def _rows(source: Source[Any]) -> Any:
    """A queryset of a model, a manager or a queryset."""
    manager: Any = source._default_manager if isinstance(source, type) else source  # noqa: SLF001 - documented
    return manager.all()


def _every_row(model: Any, using: str) -> Any:
    """All rows of a model, whatever its default manager leaves out."""
    return model._base_manager.using(using)  # noqa: SLF001 - documented


def _meta(model: Any) -> Any:
    return model._meta  # noqa: SLF001 - documented


def _locking(rows: Any, *, skip_locked: bool = False, nowait: bool = False) -> tuple[str, tuple[str, ...]]:
    """The database to lock in, and what to lock `of`; raises where it would drop the clause, or lock more than asked.

    A queryset for update is one of the database that is written to, also where the router sends reads to a replica.
    """
    using: str = rows.select_for_update().db
    connection = connections[using]
    features = connection.features
    if not features.has_select_for_update:
        raise LockingUnsupported(f"{connection.vendor}: Django would drop FOR UPDATE, nothing would be locked")
    if skip_locked and not (
        features.has_select_for_update_skip_locked and features.supports_select_for_update_with_limit
    ):
        raise LockingUnsupported(f"{connection.display_name}: it has no FOR UPDATE SKIP LOCKED with a limit")
    if nowait and not features.has_select_for_update_nowait:
        raise LockingUnsupported(f"{connection.display_name}: it has no FOR UPDATE NOWAIT")
    parents = tuple(_parent_links(rows.model))
    if parents and _meta(rows.model).proxy:
        concrete = _meta(rows.model).concrete_model
        raise LockingUnsupported(
            f"{rows.model.__name__} is a proxy of a model with parents, whose rows Django would leave unlocked: "
            f"use {concrete.__name__}"
        )
    if features.has_select_for_update_of:
        return using, ("self", *parents)
    if _tables(rows, using) > 1 + len(parents):
        raise LockingUnsupported(
            f"{connection.display_name} has no FOR UPDATE OF: the joined rows would be locked too; use a subquery"
        )
    return using, ()


def _tables(rows: Any, using: str) -> int:
    """How many tables a queryset reads from; its order and `select_related` join theirs only when it is compiled."""
    compiler = rows.query.clone().get_compiler(using)
    compiler.pre_sql_setup()
    tables, _ = compiler.get_from_clause()
    return len(tables)


def _parent_links(model: Any, prefix: str = "") -> Iterator[str]:
    """The links to the tables that a model inherits from: they hold columns of the row, so they are locked with it."""
    # A proxy names its concrete model as a parent, without a link.
    for parent, link in _meta(_meta(model).concrete_model).parents.items():
        yield f"{prefix}{link.name}"
        yield from _parent_links(parent, f"{prefix}{link.name}__")


class _DatabaseTime(Now):  # type: ignore[misc]  # Django is untyped
    """The time at the start of the statement, where `Now` gives a time that can be compared with columns.

    PostgreSQL: STATEMENT_TIMESTAMP(), as `Now`; not `now()`, which is the start of the transaction.
    """

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """In UTC, as Django stores it: CURRENT_TIMESTAMP is in the time zone of each session."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def _now(offset: float = 0.0) -> Any:
    """The database's time, `offset` seconds later."""
    now = _DatabaseTime()
    return now + Value(timedelta(seconds=offset)) if offset else now


def _past(field: str, offset: float) -> Any:
    """Is a time null, or not after the database's time and `offset` seconds?"""
    return Q((f"{field}__isnull", True)) | Q((f"{field}__lte", _now(offset)))
