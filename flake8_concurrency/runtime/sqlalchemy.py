"""Rows that several workers change: claimed under a lease, locked for a read-modify-write, or updated once a window.

Every helper is for a `Session`; its twin `…_async` is for an `AsyncSession` and does the same. None of them begins
threads or keeps state, and none holds a row lock while your work runs: a hung worker would keep it for ever.

Three facts are built in, because each is easy to forget and silent when forgotten: a lock over a JOIN names the model
it means (`FOR UPDATE OF`), a row that is already in the session is read again (`populate_existing`), and a database
for which SQLAlchemy drops the lock clause (SQLite, SQL Server) is refused with LockingUnsupported.
"""

from __future__ import annotations

import contextlib
import functools
import math
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from flake8_concurrency.runtime.errors import LeaseLost, LockingUnsupported, LockNotAvailable, MissingExtra
from flake8_concurrency.runtime.retry import is_lock_not_available

try:
    import sqlalchemy as sa
    from sqlalchemy import orm
    from sqlalchemy.exc import DBAPIError, NoResultFound
except ImportError as error:
    raise MissingExtra("sqlalchemy") from error

from flake8_concurrency.runtime import lease_statements as sql

if TYPE_CHECKING:
    # It needs greenlet, which plain SQLAlchemy does not bring.
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = [
    "Claim",
    "LeaseColumns",
    "claim_batch",
    "claim_batch_async",
    "claim_each",
    "claim_each_async",
    "complete",
    "complete_async",
    "extend",
    "extend_async",
    "lock_batch",
    "lock_batch_async",
    "locked",
    "locked_async",
    "release",
    "release_async",
    "update_if_stale",
    "update_if_stale_async",
]

T = TypeVar("T")
P = ParamSpec("P")

_FRESH = {"populate_existing": True}
_NO_SYNCHRONISATION = {"synchronize_session": False, "populate_existing": True}


@dataclass(frozen=True, slots=True)
class LeaseColumns:
    """The attributes of the model that hold a lease.

    `token`: a Uuid or a String(32), null while nobody has the row. `expires_at`: a DateTime, with its time zone on
    PostgreSQL and with microseconds (`DATETIME(fsp=6)`, in UTC) on MySQL and MariaDB, nullable. `attempts`: an
    Integer that starts at 0 and counts claims, or None without a limit of attempts. `done_at`: as `expires_at`, set
    by `complete`; None where `complete` is given `values` that take the row out of what is claimed.
    """

    token: str = "lease_token"
    expires_at: str = "lease_expires_at"
    attempts: str | None = "attempts"
    done_at: str | None = "done_at"


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """Rows that are ours until the lease ends.

    `rows`: in the order asked for, and detached: what is changed on them is not written, because that would pass by
    the fence; `complete` takes values. `token`: no other claim has it. `expires_at`: by the database's clock, None
    where there are no rows. `ids`: the primary keys, tuples where they have several columns.
    """

    rows: list[T]
    ids: tuple[Any, ...]
    token: uuid.UUID
    expires_at: datetime | None
    model: type[T]
    columns: LeaseColumns

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


# Leases


def claim_batch(  # noqa: PLR0913 - each has a name at the call, and forgetting one is the bug
    session: orm.Session,
    model_or_select: type[T] | sa.Select[T],
    *,
    limit: int,
    lease: float,
    max_attempts: int | None,
    order_by: Any,
    where: Sequence[sa.ColumnExpressionArgument[bool]] = (),
    columns: LeaseColumns = LeaseColumns(),
) -> Claim[T]:
    """Claim up to `limit` rows that are neither done nor leased, so that no other worker gets them until `lease` ends.

    Commit right afterwards, at READ COMMITTED (with `run_transaction`, say), do the work outside of any transaction,
    then `complete`. Rows that another transaction has locked are passed over, not waited for. A worker that dies or
    hangs only delays its rows: once the lease is over they are claimed again, so the work must bear being begun
    twice; that its result is stored once is what the token in `complete` is for.

    `lease`: seconds by the database's clock; longer than the work takes, or `extend` it meanwhile. `max_attempts`: a
    row that was claimed so often is not claimed again (it crashes its workers), None for no limit. `order_by`: a
    column or a sequence of them. `where`: what else makes a row due. A select may join other tables: only the rows
    of its model are locked.

    On PostgreSQL it is one statement, and so are `complete`, `extend` and `release`: there a session of an engine at
    AUTOCOMMIT (`engine.execution_options(isolation_level="AUTOCOMMIT")`) does without BEGIN and COMMIT, and is the
    fastest. With a key of several columns, and on MySQL and MariaDB, it is two in the caller's transaction; an index
    whose first columns are those of `order_by` is needed on the latter: without one the first claimer locks the whole
    table. The statement is kept with the model; conditions that are new objects at each call (`Job.queue == name`)
    cost a little more than constants.

    Raises LockingUnsupported where the database has no SKIP LOCKED.
    """
    statement, model = _statement(model_or_select)
    mapper = sa.inspect(model)
    dialect = _locking_dialect(session, mapper, statement, leases=True)
    selected = None if model_or_select is model else statement
    claiming, parameters = sql.claiming(
        mapper, dialect, selected, columns, max_attempts, _listed(order_by), tuple(where)
    )
    token = uuid.uuid4()
    parameters |= {sql.LIMIT: limit, sql.LEASE: sql.delay(dialect, lease)}
    if max_attempts is not None:
        parameters[sql.ATTEMPTS] = max_attempts
    if claiming.update is not None:
        parameters[sql.TOKEN] = sql.token_value(mapper, columns, token)
        rows = _claim_in_one(session, claiming, parameters)
        expires_at = getattr(rows[0], columns.expires_at) if rows else None
    else:
        rows, expires_at = _claim_in_two(session, mapper, claiming, parameters, columns, token)
    ids = tuple(_ident(sa.inspect(row).identity) for row in rows)
    _detach(session, rows)
    return Claim(rows, ids, token, expires_at, model, columns)


