"""The words by which looks for rows and inserts of them are known where no type tells: data, for the gate and the model."""

from __future__ import annotations

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
RECORD_READS = frozenset("get_or_none first get exists count".split())
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
FINDING_VERBS = frozenset("get find fetch exists lookup load".split())
INSERTING_VERBS = frozenset("create add insert save register".split())
LISTING = frozenset("all many list count settings config".split())
#: Words in the name of what gives a value that nobody else has.
RANDOM = frozenset(
    """random uuid uuid1 uuid4 uuid7 token secret secrets hex urlsafe nonce generate generated generator gen salt now
    utcnow ulid nanoid shortuuid cuid snowflake choices randint""".split()
)
#: Words in the names of columns that hold a row's place or number.
NUMBERS = frozenset(
    """number num no nr seq sequence index idx position pos order ordering sort rank version revision counter code
    serial priority place ordinal weight""".split()
)
#: Mappers of documents: their stores have no such constraints, savepoints or locks to name.
DOCUMENTS = frozenset("mongoengine odmantic beanie pynamodb neomodel motor pymongo".split())
#: What gives the largest number that is there.
MAXIMUM = frozenset({"Max", "max", "aggregate", "aaggregate"})
#: What gives the last row of an order.
ORDERED_ROW = frozenset("first afirst last alast latest alatest scalar one_or_none scalar_one_or_none".split())
#: Words in the names of functions that fill a database once, where nobody else does.
SEEDING = frozenset(
    """migrate migration migrations seed seeds seeding bootstrap install backfill repair fixture fixtures populate init
    initialize initialise setup demo""".split()
)
