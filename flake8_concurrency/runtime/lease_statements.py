"""The statements that claim rows and hold them, each built once for a model.

To put one together in Python takes several times as long as PostgreSQL needs to run it. So what a statement is made of
is kept apart from what changes at each call, which are bound parameters, and the rest is kept with the class.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from flake8_concurrency.runtime.errors import LockingUnsupported, MissingExtra

try:
    import sqlalchemy as sa
    from sqlalchemy import orm
    from sqlalchemy.dialects import postgresql
except ImportError as error:
    raise MissingExtra("sqlalchemy") from error

if TYPE_CHECKING:
    from flake8_concurrency.runtime.sqlalchemy import LeaseColumns

#: Where SQLAlchemy renders FOR UPDATE, and SKIP LOCKED with it.
LOCKING = frozenset({"postgresql", "mysql", "mariadb", "oracle"})
MYSQL = frozenset({"mysql", "mariadb"})

#: How many statements are kept for one model; the one that was not used for longest goes first.
KEPT = 64

#: Names of bound parameters. In an UPDATE one must not be called as a column is.
LIMIT, ATTEMPTS, TOKEN, LEASE = "lease__limit", "lease__attempts", "lease__token", "lease__seconds"
IDS, COUNT, HOLDER, VALUE = "lease__ids", "lease__count", "lease__holder", "lease__value_"


class Statements:
    """The statements of one mapped class, the last `KEPT` of them. They live and die with the class."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    @classmethod
    def of(cls, mapper: orm.Mapper[Any]) -> Statements:
        """Those of a mapper. Two threads may make two at first: then one builds its statements again."""
        found = mapper.class_manager.info.setdefault(__name__, cls())
        assert isinstance(found, cls)
        return found

    def get(self, key: Hashable) -> Any:
        """What was kept, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Hashable, value: Any) -> None:
        with self._lock:
            self._kept[key] = value
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)


# Claims


class Claiming(NamedTuple):
    """How rows are claimed.

    `update`: on PostgreSQL the statement that claims, else None. `select`: of what it returns, as rows of the model
    and their places; elsewhere what locks and reads the rows.
    """

    select: Any
    update: sa.Update | None


class _Known(NamedTuple):
    """What one call was made of (it is kept, so that nothing else gets its ids), and what came out of it."""

    parts: Sequence[Any]
    claiming: Claiming
    # The key of each parameter in the statement, and the parameter of this call whose value it gets.
    values: tuple[tuple[str, Any], ...]


def claiming(
    mapper: orm.Mapper[Any],
    dialect: sa.Dialect,
    statement: sa.Select[Any] | None,
    columns: LeaseColumns,
    max_attempts: int | None,
    order_by: Sequence[Any],
    where: Sequence[Any],
) -> tuple[Claiming, dict[str, Any]]:
    """How to claim the rows of a model, or of a select of it, and the parameters that the caller's conditions need.

    Expressions are usually the same objects at each call (`Job.id`); then they are only looked up. Where they are new
    ones (`Job.queue == name`), SQLAlchemy's own key tells those apart which differ in more than their values.
    """
    statements = Statements.of(mapper)
    parts = (statement, *order_by, *where)
    shape = (dialect.name, columns, max_attempts is None, len(order_by))
    known = statements.get(key := ("claim", shape, tuple(map(id, parts))))
    if known is None:
        base = sa.select(mapper.class_) if statement is None else statement
        base = base.where(*where, *_due(mapper.class_, columns, dialect, max_attempts)).order_by(*order_by)

        def build(base: sa.Select[Any]) -> Claiming:
            if is_single(mapper, dialect):
                return _claim_in_one(mapper, base, dialect, columns)
            return _claim_in_two(mapper, base, dialect)

        known = _Known(parts, *_like(statements, base, shape, build, dialect))
        statements.keep(key, known)
    return known.claiming, {name: parameter.effective_value for name, parameter in known.values}


def _like(
    statements: Statements,
    base: sa.Select[Any],
    shape: tuple[Any, ...],
    build: Callable[[sa.Select[Any]], Claiming],
    dialect: sa.Dialect,
) -> tuple[Claiming, tuple[tuple[str, Any], ...]]:
    """The statement for a select, or the one for another select which differs in its values only."""
    # As in SQLAlchemy's example of a cache (examples/dogpile_caching): there is no other way to ask.
    cache_key = base._generate_cache_key()  # noqa: SLF001
    if cache_key is None:
        return build(base), ()
    parameters = [each for each in cache_key.bindparams if each.key not in {ATTEMPTS, LIMIT}]
    if (found := statements.get(key := ("like", shape, cache_key.key))) is None:
        found = (build(base), tuple(each.key for each in parameters))
        if not _takes(*found, dialect):
            return found[0], ()
        statements.keep(key, found)
    made, names = found
    return made, tuple(zip(names, parameters, strict=True))


def _takes(made: Claiming, names: Sequence[str], dialect: sa.Dialect) -> bool:
    """Whether a statement gets its values by these names: SQLAlchemy may have put copies in place of parameters."""
    markers = {name: object() for name in names}
    compiled = made.select.compile(dialect=dialect)
    given = compiled.construct_params({**dict.fromkeys((LIMIT, ATTEMPTS, TOKEN, LEASE)), **markers}).values()
    return {*map(id, markers.values())} <= {*map(id, given)}


def is_single(mapper: orm.Mapper[Any], dialect: sa.Dialect) -> bool:
    """Whether one statement claims: not on MariaDB, which has no UPDATE … RETURNING, nor by a key of two columns."""
    return dialect.name == "postgresql" and len(mapper.primary_key) == 1


def _due(
    model: type[Any], columns: LeaseColumns, dialect: sa.Dialect, max_attempts: int | None
) -> Iterator[sa.ColumnElement[bool]]:
    """What makes a row claimable: not done, not leased, not poison."""
    expires_at = getattr(model, columns.expires_at)
    if dialect.name == "postgresql" and not getattr(expires_at.type, "timezone", True):
        raise TypeError(f"{expires_at} needs DateTime(timezone=True): without it, its meaning depends on the session")
    if columns.done_at is not None:
        yield getattr(model, columns.done_at).is_(None)
    yield sa.or_(expires_at.is_(None), expires_at <= now(dialect))
    if max_attempts is not None:
        if columns.attempts is None:
            raise ValueError("max_attempts needs a column that counts them: LeaseColumns(attempts=...)")
        yield getattr(model, columns.attempts) < sa.bindparam(ATTEMPTS, type_=sa.Integer())


def _claim_in_one(
    mapper: orm.Mapper[Any], statement: sa.Select[Any], dialect: sa.Dialect, columns: LeaseColumns
) -> Claiming:
    """PostgreSQL: an UPDATE of what a locking subquery picks.

    The ids are gathered into an array in a CTE, which runs once (PostgreSQL inlines none that locks; MATERIALIZED
    spells it out). As `WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` the planner may run the subquery again
    for each row, and then locks and claims more than n. RETURNING has no order, so the place in the array comes along.
    """
    model, (key,) = mapper.class_, mapper.primary_key
    only = statement.with_only_columns(key, maintain_column_froms=True).limit(sa.bindparam(LIMIT, type_=sa.Integer()))
    ids = only.with_for_update(skip_locked=True, of=model).scalar_subquery()
    array = sa.func.array(ids, type_=postgresql.ARRAY(key.type))
    picked = sa.select(array.label("ids")).cte("picked").prefix_with("MATERIALIZED")
    values = {
        columns.token: sa.bindparam(TOKEN, type_=getattr(model, columns.token).type),
        columns.expires_at: later(dialect, LEASE),
    }
    if columns.attempts is not None:
        values[columns.attempts] = getattr(model, columns.attempts) + 1
    place = sa.func.array_position(picked.c.ids, key, type_=sa.Integer()).label("lease__place")
    update = sa.update(model).where(key == sa.any_(picked.c.ids)).values(values).returning(model, place)
    return Claiming(sa.select(model, place).from_statement(update), update)


def _claim_in_two(mapper: orm.Mapper[Any], statement: sa.Select[Any], dialect: sa.Dialect) -> Claiming:
    """The first of the two: lock and read, with the time at which the lease will end."""
    timed = statement.add_columns(later(dialect, LEASE)).limit(sa.bindparam(LIMIT, type_=sa.Integer()))
    return Claiming(timed.with_for_update(skip_locked=True, of=mapper.class_), None)


# Changes under a lease


class Change(NamedTuple):
    """How rows are changed that are still ours: on PostgreSQL it checks that by itself.

    `update`: of all rows of IDS. `held`: locks them, and selects the keys of those that are ours. `end`: selects the
    end of the lease afterwards, where it is changed and the UPDATE does not return it.
    """

    update: sa.Update
    held: sa.Select[Any]
    end: sa.Select[Any] | None


def changing(
    mapper: orm.Mapper[Any],
    dialect: sa.Dialect,
    columns: LeaseColumns,
    times: tuple[tuple[str, str | None], ...],
    values: Mapping[str, Any],
    *,
    one: bool,
) -> Change:
    """How to change the rows of a claim.

    `times`: attributes that get a time: now, or so much later as the parameter of that name says. `values`: those that
    get the parameter VALUE with their name, or what is `inline`. `one`: one row, which needs no lock beforehand.
    """
    one = one and dialect.name == "postgresql"
    if any(inline(mapper, name, value) for name, value in values.items()):
        return _change(mapper, dialect, columns, times, values, one=one)
    statements = Statements.of(mapper)
    key = ("change", dialect.name, columns, times, tuple(values), one)
    found: Change | None = statements.get(key)
    if found is None:
        found = _change(mapper, dialect, columns, times, values, one=one)
        statements.keep(key, found)
    return found


def inline(mapper: orm.Mapper[Any], name: str, value: Any) -> bool:
    """Whether a value is a part of the statement: an expression, or what becomes several columns."""
    return name not in mapper.columns or isinstance(value, sa.ClauseElement) or hasattr(value, "__clause_element__")


def _change(
    mapper: orm.Mapper[Any],
    dialect: sa.Dialect,
    columns: LeaseColumns,
    times: tuple[tuple[str, str | None], ...],
    values: Mapping[str, Any],
    *,
    one: bool,
) -> Change:
    keys, attribute = mapper.primary_key, mapper.columns
    changes = {name: now(dialect) if delay is None else later(dialect, delay) for name, delay in times}
    for name, value in values.items():
        changes[name] = value if inline(mapper, name, value) else sa.bindparam(VALUE + name, type_=attribute[name].type)
    ours = (
        attribute[columns.token] == sa.bindparam(HOLDER, type_=attribute[columns.token].type),
        attribute[columns.expires_at] > now(dialect),
    )
    among = is_one_of(keys, dialect)
    # In one order, so that two of these never wait for each other.
    held = sa.select(*keys).where(among, *ours).order_by(*keys).with_for_update(of=mapper.class_)
    update = sa.update(mapper.class_).where(among).values(changes)
    if one:
        update = update.where(*ours)
    elif dialect.name == "postgresql":
        # In one statement: the rows are locked and counted in a materialised CTE before any is changed.
        count = sa.select(sa.func.count()).select_from(held.cte("held").prefix_with("MATERIALIZED")).scalar_subquery()
        update = update.where(count == sa.bindparam(COUNT, type_=sa.Integer()))
    end = attribute[columns.expires_at]
    if not any(name == columns.expires_at for name, _ in times):
        return Change(update, held, None)
    if dialect.name == "postgresql":
        return Change(update.returning(end), held, None)
    return Change(update, held, sa.select(end).where(among).limit(1))


# Expressions


def is_one_of(keys: Sequence[sa.ColumnElement[Any]], dialect: sa.Dialect) -> sa.ColumnElement[bool]:
    """Whether a row's key is among the parameter IDS."""
    if len(keys) > 1:
        return sa.tuple_(*keys).in_(sa.bindparam(IDS, expanding=True))
    if dialect.name == "postgresql":
        # One parameter: asyncpg allows 32,767 of them.
        return keys[0] == sa.any_(sa.bindparam(IDS, type_=postgresql.ARRAY(keys[0].type)))
    return keys[0].in_(sa.bindparam(IDS, expanding=True))


