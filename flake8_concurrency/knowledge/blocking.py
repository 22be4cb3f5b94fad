"""Calls that block the thread they run in, each with what async code writes instead.

Keys are qualified functions (`time.sleep`) and methods of the public class that defines them (`requests.Session.get`);
a subclass inherits what its bases block on. `Class.*` stands for every other method of the class, `Class.__iter__`,
`__next__`, `__enter__`, `__exit__`, `__call__` and `__len__` for the syntax that calls them, and `Class` alone for
making one. Twins read on from "use".

Checked against the library reference and source of CPython 3.11, with 3.12-3.14 for what is newer; the libraries in
their own modules; and against what flake8-async 26.8, ruff and blockbuster 1.5 know. Left out on purpose, though some
of them report it: what only computes or asks the process (`normpath`, `abspath`, `expanduser`, `getcwd`, `Path.home`)
and the closing of clients.
"""

from __future__ import annotations

from collections.abc import Iterable

from flake8_concurrency.knowledge import (
    async_libraries,
    cloud_services,
    data_libraries,
    data_stores,
    database_drivers,
    django,
    http_clients,
    langchain_models,
    model_clients,
    mongodb,
    object_mappers,
    programs_and_models,
    redis_clients,
    service_clients,
    sqlalchemy,
    web_services,
)
from flake8_concurrency.knowledge.notation import calls
from flake8_concurrency.knowledge.schema import Blocking

_HTTP = "an httpx.AsyncClient"
_SUBPROCESS = "await asyncio.create_subprocess_exec(...)"
_SHELL = "await asyncio.create_subprocess_shell(...)"
#: What a `with` block needs that opens a file and awaits nothing.
WHOLE_BLOCK = "asyncio.to_thread around the whole block"
_SQLITE = "aiosqlite, or asyncio.to_thread around the work with the database"
_STREAMS = "await asyncio.open_connection(...)"
_SOCKET = "await loop.sock_{name}(...) on a non-blocking socket"
_MAIL = "aiosmtplib, or asyncio.to_thread around the whole exchange"


def _threaded(module: str, names: str, category: str) -> dict[str, Blocking]:
    """Functions that have no async twin: hand them to a thread."""
    return {
        f"{module}.{name}": Blocking(category, f"await asyncio.to_thread({module}.{name}, ...)")
        for name in names.split()
    }


_SLEEP = {"time.sleep": Blocking("sleep", "await asyncio.sleep(...)")}

_HTTP_CALLS = {
    **calls("urllib.request", "urlopen urlretrieve", "http", _HTTP),
    **calls("urllib.request.OpenerDirector", "open", "http", _HTTP),
    **calls("urllib.robotparser.RobotFileParser", "read", "http", _HTTP),
    **calls("http.client.HTTPConnection", "connect request send endheaders getresponse", "http", _HTTP),
    **calls("http.client.HTTPResponse", "read read1 readinto readline peek __iter__", "http", _HTTP),
    **calls("xmlrpc.client.ServerProxy", "*", "http", "await asyncio.to_thread(...)"),
}

_PROCESSES = {
    **calls("subprocess", "run call check_call check_output", "subprocess", _SUBPROCESS),
    **calls("subprocess", "getoutput getstatusoutput", "subprocess", _SHELL),
    **calls("os", "system popen", "subprocess", _SHELL),
    **calls("subprocess.Popen", "wait communicate", "subprocess", "await process.{name}(...) on an asyncio subprocess"),
    **calls("subprocess.Popen", "__exit__", "subprocess", _SUBPROCESS),
    **calls("os", "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe", "subprocess", _SUBPROCESS),
    **_threaded("os", "wait wait3 wait4 waitpid waitid", "subprocess"),
    "pty.spawn": Blocking("subprocess", "await asyncio.to_thread(pty.spawn, ...)"),
    "subprocess.Popen": Blocking("popen", _SUBPROCESS),
    **calls("os", "posix_spawn posix_spawnp", "popen", _SUBPROCESS),
}

_LINES = "read readline readlines write writelines flush truncate __iter__ __next__"
# What each kind of open file reads and writes with. Those in memory are named in NOT_BLOCKING.
_OPENED = {
    "io.TextIOWrapper": _LINES,
    "io.BufferedReader": "read read1 readinto readinto1 readline readlines peek __iter__ __next__",
    "io.BufferedWriter": f"{_LINES} read1 readinto readinto1",
    "io.BufferedRandom": f"{_LINES} read1 readinto readinto1 peek",
    "io.FileIO": f"{_LINES} readall readinto",
    "typing.IO": _LINES,
}