def _detach(session: orm.Session, rows: Sequence[Any]) -> None:
    if len(session.identity_map) == len(rows) and not session.new:
        session.expunge_all()  # there is nothing else in it, and one by one takes as long as loading them
        return
    for row in rows:
        session.expunge(row)


def _claim_in_one(session: orm.Session, claiming: sql.Claiming, parameters: dict[str, Any]) -> list[Any]:
    """PostgreSQL: claim and read in one statement."""
    if type(session).get_bind is orm.Session.get_bind:
        found = session.execute(claiming.select, parameters, execution_options=_FRESH).all()
    else:  # A session that chooses a database by the kind of the statement has to see the UPDATE.
        assert claiming.update is not None
        found = session.execute(claiming.update, parameters, execution_options=_NO_SYNCHRONISATION).all()
    return [row for row, _ in sorted(found, key=itemgetter(1))]


def _claim_in_two(
    session: orm.Session,
    mapper: orm.Mapper[Any],
    claiming: sql.Claiming,
    parameters: dict[str, Any],
    columns: LeaseColumns,
    token: uuid.UUID,
) -> tuple[list[Any], datetime | None]:
    """Lock and read, then update, in one transaction: no UPDATE … RETURNING on MariaDB, no arrays of several keys."""
    connection = session.connection({"mapper": mapper})
    _check_transaction(connection)
    found = session.execute(claiming.select, parameters, execution_options=_FRESH).unique().all()
    if not found:
        return [], None
    expires_at = found[0][1]
    rows = [row for row, _ in found]
    values = {columns.token: sql.token_value(mapper, columns, token), columns.expires_at: expires_at}
    if columns.attempts is not None:
        values[columns.attempts] = mapper.columns[columns.attempts] + 1
    ids = [_ident(sa.inspect(row).identity) for row in rows]
    table: Any = mapper.local_table
    update = sa.update(table).where(sql.is_one_of(mapper.primary_key, connection.dialect))
    connection.execute(update.values({mapper.columns[name]: each for name, each in values.items()}), {sql.IDS: ids})
    for row in rows:
        orm.attributes.set_committed_value(row, columns.token, values[columns.token])
        orm.attributes.set_committed_value(row, columns.expires_at, expires_at)
        if columns.attempts is not None:
            orm.attributes.set_committed_value(row, columns.attempts, getattr(row, columns.attempts) + 1)
    return rows, expires_at


def complete(
    session: orm.Session, claim: Claim[Any], *, ids: Sequence[Any] | None = None, values: dict[str, Any] | None = None
) -> None:
    """Mark claimed rows as done, and write what the work has found, if all of them are still ours.

    `ids`: some of `claim.ids`, all by default. `values`: attributes to set in the same UPDATE. Write what else the
    work has to store in the same transaction; it is then stored exactly once.

    Raises LeaseLost, and changes nothing, where the lease of any of the rows is over or belongs to another claim;
    `.ids` are those rows.
    """
    columns = claim.columns
    times = () if columns.done_at is None else ((columns.done_at, None),)
    if not times and not values:
        raise ValueError("without LeaseColumns(done_at=...) say in values what takes the rows out of the next claim")
    _change(session, claim, ids, times, {**(values or {}), columns.token: None, columns.expires_at: None})


