"""Locks that are keys of Redis or of a cache, and keys that are read and then deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_CLIENTS = ("redis.Redis", "redis.RedisCluster", "redis.asyncio.Redis", "redis.asyncio.RedisCluster",
            "valkey.Valkey", "valkey.ValkeyCluster", "valkey.asyncio.Valkey")  # fmt: skip
#: Words in the name of a client where nothing tells its type, and those that may stand beside them.
_SERVERS = frozenset({"redis", "valkey"})
_BESIDE = frozenset("client conn connection db instance pool sync async aio get r server my main default".split())
_LOCK_CLASSES = frozenset(
    """redis.lock.Lock redis.asyncio.lock.Lock redis.client.Lock valkey.lock.Lock valkey.asyncio.lock.Lock""".split()
)
#: Words of keys and variables that are a lock, or say that somebody holds it.
_LOCKS = frozenset(
    """lock locks locked locking mutex semaphore acquire acquired acquires leader leadership lease running busy
    inprogress exclusive singleton""".split()
)
_EXPIRY = frozenset("ex px exat pxat expire timeout ttl keepttl".split())
_EXPIRING = frozenset("expire pexpire expireat pexpireat setex psetex aexpire touch".split())
_READING = {"get": "GETDEL", "hgetall": "RENAME", "lrange": "LPOP with a count", "smembers": "SPOP with a count"}
_DELETING = frozenset({"delete", "unlink"})
_CONVERTING = frozenset(
    "int float str bool decode loads list dict set tuple sorted debug info warning error exception".split()
)
_NEAR = 3


class KeyLock(NamedTuple):
    """A key that keeps others out for ever when its holder dies, or a read and a delete that lose what is between."""

    node: cst.CSTNode
    call: str
    #: What to write instead, where it is a read and a delete.
    instead: str = ""
    #: How to say for how long the lock may be held.
    expiry: str = ""


class KeyLocks:
    """Looks at the calls of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> Iterator[KeyLock]:
        """The locks without expiry that a function takes or makes, and the keys that it reads and then deletes."""
        for call in function.calls:
            name = called_name(call)
            if name in ("set", "setnx"):
                if self._sets_lock(call, function):
                    yield KeyLock(call, "set(nx=True)" if name == "set" else "setnx()", expiry="ex=")
            elif name in ("lock", "Lock"):
                if self._makes_lock(call):
                    yield KeyLock(call, f"{name}()", expiry="timeout=")
            elif name in ("add", "aadd"):
                if self._adds_lock(call, function):
                    yield KeyLock(call, f"{name}()", expiry="a timeout")
            elif name in _DELETING:
                yield from self._drained(call, function)

    # -- locks -------------------------------------------------------------------------------------------------------

    def _sets_lock(self, call: cst.Call, function: FunctionInfo) -> bool:
        if passes_unknown(call) or not isinstance(call.func, cst.Attribute) or not call.args:
            return False
        if called_name(call) == "set" and literal(argument(call, None, "nx") or call) != (True,):
            return False
        if _ends(call) or argument(call, 2, None) is not None:
            return False
        client = call.func.value
        if self._is_of_django(client) or not self._may_be_client(client):
            return False
        return self._is_lock(call, function) and not self._expires(call, function) and not _is_dated(call)

    def _may_be_client(self, client: cst.BaseExpression) -> bool:
        """Whether nothing tells that it is something else than a client of Redis."""
        kind = self._file.kind(client)
        return kind is None or self._file.is_a(client, *_CLIENTS)

    def _is_of_django(self, client: cst.BaseExpression) -> bool:
        """Whether a client is a cache of Django, whose keys expire unless one says otherwise."""
        named = client.value if isinstance(client, cst.Subscript) else client
        qualified = self._file.qualified(named) or ""
        return qualified.startswith("django.") or last_name(named).lower().endswith(("cache", "caches"))

    def _is_lock(self, call: cst.Call, function: FunctionInfo) -> bool:
        """Whether the key, what the outcome is called, or the function says that it is a lock."""
        named = [function.name, "" if function.owner is None else function.owner.name]
        statement = self._file.tree.statement(call)
        if isinstance(statement, cst.Assign):
            named += [last_name(target.target) for target in statement.targets]
        key = call.args[0].value
        named += _names(key)
        for part in self._file.tree.within(key):
            if isinstance(part, cst.Name):
                values = (b.value for b in self._file.names.reaching(part) or () if b.how == "assign" and b.value)
                named += [name for value in values for name in _names(value)]
        return any(not _LOCKS.isdisjoint(words(name)) for name in named)

    def _expires(self, call: cst.Call, function: FunctionInfo) -> bool:
        """Whether the function says, in another call, when the key expires."""
        return any(
            called_name(other) in _EXPIRING or (called_name(other) == "set" and other is not call and _ends(other))
            for other in function.calls
        )

    def _makes_lock(self, call: cst.Call) -> bool:
        if passes_unknown(call):
            return False
        position = 1
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "lock":
            if not (call.args and self._is_client(call.func.value)):
                return False
        elif (self._file.qualified(call.func) or "") in _LOCK_CLASSES:
            position = 2
        else:
            return False
        timeout = argument(call, position, "timeout")
        return timeout is None or literal(timeout) == (None,)

    def _is_client(self, node: cst.BaseExpression) -> bool:
        if self._file.is_a(node, *_CLIENTS):
            return True
        if self._file.kind(node) is not None:
            return False
        func = node.func if isinstance(node, cst.Call) else node
        if isinstance(func, cst.Subscript):
            func = func.value
        named = words(last_name(func))
        return not _SERVERS.isdisjoint(named) and set(named) <= _SERVERS | _BESIDE

    def _adds_lock(self, call: cst.Call, function: FunctionInfo) -> bool:
        """Whether a call adds a key to a cache of Django for ever: without a timeout it would be the default one."""
        if not isinstance(call.func, cst.Attribute) or passes_unknown(call):
            return False
        timeout = argument(call, 2, "timeout")
        if timeout is None or literal(timeout) != (None,) or not call.args:
            return False
        return self._is_of_django(call.func.value) and self._is_lock(call, function)

    # -- read, then deleted ------------------------------------------------------------------------------------------

    def _drained(self, delete: cst.Call, function: FunctionInfo) -> Iterator[KeyLock]:
        if not (isinstance(delete.func, cst.Attribute) and len(delete.args) == 1 and not passes_unknown(delete)):
            return
        client, key = delete.func.value, delete.args[0].value
        if not self._is_client(client):
            return
        for call in function.calls:
            name = called_name(call)
            if name not in _READING or not isinstance(call.func, cst.Attribute) or not call.args:
                continue
            if name == "lrange" and not _is_whole(call):
                continue
            is_same = call.func.value.deep_equals(client) and call.args[0].value.deep_equals(key)
            if is_same and self._follows(call, delete):
                yield KeyLock(delete, f"{name}() and delete()", instead=_READING[name])

    def _follows(self, read: cst.Call, delete: cst.Call) -> bool:
        """Whether a delete follows a read so closely that both are meant as one, whatever was read."""
        tree = self._file.tree
        start, end = self._line(read), self._line(delete)
        if start is None or end is None or not isinstance(tree.statement(read), cst.Assign):
            return False
        if tree.order(start) >= tree.order(end):
            return False
        block = tree.parents[start]
        inner = tree.parents[end]
        if inner is not block:
            # Or at the beginning of what is done with it where there was something.
            around = tree.parents[inner]
            if not (isinstance(around, cst.If) and tree.parents[around] is block and not _compares(around.test)):
                return False
            between = [*_between(block, start, around), *_before(inner, end)]
        else:
            between = _between(block, start, end)
        return len(between) <= _NEAR and all(self._is_plain(statement) for statement in between)

    def _line(self, call: cst.Call) -> cst.CSTNode | None:
        """The line that a call is a statement of; None within one that is more than an assignment or expression."""
        statement = self._file.tree.statement(call)
        parent = self._file.tree.parents.get(statement)
        return parent if isinstance(parent, cst.SimpleStatementLine) else None

    def _is_plain(self, statement: cst.CSTNode) -> bool:
        """Whether a statement does no more than turn what was read into something else, or leave without it."""
        if isinstance(statement, cst.If):
            return leaves(statement.body) and not _compares(statement.test)
        if not isinstance(statement, cst.SimpleStatementLine):
            return False
        return all(
            called_name(node) in _CONVERTING for node in self._file.tree.within(statement) if isinstance(node, cst.Call)
        )


