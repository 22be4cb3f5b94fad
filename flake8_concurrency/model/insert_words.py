"""The words by which looks for rows and inserts of them are known where no type tells, for the gate and the model."""

from __future__ import annotations

from collections.abc import Collection

from flake8_concurrency.model.locks import words
from flake8_concurrency.model.vocabulary import FILTERS, speaks_of_rows

EXISTS = frozenset({"exists", "aexists"})
COUNTS = frozenset({"count", "acount"})
#: What a row that is not there raises.
MISSING = frozenset(
    """DoesNotExist ObjectDoesNotExist NoResultFound NotFoundError EntityNotFound NoRowsFound NotFound
    ObjectNotFound RecordNotFound RowNotFound""".split()
)
#: What a row that is already there raises.
CONFLICTS = frozenset(
    """IntegrityError UniqueViolation UniqueViolationError DatabaseError DBAPIError SQLAlchemyError DuplicateKeyError
    DuplicateError DuplicateEntry ObjectAlreadyExists AlreadyExists AlreadyExistsError OperationalError FlushError
    NotUniqueError UniqueConstraintError ConflictError DBError""".split()
)
BROAD = frozenset({"Exception", "BaseException"})
#: Methods of an active record that read one.
RECORD_READS = frozenset("get_or_none first get exists count get_by find_by".split())
#: Of these, those that choose the row.
RECORD_CHOOSING = frozenset("filter get_or_none exists get get_by find_by".split())
CREATING = frozenset({"create", "acreate"})
SESSION_ADDING = frozenset({"add", "add_all"})
BULK = frozenset("bulk_create abulk_create bulk_save_objects bulk_insert_mappings insert_many".split())
SAVING_ROW = frozenset("save asave force_insert".split())
#: Keywords and methods that make an insert harmless where the row is there.
SAFE_KEYWORDS = frozenset({"ignore_conflicts", "update_conflicts", "on_conflict"})
SAFE_METHODS = ("on_conflict", "on_duplicate", "or_ignore", "prefix_with")
#: The last word in the name of what keeps rows for the rest of an application.
STORES = frozenset("repo repository repositories repos crud dao".split())
STORE_ENDS = ("repo", "repository", "dao", "crud")
#: What keeps the repositories of one transaction: `uow.users`.
UNITS = frozenset({"uow", "_uow", "unit_of_work", "_unit_of_work"})
FINDING_VERBS = frozenset("get find fetch exists exist lookup".split())
_ASKED = frozenset({"exists", "taken"})
_NO_NOUNS = frozenset("or none one exists taken check is".split())
_KEYED_BY = """
    email name username user_name login slug key code title phone phone_number url uri path token hash external_id
    provider_id user_id account_id id uuid pk number reference ref sku isbn handle nickname address domain mail
    email_address telegram_id chat_id tg_id google_id github_id sub user message_id event_id order_id product_id
    user_and_id
"""
_ABOUT = ["", "_one", "_user", "_account", "_item", "_first", "_or_none", "_tag", "_role", "_team"]
#: The methods of a repository that look for one row: a closed list, for the gate has to know them.
FINDING = frozenset(
    f"{verb}{about}_by_{column}"
    for verb in ("get", "find", "fetch", "exists", "lookup", "exist")
    for about in _ABOUT
    for column in _KEYED_BY.split()
) | frozenset("exists find_one get_one get_or_none get_one_or_none find_one_or_none get_by find_by exists_by".split())
FINDING |= {
    form.format(column)
    for form in ("{}_exists", "check_{}_exists", "exists_{}", "is_{}_taken", "{}_taken")
    for column in _KEYED_BY.split()
}
#: Of what these ask for, what is a row, and no column of one.
_ROWS = frozenset("user account product event order message".split())
INSERTING_VERBS = frozenset("create add insert save register".split())
#: Words in the name of what gives a value that nobody else has.
RANDOM = frozenset(
    """random uuid uuid1 uuid4 uuid7 token secret secrets hex urlsafe nonce generate generated generator gen salt now
    utcnow ulid nanoid shortuuid cuid snowflake choices randint""".split()
)
#: What a form or serializer that was made here holds is what the request sent, and another may send the same.
SENT_DATA = frozenset({"cleaned_data", "validated_data"})
#: What the classes of serializers end with, and how a view makes one of its own.
SERIALIZER = "Serializer"
SERIALIZING = frozenset({"get_serializer", "serializer_class", "get_serializer_class"})
#: Words in the names of columns that hold a row's place or number.
NUMBERS = frozenset(
    """number num no nr seq sequence index idx position pos order ordering sort rank version revision counter code
    serial priority place ordinal weight""".split()
)
#: Mappers of documents: their stores have no such constraints, savepoints or locks to name.
DOCUMENTS = frozenset("mongoengine odmantic beanie pynamodb neomodel motor pymongo".split())
#: Such columns that are passed on under the same name: `order=order` is mostly another row.
FOREIGN = frozenset({"order", "code"})
#: Words in the names of functions that fill a database once, where nobody else does.
SEEDING = frozenset(
    """migrate migration migrations seed seeds seeding bootstrap install backfill repair fixture fixtures populate init
    initialize initialise initializer initialiser setup demo""".split()
)