def token_value(mapper: orm.Mapper[Any], columns: LeaseColumns, token: uuid.UUID) -> Any:
    """A token as its column takes it."""
    kind = mapper.columns[columns.token].type
    return token if issubclass(kind.python_type, uuid.UUID) else token.hex


def now(dialect: sa.Dialect) -> sa.ColumnElement[Any]:
    """The database's time at the start of the statement; comparable with its columns.

    Not PostgreSQL's `now()`, which is the start of the transaction: a worker stopped in one would trust an old time.
    """
    if dialect.name == "postgresql":
        return sa.func.statement_timestamp(type_=sa.DateTime(timezone=True))
    if dialect.name in MYSQL:
        # UTC, because NOW() is in the time zone of each session.
        return sa.func.utc_timestamp(sa.text("6"), type_=sa.DateTime())
    if dialect.name == "sqlite":
        return later(dialect, None)
    raise LockingUnsupported(f"{dialect.name}: how to ask for the time is not known here")


def later(dialect: sa.Dialect, name: str | None) -> sa.ColumnElement[Any]:
    """`now` and as many seconds as the parameter of that name says: `delay` makes its value."""
    if dialect.name == "postgresql":
        return now(dialect) + sa.bindparam(name, type_=sa.Interval())
    if dialect.name in MYSQL:
        microseconds = sa.bindparam(name, type_=sa.BigInteger())
        return sa.func.timestampadd(sa.text("MICROSECOND"), microseconds, now(dialect), type_=sa.DateTime())
    if dialect.name == "sqlite":
        # As text, in the format SQLAlchemy stores; SQLite knows milliseconds.
        offset = "+0.000 seconds" if name is None else sa.bindparam(name, type_=sa.String())
        time = sa.func.strftime("%Y-%m-%d %H:%M:%f", "now", offset, type_=sa.String())
        return sa.type_coerce(time.concat("000"), sa.DateTime())
    raise LockingUnsupported(f"{dialect.name}: how to ask for the time is not known here")


def delay(dialect: sa.Dialect, seconds: float) -> Any:
    """Seconds as `later` takes them."""
    if dialect.name == "postgresql":
        return timedelta(seconds=seconds)
    return round(seconds * 1_000_000) if dialect.name in MYSQL else f"{seconds:+.3f} seconds"