def extend(session: orm.Session, claim: Claim[T], *, lease: float, ids: Sequence[Any] | None = None) -> Claim[T]:
    """Make the lease end `lease` seconds from now, and return the claim with that end. Raises as `complete` does.

    With `ids`, only those rows are extended, and only they are in the claim that is returned.
    """
    kept = claim.ids if ids is None else tuple(ids)
    end = _change(session, claim, kept, ((claim.columns.expires_at, sql.LEASE),), {}, seconds=lease)
    rows = [row for row, ident in zip(claim.rows, claim.ids, strict=True) if ident in kept]
    return replace(claim, rows=rows, ids=kept, expires_at=end)


def release(session: orm.Session, claim: Claim[Any], *, ids: Sequence[Any] | None = None, delay: float = 0.0) -> None:
    """Give rows back unfinished, to be claimed again after `delay` seconds. Raises as `complete` does.

    The attempt stays counted.
    """
    token, expires_at = claim.columns.token, claim.columns.expires_at
    if delay > 0:
        _change(session, claim, ids, ((expires_at, sql.LEASE),), {token: None}, seconds=delay)
    else:
        _change(session, claim, ids, (), {token: None, expires_at: None})


def _change(
    session: orm.Session,
    claim: Claim[Any],
    ids: Sequence[Any] | None,
    times: tuple[tuple[str, str | None], ...],
    values: dict[str, Any],
    *,
    seconds: float = 0.0,
) -> datetime | None:
    """Update rows if every one of them is still under the claim's lease; return its new end if that was changed."""
    wanted = list(claim.ids if ids is None else dict.fromkeys(ids))
    if ids is not None and (foreign := set(wanted).difference(claim.ids)):
        raise ValueError(f"not in this claim: {list(foreign)}")
    if not wanted:
        return None
    mapper = sa.inspect(claim.model)
    dialect = _dialect(session, claim.model)
    change = sql.changing(mapper, dialect, claim.columns, times, values, one=len(wanted) == 1)
    parameters = {
        sql.IDS: wanted,
        sql.HOLDER: sql.token_value(mapper, claim.columns, claim.token),
        sql.LEASE: sql.delay(dialect, seconds),
        sql.COUNT: len(wanted),
        **{f"{sql.VALUE}{name}": value for name, value in values.items()},
    }
    if session.autoflush:
        session.flush()
    connection = session.connection({"mapper": mapper, "clause": change.update})
    if dialect.name != "postgresql":
        _check_transaction(connection)
    elif (updated := _updated(connection, change, parameters)).any:
        return updated.end
    still = {_ident(tuple(row)) for row in connection.execute(change.held, parameters)}
    # None is lost where another thread has extended this lease while the UPDATE began.
    lost = [ident for ident in wanted if ident not in still]
    if lost or not (updated := _updated(connection, change, parameters)).any:
        raise LeaseLost(lost or wanted)
    return updated.end


class _Updated(NamedTuple):
    any: bool
    end: datetime | None


def _updated(connection: sa.Connection, change: sql.Change, parameters: dict[str, Any]) -> _Updated:
    """Run the UPDATE, and read the end of the lease where that is changed."""
    result = connection.execute(change.update, parameters)
    if result.returns_rows:
        row = result.first()
        return _Updated(row is not None, None if row is None else row[0])
    end = None if change.end is None else connection.scalar(change.end, parameters)
    return _Updated(result.rowcount > 0, end)