_FILES = {
    **calls("builtins", "open", "file", WHOLE_BLOCK),
    **calls("io", "open_code FileIO", "file", WHOLE_BLOCK),
    **calls("codecs", "open", "file", WHOLE_BLOCK),
    **calls("tokenize", "open", "file", WHOLE_BLOCK),
    **calls("gzip", "open GzipFile", "file", WHOLE_BLOCK),
    **calls("bz2", "open BZ2File", "file", WHOLE_BLOCK),
    **calls("lzma", "open LZMAFile", "file", WHOLE_BLOCK),
    **calls("zipfile", "ZipFile", "file", WHOLE_BLOCK),
    **calls("zipfile.ZipFile", "write", "file", WHOLE_BLOCK),
    **calls("tarfile", "open", "file", WHOLE_BLOCK),
    **calls("tarfile.TarFile", "open add", "file", WHOLE_BLOCK),
    **calls("wave", "open", "file", WHOLE_BLOCK),
    **calls("shelve", "open", "file", WHOLE_BLOCK),
    **calls("dbm", "open", "file", WHOLE_BLOCK),
    **calls("fileinput", "input FileInput", "file", WHOLE_BLOCK),
    **calls("os", "fdopen", "file", WHOLE_BLOCK),
    **{
        key: fact
        for file, names in _OPENED.items()
        for key, fact in calls(file, names, "file", "await asyncio.to_thread(file.{name}, ...)").items()
    },
    **calls(
        "pathlib.Path",
        "read_text read_bytes write_text write_bytes unlink rename replace mkdir rmdir touch symlink_to hardlink_to"
        " link_to copy copy_into move move_into chmod lchmod",
        "file",
        "await asyncio.to_thread(path.{name}, ...)",
    ),
    **calls("pathlib.Path", "open", "file", WHOLE_BLOCK),
    **calls(
        "pathlib.Path", "iterdir glob rglob walk", "file", "await asyncio.to_thread(lambda: list(path.{name}(...)))"
    ),
    **_threaded(
        "os",
        "makedirs mkdir remove unlink rename renames replace rmdir removedirs listdir scandir link symlink"
        " chmod fchmod chown fchown lchown utime truncate ftruncate open read readv pread preadv write writev"
        " pwrite pwritev sendfile copy_file_range splice fsync fdatasync sync mkfifo mknod posix_fallocate listxattr"
        " getxattr setxattr removexattr",
        "file",
    ),
    **calls("os", "walk fwalk", "file", "await asyncio.to_thread(lambda: list(os.{name}(...)))"),
    "glob.glob": Blocking("file", "await asyncio.to_thread(glob.glob, ...)"),
    "glob.iglob": Blocking("file", "await asyncio.to_thread(glob.glob, ...)"),
    **_threaded(
        "shutil",
        "copy copy2 copyfile copyfileobj copymode copystat copytree rmtree move chown",
        "file",
    ),
    **calls("tempfile", "TemporaryFile NamedTemporaryFile TemporaryDirectory", "file", WHOLE_BLOCK),
    **calls("tempfile.TemporaryDirectory", "cleanup __exit__", "file", "await asyncio.to_thread(directory.cleanup)"),
    **_threaded("tempfile", "mkstemp mkdtemp", "file"),
    **_threaded("filecmp", "cmp cmpfiles dircmp", "file"),
    **_threaded("linecache", "getline getlines updatecache checkcache", "file"),
    **_threaded("importlib.resources", "read_text read_binary open_text open_binary", "file"),
    "pkgutil.get_data": Blocking("file", "await asyncio.to_thread(pkgutil.get_data, ...)"),
    "runpy.run_path": Blocking("file", "await asyncio.to_thread(runpy.run_path, ...)"),
    **calls("configparser.RawConfigParser", "read", "file", "await asyncio.to_thread(parser.read, ...)"),
    "netrc.netrc": Blocking("file", "await asyncio.to_thread(netrc.netrc, ...)"),
    "logging.config.fileConfig": Blocking("file", "await asyncio.to_thread(logging.config.fileConfig, ...)"),
    # Loading certificates reads hundreds of files, or one big one.
    "ssl.create_default_context": Blocking("file", "await asyncio.to_thread(ssl.create_default_context, ...)"),
    **calls(
        "ssl.SSLContext",
        "load_verify_locations load_cert_chain load_default_certs set_default_verify_paths load_dh_params",
        "file",
        "await asyncio.to_thread(context.{name}, ...)",
    ),
}

