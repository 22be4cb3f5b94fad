"""Libraries that async code uses in place of the blocking ones, web frameworks' objects, and locks and caches.

Checked against anyio 4.16, trio 0.35, asgiref 3.13, starlette 1.10, fastapi 0.165, filelock 4.2, cachetools 8.0,
fsspec 2026.9, tornado 6.6, pebble 5.2, bcrypt 5.0, passlib 1.7.4, argon2-cffi 25.1, watchdog 7.1.
"""

from __future__ import annotations

from flake8_concurrency.knowledge.notation import calls, members, moved
from flake8_concurrency.knowledge.schema import Blocking, ClassFact

_PATH_PARTS = {
    **members("parent", "Self"),
    **members("name stem suffix", "builtins.str"),
    **members("__truediv__ joinpath with_name with_suffix with_stem relative_to", "() -> Self"),
    **members("absolute resolve expanduser rename replace cwd home", "async () -> Self"),
    "read_text": "async () -> builtins.str",
    "read_bytes": "async () -> builtins.bytes",
    **members("write_text write_bytes", "async () -> builtins.int"),
    **members("exists is_dir is_file is_symlink is_mount samefile", "async () -> builtins.bool"),
    **members("mkdir rmdir touch unlink chmod symlink_to hardlink_to", "async () -> None"),
    "stat": "async () -> os.stat_result",
}
_ASYNC_FILE = {
    "__aenter__": "async () -> Self",
    **members("read readline readlines write writelines flush seek truncate", "async () -> ?"),
    "aclose": "async () -> None",
}
_FS_CALLS = (
    "open ls listdir find glob walk exists isfile isdir info stat size sizes du disk_usage cat cat_file head tail"
    " read_text read_bytes read_block write_text write_bytes pipe pipe_file put put_file get get_file upload download"
    " copy cp cp_file mv move rename rm rm_file rmdir delete mkdir mkdirs makedir makedirs touch created modified ukey"
    " checksum"
)

_POOLS = ("ThreadPool", "ProcessPool")

CLASSES: dict[str, ClassFact] = {
    "anyio.Path": ClassFact(
        members={
            **_PATH_PARTS,
            "open": "async () -> anyio.AsyncFile",
            **members("iterdir glob rglob", "() -> collections.abc.AsyncIterator[anyio.Path]"),
        },
    ),
    "anyio.AsyncFile": ClassFact(members=_ASYNC_FILE),
    "trio.Path": ClassFact(
        members={
            **_PATH_PARTS,
            "open": "async () -> ?",
            **members("iterdir glob rglob", "async () -> collections.abc.Iterable[trio.Path]"),
        },
    ),
    "anyio.Event": ClassFact(
        members={"wait": "async () -> None", "set": "() -> None", "is_set": "() -> builtins.bool"}
    ),
    "anyio.Lock": ClassFact(
        members={"__aenter__": "async () -> None", "acquire": "async () -> None", "release": "() -> None"}
    ),
    "anyio.Semaphore": ClassFact(
        members={"__aenter__": "async () -> Self", "acquire": "async () -> None", "release": "() -> None"},
    ),
    "anyio.CapacityLimiter": ClassFact(members={"__aenter__": "async () -> None", "acquire": "async () -> None"}),
    "trio.Event": ClassFact(members={"wait": "async () -> None", "set": "() -> None"}),
    "trio.Lock": ClassFact(
        members={"__aenter__": "async () -> None", "acquire": "async () -> None", "release": "() -> None"}
    ),
    "asgiref.sync.AsyncToSync": ClassFact(members={"__call__": "() -> ?"}),
    "asgiref.sync.SyncToAsync": ClassFact(members={"__call__": "async () -> ?"}),
    "tornado.ioloop.IOLoop": ClassFact(
        members={
            **members("current instance", "() -> Self"),
            "run_in_executor": "() -> asyncio.Future[?]",
            **members("add_callback spawn_callback", "() -> None"),
        },
    ),
    **{
        f"pebble.{pool}": ClassFact(
            members={
                "__enter__": "() -> Self",
                **members("schedule submit", "() -> concurrent.futures.Future[?]"),
                **members("close stop join", "() -> None"),
            },
        )
        for pool in _POOLS
    },
    "starlette.background.BackgroundTask": ClassFact(),
    "starlette.background.BackgroundTasks": ClassFact(
        ("starlette.background.BackgroundTask",), members={"add_task": "() -> None"}
    ),
    "fastapi.BackgroundTasks": ClassFact(("starlette.background.BackgroundTasks",)),
    "starlette.datastructures.UploadFile": ClassFact(
        members={
            "file": "typing.BinaryIO",
            "filename": "builtins.str | None",
            "read": "async () -> builtins.bytes",
            **members("write seek close", "async () -> None"),
        },
    ),
    "fastapi.UploadFile": ClassFact(("starlette.datastructures.UploadFile",)),
    "filelock.BaseFileLock": ClassFact(
        members={
            "__enter__": "() -> Self",
            "acquire": "() -> filelock.AcquireReturnProxy",
            "release": "() -> None",
            "is_locked": "builtins.bool",
        },
    ),
    "filelock.AcquireReturnProxy": ClassFact(members={"__enter__": "() -> filelock.BaseFileLock"}),
    "filelock.FileLock": ClassFact(("filelock.BaseFileLock",)),
    "filelock.UnixFileLock": ClassFact(("filelock.BaseFileLock",)),
    "filelock.WindowsFileLock": ClassFact(("filelock.BaseFileLock",)),
    "filelock.SoftFileLock": ClassFact(("filelock.BaseFileLock",)),
    # It derives from BaseFileLock, but waits without blocking.
    "filelock.AsyncFileLock": ClassFact(
        members={"__aenter__": "async () -> Self", "acquire": "async () -> ?", "release": "async () -> None"},
    ),
    "watchdog.utils.BaseThread": ClassFact(("threading.Thread",), members={"stop": "() -> None"}),
    "watchdog.observers.api.EventDispatcher": ClassFact(("watchdog.utils.BaseThread",)),
    "watchdog.observers.api.BaseObserver": ClassFact(
        ("watchdog.observers.api.EventDispatcher",),
        members={"schedule": "() -> ?", **members("unschedule unschedule_all add_handler_for_watch", "() -> None")},
    ),
    # Which class it is depends on the system; each is derived from BaseObserver.
    "watchdog.observers.Observer": ClassFact(("watchdog.observers.api.BaseObserver",)),
    "watchdog.observers.polling.PollingObserver": ClassFact(("watchdog.observers.api.BaseObserver",)),
    **{
        f"cachetools.{name}": ClassFact(
            ("cachetools.Cache[K, V]",) if name != "Cache" else ("collections.abc.MutableMapping[K, V]",), ("K", "V")
        )
        for name in ("Cache", "FIFOCache", "LFUCache", "LRUCache", "RRCache", "TTLCache", "TLRUCache")
    },
    "fsspec.AbstractFileSystem": ClassFact(
        members={
            "open": "() -> typing.IO",
            **members("ls find glob", "() -> builtins.list[?]"),
            **members("exists isfile isdir", "() -> builtins.bool"),
        },
    ),
    "fsspec.core.OpenFile": ClassFact(members={"__enter__": "() -> typing.IO", "open": "() -> typing.IO"}),
    "passlib.context.CryptContext": ClassFact(
        members={"hash": "() -> builtins.str", "verify": "() -> builtins.bool"},
    ),
    "argon2.PasswordHasher": ClassFact(members={"hash": "() -> builtins.str", "verify": "() -> builtins.bool"}),
}

