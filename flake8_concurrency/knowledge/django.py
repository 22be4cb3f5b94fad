"""Django: models, managers, querysets, transactions, and which of their calls wait for the database.

Checked against Django 5.2.19; the async methods exist since 4.1 (`aget`), 4.2 (`asave`) and 5.0 (`aget_object_or_404`).
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import FromArgument, calls, members
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_LAZY = (
    "all filter exclude order_by distinct select_related prefetch_related annotate alias defer only using reverse"
    " extra none union intersection difference select_for_update complex_filter"
)
_OTHER_ROWS = "values values_list dates datetimes raw"
_PAIR = "builtins.tuple[T, builtins.bool]"

# What a queryset and a manager answer from the database, by what they give.
_TERMINALS: dict[str, str] = {
    **members("get create earliest latest", "T"),
    **members("first last", "T | None"),
    **members("get_or_create update_or_create", _PAIR),
    "bulk_create": "builtins.list[T]",
    **members("count update bulk_update", "builtins.int"),
    **members("exists contains", "builtins.bool"),
    "in_bulk": "builtins.dict[?, T]",
    "aggregate": "builtins.dict[builtins.str, ?]",
    "explain": "builtins.str",
}
_DELETED = "builtins.tuple[builtins.int, builtins.dict[builtins.str, builtins.int]]"
_ANSWERS = {
    **{name: f"() -> {kind}" for name, kind in _TERMINALS.items()},
    **{f"a{name}": f"async () -> {kind}" for name, kind in _TERMINALS.items()},
    "iterator": "() -> collections.abc.Iterator[T]",
    "aiterator": "() -> collections.abc.AsyncIterator[T]",
}
_CHANGES = "add remove set clear"

CLASSES: dict[str, ClassFact] = {
    "django.db.models.QuerySet": ClassFact(
        params=("T",),
        members={
            **members(_LAZY, "() -> Self"),
            **members(_OTHER_ROWS, "() -> django.db.models.QuerySet[?]"),
            **_ANSWERS,
            "delete": f"() -> {_DELETED}",
            "adelete": f"async () -> {_DELETED}",
            "as_manager": "() -> django.db.models.Manager[?]",
            "__iter__": "() -> collections.abc.Iterator[T]",
            "__aiter__": "() -> collections.abc.AsyncIterator[T]",
            "__getitem__": "() -> T",
            "__len__": "() -> builtins.int",
            "__bool__": "() -> builtins.bool",
        },
    ),
    "django.db.models.Manager": ClassFact(
        params=("T",),
        members={
            **members("get_queryset " + _LAZY, "() -> django.db.models.QuerySet[T]"),
            **members(_OTHER_ROWS, "() -> django.db.models.QuerySet[?]"),
            **_ANSWERS,
            "db_manager": "() -> Self",
            "from_queryset": "() -> builtins.type[django.db.models.Manager[?]]",
        },
    ),
    # Django makes these two when it runs; the names are those of django-stubs.
    "django.db.models.fields.related_descriptors.RelatedManager": ClassFact(
        ("django.db.models.Manager[T]",),
        ("T",),
        {**members(_CHANGES, "() -> None"), **members("aadd aremove aset aclear", "async () -> None")},
    ),
    "django.db.models.fields.related_descriptors.ManyRelatedManager": ClassFact(
        ("django.db.models.fields.related_descriptors.RelatedManager[T]",),
        ("T",),
    ),
    "django.db.models.Model": ClassFact(
        members={
            "objects": "django.db.models.Manager[Self]",
            "_default_manager": "django.db.models.Manager[Self]",
            "_base_manager": "django.db.models.Manager[Self]",
            **members("save save_base refresh_from_db full_clean validate_unique validate_constraints", "() -> None"),
            "delete": f"() -> {_DELETED}",
            **members("asave arefresh_from_db", "async () -> None"),
            "adelete": f"async () -> {_DELETED}",
        },
    ),
    "django.contrib.auth.base_user.AbstractBaseUser": ClassFact(
        ("django.db.models.Model",),
        members={
            "check_password": "() -> builtins.bool",
            "acheck_password": "async () -> builtins.bool",
            "set_password": "() -> None",
            "is_authenticated": "builtins.bool",
        },
    ),
    "django.contrib.auth.models.PermissionsMixin": ClassFact(
        ("django.db.models.Model",),
        members={
            **members("has_perm has_perms has_module_perms", "() -> builtins.bool"),
            **members("ahas_perm ahas_perms ahas_module_perms", "async () -> builtins.bool"),
            **members(
                "get_user_permissions get_group_permissions get_all_permissions", "() -> builtins.set[builtins.str]"
            ),
        },
    ),
    "django.contrib.auth.models.AbstractUser": ClassFact(
        ("django.contrib.auth.base_user.AbstractBaseUser", "django.contrib.auth.models.PermissionsMixin"),
    ),
    "django.contrib.auth.models.User": ClassFact(("django.contrib.auth.models.AbstractUser",)),
    "django.contrib.auth.models.Group": ClassFact(("django.db.models.Model",)),
    "django.contrib.auth.models.Permission": ClassFact(("django.db.models.Model",)),
    "django.contrib.contenttypes.models.ContentType": ClassFact(("django.db.models.Model",)),
    "django.contrib.sessions.models.Session": ClassFact(("django.db.models.Model",)),
    "django.contrib.sites.models.Site": ClassFact(("django.db.models.Model",)),
    "django.db.transaction.Atomic": ClassFact(("contextlib.ContextDecorator",), members={"__enter__": "() -> None"}),
    "django.db.backends.base.base.BaseDatabaseWrapper": ClassFact(
        members={
            "cursor": "() -> django.db.backends.utils.CursorWrapper",
            **members("commit rollback close connect ensure_connection on_commit", "() -> None"),
            "in_atomic_block": "builtins.bool",
        },
    ),
    "django.db.backends.utils.CursorWrapper": ClassFact(
        members={
            "__enter__": "() -> Self",
            "__iter__": "() -> collections.abc.Iterator[?]",
            **members("execute executemany callproc", "() -> ?"),
            **members("fetchone fetchmany fetchall", "() -> ?"),
            "rowcount": "builtins.int",
        },
    ),
    "django.core.cache.backends.base.BaseCache": ClassFact(
        members={
            **members("get get_or_set get_many set_many incr decr", "() -> ?"),
            **members("add delete touch has_key", "() -> builtins.bool"),
            **members("set clear delete_many close", "() -> None"),
            **members("aget aget_or_set aget_many aset_many aincr adecr", "async () -> ?"),
            **members("aadd adelete atouch ahas_key", "async () -> builtins.bool"),
            **members("aset aclear adelete_many aclose", "async () -> None"),
        },
    ),
    "django.core.files.storage.Storage": ClassFact(
        members={
            "open": "() -> django.core.files.File",
            "save": "() -> builtins.str",
            "delete": "() -> None",
            "exists": "() -> builtins.bool",
            "size": "() -> builtins.int",
            **members("path url", "() -> builtins.str"),
        },
    ),
    "django.core.files.storage.FileSystemStorage": ClassFact(("django.core.files.storage.Storage",)),
    "django.core.files.File": ClassFact(
        members={
            "__enter__": "() -> Self",
            "open": "() -> Self",
            "read": "() -> ?",
            "chunks": "() -> collections.abc.Iterator[?]",
            "close": "() -> None",
        },
    ),
    "django.db.models.fields.files.FieldFile": ClassFact(
        ("django.core.files.File",),
        members=members("save delete", "() -> None"),
    ),
    "django.core.mail.EmailMessage": ClassFact(members={"send": "() -> builtins.int"}),
    "django.core.mail.EmailMultiAlternatives": ClassFact(("django.core.mail.EmailMessage",)),
}

FUNCTIONS: dict[str, str] = {
    "django.shortcuts.get_object_or_404": "() -> T",
    "django.shortcuts.get_list_or_404": "() -> builtins.list[T]",
    "django.shortcuts.aget_object_or_404": "async () -> T",
    "django.shortcuts.aget_list_or_404": "async () -> builtins.list[T]",
    "django.contrib.auth.get_user_model": "() -> builtins.type[django.contrib.auth.models.AbstractUser]",
    "django.contrib.auth.authenticate": "() -> django.contrib.auth.models.AbstractUser | None",
    "django.contrib.auth.aauthenticate": "async () -> django.contrib.auth.models.AbstractUser | None",
    "django.db.transaction.atomic": "() -> django.db.transaction.Atomic",
    "django.db.transaction.on_commit": "() -> None",
    "django.db.transaction.get_connection": "() -> django.db.backends.base.base.BaseDatabaseWrapper",
}

CONSTANTS: dict[str, str] = {
    "django.db.connection": "django.db.backends.base.base.BaseDatabaseWrapper",
    "django.db.connections": "collections.abc.Mapping[builtins.str, django.db.backends.base.base.BaseDatabaseWrapper]",
    "django.core.cache.cache": "django.core.cache.backends.base.BaseCache",
    "django.core.cache.caches": "collections.abc.Mapping[builtins.str, django.core.cache.backends.base.BaseCache]",
    "django.core.files.storage.default_storage": "django.core.files.storage.Storage",
}

_MODEL_OR_ROWS = "builtins.type[T] | django.db.models.Manager[T] | django.db.models.QuerySet[T]"

FROM_ARGUMENT: dict[str, FromArgument] = {
    f"django.shortcuts.{name}": FromArgument(0, "klass", _MODEL_OR_ROWS)
    for name in ("get_object_or_404", "get_list_or_404", "aget_object_or_404", "aget_list_or_404")
}

ALIASES: dict[str, str] = {
    "django.db.models.query.QuerySet": "django.db.models.QuerySet",
    "django.db.models.manager.Manager": "django.db.models.Manager",
    # Its methods come from QuerySet when Django runs; django-stubs writes them on the base.
    "django.db.models.manager.BaseManager": "django.db.models.Manager",
    "django.db.models.manager.RelatedManager": "django.db.models.fields.related_descriptors.RelatedManager",
    "django.db.models.manager.ManyToManyRelatedManager": (
        "django.db.models.fields.related_descriptors.ManyRelatedManager"
    ),
    "django.db.models.base.Model": "django.db.models.Model",
    "django.contrib.auth.models.AbstractBaseUser": "django.contrib.auth.base_user.AbstractBaseUser",
    "django.db.connection.on_commit": "django.db.transaction.on_commit",
    "django.core.mail.message.EmailMessage": "django.core.mail.EmailMessage",
    "django.core.mail.message.EmailMultiAlternatives": "django.core.mail.EmailMultiAlternatives",
    "django.core.files.base.File": "django.core.files.File",
    "django.core.files.storage.base.Storage": "django.core.files.storage.Storage",
    "django.core.files.storage.filesystem.FileSystemStorage": "django.core.files.storage.FileSystemStorage",
}

_OFFLOADED = "await sync_to_async({name})(...)"


def _rows(owner: str) -> dict[str, Blocking]:
    """The calls that send a query, the same on querysets and managers."""
    return calls(owner, " ".join(_TERMINALS), "database", "await queryset.a{name}(...)")


BLOCKING: dict[str, Blocking] = {
    **_rows("django.db.models.QuerySet"),
    # Managers cannot do this one.
    **calls("django.db.models.QuerySet", "delete", "database", "await queryset.adelete()"),
    **calls("django.db.models.QuerySet", "__iter__", "database", "async for over the queryset"),
    **calls("django.db.models.QuerySet", "iterator", "database", "async for over queryset.aiterator()"),
    **calls("django.db.models.QuerySet", "__len__", "database", "await queryset.acount()"),
    **calls("django.db.models.QuerySet", "__bool__", "database", "await queryset.aexists()"),
    **_rows("django.db.models.Manager"),
    **calls("django.db.models.Manager", "iterator", "database", "async for over queryset.aiterator()"),
    **calls(
        "django.db.models.fields.related_descriptors.RelatedManager", _CHANGES, "database", "await manager.a{name}(...)"
    ),
    **calls("django.db.models.Model", "save delete refresh_from_db", "database", "await instance.a{name}(...)"),
    **calls(
        "django.db.models.Model",
        "save_base full_clean validate_unique validate_constraints",
        "database",
        "await sync_to_async(instance.{name})(...)",
    ),
    **calls(
        "django.contrib.auth.models.PermissionsMixin",
        "has_perm has_perms has_module_perms get_user_permissions get_group_permissions get_all_permissions",
        "database",
        "await user.a{name}(...)",
    ),
    **calls("django.shortcuts", "get_object_or_404 get_list_or_404", "database", "await a{name}(...)"),
    **calls(
        "django.contrib.auth",
        "authenticate login logout get_user update_session_auth_hash",
        "database",
        "await a{name}(...)",
    ),
    **calls("django.db.transaction.Atomic", "__enter__", "database", "sync_to_async around the whole transaction"),
    **calls("django.db.transaction", "commit rollback savepoint savepoint_commit", "database", _OFFLOADED),
    **calls("django.db.transaction", "savepoint_rollback set_autocommit", "database", _OFFLOADED),
    **calls(
        "django.db.backends.base.base.BaseDatabaseWrapper",
        "cursor commit rollback connect ensure_connection",
        "database",
        "sync_to_async around the work with the connection",
    ),
    **calls(
        "django.db.backends.utils.CursorWrapper",
        "execute executemany callproc fetchone fetchmany fetchall __iter__",
        "database",
        "sync_to_async around the work with the cursor",
    ),
    **calls(
        "django.core.files.storage.Storage",
        "open save delete listdir",
        "file",
        "await sync_to_async(storage.{name})(...)",
    ),
    **calls(
        "django.core.files.storage.Storage",
        "exists size get_accessed_time get_created_time get_modified_time",
        "stat",
        "await sync_to_async(storage.{name})(...)",
    ),
    **calls(
        "django.db.models.fields.files.FieldFile", "open save delete", "file", "await sync_to_async(file.{name})(...)"
    ),
    **calls(
        "django.contrib.auth.hashers",
        "make_password check_password",
        "cpu",
        "await asyncio.to_thread({name}, ...)",
    ),
    "django.contrib.auth.base_user.AbstractBaseUser.check_password": Blocking("cpu", "await user.acheck_password(...)"),
    **calls("django.core.mail.EmailMessage", "send", "client", "await sync_to_async(message.send)(...)"),
    **calls("django.core.mail", "send_mail send_mass_mail mail_admins mail_managers", "client", _OFFLOADED),
}

#: Iterators: the query is sent when they are read, not when they are made.
LAZY: frozenset[str] = frozenset({"django.db.models.QuerySet.iterator", "django.db.models.Manager.iterator"})