_STATS = {
    **calls(
        "pathlib.Path",
        "exists is_file is_dir is_symlink is_mount is_junction is_socket is_fifo is_block_device is_char_device stat"
        " lstat resolve samefile owner group readlink",
        "stat",
        "await asyncio.to_thread(path.{name}, ...)",
    ),
    **_threaded(
        "os.path",
        "exists lexists isfile isdir islink ismount isjunction isdevdrive getsize getatime getmtime getctime realpath"
        " samefile sameopenfile",
        "stat",
    ),
    **_threaded("os", "stat lstat fstat statvfs fstatvfs access readlink", "stat"),
    **_threaded("shutil", "disk_usage which", "stat"),
    **_threaded("zipfile", "is_zipfile", "stat"),
    **_threaded("tarfile", "is_tarfile", "stat"),
}

_DATABASES = {
    "sqlite3.connect": Blocking("database", "aiosqlite.connect(...)"),
    "sqlite3.Connection": Blocking("database", "aiosqlite.connect(...)"),
    **calls(
        "sqlite3.Connection",
        "execute executemany executescript commit rollback backup iterdump load_extension serialize deserialize"
        " blobopen __exit__",
        "database",
        _SQLITE,
    ),
    **calls(
        "sqlite3.Cursor",
        "execute executemany executescript fetchone fetchmany fetchall __iter__ __next__",
        "database",
        _SQLITE,
    ),
    **calls("sqlite3.Blob", "read write", "database", _SQLITE),
}

_CLIENTS = {
    "socket.create_connection": Blocking("client", _STREAMS),
    **calls("socket", "getaddrinfo gethostbyname gethostbyname_ex", "client", "await loop.getaddrinfo(...)"),
    **calls("socket", "getnameinfo gethostbyaddr getfqdn", "client", "await loop.getnameinfo(...)"),
    **calls(
        "socket.socket",
        "connect accept recv recv_into recvfrom recvfrom_into sendall sendto sendfile",
        "client",
        _SOCKET,
    ),
    **calls(
        "socket.socket", "send sendmsg connect_ex", "client", "await loop.sock_sendall(...) on a non-blocking socket"
    ),
    **calls(
        "socket.socket",
        "recvmsg recvmsg_into",
        "client",
        "await loop.sock_recv_into(...) on a non-blocking socket",
    ),
    **calls("ssl.SSLSocket", "do_handshake read write unwrap", "client", _STREAMS),
    "ssl.SSLContext.wrap_socket": Blocking("client", "await asyncio.open_connection(..., ssl=context)"),
    "ssl.get_server_certificate": Blocking("client", "await asyncio.to_thread(ssl.get_server_certificate, ...)"),
    **calls("smtplib", "SMTP SMTP_SSL LMTP", "client", _MAIL),
    **calls(
        "smtplib.SMTP",
        "connect login starttls sendmail send_message quit ehlo helo ehlo_or_helo_if_needed noop verify rset mail rcpt"
        " data docmd getreply auth expn help send putcmd __exit__",
        "client",
        _MAIL,
    ),
    **calls("ftplib", "FTP FTP_TLS", "client", "asyncio.to_thread around the whole exchange"),
    **calls(
        "ftplib.FTP",
        "connect login cwd pwd nlst mlsd dir retrbinary retrlines storbinary storlines rename delete mkd rmd size quit"
        " sendcmd voidcmd transfercmd ntransfercmd makeport makepasv getwelcome abort __exit__",
        "client",
        "asyncio.to_thread around the whole exchange",
    ),
    **calls("ftplib.FTP_TLS", "auth ccc prot_c prot_p", "client", "asyncio.to_thread around the whole exchange"),
    **calls("imaplib", "IMAP4 IMAP4_SSL IMAP4_stream", "client", "asyncio.to_thread around the whole exchange"),
    **calls("imaplib.IMAP4", "*", "client", "asyncio.to_thread around the whole exchange"),
    **calls("poplib", "POP3 POP3_SSL", "client", "asyncio.to_thread around the whole exchange"),
    **calls("poplib.POP3", "*", "client", "asyncio.to_thread around the whole exchange"),
    **calls("nntplib", "NNTP NNTP_SSL", "client", "asyncio.to_thread around the whole exchange"),
    **calls("telnetlib", "Telnet", "client", _STREAMS),
    **calls(
        "telnetlib.Telnet",
        "open write read_until read_all read_some expect interact",
        "client",
        _STREAMS,
    ),
    **calls("socketserver.BaseServer", "serve_forever handle_request", "client", "await asyncio.start_server(...)"),
}

