"""The words by which code that reads and writes rows is known where no type tells: data, for the gate and the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

#: Methods of lists, dicts and sets that change them, apart from those that managers and relationships have too.
ONLY_COLLECTIONS = frozenset("insert pop popitem setdefault sort reverse appendleft".split())
CHANGING = ONLY_COLLECTIONS | frozenset("append extend update remove clear add discard".split())
#: What an UPDATE gets its values with.
SENDING = frozenset({"update", "aupdate", "values"})
#: Calls that give back their argument, or a copy of it, in another form.
COPYING = frozenset(
    """list dict set tuple sorted frozenset copy deepcopy int float str bool Decimal loads dumps cast OrderedDict
    defaultdict Counter round""".split()
)
CHOOSING = frozenset({"max", "min", "sum"})
#: Methods that give a changed copy.
MERGING = frozenset("union difference intersection symmetric_difference".split())
#: Words in the names of functions that make a new value of an old one and of another.
COMBINING = frozenset(
    """merge combine append extend accumulate increment increase decrement decrease concat concatenate union join
    prepend subtract incr decr""".split()
)
#: Methods of strings that take a value apart, or put it together again.
SPLITTING = frozenset("split splitlines rsplit join".split())
#: Methods and functions that frameworks call: the calls in the file tell nothing about all the others.
HOOKS = frozenset(
    """__init__ __new__ __call__ __enter__ __exit__ save delete clean full_clean get post put patch dispatch form_valid
    form_invalid perform_create perform_update perform_destroy create update validate to_representation get_queryset
    get_context_data handle run process execute main setUp ready receive""".split()
)
#: Objects that are no rows, and whatever hangs on them.
NO_ROWS = frozenset(
    "request response os sys settings config parser logger form serializer fields widget attrs helper environ".split()
)
#: Attributes that are no columns.
NO_COLUMNS = frozenset("cache fields widget attrs validators help_text objects queryset initial".split())
#: Columns that tell rows apart, and no state: a row without its key is another row.
KEYS = frozenset({"pk", "id", "uuid"})
NO_STATES = NO_COLUMNS | KEYS
DISPATCHING = frozenset(
    """delay apply_async delay_on_commit apply_async_on_commit enqueue enqueue_call enqueue_job send_task
    send_with_options""".split()
)
MANAGERS = frozenset({"objects", "all_objects", "_default_manager", "_base_manager"})
#: Words in the names of variables that hold a class.
CLASS_WORDS = frozenset({"cls", "klass", "model", "mapper", "entity"})
#: What such a name ends with: a `model_name` is a name.
CLASS_NOUNS = CLASS_WORDS | {"class", "type"}
#: The shortcuts of Django and of projects that have their own.
SHORTCUTS = frozenset(
    """get_object_or_404 aget_object_or_404 get_list_or_404 aget_list_or_404 get_object_or_400 get_object_or_403
    get_object_or_none get_object_or_error get_object_or_raise get_object_or_exception""".split()
)
#: What a session is called where nothing tells its type.
SESSION_NAMES = frozenset(
    """session _session __session sess db _db dbsession db_session DBSession Session async_session async_db db_sess
    s""".split()
)
#: Names in SESSION_NAMES that say too little where only the name is known.
_SHORT = frozenset({"s", "sess"})
COMMITS = frozenset({"commit", "flush"})
SAVING = frozenset({"save", "asave"})
#: Methods of a session that take a row.
KEEPING_ROW = frozenset({"refresh", "add", "merge"})
#: The first word of functions that read.
FETCHING = frozenset("get find fetch load".split())
#: What hands a parameter to a route of FastAPI.
INJECTING = frozenset({"Depends", "Security"})
#: The row of the user who sends the request, in Flask.
VISITOR = "current_user"
#: Methods of a session that read one row of a class by its key.
BY_KEY = frozenset({"get", "get_one", "get_or_404"})
ONLY_DJANGO = frozenset("select_related prefetch_related select_for_update".split())
WITH_KEYWORDS = frozenset(
    """filter exclude annotate order_by get aget earliest aearliest latest alatest get_or_create aget_or_create
    update_or_create aupdate_or_create""".split()
)
#: The attributes and parameters in which Django's views, serializers and signals hold a row, and what asks a class.
GIVERS = frozenset("object instance get_by_id get_or_none".split())
#: Words without which no row is read or no column holds a collection.
READERS = (
    MANAGERS
    | GIVERS
    | SHORTCUTS
    | BY_KEY
    | ONLY_DJANGO
    | WITH_KEYWORDS
    | {"query", "select", "get_object", "user", "JSONField", "ArrayField", "HStoreField", "flag_modified"}
    | COMMITS
    | SAVING
    | {"Mutable", "MutableDict", "MutableList", "MutableSet", "as_mutable"}
)
FILTERS = frozenset("filter filter_by where exclude".split())
#: What chooses rows by the values of their columns, also one row alone.
ASKING = FILTERS | SHORTCUTS | frozenset("get aget get_or_none aget_or_none".split())
JUNCTIONS = frozenset("and_ or_ not_ Q".split())
STATES = frozenset(
    """status state phase stage processed sent done handled delivered published claimed completed dispatched queued
    pending processing executed imported exported notified finished started scheduled""".split()
)
#: What happens to a row once: after it, the column says that it has.
EVENTS = frozenset(
    """used redeemed consumed spent confirmed approved accepted rejected declined denied paid unpaid cancelled canceled
    closed opened open locked verified expired revoked refunded shipped captured settled released activated assigned
    resolved acknowledged submitted granted charged invoiced fulfilled reserved booked checked voided withdrawn
    credited ready running failed initialized registered enrolled""".split()
)
#: The words of calls whose effect can't be taken back by writing the row again.
EFFECTS = frozenset(
    """send sends notify mail email delay enqueue dispatch publish emit charge pay refund capture transfer deliver
    trigger grant credit debit redeem issue submit invite create fulfill ship provision withdraw deposit payout
    apply_async bulk_create post""".split()
)
#: What may be used once.
CODES = frozenset(
    """code token nonce otp invite invitation coupon voucher reset recovery activation verification challenge
    onetime giftcard passcode pincode""".split()
)
#: What such a row says once it has been used.
USES = frozenset("used redeemed consumed claimed spent accepted activated confirmed verified initialized".split())
DELETES = frozenset("delete adelete delete_instance".split())
#: Functions that are there to get rid of a row, and don't use it.
DISCARDING = frozenset(
    """delete deletion destroy remove removal revoke logout cleanup clear purge reject decline cancel unlink disconnect
    invalidate expire discard drop prune unsubscribe disable deactivate withdraw unregister
    detach unassign dissociate""".split()
)
#: Columns that say who has taken the row.
TAKERS = frozenset("worker owner by node host pid runner agent lease".split())
#: What such a column is called where only one may take the row: `assignee`, and `claimed` before `by` or `to`.
CLAIMANTS = frozenset("assignee claimant claimer".split())
CLAIMED = frozenset("claimed taken reserved redeemed assigned picked grabbed".split())
NOW = frozenset({"now", "utcnow", "time", "today", "current", "datetime"})


def is_claimant(column: str, parts: Sequence[str]) -> bool:
    """Whether a column, of the name `column` and its words, says who alone has taken a row."""
    if column.removesuffix("_id") in CLAIMANTS:
        return True
    return len(parts) > 1 and parts[0] in CLAIMED and parts[1] in ("by", "to")


def is_session_name(name: str) -> bool:
    """Whether a name alone says that it is a session."""
    return (name in SESSION_NAMES and name not in _SHORT) or name.lower().endswith("session")


def may_be_session(name: str) -> bool:
    """Whether what has this name may be a session, where it is used like one."""
    return name in SESSION_NAMES or is_session_name(name)


#: Methods of cursors, connections and sessions that take a statement of SQL.
EXECUTES = frozenset(
    """execute fetchrow fetchval fetch fetch_one fetch_val fetch_all fetchone fetchall scalar exec_driver_sql
    execute_fetchall execute_sql""".split()
)


#: A text that reads and writes rows shows one of these, or a session and what a session does.
_ROWS = (
    MANAGERS
    | SHORTCUTS
    | ONLY_DJANGO
    | COMMITS
    | SAVING
    | frozenset(
        """django rest_framework sqlalchemy sqlmodel flask_sqlalchemy peewee tortoise ormar gino pony mongoengine
        update_fields query get_object get_or_none get_by_id bulk_update abulk_update""".split()
    )
)
_OF_SESSION = EXECUTES | frozenset(
    """query select scalars scalar_one scalar_one_or_none one_or_none begin begin_nested refresh merge add add_all exec
    get_one Depends Security""".split()
)


def speaks_of_rows(some: Collection[str]) -> bool:
    """Whether a text, by all its words, can have to do with rows: where it doesn't, none are looked for."""
    if not _ROWS.isdisjoint(some) or not (FILTERS.isdisjoint(some) or SENDING.isdisjoint(some)):
        return True
    if any("save" in word for word in some):
        return True
    return not _OF_SESSION.isdisjoint(some) and any(map(is_session_name, some))