def _ends(call: cst.Call) -> bool:
    """Whether a call says when what it sets expires."""
    return any(
        arg.keyword is not None and arg.keyword.value in _EXPIRY and literal(arg.value) != (None,) for arg in call.args
    )


def _is_whole(call: cst.Call) -> bool:
    ends = [arg.value for arg in call.args[1:]]
    return len(ends) == 2 and literal(ends[0]) == (0,) and isinstance(ends[1], cst.UnaryOperation)


def _compares(node: cst.CSTNode) -> bool:
    """Whether a test asks for more than whether there is something."""
    match node:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return _compares(inner)
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=cst.Is() | cst.IsNot())]):
            return False
    return not isinstance(node, cst.Name)


def _between(block: cst.CSTNode, start: cst.CSTNode, end: cst.CSTNode) -> list[cst.CSTNode]:
    body = list(getattr(block, "body", ()))
    return body[body.index(start) + 1 : body.index(end)] if start in body and end in body else [block]


def _before(block: cst.CSTNode, end: cst.CSTNode) -> list[cst.CSTNode]:
    body = list(getattr(block, "body", ()))
    return body[: body.index(end)]


def _names(node: cst.CSTNode) -> list[str]:
    """The names and strings in an expression."""
    found: list[str] = []
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.Name):
            found.append(part.value)
        elif isinstance(part, cst.SimpleString):
            found.append(part.raw_value)
        elif isinstance(part, cst.FormattedStringText):
            found.append(part.value)
        stack += part.children
    return found


def _is_dated(call: cst.Call) -> bool:
    """Whether the value says itself until when the lock is held: `setnx(key, time.time() + timeout)`."""
    value = argument(call, 1, "value")
    stack: list[cst.CSTNode] = [] if value is None else [value]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.Name) and {"time", "now", "expires", "expiry", "deadline", "until"} & set(
            words(part.value)
        ):
            return True
        stack += part.children
    return False