_ON_ASYNCIO_EVENT = "await event.wait() on an asyncio.Event"
_ON_ASYNCIO_CONDITION = "await condition.{name}(...) on an asyncio.Condition"
_ON_ASYNCIO_QUEUE = "await queue.{name}(...) on an asyncio.Queue"
_ALL_FUTURES = "await asyncio.gather(*map(asyncio.wrap_future, futures))"

# The documented classes, so that a message names them, and the base that has the method.
_PROCESS_CLASSES = ("multiprocessing.Process", "multiprocessing.process.BaseProcess")
_PROCESS_LOCKS = tuple(
    f"multiprocessing.synchronize.{name}" for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "SemLock")
)

_PRIMITIVES = {
    **calls("threading.Lock", "acquire", "primitive", "async with on an asyncio.Lock"),
    **calls("threading.RLock", "acquire", "primitive", "async with on an asyncio.Lock"),
    **calls("threading.Semaphore", "acquire", "primitive", "async with on an asyncio.Semaphore"),
    **calls("threading.Condition", "acquire wait wait_for", "primitive", _ON_ASYNCIO_CONDITION),
    **calls("threading.Event", "wait", "primitive", _ON_ASYNCIO_EVENT),
    **calls("threading.Barrier", "wait", "primitive", "await barrier.wait() on an asyncio.Barrier"),
    **calls("threading.Thread", "join", "primitive", "await asyncio.to_thread(thread.join)"),
    **calls("queue.Queue", "get put join", "primitive", _ON_ASYNCIO_QUEUE),
    **calls("queue.SimpleQueue", "get", "primitive", _ON_ASYNCIO_QUEUE),
    **calls("concurrent.futures.Future", "result exception", "primitive", "await asyncio.wrap_future(future)"),
    **calls("concurrent.futures", "wait as_completed", "primitive", _ALL_FUTURES),
    **calls(
        "concurrent.futures.Executor", "map", "primitive", "await loop.run_in_executor(executor, ...) for each item"
    ),
    **calls("concurrent.futures.Executor", "shutdown", "primitive", "await asyncio.to_thread(executor.shutdown)"),
    **calls("concurrent.futures.Executor", "__exit__", "primitive", "await asyncio.to_thread(executor.shutdown)"),
    **{
        f"{process}.join": Blocking("primitive", "await asyncio.to_thread(process.join)")
        for process in _PROCESS_CLASSES
    },
    **calls("multiprocessing.pool.Pool", "join", "primitive", "await asyncio.to_thread(pool.join)"),
    **calls(
        "multiprocessing.pool.Pool",
        "apply map starmap imap imap_unordered",
        "primitive",
        "await loop.run_in_executor(executor, ...) on a ProcessPoolExecutor",
    ),
    **calls("multiprocessing.pool.AsyncResult", "get wait", "primitive", "await asyncio.to_thread(result.{name})"),
    **calls(
        "multiprocessing.pool.IMapIterator",
        "next __next__ __iter__",
        "primitive",
        "await asyncio.to_thread(next, results)",
    ),
    **calls(
        "multiprocessing.queues.Queue", "get put join_thread", "primitive", "await asyncio.to_thread(queue.{name}, ...)"
    ),
    **calls("multiprocessing.queues.JoinableQueue", "join", "primitive", "await asyncio.to_thread(queue.join)"),
    **calls("multiprocessing.queues.SimpleQueue", "get put", "primitive", "await asyncio.to_thread(queue.{name}, ...)"),
    **{
        f"{lock}.acquire": Blocking("primitive", "await asyncio.to_thread(lock.acquire, ...)")
        for lock in _PROCESS_LOCKS
    },
    **calls(
        "multiprocessing.synchronize.Condition",
        "acquire wait wait_for",
        "primitive",
        "await asyncio.to_thread(condition.{name}, ...)",
    ),
    **calls("multiprocessing.synchronize.Event", "wait", "primitive", "await asyncio.to_thread(event.wait, ...)"),
    **calls("multiprocessing.synchronize.Barrier", "wait", "primitive", "await asyncio.to_thread(barrier.wait, ...)"),
    **calls(
        "multiprocessing.connection._ConnectionBase",
        # What is sent goes into a buffer of the system, which is hardly ever full.
        "recv recv_bytes recv_bytes_into",
        "primitive",
        "await asyncio.to_thread(connection.{name}, ...)",
    ),
    **_threaded("multiprocessing.connection", "wait Client", "primitive"),
    **calls("multiprocessing.connection.Listener", "accept", "primitive", "await asyncio.to_thread(listener.accept)"),
    **calls(
        "multiprocessing.managers.BaseManager",
        "start shutdown join connect",
        "primitive",
        "await asyncio.to_thread(manager.{name})",
    ),
    "multiprocessing.Manager": Blocking("primitive", "await asyncio.to_thread(multiprocessing.Manager)"),
    **_threaded("signal", "pause sigwait sigwaitinfo sigtimedwait", "primitive"),
    **calls("select", "select", "primitive", "loop.add_reader(...)"),
    **calls("select.poll", "poll", "primitive", "loop.add_reader(...)"),
    **calls("select.epoll", "poll", "primitive", "loop.add_reader(...)"),
    **calls("selectors.BaseSelector", "select", "primitive", "loop.add_reader(...)"),
    **_threaded("fcntl", "flock lockf", "primitive"),
    "os.lockf": Blocking("primitive", "await asyncio.to_thread(os.lockf, ...)"),
    **calls("sched.scheduler", "run", "primitive", "loop.call_later(...)"),
}