FUNCTIONS: dict[str, str] = {
    "anyio.open_file": "async () -> anyio.AsyncFile",
    "trio.open_file": "async () -> ?",
    "asgiref.sync.async_to_sync": "() -> asgiref.sync.AsyncToSync",
    "fsspec.filesystem": "() -> fsspec.AbstractFileSystem",
    "fsspec.open": "() -> fsspec.core.OpenFile",
}

ALIASES: dict[str, str] = {
    "anyio._core._fileio.Path": "anyio.Path",
    "trio._path.Path": "trio.Path",
    "fastapi.background.BackgroundTasks": "fastapi.BackgroundTasks",
    "fastapi.datastructures.UploadFile": "fastapi.UploadFile",
    **moved("filelock._api", "filelock", "BaseFileLock AcquireReturnProxy"),
    "filelock._soft.SoftFileLock": "filelock.SoftFileLock",
    "filelock._unix.UnixFileLock": "filelock.UnixFileLock",
    "fsspec.spec.AbstractFileSystem": "fsspec.AbstractFileSystem",
    "fsspec.core.open": "fsspec.open",
    "fastapi.concurrency.run_in_threadpool": "starlette.concurrency.run_in_threadpool",
    "aiofiles.os.wrap": "aiofiles.ospath.wrap",
    "aiofiles.base.wrap": "aiofiles.ospath.wrap",
    "langchain_core.runnables.run_in_executor": "langchain_core.runnables.config.run_in_executor",
    "channels.db.DatabaseSyncToAsync": "channels.db.database_sync_to_async",
    "unsync.unsync.unsync": "unsync.unsync",
}

_ASYNC_FILE_LOCK = "async with on a filelock.AsyncFileLock"

BLOCKING: dict[str, Blocking] = {
    **{f"pebble.{pool}.join": Blocking("primitive", "await asyncio.to_thread(pool.join)") for pool in _POOLS},
    **calls("filelock.BaseFileLock", "acquire __enter__", "primitive", _ASYNC_FILE_LOCK),
    # filesystem() gives local and remote ones alike.
    **calls("fsspec.AbstractFileSystem", _FS_CALLS, "file", "await asyncio.to_thread(fs.{name}, ...)"),
    **calls("fsspec.core.OpenFile", "open __enter__", "file", "asyncio.to_thread around the whole block"),
    **calls(
        "passlib.context.CryptContext",
        "hash verify verify_and_update",
        "cpu",
        "await asyncio.to_thread(context.{name}, ...)",
    ),
    **calls("argon2.PasswordHasher", "hash verify", "cpu", "await asyncio.to_thread(hasher.{name}, ...)"),
    **calls(
        "werkzeug.security", "generate_password_hash check_password_hash", "cpu", "await asyncio.to_thread({name}, ...)"
    ),
}

NON_BLOCKING_ARGUMENTS: dict[str, tuple[tuple[int | None, str, object], ...]] = {
    "filelock.BaseFileLock.acquire": ((0, "timeout", 0), (None, "blocking", False)),
}
