"""Whether others are kept out: row locks, advisory locks and every other lock, known by their kind or their name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.vocabulary import CLASS_NOUNS, CLASS_WORDS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_LOCKS = frozenset(
    "lock locks locked locking rlock redlock filelock mutex semaphore synchronized exclusive lease leases fence".split()
)
#: A name that begins with one of these asks about a lock, or ends one.
_NO_LOCK = frozenset("is has can unlock release check clear remove break was not un".split())
#: What is called on a lock, or on the keeper of leases, to take it.
_TAKING = frozenset("acquire aacquire try_acquire acquire_async fence renew hold claim".split())
#: Other keywords have these words in them too (`locked_by=worker` names a column).
_LOCK_KEYWORDS = frozenset({"lock", "with_lock", "use_lock", "lock_row", "skip_locked"})
_LOCKING_SQL = re.compile(r"FOR\s+(NO\s+KEY\s+)?UPDATE|ADVISORY|LOCK\s+TABLE|GET_LOCK", re.IGNORECASE)
#: Alone in a string, or in SQL: "serializable" is also a word about JSON.
_STRICT = re.compile(
    r"""['"](SERIALIZABLE|REPEATABLE[ _]READ)['"]|ISOLATION\s+LEVEL\s+(SERIALIZABLE|REPEATABLE\s+READ)""", re.IGNORECASE
)


def words(name: str) -> list[str]:
    """`getForUpdate`, `get_for_update` -> get, for, update."""
    return [part.lower() for part in _PARTS.findall(name)]


def is_class_word(name: str) -> bool:
    """Whether a name says that it holds a mapped class: `cls`, `model`, `model_class`; a `model_name` does not."""
    parts = words(name)
    return not CLASS_WORDS.isdisjoint(parts) and parts[-1] in CLASS_NOUNS


def is_lock_name(name: str) -> bool:
    """Whether a function, object or parameter of this name takes a lock, or is one."""
    parts = words(name)
    if not parts or parts[0] in _NO_LOCK:
        return False
    return not _LOCKS.isdisjoint(parts) or "for_update" in "_".join(parts)


def called_name(call: cst.Call) -> str:
    """The last name of a callee: `filter` of `a.b.filter(...)`; empty for anything else."""
    func = call.func
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""


def asks_for_lock(call: cst.Call) -> bool:
    """Whether a keyword of a call says that what it gives is to be locked: `for_update=True`, `lock=True`."""
    for arg in call.args:
        name = "" if arg.keyword is None else arg.keyword.value
        if (name in _LOCK_KEYWORDS or "for_update" in name) and literal(arg.value) not in ((False,), (None,)):
            return True
    return False


def is_locking(call: cst.Call) -> bool:
    """Whether a call takes a lock, going by its name, its keywords or the SQL in it."""
    return (
        is_lock_name(called_name(call))
        or (isinstance(call.func, cst.Attribute) and _takes_key(call, call.func.value))
        or asks_for_lock(call)
        or any(_has_locking_sql(arg.value) for arg in call.args)
    )


def _takes_key(call: cst.Call, receiver: cst.BaseExpression) -> bool:
    """Whether a method takes the lock it is called on, or a key of a cache that only one caller gets."""
    name = called_name(call)
    if name in _TAKING:
        while isinstance(receiver, cst.Call | cst.Subscript):
            receiver = receiver.func if isinstance(receiver, cst.Call) else receiver.value
        return is_lock_name(last_name(receiver))
    if name == "set":
        return any(
            arg.keyword is not None and arg.keyword.value == "nx" and literal(arg.value) == (True,) for arg in call.args
        )
    return name == "setnx"


def _has_locking_sql(node: cst.BaseExpression) -> bool:
    text = node.evaluated_value if isinstance(node, cst.SimpleString | cst.ConcatenatedString) else None
    return isinstance(text, str) and _LOCKING_SQL.search(text) is not None


class Locks:
    """What is held where, in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._taking: dict[FunctionInfo, bool] = {}
        self._serial: bool | None = None

    def held(self, node: cst.CSTNode) -> bool:
        """Whether a node runs in a `with` or in a function that holds a lock, whatever the lock is."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.With) and any(self._is_lock(item.item) for item in around.items):
                return True
            decorators = around.decorators if isinstance(around, cst.FunctionDef | cst.ClassDef) else ()
            if any(self._is_lock(decorator.decorator) for decorator in decorators):
                return True
        return False

    def _is_lock(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Await):
            return self._is_lock(node.expression)
        if isinstance(node, cst.Call):
            callee = self._file.callee(node)
            if callee is not None and self.takes(callee):
                return True
            if called_name(node) == "method_decorator" and node.args:
                return self._is_lock(node.args[0].value)
            return is_locking(node) or self._is_lock(node.func)
        if isinstance(node, cst.Subscript):
            return self._is_lock(node.value)
        if isinstance(node, cst.Attribute):
            return is_lock_name(node.attr.value) or self._is_lock(node.value)
        return isinstance(node, cst.Name) and (is_lock_name(node.value) or self._takes_by_name(node))

    def _takes_by_name(self, node: cst.Name) -> bool:
        kind = self._file.kind(node)
        return kind is not None and isinstance(kind.ref, FunctionInfo) and self.takes(kind.ref)

    def takes(self, function: FunctionInfo) -> bool:
        """Whether a function of the file takes a lock, itself or in a function it calls."""
        found = self._taking.get(function)
        if found is None:
            self._taking[function] = False
            blocks = (node for node in self._file.tree.within(function.node.body) if isinstance(node, cst.With))
            found = any(True for _ in self.locking_calls(function)) or any(map(self._enters_lock, blocks))
            self._taking[function] = found
        return found

    def locking_calls(self, function: FunctionInfo) -> Iterator[cst.Call]:
        """The calls of a function that take a lock, in the functions nested in it too; not `with self._lock:`."""
        for node in self._file.tree.within(function.node.body):
            if node.__class__ is cst.Call:
                assert isinstance(node, cst.Call)
                callee = self._file.callee(node)
                if is_locking(node) or (callee is not None and self.takes(callee)) or self._is_added_key(node):
                    yield node

    def _enters_lock(self, block: cst.With) -> bool:
        """Whether a block takes a lock, other than what a call gives."""
        return any(not isinstance(item.item, cst.Call) and self._is_lock(item.item) for item in block.items)

    def _is_added_key(self, call: cst.Call) -> bool:
        """`if not cache.add(key, 1): return`: only one caller gets the key."""
        return (
            called_name(call) in ("add", "aadd")
            and isinstance(call.func, cst.Attribute)
            and words(last_name(call.func.value))[-1:] == ["cache"]
            and not isinstance(self._file.parent(call), cst.Expr)
        )

    def is_serial(self) -> bool:
        """Whether the file asks for an isolation level under which the database refuses the second writer."""
        if self._serial is None:
            strings = (node for node in self._file.tree.nodes if node.__class__ is cst.SimpleString)
            self._serial = any(_STRICT.search(node.value) for node in strings)
        return self._serial