_INPUTS = {
    "builtins.input": Blocking("input", "await asyncio.to_thread(input, ...)"),
    **_threaded("getpass", "getpass", "input"),
    **_threaded("sys.stdin", "read readline readlines", "input"),
    **_threaded("sys.stdin.buffer", "read readline readlines", "input"),
    "sys.stdin.__iter__": Blocking("input", "await asyncio.to_thread(sys.stdin.readline)"),
    **_threaded("click", "prompt confirm pause getchar edit", "input"),
    **_threaded("typer", "prompt confirm getchar", "input"),
}

_CPU = {
    **_threaded("hashlib", "scrypt pbkdf2_hmac file_digest", "cpu"),
    **_threaded("shutil", "make_archive unpack_archive", "cpu"),
    **calls("zipfile.ZipFile", "extract extractall testzip", "cpu", "await asyncio.to_thread(archive.{name}, ...)"),
    **calls("tarfile.TarFile", "extract extractall", "cpu", "await asyncio.to_thread(archive.{name}, ...)"),
    **_threaded("bcrypt", "hashpw checkpw kdf", "cpu"),
    **_threaded("zipapp", "create_archive", "cpu"),
    **_threaded("compileall", "compile_dir compile_file compile_path", "cpu"),
}

_LOOP_METHOD = "await the coroutine"
_LOOPS = {
    "asyncio.run": Blocking("loop", _LOOP_METHOD),
    **calls("asyncio.Runner", "run", "loop", _LOOP_METHOD),
    **calls("asyncio.AbstractEventLoop", "run_until_complete", "loop", _LOOP_METHOD),
    **calls("asyncio.AbstractEventLoop", "run_forever", "loop", "the loop that already runs"),
    "asgiref.sync.AsyncToSync.__call__": Blocking("loop", _LOOP_METHOD),
    "anyio.run": Blocking("loop", _LOOP_METHOD),
    "trio.run": Blocking("loop", _LOOP_METHOD),
    "uvloop.run": Blocking("loop", _LOOP_METHOD),
    **calls("anyio.from_thread", "run run_sync", "loop", _LOOP_METHOD),
}

BLOCKING: dict[str, Blocking] = {
    **_SLEEP,
    **_HTTP_CALLS,
    **_PROCESSES,
    **_FILES,
    **_STATS,
    **_DATABASES,
    **_CLIENTS,
    **_PRIMITIVES,
    **_INPUTS,
    **_CPU,
    **_LOOPS,
    **async_libraries.BLOCKING,
    **data_libraries.BLOCKING,
    **data_stores.BLOCKING,
    **database_drivers.BLOCKING,
    **django.BLOCKING,
    **http_clients.BLOCKING,
    **model_clients.BLOCKING,
    **mongodb.BLOCKING,
    **object_mappers.BLOCKING,
    **programs_and_models.BLOCKING,
    **redis_clients.BLOCKING,
    **service_clients.BLOCKING,
    **sqlalchemy.BLOCKING,
    **web_services.BLOCKING,
    **cloud_services.BLOCKING,
    **langchain_models.BLOCKING,
}