#: Words in the names of methods that make rows only where there are none, or many of them.
_LOOKING_TOO = frozenset("or if unless get update ensure missing needed safe unique bulk many all batch".split())

_LOOKED = EXISTS | RECORD_READS | FILTERS
_STORES = (*STORES, *STORE_ENDS, *UNITS)


def is_store_name(name: str) -> bool:
    """Whether a name says that it keeps rows: `user_repo`, `crud`."""
    parts = words(name)
    return bool(parts) and (parts[-1] in STORES or parts[-1].endswith(STORE_ENDS) or name in UNITS)


def noun_of(parts: list[str]) -> str:
    """What a method of a repository is about: `user` of `get_user_by_email`, nothing of `email_exists`."""
    end = parts.index("by") if "by" in parts else len(parts)
    kept = [part for part in parts[:end] if part not in FINDING_VERBS and part not in _NO_NOUNS]
    is_column = not _ASKED.isdisjoint(parts) and "by" not in parts and _ROWS.isdisjoint(kept[-1:])
    return kept[-1].rstrip("s") if kept and not is_column else ""


def is_same_store(one: str, other: str) -> bool:
    """Whether two methods, each told by its receiver and its noun, are about the same rows.

    The name of the repository may stand for the noun: `user_repo.get_by_email()`, `user_repo.create_user()`.
    """
    receiver, _, noun = one.rpartition(" ")
    second, _, another = other.rpartition(" ")
    if receiver != second or noun == another:
        return receiver == second
    return not (noun and another) and (noun or another) in {word.rstrip("s") for word in words(receiver)}


def speaks_of_inserts(some: Collection[str]) -> bool:
    """Whether a text, by all its words, can look for a row and insert it."""
    if speaks_of_rows(some) or not (CREATING.isdisjoint(some) or _LOOKED.isdisjoint(some)):
        return True
    return any(word.lower().endswith(_STORES) for word in some)


def is_creating(name: str) -> bool:
    """Whether a method of a class makes one row of it, `create_from_payload`, and does not look for it first."""
    parts = words(name)
    return len(parts) > 1 and parts[0] == "create" and parts[1] in ("from", "new", "for", "with", "one")


def is_making(name: str) -> bool:
    """Whether a manager's method makes one row, `M.objects.create_order(...)`, and does not say that it looks first."""
    parts = words(name)
    return len(parts) > 1 and parts[0] in ("create", "acreate") and _LOOKING_TOO.isdisjoint(parts)


def is_for_numbers(column: str) -> bool:
    """Whether a column holds a row's place or number, going by the last word of its name."""
    return not NUMBERS.isdisjoint(words(column)[-1:])