def _check_transaction(connection: sa.Connection) -> None:
    """Two statements need a transaction around them: at AUTOCOMMIT the first one's locks are gone at once."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise LockingUnsupported("AUTOCOMMIT: this needs two statements, and so a transaction")


# Locks


def lock_batch(session: orm.Session, statement: sa.Select[T], *, limit: int, of: Any = None) -> list[T]:
    """Lock up to `limit` rows of a select that nobody else has locked, until the transaction ends.

    For short work in the transaction itself; for anything that may hang, `claim_batch`. `of`: the models to lock, by
    default the first that is selected.
    """
    selected, model = _statement(statement)
    _locking_dialect(session, sa.inspect(model), selected)
    locking = selected.limit(limit).with_for_update(skip_locked=True, of=of or model)
    return list(session.scalars(locking, execution_options={"populate_existing": True}).unique().all())


def claim_each(
    session_factory: Callable[[], orm.Session],
    model_or_select: type[T] | sa.Select[T],
    *,
    limit: int | None,
    advance: Callable[[T], object],
) -> Iterator[T]:
    """Take rows one at a time: lock one, let `advance(row)` change it so that it no longer matches, commit, yield it.

    What is yielded is detached, and no transaction is open while you work on it. Each row is yielded **at most**
    once: one whose worker dies stays advanced. Where it must be done, use `claim_batch`. `limit`: the number of rows
    yielded at most, None for as long as there are any.
    """
    statement, _ = _statement(model_or_select)
    taken = 0
    while limit is None or taken < limit:
        with session_factory() as session, session.begin():
            row = _advance_one(session, statement, advance)
        if row is None:
            return
        taken += 1
        yield row


def _advance_one(session: orm.Session, statement: sa.Select[T], advance: Callable[[T], object]) -> T | None:
    rows = lock_batch(session, statement, limit=1)
    if not rows:
        return None
    advance(rows[0])
    session.flush()
    session.expunge(rows[0])
    return rows[0]


@contextlib.contextmanager
def locked(
    session: orm.Session, model: type[T], ident: Any, *, timeout: float | None = None, nowait: bool = False
) -> Iterator[T]:
    """A read-modify-write under the row's lock.

    `with locked(session, Account, 1) as account: account.balance += 5`. The row is read again when it is already in
    the session. Where the session has no transaction, leaving the block commits one, and an exception rolls it back;
    inside a transaction of the caller the change is flushed and the row stays locked until that ends. Do not wait
    for anything else in the block.

    `timeout`: seconds to wait for the lock, None for the database's own setting; MySQL and MariaDB count whole
    seconds, so it is rounded up there. `nowait`: do not wait at all. Raises LockNotAvailable when somebody else keeps
    the row (the caller's transaction stays usable), and sqlalchemy.exc.NoResultFound where there is no such row.
    """
    own = not session.in_transaction()
    with session.begin() if own else contextlib.nullcontext():
        yield _lock(session, model, ident, timeout, nowait)
        session.flush()


def _lock(session: orm.Session, model: type[T], ident: Any, timeout: float | None, nowait: bool) -> T:
    dialect = _locking_dialect(session, sa.inspect(model))
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout is 0 or more seconds, not {timeout}")
    nowait = nowait or timeout == 0
    bounded = nowait or timeout is not None
    try:
        # A savepoint: a failed statement would otherwise end PostgreSQL's whole transaction.
        with (
            session.begin_nested() if bounded else contextlib.nullcontext(),
            _lock_timeout(session, model, dialect, None if nowait else timeout),
        ):
            row = session.get(model, ident, populate_existing=True, with_for_update={"of": model, "nowait": nowait})
    except DBAPIError as error:
        if bounded and is_lock_not_available(error):
            raise LockNotAvailable(f"{model.__name__} {ident!r} is locked by somebody else") from error
        raise
    if row is None:
        raise NoResultFound(f"no {model.__name__} {ident!r}")
    return row


@contextlib.contextmanager
def _lock_timeout(session: orm.Session, model: type[Any], dialect: sa.Dialect, timeout: float | None) -> Iterator[None]:
    """Bound the wait for locks meanwhile, and put back what was set before."""
    if timeout is None:
        yield
        return
    bind = {"mapper": sa.inspect(model)}
    if dialect.name == "postgresql":
        # Never 0, which means for ever. On failure the savepoint's end puts the old value back.
        milliseconds = f"{max(1, math.ceil(timeout * 1000))}ms"
        change = sa.text("SELECT current_setting('lock_timeout'), set_config('lock_timeout', :value, true)")
        old = session.execute(change, {"value": milliseconds}, bind_arguments=bind).scalar_one()
        yield
        session.execute(change, {"value": old}, bind_arguments=bind)
    elif dialect.name in sql.MYSQL:
        read = sa.text("SELECT @@SESSION.innodb_lock_wait_timeout")
        old = session.execute(read, bind_arguments=bind).scalar_one()
        change = sa.text("SET SESSION innodb_lock_wait_timeout = :value")
        session.execute(change, {"value": max(1, math.ceil(timeout))}, bind_arguments=bind)
        try:
            yield
        finally:  # of the session, not of the transaction: a rollback does not put it back
            session.execute(change, {"value": old}, bind_arguments=bind)
    else:
        raise LockingUnsupported(f"{dialect.name}: a lock timeout is not known here, only nowait")


# Time windows


def update_if_stale(
    session: orm.Session, model: type[Any], ident: Any, column: Any, *, window: float, value: Any = None
) -> bool:
    """Set a time column of a row if it is null or older than `window` seconds; say whether this call did.

    One conditional UPDATE, so of any number of processes exactly one is told True in each window. Nothing is read
    first, and it works on databases without row locks too. `column`: an attribute of the model, or its name.
    `value`: what to set, by default the database's time.
    """
    key = column if isinstance(column, str) else column.key
    attribute = getattr(model, key)
    dialect = _dialect(session, model)
    stale = sa.or_(attribute.is_(None), attribute <= sql.later(dialect, sql.LEASE))
    update = (
        sa.update(model)
        .where(sql.is_one_of(sa.inspect(model).primary_key, dialect), stale)
        .values({key: sql.now(dialect) if value is None else value})
        .execution_options(synchronize_session=False)
    )
    result = session.execute(update, {sql.IDS: [ident], sql.LEASE: sql.delay(dialect, -window)})
    changed: int = result.rowcount  # type: ignore[attr-defined]
    if changed and (instance := session.identity_map.get(orm.util.identity_key(model, ident))) is not None:
        session.expire(instance, [key])
    return changed == 1


# What all of them need


def _statement(model_or_select: type[T] | sa.Select[T]) -> tuple[sa.Select[T], type[T]]:
    """The select, and the model that it selects."""
    if isinstance(model_or_select, sa.Select):
        model = model_or_select.column_descriptions[0]["entity"]
        return model_or_select, model
    return sa.select(model_or_select), model_or_select


def _dialect(session: orm.Session, model: type[Any]) -> sa.Dialect:
    return session.get_bind(sa.inspect(model)).dialect


def _locking_dialect(
    session: orm.Session, mapper: orm.Mapper[Any], statement: sa.Select[Any] | None = None, *, leases: bool = False
) -> sa.Dialect:
    """The dialect of a session; raises where it would drop the lock clause, or lock more than was asked for."""
    dialect = session.get_bind(mapper).dialect
    if dialect.name not in sql.LOCKING or (leases and dialect.name == "oracle"):
        raise LockingUnsupported(
            f"{dialect.name}: SQLAlchemy would drop FOR UPDATE SKIP LOCKED, nothing would be locked"
        )
    if statement is not None and dialect.name in sql.MYSQL:
        session.connection(
            bind_arguments={"mapper": mapper}
        )  # which of the two it is, the dialect learns by connecting
        froms = statement.get_final_froms()
        joined = len(froms) > 1 or any(isinstance(each, sa.Join) for each in froms)
        if joined and getattr(dialect, "is_mariadb", False):
            raise LockingUnsupported(
                "MariaDB has no FOR UPDATE OF: the joined rows would be locked too; use a subquery"
            )
    return dialect


def _ident(key: Sequence[Any]) -> Any:
    return key[0] if len(key) == 1 else tuple(key)


def _listed(order_by: Any) -> Sequence[Any]:
    return order_by if isinstance(order_by, (list, tuple)) else (order_by,)


# Twins


def _twin(
    function: Callable[Concatenate[orm.Session, P], T],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    """The same for an AsyncSession: the function runs in a greenlet that gives way at each wait for the database."""

    @functools.wraps(function)
    async def twin(session: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await session.run_sync(function, *args, **kwargs)

    twin.__name__ = twin.__qualname__ = f"{function.__name__}_async"
    twin.__doc__ = f"`{function.__name__}` for an AsyncSession.\n\n    {function.__doc__}"
    return twin


claim_batch_async = _twin(claim_batch)
complete_async = _twin(complete)
extend_async = _twin(extend)
release_async = _twin(release)
lock_batch_async = _twin(lock_batch)
update_if_stale_async = _twin(update_if_stale)


@contextlib.asynccontextmanager
async def locked_async(
    session: AsyncSession,
    model: type[T],
    ident: Any,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - the database's, not the event loop's
    nowait: bool = False,
) -> AsyncIterator[T]:
    """`locked` for an AsyncSession; a cancellation rolls back, and frees the row."""
    own = not session.in_transaction()
    async with session.begin() if own else contextlib.nullcontext():
        yield await session.run_sync(_lock, model, ident, timeout, nowait)
        await session.flush()


async def claim_each_async(
    session_factory: Callable[[], AsyncSession],
    model_or_select: type[T] | sa.Select[T],
    *,
    limit: int | None,
    advance: Callable[[T], object],
) -> AsyncIterator[T]:
    """`claim_each` for an AsyncSession; `advance` is a plain function."""
    statement, _ = _statement(model_or_select)
    taken = 0
    while limit is None or taken < limit:
        async with session_factory() as session, session.begin():
            row = await session.run_sync(_advance_one, statement, advance)
        if row is None:
            return
        taken += 1
        yield row