#: Methods that do not block, although their class or a base has an entry that covers them. `Class.*` here ends the
#: search, so it also shields a class from what its bases do.
NOT_BLOCKING: frozenset[str] = (
    frozenset(
        {
            # Files in memory, and the terminal.
            "io.BytesIO.*",
            "io.StringIO.*",
            "tempfile.SpooledTemporaryFile.*",
            "sys.stdout.*",
            "sys.stderr.*",
            "sys.__stdout__.*",
            "sys.__stderr__.*",
            "imaplib.IMAP4.print_log",
            "poplib.POP3.set_debuglevel",
            "poplib.POP3.getwelcome",
        }
    )
    | http_clients.NOT_BLOCKING
    | model_clients.NOT_BLOCKING
    | programs_and_models.NOT_BLOCKING
    | redis_clients.NOT_BLOCKING
    | service_clients.NOT_BLOCKING
)

#: Generators and lazy iterators: they block when they are read (`for`, `list`, `next`, a comprehension), not when made.
LAZY: frozenset[str] = (
    frozenset(
        {
            "pathlib.Path.iterdir",
            "pathlib.Path.glob",
            "pathlib.Path.rglob",
            "pathlib.Path.walk",
            "os.walk",
            "os.fwalk",
            "glob.iglob",
            "concurrent.futures.as_completed",
            "concurrent.futures.Executor.map",
            "multiprocessing.pool.Pool.imap",
            "multiprocessing.pool.Pool.imap_unordered",
            "sqlite3.Connection.iterdump",
        }
    )
    | database_drivers.LAZY
    | django.LAZY
    | model_clients.LAZY
    | object_mappers.LAZY
    | redis_clients.LAZY
    | service_clients.LAZY
)


#: What an argument must be for the call not to wait: position (without `self`), keyword, value. A `str` value is a
#: dotted name, which also counts as one term of `a | b`.
NON_BLOCKING_ARGUMENTS: dict[str, tuple[tuple[int | None, str, object], ...]] = {
    **dict.fromkeys(
        (
            "threading.Lock.acquire",
            "threading.RLock.acquire",
            "threading.Semaphore.acquire",
            "threading.Condition.acquire",
        ),
        ((0, "blocking", False), (1, "timeout", 0)),
    ),
    **dict.fromkeys(
        (*(f"{lock}.acquire" for lock in _PROCESS_LOCKS), "multiprocessing.synchronize.Condition.acquire"),
        ((0, "block", False), (1, "timeout", 0)),
    ),
    **dict.fromkeys(
        ("queue.Queue.get", "queue.SimpleQueue.get", "multiprocessing.queues.Queue.get"),
        ((0, "block", False), (1, "timeout", 0)),
    ),
    **dict.fromkeys(("queue.Queue.put", "multiprocessing.queues.Queue.put"), ((1, "block", False), (2, "timeout", 0))),
    **dict.fromkeys(
        (
            "threading.Condition.wait",
            "threading.Event.wait",
            "threading.Barrier.wait",
            "threading.Thread.join",
            "concurrent.futures.Future.result",
            "concurrent.futures.Future.exception",
            *(f"{process}.join" for process in _PROCESS_CLASSES),
            "multiprocessing.pool.AsyncResult.get",
            "multiprocessing.pool.AsyncResult.wait",
            "multiprocessing.pool.IMapIterator.next",
            "multiprocessing.synchronize.Condition.wait",
            "multiprocessing.synchronize.Event.wait",
            "multiprocessing.synchronize.Barrier.wait",
            "subprocess.Popen.wait",
            "select.poll.poll",
            "select.epoll.poll",
            "selectors.BaseSelector.select",
        ),
        ((0, "timeout", 0),),
    ),
    **dict.fromkeys(
        (
            "threading.Condition.wait_for",
            "multiprocessing.synchronize.Condition.wait_for",
            "concurrent.futures.wait",
            "multiprocessing.connection.wait",
            "subprocess.Popen.communicate",
            "signal.sigtimedwait",
        ),
        ((1, "timeout", 0),),
    ),
    "select.select": ((3, "timeout", 0),),
    # Gives up the rest of the thread's turn, and is back at once.
    "time.sleep": ((0, "secs", 0),),
    "concurrent.futures.Executor.shutdown": ((0, "wait", False),),
    "sched.scheduler.run": ((0, "blocking", False),),
    "os.waitpid": ((1, "options", "os.WNOHANG"),),
    "os.wait3": ((0, "options", "os.WNOHANG"),),
    "os.wait4": ((1, "options", "os.WNOHANG"),),
    "os.waitid": ((2, "options", "os.WNOHANG"),),
    **dict.fromkeys(
        (f"os.spawn{form}" for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
        ((0, "mode", "os.P_NOWAIT"), (0, "mode", "os.P_NOWAITO"), (0, "mode", "os.P_DETACH")),
    ),
    "fcntl.flock": ((1, "operation", "fcntl.LOCK_NB"), (1, "operation", "fcntl.LOCK_UN")),
    "fcntl.lockf": ((1, "cmd", "fcntl.LOCK_NB"), (1, "cmd", "fcntl.LOCK_UN")),
    **dict.fromkeys(
        ("socket.socket.recv", "socket.socket.recvfrom", "socket.socket.send"),
        ((1, "flags", "socket.MSG_DONTWAIT"),),
    ),
    **async_libraries.NON_BLOCKING_ARGUMENTS,
    **redis_clients.NON_BLOCKING_ARGUMENTS,
    **service_clients.NON_BLOCKING_ARGUMENTS,
}

#: Calls that block only when this argument is given, and not an empty constant: `smtplib.SMTP()` connects to nobody.
BLOCKS_ONLY_WITH: dict[str, tuple[int, str]] = {
    "smtplib.SMTP": (0, "host"),
    "smtplib.SMTP_SSL": (0, "host"),
    "smtplib.LMTP": (0, "host"),
    "ftplib.FTP": (0, "host"),
    "ftplib.FTP_TLS": (0, "host"),
    "telnetlib.Telnet": (0, "host"),
    **programs_and_models.BLOCKS_ONLY_WITH,
}

#: Calls that take a path or an open file: they touch the disk when this argument is a path.
PATH_ARGUMENT: dict[str, tuple[int, str]] = {
    "zipfile.ZipFile": (0, "file"),
    "zipfile.is_zipfile": (0, "filename"),
    "tarfile.open": (0, "name"),
    "tarfile.TarFile.open": (0, "name"),
    "tarfile.is_tarfile": (0, "name"),
    "gzip.open": (0, "filename"),
    "gzip.GzipFile": (0, "filename"),
    "bz2.open": (0, "filename"),
    "bz2.BZ2File": (0, "filename"),
    "lzma.open": (0, "filename"),
    "lzma.LZMAFile": (0, "filename"),
    "wave.open": (0, "f"),
    **data_libraries.PATH_ARGUMENT,
}

#: Calls that open a database, with the argument that may name one in memory (`:memory:`).
DATABASE_ARGUMENT: dict[str, tuple[int, str]] = {"sqlite3.connect": (0, "database")}

#: Calls that start a program and leave it alone when an argument says so.
STARTS_ONLY: dict[str, Blocking] = {
    key: Blocking("popen", _SUBPROCESS) for key in BLOCKING if key.startswith("os.spawn")
}

#: Puts that wait only when the queue was made with a size.
ONLY_WHEN_BOUNDED: frozenset[str] = frozenset({"queue.Queue.put", "multiprocessing.queues.Queue.put"})


def blocking_method(classes: Iterable[str], method: str) -> str | None:
    """The key of the entry for `method` on an object whose class and bases are `classes`, nearest first.

    `Class.*` covers ordinary methods only: what a class does on `with` or `for` has an entry of its own, and a name in
    capitals makes an object (`s3.Bucket("x")`).
    """
    ordinary = method[0].islower()
    for name in classes:
        if f"{name}.{method}" not in BLOCKING and f"{name}.*" in NOT_BLOCKING:
            return None
        for key in (f"{name}.{method}", f"{name}.*") if ordinary else (f"{name}.{method}",):
            if key in NOT_BLOCKING:
                return None
            if key in BLOCKING:
                return key
    return None
